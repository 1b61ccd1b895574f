"""Twenty-two ways a log can be, each with two policies whose true values are known: what coverage is measured on.

Here: the designs and one log of each. Not here: the study (interval_study.py), rare conversions worked out exactly
(coverage.py). Coefficients are the same in every log of a design; contexts, actions and rewards are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema

Array = np.ndarray
Chance = np.random.Generator


@dataclass(kw_only=True)
class Design:
    """n rows, d contexts, k actions."""

    X: Array  # (n, d)
    P: Array  # (n, k) of the logging policy
    E: Array  # (n, k) of the policy
    F: Array  # (n, k) of another one, that it is set against
    mean: Array  # (n, k) rewards to be expected
    rewards: Callable[[Chance, Array], Array]  # of actions (n,)
    customer: Array | None = None
    eligible: Array | None = None
    twice: bool = False  # every row twice, under one id
    meta: dict[str, Any] = field(default_factory=dict)

    def truths(self) -> tuple[float, float, float]:
        """What the policy, the logging policy and the other one earn in these contexts."""
        e, p, f = (float((M * self.mean).sum(axis=1).mean()) for M in (self.E, self.P, self.F))
        return e, p, f


def softmax(z: Array, mask: Array | None = None) -> Array:
    """(n, k) probabilities."""
    z = z if mask is None else np.where(mask, z, -np.inf)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z: Array) -> Array:
    """Chances."""
    return 1.0 / (1.0 + np.exp(-z))


def scores(X: Array, k: int, which: int) -> Array:
    """(n, k) linear in the contexts, by coefficients that are always the same."""
    return X @ np.random.default_rng(which).normal(size=(X.shape[1], k))


def policies(g: Chance, n: int, k: int, logged: float = 1.0, other: float = 1.0) -> dict[str, Array]:
    """Contexts, and three softmax policies that follow them by so much."""
    X = g.normal(size=(n, 2))
    parts = zip("PEF", (1, 2, 3), (logged, other, other), strict=True)
    return {"X": X} | {name: softmax(by * scores(X, k, which)) for name, which, by in parts}


def converts(chance: Array) -> dict[str, Any]:
    """Rewards of 0 and 1. chance: (n, k)."""
    rows = np.arange(len(chance))
    return {"mean": chance, "rewards": lambda g, a: (g.random(len(a)) < chance[rows, a]).astype(float)}


def normal(g: Chance, n: int = 1_000) -> Design:
    """Rewards with normal noise."""
    of, rows = policies(g, n, 4), np.arange(n)
    mean = scores(of["X"], 4, 5) + 1.0
    return Design(**of, mean=mean, rewards=lambda g, a: mean[rows, a] + g.normal(size=n))


def lognormal(g: Chance, n: int = 1_000, rate: float = 0.05, s: float = 1.5) -> Design:
    """One in twenty buys, baskets have heavy tails."""
    of, rows = policies(g, n, 5, 0.3, 2.0), np.arange(n)
    chance = np.clip(rate * (1.0 + 0.5 * np.tanh(scores(of["X"], 5, 5))), 0.0, 1.0)
    return Design(
        **of,
        mean=chance * 40.0 * np.exp(s * s / 2.0),
        rewards=lambda g, a: (g.random(n) < chance[rows, a]) * 40.0 * np.exp(s * g.normal(size=n)),
    )


def lognormal5k(g: Chance, n: int = 5_000) -> Design:
    """The same of more rows."""
    return lognormal(g, n)


def lognormal_dense(g: Chance, n: int = 1_000) -> Design:
    """Most buy, baskets have tails so heavy that a few are half of all."""
    return lognormal(g, n, 0.6, 2.0)


def jackpot(g: Chance, n: int = 2_000) -> Design:
    """Everybody earns 1, one in five hundred 500 more."""
    of = policies(g, n, 3, 0.3)
    return Design(**of, mean=np.full((n, 3), 2.0), rewards=lambda g, a: 1.0 + 500.0 * (g.random(n) < 0.002))


def cluster(g: Chance, n: int = 2_000, per: int = 20) -> Design:
    """Twenty rows of each customer, who share their taste."""
    customer = np.repeat(np.arange(n // per), per)
    X, taste = g.normal(size=(n, 2)), g.normal(size=n // per)[customer]
    P, E, F = (softmax(by * scores(X, 3, which)) for by, which in ((0.5, 1), (2.0, 2), (2.0, 3)))
    chance = sigmoid(-2.0 + 1.5 * taste[:, None] + 0.5 * scores(X, 3, 5))
    return Design(X=X, P=P, E=E, F=F, **converts(chance), customer=customer)


def cluster_zipf(g: Chance, n: int = 2_000) -> Design:
    """Customers of very uneven size, large ones buying more."""
    many = n >= 100_000
    size = np.minimum(g.zipf(1.6, size=n // 4 if many else 5_000), 400)
    size = size if many else size[: int(np.searchsorted(size.cumsum(), n)) + 1]
    customer = np.repeat(np.arange(len(size)), size)
    X = g.normal(size=(len(customer), 2))
    P, E, F = (softmax(by * scores(X, 3, which)) for by, which in ((0.5, 1), (2.0, 2), (2.0, 3)))
    taste = sigmoid(-2.0 + 0.4 * np.log(size[customer]) + g.normal(size=len(size))[customer])
    chance = np.tile(taste[:, None], (1, 3)) * [1.0, 0.7, 1.0]
    return Design(X=X, P=P, E=E, F=F, **converts(chance), customer=customer)


def det20(g: Chance, n: int = 2_000) -> Design:
    """In a fifth of the rows every policy does the same for certain."""
    of = policies(g, n, 4)
    certain = of["X"][:, 0] > 0.84
    for name in "PEF":
        of[name][certain] = [0.0, 1.0, 0.0, 0.0]
    return Design(**of, **converts(sigmoid(-1.0 + scores(of["X"], 4, 5))))


def tiny(g: Chance, n: int = 3_000, explored: float = 0.02, k: int = 10) -> Design:
    """The logging policy explores in 2 % of the rows, over ten actions."""
    X = g.normal(size=(n, 2))
    P = np.full((n, k), explored / k)
    P[np.arange(n), scores(X, k, 1).argmax(axis=1)] += 1.0 - explored
    E, F = 0.9 * P + 0.1 * softmax(scores(X, k, 2)), 0.9 * P + 0.1 / k
    return Design(X=X, P=P, E=E, F=F, **converts(sigmoid(-3.0 + 0.7 * scores(X, k, 5))))


def est(g: Chance, n: int = 2_000) -> Design:
    """Nobody wrote the propensities down; contexts tell them."""
    of = policies(g, n, 3)
    chance = sigmoid(-1.0 + scores(of["X"], 3, 5) + of["X"][:, :1])
    return Design(**of, **converts(chance), meta={"propensity_from": "estimate"})


def est_missp(g: Chance, n: int = 2_000) -> Design:
    """Nobody wrote the propensities down; squares and products of contexts tell them."""
    X = g.normal(size=(n, 2))
    Q = np.c_[X**2, X[:, :1] * X[:, 1:]]
    P, E, F = softmax(scores(Q, 3, 1)), softmax(scores(X, 3, 2)), softmax(scores(X, 3, 3))
    of_rewards = converts(sigmoid(-1.0 + scores(Q, 3, 5)))
    return Design(X=X, P=P, E=E, F=F, **of_rewards, meta={"propensity_from": "estimate"})


def twolog(g: Chance, n: int = 2_000) -> Design:
    """Two logging policies, half of the rows each, that do the opposite."""
    of = policies(g, n, 4)
    opposite = softmax(-scores(of["X"], 4, 1))
    of["P"] = np.where((np.arange(n) < n // 2)[:, None], of["P"], opposite)
    return Design(**of, **converts(sigmoid(-1.0 + scores(of["X"], 4, 5))))


def dup(g: Chance, n: int = 1_000) -> Design:
    """Every row of `normal` twice."""
    design = normal(g, n // 2)
    design.twice = True
    return design


def mask(g: Chance, n: int = 2_000, k: int = 30) -> Design:
    """Thirty actions of which a row may have one in five."""
    X, eligible = g.normal(size=(n, 2)), g.random((n, k)) < 0.2
    eligible[:, 0] = True
    P, E, F = (softmax(by * scores(X, k, which), eligible) for by, which in ((0.5, 1), (2.0, 2), (2.0, 3)))
    return Design(X=X, P=P, E=E, F=F, **converts(sigmoid(-1.0 + scores(X, k, 5))), eligible=eligible)


def similar(g: Chance, n: int = 2_000) -> Design:
    """Policies that nearly agree with the log's."""
    of = policies(g, n, 4)
    of["E"], of["F"] = 0.95 * of["P"] + 0.05 * of["E"], 0.9 * of["P"] + 0.1 * of["F"]
    return Design(**of, **converts(sigmoid(-1.0 + scores(of["X"], 4, 5))))


def margin(g: Chance, n: int = 3_000, k: int = 6) -> Design:
    """Margins of gamma baskets less what the contact cost."""
    of, rows, cost = policies(g, n, k, 0.3, 1.5), np.arange(n), np.arange(k) * 0.4
    chance = np.clip(0.03 * np.exp(0.5 * scores(of["X"], k, 5)), 0.0, 0.9)
    return Design(
        **of,
        mean=chance * 25.0 - cost,
        rewards=lambda g, a: (g.random(n) < chance[rows, a]) * g.gamma(2.0, 12.5, n) - cost[a],
    )


def rareuplift(g: Chance, n: int = 3_000) -> Design:
    """The action that the policy wants was tried in 2 % of the rows and converts 3 %."""
    P, E, F = (np.tile(p, (n, 1)) for p in ([0.4, 0.3, 0.2, 0.08, 0.02], [0.0, 0.0, 0.0, 0.2, 0.8], [1.0, 0, 0, 0, 0]))
    chance = np.tile([0.005, 0.005, 0.005, 0.01, 0.03], (n, 1))
    return Design(X=g.normal(size=(n, 2)), P=P, E=E, F=F, **converts(chance))


def small(g: Chance, n: int = 150) -> Design:
    """A hundred and fifty rows."""
    of = policies(g, n, 2, 0.3, 0.5)
    return Design(**of, **converts(sigmoid(scores(of["X"], 2, 5))))


def k100(g: Chance, n: int = 3_000, k: int = 100) -> Design:
    """A hundred actions, tried alike."""
    X = g.normal(size=(n, 3))
    E, F = (softmax(1.5 * scores(X, k, which)) for which in (2, 3))
    return Design(X=X, P=np.full((n, k), 1.0 / k), E=E, F=F, **converts(sigmoid(-2.0 + scores(X, k, 5))))


def cont_out(g: Chance, n: int = 2_000) -> Design:
    """Rewards of both signs with noise of 2.2 degrees of freedom."""
    of, rows = policies(g, n, 3, 0.5, 1.5), np.arange(n)
    mean = scores(of["X"], 3, 5)
    return Design(**of, mean=mean, rewards=lambda g, a: mean[rows, a] + g.standard_t(2.2, size=n))


def bigcust(g: Chance, n: int = 1_500) -> Design:
    """Sixty customers of twenty-five rows, and a policy that always does one thing."""
    design = cluster(g, n, 25)
    design.E = np.tile([0.0, 0.0, 1.0], (n, 1))
    return design


def ratio_rare(g: Chance, n: int = 4_000) -> Design:
    """Spend where one in a hundred buys; three arms tried alike."""
    X, rows = g.normal(size=(n, 2)), np.arange(n)
    P, E, F = (np.tile(p, (n, 1)) for p in ([1 / 3] * 3, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]))
    chance = np.tile([0.006, 0.013, 0.008], (n, 1))
    return Design(
        X=X, P=P, E=E, F=F,
        mean=chance * 80.0 * np.exp(0.5 * 0.8**2),
        rewards=lambda g, a: (g.random(n) < chance[rows, a]) * 80.0 * np.exp(0.8 * g.normal(size=n)),
    )  # fmt: skip


DESIGNS: dict[str, Callable[..., Design]] = {
    f.__name__: f
    for f in (
        *(normal, lognormal, lognormal5k, lognormal_dense, jackpot, cluster, cluster_zipf, det20, tiny, est, est_missp),
        *(twolog, dup, mask, similar, margin, rareuplift, small, k100, cont_out, bigcust, ratio_rare),
    )
}


def stress(
    P: list[float],
    E: list[float],
    F: list[float],
    chance: list[float],
    n: int,
    tail: float | None = None,
    base: float = 0,
) -> Callable[..., Design]:
    """Everybody alike: an event by chance, worth 1, or a basket of 40 with so heavy a tail, or 500 on top of `base`."""

    def drawn(g: Chance, n: int = n) -> Design:
        p, e, f, c = (np.tile(x, (n, 1)) for x in (P, E, F, chance))
        size = 500.0 if base else 1.0 if tail is None else 40.0 * np.exp(tail * tail / 2.0)

        def rewards(g: Chance, a: Array) -> Array:
            worth = size if tail is None else 40.0 * np.exp(tail * g.normal(size=n))
            return base + (g.random(n) < c[np.arange(n), a]) * worth

        return Design(X=g.normal(size=(n, 2)), P=p, E=e, F=f, mean=base + c * size, rewards=rewards)

    return drawn


THIRDS = [1 / 3] * 3
STRESSES: dict[str, Callable[..., Design]] = {  # of differences: few events, on one side or in a thin arm
    "rare5k": stress([0.99, 0.01], [0, 1], [1, 0], [0.02, 0.02], 5_000),
    "rare12k": stress([0.99, 0.01], [0, 1], [1, 0], [0.02, 0.02], 12_000),
    "rare12k_up": stress([0.99, 0.01], [0, 1], [1, 0], [0.02, 0.06], 12_000),
    "arms_tail": stress(THIRDS, [0, 1, 0], [0, 0, 1], [0.01, 0.02, 0.01], 3_000, 1.5),
    "arms_tail_logged": stress(THIRDS, [0, 1, 0], THIRDS, [0.01, 0.02, 0.01], 3_000, 1.5),
    "thin_tail": stress([0.5, 0.4, 0.1], [0, 0, 1], [1, 0, 0], [0.02, 0.02, 0.03], 4_000, 1.0),
    "dense_tail": stress([0.7, 0.2, 0.1], [0, 0, 1], [0.7, 0.2, 0.1], [0.5, 0.5, 0.6], 2_000, 1.5),
    "jackpots_up": stress(THIRDS, [0, 1, 0], [0, 0, 1], [0.002, 0.004, 0.002], 3_000, base=1),
    "jackpots_thin": stress([0.8, 0.2], [0, 1], [0.8, 0.2], [0.002, 0.004], 4_000, base=1),
    "thin": stress([0.9, 0.1], [0, 1], [1, 0], [0.01, 0.02], 3_000),
    "halves": stress([0.5, 0.5], [0, 1], [1, 0], [0.005, 0.01], 2_000),
}


def log_of(name: str, chance: Chance) -> tuple[crl.DecisionLog, Array, Array]:
    """One log of a design, the policy and the one it is set against."""
    design = (DESIGNS | STRESSES)[name](chance)
    n, k = design.P.shape
    chances = design.P.cumsum(axis=1)
    action = (chances / chances[:, -1:] < chance.random(n)[:, None]).sum(axis=1).clip(0, k - 1)
    reward, once = design.rewards(chance, action), np.arange(n)
    rows = np.r_[once, once] if design.twice else once
    customer = (once if design.customer is None else design.customer)[rows]
    X = design.X[rows]
    schema = FeatureSchema(tuple(Feature(name=f"x{j}", low=-20.0, high=20.0) for j in range(X.shape[1])))
    log = crl.DecisionLog(
        catalog=crl.Catalog.from_names(["none", *(f"a{j}@c" for j in range(k - 1))]),
        customers=np.array([f"c{i}" for i in range(int(customer.max()) + 1)], dtype=object),
        customer=customer,
        step=np.zeros(len(rows), dtype=int),
        day=np.zeros(len(rows), dtype=int),
        context=Context(schema, {f"x{j}": X[:, j] for j in range(X.shape[1])}),
        action=action[rows],
        propensity=design.P[once, action][rows],
        reward=reward[rows],
        cost=np.zeros(len(rows), dtype=np.int64),
        matured=np.ones(len(rows), dtype=bool),
        eligible=design.eligible,
        meta={"policy_id": "study", **design.meta},
    )
    return log, design.E[rows], design.F[rows]


def truth_of(name: str, rows: int = 200_000, times: int = 3) -> tuple[float, float, float]:
    """What the policy, the logging policy and the other one earn, over many contexts."""
    chance = np.random.default_rng(77)
    e, p, f = np.mean([(DESIGNS | STRESSES)[name](chance, n=rows).truths() for _ in range(times)], axis=0).tolist()
    return e, p, f
