"""Single facts that workers share: is it halted, which customers are current, which policies hold.

Each is a text by name, read inside the transaction that decides. Not here: the tables of rows.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from campaignrl.service.store.database import Question
from campaignrl.service.store.schema import facts

HALT = "halt"
CUSTOMERS = "customers_version"
POLICIES = "policies_version"
ERASED = "anybody_erased"
LAST_DAY = "last_day"  # on which anything was decided
PRICES = "prices"  # of a plan by value, at which the champion decides; "" of none
PRICED_BY = "priced_by"  # the ledger's plan that these prices are of; "": somebody gave them by hand
LAST_PLAN = "last_plan"  # the newest plan of the ledger whose prices were taken, or passed over
LESSONS = "lessons"  # of the learner, under the champion that decides
NAMED = Question(lambda listed: select(facts.c.name, facts.c.value).where(listed(facts.c.name, "names")))
SHARED = (HALT, CUSTOMERS, POLICIES, ERASED, LAST_DAY)


def read_facts(con: Connection, names: tuple[str, ...] = SHARED) -> dict[str, str]:
    """Facts by name, without those that nobody told."""
    return dict(NAMED.rows(con, {"names": names}))


def tell(con: Connection, name: str, value: str) -> None:
    """Set a fact."""
    con.execute(delete(facts).where(facts.c.name == name))
    con.execute(insert(facts).values(name=name, value=value))


def count_up(con: Connection, name: str) -> int:
    """The next version of something."""
    version = int(read_facts(con, (name,)).get(name, "0")) + 1
    tell(con, name, str(version))
    return version


def halt(con: Connection, who: str, why: str, when: str) -> None:
    """Nothing is sent from now on."""
    tell(con, HALT, json.dumps({"who": who, "why": why, "when": when}, ensure_ascii=False))


def release(con: Connection) -> None:
    """Sending goes on."""
    con.execute(delete(facts).where(facts.c.name == HALT))


def halted(told: dict[str, str]) -> dict[str, Any] | None:
    """Who stopped the service, when and why; None where nobody did."""
    return json.loads(told[HALT]) if HALT in told else None
