"""The picture of a lift by part: one line each, with its interval, and nothing as the line to compare with.

Not here: the lifts themselves (ope/comparison/policies.py), colours and rules of text (base.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from campaignrl.ope.comparison import Part
from campaignrl.report.figures.base import INK, MUTED, RULE, SERIES, WIDTH, safe

ROW = 0.42  # inches a part


def lift_by_part(parts: Sequence[Part], unit: str = "reward") -> Figure:
    """Lift of each part with its interval, in the order given; parts without a figure keep an empty line."""
    figure = Figure(figsize=(WIDTH, 1.2 + ROW * max(len(parts), 1)), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    ax.patch.set_alpha(0.0)
    ax.axvline(0.0, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)
    for row, part in enumerate(parts):
        lift = part.lift
        if math.isnan(lift.value):
            continue
        if math.isfinite(lift.ci_low) and math.isfinite(lift.ci_high):
            ax.hlines(row, lift.ci_low, lift.ci_high, color=SERIES[0], lw=2, zorder=2)
        ax.plot(lift.value, row, "o", ms=6, color=SERIES[0], zorder=3)
    ax.set_yticks(range(len(parts)), [f"{safe(part.part, 32)}  ({part.customers:,})" for part in parts])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.set_ylim(max(len(parts), 1) - 0.5, -0.5)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.grid(axis="x", color=RULE, lw=0.8)
    ax.tick_params(axis="x", colors=MUTED, length=0, labelsize=10)
    ax.tick_params(axis="y", labelcolor=INK, length=0, labelsize=10)
    ax.set_xlabel(safe(f"lift per decision, {unit} (customers in brackets)", 90), color=MUTED, parse_math=False)
    return figure
