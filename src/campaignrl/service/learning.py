"""Learning beside deciding: what came back to a candidate, held against what it must beat, promoted by rule.

The log is the ledger's: in whatever order outcomes came, and however often, the same ones teach the same numbers. A
process of its own; deciding never waits for it. Not here: the flow (store/flow.py), the proof itself (proof/).
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from pathlib import Path

from campaignrl.ledger import Ledger, ledger_log
from campaignrl.policies import PROOF, Learner, Standing, copy_of, load_policy, policy_hash, save_policy
from campaignrl.service.store import CHAMPION, SHADOW, Store, champion, flow, note, place
from campaignrl.specs import World
from campaignrl.tables.log import FACT, sketch_of

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


def learn_once(
    store: Store,
    ledger: Ledger,
    world: World,
    folder: Path,
    *,
    today: datetime.date,
    promote: bool,
    seed: int = 0,
    customers: int = CUSTOMERS,
) -> Learned:
    """Flow, teach a copy of the champion what has matured, prove it, write it to a folder, and promote it by rule.

    The rule: it is shown to be better than sending nothing, and not shown to lose against business as usual or the best
    fixed action, in its world and by the log; otherwise it watches as a shadow. promote: whether it may be promoted;
    customers: of the world, on whom it is held against the others.
    """
    from campaignrl.proof import proof_of_training, prove  # slow to import, and only learning needs it

    flow(store, ledger, world, today)
    with store.reading() as con:
        named = champion(con)
    policy = load_policy(str(named), world)
    if not isinstance(policy, Learner):
        return Learned("nothing", f"{policy.name} does not learn from logs: promote one that does, such as lin_ts")
    if not len(ledger.read("decisions", ["day"])):
        return Learned("nothing", "nothing was decided yet")
    log = ledger_log(ledger, world, as_of=today, policy=policy_hash(policy))
    rows = int(log.matured.sum())
    if rows < FEWEST:
        return Learned("nothing", f"{rows} decisions whose outcome is known, too few to learn from ({FEWEST})", rows)
    candidate, before = copy_of(policy), copy_of(policy)
    assert isinstance(candidate, Learner)
    candidate.update(log)
    if policy_hash(candidate) == policy_hash(policy):
        return Learned("nothing", "the outcomes taught nothing new", rows)
    in_world = prove(candidate, world, customers=customers, seed=seed)
    by_log = proof_of_training(candidate, before, log, seed)
    facts = {"world": world.name, FACT: sketch_of(log).to_dict(), PROOF: in_world.to_dict()}
    bundle = folder / f"{policy.name}-{policy_hash(candidate)[:12]}.bundle"
    folder.mkdir(parents=True, exist_ok=True)
    save_policy(candidate, bundle, trained_on=facts)
    return _placed(store, candidate.name, bundle, in_world, by_log, rows, promote)


def _placed(
    store: Store, name: str, bundle: Path, in_world: Standing, by_log: Standing, rows: int, promote: bool
) -> Learned:
    better = in_world.is_better and by_log.is_better
    role = CHAMPION if better and promote else SHADOW
    doubts = [*in_world.doubts, *by_log.doubts]
    why = "shown to be better in its world and by the log" if better else " ".join(doubts) or "not shown to be better"
    digest = policy_hash(load_policy(str(bundle)))
    with store.writing() as con:
        place(con, str(bundle.resolve()), digest, role, time.time())
        told = {"policy": name, "hash": digest, "why": why, "rows": rows}
        note(con, "learner", "policy promoted" if role == CHAMPION else "policy shadows", time.time(), told)
    return Learned("promoted" if role == CHAMPION else "candidate", why, rows, bundle, in_world)
