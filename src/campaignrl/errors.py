"""The exception tree, and the one form every message takes.

CampaignError        root; carries the exit code of the command line
  SpecError          a TOML file or a setting holds a bad value            exit 3  (also ValueError)
  DataError          a table or log breaks its contract                    exit 3  (also ValueError)
  ArtifactError      a bundle or run folder is missing, damaged or foreign exit 3
  UnknownName        no world, policy, action or file goes by that name    exit 2  (also LookupError)
  UsageError         the words of a call do not fit together               exit 2  (also ValueError)
  SupportError       the log cannot answer the question                    exit 4  (also ValueError)
  MissingExtra       an optional dependency is needed                      exit 2  (also ImportError)

Here: what an error is. Not here: printing it (cli/), deciding it (the module that found it).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

SHOWN = 20  # problems listed in one message; the rest are counted


class Problem(NamedTuple):
    """One thing that is wrong: where, which field, the value, what is allowed, and the fix."""

    where: str
    field: str
    value: object
    allowed: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.field} = {_short(self.value)} is not {self.allowed}."
        return f"{text} {self.fix}".rstrip()


class CampaignError(Exception):
    """Root of everything campaignrl raises on purpose; `problems` holds every finding at once."""

    exit_code = 1

    def __init__(self, problems: Problem | Iterable[Problem] | str) -> None:
        if isinstance(problems, str):
            self.problems: tuple[Problem, ...] = ()
            super().__init__(problems)
            return
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(_listing(self.problems))


class SpecError(CampaignError, ValueError):
    """A TOML file or a setting holds a bad value."""

    exit_code = 3


class DataError(CampaignError, ValueError):
    """A table or a decision log breaks its contract."""

    exit_code = 3


class ArtifactError(CampaignError):
    """A bundle or a run folder is missing, damaged, or from somewhere else."""

    exit_code = 3


class UnknownName(CampaignError, LookupError):
    """No world, policy, action or file goes by the given name."""

    exit_code = 2


class UsageError(CampaignError, ValueError):
    """The words of a call do not fit together."""

    exit_code = 2


class SupportError(CampaignError, ValueError):
    """The log cannot answer the question (no overlap, too little evidence)."""

    exit_code = 4


class MissingExtra(CampaignError, ImportError):
    """An optional dependency is needed; the message holds the install command."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """A "Did you mean ...?" sentence for a mistyped name, or "" when nothing is near."""
    choices = list(known)
    folded = {c.casefold().strip(): c for c in choices}
    plain = name.casefold().strip()  # difflib minds case and spaces; people do not
    near = [folded[plain]] if plain in folded else difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    near = near or [folded[match] for match in difflib.get_close_matches(plain, folded, n=1)]
    return f"Did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownName:
    """The error for a name that nobody knows: nearest name, what is known, and another way."""
    choices = sorted(known)
    listed = ", ".join(choices[:SHOWN]) + (" ..." if len(choices) > SHOWN else "")
    parts = [f"no {kind} named {_short(name)}.", nearest(name, choices), f"Known: {listed}." if choices else "", hint]
    return UnknownName(" ".join(p for p in parts if p))


def _listing(problems: tuple[Problem, ...]) -> str:
    lines = [str(p) for p in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"... and {len(problems) - SHOWN} more problems")
    return "\n".join(lines)


def _short(value: object, limit: int = 120) -> str:
    """`repr`, on one line, with control characters escaped and a length a terminal can bear."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # endlessly deep, or a whole number of thousands of digits
        text = f"({type(value).__name__} too large to be shown)"
    return text if len(text) <= limit else text[: limit - 3] + "..."
