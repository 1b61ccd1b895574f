"""The settings of a set of segments in TOML: the method, and the rules, edges or number of segments it needs.

    method = "rules"                       method = "rfm"              method = "gmm"
    rest = "others"                        [rfm]                       tags = ["orders", "recency_days"]
    [segments.high_value]                  tags = ["recency_days",     k = "auto"
    when = "orders >= 6 and spend > 300"     "orders", "spend"]        min_share = 0.02

Not here: what the methods do (rules.py, rfm.py, clustering.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.profiles.segments.rules import Rule
from campaignrl.specs import Spec, check, read_toml

METHODS = ("rules", "rfm", "kmeans", "gmm")
MOST_SEGMENTS = 50


class RfmSpec(Spec):
    """Table [rfm]: the three tags (recency, frequency, money), fixed edges by role, named groups or plain cells."""

    tags: tuple[str, ...] | None = None
    edges: dict[str, tuple[float, ...]] = Field(default={})
    groups: bool = True


class SegmentSpec(Spec):
    """A whole file of settings."""

    method: Literal["rules", "rfm", "kmeans", "gmm"]
    tags: tuple[str, ...] | None = None  # of rfm and the learned methods; default: the usual three, or all
    rest: str = "others"  # what customers under no rule are called
    segments: dict[str, Rule] = Field(default={}, max_length=MOST_SEGMENTS)
    rfm: RfmSpec = RfmSpec()
    k: Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_SEGMENTS)] = "auto"
    k_max: Annotated[int, Field(ge=1, le=20)] = 8
    min_share: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.02  # of customers, for the smallest segment
    names: dict[str, str] = Field(default={})  # better names for the proposed ones

    @model_validator(mode="after")
    def _fits_together(self) -> SegmentSpec:
        if self.method == "rules" and not self.segments:
            fix = 'Add [segments.NAME] with when = "..." for each.'
            raise SpecError(Problem("", "segments", "(none)", "at least one rule", fix))
        if self.method != "rules" and self.segments:
            raise SpecError(Problem("", "segments", self.method, "a method with rules", 'Set method = "rules".'))
        return self


def read_segment_spec(path: str | Path) -> SegmentSpec:
    """The settings of one TOML file; all mistakes at once."""
    source = Path(path)
    return segment_spec(read_toml(source), source.name)


def segment_spec(data: dict[str, Any], where: str = "segments") -> SegmentSpec:
    """The settings of plain tables."""
    method = data.get("method")
    if isinstance(method, str) and method not in METHODS:
        fix = nearest(method, METHODS) or f"Known: {', '.join(METHODS)}."
        raise SpecError(Problem(where, "method", method, "a known method", fix))
    return check(SegmentSpec, data, where)
