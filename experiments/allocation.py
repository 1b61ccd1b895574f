"""What does a morning's budget bring by lot and by value, and how much of what a plan promises comes true?

One morning in a simulated shop whose customers nobody has learned from: the pretrained policy decides within a budget,
by lot and by value, and nothing more is sent for the rest of the outcome window. What each brought over sending nothing
is known, because all three meet the same customers with the same luck. Told are means over seeds with their standard
errors, and what the policy had expected.

    python experiments/allocation.py --seeds 8
"""

import json
import math
from functools import partial

import numpy as np

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.suites import run_cells, run_study, study_words, write_files

WORLD, POLICY, DAY = "ecommerce", "pretrained/ecommerce", "2026-11-21"
NEW = 2_000_000  # ids of the customers begin here


def brought(world: crl.World, action: np.ndarray, seed: int) -> float:
    """Contribution of all customers over one outcome window, whose first day's sends are given."""
    panel, total = Panel(world, NEW + np.arange(len(action)), seed, threads=1), 0.0
    for day in range(world.outcome_days):
        total += float(panel.step(action if day == 0 else np.zeros_like(action)).reward.sum(dtype=np.float64))
    return total


def cell(seed: int, customers: int, budgets: list[float]) -> dict:
    """By budget and way what was gained over sending nothing, what was expected, and what it cost."""
    world, policy = crl.load_world(WORLD), crl.load_policy(POLICY)
    frame = customers_frame(Panel(world, NEW + np.arange(customers), seed, threads=1))
    nothing = brought(world, np.zeros(customers, dtype=np.int64), seed)
    found = {}
    for budget in budgets:
        for way in ("lot", "value"):
            sent = crl.decide(policy, frame, world, day=DAY, budget=budget, allocate=way, seed=seed)
            gained = brought(world, sent.action, seed) - nothing
            found[f"{budget:g} {way}"] = {"gained": gained, "expected": sent.gain, "cost": sent.cost}
    return found


def summary(cells: list[dict]) -> dict:
    """Means over seeds, with standard errors of what was gained and of value over lot."""
    told = {}
    for name in cells[0]:
        gained = np.array([c[name]["gained"] for c in cells])
        told[name] = {
            "gained": float(gained.mean()),
            "error": _error(gained),
            "expected": float(np.mean([c[name]["expected"] for c in cells])),
            "cost": float(np.mean([c[name]["cost"] for c in cells])),
        }
    for name in [name for name in cells[0] if name.endswith(" value")]:
        budget = name.removesuffix(" value")
        ahead = np.array([c[name]["gained"] - c[f"{budget} lot"]["gained"] for c in cells])
        told[f"{budget} value over lot"] = {"gained": float(ahead.mean()), "error": _error(ahead)}
    return {"runs": len(cells), **told}


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/allocation", workers=1)
    words.add_argument("--seeds", type=int, default=8)
    words.add_argument("--customers", type=int, default=20_000)
    words.add_argument("--budgets", type=float, nargs="+", default=[20.0, 40.0, 100.0])
    chosen = words.parse_args(argv)
    work = partial(cell, customers=chosen.customers, budgets=chosen.budgets)
    told = summary(run_cells(work, range(chosen.seeds), chosen.workers))
    text = json.dumps(told, indent=1)
    write_files(chosen.output, {"allocation.json": text + "\n"})
    print(text)


if __name__ == "__main__":
    run_study(main)
