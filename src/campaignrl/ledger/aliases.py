"""Customers who turned out to be one: earlier names of a customer, as a profile folder learned them later.

A device becomes a member's, and what was decided for the device was decided for the member. Rows of the ledger stay as
they were written; whoever counts them, shows them or reads outcomes of them takes the name of today. `aliases.parquet`
(alias, customer_id) lies in a profile folder beside its tables, and is taken over into the ledger by the first run that
reads them. An audit judges each run by what was known then, and so by the names of then. Not here: finding links
(profiles/), a ledger's own file of them (owners.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from campaignrl.errors import ArtifactError, Problem
from campaignrl.tables import ID, same_spelling
from campaignrl.tables.files import read_frame

NAME, ALIAS = "aliases.parquet", "alias"


def read_aliases(folder: Path) -> dict[str, str]:
    """Earlier name -> name of today, of a ledger or a profile folder; {} where nothing is said.

    Raises:
        ArtifactError: the file is no table of aliases, or says two names for one.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    frame = read_frame(path, [ALIAS, ID], text=[ALIAS, ID])
    twice = frame[ALIAS].duplicated()
    if twice.any():
        raise ArtifactError(Problem(str(path), ALIAS, str(frame[ALIAS][twice].iloc[0]), "there once"))
    return joined({}, dict(zip(frame[ALIAS], frame[ID], strict=True)))


def joined(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Both, the newer word about a name counting, and every name leading to the last of its chain."""
    today = set(new.values()) - new.keys()  # who is somebody now is no earlier name of somebody else
    found = {name: now for name, now in {**old, **new}.items() if name not in today}
    return {name: _last(name, found) for name in found if name and _last(name, found) not in ("", name)}


def _last(name: str, aliases: Mapping[str, str]) -> str:
    """Where a chain of names ends; of a circle, which only a damaged file has, its first name in order of text."""
    way = [name]
    while (then := aliases.get(way[-1])) is not None:
        if then in way:
            return min(way[way.index(then) :])
        way.append(then)
    return way[-1]


def renamed(ids: pd.Series[Any], aliases: Mapping[str, str], *known: Iterable[str]) -> pd.Series[Any]:
    """Ids by the names of today; `known`: those of whom somebody asks by an earlier name, which keep it."""
    asked = {name for names in known for name in names} if aliases else set()
    moved = {name: now for name, now in aliases.items() if name not in asked}
    return ids.map(lambda one: moved.get(one, one)) if moved else ids


def names_of(aliases: Mapping[str, str], customer: str) -> list[str]:
    """Every name of a customer, however it is spelled, the asked one first."""
    spelled = {name: str(same_spelling([name])[0]) for name in {*aliases, *aliases.values()}}
    asked = str(same_spelling([customer])[0])
    own = [name for name, plain in spelled.items() if plain == asked]
    today = {aliases.get(name, name) for name in own} or {customer}
    return list(dict.fromkeys([customer, *sorted(today), *sorted(n for n, now in aliases.items() if now in today)]))
