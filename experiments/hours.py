"""Does a learner find the hour at which each segment looks at its messages, and how much of what that is worth?

A learner (Thompson sampling on a linear model with a block of coefficients a slot) learns from one campaign sent at
random hours. Then whole campaigns of new customers, on the same luck: news every day at a random hour, by what was
learned, and at the true best hour of the customer's segment (the oracle). Told are each segment's commonest slot beside
its best one, and the share of the oracle's gain over random hours that the learner gains, in opens and in contribution:
the ratio of the means over seeds, with the 95 % t interval of learner less share x oracle.

    python experiments/hours.py --seeds 10 --workers 2
"""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl.choices import decide_day
from campaignrl.dynamics import parameters
from campaignrl.effects import HoursEffect
from campaignrl.envs import Panel
from campaignrl.suites import run_cells, run_study, study_words, write_files

WORLD = Path(__file__).parent / "worlds" / "hours.toml"
NEW = 1_000_000  # ids of the customers of the judged campaigns begin here


def played(world: crl.World, decide, customers: int, seed: int) -> tuple[float, float, np.ndarray]:
    """Opens and contribution a customer, and (segments, slots) sends, of a campaign."""
    panel = Panel(world, NEW + np.arange(customers), seed, threads=1)
    opens, worth, sends = 0.0, 0.0, np.zeros((len(world.segments), len(world.slots)))
    while not panel.done:
        action = decide(panel)
        sent = action > 0
        np.add.at(sends, (panel.traits.segment[sent], world.catalog.slot_of[action[sent]]), 1.0)
        outcome = panel.step(action)
        opens += float(outcome.opened.mean())
        worth += float(outcome.reward.mean(dtype=np.float64))
    return opens, worth, sends


def cell(seed: int, customers: int) -> dict:
    """Opens and contribution a customer by each way of choosing the hour, and the slots that each segment gets."""
    world = crl.load_world(WORLD)
    log = crl.simulate(world, "uniform", customers=customers, seed=seed, threads=1)
    learned = crl.train({"kind": "lin_ts", "greedy": True, "explore": 0.0}, log, seed=seed)

    def always(panel):  # a send every day, at a random hour
        chance = np.random.Generator(np.random.PCG64([seed, panel.day]))
        return 1 + chance.integers(0, len(world.slots), len(panel))

    hours = parameters(world).effect(HoursEffect)
    best = 1 + hours.by_action[:, 1:].argmax(axis=1)

    ways = {
        "random": always,
        "learned": lambda panel: decide_day(panel, learned).action,
        "oracle": lambda panel: best[panel.traits.segment],
    }
    found = {name: played(world, decide, customers, seed) for name, decide in ways.items()}
    return {
        "opens": {name: opens for name, (opens, _, _) in found.items()},
        "contribution": {name: worth for name, (_, worth, _) in found.items()},
        "slots": {name: [int(i) for i in sends.argmax(axis=1)] for name, (_, _, sends) in found.items()},
    }


def share_gained(cells: list[dict], unit: str) -> list[float]:
    """Mean, low and high of the share of the oracle's gain over random hours that the learner gains."""
    gains = np.array([[c[unit][way] - c[unit]["random"] for way in ("learned", "oracle")] for c in cells])
    learned, oracle = gains.mean(axis=0)
    share = float(learned / oracle)
    apart = (gains[:, 0] - share * gains[:, 1]) / oracle  # of each seed, as a share (delta method)
    n = len(cells)
    half = float(stats.t.ppf(0.975, n - 1) * apart.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return [share, share - half, share + half]


def summary(cells: list[dict]) -> dict:
    """The shares of the oracle's gain with intervals, and in how many runs each segment's best slot was found."""
    world = crl.load_world(WORLD)
    slots = list(world.slots)
    return {
        **{f"share of the oracle's gain in {unit}": share_gained(cells, unit) for unit in ("opens", "contribution")},
        "best slot": {g: slots[cells[0]["slots"]["oracle"][i]] for i, g in enumerate(world.segments)},
        "found in runs": {
            g: sum(c["slots"]["learned"][i] == c["slots"]["oracle"][i] for c in cells)
            for i, g in enumerate(world.segments)
        },
        "runs": len(cells),
    }


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/hours", workers=1)
    words.add_argument("--seeds", type=int, default=10)
    words.add_argument("--customers", type=int, default=4_000)
    chosen = words.parse_args(argv)
    cells = run_cells(partial(cell, customers=chosen.customers), range(chosen.seeds), chosen.workers)
    text = json.dumps(summary(cells), indent=1)
    write_files(chosen.output, {"hours.json": text + "\n"})
    print(text)


if __name__ == "__main__":
    run_study(main)
