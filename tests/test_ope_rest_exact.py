"""What of evaluations has no file of its own: the choice of `auto`, weights of slots, models that are given, notes."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, special, stats
from test_ope_methods_exact import LOG, evidence

from campaignrl.errors import DataError, SupportError, UsageError
from campaignrl.ope.comparison.equivalence import Conclusion, conclude, conclusion_of_best, independent_difference
from campaignrl.ope.comparison.policies import bonferroni, holm, ratio
from campaignrl.ope.comparison.subgroups import _chance
from campaignrl.ope.data.log_sample import sampled, sampled_of_kept
from campaignrl.ope.diagnostics import cells
from campaignrl.ope.diagnostics.cells import _of_codes
from campaignrl.ope.diagnostics.few_events import few_events
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.robust import caps
from campaignrl.ope.episodes.result import EpisodeEvaluation
from campaignrl.ope.episodes.return_distribution import distribution_of
from campaignrl.ope.episodes.support_horizon import Step
from campaignrl.ope.intervals import EMPIRICAL_LIKELIHOOD, REGRESSION_T
from campaignrl.ope.intervals.clustered import Clusters, Estimate, Point, numbered, p_value_of_gap, std_error
from campaignrl.ope.intervals.confidence_sequences import Path, mixture, stitched
from campaignrl.ope.intervals.empirical_likelihood import Extreme, PairSums, _least_mean, _lower_end
from campaignrl.ope.intervals.quantiles import f_quantile, f_tail
from campaignrl.ope.intervals.regression_t import events_of, one_sided
from campaignrl.ope.methods import selection, weighted_mean
from campaignrl.ope.methods.registry import ESTIMATORS, USUAL, _slots, with_own_weights
from campaignrl.ope.methods.shrinkage import choose, slope, width
from campaignrl.ope.methods.weighted_mean import (
    LikelihoodInputs,
    Seen,
    around,
    difference_within,
    likelihood_ends,
    narrower,
    sums_of_part,
)
from campaignrl.ope.methods.weighted_mean import within as within_range
from campaignrl.ope.nuisance.density_ratios import _odds
from campaignrl.ope.streaming.model import GivenModel


def test_auto_chooses_among_the_usual_ones_that_weigh():
    assert selection.CANDIDATES == ("ips", "ips_clip", "snips", "dr", "sndr", "dros", "switch_dr")
    assert set(selection.CANDIDATES) == set(USUAL) - {"dm"}
    assert selection.asked(("dm", "dr")) == (("dm", "dr"), ())
    names, candidates = selection.asked(("dm", "auto", "dr"))
    assert names == ("dm", "dr", "ips", "ips_clip", "snips", "sndr", "dros", "switch_dr")
    assert candidates == selection.CANDIDATES


def test_auto_takes_the_least_noisy_that_agrees_with_all_noisier_ones():
    names, e = selection.CANDIDATES, evidence()
    views, settings = dict.fromkeys((*names, "dm"), e), dict.fromkeys(names)
    points = [ESTIMATORS[name].terms(e, settings[name]).point() for name in names]
    values, widths = np.array([p.value for p in points]), np.array([width(p, e.clusters) for p in points])
    told, kept = selection.selected(("dm",), names, views, settings)
    best = names[slope(values, widths)]
    assert told == f"auto took {best}, the least noisy of 7 that agrees with all noisier ones"
    assert list(kept) == [name for name in views if name in ("dm", best)]
    assert selection.selected(("dm",), (), views, settings) == ("", views)
    broken = e._replace(reward=np.full(len(e.weight), math.nan))
    few = {**views, **{name: broken for name in names if name != "dr"}}
    told, kept = selection.selected(("snips",), names, few, settings)
    assert told.startswith("auto took dr, the least noisy of 1 ")
    assert list(kept) == ["snips", "dr"]
    told, _ = selection.selected((), names, dict.fromkeys(names, broken), settings)
    assert told.startswith("auto took dr, the least noisy of 0 ")


def marginal(weight, least, largest, off):
    return SimpleNamespace(weight=np.array(weight), range=(least, largest), off_support=off)


def test_weights_of_two_slots_add_up():
    parts = SimpleNamespace(
        offer=marginal([1.0, 2.0], 0.0, 5.0, 0.1),
        channel=marginal([3.0, 0.5], 0.0, 7.0, 0.2),
        contact=marginal([1.5, 0.25], 0.0, 2.0, 0.0),
    )
    weight, bounds, off = _slots(parts)
    assert (weight.tolist(), bounds, off) == ([2.5, 2.25], (-2.0, 12.0), 0.2)


def test_weights_over_all_loggers_reach_at_least_one():
    e = evidence()
    for factor in (1e-6, 3.0):
        own = with_own_weights("balanced", e._replace(pooled=np.full(len(e.weight), factor)))
        assert own.weight.tolist() == (e.weight * factor).tolist()
        assert own.weight_range == (0.0, max(float(e.weight.max()) * factor, 1.0))
    assert with_own_weights("balanced", e) is e
    assert with_own_weights("dr", e._replace(pooled=np.ones(len(e.weight)))).weight is e.weight


def test_a_model_that_is_given_must_answer_for_every_row_and_action():
    shape = (len(LOG), len(LOG.catalog))

    def given(q):
        return GivenModel(SimpleNamespace(predict=lambda log: q)).predict(LOG)

    assert given(np.ones(shape)).shape == shape
    hole = np.ones(shape)
    hole[3, 1] = np.nan
    for bad in (np.ones(shape[::-1]), np.ones(shape[0]), hole, np.full(shape, np.inf)):
        with pytest.raises(DataError, match="finite numbers of shape"):
            given(bad)


def test_levels_of_few_rows_share_a_cell_and_of_many_the_rarest(monkeypatch):
    monkeypatch.setattr(cells, "FEW", 2)
    monkeypatch.setattr(cells, "LEVELS", 2)

    def of(counts, called="abcde"):
        code = np.repeat(np.arange(len(counts)), counts)
        found = _of_codes("x", code, list(called[: len(counts)]))
        return found.called, np.bincount(found.cell, minlength=len(found.called)).tolist()

    assert of([2, 3]) == (("a", "b"), [2, 3])
    assert of([1, 3]) == (("b", "`x` is something rare"), [3, 1])
    assert of([3, 1]) == (("a", "`x` is something rare"), [3, 1])
    assert of([2, 4, 3]) == (("b", "c", "`x` is something rare"), [4, 3, 2])
    assert of([3, 3, 3, 0]) == (("a", "b", "`x` is something rare"), [3, 3, 3])  # of equal ones the first
    assert of([1, 1]) == (("`x` is something rare",), [2])


def told(**changes):
    made = object.__new__(EpisodeEvaluation)
    steps = [Step(s, 1.0, 100, 1000.0 / s, math.nan, 0.1, 1.0) for s in range(1, 14)]
    facts = {
        "horizon": 13, "discount": 1.0, "lasting": 7, "curve": tuple(steps), "n": 1300, "customers": 100,
        "policy": "p", "reward": "margin", "log_policy": "u", **changes,
    }  # fmt: skip
    for name, value in facts.items():
        object.__setattr__(made, name, value)
    return made


def test_steps_that_are_shown_and_what_a_value_is_of(monkeypatch):
    monkeypatch.setattr(EpisodeEvaluation.__mro__[1], "_notes", lambda self: ["more"])
    notes = told()._notes()
    assert notes[1:] == ["more"]
    shown = notes[0].removeprefix("effective sample size by step   ").split("  ")
    assert shown == ["1: 1,000", "5: 200", "7: 143", "8: 125", "10: 100", "13: 77"]
    assert told(curve=())._notes()[0] == "no step can be followed"
    assert told()._heading() == (
        "p: margin, per customer over 13 steps, from 1,300 decisions of 100 customers, logged by u"
    )
    assert "(discounted by 0.9 a step)" in told(discount=0.9)._heading()


def test_one_row_that_is_nearly_all_of_the_spread_is_named():
    log = SimpleNamespace(customers=np.array(["a", "b"]), customer=np.array([0] * 29 + [1]), reward=np.arange(30.0))
    terms = np.zeros(30)
    terms[29] = 60.0
    (found,) = outlier(log, terms)
    assert "row 29 (customer b, reward 29) by itself moves dr from 0 to 2:" in found.text
    assert outlier(log, terms[1:]) == ()  # 29 rows are few
    assert outlier(log, np.zeros(30)) == ()
    terms[:15], terms[15:29] = -6.0, 6.0
    assert outlier(log, terms) == ()


def test_rewards_are_cut_by_five_rows_at_least_at_either_end():
    reward = np.concatenate([np.zeros(50), np.arange(1.0, 12.0)])
    assert caps(reward) == (0.0, 6.0)  # eleven: five at either end, one stays
    assert caps(reward[:-1]) == (0.0, 10.0)  # ten: nothing would stay
    assert caps(-reward) == (-6.0, 0.0)
    assert caps(np.zeros(0)) == (0.0, 0.0)
    many = np.arange(1.0, 1201.0)
    assert caps(many) == (0.0, 1194.0)  # six of 1,200
    assert caps(np.arange(1.0, 1202.0)) == (0.0, 1194.0)  # and a part of a row is one


def seen_of(events, rows, both=False):
    residual = np.array([1.0, -1.0] if both else [1.0, 2.0])
    kind = type("SeenOf", (Seen,), {"events": property(lambda self: events)})
    return kind(None, np.zeros(0), np.zeros(0), residual, 0.0, rows)


@pytest.mark.parametrize(
    ("events", "rows", "speaking", "both", "speaks", "tells"),
    [
        (30.0, 1e6, 100.0, False, True, True),
        (30.0, 1e6, 99.9, False, False, False),  # too few rows speak
        (29.9, 1e6, 100.0, False, True, False),  # too few events of one side
        (29.9, 1e6, 100.0, True, True, True),  # of both sides they need not be so many
        (300.0, 300.0, 30.0, False, True, True),  # so common that thirty rows have had thirty
        (300.0, 300.0, 29.9, False, False, False),
        (600.0, 1000.0, 50.0, False, True, True),  # 50 x 600 / 1,000
        (599.0, 1000.0, 50.0, False, False, False),
        (25.0, 25.0, 1e9, False, True, False),  # no more rows speak than there are
    ],
)
def test_a_value_is_told_where_enough_rows_speak_of_enough_events(events, rows, speaking, both, speaks, tells):
    seen = seen_of(events, rows, both)
    assert (seen.speaks(speaking), seen.tells_value(speaking)) == (speaks, tells)


def test_the_narrower_of_two_intervals_and_the_likelihood_of_equal_ones():
    likely, sharp = (0.0, 2.0), (0.5, 1.5)
    assert narrower(likely, sharp) == (sharp, REGRESSION_T)
    assert narrower(sharp, likely) == (sharp, EMPIRICAL_LIKELIHOOD)
    assert narrower(likely, None) == (likely, EMPIRICAL_LIKELIHOOD)
    assert narrower((0.0, 2.0), (1.0, 3.0)) == ((0.0, 2.0), EMPIRICAL_LIKELIHOOD)


def test_an_interval_holds_its_value_and_lies_within_what_is_possible():
    assert within_range((-1.0, 5.0), (0.0, 2.0)) == (0.0, 2.0)
    assert around(3.0, (0.0, 2.0)) == (0.0, 3.0)
    assert around(-1.0, (0.0, 2.0)) == (-1.0, 2.0)
    assert difference_within(0.5, 0.1, (-9.0, 9.0), 2.0, "x") == (0.5, 0.1, -2.0, 2.0, "x")
    assert difference_within(2.5, 0.1, (-1.0, 1.0), 2.0, "x") == (2.5, 0.1, -1.0, 2.5, "x")
    w, y = sums_of_part(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 4.0]), 0.5)
    assert (w.tolist(), y.tolist()) == ([0.5, 0.0, 2.5], [0.5, 0.0, 1.5])


def test_ends_of_what_may_have_been_missed(monkeypatch):
    """The corners of one extreme row beside usual ones, and what customers of such weights showed."""
    asked = []
    monkeypatch.setattr(weighted_mean, "cressie_read", lambda *words: asked.append(words) or (0.0, 1.0))
    known = LikelihoodInputs(None, 0.5, 0.2, (0.25, 4.0), [-9.0, 9.0], [-7.0, 7.0])
    for offset, more in ((0.0, []), (1.0, [-7.0, 7.0])):
        likelihood_ends(known, (0.0, 6.0), (-2.0, 3.0), offset, 0.1)
        least = [0.5 * (0.0 - offset) * r + 0.25 * 0.2 for r in (-2.0, 3.0)] + more
        most = [0.5 * (6.0 - offset) * r + (4.0 - 3.0) * 0.2 for r in (-2.0, 3.0)] + [-9.0, 9.0]
        _, low, high, alpha, _ = asked[-1]
        assert alpha == 0.1
        assert [tuple(one[:2]) for one in low] == [(0.25, pytest.approx(min(least))), (4.0, pytest.approx(min(most)))]
        assert [tuple(one[:2]) for one in high] == [(0.25, pytest.approx(max(least))), (4.0, pytest.approx(max(most)))]


def test_as_many_equal_events_and_on_which_side_they_are():
    ones = np.array([1.0] * 4 + [0.0] * 6)
    assert [events_of(ones, rows) for rows in (10.0, 100.0)] == [4.0, 40.0]  # as many in a tenth of the rows
    assert events_of(7.0 * ones, 10.0) == 4.0
    assert events_of(np.array([100.0, 1.0, 1.0]), 3.0) == pytest.approx(1.0004)
    assert events_of(np.zeros(5), 5.0) == 0.0
    assert events_of(np.zeros(0), 5.0) == 0.0

    def sides(above, below):
        return one_sided(np.array([10.0] * above + [-10.0] * below + [0.0] * (100 - above - below)))

    assert [sides(16, 4), sides(17, 4), sides(4, 16), sides(4, 17), sides(0, 1)] == [False, True, False, True, True]
    assert not one_sided(np.zeros(3))
    assert not one_sided(np.zeros(0))


def test_two_estimates_are_apart_by_more_than_rounding():
    assert p_value_of_gap(1.0, 1.0 + 1e-10, 1e-12) == 1.0
    assert p_value_of_gap(0.0, 0.0, 1.0) == 1.0
    assert p_value_of_gap(1.0, 2.0, 0.0) == 1.0
    assert p_value_of_gap(1.0, 2.0, math.nan) == 1.0
    assert p_value_of_gap(2.0, 0.04, 1.0) == pytest.approx(0.05, rel=1e-3)
    assert p_value_of_gap(0.04, 2.0, 1.0) == p_value_of_gap(2.0, 0.04, 1.0)


def test_customers_are_numbered_in_their_order_whatever_the_order_of_rows():
    assert numbered(np.array([3, 3, 5, 9])).tolist() == [0, 0, 1, 2]
    assert numbered(np.array([5, 3, 9, 3])).tolist() == [1, 0, 2, 0]
    assert numbered(np.array([], dtype=int)).tolist() == []
    clusters = Clusters(np.array([7, 2, 7]))
    assert (len(clusters), clusters.numbers.tolist(), clusters.of_rows().tolist()) == (2, [2, 7], [1, 0, 1])
    assert clusters.scaled(np.array([1.0, 2.0, 4.0])).tolist() == pytest.approx([4 / 3, 10 / 3])
    influence = np.array([1.0, -2.0, 1.0])
    assert std_error(influence, clusters) == pytest.approx(math.sqrt(2.0 / 1.0 * (4.0 + 4.0)) / 3)
    assert math.isnan(std_error(influence, Clusters(np.zeros(3, dtype=int))))


def test_few_events_on_one_side_are_told_where_they_are_few_and_there_are_rows_enough():
    def said(events, rows, sign=1.0, apart=1):
        residual = np.zeros(rows)
        residual[:events] = sign
        sample = SimpleNamespace(gain=(residual,), customer=np.arange(rows) // apart)
        return [finding.text.partition(" rewards")[0] for finding in few_events(sample, rows)]

    assert said(1, 100) == ["about 1 of 100"]
    assert said(19, 100) == said(19, 100, -1.0) == ["about 19 of 100"]
    assert said(20, 100) == said(0, 100) == []
    assert said(1, 20) == []  # no more rows than few events
    assert said(1, 21) == ["about 1 of 21"]
    assert said(4, 100, apart=4) == ["about 1 of 100"]  # of one customer they are one
    assert few_events(SimpleNamespace(gain=None), 100) == ()


def test_no_lower_bound_of_a_reward_is_above_all_rewards():
    """Means of weighted rewards may be: candidates end at the largest reward."""
    low = mixture(Path.of(np.full(2_000, 1.8)), 0.05)
    assert low.max() <= 1.0
    assert low[-1] == pytest.approx(1.0)
    assert mixture(Path.of(np.zeros(50)), 0.05).max() == 0.0


def test_an_endless_weight_uses_up_its_part_of_the_budget():
    w, y = np.array([0.5, 1.0, 2.0, 0.5]), np.array([1.0, 0.0, 3.0, 2.0])
    sums = PairSums.of(w, y)
    extreme = Extreme(math.inf, 0.0, 0.25)
    centre = 0.25 + (y - 0.25 * w).mean()
    none = np.zeros((2, 0))
    assert _lower_end(sums, extreme, 5 / 4, none) == pytest.approx(centre)
    assert _lower_end(sums, extreme, 5 / 4 - 1e-9, none) is None
    spread = ((y - 0.25 * w - (y - 0.25 * w).mean()) ** 2).sum() / 5
    assert _lower_end(sums, extreme, 5 / 4 + 0.5, none) == pytest.approx(centre - math.sqrt(spread * 0.5 / 5))


def test_a_fold_whose_others_have_no_weight_keeps_its_rows_as_they_are():
    chance = np.random.default_rng(5)
    X, fold = chance.normal(size=(60, 2)), np.arange(60) % 3
    weight = np.where(fold == 0, 1.0 + X[:, 0] ** 2, 0.0)
    found = _odds(X, weight, fold, 3)
    ratio = found / found[fold == 0][0]
    assert ratio[fold == 0].tolist() == [1.0] * 20
    assert len(np.unique(ratio[fold == 1])) == 20
    assert found.mean() == pytest.approx(weight.mean())
    assert _odds(X, np.zeros(60), fold, 3).tolist() == [0.0] * 60
    assert _odds(X, np.full(60, 2.0), fold, 3).tolist() == [2.0] * 60


@pytest.mark.parametrize(("rows", "kept"), [(0, 0), (1, 1), (16_384, 16_384), (50_000, 16_384), (1_048_576, 32_768)])
def test_rows_that_are_looked_at_are_the_same_whatever_pieces_a_log_comes_in(rows, kept):
    whole = sampled(0, rows, rows)
    assert abs(len(whole) - kept) <= 256
    assert (np.diff(whole) > 0).all()
    windows, counts = np.unique(whole // 256, return_counts=True)
    assert (counts[:-1] == 256).all()
    assert len(windows) < 3 or (np.diff(np.diff(windows)) ** 2).max() <= 1  # evenly over the log
    edges = [0, 1, 255, 256, 257, 5_000, 40_007, rows]
    edges = sorted({min(edge, rows) for edge in edges})
    pieces = [sampled(first, last - first, rows) + first for first, last in pairwise(edges)]
    assert np.concatenate([np.zeros(0, int), *pieces]).tolist() == whole.tolist()


def test_rows_that_are_looked_at_among_those_that_are_kept():
    matured = np.arange(40_000) % 3 > 0
    at, kept = sampled(0, 40_000, 40_000), np.flatnonzero(matured)
    assert kept[sampled_of_kept(matured)].tolist() == [row for row in at.tolist() if matured[row]]
    assert sampled_of_kept(np.ones(40_000, dtype=bool)).tolist() == at.tolist()


@pytest.mark.parametrize("budget", [1.5, 4.0, 9.0, 14.0])
def test_the_least_mean_is_that_of_a_search_among_chances(budget):
    """Chances of at least 0 that sum to 1 with a mean weight of 1, as far from even ones as the budget allows."""
    chance = np.random.default_rng(4)
    w, y = chance.gamma(2.0, 0.5, 9), chance.normal(size=9) ** 3
    even = np.full(9, 1 / 9)
    rules = [
        {"type": "eq", "fun": lambda p: p.sum() - 1.0},
        {"type": "eq", "fun": lambda p: p @ w - 1.0},
        {"type": "ineq", "fun": lambda p: budget - ((9 * p - 1.0) ** 2).sum()},
    ]
    searched = optimize.minimize(
        lambda p: p @ y, even, bounds=[(0.0, None)] * 9, constraints=rules, options={"ftol": 1e-12, "maxiter": 500}
    )
    found = _least_mean(PairSums.of(w, y), budget, np.stack([w, y]))
    assert found == pytest.approx(searched.fun, abs=1e-5)
    free = _least_mean(PairSums.of(w, y), budget, np.zeros((2, 0)))
    assert free <= found + 1e-12
    assert (free < found - 1e-3) == (budget > 2.0)  # of a small budget no chance falls to 0


@pytest.mark.parametrize("method", ["slope", "mse"])
def test_two_customers_are_enough_to_choose_how_much_to_hold_back(method):
    influence = np.array([1.0, 2.0, -1.0, -2.0])

    def chosen(customer):
        return choose(
            method,
            (1.0, 5.0),
            lambda s: Point(0.0, s * influence),
            lambda s: np.zeros(4),
            np.ones(4),
            Clusters(customer),
        )

    assert chosen(np.array([0, 0, 1, 1])) == 1.0
    assert chosen(np.zeros(4, dtype=int)) == 5.0


def figure(low, high, value=0.0):
    return Estimate(value, 1.0, low, high, "x")


@pytest.mark.parametrize(
    ("low", "high", "margin", "said"),
    [
        (1e-9, 2.0, 0.0, Conclusion.BETTER),
        (0.0, 2.0, 0.0, Conclusion.UNKNOWN),
        (-2.0, -1e-9, 0.0, Conclusion.WORSE),
        (-2.0, 0.0, 0.0, Conclusion.UNKNOWN),
        (-1.0, 1.0, 1.0, Conclusion.SAME),
        (-1.01, 1.0, 1.0, Conclusion.UNKNOWN),
        (-1.0, 1.01, 1.0, Conclusion.UNKNOWN),
        (0.0, 0.0, 0.0, Conclusion.UNKNOWN),  # without a margin nothing is the same
        (math.nan, 1.0, 1.0, Conclusion.UNKNOWN),
        (-1.0, math.nan, 1.0, Conclusion.UNKNOWN),
    ],
)
def test_what_an_interval_lets_one_conclude(low, high, margin, said):
    assert conclude(figure(low, high), margin) is said
    bounded = margin > 0.0 and high <= margin  # of the best only this matters: that none is better by more
    best = Conclusion.SAME if said is Conclusion.UNKNOWN and bounded else said
    assert conclusion_of_best([figure(low, high)], margin) is best


def test_the_best_of_several_is_worse_only_if_all_are():
    assert conclusion_of_best([figure(-3.0, -1.0), figure(-2.0, -1.0)]) is Conclusion.WORSE
    assert conclusion_of_best([figure(-3.0, -1.0), figure(-2.0, 1.0)]) is Conclusion.UNKNOWN
    assert conclusion_of_best([figure(-3.0, -1.0), figure(1.0, 2.0)]) is Conclusion.BETTER
    assert conclusion_of_best([]) is conclusion_of_best([], 1.0) is Conclusion.UNKNOWN
    two = independent_difference(Estimate(5.0, 3.0, 1.0, 8.0, "x"), Estimate(2.0, 4.0, -1.0, 6.0, "y"))
    assert two[:4] == (3.0, 5.0, 3.0 - math.hypot(4.0, 4.0), 3.0 + math.hypot(3.0, 3.0))


def test_p_values_of_several_by_hand():
    assert bonferroni([0.01, 0.2, 0.6]) == pytest.approx([0.03, 0.6, 1.0])
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])
    assert holm([]) == bonferroni([]) == []
    assert [_chance(p) for p in (math.nan, 0.0009, 0.001, 0.5, 0.999, 0.9991)] == [
        "-", "below 0.1%", "0.1%", "50.0%", "99.9%", "above 99.9%",
    ]  # fmt: skip


def test_fieller_s_interval_holds_the_ratios_that_are_not_told_from_nothing():
    chance = np.random.default_rng(2)
    below = chance.normal(2.0, 1.0, 40)
    above = 1.5 * below + chance.normal(0.0, 1.0, 40)
    found = ratio(above, below, Clusters(np.arange(40)), 0.1)
    assert found.value == pytest.approx(above.mean() / below.mean())
    for r, told in ((found.ci_low, 1.0), (found.ci_high, 1.0), (found.value, 0.0)):
        rest = above - r * below
        t = abs(rest.mean()) / (rest.std(ddof=1) / math.sqrt(40))
        assert t == pytest.approx(told * stats.t.ppf(0.95, 39), abs=1e-9)
    rest = above - found.value * below
    assert found.std_error == pytest.approx(rest.std(ddof=1) / math.sqrt(40) / below.mean())
    near = ratio(above, below - below.mean() + 1e-3, Clusters(np.arange(40)), 0.1)
    assert (near.ci_low, near.ci_high) == (-math.inf, math.inf)
    assert math.isnan(ratio(above, -below, Clusters(np.arange(40)), 0.1).value)
    assert math.isnan(ratio(above, below, Clusters(np.zeros(40, dtype=int)), 0.1).value)
    assert math.isfinite(ratio(above, below, Clusters(np.arange(40) % 2), 0.1).value)


def test_quantiles_of_an_f_with_one_degree_above():
    assert [f_tail(v, 9.0) for v in (0.0, -1.0, math.inf)] == [1.0, 1.0, 0.0]
    assert math.isnan(f_tail(math.nan, 9.0))
    assert f_tail(2.5, 9.0) == pytest.approx(stats.f.sf(2.5, 1, 9))
    assert f_quantile(0.05, 9.0) == pytest.approx(stats.f.isf(0.05, 1, 9))


def test_a_closed_bound_by_its_formula():
    """Howard et al. 2021, theorem 1, with a variance of at least one."""
    for squares in (0.25, 1.5, 40.0):
        path = Path(np.array([50.0]), np.array([40.0]), np.array([squares]))
        v = max(squares, 1.0)
        epochs = math.log(1.1 * v) / math.log(1.1) + 1
        room = 1.1 * math.log(epochs) + math.log(special.zeta(1.1) / 0.05)
        k1, k2 = (1.1**0.25 + 1.1**-0.25) / math.sqrt(2), (math.sqrt(1.1) + 1) / 2
        wanted = (40.0 - math.sqrt(k1**2 * v * room + k2**2 * room**2) - k2 * room) / 50.0
        assert stitched(path, 0.05)[0] == pytest.approx(max(wanted, 0.0))
    assert stitched(Path(np.array([50.0]), np.array([1.0]), np.array([1.0])), 0.05)[0] == 0.0


def test_the_worst_part_of_returns_and_their_quantiles():
    found = distribution_of(np.array([3.0, 1.0, 2.0, 1.0]), np.array([0.2, 0.1, 0.5, 0.2]))
    assert found.value.tolist() == [1.0, 2.0, 3.0]
    assert found.reached == pytest.approx([0.3, 0.8, 1.0])
    assert [found.quantile(s) for s in (0.1, 0.3, 0.31, 0.8, 0.81, 1.0)] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert [found.cvar(s) for s in (0.3, 0.5, 1.0)] == pytest.approx([1.0, (0.3 + 0.4) / 0.5, 1.9])
    for share in (0.0, -0.1, 1.1):
        with pytest.raises(UsageError, match=r"in \(0, 1\]"):
            found.cvar(share)
    with pytest.raises(SupportError, match="no trajectory"):
        distribution_of(np.ones(2), np.zeros(2))
