"""One picture for the pages of experiments: estimates with their intervals, in panels side by side.

Here: how it is drawn. Not here: the pictures of the campaign report (base.py, whose colours and rules of text
these are), which rows there are (the experiment).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, frame, safe

WIDTH, ROW, FRAME = 11.0, 0.34, 1.6  # inches: the figure, each row, titles and axes
LINE = 128  # signs in a line of the headline


class Spot(NamedTuple):
    """One estimate as a dot on its interval; NaN where it cannot be had."""

    value: float
    low: float
    high: float
    series: int = 0  # which colour
    believed: bool = True  # False: drawn hollow


class Panel(NamedTuple):
    """One column of the picture; `spots` in the order of the rows."""

    title: str
    unit: str
    spots: Sequence[Spot]
    signed: bool = False  # differences are written with their sign
    mark: float | None = None  # where an upright line stands
    band: tuple[float, float] | None = None  # what would not matter
    limits: tuple[float, float] | None = None  # an interval that leaves them ends in an arrow


def panels(headline: str, groups: Mapping[str, Sequence[str]], columns: Sequence[Panel], note: str = "") -> Figure:
    """The figure. headline: what it shows; groups: heading -> names of its rows; note: how to read it."""
    rows = [row for head, names in groups.items() for row in ((head, True), *((name, False) for name in names))]
    lines = textwrap.wrap(safe(headline, 600), LINE)
    figure = Figure(figsize=(WIDTH, FRAME + ROW * len(rows) + 0.2 * len(lines)), layout="constrained")
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    axes = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    places = [y for y, (_, head) in enumerate(rows) if not head]
    for ax, panel in zip(axes, columns, strict=True):
        _frame(ax, panel)
        for y, spot in zip(places, panel.spots, strict=True):
            _draw(ax, y, spot, panel)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), [safe(name, 44) for name, _ in rows], parse_math=False, color=INK)
    for label, (_, head) in zip(axes[0].get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if head else "normal")
    figure.supxlabel(safe(note, 180), fontsize=9, color=MUTED, parse_math=False)
    return figure


def decimals(panel: Panel) -> int:
    """Places after the point at which the widest interval, as far as it is drawn, has three digits."""
    low, high = panel.limits or (-math.inf, math.inf)
    widths = [min(spot.high, high) - max(spot.low, low) for spot in panel.spots]
    widest = max((width for width in widths if 0.0 < width < math.inf), default=1.0)
    return max(0, 2 - math.floor(math.log10(widest)))


def _frame(ax: Axes, panel: Panel) -> None:
    frame(ax, label_size=10)
    ax.locator_params(axis="x", nbins=5)
    ax.set_title(safe(panel.title, 60), loc="left", fontsize=11, color=INK, parse_math=False)
    ax.set_xlabel(safe(panel.unit, 60), fontsize=9, color=MUTED, parse_math=False)
    ax.margins(x=0.08)
    if panel.limits is not None:
        ax.set_xlim(*panel.limits)
    if panel.band is not None:
        ax.axvspan(*panel.band, color=RULE, alpha=0.55, lw=0, zorder=0)
    if panel.mark is not None:
        ax.axvline(panel.mark, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)


def _draw(ax: Axes, y: int, spot: Spot, panel: Panel) -> None:
    """A dot on a bar, and the figures at the right; what is not a number is said to be missing."""
    value, low, high = spot.value, spot.low, spot.high
    missing = math.isnan(value) or math.isnan(low)
    text = "not to be had" if missing else _figures(spot, decimals(panel), "+" if panel.signed else "")
    ax.text(1.03, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9, color=INK)
    if missing:
        return
    colour = SERIES[spot.series]
    if panel.limits is not None:
        for beyond, edge, arrow in ((low < panel.limits[0], 0, "<"), (high > panel.limits[1], 1, ">")):
            if beyond:
                ax.plot([panel.limits[edge]], [y], arrow, ms=8, color=colour, clip_on=False, zorder=3)
        low, high = max(low, panel.limits[0]), min(high, panel.limits[1])
    ax.plot([low, high], [y, y], color=colour, lw=3, solid_capstyle="round", alpha=0.5, zorder=2)
    ax.plot([value], [y], "o", ms=7, color=colour, mfc=colour if spot.believed else CARD, mew=1.6, zorder=4)


def _figures(spot: Spot, places: int, sign: str) -> str:
    value, low, high = (f"{figure:{sign}.{places}f}" for figure in spot[:3])
    if spot.value == spot.low == spot.high:  # no interval, which is not one without width
        return "0" if spot.value == 0.0 else value
    return f"{value} [{low}, {high}]"
