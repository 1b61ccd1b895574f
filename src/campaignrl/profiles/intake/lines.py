"""The rows of a result folder as they were understood, kept so that later exports join them.

    lines-0.parquet ...   every row of a source: ids (hashed where the mapping says so), keys, values, what is wrong
    lines.json            the mapping they were read by, their files with the hash of each, and words for codes

Who is who, which rows repeat which and which lines are one order is settled anew over old and new rows together. So
a device that becomes a member's, a second export that overlaps the first and a corrected row end in what one build of
all exports would have made. Here: writing and reading these files, by the engine, since they may be larger than memory.
Not here: the settling (deduplication.py, identity.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from campaignrl.errors import ArtifactError, Problem, SpecError
from campaignrl.profiles.intake.deduplication import DOUBLE, Earlier, Part, Shape, Staged
from campaignrl.profiles.intake.mapping import IntakeMapping, parse_intake_mapping
from campaignrl.profiles.intake.sql_text import identifier, literal
from campaignrl.tables.files import ROW_GROUP

NAME = "lines.json"


class Kept:
    """What a folder keeps of earlier exports: the mapping, and the rows by name of source."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's `lines.json`; the rows stay in their files."""
        path = folder / NAME
        try:
            words = json.loads(path.read_text(encoding="utf-8"))
            self.mapping = parse_intake_mapping(words["mapping"], words["where"])
            self.earlier = {name: _earlier(folder, one) for name, one in words["sources"].items()}
        except OSError as wrong:
            raise ArtifactError(f"{path}: cannot be read: {wrong.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise ArtifactError(f"{path}: is not as campaignrl writes it: {wrong}") from None

    @property
    def digests(self) -> frozenset[str]:
        """Hashes of every file that was read."""
        return frozenset(part.digest for one in self.earlier.values() for part in one.parts)

    def with_new(self, plan: IntakeMapping) -> IntakeMapping:
        """The mapping of all: sources of both in the order of the old one, the new word about each.

        Raises:
            SpecError: the new mapping has other kinds of id or another currency, so that rows would not meet.
        """
        old, problems = self.mapping, []
        if plan.ids.order != old.ids.order:
            fix = "Write [ids] as the mapping of the first build has it."
            problems.append(Problem(plan.where, "ids.order", list(plan.ids.order), f"{list(old.ids.order)}", fix))
        currencies = [None if one.currency is None else one.currency.to for one in (plan, old)]
        if currencies[0] != currencies[1]:
            problems.append(Problem(plan.where, "currency", currencies[0], f"{currencies[1]}", "As the first build."))
        if problems:
            raise SpecError(problems)
        fresh = {source.name: source for source in plan.source}
        sources = [fresh.pop(source.name, source) for source in old.source]
        return plan.model_copy(update={"source": (*sources, *fresh.values())})


def keeps_lines(folder: Path) -> bool:
    """Whether later exports can join the rows of a folder."""
    return (folder / NAME).is_file()


def kept_digests(folder: Path) -> frozenset[str]:
    """Hashes of the exports whose rows a folder keeps."""
    return Kept(folder).digests


def forget_lines(folder: Path) -> None:
    """Drop the rows of earlier exports."""
    for path in (folder / NAME, *folder.glob("lines-*.parquet")):
        path.unlink(missing_ok=True)


def write_lines(
    con: duckdb.DuckDBPyConnection, plan: IntakeMapping, staged: Sequence[Staged], scratch: Path
) -> list[str]:
    """The files of every row so far, and their names."""
    sources: dict[str, Any] = {}
    for one in staged:
        file = f"lines-{one.n}.parquet"
        columns = [*one.ids, *map(identifier, one.columns), "dup", *(["merged"] if one.shape.merged else [])]
        # Repeats and outliers are settled anew each time.
        problem = f"CASE WHEN problem = {DOUBLE} THEN 0 ELSE problem END AS problem"
        query = (
            f"SELECT {', '.join(columns)}, flags, {problem}, bad, part, coalesce(line, rowid) AS line "
            f"FROM staged_{one.n} ORDER BY rowid"
        )
        con.execute(
            f"COPY ({query}) TO {literal(str(scratch / file))} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
        sources[one.source.name] = {
            "file": file,
            "ids": list(one.shape.ids),
            "columns": one.shape.columns,
            "merged": one.shape.merged,
            "reasons": [list(reason) for reason in one.shape.reasons],
            "repairs": list(one.shape.repairs),
            "parts": [{"file": part.file, "digest": part.digest, "facts": part.facts} for part in one.parts],
        }
    words = {"mapping": _plain(plan), "where": plan.where, "sources": sources}
    text = json.dumps(words, ensure_ascii=False, indent=1, sort_keys=False)
    (scratch / NAME).write_text(text, encoding="utf-8")
    return [*(one["file"] for one in sources.values()), NAME]


def _plain(plan: IntakeMapping) -> dict[str, Any]:
    return plan.model_dump(mode="json", exclude_unset=True, exclude={"where"})


def _earlier(folder: Path, words: dict[str, Any]) -> Earlier:
    shape = Shape(
        tuple(words["ids"]),
        dict(words["columns"]),
        bool(words["merged"]),
        tuple((str(name), str(reason)) for name, reason in words["reasons"]),
        tuple(words["repairs"]),
    )
    parts = tuple(Part(part["file"], part["digest"], dict(part["facts"])) for part in words["parts"])
    return Earlier(f"read_parquet({literal(str(folder / words['file']))})", shape, parts)
