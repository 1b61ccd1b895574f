"""What queries of all databases share: quoted names, the table that is meant, a query as part of another one.

Not here: opening a database (one file a kind), URLs (address.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from campaignrl.errors import DataError, Problem, unknown
from campaignrl.tables.databases.address import Address, without_password


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def wrapped(query: str) -> str:
    """The query as something to select from: one statement, and nothing but an answer."""
    return f"SELECT * FROM (\n{query.strip().rstrip(';')}\n) AS asked"  # a comment at its end swallows nothing


def table_among(address: Address, tables: Sequence[tuple[str, ...]]) -> str:
    """The table of an address in SQL; `tables`: what there is, each as (table,) or (schema, table).

    A table of the first schema in the list needs no schema before it.
    """
    wanted = str(address.table)
    by_name = {".".join(one): one for one in reversed(tables)}
    by_name |= {one[-1]: one for one in reversed(tables) if one[-1] not in by_name or one[0] == tables[0][0]}
    if wanted not in by_name:
        raise unknown("table", wanted, by_name, f"In {without_password(address.url)}.")
    return ".".join(quoted(part) for part in by_name[wanted])


def refuse_twice(address: Address, names: Sequence[str]) -> None:
    """A DataError for columns of one name."""
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        fix = "Name them apart in the query: SELECT a.id AS order_id, b.id AS member_id ..."
        raise DataError([Problem(address.shown, "column", name, "named once", fix) for name in dict.fromkeys(twice)])
