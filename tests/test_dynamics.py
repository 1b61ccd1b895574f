"""The parts of a customer-day: laws of response, purchase, memory and money, worked out by hand."""

import numpy as np
import pytest
from campaignrl.dynamics.satisfaction import contentment, next_satisfaction
from campaignrl.specs.effects import AdStock, Event, ReferencePrice, Satisfaction, Season, Wave
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.dynamics import memory, money, purchase, response
from campaignrl.dynamics.customers import NO_OFFER
from campaignrl.dynamics.parameters import parameters, season_factors
from campaignrl.specs.world import load_world

ECOMMERCE = load_world("ecommerce")
P = parameters(ECOMMERCE)
OFFERS, CHANNELS = list(ECOMMERCE.offers), list(ECOMMERCE.channels)

logits = st.floats(-3, 3, width=32)
stocks = st.floats(0, 40, width=32)
channels = st.integers(0, len(CHANNELS) - 1)
NOBODY = np.empty(0, np.intp)


def one(value, dtype=np.float32):
    return np.array([value], dtype=dtype)


def mood(n, **stocks):
    """n customers whom the past left unmoved, but for what is given."""
    unmoved = dict.fromkeys(purchase.Mood._fields, np.zeros(n, np.float32))
    return purchase.Mood(**{**unmoved, "expected_price": np.ones(n, np.float32), **stocks})


# ---- response


@given(channels, logits, logits, stocks, stocks, st.booleans())
@settings(max_examples=200, deadline=None)
def test_more_fatigue_never_raises_opens_nor_lowers_unsubscribes(channel, affinity, taste, fatigue, more, alive):
    c = np.array([channel, channel])
    stock = np.float32([fatigue, fatigue + more])
    both = (np.float32([affinity] * 2), np.float32([taste] * 2), stock, np.array([alive] * 2))
    opens = response.open_probability(c, *both, P)
    leaves = response.unsubscribe_probability(c, stock, np.zeros(2, np.float32), P)
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
    assert response.unsubscribe_probability(c, zero, zero, P) == pytest.approx(stated, rel=1e-4)


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
    shallow, deep = purchase.purchase_hazard(*both, np.array([0, 1]), *flags, mood(2), 0, p)
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
    rate, sensitivity = np.float32([0.02] * 2), np.float32([0.27] * 2)
    hazard = purchase.purchase_hazard(rate, sensitivity, zero, offer, off, off, mood(2), 0, P)
    assert hazard[0] / hazard[1] == pytest.approx(1.716, abs=1e-3)
    assert hazard[1] == pytest.approx(0.02 * P.season[0])


@given(st.floats(1e-5, 0.5), stocks, stocks)
@settings(max_examples=100, deadline=None)
def test_more_fatigue_never_keeps_a_customer_longer_and_a_perk_never_shorter(rate, fatigue, more):
    stock = np.float32([fatigue, fatigue + more])
    tired = mood(2, fatigue=stock)
    drop = purchase.drop_out_hazard(np.float32([rate] * 2), tired, np.array([NO_OFFER] * 2), P)
    perk = purchase.drop_out_hazard(np.float32([rate] * 2), tired, np.array([OFFERS.index("vip_perk")] * 2), P)
    assert drop[1] >= drop[0]
    assert (perk <= drop).all()


@given(st.floats(0, 200, width=32))
def test_a_hazard_becomes_a_probability(hazard):
    assert purchase.within_a_day(one(hazard))[0] == pytest.approx(1 - np.exp(-hazard), abs=1e-6)


effects = st.fixed_dictionaries(
    {
        "adstock": st.none() | st.builds(AdStock, effect=st.floats(-1, 1), shape=st.floats(0.5, 3)),
        "satisfaction": st.none()
        | st.builds(
            Satisfaction,
            level=st.floats(0.01, 0.99),
            purchase=st.floats(0, 3),
            drop_out=st.floats(0, 3),
        ),
        "reference_price": st.none() | st.builds(ReferencePrice, loss_aversion=st.floats(1, 4)),
        "click_lift": st.floats(0, 5),
        "fatigue_drop_out": st.floats(0, 0.5),
    }
)


@given(effects, st.integers(0, 89), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_no_hazard_is_above_its_ceiling(effects, day, seed):
    # So a draw above the ceiling needs no hazard: nobody who would have bought or left is passed over.
    n, chance, p = 200, np.random.default_rng(seed), P._replace(**effects)
    draw = lambda low, high: chance.uniform(low, high, n).astype(np.float32)  # noqa: E731
    rate, zero, none, no = draw(1e-5, 1), np.zeros(n, np.float32), np.full(n, NO_OFFER), np.zeros(n, bool)
    stocks = purchase.Mood(draw(0, 20), draw(0, 20), draw(-9, 9), draw(0.2, 1), draw(0, 9), draw(0, purchase.FAINT))
    most = purchase.ceilings(float(stocks.fatigue.max()), day, p)
    hazard = purchase.purchase_hazard(rate, draw(0, 5), zero, none, no, no, stocks, day, p)
    assert (hazard <= rate * most.quiet).all()
    tomorrow = stocks._replace(fatigue=memory.next_fatigue(stocks.fatigue, p.fatigue_weight.max(), p.fatigue_decay))
    offers = chance.integers(-1, len(OFFERS), n)
    assert (purchase.drop_out_hazard(rate, tomorrow, offers, p) <= rate * most.drop_out).all()


# ---- memory


def test_an_offer_is_usable_on_the_day_it_is_seen_and_its_valid_days_after():
    seen, days = np.int8([-1, -1]), np.int8([0, 0])
    memory.take_up(seen, days, np.array([0, 1]), np.array([0, 1]), np.int8([2, 0, 0]))
    usable = []
    for _ in range(5):
        usable.append(seen.tolist())
        memory.use_up(seen, days, NOBODY)
    assert usable == [[0, 1], [0, -1], [0, -1], [-1, -1], [-1, -1]]
    assert days.tolist() == [0, 0]


def test_an_offer_is_used_up_by_redeeming_and_replaced_by_a_newer_one():
    offer, days = np.int8([3, 3]), np.int8([5, 5])
    memory.use_up(offer, days, np.array([0]))
    assert (offer.tolist(), days.tolist()) == ([NO_OFFER, 3], [0, 4])
    memory.take_up(offer, days, np.array([1]), np.array([2]), np.int8([1, 2, 3, 0]))
    assert (offer.tolist(), days.tolist()) == ([NO_OFFER, 2], [0, 3])


@given(st.lists(st.booleans(), min_size=1, max_size=90), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_a_window_counts_the_days_that_end_today(history, window):
    bits = np.zeros(1, np.uint64)
    for today in history:
        memory.next_history(bits)
        bits += np.uint64(today)
    # Before today's decision: yesterday back to window - 1 days ago; what happened `window` days ago is gone.
    assert memory.days_with(bits, window)[0] == sum(history[::-1][: window - 1])


def test_fatigue_halves_in_its_half_life():
    stock = one(8.0)
    for _ in range(int(ECOMMERCE.fatigue.half_life_days)):
        stock = memory.next_fatigue(stock, one(0.0), P.fatigue_decay)
    assert stock[0] == pytest.approx(4.0, rel=1e-5)
    assert memory.next_fatigue(one(4.0), one(2.0), 0.5)[0] == 4.0


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0.1, 10), st.floats(0.3, 4))
@settings(max_examples=100, deadline=None)
def test_ad_stock_saturates(stock, more, half, steep):
    effect = AdStock(half_saturation=half, shape=steep)
    low, high = purchase.hill(np.float32([stock, stock + more]), effect)
    assert 0 <= low <= high < 1 + 1e-6
    assert purchase.hill(one(half), effect)[0] == pytest.approx(0.5, rel=1e-5)
    assert purchase.hill(one(0), effect)[0] == 0


@given(st.floats(0, 0.9), st.floats(0, 0.3), st.floats(0.3, 1))
@settings(max_examples=100, deadline=None)
def test_a_price_above_the_expected_one_weighs_double_and_a_deeper_cut_never_less(cut, deeper, expected):
    reference = ReferencePrice(loss_aversion=2.0)
    felt = purchase.price_gain(np.float32([cut, cut + deeper]), np.float32([expected] * 2), reference)
    gain = cut - (1 - expected)
    assert felt[0] == pytest.approx(gain if gain > 0 else 2 * gain, abs=1e-6)
    assert felt[1] >= felt[0]
    assert purchase.price_gain(one(cut), one(expected), None)[0] == np.float32(cut)


def test_a_repeated_coupon_becomes_the_expected_price():
    expected = one(1.0)
    for _ in range(60):
        expected = memory.next_expected_price(expected, one(0.8), 0.8)
    assert expected[0] == pytest.approx(0.8, abs=1e-4)


def test_no_price_is_expected_above_the_full_one():
    # The ceiling of a quiet customer's hazard rests on it, in single precision too.
    for kept in np.linspace(0, 1, 4097):
        assert memory.next_expected_price(one(1.0), one(1.0), float(kept))[0] <= 1


def test_the_delayed_effect_of_a_click_adds_up_to_the_rest():
    intent, total = memory.next_intent(one(0.0), np.array([True]), 0.35, np.exp(-1 / 7)), 0.0
    for _ in range(200):
        total += float(intent[0])
        intent = memory.next_intent(intent, np.array([False]), 0.35, np.exp(-1 / 7))
    assert total == pytest.approx(0.65, rel=1e-4)


def test_satisfaction_drifts_back_to_its_level():
    effect = Satisfaction(half_life_days=10.0, ignored=0.2, perk=0.15)
    yes, no = np.array([True]), np.array([False])
    ignored = next_satisfaction(one(0.0), yes, yes, no, no, one(0.15), effect, 0.5**0.1)
    assert ignored[0] == pytest.approx(-0.2)
    perk = next_satisfaction(one(0.0), yes, yes, yes, no, one(0.15), effect, 0.5**0.1)
    assert perk[0] == pytest.approx(0.15)
    left = ignored
    for _ in range(10):
        left = next_satisfaction(left, no, no, no, no, one(0.0), effect, 0.5**0.1)
    assert left[0] == pytest.approx(-0.1, rel=1e-4)
    p = P._replace(satisfaction=effect)
    assert contentment(one(0.0), p)[0] == pytest.approx(0.0, abs=1e-6)
    assert contentment(ignored, p)[0] < 0 < contentment(perk, p)[0]


def test_the_calendar_by_hand():
    season = Season(
        weekday=[1, 1, 1, 1, 1, 1.5, 2], first_weekday=4, events=[Event(name="sale", day=3, days=2, factor=3)]
    )
    assert season_factors(season, 7).tolist() == [1, 1.5, 2, 3, 3, 1, 1]
    assert season_factors(None, 3).tolist() == [1, 1, 1]
    wave = Season(first_day_of_year=10, waves=[Wave(amplitude=0.2, peak=10)])
    year = season_factors(wave, 366)
    assert year[0] == pytest.approx(1.2)
    assert year[183] == pytest.approx(0.8, abs=1e-4)
    assert year.mean() == pytest.approx(1.0, abs=1e-3)


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
