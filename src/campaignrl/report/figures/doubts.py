"""Pictures of what may be wrong with a lift: its bounds if propensities are off, and how it goes over the days.

Not here: the figures themselves (ope/diagnostics/sensitivity.py, over_time.py), which pictures a
page has (evidence.py).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from campaignrl.ope.diagnostics import Sensitivity, Stretch
from campaignrl.report.figures.base import INK, MUTED, RULE, SERIES, WIDTH, frame, safe

CALENDAR = 7_300  # from here on a day is one of the calendar: 1990


def hidden_bias(found: Sensitivity, unit: str = "reward") -> Figure:
    """Bounds of the lift, and of its interval, against the factor by which odds of propensities are off."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    ax.patch.set_alpha(0.0)
    frame(ax, label_size=10)
    gammas = [bound.gamma for bound in found.curve]
    ax.axhline(0.0, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)
    low, high = [b.ci_low for b in found.curve], [b.ci_high for b in found.curve]
    ax.fill_between(gammas, low, high, color=SERIES[0], alpha=0.14, lw=0)
    ax.fill_between(
        gammas, [b.low for b in found.curve], [b.high for b in found.curve], color=SERIES[0], alpha=0.3, lw=0
    )
    ax.set_xscale("log")
    for factor, says in ((found.interval, "interval"), (found.sign, "sign")):
        if math.isfinite(factor) and 1.0 < factor <= gammas[-1]:
            ax.axvline(factor, color=SERIES[1], lw=1.5, zorder=2)
            ax.annotate(
                f"{says} {factor:.3g}", (factor, 1.0), (0, 4 if says == "sign" else 16), color=INK, fontsize=9,
                xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
            )  # fmt: skip
    ax.set_xlim(gammas[0], gammas[-1])
    ax.xaxis.set_major_locator(FixedLocator([g for g in gammas if g in (1.0, 1.1, 1.2, 1.5, 2.0, 2.5, 3.0)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.set_axisbelow(True)
    ax.set_xlabel("factor by which the odds of propensities are off", color=MUTED)
    ax.set_ylabel(safe(f"lift per decision, {unit}", 60), color=MUTED, parse_math=False)
    return figure


def lift_over_days(stretches: Sequence[Stretch], whole: float, unit: str = "reward") -> Figure:
    """The lift in each stretch of days with twice its error, and that of all days as a line."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    ax.patch.set_alpha(0.0)
    frame(ax, label_size=10)
    ax.axhline(0.0, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)
    if math.isfinite(whole):
        ax.axhline(whole, color=SERIES[1], lw=1.5, zorder=1)
    for stretch in stretches:
        middle, error = (stretch.first + stretch.last) / 2.0, stretch.std_error
        ax.hlines(stretch.lift, stretch.first - 0.4, stretch.last + 0.4, color=SERIES[0], lw=3, zorder=3)
        if math.isfinite(error):
            ax.vlines(middle, stretch.lift - 2 * error, stretch.lift + 2 * error, color=SERIES[0], lw=2, alpha=0.6)
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.set_axisbelow(True)
    ax.xaxis.set_major_formatter(lambda at, _: _day(at))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("day of the log", color=MUTED)
    ax.set_ylabel(safe(f"lift per decision, {unit}", 60), color=MUTED, parse_math=False)
    return figure


def _day(at: float) -> str:
    """A day of a simulated campaign as its number; of a real log, whose days are counted from 1970, as a date."""
    whole = round(at)
    return str(whole) if whole < CALENDAR else (datetime.date(1970, 1, 1) + datetime.timedelta(days=whole)).isoformat()
