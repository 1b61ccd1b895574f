"""Checks of a log where they begin and end: the last row of a cell, two customers, days of one value, mixed choices."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from test_ope_balance_exact import K, sample_of, wealth
from test_ope_episodes_exact import SOUND, STEP
from test_ope_log import always, make_log
from test_ope_never_tried import NUMBER
from test_ope_never_tried import sample_of as plain_sample
from test_ope_over_time_exact import days_of, fading, in_blocks
from test_ope_over_time_exact import sample_of as daily

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.errors import SHOWN, DataError
from campaignrl.features import FeatureSchema
from campaignrl.ope.data.log_sample import LogSample
from campaignrl.ope.data.target_policy import (
    _require_actions,
    _where,
    learned_from,
    learned_from_rows,
    read_probabilities,
    target_policy_of,
)
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.diagnostics.balance import _by_customers, _chances
from campaignrl.ope.diagnostics.cells import QUARTERS, _of_codes, _of_numbers
from campaignrl.ope.diagnostics.hardly_tried import hardly_tried
from campaignrl.ope.diagnostics.holdout import check_apart, drawn
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.never_tried import never_tried
from campaignrl.ope.diagnostics.over_time import _falling, _late, _stretches, change, not_in_yet, over_time
from campaignrl.ope.diagnostics.repeats import _context_keys, repeats
from campaignrl.ope.diagnostics.robust import WINSORISED, log_sum_exp, robust_figures
from campaignrl.ope.diagnostics.sensitivity import ratio_bounds
from campaignrl.ope.episodes.support_horizon import judged
from campaignrl.ope.estimators import CERTAIN, bandit
from campaignrl.ope.estimators.weights import off_support
from campaignrl.ope.intervals import asymptotic_sequences as sequences
from campaignrl.ope.intervals.clustered import Clusters, Point, clustered_t
from campaignrl.ope.intervals.empirical_likelihood import (
    Extreme,
    PairSums,
    _least_mean,
    cressie_read,
    mean_weight_statistic,
)
from campaignrl.ope.intervals.quantiles import f_tail
from campaignrl.ope.intervals.regression_t import freedom_of_stakes, skewness_of_sum
from campaignrl.ope.methods.likelihood_of_rows import largest
from campaignrl.ope.methods.preparation import certain_share, reward_range_of
from campaignrl.ope.methods.shrinkage import LEVEL, width
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log.customer_sketch import FACT, sketch_of

days_module = sys.modules[change.__module__]  # the package has a function of its name

# ---- what is certain


def wanting(wanted, propensity):
    """Rows in which the first action was taken, of a policy that would do so and so."""
    n = len(wanted)
    nobody = np.zeros(n, dtype=np.int64)
    return LogSample(None, np.arange(n), nobody, propensity, np.zeros(n), None, {}, None, None, wanted)


def test_a_chance_is_certain_from_one_less_a_millionth_of_a_millionth_on():
    p = np.array([0.5, CERTAIN, np.nextafter(CERTAIN, 0.0)])
    sample = sample_of([0, 1, 2], p, [0, 1, 2], np.full((3, K), 0.25), np.arange(3))
    assert _chances(sample, K).action.tolist() == [0, 2]
    wanted = np.tile(np.array([0.0, 0.5, 0.5], dtype=np.float32), (2, 1))
    sure = wanting(wanted, np.full(2, CERTAIN))
    assert hardly_tried(sure) == 0.0
    log = make_log(3, propensity=p)
    assert certain_share(log) == pytest.approx(1 / 3)
    q = np.tile([0.25, 0.25, 0.25, 0.25], (3, 1))
    untried = np.zeros(4, dtype=bool)
    assert off_support(q, np.full(3, 0.25), untried, p).tolist() == [0.0, 0.75, 0.0]


def test_what_is_hardly_tried_among_rows_of_which_some_are_certain_or_leave_much():
    """Where 0.001 was left, five times that is the most that is no news; where half was left nothing is beyond."""
    wanted = np.array([[0.9, 0.1], [0.4, 0.6], [0.0, 1.0]], dtype=np.float32)
    mixed = wanting(wanted, np.array([0.999, 0.5, 1.0]))
    assert hardly_tried(mixed) == pytest.approx(0.1 / 3)
    free = wanting(wanted[:2], np.array([0.999, 0.5]))
    assert hardly_tried(free) == pytest.approx(0.1 / 2)


# ---- balance and cells


def test_one_customer_of_two_rows_is_enough_to_go_by_customers():
    sample = sample_of([0] * 4, [0.5] * 4, [0] * 4, np.full((4, K), 0.25), np.array([0, 0, 1, 2]))
    gap = np.array([1.0, 2.0, -0.5, 0.25])
    found = _by_customers(_chances(sample, K), gap, slice(None), 1.0, 1.0)
    assert found == pytest.approx(wealth([3.0, -0.5, 0.25], 2.0))


def test_the_highest_cell_has_its_last_row_and_a_level_of_nobody_has_no_cell(monkeypatch):
    cells = _of_numbers("x", np.arange(120.0), QUARTERS)
    assert [cells.called[0], len(cells.called)] == ["`x` is low (at most 29)", 4]
    assert np.bincount(cells.cell).tolist() == [30] * 4
    monkeypatch.setitem(_of_codes.__globals__, "FEW", 2)
    found = _of_codes("x", np.repeat([0, 2, 3], 3), list("abcd"))
    assert (found.called, found.cell.tolist()) == (("a", "c", "d"), [0, 0, 0, 1, 1, 1, 2, 2, 2])


# ---- what was never tried


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("unknown", [False, True])
def test_an_end_is_found_wherever_its_column_begins(turned, unknown):
    """60 rows in which action 1 never came, 60 in which it always did: in thousands, low or high, with gaps."""
    action = np.r_[np.zeros(60, dtype=int), np.ones(60, dtype=int), np.arange(100) % 2]
    x = 1_000.0 + np.arange(220.0)
    x = -x if turned else x
    if unknown:
        action, x = np.r_[action, 1, 0, 1], np.r_[x, np.nan, np.nan, np.nan]
    (part,) = never_tried(plain_sample(NUMBER, {"x": x}, action), ("none", "a"))
    assert (part.action, part.rows) == ("a", 60)
    assert part.where == ("`x` is above -1060" if turned else "`x` is below 1060")


# ---- days


def test_a_stretch_of_two_customers_has_an_error():
    days = days_of([0, 0, 0, 1], [0, 1, 1, 0])
    one, other = _stretches(days, np.ones(4), np.array([1.0, 2.0, 6.0, 5.0]))
    sums = [1.0 - 3.0, (2.0 - 3.0) + (6.0 - 3.0)]
    assert one.std_error == pytest.approx(math.sqrt(sum(s * s for s in sums) * 2 / 1) / 3)
    assert math.isnan(other.std_error)


def test_what_is_no_change_has_a_p_value_of_one_and_the_last_customer_may_end_early():
    chance = np.random.default_rng(1)
    of_row, customer = np.tile([0, 1, 2, 3], 30), np.repeat(np.arange(30), 4)
    terms = chance.normal(size=120)
    terms -= np.tile([terms[of_row == s].mean() for s in range(4)], 30)
    order = np.argsort(of_row, kind="stable")
    assert change(terms[order], days_of(of_row[order].tolist(), customer[order].tolist())).p_value == 1.0
    alone = np.r_[of_row[order], 3], np.r_[customer[order], 30]  # a customer more, of the last stretch
    early = np.r_[0, of_row[order]], np.r_[30, customer[order]]  # of the first alone
    jump = 0.6 * (of_row[order] > 1)
    whole = change(np.r_[terms[order] + jump, 1.0], days_of(alone[0].tolist(), alone[1].tolist()))
    moved = {}
    centred = np.r_[-1.0, terms[order] + jump]
    centred = centred - centred.mean()
    rows = np.bincount(early[0])
    late = np.arange(4) >= 2
    weights = late / rows[late].sum() - ~late / rows[~late].sum()
    for s, c, x in zip(*early, centred, strict=True):
        moved[c] = moved.get(c, 0.0) + weights[s] * x
    p = days_module._p_value(np.array(list(moved.values())), centred**2, float(rows @ weights**2))
    found = change(np.r_[-1.0, terms[order] + jump], days_of(early[0].tolist(), early[1].tolist()))
    assert found.cut == whole.cut == 2
    assert found.p_value == pytest.approx(4 * p)


def test_terms_of_which_some_are_nothing_may_change_too():
    sample = fading()
    some = sample._replace(gain=np.stack([*sample.gain[:2], np.where(np.arange(1_600) < 3, 0.0, sample.gain[2])]))
    assert len(over_time(some, ("a", "b"), logged=False).findings) == 1


def test_fewer_than_a_hundred_new_rows_tell_nothing():
    reward = np.repeat([1.0, 0.4, 0.2], [613, 43, 44]) * np.tile([0.0, 2.0], 350)
    sample = daily(reward, np.arange(700))
    assert not_in_yet(sample, sample.customer) == ()  # the newest eighth are 87


def test_late_rewards_must_be_sure_on_one_side_among_all_shares_that_are_looked_at(monkeypatch):
    reward = in_blocks((32, 1.0), (16, 0.7), (8, 0.4), (8, 0.2))
    sample = daily(reward, 5 + np.arange(640) // 10)
    seen, of = [], days_module._p_value
    monkeypatch.setattr(
        days_module, "_p_value", lambda *words, **how: seen.append((of(*words, **how), how)) or seen[-1][0]
    )
    assert len(not_in_yet(sample, sample.customer)) == 1
    (p, how) = seen[-1]
    assert how == {"one_sided": True}
    for more, told in ((1e-6, 1), (-1e-6, 0)):
        monkeypatch.setattr(days_module, "P_ALARM", 15 * p * (1.0 + more))
        monkeypatch.setattr(days_module, "NEWEST", days_module.NEWEST[-1:] * 5)
        assert len(not_in_yet(sample, sample.customer)) == told


def test_the_newer_half_of_two_three_and_four_days():
    def falling(*by_day):
        day = np.arange(len(by_day) + 1)
        return _falling(day, day >= 1, np.r_[9.0, by_day], np.ones(len(by_day) + 1))

    assert falling(10.0, 8.0)
    assert not falling(8.0, 10.0)
    assert falling(10.0, 2.0, 10.0)  # the middle one is of the newer half
    assert not falling(10.0, 2.0, 10.0, 10.0)
    assert falling(10.0, 10.0, 2.0, 10.0)


def test_small_rewards_and_an_odd_number_of_days_have_ages_too():
    day = np.repeat(np.arange(10), 4)
    rewards = np.repeat([1.0] * 7 + [0.0] * 3, 4)
    assert "last 4 days" in _late(day, rewards / 100, np.full(40, 0.01), 8, 0.25).text
    none_due = np.where(day == 2, 0.0, 1.0)
    assert "last 3 days" in _late(day, rewards * none_due, none_due, 9, 0.25).text
    eleven = np.arange(11)
    assert "last 5 days" in _late(eleven, np.full(11, 0.5), np.ones(11), 10, 0.25).text


# ---- rows that repeat others, one row, values that no heavy row decides


def test_rows_without_columns_repeat_nothing_and_keys_tell_small_numbers_apart():
    n = 400
    twice = plain_sample(NUMBER, {"x": np.repeat(np.arange(n / 2), 2)}, np.repeat(np.arange(n / 2) % 2, 2).astype(int))
    twice = twice._replace(customer=np.arange(n), reward=np.tile([1.0, 1.0, 0.0, 0.0], n // 4))
    assert len(repeats(twice)) == 1
    assert repeats(twice._replace(schema=FeatureSchema(()), columns={})) == ()
    keys = _context_keys(twice._replace(columns={"x": np.array([1e-300, 2e-300, 0.0, -0.0] * 100)}))
    assert len(set(keys[:4].tolist())) == 3
    assert keys[2] == keys[3]


def test_the_row_that_decides_is_set_against_all_others():
    log = SimpleNamespace(customers=np.array(["a", "b"]), customer=np.array([0] * 29 + [1]), reward=np.arange(30.0))
    (found,) = outlier(log, np.r_[np.full(29, 1.0), 61.0])
    assert "by itself moves dr from 1 to 3:" in found.text
    (small,) = outlier(log, np.r_[np.full(29, 0.01), 0.61])
    assert "by itself moves dr from 0.01 to 0.03:" in small.text


def test_winsorised_values_by_hand():
    reward = np.r_[np.zeros(40), np.arange(1.0, 12.0)]  # of eleven the five largest are cut to 6
    weight = np.where(np.arange(51) % 2, 0.5, 0.25)
    found = robust_figures(weight, reward, Clusters(np.arange(51)), 0.1)[WINSORISED]
    usual = weight * np.minimum(reward, 6.0)
    ratio = usual.sum() / weight.sum()
    influence = (usual - ratio * weight) / weight.mean()
    assert found.value == pytest.approx(ratio)
    assert found.std_error == pytest.approx(math.sqrt(51 / 50 * (influence**2).sum()) / 51)
    none = robust_figures(np.zeros(51), reward, Clusters(np.arange(51)), 0.1)[WINSORISED]
    assert math.isnan(none.value)
    far = log_sum_exp(np.array([0.0, 5_000.0]), np.array([0.0, 0.5]))
    assert math.isfinite(far.value)
    assert log_sum_exp(np.array([0.0, 0.3]), np.array([0.0, 0.3])).value < 0.15


def test_groups_of_neighbouring_rewards_by_loops():
    chance = np.random.default_rng(2)
    for n in (1, 5, 60):
        reward, weight = np.round(chance.normal(size=n), 1), chance.exponential(size=n)
        of_group = max(int(np.cbrt(n) ** 2), 1)
        group = [sum(other < r for other in reward) // of_group for r in reward]
        mean = {g: np.mean([w for w, other in zip(weight, group, strict=True) if other == g]) for g in group}
        wanted = sum(mean[g] * r for g, r in zip(group, reward, strict=True)) / n
        assert bandit.mr(weight, reward).point().value == pytest.approx(wanted)


def test_rewards_that_are_all_alike_have_one_mean_whatever_the_weights():
    w, p = np.array([1.0, 2.0, 0.5]), np.array([0.5, 0.25, 0.9])
    for gamma in (1.0, 3.0):
        assert ratio_bounds(w, p, np.full(3, 2.0), gamma) == pytest.approx((2.0, 2.0))


# ---- who learned from whom


def test_who_is_held_out_is_drawn_by_salt_and_id_alone():
    ids = np.array([f"C-{i}" for i in range(300)], dtype=object)
    for salt in (0, 3):
        wanted = uniform(customer_keys(ids), salt, 0, Purpose.HOLDOUT) < 0.2
        assert drawn(ids, 0.2, salt).tolist() == wanted.tolist()


def test_a_customer_without_rows_is_no_leak():
    learned, judged_on = make_log(6, meta={"outcome_days": 3}), make_log(6)
    some = learned.take(np.arange(3))
    check_apart(some, judged_on.take(np.arange(3, 6)))
    check_apart(learned.take(np.arange(3, 6)), judged_on.take(np.arange(3)))
    with pytest.raises(DataError, match="leakage"):
        check_apart(some, judged_on)
    at_once = make_log(4, meta={}, day=np.full(4, 10))
    with pytest.raises(DataError, match="leakage"):
        check_apart(at_once, make_log(4, day=np.full(4, 10)))
    check_apart(at_once, make_log(4, day=np.full(4, 11)))


def test_a_policy_has_learned_from_these_rows_if_all_were_there_up_to_the_last_outcome():
    log = make_log(20, day=np.r_[np.full(10, 2), np.full(10, 5)], meta={"outcome_days": 3})
    policy = SimpleNamespace(trained_on={FACT: sketch_of(log).to_dict()})
    assert (learned_from(policy, log), learned_from_rows(policy, log)) == (1.0, True)
    half = SimpleNamespace(trained_on={FACT: sketch_of(log.take(np.arange(10, 20))).to_dict()})
    assert (learned_from(half, log), learned_from_rows(half, log)) == (0.5, False)
    earlier = log.take(np.arange(10))
    assert (learned_from(policy, earlier), learned_from_rows(policy, earlier)) == (1.0, False)
    at_once = make_log(20, meta={})
    plain = SimpleNamespace(trained_on={FACT: sketch_of(at_once).to_dict()})
    assert learned_from_rows(plain, at_once)
    for nothing in (SimpleNamespace(), SimpleNamespace(trained_on={})):
        assert (learned_from(nothing, log), learned_from_rows(nothing, log)) == (0.0, False)
    assert not learned_from_rows(policy, log.take(slice(0, 0)))
    assert target_policy_of(always(log, 0), log).given
    assert trajectories(make_log(6, rows=3), 3).steps == 3


# ---- verdicts of episodes


def test_what_the_model_cannot_tell_and_the_worst_finding_decide():
    found, reasons = judged((STEP, STEP._replace(step=2)), SOUND._replace(told=1))
    assert (found, len(reasons)) == ("caution", 1)
    assert "(from step 2 on) to tell how wrong the model is" in reasons[0]
    assert judged((STEP,), SOUND._replace(told=1)) == ("trust", ())
    found, reasons = judged((STEP,), SOUND._replace(customers=29, ended=0.5))
    assert (found, len(reasons)) == ("refuse", 2)
    assert "only 29 customers" in reasons[0]


# ---- intervals at their borders


def test_a_test_with_looks_crosses_first_with_so_many_times_the_customers():
    """The least drift at which so many paths are beyond the edge at one of 25 looks, the last at the end."""
    time, noise = sequences._paths()
    steps = np.diff(np.linspace(0.05, 1.0, 400)[:3], prepend=0.0)
    whole = rng.generator(0, Purpose.RESAMPLE, 1).standard_normal((sequences.PATHS, 400))
    assert noise[:, :3] == pytest.approx(np.cumsum(whole[:, :3] * np.sqrt(steps), axis=1))
    looks, at = time[15::16], noise[:, 15::16]
    assert (len(looks), looks[-1]) == (25, 1.0)
    for power in (0.5, 0.8):
        once = special.ndtri(power) - special.ndtri(0.025)
        drift = math.sqrt(sequences.horizon_inflation(0.05, power)) * once
        edge = sequences.horizon_multiple(looks, 0.05, 1.0) * np.sqrt(looks)
        crossed = [float((np.abs(at + d * looks) >= edge).any(axis=1).mean()) for d in (drift - 1e-9, drift + 1e-9)]
        assert crossed[0] < power <= crossed[1]


def test_two_customers_have_one_degree_of_freedom():
    point, two = Point(1.0, np.array([1.0, -1.0])), Clusters(np.arange(2))
    made = clustered_t(point, two, 0.1)
    assert made.ci_high - 1.0 == pytest.approx(stats.t.isf(0.05, 1) * made.std_error)
    assert width(point, two) == pytest.approx(stats.t.isf(LEVEL, 1) * made.std_error)


def test_customers_far_below_are_held_as_those_far_above_are():
    chance = np.random.default_rng(4)
    w, y = chance.gamma(2.0, 0.5, 9), chance.normal(size=9) ** 3
    low = [Extreme(0.0, -1.0), Extreme(4.0, -2.0)]
    high = [Extreme(0.0, 1.5), Extreme(4.0, 3.0)]
    turn = np.array([[1.0], [-1.0]])
    pair = np.stack([w, y])
    found = cressie_read(PairSums.of(w, y), low, high, 0.01, (pair, pair))
    turned = cressie_read(
        PairSums.of(w, -y), [e.mirrored() for e in high], [e.mirrored() for e in low], 0.01, (pair * turn, pair * turn)
    )
    assert found == pytest.approx((-turned[1], -turned[0]))
    free = cressie_read(PairSums.of(w, y), low, high, 0.01)
    assert free[0] < found[0] - 1e-3
    assert free[1] > found[1] + 1e-3


def test_weights_that_are_all_one_have_a_least_mean():
    y = np.array([1.0, 2.0, 4.0, 5.0])
    found = _least_mean(PairSums.of(np.ones(4), y), 2.0, np.zeros((2, 0)))
    assert found == pytest.approx(3.0 - math.sqrt(2.0 * y.var() * 4) / 4)
    assert _least_mean(PairSums.of(np.full(4, 2.0), y), 2.0, np.zeros((2, 0))) is None


def test_where_the_mean_weight_is_one_the_least_possible_one_is_granted():
    sums = PairSums.of(np.array([0.5, 1.5]), np.zeros(2))
    mean = 2.0 / 3.0
    assert mean_weight_statistic(sums, 0.0, 4.0) == pytest.approx(3 * (1 - mean) ** 2 / (2.5 / 3 - mean**2))


def test_tails_of_an_f_below_one():
    assert [f_tail(x, 10.0) for x in (0.25, 1.0, 0.0, math.inf)] == pytest.approx(
        [stats.f.sf(0.25, 1, 10), stats.f.sf(1.0, 1, 10), 1.0, 0.0]
    )


def test_units_of_stakes_and_residuals_change_no_shape():
    chance = np.random.default_rng(0)
    stake, residual = chance.exponential(size=50) - 0.8, chance.exponential(size=50) - 1.0
    for unit in (1e-4, 1e4):
        assert freedom_of_stakes(unit * stake, residual, 50.0) == pytest.approx(
            freedom_of_stakes(stake, residual, 50.0)
        )
        assert skewness_of_sum(unit * stake, unit * residual, 50.0) == pytest.approx(
            skewness_of_sum(stake, residual, 50.0)
        )
    assert skewness_of_sum(np.zeros(3), np.array([1.0, 2.0, 3.0]), 3.0) == 0.0
    assert skewness_of_sum(stake, np.zeros(50), 50.0) == 0.0


def test_what_a_reward_can_be_may_be_what_all_rewards_are():
    log = make_log(4, reward=np.ones(4))
    assert reward_range_of(log, (0.0, 1.0))[0] == (0.0, 1.0)
    assert reward_range_of(log, (1.0, 1.0))[0] == (1.0, 1.0)
    with pytest.raises(DataError):
        reward_range_of(log, (0.0, 0.99))
    with pytest.raises(DataError):
        reward_range_of(log, (1.01, 2.0))


def test_of_equal_outcomes_at_the_border_the_first_is_kept():
    """Seven columns of the folded table have a 5; of the two ones the first stands outside of them."""
    values = np.zeros(2_048)
    values[513:520] = 5.0
    values[[9, 1_025]] = 1.0
    assert largest(values).tolist() == [*range(513, 520), 9]


# ---- messages


def test_twenty_are_shown_and_the_others_counted():
    assert (_where("p", np.arange(SHOWN)).count(","), "more" in _where("p", np.arange(SHOWN))) == (SHOWN, False)
    assert _where("p", np.arange(SHOWN + 1)).endswith(f" {SHOWN - 1} and 1 more")
    assert _where("p", np.arange(1)) == "policy p, matured row 0"
    log = make_log(30)
    names = Catalog.from_names([f"a{i:02d}@email" for i in range(SHOWN + 5)])
    other = SimpleNamespace(name="p", catalog=names)
    with pytest.raises(DataError) as wrong:
        _require_actions(other, log)
    assert str(wrong.value).count("@") == SHOWN
    frame = pd.DataFrame({"decision_id": log.decision_id[:2], "none": 1.0})
    with pytest.raises(DataError) as wrong:
        read_probabilities(frame, log)
    (told,) = wrong.value.problems
    assert told.value.split(", ") == [str(one) for one in log.decision_id[2 : 2 + SHOWN]]
    assert told.fix == "28 decisions of the log lack a row."
