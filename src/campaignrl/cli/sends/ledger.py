"""`campaignrl ledger`: begin one, add what came back, show it, read its decision log.

Not here: the tables (ledger/), today's decisions (decide.py).
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, day_of
from campaignrl.cli.terminal import Encoding, Json, Output, WorldName, say, say_json, say_table, talk
from campaignrl.errors import SHOWN
from campaignrl.ledger import Ledger, add, ledger_log
from campaignrl.specs import World, load_world
from campaignrl.tables.files import require_apart, write_together
from campaignrl.tables.log import log_writers

ledger = typer.Typer(
    help="What was decided, handed over and came of it: begin a ledger, add to it, show it, read its log.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[Path, typer.Argument(help="Folder of the ledger.", metavar="LEDGER")]
Rules = Annotated[
    str | None, typer.Option("--world", "-w", help="World of the ledger; default: its rules as they were given last.")
]


@ledger.command()
def create(
    folder: Folder,
    world: WorldName,
    customers: Annotated[int, typer.Option("--customers", "-n", help="Whom budget and capacity are for.")],
    start: Annotated[str | None, typer.Option(help="First day of the campaign, YYYY-MM-DD; default: today.")] = None,
    as_json: Json = False,
) -> None:
    """Begin a ledger in a new folder."""
    inputs = Inputs()
    rules, day = inputs.read(lambda: load_world(world)), inputs.read(lambda: day_of(start, "--start"))
    inputs.check()
    made = Ledger.create(folder, rules.value, start=day.value, customers=customers)
    facts = {"ledger": str(folder), "world": made.world, "start": made.start.isoformat(), "customers": made.customers}
    if as_json:
        say_json(facts)
        return
    say(f"{folder}: a ledger of {made.world} from {made.start} on, for {made.customers:,} customers")


@ledger.command(name="add")
def add_rows(
    folder: Folder,
    what: Annotated[str, typer.Argument(help="handovers, outcomes or permissions.", metavar="TABLE")],
    file: Annotated[Path, typer.Argument(help="Parquet or CSV of what came back.", metavar="FILE")],
    world: Rules = None,
    as_of: Annotated[str | None, typer.Option(help="Day it arrives, YYYY-MM-DD; default: today.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML file: which of its columns is which, and what its words mean.")
    ] = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Add what came back from outside, every row once.

    Hand-overs: decision_id, status (sent, unknown, refused, withdrawn, expired), day. Outcomes: outcome_id, customer_id
    or decision_id, kind (open, click, order, refund, unsubscribe), day, margin, channel. Permissions: customer_id,
    channel (* for all), allowed, day, source.
    """
    kept, rules, day = _opened(folder, world, as_of)
    found = add(kept, what, file, rules, today=day, mapping=mapping, encoding=encoding)
    if as_json:
        say_json(found._asdict())
        return
    unknown = f", {found.unknown:,} of a decision that is not here (yet)" if found.unknown else ""
    erased = f", {found.erased:,} of erased customers, left out" if found.erased else ""
    say(f"{found.rows:,} in the file: {found.new:,} new, {found.repeated:,} here before{unknown}{erased}")
    if found.against:
        named = "; ".join(found.against[:SHOWN]) + (" ..." if len(found.against) > SHOWN else "")
        talk(f"{len(found.against):,} handed over after the permission was taken away: {named}")


@ledger.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Count what is in a ledger, and its runs day by day."""
    kept = Ledger.open(folder)
    counts, runs = kept.counts(), kept.runs()
    if as_json:
        facts = {"world": kept.world, "start": kept.start.isoformat(), "rows": counts, "runs": runs}
        say_json({**facts, "chain_head": kept.chain_head})
        return
    say(f"{kept.world} from {kept.start} on, for {kept.customers:,} customers: " + _counted(counts))
    talk(f"head of the chain, to be written down elsewhere: {kept.chain_head or 'none yet'}")
    say("")
    rows = [
        (r["day"], r["policy"], f"{r['decisions']:,}", f"{r['sends']:,}", kept.money(r["cost_minor"])) for r in runs
    ]
    say_table(("day", "policy", "decisions", "sends", "cost"), rows)


@ledger.command()
def log(
    folder: Folder,
    output: Output,
    world: Rules = None,
    as_of: Annotated[str | None, typer.Option(help="Morning of reading, YYYY-MM-DD; default: today.")] = None,
    policy: Annotated[str | None, typer.Option("--policy", "-p", help="Name or hash, where several decided.")] = None,
    as_json: Json = False,
) -> None:
    """Write the decision log, with the rewards known by a day: for evaluate and train."""
    kept, rules, day = _opened(folder, world, as_of)
    require_apart({"--output": output}, {"LEDGER": folder, "--world": Path(world) if world else None})
    found = ledger_log(kept, rules, as_of=day, policy=policy)
    write_together(log_writers(found, output))
    facts = {"decisions": len(found), "matured": int(found.matured.sum()), "customers": len(found.customers)}
    if as_json:
        say_json({**facts, "policy": found.policy_id, "log": str(output)})
        return
    say(f"{facts['decisions']:,} decisions of {facts['customers']:,} customers, {facts['matured']:,} matured: {output}")


@ledger.command()
def rules(folder: Folder, world: WorldName, as_json: Json = False) -> None:
    """Take over a world whose rules changed: caps, budget, conditions; from now on decide may use them."""
    inputs = Inputs()
    kept, found = inputs.read(lambda: Ledger.open(folder)), inputs.read(lambda: load_world(world))
    inputs.check()
    made = kept.value.accept(found.value)
    if as_json:
        say_json({"ledger": str(folder), "world": made.world, "rules": list(made.rules)})
        return
    say(f"{folder}: knows {len(made.rules)} forms of the rules of {made.world}")


def _opened(folder: Path, world: str | None, as_of: str | None) -> tuple[Ledger, World, datetime.date]:
    """A ledger with its world and the day; everything that is wrong with them at once."""
    inputs = Inputs()
    kept = inputs.read(lambda: Ledger.open(folder))
    rules = inputs.read(lambda: load_world(world) if world else kept.value.form or load_world(kept.value.world))
    day = inputs.read(lambda: day_of(as_of))
    inputs.read(lambda: kept.value.require(rules.value))
    inputs.check()
    return kept.value, rules.value, day.value


def _counted(counts: dict[str, int]) -> str:
    return " · ".join(f"{name} {many:,}" for name, many in counts.items())


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
