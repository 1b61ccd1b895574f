"""`decide --what-if`: what other budgets would bring, as a table and a picture.

Not here: the plans behind it (send/value_plan.py), the picture (report/figures/budget_curve.py).
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import numpy as np

from campaignrl.cli.terminal import say, say_json, say_table
from campaignrl.policies import Policy
from campaignrl.send import REWARDS, Decisions, what_if_budget
from campaignrl.specs import World
from campaignrl.tables.files import write_whole


def say_what_if(found: Decisions, policy: Policy, world: World, picture: Path, as_json: bool) -> None:
    """Say what budgets from nothing to all that pays would bring, and draw it, today's marked."""
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
        curve = [
            {
                "budget_minor": p.money,
                "cost_minor": p.cost,
                "expected_gain": p.value,
                "bound": p.bound,
                "gap": max(p.bound - p.value, 0.0),
                "sends": p.sends,
            }
            for p in points
        ]
        say_json({"currency": unit, "today_minor": today, "curve": curve, "picture": str(picture)})
        return
    say(f"{of}: {picture}\n")
    rows = [(p.money / per, p.cost / per, f"{p.sends:,}", p.value, p.bound) for p in points]
    head = (f"budget, {unit}", "cost", "sends", "expected gain", "at most")
    say_table(head, [[one if isinstance(one, str) else f"{one:,.2f}" for one in row] for row in rows])


def _write(content: bytes, out: BinaryIO) -> None:
    out.write(content)
