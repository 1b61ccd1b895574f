"""The picture of realism tables: every judged figure as a dot against its band, one column a world.

Bands of all figures are drawn equally wide, so that one sees at a glance what lies where in its own. Not here: the
figures (calibration/published/), how one table is printed (cli/).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from campaignrl.calibration import RealismTable
from campaignrl.calibration.published import Row
from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, frame, safe

WIDTH, LINE, FRAME = 4.6, 0.19, 1.5  # inches: a world, a row, title and axis
BEYOND = 0.6  # widths of a band that are shown on either side of it; farther out stands an arrow
MARKS = {"inside": (SERIES[0], "o"), "known miss": (SERIES[4], "D"), "outside": (SERIES[1], "s")}


def published_figure(tables: Sequence[RealismTable]) -> Figure:
    """One column a world that claims to be a business; figures that are not judged are left out."""
    judged = [[row for row in table.rows if row.verdict in MARKS] for table in tables]
    most = max((len(rows) for rows in judged), default=1)
    figure = Figure(figsize=(WIDTH * max(len(tables), 1), FRAME + LINE * most), layout="constrained")
    title = "Each figure against its published band (grey, from its low to its high end)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    axes = figure.subplots(1, max(len(tables), 1), squeeze=False)[0]
    for ax, table, rows in zip(axes, tables, judged, strict=False):
        _draw(ax, table, rows, most)
    return figure


def place(value: float, low: float, high: float) -> float:
    """Where a figure lies in its band: 0 at the low end, 1 at the high end; kept within what is shown."""
    return float(np.clip((value - low) / (high - low), -BEYOND, 1.0 + BEYOND))


def _draw(ax: Axes, table: RealismTable, rows: Sequence[Row], most: int) -> None:
    frame(ax, 7.5)
    ax.axvspan(0.0, 1.0, color=RULE, alpha=0.6, lw=0)
    for y, row in enumerate(rows):
        colour, mark = MARKS[row.verdict]
        ends = [place(end, row.low, row.high) for end in (row.ci_low, row.ci_high)]
        at = place(row.measured, row.low, row.high)
        ax.plot(ends, [y, y], color=colour, lw=1.6, alpha=0.6)
        far = {-BEYOND: "<", 1.0 + BEYOND: ">"}.get(at, mark)
        ax.plot([at], [y], far, ms=5, color=colour, mec=CARD, mew=0.6)
    inside = sum(row.verdict == "inside" for row in rows)
    title = f"{safe(table.world)}: {inside} of {len(rows)} inside"
    ax.set_title(title, loc="left", fontsize=9.5, color=INK, parse_math=False)
    ax.set_xlim(-BEYOND - 0.06, 1.0 + BEYOND + 0.06)
    ax.set_ylim(most - 0.4, -0.6)
    labels = [f"{safe(row.figure, 40)} [{row.sure}]" for row in rows]
    ax.set_yticks(range(len(rows)), labels, parse_math=False, color=INK)
    ax.set_xticks([0.0, 1.0], ["low end", "high end"], color=MUTED)
