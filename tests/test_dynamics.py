"""The parts of a customer-day: laws of response, purchase, memory and money, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.dynamics import memory, money, purchase, response
from campaignrl.dynamics.customers import NO_OFFER
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import rested
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
    """The stocks of n customers whom the past left unmoved, but for what is given."""
    return rested(n) | stocks


# ---- response


@given(channels, logits, logits, stocks, stocks, st.booleans())
@settings(max_examples=200, deadline=None)
def test_more_fatigue_never_raises_opens_nor_lowers_unsubscribes(channel, affinity, taste, fatigue, more, alive):
    c = np.array([channel, channel])
    stock = np.float32([fatigue, fatigue + more])
    both = (np.float32([affinity] * 2), np.float32([taste] * 2), mood(2, fatigue=stock), np.array([alive] * 2))
    opens = response.open_probability(c, *both, P)
    leaves = response.unsubscribe_probability(c, mood(2, fatigue=stock), P)
    assert opens[1] <= opens[0]
    assert leaves[1] >= leaves[0]
    assert ((opens >= 0) & (opens <= 1) & (leaves >= 0) & (leaves <= 1)).all()


@given(channels, logits, logits, logits, st.floats(0, 3, width=32))
@settings(max_examples=100, deadline=None)
def test_liking_more_never_lowers_opens_or_clicks(channel, affinity, taste, fatigue, more):
    c, two = np.array([channel, channel]), np.float32([taste, taste + more])
    flat = np.float32([affinity] * 2)
    tired = mood(2, fatigue=np.abs(np.float32([fatigue] * 2)))
    opens = response.open_probability(c, flat, two, tired, np.ones(2, bool), P)
    clicks = response.click_probability(c, two, P)
    assert opens[1] >= opens[0]
    assert clicks[1] >= clicks[0]


def test_funnel_rates_are_the_stated_ones_for_a_neutral_customer():
    c, zero = np.arange(len(CHANNELS)), np.zeros(len(CHANNELS), np.float32)
    usual = mood(len(c), fatigue=np.full(len(c), ECOMMERCE.fatigue.usual, np.float32))  # at which rates are stated
    opens = response.open_probability(c, zero, zero, usual, np.ones(len(c), bool), P)
    assert opens == pytest.approx([ch.reach.open for ch in ECOMMERCE.channels.values()], rel=1e-5)
    stated = [ch.reach.click for ch in ECOMMERCE.channels.values()]
    assert response.click_probability(c, zero, P) == pytest.approx(stated, rel=1e-5)
    stated = [ch.unsubscribe.base for ch in ECOMMERCE.channels.values()]
    assert response.unsubscribe_probability(c, usual, P) == pytest.approx(stated, rel=1e-4)


def test_customers_who_dropped_out_open_less():
    c, zero = np.array([0, 0]), np.zeros(2, np.float32)
    alive, gone = response.open_probability(c, zero, zero, mood(2), np.array([True, False]), P)
    odds = gone / (1 - gone) / (alive / (1 - alive))
    assert odds == pytest.approx(np.exp(-ECOMMERCE.response.dropped_open), rel=1e-4)


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_send_that_is_tried_again_arrives_unless_every_attempt_fails(attempts):
    c = np.arange(len(CHANNELS))
    once = np.array([channel.reach.deliver for channel in ECOMMERCE.channels.values()])
    found = response.delivery_probability(c, np.full(len(c), attempts), P)
    assert found == pytest.approx(1 - (1 - once) ** attempts, rel=1e-5)
    assert np.array_equal(response.delivery_probability(c, None, P), response.delivery_probability(c, c * 0 + 1, P))


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
    hazard = purchase.purchase_hazard(
        rate, sensitivity, zero, offer, off, off, mood(2), 0, P._replace(appeal=0 * P.appeal, brings=0 * P.brings)
    )
    assert hazard[0] / hazard[1] == pytest.approx(1.716, abs=1e-3)
    assert hazard[1] == pytest.approx(0.02 * P.season[0])


@given(st.floats(1e-5, 0.5), stocks, stocks)
@settings(max_examples=100, deadline=None)
def test_more_fatigue_never_keeps_a_customer_longer_and_a_perk_never_shorter(rate, fatigue, more):
    stock = np.float32([fatigue, fatigue + more])
    tired = mood(2, fatigue=stock)
    drop = purchase.drop_out_hazard(np.float32([rate] * 2), tired, np.array([NO_OFFER] * 2), P)
    perk = purchase.drop_out_hazard(np.float32([rate] * 2), tired, np.array([OFFERS.index("vip_perk")] * 2), P)
    assert drop[1] >= drop[0] * (1 - 1e-6)  # the last bit of single precision may go either way
    assert (perk <= drop).all()


@pytest.mark.parametrize("retention", [0.0, 0.3, 0.7, 2.0])
def test_a_retaining_offer_takes_exactly_its_log_off_the_drop_out_hazard(retention):
    p = P._replace(retention=np.float32([retention, 0.0, 0.0]))
    tired = mood(3, fatigue=np.full(3, 2.5, np.float32))
    drop = purchase.drop_out_hazard(np.float32([0.01] * 3), tired, np.array([0, 1, NO_OFFER]), p)
    assert drop[1] == drop[2]
    assert drop[0] / drop[2] == pytest.approx(np.exp(-retention), rel=1e-6)


@given(st.floats(0, 200, width=32))
def test_a_hazard_becomes_a_probability(hazard):
    assert purchase.within_a_day(one(hazard))[0] == pytest.approx(1 - np.exp(-hazard), abs=1e-6)


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
