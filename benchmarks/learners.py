"""The linear bandits beside MABWiser and Vowpal Wabbit, on one machine in one run: rows per CPU second on one thread.

`python benchmarks/learners.py --scratch FOLDER [--rounds R] [--json]`. 20 actions, 32 features. The peers, mabwiser
2.7.4 and vowpalwabbit 9.11.9, get a virtual environment below FOLDER, outside the project; without --scratch a
temporary one is made and removed. Cases run in turns in processes of their own, and the best of the rounds counts.

  fit        a log of 100 k and 1 M rows learned in bulk; ours from raw contexts, theirs from a matrix; VW's file driver
             (`--cb_explore_adf`, epsilon and SquareCB) on 20 k examples
  sums       ours from an encoded matrix, as MABWiser has it, without the posterior
  predict    an action for every row. Ours is drawn from the exact probabilities of all actions, which are kept; for
             `lin_ts` they come from 64 posterior draws (told beside it: from 16), while MABWiser's LinTS takes one draw
             a row and states no probability
  online     one row asked for and learned, then the next
  large      exact probabilities by `lin_ts` for 1 M rows, 40 actions, 64 draws
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("mabwiser==2.7.4", "vowpalwabbit==9.11.9")
ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
PAIRS = {"lin_ucb": "LinUCB", "lin_ts": "LinTS"}  # ours and MABWiser's
ROWS = (100_000, 1_000_000)
# (figure, least, words)
ASKED = (
    ("fit lin_ucb 1,000,000 / MABWiser", 1.0, "MABWiser's bulk fit of LinUCB, from raw contexts"),
    ("sums lin_ucb 1,000,000 / MABWiser", 1.0, "the same from an encoded matrix"),
    ("fit lin_ucb 1,000,000 / VW", 30.0, "Vowpal Wabbit's file driver at its fastest"),
    ("predict lin_ucb 1,000,000 / MABWiser", 2.5, "MABWiser's LinUCB"),
    ("predict lin_ts 1,000,000 / MABWiser", 7.0, "MABWiser's LinTS"),
    ("predict lin_ts of 16 draws 1,000,000 / MABWiser", 7.0, "the same, ours with 16 draws"),
    ("online lin_ucb", 10_000.0, "rows chosen and learned a CPU second"),
    ("online lin_ts", 10_000.0, "the same, by 64 draws"),
)


class Unavailable(Exception):
    """A peer cannot be had."""


def run(words: list) -> str:
    """What a command prints."""
    try:
        environment = os.environ | ONE_THREAD
        done = subprocess.run(
            [str(w) for w in words], capture_output=True, text=True, timeout=1800, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise Unavailable(str(wrong)) from wrong
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout


def interpreter(folder: Path) -> Path:
    """The python of the peers' environment, made on the first call."""
    python, made = folder / "bin" / "python", folder / "installed.txt"
    if not made.is_file():
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "-q", *PEERS])
        made.write_text("\n".join(PEERS))
    return python


def case(python: Path | str, script: str, *words: object) -> dict:
    """One case in a process of its own."""
    print(" ".join(str(word) for word in (script, *words)), file=sys.stderr)
    return json.loads(run([python, HERE / script, *words]).splitlines()[-1])


def one_round(python: Path | None, scratch: Path) -> dict[str, float]:
    """Every case once, ours and theirs in turns."""
    found: dict[str, float] = {}
    for kind, peer in PAIRS.items():
        for rows in ROWS:
            for part in ("fit", "predict"):
                answer = case(sys.executable, "learners_cases.py", part, kind, rows)
                found |= {f"{name} {kind} {rows:,}": value for name, value in answer.items()}
            if python is not None:
                asked = (rows, 40_000 if peer == "LinUCB" else 10_000, 300)
                answer = case(python, "peer_drivers/drive_mabwiser.py", peer, *asked)
                found |= {f"{name} {peer} {rows:,}": value for name, value in answer.items()}
    few = case(sys.executable, "learners_cases.py", "predict", "lin_ts", ROWS[-1], 16)
    found[f"predict lin_ts of 16 draws {ROWS[-1]:,}"] = few["predict"]
    for kind in (*PAIRS, "lin_epsilon"):
        found[f"online {kind}"] = case(sys.executable, "learners_cases.py", "online", kind, 20_000)["online"]
    if python is not None:
        for name, words in (("epsilon", "--epsilon 0.1"), ("squarecb", "--squarecb")):
            found[f"fit VW {name}"] = case(python, "peer_drivers/drive_vw.py", words, 20_000, scratch)["fit"]
    return found


def ratios(found: dict[str, float]) -> dict[str, float]:
    """Ours over theirs, where theirs were measured."""
    result = {}
    for kind, peer in PAIRS.items():
        for rows in ROWS:
            for ours, theirs in (("fit", "fit"), ("sums", "fit"), ("predict", "predict")):
                other = found.get(f"{theirs} {peer} {rows:,}")
                if other:
                    result[f"{ours} {kind} {rows:,} / MABWiser"] = found[f"{ours} {kind} {rows:,}"] / other
            driver = max((found[name] for name in found if name.startswith("fit VW")), default=0.0)
            if driver:
                result[f"fit {kind} {rows:,} / VW"] = found[f"fit {kind} {rows:,}"] / driver
    few, other = f"predict lin_ts of 16 draws {ROWS[-1]:,}", found.get(f"predict LinTS {ROWS[-1]:,}")
    if other:
        result[f"{few} / MABWiser"] = found[few] / other
    return result


def study(scratch: Path, rounds: int) -> dict:
    """Everything that is printed."""
    missing, python = "", None
    try:
        python = interpreter(scratch / "bandits")
    except Unavailable as reason:
        missing = str(reason)
    all_rounds = [one_round(python, scratch) for _ in range(rounds)]
    best = {name: max(found[name] for found in all_rounds) for name in all_rounds[0]}
    large = case(sys.executable, "learners_cases.py", "large", 1_000_000)
    spread = [ratios(found) for found in all_rounds]
    ranges = {name: [min(r[name] for r in spread), max(r[name] for r in spread)] for name in spread[0]}
    return {"rows_per_cpu_s": best, "ratios": ratios(best), "of_rounds": ranges, "large": large, "missing": missing}


def told(answer: dict) -> None:
    """The answer as lines."""
    for name, rate in answer["rows_per_cpu_s"].items():
        print(f"{name:32} {rate:14,.0f} rows per CPU s")
    print()
    figures = {**answer["rows_per_cpu_s"], **answer["ratios"]}
    for name, least, words in ASKED:
        value = figures.get(name)
        met = "not measured" if value is None else "met" if value >= least else "MISSED"
        shown = "-" if value is None else f"{value:,.3g}"
        spread = answer["of_rounds"].get(name)
        between = f" ({spread[0]:.3g} to {spread[1]:.3g} in single rounds)" if spread else ""
        print(f"{name:40} {shown:>8}{between}; asked {least:,.3g} of {words}: {met}")
    large = answer["large"]
    met = "met" if large["cpu_s"] < 20.0 and large["peak_mib"] < 2048 else "MISSED"
    print(
        f"large: {large['cpu_s']:.1f} CPU s, {large['wall_s']:.1f} s by the clock, peak {large['peak_mib']:,.0f} MiB "
        f"with the inputs ({large['extra_mib']:,.0f} above them); asked 20 s and 2 GB: {met}"
    )
    if answer["missing"]:
        print(f"the peers are missing: {answer['missing']}")


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scratch", type=Path, help="folder of the peers' environment, outside the project")
    words.add_argument("--rounds", type=int, default=2)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    if chosen.scratch and chosen.scratch.resolve().is_relative_to(HERE.parent):
        words.error("--scratch must lie outside the project")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = (chosen.scratch or Path(temporary)).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        answer = study(scratch, max(chosen.rounds, 1))
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
    else:
        told(answer)


if __name__ == "__main__":
    main()
