"""A world from a year of a gift wholesaler's invoices, and how close it comes to the last quarter, held back.

Online Retail II, December 2009 to December 2010. From the first 40 weeks of all customers: segments (by the value of
the first order and whether it lies in the first month of the data, both known before anything is predicted), for each
of them order rates, drop-out and baskets, and how busy each week was. How busy the last quarter was no earlier week can
tell: that is learned from a random half of the customers. The table compares the other half's last quarter, of which
nothing was used, with simulated customers who share nothing with the real ones but segment and day of the first order.
`--forecast` takes every week of the last quarter for an average one instead: what can be said without seeing it.

    python experiments/online_retail.py [INVOICES.parquet] [-o FOLDER] [--forecast] [--json]
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl import World, rng
from campaignrl.calibration.purchase import (
    Fitted,
    Purchases,
    fit_pareto_nbd,
    fit_season,
    later_factors,
    log_covariance,
    lognormal_basket,
    pareto_numbers,
)
from campaignrl.calibration.realism import Scorecard, entering, scorecard
from campaignrl.calibration.world import write_world
from campaignrl.profiles.segments import fit_segments, segment_spec
from campaignrl.report.figures import png_bytes, realism
from campaignrl.specs import Provenance, check, place
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import read_frame, write_whole

INVOICES = Path(__file__).resolve().parents[2] / "shared" / "data" / "online_retail" / "online_retail_2009_2010.parquet"
DAY_ZERO, SEEN, END = pd.Timestamp("2009-12-01"), pd.Timestamp("2010-09-08"), pd.Timestamp("2010-12-09")
LAST_SEEN, LAST = (SEEN - DAY_ZERO).days, (END - DAY_ZERO).days
COLUMNS = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
SEGMENTS = 6
EARLY = 31  # days; most of those who are first seen in them were customers before the data begin
POISSON = "customers reorder more regularly than the world's Poisson process lets them (see irregularity of gaps)"
ALIKE = "the world's calendar moves all customers alike; some come back for the season only"
AUTUMN = "orders are larger in autumn than in the weeks that were seen, and the world's baskets know no season"
TAILS = "in logs, order values are more peaked than a normal and have longer tails: samples, and bulk orders of a few"
CALENDAR = "the calendar of the last quarter is from other customers (--forecast: from nobody)"
REASONS = {
    "orders in the window": CALENDAR,
    "mean orders a customer": CALENDAR,
    "variance of orders": "a few customers order weekly, beyond the tail of a gamma distribution of rates",
    "irregularity of gaps": "the world orders by a Poisson process; these are resellers who restock",
    "orders a customer": f"{POISSON}; {ALIKE}",
    "days between orders": POISSON,
    "days since the last order": f"{POISSON}; {ALIKE}",
    "order value": f"{TAILS}; {AUTUMN}",
    "spend a customer": f"{POISSON}; {AUTUMN}",
    "top-tenth share of spend": TAILS,
    "monthly retention": f"{POISSON}; {ALIKE}",
    "weekly autocorrelation": CALENDAR,
}
# A world must hold a channel and an offer; nobody can be reached on this one.
NOBODY = {
    "channels": {
        "nobody": {"cost": 0.0, "reach": {"deliver": 0.5, "open": 0.5, "click": 0.5}, "unsubscribe": {"base": 0.0}}
    },
    "offers": {"nothing": {"kind": "content", "channels": ["nobody"]}},
}


class Data(NamedTuple):
    """Invoices as events, and what is known of customers when the seen weeks end."""

    events: pd.DataFrame  # customer_id, ts, kind, amount
    profiles: pd.DataFrame  # of customers seen by then, ascending by customer_id: first_value, seen_early
    ids: np.ndarray  # (n,) of all customers, ascending
    purchases: Purchases  # of all customers; labels still empty
    left_out: dict  # rows of the file that are no orders, by reason


class Study(NamedTuple):
    """What came out."""

    card: Scorecard
    tables: dict  # the world's
    said: dict  # where each of its numbers came from
    words: tuple  # the segments described
    of: dict  # segment by customer id, of the judged half
    segment: np.ndarray  # (n,) of the judged half, as the simulated customers stand


def read_invoices(path):
    """Orders: rows with a customer, neither cancelled nor given away, each line once; one event an invoice."""
    rows = read_frame(path, COLUMNS, text=["Customer ID", "Invoice", "StockCode"])
    reasons = {
        "repeated": rows.duplicated(),
        "without customer": rows["Customer ID"] == "",
        "cancelled": rows["Invoice"].str.startswith("C") | (rows["Quantity"] <= 0),
        "without price": rows["Price"] <= 0,
    }
    left_out, good = {}, np.ones(len(rows), dtype=bool)
    for reason, bad in reasons.items():
        left_out[reason] = int((good & bad).sum())
        good &= ~bad.to_numpy()
    rows = rows[good].assign(ts=pd.to_datetime(rows["InvoiceDate"]), amount=rows["Quantity"] * rows["Price"])
    grouped = rows.groupby(["Customer ID", "Invoice"], as_index=False)
    orders = grouped.agg(ts=("ts", "min"), amount=("amount", "sum"))
    orders = orders.rename(columns={"Customer ID": "customer_id"}).sort_values(["customer_id", "ts"], kind="stable")
    events = orders[["customer_id", "ts", "amount"]].assign(kind="order").reset_index(drop=True)
    return Data(events, profiles_of(orders), *purchases_of(orders), left_out)


def profiles_of(orders):
    """The profiles table of those seen: value of the first day's orders, and whether that lies at the start."""
    day = (orders["ts"].dt.normalize() - DAY_ZERO).dt.days
    daily = orders.assign(day=day).groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    first = daily[daily["day"] <= LAST_SEEN].drop_duplicates("customer_id")
    return first.assign(first_value=first["amount"], seen_early=first["day"] < EARLY).drop(columns=["day", "amount"])


def purchases_of(orders):
    """Ids of customers, and the days of their first and later orders, each day once."""
    days = pd.DataFrame({"id": orders["customer_id"], "day": (orders["ts"].dt.normalize() - DAY_ZERO).dt.days})
    days = days.drop_duplicates()
    codes, names = pd.factorize(days["id"], sort=True)
    first = days.groupby(codes)["day"].min().to_numpy()
    repeat = days["day"].to_numpy() > first[codes]
    nobody = np.full(len(names), "", dtype=object)
    return np.asarray(names, dtype=object), Purchases(first, codes[repeat], days["day"].to_numpy()[repeat], nobody)


def segments_of(profiles, seed):
    """The name of each customer's segment (n,), and the segments in words."""
    spec = segment_spec({"method": "kmeans", "tags": ["first_value", "seen_early"], "k": SEGMENTS})
    found = fit_segments(profiles, spec, rng.generator(seed, rng.Purpose.POPULATION))
    return found.assign(profiles), found.descriptions


def calendar(fit, known, half, forecast):
    """(54,) factor of each week of the year; those of the last quarter from the customers of `half` (n,) alone."""
    weekly = np.ones(LAST // 7 + 1)
    weekly[: len(fit.weekly)] = fit.weekly
    if forecast:
        return weekly
    row = np.cumsum(half) - 1
    mine = half[known.customer]
    part = Purchases(known.first[half], row[known.customer[mine]], known.day[mine], known.labels[half])
    later = later_factors(fit, part, LAST_SEEN, LAST)
    weekly[-len(later) :] = later
    return weekly


def season_of(weekly, weekday):
    """The world's table of the calendar."""
    shift = DAY_ZERO.weekday()
    return {
        "weekday": np.roll(weekday, shift).tolist(),
        "first_weekday": shift,
        "first_day_of_year": DAY_ZERO.day_of_year - 1,
        "events": [{"name": f"week {w}", "day": 7 * w, "days": 7, "factor": float(f)} for w, f in enumerate(weekly)],
    }


def world_of(fit, baskets, weekly, words):
    """The world's tables, and where each number came from."""
    tables = {
        "title": "Online Retail II, December 2009 to December 2010, with nothing sent",
        "horizon": LAST + 1,
        "money": {"currency": "GBP"},
        "segments": {},
        **NOBODY,
        "season": season_of(weekly, fit.weekday),
    }
    said, total = {}, sum(fit.customers.values())
    for name, n in fit.customers.items():
        numbers = numbers_of(fit, name, n) | {("basket", key): number for key, number in baskets[name].items()}
        segment = {"share": n / total, "says": words[name], "purchase": {}, "lifetime": {}, "basket": {"margin": 0.4}}
        segment |= {"price_sensitivity": {"mean": 0.2}, "consent": {"nobody": 0.0}}
        for (table, key), number in numbers.items():
            segment[table][key] = number.value
            where = place(("segments", name, table, key))
            said[where] = Provenance(how="fitted", se=number.se, n=number.n, by=number.by)
        for table, key in (("basket", "margin"), ("price_sensitivity", "mean")):
            where = place(("segments", name, table, key))
            said[where] = Provenance(how="default", by="invoices do not tell; felt by nobody here")
        tables["segments"][name] = segment
    return tables, said


def numbers_of(fit, name, n):
    """Rate and lifetime of a segment, with their errors."""
    model, rows = fit.models.segments[name], fit.labels == name
    columns = {key: column[rows] for key, column in fit.columns.items()}
    numbers = pareto_numbers(model, log_covariance(model, columns), n)
    return {path: number._replace(by="Pareto/NBD in average days") for path, number in numbers.items()}


def baskets_of(data, labels):
    """Order values by segment, from the repeat orders that were seen; the first ones made the segments."""
    codes, _ = pd.factorize(data.events["customer_id"], sort=True)
    day = (data.events["ts"].dt.normalize() - DAY_ZERO).dt.days.to_numpy()
    used = (day <= LAST_SEEN) & (day > data.purchases.first[codes])
    orders = data.events[used].groupby([codes[used], day[used]])["amount"].sum()
    customer, value = orders.index.get_level_values(0).to_numpy(), orders.to_numpy()
    of, found = labels[customer], {}
    for name in sorted(set(of)):
        basket = lognormal_basket(customer[of == name], value[of == name])
        by = "lognormal variance components"
        found[name] = {
            "mean": Fitted(basket.mean, basket.mean_se, basket.customers, by),
            "spread": Fitted(basket.spread, None, basket.customers, by),
            "within": Fitted(basket.within, None, basket.customers, by),
        }
    return found


def labels_of(data, seed):
    """Segment of each customer (n,), "" for those not seen yet, and the segments in words."""
    names, words = segments_of(data.profiles, seed)
    labels = np.full(len(data.ids), "", dtype=object)
    labels[data.purchases.first <= LAST_SEEN] = names
    return labels, words


def study(data, seed, samples, forecast):
    """The scorecard, the world's tables with their provenance, the segments."""
    labels, words = labels_of(data, seed)
    known, here = data.purchases._replace(labels=labels), data.purchases.first <= LAST_SEEN
    fit = fit_season(fit_pareto_nbd, known.until(LAST_SEEN), LAST_SEEN)
    chance = rng.generator(seed, rng.Purpose.RESAMPLE)
    half = here & (chance.random(len(here)) < 0.5)
    judged = here & ~half
    weekly = calendar(fit, known, half, forecast)
    tables, said = world_of(fit, baskets_of(data, known.labels), weekly, {d.name: d.says for d in words})
    world = check(World, {"name": "online_retail", **tables}, "online_retail")
    entry, segment = known.first[judged], known.labels[judged]
    drawn = entering(world, entry, segment, DAY_ZERO, samples, seed)
    ids = data.ids[judged]
    real = data.events[data.events["customer_id"].isin(ids)]
    card = scorecard(real, drawn, END, SEEN + pd.Timedelta(days=1), REASONS)
    return Study(card, tables, said, words, dict(zip(ids, segment, strict=True)), segment)


def by_segment(found):
    """Orders a customer in the window, real and simulated, by segment."""
    rows = []
    for name in sorted(set(found.segment)):
        real = found.card.real.customer_summaries
        mine = np.array([found.of[c] == name for c in real.customers])
        parts = []
        for side in found.card.simulated:
            row = np.array([int(c[1:]) for c in side.customer_summaries.customers])  # ids are s0, s1 ..
            parts.append(side.customer_summaries.counts[found.segment[row] == name].mean())
        rows.append((name, float(real.counts[mine].mean()), float(np.mean(parts))))
    return rows


def main(argv: list[str] | None = None):
    """Read the words of the call, calibrate, compare, write, print."""
    words = study_words(__doc__, "runs/online_retail", json=True)
    words.add_argument("invoices", nargs="?", type=Path, default=INVOICES, help="online_retail_2009_2010.parquet")
    words.add_argument("--forecast", action="store_true", help="say nothing of how busy the last quarter is")
    words.add_argument("--samples", type=int, default=20, help="simulated samples of the size of the real one")
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args(argv)
    data = read_invoices(asked.invoices)
    found = study(data, asked.seed, asked.samples, asked.forecast)
    write_world(found.tables, found.said, asked.output / "world.toml")
    found.card.write(asked.output / "scorecard.json")
    drawing = png_bytes(
        realism(found.card, "Online Retail II: the last quarter, real and simulated", by_segment(found)), 110
    )
    write_whole(asked.output / "scorecard.png", lambda file: file.write(drawing))
    if asked.json:
        print(found.card.to_json())
        return
    print(f"left out of {asked.invoices.name}: {', '.join(f'{n:,} {why}' for why, n in data.left_out.items())}")
    for part in found.words:
        print(f"{part.name:32}{part.customers:5}  {part.says}")
    table = found.card.table()
    print("\n" + table.drop(columns="why").to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
    print(f"\n{len(table) - len(found.card.missed)} of {len(table)} within the tolerance; missed:")
    for row in found.card.missed:
        print(f"  {row.name}: {row.why or 'no reason known'}")
    print(f"\nin {asked.output}: world.toml, scorecard.json, scorecard.png")


if __name__ == "__main__":
    run_study(main)
