"""How often do the checks of `evaluate` take trust from a log that is honest?

Ten designs of logs whose propensities are right and whose rewards are all in: tiny propensities, masks, clusters of
customers, customers of very uneven size, rare rewards, heavy tails, a season, a logging policy that changes its mind,
many actions, and a plain one. In each log the policy to be valued is another softmax of the contexts. Counted are logs
about which a check of balance, repeats, time, untried parts or leaks says anything, or the mean weight is called
wrong; that few rows speak, that one order is most of a value, or that the policy wants what was hardly ever tried (with
an exploration of one in a thousand, rightly) is no false alarm. The checks were set on seeds from 0.

    python experiments/false_alarms.py --runs 100
"""

import json
from collections import Counter
from collections.abc import Callable

import numpy as np

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.suites import run_study, study_words

Array = np.ndarray
Parts = tuple[Array, Array, Array, Callable[[Array], Array], dict[str, Array]]  # X, P, E, rewards of actions, columns

# Words of the findings, by check.
SAID = {
    "balance": (
        *("than its propensities say", "where it should be 1, most of it", "more or less often than their"),
        "do not belong to this log",
    ),
    "repeats": ("repeat another customer's row", "repeat an earlier row"),
    "time": ("beside other actions", "not in yet"),
    "untried": ("was never tried where",),
    "leak": ("it looks as if it has learned", "learned from these very rows"),
}


def softmax(z: Array, mask: Array | None = None) -> Array:
    """(n, k) probabilities."""
    z = z if mask is None else np.where(mask, z, -np.inf)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z: Array) -> Array:
    """Chances."""
    return 1.0 / (1.0 + np.exp(-z))


def design(name: str, rng: np.random.Generator) -> Parts:
    """Contexts, probabilities of the log and of the policy, how rewards are drawn, further columns of the log."""
    n, k, d = 2_000, 4, 2
    if name == "many actions":
        n, k = 3_000, 60
    X = rng.normal(size=(n, d))
    weights = [rng.normal(size=(d, k)) for _ in range(3)]
    P, E = (softmax(0.5 * X @ w) for w in weights[:2])
    P = 0.9 * P + 0.1 / k
    chance = sigmoid(-1.5 + 0.7 * X @ weights[2])
    more: dict[str, Array] = {}
    if name == "tiny propensities":
        greedy = (X @ weights[0]).argmax(axis=1)
        P = np.full((n, k), 0.001 / k)
        P[np.arange(n), greedy] += 0.999
        E = 0.95 * P + 0.05 * E
    if name == "masks":
        mask = rng.random((n, k)) < 0.6
        mask[:, 0] = True
        P, E = softmax(0.5 * X @ weights[0], mask), softmax(X @ weights[1], mask)
        more["eligible"] = mask
    if name in ("clusters", "uneven customers"):
        size = np.full(100, 20) if name == "clusters" else np.minimum(rng.zipf(1.8, 4 * n), 100)
        customer = np.repeat(np.arange(len(size)), size)[:n]
        chance = sigmoid(-1.5 + 1.5 * rng.normal(size=len(size))[customer][:, None] + 0.5 * X @ weights[2])
        more["customer"] = customer
    if name == "rare rewards":
        chance = np.full((n, k), 0.004)
    if name == "season":
        chance = np.clip(chance + 0.15 * np.sin(np.arange(n) / n * 12.0)[:, None], 0.01, 0.95)
    if name == "another mind":
        P[n // 2 :] = np.roll(P[n // 2 :], 1, axis=1)

    def rewards(action: Array) -> Array:
        bought = rng.random(n) < chance[np.arange(n), action]
        return bought * np.exp(3.0 + 1.5 * rng.normal(size=n)) if name == "heavy tails" else bought.astype(float)

    return X, P, E, rewards, more


DESIGNS = (
    *("plain", "tiny propensities", "masks", "clusters", "uneven customers"),
    *("rare rewards", "heavy tails", "season", "another mind", "many actions"),
)


def log_of(name: str, seed: int) -> tuple[crl.DecisionLog, Array]:
    """An honest log of 60 days in four waves, and the policy to be valued on it."""
    rng = np.random.default_rng([DESIGNS.index(name), seed])
    X, P, E, rewards, more = design(name, rng)
    n, k = P.shape
    action = (P.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, k - 1)
    customer = more.get("customer", np.arange(n))
    step = np.arange(n) - np.searchsorted(customer, customer)
    day = np.arange(n) * 60 // n
    schema = FeatureSchema(tuple(Feature(name=f"x{j}", low=-9.0, high=9.0) for j in range(X.shape[1])))
    log = crl.DecisionLog(
        catalog=crl.Catalog.from_names(["none", *(f"offer{j}@email" for j in range(1, k))]),
        customers=np.array([f"c{i}" for i in range(int(customer.max()) + 1)], dtype=object),
        customer=customer,
        step=step,
        day=day,
        context=Context(schema, {f"x{j}": X[:, j] for j in range(X.shape[1])}),
        action=action,
        propensity=P[np.arange(n), action],
        reward=rewards(action),
        cost=np.zeros(n, dtype=np.int64),
        matured=np.ones(n, dtype=bool),
        eligible=more.get("eligible"),
        wave=day // 15,
    )
    return log, E


def alarms_of(name: str, runs: int, seed: int) -> dict[str, int]:
    """Of `runs` logs of a design, those about which each check says anything, and any of them."""
    found: Counter[str] = Counter()
    for run in range(runs):
        log, policy = log_of(name, seed + run)
        reasons = crl.evaluate(log, policy, estimators=("dr",)).reasons
        checks = {check for check, words in SAID.items() if any(w in r for w in words for r in reasons)}
        found.update(checks | ({"any"} if checks else set()))
    return {check: found[check] for check in (*SAID, "any")}


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/false_alarms")
    words.add_argument("--runs", type=int, default=100, help="logs of each design")
    words.add_argument("--seed", type=int, default=0)
    chosen = words.parse_args(argv)
    told = {}
    for name in DESIGNS:
        told[name] = alarms_of(name, chosen.runs, chosen.seed)
        print(f"{name:18s} {told[name]}", flush=True)
    total = {check: sum(each[check] for each in told.values()) for check in (*SAID, "any")}
    print(f"{'all':18s} {total} of {chosen.runs * len(DESIGNS):,}")
    result = {"runs": chosen.runs, "designs": told, "all": total}
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / "false_alarms.json").write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    run_study(main)
