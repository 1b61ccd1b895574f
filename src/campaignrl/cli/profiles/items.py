"""`campaignrl profile recommend`: the items to show each customer, and whether they beat what is simple."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from campaignrl import rng
from campaignrl.cli.terminal import Json, Seed, progress, say, say_json, say_table, talk
from campaignrl.errors import UsageError
from campaignrl.profiles.items import (
    ITEM,
    SPAN,
    STRANGERS,
    Judged,
    Judgement,
    fit_recommender,
    judge,
    read_catalogue,
    read_interactions,
)
from campaignrl.tables import ID
from campaignrl.tables.files import write_frame


def recommend(
    interactions: Annotated[Path, typer.Argument(help="Table (Parquet or CSV) of customer_id, item_id and ts.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Items by customer, best first; .parquet or .csv.")
    ] = None,
    catalogue: Annotated[Path | None, typer.Option(help="Table of item_id and attributes in words.")] = None,
    columns: Annotated[
        str, typer.Option(help="What the columns are called: item_id=product_id,ts=bought_at,customer_id=member.")
    ] = "",
    n: Annotated[int, typer.Option("--items", "-n", min=1, help="How many items a customer.")] = 10,
    span: Annotated[int, typer.Option(min=1, help="Days ahead that they are chosen for.")] = SPAN,
    judged: Annotated[
        bool, typer.Option("--judge", help="Hold them against the last --span days, beside simple ways.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Choose the items to show each customer; --judge says whether that beats simpler ways."""
    if output is None and not judged:
        raise UsageError("give -o FILE for the items, or --judge to see how good they are, or both.")
    if output is not None and output.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{output}: -o takes .parquet or .csv.")
    names = _columns(columns)
    known = read_interactions(interactions, names)
    about = None if catalogue is None else read_catalogue(catalogue, names.get(ITEM, ITEM))
    facts: dict[str, object] = {"customers": len(known.customers), "items": len(known.items), "rows": len(known)}
    if judged:
        with progress("judge"):
            found = judge(known, about, span=span, n=n, chance=rng.generator(seed, rng.Purpose.RESAMPLE))
        facts["judgement"] = {**found._asdict(), "ways": [_figures(way) for way in found.ways], "better": found.better}
        if not as_json:
            _say(found)
    if output is not None:
        with progress("learn"):
            made = fit_recommender(known, about, span=span, chance=rng.generator(seed, rng.Purpose.RESAMPLE))
        shown = pd.concat([made.recommend(None, n), made.recommend([STRANGERS], n)], ignore_index=True)
        write_frame(shown, output)
        facts |= {"learned_from": made.ranking.learned_from, "output": str(output)}
        talk(
            f"{len(known.customers):,} customers, up to {n} items each, and as many for whom nobody knows "
            f"({STRANGERS}): {output}"
        )
    if as_json:
        say_json(facts)


def _say(found: Judgement) -> None:
    day = pd.Timestamp(found.day, unit="D").date()
    say(f"Chosen on the morning of {day}, held against the {found.span} days from then; {found.customers:,} customers")
    rows = []
    for way in found.ways:
        lift = "" if way.lift != way.lift else f"{way.lift:+.4f} [{way.lift_low:+.4f}, {way.lift_high:+.4f}]"
        rows.append((way.name, f"{way.ndcg:.4f}", f"{way.recall:.4f}", f"{way.coverage:.1%}", lift))
    say_table(("way", f"NDCG@{found.n}", f"recall@{found.n}", "coverage", "recommended is better by"), rows)
    say("better than every simple way" if found.better else "not shown to be better than every simple way")


def _figures(way: Judged) -> dict[str, object]:
    return {name: None if value != value else value for name, value in way._asdict().items()}


def _columns(text: str) -> dict[str, str]:
    found = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or name not in (ID, ITEM, "ts"):
            raise UsageError(f"--columns {part!r} is not one of customer_id=..., item_id=..., ts=...")
        found[name] = column
    return found
