"""Order histories in weeks, from the events of a profile: what buy-till-you-die models are fitted on.

Sums are of whole numbers (fixed point), so a history is the same to the last bit for any number of threads. Orders of
one day are one. Not here: the models (calibration/purchase/models.py), summaries of any events table
(calibration/purchase/rfm.py).
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from campaignrl.arrays import Float, Objects
from campaignrl.profiles.events.database import UNIT, Connection, by_customer, fixed

WEEK = 7.0
MOST_FITTED = 50_000  # customers, evenly taken; more would not change the second digit
FEWEST = 50  # customers of either kind, or repeat buyers: with fewer there is no model, and the tag is unknown
# Orders of one day are one; an opening balance stands for its orders, spread between its first and last day.
HISTORIES = f"""
with days as (
  select customer_id, cast(ts as date) as day,
    sum(coalesce({fixed("amount")}, 0) + coalesce({fixed("discount")}, 0)) as amount
  from known where kind = 'order' group by all
), ordered as (
  select customer_id, count(*) as orders, min(day) as first, max(day) as last, sum(amount) as amount,
    arg_min(amount, day) as first_amount from days group by customer_id
), opened as (
  select customer_id, cast(max(value) as bigint) as orders, cast(min(ts) as date) as first,
    cast(max(ts) as date) as last, coalesce(max({fixed("amount")}), 0) as amount
  from known where kind = 'opening' group by customer_id
), refunds as (
  select customer_id, sum({fixed("amount")}) as amount from known where kind = 'refund' group by customer_id
)
select coalesce(o.customer_id, b.customer_id) as customer_id, coalesce(r.amount, 0) as refunded,
  coalesce(o.orders, 0) + coalesce(b.orders, 0) as orders,
  least(o.first, b.first) as first, greatest(o.last, b.last) as last,
  coalesce(o.amount, 0) + coalesce(b.amount, 0) as amount,
  case when b.customer_id is null then o.first_amount end as first_amount
from ordered o full join opened b on o.customer_id = b.customer_id
  left join refunds r on r.customer_id = coalesce(o.customer_id, b.customer_id) order by 1
"""


# The days on which each of some customers ordered, and who of them is known in sum only.
ORDER_DAYS = """
select customer_id, cast(ts as date) as day from {source} semi join chosen_buyers using (customer_id)
where kind = 'order' group by all order by 1, 2
"""


class Histories(NamedTuple):
    """Order histories in weeks, (n,); NaN for customers who never ordered. Fader, Hardie & Lee 2005."""

    x: Float  # repeat orders
    t_x: Float  # from the first to the last order
    T: Float  # from the first order to today
    m: Float  # mean value of the repeat orders, at list price less refunds; 0 without one

    def take(self, rows: npt.NDArray[np.intp]) -> Histories:
        """Those of some customers."""
        return Histories(*(column[rows] for column in self))


class ModelTag(NamedTuple):
    """(n,) values and what is worth knowing of the fit, in plain JSON types."""

    values: Float
    says: dict[str, Any]


def histories(connection: Connection, as_of: date, ids: Objects, source: str = "events") -> Histories:
    """Every customer's order history as of the morning of `as_of`, by the events of `source`."""
    known = f"(select * from {source} where ts < timestamp '{as_of}')"
    found = by_customer(connection, HISTORIES.replace("known", known), ids)
    orders = found["orders"]
    first, last = (found[k].astype("datetime64[D]") for k in ("first", "last"))
    end = np.datetime64(as_of, "D")

    def weeks(days: npt.NDArray[Any]) -> Float:
        span: Float = np.where(np.isnat(days), np.nan, days.astype(np.float64)) / WEEK
        return span

    gross, back = (found[k] / UNIT for k in ("amount", "refunded"))
    # Which order was given back is not known: each is worth as much less.
    kept = np.clip(1.0 - back / np.where(gross > 0, gross, np.inf), 0.0, 1.0)
    amount, first_amount = gross * kept, found["first_amount"] / UNIT * kept
    repeat = np.where(np.isnan(first_amount), amount * (orders - 1) / np.maximum(orders, 1), amount - first_amount)
    # Two moments are at least two orders, where half of an opening balance has not arrived yet.
    x = np.where(np.isnat(first), np.nan, np.maximum(orders - 1.0, last > first))
    m = np.where(x > 0, repeat / np.maximum(x, 1.0), 0.0)
    return Histories(x, weeks(last - first), weeks(end - first), np.where(np.isnan(x), np.nan, m))


def order_days(connection: Connection, as_of: date, ids: Objects) -> tuple[Objects, npt.NDArray[np.datetime64]] | None:
    """(m,) customer and day of every order before the morning of `as_of`, in order; orders of one day are one.

    None where the early orders of any of these customers are known in sum only (an opening balance).
    """
    connection.register("chosen_buyers", pa.table({"customer_id": pa.array(ids, pa.string())}))
    source = f"(select * from events where ts < timestamp '{as_of}')"
    opened = f"select count(*) from {source} semi join chosen_buyers using (customer_id) where kind = 'opening'"
    ((count,),) = connection.execute(opened).fetchall()
    if count:
        return None
    found = connection.execute(ORDER_DAYS.format(source=source)).fetchnumpy()
    return np.asarray(found["customer_id"], dtype=object), np.asarray(found["day"]).astype("datetime64[D]")
