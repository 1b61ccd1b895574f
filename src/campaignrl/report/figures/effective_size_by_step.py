"""The picture of a sequential evaluation: how the evidence thins out from step to step.

Not here: the curve's figures (ope/episodes/support_horizon.py), colours and rules of text (base.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from campaignrl.arrays import Float
from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, WIDTH, safe

LEAST = 0.5  # effective customers; what is below is drawn here


def ess_by_step(curves: Mapping[str, Float], enough: float, unit: str = "customers") -> Figure:
    """Effective sample size of each policy by step, on a log scale; `enough` is where the log runs out.

    curves: name -> (T,) sizes. Steps the log can answer are filled dots, those it cannot hollow ones.
    """
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    ax.patch.set_alpha(0.0)
    ax.set_yscale("log")
    longest = max((len(sizes) for sizes in curves.values()), default=1)
    ax.axhline(enough, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)
    ax.annotate(
        f"below {enough:,.0f}\nthe log cannot say", (1.0, enough), xycoords=("axes fraction", "data"),
        xytext=(8, 0), textcoords="offset points", va="center", color=MUTED, fontsize=9, annotation_clip=False,
    )  # fmt: skip
    for number, (name, sizes) in enumerate(curves.items()):
        colour, steps, shown = SERIES[number % len(SERIES)], np.arange(1, len(sizes) + 1), np.maximum(sizes, LEAST)
        lasting = np.cumprod(sizes >= enough).astype(bool)
        line = ("-", "--", "-.")[number // len(SERIES) % 3]
        ax.plot(steps, shown, color=colour, lw=2, ls=line, label=safe(name, 32), zorder=2)
        ax.plot(steps[lasting], shown[lasting], "o", ms=6, color=colour, zorder=3)
        ax.plot(steps[~lasting], shown[~lasting], "o", ms=6, color=colour, mfc=CARD, zorder=3)
    ax.set_ylim(bottom=LEAST * 0.8)
    ax.set_xlim(0.7, longest + 0.3)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.tick_params(which="both", colors=MUTED, length=0, labelsize=10)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("step of the episode", color=MUTED)
    ax.set_ylabel(safe(f"effective {unit}", 60), color=MUTED, parse_math=False)
    legend = figure.legend(loc="outside right upper", frameon=False, labelcolor=INK, fontsize=10)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
