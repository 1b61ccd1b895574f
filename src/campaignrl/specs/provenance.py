"""Where a number of a world came from: fitted from data, a default, or a user's word.

A place is the path of a number in the world's tables, its names joined by dots and quoted where they hold one:
`segments.loyal.purchase.rate`, `channels."e.mail".reach.open`. Not here: finding the numbers (calibration/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from campaignrl.errors import Problem
from campaignrl.quantities import NotNegative
from campaignrl.toml import Spec, quoted

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")  # of a key without quotes
RESPONSES = ("offers.", "response.", "channels.")  # places of what a send brings


class Provenance(Spec):
    """Where one number came from."""

    how: Literal["fitted", "default", "user"]
    se: NotNegative | None = None  # standard error of a fitted number, in its own unit
    n: NotNegative | None = None  # what it was fitted on: customers, sends, orders
    by: str = ""  # the method, or the source of a default

    def __str__(self) -> str:
        figures = [f"se {self.se:.2g}"] if self.se is not None else []
        figures += [f"n {self.n:,.0f}"] if self.n is not None else []
        text = f"{self.how} ({', '.join(figures)})" if figures else self.how
        return f"{text}: {self.by}" if self.by else text


def place(path: Sequence[str]) -> str:
    """The text of a path."""
    return ".".join(part if part and PLAIN.issuperset(part) else quoted(part) for part in path)


def leaves(tables: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of nested tables that is no table itself, with its path; provenance left out."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            if (*above, key) != ("provenance",):
                yield from leaves(value, (*above, str(key)))
        else:
            yield (*above, str(key)), value


def lent_responses(provenance: Mapping[str, Provenance]) -> str:
    """Who lent what a send brings, where no number of it was fitted or given by a user; "" where one was.

    A calibrated world knows what customers buy from their orders; what offers and channels add takes a campaign's log.
    """
    told = [one for name, one in provenance.items() if name.startswith(RESPONSES)]
    if not told or any(one.how != "default" for one in told):
        return ""
    return told[0].by.removeprefix("template ")


def provenance_problems(world: Mapping[str, Any]) -> list[Problem]:
    """Each place that [provenance] names and the world does not hold."""
    named = world.get("provenance")
    if not named or not isinstance(named, Mapping):
        return []
    known = {place(path) for path, _ in leaves(world)}
    return [Problem("[provenance]", "place", key, "a number of this world") for key in named if key not in known]
