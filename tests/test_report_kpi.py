"""Key figures worked out by hand on four customers, and what must hold of any campaign."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from campaignrl.campaign import Campaign, run_campaign
from campaignrl.dynamics.advance import Outcome
from campaignrl.errors import UsageError
from campaignrl.report.facts.kpi import MEASURES, anyway_share, find, gain_by_day, kpi_frame, kpis, top_segment
from campaignrl.report.facts.ratio_intervals import per_customer, ratio, share
from campaignrl.true_value import campaign_lift, campaign_value

FIELDS = Outcome._fields


def made(world, policy, **totals):
    """A campaign of four customers, three of them loyal; what is not given is zero."""
    every = {name: np.array(totals.get(name, [0, 0, 0, 0]), dtype=float) for name in FIELDS}
    return Campaign(
        world=world,
        policy=policy,
        seed=1,
        segment=np.array([0, 0, 0, 1], dtype=np.int8),
        totals=every,
        daily={name: np.zeros(world.horizon) for name in FIELDS},
        active={"start": np.array([True, True, False, True]), "end": np.array([True, False, True, True])},
        orders_before=np.array([3, 0, 0, 0]),
        action_counts=np.zeros((2, len(world.catalog))),
        reward_by_group=np.tile(every["reward"] / world.horizon, (world.horizon, 1)),
    )


@pytest.fixture
def none(small_world):
    return made(small_world, "none", bought=[1, 2, 0, 0], margin=[20, 10, 0, 0], reward=[20, 10, 0, 0])


@pytest.fixture
def busy(small_world):
    return made(
        small_world,
        "busy",
        sent=[4, 6, 10, 0],
        delivered=[4, 5, 7, 0],
        clicked=[1, 0, 3, 0],
        unsubscribed=[0, 1, 0, 0],
        bought=[2, 1, 1, 0],
        redeemed=[2, 1, 1, 0],
        margin=[40, 10, 12, 0],
        discount=[6, 4, 5, 0],
        cost=[0.4, 0.6, 1.0, 0],
        reward=[33.6, 2.9, 6.0, 0],
    )


BY_HAND = {
    "contribution": 42.5 / 4,
    "gain": 12.5 / 4,
    "roi": (62 - 30 - 17) / 17,
    "marketing": 17 / 4,
    # customer 1 has one extra order and redeemed two: half of 6; customer 2 one less: all of 4; customer 3 one: nothing
    "discount_anyway": (0.5 * 6 + 4) / 15,
    "conversion": 3 / 4,
    "repurchase": 1 / 3,  # of three buyers only the first had ordered before or ordered twice
    "retention_high_value": 1 / 2,  # the loyal earn most; one of the two who were there is there still
    "cac": (4.6 + 6.0) / 2,  # what was spent on the three who had never ordered, of whom two bought
    "sends": 20 / 4,
    "ctr": 4 / 16,
    "cost_per_reach": 2.0 / 16,
    "orders_per_100_sends": 100 * 4 / 20,
    "extra_orders_per_100_sends": 100 * 1 / 20,
    "unsubscribes": 1000 * 1 / 20,
}


def test_every_figure_by_hand(busy, none):
    found = {k.id: k.value.value for k in kpis(busy, none)}
    assert found == pytest.approx(BY_HAND)
    assert set(BY_HAND) == {m.id for m in MEASURES}


def test_every_figure_has_a_unit_a_meaning_and_an_interval_around_it(busy, none):
    for k in kpis(busy, none):
        assert k.name
        assert k.unit
        assert "{" not in k.unit
        assert k.meaning.endswith(".")
        assert k.value.ci_low <= k.value.value <= k.value.ci_high
    assert "EUR per customer" in {k.unit for k in kpis(busy, none)}


def test_what_is_extra_needs_the_campaign_that_sends_nothing(busy):
    unknown = {k.id for k in kpis(busy) if math.isnan(k.value.value)}
    assert unknown == {"gain", "roi", "discount_anyway", "extra_orders_per_100_sends"}


def test_nothing_sent_leaves_out_what_is_per_send(small_world):
    quiet = run_campaign(small_world, "none", customers=50, seed=1)
    found = {k.id: k.value for k in kpis(quiet, quiet)}
    per_send = {"ctr", "cost_per_reach", "orders_per_100_sends", "extra_orders_per_100_sends", "unsubscribes", "roi"}
    assert {name for name, value in found.items() if math.isnan(value.value)} == per_send | {"discount_anyway"}
    assert found["sends"] == (0, 0, 0, 0)
    assert found["gain"] == (0, 0, 0, 0)


def test_extra_orders_are_counted_customer_by_customer(busy, none):
    assert anyway_share(busy, none).tolist() == [0.5, 1.0, 0.0, 0.0]


def test_campaigns_of_other_customers_are_not_compared(small_world, busy):
    other = run_campaign(small_world, "none", customers=5, seed=1)
    with pytest.raises(UsageError, match=r"busy.*none|none.*busy"):
        kpis(busy, other)


def test_ratio_by_hand():
    value = ratio(np.array([1.0, 0.0, 3.0]), np.array([2.0, 2.0, 4.0]))
    influence = np.array([1 - 0.5 * 2, 0 - 0.5 * 2, 3 - 0.5 * 4]) / (8 / 3)
    assert value.value == 0.5
    assert value.std_error == pytest.approx(np.sqrt(np.sum(influence**2) / 2 / 3))
    assert value.ci_high - value.value == pytest.approx(1.959964 * value.std_error)


def test_a_ratio_of_nothing_is_unknown_and_one_customer_has_no_interval():
    assert all(math.isnan(part) for part in ratio(np.ones(3), np.zeros(3)))
    assert all(math.isnan(part) for part in ratio(np.ones(0), np.ones(0)))
    alone = share(np.array([1.0]), np.array([2.0]))
    assert alone.value == 0.5
    assert math.isnan(alone.ci_low)


def test_the_interval_of_a_plain_share_is_wilsons():
    hits = np.repeat([1.0, 0.0], [8, 32])
    value = share(hits, np.ones(40))
    z, p, chances = 1.959964, 0.2, 39.0  # 39: the spread is taken with n - 1
    centre = (p + z**2 / (2 * chances)) / (1 + z**2 / chances)
    half = z * np.sqrt(p * (1 - p) / chances + z**2 / (4 * chances**2)) / (1 + z**2 / chances)
    assert value.value == 0.2
    assert (value.ci_low, value.ci_high) == pytest.approx((centre - half, centre + half), rel=1e-6)


def test_no_hit_in_a_hundred_customers_does_not_prove_none():
    assert share(np.zeros(100), np.full(100, 5.0)).ci_high == pytest.approx(1.959964**2 / (100 + 1.959964**2))
    assert share(np.ones(100), np.ones(100)).ci_low == pytest.approx(100 / (100 + 1.959964**2))


@given(arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 5).map(float)), st.randoms(use_true_random=False))
def test_a_share_and_its_interval_stay_between_nothing_and_all(chances, random):
    hits = np.array([random.uniform(0, c) if random.random() < 0.5 else random.choice([0, c]) for c in chances])
    value = share(hits, chances)
    if chances.sum() == 0:
        assert math.isnan(value.value)
    else:
        assert -1e-12 <= value.ci_low <= value.value <= value.ci_high <= 1 + 1e-12


def test_intervals_of_a_conversion_rate_cover_it():
    chance = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        rate = chance.beta(2, 38, 300)  # customers differ; the mean is 0.05
        sends = chance.integers(0, 20, 300)
        value = share(chance.binomial(sends, rate).astype(float), sends.astype(float))
        covered += value.ci_low <= 0.05 <= value.ci_high
    assert covered >= 930


def test_contribution_is_that_of_the_campaign(small_world):
    campaign = run_campaign(small_world, "uniform", customers=200, seed=3)
    assert per_customer(campaign.value) == pytest.approx(campaign_value(campaign))


def test_the_top_segment_is_the_one_called_so_else_the_one_that_earns_most(small_world):
    assert list(small_world.segments)[top_segment(small_world)] == "loyal"
    loyal, bargain = small_world.segments.values()
    renamed = small_world.model_copy(update={"segments": {"a": loyal, "high_value": bargain}})
    assert top_segment(renamed) == 1


@pytest.mark.parametrize("customers", [7, 120, 431])
def test_the_last_day_of_the_curve_is_the_lift_of_the_campaign(small_world, customers):
    ours, none = (run_campaign(small_world, policy, customers=customers, seed=3) for policy in ("uniform", "none"))
    mean, half = gain_by_day(ours, none)
    lift = campaign_lift(ours, none)
    assert len(mean) == small_world.horizon
    assert mean[-1] == pytest.approx(lift.value)
    assert np.all(half > 0)
    if customers == 7:  # every customer is a group: exactly the customers' own spread
        assert half[-1] == pytest.approx(stats.t.isf(0.025, 6) * lift.std_error)
    else:
        assert half[-1] / (1.96 * lift.std_error) == pytest.approx(1.0, abs=0.35)


def test_customers_who_all_gain_the_same_leave_no_doubt(small_world):
    ours, none = (run_campaign(small_world, "none", customers=53, seed=3) for _ in range(2))  # groups of one and two
    size = np.bincount(np.arange(53) % 50)
    mean, half = gain_by_day(replace(ours, reward_by_group=none.reward_by_group + 0.5 * size), none)
    assert mean == pytest.approx(0.5 * np.arange(1, small_world.horizon + 1))
    assert half == pytest.approx(0.0, abs=1e-9)


def test_one_group_has_no_band(small_world):
    ours, none = (run_campaign(small_world, policy, customers=1, seed=3) for policy in ("uniform", "none"))
    assert np.isnan(gain_by_day(ours, none)[1]).all()


def test_the_frame_holds_every_figure_of_every_policy(busy, none):
    frame = kpi_frame([none, busy])
    assert len(frame) == 2 * len(MEASURES)
    row = frame[(frame["policy"] == "busy") & (frame["kpi"] == "gain")].iloc[0]
    assert row["value"] == pytest.approx(12.5 / 4)
    assert find([none, busy], "busy") is busy
    assert find([none, busy], "rules") is None
