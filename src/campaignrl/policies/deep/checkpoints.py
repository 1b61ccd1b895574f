"""The whole state of a training in one file, so that an interrupted one goes on where it was.

Weights, the optimiser's sums and counters, in the container of our bundles: nothing is pickled, and a damaged file is
refused. Not here: what they belong to (trainer.py), trained policies (bundle.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from campaignrl.errors import ArtifactError, Problem
from campaignrl.policies.base import Tensors
from campaignrl.policies.deep.run_options import CurvePoint
from campaignrl.policies.tensor_file import MAX_FILE, pack, unpack
from campaignrl.specs import Spec, World
from campaignrl.tables.files import write_whole

KEY = "campaignrl-checkpoint"
FORMAT = 1


class Checkpoint(NamedTuple):
    """Where a training stands.

    of: plain JSON that says which training it is, and must be the same to go on; counters: by name.
    """

    of: dict[str, Any]
    counters: dict[str, int]
    curve: list[CurvePoint]
    tensors: Tensors


def identity(kind: str, config: Spec, world: World, steps: int) -> dict[str, Any]:
    """What must be the same for a training to go on."""
    return {
        "kind": kind,
        "settings": config.model_dump(mode="json"),
        "world": world.name,
        "catalog": world.catalog.hash,
        "features": list(world.features.encoded),
        "steps": steps,
    }


def save_checkpoint(found: Checkpoint, path: Path) -> None:
    """Write it whole or not at all."""
    manifest = {"format": FORMAT, "of": found.of, "counters": found.counters, "curve": found.curve}
    content = pack({KEY: json.dumps(manifest, sort_keys=True, allow_nan=False)}, found.tensors)

    def write(out: Any) -> None:
        out.write(content)

    write_whole(path, write)


def load_checkpoint(path: Path, of: dict[str, Any]) -> Checkpoint:
    """The state in a file, which must be of the training `of`; every fault is an ArtifactError."""
    where = str(path)
    try:
        if path.stat().st_size > MAX_FILE:
            raise ArtifactError(Problem(where, "size", path.stat().st_size, f"at most {MAX_FILE} bytes"))
        raw = path.read_bytes()
    except OSError as wrong:
        raise ArtifactError(Problem(where, "file", wrong.strerror, "readable")) from None
    texts, tensors = unpack(raw, where)
    try:
        manifest = json.loads(texts[KEY])
        known, written = dict(manifest["of"]), manifest["format"]
        counters = {str(name): int(value) for name, value in manifest["counters"].items()}
        curve = [CurvePoint(int(steps), *map(float, rest)) for steps, *rest in manifest["curve"]]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ArtifactError(Problem(where, "content", "something else", "a checkpoint of campaignrl")) from None
    if written != FORMAT:
        raise ArtifactError(Problem(where, "format", written, str(FORMAT), "It was written by another version."))
    _require_same(known, json.loads(json.dumps(of)), where)
    return Checkpoint(known, counters, curve, tensors)


def _require_same(known: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    fix = "Give the same words as then, or delete the file to begin anew."
    problems = [
        Problem(where, part, known.get(part), f"{wanted.get(part)!r}, as in this call", fix)
        for part in sorted({*known, *wanted})
        if known.get(part) != wanted.get(part)
    ]
    if problems:
        raise ArtifactError(problems)
