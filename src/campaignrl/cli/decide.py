"""`campaignrl decide`: today's send list for a customers table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from campaignrl.cli.console import progress, say, say_json, say_table, talk
from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.options import Encoding, Json, Output, Seed
from campaignrl.errors import UsageError
from campaignrl.guard import cap_windows
from campaignrl.policies import load_policy, read_manifest
from campaignrl.policies.deep import memory_writer, open_memory
from campaignrl.send import Decisions
from campaignrl.send.decide import decide as decide_for
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables import ID, LEAST_KNOWN, CustomerTable, read_customers
from campaignrl.tables.files import Writer, column_names, frame_writer, read_frame, require_apart, write_together
from campaignrl.tables.log import log_writers


def decide(
    policy: Annotated[str, typer.Argument(help="Bundle, spec file, bundled name, or always:ACTION.")],
    customers: Annotated[Path, typer.Argument(help="Customers table, Parquet or CSV: one row a customer.")],
    output: Output,
    world: Annotated[
        str | None,
        typer.Option("--world", "-w", help="World whose rules hold; default: the bundled one it was trained in."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Day of the decision, YYYY-MM-DD; default: today.")] = None,
    suppress: Annotated[Path | None, typer.Option(help="Table of customer_id never to be contacted.")] = None,
    least_known: Annotated[
        float,
        typer.Option(help="Share of --suppress, 0 to 1, that must be among CUSTOMERS; below, it is refused."),
    ] = LEAST_KNOWN,
    decisions: Annotated[
        Path | None, typer.Option(help="Also write the decision log, sending nothing included: tomorrow's --log.")
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(help="What a recurrent policy remembers of customers; begun where there is none.")
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
    place = inputs.read(lambda: load_world(world or _world_of(named.value)))
    loaded = inputs.read(lambda: load_policy(named.value, place.value.catalog, place.value.features))
    barred = inputs.read(lambda: _suppressed(suppress, encoding))
    read = inputs.read(lambda: _customers(customers, place.value, barred.value, least_known, encoding))
    given = {"CUSTOMERS": customers, "--suppress": suppress, "POLICY": Path(policy), "--world": Path(world or policy)}
    made = {"--memory": memory, "--decisions": decisions, "--output": output}
    inputs.read(lambda: require_apart(made, given))
    inputs.check()
    rules, playing, table = place.value, loaded.value, read.value
    known = None if memory is None else open_memory(playing, memory)
    with progress(f"decide    {playing.name}") as step:
        found = decide_for(playing, table, rules, day=day.value, seed=seed, memory=known, progress=step)
    files: dict[str | Path, Writer] = {} if decisions is None else log_writers(found.to_log(), decisions)
    if known is not None and memory is not None:
        files[memory] = memory_writer(known, memory)
    write_together({**files, output: frame_writer(found.sends(), output)})
    for note, count in table.notes.items():
        talk(f"{count:,} customers with {note}")
    _answer(found, table, rules, output, as_json)


def _answer(found: Decisions, table: CustomerTable, world: World, output: Path, as_json: bool) -> None:
    sends, minor = int((found.action != 0).sum()), world.money.minor_per_unit
    cost = f"{found.cost / minor:,.2f} {world.money.currency}"
    blocked = found.blocked_counts()
    if as_json:
        facts = {"customers": len(table), "sends": sends, "cost_minor": found.cost, "currency": world.money.currency}
        say_json({**facts, "blocked": blocked, "repaired": table.notes, "send_list": str(output)})
        return
    say(f"{len(table):,} customers, {sends:,} sends for {cost}: {output}")
    say("refused to some: " + " · ".join(f"{rule} {count:,}" for rule, count in list(blocked.items())[:8]) + "\n")
    channels = [*world.channels, "none"]
    say_table(("segment", *channels), _by_segment(found, table, channels))


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


def _customers(
    path: Path, world: World, suppressed: frozenset[str] | None, least_known: float, encoding: str | None
) -> CustomerTable:
    windows, channels = cap_windows(world), list(world.channels)
    return read_customers(
        path, world.features, channels, windows, suppressed, least_known=least_known, encoding=encoding
    )


def _suppressed(path: Path | None, encoding: str | None) -> frozenset[str] | None:
    return None if path is None else frozenset(read_frame(path, [ID], text=[ID], encoding=encoding)[ID])
