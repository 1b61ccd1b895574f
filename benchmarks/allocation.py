"""How fast money, capacity and stock are allocated by value, how near the best, beside HiGHS as scipy brings it.

    python benchmarks/allocation.py [-n 1000000] [--peer 10000] [--json]

Made-up customers with 40 actions: eight offers on five channels, a budget, four capacities, five stocks, three actions
of five allowed. The peer solves the same plan as a mixed-integer program, one binary a customer and action, to the gap
of ours; both are timed by CPU seconds of one thread.
"""

import argparse
import json
import resource
import time

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_matrix

from campaignrl import rng
from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.guard import Limits, allocate, shared_limits

OFFERS = [Offer(name=f"offer{i}") for i in range(8)]
CHANNELS = [Channel(name=f"channel{i}", cost=cost) for i, cost in enumerate([1, 3, 10, 25, 40])]
PAIRS = [(o.name, c.name) for o in OFFERS for c in CHANNELS][:-1]
CATALOG = Catalog.product(OFFERS, CHANNELS, PAIRS)  # 40 actions with `none`


def case(n: int, seed: int = 0):
    """Values, eligibility, keys, limits and stock."""
    chance = rng.generator(seed, rng.Purpose.RESAMPLE)
    values = chance.standard_normal((n, len(CATALOG)), dtype=np.float32)
    values *= np.float32(0.5)
    values += np.float32(0.1)
    values *= chance.gamma(1.0, 1.0, (n, 1)).astype(np.float32)  # some customers matter more
    allowed = chance.random((n, len(CATALOG)), dtype=np.float32) < 0.6
    allowed[:, 0] = True
    sends = np.floor(np.array([0.3, 0.08, 0.03, 0.09, np.inf]) * n)
    stock = np.floor(np.array([0.02, 0.04, 0.015, 0.06, 0.008, np.inf, np.inf, np.inf]) * n)
    return values, allowed, rng.customer_keys(np.arange(n)), Limits(sends, float(2 * n)), stock


def by_highs(values, allowed, limits, stock, gap):
    """(value, what HiGHS says of it) of the same plan as a mixed-integer program."""
    n, k = values.shape
    gains = (values - values[:, [0]]).astype(np.float64)[:, 1:].ravel()
    may = allowed[:, 1:].ravel().astype(np.float64)
    shared = shared_limits(CATALOG, limits, stock)
    customer, columns = np.repeat(np.arange(n), k - 1), np.arange(n * (k - 1))
    one_each = csr_matrix((np.ones(n * (k - 1)), (customer, columns)))
    together = csr_matrix(np.tile(shared.weights[:, 1:], n))
    rules = [LinearConstraint(one_each, -np.inf, 1), LinearConstraint(together, -np.inf, shared.most)]
    options = {"mip_rel_gap": gap, "time_limit": 3_600}
    solved = milp(-gains, constraints=rules, integrality=1, bounds=(0, may), options=options)
    return -solved.fun, solved.message


def measured(do):
    """(result, CPU seconds, seconds)."""
    clock, wall = time.process_time(), time.perf_counter()
    result = do()
    return result, time.process_time() - clock, time.perf_counter() - wall


def main() -> None:
    """Print one line a case, or one JSON object."""
    parser = argparse.ArgumentParser(description="Speed and gap of allocation by value.")
    parser.add_argument("-n", type=int, default=1_000_000)
    parser.add_argument("--peer", type=int, default=10_000, help="customers of the case that HiGHS solves too; 0: none")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    allocate(CATALOG, *case(50)[:4])  # imports
    said = {}
    for n in filter(None, (asked.peer, asked.n)):
        values, allowed, keys, limits, stock = case(n)
        plan, cpu, wall = measured(lambda: allocate(CATALOG, values, allowed, keys, limits, stock=stock))  # noqa: B023
        said[f"{n}"] = {
            "cpu_seconds": cpu,
            "seconds": wall,
            "value": plan.value,
            "bound": plan.bound,
            "relative_gap": plan.relative_gap,
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
        if n == asked.peer:
            gap = max(plan.relative_gap, 1e-6)
            (value, words), cpu, wall = measured(lambda: by_highs(values, allowed, limits, stock, gap))  # noqa: B023
            said["highs"] = {"cpu_seconds": cpu, "seconds": wall, "value": value, "said": words}
            said["times_faster"] = cpu / said[f"{n}"]["cpu_seconds"]
    if asked.json:
        print(json.dumps(said))
        return
    for name, facts in said.items():
        print(name, facts)


if __name__ == "__main__":
    main()
