"""Searches kept under a name in a profile folder: who they find is asked anew each time.

    [cohorts]                                       cohorts.toml of a folder
    lapsing_regulars = "orders >= 4 and recency_days > 60"

A cohort is a question, not a list: after `profile update` it finds who it holds for today. A list of the day is the
file that `--export` writes. Not here: the language (expression.py), exclusive segments (segments/).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from campaignrl.errors import ArtifactError, Problem, UsageError, unknown
from campaignrl.profiles.table.profile_file import Facts
from campaignrl.profiles.table.search import Found, search
from campaignrl.specs import read_toml
from campaignrl.tables.files import write_whole

FILE = "cohorts.toml"
LONGEST_NAME = 60


class Cohort(NamedTuple):
    """A search under a name."""

    name: str
    where: str


def cohorts(folder: str | Path) -> tuple[Cohort, ...]:
    """Those of a folder, in the order in which they were kept; none where there are none."""
    path = _file(folder)
    if not path.is_file():
        return ()
    kept = read_toml(path).get("cohorts", {})
    if not isinstance(kept, dict) or not all(isinstance(where, str) for where in kept.values()):
        raise ArtifactError(Problem(str(path), "cohorts", "(a table)", "a table of name = search"))
    return tuple(Cohort(str(name), where) for name, where in kept.items())


def keep_cohort(folder: str | Path, name: str, where: str) -> None:
    """Keep a search under a name; the same name again replaces it. The search itself is checked by `who`."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(Problem("--save", "name", name, f"a name of 1 to {LONGEST_NAME} printable letters"))
    kept = {one.name: one.where for one in cohorts(folder)} | {name: where}
    lines = "".join(f"{_quoted(key)} = {_quoted(text)}\n" for key, text in kept.items())
    write_whole(_file(folder), lambda out: out.write(f"[cohorts]\n{lines}".encode()) and None)


def who(profiles: pd.DataFrame, name: str, folder: str | Path, facts: Facts | None = None) -> Found:
    """Who a cohort of a folder finds today; an unknown name is an UnknownName."""
    kept = {one.name: one.where for one in cohorts(folder)}
    if name not in kept:
        raise unknown("cohort", name, kept, "Keep one: campaignrl profile show FOLDER --where ... --save NAME")
    return search(profiles, kept[name], facts)


def _file(folder: str | Path) -> Path:
    place = Path(folder)
    return (place if place.is_dir() else place.parent) / FILE


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's escapes are among its own."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
