"""Which policies hold which place: champion, shadow, former, dismissed; and at which prices the champion decides.

Not here: loading and checking them (deciding/parties.py).
"""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from campaignrl.ledger import newest_plan
from campaignrl.send import read_prices
from campaignrl.service.store.facts import LAST_PLAN, POLICIES, PRICED_BY, PRICES, count_up, read_facts, tell
from campaignrl.service.store.schema import policies
from campaignrl.service.store.store import Store
from campaignrl.service.store.trail import note

CHAMPION, SHADOW, FORMER, DISMISSED = "champion", "shadow", "former", "dismissed"


def places(con: Connection) -> list[dict[str, object]]:
    """Every policy that holds or held a place: name, hash, role, at; the latest first."""
    rows = con.execute(select(policies).order_by(policies.c.at.desc(), policies.c.name)).mappings()
    return [{str(name): value for name, value in row.items()} for row in rows]


def champion(con: Connection) -> str | None:
    """The name of the policy that decides; None before there was any."""
    return con.execute(select(policies.c.name).where(policies.c.role == CHAMPION)).scalar()


def place(con: Connection, name: str, digest: str, role: str, at: float) -> None:
    """Give a policy a place; a champion that another one follows is a former one."""
    if role == CHAMPION:
        con.execute(update(policies).where(policies.c.role == CHAMPION).values(role=FORMER))
    con.execute(delete(policies).where(policies.c.name == name))
    con.execute(insert(policies).values(name=name, hash=digest, role=role, at=at))
    count_up(con, POLICIES)


def price_at(con: Connection, prices: str, plan: str = "") -> None:
    """The prices at which the champion decides from now on, as JSON; "": at none. plan: of a ledger, whose they are."""
    tell(con, PRICES, prices)
    tell(con, PRICED_BY, plan)
    count_up(con, POLICIES)


def take_prices(store: Store, ledger: Path, today: datetime.date, *, pass_over: bool = False) -> bool:
    """Decide at the prices of the ledger's newest plan by value from now on, unless that was done; whether it was new.

    What somebody gives by hand holds until the next plan. pass_over: a plan that is there already is none of those.
    """
    newest = newest_plan(ledger, today)
    if newest is None:
        return False
    with store.reading() as con:
        if read_facts(con, (LAST_PLAN,)).get(LAST_PLAN) == newest.stem:
            return False
    told = read_prices(newest).to_dict()
    with store.writing() as con:
        if read_facts(con, (LAST_PLAN,)).get(LAST_PLAN) == newest.stem:
            return False
        tell(con, LAST_PLAN, newest.stem)
        if not pass_over:
            price_at(con, json.dumps(told), newest.stem)
            note(con, "plan", "prices changed", time.time(), {"plan": newest.stem, **told})
    return True


def priced_at(con: Connection) -> str:
    """What `price_at` told last."""
    return read_facts(con, (PRICES,)).get(PRICES, "")


def dismiss(con: Connection, name: str) -> bool:
    """Take a shadow off its place; False where it had none. It never decided, so nobody rolls back to it."""
    hit = (policies.c.name == name) & (policies.c.role == SHADOW)
    found = con.execute(update(policies).where(hit).values(role=DISMISSED)).rowcount == 1
    if found:
        count_up(con, POLICIES)
    return found


def predecessor(con: Connection) -> str | None:
    """The champion before this one; None: there was none."""
    rows = select(policies.c.name).where(policies.c.role == FORMER).order_by(policies.c.at.desc()).limit(1)
    return con.execute(rows).scalar()
