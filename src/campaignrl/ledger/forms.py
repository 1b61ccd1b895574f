"""The forms of a world's rules that a ledger was given, each as it was: an audit needs no file for them.

    forms/HASH.json      a world, as its file said it; HASH is that of its content
Not here: when a form is given (folder.py).
"""

from __future__ import annotations

import json
from pathlib import Path

from campaignrl.errors import ArtifactError, CampaignError, Problem
from campaignrl.specs import World, load_world, world_hash
from campaignrl.tables.files import write_whole

FORMS = "forms"


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
