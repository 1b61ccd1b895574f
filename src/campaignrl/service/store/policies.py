"""Which policies hold which place: champion, shadow, former.

Not here: loading and checking them (deciding/policies.py).
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from campaignrl.service.store.facts import POLICIES, PRICES, count_up, read_facts, tell
from campaignrl.service.store.schema import policies

CHAMPION, SHADOW, FORMER = "champion", "shadow", "former"


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


def price_at(con: Connection, prices: str) -> None:
    """The prices at which the champion decides from now on, as JSON; "": at none."""
    tell(con, PRICES, prices)
    count_up(con, POLICIES)


def priced_at(con: Connection) -> str:
    """What `price_at` told last."""
    return read_facts(con, (PRICES,)).get(PRICES, "")


def dismiss(con: Connection, name: str) -> bool:
    """Take a shadow off its place; False where it had none."""
    hit = (policies.c.name == name) & (policies.c.role == SHADOW)
    found = con.execute(update(policies).where(hit).values(role=FORMER)).rowcount == 1
    if found:
        count_up(con, POLICIES)
    return found


def predecessor(con: Connection) -> str | None:
    """The champion before this one; None: there was none."""
    rows = select(policies.c.name).where(policies.c.role == FORMER).order_by(policies.c.at.desc()).limit(1)
    return con.execute(rows).scalar()
