"""The trend page of a history: what each policy was worth commit by commit, where it changed, and what was accepted.

Not here: where a change is one (suites/history/change_points.py), the layout (trend.html.j2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.report.pages.template import style, template
from campaignrl.suites.history import Accepted, ChangePoint, Entry, change_points

WIDTH, HEIGHT, EDGE = 720.0, 96.0, 8.0  # of a picture, in its own units


class Dot(NamedTuple):
    """One entry in a picture."""

    x: float
    y: float
    says: str
    changed: bool


class Part(NamedTuple):
    """What the page says of one policy in one world."""

    world: str
    policy: str
    now: str
    low: str
    high: str
    first: str  # commits
    last: str
    dots: list[Dot]
    changes: list[dict[str, str]]


def trend_page(entries: Sequence[Entry], reasons: Sequence[Accepted] = ()) -> str:
    """The page as text; the same entries give the same text. entries: of one suite, at least one."""
    last = entries[-1]
    parts = [
        _part(entries, world, policy, reasons)
        for world in last.results.suite.worlds
        for policy in last.results.suite.policies
    ]
    moved = sum(len(part.changes) for part in parts)
    return template("trend.html.j2").render(
        style=style(), suite=last.results.suite, last=last, parts=parts, lead=_lead(entries, moved)
    )


def _lead(entries: Sequence[Entry], moved: int) -> str:
    many = f"{len(entries)} commit{'' if len(entries) == 1 else 's'}"
    if len(entries) == 1:
        return "One commit so far: there is nothing to hold it against yet."
    if not moved:
        return f"{many}, and no policy changed its worth."
    return f"{many}; {moved} change{'' if moved == 1 else 's'} beyond chance, seed by seed."


def _part(entries: Sequence[Entry], world: str, policy: str, reasons: Sequence[Accepted]) -> Part:
    found = change_points(entries, world, policy)
    values = [(entry, list(entry.results.values(world, policy).values())) for entry in entries]
    means = [(entry, float(np.mean(own))) for entry, own in values if own]
    currency = entries[-1].results.suite.worlds[world].currency
    worth = [mean for _, mean in means] or [0.0]
    return Part(
        world,
        policy,
        now=f"{means[-1][1]:,.2f} {currency} per customer" if means else "not played",
        low=f"{min(worth):,.2f}",
        high=f"{max(worth):,.2f}",
        first=means[0][0].commit.short if means else "",
        last=means[-1][0].commit.short if means else "",
        dots=_dots(means, {point.entry.number for point in found}),
        changes=[_change(point, world, policy, reasons) for point in found],
    )


def _dots(means: Sequence[tuple[Entry, float]], changed: set[int]) -> list[Dot]:
    if not means:
        return []
    worth = np.array([mean for _, mean in means])
    low, reach = float(worth.min()), float(np.ptp(worth))
    x = np.linspace(EDGE, WIDTH - EDGE, len(means)) if len(means) > 1 else np.array([WIDTH / 2])
    y = HEIGHT - EDGE - (worth - low) / reach * (HEIGHT - 2 * EDGE) if reach else np.full(len(worth), HEIGHT / 2)
    return [
        Dot(float(px), float(py), f"{entry.commit.short} {entry.commit.said}: {mean:,.3f}", entry.number in changed)
        for px, py, (entry, mean) in zip(x, y, means, strict=True)
    ]


def _change(point: ChangePoint, world: str, policy: str, reasons: Sequence[Accepted]) -> dict[str, str]:
    commit, found = point.entry.commit, point.difference
    said = [r.reason for r in reasons if (r.commit, r.world, r.policy) == (commit.id, world, policy)]
    interval = "" if found is None else f"[{found.ci_low:+.1%}, {found.ci_high:+.1%}]"
    return {
        "commit": commit.short,
        "time": commit.time[:10],
        "subject": commit.said,
        "since": point.since.commit.short,
        "difference": "other settings: a new start" if found is None else f"{found.difference:+.1%}",
        "interval": interval,
        "kind": "caution" if found is None else "trust" if found.difference > 0.0 else "refuse",
        "reason": "; ".join(said),
    }
