"""The realism table: every published figure of a world beside its band, and whether it lies inside.

Not here: how figures are measured (the row files), the bands (figures.toml), how the table looks (cli/, report/).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pandas as pd

from campaignrl.calibration.published.customer_rows import customer_rows
from campaignrl.calibration.published.figures import band, says
from campaignrl.calibration.published.measured import Measured
from campaignrl.calibration.published.message_rows import message_rows
from campaignrl.calibration.published.promotion_rows import promotion_rows
from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World, WorldReference, load_world

FEWEST = 500  # customers: with fewer, no interval tells anything

Verdict = Literal["inside", "outside", "known miss", "not judged"]
MEASURES = (customer_rows, message_rows, promotion_rows)


class Row(NamedTuple):
    """One figure of a world beside its band."""

    figure: str  # its id: `opened@email 4`
    says: str  # numerator / denominator
    measured: float
    ci_low: float  # 95 %
    ci_high: float
    low: float  # the band; NaN: none
    high: float
    source: str  # keys of docs/worlds.md
    sure: str  # S, S2, R: read or computed; M, D: a guess
    verdict: Verdict
    reason: str  # of a known miss, or why it is not judged


@dataclass(frozen=True, slots=True)
class RealismTable:
    """A world held against published figures.

    Attributes:
        world: its name.
        business: the kind of business it claims to be; a `study` is measured and not judged.
        customers, seed: of every measurement.
        rows: one a figure.
    """

    world: str
    business: str
    customers: int
    seed: int
    rows: tuple[Row, ...]

    @property
    def outside(self) -> tuple[Row, ...]:
        """Figures outside their band that the world does not name as a miss."""
        return tuple(row for row in self.rows if row.verdict == "outside")

    def frame(self) -> pd.DataFrame:
        """One row a figure."""
        return pd.DataFrame(self.rows, columns=list(Row._fields))

    def to_json(self) -> str:
        """One object; figures that cannot be had are null."""
        rows = [{k: None if v != v else v for k, v in row._asdict().items()} for row in self.rows]
        facts = {"world": self.world, "business": self.business, "customers": self.customers, "seed": self.seed}
        return json.dumps({**facts, "outside": len(self.outside), "rows": rows}, ensure_ascii=False, indent=2)


def realism_table(
    world: WorldReference,
    *,
    customers: int = 20_000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> RealismTable:
    """Hold a world against published figures of the business that it claims to be.

    Funnels are measured with one channel alone at 1, 2, 4 and 7 messages a week, the customer base with nothing sent,
    and what a campaign causes against twins. A figure is inside where its 95 % interval reaches into the band.

    Args:
        world: a name, a path, a dict or a World.
        customers: of each measurement; at least 500.
        seed: of every draw.
        progress: told (done, in all) measurements, as they are made.

    Returns:
        RealismTable: one row a figure; `outside` are those that the world must answer for.

    Raises:
        UsageError: too few customers.
        UnknownName, SpecError: no such world, or a wrong one.

    Source:
        src/campaignrl/calibration/published/figures.toml names one for every band.

    Example:
        >>> from campaignrl.calibration import realism_table
        >>> found = realism_table("no_memory", customers=500)
        >>> found.business, found.outside
        ('study', ())
    """
    found = load_world(world)
    if customers < FEWEST:
        raise UsageError(Problem("realism", "customers", customers, f"at least {FEWEST}"))
    measured = list(_measured(found, customers, seed, progress))
    return RealismTable(found.name, found.business, customers, seed, tuple(judged(found, row) for row in measured))


def judged(world: World, row: Measured) -> Row:
    """The figure beside the band of the world's business."""
    ends = band(row.figure, world.business, row.a_week)
    value, verdict, reason = row.value, "not judged", ends.why
    if ends.is_known and value.value != value.value:
        reason = "it cannot be measured with so few customers"
    elif ends.is_known:
        inside = value.ci_high >= ends.low and value.ci_low <= ends.high
        reason = "" if inside else world.known_misses.get(row.id, "")
        verdict = "inside" if inside else "known miss" if reason else "outside"
    text = says(row.figure) + (f", {row.a_week} a week" if row.a_week else "") + (f": {row.of}" if row.of else "")
    figures = (value.value, value.ci_low, value.ci_high, ends.low, ends.high)
    return Row(row.id, text, *figures, ends.source, ends.sure, verdict, reason)  # type: ignore[arg-type]


def _measured(
    world: World, customers: int, seed: int, progress: Callable[[int, int], None] | None
) -> Iterator[Measured]:
    expected = 14 + 24 * len(world.channels) + 20  # about, so that the bar moves
    done = 0
    for measure in MEASURES:
        for row in measure(world, customers, seed):
            done += 1
            if progress is not None:
                progress(min(done, expected), expected)
            yield row
