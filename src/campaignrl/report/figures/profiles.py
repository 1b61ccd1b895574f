"""Pictures of segments: how many customers each has and what they are like, and who went where between two dates.

A heat map shows how far each segment's mean of a tag lies from all customers' mean, in standard deviations: blue above,
orange below, and the mean itself in the cell, so that nothing hangs on colour alone. Figures as in base.py: no
pyplot, the same bytes for the same arrays. Not here: the numbers (profiles/).
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from campaignrl.arrays import Float
from campaignrl.profiles.segments import Column, Drift, Segmentation, columns_of
from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, safe

ABOVE, BELOW = SERIES[0], SERIES[1]  # blue and vermilion, which colour-blind readers tell apart
STRONGEST = 1.5  # standard deviations at which a cell has its full colour
CAPTION = "mean of the segment; colour: above (blue) or below (orange) all customers, on a log scale where skewed"
LETTERS_A_COLUMN = 12  # of a caption as wide as the heat map
MOST_COLUMNS = 12  # tags in a heat map: those that tell the segments apart most
MOST_ROWS = 16  # segments in a picture: the largest


class Heat(NamedTuple):
    """Rows of a heat map: segments with their shares; away and text: (rows, columns)."""

    names: list[str]
    shares: Float
    columns: list[str]
    away: Float
    text: list[list[str]]


def heat(profiles: pd.DataFrame, segmentation: Segmentation) -> Heat:
    """What the picture of a segmentation shows of these customers."""
    codes = segmentation.codes(profiles)
    counts = np.bincount(codes, minlength=len(segmentation.names))
    rows = [int(j) for j in np.argsort(-counts, kind="stable")[:MOST_ROWS] if counts[j] > 0]
    told = {tag.name: tag for tag in segmentation.tags}
    columns = columns_of(profiles, list(told.values()))
    means = np.array([[c.away[codes == j].mean() for c in columns] for j in rows]).reshape(len(rows), len(columns))
    spread = (counts[rows, None] * means**2).sum(axis=0)
    kept = sorted(_telling(columns, spread))
    text = [[_figure(columns[c], codes == j) for c in kept] for j in rows]
    labels = [_label(columns[c]) for c in kept]
    return Heat([segmentation.names[j] for j in rows], counts[rows] / len(codes), labels, means[:, kept], text)


def _telling(columns: list[Column], spread: Float) -> list[int]:
    """The columns that tell segments apart most: one a tag first, then further levels of categories with three."""
    order = [int(c) for c in np.argsort(-spread, kind="stable")]
    first = {columns[c].tag.name: c for c in reversed(order)}
    further = [c for c in order if c not in first.values() and len(columns[c].tag.levels) > 2]
    return sorted([*first.values(), *further], key=lambda c: (c in further, order.index(c)))[:MOST_COLUMNS]


def segment_picture(shown: Heat) -> Figure:
    """Bars of the segments' shares beside the heat map of their means."""
    n, m = len(shown.names), len(shown.columns)
    caption = textwrap.wrap(CAPTION, LETTERS_A_COLUMN * max(m, 3))
    size = (4.2 + 0.86 * max(m, 3), 1.7 + 0.42 * n + 0.2 * len(caption))
    figure = Figure(figsize=size, layout="constrained")
    bars, cells = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 0.86 * max(m, 3)]})
    _bars(bars, shown)
    cells.set_xlim(0, max(m, 1))
    cells.set_ylim(n, 0)
    for i in range(n):
        for c in range(m):
            _cell(cells, c, i, float(shown.away[i, c]), shown.text[i][c])
    cells.set_xticks(np.arange(m) + 0.5, [_wrapped(name) for name in shown.columns], parse_math=False, fontsize=8)
    cells.xaxis.tick_top()
    cells.set_yticks([])
    cells.set_xlabel("\n".join(caption), fontsize=9)
    for ax in (bars, cells):
        _plain_axes(ax)
    return figure


def migration_picture(found: Drift) -> Figure:
    """Where the customers of each segment are at the later date, in per cent; and how the shares changed."""
    totals = found.migration.sum(axis=1) + found.gone
    rows = [int(j) for j in np.argsort(-totals, kind="stable")[:MOST_ROWS] if totals[j] + found.new[j] > 0]
    names = [safe(found.names[j], 24) for j in rows]
    n = len(rows)
    figure = Figure(figsize=(7.2 + 0.62 * n, 2.2 + 0.42 * n), layout="constrained")
    cells, change = figure.subplots(1, 2, gridspec_kw={"width_ratios": [0.62 * (n + 1), 3.0]}, sharey=True)
    moved = (
        np.column_stack([found.migration[np.ix_(rows, rows)], found.gone[rows]]) / np.maximum(totals[rows], 1)[:, None]
    )
    for i in range(n):
        for c in range(n + 1):
            share = float(moved[i, c])
            cells.add_patch(Rectangle((c, i + 0.03), 0.95, 0.94, color=_mixed(ABOVE, share), lw=0))
            says = "" if share == 0 else "<1" if share < 0.005 else f"{100 * share:.0f}"
            cells.text(
                c + 0.48, i + 0.5, says, ha="center", va="center", fontsize=9, color=CARD if share > 0.6 else INK
            )
    cells.set_xlim(0, n + 1)
    cells.set_ylim(n, 0)
    cells.set_xticks(np.arange(n + 1) + 0.5, [_wrapped(x) for x in [*names, "gone"]], parse_math=False, fontsize=8)
    cells.tick_params(axis="x", labelrotation=90)
    cells.xaxis.tick_top()
    cells.set_yticks(np.arange(n) + 0.5, names, parse_math=False)
    cells.set_xlabel("of each row's customers, per cent now in", fontsize=9)
    for i, j in enumerate(rows):
        segment = found.shares[j]
        middle = 100 * (segment.after - segment.before)
        change.plot([100 * segment.low, 100 * segment.high], [i + 0.5, i + 0.5], color=SERIES[0], lw=2)
        change.plot([middle], [i + 0.5], "o", ms=6, color=SERIES[0])
    change.axvline(0.0, color=MUTED, lw=1, ls=(0, (3, 3)))
    change.set_xlabel("change of share, points, 95 %", fontsize=9)
    for ax in (cells, change):
        _plain_axes(ax)
    return figure


def _bars(ax: Axes, shown: Heat) -> None:
    n = len(shown.names)
    ax.barh(np.arange(n) + 0.5, 100 * shown.shares, height=0.7, color=MUTED)
    for i, share in enumerate(shown.shares):
        ax.text(100 * share, i + 0.5, f" {100 * share:.1f} %", va="center", fontsize=9, color=INK)
    ax.set_yticks(np.arange(n) + 0.5, [safe(name, 30) for name in shown.names], parse_math=False)
    ax.set_ylim(n, 0)
    ax.set_xlim(0, 145 * float(shown.shares.max(initial=0.01)))
    ax.set_xticks([])
    ax.set_xlabel("share of customers", fontsize=9)


def _cell(ax: Axes, x: int, y: int, away: float, text: str) -> None:
    depth = min(abs(away) / STRONGEST, 1.0)
    ax.add_patch(Rectangle((x, y + 0.03), 0.96, 0.94, color=_mixed(ABOVE if away > 0 else BELOW, depth), lw=0))
    ax.text(x + 0.48, y + 0.5, text, ha="center", va="center", fontsize=9, color=CARD if depth > 0.75 else INK)


def _mixed(colour: str, depth: float) -> tuple[float, float, float]:
    """The colour on white, as much of it as `depth` in [0, 1] says."""
    red, green, blue = (1.0 - depth * (1.0 - part) for part in to_rgb(colour))
    return red, green, blue


def _plain_axes(ax: Axes) -> None:
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(colors=MUTED, length=0)
    ax.tick_params(axis="y", labelcolor=INK)
    ax.tick_params(axis="x", labelcolor=INK)
    ax.xaxis.label.set_color(MUTED)
    ax.grid(False)
    ax.set_facecolor("none")
    ax.spines["bottom"].set_color(RULE)


def _label(column: Column) -> str:
    return column.tag.name if column.level is None else f"{column.tag.name} {column.level}"


def _figure(column: Column, inside: npt.NDArray[np.bool_]) -> str:
    value = float(column.values[inside].mean())
    if column.share:
        return f"{100 * value:.0f} %"
    if abs(value) >= 10_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(safe(name.replace("_", " "), 40), 11, max_lines=3, placeholder="…"))
