"""The parts of the bound lie where they must: eligibility never too narrow, lines above curves, one day exact."""

import numpy as np
import pytest
from campaignrl.dynamics.satisfaction import contentment
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl import rng
from campaignrl.dynamics.memory import use_up
from campaignrl.dynamics.parameters import parameters
from campaignrl.dynamics.purchase import hill
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.eligible_offers import classes, open_offers, reads
from campaignrl.envs.truth.bounds.linear_stocks import linear_stocks
from campaignrl.envs.truth.bounds.offer_validity import held_points
from campaignrl.envs.truth.bounds.piecewise_linear_bounds import between, convex, falling, raised, rising
from campaignrl.envs.truth.bounds.upper_bound import ShadowPrices, upper_bound
from campaignrl.envs.truth.oracles.greedy_oracle import action_gains, greedy, priced
from campaignrl.envs.truth.oracles.reduced_state import Size
from campaignrl.envs.truth.twins import live
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world

EFFECTS = {
    "adstock": {"effect": 0.5},
    "satisfaction": {"purchase": 0.8, "drop_out": 1.0, "unsubscribe": 0.5},
    "response": {"open_lift": 0.2, "click_lift": 1.0, "same_day": 0.5},
}


def anything_allowed(panel, allowed):
    """(n,) any of the allowed sends, by chance."""
    u = rng.uniform(panel.traits.key, panel.seed, panel.day, rng.Purpose.ACTION)
    which = np.floor(u * allowed.sum(axis=1)).astype(int)
    return (np.cumsum(allowed, axis=1) > which[:, None]).argmax(axis=1)


@pytest.mark.parametrize("name", sorted(name for name in bundled_files("envs") if load_world(name).conditions))
def test_whatever_the_guard_opens_was_foreseen(name):
    world = load_world(name)
    panel = Panel(world, 400, 3)
    foreseen, orders, closed = open_offers(panel), panel.state.orders.copy(), 0
    assert foreseen.shape == (classes(world), world.horizon, len(world.offers), 400)
    offer_of = world.catalog.offer_of[1:]
    while not panel.done:
        allowed = panel.allowed(panel.observe())
        more = np.minimum(panel.state.orders - orders, classes(world) - 1)
        today = foreseen[more, panel.day, :, np.arange(400)]  # (n, o)
        assert today[:, offer_of][allowed[:, 1:]].all()
        closed += (~today).sum()
        panel.step(anything_allowed(panel, allowed))
    assert closed > 400  # else nothing was shown


def test_a_condition_names_what_it_reads():
    assert reads("stage in ['dormant'] or (orders >= 2 and segment == 'x')") == {"stage", "orders", "segment"}


def test_conditions_on_anything_else_count_as_met(small_world):
    world = load_world(
        small_world,
        offers={**{n: o.model_dump(exclude_unset=True) for n, o in small_world.offers.items()}, "extra": {
            "title": "Extra", "kind": "content", "channels": ["push"], "only_if": "basket_mean > 1000000"}},
    )  # fmt: skip
    assert open_offers(Panel(world, 20, 0))[:, :, list(world.offers).index("extra")].all()


@given(
    points=st.lists(st.floats(0.0, 10.0), min_size=2, max_size=6, unique=True).map(sorted),
    bend=st.floats(-2.0, 2.0),
)
def test_raised_lines_lie_above(points, bend):
    points = np.array(points)
    lifted = raised(lambda x: np.sin(bend * x), points)
    x = np.linspace(points[0], points[-1], 400)
    assert (np.interp(x, points, lifted) >= np.sin(bend * x) - 2e-3 * (1 + (np.diff(points).max() * bend) ** 2)).all()


@given(values=st.lists(st.floats(-5.0, 5.0, width=32), min_size=3, max_size=7))
def test_convex_is_convex_and_above(values):
    values, points = np.array(values, dtype=np.float32), np.arange(len(values)) ** 2.0
    found = convex(values[:, None], points, 0)[:, 0]
    assert (found >= values).all()
    assert (np.diff(np.diff(found) / np.diff(points)) >= -1e-3 * (1 + np.abs(found).max())).all()


def test_monotone_by_hand():
    values = np.array([[1.0, 3.0, 2.0]], dtype=np.float32)
    np.testing.assert_array_equal(rising(values.copy(), 1), [[1, 3, 3]])
    np.testing.assert_array_equal(falling(values.copy(), 1), [[3, 3, 2]])
    line = between(np.array([[1.0], [3.0]], dtype=np.float32), 0, np.array([-0.5, 0.25]))
    np.testing.assert_array_equal(line, [[0.0], [1.5]])


@settings(max_examples=40)
@given(valid=st.integers(0, 40), seen=st.integers(0, 60), block=st.integers(1, 9))
def test_offers_last_at_least_as_long(valid, seen, block):
    points = held_points(np.array([valid, 0], dtype=np.int8), block)
    at, live_offer, live_days = (
        int(points.first(seen, np.array([valid, 0]))[0]),
        np.zeros(1, np.int8),
        np.array([valid], np.int8),
    )
    use_up(live_offer, live_days, np.array([], dtype=np.int64))
    lasted = 0
    for day in range(seen + 1, seen + 120):
        if live_offer[0] >= 0:
            assert points.offer[at] == 0
        lasted += points.offer[at] == 0
        use_up(live_offer, live_days, np.array([], dtype=np.int64))
        at = int(points.after(day)[at])
    assert valid <= lasted < valid + max(1, -(-valid // block))


@pytest.mark.parametrize("usual", [0.0, 0.4, 1.2])
def test_stocks_stay_below_their_lines(small_world, usual):
    world = load_world(small_world, **EFFECTS)
    p, panel = parameters(world), Panel(world, 500, 2)
    stocks = linear_stocks(world, p, usual)
    pull, bound = np.zeros(500), 0.0
    while not panel.done:
        state, at = panel.state, stocks.at(panel.day)
        seen = np.exp(p.adstock.effect * hill(state.adstock, p.adstock) + p.click_lift * state.intent)
        assert (seen <= 1.0 + (stocks.idle if panel.day else 0.0) + pull + 1e-5).all()
        assert (at.trust[0] - 1e-5 <= state.satisfaction).all()
        assert (state.satisfaction <= at.trust[1] + 1e-5).all()
        assert (pull <= at.pull[1] + 1e-5).all()
        bound = max(bound, float(pull.max()))
        action = anything_allowed(panel, panel.allowed(panel.observe()))
        out = panel.step(action)
        added = out.opened * stocks.opened[p.channel_of[action]] + out.clicked * stocks.clicked
        pull = stocks.pull_decay * pull + added
    z = np.linspace(stocks.least.min(), stocks.most.max(), 300)
    curve = contentment(z.astype(np.float32), p)
    for (start, slope), effect in zip((stocks.bought, stocks.calm, stocks.content), (0.8, 1.0, 0.5), strict=True):
        height = np.expm1(effect * curve) if effect == 0.8 else effect * curve
        assert (start + slope * z >= height - 1e-5).all()
    assert bound > 0.1


def test_one_day_is_solved_exactly(small_world):
    world, n = load_world(small_world, horizon=1, outcome_days=1), 400
    panel = Panel(world, n, 5)
    gains = action_gains(world, panel.traits, panel.state, 0, parameters(world), panel.allowed(panel.observe()))
    p = parameters(world)
    orders = -np.expm1(-panel.traits.rate.astype(float) * p.season[0])
    idle = np.where(panel.state.alive, orders * panel.traits.basket * p.margin[panel.traits.segment], 0.0)
    bound = upper_bound(world, customers=n, seed=5, size=Size(fatigue=3, prices=3, caps=8)).value
    np.testing.assert_allclose(bound, idle + np.maximum(gains.max(axis=1), 0.0), rtol=2e-4, atol=2e-4)
    assert (bound > idle + 1e-3).sum() > 50


def test_expected_contribution_has_the_mean_of_the_reward_and_less_luck(small_world):
    lived = live(load_world(small_world, **EFFECTS), greedy, customers=20_000, seed=1, expects=True)
    apart = lived["expected"] - lived["reward"]
    assert abs(apart.mean()) < 3.5 * apart.std() / np.sqrt(len(apart))
    assert lived["expected"].std() < 0.9 * lived["reward"].std()


def test_prices_turn_sends_away(small_world):
    def sent(shadow_prices):
        return live(small_world, priced(small_world, shadow_prices), customers=1500, seed=1)["sent"].sum()

    free = live(small_world, greedy, customers=1500, seed=1)["sent"].sum()
    assert sent(ShadowPrices()) == free > sent(ShadowPrices(money=5.0)) > sent(ShadowPrices(sends=(1e6, 1e6))) == 0


def test_weights_choose_the_prices(small_world):
    world = load_world(
        small_world,
        horizon=6,
        guard={**small_world.guard.model_dump(), "budget": {"amount_per_1000_customers": 5}},
    )
    size, one = Size(fatigue=1, prices=3, caps=4), np.eye(60)
    dear = upper_bound(world, customers=60, size=size, candidate_prices=[ShadowPrices(money=64.0)]).value
    cheap = upper_bound(world, customers=60, size=size, candidate_prices=[ShadowPrices()]).value
    for row in (int((cheap - dear).argmax()), int((dear - cheap).argmax())):
        candidate_prices = [ShadowPrices(), ShadowPrices(money=64.0)]
        found = upper_bound(world, customers=60, size=size, candidate_prices=candidate_prices, weights=one[row])
        assert found.shadow_prices.money == (0.0 if cheap[row] < dear[row] else 64.0)
