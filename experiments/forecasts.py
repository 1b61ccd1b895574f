"""What follows, foretold by the tags of profiles and held against what came: CDNOW's music shop and a gift wholesaler.

From the first 39 weeks of CDNOW's sample and the first 40 of Online Retail, profiles are built with the tags
`expected_orders`, `clv` and `p_return` for the time that follows, and their sums are set beside the orders and the
revenue that came, with every model's error, and that of repeating the last period of the same length. Then whether
the chance to return is true: in each fifth of the customers by it, and among those who have been silent for three of
their own gaps, by number of orders.

    python experiments/forecasts.py [--data FOLDER] [-o FOLDER] [--json]
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl.profiles.intake import intake
from campaignrl.profiles.store import build_profiles
from campaignrl.profiles.tags import TagSet
from campaignrl.suites import run_study, study_words
from campaignrl.tables import read_events

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
SHOPS = {"cdnow": ("1997-10-01", "1998-07-01"), "online_retail": ("2010-09-07", "2010-12-10")}
ALLOWED = {"cdnow": 0.10, "online_retail": 0.15}
SILENT = 3.0  # of one's own gaps
GROUPS = ((1, 1), (2, 3), (4, 7), (8, 10_000))  # orders after the first


class Judged(NamedTuple):
    """One shop: figures foretold beside those that came."""

    days: int
    model: str
    caution: str
    totals: dict  # orders, revenue -> (foretold, came, the last period repeated)
    models: dict  # orders, revenue -> model -> foretold
    last_fifth: dict  # model -> its figures for the last fifth of what was known
    fifths: list  # (customers, chance to return, share who did), by the chance
    silent: list  # (customers, chance, share), by number of orders


def tags(days):
    """The tags that forecast, for so many days."""
    words = {
        "orders_to_come": {"level": "value", "kind": "model", "of": "expected_orders", "days": days},
        "revenue_to_come": {"level": "value", "kind": "model", "of": "clv", "days": days},
        "p_return": {"level": "lifecycle", "kind": "model", "of": "p_return", "days": days},
        "orders": {"level": "behaviour", "kind": "statistic", "of": "number of orders"},
    }
    return TagSet(name="forecasts", tags=words)


def judge(events, cut, end):
    """The tags of what is known on the morning of `cut`, and what came before `end`."""
    days = (end - cut).days
    made = build_profiles(events[events["ts"] < cut], tags=tags(days), as_of=cut.date())
    frame = made.frame[made.frame["orders"] > 0].set_index("customer_id")
    fit, of_revenue = (made.facts["tags"][f"{what}_to_come"]["fit"] for what in ("orders", "revenue"))
    models = {"orders": fit["total_by"], "revenue": of_revenue["total_by"]}
    came, before = (within(events, a, b, frame.index) for a, b in ((cut, end), (cut - (end - cut), cut)))
    totals = {
        "orders": (float(frame["orders_to_come"].sum()), came.days, before.days),
        "revenue": (float(frame["revenue_to_come"].sum()), came.revenue, before.revenue),
    }
    chance, returned = frame["p_return"].to_numpy(), came.by_customer.reindex(frame.index).fillna(0).to_numpy() > 0
    fifth = np.argsort(np.argsort(chance, kind="stable"), kind="stable") * 5 // len(chance)
    silent, again = silence(events[events["ts"] < cut], cut, frame.index)
    groups = [silent & (again >= low) & (again <= high) for low, high in GROUPS]
    return Judged(
        days, fit["model"], fit.get("caution", ""), totals, models, fit.get("last_fifth", {}),
        [figures(chance, returned, fifth == k) for k in range(5)],
        [figures(chance, returned, one) for one in groups if one.any()],
    )  # fmt: skip


class Within(NamedTuple):
    """Days with an order, by customer and in all, and revenue less refunds."""

    by_customer: pd.Series
    days: int
    revenue: float


def within(events, start, end, known):
    """What known customers did from `start` up to `end`."""
    here = events[(events["ts"] >= start) & (events["ts"] < end) & events["customer_id"].isin(known)]
    orders = here[here["kind"] == "order"]
    days = orders.assign(day=orders["ts"].dt.normalize()).drop_duplicates(["customer_id", "day"])
    back = here.loc[here["kind"] == "refund", "amount"].sum()
    return Within(days.groupby("customer_id").size(), len(days), float(orders["amount"].sum() - back))


def silence(events, cut, ids):
    """Who has been silent for longer than three mean gaps of their own, and orders after the first."""
    orders = events[events["kind"] == "order"]
    day = orders["ts"].dt.normalize()
    of = day.groupby(orders["customer_id"]).agg(["min", "max", "nunique"]).reindex(ids)
    again = of["nunique"].to_numpy() - 1
    gap = (of["max"] - of["min"]).dt.days.to_numpy() / np.maximum(again, 1)
    return (again > 0) & ((cut - of["max"]).dt.days.to_numpy() > SILENT * gap), again


def figures(chance, returned, rows):
    """Customers, the mean chance, the share who returned."""
    return int(rows.sum()), float(chance[rows].mean()), float(returned[rows].mean())


def true(one):
    """Whether a chance is within 0.05 or two standard errors of the share."""
    n, chance, share = one
    return abs(chance - share) <= max(0.05, 2.0 * (share * (1.0 - share) / n) ** 0.5)


def say(name, found):
    """The figures of one shop in words."""
    print(f"{name}: the {found.days} days that follow, by {found.model}")
    for what, (told, came, last) in found.totals.items():
        off = told / came - 1.0
        verdict = "within" if abs(off) <= ALLOWED[name] else "MISSED"
        print(f"  {what:8} {told:12,.0f} came {came:12,.0f}  {off:+6.1%} ({verdict} {ALLOWED[name]:.0%})"
              f"   last period repeated {last:12,.0f}  {last / came - 1.0:+6.1%}")  # fmt: skip
        for model, total in found.models[what].items():
            print(f"    {model:14} {total:12,.0f}  {total / came - 1.0:+6.1%}")
    for model, one in found.last_fifth.items():
        off = one["expected"] / one["actual"] - 1.0
        print(f"  last fifth by {model:14} {one['expected']:7,.0f} of {one['actual']:,}  {off:+6.1%}")
    for title, rows in (("fifth", found.fifths), ("silent", found.silent)):
        told = [f"{c:.2f}/{s:.2f}{'' if true((n, c, s)) else '!'} ({n:,})" for n, c, s in rows]
        print(f"  chance to return/share who did, {title:7}{'  '.join(told)}")
    print(f"  {found.caution}\n" if found.caution else "")


def study(data, folder):
    """Every shop whose data are there, by name."""
    found = {}
    for name, (cut, end) in SHOPS.items():
        if (data / name).is_dir():
            taken = intake(HERE / "mappings" / f"{name}.toml", data / name, folder / name)
            found[name] = judge(read_events(taken.events_path), pd.Timestamp(cut), pd.Timestamp(end))
    return found


def main(argv=None):
    """Both shops, as far as their data are there."""
    words = study_words(__doc__, "runs/forecasts", json=True)
    words.add_argument("--data", type=Path, default=DATA, help="folder of cdnow and online_retail")
    said = words.parse_args(argv)
    found = study(said.data, said.output)
    if said.json:
        print(json.dumps({name: one._asdict() for name, one in found.items()}))
        return
    for name, one in found.items():
        say(name, one)


if __name__ == "__main__":
    run_study(main)
