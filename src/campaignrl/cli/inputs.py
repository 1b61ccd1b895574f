"""The inputs of a call, read so that all that is wrong with them is said at once, before anything is done.

An input that rests on another (a policy on its world) is left out where that one is wrong already. Not here: what an
input is (specs, policies, tables).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from campaignrl.errors import CampaignError, DataError, UsageError, unknown
from campaignrl.policies import ALWAYS, kinds
from campaignrl.specs import bundled_files, pretrained_files

T = TypeVar("T")


class Missing(Exception):
    """An input that another one rests on could not be read; it has been noted already."""


class Input(Generic[T]):
    """What was read, or the mark that it could not be."""

    def __init__(self, *found: T) -> None:
        self._found = found

    @property
    def value(self) -> T:
        """What was read; Missing where it could not be."""
        if not self._found:
            raise Missing
        return self._found[0]


class Inputs:
    """Reads one input after the other and keeps what is wrong."""

    def __init__(self) -> None:
        self._wrong: list[CampaignError] = []

    def read(self, make: Callable[[], T]) -> Input[T]:
        """What `make` gives; its error is kept for `check`."""
        try:
            return Input(make())
        except Missing:
            return Input()
        except CampaignError as wrong:
            self._wrong.append(wrong)
            return Input()

    def check(self) -> None:
        """Raise what was wrong: one error as it came, several in one, whose code is 2 if any word of the call is."""
        if len(self._wrong) == 1:
            raise self._wrong[0]
        if self._wrong:
            words = any(wrong.exit_code == UsageError.exit_code for wrong in self._wrong)
            text = "\n".join(dict.fromkeys(str(wrong) for wrong in self._wrong))
            raise UsageError(text) if words else DataError(text)


def policy_name(text: str, world: str | None = None) -> str:
    """The words that name a policy, if anything goes by them; of its own rules a world is reminded."""
    bundled = bundled_files("policies") | pretrained_files()
    if text.startswith(ALWAYS) or text in bundled or text in kinds() or Path(text).is_file():
        return text
    hint = "Or give a bundle, a TOML file, or `always:ACTION`."
    own = None if world is None else f"rules_{Path(world).stem}"
    if own in bundled:
        hint = f"The rules of {world} are {own}. {hint}"
    raise unknown("policy", text, {*bundled, *kinds()} - {"always"}, hint)


def day_of(text: str | None, option: str = "--as-of") -> datetime.date:
    """A day as it is written in a call; today for None."""
    if text is None:
        return datetime.date.today()
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a day; write it as 2026-11-21.") from None
