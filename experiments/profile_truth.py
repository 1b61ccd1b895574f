"""Are tags right? Profiles built from a simulated shop's events, against what the simulator knows of each customer.

180 days of the bundled web shop at its own noise: 15 % of the looked-up tags are wrong, 10 % missing, looked up anew
every 30 days. Judged are the segment and the price level (settled over the looks), the lifecycle (prospect, new, live,
gone: dropping out is silent and never seen), and the most valuable fifth. Beside each stands what nobody can beat:

  segment, price   the posterior given all looks, with the true noise and shares
  lifecycle        the posterior given each customer's own true rates, which no tagger knows, from orders alone; and a
                   classifier taught with the truth of the other half of the customers, which no tagger has
  value            the same classifier

    python experiments/profile_truth.py                  # business as usual and nothing sent, about a minute
    python experiments/profile_truth.py --customers 1000 --json
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

import campaignrl as crl
from campaignrl.campaign import ready_policy
from campaignrl.choices import decide_day
from campaignrl.cli import say, say_table
from campaignrl.envs import Panel, play_history, truth_of
from campaignrl.profiles.store import build_profiles
from campaignrl.suites import run_study, study_words

DAYS, ASKED, STATES = 180, 0.90, ("prospect", "new", "live", "gone")
TAGS = Path(__file__).parent / "tags" / "truth.toml"


def by_looks(looks: pd.DataFrame, truth: pd.Series, wrong: float) -> float:
    """Expected share right of the best guess from the looks alone: the mean of the largest posterior chance."""
    levels = sorted(truth.unique())
    seen = looks.dropna(subset="value").groupby(["customer_id", "value"]).size().unstack(fill_value=0)
    seen = seen.reindex(index=truth.index, columns=levels, fill_value=0).to_numpy()
    odds = np.log((1 - wrong) / (wrong / (len(levels) - 1)))
    log = seen * odds + np.log(truth.value_counts(normalize=True).reindex(levels).to_numpy())
    chance = np.exp(log - log.max(axis=1, keepdims=True))
    return float((chance.max(axis=1) / chance.sum(axis=1)).mean())


def by_own_rates(truth: pd.DataFrame, recency: pd.Series) -> np.ndarray:
    """Chance of being alive given the customer's own rates (Pareto/NBD, Schmittlein et al. 1987), orders alone."""
    both = truth["rate"] + truth["drop_rate"]
    return (1 / (1 + truth["drop_rate"] / both * np.expm1(np.minimum(both * recency, 500)))).to_numpy()


def by_taught(tags: pd.DataFrame, truth: np.ndarray) -> float:
    """Share right of a classifier taught with the truth of the other half, on tags that are numbers."""
    x, half, right = tags.select_dtypes("number").fillna(-1.0).to_numpy(), np.arange(len(tags)) % 2 == 0, 0
    for rows in (half, ~half):
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0).fit(x[rows], truth[rows])
        right += int((model.predict(x[~rows]) == truth[~rows]).sum())
    return right / len(tags)


def judge(policy: str, customers: int, seed: int) -> dict:
    """One run: shares right with their ceilings, and the lifecycle's confusion matrix."""
    world = crl.load_world("ecommerce", horizon=DAYS)
    panel, playing = Panel(world, customers, seed), ready_policy(policy, world)
    told = play_history(panel, lambda panel: decide_day(panel, playing).action)
    made = build_profiles(told.events, told.attributes, TAGS, told.as_of, refreshes=told.refreshes)
    tags = made.frame.set_index("customer_id")
    truth = truth_of(panel).set_index("customer_id").reindex(tags.index)
    buyers = tags["orders"] > 0
    state = np.where(~buyers, "prospect", np.where(tags["age"] < 30, "new", np.where(truth["alive"], "live", "gone")))
    seen = np.isin(state, ("prospect", "new"))  # follows from the orders, which are a log
    own = by_own_rates(truth, tags["recency"].fillna(0.0))
    worth = truth["rate"] * truth["basket"]
    top, tier = (x >= x.quantile(0.8) for x in (worth, tags["spend_a_month"]))
    stage = pd.Series(panel.observe().labels("stage"), panel.ids.astype(str)).reindex(tags.index)
    best = {name: by_looks(looks, truth[name], world.tags.wrong) for name, looks in told.refreshes.groupby("name")}
    alive, by_orders = tags["p_alive"] >= 0.5, float(np.where(seen, 1.0, np.maximum(own, 1 - own)).mean())
    rows = {
        "segment, newest look": (tags["segment_newest"] == truth["segment"], None),
        "segment, settled": (tags["segment"] == truth["segment"], best["segment"]),
        "price level, newest look": (tags["price_newest"] == truth["price_tag"], None),
        "price level, settled": (tags["price"] == truth["price_tag"], best["price_tag"]),
        "stage, as the panel derives it": (tags["stage"] == stage, 1.0),
        "lifecycle, orders alone": (seen | (alive == truth["alive"]), by_orders),
        "lifecycle": (tags["lifecycle"].to_numpy() == state, by_taught(tags, state)),
        "most valuable fifth": (tier == top, by_taught(tags, top.to_numpy())),
    }
    right = {name: {"right": float(np.mean(hit)), "ceiling": ceiling} for name, (hit, ceiling) in rows.items()}
    table = pd.crosstab(state, tags["lifecycle"].to_numpy()).reindex(index=STATES, columns=STATES, fill_value=0)
    return {"policy": policy, "events": len(told.events), "tags": right, "confusion": table.to_dict("index")}


def main(argv: list[str] | None = None) -> None:
    """Judge both policies and print."""
    ask = study_words(__doc__, json=True)
    ask.add_argument("--customers", type=int, default=4_000)
    ask.add_argument("--seed", type=int, default=5)
    asked = ask.parse_args(argv)
    found = [judge(policy, asked.customers, asked.seed) for policy in ("rules", "none")]
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for one in found:
        say(f"\n{one['policy']}: {asked.customers:,} customers, {DAYS} days, {one['events']:,} events")
        rows = [(name, *(f"{s:.1%}" if s else "" for s in tag.values()), "yes" if tag["right"] >= ASKED else "no")
                for name, tag in one["tags"].items()]  # fmt: skip
        say_table(("tag", "right", "ceiling", f"at least {ASKED:.0%}"), rows)
        lines = [(state, *(f"{row[s]:,}" for s in STATES)) for state, row in one["confusion"].items()]
        say_table(("truth \\ tag", *STATES), lines, title="\nlifecycle, customers")


if __name__ == "__main__":
    run_study(main)
