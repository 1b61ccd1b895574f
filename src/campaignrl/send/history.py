"""What a ledger says of one customer: every decision and why, its hand-over, what came of it, what was allowed since.

Read from the ledger alone: neither policy nor customers table is needed. Not here: what speaks for a choice, which
needs the policy (explain.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from campaignrl.display import one_line
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import EPOCH, SEEN, Ledger, names_of, require_whole
from campaignrl.tables import same_spelling

SHOWN = 5  # decisions told in words


@dataclass(frozen=True)
class PastDecision:
    """One decision.

    Attributes:
        day, decision_id, policy: when, its id, who decided.
        action, reason, probability: what, why, with which chance.
        allowed: how many actions were.
        blocked: rules that refused something.
        seen: what was known of the customer, as text.
        handed_over: the last word of the sending tool; "" while there is none.
        outcomes: (day, kind, margin in minor units) of what names this decision.
    """

    day: str
    decision_id: str
    policy: str
    action: str
    reason: str
    probability: float
    allowed: int
    blocked: tuple[str, ...]
    seen: dict[str, str]
    handed_over: str
    outcomes: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class History:
    """One customer's time in a ledger.

    Attributes:
        customer: id, as it was asked for.
        currency, minor_per_unit: of all money in it.
        decisions: the last first.
        permissions: (day, channel, given or taken away, source), the last first.
        outcomes: (day, kind, margin in minor units) that name the customer and no decision.
    """

    customer: str
    currency: str
    minor_per_unit: int
    decisions: tuple[PastDecision, ...]
    permissions: tuple[tuple[str, str, str, str], ...]
    outcomes: tuple[tuple[str, str, int], ...]

    def __repr__(self) -> str:
        return one_line(f"{self.customer}: {len(self.decisions)} decisions")

    def lines(self) -> list[str]:
        """The history in words, a line each."""
        told = []
        for one in self.decisions[:SHOWN]:
            got = "nothing" if one.action == "none" else one.action
            told.append(f"{one.day}  {self.customer} got {got}: {one.reason}")
            if one.blocked:
                told.append(f"            refused   {' · '.join(one.blocked)}")
            if one.handed_over:
                told.append(f"            handed over: {one.handed_over}")
            told += [f"            {day}  {self._outcome(kind, margin)}" for day, kind, margin in one.outcomes]
        if len(self.decisions) > SHOWN:
            told.append(f"and {len(self.decisions) - SHOWN:,} earlier decisions (--json has all)")
        told += [f"{day}  {self._outcome(kind, margin)}" for day, kind, margin in self.outcomes[:SHOWN]]
        told += [f"{day}  {what}: {channel} ({by})" for day, channel, what, by in self.permissions[:SHOWN]]
        return told

    def _outcome(self, kind: str, margin: int) -> str:
        return f"{kind}, margin {margin / self.minor_per_unit:,.2f} {self.currency}" if margin else kind


def history_of(ledger: Ledger, customer: str) -> History:
    """Everything that a ledger holds of a customer, however the id is spelled and under every earlier name.

    Raises:
        UsageError: nothing is known of such a customer, or it was erased.
    """
    everything = ledger.read("decisions").to_pandas()
    require_whole(ledger, everything)
    names = names_of(ledger.aliases, customer)
    decisions = _theirs(everything, names)
    permissions = _theirs(ledger.read("permissions").to_pandas(), names)
    outcomes = _theirs(ledger.read("outcomes").to_pandas(), names, set(decisions["decision_id"]))
    if not len(decisions) + len(permissions) + len(outcomes):
        erased = ledger.hash_of(customer) in set(ledger.read("permissions")["customer_id"].to_pylist())
        known = "a customer that was not erased" if erased else "a customer of the ledger"
        raise UsageError(Problem("ledger", "explain", customer, known))
    handed = ledger.read("handovers").to_pandas().sort_values("day", kind="stable")
    status = handed.drop_duplicates("decision_id", keep="last").set_index("decision_id")["status"].to_dict()
    rows = decisions.sort_values(["day", "run_id"], ascending=False, kind="stable").to_dict("records")
    mine = outcomes.sort_values(["day", "outcome_id"], kind="stable")
    return History(
        customer=customer,
        currency=ledger.currency,
        minor_per_unit=ledger.minor_per_unit,
        decisions=tuple(_decision(row, status, mine) for row in rows),
        permissions=tuple(
            (_day(row["day"]), row["channel"], "given" if row["allowed"] else "taken away", row["source"] or "a file")
            for row in permissions.sort_values("day", ascending=False, kind="stable").to_dict("records")
        ),
        outcomes=_told(mine[~mine["decision_id"].isin(set(decisions["decision_id"]))]),
    )


def _theirs(rows: pd.DataFrame, names: list[str], made: set[str] | None = None) -> pd.DataFrame:
    """Rows of a customer of these names, in any spelling; made: or of these decisions."""
    mine = pd.Series(same_spelling(rows["customer_id"]), index=rows.index).isin(same_spelling(names))
    found: pd.DataFrame = rows[mine | rows["decision_id"].isin(made)] if made is not None else rows[mine]
    return found


def _decision(row: Mapping[Hashable, Any], status: dict[str, str], outcomes: pd.DataFrame) -> PastDecision:
    seen = {str(name).removeprefix(SEEN): value for name, value in row.items() if str(name).startswith(SEEN)}
    offer, channel, made = row["offer"], row["channel"], str(row["decision_id"])
    return PastDecision(
        day=_day(row["day"]),
        decision_id=made,
        policy=str(row["policy_id"]),
        action=f"{offer}@{channel}" if channel else "none",
        reason=str(row["reason"]),
        probability=float(row["propensity"]),
        allowed=len(row["eligible"]),
        blocked=tuple(filter(None, str(row["blocked"]).split("; "))),
        seen={name: _text(value) for name, value in seen.items()},
        handed_over=status.get(made, ""),
        outcomes=_told(outcomes[outcomes["decision_id"] == made]),
    )


def _told(outcomes: pd.DataFrame) -> tuple[tuple[str, str, int], ...]:
    rows = zip(outcomes["day"], outcomes["kind"], outcomes["margin"], strict=True)
    return tuple((_day(day), str(kind), int(margin)) for day, kind, margin in rows)


def _text(value: object) -> str:
    if value is None or value != value:
        return "unknown"
    return f"{value:.6g}" if isinstance(value, float) else str(value) or "unknown"


def _day(day: Any) -> str:
    return (EPOCH + datetime.timedelta(days=int(day))).isoformat()
