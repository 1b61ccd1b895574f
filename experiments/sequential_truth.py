"""Do sequential estimates order ten policies as the simulator's truth does, over campaigns of thirty steps?

A log of whole campaigns is written by a policy that mostly pauses; each of ten other policies is valued on it and is
also run, on other customers of the same world. Prints the values, how far the log can follow each policy, and the rank
correlation of each estimator with the truth; draws both.

    python experiments/sequential_truth.py --customers 10000
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl.evaluate.diagnose import ESS_REFUSE
from campaignrl.policies.catalog import build_policy
from campaignrl.report.figures import png_bytes
from campaignrl.report.panels import Panel, Spot, panels
from campaignrl.report.sequential_figures import ess_by_step
from campaignrl.simulate import run_campaign
from campaignrl.tables.files import write_whole
from campaignrl.true_value import campaign_value

FAR = 1_000_000_000  # seed of the truth, away from that of the log
ESTIMATORS = ("fqe", "wdr")
POLICIES = (
    "none",
    "uniform",
    "rules",
    "always:content@push",
    "always:content@feed",
    "always:free_shipping@feed",
    "always:vip_perk@email",
    "always:coupon10@push",
    "always:coupon20@email",
    "always:coupon30@sms",
)


def study(world, policies, customers: int, truth_customers: int, pauses: float, seed: int) -> dict[str, tuple]:
    """Policy -> the evaluation from the log and the truth."""
    logging = build_policy({"kind": "uniform", "none_share": pauses}, world.catalog, world.features)
    log = crl.simulate(world, logging, customers=customers, seed=seed)
    return {
        policy: (
            crl.evaluate(log, policy, estimators=ESTIMATORS, folds=2, seed=seed),
            campaign_value(run_campaign(world, policy, customers=truth_customers, seed=FAR)),
        )
        for policy in policies
    }


def summary(found: dict[str, tuple]) -> dict:
    """Rank correlations, and what the verdicts say."""
    truth = [value.value for _, value in found.values()]
    ranks = {
        name: float(stats.spearmanr(truth, [e.estimates[name].value for e, _ in found.values()]).statistic)
        for name in ESTIMATORS
    }
    lasting = {policy: e.lasting for policy, (e, _) in found.items()}
    refused = [policy for policy, (e, _) in found.items() if e.verdict == "refuse"]
    return {"rank_correlation": ranks, "lasting_steps": lasting, "refused": refused}


def picture(found: dict[str, tuple], unit: str) -> bytes:
    """The truth beside what the log says; hollow where the log cannot follow the policy to the end."""

    def spots(name: str) -> list[Spot]:
        rows = [(e.estimates[name], e.verdict != "refuse") for e, _ in found.values()]
        return [Spot(x.value, x.ci_low, x.ci_high, 1, believed) for x, believed in rows]

    true = [Spot(value.value, value.ci_low, value.ci_high) for _, value in found.values()]
    columns = [Panel("truth", unit, true), *(Panel(name, unit, spots(name)) for name in ESTIMATORS)]
    note = (
        "hollow: refused, the model speaks alone from where the weights run out, and its error is not in the interval"
    )
    return png_bytes(panels({"policies": list(found)}, columns, note))


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--customers", type=int, default=10_000)
    words.add_argument("--truth-customers", type=int, default=100_000)
    words.add_argument("--horizon", type=int, default=30, help="steps, one a day")
    words.add_argument("--pauses", type=float, default=0.7, help="chance that the logging policy sends nothing")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("-o", "--output", type=Path, default=Path("runs/sequential_truth"))
    chosen = words.parse_args()
    world = crl.load_world(chosen.world, outcome_days=1, horizon=chosen.horizon)
    found = study(world, POLICIES, chosen.customers, chosen.truth_customers, chosen.pauses, chosen.seed)
    for policy, (e, truth) in found.items():
        values = "  ".join(f"{name} {e.estimates[name].value:6.2f}" for name in ESTIMATORS)
        print(
            f"{policy:28} truth {truth.value:6.2f} +- {truth.std_error:.2f}  {values}  {e.verdict}, {e.lasting} steps"
        )
    said = summary(found)
    print(json.dumps(said, indent=1))
    curves = {policy: np.array([step.ess for step in e.curve]) for policy, (e, _) in found.items()}
    unit = f"{world.money.currency} per customer over {world.horizon} days"
    sizes = png_bytes(ess_by_step(curves, ESS_REFUSE))
    facts = {p: {"truth": truth._asdict(), **e.to_dict()} for p, (e, truth) in found.items()}
    for name, data in (
        ("values.png", picture(found, unit)),
        ("ess_by_step.png", sizes),
        ("sequential_truth.json", json.dumps({"summary": said, "policies": facts}, indent=1).encode()),
    ):
        write_whole(chosen.output / name, lambda file, data=data: file.write(data))


if __name__ == "__main__":
    main()
