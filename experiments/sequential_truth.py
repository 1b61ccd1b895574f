"""Do sequential estimates order ten policies as the simulator's truth does, over campaigns of thirty steps?

A log of whole campaigns is written by chance; ten policies, most of which keep to one offer, are valued on it and are
also run, on other customers of the same world. Prints the values, how far the log can follow each policy, and the rank
correlation of each estimator with the truth; draws both.

    python experiments/sequential_truth.py --customers 3400 --seed 0
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import stats

import campaignrl as crl
from campaignrl.actions import NONE, Catalog
from campaignrl.evaluate.diagnose import ESS_REFUSE
from campaignrl.policies.fixed import SEES_NOTHING, Untrained
from campaignrl.report.figures import png_bytes
from campaignrl.report.panels import Panel, Spot, panels
from campaignrl.report.sequential_figures import ess_by_step
from campaignrl.simulate import run_campaign
from campaignrl.specs.toml import Spec
from campaignrl.tables.files import write_whole
from campaignrl.true_value import campaign_value

FAR = 1_000_000_000  # seed of the truth, away from that of the log
ESTIMATORS = ("fqe", "wdr")


class AnyChannel(Untrained):
    """One offer to everybody who may have it, each day on one of the channels that are open, at random."""

    kind = "any_channel"

    def __init__(self, catalog: Catalog, offer: str) -> None:
        super().__init__(catalog, SEES_NOTHING, Spec(), offer)
        self._mine = np.array([action.offer == offer for action in catalog.actions])

    def probabilities(self, context, allowed):
        """(n, k): even over the offer's open channels, else nothing."""
        mine = allowed & self._mine
        mine[~mine.any(axis=1), NONE] = True
        return mine / mine.sum(axis=1, keepdims=True)


def ten_policies(world) -> dict[str, object]:
    """Nothing, anything, and each offer of the world by itself."""
    offers = {offer.name: AnyChannel(world.catalog, offer.name) for offer in world.catalog.offers}
    return {"nothing": "none", "anything": "uniform", **offers}


def study(world, policies: dict, customers: int, truth_customers: int, seed: int) -> dict[str, tuple]:
    """Name -> the evaluation from the log and the truth."""
    log = crl.simulate(world, "uniform", customers=customers, seed=seed)
    found = {}
    for name, policy in policies.items():
        e = crl.evaluate(log, policy, estimators=ESTIMATORS, folds=2, seed=seed)
        truth = campaign_value(run_campaign(world, policy, customers=truth_customers, seed=FAR))
        values = "  ".join(f"{x} {e.estimates[x].value:6.2f} +- {e.estimates[x].std_error:.2f}" for x in ESTIMATORS)
        line = f"{name:16} truth {truth.value:6.2f} +- {truth.std_error:.2f}  {values}  {e.verdict}, {e.lasting} steps"
        print(line, flush=True)
        found[name] = (e, truth)
    return found


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
    shown = {"truth": true, **{name: spots(name) for name in ESTIMATORS}}
    ends = [end for each in shown.values() for spot in each for end in (spot.low, spot.high)]
    limits = (min(ends), max(ends))
    columns = [Panel(name, unit, each, limits=limits) for name, each in shown.items()]
    note = (
        "hollow: refused, the model speaks alone from where the weights run out, and its error is not in the interval"
    )
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in summary(found)["rank_correlation"].items())
    return png_bytes(panels(f"Rank correlation with the truth: {ranks}", {"policies": list(found)}, columns, note))


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--customers", type=int, default=3_400)
    words.add_argument("--truth-customers", type=int, default=100_000)
    words.add_argument("--horizon", type=int, default=30, help="steps, one a day")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("-o", "--output", type=Path, default=Path("runs/sequential_truth"))
    chosen = words.parse_args()
    world = crl.load_world(chosen.world, outcome_days=1, horizon=chosen.horizon)
    found = study(world, ten_policies(world), chosen.customers, chosen.truth_customers, chosen.seed)
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
