"""One DuckDB connection over a profile's events and attributes: what was known on the morning of a day.

Views: `events` (all), `known` (those before `as_of`), `attributes`, and `morning`, the day itself. Everything computed
from them must be the same for any number of threads: counts and fixed-point sums (`fixed`), never sums of floats.
Parquet is read by the engine itself, for events may be larger than memory; what the file is, tables/files says first.
Not here: what is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from campaignrl.errors import DataError, Problem
from campaignrl.tables import COLUMNS, REQUIRED, events_table
from campaignrl.tables.files import column_names, is_parquet, require_columns

Events = str | Path | pd.DataFrame
Connection = duckdb.DuckDBPyConnection

MEMORY = "2GB"  # what is larger is put on disk for the while
THREADS = 2
UNIT = 1 << 20  # fixed-point parts of one unit of currency: a sum of whole numbers has no order
LARGEST = 1e12  # currency; beyond, an amount is a slip and its fixed-point form would not fit


def fixed(expression: str) -> str:
    """SQL of a number as whole parts of UNIT, so that sums are exact and the same in any order."""
    return f"cast(round({expression} * {UNIT}) as bigint)"


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text constant in SQL."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def database(events: Events, attributes: pd.DataFrame | str | Path | None, as_of: date) -> Iterator[Connection]:
    """A connection with the three views; what DuckDB cannot read is a DataError of one line."""
    with TemporaryDirectory(prefix="campaignrl-") as scratch, duckdb.connect() as connection:
        connection.execute(f"set threads={THREADS}; set memory_limit='{MEMORY}'; set enable_progress_bar=false")
        connection.execute(f"set temp_directory={text(scratch)}")
        try:
            _see(connection, "events", events, COLUMNS)
            connection.execute(f"create view known as select * from events where ts < timestamp '{as_of}'")
            connection.execute(f"create view morning as select timestamp '{as_of}' as as_of")
            _see_attributes(connection, attributes)
            yield connection
        except duckdb.Error as wrong:
            raise DataError(f"events: cannot be read: {str(wrong).partition(chr(10))[0]}") from None


def customers(connection: Connection) -> npt.NDArray[np.object_]:
    """(n,) ids of everybody with an event before the day or a row of attributes, in order of text."""
    sql = "select customer_id from known union select customer_id from attributes order by customer_id"
    found = connection.execute(sql).fetchnumpy()["customer_id"]
    ids: npt.NDArray[np.object_] = np.asarray(found, dtype=object)
    return ids


def by_customer(connection: Connection, sql: str, ids: npt.NDArray[np.object_]) -> dict[str, npt.NDArray[Any]]:
    """Columns of `sql`, at most one row a `customer_id`, as (n,) arrays in the order of `ids`.

    Numbers and truths are float64 with NaN where unknown, times datetime64 with NaT, texts objects with None. Places
    are found in the database, for a pandas index of a million texts takes longer than most of the questions asked
    here; rows are put into them here, so that nothing is sorted. An answer of the connection that is still being read
    must be read to its end first.
    """
    places = {"customer_id": pa.array(ids, pa.string()), "place": np.arange(len(ids))}
    connection.register("places", pa.table(places))
    joined = f"select place, f.* exclude customer_id from places join ({sql}) f using (customer_id)"
    found = connection.execute(joined).fetchnumpy()
    place = np.asarray(found.pop("place"))
    return {name: _placed(found.pop(name), place, len(ids)) for name in list(found)}


def _placed(column: Any, place: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """(n,) values at their places."""
    values, known = np.ma.getdata(column), ~np.ma.getmaskarray(column)
    placed: npt.NDArray[Any] = np.full(n, np.nan)
    if values.dtype.kind == "M":
        placed = np.full(n, np.datetime64("NaT"), dtype=values.dtype)
    elif values.dtype.kind in "OUT":
        placed = np.full(n, None, dtype=object)
    placed[place[known]] = values[known]
    return placed


def newest_day(events: Events) -> date:
    """The day after the newest event: the first morning on which all of them are known."""
    with database(events, None, date(9999, 1, 1)) as connection:
        found = connection.execute("select max(ts)::date + 1 from events").fetchone()
    if found is None or found[0] is None:
        raise DataError(Problem("events", "rows", 0, "at least one event", "Or say --as-of DATE."))
    day: date = found[0].date() if hasattr(found[0], "date") else found[0]
    return day


def oldest_moment(events: Events) -> datetime | None:
    """The time of the oldest event; None where there is none."""
    with database(events, None, date(9999, 1, 1)) as connection:
        found = connection.execute("select min(ts) from events").fetchone()
    return None if found is None else found[0]


def _see(connection: Connection, name: str, source: Events, columns: tuple[str, ...]) -> None:
    if isinstance(source, pd.DataFrame):
        connection.register(name, events_table(source))
        return
    present = column_names(source)
    if not is_parquet(Path(source)):
        fix = "Raw exports become events by a mapping: campaignrl profile build MAPPING."
        raise DataError(Problem(str(source), "file", Path(source).name, "a Parquet file", fix))
    require_columns(source, REQUIRED, present)
    chosen = ", ".join(c if c in present else f"null as {c}" for c in columns)
    connection.execute(f"create view {name} as select {chosen} from read_parquet({text(str(source))})")


def _see_attributes(connection: Connection, source: pd.DataFrame | str | Path | None) -> None:
    if source is None:
        connection.execute("create view attributes as select null::varchar as customer_id where false")
    elif isinstance(source, pd.DataFrame):
        connection.register("attributes", _ids_as_text(source))
    else:
        require_columns(source, ["customer_id"], column_names(source))
        connection.execute(f"create view attributes as select * from read_parquet({text(str(source))})")
    twice = "select customer_id from attributes group by 1 having count(*) > 1 or customer_id is null order by 1"
    found = [row[0] for row in connection.execute(twice).fetchmany(20)]
    if found:
        raise DataError([Problem("attributes", "customer_id", one, "given, and once") for one in found])


def _ids_as_text(frame: pd.DataFrame) -> Any:
    require_columns("attributes", ["customer_id"], list(frame.columns))
    return frame.assign(customer_id=frame["customer_id"].astype("str"))
