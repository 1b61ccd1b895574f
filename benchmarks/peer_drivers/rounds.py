"""Logged rounds for evaluation benchmarks, the same in every interpreter, and the cost of one call; numpy only."""

import json
import sys
import time

import numpy as np

MIB = 2**20


def rounds(n: int, k: int) -> dict:
    """N rounds of k actions by a uniform logger, 2 % conversions; pi: (n, k) of the valued policy, q: predictions."""
    chance = np.random.default_rng(1)
    pi = chance.random((n, k))
    pi **= 3
    pi /= pi.sum(axis=1, keepdims=True)
    q = chance.random((n, k))
    q *= 0.04
    action = chance.integers(0, k, n)
    reward = (chance.random(n) < q[np.arange(n), action]).astype(float)
    return {"action": action, "reward": reward, "pscore": np.full(n, 1.0 / k), "pi": pi, "q": q}


def cost(call) -> dict[str, float]:
    """CPU seconds of one call, and MiB of its peak above what was resident before (0 where /proc does not tell)."""
    before = _resident("VmRSS")
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
    except OSError:
        before = float("inf")
    start = time.process_time()
    call()
    return {"cpu_s": time.process_time() - start, "extra_mib": max(0.0, (_resident("VmHWM") - before) / MIB)}


def best(call, times: int) -> dict[str, float]:
    """The least of several calls; memory is that of the first, which finds no pages of an earlier one."""
    each = [cost(call) for _ in range(times)]
    return {"cpu_s": min(c["cpu_s"] for c in each), "extra_mib": each[0]["extra_mib"]}


def report(answer: dict) -> None:
    """One JSON object on stdout."""
    json.dump(answer, sys.stdout)


def _resident(name: str) -> float:
    try:
        with open("/proc/self/status") as status:
            return next(1024.0 * int(line.split()[1]) for line in status if line.startswith(name))
    except (OSError, StopIteration):
        return 0.0
