"""What a log's own facts say a reader should know: rows that stood twice, rows of nobody, how a file was read.

The facts are written where a log is read by a mapping (tables/foreign/). Not here: looking at rows (repeats.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from campaignrl.ope.diagnostics.verdict import Finding, Level

EACH_ROW = "each of "  # how `customers_from` begins where nobody knows whose a row is


def findings_of_facts(meta: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Whatever `meta` says of rows that repeat each other, of customers, and of the file."""
    return (*_twice(meta.get("repeated_rows")), *_left_out(meta), *_nobody(meta), *_read_as(meta))


def _twice(facts: Any) -> tuple[Finding, ...]:
    if not isinstance(facts, Mapping):
        return ()
    rows, reward = int(facts.get("rows", 0)), float(facts.get("reward", 0.0))
    other = facts.get("others")
    rest = f", where other rows earn {float(other):.3g}" if isinstance(other, int | float) else ""
    text = f"{rows:,} rows repeat an earlier row of the same customer in every column (they earn {reward:.3g}{rest})"
    what = "it looks as if a join has written decisions twice, and the more often the more they earned"
    fix = "Name the column that tells decisions apart as `[decision]` in the mapping and they count once"
    return (Finding(Level.CAUTION, f"{text}: {what}. {fix}; or remove them; or, if each is real, give `[time]`."),)


def _left_out(meta: Mapping[str, Any]) -> tuple[Finding, ...]:
    rows = int(meta.get("repeats_left_out", 0))
    return (Finding(Level.NOTE, f"{rows:,} rows that repeat a decision's id are left out."),) if rows else ()


def _nobody(meta: Mapping[str, Any]) -> tuple[Finding, ...]:
    said = str(meta.get("customers_from", ""))
    if not said.startswith(EACH_ROW):
        return ()
    text = "the log does not say whose each row is, so each counts as a customer of its own"
    fix = "if customers come back, intervals are too short; name `[customer]`, or `[cluster]` for a page load"
    return (Finding(Level.NOTE, f"{text}: {fix}."),)


def _read_as(meta: Mapping[str, Any]) -> tuple[Finding, ...]:
    said = meta.get("read_as")
    return (Finding(Level.NOTE, f"the file was read with {said}, as it looks."),) if said else ()
