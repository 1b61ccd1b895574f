"""The options of `campaignrl decide`, each with its sentence.

Not here: what comes of them (cli/sends/decide.py), options that other verbs have too (options.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Policy = Annotated[str | None, typer.Argument(help="Bundle, spec file, bundled name, or always:ACTION.")]
Customers = Annotated[Path | None, typer.Argument(help="Customers table, Parquet or CSV: one row a customer.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Send list; it appears whole or not at all.")]
World = Annotated[
    str | None,
    typer.Option(
        "--world",
        "-w",
        help="World whose rules hold; default: that of the ledger, or the bundled one the policy was trained in.",
    ),
]
AsOf = Annotated[str | None, typer.Option(help="Day of the decision, YYYY-MM-DD; default: today.")]
Suppress = Annotated[Path | None, typer.Option(help="Table of customer_id never to be contacted.")]
LeastKnown = Annotated[
    float,
    typer.Option(help="Share of --suppress, 0 to 1, that must be among CUSTOMERS, and be left of the last run's."),
]
Dedupe = Annotated[
    bool, typer.Option("--dedupe", help="Of rows of one customer_id take the first, instead of refusing the table.")
]
Budget = Annotated[
    float | None, typer.Option(help="Money of this run, in the world's currency; default: a day's share.")
]
Capacity = Annotated[
    list[str] | None, typer.Option(help="Most sends of this run on a channel, as sms=20000; may be repeated.")
]
Allocate = Annotated[
    str, typer.Option(help="Where there is too little for all: lot, or value, for a policy that states values.")
]
Explore = Annotated[
    float, typer.Option(help="With --allocate value: share of customers, 0 to 1, who draw among all allowed.")
]
Prices = Annotated[
    Path | None,
    typer.Option(
        help="Plan by value, as --json says it, or the ledger that has it: who pays at its prices is sent to."
    ),
]
AtLeast = Annotated[
    list[str] | None,
    typer.Option(
        help="With --allocate value: share of customers who shall get an offer, or something on a channel, where they "
        "can, as coupon20=0.02; may be repeated."
    ),
]
Decisions = Annotated[
    Path | None,
    typer.Option(help="Decision log, sending nothing included; default: beside the list, as .decisions.parquet."),
]
Plan = Annotated[Path | None, typer.Option(help="The plan on one page, HTML; default: beside the list, as .plan.html.")]
Ledger = Annotated[
    Path | None, typer.Option(help="Ledger of the campaign: contacts, money and sends are counted from it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; write nothing but --plan.")]
SendAt = Annotated[
    str | None, typer.Option(help="When the list goes out, 09:30 by the world's clock; none in quiet hours.")
]
Memory = Annotated[
    Path | None, typer.Option(help="What a recurrent policy remembers of customers; begun where there is none.")
]
Explain = Annotated[
    str | None,
    typer.Option(
        help="Say why this customer gets what it gets; with --ledger alone, what it got and why. Writes nothing.",
        metavar="ID",
    ),
]
WhatIf = Annotated[
    Path | None, typer.Option(help="Say what other budgets would bring, and draw it here, as PNG; decide nothing.")
]
Items = Annotated[
    Path | None, typer.Option(help="Items by customer, of `profile recommend`: what content offers show.")
]
Workers = Annotated[int, typer.Option(min=1, help="How many work at a table that is decided in shards.")]
ShardRows = Annotated[
    int, typer.Option("--shard", min=1, help="Customers held at a time; a longer Parquet table is decided in shards.")
]
By = Annotated[
    str, typer.Option("--engine", help="Who works at shards: local, dask, ray or spark, or a cluster, as dask:ADDRESS.")
]
