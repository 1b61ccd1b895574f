"""What of evaluations has no file of its own: the choice of `auto`, weights of slots, models that are given, notes."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from test_ope_methods_exact import LOG, evidence

from campaignrl.errors import DataError
from campaignrl.ope.data.log_sample import sampled, sampled_of_kept
from campaignrl.ope.diagnostics import cells
from campaignrl.ope.diagnostics.cells import _of_codes
from campaignrl.ope.diagnostics.few_events import few_events
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.robust import caps
from campaignrl.ope.episodes.result import EpisodeEvaluation
from campaignrl.ope.episodes.support_horizon import Step
from campaignrl.ope.estimators import bandit
from campaignrl.ope.estimators.weights import closest_mix, weight_bound
from campaignrl.ope.intervals.clustered import Clusters, Point
from campaignrl.ope.methods import selection
from campaignrl.ope.methods.registry import ESTIMATORS, USUAL, _slots, with_own_weights
from campaignrl.ope.methods.shrinkage import choose, slope, width
from campaignrl.ope.nuisance.density_ratios import _odds
from campaignrl.ope.row_checks import RowChecks
from campaignrl.ope.streaming.figures import _closest_mix, _weight_range, hidden_bias
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


def test_few_events_on_one_side_are_told_where_they_are_few_and_there_are_rows_enough():
    def said(events, rows, sign=1.0, apart=1):
        residual = np.zeros(rows)
        residual[:events] = sign
        sample = SimpleNamespace(gain=(residual,), customer=np.arange(rows) // apart)
        return [finding.text.partition(" rewards")[0] for finding in few_events(sample, rows)]

    assert said(1, 100) == ["about 1 of 100"]
    assert said(24, 100) == said(24, 100, -1.0) == ["about 24 of 100"]
    assert said(25, 100) == said(0, 100) == []
    assert said(1, 25) == []  # no more rows than few events
    assert said(1, 26) == ["about 1 of 26"]
    assert said(4, 100, apart=4) == ["about 1 of 100"]  # of one customer they are one
    assert few_events(SimpleNamespace(gain=None), 100) == ()


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
    edges = [0, 1, 255, 256, 257, 5_000, 40_007, rows, *whole[:1], *whole[:1] + 1]
    edges = sorted({min(edge, rows) for edge in edges})
    pieces = [sampled(first, last - first, rows) + first for first, last in pairwise(edges)]
    assert np.concatenate([np.zeros(0, int), *pieces]).tolist() == whole.tolist()


def test_rows_that_are_looked_at_among_those_that_are_kept():
    matured = np.arange(40_000) % 3 > 0
    at, kept = sampled(0, 40_000, 40_000), np.flatnonzero(matured)
    assert kept[sampled_of_kept(matured)].tolist() == [row for row in at.tolist() if matured[row]]
    assert sampled_of_kept(np.ones(40_000, dtype=bool)).tolist() == at.tolist()


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


def test_the_logged_policy_rests_on_no_propensity():
    target = SimpleNamespace(answer=None)
    found = RowChecks(np.arange(3), target, None)._hidden_bias(None, (None, None), None, 1.0)
    assert (found.rows, found.curve) == (0, ())
    assert math.isnan(found.sign)
    sample = SimpleNamespace(gain=None, wanted=None)
    for none in (None, sample, SimpleNamespace(gain=np.ones((3, 2)), wanted=None)):
        assert hidden_bias(none, None, 1.0, True).rows == 0


def test_a_mix_is_offered_from_just_enough_effective_rows_on():
    """Twenty rows of weight 5 among a hundred: mixed by halves they count for fifty, which is half of all."""
    weight = np.repeat([5.0, 0.0], [20, 80])
    assert _closest_mix(weight.sum(), (weight**2).sum(), 100) == (0.5, 50.0)
    assert closest_mix(weight, 50.0) == (0.5, 50.0)
    assert closest_mix(weight, 50.1)[0] == 0.4
    heavier = np.repeat([5.2, 0.0], [20, 80])
    assert _closest_mix(heavier.sum(), (heavier**2).sum(), 100)[0] == 0.4
    assert _closest_mix(0.0, 0.0, 0) == (0.5, 0.0)


def test_the_largest_weight_there_can_be_from_sums_and_from_rows():
    """Over the least propensity of what is wanted, else of all that was done; never below 1 nor what was seen."""
    action, propensity = np.array([0, 0, 1]), np.array([0.5, 0.4, 0.2])

    def bounds(wanted, seen=0.0, floor=None):
        most = np.array(wanted)
        least = np.array([0.4, 0.2, np.inf])  # the third action was never done
        large = {"wanted of a": most > 0.0, "most wanted of a": most.max(), "weight of a": seen}
        rows = SimpleNamespace(largest=large, least={"propensity": least})
        low, high = _weight_range(rows, "a", floor, True)
        assert (low, max(weight_bound(most, action, propensity, floor), seen)) == (0.0, high)
        return high

    assert bounds([0.8, 0.0, 0.1]) == 2.0
    assert bounds([0.8, 0.9, 0.0]) == pytest.approx(4.5)
    assert bounds([0.0, 0.0, 1.0]) == 5.0  # nothing that is wanted was done
    assert bounds([0.1, 0.0, 0.0]) == 1.0
    assert bounds([0.8, 0.0, 0.1], seen=7.0) == 7.0
    assert bounds([0.8, 0.0, 0.1], floor=0.1) == 8.0
    assert _weight_range(SimpleNamespace(), "a", None, False) == (1.0, 1.0)


def test_batches_of_any_size_count_by_their_mean_square():
    """Three rows of weight 1 count once, one of weight 2 half; no row counts more than once."""
    weight, reward, nothing = np.array([1.0, 1.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0, 5.0]), np.zeros(4)
    found = bandit.stabilised(weight, reward, nothing, nothing, np.array([0, 0, 0, 1])).point()
    assert found.value == pytest.approx((6.0 + 10.0 / 2) / 3.5)
    steady = bandit.stabilised(weight / 4, reward, nothing, nothing, np.array([0, 0, 0, 1])).point()
    assert steady.value == pytest.approx((weight / 4 * reward).mean())
    none = bandit.stabilised(weight, reward, nothing, np.ones(4), None).point()
    assert none.value == pytest.approx(1.0 + (weight * reward).mean())
