"""Does a learner that forgets do better in a world that changes, and as well in one that does not?

One campaign a seed: every day each customer is decided for by what the learner knows, and every week the learner takes
in the week's decisions. Thompson sampling on a linear model four times: as it is, forgetting a share at each update,
learning from the latest weeks alone, and forgetting only what new rows contradict; on the same customers with the same
luck. Told is the gain a customer over the
learner that keeps everything, a mean over seeds with its 95 % t interval, in a world whose tastes swap on day 60
(`worlds/drifting.toml`) and in the same world without the swap.

    python experiments/drifting.py --seeds 20 --workers 2
"""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl.choices import decide_day
from campaignrl.envs import Panel
from campaignrl.recorder import Recorder
from campaignrl.suites import run_cells, run_study, study_words, write_files

WORLD = Path(__file__).parent / "worlds" / "drifting.toml"
WEEK = 7
LEARNERS = {"keeps all": {}, "forget": {"forget": 0.8}, "window": {"window": 8}, "auto": {"forget": "auto"}}


def worlds() -> dict[str, crl.World]:
    """The world as its file says, and without what moves."""
    moving = crl.load_world(WORLD)
    return {"drifting": moving, "still": crl.load_world({**moving.model_dump(exclude_unset=True), "drift": None})}


def campaign(world: crl.World, settings: dict, customers: int, seed: int) -> float:
    """Contribution of a customer over a campaign in which the learner learns every week."""
    learner = crl.load_policy({"kind": "lin_ts", "draws": 16, "l2": 100.0, **settings}, world, seed=seed)
    panel, total = Panel(world, customers, seed, threads=1), 0.0
    recorder = Recorder(panel, learner)
    while not panel.done:
        choice = decide_day(panel, learner)
        outcome = panel.step(choice.action)
        recorder.add(panel.day - 1, choice, outcome)
        total += float(outcome.reward.sum(dtype=np.float64))
        if panel.day % WEEK == 0:
            learner.update(recorder.log())
            recorder = Recorder(panel, learner)
    return total / customers


def cell(seed: int, customers: int) -> dict[str, dict[str, float]]:
    """World -> learner -> contribution a customer, of one seed."""
    return {
        name: {learner: campaign(world, settings, customers, seed) for learner, settings in LEARNERS.items()}
        for name, world in worlds().items()
    }


def summary(cells: list[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """World -> learner -> mean contribution, and the gain over the learner that keeps all with its interval."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for world in cells[0]:
        kept = np.array([c[world]["keeps all"] for c in cells])
        found[world] = {}
        for learner in LEARNERS:
            values = np.array([c[world][learner] for c in cells])
            gain, half = values - kept, 0.0
            if learner != "keeps all":
                half = float(stats.t.ppf(0.975, len(cells) - 1) * gain.std(ddof=1) / math.sqrt(len(cells)))
            mean = float(gain.mean())
            found[world][learner] = {
                "value": float(values.mean()),
                "gain": mean,
                "low": mean - half,
                "high": mean + half,
            }
    return found


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/drifting", workers=1)
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument("--customers", type=int, default=2_000)
    chosen = words.parse_args(argv)
    cells = run_cells(partial(cell, customers=chosen.customers), range(chosen.seeds), chosen.workers)
    text = json.dumps(summary(cells), indent=1)
    write_files(chosen.output, {"drifting.json": text + "\n"})
    print(text)


if __name__ == "__main__":
    run_study(main)
