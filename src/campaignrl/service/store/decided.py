"""What was decided: rows, reservations and totals, in the transaction that decides.

A record of a decision is packed: names of its cells, and what all of a round say alike, stand in a form, which is kept
once. A send is reserved at once: it counts for caps, budget, capacity and stock until its hand-over fails for good. Not
here: what is read before (standing.py), how it is decided (deciding/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select, update

from campaignrl.service.store.database import Question, put_rows
from campaignrl.service.store.schema import decisions, forms, sends, shadows, totals
from campaignrl.service.store.standing import OF_OFFER, ON_DAY, SPENT

Columns = Mapping[str, Sequence[Any]]
FORMS = Question(lambda listed: select(forms.c.id, forms.c.members).where(listed(forms.c.id, "ids")))


class Form(NamedTuple):
    """What cells of records are: JSON of a list of [name] and, of what is the same in all, [name, value]."""

    id: str
    members: str

    @classmethod
    def of(cls, names: Iterable[str], same: Mapping[str, Any], last: str) -> Form:
        """names: in order; last: of a cell that may be missing."""
        return _form(tuple(names), tuple(same.items()), last)


@lru_cache(maxsize=16)  # nearly all rounds of a day have one
def _form(names: tuple[str, ...], same: tuple[tuple[str, Any], ...], last: str) -> Form:
    told = dict(same)
    members = orjson.dumps([*([name, told[name]] if name in told else [name] for name in names), [last]])
    return Form(hashlib.blake2b(members, digest_size=6).hexdigest(), members.decode())


def unpacked(con: Connection, records: Sequence[str]) -> list[dict[str, Any]]:
    """Records by the names of their cells, as they are in a ledger."""
    found = [orjson.loads(one) for one in records]
    ids = {one[0] for one in found if isinstance(one, list)}
    told = {one: orjson.loads(members) for one, members in FORMS.rows(con, {"ids": sorted(ids)})} if ids else {}
    return [one if isinstance(one, dict) else _named(told[one[0]], one[1:]) for one in found]


def _named(members: Sequence[Sequence[Any]], cells: Sequence[Any]) -> dict[str, Any]:
    rest, record = iter(cells), {}
    for name, *same in members:
        for cell in same or islice(rest, 1):  # none is left of a last one that is missing
            record[name] = cell
    return record


def keep(con: Connection, form: Form, decided: Columns, sent: Columns) -> None:
    """Write decisions, and reserve what those of them that send something use; rows of both, column by column."""
    put_rows(con, forms, {"id": [form.id], "members": [form.members]}, once=True)
    put_rows(con, decisions, decided)
    if sent["decision_id"]:
        put_rows(con, sends, sent)
        add_to_totals(con, _uses(sent))


def set_counted(con: Connection, decision_ids: Iterable[str], counted: bool) -> int:
    """Let reservations count again, or no more; how many changed."""
    changed = []
    for one in decision_ids:
        hit = (sends.c.decision_id == one) & (sends.c.counted != counted)
        row = con.execute(select(sends).where(hit)).mappings().first()
        if row is not None:
            con.execute(update(sends).where(sends.c.decision_id == one).values(counted=counted))
            changed.append(dict(row))
    sign = 1 if counted else -1
    used = _uses({name: [row[name] for row in changed] for name in ("cost", "day", "channel", "offer")})
    add_to_totals(con, {name: sign * value for name, value in used.items()})
    return len(changed)


def add_to_totals(con: Connection, changes: Mapping[str, int]) -> None:
    """Add to totals, which begin at 0."""
    told = {name: value for name, value in sorted(changes.items()) if value}
    put_rows(con, totals, {"name": list(told), "value": list(told.values())}, add_up="value")


def _uses(rows: Columns) -> dict[str, int]:
    found = {SPENT: sum(rows["cost"])}
    for day, channel, offer in zip(rows["day"], rows["channel"], rows["offer"], strict=True):
        for name in (f"{ON_DAY}:{day}:{channel}", f"{OF_OFFER}:{offer}"):
            found[name] = found.get(name, 0) + 1
    return found


def keep_shadows(con: Connection, rows: Columns) -> None:
    """What a policy that only watches would have done beside decisions that stand."""
    put_rows(con, shadows, rows)
