"""Speed and memory of whole campaigns around the step, in customer-days per CPU second and as shares of the bare step.

`python benchmarks/campaign.py [--customers N] [--rounds R] [--only CASE...] [--json]`. One thread, world `ecommerce`
from the first to the last day, all cases in one process and in turns; the median of the rounds counts. Times wander
from machine to machine: the shares of the bare step, which is measured in every round beside them, are the figures.

  step        `Panel.step` alone, random actions with a send with probability 0.4, as in panel.py
  nothing     `run_campaign` of `none`, no log
  rules       of the shipped table of rules
  network     of a network as maskable_ppo has it, taught for a moment (extra `rl`)
  shipped     of the policy that ships, pretrained/ecommerce
  lin_ts      of `lin_ts` by 64 draws
  log         `simulate` of `uniform`: the campaign and its log in memory, a tenth of the customers
  parquet     `write_log` of that log
  evaluate    `evaluate` of `lin_ts` on that log
  stream      `evaluate_stream` of the same from the file
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from panel import actions

import campaignrl as crl
from campaignrl.envs import Panel

WORLD = "ecommerce"
ASKED = {  # M per CPU second on a machine whose bare step makes 20 M; the share of it is what is asked elsewhere
    "nothing": 8.0,
    "rules": 5.0,
    "network": 2.5,
    "lin_ts": 0.8,
    "parquet": 2.5,
    "evaluate": 0.6,
    "stream": 0.6,
}
BARE = 20.0


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def stepped(world: crl.World, n: int) -> float:
    """CPU seconds of a bare step a day, the customers drawn beforehand."""
    panel = Panel(world, n, seed=1, threads=1)
    plays = [actions(n, len(world.catalog), np.random.default_rng(d)) for d in range(3)]

    def days() -> None:
        while not panel.done:
            panel.step(plays[panel.day % 3])

    return cpu(days)


def timings(world: crl.World, n: int, folder: Path) -> dict[str, tuple[int, Callable[[], float]]]:
    """By case: how many customer-days or rows, and a call that gives its CPU seconds."""
    few = max(n // 10, 1)
    learner = crl.train("lin_ts", crl.simulate(world, "uniform", customers=2_000, seed=7))
    log = crl.simulate(world, "uniform", customers=few, seed=1, threads=1)
    path = folder / "log.parquet"
    crl.write_log(log, path)
    played = {"nothing": "none", "rules": "rules", "shipped": "pretrained/ecommerce", "lin_ts": learner}
    played["network"] = crl.train("maskable_ppo", world, steps=50_000, seed=1)

    def campaign(policy: crl.Policy | str) -> Callable[[], float]:
        ready = crl.load_policy(policy, world)
        return lambda: cpu(lambda: crl.run_campaign(world, ready, customers=n, seed=1, threads=1))

    days, rows = n * world.horizon, len(log)
    return {
        "step": (days, lambda: stepped(world, n)),
        **{name: (days, campaign(policy)) for name, policy in played.items()},
        "log": (rows, lambda: cpu(lambda: crl.simulate(world, "uniform", customers=few, seed=1, threads=1))),
        "parquet": (rows, lambda: cpu(lambda: crl.write_log(log, path))),
        "evaluate": (rows, lambda: cpu(lambda: crl.evaluate(log, learner))),
        "stream": (rows, lambda: cpu(lambda: crl.evaluate_stream(path, learner))),
    }


def measured(n: int, rounds: int, only: list[str]) -> dict[str, dict[str, float]]:
    """By case: M per CPU second (median of the rounds), share of the bare step of the same round, peak memory."""
    world = crl.load_world(WORLD)
    with tempfile.TemporaryDirectory() as folder:
        cases = timings(world, n, Path(folder))
        wanted = {name: case for name, case in cases.items() if name == "step" or not only or name in only}
        rates: dict[str, list[float]] = {name: [] for name in wanted}
        peaks: dict[str, float] = {}
        for _ in range(rounds):
            for name, (count, seconds) in wanted.items():
                rates[name].append(count / seconds() / 1e6)
                peaks.setdefault(name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {
        name: {
            "M_per_cpu_s": statistics.median(found),
            "of_step": statistics.median(a / b for a, b in zip(found, rates["step"], strict=True)),
            "peak_mib_so_far": peaks[name],
        }
        for name, found in rates.items()
    }


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--customers", type=int, default=100_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", nargs="*", default=[], help="cases; the bare step always runs")
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    answer = measured(chosen.customers, chosen.rounds, chosen.only)
    if chosen.json:
        json.dump({"customers": chosen.customers, "rounds": chosen.rounds, "cases": answer}, sys.stdout, indent=2)
        return
    print(f"{'case':10} {'M per CPU s':>12} {'of the step':>12} {'asked':>8} {'peak MiB':>9}")
    for name, row in answer.items():
        asked = f"{ASKED[name] / BARE:8.1%}" if name in ASKED else " " * 8
        print(f"{name:10} {row['M_per_cpu_s']:12.3f} {row['of_step']:12.1%} {asked} {row['peak_mib_so_far']:9,.0f}")


if __name__ == "__main__":
    main()
