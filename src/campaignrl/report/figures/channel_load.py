"""The load of channels over time: who waits, how long, and how busy the servers are.

Here: how it is drawn. Not here: the figures themselves (envs/clock/event_log.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from campaignrl.errors import Problem, UsageError
from campaignrl.report.figures.base import INK, MUTED, SERIES, frame, safe

WIDTH, ROW = 11.0, 2.1  # inches
HOURS = 24


def channel_load(load: pd.DataFrame, open_hours: float = 24.0) -> Figure:
    """A row of two pictures a channel: the queue by the hour, and the mean wait of those served on each day.

    load: as `Hours.load`; open_hours: hours of a day in which servers work.
    """
    if load.empty:
        fix = "Give a channel of the world a capacity or a retry."
        raise UsageError(Problem("channel load", "channels", 0, "at least one that queues", fix))
    names = list(dict.fromkeys(load["channel"]))
    figure = Figure(figsize=(WIDTH, 0.5 + ROW * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 2, sharex=True, squeeze=False)
    for row, name in zip(axes, names, strict=True):
        part = load[load["channel"] == name]
        _queue(row[0], part, f"{safe(name, 30)}: {_servers(part, open_hours)}")
        _waits(row[1], part)
    for ax in axes[-1]:
        ax.set_xlabel("day", color=MUTED, fontsize=9)
    return figure


def _servers(part: pd.DataFrame, open_hours: float) -> str:
    servers = int(part["servers"].iloc[0])
    if not servers:
        return "no server"
    busy = part["busy"].mean() * HOURS / open_hours / servers
    return f"{servers} server{'s' if servers > 1 else ''}, at work {busy:.0%} of the open hours"


def _queue(ax: Axes, part: pd.DataFrame, title: str) -> None:
    day = (part["hour"].to_numpy() + 1.0) / HOURS
    ax.fill_between(day, part["waiting"].to_numpy(), color=SERIES[0], alpha=0.35, lw=0)
    ax.plot(day, part["waiting"].to_numpy(), color=SERIES[0], lw=0.8)
    _frame(ax, title, "sends waiting")


def _waits(ax: Axes, part: pd.DataFrame) -> None:
    day = (part["hour"].to_numpy() // HOURS).astype(int)
    begun = part["begun"].to_numpy(dtype=np.float64)
    hours = np.bincount(day, weights=begun * np.nan_to_num(part["wait"].to_numpy(dtype=np.float64)))
    mean = _ratio(hours, np.bincount(day, weights=begun))
    ax.plot(np.arange(len(mean)) + 0.5, mean, color=SERIES[1], lw=1.6, marker="o", ms=2.5)
    _frame(ax, "mean wait of those served, by day", "hours")


def _ratio(total: npt.NDArray[Any], count: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    ratio: npt.NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return ratio


def _frame(ax: Axes, title: str, unit: str) -> None:
    frame(ax)
    ax.set_title(title, loc="left", fontsize=10, color=INK, parse_math=False)
    ax.set_ylabel(unit, color=MUTED, fontsize=9)
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
