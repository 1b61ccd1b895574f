"""What intervals allow one to say: conclusions, the difference of two logs, and whether personalising pays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from campaignrl.errors import UsageError
from campaignrl.ope.comparison.equivalence import (
    Conclusion,
    conclude,
    conclusion_of_best,
    independent_difference,
    interval,
)
from campaignrl.ope.comparison.personalisation import MATTERS, personalising
from campaignrl.ope.intervals.clustered import Estimate
from campaignrl.tables.log.split import split_by_customer

GAIN = Estimate(0.08, 0.01, 0.06, 0.10, "")  # of the best single action over none
MARGIN = MATTERS * GAIN.ci_low
SILENT = Estimate(*[math.nan] * 4, "refused")


def between(low, high):
    return Estimate((low + high) / 2, (high - low) / 4, low, high, "")


@pytest.mark.parametrize(
    ("low", "high", "margin", "said"),
    [
        (0.01, 0.03, 0.0, Conclusion.BETTER),
        (-0.03, -0.01, 0.0, Conclusion.WORSE),
        (-0.01, 0.01, 0.0, Conclusion.UNKNOWN),
        (-0.01, 0.01, 0.02, Conclusion.SAME),
        (-0.01, 0.03, 0.02, Conclusion.UNKNOWN),
        (-0.03, 0.01, 0.02, Conclusion.UNKNOWN),
        (0.001, 0.002, 0.02, Conclusion.BETTER),  # small, but better: the figures say how small
        (0.0, 0.0, 0.0, Conclusion.UNKNOWN),
        (0.0, 0.0, 0.02, Conclusion.SAME),
        (math.nan, math.nan, 0.02, Conclusion.UNKNOWN),
    ],
)
def test_conclusions_by_hand(low, high, margin, said):
    assert conclude(between(low, high), margin) is said


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_difference_and_its_mirror_say_the_opposite(middle, half, margin):
    there, back = between(middle - half, middle + half), between(-middle - half, -middle + half)
    opposite = {Conclusion.BETTER: Conclusion.WORSE, Conclusion.WORSE: Conclusion.BETTER}
    said = conclude(there, margin)
    assert conclude(back, margin) is opposite.get(said, said)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([(-0.01, 0.005), (0.001, 0.01)], Conclusion.BETTER),  # one is enough
        ([(-0.02, -0.01), (-0.05, -0.02)], Conclusion.WORSE),
        ([(-0.02, -0.01), (-0.01, 0.01)], Conclusion.SAME),  # one is worse, none can be much better
        ([(-0.01, 0.01), (-0.1, 0.1)], Conclusion.UNKNOWN),
        ([(-0.01, 0.01), (math.nan, math.nan)], Conclusion.UNKNOWN),
        ([], Conclusion.UNKNOWN),
    ],
)
def test_the_best_of_several_by_hand(ends, said):
    assert conclusion_of_best([between(*each) for each in ends], margin=0.02) is said


def test_the_best_of_many_useless_candidates_rarely_passes():
    rng = np.random.default_rng(0)
    candidates, runs = 5, 2_000
    half = stats.norm.isf(0.05 / candidates / 2)
    found = [
        conclusion_of_best([Estimate(z, 1.0, z - half, z + half, "") for z in rng.normal(size=candidates)])
        for _ in range(runs)
    ]
    assert sum(f is Conclusion.BETTER for f in found) / runs < 0.04  # 2.5 % on either side; +5 standard errors


def test_difference_of_two_logs_is_newcombes_for_two_proportions():
    # Newcombe 1998, Statistics in Medicine 17:873, table II, 56/70 - 48/80 by method 10: 0.0524 to 0.3339
    def wilson(x, n):
        found = stats.binomtest(x, n).proportion_ci(method="wilson")
        p = x / n
        return Estimate(p, math.sqrt(p * (1 - p) / n), found.low, found.high, "Wilson")

    found = independent_difference(wilson(56, 70), wilson(48, 80))
    assert found.value == pytest.approx(0.2)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert found.std_error == pytest.approx(math.sqrt(0.8 * 0.2 / 70 + 0.6 * 0.4 / 80))


def test_difference_of_two_logs_turns_with_its_sign():
    a, b = Estimate(0.5, 0.1, 0.35, 0.8, ""), Estimate(0.3, 0.05, 0.1, 0.4, "")
    there, back = independent_difference(a, b), independent_difference(b, a)
    assert (back.value, back.ci_low, back.ci_high) == pytest.approx((-there.value, -there.ci_high, -there.ci_low))


def test_interval_in_words():
    assert interval(Estimate(0.01234, 0.1, -0.0045, 0.0291, "")) == "+0.0123 [-0.0045, +0.0291]"
    assert "nan" not in interval(SILENT)


@pytest.mark.parametrize(
    ("lifts", "said", "names"),
    [
        ({"a": (0.01, 0.03), "b": (-0.2, 0.2)}, "Personalising pays: a earns +0.02 [+0.01, +0.03] over x", "b"),
        ({"a": (-0.03, -0.01), "b": (-0.2, -0.1)}, "Personalising harms here: even a", "b"),
        ({"a": (-0.01, 0.014), "b": (-0.2, 0.001)}, "Personalising gains almost nothing here: at most +0.014", "b"),
        ({"a": (-0.01, 0.016)}, "This log cannot tell whether personalising pays: a", "b"),
    ],
)
def test_what_is_said_of_personalising(lifts, said, names):
    found = personalising({name: between(*ends) for name, ends in lifts.items()}, "x", GAIN)
    assert found.text.startswith(said)
    assert found.margin == pytest.approx(0.015)
    assert found.text.endswith("while x itself gains +0.08 [+0.06, +0.1] over none.")
    assert f" {names} " not in found.text, "only the policy that decides is named"


def test_nothing_is_almost_nothing_where_the_campaign_itself_may_be_worth_nothing():
    unsure = Estimate(0.08, 0.06, -0.04, 0.20, "")
    found = personalising({"a": between(0.0, 0.0)}, "x", unsure)
    assert (found.conclusion, found.margin) == (Conclusion.UNKNOWN, 0.0)
    assert "almost nothing" not in found.text


def test_a_learner_that_treats_all_alike_is_named():
    found = personalising({"a": between(0.0, 0.0), "b": between(-0.01, 0.01)}, "x", GAIN)
    assert found.conclusion is Conclusion.SAME
    assert found.text.endswith(" a would treat everybody alike.")
    three = personalising({name: between(0.0, 0.0) for name in "abc"}, "x", GAIN)
    assert three.text.endswith(" a, b and c would treat everybody alike.")


def test_a_refused_policy_leaves_the_question_open():
    found = personalising({"a": between(-0.001, 0.001), "b": SILENT}, "x", GAIN)
    assert found.conclusion is Conclusion.UNKNOWN
    assert found.text.startswith("This log cannot tell whether personalising pays: it says too little about b, ")
    assert "nan" not in found.text


def test_where_none_is_best_no_gain_over_none_is_told():
    found = personalising({"a": between(-0.01, 0.01)}, "none", Estimate(0.0, 0.0, 0.0, 0.0, ""))
    assert found.text == "This log cannot tell whether personalising pays: a earns +0 [-0.01, +0.01] over none."


def test_a_split_keeps_customers_whole(shop):
    log = shop.log(900)
    a, b = split_by_customer(log, 0.5, seed=3)
    assert len(a) + len(b) == len(log)
    assert not set(a.customer) & set(b.customer)
    assert 0.4 < len(a) / len(log) < 0.6
    again, _ = split_by_customer(log, 0.5, seed=3)
    other, _ = split_by_customer(log, 0.5, seed=4)
    assert again.decision_id.tolist() == a.decision_id.tolist() != other.decision_id.tolist()


def test_a_split_does_not_depend_on_the_order_of_rows(shop):
    log = shop.log(300)
    order = np.random.default_rng(1).permutation(len(log))
    assert set(split_by_customer(log.take(order))[0].decision_id) == set(split_by_customer(log)[0].decision_id)


def test_a_split_of_nothing_or_all_is_refused(shop):
    for share in (0.0, 1.0, 1.5):
        with pytest.raises(UsageError, match="share"):
            split_by_customer(shop.log(30), share)
