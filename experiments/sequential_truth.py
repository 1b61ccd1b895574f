"""Do sequential estimates order ten policies as the simulator's truth does, over campaigns of thirty steps?

Logs of whole campaigns are written by chance; ten policies, most of which keep to one offer, are valued on each and are
also run, on other customers of the same world. Prints how far a log can follow each policy and, of each estimator, the
rank correlation with the truth: its mean over logs with a 95 % t interval, beside what errors of that size allow
(ranking.py). Draws the values and the effective sizes of the first log. Finished logs are kept: a study goes on.

    python experiments/sequential_truth.py --logs 12
    python experiments/sequential_truth.py --logs 12 --model contrasts
"""

import argparse
import json
import sys
from functools import partial

import numpy as np
from ranking import correlations, summary

import campaignrl as crl
from campaignrl import Catalog
from campaignrl.actions import NONE
from campaignrl.campaign import run_campaign
from campaignrl.ope.diagnostics import ESS_REFUSE
from campaignrl.ope.nuisance import KINDS
from campaignrl.policies.fixed import SEES_NOTHING, Untrained
from campaignrl.report.figures import Panel, Spot, ess_by_step, panels, png_bytes
from campaignrl.specs import Spec
from campaignrl.suites import kept, run_study, study_words, write_files
from campaignrl.true_value import campaign_lift, campaign_value

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


def true_values(world, policies: dict, customers: int) -> dict[str, dict]:
    """Name -> value of a whole campaign, and what it brings over `nothing` on the same customers."""
    found, idle = {}, None
    for name, policy in policies.items():
        campaign = run_campaign(world, policy, customers=customers, seed=FAR)
        idle = campaign if idle is None else idle
        found[name] = {**campaign_value(campaign)._asdict(), "lift": campaign_lift(campaign, idle)._asdict()}
    return found


def one_log(world, policies: dict, customers: int, seed: int, model: str) -> dict[str, dict]:
    """Name -> what one log says."""
    log = crl.simulate(world, "uniform", customers=customers, seed=seed)
    words = {"estimators": ESTIMATORS, "folds": 2, "seed": seed, "model": model}
    return {name: crl.evaluate(log, policy, **words).to_dict() for name, policy in policies.items()}


def summary_of(truth: dict, logs: list[dict]) -> dict:
    """Rank correlations, and what the verdicts of the first log say."""
    names = list(truth)
    lift = np.array([truth[name]["lift"]["value"] for name in names])
    ranks = {}
    for estimator in ESTIMATORS:
        values = np.array([[log[name]["estimates"][estimator]["value"] for name in names] for log in logs])
        lifted, decisions = values - values[:, :1], float(np.mean([log[names[0]]["n"] for log in logs]))
        found = summary(lift, lifted, decisions) if len(logs) > 1 else {"logs": 1}
        ranks[estimator] = {**found, "each": correlations(lift, lifted).tolist()}
    lasting = {name: logs[0][name]["lasting"] for name in names}
    refused = [name for name in names if logs[0][name]["verdict"] == "refuse"]
    return {"ranks": ranks, "lasting_steps": lasting, "refused": refused}


def table(truth: dict, logs: list[dict], said: dict) -> str:
    """The values of the first log beside the truth, then the ranks over all logs."""
    lines = [f"{'':16} {'truth':>15}" + "".join(f"{name:>16}" for name in ESTIMATORS) + "   first log"]
    for name, true in truth.items():
        e = logs[0][name]
        shown = [true, *(e["estimates"][x] for x in ESTIMATORS)]
        values = "".join(f"{_said(x['value']):>9} ({_said(x['std_error'])})" for x in shown)
        lines.append(f"{name:16} {values}   {e['verdict']}, {e['lasting']} steps")
    for name, found in said["ranks"].items():
        each = " ".join(f"{rank:.2f}" for rank in found["each"])
        line = f"{name}: rank correlation by log {each}"
        if found["logs"] > 1:
            mean, (low, high), reach = found["rank_correlation"], found["ci"], found["reachable"]
            wants = "-" if found["decisions_wanted"] is None else f"{found['decisions_wanted']:,.0f}"
            line += f"; mean {mean:.3f} [{low:.3f}, {high:.3f}], reachable {reach:.3f}"
            line += f", error of a lift {found['rmse']:.2f} where true ones spread by {found['spread_of_truth']:.2f}"
            line += f", 0.9 takes {wants} decisions"
        lines.append(line)
    return "\n".join(lines)


def _said(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"  # a value that only the model knows has no error


def picture(truth: dict, log: dict, said: dict, unit: str) -> bytes:
    """The truth beside what the log says; hollow where the log cannot follow the policy to the end."""

    def spots(name: str) -> list[Spot]:
        rows = [(e["estimates"][name], e["verdict"] != "refuse") for e in log.values()]
        return [
            Spot(x["value"], *(x["value"] if x[end] is None else x[end] for end in ("ci_low", "ci_high")), 1, believed)
            for x, believed in rows
            if x["value"] is not None
        ]

    true = [Spot(value["value"], value["ci_low"], value["ci_high"]) for value in truth.values()]
    shown = {"truth": true, **{name: spots(name) for name in ESTIMATORS}}
    ends = [end for each in shown.values() for spot in each for end in (spot.low, spot.high)]
    room = 0.05 * (max(ends) - min(ends))
    limits = (min(ends) - room, max(ends) + room)
    columns = [Panel(name, unit, each, limits=limits) for name, each in shown.items()]
    note = (
        "hollow: refused, the model speaks alone from where the weights run out, and its error is not in the interval"
    )
    ranks = ", ".join(f"{name} {np.mean(found['each']):.2f}" for name, found in said["ranks"].items())
    logs = len(said["ranks"][ESTIMATORS[0]]["each"])
    head = f"Rank correlation with the truth, mean of {logs} log{'s' * (logs > 1)}: {ranks}"
    return png_bytes(panels(f"{head}. Shown: the first log", {"policies": list(truth)}, columns, note))


def words() -> argparse.ArgumentParser:
    """The words of the call."""
    parser = study_words(__doc__, "runs/sequential_truth", json=True)
    parser.add_argument("--world", default="ecommerce")
    parser.add_argument("--customers", type=int, default=3_400, help="of a log")
    parser.add_argument("--truth-customers", type=int, default=100_000)
    parser.add_argument("--horizon", type=int, default=30, help="steps, one a day")
    parser.add_argument("--logs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first log")
    parser.add_argument("--model", choices=KINDS, default=KINDS[0], help="what Q is fitted with")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    asked = words().parse_args(argv)
    world = crl.load_world(asked.world, outcome_days=1, horizon=asked.horizon)
    policies, at = ten_policies(world), asked.output / f"{asked.world}-{asked.horizon}"
    truth = kept(
        at / f"truth-{asked.truth_customers}.json", partial(true_values, world, policies, asked.truth_customers)
    )
    logs = []
    for seed in range(asked.seed, asked.seed + asked.logs):
        made = partial(one_log, world, policies, asked.customers, seed, asked.model)
        logs.append(kept(at / f"{asked.model}-{asked.customers}-{seed}.json", made))
        print(f"log {len(logs)} of {asked.logs}", file=sys.stderr, flush=True)
    said = summary_of(truth, logs)
    facts = {"summary": said, "truth": truth, "first_log": logs[0]}
    curves = {name: np.array([step["ess"] for step in e["curve"]]) for name, e in logs[0].items()}
    unit = f"{world.money.currency} per customer over {world.horizon} days"
    files = {
        "values.png": picture(truth, logs[0], said, unit),
        "ess_by_step.png": png_bytes(ess_by_step(curves, ESS_REFUSE)),
    }
    write_files(asked.output, {**files, "sequential_truth.json": json.dumps(facts, indent=1)})
    print(json.dumps(facts, indent=1) if asked.json else table(truth, logs, said))


if __name__ == "__main__":
    run_study(main)
