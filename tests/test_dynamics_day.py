"""One customer-day as a whole: a funnel that narrows, books that balance, what is left behind, what is seen."""

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.dynamics import purchase
from campaignrl.dynamics.advance import Outcome, advance, live
from campaignrl.dynamics.customers import NO_OFFER, State, draw_customers
from campaignrl.dynamics.observe import observe
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import FatigueEffect
from campaignrl.specs.world import load_world
from campaignrl.specs.world_features import STAGES


@pytest.fixture(scope="module")
def busy_days(small_world, days_of):
    chance = np.random.default_rng(0)
    actions = lambda day, state: chance.integers(0, len(small_world.catalog), 4000)  # noqa: E731
    return list(days_of(small_world, 4000, 3, actions))


def test_a_funnel_only_narrows(busy_days):
    for _, _, action, out, _ in busy_days:
        assert np.array_equal(out.sent, action > 0)
        for inner, outer in (
            (out.delivered, out.sent),
            (out.opened, out.delivered),
            (out.clicked, out.opened),
            (out.unsubscribed, out.delivered),
            (out.redeemed, out.bought),
        ):
            assert not (inner & ~outer).any()
            assert inner.any()  # the law was put to the test


def test_the_reward_is_the_sum_of_its_parts(busy_days, small_world):
    p = parameters(small_world)
    for traits, _, action, out, _ in busy_days:
        lost = 2.5 * out.unsubscribed
        assert out.reward == pytest.approx(out.margin - out.discount - out.cost - lost, abs=1e-4)
        assert (out.cost >= 0).all()
        assert np.array_equal(out.cost > 0, out.sent)
        assert out.cost == pytest.approx(small_world.catalog.cost_of[action] / 100)
        assert out.margin == pytest.approx(out.revenue * p.margin[traits.segment])
        assert np.array_equal(out.revenue > 0, out.bought)
        assert not ((out.discount != 0) & ~out.redeemed).any()
        assert (out.discount >= 0).all()


def test_what_a_day_leaves_behind(busy_days, small_world):
    p = parameters(small_world)
    decay = 0.5 ** (1 / 5)
    for day, (_, before, action, out, after) in enumerate(busy_days):
        added = np.where(out.sent, p.effect(FatigueEffect).units[p.channel_of[action]], 0)
        assert after.stock("fatigue") == pytest.approx(before.stock("fatigue") * decay + added, abs=1e-4)
        assert np.array_equal(after.orders, before.orders + out.bought)
        assert np.array_equal(after.discounted, before.discounted + out.redeemed)
        assert after.spend == pytest.approx(before.spend + out.revenue, rel=1e-6)
        assert (after.last_order[out.bought] == day).all()
        assert np.array_equal(after.last_order[~out.bought], before.last_order[~out.bought], equal_nan=True)
        first = np.isnan(before.first_order)
        assert (after.first_order[out.bought & first] == day).all()
        assert np.array_equal(after.first_order[~first], before.first_order[~first])
        lost = before.consent & ~after.consent
        assert not (after.consent & ~before.consent).any()  # a permission never comes back by itself
        rows = np.flatnonzero(out.unsubscribed)
        assert not after.consent[p.channel_of[action[rows]], rows].any()
        assert not lost[:, ~out.unsubscribed].any()


def test_who_dropped_out_buys_nothing_and_only_a_win_back_revives(busy_days, small_world):
    winback = small_world.catalog.id_of("winback@sms")
    revived = 0
    for _, before, action, out, after in busy_days:
        back = ~before.alive & (after.alive | out.bought)
        assert (action[back] == winback).all()
        assert out.opened[back].all()
        revived += int(back.sum())
    assert revived > 0


def test_only_the_holder_of_a_usable_offer_redeems(busy_days):
    for _, before, _, out, _ in busy_days:
        assert not (out.redeemed & (before.live_offer == NO_OFFER) & ~out.opened).any()


def test_a_day_changes_none_of_its_inputs(small_world):
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(200)), 1)
    kept = [field.copy() for field in (*traits, *state)]
    advance(small_world, traits, state, np.full(200, 3), 0, 1, parameters(small_world))
    assert all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(kept, (*traits, *state), strict=True)
    )


def test_a_day_in_place_is_the_same_day(small_world):
    p = parameters(small_world)
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(300)), 1)
    action = np.arange(300) % len(small_world.catalog)
    tomorrow, outcome = advance(small_world, traits, state, action, 0, 1, p)
    around = State._make(np.zeros((*f.shape[:-1], 500), f.dtype) for f in state)
    homes = {
        "a block of larger arrays": around.rows(slice(100, 400)),
        "turned around": State._make(np.zeros_like(f.T).T for f in state),
    }
    for mine in homes.values():
        for field, value in zip(mine, state, strict=True):
            field[...] = value
        room = Outcome.unwritten(300)
        live(small_world, traits, mine, action, 0, 1, p, None, room)
        for a, b in zip((*tomorrow, *outcome), (*mine, *room), strict=True):
            assert a.tobytes() == np.ascontiguousarray(b).tobytes()
    for rest in (*around.rows(slice(100)), *around.rows(slice(400, 500))):
        assert not rest.any()
    turned = traits._replace(affinity=np.asfortranarray(traits.affinity))
    for a, b in zip(outcome, advance(small_world, turned, state, action, 0, 1, p)[1], strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ["ecommerce", "retail", "coupon_trap", "churn_rescue"])
def test_who_buys_and_who_leaves_is_whose_clock_runs_out(days_of, name):
    # Hazards are worked out only where they can matter; here they are for everybody.
    world, n, seed = load_world(name), 3000, 5
    p, chance = parameters(world), np.random.default_rng(0)
    actions = lambda day, state: chance.integers(0, len(world.catalog), n)  # noqa: E731
    for day, (traits, before, action, out, after) in zip(range(30), days_of(world, n, seed, actions), strict=False):
        u_buy, _, u_leave, _ = rng.uniforms(traits.key, seed, day, rng.Purpose.PURCHASE, 4)
        held = np.where(out.opened, p.offer_of[action], before.live_offer)
        then, now = (state.named_stocks() for state in (before, after))
        taste = p.taste[traits.segment, held]
        hazard = purchase.purchase_hazard(
            traits.rate, traits.sensitivity, taste, held, out.opened, out.clicked, then, day, p
        )
        live_on = before.alive
        assert np.array_equal(out.bought[live_on], (-np.log(1 - u_buy) < hazard)[live_on])
        leaves = -np.log(1 - u_leave) < purchase.drop_out_hazard(traits.drop_rate, now, held, p)
        assert np.array_equal(after.alive[live_on], ~leaves[live_on])


# ---- what may be seen


def test_observation_by_hand(small_world):
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(3)), 0)
    traits = traits._replace(joined=np.float32([100, 5, 50]))
    state = state._replace(
        segment_tag=np.int8([1, -1, 0]),
        orders=np.int16([4, 0, 1]),
        discounted=np.int16([1, 0, 1]),
        spend=np.float32([200, 0, 30]),
        first_order=np.float32([-90, np.nan, 2]),
        last_order=np.float32([-10, np.nan, 2]),
        consent=np.array([[True, False, True], [False, True, True]]),
        sent=np.array([[0b1, 0b0, 0b100000], [0b10, 0b0, 0b0]], np.uint64),
        opened=np.array([0b1, 0, 0b1 << 28], np.uint64),
        clicked=np.array([0b1, 0, 0b1 << 29], np.uint64),
        live_offer=np.int8([2, -1, -1]),
    )
    seen = observe(small_world, traits, state, day=4).columns
    assert seen["segment"].tolist() == [1, -1, 0]
    assert [STAGES[c] for c in seen["stage"]] == ["active", "prospect", "new"]
    assert seen["recency_days"].tolist() == [14, 9, 2]  # since sign-up where nothing was ordered
    assert seen["tenure_days"].tolist() == [104, 9, 54]
    assert seen["orders"].tolist() == [4, 0, 1]
    assert seen["basket_mean"].tolist() == [50, 0, 30]
    assert seen["discount_share"].tolist() == [0.25, 0, 1]
    assert seen["contacts_7d"].tolist() == [2, 0, 1]  # six days ago still counts
    assert seen["contacts_30d"].tolist() == [2, 0, 1]
    assert seen["opens_30d"].tolist() == [1, 0, 1]  # 29 days ago
    assert seen["clicks_30d"].tolist() == [1, 0, 0]  # 30 days ago: gone
    assert seen["offer_live"].tolist() == [1, 0, 0]
    assert seen["days_to_go"].tolist() == [8, 8, 8]
    assert seen["consent_push"].tolist() == [1, 0, 1]
    assert seen["consent_sms"].tolist() == [0, 1, 1]
    assert set(seen) == set(small_world.features.names)


def test_nothing_hidden_is_shown(small_world):
    hidden = {"rate", "drop_rate", "sensitivity", "log_basket", "affinity", "alive", "fatigue", "held_out"}
    assert not hidden & set(small_world.features.names)
