"""How often the 95 % interval of the doubly robust estimate holds the simulator's true value.

Each seed draws new customers, logs a uniform policy over the whole horizon, and estimates the value of a decision by
the target policy. The truth is the mean over many other customers of the same world. Prints the share of intervals
that hold it, with its own Wilson interval, and draws every interval.

    python experiments/truth_coverage.py --seeds 200 --workers 2
"""

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

import campaignrl as crl
from campaignrl.policies import save_bundle
from campaignrl.suites import run_cells, run_study, study_words
from campaignrl.true_value import decision_value

FAR = 1_000_000_000  # seeds of the truth and of training, away from the seeds of the study


def one_seed(seed: int, world, targets: list[str], customers: int) -> list[tuple[float, float, float]]:
    """Value and interval of the DR estimate of each target, from one log."""
    log = crl.simulate(world, "uniform", customers=customers, seed=seed, threads=1)
    policies = [crl.load_policy(target, log.catalog, log.context.schema) for target in targets]
    found = [crl.evaluate(log, policy, estimators=("dr",)).estimates["dr"] for policy in policies]
    return [(estimate.value, estimate.ci_low, estimate.ci_high) for estimate in found]


def study(world_name: str, learner: str, seeds: int, customers: int, truth_customers: int, workers: int, **changes):
    """Estimates (seeds, 3) for `rules` and a trained learner, with the truth of each."""
    world = crl.load_world(world_name, **changes)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / f"{learner}.bundle"
        save_bundle(crl.train(learner, world, customers=customers, seed=FAR), bundle, {})
        targets = ["rules", str(bundle)]
        work = partial(one_seed, world=world, targets=targets, customers=customers)
        rows = np.array(run_cells(work, range(seeds), workers))  # (seeds, targets, 3)
        policies = [crl.load_policy(target, world.catalog, world.features) for target in targets]
        truths = [decision_value(world, p, "uniform", customers=truth_customers, seed=FAR + 1) for p in policies]
    return {p.name: (truth, rows[:, t]) for t, (p, truth) in enumerate(zip(policies, truths, strict=True))}


def summary(truth, rows: np.ndarray) -> dict:
    """Coverage with its Wilson interval, bias in standard errors of the mean, and mean width."""
    value, low, high = rows.T
    inside = int(((low <= truth.value) & (truth.value <= high)).sum())
    wilson = stats.binomtest(inside, len(rows)).proportion_ci(method="wilson")
    error = np.hypot(value.std(ddof=1) / np.sqrt(len(value)), truth.std_error)
    return {
        "truth": truth.value,
        "truth_std_error": truth.std_error,
        "seeds": len(rows),
        "coverage": inside / len(rows),
        "coverage_ci": [wilson.low, wilson.high],
        "mean_estimate": float(value.mean()),
        "bias_in_std_errors": float((value.mean() - truth.value) / error),
        "mean_width": float((high - low).mean()),
    }


def picture(answers: dict, path: Path) -> None:
    """Every interval, sorted, with the truth as a line; those that miss it in another colour."""
    figure = Figure(figsize=(9, 3.2 * len(answers)), layout="constrained")
    for axis, (name, (truth, rows)) in zip(
        figure.subplots(len(answers), squeeze=False)[:, 0], answers.items(), strict=True
    ):
        rows = rows[np.argsort(rows[:, 0])]
        misses = (rows[:, 1] > truth.value) | (rows[:, 2] < truth.value)
        for part, colour in ((~misses, "#4c78a8"), (misses, "#d1495b")):
            axis.vlines(np.flatnonzero(part), rows[part, 1], rows[part, 2], colors=colour, linewidth=1)
        axis.axhline(truth.value, color="black", linewidth=1)
        axis.set(title=f"{name}: {1 - misses.mean():.1%} of {len(rows)} intervals hold the truth", xlabel="log, sorted")
        axis.set_ylabel("value of a decision")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/truth_coverage", workers=2)
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--learner", default="lin_ts")
    words.add_argument("--horizon", type=int, default=90, help="days")
    words.add_argument("--seeds", type=int, default=200)
    words.add_argument("--customers", type=int, default=5_000)
    words.add_argument("--truth-customers", type=int, default=400_000)
    chosen = words.parse_args(argv)
    answers = study(
        chosen.world,
        chosen.learner,
        chosen.seeds,
        chosen.customers,
        chosen.truth_customers,
        chosen.workers,
        horizon=chosen.horizon,
    )
    picture(answers, chosen.output / "coverage.png")
    print(json.dumps({name: summary(*answer) for name, answer in answers.items()}, indent=2))


if __name__ == "__main__":
    run_study(main)
