"""What stands behind the names of a suite: everything is loaded once, so that all mistakes show before the first run.

The hash of our own code says whether a finished run may be used again. Not here: the hashes of worlds and policies
(specs/content_hash.py, policies/content_hash.py), keeping runs (store.py), comparing (compare.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, TypeVar

from campaignrl.errors import CampaignError, Problem, SpecError
from campaignrl.policies import Learner, Policy, is_trained, load_policy, policy_hash
from campaignrl.recorder import MAX_LOG_ROWS
from campaignrl.specs import World, load_world
from campaignrl.suites.suite import Suite

T = TypeVar("T")


class Identity(NamedTuple):
    """Worlds by label, and the content hash of each policy in each world."""

    worlds: dict[str, World]
    policies: dict[tuple[str, str], str]  # by world and policy label


def identify(suite: Suite) -> Identity:
    """Load everything the suite names; every name that cannot be had is in one SpecError."""
    problems: list[Problem] = []
    place = f"suite {suite.name}"
    worlds: dict[str, World] = {}
    policies: dict[tuple[str, str], str] = {}
    for label, reference in suite.world_of.items():
        world = _tried(problems, f"{place} worlds", reference, partial(suite_world, suite, reference))
        if world is None:
            continue
        worlds[label] = world
        for name in suite.policies:
            use = suite.reference(label, name)
            load = partial(load_policy, use, world.catalog, world.features)
            found = _tried(problems, f"{place} [[policy]] use", use, load)
            if found is not None:
                policies[label, name] = policy_hash(found)
                problems += _training_problems(suite, world, name, found)
        explore = suite.train.explore
        load = partial(load_policy, explore, world.catalog, world.features)
        first = _tried(problems, f"{place} [train] explore", explore, load)
        if first is not None and not is_trained(first):
            problems.append(Problem(f"{place} [train]", "explore", explore, "a policy that can play untaught"))
    if problems:
        raise SpecError(dict.fromkeys(problems))  # a policy is tried in every world: say it once
    return Identity(worlds, policies)


def _tried(problems: list[Problem], place: str, reference: str, load: Callable[[], T]) -> T | None:
    """What `load` gives; None, and one more problem, where it cannot be had."""
    try:
        return load()
    except CampaignError as wrong:
        where, field = place.rsplit(" ", 1)
        problems.append(Problem(where, field, reference, "to be had", " ".join(str(wrong).splitlines())))
        return None


def suite_world(suite: Suite, reference: str) -> World:
    """A world as the suite plays it."""
    return load_world(reference) if suite.horizon is None else load_world(reference, horizon=suite.horizon)


@cache
def code_hash() -> str:
    """Of our own source: a run made by other code is not used again."""
    found = hashlib.blake2b(digest_size=16)
    root = Path(str(files("campaignrl")))
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _training_problems(suite: Suite, world: World, name: str, policy: Policy) -> list[Problem]:
    customers = suite.training(name).customers
    rows = customers * world.horizon
    if not isinstance(policy, Learner) or is_trained(policy) or rows <= MAX_LOG_ROWS:
        return []
    fix = f"At most {MAX_LOG_ROWS // world.horizon} customers of {world.horizon} days, in more rounds."
    where = f"suite {suite.name} [train]"
    return [Problem(where, "customers", customers, "few enough for one log in memory", fix)]
