"""What will a policy earn over today's in the month to come: is it better to carry the days' trend on?

Logs of sixty days in which what an action does stays, fades little by little, or falls at once half-way. Set beside the
truth of the thirty days after: the lift of all days, that of the last quarter, and the line carried on
(`campaignrl.ope.lift_ahead`), by root mean squared error and by how often intervals hold.

    python experiments/lift_ahead.py --logs 200 --rows 20000
"""

import json
from functools import partial

import numpy as np

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope import compare_on_log, lift_ahead
from campaignrl.suites import run_cells, run_study, study_words, write_files

DAYS, AHEAD, ACTIONS = 60, 30, 3
EFFECTS = {  # what the second action adds to the chance of 10 %, by day
    "stays": lambda day: np.full(np.shape(day), 0.04),
    "fades": lambda day: 0.08 * (1.0 - np.asarray(day) / (DAYS + AHEAD)),
    "falls at once": lambda day: np.where(np.asarray(day) < DAYS / 2, 0.08, 0.02),
}
SCHEMA = FeatureSchema((Feature(name="x", low=0.0, high=1.0),))
WANTED = np.array([0.1, 0.8, 0.1])


def log_of(effect: str, rows: int, g: np.random.Generator) -> crl.DecisionLog:
    """A log of a logger that draws alike."""
    day, action, x = np.sort(g.integers(0, DAYS, rows)), g.integers(0, ACTIONS, rows), g.random(rows)
    chance = 0.06 + 0.08 * x + EFFECTS[effect](day) * (action == 1)
    return crl.DecisionLog(
        catalog=crl.Catalog.from_names(["none", "a@email", "b@email"]),
        customers=np.array([f"c{i}" for i in range(rows)], dtype=object),
        customer=np.arange(rows),
        step=np.zeros(rows, dtype=int),
        day=day,
        context=Context(SCHEMA, {"x": x}),
        action=action,
        propensity=np.full(rows, 1.0 / ACTIONS),
        reward=(g.random(rows) < chance).astype(float),
        cost=np.zeros(rows, dtype=np.int64),
        matured=np.ones(rows, dtype=bool),
        meta={"policy_id": "even"},
    )


def one_log(seed: int, effect: str, rows: int) -> dict[str, list[float]]:
    """Lift and interval by each way."""
    log = log_of(effect, rows, np.random.default_rng([5, seed]))
    last = log.take(np.flatnonzero(log.day >= DAYS - DAYS // 4))
    made = {
        "all days": compare_on_log(log, np.tile(WANTED, (len(log), 1)), "logged"),
        "last quarter": compare_on_log(last, np.tile(WANTED, (len(last), 1)), "logged"),
        "carried on": lift_ahead(log, np.tile(WANTED, (len(log), 1)), days=AHEAD),
    }
    return {name: [e.value, e.ci_low, e.ci_high] for name, e in made.items()}


def summary(found: list[dict[str, list[float]]], effect: str) -> dict[str, dict[str, float]]:
    """Against the thirty days after."""
    to_come = EFFECTS[effect](np.arange(DAYS, DAYS + AHEAD)).mean()
    truth = float((WANTED[1] - 1.0 / ACTIONS) * to_come)
    answer = {}
    for name in found[0]:
        made, low, high = np.array([each[name] for each in found]).T
        rmse, held = float(np.sqrt(np.mean((made - truth) ** 2))), float(np.mean((low <= truth) & (truth <= high)))
        answer[name] = {"truth": truth, "rmse": rmse, "held": held}
    return answer


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/lift_ahead", workers=1)
    words.add_argument("--logs", type=int, default=200)
    words.add_argument("--rows", type=int, default=20_000)
    asked = words.parse_args(argv)
    answer = {}
    for effect in EFFECTS:
        work = partial(one_log, effect=effect, rows=asked.rows)
        answer[effect] = summary(run_cells(work, range(asked.logs), asked.workers), effect)
    text = json.dumps(answer, indent=1)
    write_files(asked.output, {"lift_ahead.json": text + "\n"})
    print(text)


if __name__ == "__main__":
    run_study(main)
