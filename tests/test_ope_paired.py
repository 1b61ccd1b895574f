"""Paired questions: many policies on one log, parts of a log, cost of what is gained, and the risk of harm."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from campaignrl.errors import UnknownName, UsageError
from campaignrl.ope.comparison.equivalence import Conclusion
from campaignrl.ope.comparison.policies import (
    bonferroni,
    compare_many_on_log,
    cost_per_incremental,
    holm,
    lift_by,
    p_value,
    part_table,
    parts_of,
    probability_of_harm,
    ratio,
)
from campaignrl.ope.evaluate import compare_on_log
from campaignrl.ope.intervals.clustered import Clusters

_SPEC = importlib.util.spec_from_file_location("logs", Path(__file__).with_name("test_ope_log.py"))
LOGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LOGS)
make_log, always = LOGS.make_log, LOGS.always


# ---- by hand


def test_corrections_by_hand():
    assert bonferroni([0.01, 0.04, 0.6]) == pytest.approx([0.03, 0.12, 1.0])
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])  # 3 x .01, 2 x .03, and 1 x .04 not below it


def test_a_p_value_is_the_level_at_which_the_interval_touches():
    def normal(alpha):
        half = stats.norm.isf(alpha / 2)
        return 2.0 - half, 2.0 + half

    assert p_value(normal) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-9)
    assert p_value(normal, null=2.0) == 1.0
    assert p_value(lambda alpha: (5.0, 6.0)) == 1e-12


def test_a_ratio_and_fiellers_ends_by_hand():
    above, below = np.array([2.0, 4.0, 6.0, 8.0]), np.array([1.0, 1.0, 2.0, 2.0])
    made = ratio(above, below, Clusters(np.arange(4)), 0.05)
    assert made.value == pytest.approx(5.0 / 1.5)
    for end in (made.ci_low, made.ci_high):  # at both ends the mean of above - end x below is just told from 0
        assert abs(stats.ttest_1samp(above - end * below, 0.0).pvalue - 0.05) < 1e-9


def test_what_may_not_be_gained_has_no_finite_price():
    below = np.array([3.0, -2.0, 0.5, -1.0])
    made = ratio(np.ones(4), below, Clusters(np.arange(4)), 0.05)
    assert made.value == pytest.approx(8.0)
    assert made.ci_high == math.inf
    assert math.isnan(ratio(np.ones(4), -np.ones(4), Clusters(np.arange(4)), 0.05).value)


def test_the_cost_of_one_more_conversion_by_hand():
    """Always coupon@sms (cost 4) over always none: 4 a send, over the difference of the two rates."""
    log = make_log(6000, cost=np.zeros(6000, dtype=int))
    log = make_log(6000, cost=np.where(log.action == 3, 4, 0))
    gained = compare_on_log(log, always(log, 3), always(log, 0))
    priced = cost_per_incremental(log, always(log, 3), always(log, 0))
    weight = np.where(log.action == 3, 1.0 / log.propensity, 0.0)
    assert priced.value == pytest.approx(4 * weight.mean() / gained.value)
    assert priced.ci_low < priced.value < priced.ci_high


# ---- parts


@pytest.mark.parametrize("by", ["tag", "recency", "wave"])
def test_lifts_of_parts_add_up_to_that_of_all(by):
    log = make_log(2000, rows=2, wave=np.arange(2000) % 3)
    parts = lift_by(log, always(log, 2), by)
    whole = compare_on_log(log, always(log, 2), "logged")
    assert sum(part.n for part in parts) == 2000
    assert sum(part.n * part.lift.value for part in parts) / 2000 == pytest.approx(whole.value, abs=1e-12)
    assert len(parts) == {"tag": 2, "recency": 4, "wave": 3}[by]
    assert all(part.lift.ci_low <= part.lift.value <= part.lift.ci_high for part in parts)


def test_parts_have_names_that_a_reader_knows():
    log = make_log(400, wave=np.arange(400) % 2)
    assert parts_of(log, "tag")[0][:2] == ["a", "b"]
    assert parts_of(log, "wave")[0] == ["wave 0", "wave 1"]
    labels, of_row = parts_of(log, "recency")
    assert np.bincount(of_row).tolist() == [100, 100, 100, 100]
    assert labels[-1] == "unknown"
    assert part_table(lift_by(log, always(log, 2), "tag")).splitlines()[1].split()[0] == "a"


def test_numbers_that_are_not_known_are_a_part_of_their_own(shop):
    log = shop.log(600)
    _, of_row = parts_of(log, "basket")
    assert ((of_row == 4) == np.isnan(log.context.columns["basket"])).all()
    parts = lift_by(log, "uniform", "basket")
    assert parts[-1].part == "unknown"


def test_a_part_of_one_customer_has_no_figure():
    log = make_log(300)
    tag = np.zeros(300, dtype=int)
    tag[0] = 1
    log = make_log(300, context=type(log.context)(log.context.schema, {**log.context.columns, "tag": tag}))
    assert math.isnan(lift_by(log, always(log, 2), "tag")[1].lift.value)


def test_parts_that_are_not_there_are_named():
    log = make_log(100)
    with pytest.raises(UnknownName, match="Did you mean 'recency'"):
        lift_by(log, "logged", "recencie")
    with pytest.raises(UsageError, match="wave"):
        lift_by(log, "logged", "wave")


# ---- many policies


def test_one_policy_needs_no_correction():
    log = make_log(1000)
    (only,) = compare_many_on_log(log, {"two": always(log, 2)})
    assert only.difference[:4] == pytest.approx(compare_on_log(log, always(log, 2), "logged")[:4])
    assert only.adjusted_p == only.p_value
    assert (only.conclusion is Conclusion.BETTER) == (only.difference.ci_low > 0.0)


def test_holm_finds_what_bonferroni_finds_and_intervals_widen_with_their_number():
    log = make_log(4000)
    policies = {f"always {a}": always(log, a) for a in range(4)}
    plain, strict, stepped = (compare_many_on_log(log, policies, correction=c) for c in ("none", "bonferroni", "holm"))
    for p, b, h in zip(plain, strict, stepped, strict=True):
        assert p.p_value <= h.adjusted_p <= b.adjusted_p
        assert b.difference.ci_low < p.difference.ci_low
        assert b.difference == h.difference
    assert {c.policy: c.conclusion for c in strict}["always 2"] is Conclusion.BETTER
    assert {c.policy: c.conclusion for c in strict}["always 0"] is Conclusion.WORSE


def test_the_best_of_many_equal_policies_seldom_wins():
    """Eight random policies on a log whose reward ignores the action: all are worth the same."""
    wins = {"none": 0, "bonferroni": 0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        log = make_log(200, seed=seed, reward=(rng.random(200) < 0.3).astype(float))
        policies = {str(i): rng.dirichlet(np.ones(4), 200) for i in range(8)}
        for correction in wins:
            found = compare_many_on_log(log, policies, correction=correction)
            wins[correction] += any(c.conclusion in (Conclusion.BETTER, Conclusion.WORSE) for c in found)
    assert wins["bonferroni"] <= 3  # more would happen once in two hundred tries
    assert wins["bonferroni"] <= wins["none"]


def test_wrong_words_are_named():
    log = make_log(100)
    with pytest.raises(UnknownName, match="Did you mean 'bonferroni'"):
        compare_many_on_log(log, {"a": "logged"}, correction="bonferoni")
    with pytest.raises(UsageError, match="at least one"):
        compare_many_on_log(log, {})


# ---- harm


def test_harm_is_even_for_the_same_policy_small_for_a_better_one_and_turns_with_the_question():
    log = make_log(3000)
    better, worse = always(log, 2), always(log, 0)
    assert probability_of_harm(log, "logged") == 0.5
    harm = probability_of_harm(log, better, worse)
    assert harm < 0.001
    assert probability_of_harm(log, worse, better) == pytest.approx(1.0 - harm, abs=1e-9)


def test_harm_agrees_with_the_normal_where_the_sample_is_large():
    log = make_log(20_000)
    made = compare_on_log(log, always(log, 2), always(log, 3))
    harm = probability_of_harm(log, always(log, 2), always(log, 3))
    assert harm == pytest.approx(stats.norm.sf(made.value / made.std_error), abs=0.02)
