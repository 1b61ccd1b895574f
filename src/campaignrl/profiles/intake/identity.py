"""Who is who: member ids, device ids and phone hashes of all sources -> one customer id a row.

Rows with two ids link them; what hangs together is one customer, called by the smallest of its strongest ids
(a weaker one with its kind before it, `device:ab12`). Two members that share a weaker id are reported, and stay two
unless told to be merged: each weaker id then goes to the member it is nearest to, and to nobody where that is a tie.

Here: collecting ids and links in the engine, naming customers, the tables `identity` and `who_n`; links as arrays ->
customers. n ids numbered by (kind, text), m links. Not here: finding the rows (intake.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from campaignrl.arrays import Bool, Int64
from campaignrl.errors import DataError, Problem
from campaignrl.profiles.intake.deduplication import Staged
from campaignrl.profiles.intake.mapping import Ids

SEPARATOR = " | "


def identify(con: duckdb.DuckDBPyConnection, staged: Sequence[Staged], ids: Ids) -> pd.DataFrame:
    """Create view who_n (the kept rows with customer_id) of every source; the links, a row an id.

    Columns: kind, id, customer_id, shared (a weaker id of several members), members. No rows where one kind of id
    is all there is.
    """
    if len(ids.order) == 1:
        for one in staged:
            con.execute(f"CREATE TEMP VIEW who_{one.n} AS SELECT id0 AS customer_id, * FROM {one.kept}")
        return pd.DataFrame({name: [] for name in ("kind", "id", "customer_id", "shared", "members")}, dtype=object)
    links = _linked(con, staged, ids)
    con.register("identity_frame", pa.Table.from_pandas(links[["kind", "id", "customer_id"]], preserve_index=False))
    con.execute("CREATE TEMP TABLE identity AS SELECT * FROM identity_frame")
    con.unregister("identity_frame")
    for one in staged:
        kinds = [f"WHEN id{i} IS NOT NULL THEN '{kind}'" for i, kind in enumerate(_quoted(one.shape.ids))]
        strongest = f"CASE {' '.join(kinds)} END"
        text = f"coalesce({', '.join(one.ids)})"
        con.execute(
            f"CREATE TEMP VIEW who_{one.n} AS SELECT i.customer_id, k.* FROM {one.kept} k "
            f"JOIN identity i ON i.kind = {strongest} AND i.id = {text}"
        )
    return links


def _linked(con: duckdb.DuckDBPyConnection, staged: Sequence[Staged], ids: Ids) -> pd.DataFrame:
    place = {kind: rank for rank, kind in enumerate(ids.order)}
    seen = [
        f"SELECT {place[kind]} AS strength, id{i} AS id FROM {one.kept} WHERE id{i} IS NOT NULL"
        for one in staged
        for i, kind in enumerate(one.shape.ids)
    ]
    con.execute(
        "CREATE TEMP TABLE nodes AS SELECT row_number() OVER (ORDER BY strength, id) - 1 AS node, strength, id "
        f"FROM (SELECT DISTINCT strength, id FROM ({' UNION ALL '.join(seen)}))"
    )
    nodes = con.execute("SELECT strength, id FROM nodes ORDER BY node").fetch_df()
    edges = _edges(con, staged, place)
    strength = nodes["strength"].to_numpy(dtype=np.int64)
    linked = link(strength, edges[:, 0], edges[:, 1], ids.conflicts == "merge")
    texts = nodes["id"].to_numpy(dtype=object)
    kinds = np.array(ids.order, dtype=object)[strength] if len(strength) else np.zeros(0, dtype=object)
    names = np.where(strength == 0, texts, kinds + ":" + texts)
    _refuse_clashes(names[strength > 0], texts[strength == 0])
    members = np.full(len(texts), None, dtype=object)
    for node, member in linked.pairs:
        members[node] = texts[member] if members[node] is None else members[node] + SEPARATOR + texts[member]
    return pd.DataFrame(
        {"kind": kinds, "id": texts, "customer_id": names[linked.customer], "shared": linked.shared, "members": members}
    )


def _edges(con: duckdb.DuckDBPyConnection, staged: Sequence[Staged], place: dict[str, int]) -> np.ndarray:
    """(m, 2) numbers of linked ids, each pair once, in order."""
    pairs = [
        f"SELECT {place[a]} AS sa, id{i} AS a, {place[b]} AS sb, id{j} AS b FROM {one.kept} "
        f"WHERE id{i} IS NOT NULL AND id{j} IS NOT NULL"
        for one in staged
        for i, a in enumerate(one.shape.ids)
        for j, b in enumerate(one.shape.ids)
        if i < j
    ]
    if not pairs:
        return np.zeros((0, 2), dtype=np.int64)
    found = con.execute(
        f"SELECT x.node AS a, y.node AS b FROM (SELECT DISTINCT * FROM ({' UNION ALL '.join(pairs)})) e "
        "JOIN nodes x ON x.strength = e.sa AND x.id = e.a JOIN nodes y ON y.strength = e.sb AND y.id = e.b "
        "ORDER BY 1, 2"
    ).fetchnumpy()
    return np.stack([np.asarray(found["a"], dtype=np.int64), np.asarray(found["b"], dtype=np.int64)], axis=1)


def _refuse_clashes(names: np.ndarray, members: np.ndarray) -> None:
    """A member that is called `device:ab12` would be taken for that device."""
    clash = sorted(set(names) & set(members))
    if clash:
        fix = "Give the kind of id another name in [ids] order."
        raise DataError([Problem("ids", "id", name, "told apart from another kind's", fix) for name in clash])


def _quoted(kinds: Sequence[str]) -> list[str]:
    return [kind.replace("'", "''") for kind in kinds]


NOBODY, TIE = -1, -2


class Linked(NamedTuple):
    """customer: (n,) number of the id that names the customer; shared: (n,) a weaker id of two members or more."""

    customer: Int64
    shared: Bool
    pairs: npt.NDArray[np.int64]  # (p, 2) shared id, one of its members; in order


def link(strength: Int64, left: Int64, right: Int64, merge: bool) -> Linked:
    """Customers of n ids.

    strength: (n,) kind of each id, 0 the strongest, ascending; left, right: (m,) linked ids; merge: whether members
    that hang together are one customer.
    """
    n = len(strength)
    part = _parts(n, left, right)
    whole = _smallest(part)[part]
    owner = _nearest_member(strength, left, right)
    pairs = _shared(strength, owner, left, right)
    shared = np.zeros(n, dtype=bool)
    shared[pairs[:, 0]] = True
    if merge:
        return Linked(whole, shared, pairs)
    members = np.bincount(part, weights=strength == 0, minlength=part.max(initial=-1) + 1)
    torn = members[part] > 1
    customer = np.where(torn & (owner >= 0), owner, whole)
    customer[torn & (owner == TIE)] = np.flatnonzero(torn & (owner == TIE))
    lost = torn & (owner == NOBODY)  # reached only through ids that are nobody's
    inside = lost[left] & lost[right]
    own = _parts(n, left[inside], right[inside])
    customer[lost] = _smallest(own)[own][lost]
    return Linked(customer, shared, pairs)


def _parts(n: int, left: Int64, right: Int64) -> Int64:
    """(n,) number of the part of the graph that each id lies in."""
    if not n:
        return np.zeros(0, dtype=np.int64)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _smallest(part: Int64) -> Int64:
    """The first id of every part."""
    first: Any = np.full(part.max(initial=-1) + 1, len(part), dtype=np.int64)
    np.minimum.at(first, part, np.arange(len(part)))
    return np.asarray(first, dtype=np.int64)


def _nearest_member(strength: Int64, left: Int64, right: Int64) -> Int64:
    """(n,) the member that each id is fewest links away from; TIE where two are, NOBODY where none can be reached."""
    n = len(strength)
    owner = np.where(strength == 0, np.arange(n), NOBODY)
    source, target = np.concatenate([left, right]), np.concatenate([right, left])
    while True:
        ready = (owner[source] >= 0) & (owner[target] == NOBODY)
        if not ready.any():
            return owner
        low, high = np.full(n, n), np.full(n, -1)
        np.minimum.at(low, target[ready], owner[source[ready]])
        np.maximum.at(high, target[ready], owner[source[ready]])
        reached = np.unique(target[ready])
        owner[reached] = np.where(low[reached] == high[reached], low[reached], TIE)


def _shared(strength: Int64, owner: Int64, left: Int64, right: Int64) -> Int64:
    """(p, 2) weaker ids that touch two members or more, with each of these members."""
    n = len(strength)
    every = np.arange(n)
    touching = np.concatenate([left, right, every])
    member = owner[np.concatenate([right, left, every])]
    known = (member >= 0) & (strength[touching] > 0)
    pairs = np.unique(np.stack([touching[known], member[known]], axis=1), axis=0)
    count = np.bincount(pairs[:, 0], minlength=n)
    return np.asarray(pairs[count[pairs[:, 0]] > 1], dtype=np.int64)
