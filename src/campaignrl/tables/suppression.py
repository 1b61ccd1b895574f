"""Suppression: who is never to be contacted, by a list of ids and by a column of the customers table.

A list comes from another system, which may spell the same id otherwise: `1000 `, `1000.0`, `01000`, `'1000`. Such ids
meet here, and only here: a customer too many who is spared costs little, one too few costs a complaint. Not here: ids
as they are written (customers.py), the rule itself (guard/).
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.arrays import Bool, Objects
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.tables.files import NO, YES, as_text

COLUMN = "suppressed"
LEAST_KNOWN = 0.5  # of a list, below which it is more often a list of something else
NOT_SUPPRESSED = pa.array(NO)
READABLE = pa.array([*NO, *YES])
INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]"
POWER = r"^[0-9.]+[eE][+]?[0-9]+$"  # 1e+17, as spreadsheets show long numbers


class Listed(NamedTuple):
    """How long a suppression list is, and the least share that must be known of it, or left of the one before."""

    size: int  # ids, each once however it is spelled
    least_known: float

    @classmethod
    def of(cls, suppressed: Collection[str], least_known: float) -> Listed:
        """That of these ids."""
        return cls(len(pd.unique(same_spelling(suppressed))), least_known)

    def require(self, before: int) -> None:
        """DataError for a list that has lost more of the one before, of so many ids, than it may."""
        if self.size < self.least_known * before:
            fix = "More often a failed export than so many who came back; lower the least known share if it is meant."
            allowed = f"at least {self.least_known:.0%} of the {before} of the last run"
            raise DataError(Problem("suppression list", "customer_id", f"{self.size} ids", allowed, fix))


def listed(ids: Objects, suppressed: Collection[str], where: str, least_known: float = LEAST_KNOWN) -> Bool:
    """(n,) whose id is on the list, however it is spelled there.

    Raises:
        DataError: the list is empty, or less than `least_known` of it, a share, is among the ids.
        UsageError: `least_known` is no share.
    """
    spelled = spelled_list(suppressed, least_known)
    own = same_spelling(ids)
    require_known(int(pd.Series(spelled).isin(own).sum()), len(spelled), where, least_known)
    return pd.Series(own).isin(spelled).to_numpy()


def spelled_list(suppressed: Collection[str], least_known: float) -> Objects:
    """(m,) the ids of a list, each once, however they are spelled; raises where it is empty or the share is none."""
    if not 0.0 <= least_known <= 1.0:
        raise UsageError(Problem("suppression list", "least known share", least_known, "from 0 to 1"))
    spelled: Objects = np.asarray(pd.unique(same_spelling(suppressed)), dtype=object)
    if not len(spelled):
        fix = "An empty list is more often a failed export than nobody suppressed; leave it out if it is meant."
        raise DataError(Problem("suppression list", "customer_id", "no rows", "at least one row", fix))
    return spelled


def require_known(known: int, size: int, where: str, least_known: float) -> None:
    """DataError for a list of so many ids of which fewer than this share are known."""
    if known < least_known * size:
        fix = "Check that both have ids of one kind; for a list of other customers too, lower the least known share."
        allowed = f"at least {least_known:.0%} of them among those of {where}"
        raise DataError(Problem("suppression list", "customer_id", f"{known} of {size} ids", allowed, fix))


def same_spelling(ids: Collection[str]) -> Objects:
    """(n,) each id as all its spellings have in common: no blanks, no leading zeros, no decimals, one case."""
    text = pc.utf8_normalize(pa.array(list(ids), pa.string()), form="NFKC")
    text = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, INVISIBLE, ""))
    text = pc.utf8_lower(pc.replace_substring_regex(text, "^'+", ""))
    text = pc.replace_substring_regex(text, r"^[+]?0*([0-9]+)([.]0*)?$", r"\1")
    found: Objects = np.array([*text.to_pylist(), None], dtype=object)[:-1]
    for row in np.flatnonzero(pc.match_substring_regex(text, POWER).to_numpy(zero_copy_only=False)):
        found[row] = _written_out(found[row])
    return found


def column_says(column: pa.ChunkedArray) -> tuple[Bool, Bool]:
    """(n,) suppressed, and (n,) where the cell is empty or no yes or no, which counts as suppressed."""
    text = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(column)))
    no = pc.is_in(text, NOT_SUPPRESSED).to_numpy()
    return ~no, ~pc.is_in(text, READABLE).to_numpy()


def misspelled(names: Collection[str], right: str = COLUMN) -> list[str]:
    """Columns that are called almost as this one."""
    return [name for name in names if name != right and name.strip().casefold() == right]


def _written_out(text: str) -> str:
    """1e+17 -> 100000000000000000; anything that is no whole number as it is."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return f"{number:f}".split(".")[0] if number.adjusted() < 40 and number == number.to_integral_value() else text
