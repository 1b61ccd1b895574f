"""Verdicts at each threshold from both sides, and every sentence word by word."""

import math

import numpy as np
import pytest
from test_ope_diagnose import SOUND

from campaignrl.ope.diagnostics.holdout import Holdout
from campaignrl.ope.diagnostics.verdict import CHECKS, Level, _count, _share, diagnose, learned_from, worst_and_best
from campaignrl.ope.estimators import weights


def said(**changes):
    """(verdict, first reason) of otherwise sound figures."""
    verdict, reasons = diagnose(SOUND._replace(**changes))
    return verdict, reasons[0] if reasons else ""


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"ess": 1000.0}, "trust"),
        ({"ess": 999.99}, "caution"),
        ({"ess": 100.0}, "caution"),
        ({"ess": 99.99}, "refuse"),
        ({"max_weight_share": 0.05}, "trust"),
        ({"max_weight_share": 0.0501}, "caution"),
        ({"max_weight_share": 0.2}, "caution"),
        ({"max_weight_share": 0.2001}, "refuse"),
        ({"max_customer_share": 0.05}, "trust"),
        ({"max_customer_share": 0.0501}, "caution"),
        ({"max_customer_share": 0.2}, "caution"),
        ({"max_customer_share": 0.2001}, "refuse"),
        ({"customers": 50}, "trust"),
        ({"customers": 49}, "caution"),
        ({"customers": 30}, "caution"),
        ({"customers": 29}, "refuse"),
        ({"mean_weight": 2.0, "mean_weight_p": 0.001}, "trust"),
        ({"mean_weight": 1.05, "mean_weight_p": 0.00099}, "caution"),
        ({"mean_weight": 1.11, "mean_weight_p": 0.00099}, "refuse"),
        ({"mean_weight": 0.89, "mean_weight_p": 0.00099}, "refuse"),
        ({"mean_weight": 0.91, "mean_weight_p": 0.00099}, "caution"),
        ({"off_support": 1e-9}, "trust"),
        ({"off_support": 1.1e-9}, "caution"),
        ({"off_support": 0.01}, "caution"),
        ({"off_support": 0.0101}, "refuse"),
        ({"outcomes": 30}, "trust"),
        ({"outcomes": 29}, "caution"),
        ({"one_reward": True}, "caution"),
        ({"dropped_share": 0.2}, "trust"),
        ({"dropped_share": 0.2001}, "caution"),
        ({"disagreement_p": 0.001}, "trust"),
        ({"disagreement_p": 0.00099}, "caution"),
        ({"half_precision": True}, "caution"),
        ({"calibration_gap": 0.0}, "caution"),
        ({"learned_from": 0.0}, "trust"),
        ({"learned_from": 1e-6}, "caution"),
        ({"holdout": Holdout(0.05, 0.04, 0.001, 0)}, "trust"),
        ({"holdout": Holdout(0.05, 0.04, 0.00099, 0)}, "caution"),
        ({"holdout": Holdout(0.05, 0.05, 1.0, 1)}, "caution"),
        ({"certain_share": 1.0, "off_support": 1e-9}, "trust"),
        ({"certain_share": 1.0, "off_support": 1.1e-9}, "refuse"),
        ({"certain_share": 0.999, "off_support": 1.1e-9}, "caution"),
    ],
)
def test_verdicts_at_their_thresholds(changes, verdict):
    assert said(**changes)[0] == verdict


@pytest.mark.parametrize(
    ("clipped", "reasons"),
    [(0.05, ()), (0.0501, ("ips_clip leaves out 5% of the weight, so it is biased towards 0.",))],
)
def test_a_note_changes_no_verdict(clipped, reasons):
    assert diagnose(SOUND._replace(clipped_mass=clipped)) == ("trust", reasons)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ess": 0.0, "n": 12_345}, "none of 12,345 rows speaks for this policy: it never does what was logged."),
        (
            {"ess": 99.4},
            "about 99 of 10,000 rows carry the estimate (effective sample size 99; at least 100 are wanted).",
        ),
        (
            {"ess": 123.4},
            "about 123 of 10,000 rows carry the estimate (effective sample size 123; at least 1,000 are wanted).",
        ),
        ({"max_weight_share": 0.3, "max_customer_share": 0.4}, "one row holds 30% of the weight."),
        ({"customers": 1}, "only 1 customer: too few to tell how customers differ."),
        ({"customers": 2}, "only 2 customers: too few to tell how customers differ."),
        (
            {"mean_weight": 1.2, "mean_weight_p": 0.0},
            "the mean weight is 1.200 where it should be 1: the propensities or the eligible sets do not belong to "
            "this log.",
        ),
        (
            {"mean_weight": 0.95, "mean_weight_p": 0.0},
            "the mean weight is 0.950 where it should be 1: the propensities or the eligible sets do not belong to "
            "this log, or much of what this policy would do was never tried.",
        ),
        (
            {"off_support": 0.005, "reward_range": (-2.0, 10.0)},
            "0.5% of what this policy would do was never tried in this log; whatever that earns, the value may be "
            "anything from 0.09 to 0.15.",
        ),
        (
            {"holdout": Holdout(0.1, 0.0833, 1e-9, 0)},
            "8.33% of the customers are held out where 10% were planned (p < 0.001): customers are missing from this "
            "log, and not by chance.",
        ),
        (
            {"holdout": Holdout(0.1, 0.1, 1.0, 1234)},
            "1,234 customers who were to be held out were contacted: the holdout shows nothing about doing nothing.",
        ),
        ({"outcomes": 0}, "only 0 rows with a reward other than 0 speak for this policy."),
        ({"outcomes": 1}, "only 1 row with a reward other than 0 speaks for this policy."),
        ({"outcomes": 2}, "only 2 rows with a reward other than 0 speak for this policy."),
        (
            {"outcomes": 0, "one_reward": True},
            "every reward is the same: there is nothing to tell policies apart by.",
        ),
        ({"dropped_share": 0.25}, "25% of the rows are left out because their outcome is not known yet."),
        (
            {"calibration_gap": 0.0123},
            "the propensities are estimated from the log (off by 1.23% on average); whatever drove the choice and is "
            "not among the contexts biases every estimate.",
        ),
        (
            {"learned_from": 1.0},
            "this policy has learned from these very customers: it may look better here than it is. Value it on "
            "customers it has not seen, or on later decisions.",
        ),
        (
            {"disagreement_p": 0.0, "snips": 0.31234, "dr": 0.2},
            "with the model the value is 0.2, without it 0.3123, and chance does not explain that: check the "
            "propensities.",
        ),
    ],
)
def test_sentences_word_by_word(changes, text):
    assert said(**changes)[1] == text


def test_a_refusal_ends_in_a_way_out_and_the_worst_comes_first():
    verdict, reasons = diagnose(SOUND._replace(ess=12.34, dropped_share=0.5, clipped_mass=0.3, mix=(0.2, 1234.5)))
    assert verdict == "refuse"
    assert [reason.split()[0] for reason in reasons] == ["about", "50%", "ips_clip", "What"]
    assert reasons[-1] == (
        "What would help: log with at least 1 % exploration on every action, or ask about a policy closer to the "
        "logged one (`--mix 0.2` would have an effective sample size of about 1,234)."
    )
    _, reasons = diagnose(SOUND._replace(ess=12.34, mix=None))
    assert reasons[-1] == "What would help: log with at least 1 % exploration on every action."
    assert "What" not in " ".join(diagnose(SOUND._replace(ess=500.0))[1])
    assert len(CHECKS) == 14


def test_of_a_log_without_chance_that_comes_first_and_the_way_out_is_another_log():
    blind = SOUND._replace(certain_share=1.0, off_support=0.4, ess=12.34, mix=(0.2, 1234.5))
    verdict, reasons = diagnose(blind)
    assert verdict == "refuse"
    assert reasons[0] == (
        "every logged action was certain (propensity 1), so weighting cannot value another policy: only dm, the "
        "model's guess, can be had."
    )
    assert reasons[-1] == (
        "What would help: a log whose policy left something to chance. In a world, `campaignrl simulate --explore "
        "0.05` writes one by the same policy; for sends, give the policy `explore = 0.05` in its settings, or plan by "
        "value with `campaignrl decide --allocate value --explore 0.05`."
    )
    own = diagnose(blind._replace(off_support=0.0))[1]  # of a policy that does what was logged, nothing is missing
    assert own[-1].startswith("What would help: log with at least 1 % exploration")


def test_where_nothing_speaks_it_is_said_once():
    _, reasons = diagnose(SOUND._replace(ess=0.0, max_weight_share=1.0, mean_weight=0.0, mean_weight_p=0.0, mix=None))
    assert len(reasons) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(9.94, "9.9"), (10.0, "10"), (9.99, "10.0"), (1234.5, "1,234"), (0.04, "0.0")]
)
def test_counts_in_words(value, text):
    assert _count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4, "40%"), (0.1, "10%"), (0.0999, "9.99%"), (0.0325, "3.25%"), (0.000012, "0.0012%"), (1.0, "100%")],
)
def test_shares_in_words(value, text):
    assert _share(value) == text


def test_what_was_never_tried_earns_the_least_or_the_most():
    assert worst_and_best(0.5, 0.2, (-1.0, 3.0)) == pytest.approx((0.3, 1.1))
    assert learned_from(0.5).level is Level.CAUTION
    assert "about 50% of these customers" in learned_from(0.5).text


# ---- the figures


def test_figures_of_weights_by_hand():
    w = np.array([0.0, 1.0, 3.0])
    assert weights.max_weight_share(w) == 0.75
    assert weights.max_weight_share(np.zeros(3)) == 1.0
    small = np.array([0.0, 0.01, 0.03])  # of any size: shares and sizes have no unit
    assert weights.max_weight_share(small) == pytest.approx(0.75)
    assert weights.effective_sample_size(small) == pytest.approx(1.6)
    assert weights.mixed(w, 0.25).tolist() == [0.75, 1.0, 1.5]


def test_the_largest_weight_there_can_be():
    """Over the least propensity of an action that the policy takes at all; never below 1."""
    action, propensity = np.array([0, 1, 2, 1]), np.array([0.5, 0.25, 0.01, 0.2])
    assert weights.weight_bound(np.array([0.0, 0.6, 0.0]), action, propensity, None) == pytest.approx(3.0)
    assert weights.weight_bound(np.array([0.5, 0.6, 0.0]), action, propensity, None) == pytest.approx(3.0)
    assert weights.weight_bound(np.array([0.5, 0.6, 0.1]), action, propensity, None) == pytest.approx(60.0)
    assert weights.weight_bound(np.array([0.0, 0.6, 0.0]), action, propensity, 0.1) == pytest.approx(6.0)
    assert weights.weight_bound(np.array([0.1, 0.0, 0.0]), action, propensity, None) == 1.0
    none = weights.weight_bound(np.array([0.0, 0.0, 0.0, 0.9]), action, propensity, None)
    assert none == pytest.approx(90.0)  # of an action that was never logged: the least of all


def test_what_the_log_cannot_speak_of():
    p = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    untried = np.array([False, False, True])
    found = weights.off_support(p, p[:, 0], untried, np.array([0.5, 1.0]))
    assert found == pytest.approx([0.5, 0.8])
    assert weights.off_support(p, p[:, 0], ~np.ones(3, bool), np.array([0.5, 1.0 - 1e-13])) == pytest.approx([0, 0.8])
    assert weights.off_support(p, p[:, 0], ~np.ones(3, bool), np.array([0.5, 1.0 - 1e-9])) == pytest.approx([0, 0])
    over = weights.off_support(p, np.array([1.0 + 1e-7, 1.0 + 1e-7]), untried, np.ones(2))
    assert over.tolist() == [0.0, 0.0]


def test_the_closest_mix_is_the_largest_that_says_enough():
    w = np.r_[np.zeros(90), np.full(10, 10.0)]
    sizes = {m: weights.effective_sample_size(weights.mixed(w, m)) for m in (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)}
    for share, size in sizes.items():
        assert weights.closest_mix(w, size) == (share, size)
    assert weights.closest_mix(w, 101.0) is None
    assert weights.closest_mix(w, math.nextafter(sizes[0.5], math.inf))[0] == 0.4


def test_many_values_that_are_exact_in_16_bits_were_rounded():
    exact = np.arange(1, 21) / 64
    assert weights.rounded_to_half_precision(exact)
    assert not weights.rounded_to_half_precision(exact[:19])
    assert not weights.rounded_to_half_precision(np.r_[exact, 0.1])
    late = np.r_[np.resize(exact, 1 << 16), 0.1]
    assert weights.rounded_to_half_precision(late)  # only the first are looked at
