"""The picture of a budget: what more or less money would bring, and where today's stands.

Not here: the plans behind it (guard/allocation.py), colours and rules of text (base.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, frame, safe

WIDTH, HEIGHT = 9.2, 5.0  # inches


def budget_curve(
    money: Sequence[float],
    gain: Sequence[float],
    bound: Sequence[float],
    today: float | None,
    units: tuple[str, str],
    title: str,
) -> Figure:
    """Expected gain against budget. bound: what no plan can exceed; today: a budget, None where money has no limit.

    units: of money and of gains.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    ax = figure.add_subplot()
    frame(ax)
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.plot(money, bound, color=SERIES[1], lw=4, alpha=0.35, label="no plan can bring more")
    ax.plot(money, gain, "o-", color=SERIES[0], lw=1.8, ms=5, mec=CARD, label="plan by value")
    if today is not None:
        reached = float(np.interp(today, money, gain))
        ax.axvline(today, color=MUTED, lw=1, ls=(0, (3, 3)))
        ax.plot([today], [reached], "D", color=SERIES[1], ms=8, mec=CARD, zorder=5)
        late = today > 0.6 * max(money[-1], today)
        ax.annotate(
            f"today's budget, {today:,.2f}, brings {reached:,.2f}",
            (today, 0.04),
            xycoords=("data", "axes fraction"),
            xytext=(-6 if late else 6, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            color=INK,
            fontsize=10,
        )
    ax.set_ylim(bottom=min(0.0, min(gain)))
    ax.set_xlabel(safe(f"budget of the run, {units[0]}", 60), color=INK, parse_math=False)
    ax.set_ylabel(safe(f"expected gain over sending nothing, {units[1]}", 80), color=INK, parse_math=False)
    ax.set_title(safe(title, 90), loc="left", fontsize=12, color=INK, parse_math=False)
    ax.legend(frameon=False, loc="center right", labelcolor=INK)
    return figure
