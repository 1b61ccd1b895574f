"""The Starbucks rewards data as a decision log.

It is an event log of JSON objects, which no mapping of columns can read: decisions are made of it here. At six hours
each customer got one of ten offers (probability 0.075 each) or none (0.25). The reward of a decision is what the
customer spends until the next wave; of the last one, until the last recorded hour.
"""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from campaignrl import Catalog, DecisionLog
from campaignrl.actions import NONE_NAME, Action, Channel, Offer
from campaignrl.features import Context, Feature, FeatureSchema

WAVES = np.array([0, 168, 336, 408, 504, 576])  # hours
END = 714  # last recorded hour
DAYS = np.diff(np.append(WAVES, END)) / 24  # from each wave to the next
OFFERED, NOTHING = 0.075, 0.25  # probability of each of ten offers, and of none


def read_lines(path: Path) -> pd.DataFrame:
    """One JSON object a line, gzipped or not."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return pd.DataFrame([json.loads(line) for line in data.splitlines() if line.strip()])


def catalog_of(portfolio: pd.DataFrame) -> Catalog:
    """`none` and ten offers; a channel is the set of channels an offer goes out by, for that is all that varied."""
    channels = ["+".join(sorted(each)) for each in portfolio.channels]
    actions = [Action(name=i[:8], offer=i[:8], channel=c) for i, c in zip(portfolio.id, channels, strict=True)]
    offers = tuple(Offer(name=i[:8], kind=kind) for i, kind in zip(portfolio.id, portfolio.offer_type, strict=True))
    return Catalog(offers, tuple(Channel(name=c) for c in sorted(set(channels))), (Action(name=NONE_NAME), *actions))


class Events:
    """The events of C customers, counted and summed by (customer, wave)."""

    def __init__(self, transcript: pd.DataFrame, customers: pd.Series) -> None:
        self.kind, self.value = transcript.event.to_numpy(), transcript.value.to_numpy()
        self.customer = pd.Index(customers).get_indexer(transcript.person)
        # what happens in the hour of a wave comes after it
        self.wave = np.searchsorted(WAVES, transcript.time.to_numpy(), side="right") - 1
        self.shape = (len(customers), len(WAVES))

    def total(self, kind: str, of=lambda value: 1.0) -> np.ndarray:
        """(C, 6) sum of `of(value)` over the events of a kind."""
        mine = self.kind == kind
        out = np.zeros(self.shape)
        np.add.at(out, (self.customer[mine], self.wave[mine]), [of(value) for value in self.value[mine]])
        return out

    def actions(self, catalog: Catalog) -> np.ndarray:
        """(C, 6) what each customer got in each wave."""
        return self.total("offer received", lambda value: catalog.id_of(value["offer id"][:8])).astype(int)


def events_of(folder: Path) -> pd.DataFrame:
    """Offers sent and viewed, and each day with purchases as one order, as an events table; day 0 is 1970-01-01.

    Everybody may be reached by every set of channels.
    """
    transcript = read_lines(folder / "transcript.json.gz").rename(columns={"person": "customer_id"})
    transcript["ts"] = pd.Timestamp("1970-01-01") + pd.to_timedelta(transcript.time, unit="h")
    sent = transcript[transcript.event.isin(["offer received", "offer viewed"])]
    offer = [value["offer id"][:8] for value in sent.value]
    kind = sent.event.map({"offer received": "sent", "offer viewed": "opened"})
    sent = sent[["customer_id", "ts"]].assign(kind=kind, offer=offer)
    paid = transcript[transcript.event == "transaction"]
    paid = paid.assign(amount=[value["amount"] for value in paid.value], ts=paid.ts.dt.floor("D"))
    orders = paid.groupby(["customer_id", "ts"], as_index=False).amount.sum().assign(kind="order")
    channels = sorted({channel.name for channel in catalog_of(read_lines(folder / "portfolio.json")).channels})
    allowed = pd.MultiIndex.from_product([read_lines(folder / "profile.json.gz").id, channels]).to_frame(index=False)
    allowed = allowed.set_axis(["customer_id", "channel"], axis=1)
    allowed = allowed.assign(kind="subscribed", ts=pd.Timestamp("1969-12-31"))
    return pd.concat([allowed, sent, orders], ignore_index=True)


def per_day(log: DecisionLog) -> DecisionLog:
    """The same log with rewards in dollars per day until the next wave, as waves are not equally far apart."""
    meta = {**log.meta, "reward": "dollars per day until the next wave"}
    return replace(log, reward=log.reward / DAYS[log.step], meta=meta)


def read_starbucks(folder: Path) -> DecisionLog:
    """The decision log, customer by customer."""
    portfolio, profile = read_lines(folder / "portfolio.json"), read_lines(folder / "profile.json.gz")
    catalog = catalog_of(portfolio)
    events = Events(read_lines(folder / "transcript.json.gz"), profile.id)
    spend, action = events.total("transaction", lambda value: value["amount"]), events.actions(catalog)
    n, T = action.shape
    context = context_of(profile, events, spend, action, catalog)
    step = np.tile(np.arange(T, dtype=np.int32), n)
    flat = action.ravel()
    return DecisionLog(
        catalog=catalog,
        customers=profile.id.to_numpy(dtype=object),
        customer=np.repeat(np.arange(n, dtype=np.int32), T),
        step=step,
        day=(WAVES // 24)[step],
        context=context,
        action=flat,
        propensity=np.where(flat == 0, NOTHING, OFFERED),
        reward=spend.ravel(),
        cost=np.zeros(n * T, dtype=np.int64),
        matured=np.ones(n * T, dtype=bool),
        wave=step,
        meta={"policy_id": "at random", "reward": "dollars until the next wave"},
    )


def context_of(profile, events: Events, spend, action, catalog: Catalog) -> Context:
    """What was known before each wave: the person, the wave, and what came of the waves before."""
    kinds = (NONE_NAME, *dict.fromkeys(offer.kind for offer in catalog.offers))
    kind_of = np.array([0, *(kinds.index(offer.kind) for offer in catalog.offers)])

    def before(values: np.ndarray) -> np.ndarray:  # of the wave before; 0 at the first
        return np.concatenate([np.zeros((len(values), 1)), values[:, :-1]], axis=1)

    so_far = np.cumsum(before(spend), axis=1) / np.maximum(np.cumsum(before(np.tile(DAYS, (len(spend), 1))), axis=1), 1)
    person = {
        "age": np.where(profile.age == 118, np.nan, profile.age),
        "income": profile.income.to_numpy(dtype=float) / 1000,
        "member_days": (pd.Timestamp("2018-07-26") - pd.to_datetime(profile.became_member_on)).dt.days.to_numpy(float),
        "gender": pd.Categorical(profile.gender, categories=["F", "M", "O"]).codes.astype(int),
    }
    waves = {
        "wave": np.tile(np.arange(len(WAVES)), (len(spend), 1)),
        "spend_before": before(spend / DAYS),
        "spend_so_far": so_far,
        "orders_before": before(events.total("transaction")),
        "viewed_before": before(events.total("offer viewed")),
        "completed_before": before(events.total("offer completed")),
        "kind_before": before(kind_of[action]).astype(int),
    }
    schema = FeatureSchema(
        (
            Feature(name="age", unit="years", low=18, high=101, nullable=True),
            Feature(name="income", unit="thousand dollars", low=30, high=120, nullable=True),
            Feature(name="member_days", unit="days", high=1900),
            Feature(name="gender", levels=("F", "M", "O")),
            Feature(name="wave", levels=tuple(str(hour) for hour in WAVES)),
            Feature(name="spend_before", unit="dollars per day, wave before", high=200, log=True),
            Feature(name="spend_so_far", unit="dollars per day", high=200, log=True),
            Feature(name="orders_before", unit="orders, wave before", high=10),
            Feature(name="viewed_before", unit="offers viewed, wave before", high=3),
            Feature(name="completed_before", unit="offers completed, wave before", high=3),
            Feature(name="kind_before", levels=kinds, meaning="kind of offer in the wave before"),
        )
    )
    flat = {name: np.repeat(values, len(WAVES)) for name, values in person.items()}
    return Context(schema, flat | {name: values.ravel() for name, values in waves.items()})
