"""Bounds bound, planning ahead pays where it should and only there, and more money never bounds less."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import ReferencePriceEffect
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.upper_bound import ShadowPrices, idle_value, regret_fraction, upper_bound
from campaignrl.envs.truth.oracles.far_sighted_oracle import FarSightedOracle
from campaignrl.envs.truth.oracles.greedy_oracle import greedy
from campaignrl.envs.truth.oracles.reduced_state import Size, lattice
from campaignrl.envs.truth.twins import always, live, nothing, twins
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.true_value import controlled_value

EFFECTS = {
    "adstock": {"effect": 0.5},
    "satisfaction": {"purchase": 0.8, "drop_out": 1.0, "unsubscribe": 0.5},
    "reference_price": {},
    "stockpile": {"effect": 0.3},
    "response": {"open_lift": 0.2, "click_lift": 1.0, "same_day": 0.5},
    "season": {"weekday": [0.8, 0.9, 1.0, 1.1, 1.2, 1.0, 1.0]},
}
SMALL = Size(fatigue=4, prices=5, caps=8)


def over_nothing(world, customers, bounded, seed=1, size=SMALL):
    """The bound less the expected value of nothing sent, a mean over the customers with its error."""
    some = upper_bound(world, customers=bounded, seed=seed, size=size, candidate_prices=[ShadowPrices()]).value
    idle = idle_value(world, customers=customers, seed=seed)
    return controlled_value(some - idle[:bounded], idle[:bounded], idle)


@pytest.mark.parametrize("changes", [{}, pytest.param(EFFECTS, marks=pytest.mark.slow)], ids=["plain", "every effect"])
def test_nobody_beats_the_bound(small_world, changes):
    world, n = load_world(small_world, **changes), 3000
    bound = over_nothing(world, n, 80)
    none = live(world, nothing, customers=n, seed=1)["reward"]
    ways = [always(a) for a in range(1, len(world.catalog))]
    for decide in [*ways, greedy, FarSightedOracle(world, 20, SMALL)]:
        lift = live(world, decide, customers=n, seed=1)["reward"] - none
        assert lift.mean() - 3.0 * lift.std() / np.sqrt(n) < bound.value + 3.0 * bound.std_error
    assert bound.value - 3.0 * bound.std_error > 0.0


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_bound_oracle_fixed_none_in_every_world(name):
    world, n, size = load_world(name, horizon=8), 1000, Size(fatigue=1, prices=3, caps=4)
    none = live(world, nothing, customers=n, seed=1)["reward"]
    ways = {"greedy": greedy, **{str(a): always(a) for a in range(1, len(world.catalog), 6)}}
    lifts = {way: live(world, decide, customers=n, seed=1)["reward"] - none for way, decide in ways.items()}
    oracle = lifts.pop("greedy")
    bound = over_nothing(world, n, 30, size=size)
    error = oracle.std() / np.sqrt(n)
    assert oracle.mean() < bound.value + 3.0 * np.hypot(error, bound.std_error)
    if name != "coupon_trap":  # where greed is punished
        assert oracle.mean() > -3.0 * error
        assert all((oracle - fixed).mean() > -3.0 * (oracle - fixed).std() / np.sqrt(n) for fixed in lifts.values())


def test_a_plan_sends_what_is_allowed(small_world):
    decide, panel = FarSightedOracle(small_world, 30, SMALL), Panel(small_world, 1500, 6)
    sends = 0
    while not panel.done:
        allowed, action = panel.allowed(panel.observe()), decide(panel)
        assert allowed[np.arange(len(panel)), action].all()
        sends += (action > 0).sum()
        panel.step(action)
    assert sends > 500


def test_without_memory_planning_gains_nothing_and_the_bound_is_reached():
    world, n = load_world("no_memory", horizon=30), 4000
    found = twins(world, FarSightedOracle(world, 150), greedy, customers=n, seed=1)
    gain, greedy_lift = found.incremental(), found.other["reward"] - live(world, nothing, customers=n, seed=1)["reward"]
    assert abs(gain.mean()) < 0.02 * greedy_lift.mean()
    bound = over_nothing(world, n, 1000)
    error = np.hypot(bound.std_error, greedy_lift.std() / np.sqrt(n))
    assert bound.value == pytest.approx(greedy_lift.mean(), abs=3.5 * error)


def test_in_the_trap_planning_gains_clearly_and_the_bound_is_near():
    world, n, size = load_world("coupon_trap", horizon=60), 3000, Size(prices=13)
    found = twins(world, FarSightedOracle(world, 40, size), greedy, customers=n, seed=1)
    gain = found.incremental()
    assert gain.mean() > 5.0 * gain.std() / np.sqrt(n)
    lift = found.ours["reward"] - live(world, nothing, customers=n, seed=1)["reward"]
    bound = over_nothing(world, n, 60, size=size)
    error = np.hypot(bound.std_error, lift.std() / np.sqrt(n))
    assert 0.0 < lift.mean() < bound.value + 3.0 * error
    assert regret_fraction(lift.mean(), 0.0, bound.value) > 0.5


def with_budget(world, amount):
    return load_world(world, guard={**world.guard.model_dump(), "budget": {"amount_per_1000_customers": amount}})


@settings(max_examples=2, deadline=None)
@given(amounts=st.lists(st.integers(0, 400), min_size=2, max_size=2, unique=True))
def test_a_larger_budget_never_lowers_the_bound(small_world, amounts):
    less, more = (
        upper_bound(with_budget(load_world(small_world, horizon=6), a), customers=15, size=SMALL).value.mean()
        for a in sorted(amounts)
    )
    assert less <= more + 1e-9


@pytest.mark.slow
def test_a_budget_bounds_between_nothing_and_no_limit(small_world):
    world = load_world(small_world, horizon=6)
    free = upper_bound(world, customers=60, size=SMALL)
    tight, none, ample = (upper_bound(with_budget(world, a), customers=60, size=SMALL) for a in (5, 0, 10_000))
    assert none.value.mean() < tight.value.mean() < free.value.mean()
    assert free.shadow_prices.money == 0.0 < tight.shadow_prices.money
    np.testing.assert_array_equal(ample.value, free.value)


def test_a_capacity_has_its_price(small_world):
    channels = {n: c.model_dump(exclude_unset=True) for n, c in small_world.channels.items()}
    channels["push"]["capacity"] = {"sends_per_day_per_1000_customers": 5.0}
    world = load_world(small_world, channels=channels)
    limited, free = upper_bound(world, customers=60, size=SMALL), upper_bound(small_world, customers=60, size=SMALL)
    assert limited.value.mean() < free.value.mean()
    assert limited.shadow_prices.sends[0] > 0.0
    assert limited.shadow_prices.sends[1] == 0.0


def test_every_price_gives_a_bound(small_world):
    world, n = with_budget(small_world, 5), 3000
    lift = live(world, greedy, customers=n, seed=1)["reward"] - live(world, nothing, customers=n, seed=1)["reward"]
    idle = idle_value(world, customers=n, seed=1)
    for money in (0.0, 0.3, 3.0, 30.0):
        some = upper_bound(world, customers=200, seed=1, size=SMALL, candidate_prices=[ShadowPrices(money)]).value
        room = controlled_value(some - idle[:200], idle[:200], idle)
        assert lift.mean() - 3.0 * lift.std() / np.sqrt(n) < room.value + 3.0 * room.std_error


def test_a_finer_lattice_bounds_no_worse(small_world):
    world = load_world(small_world, **EFFECTS)
    coarse, fine = (
        upper_bound(world, customers=20, size=Size(fatigue=1, prices=points, caps=8)).value for points in (3, 17)
    )
    assert fine.mean() < coarse.mean() - 0.01


def test_a_bound_without_permission_is_nothing_sent(small_world):
    panel, idle = Panel(small_world, 200, 0), idle_value(small_world, customers=200)
    bound = upper_bound(small_world, customers=200, size=SMALL).value
    mute = panel.traits.held_out | ~panel.state.consent.any(axis=0)
    assert 0 < mute.sum() < 200
    np.testing.assert_allclose(bound[mute], idle[mute], rtol=1e-4, atol=1e-4)
    assert (bound[~mute] >= idle[~mute] - 1e-3).all()


def test_optimistic_moves_end_at_the_better_point(small_world):
    world = load_world(small_world, **EFFECTS)
    p = parameters(world)
    up, honest = (lattice(world, p, optimistic, Size(prices=9)) for optimistic in (True, False))
    paid, decay = world.reference_price.paid, p.effect(ReferencePriceEffect).decay
    for offer, cut in enumerate(p.price_cut):
        exact = (1.0 - paid) * (1.0 - decay * (1.0 - honest.prices)) + paid * (1.0 - cut)
        assert (up.price.paid[offer](up.prices, 0) >= (1.0 - paid) * up.prices + paid * (1.0 - cut) - 1e-6).all()
        np.testing.assert_allclose(honest.price.paid[offer](honest.prices, 0), exact, atol=1e-6)


def test_an_optimistic_price_is_never_below_the_true_one(small_world):
    """Any order of offers seen and paid over 80 days, followed on the lattice and by the effect itself."""
    world = load_world(small_world, **EFFECTS)
    p, chance = parameters(world), np.random.default_rng(4)
    spec, decay = world.reference_price, p.effect(ReferencePriceEffect).decay
    lat = lattice(world, p, True, Size(prices=13))
    assert lat.price.every > 1
    for _ in range(50):
        point, true = len(lat.prices) - 1, 1.0
        for day in range(80):
            if day % lat.price.every == 0:
                point = int(lat.price.recovery.high[point])
            assert lat.prices[point] >= true - 1e-6
            offer, way = chance.integers(len(p.price_cut) - 1), chance.choice(["", "seen", "paid"], p=[0.7, 0.2, 0.1])
            true = 1.0 - decay * (1.0 - true)
            cut = float(p.price_cut[offer])
            if way and not (way == "seen" and cut == 0.0):
                weight = getattr(spec, way)
                true = (1.0 - weight) * true + weight * (1.0 - cut)
            if way:
                point = int(getattr(lat.price, way)[offer].high[point])


@pytest.mark.parametrize(("value", "share"), [(1.0, 0.0), (2.0, 0.5), (3.0, 1.0), (0.0, -0.5)])
def test_a_regret_fraction_by_hand(value, share):
    assert regret_fraction(value, 1.0, 3.0) == share
    assert np.isnan(regret_fraction(value, 3.0, 3.0))
