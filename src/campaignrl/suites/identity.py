"""What stands behind the names of a suite: everything is loaded once, so that all mistakes show before the first run.

The hash of a world says whether two results may be compared; the hashes of a policy and of our own code say whether
a finished run may be used again. Not here: keeping runs (store.py), comparing (compare.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from campaignrl.errors import CampaignError, Problem, SpecError
from campaignrl.policies import Learner, Policy, is_trained, load_policy
from campaignrl.recorder import MAX_LOG_ROWS
from campaignrl.specs import World, load_world
from campaignrl.suites.suite import Suite

T = TypeVar("T")

# Parts of a world that change nobody's behaviour.
FOR_PEOPLE = ("title", "says", "about", "name", "business", "known_misses")


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
        for name, use in suite.policies.items():
            load = partial(load_policy, use, world.catalog, world.features)
            found = _tried(problems, f"{place} [[policy]] use", use, load)
            if found is not None:
                policies[label, name] = policy_hash(found)
                problems += _training_problems(suite, world, found)
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


def world_hash(world: World) -> str:
    """Of everything that shapes behaviour, in the order of the file (order gives ids), without texts for people."""
    return digest(_without_texts(world.model_dump(mode="json", exclude_unset=True)))


def policy_hash(policy: Policy) -> str:
    """Of its kind, settings and learned numbers."""
    arrays = {n: [str(a.dtype), list(a.shape), _bytes_hash(a)] for n, a in sorted(policy.tensors().items())}
    return digest([policy.kind, policy.settings(), arrays])


@cache
def code_hash() -> str:
    """Of our own source: a run made by other code is not used again."""
    found = hashlib.blake2b(digest_size=16)
    root = Path(str(files("campaignrl")))
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def digest(content: Any) -> str:
    """32 hex digits of plain JSON content; the order of keys counts."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _training_problems(suite: Suite, world: World, policy: Policy) -> list[Problem]:
    rows = suite.train.customers * world.horizon
    if not isinstance(policy, Learner) or is_trained(policy) or rows <= MAX_LOG_ROWS:
        return []
    fix = f"At most {MAX_LOG_ROWS // world.horizon} customers of {world.horizon} days, in more rounds."
    where = f"suite {suite.name} [train]"
    return [Problem(where, "customers", suite.train.customers, "few enough for one log in memory", fix)]


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(v) for key, v in value.items() if key not in FOR_PEOPLE}
    return [_without_texts(v) for v in value] if isinstance(value, list) else value


def _bytes_hash(array: np.ndarray[Any, np.dtype[Any]]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
