"""`campaignrl decide`: today's send list for a customers table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.sends.answer import Outputs, say_plan
from campaignrl.cli.sends.what_if import say_what_if
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.policies import Policy, load_policy, read_manifest
from campaignrl.policies.deep import open_memory
from campaignrl.profiles.items import ITEM, WithItems, with_items
from campaignrl.send import (
    Decisions,
    explained,
    history_of,
    limits_of_run,
    plan_of,
    read_customers,
    require_values,
)
from campaignrl.send.decide import decide as decide_for
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables import ID, LEAST_KNOWN
from campaignrl.tables.files import column_names, read_frame, require_apart


def decide(
    policy: Annotated[str | None, typer.Argument(help="Bundle, spec file, bundled name, or always:ACTION.")] = None,
    customers: Annotated[
        Path | None, typer.Argument(help="Customers table, Parquet or CSV: one row a customer.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Send list; it appears whole or not at all.")
    ] = None,
    world: Annotated[
        str | None,
        typer.Option("--world", "-w", help="World whose rules hold; default: the bundled one it was trained in."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Day of the decision, YYYY-MM-DD; default: today.")] = None,
    suppress: Annotated[Path | None, typer.Option(help="Table of customer_id never to be contacted.")] = None,
    least_known: Annotated[
        float,
        typer.Option(help="Share of --suppress, 0 to 1, that must be among CUSTOMERS, and be left of the last run's."),
    ] = LEAST_KNOWN,
    budget: Annotated[
        float | None, typer.Option(help="Money of this run, in the world's currency; default: a day's share.")
    ] = None,
    capacity: Annotated[
        list[str] | None, typer.Option(help="Most sends of this run on a channel, as sms=20000; may be repeated.")
    ] = None,
    allocate: Annotated[
        str, typer.Option(help="Where there is too little for all: lot, or value, for a policy that states values.")
    ] = "lot",
    explore: Annotated[
        float, typer.Option(help="With --allocate value: share of customers, 0 to 1, who draw among all allowed.")
    ] = 0.0,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Decision log, sending nothing included; default: beside the list, as .decisions.parquet."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="The plan on one page, HTML; default: beside the list, as .plan.html.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of the campaign: contacts, money and sends are counted from it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent; write nothing but --plan.")
    ] = False,
    send_at: Annotated[
        str | None, typer.Option(help="When the list goes out, 09:30 by the world's clock; none in quiet hours.")
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(help="What a recurrent policy remembers of customers; begun where there is none.")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            help="Say why this customer gets what it gets; with --ledger alone, what it got and why. Writes nothing.",
            metavar="ID",
        ),
    ] = None,
    what_if: Annotated[
        Path | None, typer.Option(help="Say what other budgets would bring, and draw it here, as PNG; decide nothing.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="Items by customer, of `profile recommend`: what content offers show.")
    ] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Decide what to send to each customer today, within consent, caps and eligibility; write the send list."""
    if policy is None or customers is None:
        _explain_from_ledger(policy, ledger, explain, as_json)
        return
    inputs = Inputs()
    day = inputs.read(lambda: day_of(as_of))
    named = inputs.read(lambda: policy_name(policy, world))
    inputs.read(lambda: column_names(customers, encoding=encoding))
    kept = inputs.read(lambda: None if ledger is None else Ledger.open(ledger))
    place = inputs.read(lambda: load_world(world or _world_of(named.value)))
    loaded = inputs.read(lambda: load_policy(named.value, place.value.catalog, place.value.features))
    inputs.read(lambda: require_values(loaded.value, allocate if what_if is None else "value", explore))
    most = inputs.read(lambda: _capacity(capacity or []))
    inputs.read(lambda: limits_of_run(place.value, 0, budget, most.value))
    barred = inputs.read(lambda: _suppressed(suppress, encoding))
    known_by: dict[str, Any] = {"least_known": least_known, "ledger": ledger is not None, "encoding": encoding}
    read = inputs.read(lambda: read_customers(customers, place.value, suppressed=barred.value, **known_by))
    nothing = dry_run or explain is not None or what_if is not None
    given: dict[str, Path | None] = {
        "CUSTOMERS": customers,
        "--suppress": suppress,
        "--ledger": ledger,
        "--items": items,
    }
    given |= {"POLICY": Path(policy), "--world": Path(world or policy)}
    shown = inputs.read(lambda: _items(items, encoding))
    made = Outputs.beside(output, decisions, plan, memory, ledger, nothing=nothing, items=items is not None)
    inputs.read(lambda: _require_output(output, nothing))
    inputs.read(lambda: require_apart({**made.by_option(), "--what-if": what_if}, given))
    inputs.check()
    rules, playing, table = place.value, loaded.value, read.value
    known = None if memory is None else open_memory(playing, memory)
    with progress(f"decide    {playing.name}") as step:
        found = decide_for(
            playing,
            table,
            rules,
            day=day.value,
            seed=seed,
            budget=budget,
            capacity=most.value,
            allocate=allocate,
            explore=explore,
            memory=known,
            ledger=kept.value,
            dry_run=nothing or output is None,
            send_at=send_at,
            progress=step,
        )
    if explain is not None:
        _explain(found, playing, rules, explain, as_json)
        return
    if what_if is not None:
        say_what_if(found, playing, rules, what_if, as_json)
        return
    answer = plan_of(found, rules, kept.value)
    made.write(found, answer, known, _with_items(found, shown.value, rules))
    say_plan(answer, table, made, as_json)


def _require_output(output: Path | None, nothing_is_written: bool) -> None:
    if output is None and not nothing_is_written:
        fix = "Give -o FILE; --dry-run and --explain ID need none, --what-if FILE makes a picture."
        raise UsageError(Problem("decide", "--output", "left out", "a file for the send list", fix))


def _explain_from_ledger(policy: str | None, ledger: Path | None, explain: str | None, as_json: bool) -> None:
    """What the ledger itself knows of a customer; UsageError where more was meant."""
    if explain is None or ledger is None or policy is not None:
        missing = "POLICY" if policy is None else "CUSTOMERS"
        fix = "Only `decide --ledger LEDGER --explain ID` goes without."
        raise UsageError(Problem("decide", missing, "left out", "a policy, then a customers table", fix))
    told = history_of(Ledger.open(ledger), explain)
    if as_json:
        say_json(asdict(told))
        return
    for line in told.lines():
        say(line)


def _explain(found: Decisions, policy: Policy, world: World, customer: str, as_json: bool) -> None:
    told = explained(found, policy, world, customer)
    if as_json:
        say_json(asdict(told))
        return
    for line in told.lines():
        say(line)


def _world_of(policy: str) -> str:
    """The bundled world that a bundle says it was trained in; only a name of ours is ever followed."""
    path = Path(policy)
    trained_in = "ecommerce"
    if path.is_file() and path.suffix == ".bundle":
        trained_in = str(read_manifest(path).get("trained_on", {}).get("world", ""))
    if trained_in not in bundled_files("envs"):
        raise UsageError(f"{policy} does not say which bundled world it was trained in: give its rules with --world.")
    return trained_in


def _items(path: Path | None, encoding: str | None) -> pd.DataFrame | None:
    return None if path is None else read_frame(path, text=[ID, ITEM], encoding=encoding)


def _with_items(found: Decisions, shown: pd.DataFrame | None, world: World) -> WithItems | None:
    return None if shown is None else with_items(found.sends(), shown, world)


def _suppressed(path: Path | None, encoding: str | None) -> frozenset[str] | None:
    return None if path is None else frozenset(read_frame(path, [ID], text=[ID], encoding=encoding)[ID])


def _capacity(given: Sequence[str]) -> dict[str, int]:
    """`sms=20000` as a limit; every fault at once."""
    limits, wrong = {}, []
    for text in given:
        name, _, most = text.partition("=")
        try:
            limits[name] = int(most)
        except ValueError:
            wrong.append(Problem("--capacity", "limit", text, "a channel and a whole number", "Write it as sms=20000."))
    if wrong:
        raise UsageError(wrong)
    return limits
