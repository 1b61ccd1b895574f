"""The ids of all sources -> one customer id a row.

Here: collecting ids and links in the engine, naming customers, the tables `identity` and `who_n`. Not here: the
rule by which ids hang together (links.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.errors import DataError, Problem
from campaignrl.profiles.intake.deduplication import Staged
from campaignrl.profiles.intake.links import link
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
        kinds = [f"WHEN id{i} IS NOT NULL THEN '{kind}'" for i, kind in enumerate(_quoted(one.query.ids))]
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
        for i, kind in enumerate(one.query.ids)
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
        for i, a in enumerate(one.query.ids)
        for j, b in enumerate(one.query.ids)
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
