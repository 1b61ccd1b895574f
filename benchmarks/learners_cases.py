"""One case of learners.py in a process of its own: what it did per CPU second, as one JSON line.

`python learners_cases.py fit KIND ROWS`, `predict KIND ROWS [DRAWS]`, `online KIND ROWS`, `large ROWS`.
"""

import json
import resource
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from campaignrl import Catalog, DecisionLog
from campaignrl.actions import Channel, Offer
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.policies import build_policy, sample
from campaignrl.policies.bandits import Online
from campaignrl.policies.linear_model import RidgeStatistics

WIDTH, TIMES = 32, 3
SCHEMA = FeatureSchema(tuple(Feature(name=f"x{j}") for j in range(WIDTH)))


def catalog_of(actions: int) -> Catalog:
    """`none` and offers on one channel."""
    offers = [Offer(name=f"o{i}") for i in range(actions - 1)]
    return Catalog.product(offers, [Channel(name="c")], [(offer.name, "c") for offer in offers])


def log_of(rows: int, actions: int) -> DecisionLog:
    """Rows with 32 numbers each, logged uniformly."""
    chance, whole = np.random.default_rng(0), np.zeros(rows, dtype=np.int64)
    columns = {name: chance.random(rows, dtype=np.float32) for name in SCHEMA.names}
    return DecisionLog(
        catalog=catalog_of(actions),
        customers=np.array([f"c{i}" for i in range(1000)], dtype=object),
        customer=np.arange(rows) % 1000,
        step=np.arange(rows) // 1000,
        day=whole,
        context=Context(SCHEMA, columns),
        action=chance.integers(0, actions, rows),
        propensity=np.full(rows, 1.0 / actions),
        reward=chance.normal(size=rows),
        cost=whole,
        matured=np.ones(rows, dtype=bool),
    )


def policy_of(kind: str, log: DecisionLog, **settings: object):
    """A linear policy with a fixed penalty, as the peers have one, and no floor."""
    return build_policy({"kind": kind, "l2": 1.0, "explore": 0.0, **settings}, log.catalog, SCHEMA)


def least(work, times: int = TIMES) -> float:
    """CPU seconds of the quickest of a few runs."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def fit(kind: str, rows: int) -> dict:
    """A log learned in bulk: contexts encoded, sums, posterior. And the sums alone, from an encoded matrix."""
    log = log_of(rows, 20)
    policy, X = policy_of(kind, log), log.context.encode(SCHEMA)
    stats = RidgeStatistics.zeros(log.catalog, WIDTH)
    sums = least(lambda: stats.add(X, log.action, log.reward))
    return {"fit": rows / least(lambda: policy.update(log)), "sums": rows / sums}


def predict(kind: str, rows: int, draws: int = 0) -> dict:
    """Exact probabilities of all actions for every row, and the action drawn from them."""
    log = log_of(rows, 20)
    policy = policy_of(kind, log, **({"draws": draws} if draws else {}))
    policy.update(log.take(slice(0, 20_000)))
    allowed, u = np.ones((rows, 20), dtype=bool), np.random.default_rng(1).random(rows)
    probabilities = least(lambda: policy.probabilities(log.context, allowed))
    acted = least(lambda: sample(policy.probabilities(log.context, allowed), u))
    return {"predict": rows / acted, "probabilities": rows / probabilities}


def online(kind: str, rows: int) -> dict:
    """Row by row: action and propensity, then the reward."""
    log = log_of(rows, 20)
    form, X, allowed = Online(policy_of(kind, log)), log.context.encode(SCHEMA), np.ones(20, dtype=bool)
    u = np.random.default_rng(1).random(rows)

    def work() -> None:
        for x, reward, chance in zip(X, log.reward, u, strict=True):
            action, _ = form.choose(x, allowed, chance)
            form.learn(x, action, reward)

    return {"online": rows / least(work, 1)}


def large(rows: int) -> dict:
    """Thompson probabilities for 40 actions with 64 draws: wall and CPU seconds, and peak memory above the inputs."""
    log = log_of(rows, 40)
    policy = policy_of("lin_ts", log)
    policy.update(log.take(slice(0, 20_000)))
    allowed = np.ones((rows, 40), dtype=bool)
    before, wall, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    policy.probabilities(log.context, allowed)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_s": cpu, "wall_s": wall, "peak_mib": after / 1024, "extra_mib": (after - before) / 1024}


def main() -> None:
    """Run the case named by the words of the call."""
    case, *words = sys.argv[1:]
    with threadpool_limits(1):
        if case == "large":
            answer = large(int(words[0]))
        else:
            answer = {"fit": fit, "predict": predict, "online": online}[case](words[0], *map(int, words[1:]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
