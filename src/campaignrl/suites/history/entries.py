"""The folder of a history: one Parquet file for each suite and commit, in the order in which they came.

DIR/SUITE/0007-COMMIT.parquet holds every measure of every run (segments, channels and offers stay in the results file)
and, as a note, everything else of the results; so a base is read back as it was. Each is written whole. Not here: which
commit came before which (commits.py), what changed (change_points.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from campaignrl.errors import ArtifactError, Problem, SpecError
from campaignrl.specs import check
from campaignrl.suites.history.commits import Commit
from campaignrl.suites.results import Results
from campaignrl.tables.files import parquet_note, read_table, write_parquet, write_whole

NOTE = b"campaignrl_benchmark"
VALUE_STD = "value_std"  # kept like a measure
_NAME = re.compile(r"(\d{4,})-([0-9A-Za-z]+)\.parquet")


class Entry(NamedTuple):
    """Results at a commit."""

    number: int  # 1, 2 ... in the order of coming
    commit: Commit
    results: Results


def add_entry(folder: str | Path, results: Results, commit: Commit) -> Path:
    """Keep results; those of the same suite and commit that are there already are replaced."""
    home = _home(folder, results.suite.name)
    there = {_number(path): path for path in _files(home)}
    same = [n for n, path in there.items() if _commit(path) == commit.short]
    number = same[0] if same else max(there, default=0) + 1
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{number:04d}-{commit.short}.parquet"
    write_whole(path, partial(write_parquet, _table(results, commit)))
    return path


def entries_of(folder: str | Path, suite: str) -> list[Entry]:
    """All results of a suite, in the order in which they came; a damaged file is an ArtifactError."""
    return [_entry(path) for path in _files(_home(folder, suite))]


def base_for(folder: str | Path, suite: str, earlier: Sequence[str]) -> Entry | None:
    """The results of the nearest earlier commit that has any. earlier: hashes, nearest first."""
    by_commit = {_commit(path): path for path in _files(_home(folder, suite))}
    for one in earlier:
        path = by_commit.get(Commit(one).short)
        if path is not None:
            return _entry(path)
    return None


def folder_name(suite: str) -> str:
    """The name of a suite as one part of a path."""
    return re.sub(r"[^\w.-]", "_", suite).lstrip(".") or "_"


def _home(folder: str | Path, suite: str) -> Path:
    return Path(folder) / folder_name(suite)


def _files(home: Path) -> list[Path]:
    found = [path for path in home.glob("*.parquet") if _NAME.fullmatch(path.name)]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    return int(path.name.split("-")[0])


def _commit(path: Path) -> str:
    return path.stem.split("-", 1)[1]


def _table(results: Results, commit: Commit) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in ("world", "policy", "seed", "measure", "value")}
    for row in results.rows:
        for measure, value in {**row.measures, VALUE_STD: row.value_std}.items():
            for name, cell in zip(columns, (row.world, row.policy, row.seed, measure, value), strict=True):
                columns[name].append(cell)
    head = results.model_dump(mode="json", exclude={"rows"})
    note = json.dumps({"commit": commit._asdict(), "head": head}, ensure_ascii=False)
    types = [("world", pa.string()), ("policy", pa.string()), ("seed", pa.int64())]
    schema = pa.schema([*types, ("measure", pa.string()), ("value", pa.float64())])
    return pa.table(columns, schema=schema).replace_schema_metadata({NOTE: note.encode()})


def _entry(path: Path) -> Entry:
    try:
        note = json.loads(parquet_note(path, NOTE) or b"{}")
        rows: dict[tuple[str, str, int], dict[str, Any]] = {}
        for cell in read_table(path).to_pylist():
            row = rows.setdefault((cell["world"], cell["policy"], cell["seed"]), {})
            row[cell["measure"]] = cell["value"]
        content = [
            {"world": world, "policy": policy, "seed": seed, VALUE_STD: own.pop(VALUE_STD), "measures": own}
            for (world, policy, seed), own in rows.items()
        ]
        commit = Commit(**note["commit"])
        return Entry(_number(path), commit, check(Results, {**note["head"], "rows": content}, str(path)))
    except (KeyError, TypeError, ValueError, SpecError) as wrong:
        fix = "It is damaged or from another version: remove it and run the benchmark of that commit again."
        raise ArtifactError(Problem(str(path), "content", str(wrong)[:200], "results of a benchmark", fix)) from None
