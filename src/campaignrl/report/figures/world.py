"""The picture of a world, and its page: customers, funnels, wear-out, and the calendar with nothing sent.

Here: how it is drawn. Not here: the numbers (world.py), colours and rules of text (base.py).
"""

from __future__ import annotations

import html
import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from campaignrl.report.facts import ChannelFacts, WorldFacts
from campaignrl.report.figures.base import CARD, INK, MUTED, RULE, SERIES, panel, safe, svg_bytes

WIDTH, HEIGHT = 12.0, 8.6  # inches
STEPS = ("delivered", "opened", "clicked")
WEEK = 7  # days, of the moving mean


def world_figure(facts: WorldFacts) -> Figure:
    """Four panels: segments, funnels, wear-out, and revenue by day with nothing sent."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    world = facts.world
    figure.suptitle(safe(f"{world.name}: {world.title}", 120), x=0.01, ha="left", color=INK, parse_math=False)
    places = figure.add_gridspec(2, 2, width_ratios=(1.1, 1.0), hspace=0.08, wspace=0.06)
    _draw_segments(panel(figure, places[0, 0], "Who the customers are"), facts)
    _draw_funnels(panel(figure, places[0, 1], "Of 100 messages to a rested customer"), facts)
    _draw_wear_out(panel(figure, places[1, 0], "Opened of 100 messages, after one a day on the same channel"), facts)
    _draw_days(panel(figure, places[1, 1], f"Revenue a day with nothing sent, {world.money.currency}"), facts)
    return figure


def world_page(facts: WorldFacts) -> str:
    """One self-contained HTML page with the picture."""
    title = html.escape(f"{facts.world.name}: {facts.world.title}")
    drawing = re.sub(r"^.*?(?=<svg)", "", svg_bytes(world_figure(facts)).decode(), flags=re.DOTALL)
    says = "".join(f"<li><b>{html.escape(s.name)}</b>: {html.escape(s.says)}</li>" for s in facts.segments)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:16px sans-serif;max-width:70em;margin:2em auto;padding:0 1em;background:#fff;color:#1f2933}"
        f"svg{{width:100%;height:auto}}</style><h1>{title}</h1>{drawing}<ul>{says}</ul></html>\n"
    )


def _names(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), [safe(name, 22) for name in names], parse_math=False, color=INK)
    ax.set_ylim(len(names) - 0.4, -0.6)


def _draw_segments(ax: Axes, facts: WorldFacts) -> None:
    """Bars of shares, with the means beside."""
    most = max(s.share for s in facts.segments)
    for y, s in enumerate(facts.segments):
        ax.barh(y, 100 * s.share, height=0.55, color=SERIES[0], alpha=0.75)
        text = f"{s.orders_a_month:.2f} orders a month of {s.basket:,.0f}, margin {s.margin:.0%}"
        ax.text(100 * s.share + 2 * most, y, text, va="center", fontsize=9, color=INK)
    ax.set_xlim(0, 260 * most)  # room for the words
    ax.set_xticks([x for x in ax.get_xticks() if x <= 100 * most + 5])
    ax.set_xlabel("share of customers, %", color=MUTED, fontsize=9, loc="left")
    _names(ax, [s.name for s in facts.segments])


def _draw_funnels(ax: Axes, facts: WorldFacts) -> None:
    """Three dots a channel on a logarithmic scale: each step leaves so many."""
    for y, channel in enumerate(facts.channels):
        values = [100 * value for value in (channel.delivered, channel.opened, channel.clicked)]
        ax.plot(values, [y] * 3, color=RULE, lw=2, zorder=1)
        for value, colour in zip(values, SERIES, strict=False):
            ax.plot([value], [y], "o", ms=8, color=colour, mec=CARD, zorder=2)
            ax.annotate(
                f"{value:.2g}", (value, y), (0, 8), textcoords="offset points", ha="center", fontsize=8, color=INK
            )
    ax.set_xscale("log")
    ax.set_xlim(0.8 * 100 * min(channel.clicked for channel in facts.channels), 140)
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    for number, (step, colour) in enumerate(zip(STEPS, SERIES, strict=False)):
        ax.text(
            1.0 - 0.17 * (2 - number), -0.13, f"● {step}", transform=ax.transAxes, ha="right", color=colour, fontsize=9
        )
    _names(ax, [f"{channel.name} ({channel.cost:g})" for channel in facts.channels])


def _draw_wear_out(ax: Axes, facts: WorldFacts) -> None:
    """Opens against the messages before, a line a channel; the unsubscribes are said at its end."""
    days = np.arange(len(facts.channels[0].opens_by_messages))
    for number, channel in enumerate(facts.channels):
        style = ("-", "--")[number // len(SERIES) % 2]
        ax.plot(days, 100 * channel.opens_by_messages, style, color=SERIES[number % len(SERIES)], lw=2)
    ax.set_ylim(0, None)
    ax.set_xlim(0, days[-1])
    ax.set_xlabel("messages in the days before", color=MUTED, fontsize=9)
    ax.grid(axis="y", color=RULE, lw=0.8)
    _name_lines(ax, facts.channels)


def _name_lines(ax: Axes, channels: tuple[ChannelFacts, ...]) -> None:
    """Names beside the right edge, in the order of the lines and apart from each other."""
    top = ax.get_ylim()[1]
    order = sorted(range(len(channels)), key=lambda c: float(channels[c].opens_by_messages[-1]))
    place = -np.inf
    for c in order:
        channel = channels[c]
        place = max(100 * float(channel.opens_by_messages[-1]), place + 0.11 * top)
        lost = 1000 * channel.unsubscribes_by_messages
        text = f"{safe(channel.name, 14)}\n{lost[0]:.1f} to {lost[-1]:.1f} ‰ leave"
        at = (1.02, place)
        ax.annotate(
            text,
            at,
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=SERIES[c % len(SERIES)],
            annotation_clip=False,
            parse_math=False,
        )


def _draw_days(ax: Axes, facts: WorldFacts) -> None:
    """Each day and the week around it; what the calendar does is shaded and named."""
    days, revenue = np.arange(len(facts.revenue)), facts.revenue
    if len(revenue) >= WEEK:
        smooth = np.convolve(revenue, np.full(WEEK, 1 / WEEK), mode="valid")
        ax.plot(days[WEEK // 2 : len(days) - WEEK // 2], smooth, color=SERIES[0], lw=2)
    ax.plot(days, revenue, color=SERIES[0], lw=0.8, alpha=0.5)
    ax.set_ylim(0, (1.1 + 0.1 * len(facts.events)) * max(float(revenue.max()), 1e-9))  # room for the names
    for number, event in enumerate(facts.events):
        ax.axvspan(event.day - 0.5, event.day + event.days - 0.5, color=SERIES[1], alpha=0.15, lw=0)
        height = 0.98 - 0.055 * number
        says = f"{safe(event.name, 30)} x{event.factor:g}"
        late = event.day > 0.6 * len(days)
        where = event.day + event.days - 0.5 if late else event.day
        ax.text(
            where,
            height,
            says,
            transform=ax.get_xaxis_transform(),
            fontsize=8,
            color=SERIES[1],
            ha="right" if late else "left",
            va="top",
            parse_math=False,
        )
    ax.set_xlim(-0.5, len(days) - 0.5)
    ax.set_xlabel(f"day of the campaign; per 1,000 customers, {facts.customers:,} simulated", color=MUTED, fontsize=9)
    ax.grid(axis="y", color=RULE, lw=0.8)
