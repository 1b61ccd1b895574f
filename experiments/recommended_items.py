"""Are recommended items clicked more often than others? The recommender, judged by the evaluator on Open Bandit.

The clicks of one log (`bts`, a fashion shop's own policy) are interactions of groups of customers who share the four
features that are known of them. The recommender names the items for each group, and a policy shows these alike. The
other log, in which items were drawn at random, values it, beside the items that were clicked most and what that log
itself did, by doubly robust estimates with intervals. Nothing of the log that judges was learned from.

    python experiments/recommended_items.py FOLDER --campaigns all men
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

import campaignrl as crl
from campaignrl.profiles.items import fit_recommender, interactions_of
from campaignrl.suites import run_study, study_words

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / "shared" / "data" / "obd"
SHOWN = 10  # items of a group, each as often
GROUP = "user_feature_"


def groups(log: crl.DecisionLog) -> np.ndarray:
    """(n,) what is known of each row's customer, as one word."""
    names = sorted(name for name in log.context.columns if name.startswith(GROUP))
    return np.array(["|".join(one) for one in zip(*(log.context.labels(name) for name in names), strict=True)])


def clicks(log: crl.DecisionLog) -> pd.DataFrame:
    """Who clicked on what: each click on a day of its own, for a group is many customers and all their clicks count."""
    hit = log.reward > 0
    day = pd.Timestamp("2019-11-24") + pd.to_timedelta(np.arange(int(hit.sum())), unit="D")
    items = np.array(log.catalog.names, dtype=object)[log.action[hit]]
    return pd.DataFrame({"customer_id": groups(log)[hit], "item_id": items, "ts": day})


def shows(items: pd.DataFrame, log: crl.DecisionLog) -> np.ndarray:
    """(n, k) chances of each item in each row: the recommended ones of the row's group alike."""
    names = pd.Index(log.catalog.names)
    place = pd.Series(range(items["customer_id"].nunique()), index=items["customer_id"].unique())
    table = np.zeros((len(place), len(names)))
    table[place[items["customer_id"]].to_numpy(), names.get_indexer(items["item_id"])] = 1.0
    table /= table.sum(axis=1, keepdims=True)
    return table[place[groups(log)].to_numpy()]


def study(taught: crl.DecisionLog, judge: crl.DecisionLog) -> list[dict]:
    """A row a way to choose: clicks per slot, and the lift over what the judging log did."""
    known = clicks(taught)
    made = fit_recommender(interactions_of(known), span=1)
    who = np.unique(groups(judge))
    top = known["item_id"].value_counts(sort=True).sort_index(kind="stable").nlargest(SHOWN).index
    popular = pd.MultiIndex.from_product([who, top], names=["customer_id", "item_id"]).to_frame(index=False)
    ways = {"recommended": shows(made.recommend(who.tolist(), SHOWN), judge), "most clicked": shows(popular, judge)}
    rows = []
    for name, chances in {**ways, "as logged, at random": "logged"}.items():
        found = crl.evaluate(judge, chances)
        best = found.estimates["dr"]
        row = {"shown": name, "clicks per slot": best.value, "low": best.ci_low, "high": best.ci_high}
        lift = {"lift": found.lift, "lift_low": found.lift_ci_low, "lift_high": found.lift_ci_high}
        rows.append(row | (lift if name in ways else {}) | {"verdict": found.verdict, "ess": found.ess})
    return rows


def conclusion(rows: pd.DataFrame) -> str:
    """What the intervals of the lifts allow one to say."""
    judged = rows[rows["lift"].notna()]
    said = [
        f"{row.shown} ({row.campaign}) is {'better' if row.lift > 0 else 'worse'} than chance"
        for row in judged.itertuples()
        if row.lift_low > 0 or row.lift_high < 0
    ]
    return "; ".join(said) + "." if said else f"None of {len(judged)} ways is told apart from items drawn at random."


def main(argv: list[str] | None = None) -> None:
    """Both campaigns, as far as they are asked for."""
    words = study_words(__doc__, json=True)
    words.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="holds random/ and bts/")
    words.add_argument("--mapping", type=Path, default=HERE / "mappings" / "obd.toml")
    words.add_argument("--campaigns", nargs="+", default=["all", "men"])
    asked = words.parse_args(argv)
    rows = []
    for name in asked.campaigns:
        paths = [asked.folder / policy / name / f"{name}.csv.gz" for policy in ("bts", "random")]
        rows += [{"campaign": name, **row} for row in study(*(crl.read_log(path, asked.mapping) for path in paths))]
    table = pd.DataFrame(rows)
    text = conclusion(table)
    if asked.json:
        print(json.dumps({"ways": json.loads(table.to_json(orient="records")), "conclusion": text}))
        return
    print(table.to_string(index=False, float_format="{:.4g}".format, na_rep=""))
    print(text)


if __name__ == "__main__":
    run_study(main)
