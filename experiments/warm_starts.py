"""Does a deep learner that begins from `rollout` end at least as good, on customers that neither has met?

Per world and kind: the learner starts in the shape and with the weights of a bundle of `rollout`, trains in the world
for so many customer-days, and keeps what it has learned only where fresh customers show it to be better
(policies/deep/warm_start.py). Then both play other customers, of 20 evaluation seeds, with the same luck: expected
contribution, Student's t over seeds. A `rollout` that kept a baseline is no network, and there is nothing to begin
from. Trainings and plays are kept. The bundles are those of rollout.py; writes a table of docs/results.md.

    python experiments/rollout.py
    python experiments/warm_starts.py --docs docs/results.md
    python experiments/warm_starts.py --worlds no_memory --kinds dqn --steps 5000 --fresh 200 --seeds 3
"""

import time
from functools import partial
from pathlib import Path

import numpy as np
from rollout import FIRST_SEED, over_seeds, valued

import campaignrl as crl
from campaignrl.policies import one_blas_thread
from campaignrl.specs import bundled_files
from campaignrl.suites import evaluation_ids, kept, run_cells, run_study, study_words, write_between
from campaignrl.true_value import acting

MARK = "warm starts"
HEAD = ("world", "learner", "kept", "trained over rollout, where it was chosen", "of it over rollout, fresh", "CPU s")


def taught(name: str, kind: str, start: Path, steps: int, seed: int, bundle: Path) -> dict:
    """Train from the start, keep the bundle, and say what was kept in the end; why not, where there is no start."""
    begun, baseline = time.process_time(), crl.load_policy(str(start)).settings()["baseline"]
    if baseline is not None:
        return {"kept": "no start", "why": f"rollout kept {baseline['kind']}"}
    policy = crl.train(kind, name, steps=steps, seed=seed, warm_start=str(start))
    crl.save_policy(policy, bundle, trained_on={"world": name, "report": policy.facts})
    return {**policy.facts, "seconds": time.process_time() - begun}


def difference(name: str, bundle: Path, start: Path, fresh: int, seed: int) -> float:
    """Mean paired gain over the start on the customers of one evaluation seed."""
    world, ids = crl.load_world(name), evaluation_ids(fresh)
    ours, theirs = (valued(world, acting(str(each), world), ids, seed) for each in (bundle, start))
    return float((ours - theirs).mean())


def cell(of: tuple[str, str], start: Path, steps: int, fresh: int, seeds: int, seed: int, folder: Path) -> dict:
    """One learner in one world."""
    name, kind = of
    key, begun = f"{name}-{kind}-{seed}-{steps}", start / f"{name}-0-own.bundle"
    with one_blas_thread():
        bundle = folder / f"{key}.bundle"
        made = kept(folder / f"{key}.json", lambda: taught(name, kind, begun, steps, seed, bundle))
        if made["kept"] == "no start":
            return made
        plays = []
        for each in range(FIRST_SEED, FIRST_SEED + seeds):
            play = partial(difference, name, bundle, begun, fresh, each)
            plays.append(kept(folder / f"{key}-{fresh}-{each}.json", play))
    return {**made, "over": plays}


def row_of(name: str, kind: str, found: dict) -> str:
    """A line of the table; a `rollout` that kept a baseline leaves nothing to begin from."""
    if found["kept"] == "no start":
        return f"| {name} | {kind} | - | nothing to begin from: its rollout kept a baseline | - | - |"
    mean, low, high = found["over_start"][:3]
    told = "{:+.2f} [{:+.2f}, {:+.2f}]".format(*over_seeds(np.array(found["over"])))
    chosen = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
    return f"| {name} | {kind} | {found['kept']} | {chosen} | {told} | {found['seconds']:.0f} |"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/warm_starts", workers=1)
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")))
    words.add_argument("--kinds", nargs="+", default=["maskable_ppo", "dqn"])
    words.add_argument("--start", type=Path, default=Path("runs/rollout/parts"), help="folder of the rollouts")
    words.add_argument("--steps", type=int, default=200_000, help="customer-days of a training")
    words.add_argument("--fresh", type=int, default=1_500, help="customers who are played on, of each seed")
    words.add_argument("--seeds", type=int, default=20, help=f"of the evaluation, from {FIRST_SEED} on")
    words.add_argument("--seed", type=int, default=0, help="of the training")
    words.add_argument("--docs", type=Path, help="page whose table is replaced, such as docs/results.md")
    chosen = words.parse_args(argv)
    how = {name: getattr(chosen, name) for name in ("start", "steps", "fresh", "seeds", "seed")}
    cells = [(name, kind) for name in chosen.worlds for kind in chosen.kinds]
    found = run_cells(partial(cell, folder=chosen.output / "parts", **how), cells, chosen.workers)
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    text = "\n".join([*lines, *(row_of(*of, one) for of, one in zip(cells, found, strict=True))]) + "\n"
    print(text)
    if chosen.docs:
        write_between(chosen.docs, MARK, text)


if __name__ == "__main__":
    run_study(main)
