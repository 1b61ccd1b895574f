"""What stands at the end of every verb's help: two calls that run, as a test does with them in a folder of its own.

Files of one example come from another, in the order of a first afternoon. No line is longer than a help page of 80
columns has room for. Not here: how a help page looks (main.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXAMPLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": ("campaignrl demo", "campaignrl demo -w bank -n 5000 -o runs/bank --json"),
        "init": (
            "campaignrl init web_shop --start 2026-11-21",
            "campaignrl init my_bank --template bank --start 2026-11-21 --json",
        ),
        "today": (
            "campaignrl today web_shop --as-of 2026-11-21",
            "campaignrl today web_shop --as-of 2026-11-21 --json",
        ),
        "approve": (
            "campaignrl approve web_shop --by Ann --as-of 2026-11-21",
            "campaignrl approve web_shop --by Ann --as-of 2026-11-21 --json",
        ),
        "halt": (
            'campaignrl halt web_shop --by Ann --why "a wrong price in the mail"',
            'campaignrl halt web_shop --release --by Ann --why "price mended" --json',
        ),
        "world list": ("campaignrl world list", "campaignrl world list --json"),
        "world show": ("campaignrl world show ecommerce", "campaignrl world show bank -n 2000 -o bank.html"),
        "world check": ("campaignrl world check mine.toml", "campaignrl world check ./mine.toml"),
        "world features": (
            "campaignrl world features ecommerce",
            "campaignrl world features ecommerce --template five.csv --json",
        ),
        "simulate": (
            "campaignrl simulate -w ecommerce -n 5000 -o log.parquet",
            "campaignrl simulate -w bank -p rules_bank -n 5000 --json",
        ),
        "train": (
            "campaignrl train lin_ts --log log.parquet -o lin_ts.bundle",
            "campaignrl train lin_ts --world ecommerce -n 5000 -o fresh.bundle",
        ),
        "evaluate": (
            "campaignrl evaluate log.parquet -p lin_ts.bundle --against rules",
            "campaignrl evaluate log.parquet -p lin_ts.bundle -p rules --json",
        ),
        "ledger create": (
            "campaignrl ledger create shop -w ecommerce -n 5000 --start 2026-11-01",
            "campaignrl ledger create new_shop -w ecommerce -n 5000",
        ),
        "decide": (
            "campaignrl decide rules customers.csv -o sends.csv --budget 20",
            "campaignrl decide rules customers.csv -o s.csv --ledger shop",
        ),
        "ledger add": (
            "campaignrl ledger add shop outcomes outcomes.csv",
            "campaignrl ledger add shop permissions permissions.csv --json",
        ),
        "ledger rules": (
            "campaignrl ledger rules shop -w ecommerce",
            "campaignrl ledger rules shop -w ecommerce --json",
        ),
        "ledger show": (
            "campaignrl ledger show shop",
            "campaignrl ledger show shop --json",
        ),
        "ledger log": (
            "campaignrl ledger log shop -o shop.parquet --as-of 2027-01-31",
            "campaignrl ledger log shop -o shop.csv --policy rules --as-of 2027-01-31",
        ),
        "guard explain": (
            "campaignrl guard explain ecommerce",
            "campaignrl guard explain ./mine.toml --json",
        ),
        "audit": (
            "campaignrl audit shop",
            "campaignrl audit shop --policy rules --json",
        ),
        "monitor": (
            "campaignrl monitor shop --as-of 2026-11-30",
            "campaignrl monitor shop --as-of 2026-11-30 -o shop.html --json",
        ),
        "erase": (
            "campaignrl erase 2 --ledger shop",
            "campaignrl erase 2 --ledger shop --json",
        ),
        "profile build": (
            "campaignrl profile build --events events.parquet -o shop",
            "campaignrl profile build --events events.parquet --as-of 2026-03-01 -o old",
        ),
        "profile update": (
            "campaignrl profile update shop --as-of 2026-11-21",
            "campaignrl profile update shop --attributes attributes.csv --json",
        ),
        "profile show": (
            'campaignrl profile show shop --where "orders >= 2" --save repeat',
            "campaignrl profile show shop --customer 1 --json",
        ),
        "profile cohorts": (
            "campaignrl profile cohorts shop",
            "campaignrl profile cohorts shop --json",
        ),
        "profile watch": (
            "campaignrl profile watch shop --once",
            "campaignrl profile watch shop --once --json",
        ),
        "profile segment": (
            "campaignrl profile segment shop --method rfm -o labels.csv",
            "campaignrl profile segment shop --k 3 -o segments.json --json",
        ),
        "profile recommend": (
            "campaignrl profile recommend lines.csv -o items.parquet",
            "campaignrl profile recommend lines.csv --items 3 -o items.csv --json",
        ),
        "profile feedback": (
            "campaignrl profile feedback reviews.csv -o mood.csv",
            "campaignrl profile feedback reviews.csv -o mood.parquet --json",
        ),
        "profile draw": (
            "campaignrl profile draw segments.json -n 1000 -o drawn.parquet",
            "campaignrl profile draw segments.json -n 1000 -o drawn.csv --first 1000",
        ),
        "calibrate": (
            "campaignrl calibrate events.parquet -o mine.toml",
            "campaignrl calibrate events.parquet --like retail -o mine.toml --json",
        ),
        "benchmark": (
            "campaignrl benchmark suite.toml -o main.json",
            "campaignrl benchmark suite.toml --seeds 4 --workers 2 -o candidate.json",
        ),
        "compare": (
            "campaignrl compare main.json candidate.json --margin 0.05",
            "campaignrl compare main.json --policy-base uniform --policy-cand lin_ts",
        ),
        "serve": (
            "campaignrl serve rules -w ecommerce -c customers.csv --ledger shop --check",
            "campaignrl serve rules -w ecommerce --check --json",
        ),
        "store token": (
            "campaignrl store token sqlite:///service.db app --role sender",
            "campaignrl store token sqlite:///service.db --json",
        ),
        "store backup": (
            "campaignrl store backup sqlite:///service.db -o copy.backup",
            "campaignrl store backup sqlite:///service.db -o later.backup --json",
        ),
        "store restore": (
            "campaignrl store restore sqlite:///again.db --from copy.backup",
            "campaignrl store restore sqlite:///new.db --from copy.backup --json",
        ),
        "store flow": (
            "campaignrl store flow sqlite:///service.db --ledger shop",
            "campaignrl store flow sqlite:///service.db --ledger shop --json",
        ),
        "store rules": (
            "campaignrl store rules sqlite:///service.db -w ecommerce --by Ann",
            "campaignrl store rules sqlite:///service.db -w ecommerce --json",
        ),
        "store prices": (
            "campaignrl store prices sqlite:///service.db --none --by Ann",
            "campaignrl store prices sqlite:///service.db --json",
        ),
        "store learn": (
            "campaignrl store learn sqlite:///service.db --ledger shop -o learned",
            "campaignrl store learn sqlite:///service.db --ledger shop --policy lin_ts",
        ),
        "store trail": (
            "campaignrl store trail sqlite:///service.db",
            "campaignrl store trail sqlite:///service.db --last 5 --json",
        ),
        "store forget": (
            "campaignrl store forget sqlite:///service.db --before 2026-11-01",
            "campaignrl store forget sqlite:///again.db --before 2026-11-01 --json",
        ),
        "abtest plan": (
            "campaignrl abtest plan spring --mean 4 --std 12 -o spring.json",
            "campaignrl abtest plan ab -w ecommerce -n 5000 --effect 0.1 -o ab.json",
        ),
        "abtest assign": (
            "campaignrl abtest assign spring.json customers.csv -o arms.csv",
            "campaignrl abtest assign spring.json customers.csv -o a.csv --json",
        ),
        "abtest read": (
            "campaignrl abtest read spring.json values.csv",
            "campaignrl abtest read spring.json values.csv --json",
        ),
    }
)


def epilog_of(path: str) -> str | None:
    """The two calls as the end of a help page, unwrapped; None where there are none."""
    found = EXAMPLES.get(path)
    return None if found is None else "\n".join(["\b", "Examples:", *(f"  {each}" for each in found)])
