"""May this customer be contacted on that channel: one meaning of every word that the data hold about it.

Three kinds of word. Events `subscribed` and `unsubscribed`, of a channel or, without one, of all. Attributes
`consent_CHANNEL`: yes or no as text in English or Chinese, or a truth, with its date in `consent_CHANNEL_at` where
that is known. Opt-out lists, as attributes `optout_CHANNEL` or `optout` (all channels), with `..._at`.

The newest word counts, and of two at the same moment the no. A yes without a date is older than every other word, a
no without a date newer: what is not certain never becomes a permission. Words from `as_of` on are not known yet, but
for a no. Not here: what may be sent at all (guard/), permissions given later (ledger/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Objects
from campaignrl.errors import SHOWN, DataError, Problem
from campaignrl.profiles.events.database import Connection, by_customer, quoted, text
from campaignrl.tables.files import AGREED, MISSING, REFUSED

CONSENT, OPT_OUT, ALL_OUT, AT = "consent_", "optout_", "optout", "_at"
REASONS = ("said no", "unsubscribed", "on an opt-out list")  # why somebody of whom there is a word cannot be reached
OLDEST, NEWEST = "timestamp '0001-01-01'", "timestamp '9999-01-01'"


class Reach(NamedTuple):
    """One channel over all customers: how many may be contacted, and why the others may not."""

    channel: str
    customers: int
    reachable: int
    refused: dict[str, int]  # by reason, in the order of REASONS; none that are 0
    unknown: int  # no word about them


def is_permission(name: str) -> bool:
    """Whether an attribute says yes or no to being contacted."""
    return name == ALL_OUT or (name.startswith((CONSENT, OPT_OUT)) and not name.endswith(AT))


def is_date_of_permission(name: str) -> bool:
    """Whether an attribute is the date of one that does."""
    return name.endswith(AT) and is_permission(name.removesuffix(AT))


def spoken_of(connection: Connection) -> tuple[str, ...]:
    """Channels of which the data hold any word, in order of text."""
    _gather(connection)
    found = connection.execute("select distinct channel from permission_words where channel is not null order by 1")
    return tuple(str(row[0]) for row in found.fetchall())


def permission_column(connection: Connection, channel: str | None, ids: Objects) -> Float:
    """(n,) 1 for a customer who may be contacted on `channel`, 0 for one who may not, NaN where nobody said a word.

    Without a channel the newest word about any of them.
    """
    found = _newest(connection, channel, ids)
    return found["may"]


def reach(connection: Connection, channels: Sequence[str], ids: Objects) -> list[Reach]:
    """Who can be reached on each channel."""
    found = []
    for channel in channels:
        words = _newest(connection, channel, ids)
        may, because = words["may"], words["because"]
        counts = {reason: int(np.sum((may == 0) & (because == reason))) for reason in REASONS}
        refused = {reason: n for reason, n in counts.items() if n}
        found.append(Reach(channel, len(ids), int(np.sum(may == 1)), refused, int(np.sum(np.isnan(may)))))
    return found


def _newest(connection: Connection, channel: str | None, ids: Objects) -> dict[str, npt.NDArray[Any]]:
    """(n,) columns: may (1 or 0), because; missing where nobody said a word."""
    _gather(connection)
    of = "true" if channel is None else f"(channel is null or channel = {text(channel)})"
    order = "{'ts': ts, 'no': not yes, 'because': because}"
    newest = f"arg_max({{'may': yes, 'because': because}}, {order})"
    sql = f"select customer_id, {newest} as word from permission_words where {of} group by customer_id"
    told = f"select customer_id, cast(word.may as int) as may, word.because as because from ({sql})"
    return by_customer(connection, told, ids)


def _gather(connection: Connection) -> None:
    """Table permission_words (customer_id, channel, ts, yes, because), made when first asked for."""
    ((there,),) = connection.execute(
        "select count(*) from information_schema.tables where table_name = 'permission_words'"
    ).fetchall()
    if there:
        return
    parts = [
        "select customer_id, channel, ts, kind = 'subscribed' as yes, 'unsubscribed' as because from known "
        "where kind in ('subscribed', 'unsubscribed')"
    ]
    described = connection.execute("describe attributes").fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    parts += [_attribute(connection, name, types) for name in types if is_permission(name)]
    connection.execute(f"create temp table permission_words as {' union all '.join(parts)}")


def _attribute(connection: Connection, name: str, types: dict[str, str]) -> str:
    """The words of one column of the attributes; a cell that is neither yes nor no is refused, with its count."""
    said = f"lower(trim(cast({quoted(name)} as varchar)))"
    yes, no = (f"{said} in ({', '.join(text(word) for word in words)})" for words in (AGREED, REFUSED))
    none = f"({said} is null or {said} in ({', '.join(text(word.lower()) for word in MISSING)}))"
    _refuse_unknown(connection, name, f"not ({yes} or {no} or {none})", said)
    told = f"try_cast({quoted(name + AT)} as timestamp)" if name + AT in types else "null"
    if name.startswith(CONSENT):
        channel, because, word = text(name.removeprefix(CONSENT)), REASONS[0], f"({yes})"
        rows = f"({yes} or {no})"
    else:
        channel = "null" if name == ALL_OUT else text(name.removeprefix(OPT_OUT))
        because, word, rows = REASONS[2], "false", f"({yes})"  # that a list does not hold somebody is no consent
    ts = f"coalesce({told}, case when {word} then {OLDEST} else {NEWEST} end)"
    found = (
        f"select customer_id, cast({channel} as varchar) as channel, {ts} as ts, {word} as yes, "
        f"{text(because)} as because from attributes where not {none} and {rows}"
    )
    return f"select * from ({found}) where not yes or ts < (select as_of from morning)"


def _refuse_unknown(connection: Connection, name: str, unknown: str, said: str) -> None:
    sql = f"select {said} as cell, count(*) as n from attributes where {unknown} group by 1 order by n desc, cell"
    found = connection.execute(sql).fetchall()
    if not found:
        return
    fix = 'Say what it means in the mapping: values = { "word" = "yes" }, or missing = ["word"].'
    allowed = "yes or no, in English or Chinese"
    raise DataError([Problem(f"attributes ({n:,} rows)", name, cell, allowed, fix) for cell, n in found[:SHOWN]])
