"""A set of segments as one JSON file: how to find a customer's segment, and how to draw customers of each.

Plain numbers and texts, checked on reading; nothing in it is ever run. The same segments give the same bytes. Not
here: what the parts mean (segments.py, population.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import ValidationError

from campaignrl.errors import ArtifactError, Problem
from campaignrl.policies import foreign_name
from campaignrl.profiles.population import Population
from campaignrl.profiles.segments.segments import Segmentation
from campaignrl.specs import Spec, field_problems
from campaignrl.tables.files import write_whole

MAX_BYTES = 64 << 20


class SegmentFile(Spec):
    """What the file holds; a population is there unless it was left out."""

    format: Literal["campaignrl segments"] = "campaignrl segments"
    version: Literal[1] = 1
    segmentation: Segmentation
    population: Population | None = None


def save_segments(path: str | Path, segmentation: Segmentation, population: Population | None = None) -> None:
    """Write both; the file appears whole or not at all."""
    content = SegmentFile(segmentation=segmentation, population=population).model_dump(mode="json")
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def write(out: BinaryIO) -> None:
        out.write(text.encode() + b"\n")

    write_whole(path, write)


def load_segments(path: str | Path) -> SegmentFile:
    """Read both; a file that is missing, foreign, damaged or does not fit together is an ArtifactError."""
    source = Path(path)
    try:
        size = source.stat().st_size
        raw = source.read_bytes() if size <= MAX_BYTES else b""
    except OSError as wrong:
        raise ArtifactError(f"{source}: cannot be read: {wrong.strerror or wrong}.") from None
    if size > MAX_BYTES:
        raise ArtifactError(Problem(str(source), "size", size, f"at most {MAX_BYTES} bytes"))
    if not raw.lstrip().startswith(b"{"):
        fix = "Make it with `campaignrl profile segment ... -o segments.json`."
        raise ArtifactError(Problem(str(source), "content", foreign_name(raw), "a file of segments", fix))
    try:
        return SegmentFile.model_validate_json(raw)
    except ValidationError as wrong:
        problems = [p._replace(where=f"{source} {p.where}".rstrip()) for p in field_problems(wrong, SegmentFile)]
        raise ArtifactError(problems) from None
