"""A world from half of a real log, a policy taught in it alone: what is it worth on the other half, beside others?

Two real tests: six waves of a coffee chain's offers (Starbucks), one wave of e-mails (Hillstrom). On the customers of
one half a world is calibrated; `rollout` and a learner from that world's own log are taught there and never see a real
outcome; learners from logs are taught on the real half itself. The other half values them all: doubly robust, paired
with the best fixed offer (chosen on the first half), with the evaluator's verdict. Of Hillstrom's customers a policy
sees the 21 groups that the world knows.

    python experiments/calibrated_worlds.py -o runs/calibrated_worlds
    python experiments/calibrated_worlds.py --data hillstrom --taught 2000
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from hillstrom import judged
from hillstrom_world import HERE, LOG, read
from starbucks_campaign import as_the_world_sees, campaign_of
from starbucks_log import events_of, per_day, read_starbucks
from starbucks_world import FOLDER

import campaignrl as crl
from campaignrl import DecisionLog
from campaignrl.calibration import calibrate_campaign
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope import compare_on_log
from campaignrl.policies import one_blas_thread
from campaignrl.suites import kept, run_cells, run_study, study_words
from campaignrl.tables.log import split_by_customer

IN_THE_WORLD, FROM_THE_LOG = ("rollout", "dr_uplift"), ("dr_greedy", "dr_uplift", "dr_select", "pessimistic")
HEAD = ("data", "policy", "taught", "value", "over the best fixed offer", "over nothing sent", "verdict")
ALPHA = 0.05


class Halves(NamedTuple):
    """A world of one half, and both halves as policies of that world see them."""

    world: crl.World
    learn: DecisionLog
    other: DecisionLog
    features: FeatureSchema  # what is known of a real customer


def starbucks(folder: Path, seed: int) -> Halves:
    """Dollars a day until the next wave."""
    log, events = read_starbucks(folder), events_of(folder)
    campaign, customers = campaign_of(log, events, folder)
    half, _ = split_by_customer(log, 0.5, seed)
    campaign = campaign.take(np.isin(campaign.rows.customer, half.customer))
    like = HERE / "worlds" / "starbucks_like.toml"
    world = calibrate_campaign(campaign, like, by_spend=True, title="Starbucks rewards log", seed=seed).world
    seen = as_the_world_sees(per_day(log), events, customers, world)
    return Halves(world, *split_by_customer(seen, 0.5, seed), world.features)


def hillstrom(path: Path, seed: int) -> Halves:
    """Dollars within two weeks."""
    learn, _ = read(path, seed)
    like = HERE / "worlds" / "hillstrom_like.toml"
    world = calibrate_campaign(learn, like, title="Hillstrom's shop", seed=seed).world
    log = crl.read_log(path, HERE / "mappings" / "hillstrom.toml", "spend")
    whole = pd.Series(learn.segments)
    merchandise = np.array(["", "mens", "womens", "both"])[
        log.context.columns["mens"].astype(int) + 2 * log.context.columns["womens"].astype(int)
    ]
    spent = [text.partition(")")[0] for text in log.context.labels("history_segment")]
    code = pd.Index(whole).get_indexer([f"{m}_{s}" for m, s in zip(merchandise, spent, strict=True)])
    (segment,) = (f for f in world.features.features if f.name == "segment")
    levels = pd.Index(segment.levels).get_indexer(whole)
    schema = FeatureSchema((Feature(name="segment", levels=segment.levels),))
    actions = np.array([0, *(world.catalog.id_of(f"{a.offer}@{a.channel}") for a in log.catalog.actions[1:])])
    context = Context(schema, {"segment": levels[code].astype(np.int16)})
    seen = replace(log, catalog=world.catalog, context=context, action=actions[log.action], eligible=None)
    return Halves(world, *split_by_customer(seen, 0.5, seed), schema)


DATA = {"starbucks": (starbucks, FOLDER), "hillstrom": (hillstrom, LOG)}


def taught(halves: Halves, kind: str, customers: int, seed: int) -> crl.Policy:
    """In the calibrated world alone, with features that real customers have."""
    policy = crl.load_policy(kind, halves.world.catalog, features=halves.features, seed=seed)
    if kind == "rollout":
        return crl.train(policy, halves.world, customers=customers, seed=seed)
    return crl.train(policy, crl.simulate(halves.world, "uniform", customers=2 * customers, seed=seed + 2))


def valued(halves: Halves, customers: int, seed: int) -> dict:
    """A row a policy, on the half that taught nobody."""
    learn, other = halves.learn, halves.other
    fixed = [f"always:{name}" for name in learn.catalog.names[1:]]
    best = max(fixed, key=lambda name: crl.evaluate(learn, name, seed=seed).estimates["dr"].value)
    tried = [("none", "-", "none"), (best, "the best fixed offer", best)]
    tried += [(kind, "in the world", taught(halves, kind, customers, seed)) for kind in IN_THE_WORLD]
    for kind in FROM_THE_LOG:
        policy = crl.load_policy(kind, halves.world.catalog, features=halves.features, seed=seed)
        tried.append((kind, "on the real half", crl.train(policy, learn)))
    rows = []
    for name, where, policy in tried:
        found, lift = judged(other, policy, best, ALPHA, seed)
        dr, over = found.estimates["dr"], compare_on_log(other, policy, "none", alpha=ALPHA, seed=seed)
        rows.append({"policy": name, "taught": where, "verdict": found.verdict})
        rows[-1]["value"] = [dr.value, dr.ci_low, dr.ci_high]
        rows[-1]["lift"] = [lift.value, lift.ci_low, lift.ci_high]
        rows[-1]["gain"] = [over.value, over.ci_low, over.ci_high]
        rows[-1]["told"] = getattr(policy, "told", [])[:1]
    return {"rows": rows, "unit": str(other.meta.get("reward", "reward")), "decisions": len(other)}


def cell(name: str, places: dict, customers: int, seed: int, folder: Path) -> dict:
    """One data set."""
    make, usual = DATA[name]

    def work() -> dict:
        with one_blas_thread():
            return valued(make(places.get(name, usual), seed), customers, seed)

    return kept(folder / f"{name}-{customers}-{seed}.json", work)


def document(found: dict[str, dict]) -> str:
    """One table."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for name, one in found.items():
        for row in one["rows"]:
            cells = [_said(row[figure]) for figure in ("value", "lift", "gain")]
            lines.append(f"| {' | '.join([name, row['policy'], row['taught'], *cells, row['verdict']])} |")
    return "\n".join(lines) + "\n"


def conclusion(found: dict[str, dict]) -> str:
    """What follows, from the intervals alone."""
    said = []
    for name, one in found.items():
        for row in one["rows"]:
            if row["policy"] == "rollout":
                fixed, idle = _place(row["lift"]), _place(row["gain"])
                said.append(f"{name}: rollout, taught in it, is {fixed} the best fixed offer and {idle} nothing sent")
    return "; ".join(said) + "."


def _place(difference: list) -> str:
    return "above" if difference[1] > 0 else "below" if difference[2] < 0 else "not told apart from"


def _said(figure: list) -> str:
    return "{:.3f} [{:.3f}, {:.3f}]".format(*figure) if np.isfinite(figure).all() else "refused"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/calibrated_worlds", workers=1)
    words.add_argument("--data", nargs="+", choices=sorted(DATA), default=sorted(DATA))
    words.add_argument("--starbucks", type=Path, default=FOLDER, help="folder of the data set")
    words.add_argument("--hillstrom", type=Path, default=LOG, help="any file of the data set")
    words.add_argument("--taught", type=int, default=8_000, help="customers of each round of rollout's training")
    words.add_argument("--seed", type=int, default=0, help="of the halves and of the simulation")
    asked = words.parse_args(argv)
    places = {"starbucks": asked.starbucks, "hillstrom": asked.hillstrom}
    work = partial(cell, places=places, customers=asked.taught, seed=asked.seed, folder=asked.output / "parts")
    found = dict(zip(asked.data, run_cells(work, asked.data, asked.workers), strict=True))
    print(document(found))
    print(conclusion(found))


if __name__ == "__main__":
    run_study(main)
