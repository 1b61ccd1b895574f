"""How an evaluation is put together, by hand: evidence, intervals by name, settings, what is missing, tables."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from test_ope_log import Fixed, K, always, make_log, within

from campaignrl.errors import DataError, SupportError
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.estimators import bandit
from campaignrl.ope.estimators import weights as weight_functions
from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.ope.intervals.betting import betting_interval
from campaignrl.ope.intervals.bootstrap import percentile_interval
from campaignrl.ope.intervals.clustered import Clusters, Estimate, clustered_t, std_error
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds
from campaignrl.ope.intervals.empirical_likelihood import Extreme, PairSums, cressie_read
from campaignrl.ope.intervals.regression_t import (
    balanced_interval,
    error_of_like_residuals,
    freedom_of_stakes,
    independent_rows,
)
from campaignrl.ope.methods import intervals_by_name as by_name
from campaignrl.ope.methods import preparation
from campaignrl.ope.methods.intervals_by_name import Orders, customer_bounds, difference_mean, mean_of, with_interval
from campaignrl.ope.methods.registry import ESTIMATORS, difference, estimate, setting_of
from campaignrl.ope.methods.result import _columns, _interval, _number
from campaignrl.ope.methods.shrinkage import GRID, choose, estimated_mse, slope, width
from campaignrl.ope.methods.weighted_mean import LikelihoodInputs, Weighted, likelihood_ends, likelihood_interval
from campaignrl.ope.methods.weighted_rows import gather
from campaignrl.ope.nuisance.cross_fitting import GivenPredictions
from campaignrl.ope.streaming import evaluate_stream
from campaignrl.rng import Purpose, customer_keys, generator

LOG = make_log(600, rows=2, eligible=True)
Q = np.random.default_rng(9).uniform(0.0, 0.6, (600, K))


def evidence(log=LOG, q=Q, policy=None):
    target = target_policy_of(within(log) if policy is None else policy, log)
    return gather(log, [target], GivenPredictions(q, log), (0.0, 1.0))[0]


# ---- evidence


def test_evidence_of_a_policy_row_by_row():
    e, p = evidence(), within(LOG)
    rows = np.arange(600)
    assert e.weight == pytest.approx(p[rows, LOG.action] / LOG.propensity)
    assert e.predicted == pytest.approx(Q[rows, LOG.action])
    assert e.expected == pytest.approx((p * Q).sum(axis=1))
    assert e.reward.tolist() == LOG.reward.tolist()
    assert e.predicted_range == (Q.min(), Q.max())
    assert e.reward_range == (0.0, 1.0)
    assert (e.off_support, e.marginals) == (0.0, None)
    bound = max(p.max() / LOG.propensity[p[rows, LOG.action] > 0].min(), e.weight.max())
    assert e.weight_range == (0.0, pytest.approx(bound))
    logged = evidence(policy="logged")
    assert (logged.weight == 1).all()
    assert logged.expected == pytest.approx(e.predicted)
    assert logged.weight_range == (1.0, 1.0)
    mixed = e.mixed(0.25)
    assert mixed.weight == pytest.approx(0.75 + 0.25 * e.weight)
    assert mixed.expected == pytest.approx(0.75 * e.predicted + 0.25 * e.expected)
    assert mixed.weight_range == pytest.approx((0.75, 0.75 + 0.25 * bound))
    few = LOG.take(np.flatnonzero(LOG.action != 2))
    some = evidence(few, Q[: len(few)])
    assert some.off_support == pytest.approx(within(few)[:, 2].mean())
    assert some.mixed(0.5).off_support == pytest.approx(some.off_support / 2)
    without = gather(LOG, [target_policy_of(within(LOG), LOG)], None, (0.0, 1.0))[0]
    assert not without.predicted.any()
    assert without.predicted_range == (0.0, 0.0)
    negative = evidence(q=Q - 2.0)
    assert negative.predicted_range == (Q.min() - 2.0, Q.max() - 2.0)


def test_only_rows_with_a_known_outcome_are_used_and_what_is_given_follows():
    log = replace(LOG, matured=np.arange(600) % 3 > 0)
    kept = np.flatnonzero(log.matured)
    used, (a, b), q, dropped = preparation.matured(log, (within(log), "logged"), Q)
    assert (len(used), dropped, b) == (400, 200, "logged")
    assert np.array_equal(a, within(log)[kept])
    assert np.array_equal(q, Q[kept])
    whole = preparation.matured(LOG, ("logged", "logged"), Q)
    assert whole[0] is LOG
    assert whole[2] is Q
    assert whole[3] == 0
    with pytest.raises(SupportError, match="none of the log's 600 decisions"):
        preparation.matured(replace(LOG, matured=np.zeros(600, dtype=bool)), ("logged", "logged"), None)
    assert preparation.logging_of_matured(None, log) is None
    assert np.array_equal(preparation.logging_of_matured(within(log), log), within(log)[kept])


@pytest.mark.parametrize(
    ("rewards", "given", "fact", "bounds", "source"),
    [
        ((0.0, 1.0), None, None, (0.0, 1.0), "0 or 1"),
        ((0.0, 0.0), None, None, (0.0, 1.0), "0 or 1"),
        ((0.0, 0.5), None, None, (0.0, 0.5), "observed"),
        ((-1.0, 1.0), None, None, (-1.0, 1.0), "observed"),
        ((0.0, 1.0), None, [-1, 2], (-1.0, 2.0), "the log's facts"),
        ((0.0, 1.0), (0, 3), [-1, 2], (0.0, 3.0), "given"),
        ((0.0, 1.0), (0.0, 0.99), None, None, None),
        ((0.0, 1.0), (0.01, 1.0), None, None, None),
    ],
)
def test_what_a_reward_can_be(rewards, given, fact, bounds, source):
    meta = {} if fact is None else {"reward_range": fact}
    log = replace(LOG, reward=np.where(np.arange(600) % 2, *rewards), meta=meta)
    if bounds is None:
        with pytest.raises(DataError, match="around all rewards, 0 to 1"):
            preparation.reward_range_of(log, given)
    else:
        assert preparation.reward_range_of(log, given) == (bounds, source)


def test_when_weighting_says_nothing():
    e = evidence()
    assert not preparation.no_information(e, 1.0)
    assert preparation.no_information(e._replace(off_support=1.1e-9), 1.0)
    assert not preparation.no_information(e._replace(off_support=1e-9), 1.0)
    assert not preparation.no_information(e._replace(off_support=0.5), 0.999)
    assert preparation.no_information(e._replace(weight=np.zeros(600)), 0.0)
    sure = replace(LOG, propensity=np.where(np.arange(600) < 300, 1.0, LOG.propensity))
    choice = LOG.eligible.sum(axis=1) > 1
    wanted = (sure.propensity[choice] >= 1.0 - 1e-12).mean()
    assert preparation.certain_share(sure) == pytest.approx(wanted)
    assert preparation.certain_share(replace(sure, eligible=None)) == pytest.approx((sure.propensity >= 1).mean())
    alone = replace(sure, eligible=np.eye(K, dtype=bool)[sure.action])
    assert preparation.certain_share(alone) == 0.0


def test_why_figures_are_missing():
    nan = math.nan
    had, none, one = (
        Estimate(0.1, 0.1, 0.0, 0.2, ""),
        Estimate(nan, nan, nan, nan, ""),
        Estimate(0.1, nan, nan, nan, ""),
    )
    assert preparation.reasons_missing({"ips": had}, {}) == ()
    assert preparation.reasons_missing({"ips": none, "dr": none, "dm": had}, {}) == (
        "ips, dr: not to be had, no row or only certain actions speak.",
    )
    assert preparation.reasons_missing({"ips": one}, {}) == ("std. errors: not to be had from one customer.",)
    found = preparation.reasons_missing(
        {"pi": none, "offcem": none, "mips_offer": none, "ips": had},
        {"pi": "why", "offcem": "how", "mips_offer": "why"},
    )
    assert found == ("pi, mips_offer: not to be had, why.", "offcem: not to be had, how.")


def test_words_for_the_reward_model():
    assert preparation.model_description(None, "ridge", 10) == ""
    assert preparation.model_description(GivenPredictions(Q, LOG), "ridge", 600) == "given"

    class Fitted:
        rows_used = 1234

    assert preparation.model_description(Fitted(), "boosting", 1234) == "boosting"
    assert preparation.model_description(Fitted(), "boosting", 9999) == "boosting, fitted on 1,234 of 9,999 rows"


# ---- estimates


def test_estimates_are_their_formulas_with_their_intervals():
    e, p = evidence(), within(LOG)
    w, r, q, v = e.weight, LOG.reward, e.predicted, (p * Q).sum(axis=1)
    values = {
        "dm": v.mean(),
        "ips": (w * r).mean(),
        "ips_clip": (np.minimum(w, 10) * r).mean(),
        "snips": (w * r).sum() / w.sum(),
        "dr": (v + w * (r - q)).mean(),
        "sndr": v.mean() + (w * (r - q)).sum() / w.sum(),
        "dros": (v + 100 * w / (w * w + 100) * (r - q)).mean(),
        "switch_dr": (v + np.where(w <= 10, w, 0) * (r - q)).mean(),
    }
    for name, value in values.items():
        found = estimate(name, e, 0.1)
        assert found.value == pytest.approx(value), name
        point = ESTIMATORS[name].terms(e).point()
        assert found.std_error == pytest.approx(std_error(point.influence, e.clusters))
        if name in ("dm", "ips_clip", "dros", "switch_dr"):
            assert found[:4] == pytest.approx(clustered_t(point, e.clusters, 0.1)[:4])
    assert estimate("dm", e, 0.1).interval == "customer t, the model's own error not counted"
    for name in ("ips_clip", "dros", "switch_dr", "sg_ips", "sg_dr"):
        assert estimate(name, e, 0.1).interval == "customer t, the bias of holding weights back not counted"
    held = estimate("ips_clip", e, 0.1, 0.5)
    assert held.value == pytest.approx((np.minimum(w, 0.5) * r).mean())


def scaled(values):
    return np.bincount(LOG.customer, values) * 300 / 600


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_what_may_have_been_missed_is_a_customer_with_one_extreme_row(offset):
    e, alpha = evidence(), 0.1
    residual, weight = LOG.reward - e.predicted, e.weight
    base = e.expected
    part = Weighted(base, weight, e.weight_range, residual, (-0.7, 0.9), offset)
    found = likelihood_interval(part, e.clusters, alpha)
    middle, row = base.mean(), 0.5
    terms = base - middle + (weight - offset) * residual
    W, Y = scaled(weight), scaled(terms)
    usual = terms.mean() / weight.mean()
    least, largest = (row * bound + 1 - row for bound in e.weight_range)
    least, largest = min(least, W.min()), max(largest, W.max())
    low_ends = [row * (e.weight_range[0] - offset) * r + (least - row * e.weight_range[0]) * usual for r in (-0.7, 0.9)]
    high_ends = [
        row * (e.weight_range[1] - offset) * r + (largest - row * e.weight_range[1]) * usual for r in (-0.7, 0.9)
    ]
    high_ends += [Y[W > 1].min(), Y[W > 1].max()]
    if offset:
        low_ends += [Y[W < 1].min(), Y[W < 1].max()]
    low = [Extreme(least, min(low_ends)), Extreme(largest, min(high_ends))]
    high = [Extreme(least, max(low_ends)), Extreme(largest, max(high_ends))]
    above, below = np.argsort(-Y, kind="stable")[:8], np.argsort(Y, kind="stable")[:8]
    outliers = (np.stack([W, Y])[:, above], np.stack([W, Y])[:, below])
    wanted = cressie_read(PairSums.of(W, Y), low, high, alpha, outliers)
    assert found == pytest.approx((middle + wanted[0], middle + wanted[1]))
    seen = LikelihoodInputs(PairSums.of(W, Y), row, usual, (least, largest), [], [], outliers)
    bare = likelihood_ends(seen, e.weight_range, (-0.7, 0.9), offset, alpha)
    low = [Extreme(least, min(low_ends[:2])), Extreme(largest, min(high_ends[:2]))]
    high = [Extreme(least, max(low_ends[:2])), Extreme(largest, max(high_ends[:2]))]
    assert bare == pytest.approx(cressie_read(PairSums.of(W, Y), low, high, alpha, outliers))


def test_weights_that_are_all_one_bound_nothing():
    e = evidence()
    for off, same in ((0.9e-9, True), (1.1e-9, False)):
        weight = np.ones(600)
        weight[0] += off
        wide = likelihood_interval(
            Weighted(np.zeros(600), weight, (0.0, 50.0), LOG.reward, (0.0, 1.0)), e.clusters, 0.1
        )
        none = likelihood_interval(Weighted(np.zeros(600), weight, (1.0, 1.0), LOG.reward, (0.0, 1.0)), e.clusters, 0.1)
        assert (wide == pytest.approx(none, abs=1e-6)) is same


def test_a_difference_is_paired_row_by_row():
    a, b = evidence(), evidence(policy=always(LOG.take(slice(0, 600)), 0) * LOG.allowed()[:, :1])
    made = difference(a, b, 0.1)
    terms = a.expected - b.expected + (a.weight - b.weight) * (LOG.reward - a.predicted)
    assert made.value == pytest.approx(terms.mean())
    assert made.std_error == pytest.approx(std_error(terms - terms.mean(), a.clusters))
    weight, residual = 1 + a.weight - b.weight, LOG.reward - a.predicted
    w, y = a.clusters.scaled(weight), a.clusters.scaled(terms)
    rows = independent_rows(weight - 1.0, residual, a.clusters.rows, a.clusters.of_rows())
    spread = (error_of_like_residuals(weight - 1.0, residual, rows), freedom_of_stakes(weight - 1.0, residual, rows))
    assert made[2:4] == pytest.approx(np.clip(balanced_interval(PairSums.of(w, y), w, y, 0.1, *spread), -1, 1))
    assert difference(a, a, 0.1) == (0.0, 0.0, 0.0, 0.0, "empirical likelihood")
    assert compare_on_log(LOG, within(LOG), always(LOG, 0), q=Q, alpha=0.1)[:4] == pytest.approx(made[:4])
    assert evaluate_stream(LOG, within(LOG), model=Q, reference=within(LOG)).lift_ci_high == 0.0
    assert evaluate_stream(LOG, within(LOG), model=Q, reference=always(LOG, 0)).lift == pytest.approx(made.value)
    flat = np.repeat(LOG.reward[:, None], K, axis=1)  # the model knows it all: they differ, and earn the same
    assert compare_on_log(LOG, within(LOG), always(LOG, 0), q=flat)[:4] == (0.0, 0.0, 0.0, 0.0)
    assert made.ci_low < made.value < made.ci_high


# ---- what holds weights back


def test_slope_keeps_candidates_that_agree_with_all_before():
    """From the widest on: the next must lie within its width and (sqrt 6 - 1) times each one before."""
    widths = np.array([4.0, 2.0, 1.0, 0.5])
    assert slope(np.array([0.0, 0.1, 0.2, 0.3]), widths) == 3
    room = 2.0 + (math.sqrt(6) - 1) * 4.0
    for value, picked in ((room - 1e-9, 1), (room + 1e-9, 0)):
        assert slope(np.array([0.0, value, 99.0, 0.0]), widths) == picked
    room = 1.0 + (math.sqrt(6) - 1) * 2.0
    for value, picked in ((room - 1e-9, 2), (room + 1e-9, 1)):
        assert slope(np.array([0.1, 0.0, value, 0.1]), widths) == picked
    assert slope(np.array([0.0, 0.1, 9.0, 0.1]), widths) == 1
    assert slope(np.array([0.1, 0.0]), np.array([0.5, 4.0])) == 0


def test_widths_and_mean_squared_errors_by_hand():
    e = evidence()
    point = bandit.ips(e.weight, e.reward).point()
    assert width(point, e.clusters) == pytest.approx(stats.t.isf(0.1, 299) * std_error(point.influence, e.clusters))
    lost = 0.1 * e.weight
    n, room = 600, math.log(20.0)
    noise = math.sqrt(2 * (e.weight**2).mean() * room / n) + 2 * e.weight.max() * room / (3 * n)
    wanted = std_error(point.influence, e.clusters) ** 2 + (lost.mean() + noise) ** 2
    assert estimated_mse(point, e.clusters, lost, e.weight) == pytest.approx(wanted)
    assert estimated_mse(point, e.clusters, -lost, e.weight) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["ips_clip", "dros", "switch_dr"])
def test_the_number_that_holds_weights_back_is_chosen_from_the_log(name):
    e, held = evidence(), ESTIMATORS[name].held
    assert setting_of(name, e, "fixed") == held.usual
    assert setting_of("ips", e, "slope") is None
    q = e.predicted if ESTIMATORS[name].model else 0.0
    points = {s: ESTIMATORS[name].terms(e, s).point() for s in held.grid}
    errors = [
        estimated_mse(points[s], e.clusters, (e.weight - held.weight(e.weight, s)) * (e.reward - q), e.weight)
        for s in held.grid
    ]
    assert setting_of(name, e, "mse") == held.grid[int(np.argmin(errors))]
    widths = np.array([width(points[s], e.clusters) for s in held.grid])
    assert setting_of(name, e, "slope") == held.grid[slope(np.array([points[s].value for s in held.grid]), widths)]
    one = Clusters(np.zeros(600, dtype=int))
    assert choose("mse", GRID, lambda s: points[held.grid[0]], lambda s: e.weight, e.weight, one) == math.inf


# ---- intervals by name


def test_orders_do_not_follow_outcomes():
    log = replace(LOG, day=np.random.default_rng(1).integers(0, 5, 600))
    clusters = Clusters(log.customer)
    keys = customer_keys(log.customers)
    orders = Orders.of(log, clusters)
    assert orders.by_hash.tolist() == np.argsort(keys, kind="stable").tolist()
    first = np.array([log.day[log.customer == c].min() for c in range(300)])
    assert orders.by_time.tolist() == sorted(range(300), key=lambda c: (first[c], keys[c]))


def test_bounds_of_a_customer():
    clusters = Clusters(np.array([0, 0, 0, 1, 2, 2]))  # one to three rows each; half a row counts for one
    assert customer_bounds((-1.0, 2.0), clusters) == pytest.approx((-1.5, 3.0))
    assert customer_bounds((1.0, 2.0), clusters) == pytest.approx((0.5, 3.0))
    assert customer_bounds((-3.0, -1.0), clusters) == pytest.approx((-4.5, -0.5))


@pytest.mark.parametrize("name", ["dm", "ips", "snips", "dr", "ips_clip", "dros", "switch_dr"])
def test_what_an_estimator_averages_and_between_which_bounds(name):
    e = evidence()
    found, (q_least, q_largest), top = mean_of(name, e, None), e.predicted_range, e.weight_range[1]
    held = {
        "ips_clip": min(top, 10.0),
        "switch_dr": min(top, 10.0),
        "dros": 100 * 10 / 200 if top > 10 else 100 * top / (top * top + 100),
    }
    top = held.get(name, top)
    w = ESTIMATORS[name].held.weight(e.weight, ESTIMATORS[name].held.usual) if name in held else e.weight
    if name == "dm":
        assert found.range == (q_least, q_largest)
        assert found.terms.tolist() == e.expected.tolist()
    elif ESTIMATORS[name].model:
        least, largest = top * (0.0 - q_largest), top * (1.0 - q_least)
        assert found.range == pytest.approx((q_least + min(least, 0.0), q_largest + max(largest, 0.0)))
        assert found.terms == pytest.approx(e.expected + w * (e.reward - e.predicted))
        assert found.weighted is None
    else:
        assert found.range == pytest.approx((0.0, top))
        assert found.terms == pytest.approx(w * e.reward)
        assert found.weighted[0] == pytest.approx(w)
    some = np.arange(0, 600, 3)
    kept = e._replace(**{x: getattr(e, x)[some] for x in ("reward", "predicted", "weight", "expected")})
    assert found.value(some) == pytest.approx(ESTIMATORS[name].terms(kept).point().value)
    assert found.point.value == pytest.approx(ESTIMATORS[name].terms(e).point().value)


def test_the_mean_of_a_difference_and_its_bounds():
    a, b = evidence(), evidence(policy="logged")
    found, span = difference_mean(a, b), Q.max() - Q.min()
    terms = a.expected - b.expected + (a.weight - 1.0) * (LOG.reward - a.predicted)
    assert found.terms == pytest.approx(terms)
    weights = (a.weight_range[0] - 1.0, a.weight_range[1] - 1.0)
    corners = [w * r for w in weights for r in (0.0 - Q.max(), 1.0 - Q.min())]
    assert found.range == pytest.approx((min(corners) - span, max(corners) + span))
    other = evidence(policy=always(LOG, 0))
    weights = (a.weight_range[0] - other.weight_range[1], a.weight_range[1] - other.weight_range[0])
    corners = [w * r for w in weights for r in (0.0 - Q.max(), 1.0 - Q.min())]
    assert difference_mean(a, other).range == pytest.approx((min(corners) - span, max(corners) + span))
    narrow = a._replace(weight_range=(3.0, 4.0)), b._replace(weight_range=(0.5, 1.0))  # every end counts
    corners = [w * r for w in (2.0, 3.5) for r in (0.0 - Q.max(), 1.0 - Q.min())]
    assert difference_mean(*narrow).range == pytest.approx((min(corners) - span, max(corners) + span))
    some = np.arange(50)
    assert found.value(some) == pytest.approx(terms[:50].mean())
    assert found.point.influence == pytest.approx(terms - terms.mean())


@pytest.mark.parametrize("interval", ["t", "betting", "anytime", "bootstrap"])
def test_intervals_by_name_are_those_of_customers_sums(interval, monkeypatch):
    monkeypatch.setattr(by_name, "RESAMPLES", 50)
    log = replace(LOG, day=np.random.default_rng(1).integers(0, 5, 600))
    e, orders = evidence(log), Orders.of(log, Clusters(log.customer))
    made = {name: estimate(name, e, 0.1) for name in ("dm", "ips", "snips", "dr", "ips_clip")}
    found = with_interval(interval, log, dict.fromkeys(made, e), {}, made, 0.1, 3)
    for name, before in made.items():
        mean = mean_of(name, e, None)
        totals = mean.clusters.scaled(mean.terms)
        bounds = customer_bounds(mean.range, mean.clusters)
        if interval == "t":
            wanted = clustered_t(mean.point, mean.clusters, 0.1)[2:4]
        elif interval == "betting":
            wanted = betting_interval(totals[orders.by_hash], 0.1, *bounds)
        elif interval == "bootstrap":
            wanted = percentile_interval(mean.value, mean.clusters, 0.1, generator(3, Purpose.RESAMPLE), 50)
        elif mean.weighted is not None:
            weight = mean.clusters.scaled(mean.weighted[0])
            reward = np.divide(totals, weight, out=np.zeros(300), where=weight > 0)
            low, high = anytime_bounds(weight[orders.by_time], reward[orders.by_time], 0.1, (0.0, 1.0))
            wanted = (low[-1], high[-1])
        else:
            low, high = anytime_bounds(np.ones(300), totals[orders.by_time], 0.1, bounds)
            wanted = (low[-1], high[-1])
        assert found[name][2:4] == pytest.approx(np.clip(wanted, 0.0, 1.0), abs=1e-9), name
        assert found[name][:2] == before[:2]
    words = {
        "t": "customer t",
        "betting": "hedged betting",
        "anytime": "anytime-valid",
        "bootstrap": "bootstrap over customers",
    }
    assert found["ips"].interval == words[interval]
    assert found["dm"].interval == words[interval] + ", the model's own error not counted"
    assert with_interval("empirical likelihood", log, dict.fromkeys(made, e), {}, made, 0.1, 3) == made
    missing = {"ips": Estimate(*(math.nan,) * 4, "none")}
    assert with_interval(interval, log, {"ips": e}, {}, missing, 0.1, 3)["ips"].interval == "none"


def test_intervals_of_a_lift_by_name():
    words = {"q": Q, "estimators": ("dr",), "alpha": 0.1}
    for interval in ("t", "betting"):
        found = evaluate(LOG, within(LOG), interval=interval, **words)
        a, b = evidence(), evidence(policy="logged")
        mean, orders = difference_mean(a, b), Orders.of(LOG, a.clusters)
        wanted = clustered_t(mean.point, mean.clusters, 0.1)[2:4]
        if interval == "betting":
            bounds = customer_bounds(mean.range, mean.clusters)
            wanted = betting_interval(mean.clusters.scaled(mean.terms)[orders.by_hash], 0.1, *bounds)
        assert (found.lift_ci_low, found.lift_ci_high) == pytest.approx(tuple(np.clip(wanted, -1, 1)))
        assert found.lift == pytest.approx(mean.point.value)
    same = evaluate(LOG, "logged", interval="betting", **words)
    assert (same.lift, same.lift_ci_low, same.lift_ci_high) == (0.0, 0.0, 0.0)


# ---- the answer


def test_figures_of_the_answer_by_hand():
    found = evaluate(LOG, Fixed(), q=Q, mix=0.4, reference=always(LOG, 0))
    e = evidence().mixed(0.4)
    assert (found.policy, found.log_policy, found.reference) == (
        "0.4 fixed target + 0.6 logged",
        "by tag",
        "given probabilities",
    )
    assert (found.n, found.customers, found.dropped) == (600, 300, 0)
    assert found.ess == pytest.approx(weight_functions.effective_sample_size(e.weight))
    assert found.max_weight_share == pytest.approx(e.weight.max() / e.weight.sum())
    assert found.mean_weight == pytest.approx(e.weight.mean())
    assert found.logged_value == pytest.approx(LOG.reward.mean())
    assert found.reward_model == "given"
    assert found.settings == {"ips_clip": 10.0, "dros": 100.0, "switch_dr": 10.0}
    assert found.settings_from is None or found.settings_from == "fixed"
    assert evaluate(LOG, Fixed(), q=Q).policy == "fixed target"
    assert evaluate(LOG, Fixed(), q=Q, tuning="mse").settings_from == "mse"
    for words in ({"mix": 0.0}, {"mix": 1.01}, {"alpha": 0.0}, {"alpha": 1.0}, {"folds": 1}):
        with pytest.raises(Exception, match=next(iter(words))):
            evaluate(LOG, Fixed(), **words)


def test_the_answer_in_words():
    log = replace(LOG, matured=np.arange(600) < 580)
    found = evaluate(log, Fixed(), q=Q, estimators=("ips", "dm"), alpha=0.1)
    text = str(found).split("\n\n")
    assert text[0] == (
        f"fixed target: conversions per decision, from 580 decisions of {found.customers} customers, 20 immature left "
        "out, logged by by tag"
    )
    head, ips, dm, lift = text[1].splitlines()
    assert head.split() == ["estimator", "value", "std.", "error", "90%", "interval", "made", "by"]
    e = found.estimates["ips"]
    assert ips.split()[:5] == ["ips", f"{e.value:.4g}", f"{e.std_error:.4g}", f"[{e.ci_low:.4g},", f"{e.ci_high:.4g}]"]
    assert dm.startswith("dm ")
    assert lift.startswith("over logged")
    assert f"{found.lift:+.4g}" in lift
    notes = text[2].splitlines()
    assert notes[0] == (
        f"logged value {found.logged_value:.4g}   effective sample size {found.ess:,.0f}   mean weight "
        f"{found.mean_weight:.4g}   heaviest row {found.max_weight_share:.2%}   never tried 0.00%"
    )
    assert notes[1] == "reward model given"
    assert notes[-1].startswith(f"{found.verdict}: ")
    assert repr(found) == f"Evaluation of fixed target: {found.verdict}, 580 decisions of {found.customers} customers"
    assert "<th>estimator</th>" in found._repr_html_()
    assert "<td>ips</td>" in found._repr_html_()
    tuned = str(evaluate(LOG, Fixed(), q=Q, estimators=("ips_clip",), tuning="slope"))
    assert "weights held back at ips_clip " in tuned
    assert "(slope)" in tuned


def test_cells_of_the_table():
    assert [_number(x) for x in (0.123456, math.nan, math.inf, 1234.5)] == ["0.1235", "-", "-", "1234"]
    assert _number(0.5, "+") == "+0.5"
    assert _interval(0.1, 0.2) == "[0.1, 0.2]"
    assert _interval(math.nan, 0.2) == "-"
    assert _columns([("a", "bb"), ("ccc", "")]) == "a    bb\nccc"


def test_plain_json_of_the_answer():
    found = evaluate(LOG, Fixed(), q=Q, estimators=("ips",)).to_dict()
    assert found["reward_range"] == [0.0, 1.0]
    assert "spread" not in found
    assert found["estimates"]["ips"]["interval"] == "empirical likelihood"
    assert found["calibration"] == []
    nothing = evaluate(LOG, always(LOG, 0), q=Q, estimators=("ips",))
    assert nothing.to_dict()["estimates"]["ips"]["value"] == nothing.estimates["ips"].value
    blind = replace(LOG, action=np.zeros(600, dtype=int), propensity=np.ones(600), eligible=None)
    assert evaluate(blind, always(LOG, 2), q=Q, estimators=("ips",)).to_dict()["estimates"]["ips"]["value"] is None
