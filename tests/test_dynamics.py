"""One customer-day: laws of behaviour, books that balance, and the closed forms of the purchase process."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaignrl import rng
from campaignrl.dynamics import memory, money, purchase, response
from campaignrl.dynamics.advance import advance
from campaignrl.dynamics.customers import MOST_ORDERS, NO_OFFER, draw_customers, poisson_quantile
from campaignrl.dynamics.observe import observe
from campaignrl.dynamics.parameters import parameters
from campaignrl.specs.schema import STAGES
from campaignrl.specs.toml import check
from campaignrl.specs.world import World, load_world

ECOMMERCE = load_world("ecommerce")
P = parameters(ECOMMERCE)
OFFERS, CHANNELS, SEGMENTS = list(ECOMMERCE.offers), list(ECOMMERCE.channels), list(ECOMMERCE.segments)

logits = st.floats(-3, 3, width=32)
stocks = st.floats(0, 40, width=32)
channels = st.integers(0, len(CHANNELS) - 1)


def one(value, dtype=np.float32):
    return np.array([value], dtype=dtype)


# ---- response


@given(channels, logits, logits, stocks, stocks, st.booleans())
@settings(max_examples=200, deadline=None)
def test_more_fatigue_never_raises_opens_nor_lowers_unsubscribes(channel, affinity, taste, fatigue, more, alive):
    c = np.array([channel, channel])
    stock = np.float32([fatigue, fatigue + more])
    both = (np.float32([affinity] * 2), np.float32([taste] * 2), stock, np.array([alive] * 2))
    opens = response.open_probability(c, *both, P)
    leaves = response.unsubscribe_probability(c, stock, P)
    assert opens[1] <= opens[0]
    assert leaves[1] >= leaves[0]
    assert ((opens >= 0) & (opens <= 1) & (leaves >= 0) & (leaves <= 1)).all()


@given(channels, logits, logits, logits, st.floats(0, 3, width=32))
@settings(max_examples=100, deadline=None)
def test_liking_more_never_lowers_opens_or_clicks(channel, affinity, taste, fatigue, more):
    c, two = np.array([channel, channel]), np.float32([taste, taste + more])
    flat = np.float32([affinity] * 2)
    opens = response.open_probability(c, flat, two, np.abs(np.float32([fatigue] * 2)), np.ones(2, bool), P)
    clicks = response.click_probability(c, two, P)
    assert opens[1] >= opens[0]
    assert clicks[1] >= clicks[0]


def test_funnel_rates_are_the_stated_ones_for_a_neutral_customer():
    c, zero = np.arange(len(CHANNELS)), np.zeros(len(CHANNELS), np.float32)
    opens = response.open_probability(c, zero, zero, zero, np.ones(len(c), bool), P)
    assert opens == pytest.approx([ch.reach.open for ch in ECOMMERCE.channels.values()], rel=1e-5)
    stated = [ch.reach.click for ch in ECOMMERCE.channels.values()]
    assert response.click_probability(c, zero, P) == pytest.approx(stated, rel=1e-5)
    stated = [ch.unsubscribe.base for ch in ECOMMERCE.channels.values()]
    assert response.unsubscribe_probability(c, zero, P) == pytest.approx(stated, rel=1e-4)


def test_customers_who_dropped_out_open_less():
    c, zero = np.array([0, 0]), np.zeros(2, np.float32)
    alive, gone = response.open_probability(c, zero, zero, zero, np.array([True, False]), P)
    odds = gone / (1 - gone) / (alive / (1 - alive))
    assert odds == pytest.approx(np.exp(-ECOMMERCE.response.dropped_open), rel=1e-4)


# ---- purchase


@given(
    st.floats(1e-4, 1), st.floats(0, 2, width=32), logits, st.booleans(), st.booleans(),
    st.floats(0, 0.5), st.floats(0, 0.4),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_a_deeper_coupon_never_lowers_the_hazard_of_buying(rate, sensitivity, taste, opened, clicked, depth, deeper):
    p = P._replace(price_cut=np.float32([depth, depth + deeper, 0]), appeal=np.zeros(3, np.float32))
    both = [np.full(2, x, np.float32) for x in (rate, sensitivity, taste)]
    flags = [np.full(2, x) for x in (opened, clicked)]
    shallow, deep = purchase.purchase_hazard(*both, np.array([0, 1]), *flags, p)
    assert deep >= shallow
    assert purchase.within_a_day(deep) >= purchase.within_a_day(shallow)


def test_a_deeper_coupon_of_the_bundled_world_is_redeemed_no_less():
    coupons = [OFFERS.index(f"coupon{x}") for x in (10, 20, 30)]
    chances = purchase.redeem_probability(np.array(coupons), P)
    assert chances.tolist() == sorted(chances.tolist())
    assert purchase.redeem_probability(np.array([NO_OFFER]), P)[0] == 0.0


def test_the_price_effect_is_the_stated_one():
    # 0.27 log-hazard per 10 % off: a coupon of 20 % raises the hazard by e^0.54 - 1 = 72 %.
    offer = np.array([OFFERS.index("coupon20"), NO_OFFER])
    off = np.zeros(2, bool)
    zero = np.zeros(2, np.float32)
    hazard = purchase.purchase_hazard(np.float32([0.02] * 2), np.float32([0.27] * 2), zero, offer, off, off, P)
    assert hazard[0] / hazard[1] == pytest.approx(1.716, abs=1e-3)
    assert hazard[1] == np.float32(0.02)


@given(st.floats(1e-5, 0.5), stocks, stocks)
@settings(max_examples=100, deadline=None)
def test_more_fatigue_never_keeps_a_customer_longer_and_a_perk_never_shorter(rate, fatigue, more):
    stock = np.float32([fatigue, fatigue + more])
    drop = purchase.drop_out_hazard(np.float32([rate] * 2), stock, np.array([NO_OFFER] * 2), P)
    perk = purchase.drop_out_hazard(np.float32([rate] * 2), stock, np.array([OFFERS.index("vip_perk")] * 2), P)
    assert drop[1] >= drop[0]
    assert (perk <= drop).all()


@given(st.floats(0, 200, width=32))
def test_a_hazard_becomes_a_probability(hazard):
    assert purchase.within_a_day(one(hazard))[0] == pytest.approx(1 - np.exp(-hazard), abs=1e-6)


# ---- memory


def test_an_offer_is_usable_on_the_day_it_is_seen_and_its_valid_days_after():
    valid = np.int8([2, 0, 0])
    seen, held = memory.usable_offer(np.int8([-1, -1]), np.int8([0, 0]), np.int8([0, 1]), np.array([True, True]), valid)
    usable = []
    never = np.zeros(2, bool)
    for _ in range(5):
        usable.append(seen.tolist())
        seen, held = memory.next_offer(seen, held, never)
    assert usable == [[0, 1], [0, -1], [0, -1], [-1, -1], [-1, -1]]


def test_an_offer_is_used_up_by_redeeming_and_replaced_by_a_newer_one():
    offer, days = memory.next_offer(np.int8([3]), np.int8([5]), np.array([True]))
    assert (offer[0], days[0]) == (NO_OFFER, 0)
    valid = np.int8([1, 2, 3, 0])
    offer, days = memory.usable_offer(np.int8([0]), np.int8([1]), np.int8([2]), np.array([True]), valid)
    assert (offer[0], days[0]) == (2, 3)
    offer, days = memory.usable_offer(np.int8([0]), np.int8([1]), np.int8([2]), np.array([False]), valid)
    assert (offer[0], days[0]) == (0, 1)


@given(st.lists(st.booleans(), min_size=1, max_size=90), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_a_window_counts_the_days_that_end_today(history, window):
    bits = np.zeros(1, np.uint64)
    for today in history:
        bits = memory.next_history(bits, np.array([today]))
    # Before today's decision: yesterday back to window - 1 days ago; what happened `window` days ago is gone.
    assert memory.days_with(bits, window)[0] == sum(history[::-1][: window - 1])


def test_fatigue_halves_in_its_half_life():
    stock = one(8.0)
    for _ in range(int(ECOMMERCE.fatigue.half_life_days)):
        stock = memory.next_fatigue(stock, one(0.0), P.fatigue_decay)
    assert stock[0] == pytest.approx(4.0, rel=1e-5)
    assert memory.next_fatigue(one(4.0), one(2.0), 0.5)[0] == 4.0


# ---- money


def test_money_by_hand():
    # 100 of revenue at 30 % margin, a 20 % coupon and a permission worth 6 lost.
    p = P._replace(margin=np.float32([0.3]), discount=np.float32([0.2, 0]), face_value=np.float32([0, 0]))
    p = p._replace(unsubscribe_cost=6.0)
    margin = money.gross_margin(one(100.0), np.array([0]), p)
    given_away = money.discount_given(one(100.0), np.array([0]), np.array([True]), p)
    assert (margin[0], given_away[0]) == (pytest.approx(30.0), pytest.approx(20.0))
    assert money.reward(margin, given_away, one(0.5), np.array([True]), p)[0] == pytest.approx(3.5)
    assert money.discount_given(one(100.0), np.array([0]), np.array([False]), p)[0] == 0.0


# ---- a day


def days_of(world, n, seed, actions):
    """(state before, action, outcome, state after) of each day; `actions(day, state)` may ignore every rule."""
    p = parameters(world)
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), seed)
    for day in range(world.horizon):
        action = actions(day, state)
        after, outcome = advance(traits, state, action, day, seed, p)
        yield traits, state, action, outcome, after
        state = after


@pytest.fixture(scope="module")
def busy_days(small_world):
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
        added = np.where(out.sent, p.fatigue_weight[p.channel_of[action]], 0)
        assert after.fatigue == pytest.approx(before.fatigue * decay + added, abs=1e-4)
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
    advance(traits, state, np.full(200, 3), 0, 1, parameters(small_world))
    assert all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(kept, (*traits, *state), strict=True)
    )


# ---- the purchase process against its closed forms


def plain_world(tables, n_channels=0, **changes):
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


def orders_with_nothing_sent(world, n, seed):
    bought = np.zeros(n)
    for *_, out, _ in days_of(world, n, seed, lambda day, state: np.zeros(n, np.int64)):
        bought += out.bought
    return bought


def test_new_customers_buy_as_pareto_nbd_says(tables):
    world = plain_world(tables, horizon=200, tenure_days=1e-6)
    n, t = 60_000, 200
    r, alpha = gamma_of(0.004, 1.2)
    s, beta = gamma_of(1 / 150, 0.7)
    bought = orders_with_nothing_sent(world, n, seed=11)
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


def test_a_daily_tick_leaves_the_variance_of_orders_alone(tables):
    world = plain_world(tables, horizon=60, tenure_days=1e-6, segment={"lifetime": {"days": 1e9, "spread": 0.5}})
    bought = orders_with_nothing_sent(world, 40_000, seed=5)
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


def test_baskets_have_the_stated_mean_and_spread(tables):
    world = plain_world(tables, horizon=20, tenure_days=100.0, segment={"purchase": {"rate": 0.5, "spread": 0.5}})
    n = 20_000
    spent, bought = np.zeros(n), np.zeros(n)
    for *_, out, _ in days_of(world, n, 4, lambda day, state: np.zeros(n, np.int64)):
        spent += out.revenue
        bought += out.bought
    buyers = bought > 0
    mean = spent[buyers] / bought[buyers]
    assert mean.mean() == pytest.approx(60.0, abs=3 * mean.std() / np.sqrt(buyers.sum()))
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), 4)
    own = np.exp(traits.log_basket.astype(float)) * np.sqrt(1 + 0.5**2)  # each customer's own mean
    assert own.mean() == pytest.approx(60.0, abs=3 * own.std() / np.sqrt(n))
    assert own.std() / own.mean() == pytest.approx(0.6, rel=0.05)
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
    traits, _ = crowd
    low, high = ECOMMERCE.tags.price
    price = (traits.sensitivity >= low).astype(int) + (traits.sensitivity >= high)
    for tag, truth, levels in ((traits.segment_tag, traits.segment, len(SEGMENTS)), (traits.price_tag, price, 3)):
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


def test_traits_are_independent_of_each_other(crowd):
    traits, _ = crowd
    mine = traits.segment == 2
    latent = np.array([traits.rate, traits.drop_rate, traits.sensitivity, traits.log_basket, traits.joined])
    latent = np.vstack([latent, traits.affinity])[:, mine].argsort(axis=1).argsort(axis=1)  # ranks
    r = np.corrcoef(latent)[np.triu_indices(len(latent), 1)]
    assert np.abs(r).max() * np.sqrt(mine.sum()) < 4.5


# ---- what may be seen


def test_observation_by_hand(small_world):
    traits, state = draw_customers(small_world, rng.customer_keys(np.arange(3)), 0)
    traits = traits._replace(joined=np.float32([100, 5, 50]), segment_tag=np.int8([1, -1, 0]))
    state = state._replace(
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
