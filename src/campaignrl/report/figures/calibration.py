"""Pictures of a calibration: purchase models against what customers did, and the panels of a realism scorecard.

Real is ink, simulated or expected is the first colour, in every picture. Not here: the figures shown (calibration/),
colours and rules of text (base.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from campaignrl.arrays import Float
from campaignrl.calibration.realism import CustomerSummaries, Scorecard
from campaignrl.calibration.response import RESPONSES, Engagement
from campaignrl.report.figures.base import CARD, INK, MUTED, SERIES, frame, safe

MOST = 7  # orders; the last bar holds those with as many or more
OURS = SERIES[0]
BAND = 0.95  # of the simulated samples


def tracking(
    real: npt.ArrayLike, expected: Mapping[str, npt.ArrayLike], fitted_weeks: int, title: str = "Repeat orders"
) -> Figure:
    """Cumulative and weekly orders, real and by each model; the models saw what lies left of the upright line.

    real, expected: (w,) orders in each week.
    """
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    weekly = np.asarray(real, dtype=np.float64)
    week = np.arange(1, len(weekly) + 1)
    for place, path, what in ((1, np.cumsum, "so far"), (2, np.asarray, "in each week")):
        ax = _panel(figure.add_subplot(1, 2, place), f"{title} {what}")
        _upright(ax, fitted_weeks)
        ax.plot(week, path(weekly), color=INK, lw=1.6, label="real")
        for number, (name, values) in enumerate(expected.items()):
            style = ("-", "--", ":", "-.")[number % 4]
            line = path(np.asarray(values, dtype=np.float64))
            ax.plot(week, line, color=SERIES[number % len(SERIES)], ls=style, label=safe(name))
        ax.set(xlabel="week", ylim=(0, None), xlim=(0, len(week)))
        _legend(ax)
    return figure


def frequencies(real: npt.ArrayLike, expected: Mapping[str, npt.ArrayLike]) -> Figure:
    """Customers by number of repeat orders, real and as each model expects. Both: (8,) customers with 0, 1 .. 7+."""
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    ax = _panel(figure.add_subplot(), "Customers by repeat orders in the time the models saw")
    _grouped(ax, {"real": np.asarray(real, dtype=np.float64)} | {k: np.asarray(v) for k, v in expected.items()})
    ax.set(xlabel="repeat orders", ylabel="customers")
    return figure


def conditional(real: npt.ArrayLike, expected: Mapping[str, npt.ArrayLike], weeks: float) -> Figure:
    """Mean orders after the time the models saw, by orders before: (8,) each, as in `frequencies`."""
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    ax = _panel(figure.add_subplot(), f"Orders in the {weeks:g} weeks after, by repeat orders before")
    at = np.arange(MOST + 1)
    ax.plot(at, np.asarray(real), "o-", color=INK, label="real")
    for number, (name, values) in enumerate(expected.items()):
        ax.plot(at, np.asarray(values), "s--", ms=4, color=SERIES[number % len(SERIES)], label=safe(name))
    _ticks(ax)
    ax.set(xlabel="repeat orders before", ylabel="orders a customer", ylim=(0, None))
    _legend(ax)
    return figure


def alive(p_alive: Callable[[Float, Float, Float], Float], watched: float, unit: str = "weeks") -> Figure:
    """Chance of still being a customer, by repeat orders and time of the last one, for customers watched as long."""
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    ax = _panel(figure.add_subplot(), f"Chance of being a customer still, {watched:g} {unit} after the first order")
    orders, last = np.arange(1.0, 16.0), np.linspace(0.0, watched, 60)
    x, t_x = (part.ravel() for part in np.meshgrid(orders, last))
    grid = p_alive(x, t_x, np.full(len(x), watched)).reshape(len(last), len(orders))
    drawn = ax.pcolormesh(orders, last, grid, vmin=0.0, vmax=1.0, cmap="viridis", shading="nearest")
    lines = ax.contour(orders, last, grid, levels=[0.2, 0.5, 0.8], colors=CARD, linewidths=1.0)
    ax.clabel(lines, fmt="%.1f", fontsize=8)
    figure.colorbar(drawn, ax=ax, pad=0.01).outline.set_visible(False)
    ax.set(xlabel="repeat orders", ylabel=f"last one, {unit} after the first")
    return figure


def realism(card: Scorecard, title: str, by_segment: Sequence[tuple[str, float, float]] = ()) -> Figure:
    """The panels of a scorecard; those on engagement only where something was sent.

    by_segment: name, real and simulated orders a customer.
    """
    real, samples = card.real.customer_summaries, [side.customer_summaries for side in card.simulated]
    heard = [side.engagement for side in card.simulated if side.engagement is not None]
    told = card.real.engagement if heard else None
    panels = 5 + bool(by_segment) + 2 * bool(told)
    rows = -(-panels // 3)
    figure = Figure(figsize=(13.0, 3.9 * rows), layout="constrained")
    figure.suptitle(safe(title, 120), x=0.01, ha="left", color=INK, parse_math=False)
    places = [figure.add_subplot(rows, 3, i + 1) for i in range(panels)]
    _draw_weekly(_panel(places[0], "Orders so far; the window lies right of the line"), real, samples)
    _draw_counts(_panel(places[1], "Customers by orders in the window, share"), real, samples)
    _draw_quantiles(_panel(places[2], "Order value, quantile against quantile"), real, samples, lambda b: b.values)
    _draw_quantiles(_panel(places[3], "Spend a customer, likewise"), real, samples, lambda b: b.spend[b.spend > 0])
    _draw_retention(_panel(places[4], "Share who order in each month after the first order"), real, samples)
    if by_segment:
        _draw_segments(_panel(places[5], "Orders a customer in the window, by segment"), by_segment)
    if told:
        _draw_funnel(_panel(places[-2], "Of all sends, share"), told, heard)
        _draw_wear(_panel(places[-1], "Opened, by sends in the week before"), told, heard)
    return figure


def _draw_weekly(ax: Axes, real: CustomerSummaries, samples: Sequence[CustomerSummaries]) -> None:
    weeks = min(len(real.weekly), *(len(b.weekly) for b in samples))
    paths = np.cumsum([b.weekly[:weeks] for b in samples], axis=1)
    week = np.arange(1, weeks + 1)
    _upright(ax, len(real.weekly) - real.window_weeks)
    if len(samples) > 1:
        low, high = np.quantile(paths, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
        ax.fill_between(week, low, high, color=OURS, alpha=0.2, lw=0, label="95 % of simulated samples")
    ax.plot(week, paths.mean(axis=0), color=OURS, label="simulated")
    ax.plot(week, np.cumsum(real.weekly[:weeks]), color=INK, lw=1.6, label="real")
    ax.set(xlabel="week", ylim=(0, None), xlim=(0, weeks))
    _legend(ax)


def _draw_counts(ax: Axes, real: CustomerSummaries, samples: Sequence[CustomerSummaries]) -> None:
    def shares(b: CustomerSummaries) -> Float:
        return np.bincount(np.minimum(b.counts, MOST), minlength=MOST + 1) / len(b.counts)

    _grouped(ax, {"real": shares(real), "simulated": np.mean([shares(b) for b in samples], axis=0)})
    ax.set_xlabel("orders in the window")


def _draw_quantiles(
    ax: Axes,
    real: CustomerSummaries,
    samples: Sequence[CustomerSummaries],
    values: Callable[[CustomerSummaries], Float],
) -> None:
    mine, theirs = values(real), np.concatenate([values(b) for b in samples])
    if not len(mine) or not len(theirs):
        return
    levels = np.concatenate([np.linspace(0.01, 0.99, 99), [0.995, 0.999]])
    x, y = np.quantile(mine, levels), np.quantile(theirs, levels)
    lowest = max(min(x.min(), y.min()), 1e-2)
    ax.plot([lowest, max(x.max(), y.max())], [lowest, max(x.max(), y.max())], color=MUTED, lw=1, ls="--")
    ax.plot(np.maximum(x, lowest), np.maximum(y, lowest), ".", color=OURS)
    ax.plot(x[[9, 49, 89]], y[[9, 49, 89]], "o", color=INK, ms=6, mfc="none", label="10, 50, 90 %")
    ax.set(xscale="log", yscale="log", xlabel="real", ylabel="simulated")
    _legend(ax)


def _draw_retention(ax: Axes, real: CustomerSummaries, samples: Sequence[CustomerSummaries]) -> None:
    month = np.arange(1, len(real.retention) + 1)
    curves = np.array([b.retention for b in samples])
    known = ~np.isnan(real.retention) & (real.watched >= 30)
    ax.plot(month[known], real.retention[known], "o-", color=INK, label="real")
    seen = known & ~np.isnan(curves).all(axis=0)
    ax.plot(month[seen], np.nanmean(curves[:, seen], axis=0), "s--", color=OURS, ms=4, label="simulated")
    ax.set(xlabel="month", ylim=(0, None))
    _legend(ax)


def _draw_segments(ax: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    at = np.arange(len(rows))
    ax.barh(at - 0.2, [real for _, real, _ in rows], 0.38, color=INK, label="real")
    ax.barh(at + 0.2, [ours for _, _, ours in rows], 0.38, color=OURS, label="simulated")
    ax.set_yticks(at, [safe(name, 24) for name, _, _ in rows], parse_math=False, color=INK)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _legend(ax)


def _draw_funnel(ax: Axes, real: Engagement, heard: Sequence[Engagement]) -> None:
    names = list(real.funnel)
    at = np.arange(len(names))
    ax.bar(at - 0.2, [real.funnel[n] for n in names], 0.38, color=INK, label="real")
    ours = [float(np.mean([side.funnel[n] for side in heard])) for n in names]
    ax.bar(at + 0.2, ours, 0.38, color=OURS, label="simulated")
    ax.set_xticks(at, names)
    _legend(ax)


def _draw_wear(ax: Axes, real: Engagement, heard: Sequence[Engagement]) -> None:
    kind = RESPONSES[1]
    at = np.arange(len(real.sends))
    ours = np.array([side.rates[kind] for side in heard])
    seen = ~np.isnan(ours).all(axis=0)
    ax.plot(at, real.rates[kind], "o-", color=INK, label="real")
    ax.plot(at[seen], np.nanmean(ours[:, seen], axis=0), "s--", color=OURS, ms=4, label="simulated")
    ax.set_xticks(at, [*map(str, at[:-1]), f"{at[-1]}+"])
    ax.set_ylim(0, None)
    _legend(ax)


def _panel(ax: Axes, title: str) -> Axes:
    frame(ax)
    ax.xaxis.label.set_color(MUTED)
    ax.yaxis.label.set_color(MUTED)
    ax.set_title(safe(title, 90), loc="left", fontsize=10.5, color=INK, parse_math=False)
    return ax


def _grouped(ax: Axes, groups: Mapping[str, Float]) -> None:
    """Bars side by side at 0 .. 7+."""
    at, width = np.arange(MOST + 1), 0.8 / len(groups)
    for number, (name, values) in enumerate(groups.items()):
        colour = INK if number == 0 else SERIES[(number - 1) % len(SERIES)]
        ax.bar(at + (number - (len(groups) - 1) / 2) * width, values, width * 0.95, color=colour, label=safe(name))
    _ticks(ax)
    _legend(ax)


def _ticks(ax: Axes) -> None:
    ax.set_xticks(np.arange(MOST + 1), [*map(str, range(MOST)), f"{MOST}+"])


def _upright(ax: Axes, week: float) -> None:
    ax.axvline(week, color=MUTED, ls=(0, (3, 3)), lw=1)


def _legend(ax: Axes) -> None:
    ax.legend(frameon=False, fontsize=9)
