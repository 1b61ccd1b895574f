"""A simulated panel's history, told as events and attributes, gives the panel's own features, to the last bit."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from campaignrl.campaign import ready_policy, simulate
from campaignrl.choices import decide_day
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.events_export import START, play_history, truth_of
from campaignrl.envs.panel import Panel
from campaignrl.profiles.tags.world_features import features, features_frame
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.tables.events import read_events
from campaignrl.training import train


def lived(world, customers, days, policy="uniform", seed=5):
    """A panel after `days` days of `policy`, and its history."""
    panel, playing = Panel(world, customers, seed), ready_policy(policy, world) if isinstance(policy, str) else policy
    return panel, play_history(panel, lambda panel: decide_day(panel, playing).action, days)


def differences(panel, history):
    """Features that are not the panel's own in every bit and type, with how many customers."""
    ids, found = features(
        history.events, history.attributes, panel.world, history.as_of, history.start, never_contacted=True
    )
    own = panel.observe()
    order = np.argsort(panel.ids.astype(str).astype(object))
    assert [str(i) for i in panel.ids[order]] == ids.tolist()
    assert found.schema == own.schema
    wrong = {}
    for name in own.schema.names:
        mine, theirs = own.columns[name][order], found.columns[name]
        if mine.dtype != theirs.dtype or mine.tobytes() != theirs.tobytes():
            wrong[name] = int((mine != theirs).sum())
    return wrong


def test_two_thousand_customers_of_the_shop_for_forty_days():
    world = load_world("ecommerce")
    panel, history = lived(world, 2_000, 40)
    assert differences(panel, history) == {}
    kinds = set(history.events["kind"])
    assert {"opening", "order", "visit", "sent", "opened", "clicked", "redeemed", "unsubscribed"} <= kinds
    seen = panel.observe().columns
    assert 0 < seen["offer_live"].mean() < 1
    assert seen["contacts_7d"].max() > 1
    assert (seen["segment"] == -1).any()


def test_what_a_learner_sends_comes_back_too():
    world = load_world("ecommerce")
    learner = train("lin_ts", simulate(world, "uniform", customers=300, seed=1), seed=1)
    panel, history = lived(world, 500, 40, learner, seed=8)
    assert differences(panel, history) == {}


@pytest.mark.parametrize("name", bundled_files("envs"))
def test_every_bundled_world(name):
    world = load_world(name)
    panel, history = lived(world, 200, min(world.horizon, 25), seed=2)
    assert differences(panel, history) == {}


@pytest.mark.parametrize("days", [0, 1, 2, 11, 12])
def test_every_stage_of_a_campaign(small_world, days):
    panel, history = lived(small_world, 400, days, seed=3)
    assert history.as_of == START + timedelta(days=days)
    assert differences(panel, history) == {}


def test_the_table_for_decide_is_the_one_a_panel_exports(small_world):
    panel, history = lived(small_world, 200, 9, seed=4)
    mine = features_frame(history.events, history.attributes, small_world, history.as_of, history.start)
    own = customers_frame(panel).sort_values("customer_id", ignore_index=True)
    assert list(mine.columns) == list(own.columns)
    for name in own.columns:  # a missing level is null here and empty there
        theirs = own[name].where(own[name] != "", None) if pd.api.types.is_string_dtype(own[name]) else own[name]
        pd.testing.assert_series_equal(mine[name], theirs.astype(mine[name].dtype), check_exact=True)


def test_what_other_rules_count_is_the_same_from_events_and_in_a_panel(tables):
    tables["guard"]["caps"] += [{"offer": "coupon20", "per_days": 4, "at_most": 2}]
    tables["guard"] |= {"max_discount_depth": {"per_days": 6, "at_most": 0.65}, "max_age_days": 1}
    world = load_world(tables)
    panel, history = lived(world, 200, 9, seed=4)
    mine = features_frame(history.events, history.attributes, world, history.as_of, history.start)
    own = customers_frame(panel).sort_values("customer_id", ignore_index=True)
    for name in ("contacts_offer_coupon20_4d", "discount_depth_6d"):
        assert np.array_equal(mine[name], own[name])
        assert own[name].max() > 0
    assert set(mine["as_of"]) == {history.as_of.isoformat()}


def test_a_history_survives_the_file(small_world, tmp_path):
    _, history = lived(small_world, 150, 8)
    history.write(tmp_path)
    read = read_events(tmp_path / "events.parquet")
    assert len(read) == len(history.events)
    ids, found = features(
        tmp_path / "events.parquet", tmp_path / "attributes.parquet", small_world, history.as_of, history.start
    )
    again, direct = features(history.events, history.attributes, small_world, history.as_of, history.start)
    assert ids.tolist() == again.tolist()
    assert all(np.array_equal(found.columns[n], direct.columns[n], equal_nan=True) for n in direct.schema.names)


def test_shuffled_events_give_the_same_features(small_world):
    _, history = lived(small_world, 150, 10)
    mixed = history.events.sample(frac=1.0, random_state=3)
    _, first = features(history.events, history.attributes, small_world, history.as_of, history.start)
    _, second = features(mixed, history.attributes, small_world, history.as_of, history.start)
    assert all(first.columns[n].tobytes() == second.columns[n].tobytes() for n in first.schema.names)


def test_the_truth_stands_apart_from_what_is_known(small_world):
    panel, history = lived(small_world, 100, 3)
    truth = truth_of(panel)
    assert (truth["alive"].to_numpy() == panel.state.alive).all()
    assert set(truth["segment"]) == {"loyal", "bargain"}
    assert not set(truth.columns) - {"customer_id", "segment", "price_tag"} & set(history.attributes.columns)
    # Noise of a sixth and gaps of a tenth: most known tags are right, some are wrong, some are missing.
    known = history.attributes["segment"]
    assert 0.02 < known.isna().mean() < 0.25
    assert 0.7 < (known == truth["segment"])[known.notna()].mean() < 0.97


def test_features_by_hand(small_world):
    def event(day, kind, **more):
        return {"customer_id": "007", "ts": pd.Timestamp(2026, 3, day), "kind": kind, **more}

    events = pd.DataFrame(
        [
            event(1, "order", amount=30.0, discount=10.0),
            event(5, "sent", channel="sms", offer="coupon20"),
            event(9, "sent", channel="push", offer="coupon20"),
            event(9, "opened", channel="push", offer="coupon20"),
            event(10, "order", amount=60.0),
            event(4, "subscribed", channel="push"),
            event(12, "order", amount=1e6),  # not yet
        ]
    )
    about = pd.DataFrame(
        {"customer_id": ["007", "1e5"], "joined": pd.Timestamp(2026, 2, 20), "segment": ["loyal", "x"]}
    )
    ids, context = features(events, about, small_world, date(2026, 3, 12), date(2026, 3, 8))
    assert ids.tolist() == ["007", "1e5"]
    row = {name: values[0] for name, values in context.columns.items()}
    assert row["recency_days"] == 2
    assert row["tenure_days"] == 20
    assert row["orders"] == 2
    assert row["basket_mean"] == 50  # at list price
    assert row["discount_share"] == 0.5
    assert row["contacts_7d"] == 1  # of 6 to 12 March; the one of the 5th is 7 days old
    assert row["contacts_30d"] == 2
    assert row["offer_live"] == 1  # seen three days ago, valid for three, not used
    assert row["days_to_go"] == small_world.horizon - 4
    assert row["consent_push"] == 1
    assert np.isnan(row["consent_sms"])  # nobody said a word about SMS
    assert context.labels("segment").tolist() == ["loyal", ""]
    assert context.labels("stage").tolist() == ["new", "prospect"]
