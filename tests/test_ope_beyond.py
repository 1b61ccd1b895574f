"""Beyond single decisions of the days that were logged: pages of slots, and the days to come, by hand."""

import numpy as np
import pytest
from tests.test_ope_few_events import study_of

from campaignrl.errors import UsageError
from campaignrl.ope import lift_ahead
from campaignrl.ope.comparison.ahead import TREND, carried_on
from campaignrl.ope.estimators import sequential
from campaignrl.ope.intervals import Clusters, clustered_t
from campaignrl.ope.intervals.clustered import Point

# ---- slots of a page


def test_rips_and_cascade_dr_by_hand():
    """Two pages of two slots: weights 2, 0.5 and 1, 3; clicks in the first page's second slot, the other's first."""
    weight, click = np.array([[2.0, 0.5], [1.0, 3.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    # RIPS (McInerney et al. 2020): products of weights down to the slot, (2 x 0.5 x 1 + 1 x 1) / 2
    assert sequential.pdis(weight, click).value == pytest.approx(1.0)
    q, v = np.array([[0.4, 0.2], [0.6, 0.1]]), np.array([[0.5, 0.3], [0.5, 0.2]])
    # Cascade-DR (Kiyohara et al. 2022, eq. 8): w_1:k (r_k - Q_k) + w_1:k-1 E[Q_k], Q of this slot and those below
    first = 2.0 * (0.0 - 0.4) + 0.5 + 1.0 * (1.0 - 0.2) + 2.0 * 0.3
    second = 1.0 * (1.0 - 0.6) + 0.5 + 3.0 * (0.0 - 0.1) + 1.0 * 0.2
    assert sequential.sdr(weight, click, q, v).value == pytest.approx((first + second) / 2)


def test_a_page_is_an_episode_and_slots_by_themselves_are_off():
    slates = study_of("slates")
    found = slates.summary([slates.one_log(seed, 400) for seed in range(8)])
    assert found["iips"]["bias"] > 1.0  # more than the whole lift: below a click nobody looks
    assert abs(found["sdr"]["bias"]) < 0.5
    assert found["sdr"]["rmse"] < found["iips"]["rmse"]
    assert found["sdr"]["held"] >= 0.6


def test_what_a_page_is_worth_by_hand(monkeypatch):
    slates = study_of("slates")
    monkeypatch.setattr(slates, "CLICKS", np.array([[0.5, 0.2]]))
    liked = np.log(np.array([[3.0, 1.0]]))
    # 3/4 of the time 0.5, then half look on at 0.2; 1/4 of the time the other way round
    exact = 0.75 * (0.5 + 0.5 * 0.2) + 0.25 * (0.2 + 0.8 * 0.5)
    assert slates.truth(liked, 0, np.ones(2, dtype=bool), 2) == pytest.approx(exact)


# ---- the days to come


def test_a_line_is_carried_on_by_hand():
    terms, day = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0.0, 1.0, 2.0, 3.0])
    made = carried_on(terms, day, 5.0, Clusters(np.arange(4)), 0.05)
    assert made.value == pytest.approx(11.0)
    assert made.std_error == pytest.approx(0.0, abs=1e-12)
    assert made.interval == TREND


def test_at_the_middle_of_the_days_it_is_the_mean_with_its_own_error():
    g = np.random.default_rng(0)
    day, customer = g.integers(0, 30, 4_000).astype(float), np.arange(4_000) // 2
    terms = g.normal(size=4_000)
    made = carried_on(terms, day, float(day.mean()), Clusters(customer), 0.05)
    plain = clustered_t(Point(float(terms.mean()), terms - terms.mean()), Clusters(customer), 0.05)
    assert made.value == pytest.approx(plain.value)
    assert made.std_error == pytest.approx(plain.std_error, rel=0.02)


def test_the_error_ahead_is_that_of_least_squares():
    g = np.random.default_rng(1)
    day, found = g.integers(0, 60, 500).astype(float), []
    for _ in range(400):
        found.append(carried_on(g.normal(size=500), day, 75.0, Clusters(np.arange(500)), 0.05))
    values = np.array([each.value for each in found])
    assert values.std() == pytest.approx(np.mean([each.std_error for each in found]), rel=0.1)
    assert np.mean([each.ci_low <= 0.0 <= each.ci_high for each in found]) >= 0.92


def test_what_fades_is_carried_on_and_one_day_says_nothing():
    study = study_of("lift_ahead")
    found = study.summary([study.one_log(seed, "fades", 6_000) for seed in range(8)], "fades")
    assert found["carried on"]["rmse"] < found["all days"]["rmse"]
    log = study.log_of("stays", 300, np.random.default_rng(0))
    wanted = np.tile(study.WANTED, (300, 1))
    with pytest.raises(UsageError, match="at least 1"):
        lift_ahead(log, wanted, days=0)
    one = log.take(np.flatnonzero(log.day < 3))
    with pytest.raises(UsageError, match="days of the log"):
        lift_ahead(one, wanted[: len(one)])
