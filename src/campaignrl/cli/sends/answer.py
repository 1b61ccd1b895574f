"""What `decide` leaves behind: its files, and the plan in words or as JSON.

Not here: the figures (send/plans/plan.py), the page (report/pages/plan.py).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, NamedTuple

from campaignrl.cli.terminal import say, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.policies.deep import Memory, memory_writer
from campaignrl.profiles.items import WithItems
from campaignrl.report.pages import plan_page
from campaignrl.send import NO_TAG, Certificate, Decisions, Plan
from campaignrl.tables.files import Writer, frame_writer, write_together, write_whole
from campaignrl.tables.log import log_writers

LONGEST = 200  # bytes of a name, to which endings are added


class Outputs(NamedTuple):
    """The files of one run; None: not written. nothing: a dry run or an explanation, which writes no list."""

    send_list: Path | None
    decisions: Path | None
    plan: Path | None
    memory: Path | None
    ledger: Path | None
    nothing: bool
    items: Path | None = None

    @classmethod
    def beside(
        cls,
        send_list: Path | None,
        decisions: Path | None,
        plan: Path | None,
        memory: Path | None,
        ledger: Path | None,
        *,
        nothing: bool,
        items: bool = False,
    ) -> Outputs:
        """What was given, and where nothing was, the plan and (without a ledger) the log beside the send list.

        items: also those shown, by decision, beside the list.

        Raises:
            UsageError: the list has no name, or one so long that those beside it would not fit into a folder.
        """
        if send_list is not None and not 0 < len(os.fsencode(send_list.name)) <= LONGEST:
            allowed = f"a file name of 1 to {LONGEST} bytes"
            raise UsageError(Problem("decide", "--output", str(send_list)[:LONGEST], allowed))
        shown = None if send_list is None or nothing else send_list.with_name(f"{send_list.stem}.items.parquet")
        if send_list is not None and not nothing:
            plan = plan or send_list.with_name(f"{send_list.stem}.plan.html")
        if send_list is not None and ledger is None:
            decisions = decisions or send_list.with_name(f"{send_list.stem}.decisions.parquet")
        return cls(send_list, decisions, plan, memory, ledger, nothing, shown if items else None)

    def by_option(self) -> dict[str, Path | None]:
        """The options that name them."""
        made = {"--memory": self.memory, "--decisions": self.decisions, "--plan": self.plan, "items": self.items}
        return {**made, "--output": self.send_list}

    def write(self, found: Decisions, plan: Plan, memory: Memory | None, shown: WithItems | None = None) -> None:
        """Write them together or not at all, the list last; of a dry run the plan alone, where it was asked for."""
        if self.nothing or self.send_list is None:
            if self.plan is not None:
                write_whole(self.plan, page_writer(plan))
            return
        files: dict[str | Path, Writer] = {}
        if self.decisions is not None:
            files |= log_writers(found.to_log(), self.decisions)
        if memory is not None and self.memory is not None:
            files[self.memory] = memory_writer(memory, self.memory)
        if self.plan is not None:
            files[self.plan] = page_writer(plan)
        if shown is not None and self.items is not None:
            files[self.items] = frame_writer(shown.shown, self.items)
        sends = found.sends() if shown is None else shown.sends
        write_together({**files, self.send_list: frame_writer(sends, self.send_list)})


def page_writer(plan: Plan) -> Writer:
    """What writes the plan as a page."""
    text = plan_page(plan).encode("utf-8", errors="replace")

    def write(out: BinaryIO) -> None:
        out.write(text)

    return write


def say_plan(plan: Plan, repaired: Mapping[str, int], made: Outputs, as_json: bool) -> None:
    """What will be sent, what it costs of what may be spent, who was refused."""
    for limit in plan.limits:
        talk(limit)
    names = () if made.nothing else ("send_list", "decisions", "plan", "ledger", "items")
    files = {name: str(path) for name in names if (path := getattr(made, name)) is not None}
    if as_json:
        facts: dict[str, object] = {"customers": plan.customers, "sends": plan.sends, "cost_minor": plan.cost}
        facts |= {"budget_minor": plan.budget, "currency": plan.currency}
        facts |= {"expected_gain": plan.gain, "gain_unit": plan.gain_unit}
        facts["plan_by_value"] = None if plan.certificate is None else asdict(plan.certificate)
        facts["capacity"] = {name: {"sends": many, "most": most} for name, many, most in plan.capacity}
        facts["at_least"] = {name: {"sends": many, "asked": asked} for name, many, asked in plan.least}
        said = {
            "cells": [asdict(cell) for cell in plan.cells],
            "nothing": dict(plan.nothing),
            "limits": plan.limits,
            "left_out": plan.left_out,
        }
        change = None if plan.change is None else asdict(plan.change)
        blocked = dict(plan.blocked)
        say_json({**facts, "blocked": blocked, "repaired": dict(repaired), **said, "change": change, **files})
        return
    of = "" if plan.budget is None else f" of {plan.budget / plan.minor_per_unit:,.2f}"
    cost = f"{plan.cost / plan.minor_per_unit:,.2f}{of} {plan.currency}"
    say(
        f"{plan.customers:,} customers, {plan.sends:,} sends for {cost}: {files.get('send_list', 'nothing is written')}"
    )
    if plan.gain is not None:
        say(f"expected gain: {plan.gain:,.2f} {plan.gain_unit} over sending nothing{_certificate(plan.certificate)}")
    if plan.capacity:
        say("capacity: " + " · ".join(f"{name} {many:,} of {most:,}" for name, many, most in plan.capacity))
    if plan.least:
        say("at least: " + " · ".join(f"{name} {many:,} of {asked:,} asked for" for name, many, asked in plan.least))
    say("refused to some: " + " · ".join(f"{rule} {many:,}" for rule, many in plan.blocked[:8]))
    if plan.change is not None:
        was = plan.change
        said_of = f"{was.new:,} new, {was.gone:,} no longer, {was.other:,} get something else"
        say(f"since {was.day}: {was.sends:,} sends then; {said_of}")
    say("")
    say_table(*_by_segment(plan))


def _certificate(made: Certificate | None) -> str:
    """How far from the best the plan can be."""
    if made is None:
        return ""
    share = f" with {made.explore:.3g} of the customers exploring; a plan without {made.value:,.2f}"
    gap = f"{100 * made.relative_gap:.2f} %" if made.relative_gap >= 1e-4 else "below 0.01 %"
    return f"{share if made.explore else ''}; no plan can bring more than {made.bound:,.2f} (gap {gap})"


def _by_segment(plan: Plan) -> tuple[tuple[str, ...], list[list[str]]]:
    """Sends by segment tag and channel; `none` is the last column."""
    sends = Counter[tuple[str, str]]()
    for cell in plan.cells:
        sends[cell.segment, cell.channel] += cell.sends
    rows = []
    for segment, customers, sent in sorted(plan.segments, key=lambda row: (row[0] == NO_TAG, row[0])):
        counts = [*(sends[segment, channel] for channel in plan.channels), customers - sent]
        rows.append([segment, *(f"{count:,}" for count in counts)])
    return ("segment", *plan.channels, "none"), rows
