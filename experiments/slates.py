"""A page of several slots: which way of weighing tells what another ranking would earn, and how far off is each?

Visitors look at a page from its first slot down and leave with the first item they click (the cascade model of
clicks), so what a slot earns depends on what stands above it. A page is an episode and its slots are its steps; then
`pdis` is RIPS (McInerney et al. 2020) and `sdr` Cascade-DR (Kiyohara et al. 2022). Beside them, per page: `ips` over
rows as single decisions, which is IIPS (Li et al. 2018) and takes a slot to earn alike whatever stands above; and
whole pages weighed at once (`tis`, standard IPS of slates). The truth is worked out over every page there can be.

    python experiments/slates.py --logs 200 --pages 1000
"""

import json
from functools import partial

import numpy as np

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.estimators import sequential
from campaignrl.suites import run_cells, run_study, study_words, write_files

ITEMS, SLOTS, SEGMENTS = 6, 4, 2
CATALOG = crl.Catalog.from_names([f"item{i}@page" for i in range(ITEMS)])
SCHEMA = FeatureSchema(
    (Feature(name="segment", levels=("old", "new")), Feature(name="slot", levels=tuple(f"s{i}" for i in range(SLOTS))))
)
_FIXED = np.random.default_rng(8)
CLICKS = 0.02 + 0.5 * _FIXED.random((SEGMENTS, ITEMS)) ** 2  # of an item that is looked at
_TASTE = 0.3 * _FIXED.normal(size=(SEGMENTS, ITEMS))
LIKED = np.stack([_TASTE, _TASTE + 3.0 * CLICKS])  # by the ranking that logged and the one that is valued


def chances(liked: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(n, items) of what may stand in the next slot: items that do not stand on the page yet."""
    z = np.where(free, np.exp(liked), 0.0)
    return z / z.sum(axis=1, keepdims=True)


def truth(liked: np.ndarray, segment: int, free: np.ndarray, left: int) -> float:
    """What a page still earns from a slot on, over all pages it may become."""
    if not left:
        return 0.0
    p, value = chances(liked[segment][None], free[None])[0], 0.0
    for item in np.flatnonzero(free):
        below, click = free.copy(), CLICKS[segment, item]
        below[item] = False
        value += p[item] * (click + (1.0 - click) * truth(liked, segment, below, left - 1))
    return float(value)


def worth(liked: np.ndarray) -> float:
    """Clicks a page."""
    return float(np.mean([truth(liked, s, np.ones(ITEMS, dtype=bool), SLOTS) for s in range(SEGMENTS)]))


def pages(count: int, g: np.random.Generator) -> tuple[crl.DecisionLog, np.ndarray]:
    """A log of pages, and what the other ranking would do in each slot, (n, 1 + items)."""
    segment, looks = g.integers(0, SEGMENTS, count), np.ones(count, dtype=bool)
    free, rows, at = np.ones((count, ITEMS), dtype=bool), [], np.arange(count)
    for slot in range(SLOTS):
        logged, wanted = (chances(liked[segment], free) for liked in LIKED)
        item = (logged.cumsum(axis=1) <= g.random(count)[:, None]).sum(axis=1).clip(0, ITEMS - 1)
        click = looks & (g.random(count) < CLICKS[segment, item])
        rows.append((at, np.full(count, slot), segment, item, click, logged[at, item], free.copy(), wanted))
        free[at, item], looks = False, looks & ~click
    page, slot, segment, item, click, propensity, free, wanted = (np.concatenate(x) for x in zip(*rows, strict=True))
    log = crl.DecisionLog(
        catalog=CATALOG,
        customers=np.array([f"page{i}" for i in range(count)], dtype=object),
        customer=page,
        step=slot,
        day=np.zeros(len(page), dtype=int),
        context=Context(SCHEMA, {"segment": segment, "slot": slot}),
        action=item + 1,
        propensity=propensity,
        reward=click.astype(float),
        cost=np.zeros(len(page), dtype=np.int64),
        matured=np.ones(len(page), dtype=bool),
        eligible=np.c_[np.zeros(len(free), dtype=bool), free],
        meta={"policy_id": "ranking", "outcome_days": 0},
    )
    return log, np.c_[np.zeros(len(free)), wanted]


def one_log(seed: int, count: int) -> dict[str, list[float]]:
    """Value and interval of a page by each way."""
    log, wanted = pages(count, np.random.default_rng([11, seed]))
    found = crl.evaluate(log, wanted, estimators=("pdis", "wpdis", "sdr", "wdr")).estimates
    answer = {name: [e.value, e.ci_low, e.ci_high] for name, e in found.items()}
    weight = wanted[np.arange(len(log)), log.action] / log.propensity
    alone = (weight * log.reward).reshape(SLOTS, count).sum(axis=0)
    whole = sequential.tis(weight.reshape(SLOTS, count).T, log.reward.reshape(SLOTS, count).T)
    return answer | {"iips": [float(alone.mean()), np.nan, np.nan], "tis": [whole.value, np.nan, np.nan]}


def summary(found: list[dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Bias and root mean squared error as shares of the lift, and how often intervals hold the truth."""
    value, before = worth(LIKED[1]), worth(LIKED[0])
    answer: dict[str, dict[str, float]] = {"truth": {"value": value, "lift": value - before}}
    for name in found[0]:
        made, low, high = np.array([each[name] for each in found]).T
        answer[name] = {
            "bias": float(made.mean() - value) / abs(value - before),
            "rmse": float(np.sqrt(np.mean((made - value) ** 2))) / abs(value - before),
            "held": float(np.mean((low <= value) & (value <= high))),
        }
    return answer


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/slates", workers=1)
    words.add_argument("--logs", type=int, default=200)
    words.add_argument("--pages", type=int, default=1_000)
    asked = words.parse_args(argv)
    found = run_cells(partial(one_log, count=asked.pages), range(asked.logs), asked.workers)
    text = json.dumps(summary(found), indent=1)
    write_files(asked.output, {"slates.json": text + "\n"})
    print(text)


if __name__ == "__main__":
    run_study(main)
