"""Building a policy from its name, its spec or its file.

A spec is a TOML file: `kind`, the settings of that kind, and if wanted `name` and `about`. Not here: which
kinds exist (registry.py), bundles (bundle.py), where bundled specs lie (specs/bundled.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from campaignrl.actions import Catalog
from campaignrl.errors import Problem, SpecError, UsageError, nearest, unknown
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Policy
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.registry import kinds, policy_class
from campaignrl.specs import World, WorldReference, bundled_files, check, load_world, pretrained_files, read_toml
from campaignrl.tables.log import FACT, DecisionLog, sketch_of

ALWAYS = "always:"
PolicyReference = str | Path | Mapping[str, Any] | Policy  # a name, a path, a dict of a spec, or the policy itself
Where = WorldReference | DecisionLog | Catalog  # what says which actions there are
HINT = "Or give a bundle, a TOML file, or `always:ACTION`."


def build_policy(
    spec: Mapping[str, Any] | str, catalog: Catalog, schema: FeatureSchema, seed: int = 0, name: str = ""
) -> Policy:
    """A policy, untrained, from a spec or the name of one. seed: for learners whose spec gives none."""
    if isinstance(spec, str):
        return load_policy(spec, catalog, schema, seed)
    settings = {key: value for key, value in spec.items() if key not in ("kind", "name", "about")}
    kind, own = spec.get("kind"), spec.get("name")
    called = str(own or name or kind)
    if own is not None and not isinstance(own, str):
        raise SpecError(Problem(f"policy {name or kind}", "name", own, "a text", 'Put it in quotes: name = "..."'))
    if not isinstance(kind, str) or kind not in kinds():
        fix = nearest(str(kind), kinds())
        raise SpecError(Problem(f"policy {called}", "kind", kind, f"one of {', '.join(sorted(kinds()))}", fix))
    found = policy_class(kind)
    if "seed" in found.Config.model_fields:
        settings = {"seed": seed, **settings}
    policy: object = found(catalog, schema, check(found.Config, settings, f"policy {called}"), called)
    if not isinstance(policy, Policy):
        absent = ", ".join(name for name in ("kind", "name", "catalog") if not hasattr(policy, name))
        raise UsageError(Problem(f"class {found.__name__}", absent, "absent", "set by its constructor"))
    return policy


def load_policy(
    policy: PolicyReference,
    world: Where | None = None,
    features: FeatureSchema | None = None,
    seed: int = 0,
) -> Policy:
    """A policy by reference: a bundle, a spec, a bundled name, a kind, `always:ACTION`.

    Args:
        policy: path of a bundle or of a spec (TOML), a bundled name (of policies/, or `pretrained/WORLD`), a kind
            without settings (`lin_ts`), `always:ACTION`, a dict of what a spec holds, or a Policy, which stays itself.
        world: what it decides for: a World, its name, path or dict, a DecisionLog, or a Catalog (with `features`).
            A bundle knows its own, and must then be for that catalog.
        features: what it may see of a customer; only beside a Catalog, the others know.
        seed: of a learner whose spec gives none.

    Returns:
        Policy: untrained where a learner is named, as it was saved where a bundle is.

    Raises:
        UnknownName: nothing goes by that name.
        UsageError: `world` is missing, and the reference is no bundle.
        ArtifactError: the bundle is damaged, of an unknown kind, or of another catalog.
        SpecError: the spec has mistakes.

    Example:
        >>> import campaignrl as crl
        >>> crl.load_policy("rules", world="ecommerce")
        Policy rules: 33 actions, learns nothing
        >>> crl.load_policy({"kind": "lin_ts", "name": "thompson"}, "coupon_trap")
        Policy thompson (lin_ts): 7 actions, untrained
        >>> crl.load_policy("pretrained/ecommerce")
        Policy dr_uplift: 33 actions, trained
    """
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, Mapping):
        return build_policy(policy, *_place(world, features, policy.get("kind")), seed)
    text = str(policy)
    if text.startswith(ALWAYS):
        catalog, schema = _place(world, features, text)
        catalog.id_of(text.removeprefix(ALWAYS))  # a mistyped name is a word of the call: UnknownName
        return build_policy({"kind": "always", "action": text.removeprefix(ALWAYS)}, catalog, schema, name=text)
    bundled = bundled_files("policies") | pretrained_files()
    path = bundled.get(text, Path(text))
    if text not in bundled and not path.is_file():
        if text in kinds():
            return build_policy({"kind": text}, *_place(world, features, text), seed)
        raise unknown("policy", text, {*bundled, *kinds()} - {"always"}, HINT)
    if path.suffix == ".toml":
        return build_policy(read_toml(path), *_place(world, features, text), seed, name=path.stem)
    return load_bundle(path, None if world is None else _place(world, features, text)[0])


def _place(world: Where | None, features: FeatureSchema | None, policy: object) -> tuple[Catalog, FeatureSchema]:
    """The catalog and features a policy is to decide for."""
    if isinstance(world, DecisionLog):
        return world.catalog, world.context.schema
    if isinstance(world, Catalog):
        return world, FeatureSchema(()) if features is None else features
    if world is None:
        fix = f"Only a bundle knows its own: load_policy({str(policy)!r}, world='ecommerce')."
        raise UsageError(Problem("load_policy", "world", None, "a world, for whose actions the policy decides", fix))
    found = load_world(world)
    return found.catalog, found.features


def save_policy(
    policy: Policy, path: str | Path, *, trained_on: DecisionLog | World | Mapping[str, Any] | None = None
) -> Path:
    """Write a policy to a bundle: settings and tensors, no code and no time, so the same policy gives the same bytes.

    Args:
        policy: of one of our kinds, or of one that is registered.
        path: of the file, NAME.bundle; it appears whole or not at all.
        trained_on: what it has learned from: the log (then `evaluate` warns where it is judged on the same
            customers), the world (then `campaignrl decide` knows whose rules hold), or facts as plain JSON.
            Not given: what the policy's own bundle said, where it came from one.

    Returns:
        Path: the path.

    Raises:
        UsageError: the kind is not registered, the path is that of a spec (.toml), or the facts are no JSON.

    Example:
        >>> import campaignrl as crl
        >>> policy = crl.load_policy("uniform", "coupon_trap")
        >>> crl.load_policy(crl.save_policy(policy, "uniform.bundle"))
        Policy uniform: 7 actions, learns nothing
    """
    if Path(path).suffix == ".toml":
        raise UsageError(Problem("save_policy", "path", str(path), "the name of a bundle", "Write NAME.bundle."))
    if isinstance(trained_on, DecisionLog):
        facts: Mapping[str, Any] = {FACT: sketch_of(trained_on).to_dict()}
    elif isinstance(trained_on, World):
        facts = {"world": trained_on.name}
    else:
        facts = getattr(policy, "trained_on", {}) if trained_on is None else trained_on
    return save_bundle(policy, path, facts)


def copy_of(policy: Policy, **changed: Any) -> Policy:
    """The same policy apart: settings and learned numbers, of the class that it is of. changed: settings."""
    found = policy_class(policy.kind)
    config = check(found.Config, {**policy.settings(), **changed}, f"policy {policy.name}")
    copy = found(policy.catalog, policy.schema, config, policy.name)  # type: ignore[attr-defined]
    if is_trained(policy):
        copy.restore(policy.tensors())
    return copy


def exploring(policy: Policy, share: float) -> Policy:
    """The policy with at least `share` of uniform mixed in; itself where it has that, or knows no such share."""
    may = getattr(getattr(type(policy), "Config", None), "model_fields", {})
    if "explore" not in may or policy.settings().get("explore", 0.0) >= share:
        return policy
    drawing = copy_of(policy, explore=share)
    vars(drawing)["trained_on"] = getattr(policy, "trained_on", {})
    return drawing


def is_trained(policy: Policy) -> bool:
    """True unless the policy is a learner that has seen no data yet."""
    return bool(getattr(policy, "is_trained", True))


def require_trained(policy: Policy, world: str) -> None:
    """A UsageError, with the command that trains it in `world`, for a learner that has seen no data."""
    if not is_trained(policy):
        fix = f"Train it first: campaignrl train {policy.name} --world {world} -o {policy.name}.bundle"
        raise UsageError(Problem("policy", "name", policy.name, "a policy that has learned", fix))
