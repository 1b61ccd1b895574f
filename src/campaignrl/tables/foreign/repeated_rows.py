"""Rows of a foreign log that stand twice, as joins leave them: left out where a decision has an id, else counted.

Two rows of one decision id are one decision if they agree in every column that the mapping names, and an error if they
do not. Without ids nobody can say whether two equal rows of a customer are two decisions. But equal rows whose rewards
agree too, wherever there is a reward, look like one decision written twice; that is noted for the verdict. Not here:
rows of different customers that repeat each other (ope/diagnostics/repeats.py). n rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from campaignrl.arrays import Float, UInt64
from campaignrl.errors import Problem
from campaignrl.rng import mix
from campaignrl.tables.files import as_text, row_problems

KEPT_ONCE, TWICE = "repeats_left_out", "repeated_rows"  # facts of the log
TELLING = 5  # pairs of equal rows in which there is a reward to compare
ALIKE, ALIKE_OF_MANY = 0.9, 0.2  # of those pairs that agree in it; the latter where rewards take more values than FEW
FEW = 10


def once_each(table: pa.Table, column: str, where: str) -> tuple[pa.Table, int, list[Problem]]:
    """The table with the first row of each decision id, how many rows were left out, and ids told in two ways."""
    ids, rows = row_keys(table.select([column])), row_keys(table)
    first = _first_of(ids)
    other = rows != rows[first]
    texts = as_text(table[column]).to_numpy() if other.any() else ids
    fix = "Rows of one decision must agree in every column that the mapping names."
    problems = row_problems(other, column, texts, "told in one way only", fix, where)
    missing = as_text(table[column]).to_numpy() == ""
    problems += row_problems(missing, column, np.full(len(ids), None, dtype=object), "given", "", where)
    again = first != np.arange(len(first))
    return table.filter(pa.array(~again)) if again.any() else table, int(again.sum()), problems


def repeated_rows(table: pa.Table, rewards: tuple[str, ...], reward: Float) -> dict[str, Any]:
    """What is to be noted of equal rows: nothing where rewards say that they are decisions of their own.

    rewards: the columns that the reward is read from; reward: (n,).
    """
    if not len(reward):
        return {}
    whole = row_keys(table)
    again = _first_of(whole) != np.arange(len(whole))
    if not again.any():
        return {}
    left = [name for name in table.column_names if name not in rewards]
    told, agree = _pairs_with_a_reward(row_keys(table.select(left)), reward)
    many = len(np.unique(reward)) > FEW
    if told < TELLING or agree < (ALIKE_OF_MANY if many else ALIKE) * told:
        return {}
    twins = np.isin(whole, whole[again])
    others = float(reward[~twins].mean()) if not twins.all() else float("nan")
    facts = {"rows": int(again.sum()), "reward": float(reward[again].mean())}
    return {TWICE: facts | ({"others": others} if np.isfinite(others) else {})}


def _pairs_with_a_reward(keys: UInt64, reward: Float) -> tuple[int, int]:
    """Pairs of rows that are equal but for the reward, of which one has another than the usual; how many agree."""
    order = np.lexsort((reward, keys))
    first, second = order[:-1], order[1:]
    values, counts = np.unique(reward, return_counts=True)
    usual = values[int(np.argmax(counts))]
    telling = (keys[first] == keys[second]) & ((reward[first] != usual) | (reward[second] != usual))
    return int(telling.sum()), int((telling & (reward[first] == reward[second])).sum())


def row_keys(table: pa.Table) -> UInt64:
    """(n,) numbers that are alike where all columns are."""
    key = np.zeros(table.num_rows, dtype=np.uint64)
    for name in table.column_names:
        coded = table[name].combine_chunks().dictionary_encode()
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        key = mix(key + (code + 2).astype(np.uint64))
    return key


def _first_of(keys: UInt64) -> npt.NDArray[np.intp]:
    """(n,) the first row that has the key of each."""
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[back], dtype=np.intp)
