"""`campaignrl decide`: today's send list for a customers table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.policies import Policy, load_policy, read_manifest
from campaignrl.policies.deep import memory_writer, open_memory
from campaignrl.send import Decisions, explained, limits_of_run, read_customers
from campaignrl.send.decide import decide as decide_for
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables import ID, LEAST_KNOWN, CustomerTable
from campaignrl.tables.files import Writer, column_names, frame_writer, read_frame, require_apart, write_together
from campaignrl.tables.log import log_writers


def decide(
    policy: Annotated[str, typer.Argument(help="Bundle, spec file, bundled name, or always:ACTION.")],
    customers: Annotated[Path, typer.Argument(help="Customers table, Parquet or CSV: one row a customer.")],
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
    decisions: Annotated[
        Path | None,
        typer.Option(help="Decision log, sending nothing included; default: beside the list, as .decisions.parquet."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of the campaign: contacts, money and sends are counted from it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; write nothing.")] = False,
    send_at: Annotated[
        str | None, typer.Option(help="When the list goes out, 09:30 by the world's clock; none in quiet hours.")
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(help="What a recurrent policy remembers of customers; begun where there is none.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Say why this customer gets what it gets; write nothing.", metavar="ID")
    ] = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Decide what to send to each customer today, within consent, caps and eligibility; write the send list."""
    inputs = Inputs()
    day = inputs.read(lambda: day_of(as_of))
    named = inputs.read(lambda: policy_name(policy, world))
    inputs.read(lambda: column_names(customers, encoding=encoding))
    kept = inputs.read(lambda: None if ledger is None else Ledger.open(ledger))
    place = inputs.read(lambda: load_world(world or _world_of(named.value)))
    loaded = inputs.read(lambda: load_policy(named.value, place.value.catalog, place.value.features))
    most = inputs.read(lambda: _capacity(capacity or []))
    inputs.read(lambda: limits_of_run(place.value, 0, budget, most.value))
    barred = inputs.read(lambda: _suppressed(suppress, encoding))
    read = inputs.read(
        lambda: read_customers(
            customers,
            place.value,
            suppressed=barred.value,
            least_known=least_known,
            ledger=ledger is not None,
            encoding=encoding,
        )
    )
    given: dict[str, Path | None] = {"CUSTOMERS": customers, "--suppress": suppress, "--ledger": ledger}
    given |= {"POLICY": Path(policy), "--world": Path(world or policy)}
    log = decisions
    if log is None and ledger is None and output is not None:
        log = output.with_name(f"{output.stem}.decisions.parquet")
    inputs.read(lambda: _require_output(output, dry_run or explain is not None))
    made = {"--memory": memory, "--decisions": log, "--output": output}
    inputs.read(lambda: require_apart(made, given))
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
            memory=known,
            ledger=kept.value,
            dry_run=dry_run or output is None or explain is not None,
            send_at=send_at,
            progress=step,
        )
    if explain is not None:
        _explain(found, playing, rules, explain, as_json)
        return
    if not dry_run and output is not None:
        files: dict[str | Path, Writer] = {} if log is None else log_writers(found.to_log(), log)
        if known is not None and memory is not None:
            files[memory] = memory_writer(known, memory)
        write_together({**files, output: frame_writer(found.sends(), output)})
    if found.withdrawn is not None and found.withdrawn.any():
        talk(f"{found.withdrawn.sum():,} sends of this run are left out: the permission was taken away since")
    for note, count in table.notes.items():
        talk(f"{count:,} customers with {note}")
    _answer(found, table, rules, {} if dry_run else {"send_list": output, "decisions": log, "ledger": ledger}, as_json)


def _require_output(output: Path | None, nothing_is_written: bool) -> None:
    if output is None and not nothing_is_written:
        fix = "Give -o FILE; --dry-run and --explain ID write nothing."
        raise UsageError(Problem("decide", "--output", "left out", "a file for the send list", fix))


def _explain(found: Decisions, policy: Policy, world: World, customer: str, as_json: bool) -> None:
    told = explained(found, policy, world, customer)
    if as_json:
        say_json(asdict(told))
        return
    for line in told.lines():
        say(line)


def _answer(found: Decisions, table: CustomerTable, world: World, files: dict[str, Path | None], as_json: bool) -> None:
    """What will be sent, what it costs of what may be spent, who was refused. files: none on a dry run."""
    sends, minor, money = len(found.sends()), world.money.minor_per_unit, found.limits.money
    blocked, budget = found.blocked_counts(), None if np.isinf(money) else int(money)
    if as_json:
        facts: dict[str, object] = {
            "customers": len(table),
            "sends": sends,
            "cost_minor": found.cost,
            "budget_minor": budget,
        }
        facts |= {"currency": world.money.currency, "capacity": _capacities(found, world)}
        written = {name: str(path) for name, path in files.items() if path is not None}
        say_json({**facts, "blocked": blocked, "repaired": table.notes, **written})
        return
    of = "" if budget is None else f" of {budget / minor:,.2f}"
    cost = f"{found.cost / minor:,.2f}{of} {world.money.currency}"
    say(f"{len(table):,} customers, {sends:,} sends for {cost}: {files.get('send_list', 'nothing is written')}")
    full = [f"{c} {of['sends']:,} of {of['most']:,}" for c, of in _capacities(found, world).items()]
    if full:
        say("capacity: " + " · ".join(full))
    say("refused to some: " + " · ".join(f"{rule} {count:,}" for rule, count in list(blocked.items())[:8]) + "\n")
    channels = [*world.channels, "none"]
    say_table(("segment", *channels), _by_segment(found, table, channels))


def _capacities(found: Decisions, world: World) -> dict[str, dict[str, int]]:
    """Sends and the most there may be, of every channel that has a limit."""
    sent = np.bincount(found.catalog.channel_of[found.action] + 1, minlength=len(world.channels) + 1)[1:]
    rows = zip(world.channels, sent, found.limits.sends, strict=True)
    return {name: {"sends": int(many), "most": int(most)} for name, many, most in rows if np.isfinite(most)}


def _by_segment(found: Decisions, table: CustomerTable, channels: Sequence[str]) -> list[list[str]]:
    """Sends by segment tag and channel; `none` is the last column."""
    channel = found.catalog.channel_of[found.action]
    tags = table.context.labels("segment")
    rows = []
    for tag in sorted(set(tags), key=lambda t: (t == "", t)):
        counts = np.bincount(np.where(channel < 0, len(channels) - 1, channel)[tags == tag], minlength=len(channels))
        rows.append([tag or "(no tag)", *(f"{count:,}" for count in counts)])
    return rows


def _world_of(policy: str) -> str:
    """The bundled world that a bundle says it was trained in; only a name of ours is ever followed."""
    path = Path(policy)
    trained_in = "ecommerce"
    if path.is_file() and path.suffix == ".bundle":
        trained_in = str(read_manifest(path).get("trained_on", {}).get("world", ""))
    if trained_in not in bundled_files("envs"):
        raise UsageError(f"{policy} does not say which bundled world it was trained in: give its rules with --world.")
    return trained_in


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
