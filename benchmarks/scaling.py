"""Whether a customer-day costs the same at every size, what a customer weighs, and what the second thread brings.

`python benchmarks/scaling.py [--sizes N ...] [--rounds R] [--json]`. All panels stand side by side and take turns;
in a turn each steps as many customer-days as the largest has customers, so that what else the machine does touches
all alike, and the best turn counts. Every step is the same day, away from the one that draws tags anew. Time is CPU
time on one thread. The second thread is timed by the clock on the wall, in turns with one, and says little while the
machine is busy with other work. The trap beside it: CPU time of a product of small matrices, as linear policies make
them, when BLAS may start a second thread of its own. Memory at its peak is that of a process of its own: drawn, then
stepped for three days.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
from panel import actions

from campaignrl import load_world
from campaignrl.envs import Panel

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
DAY = 5
FLAT = 1.2  # slowest size over fastest


def turn(panel: Panel, play: np.ndarray, days: int) -> tuple[float, float]:
    """(CPU, wall) nanoseconds per customer-day."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(days):
        panel.day = DAY
        panel.step(play)
    count = days * len(panel) / 1e9
    return (time.process_time() - cpu) / count, (time.perf_counter() - wall) / count


def by_size(world, sizes: list[int], rounds: int) -> dict[int, float]:
    """CPU nanoseconds per customer-day of each size."""
    panels = {n: Panel(world, n, seed=1, threads=1) for n in sizes}
    plays = {n: actions(n, len(world.catalog), np.random.default_rng(0)) for n in sizes}
    best = dict.fromkeys(sizes, np.inf)
    for _ in range(rounds):
        for n, panel in panels.items():
            best[n] = min(best[n], turn(panel, plays[n], max(sizes) // n)[0])
    return best


def second_thread(world, customers: int, rounds: int) -> float:
    """Wall time of one thread over that of two, best of the rounds."""
    panel, best = Panel(world, customers, seed=1, threads=1), {1: np.inf, 2: np.inf}
    play = actions(customers, len(world.catalog), np.random.default_rng(0))
    for _ in range(4 * rounds):
        for threads in best:
            panel._wanted = threads
            best[threads] = min(best[threads], turn(panel, play, 1)[1])
    return best[1] / best[2]


def peak(world, customers: int) -> dict[str, float]:
    """Bytes per customer at the highest point, over the start; meant for a process that does nothing else."""
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    panel = Panel(world, customers, seed=1, threads=1)
    drawn = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turn(panel, actions(customers, len(world.catalog), np.random.default_rng(0)), 3)
    end = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held = sum(field.nbytes for field in (*panel.traits, *panel.state))
    return {
        name: count / customers
        for name, count in (("held", held), ("drawing", (drawn - start) * 1024), ("stepping", (end - start) * 1024))
    }


def product_seconds() -> float:
    """CPU seconds of 300 products (4096, 64) x (64, 64), best of five."""
    wide, square, best = np.ones((4_096, 64), dtype=np.float32), np.ones((64, 64), dtype=np.float32), np.inf
    for _ in range(5):
        start = time.process_time()
        for _ in range(300):
            wide @ square
        best = min(best, time.process_time() - start)
    return best


def child(word: str, blas_threads: int = 1):
    """What this file prints for one word, in a process of its own."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": str(blas_threads), "OMP_NUM_THREADS": str(blas_threads)}
    done = subprocess.run([sys.executable, __file__, word], env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def study(world, sizes: list[int], rounds: int) -> dict:
    """Everything that is printed."""
    # First, while this process is small: a child starts with the peak of the one that made it.
    memory = child("--peak")
    best = by_size(world, sizes, rounds)
    return {
        "world": world.name,
        "cores": os.cpu_count(),
        "ns_per_customer_day": best,
        "slowest_over_fastest": max(best.values()) / min(best.values()),
        "bytes_per_customer": memory,
        "second_thread": second_thread(world, 1_000_000, rounds),
        "two_blas_threads": child("--product", 2) / child("--product", 1),
    }


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--json", action="store_true")
    words.add_argument("--peak", action="store_true", help="only the memory of a million customers, as JSON")
    words.add_argument("--product", action="store_true", help="only the CPU time of small products, as JSON")
    chosen, world = words.parse_args(), load_world("ecommerce")
    if chosen.product:
        answer = product_seconds()
    elif chosen.peak:
        answer = peak(world, 1_000_000)
    else:
        answer = study(world, chosen.sizes, chosen.rounds)
    if chosen.json or chosen.peak or chosen.product:
        json.dump(answer, sys.stdout, indent=2)
        return
    for n, ns in answer["ns_per_customer_day"].items():
        print(f"{n:10,} customers {ns:8.1f} ns per customer-day {1e3 / ns:8.2f} M customer-days per CPU second")
    print(f"\nslowest over fastest        {answer['slowest_over_fastest']:8.2f} (asked for: {FLAT})")
    for name, count in answer["bytes_per_customer"].items():
        print(f"bytes a customer, {name:10}{count:8.0f}")
    print(f"second thread               {answer['second_thread']:8.2f} x on {answer['cores']} cores")
    print(f"two BLAS threads instead    {answer['two_blas_threads']:8.2f} x the CPU time of a small product")


if __name__ == "__main__":
    main()
