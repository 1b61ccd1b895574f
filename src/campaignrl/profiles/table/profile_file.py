"""A profiles table as a file: one row a customer, a column per tag, and what each tag is in the file's metadata.

The metadata, under the key `campaignrl`, is JSON: `as_of`, `tag_set` with its hash, and of each tag its level, kind,
unit, title, what it is made from and the time of the newest event it rests on. Not here: making tags (build.py),
reading the columns alone (columns.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from campaignrl.errors import ArtifactError, unknown
from campaignrl.tables.files import column_names, is_parquet, parquet_note, read_frame, write_parquet, write_whole

KEY = b"campaignrl"
LIVE, LIVE_FRESHNESS = "live.parquet", "live_freshness.parquet"  # rows that events since the build touched
Facts = dict[str, Any]


def write_profiles(frame: pd.DataFrame, facts: Facts, path: str | Path) -> None:
    """Profiles and what is known of their tags, in one Parquet file; the same rows and facts give the same bytes."""
    words = json.dumps(facts, ensure_ascii=False, sort_keys=True, allow_nan=False)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata({KEY: words.encode()})
    write_whole(path, lambda out: write_parquet(table, out))


def profile_path(path: str | Path) -> Path:
    """The profiles file itself, or the one in a folder as `profile build` leaves it."""
    given = Path(path)
    if not given.exists():
        near = [each.name for each in given.parent.iterdir()] if given.parent.is_dir() else []
        raise unknown("profiles file or folder", given.name, near, f"Looked in {given.parent}.")
    return given / "profiles.parquet" if given.is_dir() else given


def read_profiles_file(path: str | Path, *, encoding: str | None = None) -> tuple[pd.DataFrame, Facts]:
    """The table and its facts; a CSV, or a Parquet file of another origin, has no facts ({}).

    Of a folder that is watched, the rows of customers whom new events touched are those of `profile watch`.
    """
    source = profile_path(path)
    frame = read_frame(source, text=["customer_id"], encoding=encoding)
    facts = profile_facts(source, encoding=encoding)
    live = source.with_name(LIVE)
    if not Path(path).is_dir() or not live.exists():
        return frame, facts
    rows = read_frame(live, text=["customer_id"])
    kept = frame[~frame["customer_id"].isin(rows["customer_id"])]
    joined = pd.concat([kept, rows.reindex(columns=frame.columns)], ignore_index=True)
    joined = joined.sort_values("customer_id", kind="stable", ignore_index=True)
    return joined, {**facts, "live": {**profile_facts(live)["live"], "customers": len(rows)}}


def profile_facts(path: str | Path, *, encoding: str | None = None) -> Facts:
    """What the file says of its tags; {} where it says nothing."""
    source = profile_path(path)
    column_names(source, encoding=encoding)  # that it is what its name says
    if not is_parquet(source):
        return {}
    words = parquet_note(source, KEY)
    try:
        facts = json.loads(words) if words else {}
    except (UnicodeDecodeError, json.JSONDecodeError):
        facts = None
    if not isinstance(facts, dict):
        raise ArtifactError(f"{source}: what it says of its tags is damaged. Build the profiles again.")
    return facts
