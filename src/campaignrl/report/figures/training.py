"""The picture of a training: the curve, what is sent to whom, and which features speak for which action.

Not here: the numbers (training.py), the page (training.py), colours and rules of text (base.py).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from campaignrl.actions import NONE
from campaignrl.arrays import Float
from campaignrl.report.facts import TrainingFacts
from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, panel, safe

WIDTH = 12.0  # inches
COLUMNS, ACTIONS, FEATURES = 12, 10, 9  # at most, in the two tables


def training_figure(facts: TrainingFacts) -> Figure:
    """Three panels."""
    rows = max(len(facts.parts), 3)
    told = bool(facts.columns)
    heights = [3.0, 1.0 + 0.42 * rows, *([1.2 + 0.36 * min(len(facts.actions), ACTIONS)] if told else [])]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.6), layout="constrained")
    title = f"{facts.policy} ({facts.kind}): what it learned, looked at on the {facts.source}"
    figure.suptitle(safe(title, 130), x=0.01, ha="left", fontsize=12, color=INK, parse_math=False)
    places = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _draw_curve(panel(figure, places[0], "How its value grew", most=120), facts)
    names, shares = columns_of(facts)
    _table(
        panel(figure, places[1], "What is sent to whom: mean chance, %", most=120),
        facts.parts,
        names,
        100 * shares,
        100.0,
    )
    if told:
        actions, features, effects = strongest_of(facts)
        head = "What speaks for an action (blue) and against it (orange): lead over `none` per standard deviation"
        _table(panel(figure, places[2], head, most=120), actions, features, effects, float(np.abs(effects).max()))
    return figure


def columns_of(facts: TrainingFacts) -> tuple[list[str], Float]:
    """Names and (parts, columns) shares: actions, or where there are too many of them offers, the rarest together."""
    names, shares = [a.name for a in facts.actions], facts.shares
    if len(names) > COLUMNS:
        offer = facts.catalog.offer_of
        groups = [np.arange(len(names)) == NONE, *(offer == o for o in range(len(facts.catalog.offers)))]
        names = ["none", *(o.name for o in facts.catalog.offers)]
        shares = np.stack([shares[:, group].sum(axis=1) for group in groups], axis=1)
    if len(names) > COLUMNS:
        order = np.argsort(-shares.mean(axis=0), kind="stable")
        kept, rest = order[: COLUMNS - 1], order[COLUMNS - 1 :]
        shares = np.column_stack([shares[:, kept], shares[:, rest].sum(axis=1)])
        names = [*(names[j] for j in kept), f"{len(rest)} others"]
    return names, shares


def strongest_of(facts: TrainingFacts) -> tuple[list[str], list[str], Float]:
    """The actions most often taken, the features that move them most, and (actions, features) effects."""
    order = np.argsort([-a.share for a in facts.actions], kind="stable")
    actions = np.array([i for i in order if i != NONE][:ACTIONS], dtype=np.int64)
    weight = np.abs(facts.effects[actions]).max(axis=0)
    features = np.argsort(-weight, kind="stable")[:FEATURES]
    names = [facts.actions[i].name for i in actions], [facts.columns[j] for j in features]
    return *names, facts.effects[np.ix_(actions, features)]


def _draw_curve(ax: Axes, facts: TrainingFacts) -> None:
    if not facts.curve:
        ax.text(0.0, 0.5, "no curve: the policy does not learn from this source", color=MUTED)
        ax.set_axis_off()
        return
    rows, value, low, high = np.array(facts.curve, dtype=np.float64).T
    for x, bottom, top in zip(rows, low, high, strict=True):
        ax.plot([x, x], [bottom, top], color=SERIES[0], lw=3, alpha=0.4, solid_capstyle="round")
    ax.plot(rows, value, "-o", color=SERIES[0], lw=1.8, ms=6 if len(rows) < 20 else 0, mec=CARD)
    if np.isfinite(facts.logged):
        ax.axhline(facts.logged, color=MUTED, lw=1, ls=(0, (3, 3)))
        at = (1.0, facts.logged)
        ax.annotate(
            "as logged", at, (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            color=MUTED, fontsize=9, annotation_clip=False,
        )  # fmt: skip
    if rows.max() > 4 * max(rows.min(), 1) and np.isfinite(low).any():
        ax.set_xscale("log")
        ax.set_xticks(rows, [f"{int(x):,}" for x in rows])
        ax.minorticks_off()
    ax.set_xlabel(safe(facts.curve_over, 90), color=MUTED, fontsize=9, parse_math=False)
    unit = "\n".join(textwrap.wrap(safe(facts.curve_unit, 90), 30))
    ax.set_ylabel(unit, color=MUTED, fontsize=9, parse_math=False)
    ax.grid(axis="y", color=RULE, lw=0.8)


def _table(ax: Axes, rows: Sequence[str], columns: Sequence[str], values: Float, most: float) -> None:
    """Cells coloured by their values, blue above and orange below zero."""
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            strength = min(abs(value) / most, 1.0) if most > 0 else 0.0
            colour = SERIES[0] if value >= 0 else SERIES[1]
            ax.add_patch(Rectangle((j + 0.02, i + 0.04), 0.96, 0.92, color=colour, alpha=0.04 + 0.9 * strength, lw=0))
            ink = CARD if strength > 0.7 else INK
            ax.text(j + 0.5, i + 0.5, _cell(value), ha="center", va="center", fontsize=9, color=ink)
    ax.set_xlim(0, max(len(columns), 6))
    ax.set_ylim(len(rows), 0)
    ax.set_yticks(np.arange(len(rows)) + 0.5, [safe(r, 26) for r in rows], parse_math=False, color=INK)
    ax.set_xticks(
        np.arange(len(columns)) + 0.5, [safe(c, 19) for c in columns], parse_math=False, color=INK, fontsize=8
    )
    ax.xaxis.tick_top()
    ax.spines["bottom"].set_visible(False)
    for label in ax.get_xticklabels():
        label.set_rotation(18)
        label.set_horizontalalignment("left")


def _cell(value: float) -> str:
    return "" if abs(value) < 5e-4 else f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
