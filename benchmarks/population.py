"""How fast customers are segmented, described, drawn and compared: seconds of one thread, and the memory they take.

    python benchmarks/population.py [-n 1000000] [--json]

A made-up shop of 20,000 customers is segmented (k-means, the number chosen), n customers are drawn from it, and those n
are assigned to the segments, and segmented and fitted anew. Beside it a bare numpy draw of as many normals and lookups.
"""

import argparse
import json
import resource
import time

import numpy as np
import pandas as pd

from campaignrl import rng
from campaignrl.profiles.population import fit_population
from campaignrl.profiles.segments import fit_segments, segment_spec


def shop(n: int, seed: int) -> pd.DataFrame:
    """Eight numbers that hang together, two yes/no, three categories."""
    chance = rng.generator(seed, rng.Purpose.PROFILE)
    kind = chance.integers(0, 4, n)
    size = chance.normal(size=(n, 3))
    orders = chance.poisson(np.exp(np.array([0.1, 1.0, 2.0, 1.2])[kind] + 0.4 * size[:, 0])) + 1
    spend = np.round(orders * np.exp(np.array([3.0, 4.0, 4.5, 3.2])[kind] + 0.5 * size[:, 1]), 2)
    tenure = chance.integers(30, 900, n)
    return pd.DataFrame(
        {
            "customer_id": np.arange(n).astype(str),
            "tenure_days": tenure,
            "recency_days": np.where(orders == 1, tenure, np.round(tenure * chance.random(n) ** 3)).astype(int),
            "orders": orders,
            "spend": spend,
            "basket_mean": np.round(spend / orders, 2),
            "discount_share": np.round(chance.beta(np.array([1, 2, 1, 6])[kind], 4), 3),
            "opens_30d": chance.poisson(np.exp(0.5 + 0.5 * size[:, 2])),
            "visits_30d": np.where(chance.random(n) < 0.1, np.nan, chance.poisson(np.exp(1 + 0.5 * size[:, 2]))),
            "member": chance.random(n) < np.array([0.1, 0.4, 0.8, 0.3])[kind],
            "app": chance.random(n) < 0.5,
            "region": chance.choice([f"region {i}" for i in range(12)], n),
            "category": chance.choice(["home", "food", "toys", "books"], n),
            "device": chance.choice(["ios", "android", "web"], n, p=[0.3, 0.4, 0.3]),
        }
    )


def bare(n: int, tags: int) -> None:
    """What no sampler of this kind can do without: a normal, a lookup and an array per tag."""
    chance = rng.generator(0, rng.Purpose.RESAMPLE)
    table = np.sort(chance.normal(size=256))
    at = np.linspace(-5, 5, 256)
    for _ in range(tags):
        np.interp(chance.standard_normal(n), at, table)


def main() -> None:
    """Print one line a step, or one JSON object."""
    parser = argparse.ArgumentParser(description="Speed of segments and populations.")
    parser.add_argument("-n", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seconds = {}

    def timed(name, do):
        start = time.process_time()
        result = do()
        seconds[name] = time.process_time() - start
        return result

    small, spec = shop(20_000, 0), segment_spec({"method": "kmeans"})

    def segmented(table):
        return fit_segments(table, spec, rng.generator(0, rng.Purpose.POPULATION))

    found = timed("segment 20,000 customers", lambda: segmented(small))
    made = timed("fit their population", lambda: fit_population(small, found.codes(small), found.names))
    drawn = timed(f"draw {asked.n:,} customers", lambda: made.draw(asked.n, seed=0))
    timed("a bare numpy draw of as many", lambda: bare(asked.n, len(made.tags)))
    table = drawn.drop(columns=made.label)
    timed("assign them to segments", lambda: found.codes(table))
    again = timed("segment them anew", lambda: segmented(table))
    timed("fit their population anew", lambda: fit_population(table, again.codes(table), again.names))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if asked.json:
        print(json.dumps({"n": asked.n, "cpu_seconds": seconds, "peak_mb": peak}, indent=2))
        return
    for name, took in seconds.items():
        print(f"{name:<34} {took:8.2f} s")
    print(f"{'peak memory':<34} {peak:8.0f} MB")


if __name__ == "__main__":
    main()
