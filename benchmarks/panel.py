"""Speed and memory of the panel, as customer-days per second and as ratios to two references in the same run.

  whole-array   the same numpy arithmetic without blocks, on one thread
  per-customer  the same arithmetic in Python, one object and one step per customer, as recommender simulators do

`python benchmarks/panel.py [--customers N] [--days D] [--json]`. Times wander from run to run; the ratios are the
figures. Every customer-day is stepped with a send with probability 0.4, the share that a random policy reaches.
"""

import argparse
import json
import os
import random
import resource
import sys
import time

import numpy as np
from per_customer import Customer

from campaignrl import load_world
from campaignrl.dynamics import Parameters, parameters
from campaignrl.envs import BLOCK, Panel

SENT_SHARE = 0.4
RATES = (("per_cpu_s", "CPU second"), ("per_wall_s", "second"))


def actions(count: int, k: int, generator: np.random.Generator) -> np.ndarray:
    """Random actions: `none` with probability 1 - SENT_SHARE."""
    sent = generator.random(count) < SENT_SHARE
    return np.where(sent, generator.integers(1, k, count), 0)


def timed_panel(world, n: int, days: int, threads: int, block: int) -> dict:
    """Customer-days per second of wall clock and of CPU, over `days` calls of step."""
    panel = Panel(world, n, seed=1, threads=threads, block=block)
    plays = [actions(n, len(world.catalog), np.random.default_rng(d)) for d in range(3)]
    panel.step(plays[0])
    wall, cpu = time.perf_counter(), time.process_time()
    for day in range(days):
        panel.step(plays[day % 3])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    held = sum(field.nbytes for field in (*panel.traits, *panel.state))
    return {"per_wall_s": n * days / wall, "per_cpu_s": n * days / cpu, "bytes_per_customer": held / n}


def timed_python(world, n: int, days: int) -> dict:
    """The same figures for one Python object a customer."""
    source = random.Random(1)
    # Plain lists: a scalar out of a numpy array would slow Python down and flatter us.
    plain = Parameters._make(v.tolist() if isinstance(v, np.ndarray) else v for v in parameters(world))
    customers = [Customer(plain, len(world.channels), source) for _ in range(n)]
    play = actions(n, len(world.catalog), np.random.default_rng(0)).tolist()
    wall, cpu = time.perf_counter(), time.process_time()
    for day in range(days):
        for customer, action in zip(customers, play, strict=True):
            customer.step(action, day)
    return {
        "per_wall_s": n * days / (time.perf_counter() - wall),
        "per_cpu_s": n * days / (time.process_time() - cpu),
    }


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--customers", type=int, default=1_000_000)
    words.add_argument("--days", type=int, default=12)
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    world, n, days = load_world(chosen.world), chosen.customers, chosen.days
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "panel, blocks, 1 thread": timed_panel(world, n, days, 1, BLOCK),
        "panel, blocks, 2 threads": timed_panel(world, n, days, 2, BLOCK),
        "whole-array, 1 thread": timed_panel(world, n, days, 1, n),
        "per-customer Python": timed_python(world, 2_000, 10),
    }
    ours = figures["panel, blocks, 1 thread"]
    answer = {
        "customers": n,
        "cores": os.cpu_count(),
        "figures": figures,
        "ratio_to_whole_array": ours["per_cpu_s"] / figures["whole-array, 1 thread"]["per_cpu_s"],
        "ratio_to_per_customer_python": ours["per_cpu_s"] / figures["per-customer Python"]["per_cpu_s"],
        "second_thread": figures["panel, blocks, 2 threads"]["per_wall_s"] / ours["per_wall_s"],
        "peak_bytes_per_customer": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / n,
    }
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
        return
    for name, row in figures.items():
        rates = [f"{row[key] / 1e6:8.3f} M customer-days per {unit}" for key, unit in RATES]
        print(f"{name:28} {rates[0]}   {rates[1]}")
    print(f"\nblocks against whole arrays      {answer['ratio_to_whole_array']:8.2f} x")
    print(f"against Python per customer      {answer['ratio_to_per_customer_python']:8.0f} x")
    print(f"second thread                    {answer['second_thread']:8.2f} x")
    print(f"held per customer                {ours['bytes_per_customer']:8.0f} bytes")
    print(f"peak over start, per customer    {answer['peak_bytes_per_customer']:8.0f} bytes")


if __name__ == "__main__":
    main()
