"""The world's days by hand: how long a contact is remembered, what a row of parameters stands for."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.dynamics.customers import draw_customers
from campaignrl.dynamics.lifetime import expected_margin
from campaignrl.dynamics.parameters import parameters
from campaignrl.dynamics.response import delivery_probability, sigmoid, unsubscribe_probability
from campaignrl.effects.satisfaction import contentment, move_satisfaction, next_satisfaction
from campaignrl.envs.panel import Panel
from campaignrl.specs.world import World
from campaignrl.toml import check


def test_a_send_and_what_came_of_it_are_remembered_for_exactly_7_and_30_days(tables):
    """A window of 30 days is today and the 29 before: what happened on day 0 is seen up to day 29."""
    world = check(World, {**tables, "horizon": 40}, "test")
    panel, push = Panel(world, 600, seed=1), world.catalog.id_of("content@push")
    sent = None
    for day in range(34):
        context = panel.observe()
        seen = {n: context.columns[n].copy() for n in ("contacts_7d", "contacts_30d", "opens_30d", "clicks_30d")}
        if day == 0:
            assert all((values == 0).all() for values in seen.values())
            sent = panel.allowed(context)[:, push]
            out = panel.step(np.where(sent, push, 0))
            opened, clicked = np.asarray(out.opened, bool), np.asarray(out.clicked, bool)
            assert 0 < clicked.sum() < opened.sum() < sent.sum()
            continue
        assert seen["contacts_7d"].tolist() == (sent * (day <= 6)).tolist()
        for name, happened in (("contacts_30d", sent), ("opens_30d", opened), ("clicks_30d", clicked)):
            assert seen[name].tolist() == (happened * (day <= 29)).tolist(), (name, day)
        panel.step(np.zeros(600, dtype=int))


def test_the_row_of_no_offer_is_empty_and_the_others_are_the_world_s(small_world):
    p = parameters(small_world)
    assert p.discount.tolist() == pytest.approx([0, 0.2, 0, 0.25, 0])
    assert p.face_value.tolist() == pytest.approx([0, 0, 5, 0, 0])
    assert p.price_cut[-1] == p.appeal[-1] == 0
    assert p.appeal[0] == pytest.approx(0.2)
    assert (small_world.tags.refresh_days, p.tags_refresh) == (None, 0)
    taste = {name: p.taste[i].tolist() for i, name in enumerate(small_world.segments)}
    assert taste["loyal"] == pytest.approx([0, 0, 0.5, 0, 0])  # perk, the offer and its kind at once, counts once
    assert taste["bargain"] == pytest.approx([0, 0.4, 0, 0, 0])


def test_a_send_arrives_by_one_of_its_attempts(small_world):
    p = parameters(small_world)  # push arrives with 0.9, sms with 0.95
    channel = np.array([0, 0, 0, 1])
    chance = delivery_probability(channel, np.array([1, 2, 3, 2]), p)
    assert chance == pytest.approx([0.9, 0.99, 0.999, 1 - 0.05**2], abs=1e-6)
    assert delivery_probability(channel, None, p) == pytest.approx([0.9, 0.9, 0.9, 0.95])


def test_sigmoid_by_hand():
    assert sigmoid(np.float32([0.0, np.log(3.0), -np.log(3.0)])) == pytest.approx([0.5, 0.75, 0.25])


def satisfied(tables, **effect):
    return check(World, {**tables, "satisfaction": {"level": 0.5, "half_life_days": 10.0, **effect}}, "test")


def test_a_satisfied_customer_bears_more(tables):
    p = parameters(satisfied(tables, unsubscribe=2.0))
    trust = np.float32([-np.log(3.0), 0.0, np.log(3.0)])  # 1/4, 1/2 and 3/4: -1/4, 0 and 1/4 above the level
    assert contentment(trust, 0.5) == pytest.approx([-0.25, 0.0, 0.25], abs=1e-6)
    stocks = dict.fromkeys(("fatigue", "adstock"), np.zeros(3, dtype=np.float32)) | {"satisfaction": trust}
    chance = unsubscribe_probability(np.zeros(3, dtype=int), stocks, p)
    odds = 0.01 / 0.99 * np.exp([0.5, 0.0, -0.5])  # push: a base of 1 %
    assert chance == pytest.approx(odds / (1 + odds), rel=1e-5)


def test_satisfaction_moves_by_what_was_opened_ignored_lost_and_bought(tables):
    """Half is left after ten days; customers: not sent, opened, ignored, not delivered, bought without a send."""
    world = satisfied(tables, opened=0.5, order=0.25, ignored=0.125, undelivered=0.0625)
    effect, decay = world.satisfaction, 0.5**0.1
    before = np.ones(5, dtype=np.float32)
    wanted = decay + np.array([0.0, 0.5, -0.125, -0.0625, 0.25])
    sent, opened = np.array([1, 2, 3]), np.array([0])
    delivered, moved = np.array([True, True, False]), before.copy()
    move_satisfaction(moved, sent, delivered, opened, np.float32([0.5]), np.array([4]), effect, decay)
    assert moved == pytest.approx(wanted, abs=1e-6)
    flags = [np.isin(np.arange(5), rows) for rows in ([1, 2, 3], [1, 2], [1], [4])]
    moved = next_satisfaction(before, *flags, np.full(5, 0.5, dtype=np.float32), effect, decay)
    assert moved == pytest.approx(wanted, abs=1e-6)


def test_the_customers_of_a_seed_are_the_same_ones_in_every_version(small_world):
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(6)), 7)
    assert traits.segment.tolist() == [0, 0, 0, 1, 1, 1]
    rate = [0.10101531, 0.10470717, 0.02210698, 0.01503333, 0.01121081, 0.0020301]
    assert traits.rate == pytest.approx(rate, rel=1e-5)
    assert traits.joined == pytest.approx([99.901215, 87.718239, 26.714518, 111.220215, 1.9876304, 185.05498], rel=1e-6)
    assert traits.basket == pytest.approx([211.07607, 79.138474, 102.07162, 29.724903, 37.167713, 32.056473], rel=1e-6)
    assert traits.attributes.ravel().tolist() == [1, 0, 1, 1, 1, 0]
    assert state.alive.tolist() == [True] * 5 + [False]
    assert state.consent.tolist() == [[True, True, True, False, False, True], [False, False, False, False, True, False]]
    assert (state.orders.tolist(), state.discounted.tolist()) == ([9, 11, 2, 0, 0, 0], [1, 0, 0, 0, 0, 0])
    assert state.spend == pytest.approx([1899.6846, 870.5232, 204.14323, 0, 0, 0], rel=1e-6)
    assert state.segment_tag.tolist() == [0, -1, 0, -1, 1, 1]
    assert state.price_tag.tolist() == [1, 0, 0, 2, 2, 2]


def test_what_a_customer_is_worth_in_closed_form(small_world):
    """rate x basket x margin x (1 - exp(-drop_rate x days)) / drop_rate, of who is there."""
    p = parameters(small_world)
    rate, drop = np.array([0.1, 0.02, 0.5, 0.3], dtype=np.float32), np.array([0.01, 0.5, 0.0, 0.01], dtype=np.float32)
    basket, segment = np.array([20.0, 50.0, 10.0, 5.0], dtype=np.float32), np.array([0, 1, 1, 0], dtype=np.int8)
    traits = SimpleNamespace(rate=rate, drop_rate=drop, basket=basket, segment=segment)
    alive = np.array([True, True, True, False])
    for days in (365.0, 30.0):
        stay = [(1 - math.exp(-0.01 * days)) / 0.01, (1 - math.exp(-0.5 * days)) / 0.5, days, 0.0]
        wanted = rate * basket * p.margin[segment] * np.array(stay)
        found = expected_margin(traits, alive, p, days)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert expected_margin(traits, alive, p).tolist() == expected_margin(traits, alive, p, 365.0).tolist()
