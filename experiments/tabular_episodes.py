"""Whole episodes where the truth is known exactly: how far off is `fqe`, does its interval hold, and who is trusted?

Small tables of states and actions, drawn at random, whose values follow by going back from the last step. A log of the
behaviour policy is evaluated for a policy that is so far from it (--closeness 1: all the way to another random one),
over 5, 10 and 30 steps. Told are the bias beside the true lift, how many intervals there are and how many hold the
truth, and the verdicts; beside it the plain table of means that knows the states (`plain`).

    python experiments/tabular_episodes.py --runs 25 --closeness 0.3 1
"""

import json
import warnings
from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.suites import run_cells, run_study, study_words, write_files

STATES, ACTIONS = 5, 4
NAMES = ("fqe", "drl", "wdr")


class Table(NamedTuple):
    """A world of a few states; arrays over states and actions, (s, k)."""

    moves: np.ndarray  # (s, k, s)
    reward: np.ndarray
    eligible: np.ndarray
    start: np.ndarray  # (s,)
    logging: np.ndarray
    policy: np.ndarray

    def truth(self, policy: np.ndarray, horizon: int) -> float:
        """What an episode of the policy earns."""
        value = np.zeros(STATES)
        for _ in range(horizon):
            value = (policy * (self.reward + self.moves @ value)).sum(axis=1)
        return float(self.start @ value)


def softmax(z: np.ndarray, eligible: np.ndarray) -> np.ndarray:
    """Probabilities of what is eligible, row by row."""
    e = np.where(eligible, np.exp(z), 0.0)
    return e / e.sum(axis=1, keepdims=True)


def table(seed: int, closeness: float) -> Table:
    """The world of a seed, and a policy that is so far from its logging policy."""
    g, shape = np.random.default_rng(seed), (STATES, ACTIONS)
    moves = g.dirichlet(np.full(STATES, 0.5), size=shape)
    reward = g.normal(size=shape) + 0.5 * np.arange(STATES)[:, None]
    eligible = g.random(shape) < 0.7
    eligible[:, 0] = True
    start = g.dirichlet(np.ones(STATES))
    logging, other = softmax(g.normal(size=shape), eligible), softmax(1.5 * g.normal(size=shape), eligible)
    return Table(moves, reward, eligible, start, logging, (1.0 - closeness) * logging + closeness * other)


def drawn(chances: np.ndarray, g: np.random.Generator) -> np.ndarray:
    """(n,) one of each row of (n, m)."""
    return (chances.cumsum(axis=1) < g.random(len(chances))[:, None]).sum(axis=1).clip(0, chances.shape[1] - 1)


def log_of(world: Table, horizon: int, customers: int, g: np.random.Generator) -> crl.DecisionLog:
    """Episodes of the logging policy; the context is the state and how many steps are left."""
    state, parts = drawn(np.tile(world.start, (customers, 1)), g), []
    for step in range(horizon):
        action = drawn(world.logging[state], g)
        parts.append((np.arange(customers), np.full(customers, step), state, action, world.reward[state, action]))
        state = drawn(world.moves[state, action], g)
    customer, step, state, action, mean = (np.concatenate(part) for part in zip(*parts, strict=True))
    levels = tuple(f"s{i}" for i in range(STATES))
    schema = FeatureSchema((Feature(name="state", levels=levels), Feature(name="left", high=float(horizon))))
    return crl.DecisionLog(
        catalog=crl.Catalog.from_names(["none", *(f"a{j}@c" for j in range(ACTIONS - 1))]),
        customers=np.array([f"c{i}" for i in range(customers)], dtype=object),
        customer=customer,
        step=step,
        day=step,
        context=Context(schema, {"state": state, "left": (horizon - step).astype(float)}),
        action=action,
        propensity=world.logging[state, action],
        reward=mean + g.normal(size=len(mean)),
        cost=np.zeros(len(mean), dtype=np.int64),
        matured=np.ones(len(mean), dtype=bool),
        eligible=world.eligible[state],
        meta={"policy_id": "b", "outcome_days": 1},
    )


def plain(log: crl.DecisionLog, policy: np.ndarray, horizon: int) -> float:
    """Means of every step, state and action, from the last step back; 0 where nobody was."""
    state, pairs, later = log.context.columns["state"], STATES * ACTIONS, np.zeros(STATES)
    following = np.full(len(log), -1)
    order = np.lexsort((log.step, log.customer))
    goes_on = log.customer[order[1:]] == log.customer[order[:-1]]
    following[order[:-1][goes_on]] = state[order[1:][goes_on]]
    for step in range(horizon - 1, -1, -1):
        rows = log.step == step
        target = log.reward[rows] + np.where(following[rows] >= 0, later[following[rows]], 0.0)
        pair = state[rows] * ACTIONS + log.action[rows]
        q = np.bincount(pair, target, pairs) / np.maximum(np.bincount(pair, minlength=pairs), 1)
        later = (policy * q.reshape(STATES, ACTIONS)).sum(axis=1)
    return float(later[state[log.step == 0]].mean())


def one_log(run: int, seed: int, closeness: float, horizon: int, customers: int) -> dict:
    """What is said of one log."""
    world = table(seed, closeness)
    log = log_of(world, horizon, customers, np.random.default_rng([seed, run]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = crl.evaluate(log, world.policy[log.context.columns["state"]], estimators=NAMES)
    figures = {name: (e.value, e.ci_low, e.ci_high) for name, e in answer.estimates.items()}
    return {"verdict": answer.verdict, "plain": plain(log, world.policy, horizon), **figures}


def summary(found: list[dict], seed: int, closeness: float, horizon: int) -> dict:
    """Of one table and horizon."""
    world = table(seed, closeness)
    truth = world.truth(world.policy, horizon)
    lift = truth - world.truth(world.logging, horizon)
    answer = {"truth": truth, "lift": lift, "verdicts": dict(Counter(each["verdict"] for each in found))}
    answer["plain off"] = abs(float(np.mean([each["plain"] for each in found])) - truth) / abs(lift)
    for name in NAMES:
        value, low, high = np.array([each[name] for each in found], dtype=float).T
        had, held = np.isfinite(low), (low <= truth) & (truth <= high)
        off = abs(float(np.nanmean(value)) - truth) / abs(lift) if np.isfinite(value).any() else None
        error = float(np.nanstd(value)) / np.sqrt(len(found)) / abs(lift) if off is not None else None
        answer[name] = {"off": off, "off_error": error, "intervals": int(had.sum()), "held": int(held.sum())}
    return answer


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/tabular_episodes", workers=1)
    words.add_argument("--runs", type=int, default=25)
    words.add_argument("--tables", type=int, nargs="*", default=[1], help="seeds of the worlds")
    words.add_argument("--closeness", type=float, nargs="*", default=[0.3, 1.0])
    words.add_argument("--horizons", type=int, nargs="*", default=[5, 10, 30])
    words.add_argument("--customers", type=int, default=2_000)
    asked, found = words.parse_args(argv), {}
    for seed in asked.tables:
        for far in asked.closeness:
            for horizon in asked.horizons:
                work = partial(one_log, seed=seed, closeness=far, horizon=horizon, customers=asked.customers)
                logs = run_cells(work, range(asked.runs), asked.workers)
                found[f"table {seed}, closeness {far:g}, {horizon} steps"] = summary(logs, seed, far, horizon)
                print(json.dumps({k: v for k, v in [list(found.items())[-1]]}), flush=True)
    write_files(asked.output, {"tabular_episodes.json": json.dumps(found, indent=1) + "\n"})


if __name__ == "__main__":
    run_study(main)
