"""A policy in one file, NAME.bundle: what it is, what it may see, what it has learned. Nothing in it is ever run.

The manifest (JSON) says format, kind, name, settings, catalog, features and facts about its training; learned
numbers are tensors beside it (tensor_file.py). No time stamp: same inputs, same bytes. Limits come from our
code, shapes from the kind's own class, the class from registry.py, never from the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from pydantic import BaseModel, ValidationError

from campaignrl.actions import Action, Catalog, Channel, Offer
from campaignrl.errors import ArtifactError, CampaignError, Problem, UsageError, nearest
from campaignrl.features import Feature, FeatureSchema
from campaignrl.policies.base import ANY, Policy, Shapes, Tensors
from campaignrl.policies.registry import OWN_KIND, Stored, kinds, policy_class
from campaignrl.policies.tensor_file import DTYPES, MAX_FILE, pack, unpack
from campaignrl.specs import Spec, check
from campaignrl.tables.files import write_whole

FORMAT = 1
KEY = "campaignrl"
PARTS = ("catalog", "features", "format", "kind", "name", "settings", "trained_on")


class _Parts(BaseModel):
    offers: list[Offer]
    channels: list[Channel]
    actions: list[Action]


class _Types(BaseModel):
    """The types of what is built by classes of ours that take them on trust."""

    catalog: _Parts
    features: list[Feature]
    settings: dict[str, Any]
    trained_on: dict[str, Any]


def save_bundle(policy: Policy, path: str | Path, facts: Mapping[str, Any] | None = None) -> Path:
    """Write `policy` whole or not at all. facts: plain JSON about its training (log, rows, seed, world)."""
    if policy.kind not in kinds():
        known = ", ".join(kinds())
        raise UsageError(f"a policy of kind {policy.kind!r} cannot be saved: bundles hold {known}. {OWN_KIND}")
    manifest = {
        "format": FORMAT,
        "kind": policy.kind,
        "name": policy.name,
        "settings": policy.settings(),
        "catalog": policy.catalog.to_dict(),
        "features": getattr(policy, "schema", FeatureSchema(())).to_list(),
        "trained_on": dict(facts or {}),
    }
    try:
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as wrong:
        raise UsageError(f"{path}: facts about the training must be plain JSON: {wrong}.") from None
    content = pack({KEY: text}, policy.tensors())
    write_whole(path, lambda out: _write(out, content))
    return Path(path)


def load_bundle(path: str | Path, catalog: Catalog | None = None) -> Policy:
    """The policy in a file; every fault is an ArtifactError. catalog: the one it must decide for, if known.

    The facts about its training are its attribute `trained_on`.
    """
    where = str(path)
    manifest, tensors = _read(path)
    found: type[Stored] = policy_class(manifest["kind"])
    own, schema, config = _contents(manifest, found, where)
    if catalog is not None:
        require_same_catalog(own, catalog, where)
    _require_shapes(found.shapes(own, schema, config), tensors, where)
    try:
        policy = found(own, schema, config, manifest["name"])
        policy.restore(tensors)
    except CampaignError as wrong:
        raise ArtifactError(f"{where}: its parts do not fit together: {_line(wrong)}") from None
    vars(policy)["trained_on"] = manifest["trained_on"]  # beside the contract of a policy: only evaluate asks for it
    return policy


def forget_in_bundle(path: str | Path, customer: str) -> int:
    """Take a customer's rows, by the id, out of what a bundle holds to learn on from; how many rows went."""
    policy = load_bundle(path)
    gone = policy.forget(customer) if hasattr(policy, "forget") else 0
    if gone:
        save_bundle(policy, path, vars(policy)["trained_on"])
    return int(gone)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """What a bundle says of itself, facts about its training under `trained_on`."""
    return _read(path)[0]


def require_same_catalog(own: Catalog, wanted: Catalog, where: str) -> None:
    """The bundle's catalog is `wanted`, or an ArtifactError that says what differs."""
    if own.hash == wanted.hash:
        return
    has, needs = list(own.names), list(wanted.names)
    said = [
        ("lacks", [n for n in needs if n not in has]),
        ("has besides", [n for n in has if n not in needs]),
        ("has under another id", [n for n in has if n in needs and has.index(n) != needs.index(n)]),
    ]
    parts = [f"{what} {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}" for what, names in said if names]
    differs = "; ".join(parts) or "has the same actions, but their offers or channels differ"
    fix = f"It {differs}. Train it on this catalog."
    raise ArtifactError(Problem(where, "catalog", own.hash, f"the catalog in use, {wanted.hash}", fix))


def _read(path: str | Path) -> tuple[dict[str, Any], Tensors]:
    where = str(path)
    try:
        size = Path(path).stat().st_size
        raw = b"" if size > MAX_FILE else Path(path).read_bytes()
    except OSError as wrong:
        raise ArtifactError(Problem(where, "file", wrong.strerror, "readable")) from None
    if size > MAX_FILE:
        _refuse(where, "size", size, f"at most {MAX_FILE} bytes")
    texts, tensors = unpack(raw, where)
    return _manifest(texts, where), tensors


def _manifest(texts: dict[str, str], where: str) -> dict[str, Any]:
    try:
        manifest = json.loads(texts.get(KEY, ""))
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int:
        _refuse(where, "manifest", "missing", "a manifest of campaignrl", "Only *.bundle files are opened.")
    if manifest["format"] != FORMAT:
        fix = "It was written by another version: update campaignrl, or train it again."
        _refuse(where, "format", manifest["format"], FORMAT, fix)
    if tuple(sorted(manifest)) != PARTS:
        _refuse(where, "manifest", sorted(manifest), f"made of {', '.join(PARTS)}")
    for part in ("kind", "name"):
        if not isinstance(manifest[part], str):
            _refuse(where, part, manifest[part], "a text")
    if manifest["kind"] not in kinds():
        fix = f"{nearest(manifest['kind'], kinds())} {OWN_KIND}".strip()
        _refuse(where, "kind", manifest["kind"], f"one of {', '.join(kinds())}", fix)
    return manifest


def _contents(manifest: dict[str, Any], found: type[Stored], where: str) -> tuple[Catalog, FeatureSchema, Spec]:
    """Catalog, features and settings, checked by their own classes."""
    try:
        _Types.model_validate(manifest)
        catalog = Catalog.from_dict(manifest["catalog"])
        schema = FeatureSchema.from_list(manifest["features"])
        renamed = getattr(found.Config, "with_names_of_today", dict)  # older bundles stay readable
        config = check(found.Config, renamed(manifest["settings"]), "settings")
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        _refuse(where, place, first["input"], "as campaignrl writes it", f"{first['msg']}.")
    except CampaignError as wrong:
        raise ArtifactError(f"{where}: {_line(wrong)}") from None
    return catalog, schema, config


def _require_shapes(wanted: Shapes, tensors: Tensors, where: str) -> None:
    if sorted(wanted) != sorted(tensors):
        _refuse(where, "tensors", sorted(tensors), f"{sorted(wanted)}, what its kind needs")
    for name, (dtype, shape) in wanted.items():
        found = tensors[name]
        sizes = len(found.shape) == len(shape) and all(s in (ANY, f) for s, f in zip(shape, found.shape, strict=True))
        if not sizes or found.dtype != np.dtype(DTYPES[dtype]):
            wanted_sizes = "(" + ", ".join("any" if s == ANY else str(s) for s in shape) + ")"
            _refuse(where, name, (str(found.dtype), found.shape), f"{dtype} of shape {wanted_sizes}")


def _line(wrong: CampaignError) -> str:
    return " ".join(str(wrong).splitlines())


def _write(out: Any, content: bytes) -> None:
    out.write(content)


def _refuse(where: str, field: str, value: object, allowed: object, fix: str = "") -> NoReturn:
    raise ArtifactError(Problem(where, field, value, str(allowed), fix))
