"""`campaignrl decide`: today's send list for a customers table.

Not here: its options (cli/terminal/decide_options.py), what they ask for (request.py), what is answered (answer.py), a
table too long to hold (in_shards.py).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from campaignrl.cli.sends.answer import Outputs, say_plan
from campaignrl.cli.sends.in_shards import ShardRun
from campaignrl.cli.sends.request import Request, Run
from campaignrl.cli.sends.what_if import say_what_if
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json
from campaignrl.cli.terminal import decide_options as opt
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.profiles.items import with_items
from campaignrl.send import SHARD, Explanation, History, explained, history_of, plan_of
from campaignrl.tables import LEAST_KNOWN


def decide(
    policy: opt.Policy = None,
    customers: opt.Customers = None,
    output: opt.Output = None,
    world: opt.World = None,
    as_of: opt.AsOf = None,
    suppress: opt.Suppress = None,
    least_known: opt.LeastKnown = LEAST_KNOWN,
    dedupe: opt.Dedupe = False,
    budget: opt.Budget = None,
    capacity: opt.Capacity = None,
    allocate: opt.Allocate = "lot",
    explore: opt.Explore = 0.0,
    at_least: opt.AtLeast = None,
    prices: opt.Prices = None,
    decisions: opt.Decisions = None,
    plan: opt.Plan = None,
    ledger: opt.Ledger = None,
    dry_run: opt.DryRun = False,
    send_at: opt.SendAt = None,
    memory: opt.Memory = None,
    explain: opt.Explain = None,
    what_if: opt.WhatIf = None,
    items: opt.Items = None,
    workers: opt.Workers = 1,
    shard: opt.ShardRows = SHARD,
    engine: opt.By = "local",
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Decide what to send to each customer today, within consent, caps and eligibility; write the send list."""
    if policy is None or customers is None:
        _tell(_from_ledger(policy, ledger, explain), as_json)
        return
    nothing = dry_run or explain is not None or what_if is not None
    made = Outputs.beside(output, decisions, plan, memory, ledger, nothing=nothing, items=items is not None)
    asked = Request(
        policy=policy,
        customers=customers,
        world=world,
        as_of=as_of,
        suppress=suppress,
        least_known=least_known,
        dedupe=dedupe,
        ledger=ledger,
        budget=budget,
        capacity=capacity or [],
        allocate=allocate,
        explore=explore,
        at_least=at_least or [],
        prices=prices,
        send_at=send_at,
        memory=memory,
        what_if=what_if,
        items=items,
        encoding=encoding,
        seed=seed,
        made=made,
        workers=workers,
        shard=shard,
        engine=engine,
        explains=explain is not None,
    )
    run = asked.read()
    if isinstance(run, ShardRun):
        _by_shards(run, as_json)
    elif explain is not None or what_if is not None:
        _look(run, explain, what_if, as_json)
    else:
        _send(run, as_json)


def _by_shards(run: ShardRun, as_json: bool) -> None:
    with progress(f"decide    {run.policy.name}") as step:
        found = run.write(step)
    say_plan(found.plan, found.repaired, run.made, as_json)


def _look(run: Run, explain: str | None, what_if: Path | None, as_json: bool) -> None:
    """Why one customer gets what it gets, or what other budgets would bring; nothing is decided."""
    with progress(f"decide    {run.policy.name}") as step:
        found = run.decide(step)
    if explain is not None:
        _tell(explained(found, run.policy, run.world, explain), as_json)
    elif what_if is not None:
        say_what_if(found, run.policy, run.world, what_if, as_json)


def _send(run: Run, as_json: bool) -> None:
    """Decide, and write what comes of it."""
    made = run.asked.made
    with run.alone(), progress(f"decide    {run.policy.name}") as step:
        found = run.decide(step)
        answer = plan_of(found, run.world, run.ledger)
        shown = None if run.items is None else with_items(found.sends(), run.items, run.world)
        made.write(found, answer, run.memory, shown)
    say_plan(answer, run.table.notes, made, as_json)


def _from_ledger(policy: str | None, ledger: Path | None, explain: str | None) -> History:
    """What the ledger itself knows of a customer; UsageError where more was meant."""
    if explain is None or ledger is None or policy is not None:
        missing = "POLICY" if policy is None else "CUSTOMERS"
        fix = "Only `decide --ledger LEDGER --explain ID` goes without."
        raise UsageError(Problem("decide", missing, "left out", "a policy, then a customers table", fix))
    return history_of(Ledger.open(ledger), explain)


def _tell(told: Explanation | History, as_json: bool) -> None:
    if as_json:
        say_json(asdict(told))
        return
    for line in told.lines():
        say(line)
