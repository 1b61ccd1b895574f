"""The plan that can be carried out beside one made customer by customer, in plain loops, from what its module says."""

import math

import numpy as np
import pytest

from campaignrl.guard import integral_plan as module
from campaignrl.guard.dual_prices import Demand, Dual, Taken
from campaignrl.guard.integral_plan import integral_plan

NOTHING = 0
WEIGHTS = (
    ((0, 1, 3, 1, 3),),  # money
    ((0, 1, 3, 1, 3), (0, 0, 1, 0, 1)),  # money, and one channel
    ((0, 1, 3, 1, 3), (0, 0, 0, -1, -1)),  # money, and an offer that shall be sent at least so often
    ((0, 2, 1, 2, 1), (0, 1, 0, 1, 0), (0, -1, 0, 0, 0), (0, 0, 0, -1, -1)),
    ((0, 0, 0, -1, -1),),
)


class ByHand:
    """The same plan, one customer at a time. Prices are quarters, so that every sum is exact."""

    def __init__(self, gains, weights, most, prices, mixed, shares, keys, tries=2_048, rounds=24):
        self.tries, self.rounds, self.switched = tries, rounds, []
        self.gains, self.weights, self.most, self.keys = gains.tolist(), weights, list(most), [int(k) for k in keys]
        self.price = self.of(prices)
        self.mixed, self.shares = [self.of(one) for one in mixed], shares
        self.customers, self.actions = range(len(gains)), range(gains.shape[1])

    def of(self, prices):
        return [sum(p * w[a] for p, w in zip(prices, self.weights, strict=True)) for a in range(len(self.weights[0]))]

    def net(self, i):
        return [gain - price for gain, price in zip(self.gains[i], self.price, strict=True)]

    def margin(self, net, own):
        others = [x for a, x in enumerate(net) if a != own and x > -math.inf]
        return net[own] - max(others) if others else math.inf

    def ask(self):
        self.asked, self.lose = [], []
        for i in self.customers:
            place, passed = (self.keys[i] >> 11) / 2.0**53, 0.0
            for j, share in enumerate(self.shares):
                passed += share / sum(self.shares)
                if place < passed or j == len(self.shares) - 1:
                    break
            at = [gain - price for gain, price in zip(self.gains[i], self.mixed[j], strict=True)]
            own = at.index(max(at))
            self.asked.append(own)
            self.lose.append(self.margin(self.net(i), own))

    def ask_for_minima(self):
        for weight, limit in zip(self.weights, self.most, strict=True):
            wanted = [a for a in self.actions if weight[a] < 0]
            missing = -limit - sum(weight[a] < 0 for a in self.asked)
            if not wanted or missing <= 0:
                continue
            able = []
            for i in self.customers:
                net = self.net(i)
                best = max(wanted, key=lambda a: (net[a], -a))
                if weight[self.asked[i]] >= 0 and net[best] > -math.inf:
                    able.append((net[self.asked[i]] - net[best], self.keys[i], i, best))
            for lost, _, i, best in sorted(able)[:missing]:
                self.asked[i], self.lose[i] = best, -lost

    def serve(self):
        first = set()
        for weight, limit in zip(self.weights, self.most, strict=True):
            asking = sorted((-self.lose[i], self.keys[i], i) for i in self.customers if weight[self.asked[i]] < 0)
            first |= {i for *_, i in asking[: max(-limit, 0)]}
        self.action, self.left = [NOTHING] * len(self.asked), list(self.most)
        waiting = [i for i in self.customers if self.asked[i] != NOTHING]
        while waiting:
            waiting.sort(key=lambda i: (i not in first, -self.lose[i], self.keys[i]))
            used, served = [0] * len(self.weights), 0
            for i in waiting:
                more = [u + weight[self.asked[i]] for u, weight in zip(used, self.weights, strict=True)]
                if any(u > max(rest, 0) for u, rest in zip(more, self.left, strict=True)):
                    break
                self.action[i], used, served = self.asked[i], more, served + 1
            self.left = [rest - u for rest, u in zip(self.left, used, strict=True)]
            still = []
            for i in waiting[served:]:
                if not self.fits(self.asked[i]):
                    net = [x if self.fits(a) else -math.inf for a, x in enumerate(self.net(i))]
                    self.asked[i] = net.index(max(net))
                    self.lose[i] = self.margin(net, self.asked[i])
                if self.asked[i] != NOTHING:
                    still.append(i)
            waiting = still

    def fits(self, action, instead_of=NOTHING):
        return all(w[action] - w[instead_of] <= max(rest, 0) for w, rest in zip(self.weights, self.left, strict=True))

    def fill(self):
        """One round: everybody's best switch to more gain that fits by itself, the best ones first."""
        found = []
        for i in self.customers:
            now, net = self.action[i], self.net(i)
            better = [
                a for a in self.actions if a != now and self.gains[i][a] > self.gains[i][now] and self.fits(a, now)
            ]
            if better:
                best = max(better, key=lambda a: (net[a] - net[now], -a))
                found.append((-(net[best] - net[now]), self.keys[i], i, best))
        switched, tried = 0, None  # after the first that does not fit
        for *_, i, best in sorted(found):
            fits = self.fits(best, self.action[i])
            tried = tried if fits and tried is None else (tried or 0) + 1
            if fits and (tried is None or tried <= self.tries):
                step = [w[best] - w[self.action[i]] for w in self.weights]
                self.left = [rest - s for rest, s in zip(self.left, step, strict=True)]
                self.action[i], switched = best, switched + 1
        return switched

    def plan(self):
        self.ask()
        self.ask_for_minima()
        self.serve()
        for _ in range(self.rounds):
            self.switched.append(self.fill())
            if not self.switched[-1]:
                break
        return self.action


def instance(seed):
    """Gains in halves, so that there are ties; prices in quarters that need not be the best ones."""
    g = np.random.default_rng(seed)
    n, weights = int(g.integers(1, 15)), WEIGHTS[seed % len(WEIGHTS)]
    gains = np.round(2 * g.normal(0.5, 2.0, (n, 5))) / 2
    gains[g.random((n, 5)) < 0.25] = -np.inf
    gains[:, 0] = 0.0
    most = [-int(g.integers(0, n + 1)) if min(w) < 0 else int(g.integers(0, 2 * n + 2)) for w in weights]
    plans = int(g.integers(1, 4))
    prices, mixed = g.integers(0, 9, len(weights)) / 4, g.integers(0, 9, (plans, len(weights))) / 4
    return gains, weights, most, prices, mixed, g.integers(1, 5, plans) / 8, g.integers(0, 2**64, n, dtype=np.uint64)


def made(gains, weights, most, prices, mixed, shares, keys):
    demand = Demand(gains, np.array(weights, dtype=np.int64))
    taken = [Taken(one, 0.0, np.zeros(5, dtype=np.int64)) for one in mixed]
    return integral_plan(demand, Dual(prices, 0.0, taken, shares), np.array(most, dtype=np.int64), keys)


@pytest.mark.parametrize("part", range(10))
def test_it_is_the_plan_made_customer_by_customer(part):
    for seed in range(60 * part, 60 * part + 60):
        case = instance(seed)
        assert made(*case).tolist() == ByHand(*case).plan(), f"seed {seed}"


@pytest.mark.parametrize(("tries", "rounds", "rows"), [(0, 24, 1_024), (1, 2, 3), (2, 1, 1), (2_048, 1, 2)])
def test_round_by_round_it_switches_whom_the_other_does_in_blocks_of_any_size(tries, rounds, rows, monkeypatch):
    """One round alone has to switch all that fit; no later one makes good what it forgot."""
    switched, filled = [], module._filled
    monkeypatch.setattr(module, "ONE_BY_ONE", tries)
    monkeypatch.setattr(module, "ROUNDS", rounds)
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", rows)
    monkeypatch.setattr(module, "_filled", lambda *given: switched.append(filled(*given)) or switched[-1])
    for seed in range(200):
        case, switched[:] = instance(seed), []
        other = ByHand(*case, tries=tries, rounds=rounds)
        assert made(*case).tolist() == other.plan(), f"seed {seed}"
        assert switched == other.switched, f"seed {seed}"


def test_what_the_best_switches_leave_goes_to_one_that_still_fits():
    """3 units are left. A gains 5 for 2, B 4 for 2, C 3 for 1: A is served, B no longer fits, C takes the last one."""
    gains = np.array([[0.0, 5.0, -np.inf], [0.0, 4.0, -np.inf], [0.0, -np.inf, 3.0]])
    demand, action, left = Demand(gains, np.array([[0, 2, 1]])), np.zeros(3, dtype=np.int64), np.array([3])
    keys = np.arange(3, dtype=np.uint64)
    assert module._filled(demand, action, left, np.zeros(3), keys) == 2
    assert (action.tolist(), left.tolist()) == ([1, 0, 2], [0])
    assert module._filled(demand, action, left, np.zeros(3), keys) == 0


def test_where_nobody_can_have_anything_else_there_are_no_switches():
    demand = Demand(np.array([[0.0, -np.inf], [0.0, 1.0]]), np.array([[0, 1]]))
    nobody = np.zeros((2, 2), dtype=bool)
    found = module._switches(demand, np.array([0, 0]), nobody, np.zeros(2), np.arange(2, dtype=np.uint64))
    assert [len(part) for part in found] == [0, 0, 0]
    open_ = np.ones((2, 2), dtype=bool)
    found = module._switches(demand, np.array([0, 0]), open_, np.zeros(2), np.arange(2, dtype=np.uint64))
    assert (found.rows.tolist(), found.action.tolist(), found.score.tolist()) == ([1], [1], [1.0])


def test_a_price_decides_who_is_asked_for_what_must_be_sent():
    """One of two must get the gift (1 unit of money). A gives up 5 gained for nothing, B 4 gained at 3 of money.

    At a price of 1 a unit A loses 5 - (3 - 1) = 3, B (4 - 3) - (3 - 1) = -1: B is asked; without a price A's loss would
    be 2 and B's 1, and at a price with the wrong sign A's is 1 and B's 3.
    """
    gains = np.array([[0.0, 5.0, 3.0, -np.inf], [0.0, -np.inf, 3.0, 4.0]])
    weights = np.array([[0, 0, 1, 3], [0, 0, -1, 0]])
    most, keys = np.array([9, -1]), np.arange(2, dtype=np.uint64)
    dual = Dual(np.array([1.0, 0.0]), 0.0, [Taken(np.array([0.0, 0.0]), 0.0, np.zeros(4, dtype=np.int64))], np.ones(1))
    asked, margin = np.array([1, 3]), np.array([2.0, 1.0])
    module._ask_for_minima(Demand(gains, weights), asked, margin, dual.prices @ weights, most, keys)
    assert (asked.tolist(), margin.tolist()) == ([1, 2], [2.0, 1.0])
    asked, margin = np.array([1, 3]), np.array([2.0, 1.0])
    module._ask_for_minima(Demand(gains, weights), asked, margin, np.array([0.0, 0.0, -1.0, -3.0]), most, keys)
    assert asked.tolist() == [2, 3]


def test_how_long_it_is_filled_is_nothing_that_changes_by_itself():
    assert (module.ROUNDS, module.ONE_BY_ONE) == (24, 2_048)
