"""Figures of an evaluation at their edges, by hand: what is small, what is even, what is just at a bar."""

import dataclasses
import inspect
import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_ope_diagnose import SOUND
from test_ope_diagnostics_exact import NUMBER, plain_sample
from test_ope_log import K, always, make_log, within
from test_ope_over_time_exact import in_blocks, sample_of

import campaignrl.ope.evaluate as whole_module
from campaignrl.ope import leaks, row_checks
from campaignrl.ope.data import LogSample
from campaignrl.ope.data.row_order import ascending
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.diagnostics.evidence import COSTS, STAKES
from campaignrl.ope.diagnostics.holdout import holdout_of
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.over_time import not_in_yet
from campaignrl.ope.diagnostics.repeats import _alike, repeats
from campaignrl.ope.diagnostics.verdict import P_ALARM, _share, diagnose
from campaignrl.ope.estimators import bandit, weights
from campaignrl.ope.estimators.marginal_weights import _Dimension
from campaignrl.ope.estimators.weights import effective_sample_size, max_weight_share
from campaignrl.ope.figures import figures_of
from campaignrl.ope.intervals import Clusters, Estimate
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds
from campaignrl.ope.intervals.empirical_likelihood import PairSums, cressie_read_point
from campaignrl.ope.intervals.regression_t import freedom_of_stakes
from campaignrl.ope.methods import Evaluation, Evidence, weighted_mean, weighted_rows
from campaignrl.ope.methods import registry as methods_registry
from campaignrl.ope.methods.likelihood_of_rows import largest, smallest
from campaignrl.ope.methods.preparation import propensities, with_loggers
from campaignrl.ope.nuisance.cross_fitting import GivenPredictions
from campaignrl.ope.refit_bootstrap import REFITTED, _spread
from campaignrl.ope.streaming import figures as stream_figures
from campaignrl.ope.streaming.sums import keys_of

# ---- rewards that are not in yet


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_what_is_owed_by_loops(unit, monkeypatch):
    """Never less than a thousandth of the mean reward, whatever the model expects; the same in every unit."""
    told = []
    monkeypatch.setattr(sys.modules[not_in_yet.__module__], "_late", lambda *words: told.append(words) or "late")
    reward = unit * in_blocks((32, 1.0), (16, 0.7), (8, 0.4), (8, 0.2))
    day = np.arange(640) // 10
    expected = unit * np.tile([*[1.0, 1.1, 0.9, 0.5] * 4, 0.8, -0.5, 0.0, 1.2], 32)
    sample = sample_of(reward, day, expected)
    assert not_in_yet(sample, sample.customer) == ("late",)
    (found_day, found_reward, due, since, ratio) = told[0]
    owed = [max(e, 0.0) + 0.001 * sum(reward) / 640 for e in expected]
    old = [i for i in range(640) if day[i] < since - (63 - since + 1)]
    new = [i for i in range(640) if day[i] >= since]
    rate = sum(reward[i] for i in old) / sum(owed[i] for i in old)
    assert due == pytest.approx([rate * o for o in owed])
    assert ratio == pytest.approx(sum(reward[i] for i in new) / sum(rate * owed[i] for i in new))
    assert (found_day is not None, found_reward.tolist()) == (True, reward.tolist())


# ---- the point of empirical likelihood


def test_weights_of_a_mean_of_just_one_may_miss_the_least():
    """0.5 and 1.5 and the least, 0: chances of 1/6, 1/2 and 1/3 would give a mean weight of 5/6; these give 1."""
    w, y = np.array([0.5, 1.5]), np.array([1.0, 3.0])
    W, m = np.append(w, 0.0), 3
    mean, square = W.mean(), (W**2).mean()
    gamma, beta = (square - mean) / (mean**2 - square), (1 - mean) / (mean**2 - square)
    q = (-gamma - beta * W) / m
    assert (q.sum(), q @ W) == (pytest.approx(1.0), pytest.approx(1.0))
    found = cressie_read_point(PairSums.of(w, y), 0.0, 50.0, 0.3)
    assert found == pytest.approx(q[:2] @ y)


# ---- what is small


def test_weights_that_are_small_in_all_are_weights():
    light = np.array([0.1, 0.2])
    assert effective_sample_size(light) == pytest.approx(1.8)
    assert max_weight_share(light) == pytest.approx(2 / 3)
    assert (effective_sample_size(0 * light), max_weight_share(0 * light)) == (0.0, 1.0)
    assert stream_figures._effective(0.3, 0.05) == pytest.approx(1.8)
    assert stream_figures._effective(0.0, 0.0) == 0.0


# ---- what is left out


def test_pairs_and_parts_of_an_answer_that_are_left_out():
    assert inspect.signature(anytime_bounds).parameters["reward_range"].default == (0.0, 1.0)
    assert inspect.signature(figures_of).parameters["facts"].default == (None, None, 0.0)
    unlike = {field.name: (field.repr, field.compare) for field in dataclasses.fields(Evaluation)}
    assert {name for name, both in unlike.items() if both != (True, True)} == {"spread"}
    assert unlike["spread"] == (False, False)  # pictures alone


def test_stakes_halve_fourteen_times_and_cost_what_the_worst_row_takes():
    assert STAKES.tolist() == [2.0**-i for i in range(1, 15)]
    assert pytest.approx([-math.log(1.0 - s) - s for s in STAKES], rel=1e-6) == COSTS
    assert len(keys_of(np.array([], dtype=object))) == 0


# ---- the verdict where much was hardly tried


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"mean_weight": 0.9, "mean_weight_p": 0.0, "hardly_tried": 0.05}, "trust"),  # twice as much is missing
        ({"mean_weight": 0.9, "mean_weight_p": 0.0, "hardly_tried": 0.0499}, "caution"),
        ({"mean_weight": 0.8, "mean_weight_p": 0.0, "hardly_tried": 0.0499}, "refuse"),
        ({"mean_weight": 1.2, "mean_weight_p": 0.0, "hardly_tried": 0.5}, "refuse"),  # that explains no more than 1
        ({"mean_weight": 1.0, "mean_weight_p": 0.0, "hardly_tried": 0.5}, "caution"),
        ({"disagreement_p": 0.0, "hardly_tried": 0.01}, "caution"),
        ({"disagreement_p": 0.0, "hardly_tried": 0.0101}, "trust"),
        ({"disagreement_p": 1.0, "hardly_tried": 0.0}, "trust"),
    ],
)
def test_what_was_hardly_tried_explains_what_is_missing(changes, verdict):
    assert diagnose(SOUND._replace(**changes))[0] == verdict


# ---- tables that have learned from the rows


def evidence_of(reward, **columns):
    """Rows of as many customers, of whom nothing is expected."""
    n = len(reward)
    usual = {
        "predicted": np.zeros(n),
        "weight": np.ones(n),
        "expected": np.zeros(n),
        "clusters": Clusters(np.arange(n)),
    }
    bounds = {"off_support": 0.0, "weight_range": (0, 9), "reward_range": (0, 1), "predicted_range": (0, 1)}
    return Evidence(**{**usual, **bounds, "reward": reward, **columns})


def test_means_of_actions_by_the_others_rows_by_loops(monkeypatch):
    """The third action is of customers of one fold alone, the second of few and light rows."""
    n, folds = 48, 3
    log = make_log(n, rows=2)
    fold = log.customer % folds
    action = np.where(fold == 0, np.arange(n) % 4, np.where(np.arange(n) % 7 == 0, 1, 0))
    log = replace(log, action=action, reward=np.arange(n) % 5 / 4.0)
    p = np.random.default_rng(2).dirichlet(np.ones(K), n)
    weight = np.where(action == 1, 0.01, 0.5 + np.arange(n) % 3)
    monkeypatch.setattr(leaks, "blocks", lambda rows, k: [slice(0, 10), slice(10, rows)])
    found = leaks._by_action(log, target_policy_of(p, log), evidence_of(log.reward), folds, weight)
    for i in range(n):
        mean = []
        for a in range(K):
            others = [j for j in range(n) if fold[j] != fold[i] and action[j] == a]
            total = sum(weight[j] for j in others)
            mean.append(sum(weight[j] * log.reward[j] for j in others) / total if others else log.reward.mean())
        assert found.predicted[i] == pytest.approx(mean[action[i]])
        assert found.expected[i] == pytest.approx(p[i] @ mean)
    assert (found.reward.tolist(), found.weight.tolist()) == (log.reward.tolist(), [1.0] * n)


@pytest.mark.parametrize(("predicted", "by_action", "asked"), [(0.0, 0.0, 0), (0.0, 0.4, 1), (0.1, 0.0, 1)])
def test_without_a_model_means_of_actions_are_asked_first(predicted, by_action, asked, monkeypatch):
    log, told = make_log(40), []
    gaps = iter([0.5, *([by_action] if predicted == 0.0 else [])])
    monkeypatch.setattr(leaks, "_gap", lambda rows: next(gaps))
    monkeypatch.setattr(leaks, "_by_action", lambda *words: None)
    monkeypatch.setattr(leaks, "_missed", lambda *words: told.append(words) or (0.0, 0.0))
    rows = evidence_of(log.reward, predicted=np.r_[predicted, np.zeros(39)])
    assert leaks.leaked(log, SimpleNamespace(given=True), rows, 5, 0) == ()
    assert len(told) == asked


# ---- classifiers and loggers


def test_the_spread_of_draws_of_which_some_gave_nothing():
    made, nan = Estimate(5.0, 9.0, 9.0, 9.0, "t"), np.nan
    assert _spread(made, np.array([1.0, nan, 3.0, 2.0]), 0.5) == (5.0, 1.0, 1.5, 2.5, REFITTED)
    two = _spread(made, np.array([1.0, nan, 3.0]), 0.2)
    assert two[:4] == pytest.approx((5.0, 2.0**0.5, 1.2, 2.8))
    one = _spread(made, np.array([nan, 2.0]), 0.5)
    assert (one.ci_low, one.ci_high, np.isnan(one.std_error)) == (2.0, 2.0, True)
    assert np.isnan(_spread(made, np.array([nan, nan]), 0.5)[1:4]).all()


# ---- sentences and bars of the verdict


def test_a_tenth_of_a_billionth_is_nothing_and_a_mean_of_one_is_not_below_it():
    blind = {"certain_share": 1.0, "ess": 12.0, "mix": None}
    for off, help_ in ((1e-9, "What would help: log with at least"), (1.1e-9, "What would help: a log whose policy")):
        assert diagnose(SOUND._replace(**blind, off_support=off))[1][-1].startswith(help_)
    (said,) = diagnose(SOUND._replace(mean_weight=1.0, mean_weight_p=0.0))[1]
    assert "never tried" not in said
    verdict, reasons = diagnose(SOUND._replace(max_weight_share=0.05, max_customer_share=0.3))
    assert (verdict, reasons[0]) == ("refuse", "one customer holds 30% of the weight.")
    assert [_share(value) for value in (0.1, 0.125, 0.0999)] == ["10%", "12%", "9.99%"]


# ---- evidence and means of rows


def test_evidence_of_several_blocks_reaches_from_the_least_to_the_largest_prediction(monkeypatch):
    monkeypatch.setattr(weighted_rows, "blocks", lambda n, k: [slice(0, 10), slice(10, 30), slice(30, n)])
    log = make_log(40)
    q = np.full((40, K), 0.5)
    q[3, 1], q[20, 2], q[35, 0] = 0.25, 1.5, -0.5
    p = np.tile([0.1, 0.2, 0.3, 0.4], (40, 1))
    (found,) = weighted_rows.gather(log, [target_policy_of(p, log)], GivenPredictions(q, log), (0.0, 1.0))
    assert found.predicted_range == (-0.5, 1.5)
    assert found.expected == pytest.approx((p * q).sum(axis=1))
    (bare,) = weighted_rows.gather(log, [target_policy_of(p, log)], None, (0.0, 1.0))
    assert bare.predicted_range == (0.0, 0.0)
    high = replace(log, meta={**log.meta, "propensity_floor": 0.9})  # less than some rows have
    (floored,) = weighted_rows.gather(high, [target_policy_of(p, high)], None, (0.0, 1.0))
    assert floored.weight_range == (0.0, max(p[0][log.action] / log.propensity))


def test_some_rows_of_a_log_with_all_that_belongs_to_them():
    log = make_log(6, eligible=True, wave=np.arange(6), day=np.arange(6) + 3)
    at = np.array([1, 4])
    found = LogSample.of(log, at, np.array([7, 8]), None)
    assert found.action.tolist() == log.action[at].tolist()
    assert found.eligible.tolist() == log.eligible[at].tolist()
    assert (found.wave.tolist(), found.day.tolist()) == ([1, 4], [4, 7])
    assert found.columns["recency"].tolist() == log.context.columns["recency"][at].tolist()


def test_means_of_few_rows_and_of_none_that_weigh():
    pair = bandit.mr(np.array([0.5, 2.0]), np.array([3.0, 1.0])).above
    assert pair.tolist() == [1.5, 2.0]  # each its own group; of three two are one
    assert bandit.mr(np.array([0.5, 2.0, 4.0]), np.array([3.0, 1.0, 2.0])).above.tolist() == [1.5, 3.0, 6.0]
    none = bandit._ratio_of(np.ones(2), np.zeros(2))
    assert np.isnan(none.value)
    assert np.isnan(none.influence).all()
    weight, batch = np.array([3.0, 1.0, 0.5, 0.2]), np.array([0, 0, 1, 2])
    found = bandit.stabilised(weight, np.ones(4), np.zeros(4), np.full(4, 0.5), batch)
    steady = 1.0 / np.sqrt([5.0, 5.0, 1.0, 1.0])
    assert found.below == pytest.approx(steady)
    assert found.above == pytest.approx(steady * (0.5 + weight))


def test_a_customer_is_granted_what_was_seen_and_sixty_four_rows_do_not_tell_of_all():
    clusters = Clusters(np.arange(3))
    assert weights.customer_range(np.array([0.5, 9.0, 1.0]), clusters, (0.0, 2.0)) == (0.0, 9.0)
    assert weights.customer_range(np.array([-0.5, 1.5, 1.0]), clusters, (0.0, 2.0)) == (-0.5, 2.0)
    exact = np.resize(np.arange(1, 33) / 64, 64)
    assert weights.rounded_to_half_precision(exact)
    assert not weights.rounded_to_half_precision(np.r_[exact, exact, 0.1])


# ---- more of episodes


def test_eight_are_kept_where_more_are_beyond_what_most_rows_reach():
    values = np.zeros(512 * 20)
    values[5 + 512 * np.arange(12)] = 1.0 + np.arange(12)
    assert largest(values).tolist() == (5 + 512 * np.arange(11, 3, -1)).tolist()
    assert smallest(-values).tolist() == largest(values).tolist()


# ---- histograms, repeats and marginal weights


def test_repeats_are_told_beyond_the_bar_of_two_looks_and_of_columns_alone(monkeypatch):
    n = 400
    twice = plain_sample(NUMBER, {"x": np.repeat(np.arange(n / 2), 2)}, np.zeros(n, dtype=int))
    twice = twice._replace(customer=np.arange(n), reward=np.tile([1.0, 1.0, 0.0, 0.0], n // 4))
    assert len(repeats(twice)) == 1
    assert repeats(twice._replace(columns={})) == ()
    assert len(_alike(np.arange(5, dtype=np.uint64))) == 0
    for wealth, many in ((math.log(2.0 / P_ALARM) + 0.01, 1), (math.log(2.0 / P_ALARM) - 0.01, 0)):
        monkeypatch.setattr(sys.modules[repeats.__module__], "_wealth", lambda gap, wealth=wealth: wealth)
        assert len(repeats(twice)) == many


def test_a_marginal_weight_is_bounded_where_a_group_is_wanted():
    """The second group is hardly ever drawn where the policy does not want it, and half of the time where it does."""
    for never in (0.0, 0.2):  # with or without a group that is impossible somewhere
        dimension = _Dimension(np.array([-1, 0, 1]), 2)
        p = np.array([[1.0, 0.4], [0.0, 0.5], [0.0, 0.1]])
        b = np.array([[0.99 - never, 0.3], [0.01, 0.5], [never, 0.2]])
        dimension.take(slice(0, 2), np.array([0, 1]), p, b)
        found = dimension.result()
        assert found.weight == pytest.approx([1.0 / (0.99 - never), 1.0])
        assert found.range == (0.0, pytest.approx(max(1.0 / 0.3, 1.0)))
    same = _Dimension(np.array([-1, 0]), 1)
    same.take(slice(0, 1), np.array([0]), np.array([[0.25], [0.75]]), np.array([[0.25], [0.75]]))
    assert same.result().range == (0.0, 1.0)


# ---- whole answers


def test_of_two_policies_one_that_never_does_what_was_logged_silences_the_lift():
    log = make_log(80)
    log = replace(log, action=np.minimum(log.action, 2))
    never, q = np.tile([0.0, 0.0, 0.0, 1.0], (80, 1)), np.zeros((80, K))
    for first, second in ((never, "logged"), ("logged", never)):
        assert np.isnan(whole_module.compare_on_log(log, first, second, q=q).value)
        assert np.isnan(whole_module.evaluate(log, first, reference=second, q=q).lift)
    assert whole_module.compare_on_log(log, within(log), "logged", q=q).value != 0.0


def test_what_is_said_of_a_policy_is_said_of_the_first_one(monkeypatch):
    log = make_log(200)
    usual, notes = whole_module.target_policy_of, {"first": ("said of the first",), "second": ("said of the second",)}

    def noted(given, rows):
        name = "first" if given is first else "second"
        return replace(usual(given, rows), notes=notes[name], learned_from=0.5 if name == "first" else 0.25, name=name)

    first, second = within(log), always(log, 1)
    monkeypatch.setattr(whole_module, "policy_of_rows", lambda policy, *words: policy, raising=False)
    monkeypatch.setattr(whole_module, "target_policy_of", noted)
    found = whole_module.evaluate(log, first, reference=second, q=np.zeros((200, K)))
    assert found.reasons[-1] == "said of the first"
    assert (found.policy, found.reference) == ("first", "second")
    assert "about 50% of these customers" in " ".join(found.reasons)
    assert "25%" not in " ".join(found.reasons)


# ---- means of weighted rows


def part_of_rows(weight, offset=0.0):
    n = len(weight)
    residual = np.array([50.0, 1.0, -2.0, 3.0, -4.0, 0.5])[:n]
    return weighted_mean.Weighted(np.full(n, 0.25), np.array(weight), (0.0, 9.0), residual, (-5.0, 60.0), offset)


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_what_customers_showed_by_hand(offset, monkeypatch):
    """One row each: the first has just the mean weight, and is on neither side of it."""
    asked = []
    monkeypatch.setattr(weighted_mean, "likelihood_ends", lambda *words: asked.append(words) or (-0.125, 0.5))
    part, clusters = part_of_rows([1.0, 0.5, 0.25, 2.0, 3.0, 1.5], offset), Clusters(np.arange(6))
    assert weighted_mean.likelihood_interval(part, clusters, 0.1) == (0.125, 0.75)
    seen, bounds, residual_range, told, alpha = asked[0]
    terms = (part.weight - offset) * part.residual
    assert (bounds, residual_range, told, alpha) == ((0.0, 9.0), (-5.0, 60.0), offset, 0.1)
    assert seen.sums == pytest.approx(PairSums.of(part.weight, terms))
    assert (seen.row, seen.totals) == (1.0, (0.0, 9.0))
    assert seen.usual == pytest.approx(terms.mean() / part.weight.mean())
    assert seen.above == pytest.approx([min(terms[3:]), max(terms[3:])])
    assert seen.below == pytest.approx([min(terms[1:3]), max(terms[1:3])])
    ones = part_of_rows([1.0, 1.0, 1.0], offset)
    weighted_mean.likelihood_interval(ones, Clusters(np.array([0, 0, 1])), 0.1)
    seen, bounds = asked[1][:2]
    assert (bounds, seen.row) == ((1.0, 1.0), 2 / 3)
    nothing = part_of_rows([0.0, 0.0, 0.0], offset)
    weighted_mean.likelihood_interval(nothing, Clusters(np.arange(3)), 0.1)
    assert asked[2][0].usual == pytest.approx(((0.0 - offset) * nothing.residual).mean() / 1e-12)


@pytest.mark.parametrize(("speaking", "looks"), [(30.0, True), (29.999, False)])
def test_what_is_seen_is_looked_at_from_thirty_speaking_rows_on(speaking, looks, monkeypatch):
    monkeypatch.setattr(weighted_mean, "seen", lambda *words: "seen")
    for way, ends in (("interval_of_value", "value_ends"), ("interval_of_difference", "difference_ends")):
        monkeypatch.setattr(weighted_mean, ends, lambda found, *words: (found, words[:2]))
        made = getattr(weighted_mean, way)(part_of_rows([1.0, 2.0]), Clusters(np.arange(2)), 0.1, speaking, None)
        assert made == ("seen" if looks else None, (speaking, 0.1))


def test_ends_of_what_may_have_been_missed_by_hand(monkeypatch):
    asked = []
    monkeypatch.setattr(weighted_mean, "cressie_read", lambda *words: asked.append(words) or (0.0, 1.0))
    seen = weighted_mean.LikelihoodInputs(None, 0.5, 0.25, (0.5, 4.0), [-7.0, 8.0], [-9.0, 11.0])
    for offset in (0.0, 1.0):
        weighted_mean.likelihood_ends(seen, (0.2, 6.0), (-1.0, 2.0), offset, 0.1)
    for offset, (_, low, high, alpha, outliers) in zip((0.0, 1.0), asked, strict=True):
        least, largest = (
            [0.5 * (bound - offset) * r + (total - 0.5 * bound) * 0.25 for r in (-1.0, 2.0)]
            for bound, total in ((0.2, 0.5), (6.0, 4.0))
        )
        least, largest = [*least, *([-9.0, 11.0] if offset else [])], [*largest, -7.0, 8.0]
        assert [one[:2] for one in low] == [(0.5, pytest.approx(min(least))), (4.0, pytest.approx(min(largest)))]
        assert [one[:2] for one in high] == [(0.5, pytest.approx(max(least))), (4.0, pytest.approx(max(largest)))]
        assert (alpha, outliers) == (0.1, seen.outliers)


# ---- loggers, holdouts and orders


def test_a_holdout_without_a_salt_is_drawn_by_nothing_and_sorted_rows_keep_their_order(monkeypatch):
    asked = []
    module = sys.modules[holdout_of.__module__]
    usual = module.drawn
    monkeypatch.setattr(module, "drawn", lambda *words: asked.append(words[2]) or usual(*words))
    for meta, salt in (({"holdout": 0.2}, 0), ({"holdout": 0.2, "holdout_salt": 5}, 5)):
        assert holdout_of(make_log(100, meta=meta)) is not None
        assert asked.pop() == salt
    values = np.random.default_rng(0).integers(0, 3, 5_000).astype(float)
    assert ascending(values).tolist() == np.argsort(values, kind="stable").tolist()
    assert ascending(np.array([2.0, 1.0])).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "i2", "i4", ">i4", "i8", "u1", "u2", "u4", "u8", "?"])
@pytest.mark.parametrize("n", [0, 1, 2, 70_001])
def test_rows_of_any_column_are_sorted_as_a_stable_sort_does(dtype, n):
    rng, kind = np.random.default_rng(n), np.dtype(dtype).kind
    if kind == "f":
        values = (rng.normal(size=n) * 10.0 ** rng.integers(-4, 4, n)).round(3).astype(dtype)
        values[:6] = [0.0, -0.0, np.inf, -np.inf, 0.0, -0.0][: len(values)]
    else:
        ends = (0, 2) if kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        values = rng.integers(*ends, n, dtype=np.dtype(dtype).newbyteorder("=")).astype(dtype)
        values[: n // 2] = values[:1]
    before = values.copy()
    assert (ascending(values) == np.argsort(values, kind="stable")).all()
    assert values.tobytes() == before.tobytes()


def test_freedom_of_balanced_stakes_has_no_unit():
    stake, residual = np.random.default_rng(0).normal(size=60), np.random.default_rng(1).normal(size=60)
    whole = freedom_of_stakes(stake, residual, 60.0)
    assert whole > 1.0
    assert freedom_of_stakes(1e-3 * stake, residual, 60.0) == pytest.approx(whole)
    assert freedom_of_stakes(0.0 * stake, residual, 60.0) == 0.0


# ---- estimators that hold weights back, and differences


@pytest.mark.parametrize("name", ["ips_clip", "dros", "dr"])
def test_what_is_lost_by_holding_weights_back_is_of_rewards_or_of_residuals(name, monkeypatch):
    asked = []
    monkeypatch.setattr(methods_registry, "choose", lambda *words: asked.append(words) or 3.0)
    weight = np.array([0.5, 4.0, 20.0])
    rows = evidence_of(np.array([1.0, 0.0, 2.0]), weight=weight, predicted=np.array([0.25, 0.5, 0.75]))
    found = methods_registry.setting_of(name, rows, "mse")
    if name == "dr":
        assert (found, asked) == (None, [])
        return
    assert found == 3.0
    tuning, grid, at, lost, w, clusters = asked[0]
    assert (tuning, w.tolist(), clusters) == ("mse", weight.tolist(), rows.clusters)
    held = methods_registry.ESTIMATORS[name].held
    assert grid == held.grid
    residual = rows.reward - (rows.predicted if name == "dros" else 0.0)
    assert lost(2.0) == pytest.approx((weight - held.weight(weight, 2.0)) * residual)
    assert at(2.0).value == pytest.approx(methods_registry.ESTIMATORS[name].terms(rows, 2.0).point().value)


def test_policies_of_equal_weights_differ_where_the_model_expects_another_value():
    reward = np.array([1.0, 0.0, 1.0, 0.0])
    first = evidence_of(reward, expected=np.array([0.5, 0.25, 0.25, 0.25]), predicted=np.full(4, 0.25))
    second = first._replace(expected=np.full(4, 0.25))
    found = methods_registry.difference(first, second, 0.1)
    assert found.value == pytest.approx(0.0625)
    assert found.ci_low < found.value < found.ci_high or found.std_error > 0.0
    nothing = methods_registry.difference(first, first, 0.1)
    assert nothing[:4] == (0.0, 0.0, 0.0, 0.0)
    other = first._replace(weight=np.array([2.0, 0.5, 1.0, 1.0]))
    assert methods_registry.difference(other, first, 0.1).value == pytest.approx(
        np.mean((other.weight - first.weight) * (reward - 0.25))
    )


def test_an_answer_says_which_it_chose_and_how_much_it_held_back_only_where_it_did():
    log = make_log(300)
    usual = str(whole_module.evaluate(log, within(log), q=np.zeros((300, K))))
    assert "weights held back" not in usual
    chosen = whole_module.evaluate(log, within(log), q=np.zeros((300, K)), estimators=("auto",))
    assert chosen.selection
    assert chosen.selection in str(chosen)


def test_a_row_far_below_decides_as_one_far_above():
    log = SimpleNamespace(customers=np.array(["a"]), customer=np.zeros(40, dtype=int), reward=np.arange(40.0))
    for far in (-80.0, 80.0):
        terms = np.where(np.arange(40) == 7, far, np.sign(-far) * (np.arange(40) % 2))
        (found,) = outlier(log, terms)
        assert found.text.startswith("row 7 ")


# ---- figures, words and settings of an answer


def test_figures_of_few_light_rows_by_hand():
    reward, weight = np.array([0.5, 0.0, 2.0, 1.0, 1.0]), np.array([0.5, 0.75, 0.0, 12.0, 0.25])
    rows = evidence_of(reward, weight=weight, clusters=Clusters(np.array([0, 0, 1, 2, 2])), off_support=0.125)
    log = SimpleNamespace(propensity=np.array([0.5, 0.25, 0.1, 0.3, 0.5]))
    found = figures_of(log, rows, 0.25, 3, {}, (0.0625, None, 0.75))
    assert (found.n, found.customers, found.outcomes, found.one_reward) == (5, 3, 3, False)
    assert (found.dropped_share, found.certain_share, found.off_support) == (3 / 8, 0.25, 0.125)
    assert found.max_weight_share == pytest.approx(12.0 / 13.5)
    assert found.max_customer_share == pytest.approx(12.25 / 13.5)
    assert found.clipped_mass == pytest.approx(2.0 / 5)
    assert figures_of(log, rows, 0.0, 0, {"ips_clip": 0.5}).clipped_mass == pytest.approx((0.25 + 11.5) / 5)
    assert found.supported_value == pytest.approx((0.25 + 12.0 + 0.25) / 5)
    assert found.snips == pytest.approx(12.5 / 13.5)
    assert found.mix == weights.closest_mix(weight, 2.5)
    assert (found.calibration_gap, found.holdout, found.learned_from) == (0.0625, None, 0.75)
    many = figures_of(SimpleNamespace(propensity=np.full(3_000, 0.5)), evidence_of(np.ones(3_000)), 0.0, 0, {})
    assert (many.mix, many.one_reward) == (weights.closest_mix(np.ones(3_000), 1_000), True)
    assert figures_of(log, rows._replace(reward=np.array([0.5, 0.5, 0.5, 0.5, 1.0])), 0.0, 0, {}).one_reward is False
    assert figures_of(log, rows._replace(reward=np.array([1.0, 0.5, 0.5, 0.5, 0.5])), 0.0, 0, {}).one_reward is False


def test_one_estimator_that_asks_for_loggers_is_enough():
    log = make_log(60, wave=np.arange(60) // 30)
    log = replace(log, propensity=np.full(60, 0.25))
    rows = [evidence_of(log.reward)]
    assert propensities(log, None, ("dr", "mips_offer"), 2, 0)[2] is not None
    assert propensities(log, None, ("dr",), 2, 0)[2] is None
    (found,) = with_loggers(rows, log, ("dr", "balanced"))
    assert found.pooled == pytest.approx(np.ones(60))
    assert found.batch is None
    (found,) = with_loggers(rows, log, ("dr", "stabilised"))
    assert found.pooled is None
    assert found.batch.tolist() == log.wave.tolist()
    (found,) = with_loggers(rows, replace(log, wave=None, day=np.arange(60) // 20 + 5), ("stabilised",))
    assert found.batch.tolist() == (np.arange(60) // 20).tolist()


def test_weights_terms_and_residuals_of_a_lift_at_some_rows():
    reward, predicted = np.array([1.0, 0.0, 2.0, 0.5]), np.array([0.25, 0.5, 0.75, 1.0])
    first = evidence_of(reward, predicted=predicted, weight=np.array([2.0, 0.5, 1.0, 0.0]), expected=np.full(4, 0.5))
    second = first._replace(weight=np.array([1.0, 1.5, 0.25, 3.0]), expected=np.array([0.1, 0.2, 0.3, 0.4]))
    at = np.array([0, 3])
    residual, apart = (reward - predicted)[at], (first.weight - second.weight)[at]
    wanted = [residual, 1.0 + apart, (first.expected - second.expected)[at] + apart * residual]
    assert row_checks._gain(first, second, at) == pytest.approx(np.array(wanted))
