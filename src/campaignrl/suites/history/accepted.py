"""Regressions that somebody let stand, with the reason: DIR/accepted.json, read by `compare --history`.

A reason holds for one commit, suite, world, policy and measure, so the next loss is red again. Not here: verdicts.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from campaignrl.errors import ArtifactError, Problem
from campaignrl.suites.comparison import Comparison
from campaignrl.suites.history.commits import Commit
from campaignrl.suites.statistics import REGRESSION
from campaignrl.tables.files import write_whole

FILE = "accepted.json"


class Accepted(NamedTuple):
    """One regression that stands."""

    suite: str
    commit: str
    world: str
    policy: str
    measure: str
    reason: str


def accepted(folder: str | Path) -> list[Accepted]:
    """All of a history; none where nothing was accepted yet."""
    path = Path(folder) / FILE
    if not path.exists():
        return []
    try:
        return [Accepted(**one) for one in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError, RecursionError) as wrong:
        fix = "Mend it by hand or remove it."
        raise ArtifactError(Problem(str(path), "content", str(wrong), "a list of accepted regressions", fix)) from None


def accept(folder: str | Path, suite: str, commit: Commit, comparison: Comparison, reason: str) -> list[Accepted]:
    """Write down why the regressions of a comparison stand; gives those that were added."""
    known = accepted(folder)
    new = [
        Accepted(suite, commit.id, row.world, row.policy, row.measure, reason)
        for row in comparison.rows
        if row.verdict == REGRESSION and not row.accepted
    ]
    if new:
        text = json.dumps([one._asdict() for one in [*known, *new]], indent=1, ensure_ascii=False) + "\n"
        write_whole(Path(folder) / FILE, partial(_write, text=text))
    return new


def with_accepted(comparison: Comparison, suite: str, commit: Commit, known: list[Accepted]) -> Comparison:
    """The comparison with the reasons that hold for this commit."""
    reasons: dict[Any, str] = {
        (one.world, one.policy, one.measure): one.reason
        for one in known
        if (one.suite, one.commit) == (suite, commit.id)
    }
    rows = tuple(
        replace(row, accepted=reasons.get((row.world, row.policy, row.measure), ""))
        if row.verdict == REGRESSION
        else row
        for row in comparison.rows
    )
    return replace(comparison, rows=rows)


def _write(out: BinaryIO, text: str) -> None:
    out.write(text.encode())
