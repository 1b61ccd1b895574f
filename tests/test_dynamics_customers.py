"""One customer at a time by the textbook, with scipy's own distributions: traits, history and tags of the first day."""

import math

import numpy as np
import pytest
from scipy import special, stats

from campaignrl import rng
from campaignrl.dynamics.customers import (
    MOST_ORDERS,
    NO_OFFER,
    StocksOf,
    _lifetime,
    draw_customers,
    observed_format,
    observed_tags,
    poisson_quantile,
)
from campaignrl.effects import ROW
from campaignrl.rng import Purpose
from campaignrl.specs.world import load_world

LIKES = {"video": 0.5, "text": 0.3, "song": 0.2}
RICH = {
    "horizon": 40,
    "leavers_kept": 0.4,
    "arrivals": {"per_day": 0.02, "segments": {"leisure": 0.3, "potential": 0.5, "rational": 0.2}},
    "creatives": {name: {"format": name} for name in LIKES},
    "formats": {"segments": {"high_value": LIKES, "potential": {"text": 0.9, "song": 0.1}, "leisure": {"video": 1.0}}},
}


def rich_world(**more):
    """The web shop with every option that a customer's draw may have; compares prices far more than usual."""
    tables = load_world("ecommerce").model_dump(exclude_unset=True)
    tables["segments"]["price_sensitive"]["price_sensitivity"] = {"mean": 1.5, "spread": 0.8}
    tables["segments"]["leisure"]["basket"]["model"] = "gamma_gamma"
    tables["tags"] = {**tables.get("tags", {}), "wrong": 0.3, "missing": 0.2}
    return load_world({**tables, **RICH, **more})


def draws(keys, seed, purpose, k, period=0):
    return rng.uniform(keys, seed, period, purpose, k)


def level_at(u, shares):
    """The first level whose cumulative share is above u."""
    return next(i for i in range(len(shares)) if i == len(shares) - 1 or u < sum(shares[: i + 1]))


def arrivals_by_the_book(world, keys, seed):
    total = world.horizon * world.arrivals.per_day  # a customer of the file brings so many more
    share = total / (1 + total)
    u = draws(keys, seed, Purpose.PROFILE, 8).tolist()
    return [1 + math.floor(v / share * (world.horizon - 1)) if v < share else 0 for v in u]


def lognormal(mean, spread, z):
    sigma = np.sqrt(np.log(1 + spread**2))
    return mean * np.exp(sigma * z - sigma**2 / 2)


def traits_by_the_book(world, keys, seed):
    """What never changes."""
    names, channels = list(world.segments), list(world.channels)
    days, u = arrivals_by_the_book(world, keys, seed), [draws(keys, seed, Purpose.PROFILE, k) for k in range(4)]
    file = [s.share for s in world.segments.values()]
    new = [world.arrivals.segments.get(name, 0.0) for name in names]
    segment = [level_at(v, new if day else file) for v, day in zip(u[0].tolist(), days, strict=True)]
    own = [world.segments[names[g]] for g in segment]
    z = [v.astype(float) for v in rng.normals(keys, seed, 0, Purpose.PROFILE, 2 + len(channels))]

    def of(path):
        return np.array([path(s) for s in own], dtype=float)

    def gamma(mean, spread, chance):
        return stats.gamma.ppf(chance, spread**-2, scale=mean * spread**2)

    mean, spread = of(lambda s: s.basket.mean), of(lambda s: s.basket.spread)
    inverse = stats.invgamma.ppf(stats.norm.cdf(z[1]), 2 + spread**-2, scale=mean * (1 + spread**-2))
    gammas = of(lambda s: s.basket.model == "gamma_gamma") > 0  # an inverse gamma of the same mean and spread
    liked = [world.formats.segments.get(names[g]) for g in segment]
    chance = draws(keys, seed, Purpose.PROFILE, 9).tolist()
    return {
        "segment": segment,
        "arrives": days,
        "rate": gamma(of(lambda s: s.purchase.rate), of(lambda s: s.purchase.spread), u[1]),
        "drop_rate": gamma(of(lambda s: 1 / s.lifetime.days), of(lambda s: s.lifetime.spread), u[2]),
        "joined": np.where(np.array(days) > 0, -np.array(days, dtype=float), u[3] * world.tenure_days),
        "sensitivity": lognormal(
            of(lambda s: s.price_sensitivity.mean), of(lambda s: s.price_sensitivity.spread), z[0]
        ),
        "basket": np.where(gammas, inverse, lognormal(mean, spread, z[1])),
        "affinity": [
            of(lambda s, c=c: s.affinity.get(c, 0.0)) + world.channels[c].affinity_spread * v
            for c, v in zip(channels, z[2:], strict=True)
        ],
        "attributes": [
            [
                level_at(v, [s.profile[name].get(level, 0.0) for level in levels])
                for s, v in zip(own, draws(keys, seed, Purpose.PROFILE, 16 + a).tolist(), strict=True)
            ]
            for a, (name, levels) in enumerate(world.attributes.items())
        ],
        "held_out": (draws(keys, world.guard.holdout_salt, Purpose.HOLDOUT, 0) < world.guard.holdout).tolist(),
        "format": [
            level_at(v, [table.get(name, 0.0) for name in world.formats.names]) if table else -1
            for table, v in zip(liked, chance, strict=True)
        ],
    }


def state_by_the_book(world, t, keys, seed):
    """What a day may change, on day 0; of leavers only `leavers_kept` are still in the table."""
    u = [draws(keys, seed, Purpose.HISTORY, k) for k in range(6 + len(world.channels))]
    joined, law = t["joined"], stats.expon(scale=1 / t["drop_rate"])
    left, kept = law.cdf(joined), world.leavers_kept
    gone = kept * left / (kept * left + (1 - left))
    days = law.ppf(
        np.where(u[0] < gone, u[0] / np.maximum(gone, 1e-99) * left, left + (u[0] - gone) / (1 - gone) * (1 - left))
    )
    active, arrives = np.minimum(days, joined), np.array(t["arrives"])
    gap = stats.expon.ppf(u[1], scale=1 / t["rate"])
    ordered = gap < active
    room = np.where(ordered, active - gap, 1.0)
    earlier = stats.poisson.ppf(u[2], t["rate"] * room)
    least = 1 - (1 - u[3]) ** (1 / np.maximum(earlier, 1))  # of so many uniforms
    orders, last = np.where(ordered, earlier + 1, 0), np.where(ordered, room - joined, np.nan)
    share = np.minimum(0.2 / 0.3 * t["sensitivity"], 0.9)
    consent = np.array([[s.consent[c] for c in world.channels] for s in world.segments.values()])[t["segment"]]
    return {
        "alive": (days > joined) & (arrives == 0),
        "orders": orders,
        "first": np.where(earlier > 0, np.where(ordered, room * least - joined, np.nan), last),
        "last": last,
        "consent": np.array([u[6 + c] < consent[:, c] for c in range(len(world.channels))]),
        "discounted": np.minimum(np.floor(orders * share + u[4]), orders),
        "spend": orders * t["basket"],
    }


def noisy(world, keys, seed, period, first, truth, levels):
    """A tag as observed: missing, or another level, or the true one."""
    found = []
    chances = [draws(keys, seed, Purpose.TAG, first + k, period).tolist() for k in range(3)]
    for wrong, missing, other, true in zip(*chances, truth, strict=True):
        others = [(true + 1 + j) % levels for j in range(levels - 1)]
        tag = others[math.floor(other * len(others))] if wrong < world.tags.wrong else true
        found.append(-1 if missing < world.tags.missing else tag)
    return found


@pytest.fixture(scope="module")
def crowd():
    world, keys = rich_world(), rng.customer_keys(np.arange(1500))
    return world, keys, *draw_customers(world, keys, 5)


def test_traits_are_those_of_the_textbook(crowd):
    world, keys, traits, _ = crowd
    wanted = traits_by_the_book(world, keys, 5)
    for name in ("segment", "arrives", "held_out", "format", "attributes"):
        assert getattr(traits, name).tolist() == wanted[name], name
    for name in ("rate", "drop_rate", "joined", "sensitivity", "basket"):
        assert getattr(traits, name) == pytest.approx(wanted[name], rel=3e-5, abs=1e-9), name
    assert traits.affinity == pytest.approx(np.array(wanted["affinity"]), abs=1e-5)
    assert {0, 1, 2, 3, 4} == set(traits.segment.tolist())
    assert set(traits.segment[traits.arrives > 0].tolist()) == {1, 3, 4}
    assert {-1, 0, 1, 2} == set(traits.format.tolist())
    assert {1, 39} <= set(traits.arrives.tolist()) <= set(range(40))


def test_the_history_is_that_of_the_textbook(crowd):
    world, keys, traits, state = crowd
    wanted = state_by_the_book(world, traits_by_the_book(world, keys, 5), keys, 5)
    for name in ("alive", "orders", "discounted", "consent"):
        assert getattr(state, name).tolist() == wanted[name].tolist(), name
    for name, short in (("first_order", "first"), ("last_order", "last")):
        assert getattr(state, name) == pytest.approx(wanted[short], rel=1e-4, abs=2e-3, nan_ok=True)
    assert state.spend == pytest.approx(wanted["spend"], rel=3e-5)
    assert {0, 1, 2, 3} < set(state.orders.tolist())
    assert (2 / 3 * traits.sensitivity > 0.9).any()  # the most that use an offer
    for name, nothing in (("live_offer", NO_OFFER), ("live_days", 0), ("sent", 0), ("opened", 0), ("clicked", 0)):
        assert (getattr(state, name) == nothing).all(), name
    assert state.sent.shape == state.consent.shape == (len(world.channels), len(keys))


@pytest.mark.parametrize("period", [0, 3])
def test_tags_are_those_of_the_textbook(crowd, period):
    world, keys, traits, state = crowd
    price = [sum(s >= bound for bound in world.tags.price) for s in traits.sensitivity.tolist()]
    found = *observed_tags(world, traits, period, 5), observed_format(world, traits, period, 5)
    if period == 0:
        assert [tag.tolist() for tag in found] == [
            tag.tolist() for tag in (state.segment_tag, state.price_tag, state.format_tag)
        ]
    assert found[0].tolist() == noisy(world, keys, 5, period, 0, traits.segment.tolist(), 5)
    assert found[1].tolist() == noisy(world, keys, 5, period, 3, price, 3)
    liked = np.array(noisy(world, keys, 5, period, 6, traits.format.tolist(), 3))
    assert found[2].tolist() == np.where(traits.format < 0, -1, liked).tolist()


def test_of_two_levels_the_wrong_one_is_the_other(small_world):
    tables = small_world.model_dump(exclude_unset=True)
    shares = {name: {"video": 0.5, "text": 0.5} for name in small_world.segments}
    ways = {"creatives": {n: {"format": n} for n in ("video", "text")}, "formats": {"segments": shares}}
    world = load_world({**tables, **ways, "tags": {"wrong": 0.999, "missing": 0.0}})
    traits, state = draw_customers(world, rng.customer_keys(np.arange(300)), 2)
    for tag, truth in ((state.segment_tag, traits.segment), (state.format_tag, traits.format)):
        assert set(tag.tolist()) == {0, 1}
        assert (tag == 1 - truth).mean() > 0.98


def test_without_formats_and_arrivals_there_are_none(small_world):
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(20)), 2)
    assert (traits.format == -1).all()
    assert (state.format_tag == -1).all()
    assert state.format_tag is not traits.format  # tags may be changed, traits never
    assert (traits.arrives == 0).all()


def test_arrivals_come_as_the_file_is_where_no_segments_are_given():
    world = rich_world(arrivals={"per_day": 0.02})
    keys = rng.customer_keys(np.arange(4000))
    traits, state = draw_customers(world, keys, 5)
    nobody, _ = draw_customers(rich_world(arrivals=None), keys, 5)
    assert np.array_equal(traits.segment, nobody.segment)
    new = traits.arrives > 0
    assert new.mean() == pytest.approx(0.8 / 1.8, abs=0.03)
    assert not state.alive[new].any()
    assert (state.orders[new] == 0).all()
    assert np.array_equal(traits.joined[new], -traits.arrives[new].astype(np.float32))


@pytest.mark.parametrize(("horizon", "days"), [(1, {0}), (2, {0, 1}), (3, {0, 1, 2})])
def test_nobody_arrives_before_day_1_or_after_the_last_one(horizon, days):
    world = rich_world(horizon=horizon, arrivals={"per_day": 0.3})
    traits, _ = draw_customers(world, rng.customer_keys(np.arange(400)), 1)
    assert set(traits.arrives.tolist()) == days


def test_where_joining_is_the_first_order_it_counts_as_one():
    """Of who comes later nothing is known yet; the last order is the joining itself where there was no other."""
    keys = rng.customer_keys(np.arange(800))
    _, before = draw_customers(rich_world(), keys, 5)
    traits, state = draw_customers(rich_world(joined_by_order=True), keys, 5)
    here, ordered = traits.arrives == 0, before.orders > 0
    assert (here & ordered).any()
    assert (here & ~ordered).any()
    assert state.orders.tolist() == (before.orders + here).tolist()
    assert state.first_order[here] == pytest.approx(-traits.joined[here], rel=1e-5)
    assert state.last_order[here & ordered] == pytest.approx(before.last_order[here & ordered])
    assert state.last_order[here & ~ordered] == pytest.approx(-traits.joined[here & ~ordered], rel=1e-5)
    assert np.isnan(state.first_order[~here]).all()
    assert np.isnan(state.last_order[~here]).all()


def test_the_most_orders_there_can_be_are_reached(tables):
    for segment in tables["segments"].values():
        segment["purchase"] = {"rate": 100.0, "spread": 0.1}
    world = load_world({**tables, "tenure_days": 5000.0})
    for more in ({}, {"joined_by_order": True}):
        _, state = draw_customers(load_world(world, **more), rng.customer_keys(np.arange(100)), 0)
        assert state.orders.max() == MOST_ORDERS == 25_000


def test_a_count_is_the_first_whose_chance_is_above_u():
    """Also where u is just the chance of the one before, and where terms are tiny before the mode."""
    none = math.exp(-1.0)
    u = np.array([0.0, np.nextafter(none, 0), none, none + none, 0.0, 1e-43, 0.5, 0.5])
    mean = np.array([1.0, 1.0, 1.0, 1.0, 150.0, 101.0, 90.0, 400.0])
    assert poisson_quantile(u, mean).tolist() == [0, 0, 1, 2, 0, 1, 90, 400]


def test_a_lifetime_always_ends():
    """Also where all but rounding have gone."""
    u = np.append(np.linspace(0.0, 1.0, 2001)[:-1], 1.0 - 2.0 ** -np.arange(30.0, 54.0))
    for rest in np.linspace(30.0, 40.0, 60):
        days = _lifetime(u, np.full(len(u), rest), np.full(len(u), 1.0), 0.5)
        assert np.isfinite(days).all()
        assert (np.diff(days[:2000]) >= 0).all()


def test_stocks_are_looked_up_when_first_asked_for(crowd):
    *_, state = crowd
    rows = np.array([3, 1])
    changed = state._replace(stocks=np.arange(state.stocks.size, dtype=np.float32).reshape(state.stocks.shape))
    stocks = StocksOf(changed, rows)
    assert len(stocks) == len(ROW) == len(list(stocks))
    for name, row in ROW.items():
        assert stocks[name].tolist() == changed.stocks[row, rows].tolist() == changed.stock(name)[rows].tolist()
    before = stocks["fatigue"]
    changed.stocks[:] = -1.0
    assert stocks["fatigue"] is before
    assert (changed.named_stocks()["fatigue"] == -1.0).all()


def test_a_chance_just_below_that_of_a_large_count_is_of_that_count():
    """Where the inverse rounds up over the count, it is taken back."""
    mean = np.repeat(np.linspace(101.0, 900.0, 40), 21)
    count = np.floor(mean) + np.tile(np.arange(-10.0, 11.0), 40)
    u = np.nextafter(special.pdtr(count, mean), 0.0)
    assert poisson_quantile(u, mean).tolist() == count.tolist()
