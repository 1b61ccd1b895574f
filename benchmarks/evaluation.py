"""Evaluation from logs beside Open Bandit Pipeline (Saito et al. 2021), on one machine in one run: CPU time, memory.

`python benchmarks/evaluation.py --scratch FOLDER [--rows N] [--workers W] [--rounds R] [--json]`. The peer, obp 0.5.7,
gets a virtual environment of its own below FOLDER, outside the project, without the versions it pins (they need
Python below 3.11) and with a stand-in for torch, which it imports and does not use here; without --scratch, a
temporary one is made and removed. Every case runs in a process of its own, in turns, and the least CPU time of the
rounds counts; extra memory is the peak above the inputs.

  values      n = 1 M, 20 actions, predictions given: its six estimators; our ips, snips, dm, dr with errors, interval,
              lift and verdict
  intervals   n = 100 k, 20 actions: its six with 100 bootstrap samples; ours as above
  ridge       n = 100 k, 20 actions, six features: a ridge reward model cross-fitted in five parts, then the estimators
  logistic    the same with a logistic model; ours also chooses its penalty
  marginal    mips on the offer, n = 1 M, 20 actions, with its interval (its own: 28 s measured once, not run here)
  wide        n = 1 M, 200 actions: dr cross-fitted here, with its interval
  parquet     --rows rows from a file, 21 actions, five decisions a customer, six features: ips, snips, dr with a given
              linear model, beside a bare scan of the same columns by pyarrow, one thread
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEER = "obp==0.5.7"
NEEDS = ("numpy", "pandas", "scikit-learn", "scipy", "tqdm", "pyyaml")
BESIDE = ("values", "intervals", "ridge", "logistic")  # cases that the peer runs, too
LIMIT = 900  # seconds of one install or one case

ASKED = (  # (case, figure, at most, in words)
    ("values", "of_peer_cpu", 0.1, "of its CPU time"),
    ("values", "of_peer_memory", 0.1, "of its extra memory"),
    ("intervals", "of_peer_cpu", 0.1, "of its CPU time"),
    ("ridge", "of_peer_cpu", 1 / 3, "of its CPU time"),
    ("logistic", "of_peer_cpu", 1 / 3, "of its CPU time"),
    ("marginal", "cpu_s", 3.0, "s"),
    ("wide", "cpu_s", 60.0, "s"),
    ("wide", "extra_mib", 2048.0, "MiB"),
    ("parquet", "extra_mib", 1024.0, "MiB"),
    ("parquet", "of_scan", 3.0, "times the scan"),
)


class Unavailable(Exception):
    """The peer cannot be installed or run; the text is the reason."""


def run(command: list) -> str:
    """What a command prints; Unavailable with the last line of its complaint."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, env={**os.environ, **threads}, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise Unavailable(str(wrong)) from wrong
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout


def interpreter(folder: Path) -> Path:
    """The python of the peer's environment, made on the first call."""
    python, made = folder / "bin" / "python", folder / "installed.txt"
    if not made.is_file():
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "-q", "--no-deps", "--ignore-requires-python", PEER])
        run([python, "-m", "pip", "install", "-q", *NEEDS])
        made.write_text(PEER)
    return python


def ours(*words: object) -> dict:
    """One case of evaluation_cases.py."""
    print(f"campaignrl: {words[0]}", file=sys.stderr)
    return json.loads(run([sys.executable, HERE / "evaluation_cases.py", *words]).splitlines()[-1])


def theirs(python: Path, case: str) -> dict:
    """One case of the peer."""
    print(f"obp: {case}", file=sys.stderr)
    return json.loads(run([python, "-W", "ignore", HERE / "peer_drivers" / "drive_obp.py", case]).splitlines()[-1])


def beside(case: str, python: Path | None, rounds: int) -> dict:
    """Ours, and the peer's where it is there, in turns."""
    both = [(ours(case), theirs(python, case) if python else None) for _ in range(rounds)]
    answer = {name: min(mine[name] for mine, _ in both) for name in ("cpu_s", "extra_mib")}
    if python is None:
        return answer
    peer = {name: min(other[name] for _, other in both) for name in ("cpu_s", "extra_mib")}
    return {
        **answer,
        "peer": peer,
        "of_peer_cpu": answer["cpu_s"] / peer["cpu_s"],
        "of_peer_memory": answer["extra_mib"] / peer["extra_mib"] if peer["extra_mib"] else float("nan"),
    }


def study(scratch: Path, rows: int, workers: int, rounds: int) -> dict:
    """Everything that is printed."""
    missing, python = "", None
    try:
        python = interpreter(scratch / "obp")
        theirs(python, "intervals")
    except Unavailable as reason:
        missing, python = str(reason), None
    answer: dict = {case: beside(case, python, rounds) for case in BESIDE}
    answer |= {case: ours(case) for case in ("marginal", "wide")}
    log, small = scratch / f"log-{rows}.parquet", scratch / f"log-{rows // 5}.parquet"
    for path, count in ((small, rows // 5), (log, rows)):
        if not path.is_file():
            ours("write", path, count)
    answer["parquet"] = ours("parquet", log, workers)
    answer["parquet"]["extra_mib_of_a_fifth"] = ours("parquet", small, workers)["extra_mib"]
    return {**answer, "missing": missing}


def told(answer: dict) -> None:
    """The answer as lines."""
    for case in (*BESIDE, "marginal", "wide", "parquet"):
        cells = [f"{name} {value:,.3g}" for name, value in answer[case].items() if not isinstance(value, dict)]
        peer = "".join(f", obp {name} {value:,.3g}" for name, value in answer[case].get("peer", {}).items())
        print(f"{case:10} {', '.join(cells)}{peer}")
    print()
    for case, figure, most, words in ASKED:
        value = answer[case].get(figure)
        met = "not measured" if value is None else "met" if value <= most else "missed"
        print(f"{case:10} at most {most:.3g} {words}: {'-' if value is None else f'{value:.3g}'}, {met}")
    file = answer["parquet"]
    print(f"\n100 M rows would take {1e8 / file['rows_per_cpu_s']:,.0f} CPU seconds in the memory of {file['rows']:,}.")
    if answer["missing"]:
        print(f"obp is missing: {answer['missing']}")


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument(
        "--scratch", type=Path, help="folder of the peer's environment and the logs, outside the project"
    )
    words.add_argument("--rows", type=int, default=10_000_000)
    words.add_argument("--workers", type=int, default=1)
    words.add_argument("--rounds", type=int, default=2)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    if chosen.scratch and chosen.scratch.resolve().is_relative_to(HERE.parent):
        words.error("--scratch must lie outside the project")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = (chosen.scratch or Path(temporary)).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        answer = study(scratch, chosen.rows, chosen.workers, chosen.rounds)
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
    else:
        told(answer)


if __name__ == "__main__":
    main()
