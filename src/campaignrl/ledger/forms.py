"""What a ledger keeps beside its tables: each form of its world's rules, and the prices of each plan by value.

    forms/HASH.json                  a world, as its file said it; HASH is that of its content: an audit needs no other
    prices/DAY-NUMBER-RUN.json       day, run, prices, explore of a run by value that was committed, for who asks later
Not here: when a form is given (folder.py), what prices are for (policies/priced.py).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from campaignrl.errors import ArtifactError, CampaignError, Problem
from campaignrl.specs import World, load_world, world_hash
from campaignrl.tables.files import write_whole

FORMS, PRICES = "forms", "prices"


def keep_form(folder: Path, world: World) -> None:
    """Keep a form in a ledger's folder, where it is not there yet."""
    path = folder / FORMS / f"{world_hash(world)}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        text = json.dumps(world.model_dump(mode="json", exclude_unset=True), ensure_ascii=False, indent=1).encode()
        write_whole(path, lambda out: out.write(text))


def kept_form(folder: Path, form: str) -> World | None:
    """A form by its hash; None where the ledger, of an earlier version, kept none.

    Raises:
        ArtifactError: it is not as it was kept.
    """
    path = folder / FORMS / f"{form}.json"
    try:
        world = load_world(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (CampaignError, ValueError, TypeError, OSError):
        world = None
    if world is None or world_hash(world) != form:
        fix = "Bring the folder back from a copy; no other program may change it."
        raise ArtifactError(Problem(str(path), "content", "changed", "the rules as they were given", fix))
    return world


def keep_plan(folder: Path, day: datetime.date, run: str, prices: Mapping[str, Any]) -> None:
    """Keep what a plan by value says of prices, once for each run; by who holds the ledger's lock."""
    of_day = [one.name for one in (folder / PRICES).glob(f"{day}-*.json")]
    if not any(name.endswith(f"-{run}.json") for name in of_day):
        text = json.dumps({"day": day.isoformat(), "run": run, **prices}, indent=1).encode()
        write_whole(folder / PRICES / f"{day}-{len(of_day):04d}-{run}.json", lambda out: out.write(text))


def newest_plan(folder: Path, day: datetime.date | None = None) -> Path | None:
    """Where a ledger's folder keeps the prices of its newest plan by value; day: of no later one. None: it has none."""
    kept = [one for one in (folder / PRICES).glob("*.json") if day is None or one.name[:10] <= day.isoformat()]
    return max(kept, key=lambda one: one.name, default=None)
