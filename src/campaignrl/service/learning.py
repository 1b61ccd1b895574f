"""Learning beside deciding: what came back to a candidate, held against what it must beat, promoted by rule.

The log is the ledger's: in whatever order outcomes came, and however often, the same ones teach the same numbers. A
process of its own; deciding never waits for it. It may look every day: the k-th lesson under one champion has
0.05 / (k (k + 1)) of error, all of them together 0.05. Not here: the flow (store/flow.py), the proof itself (proof/).
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from campaignrl.errors import SupportError
from campaignrl.ledger import Ledger, ledger_log
from campaignrl.policies import (
    ALPHA,
    PROOF,
    USUAL,
    Learner,
    Policy,
    Standing,
    copy_of,
    load_policy,
    policy_hash,
    save_policy,
)
from campaignrl.service.store import (
    CHAMPION,
    LESSONS,
    SHADOW,
    Store,
    champion,
    dismiss,
    flow,
    note,
    place,
    places,
    read_facts,
    tell,
)
from campaignrl.specs import World
from campaignrl.tables.log import FACT, DecisionLog, sketch_of

FEWEST = 500  # matured decisions, below which nothing is learned
CUSTOMERS = 4_000


@dataclass(frozen=True)
class Learned:
    """What one round of learning did. became: nothing, candidate, promoted; why: in a sentence."""

    became: str
    why: str
    rows: int = 0
    bundle: Path | None = None
    standing: Standing | None = None


@dataclass(frozen=True)
class Lessons:
    """How many there were under a champion, by its hash, and the last day of decisions that the last one had."""

    under: str
    many: int = 0
    through: int = -1

    @classmethod
    def of(cls, store: Store, under: str) -> Lessons:
        """As the store tells; of another champion there was none."""
        with store.reading() as con:
            said = read_facts(con, (LESSONS,)).get(LESSONS)
        found = cls(**orjson.loads(said)) if said else cls(under)
        return found if found.under == under else cls(under)

    def after(self, log: DecisionLog) -> Lessons:
        """With one more, on a log."""
        return Lessons(self.under, self.many + 1, int(log.day[log.matured].max()))

    @property
    def alpha(self) -> float:
        """The share of error that the last one has."""
        return ALPHA / (self.many * (self.many + 1))


def learn_once(
    store: Store,
    ledger: Ledger,
    world: World,
    folder: Path,
    *,
    today: datetime.date,
    promote: bool,
    learner: str | None = None,
    seed: int = 0,
    customers: int = CUSTOMERS,
) -> Learned:
    """Flow, teach what has matured, prove what came of it, write it to a folder, and promote it by rule.

    The rule: by the log it is shown to bring more than who decides, and in both, its world and the log, more than
    sending nothing and no less than business as usual and the best fixed action. Otherwise it watches as a shadow.
    promote: whether it may be promoted; learner: a kind or a bundle that learns from all that was decided, whoever did;
    None: a copy of the champion, from the champion's own decisions; customers: of the world, on whom it is held against
    the others.
    """
    flow(store, ledger, world, today)
    with store.reading() as con:
        named = champion(con)
    policy = load_policy(str(named), world)
    begun = copy_of(policy) if learner is None else load_policy(learner, world)
    if not isinstance(begun, Learner):
        return Learned("nothing", f"{begun.name} does not learn from logs: name a kind that does, such as lin_ts")
    if not len(ledger.read("decisions", ["day"])):
        return Learned("nothing", "nothing was decided yet")
    whose: dict[str, Any] = {"policy": policy_hash(policy)} if learner is None else {"every": True}
    try:
        log = ledger_log(ledger, world, as_of=today, **whose)
    except SupportError:
        return Learned("nothing", _without_log(None if learner else policy.name, today))
    rows, before = int(log.matured.sum()), Lessons.of(store, policy_hash(policy))
    if rows < FEWEST:
        return Learned("nothing", f"{rows} decisions whose outcome is known, too few to learn from ({FEWEST})", rows)
    lessons = before.after(log)
    if lessons.through == before.through:
        return Learned("nothing", "nothing has matured since the last lesson", rows)
    candidate = copy_of(begun)
    assert isinstance(candidate, Learner)
    candidate.update(log)
    if policy_hash(candidate) == policy_hash(policy):
        return Learned("nothing", "the outcomes taught nothing new", rows)
    return _judged(store, candidate, begun, log, world, folder, lessons, promote, seed, customers)


def _without_log(champion: str | None, today: datetime.date) -> str:
    """Why there is nothing to learn from. champion: whose decisions were looked for; None: anybody's."""
    if champion is None:
        return f"no decision is of a day before {today}: wait until it is known what came of them"
    fix = "wait, or name a kind that learns from everybody's"  # promoted today, or it decides at prices
    return f"the ledger has no decisions of {champion} by itself yet: {fix}"


def _judged(
    store: Store,
    candidate: Learner,
    begun: Policy,
    log: DecisionLog,
    world: World,
    folder: Path,
    lessons: Lessons,
    promote: bool,
    seed: int,
    customers: int,
) -> Learned:
    """Proven in its world and by the log, kept as a bundle, and given its place."""
    from campaignrl.proof import proof_of_training, prove  # slow to import, and only learning needs it

    in_world = prove(candidate, world, customers=customers, seed=seed, alpha=lessons.alpha)
    by_log = proof_of_training(candidate, begun, log, seed, lessons.alpha)
    facts = {"world": world.name, FACT: sketch_of(log).to_dict(), PROOF: in_world.to_dict()}
    bundle = folder / f"{candidate.name}-{policy_hash(candidate)[:12]}.bundle"
    folder.mkdir(parents=True, exist_ok=True)
    save_policy(candidate, bundle, trained_on=facts)
    doubts = [*in_world.doubts, *by_log.doubts, *_over_who_decides(by_log)]
    role = CHAMPION if promote and not doubts else SHADOW
    why = " ".join(doubts) or "shown to be better in its world and by the log"
    digest, rows = policy_hash(load_policy(str(bundle))), int(log.matured.sum())
    with store.writing() as con:
        for earlier in _own_shadows(places(con), bundle.resolve()):
            dismiss(con, earlier)
        tell(con, LESSONS, orjson.dumps(lessons).decode())
        place(con, str(bundle.resolve()), digest, role, time.time())
        told = {"policy": candidate.name, "hash": digest, "why": why, "rows": rows, "lesson": lessons.many}
        note(con, "learner", "policy promoted" if role == CHAMPION else "policy shadows", time.time(), told)
    return Learned("promoted" if role == CHAMPION else "candidate", why, rows, bundle, in_world)


def _own_shadows(rows: list[dict[str, object]], bundle: Path) -> list[str]:
    """Candidates of earlier lessons that still watch: whoever watches is asked for every decision."""
    return [
        name
        for name in (str(row["name"]) for row in rows if row["role"] == SHADOW)
        if Path(name).parent == bundle.parent and Path(name) != bundle
    ]


def _over_who_decides(by_log: Standing) -> list[str]:
    """What keeps a candidate from taking the place of who decides, who wrote the log: more is not shown."""
    gain = by_log.over.get(USUAL)
    if gain is not None and gain.low > 0.0:
        return []
    said = "the log cannot say" if gain is None else gain.said(by_log.unit)
    return [f"It is not shown to bring more than who decides: {said}."]
