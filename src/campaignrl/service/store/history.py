"""What the store says of one customer, and of a day.

Not here: why one action came before another (send/explain.py).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from campaignrl.service.store.decided import unpacked
from campaignrl.service.store.schema import decisions, handovers, outcomes, permissions, sends, shadows, totals
from campaignrl.service.store.standing import SPENT
from campaignrl.tables import same_spelling

SHOWN = 200
OF_A_DECISION = ("offer", "channel", "propensity", "cost", "expected_gain", "reason", "blocked", "policy_id")


def history_of_one(con: Connection, customer: str) -> dict[str, list[dict[str, Any]]]:
    """Decisions, hand-overs, outcomes and permissions of a customer, the latest first."""
    rows = select(decisions).where(decisions.c.customer_id == customer).order_by(decisions.c.seq.desc()).limit(SHOWN)
    found = con.execute(rows).mappings().all()
    records = unpacked(con, [row["record"] for row in found])
    made = [_decision(dict(row), record) for row, record in zip(found, records, strict=True)]
    ids = [one["decision_id"] for one in made]
    handed = con.execute(select(handovers).where(handovers.c.decision_id.in_(ids)).order_by(handovers.c.seq.desc()))
    whose = (outcomes.c.customer_id == customer) | outcomes.c.decision_id.in_(ids)
    came = con.execute(select(outcomes).where(whose).order_by(outcomes.c.seq.desc()).limit(SHOWN))
    spelled = str(same_spelling([customer])[0])
    words = select(permissions).where(permissions.c.spelled == spelled).order_by(permissions.c.seq.desc()).limit(SHOWN)
    return {
        "decisions": made,
        "handovers": [_without(row, "seq") for row in handed.mappings()],
        "outcomes": [_without(row, "seq", "customer_id") for row in came.mappings()],
        "permissions": [_without(row, "seq", "customer_id", "spelled") for row in con.execute(words).mappings()],
    }


def _decision(row: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    seen = {name.removeprefix("seen."): value for name, value in record.items() if name.startswith("seen.")}
    own = {name: row[name] for name in ("decision_id", "day", "at", "action", "fallback")}
    return {**own, **{name: record[name] for name in OF_A_DECISION}, "seen": seen}


def _without(row: Any, *names: str) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if name not in names}


def figures_of_day(con: Connection, day: int) -> dict[str, Any]:
    """Decisions, sends by channel, and the money of a day; what was spent in all."""
    made = con.execute(select(func.count()).select_from(decisions).where(decisions.c.day == day)).scalar_one()
    fallback = select(func.count()).select_from(decisions).where(decisions.c.day == day, decisions.c.fallback)
    rows = select(sends.c.channel, sends.c.offer, func.count(), func.sum(sends.c.cost))
    rows = rows.where(sends.c.day == day, sends.c.counted).group_by(sends.c.channel, sends.c.offer)
    found = [
        {"channel": channel, "offer": offer, "sends": int(many), "cost_minor": int(cost)}
        for channel, offer, many, cost in con.execute(rows.order_by(sends.c.channel, sends.c.offer)).all()
    ]
    spent = con.execute(select(totals.c.value).where(totals.c.name == SPENT)).scalar() or 0
    more = {"fallback": con.execute(fallback).scalar_one(), "spent_minor": int(spent)}
    return {"decisions": int(made), "sends": found, **more}


def shadow_matches(con: Connection) -> list[dict[str, Any]]:
    """How often each shadow would have done what was done: policy, decisions, same."""
    hit = func.sum((shadows.c.action == decisions.c.action).cast(shadows.c.action.type))
    joined = shadows.join(decisions, shadows.c.decision_id == decisions.c.decision_id)
    rows = select(shadows.c.policy, func.count(), hit).select_from(joined).group_by(shadows.c.policy)
    return [
        {"policy": policy, "decisions": int(many), "same": int(same or 0)}
        for policy, many, same in con.execute(rows.order_by(shadows.c.policy)).all()
    ]
