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
from campaignrl.policies.bundle import load_bundle
from campaignrl.policies.registry import KINDS, policy_class
from campaignrl.specs import bundled_files, check, pretrained_files, read_toml

ALWAYS = "always:"
HINT = "Or give a bundle, a TOML file, or `always:ACTION`."


def build_policy(
    spec: Mapping[str, Any] | str, catalog: Catalog, schema: FeatureSchema, seed: int = 0, name: str = ""
) -> Policy:
    """A policy, untrained, from a spec or the name of one. seed: for learners whose spec gives none."""
    if isinstance(spec, str):
        return load_policy(spec, catalog, schema, seed)
    settings = {key: value for key, value in spec.items() if key not in ("kind", "name", "about")}
    kind = spec.get("kind")
    called = str(spec.get("name") or name or kind)
    if not isinstance(kind, str) or kind not in KINDS:
        fix = nearest(str(kind), KINDS)
        raise SpecError(Problem(f"policy {called}", "kind", kind, f"one of {', '.join(sorted(KINDS))}", fix))
    found = policy_class(kind)
    if "seed" in found.Config.model_fields:
        settings = {"seed": seed, **settings}
    return found(catalog, schema, check(found.Config, settings, f"policy {called}"), called)


def load_policy(reference: str | Path, catalog: Catalog, schema: FeatureSchema, seed: int = 0) -> Policy:
    """A policy by reference: a bundle, a spec file, a bundled name, a kind without settings, `always:ACTION`.

    Bundled names are those of policies/ and, of trained ones, `pretrained/WORLD`.
    """
    text = str(reference)
    if text.startswith(ALWAYS):
        catalog.id_of(text.removeprefix(ALWAYS))  # a mistyped name is a word of the call: UnknownName
        return build_policy({"kind": "always", "action": text.removeprefix(ALWAYS)}, catalog, schema, name=text)
    bundled = bundled_files("policies") | pretrained_files()
    path = bundled.get(text, Path(text))
    if text not in bundled and not path.is_file():
        if text in KINDS:
            return build_policy({"kind": text}, catalog, schema, seed)
        raise unknown("policy", text, {*bundled, *KINDS} - {"always"}, HINT)
    if path.suffix == ".toml":
        return build_policy(read_toml(path), catalog, schema, seed, name=path.stem)
    return load_bundle(path, catalog)


def is_trained(policy: Policy) -> bool:
    """True unless the policy is a learner that has seen no data yet."""
    return bool(getattr(policy, "is_trained", True))


def require_trained(policy: Policy, world: str) -> None:
    """A UsageError, with the command that trains it in `world`, for a learner that has seen no data."""
    if not is_trained(policy):
        fix = f"Train it first: campaignrl train {policy.name} --world {world} -o {policy.name}.bundle"
        raise UsageError(Problem("policy", "name", policy.name, "a policy that has learned", fix))
