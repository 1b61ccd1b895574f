"""Order histories from an events table: repeat orders, time of the last one, time watched, what was spent.

One pass of DuckDB, which reads Parquet itself: on tables larger than memory too. Orders of one day count as one, as
in the papers behind models.py, unless asked otherwise. Customers whose early orders are known only in sum (a pair of
`opening` rows) are counted with them. Not here: refunds (a returned order was an order), tags (profiles/).
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd

from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.tables.files import require_columns

COLUMNS = ("customer_id", "ts", "kind", "amount", "value")  # of the events table, as far as they are read
AsOf = str | date | datetime | pd.Timestamp
Events = str | Path | pd.DataFrame | duckdb.DuckDBPyRelation

# One row a customer. `moment` is the day or the instant of an order; rows of one moment are one order. An opening pair
# says orders and spend so far on both its rows, of which the first order is one.
SUMMARY = """
with orders as (
  select customer_id, {moment} as moment, sum(coalesce(amount, 0)) as amount
  from events where kind = 'order' and ts <= $as_of group by all
), opened as (
  select customer_id, min({moment}) as first, max({moment}) as last, max(value) as orders, max(amount) as amount
  from events where kind = 'opening' and ts <= $as_of group by customer_id
), counted as (
  select customer_id, min(moment) as first, max(moment) as last, count(*) as orders, sum(amount) as spend,
    arg_min(amount, moment) as first_amount
  from orders group by customer_id
), joined as (
  select coalesce(c.customer_id, o.customer_id) as customer_id,
    least(c.first, o.first) as first, greatest(c.last, o.last) as last,
    coalesce(c.orders, 0) + coalesce(cast(o.orders as bigint), 0) as orders,
    coalesce(c.spend, 0) + coalesce(o.amount, 0) as spend,
    case when o.customer_id is null then c.first_amount end as first_amount
  from counted c full join opened o on c.customer_id = o.customer_id
)
select customer_id, orders - 1 as x, {gap_last} / $unit as t_x, {gap_end} / $unit as T, orders,
  case when orders = 1 then null
    when first_amount is null then spend / orders
    else (spend - first_amount) / (orders - 1) end as mean_amount,
  spend
from joined where orders > 0 order by customer_id
"""


def summarise(events: Events, as_of: AsOf, unit_days: float = 7.0, merge_same_day: bool = True) -> pd.DataFrame:
    """One row for each customer with an order by `as_of`, ascending by id.

    customer_id; x: repeat orders; t_x: time of the last order since the first; T: time from the first order to `as_of`
    (both in units of `unit_days`); orders: x + 1; mean_amount: mean value of the repeat orders (nan without one; of all
    orders where the first is known in sum only); spend: of all orders. Events after `as_of` are not looked at; a plain
    date means its whole day.
    """
    if not unit_days > 0.0:
        raise UsageError(Problem("rfm", "unit_days", unit_days, "a number of days above 0"))
    relation = _relation(events)
    moment = "cast(ts as date)" if merge_same_day else "ts"
    end = _end(as_of)
    ends = f"cast(timestamp '{end}' as date)" if merge_same_day else f"timestamp '{end}'"
    gap = "cast({} - {} as double)" if merge_same_day else "epoch_us({} - {}) / 86400e6"
    sql = SUMMARY.format(moment=moment, gap_last=gap.format("last", "first"), gap_end=gap.format(ends, "first"))
    sql = sql.replace("$as_of", f"timestamp '{end}'").replace("$unit", repr(float(unit_days)))
    try:
        found = relation.query("events", sql)
        table: pd.DataFrame = found.df() if found is not None else pd.DataFrame()
    except duckdb.Error as wrong:
        raise DataError(f"events: cannot be summarised: {wrong}") from wrong
    return _typed(table)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    whole = {"x": "int64", "orders": "int64"}
    numbers = dict.fromkeys(("t_x", "T", "mean_amount", "spend"), "float64")
    return table.astype({**whole, **numbers})


def _end(as_of: AsOf) -> str:
    """The last instant that counts, as DuckDB reads it."""
    try:
        end = pd.Timestamp(as_of)
    except ValueError as wrong:
        raise UsageError(Problem("rfm", "as_of", as_of, "a date or a time", "Write 2026-11-21.")) from wrong
    if pd.isna(end) or end.tzinfo is not None:
        raise UsageError(Problem("rfm", "as_of", as_of, "a date or a time without a zone", "Times are UTC."))
    if end == end.normalize() and _plain_date(as_of):
        end = end + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
    return end.strftime("%Y-%m-%d %H:%M:%S.%f")


def _plain_date(as_of: AsOf) -> bool:
    if isinstance(as_of, str):
        return ":" not in as_of
    return isinstance(as_of, date) and not isinstance(as_of, datetime)


def _relation(events: Events) -> duckdb.DuckDBPyRelation:
    if isinstance(events, duckdb.DuckDBPyRelation):
        relation = events
    elif isinstance(events, pd.DataFrame):
        relation = duckdb.connect().from_df(events)
    else:
        if not Path(events).is_file():
            raise DataError(Problem("events", "file", str(events), "a Parquet file that exists"))
        relation = duckdb.connect().read_parquet(str(events))
    require_columns("events", COLUMNS, relation.columns)
    return relation
