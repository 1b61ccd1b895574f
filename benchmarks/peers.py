"""The panel beside the simulators that others use, on one machine in one run: user-steps per CPU second.

  RecSim      interest_evolution, interest_exploration, long_term_satisfaction (Ie et al. 2019)
  RecoGym     version 1 with 10 and with 100 products (Rohde et al. 2018)
  SCOPE-RL    its recgym, the bare class (Kiyohara et al. 2023)

`python benchmarks/peers.py --scratch FOLDER [--rounds R] [--json]`. Each peer gets a virtual environment of its own
below FOLDER, which must lie outside the project and is used again by the next run; without it, a temporary one is made
and removed. A peer that cannot be installed or run is left out, with the reason. Rounds alternate peers and ours, and
the best of each counts, so that what else the machine does touches all alike; a ratio's range is that of the rounds.

Models differ in content: these are ratios of throughput, not of fidelity. Ours is given twice: the step of the panel
as benchmarks/panel.py measures it, and the step of the vector environment, which also writes observation and mask.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from panel import timed_panel

from campaignrl import load_world
from campaignrl.envs import BLOCK, LifecycleVectorEnv

HERE = Path(__file__).resolve().parent
LIMIT = 900  # seconds for one install or one driver


class Peer(NamedTuple):
    """How to install a peer, how to drive it, and what is asked of us against its fastest case."""

    driver: str
    package: str  # installed without what it declares
    needs: tuple[str, ...]  # what stepping its environments takes; gym 0.26 needs numpy 1
    at_least: float  # ratio
    left_out: str


PEERS = {
    "RecSim": Peer(
        "drive_recsim.py",
        "recsim==0.2.4",
        ("gym==0.26.2", "gin-config", "absl-py", "six", "numpy<2", "scipy"),
        400.0,
        "TensorFlow and Dopamine, stood in for: it imports them and does not step with them",
    ),
    "RecoGym": Peer(
        "drive_recogym.py",
        "recogym==0.1.3.0",
        ("gym==0.26.2", "numba", "pandas", "scikit-learn", "matplotlib", "tqdm", "simple-pid", "numpy<2"),
        700.0,
        "torch and TensorFlow, stood in for, and jupyter; `scipy.rand`, gone from scipy, is put back",
    ),
    "SCOPE-RL": Peer(
        "drive_recgym.py",
        "scope-rl==0.2.1",
        ("gym==0.26.2", "scikit-learn", "numpy<2"),
        200.0,
        "torch, d3rlpy, gymnasium and others, for learners and estimators: recgym does not import them",
    ),
}


class Unavailable(Exception):
    """A peer that cannot be installed or run; the text is the reason."""


def run(command: list[str | Path]) -> str:
    """What a command prints; Unavailable with the last line of its complaint."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, env={**os.environ, **threads}, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise Unavailable(str(wrong)) from wrong
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout


def interpreter(peer: Peer, folder: Path) -> Path:
    """The python of the peer's environment below `folder`, made on the first call."""
    python, made = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join((peer.package, *peer.needs))
    if not (made.is_file() and made.read_text() == wanted):
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "-q", "--no-deps", peer.package])
        run([python, "-m", "pip", "install", "-q", *peer.needs])
        made.write_text(wanted)
    return python


def installed(scratch: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Interpreters of the peers that are there, and why the others are not."""
    pythons, missing = {}, {}
    for name, peer in PEERS.items():
        print(f"{name}: setting up", file=sys.stderr)
        try:
            pythons[name] = interpreter(peer, scratch / name.lower())
        except Unavailable as reason:
            missing[name] = str(reason)
    return pythons, missing


def timed_vector(world, n: int, steps: int) -> float:
    """Steps per CPU second of the vector environment on one thread: observation, mask and reward included."""
    env = LifecycleVectorEnv(n, world, threads=1)
    env.reset(seed=1)
    chance = np.random.default_rng(0)
    plays = [chance.integers(0, env.single_action_space.n, n) for _ in range(3)]
    env.step(plays[0])
    start = time.process_time()
    for step in range(steps):
        env.step(plays[step % 3])
    return n * steps / (time.process_time() - start)


def one_round(world, customers: int, pythons: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Rates of each peer's cases and of ours, one after the other."""
    rates = {}
    for name, python in pythons.items():
        print(f"{name}: stepping", file=sys.stderr)
        driver = HERE / "peer_drivers" / PEERS[name].driver
        rates[name] = json.loads(run([python, "-W", "ignore", driver]).splitlines()[-1])
    rates["campaignrl"] = {
        "panel": timed_panel(world, customers, 12, 1, BLOCK)["per_cpu_s"],
        "vector environment": timed_vector(world, min(customers, 100_000), 24),
    }
    return rates


def ratio(rounds: list[dict], name: str, face: str) -> dict[str, float]:
    """Ours over the peer's fastest case: best over best, and the least and the largest of the rounds."""
    ours = [r["campaignrl"][face] for r in rounds]
    theirs = [max(r[name].values()) for r in rounds]
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"ratio": max(ours) / max(theirs), "least": min(each), "largest": max(each)}


def study(world, customers: int, scratch: Path, rounds: int) -> dict:
    """Everything that is printed."""
    pythons, missing = installed(scratch)
    for name, python in list(pythons.items()):  # a driver that fails leaves its peer out, before anything is timed
        try:
            run([python, "-W", "ignore", HERE / "peer_drivers" / PEERS[name].driver])
        except Unavailable as reason:
            missing[name] = str(reason)
            del pythons[name]
    played = [one_round(world, customers, pythons) for _ in range(rounds)]
    names = ("campaignrl", *pythons)
    best = {name: {case: max(r[name][case] for r in played) for case in played[0][name]} for name in names}
    return {
        "world": world.name,
        "customers": customers,
        "rounds": rounds,
        "steps_per_cpu_s": best,
        "ratios": {
            name: {"at_least": PEERS[name].at_least, **{face: ratio(played, name, face) for face in best["campaignrl"]}}
            for name in pythons
        },
        "left_out": {name: PEERS[name].left_out for name in pythons},
        "missing": missing,
    }


def told(answer: dict) -> None:
    """The answer as two tables."""
    print(f"{'user-steps per CPU second':44} {'best of ' + str(answer['rounds']):>12}")
    for name, cases in answer["steps_per_cpu_s"].items():
        for case, rate in cases.items():
            print(f"{name + ': ' + case:44} {rate:12,.0f}")
    print(f"\n{'ours over its fastest case':28} {'panel':>22} {'vector environment':>22}  asked of the panel")
    for name, row in answer["ratios"].items():
        cells = (row[face] for face in ("panel", "vector environment"))
        texts = [f"{c['ratio']:.0f} ({c['least']:.0f} .. {c['largest']:.0f})" for c in cells]
        met = "met" if row["panel"]["ratio"] >= row["at_least"] else "missed"
        print(f"{name:28} {texts[0]:>22} {texts[1]:>22}  {row['at_least']:.0f}: {met}")
    for name, what in answer["left_out"].items():
        print(f"\n{name} without {what}.", end="")
    for name, reason in answer["missing"].items():
        print(f"\n{name} is missing: {reason}", end="")
    print()


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scratch", type=Path, help="folder of the peers' environments, outside the project")
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--customers", type=int, default=1_000_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    if chosen.scratch and chosen.scratch.resolve().is_relative_to(HERE.parent):
        words.error("--scratch must lie outside the project")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = (chosen.scratch or Path(temporary)).resolve()
        answer = study(load_world(chosen.world), chosen.customers, scratch, chosen.rounds)
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
    else:
        told(answer)


if __name__ == "__main__":
    main()
