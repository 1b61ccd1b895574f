"""Are drawn customers like real ones? Segments and populations of three real tables, judged on customers held back.

    python experiments/population.py --data FOLDER [--json]

FOLDER holds the data sets (hillstrom, telco_churn, online_retail). Half of the customers make the segments (k-means and
Gaussian mixture, the number chosen) and the population; as many are drawn and compared with the other half: every
marginal (Kolmogorov-Smirnov or total variation), every pair of tags, and a classifier that tries to tell drawn from
real. The floor is the same of the first half, which is real.
"""

import json
from pathlib import Path

import pandas as pd

from campaignrl import rng
from campaignrl.profiles.population import fit_population, held_out_fidelity
from campaignrl.profiles.segments import fit_segments, segment_spec
from campaignrl.suites import run_study, study_words

OUTCOMES = ["segment", "visit", "conversion", "spend", "history_segment"]  # of the e-mail test, and a band of `history`


def hillstrom(data: Path) -> pd.DataFrame:
    """32,000 customers of a retailer before its e-mail test."""
    table = pd.read_csv(data / "hillstrom" / "hillstrom_half.csv.gz").drop(columns=OUTCOMES)
    return table.assign(customer_id=table.index.astype(str))


def telco_churn(data: Path) -> pd.DataFrame:
    """7,043 customers of a telephone company, sixteen of their tags categories."""
    table = pd.read_csv(data / "telco_churn" / "Telco-Customer-Churn.csv.gz")
    charges = pd.to_numeric(table.TotalCharges, errors="coerce")  # blank where the customer has just begun
    return table.assign(TotalCharges=charges).rename(columns={"customerID": "customer_id"})


def online_retail(data: Path) -> pd.DataFrame:
    """4,300 customers of a wholesaler: recency, tenure, orders, spend, mean basket, lines an order."""
    rows = pd.read_parquet(data / "online_retail" / "online_retail_2009_2010.parquet")
    rows = rows[rows["Customer ID"].notna() & (rows.Quantity > 0)]
    rows = rows.assign(paid=rows.Quantity * rows.Price, day=pd.to_datetime(rows.InvoiceDate).dt.normalize())
    orders = rows.groupby("Invoice").agg(
        customer_id=("Customer ID", "first"), day=("day", "min"), paid=("paid", "sum"), lines=("paid", "size")
    )
    by = orders.groupby("customer_id")
    last = orders.day.max()
    table = pd.DataFrame({"recency_days": (last - by.day.max()).dt.days, "tenure_days": (last - by.day.min()).dt.days})
    table = table.assign(orders=by.size(), spend=by.paid.sum().round(2), lines=by.lines.mean().round(2))
    table = table.assign(basket_mean=(table.spend / table.orders).round(2)).reset_index()
    return table.assign(customer_id=table.customer_id.astype(int).astype(str))


SETS = (hillstrom, telco_churn, online_retail)


def study(table: pd.DataFrame, method: str, seed: int = 0) -> dict:
    """Figures of one table and method."""
    chance = rng.generator(seed, rng.Purpose.RESAMPLE)
    order = chance.permutation(len(table))
    first, second = table.iloc[order[::2]], table.iloc[order[1::2]]
    found = fit_segments(first, segment_spec({"method": method}), chance)
    made = fit_population(first, found.codes(first), found.names)
    result = held_out_fidelity(first, second, made.draw(len(first), seed)[list(first.columns)], chance)
    figures = {"segments": len(found.names), "n": result.n}
    for name, side in (("drawn", result.score), ("floor", result.floor)):
        marginal, pair = side.means
        figures[name] = {"marginals": marginal, "worst_marginal": side.worst_marginal, "pairs": pair, "auc": side.auc}
    return figures


def main(argv: list[str] | None = None) -> None:
    """Print a line a table and method, or one JSON object."""
    parser = study_words(__doc__, json=True)
    parser.add_argument("--data", type=Path, required=True)
    asked = parser.parse_args(argv)
    answer = {load.__name__: {m: study(load(asked.data), m) for m in ("kmeans", "gmm")} for load in SETS}
    if asked.json:
        print(json.dumps(answer, indent=2))
        return
    print(
        f"{'table':<14} {'method':<7} {'k':>2} {'n':>6}  {'marginals':>14}  {'worst marginal':>14}  {'pairs':>14}  AUC"
    )
    for name, methods in answer.items():
        for method, f in methods.items():
            drawn, floor = f["drawn"], f["floor"]
            parts = [f"{drawn[key]:.3f} ({floor[key]:.3f})" for key in ("marginals", "pairs", "auc")]
            worst = f"{drawn['worst_marginal'][1]:.3f} ({floor['worst_marginal'][1]:.3f})"
            print(f"{name:<14} {method:<7} {f['segments']:>2} {f['n']:>6}  {parts[0]}  {worst}  {parts[1]}  {parts[2]}")
    print("in brackets the floor: real against real")


if __name__ == "__main__":
    run_study(main)
