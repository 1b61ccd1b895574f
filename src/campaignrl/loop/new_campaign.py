"""A new folder: from a template with example exports, or from a marketer's own files.

Not here: what the files mean (guesses.py), what comes after (morning.py).
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.loop.example_exports import example_exports
from campaignrl.loop.first_reading import Guess, Reading, read_exports
from campaignrl.loop.folder import FILE, campaign_text
from campaignrl.loop.study_folder import STUDY
from campaignrl.policies import business_as_usual, load_policy
from campaignrl.specs import World, load_world
from campaignrl.tables.files import write_together, write_whole

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {"shop": "ecommerce", "bank": "bank", "retail": "retail", "travel": "travel"}
)
TAGS = {"shop": "shop", "bank": "bank", "retail": "retail", "travel": "shop"}
AT = "10:00"


@dataclass(frozen=True)
class NewCampaign:
    """A folder that was begun.

    lines: a line a file; guesses: to be confirmed before anything is sent; alerts: what keeps it from sending.
    """

    folder: Path
    lines: tuple[str, ...]
    guesses: tuple[Guess, ...]
    alerts: tuple[str, ...] = ()


def new_campaign(
    folder: str | Path,
    *,
    template: str = "shop",
    exports: Sequence[str | Path] = (),
    start: datetime.date,
    world: World | None = None,
) -> NewCampaign:
    """Begin a campaign's folder, which appears whole or not at all.

    Args:
        folder: a new one, or empty.
        template: whose world, tags and rules: shop, bank, retail, travel; without `exports` also whose examples.
        exports: one's own files, which are copied; their meaning is guessed, and each guess told.
        start: first day of the campaign.
        world: whose offers, channels and rules hold, instead of the template's.

    Raises:
        UsageError: the folder is not empty, or the files hold no orders.
        UnknownName: there is no such template, or no such file.
    """
    place = Path(folder)
    if template not in TEMPLATES:
        raise unknown("template", template, [*TEMPLATES, STUDY])
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        fix = "Give a new folder; a campaign that was begun goes on with `campaignrl today`."
        raise UsageError(Problem("init", "folder", str(place), "new or empty", fix))
    world = load_world(TEMPLATES[template]) if world is None else world
    usual = business_as_usual(world) or load_policy("rules", world)
    given = [Path(path) for path in exports]
    missing = [path for path in given if not path.is_file()]
    names = [path.name for path in given]
    missing += [path for path in given if names.count(path.name) > 1]
    if missing:
        raise UsageError([Problem("init", "--from", str(path), "a file, of a name of its own") for path in missing])
    if given:
        readings = read_exports(given, list(world.channels), world.money.currency)
        _copy(given, place / "exports")
    else:
        write_together(example_exports(world, usual, start, place / "exports"))
        readings = read_exports(sorted((place / "exports").iterdir()), list(world.channels))
    guesses = tuple(guess for reading in readings for guess in reading.guesses) if given else ()
    (place / "answers").mkdir(parents=True, exist_ok=True)
    currency = next((r.currency for r in readings if r.currency), world.money.currency)
    mapping = {"currency": currency, "source": [reading.source for reading in readings]}
    facts = {
        "about": f"A campaign after the template `{template}`" + (", from own exports." if given else "."),
        "name": place.resolve().name,
        "world": world.name,
        "start": start,
        "customers": _customers(readings),
        "tags": TAGS[template],
        "never_contacted": False,
        "champion": usual.name,
        "at": AT if world.guard.timezone else None,
    }
    text = campaign_text(facts, mapping, guesses).encode()
    write_whole(place / FILE, lambda out: out.write(text))
    alerts = _alerts(readings, list(world.channels)) if given else ()
    return NewCampaign(place, tuple(reading.line for reading in readings), guesses, alerts)


def _alerts(readings: Sequence[Reading], channels: Sequence[str]) -> tuple[str, ...]:
    told = {name for reading in readings for name in reading.source.get("attributes", {})}
    if any(f"consent_{channel}" in told for channel in channels):
        return ()
    names = ", ".join(f"consent_{channel}" for channel in channels)
    return (f"no column tells a consent, so nothing may be sent to anybody: call it {names}",)


def _customers(readings: Sequence[Reading]) -> int:
    """Whom a budget is for: the customers of the largest list of them, else of the orders."""
    return max(max((r.customers for r in readings), default=1), 1)


def _copy(paths: Sequence[Path], target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, target / path.name)
    except OSError as wrong:
        raise UsageError(f"{target}: cannot be written: {wrong.strerror or wrong}.") from None
