"""The Starbucks log as calibration and a calibrated world's policies see it: rows of a campaign, features by wave."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from starbucks_log import WAVES, read_lines

import campaignrl as crl
from campaignrl import DecisionLog
from campaignrl.calibration.response import Campaign, campaign_of_events
from campaignrl.features import Context
from campaignrl.profiles.tags import features

START = date(1970, 1, 1)  # stands for the unknown first day


def campaign_of(log: DecisionLog, events: pd.DataFrame, folder: Path) -> tuple[Campaign, pd.DataFrame]:
    """The six waves as rows, with how long each offer is valid, and the customers' attributes with their segment."""
    profile = read_lines(folder / "profile.json.gz")
    income = pd.cut(profile.income, [0, 50_000, 75_000, np.inf], labels=["low", "middle", "high"])
    income = income.astype(object).where(profile.income.notna(), "unknown")
    old = np.where(pd.to_datetime(profile.became_member_on, format="%Y%m%d") < "2017-07-26", "old", "new")
    labels, joined = income.astype(str) + "_" + old, pd.Timestamp(START)
    names = tuple(sorted(set(labels)))
    table = pd.DataFrame({"customer_id": profile.id, "joined": joined, "segment": labels})
    days = read_lines(folder / "portfolio.json").set_index("id").duration
    valid = {name[:8]: int(duration) for name, duration in days.items()}
    offers = tuple(replace(offer, valid_days=valid[offer.name]) for offer in log.catalog.offers)
    log = replace(log, catalog=replace(log.catalog, offers=offers))
    code = pd.Categorical(table.set_index("customer_id").segment.loc[log.customers], categories=names).codes
    found = campaign_of_events(log, events, code.astype(int), names)
    return replace(found, parts=tuple(tuple(name.split("_")) for name in names)), table


def as_the_world_sees(log: DecisionLog, events: pd.DataFrame, customers: pd.DataFrame, world: crl.World) -> DecisionLog:
    """The real log with the world's features of its customers on the morning of each wave, and the world's actions."""
    place = {customer: i for i, customer in enumerate(log.customers)}
    columns = {name: np.zeros(len(log), dtype=np.float32) for name in world.features.names}
    for step, hour in enumerate(WAVES):
        as_of = START + timedelta(days=int(hour) // 24)
        ids, seen = features(events, customers, world, as_of, START)
        row = np.empty(len(place), dtype=int)
        row[[place[i] for i in ids]] = np.arange(len(ids))
        mine = log.step == step
        for name, values in seen.columns.items():
            columns[name] = columns[name].astype(values.dtype)
            columns[name][mine] = values[row[log.customer[mine]]]
    actions = [0, *(world.catalog.id_of(f"{a.offer}@{a.channel}") for a in log.catalog.actions[1:])]
    return replace(
        log, catalog=world.catalog, context=Context(world.features, columns), action=np.array(actions)[log.action]
    )
