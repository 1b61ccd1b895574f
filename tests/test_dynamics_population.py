"""Many customers: the closed forms of the purchase process, and every share and mean that a world states."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaignrl import rng
from campaignrl.dynamics.customers import MOST_ORDERS, draw_customers, poisson_quantile
from campaignrl.specs.world import World, load_world
from campaignrl.toml import check

ECOMMERCE = load_world("ecommerce")
CHANNELS, SEGMENTS = list(ECOMMERCE.channels), list(ECOMMERCE.segments)


def plain_world(tables, **changes):
    """One segment, and nothing that marketing or taste could move; `changes` are its traits."""
    segment = {
        "share": 1.0,
        "purchase": {"rate": 0.004, "spread": 1.2},
        "lifetime": {"days": 150.0, "spread": 0.7},
        "basket": {"mean": 60.0, "spread": 0.6, "within": 0.5, "margin": 0.4},
        "price_sensitivity": {"mean": 0.2, "spread": 0.5},
        "consent": {"push": 0.7, "sms": 0.3},
    }
    tables["segments"] = {"only": {**segment, **changes.pop("segment", {})}}
    tables["offers"] = {name: {**o, "only_if": ""} for name, o in tables["offers"].items()}
    return check(World, {**tables, **changes}, "plain")


def gamma_of(mean, spread):
    """Shape and rate of a gamma with this mean and coefficient of variation."""
    return 1 / spread**2, 1 / spread**2 / mean


def orders_with_nothing_sent(days_of, world, n, seed):
    bought = np.zeros(n)
    for *_, out, _ in days_of(world, n, seed, lambda day, state: np.zeros(n, np.int64)):
        bought += out.bought
    return bought


def test_new_customers_buy_as_pareto_nbd_says(tables, days_of):
    world = plain_world(tables, horizon=200, tenure_days=1e-6)
    n, t = 60_000, 200
    r, alpha = gamma_of(0.004, 1.2)
    s, beta = gamma_of(1 / 150, 0.7)
    bought = orders_with_nothing_sent(days_of, world, n, seed=11)
    error = bought.std() / np.sqrt(n)
    # Schmittlein, Morrison & Colombo 1987: mean number of orders by time t.
    continuous = r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1))
    assert bought.mean() == pytest.approx(continuous, abs=3 * error)
    # The same in whole days, at most one order each, exactly.
    daily = (1 - (alpha / (alpha + 1)) ** r) * ((beta / (beta + np.arange(t))) ** s).sum()
    assert bought.mean() == pytest.approx(daily, abs=3 * error)
    assert daily == pytest.approx(continuous, rel=0.02)
    # Nobody at all: the negative binomial mixed over lifetimes, by numbers.
    mu = stats.gamma(s, scale=1 / beta).ppf((np.arange(400) + 0.5) / 400)
    days = (1 - np.exp(-np.outer(np.arange(1, t + 1), mu))) - (1 - np.exp(-np.outer(np.arange(t), mu)))
    active = np.vstack([days, np.exp(-t * mu)]).mean(axis=1)  # share of customers by number of days alive
    nobody = (active * (alpha / (alpha + np.array([*range(1, t + 1), t]))) ** r).sum()
    assert (bought == 0).mean() == pytest.approx(nobody, abs=3 * np.sqrt(nobody * (1 - nobody) / n) + 1e-3)


def test_a_daily_tick_leaves_the_variance_of_orders_alone(tables, days_of):
    world = plain_world(tables, horizon=60, tenure_days=1e-6, segment={"lifetime": {"days": 1e9, "spread": 0.5}})
    bought = orders_with_nothing_sent(days_of, world, 40_000, seed=5)
    mean = 0.004 * 60
    assert bought.var() == pytest.approx(mean + mean**2 * 1.2**2, rel=0.05)


@pytest.mark.parametrize("rate", [0.01, 0.3])  # the second one has customers with hundreds of orders
def test_history_before_day_0_follows_the_same_process(tables, rate):
    tenure, n = 500.0, 60_000
    world = plain_world(tables, tenure_days=tenure, segment={"purchase": {"rate": rate, "spread": 1.2}})
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), 2)
    r, alpha = gamma_of(rate, 1.2)
    s, beta = gamma_of(1 / 150, 0.7)
    t = (np.arange(2000) + 0.5) / 2000 * tenure  # joined evenly over the days before day 0
    mean = (r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1))).mean()
    assert state.orders.mean() == pytest.approx(mean, abs=3.5 * state.orders.std() / np.sqrt(n))
    alive = ((beta / (beta + t)) ** s).mean()
    assert state.alive.mean() == pytest.approx(alive, abs=3.5 * np.sqrt(alive * (1 - alive) / n))
    never = np.isnan(state.last_order)
    assert np.array_equal(never, state.orders == 0)
    assert np.array_equal(never, np.isnan(state.first_order))
    some = ~never
    assert (state.first_order[some] <= state.last_order[some]).all()
    assert (state.last_order[some] <= 0).all()
    assert (state.first_order[some] >= -traits.joined[some] - 1e-3).all()
    assert np.array_equal(state.first_order[state.orders == 1], state.last_order[state.orders == 1])
    assert ((state.discounted >= 0) & (state.discounted <= state.orders)).all()


def test_more_orders_than_fit_are_as_many_as_fit(tables):
    world = plain_world(tables, tenure_days=5000.0, segment={"purchase": {"rate": 100.0, "spread": 0.1}})
    _, state = draw_customers(world, rng.customer_keys(np.arange(50)), 0)
    assert (state.orders > 0).all()
    assert state.orders.max() <= MOST_ORDERS


@given(st.floats(0, 1, exclude_max=True), st.floats(1e-9, 3000))
@settings(max_examples=400, deadline=None)
def test_poisson_quantile_is_the_smallest_count_above_u(u, mean):
    x = poisson_quantile(np.array([u]), np.array([mean]))[0]
    assert stats.poisson.cdf(x, mean) > u - 1e-12
    assert x == 0 or stats.poisson.cdf(x - 1, mean) <= u + 1e-12


def test_poisson_quantiles_agree_with_scipy():
    chance = np.random.default_rng(1)
    u, mean = chance.random(20_000), 10 ** chance.uniform(-3, 3.3, 20_000)
    assert np.array_equal(poisson_quantile(u, mean), stats.poisson.ppf(u, mean))


# ---- money and shares that a world states


@pytest.mark.parametrize("model", ["lognormal", "gamma_gamma"])
def test_baskets_have_the_stated_mean_and_spread(tables, days_of, model):
    basket = {"model": model, "mean": 60.0, "spread": 0.6, "within": 0.5, "margin": 0.4}
    segment = {"purchase": {"rate": 0.5, "spread": 0.5}, "basket": basket}
    world = plain_world(tables, horizon=20, tenure_days=100.0, segment=segment)
    n = 20_000
    spent, bought = np.zeros(n), np.zeros(n)
    for *_, out, _ in days_of(world, n, 4, lambda day, state: np.zeros(n, np.int64)):
        spent += out.revenue
        bought += out.bought
    buyers = bought > 0
    mean = spent[buyers] / bought[buyers]
    assert mean.mean() == pytest.approx(60.0, abs=3 * mean.std() / np.sqrt(buyers.sum()))
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), 4)
    own = traits.basket.astype(float)  # each customer's own mean
    assert own.mean() == pytest.approx(60.0, abs=3 * own.std() / np.sqrt(n))
    assert own.std() / own.mean() == pytest.approx(0.6, rel=0.1)
    before = state.orders > 0
    assert state.spend[before] / state.orders[before] == pytest.approx(own[before], rel=1e-4)


def within_error(hit, share, n=None):
    n = n or hit.size
    assert hit.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n) + 1e-9)


@pytest.fixture(scope="module")
def crowd():
    return draw_customers(ECOMMERCE, rng.customer_keys(np.arange(60_000)), 9)


def test_segments_consents_and_attributes_have_their_shares(crowd):
    traits, state = crowd
    for g, segment in enumerate(ECOMMERCE.segments.values()):
        mine = traits.segment == g
        within_error(mine, segment.share)
        for c, channel in enumerate(CHANNELS):
            within_error(state.consent[c, mine], segment.consent[channel])
        for a, (name, levels) in enumerate(ECOMMERCE.attributes.items()):
            for code, level in enumerate(levels):
                within_error(traits.attributes[a, mine] == code, segment.profile[name].get(level, 0.0))


def test_traits_have_their_stated_means(crowd):
    traits, _ = crowd
    for g, segment in enumerate(ECOMMERCE.segments.values()):
        mine = traits.segment == g
        for values, stated in (
            (traits.rate, segment.purchase),
            (traits.sensitivity, segment.price_sensitivity),
        ):
            mean = stated.rate if hasattr(stated, "rate") else stated.mean
            x = values[mine].astype(float)
            assert x.mean() == pytest.approx(mean, abs=4 * x.std() / np.sqrt(mine.sum()))
            assert x.std() / x.mean() == pytest.approx(stated.spread, rel=0.1)
        drop = traits.drop_rate[mine].astype(float)
        assert drop.mean() == pytest.approx(1 / segment.lifetime.days, abs=4 * drop.std() / np.sqrt(mine.sum()))
    assert traits.joined.mean() == pytest.approx(ECOMMERCE.tenure_days / 2, rel=0.02)


def test_tags_are_wrong_and_missing_as_often_as_declared(crowd):
    traits, state = crowd
    low, high = ECOMMERCE.tags.price
    price = (traits.sensitivity >= low).astype(int) + (traits.sensitivity >= high)
    for tag, truth, levels in ((state.segment_tag, traits.segment, len(SEGMENTS)), (state.price_tag, price, 3)):
        seen = tag >= 0
        within_error(~seen, ECOMMERCE.tags.missing)
        within_error((tag != truth)[seen], ECOMMERCE.tags.wrong)
        assert tag.max() < levels
        wrong = seen & (tag != truth)
        for code in range(levels):  # a wrong tag is any other level alike
            mine = wrong & (truth == code)
            others = np.bincount(tag[mine], minlength=levels)[np.arange(levels) != code]
            assert stats.chisquare(others).pvalue > 1e-4


def test_the_holdout_has_its_share_and_is_the_same_for_every_seed(crowd):
    traits, _ = crowd
    within_error(traits.held_out, ECOMMERCE.guard.holdout)
    other, _ = draw_customers(ECOMMERCE, traits.key, 1234)
    assert np.array_equal(other.held_out, traits.held_out)
    assert not np.array_equal(other.rate, traits.rate)


def test_tags_are_drawn_anew_when_their_period_is_over(tables, days_of):
    tables["tags"] = {"wrong": 0.3, "missing": 0.2, "refresh_days": 4}
    world = check(World, {**tables, "horizon": 9}, "test")
    tags = [before.segment_tag for _, before, *_ in days_of(world, 3000, 1, lambda d, s: np.zeros(3000, np.int64))]
    same = [bool((a == b).all()) for a, b in zip(tags[1:], tags[:-1], strict=True)]
    assert same == [True, True, True, False, True, True, True, False]
    seen = np.array([tags[0], tags[4], tags[8]])
    within_error(seen == -1, 0.2)
    assert ((seen[0] != seen[1]) & (seen[1] != seen[2])).any()


def test_traits_are_independent_of_each_other(crowd):
    traits, _ = crowd
    mine = traits.segment == 2
    latent = np.array([traits.rate, traits.drop_rate, traits.sensitivity, traits.basket, traits.joined])
    latent = np.vstack([latent, traits.affinity])[:, mine].argsort(axis=1).argsort(axis=1)  # ranks
    r = np.corrcoef(latent)[np.triu_indices(len(latent), 1)]
    assert np.abs(r).max() * np.sqrt(mine.sum()) < 4.5
