"""The pictures of a study: what learning costs and brings, pressure on customers, budgets, and estimates against truth.

Lines are told apart by dashes and marks as well as by colour, so that a page printed in black and white still reads.
Not here: the figures behind them (facts/), the page (pages/study.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, WIDTH, frame, safe

DASHES = ("-", "--", "-.", ":")
MOST_MARKS = 6  # of a line, about
MARKS = ("o", "s", "^", "D", "v", "P")
VERDICT_MARKS = {"trust": ("o", SERIES[2]), "caution": ("s", SERIES[4]), "refuse": ("X", SERIES[1])}


class Line(NamedTuple):
    """One line with its interval, point by point; NaN where there is none."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


class Judged(NamedTuple):
    """What a log said of a policy beside what was true."""

    label: str
    estimate: float
    low: float
    high: float
    truth: float
    verdict: str


def learning_curves(panels: Sequence[tuple[str, Sequence[Line]]], unit: str) -> Figure:
    """The same gains against what learning took: one panel a measure of effort, (its unit, lines)."""
    figure, axes = _side_by_side(len(panels), 3.4)
    for ax, (effort, lines) in zip(axes, panels, strict=True):
        _lines(ax, lines)
        if min(x for line in lines for x in line.x) > 0.0:
            ax.set_xscale("log")
            _ticks_at(ax, [x for line in lines for x in line.x])
        ax.set_xlabel(safe(effort, 60), color=MUTED, parse_math=False)
    axes[0].set_ylabel(safe(unit, 60), color=MUTED, parse_math=False)
    _legend(figure, axes[0])
    return figure


def over_time(lines: Sequence[Line], units: tuple[str, str]) -> Figure:
    """Lines over time, such as the contacts of each week. units: of x and of y."""
    figure, (ax,) = _side_by_side(1, 3.4)
    _lines(ax, lines)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    ax.set_xlabel(safe(units[0], 60), color=MUTED, parse_math=False)
    ax.set_ylabel(safe(units[1], 60), color=MUTED, parse_math=False)
    _legend(figure, ax)
    return figure


def gain_by_budget(lines: Sequence[Line], today: float, units: tuple[str, str]) -> Figure:
    """What each policy gains at each budget; today: a budget, marked."""
    figure, (ax,) = _side_by_side(1, 3.4)
    _lines(ax, lines)
    ax.axhline(0.0, color=MUTED, lw=1)
    ax.axvline(today, color=MUTED, lw=1, ls=(0, (3, 3)))
    ax.annotate(
        "today's budget",
        (today, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -10),
        textcoords="offset points",
        color=MUTED,
        fontsize=9,
    )
    ax.set_xlabel(safe(units[0], 60), color=MUTED, parse_math=False)
    ax.set_ylabel(safe(units[1], 60), color=MUTED, parse_math=False)
    _legend(figure, ax)
    return figure


def curves_by_panel(panels: Sequence[tuple[str, Sequence[Line]]], units: tuple[str, str]) -> Figure:
    """Learning curves of several worlds, (title, lines) each on its own scale; what x is, is the same in all."""
    figure, axes = _grid(len(panels))
    for ax, (title, lines) in zip(axes, panels, strict=True):
        ax.grid(axis="y", color=RULE, lw=0.8)
        ax.axhline(0.0, color=MUTED, lw=1)
        _lines(ax, lines)
        ax.set_xscale("log")
        _ticks_at(ax, [x for line in lines for x in line.x])
        ax.margins(x=0.12)
        ax.set_title(safe(title, 28), loc="left", fontsize=10, color=INK, parse_math=False)
    figure.supxlabel(safe(units[0], 80), fontsize=9, color=MUTED, parse_math=False)
    figure.supylabel(safe(units[1], 80), fontsize=9, color=MUTED, parse_math=False)
    _legend(figure, axes[0])
    return figure


def estimates_against_truth(panels: Sequence[tuple[str, Sequence[Judged]]], unit: str) -> Figure:
    """Estimates from a log against the truth, a panel a world; on the diagonal they agree. Marks say the verdict."""
    figure, axes = _grid(len(panels))
    for ax, (title, judged) in zip(axes, panels, strict=True):
        low, high = _span(judged)
        ax.plot([low, high], [low, high], color=MUTED, lw=1, ls=(0, (3, 3)))
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        for one in judged:
            mark, colour = VERDICT_MARKS[one.verdict]
            ax.plot([one.truth, one.truth], [one.low, one.high], color=colour, lw=2, alpha=0.6)
            ax.plot([one.truth], [one.estimate], mark, color=colour, ms=7, mec=CARD)
        ax.set_title(safe(title, 28), loc="left", fontsize=10, color=INK, parse_math=False)
    for verdict, (mark, colour) in VERDICT_MARKS.items():
        axes[0].plot([], [], mark, color=colour, label=verdict)
    figure.supxlabel(safe(f"truth, {unit}", 80), fontsize=9, color=MUTED, parse_math=False)
    figure.supylabel("estimated from the log", fontsize=9, color=MUTED)
    _legend(figure, axes[0])
    return figure


def _grid(panels: int) -> tuple[Figure, list[Axes]]:
    """So many small panels, four in a row, each with axes of its own."""
    rows, columns = -(-panels // 4), min(panels, 4)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.5 * rows), layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for ax in axes[panels:]:
        ax.set_axis_off()
    for ax in axes[:panels]:
        ax.patch.set_alpha(0.0)
        frame(ax, label_size=8)
    return figure, axes[:panels]


def _span(judged: Sequence[Judged]) -> tuple[float, float]:
    """What a panel shows: all truths and estimates, and the intervals of what was not refused, which may be endless."""
    known = [value for one in judged for value in (one.truth, one.estimate)]
    known += [value for one in judged if one.verdict != "refuse" for value in (one.low, one.high)]
    finite = [value for value in known if np.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _ticks_at(ax: Axes, values: Sequence[float]) -> None:
    """Ticks of a logarithmic axis where there are points, those that would touch left out."""
    ticks: list[float] = []
    for value in sorted(set(values)):
        if not ticks or value > 1.35 * ticks[-1]:
            ticks.append(value)
    ax.set_xticks(ticks, [f"{value:,.3g}" if value < 1_000 else f"{value:,.0f}" for value in ticks])
    ax.set_xticks([], minor=True)


def _side_by_side(panels: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = list(figure.subplots(1, panels, squeeze=False, sharey=True)[0])
    for ax in axes:
        ax.patch.set_alpha(0.0)
        frame(ax)
        ax.grid(axis="y", color=RULE, lw=0.8)
    return figure, axes


def _lines(ax: Axes, lines: Sequence[Line]) -> None:
    for i, line in enumerate(lines):
        colour, dash = SERIES[i % len(SERIES)], DASHES[(i // len(SERIES) + i) % len(DASHES)]
        x, low, high = (np.asarray(values, dtype=float) for values in (line.x, line.low, line.high))
        if np.isfinite(low).all():
            ax.fill_between(x, low, high, color=colour, alpha=0.12, lw=0)
        marks: dict[str, Any] = {
            "marker": MARKS[i % len(MARKS)],
            "markevery": max(len(x) // MOST_MARKS, 1),
            "ms": 6,
            "mec": CARD,
        }
        ax.plot(x, line.y, color=colour, lw=2, ls=dash, label=safe(line.label, 30), **marks)


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    legend = figure.legend(
        handles, labels, loc="outside upper left", ncols=min(len(labels), 5), frameon=False, fontsize=9, labelcolor=INK
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
