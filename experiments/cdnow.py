"""Four purchase models on CDNOW's music shop: 2,357 customers, fitted on 39 weeks, judged on the 39 that follow.

Prints the parameters beside the published ones, the error of cumulative repeat orders by week, expected orders by
frequency, and draws tracking, frequencies, conditional expectations and the chance of being alive.

    python experiments/cdnow.py [ORDERS.txt] [-o FOLDER] [--json]

The published: Fader, Hardie & Lee 2005 (BG/NBD, Pareto/NBD), Batislam et al. 2007 (MBG/NBD), Fader & Hardie 2013
(Gamma-Gamma). Orders of one day count as one.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

import campaignrl as crl
from campaignrl import rng
from campaignrl.calibration.purchase import FITS, fit_gamma_gamma, summarise
from campaignrl.report.figures import calibration as pictures
from campaignrl.report.figures import png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole

ORDERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"
START, SEEN, END = pd.Timestamp("1997-01-01"), pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")
WEEKS, FITTED, MOST = 78, 39, 7
TITLES = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD", "nbd": "NBD (nobody leaves)"}
PUBLISHED = {
    "bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "log_likelihood": -9582.4},
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614, "log_likelihood": -9582.1},
    "pareto_nbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.67, "log_likelihood": -9595.0},
    "nbd": {"r": 0.385, "alpha": 12.07, "log_likelihood": -9763.7},
    "gamma_gamma": {"p": 6.25, "q": 3.74, "gamma": 15.44},
}


def read_orders(path):
    """The events table: one row a line of the file."""
    names = ["master", "customer", "date", "cds", "value"]
    try:
        rows = pd.read_csv(path, sep=r"\s+", header=None, names=names, dtype={"customer": str, "date": str})
        ts = pd.to_datetime(rows["date"], format="%Y%m%d")
    except FileNotFoundError as wrong:
        raise crl.DataError(f"{path}: no such file. Give CDNOW_sample.txt.") from wrong
    except ValueError as wrong:
        raise crl.DataError(f"{path}: not the columns {names}: {wrong}") from wrong
    if rows.empty or rows.isna().any(axis=None) or ts.min() < START:
        raise crl.DataError(f"{path}: rows are missing, incomplete, or dated before {START:%Y-%m-%d}.")
    frame = pd.DataFrame({"customer_id": rows["customer"], "ts": ts, "kind": "order", "amount": rows["value"]})
    return frame.assign(value=np.nan)


def fitted_models(table):
    """All purchase models, and Gamma-Gamma on those who came back."""
    fits = {name: fit(table["x"], table["t_x"], table["T"]) for name, fit in FITS.items()}
    back = table[table["x"] > 0]
    return fits, fit_gamma_gamma(back["x"], back["mean_amount"])


def repeats(events):
    """One row a customer and day with a repeat order: customer_id, day since the first of January 1997, entry."""
    days = pd.DataFrame({"customer_id": events["customer_id"], "day": (events["ts"] - START).dt.days}).drop_duplicates()
    days["entry"] = days.groupby("customer_id")["day"].transform("min")
    return days[days["day"] > days["entry"]]


def weekly_expected(fit, entry):
    """(78,) repeat orders that a model expects of all customers in each week; entry: (n,) day of the first order."""
    days, counted = np.unique(entry, return_counts=True)
    ends = 7.0 * np.arange(WEEKS + 1)[:, None]
    age = np.maximum(ends - 1.0 - days, 0.0) / 7.0  # the last day of a week is over
    so_far = fit.expected_purchases(age.ravel(), *(np.zeros(age.size) for _ in range(3))).reshape(age.shape)
    return np.diff(so_far @ counted)


def by_frequency(values, x):
    """(8,) means of values by x = 0, 1 .. 7+."""
    group = np.minimum(x, MOST)
    return np.bincount(group, values, minlength=MOST + 1) / np.bincount(group, minlength=MOST + 1)


def expected_counts(fit, table, seed=0, copies=200):
    """(8,) customers a model expects with 0, 1 .. 7+ repeat orders: simulated from its story, `copies` times."""
    chance, watched = rng.generator(seed, rng.Purpose.PURCHASE), np.tile(table["T"].to_numpy(), copies)
    n, p = len(watched), fit.parameters
    rate = chance.gamma(p["r"], 1.0 / p["alpha"], n)
    if "s" in p:
        watched = np.minimum(watched, chance.exponential(1.0, n) / chance.gamma(p["s"], 1.0 / p["beta"], n))
    counts = chance.poisson(rate * watched)
    if "a" in p:
        drop = chance.beta(p["a"], p["b"], n)  # orders until the one after which the customer is gone
        lasts = chance.geometric(np.maximum(drop, 1e-12)) - (1 if fit.__class__.__name__ == "MbgNbd" else 0)
        counts = np.minimum(counts, lasts)
    return np.bincount(np.minimum(counts, MOST), minlength=MOST + 1) / copies


def holdout(fits, table, events):
    """What customers did after, and what each model expected of them."""
    after = repeats(events)
    after = after[after["day"] > (SEEN - START).days].groupby("customer_id").size()
    actual = after.reindex(table["customer_id"], fill_value=0).to_numpy().astype(float)
    x = table["x"].to_numpy()
    told = {}
    for name, fit in fits.items():
        expected = fit.expected_purchases(float(FITTED), table["x"], table["t_x"], table["T"])
        told[name] = {
            "total": float(expected.sum()),
            "correlation": float(np.corrcoef(expected, actual)[0, 1]),
            "rmse": float(np.sqrt(np.mean((expected - actual) ** 2))),
            "mae": float(np.abs(expected - actual).mean()),
            "by_frequency": by_frequency(expected, x).tolist(),
        }
    return {"total": float(actual.sum()), "by_frequency": by_frequency(actual, x).tolist()}, told


def study(events):
    """Everything that is printed, and the fits and weekly series that are drawn."""
    table = summarise(events, SEEN.date())
    fits, spending = fitted_models(table)
    entry = events.groupby("customer_id")["ts"].min()
    entry = (entry - START).dt.days.to_numpy()
    weekly = np.bincount(repeats(events)["day"] // 7, minlength=WEEKS)[:WEEKS]
    expected = {name: weekly_expected(fit, entry) for name, fit in fits.items()}
    actual, told = holdout(fits, table, events)
    error = {
        name: {w: float(path[:w].sum() / weekly[:w].sum() - 1.0) for w in (13, 26, 39, 52, 65, 78)}
        for name, path in expected.items()
    }
    models = {
        name: {
            "parameters": fit.parameters,
            "standard_errors": dict(fit.standard_errors),
            "log_likelihood": fit.log_likelihood,
            "published": PUBLISHED[name],
        }
        for name, fit in {**fits, "gamma_gamma": spending}.items()
    }
    facts = {"customers": len(table), "models": models, "tracking_error": error, "actual": actual, "expected": told}
    return facts, table, fits, weekly, expected


def draw(folder, facts, table, fits, weekly, expected):
    """Four pictures; returns their paths."""
    named = {TITLES[name]: path for name, path in expected.items()}
    seen = np.bincount(np.minimum(table["x"], MOST), minlength=MOST + 1)
    conditional = {TITLES[name]: told["by_frequency"] for name, told in facts["expected"].items()}
    drawings = {
        "tracking": pictures.tracking(weekly, named, FITTED),
        "frequencies": pictures.frequencies(seen, {TITLES[n]: expected_counts(f, table) for n, f in fits.items()}),
        "conditional": pictures.conditional(facts["actual"]["by_frequency"], conditional, FITTED),
        "alive": pictures.alive(fits["mbg_nbd"].p_alive, float(FITTED)),
    }
    paths = []
    for name, figure in drawings.items():
        drawing = png_bytes(figure)
        paths.append(folder / f"{name}.png")
        write_whole(paths[-1], lambda file, drawing=drawing: file.write(drawing))
    return paths


def show(facts):
    """The tables on a terminal."""
    for name, model in facts["models"].items():
        told = model["parameters"] | {"log_likelihood": model["log_likelihood"]}
        errors = model["standard_errors"]
        parts = [f"{k} {v:.4f}" + (f" ({errors[k]:.3f})" if k in errors else "") for k, v in told.items()]
        print(f"{name:12}{', '.join(parts)}")
        print(f"{'':12}published: {', '.join(f'{k} {v}' for k, v in model['published'].items())}")
    print("\nerror of cumulative repeat orders, by week")
    print(pd.DataFrame(facts["tracking_error"]).T.map("{:+.1%}".format).to_string())
    rows = {"actual": facts["actual"]["by_frequency"]} | {n: e["by_frequency"] for n, e in facts["expected"].items()}
    columns = [*map(str, range(MOST)), f"{MOST}+"]
    print("\norders in weeks 40 to 78 by repeat orders before")
    print(pd.DataFrame(rows, index=columns).T.map("{:.2f}".format).to_string())
    scores = {n: {k: v for k, v in e.items() if k != "by_frequency"} for n, e in facts["expected"].items()}
    print(f"\nin total {facts['actual']['total']:.0f}")
    print(pd.DataFrame(scores).T.to_string(float_format="{:.3f}".format))


def main(argv: list[str] | None = None):
    """Read the words of the call, fit, draw, print."""
    words = study_words(__doc__, "runs/cdnow", json=True)
    words.add_argument("orders", nargs="?", type=Path, default=ORDERS, help="CDNOW_sample.txt")
    asked = words.parse_args(argv)
    facts, *drawn = study(read_orders(asked.orders))
    paths = draw(asked.output, facts, *drawn)
    if asked.json:
        print(json.dumps(facts, indent=2))
        return
    show(facts)
    print(f"\npictures: {', '.join(map(str, paths))}")


if __name__ == "__main__":
    run_study(main)
