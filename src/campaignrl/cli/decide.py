"""`campaignrl decide`: today's send list for a customers table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
import typer

from campaignrl.cli.inputs import Inputs, day_of, policy_name
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.guard import Allocation, CurvePoint
from campaignrl.ledger import Ledger
from campaignrl.policies import Policy, load_policy, read_manifest
from campaignrl.policies.deep import memory_writer, open_memory
from campaignrl.send import Decisions, explained, limits_of_run, read_customers, require_values, what_if_budget
from campaignrl.send.decide import decide as decide_for
from campaignrl.specs import World, bundled_files, load_world
from campaignrl.tables import ID, LEAST_KNOWN, CustomerTable
from campaignrl.tables.files import (
    Writer,
    column_names,
    frame_writer,
    read_frame,
    require_apart,
    write_together,
    write_whole,
)
from campaignrl.tables.log import log_writers

REWARDS = "unit of the rewards it learned from"


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
        typer.Option(help="Share of --suppress, 0 to 1, that must be among CUSTOMERS; below, it is refused."),
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
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger of the campaign: contacts, money and sends are counted from it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; write nothing.")] = False,
    memory: Annotated[
        Path | None, typer.Option(help="What a recurrent policy remembers of customers; begun where there is none.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Say why this customer gets what it gets; write nothing.", metavar="ID")
    ] = None,
    what_if: Annotated[
        Path | None, typer.Option(help="Say what other budgets would bring, and draw it here, as PNG; decide nothing.")
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
    inputs.read(lambda: require_values(loaded.value, allocate if what_if is None else "value", explore))
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
    nothing = dry_run or explain is not None or what_if is not None
    given: dict[str, Path | None] = {"CUSTOMERS": customers, "--suppress": suppress, "--ledger": ledger}
    given |= {"POLICY": Path(policy), "--world": Path(world or policy)}
    log = _log_beside(output, decisions) if ledger is None else decisions
    inputs.read(lambda: _require_output(output, nothing))
    made = {"--memory": memory, "--decisions": log, "--output": output, "--what-if": what_if}
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
            allocate=allocate,
            explore=explore,
            memory=known,
            ledger=kept.value,
            dry_run=nothing or output is None,
            progress=step,
        )
    if explain is not None:
        _explain(found, playing, rules, explain, as_json)
        return
    if what_if is not None:
        _what_if(found, playing, rules, what_if, as_json)
        return
    if not dry_run and output is not None:
        files: dict[str | Path, Writer] = {} if log is None else log_writers(found.to_log(), log)
        if known is not None and memory is not None:
            files[memory] = memory_writer(known, memory)
        write_together({**files, output: frame_writer(found.sends(), output)})
    _talk_of(found, table)
    _answer(found, table, rules, {} if dry_run else {"send_list": output, "decisions": log, "ledger": ledger}, as_json)


def _log_beside(output: Path | None, decisions: Path | None) -> Path | None:
    """Where the log goes that no ledger keeps."""
    beside = None if output is None else output.with_name(f"{output.stem}.decisions.parquet")
    return beside if decisions is None else decisions


def _talk_of(found: Decisions, table: CustomerTable) -> None:
    if found.withdrawn is not None and found.withdrawn.any():
        talk(f"{found.withdrawn.sum():,} sends of this run are left out: the permission was taken away since")
    for note, count in table.notes.items():
        talk(f"{count:,} customers with {note}")
    if found.plan is not None and not found.about["explore"]:
        talk("every action of a plan is certain: its log values no other policy (--explore 0.05 would let it)")


def _require_output(output: Path | None, nothing_is_written: bool) -> None:
    if output is None and not nothing_is_written:
        fix = "Give -o FILE; --dry-run and --explain ID write nothing, --what-if FILE a picture."
        raise UsageError(Problem("decide", "--output", "left out", "a file for the send list", fix))


def _explain(found: Decisions, policy: Policy, world: World, customer: str, as_json: bool) -> None:
    told = explained(found, policy, world, customer)
    if as_json:
        say_json(asdict(told))
        return
    for line in told.lines():
        say(line)


def _what_if(found: Decisions, policy: Policy, world: World, picture: Path, as_json: bool) -> None:
    """What other budgets would bring, as a table and a picture with today's budget marked."""
    points, per, unit = what_if_budget(policy, found, world), world.money.minor_per_unit, world.money.currency
    today = None if np.isinf(found.limits.money) else int(found.limits.money)
    figures, of = import_module("campaignrl.report.figures"), f"{policy.name}, {len(found.ids):,} customers"
    figure = figures.budget_curve(
        [p.money / per for p in points],
        [p.value for p in points],
        [p.bound for p in points],
        None if today is None else today / per,
        (unit, found.gain_unit or REWARDS),
        f"What a budget brings on {found.day.isoformat()}: {of}",
    )
    write_whole(picture, partial(_write, figures.png_bytes(figure)))
    if as_json:
        curve = [{"budget_minor": p.money, "cost_minor": p.cost, **_gains_of(p), "sends": p.sends} for p in points]
        say_json({"currency": unit, "today_minor": today, "curve": curve, "picture": str(picture)})
        return
    say(f"{of}: {picture}\n")
    rows = [(p.money / per, p.cost / per, f"{p.sends:,}", p.value, p.bound) for p in points]
    head = (f"budget, {unit}", "cost", "sends", "expected gain", "at most")
    say_table(head, [[one if isinstance(one, str) else f"{one:,.2f}" for one in row] for row in rows])


def _write(content: bytes, out: BinaryIO) -> None:
    out.write(content)


def _gains_of(plan: CurvePoint | Allocation) -> dict[str, float]:
    gap = max(plan.bound - plan.value, 0.0)
    return {"expected_gain": plan.value, "bound": plan.bound, "gap": gap}


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
        facts["expected_gain"] = found.gain
        if found.plan is not None:
            certificate = {
                **_gains_of(found.plan),
                "relative_gap": found.plan.relative_gap,
                "prices": found.plan.prices,
            }
            facts |= {"allocation": "value", "explore": found.about["explore"], "plan": certificate}
        written = {name: str(path) for name, path in files.items() if path is not None}
        say_json({**facts, "blocked": blocked, "repaired": table.notes, **written})
        return
    of = "" if budget is None else f" of {budget / minor:,.2f}"
    cost = f"{found.cost / minor:,.2f}{of} {world.money.currency}"
    say(f"{len(table):,} customers, {sends:,} sends for {cost}: {files.get('send_list', 'nothing is written')}")
    if found.gain is not None:
        unit = found.gain_unit or f"({REWARDS})"
        say(f"expected gain: {found.gain:,.2f} {unit} over sending nothing{_certificate(found)}")
    full = [f"{c} {of['sends']:,} of {of['most']:,}" for c, of in _capacities(found, world).items()]
    if full:
        say("capacity: " + " · ".join(full))
    say("refused to some: " + " · ".join(f"{rule} {count:,}" for rule, count in list(blocked.items())[:8]) + "\n")
    channels = [*world.channels, "none"]
    say_table(("segment", *channels), _by_segment(found, table, channels))


def _certificate(found: Decisions) -> str:
    """How far from the best the plan can be."""
    plan, share = found.plan, found.about.get("explore", 0.0)
    if plan is None:
        return ""
    without = f" with {share:.3g} of the customers exploring; a plan without {plan.value:,.2f}" if share else ""
    gap = f"{100 * plan.relative_gap:.2f} %" if plan.relative_gap >= 1e-4 else "below 0.01 %"
    return f"{without}; no plan can bring more than {plan.bound:,.2f} (gap {gap})"


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
