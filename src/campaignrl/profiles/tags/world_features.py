"""Events and attributes -> the features of a world's schema, as its policies were taught to see them.

The same names and meanings as dynamics/observe.py gives a simulated customer, to the last bit: what a panel's own
history yields here is what the panel observes. Windows are whole days: the 7 days that end today are today, of which
nothing has happened yet, and the 6 before. Times are days of single precision since the campaign's first day. Money
is at list price, added up in the order of time. Not here: tags (tag_set.py), the schema (specs/world_features.py). n
customers.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.arrays import Float32
from campaignrl.errors import Problem, UsageError
from campaignrl.features import UNKNOWN, Context
from campaignrl.guard import AS_OF, cap_windows, depth_column, discounts_of, offer_windows
from campaignrl.lifecycle import stage
from campaignrl.profiles.events import (
    Connection,
    Events,
    customers,
    permission_column,
    quoted,
    spoken_of,
    text,
)
from campaignrl.profiles.events.database import database
from campaignrl.profiles.tags.evidence import Evidence, evidence
from campaignrl.profiles.tags.world_levels import level_lists
from campaignrl.specs import World, offer_column
from campaignrl.tables import ID, MILLIONTHS, contact_column

Columns = dict[str, npt.NDArray[Any]]

DAY_US = 86_400e6
MOST_ORDERS = 32_767  # what a simulated customer's counter holds

# One row a customer with any event; `today` and the windows are whole days. Ties in time are broken against the
# customer's permission and for the offer having been used up: what is not certain is not assumed.
HISTORY = """
select customer_id,
  epoch_us(min(ts) filter (kind in ('order', 'opening'))) as first_order,
  epoch_us(max(ts) filter (kind in ('order', 'opening'))) as last_order,
  epoch_us(min(ts)) as first_seen,
  count(*) filter (kind = 'order') + coalesce(sum(value) filter (kind = 'opening'), 0) as orders,
  count(*) filter (kind = 'order' and (offer is not null or discount > 0))
    + coalesce(sum(discount) filter (kind = 'opening'), 0) as discounted,
  {counts},
  arg_max({{'offer': offer, 'ts': ts}}, {{'ts': ts, 'offer': offer}})
    filter (kind = 'opened' and offer is not null) as seen,
  max(ts) filter (kind = 'redeemed' or (kind = 'order' and offer is not null)) as used
from known group by customer_id
"""
COUNTED = {
    "contacts_7d": ("sent", 7),
    "contacts_30d": ("sent", 30),
    "opens_30d": ("opened", 30),
    "clicks_30d": ("clicked", 30),
}
# What a feature rests on, beside the attributes.
BOUGHT = ("order", "opening")
RESTS_ON = {
    **dict.fromkeys(("stage", "recency_days", "orders", "basket_mean", "discount_share"), BOUGHT),
    **{name: (kind,) for name, (kind, _) in COUNTED.items()},
    "offer_live": ("opened", "redeemed", "order"),
}
# The list price of every order, the opening balance before it, in the order in which they are added up.
SPENDING = """
select customer_id, cast(coalesce(amount, 0) + if(kind = 'order', coalesce(discount, 0), 0) as float) as value
from known where kind in ('order', 'opening') and amount is not null
order by customer_id, kind = 'order', ts, value
"""


def features(
    events: Events,
    attributes: pd.DataFrame | str | Path,
    world: World,
    as_of: date,
    start: date | None = None,
    *,
    never_contacted: bool = False,
) -> tuple[npt.NDArray[np.object_], Context]:
    """(n,) customer ids in order of text, and what `world`'s policies may see of each on the morning of `as_of`.

    start: first day of the campaign; default: `as_of`. Events from `as_of` on are not looked at. never_contacted:
    that the data hold no contacts means that there were none; otherwise they are unknown.
    """
    begins = as_of if start is None else start
    day = (as_of - begins).days
    if not 0 <= day <= world.horizon:
        allowed = f"between 0 and {world.horizon} days before {as_of}"
        raise UsageError(Problem("profile", "start", begins.isoformat(), allowed))
    with database(events, attributes, as_of) as connection:
        known = customers(connection)
        history = connection.execute(_history_sql(world, as_of)).df()
        spending = connection.execute(SPENDING).fetchnumpy()
        about = connection.execute("select * from attributes").df()
        there = evidence(connection)
        columns = {f"consent_{channel}": _consent(connection, channel, known) for channel in world.channels}
    history = history.set_index(ID).reindex(known)
    about = about.set_index(ID).reindex(known)
    columns |= _order_columns(history, _added_up(spending, known), _joined(about, history), begins, day)
    columns |= _labels(about, world)
    columns |= {name: _counts(history[name]) for name in COUNTED}
    columns["offer_live"] = _offer_live(history, world, as_of)
    columns["days_to_go"] = np.full(len(known), world.horizon - day, dtype=np.float32)
    columns |= {name: np.full(len(known), np.nan, dtype=np.float32) for name in _lacking(there, never_contacted)}
    schema = world.features
    return known, Context(schema, {name: columns[name] for name in schema.names})


def features_frame(
    events: Events,
    attributes: pd.DataFrame | str | Path,
    world: World,
    as_of: date,
    start: date | None = None,
    *,
    never_contacted: bool = False,
) -> pd.DataFrame:
    """The same as a customers table that `decide` reads: categories as text, and the contacts within every cap."""
    ids, context = features(events, attributes, world, as_of, start, never_contacted=never_contacted)
    columns: dict[str, Any] = {ID: pd.Series(ids, dtype="str")}
    for feature in context.schema.features:
        if feature.levels:
            labels = context.labels(feature.name)
            columns[feature.name] = pd.Series(labels).where(labels != "", None).astype("str")
        else:
            columns[feature.name] = pd.Series(context.columns[feature.name])
    windows = cap_windows(world)
    with database(events, attributes, as_of) as connection:
        asked = [(contact_column((c, days)), _window("sent", days, as_of, c)) for c, days in windows]
        asked += [(offer_column(o, days), _window("sent", days, as_of, offer=o)) for o, days in offer_windows(world)]
        depth = depth_column(world)
        asked += [] if depth is None else [(depth, _depth(world, as_of))]
        counts = ", ".join(f"{sql} as {quoted(name)}" for name, sql in asked)
        if counts:
            sent = connection.execute(f"select customer_id, {counts} from known group by customer_id").df()
            sent = sent.set_index(ID).reindex(ids).fillna(0).astype("int64")
            told = never_contacted or "sent" in evidence(connection).holds
            unknown = np.full(len(ids), np.nan)  # no contacts exported is not: never contacted
            columns |= {name: sent[name].to_numpy() if told else unknown for name in sent.columns}
            if depth is not None:
                columns[depth] = columns[depth] / MILLIONTHS
    if world.guard.max_age_days is not None:
        columns[AS_OF] = as_of.isoformat()
    return pd.DataFrame(columns)


def _lacking(there: Evidence, never_contacted: bool) -> tuple[str, ...]:
    """Features whose data nobody exported: unknown, not zero."""
    sent = never_contacted or "sent" in there.holds
    needs = {
        **{name: sent for name in ("contacts_7d", "contacts_30d")},
        **{name: never_contacted or kind in there.holds for name, (kind, _) in COUNTED.items() if kind != "sent"},
        "offer_live": never_contacted or bool(there.holds & {"opened", "redeemed"}),
        "basket_mean": "amount" in there.holds,
        "discount_share": "discount" in there.holds,
    }
    bought = bool(there.holds & set(BOUGHT))  # of nobody's orders nothing follows but that nobody ordered
    return tuple(
        name for name, told in needs.items() if not told and (bought or name not in ("basket_mean", "discount_share"))
    )


def rests_on(name: str) -> tuple[str, ...]:
    """Kinds of events that a feature rests on; `attributes` stands for the attributes."""
    if name.startswith("consent_"):
        return ("subscribed", "unsubscribed", "attributes")
    return RESTS_ON.get(name, ("attributes",))


def _history_sql(world: World, as_of: date) -> str:
    counts = [f"{_window(kind, days, as_of)} as {name}" for name, (kind, days) in COUNTED.items()]
    return HISTORY.format(counts=",\n  ".join(counts))


def _consent(connection: Connection, channel: str, ids: npt.NDArray[np.object_]) -> Float32:
    """(n,) 1 for a permission, 0 for none, NaN for everybody where the data hold no word about the channel at all."""
    may = permission_column(connection, channel, ids).astype(np.float32)
    return may if channel not in spoken_of(connection) else np.nan_to_num(may, nan=0.0)


def _depth(world: World, as_of: date) -> str:
    """Shares off of all sends in the window of the rule, in millionths."""
    names, most = list(world.offers), world.guard.max_discount_depth
    days = 1 if most is None else most.per_days
    given = [f"{share} * {_window('sent', days, as_of, offer=names[o])}" for o, share in discounts_of(world).items()]
    return " + ".join(given) or "0"


def _window(kind: str, days: int, as_of: date, channel: str | None = None, offer: str | None = None) -> str:
    """Events of a kind in the `days` days that end on `as_of`, of which that day itself has none yet."""
    of = "" if channel is None else f" and channel = {text(channel)}"
    of += "" if offer is None else f" and offer = {text(offer)}"
    return f"count(*) filter (kind = '{kind}' and ts >= date '{as_of}' - {days - 1}{of})"


def _order_columns(history: pd.DataFrame, spend: Float32, joined: Any, begins: date, day: int) -> Columns:
    """All that follows from the order history, in the arithmetic of dynamics/observe.py."""
    today = np.float32(day)
    tenure = -_days(joined, begins) + today
    last, first = (_days(history[name], begins) for name in ("last_order", "first_order"))
    recency = np.where(np.isnan(last), tenure, today - last)
    counted = np.clip(_numbers(history["orders"]), 0, MOST_ORDERS).astype(np.int16)
    orders = counted.astype(np.float32)
    some = np.maximum(orders, np.float32(1.0))
    return {
        "recency_days": recency,
        "tenure_days": tenure,
        "orders": orders,
        "basket_mean": spend / some,
        "discount_share": _counts(history["discounted"]) / some,
        "stage": stage(counted, recency, today - first),
    }


def _days(stamps: Any, begins: date) -> Float32:
    """(n,) microseconds since 1970 as single-precision days since the campaign's first day; nan where none."""
    zero = float(np.datetime64(begins, "us").astype(np.int64))
    days: Float32 = ((_numbers(stamps, np.nan) - zero) / DAY_US).astype(np.float32)
    return days


def _joined(about: pd.DataFrame, history: pd.DataFrame) -> npt.NDArray[np.float64]:
    """(n,) microseconds of the sign-up; where it is not known, the first event stands for it."""
    seen = _numbers(history["first_seen"], np.nan)
    if "joined" not in about.columns:
        return seen
    stamps = pd.to_datetime(about["joined"], errors="coerce").to_numpy().astype("datetime64[us]")
    told = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(np.float64))
    return np.where(np.isnan(told), seen, told)


def _added_up(spending: dict[str, Any], ids: npt.NDArray[np.object_]) -> Float32:
    """(n,) sum of each customer's list prices in single precision, one after another as a panel adds them."""
    owner = pd.Index(ids).get_indexer(pd.Index(spending[ID]))
    value = np.asarray(spending["value"], dtype=np.float32)
    total = np.zeros(len(ids), dtype=np.float32)
    if not len(owner):
        return total
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    length = np.diff(np.r_[begins, len(owner)])
    for k in range(int(length.max())):  # the k-th order of everybody who has one
        rows = np.flatnonzero(length > k)
        total[owner[begins[rows]]] += value[begins[rows] + k]
    return total


def _labels(about: pd.DataFrame, world: World) -> Columns:
    """Level codes of the tags and attributes that are known facts; what is missing or unheard of is UNKNOWN."""
    columns: Columns = {}
    for name, known in level_lists(world).items():
        code = np.full(len(about), UNKNOWN, dtype=np.int8)
        if name in about.columns:
            code = pd.Index(known, dtype=object).get_indexer(pd.Index(about[name], dtype=object)).astype(np.int8)
        columns[name] = code
    return columns


def _offer_live(history: pd.DataFrame, world: World, as_of: date) -> Float32:
    """(n,) 1 where the newest offer seen is still valid and no offer has been used since."""
    seen = history["seen"].to_numpy()
    live = np.zeros(len(seen), dtype=np.float32)
    rows = np.flatnonzero([isinstance(one, dict) for one in seen])
    valid = {name: offer.valid_days for name, offer in world.offers.items()}
    used = pd.to_datetime(history["used"]).to_numpy().astype("datetime64[us]")
    opened = np.array([np.datetime64(seen[row]["ts"], "us") for row in rows], dtype="datetime64[us]")
    days = np.array([valid.get(seen[row]["offer"], -1) for row in rows], dtype=np.int64)
    age = (np.datetime64(as_of, "D") - opened.astype("datetime64[D]")).astype(np.int64)
    spent = used[rows] >= opened  # never, where there is no time of use
    live[rows[(age <= days) & ~spent]] = 1.0
    return live


def _counts(column: pd.Series[Any]) -> Float32:
    return _numbers(column).astype(np.float32)


def _numbers(column: Any, missing: float = 0.0) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = pd.to_numeric(pd.Series(column)).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(values), missing, values)
