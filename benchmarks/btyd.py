"""A million customers, each with a history of its own, fitted: seconds and memory, beside a loop and a peer.

The customers are drawn from known Pareto/NBD parameters with real-valued times, so no two rows are alike and nothing
can be put together. `--loop N` also runs a plain Python loop over N of them, as packages without arrays do, and says
how long one evaluation of the likelihood takes a customer, ours and theirs. `--peer PYTHON`, the interpreter of an
environment with lifetimes 0.11.3, fits BG/NBD on the first `--peer-customers` of them with that package too.

    python benchmarks/btyd.py [--customers 1000000] [--models bg_nbd pareto_nbd] [--json]
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from campaignrl import rng
from campaignrl.calibration.purchase import FITS, beta_geometric, fit_gamma_gamma, histories

TRUTH = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.668}
SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.45}


def customers(n, seed):
    """x, t_x, T of n Pareto/NBD customers, watched for 27 to 39 weeks."""
    chance = rng.generator(seed, rng.Purpose.HISTORY)
    T = chance.uniform(27.0, 39.0, n)
    rate = chance.gamma(TRUTH["r"], 1.0 / TRUTH["alpha"], n)
    life = chance.exponential(1.0, n) / np.maximum(chance.gamma(TRUTH["s"], 1.0 / TRUTH["beta"], n), 1e-300)
    watched = np.minimum(life, T)
    x = chance.poisson(rate * watched).astype(float)
    last = np.where(x > 0, watched * chance.random(n) ** (1.0 / np.maximum(x, 1.0)), 0.0)
    mean = chance.gamma(SPEND["p"] * np.maximum(x, 1.0)) / np.maximum(x, 1.0)
    return x, last, T, mean * SPEND["gamma"] / chance.gamma(SPEND["q"], 1.0, n)


def one_by_one(parameters, x, t_x, T):
    """The BG/NBD log-likelihood as a loop."""
    r, alpha, a, b = parameters
    total = 0.0
    for n, last, watched in zip(x, t_x, T, strict=True):
        alive = -(r + n) * math.log(alpha + watched)
        value = math.lgamma(r + n) - math.lgamma(r) + r * math.log(alpha)
        value += math.lgamma(a + b) + math.lgamma(b + n) - math.lgamma(b) - math.lgamma(a + b + n)
        if n:
            dead = math.log(a) - math.log(b + n - 1.0) - (r + n) * math.log(alpha + last)
            alive = max(alive, dead) + math.log1p(math.exp(-abs(alive - dead)))
        total += value + alive
    return total


def timed(work):
    """Seconds of wall clock, of the processor, and what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def against_a_loop(x, t_x, T, count):
    """Nanoseconds a customer and evaluation: arrays (value and gradient), and the loop (value alone)."""
    parameters = np.array([0.243, 4.414, 0.793, 2.426])
    h = histories(x[:count], t_x[:count], T[:count])
    ours = min(timed(lambda: beta_geometric.log_likelihood(parameters, h, 0))[1] for _ in range(5))
    rows = [column[:count].tolist() for column in (x, t_x, T)]
    loop = min(timed(lambda: one_by_one(parameters.tolist(), *rows))[1] for _ in range(3))
    value = beta_geometric.log_likelihood(parameters, h, 0)[0]
    same = math.isclose(value, one_by_one(parameters.tolist(), *rows), rel_tol=1e-10)
    return {"ours_ns": ours / count * 1e9, "loop_ns": loop / count * 1e9, "same_value": same}


def against_a_peer(python, x, t_x, T):
    """CPU seconds of BG/NBD on the same customers, ours and those of lifetimes, and both log-likelihoods by ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "histories.npz"
        np.savez(path, x=x, t_x=t_x, T=T)
        driver = Path(__file__).parent / "peer_drivers" / "drive_lifetimes.py"
        told = subprocess.run([python, str(driver), str(path)], check=True, capture_output=True, text=True).stdout
    theirs = json.loads(told.splitlines()[-1])
    _, cpu, ours = timed(lambda: FITS["bg_nbd"](x, t_x, T))
    parameters = np.array([theirs["parameters"][name] for name in ("r", "alpha", "a", "b")])
    value, _ = beta_geometric.log_likelihood(parameters, histories(x, t_x, T), 0)
    return {
        "customers": len(x),
        "ours_s": cpu,
        "lifetimes_s": theirs["cpu_seconds"],
        "ours_log_likelihood": ours.log_likelihood,
        "lifetimes_log_likelihood": value,
    }


def fitted(name, x, t_x, T, m):
    """One model; Gamma-Gamma on those who came back."""
    if name == "gamma_gamma":
        return fit_gamma_gamma(x[x > 0], m[x > 0])
    return FITS[name](x, t_x, T)


def main():
    """Draw, fit, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--customers", type=int, default=1_000_000)
    words.add_argument("--models", nargs="+", default=[*FITS, "gamma_gamma"], choices=[*FITS, "gamma_gamma"])
    words.add_argument("--loop", type=int, default=20_000, help="customers of the plain loop; 0: none")
    words.add_argument("--peer", help="interpreter of an environment that has lifetimes")
    words.add_argument("--peer-customers", type=int, default=100_000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    x, t_x, T, m = customers(asked.customers, asked.seed)
    result = {"customers": asked.customers, "models": {}}
    for name in asked.models:
        wall, cpu, fit = timed(lambda name=name: fitted(name, x, t_x, T, m))
        result["models"][name] = {
            "seconds": round(wall, 2),
            "cpu_seconds": round(cpu, 2),
            "parameters": fit.parameters,
            "standard_errors": dict(fit.standard_errors),
        }
        print(f"{name}: {wall:.1f} s", file=sys.stderr)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)
    if asked.loop:
        result["bg_nbd_likelihood"] = against_a_loop(x, t_x, T, min(asked.loop, asked.customers))
    if asked.peer:
        part = slice(min(asked.peer_customers, asked.customers))
        result["lifetimes"] = against_a_peer(asked.peer, x[part], t_x[part], T[part])
    if asked.json:
        print(json.dumps(result, indent=2))
        return
    for name, row in result["models"].items():
        told = ", ".join(f"{k} {v:.4f} ({row['standard_errors'][k]:.4f})" for k, v in row["parameters"].items())
        print(f"{name:12} {row['seconds']:6.1f} s  {row['cpu_seconds']:6.1f} CPU s   {told}")
    print(f"peak memory {result['peak_mb']:,} MB, the {asked.customers:,} customers included")
    if asked.loop:
        row = result["bg_nbd_likelihood"]
        print(
            f"BG/NBD likelihood: {row['ours_ns']:.0f} ns a customer with gradient, loop {row['loop_ns']:.0f} ns without"
        )
    if asked.peer:
        row = result["lifetimes"]
        print(
            f"BG/NBD of {row['customers']:,}: ours {row['ours_s']:.2f} CPU s, at {row['ours_log_likelihood']:.2f}; "
            f"lifetimes {row['lifetimes_s']:.1f} CPU s, {row['lifetimes_log_likelihood']:.2f}"
        )


if __name__ == "__main__":
    main()
