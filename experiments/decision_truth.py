"""Does the error of the doubly robust estimate fall as 1 / sqrt(n), and from how many decisions on does it rank?

Logs of a uniform policy in a world, from small to large; ten policies valued on each by DR, beside the simulator's
exact value of one decision. Prints the root mean squared error by the number of decisions with its log-log slope
(-1/2 by theory), and the rank correlation of the ten with the truth. How well they can be ranked is a matter of how
far apart they are: beside each correlation stands the one that draws of the stated precision would reach.

    python experiments/decision_truth.py --seeds 40 --workers 2
"""

import json
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

import campaignrl as crl
from campaignrl.report.figures import png_bytes
from campaignrl.suites import run_cells, run_study, study_words, write_files
from campaignrl.true_value import decision_lifts

FAR = 1_000_000_000  # seed of the truth, away from those of the logs


def ten_policies(world) -> list[str]:
    """Nothing, business as usual, and eight actions spread over the catalog."""
    sends = world.catalog.names[1:]
    return ["none", "rules", *(f"always:{sends[i]}" for i in np.linspace(0, len(sends) - 1, 8).astype(int))]


def one_log(seed: int, world, policies: list[str], customers: int) -> tuple[int, list[float]]:
    """Matured decisions, and the DR lift of every policy over the log's own, from one log."""
    log = crl.simulate(world, "uniform", customers=customers, seed=seed, threads=1)
    found = [crl.evaluate(log, policy, estimators=("dr",)) for policy in policies]
    return found[0].n, [answer.lift for answer in found]


def study(world, policies: list[str], sizes: list[int], seeds: int, truth_customers: int, workers: int) -> dict:
    """Errors and rank correlations by size; truth (p,), lifts (sizes, seeds, p)."""
    truth = decision_lifts(world, policies, customers=truth_customers, seed=FAR)
    rows = []
    for customers in sizes:
        work = partial(one_log, world=world, policies=policies, customers=customers)
        rows.append(run_cells(work, range(customers, customers + seeds), workers))
        print(f"{rows[-1][0][0]:,} decisions: {seeds} logs", flush=True)
    decisions = np.array([np.mean([n for n, _ in row]) for row in rows])
    lifts = np.array([[values for _, values in row] for row in rows])
    return summary(policies, truth, decisions, lifts)


def summary(policies: list[str], truth, decisions: np.ndarray, lifts: np.ndarray) -> dict:
    """RMSE over seeds and policies, its slope with an interval, and ranks."""
    true = np.array([value.value for value in truth])
    error = lifts - true
    rmse = np.sqrt((error**2).mean(axis=(1, 2)))
    fit = stats.linregress(np.log(decisions), np.log(rmse))
    half = float(stats.t.isf(0.025, len(decisions) - 2) * fit.stderr)
    chance = np.random.default_rng(0)
    ranks, reach = [], []
    for each, off in zip(lifts, error, strict=True):
        ranks.append([stats.spearmanr(true, values).statistic for values in each])
        shared = np.linalg.cholesky(np.cov(off.T) + 1e-12 * np.eye(len(true)))
        drawn = true + chance.normal(size=(400, len(true))) @ shared.T
        reach.append(float(np.mean([stats.spearmanr(true, values).statistic for values in drawn])))
    return {
        "truth": {p: {"lift": v.value, "std_error": v.std_error} for p, v in zip(policies, truth, strict=True)},
        "decisions": decisions.tolist(),
        "rmse": rmse.tolist(),
        "slope": float(fit.slope),
        "slope_ci": [float(fit.slope) - half, float(fit.slope) + half],
        "rank_correlation": [float(np.mean(row)) for row in ranks],
        "rank_correlation_reachable": reach,
        "spread_of_truth": float(true.std(ddof=1)),
    }


def picture(found: dict) -> bytes:
    """Error by the number of decisions, with the line of theory; rank correlation beside it."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    n, rmse = np.array(found["decisions"]), np.array(found["rmse"])
    left.loglog(n, rmse, "o-", label=f"measured, slope {found['slope']:.2f}")
    left.loglog(n, rmse[0] * np.sqrt(n[0] / n), "k--", linewidth=1, label="1 / sqrt(n)")
    left.axhline(found["spread_of_truth"], color="grey", linewidth=1, label="spread of the ten true lifts")
    left.set(xlabel="decisions in the log", ylabel="root mean squared error of a lift")
    left.legend(frameon=False)
    right.semilogx(n, found["rank_correlation"], "o-", label="measured")
    right.semilogx(n, found["rank_correlation_reachable"], "k--", linewidth=1, label="what this precision allows")
    right.axhline(0.9, color="grey", linewidth=1)
    right.set(xlabel="decisions in the log", ylabel="rank correlation with the truth", ylim=(-0.2, 1.02))
    right.legend(frameon=False)
    return png_bytes(figure)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/decision_truth", workers=2)
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--policies", nargs="+", help="default: ten")
    words.add_argument("--horizon", type=int, help="days; default: the world's")
    words.add_argument("--seeds", type=int, default=40, help="logs of each size")
    words.add_argument("--sizes", type=int, nargs="+", default=[76, 305, 1_220, 4_880], help="customers of a log")
    words.add_argument("--truth-customers", type=int, default=400_000)
    chosen = words.parse_args(argv)
    changes = {} if chosen.horizon is None else {"horizon": chosen.horizon}
    world = crl.load_world(chosen.world, **changes)
    found = study(
        world,
        chosen.policies or ten_policies(world),
        chosen.sizes,
        chosen.seeds,
        chosen.truth_customers,
        chosen.workers,
    )
    print(json.dumps(found, indent=1))
    write_files(chosen.output, {"errors.png": picture(found), "decision_truth.json": json.dumps(found)})


if __name__ == "__main__":
    run_study(main)
