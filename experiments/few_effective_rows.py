"""Where 300 to 1,000 effective rows speak: does the interval of DR hold the simulator's truth, and how wide is it?

Each seed draws customers, logs a policy, and values one action for everybody (`always:content@email`) and its lift over
the logged policy or another one. The truth is the mean over many other customers of the same world. Beside each
interval stands the width of the percentile bootstrap over customers, of the same estimate. The second call is of the
policy that ships, a twentieth of which explores; the log of one that is certain in every row can answer for no other
policy unless a share of it explores (--explore).

    python experiments/few_effective_rows.py --seeds 100 --workers 2
    python experiments/few_effective_rows.py --logging pretrained/ecommerce --against uniform -n 2000
"""

import json
from functools import partial

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl.policies import exploring
from campaignrl.suites import run_cells, run_study, study_words
from campaignrl.true_value import decision_value

FAR = 1_000_000_000  # seeds of the truth, away from the seeds of the study
COMPARED = 10  # seeds of which the bootstrap is drawn too


def one_seed(seed: int, world, target: str, customers: int, logging="uniform", against: str = "logged") -> list[float]:
    """Effective rows, ends of value and lift, and the widths of their bootstraps (not a number where not drawn)."""
    log = crl.simulate(world, logging, customers=customers, seed=seed, threads=1)
    asked = {"estimators": ("dr",), "reference": against}
    found = [crl.evaluate(log, target, **asked)]
    found += [crl.evaluate(log, target, **asked, interval="bootstrap")] if seed < COMPARED else []
    ends = [(e.estimates["dr"].ci_low, e.estimates["dr"].ci_high, e.lift_ci_low, e.lift_ci_high) for e in found]
    drawn = ends[1] if len(ends) > 1 else (np.nan,) * 4
    return [found[0].ess, *ends[0], drawn[1] - drawn[0], drawn[3] - drawn[2]]


def study(
    world_name: str,
    target: str,
    seeds: int,
    customers: int,
    truth_customers: int,
    workers: int,
    *,
    logging: str = "uniform",
    explore: float = 0.0,
    against: str = "logged",
    **changes,
):
    """Rows of `one_seed` (seeds, 7), and the true value and lift."""
    world = crl.load_world(world_name, **changes)
    log_by = exploring(crl.load_policy(logging, world), explore)
    cell = partial(one_seed, world=world, target=target, customers=customers, logging=log_by, against=against)
    rows = np.array(run_cells(cell, range(seeds), workers))
    policies = [crl.load_policy(target, world), log_by if against == "logged" else crl.load_policy(against, world)]
    value, base = (decision_value(world, p, log_by, customers=truth_customers, seed=FAR).value for p in policies)
    return rows, value, value - base


def summary(rows: np.ndarray, value: float, lift: float) -> dict:
    """Coverage with its Wilson interval, and the mean width over that of the bootstrap of the same seeds."""
    answer = {"seeds": len(rows), "ess": [float(x) for x in np.quantile(rows[:, 0], [0.0, 0.5, 1.0])]}
    for name, truth, at in (("value", value, 1), ("lift", lift, 3)):
        low, high, drawn = rows[:, at], rows[:, at + 1], rows[:, 5 + at // 2]
        inside, both = int(((low <= truth) & (truth <= high)).sum()), np.isfinite(drawn)
        wilson = stats.binomtest(inside, len(rows)).proportion_ci(method="wilson")
        answer[name] = {
            "truth": truth,
            "coverage": inside / len(rows),
            "coverage_ci": [wilson.low, wilson.high],
            "mean_width": float((high - low).mean()),
            "width_over_bootstrap": float((high - low)[both].sum() / drawn[both].sum()),
        }
    return answer


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/few_effective_rows", workers=2)
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--target", default="always:content@email")
    words.add_argument("--logging", default="uniform")
    words.add_argument("--explore", type=float, default=0.0, help="share of uniform in it at least")
    words.add_argument("--against", default="logged")
    words.add_argument("--horizon", type=int, default=90, help="days")
    words.add_argument("--seeds", type=int, default=100)
    words.add_argument("--customers", "-n", type=int, default=60)
    words.add_argument("--truth-customers", type=int, default=50_000)
    asked = words.parse_args(argv)
    sizes = (asked.seeds, asked.customers, asked.truth_customers, asked.workers)
    how = {"logging": asked.logging, "explore": asked.explore, "against": asked.against, "horizon": asked.horizon}
    print(json.dumps(summary(*study(asked.world, asked.target, *sizes, **how)), indent=2))


if __name__ == "__main__":
    run_study(main)
