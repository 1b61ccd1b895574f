"""Parts of the evaluator against plain loops: targets, trajectories, states, marginal weights, intervals, holdouts."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_ope_log import CATALOG, SCHEMA, TARGET, Fixed, K, always, make_log, within

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.errors import DataError, UsageError
from campaignrl.features import Context
from campaignrl.ope.data import states as states_module
from campaignrl.ope.data.states import states, traces
from campaignrl.ope.data.target_policy import (
    TargetPolicy,
    policy_of_rows,
    read_probabilities,
    target_policy_of,
)
from campaignrl.ope.data.trajectories import known_steps, longest, next_rows, trajectories, why_not_additive
from campaignrl.ope.diagnostics.holdout import check_apart, drawn, holdout_of
from campaignrl.ope.estimators import bandit, sequential
from campaignrl.ope.estimators.marginal_weights import MarginalGathering, _pair_of, memberships
from campaignrl.ope.intervals.betting import _bets, betting_interval
from campaignrl.ope.intervals.bootstrap import percentile_interval, resampled_rows
from campaignrl.ope.intervals.clustered import Clusters, Point, clustered_t, p_value_of_gap, std_error
from campaignrl.ope.intervals.confidence_sequences import (
    Path,
    anytime_bounds,
    ever_excluded,
    log_wealth,
    mixture,
    stitched,
)
from campaignrl.ope.intervals.empirical_likelihood import (
    Extreme,
    PairSums,
    cressie_read,
    cressie_read_point,
    mean_weight_statistic,
)
from campaignrl.policies import are_sound

# ---- targets


def test_probabilities_are_sound_up_to_a_hundred_thousandth():
    p = np.array([[0.5, 0.5]])
    for off, fine in ((0.0, True), (9e-6, True), (-9e-6, True), (1.1e-5, False), (-1.1e-5, False)):
        assert are_sound(p + np.array([[off, 0.0]]), None) is fine
    assert are_sound(np.array([[1.0, 0.0]]), np.array([[True, False]]))
    assert not are_sound(p, np.array([[True, False]]))
    assert not are_sound(np.array([[1.1, -0.1]]), None)
    assert not are_sound(np.array([[np.nan, 1.0]]), None)
    assert are_sound(np.zeros((0, 2)), None)


def problems_of(p, log, rows=slice(0, None)):
    target = TargetPolicy("mine", lambda rows: p[rows])
    with pytest.raises(DataError) as wrong:
        target.probabilities(log, rows)
    return [(q.where, q.field, q.value) for q in wrong.value.problems]


def test_bad_rows_of_a_target_are_named_and_counted_from_the_log_s_first():
    log = make_log(30, eligible=True)
    fine = within(log)
    target = TargetPolicy("mine", lambda rows: fine[rows])
    assert np.array_equal(target.probabilities(log, slice(3, 9)), fine[3:9])
    bad = fine.copy()
    bad[[4, 7]] *= 1.1
    assert problems_of(bad, log) == [("policy mine, matured rows 4, 7", "sum", pytest.approx(1.1))]
    assert problems_of(bad, log, slice(5, 30)) == [("policy mine, matured row 7", "sum", pytest.approx(1.1))]
    bad = fine.copy()
    row = int(np.flatnonzero(~log.eligible[:, 1])[0])
    bad[row] = [0.75, 0.25, 0.0, 0.0]
    assert problems_of(bad, log) == [(f"policy mine, matured row {row}", "mass", 0.25)]
    bad[row] = [1.2, -0.2, 0.0, 0.0]
    assert problems_of(bad, log)[0][1:] == ("sum", pytest.approx(1.0))
    many = fine * 1.1
    (where, *_), *_ = problems_of(many, log)
    assert where.endswith(f"and {30 - 20} more") or where.count(",") < 30
    with pytest.raises(DataError, match=r"of shape \(30, 4\)"):
        TargetPolicy("mine", lambda rows: fine[:, :3]).probabilities(log, slice(0, 30))
    with pytest.raises(UsageError, match="does not hold the probabilities"):
        TargetPolicy("logged").probabilities(log, slice(0, 30))


class Asked(Fixed):
    """Writes down which rows it was asked for."""

    def __init__(self, order="C"):
        self.rows, self.order = [], order

    def probabilities(self, context, allowed):
        self.rows.append(allowed.copy())
        return np.asarray(super().probabilities(context, allowed), order=self.order)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_policy_is_asked_only_where_there_is_a_choice(order):
    log = make_log(200, eligible=True)
    log = replace(
        log, eligible=np.where(np.arange(200)[:, None] % 3 == 0, np.eye(4, dtype=bool)[log.action], log.eligible)
    )
    policy = Asked(order)
    p = target_policy_of(policy, log).probabilities(log, slice(20, 90))
    assert p == pytest.approx(within(log)[20:90])
    (asked,) = policy.rows
    assert (asked.sum(axis=1) > 1).all()
    assert len(asked) == (log.eligible[20:90].sum(axis=1) > 1).sum()
    assert p.flags.f_contiguous is (order == "F")
    free = Asked()
    target_policy_of(free, make_log(50)).probabilities(make_log(50), slice(0, 50))
    assert len(free.rows[0]) == 50


def test_targets_in_every_form():
    log = make_log(60)
    assert target_policy_of("logged", log).answer is None
    assert target_policy_of(Fixed(), log).name == "fixed target"
    assert target_policy_of(always(log, 1), log).name == "given probabilities"
    target = TargetPolicy("x")
    assert target_policy_of(target, log) is target
    with pytest.raises(UsageError, match="evaluate: policy = 'int'"):
        target_policy_of(3, log)
    other = Fixed()
    other.catalog = Catalog.from_names(["mail@email", "letter@post"])
    with pytest.raises(DataError, match="coupon@email, coupon@sms, letter@post"):
        target_policy_of(other, log)
    other.catalog = Catalog.from_names(["coupon@email", "mail@email", "coupon@sms"])
    with pytest.raises(DataError, match="the same names in another order"):
        target_policy_of(other, log)


def test_rows_that_are_not_kept_leave_what_is_given():
    log = make_log(6)
    p, kept = within(log), np.array([1, 4])
    assert np.array_equal(policy_of_rows(p, log, kept), p[kept])
    assert policy_of_rows(p, log, None) is p
    assert policy_of_rows("logged", log, kept) == "logged"
    target = TargetPolicy("x", lambda rows: p[rows])
    assert policy_of_rows(target, log, None) is target
    assert np.array_equal(policy_of_rows(target, log, kept).answer(slice(0, 2)), p[kept])
    logged = TargetPolicy("logged")
    assert policy_of_rows(logged, log, kept) is logged
    for wrong in (p[:5], p[:, :3], np.full((6, 4), "x")):
        with pytest.raises(DataError, match=r"numbers of shape \(6, 4\)"):
            policy_of_rows(wrong, log, None)


def test_probabilities_by_decision_in_any_order():
    log = make_log(5)
    frame = pd.DataFrame({"decision_id": log.decision_id, "none": 0.25, "coupon@sms": [0.75, 0.5, 0.25, 0.0, 0.75]})
    found = read_probabilities(frame.iloc[[3, 1, 0, 4, 2]].assign(__index_level_0__=1), log)
    assert found[:, 0].tolist() == [0.25] * 5
    assert found[:, 3].tolist() == [0.75, 0.5, 0.25, 0.0, 0.75]
    assert (found[:, 1:3] == 0).all()
    with pytest.raises(DataError, match="2 decisions of the log lack a row"):
        read_probabilities(frame.iloc[:3], log)
    with pytest.raises(DataError) as wrong:
        read_probabilities(pd.concat([frame, frame.iloc[:2]]).assign(mail="x", **{"mail@email": "y"}), log)
    said = [(p.field, p.value) for p in wrong.value.problems]
    assert ("column", "mail") in said
    assert ("decision_id", log.decision_id[0]) in said
    assert any(field == "column mail@email" for field, _ in said)
    assert any("2 are repeated" in p.allowed for p in wrong.value.problems)
    with pytest.raises(DataError, match="decision_id"):
        read_probabilities(frame.drop(columns="decision_id"), log)


# ---- trajectories and states


def shuffled(n=24, rows=3, seed=0, **changes):
    log = make_log(n, rows=rows, seed=seed, **changes)
    return log.take(np.random.default_rng(seed).permutation(n))


def test_trajectories_are_rows_in_the_order_of_steps():
    log = shuffled().take(np.flatnonzero((shuffled().customer != 2) | (shuffled().step < 1)))
    for horizon in (None, 1, 2):
        paths = trajectories(log, horizon)
        assert paths.steps == (horizon or 3)
        for i, c in enumerate(sorted(set(log.customer.tolist()))):
            assert paths.customer[i] == c
            for t in range(paths.steps):
                here = np.flatnonzero((log.customer == c) & (log.step == t))
                assert paths.row[i, t] == (here[0] if len(here) else -1)
        assert paths.going_on.tolist() == (paths.row >= 0).tolist()
        aligned = paths.aligned(log.reward + 2.0, -5.0)
        assert aligned.tolist() == np.where(paths.row >= 0, (log.reward + 2.0)[paths.row], -5.0).tolist()
    assert longest(log) == 3
    assert longest(log.take(slice(0, 0))) == 0
    following = next_rows(log)
    for row in range(len(log)):
        here = np.flatnonzero((log.customer == log.customer[row]) & (log.step == log.step[row] + 1))
        assert following[row] == (here[0] if len(here) else -1)


def test_known_steps_are_those_before_the_first_unknown_outcome():
    log = make_log(12, rows=3)
    assert known_steps(log) == 3
    for step in range(3):
        matured = np.ones(12, dtype=bool)
        matured[3 + step] = False
        assert known_steps(replace(log, matured=matured)) == step


def test_rewards_add_up_only_where_windows_end_before_the_next_decision():
    log = make_log(6, rows=3, day=np.tile([0, 3, 7], 2))
    assert why_not_additive(log) is None
    for days, apart in ((3, None), (4, 3), (9, 3)):
        said = why_not_additive(replace(log, meta={"outcome_days": days}))
        if apart is None:
            assert said is None
        else:
            assert said == (
                f"rewards are counted over {days} days but decisions come 3 days apart, so outcome windows overlap "
                "and rewards do not add up. Log with outcome_days=3."
            )
    close = replace(log, day=np.tile([0, 1, 7], 2), meta={"outcome_days": 2})
    assert "come 1 day apart" in why_not_additive(close)
    same = replace(log, day=np.tile([0, 0, 7], 2), meta={"outcome_days": 2})
    assert "come 0 days apart" in why_not_additive(same)
    assert why_not_additive(same).endswith("Log with outcome_days=1.")
    assert "every customer has one decision" in why_not_additive(make_log(4))


def test_a_trace_fades_by_its_share_with_each_step():
    log = shuffled()
    happened = np.random.default_rng(1).random((24, 2)).astype(np.float32)
    found = traces(log, happened, 0.6)
    for c in range(8):
        trace = np.zeros(2)
        for t in range(3):
            row = int(np.flatnonzero((log.customer == c) & (log.step == t))[0])
            assert found[row] == pytest.approx(trace, abs=1e-6)
            trace = 0.6 * trace + 0.4 * happened[row]


def test_states_are_contexts_and_traces_of_what_was_sent_and_could_have_been(monkeypatch):
    log = shuffled(eligible=True)
    marks = np.zeros((K, 4), dtype=np.float32)  # offers mail, coupon; channels email, sms
    marks[1, [0, 2]] = marks[2, [1, 2]] = marks[3, [1, 3]] = 1.0
    sent = marks[log.action]
    possible = (log.eligible.astype(float) @ marks > 0).astype(np.float32)
    parts = [log.context.encode(), traces(log, sent, 0.6), traces(log, sent, 0.9), traces(log, possible, 0.9)]
    assert states(log) == pytest.approx(np.concatenate(parts, axis=1))
    always_same = replace(log, eligible=np.ones((24, K), dtype=bool))
    assert states(always_same) == pytest.approx(np.concatenate(parts[:3], axis=1))
    assert states(replace(log, eligible=None)) == pytest.approx(np.concatenate(parts[:3], axis=1))
    kinds = Catalog.product(
        [Offer(name=f"o{i}", kind="coupon" if i % 2 else "gift") for i in range(24)],
        [Channel(name="email")],
        [(f"o{i}", "email") for i in range(24)],
    )
    assert states_module._marks(kinds).shape == (25, 24 + 1)
    more = Catalog.product(
        [Offer(name=f"o{i}", kind="coupon" if i % 2 else "gift") for i in range(25)],
        [Channel(name="email")],
        [(f"o{i}", "email") for i in range(25)],
    )
    found = states_module._marks(more)  # too many offers: by their kinds
    assert found.shape == (26, 2 + 1)
    assert found[0].tolist() == [0, 0, 0]
    assert found[1:, 0].tolist() == [1.0 if i % 2 == 0 else 0.0 for i in range(25)]
    assert found[1:, 2].tolist() == [1.0] * 25


# ---- marginal weights


def test_marginal_weights_are_ratios_of_sums_over_actions(shop):
    log = shop.log(60)
    k, chance = len(shop.catalog), np.random.default_rng(0)
    logging = chance.dirichlet(np.ones(k), 60)
    logging[::3, 5:] = 0.0  # price cuts by sms are not done there
    logging /= logging.sum(axis=1, keepdims=True)
    target = chance.dirichlet(np.ones(k), 60)
    target[:, 2] = 0.0
    target /= target.sum(axis=1, keepdims=True)
    action = np.array([chance.choice(k, p=row) for row in logging])
    log = replace(log, action=action, eligible=None)
    gathering = MarginalGathering(log)
    gathering.take(slice(0, 25), target[:25], logging[:25])
    gathering.take(slice(25, 60), target[25:], logging[25:])
    found = gathering.result()
    contact = np.where(np.arange(k) == 0, -1, 0)
    for marginal, of in (
        (found.offer, shop.catalog.offer_of),
        (found.channel, shop.catalog.channel_of),
        (found.contact, contact),
    ):
        groups = sorted(set(of.tolist()))
        p = np.array([[target[i, of == g].sum() for g in groups] for i in range(60)])
        b = np.array([[logging[i, of == g].sum() for g in groups] for i in range(60)])
        own = np.array([groups.index(of[a]) for a in action])
        weight = p[np.arange(60), own] / b[np.arange(60), own]
        assert marginal.weight == pytest.approx(weight)
        assert marginal.off_support == pytest.approx(np.where(b > 0, 0.0, p).sum(axis=1).mean())
        bound = 1.0
        for g in range(len(groups)):
            there = (b[:, g] > 0) & (p[:, g] > 0)
            if there.any():
                bound = max(bound, p[:, g].max() / b[there, g].min())
        assert marginal.range == (0.0, pytest.approx(max(bound, weight.max())))
    assert not found.independent
    mixed = found.mixed(0.25)
    assert mixed.offer.weight == pytest.approx(0.75 + 0.25 * found.offer.weight)
    assert mixed.offer.range == pytest.approx((0.75, 0.75 + 0.25 * found.offer.range[1]))
    assert mixed.channel.off_support == pytest.approx(0.25 * found.channel.off_support)
    assert mixed.independent is found.independent


def test_groups_and_pairs_of_actions():
    assert memberships(np.array([-1, 0, 2])).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert _pair_of(np.array([-1, 0, 0, 1, 1]), np.array([-1, 0, 1, 0, 1])).tolist() == [-1, 0, 1, 2, 3]
    assert _pair_of(np.array([-1, 0, 1]), np.array([-1, 2, 0])).tolist() == [-1, 2, 3]


# ---- estimators by hand


def test_weights_that_are_held_back():
    w = np.array([0.0, 1.0, 9.0, 10.0, 11.0])
    assert bandit.clipped(w, 10.0).tolist() == [0, 1, 9, 10, 10]
    assert bandit.switched(w, 10.0).tolist() == [0, 1, 9, 10, 0]
    assert bandit.shrunk(w, 100.0) == pytest.approx(100 * w / (w * w + 100))
    assert bandit.shrunk(w, math.inf) is w
    assert bandit.subgaussian(w, 0.25) == pytest.approx(w / (0.75 + 0.25 * w))


def test_estimators_of_episodes_by_loops():
    chance = np.random.default_rng(0)
    n, T, g = 7, 4, 0.8
    w, r = chance.lognormal(0, 0.5, (n, T)), chance.normal(size=(n, T))
    q, v = chance.normal(size=(n, T)), chance.normal(size=(n, T))
    ratio = chance.lognormal(0, 0.5, (n, T))
    W = np.array([[np.prod(w[i, : t + 1]) for t in range(T)] for i in range(n)])
    before = np.array([[np.prod(w[i, :t]) for t in range(T)] for i in range(n)])
    pdis = [sum(g**t * W[i, t] * r[i, t] for t in range(T)) for i in range(n)]
    assert sequential.pdis(w, r, g).value == pytest.approx(np.mean(pdis))
    tis = [W[i, -1] * sum(g**t * r[i, t] for t in range(T)) for i in range(n)]
    assert sequential.tis(w, r, g).value == pytest.approx(np.mean(tis))
    assert sequential.sntis(w, r, g).value == pytest.approx(np.sum(tis) / W[:, -1].sum())
    sdr = [sum(g**t * (W[i, t] * (r[i, t] - q[i, t]) + before[i, t] * v[i, t]) for t in range(T)) for i in range(n)]
    assert sequential.sdr(w, r, q, v, g).value == pytest.approx(np.mean(sdr))
    share, share_before = W / W.mean(axis=0), before / before.mean(axis=0)
    for corrected in (0, 1, 2, 3, 4, None):
        j = T if corrected is None else corrected
        value = sum(g**t * (share[:, t] * (r - q)[:, t]).mean() for t in range(j))
        value += sum(g**t * (share_before[:, t] * v[:, t]).mean() for t in range(min(j + 1, T)))
        assert sequential.wdr(w, r, q, v, g, corrected).value == pytest.approx(value)
    seen = ratio * w / (ratio * w).mean(axis=0)
    value = sum(g**t * (seen[:, t] * r[:, t]).mean() for t in range(T))
    assert sequential.msis(ratio, w, r, g).value == pytest.approx(value)
    assert sequential.dm(v).value == pytest.approx(v[:, 0].mean())
    assert math.isnan(sequential.wpdis(np.zeros((n, T)), r).value)
    for point in (sequential.pdis(w, r, g), sequential.wpdis(w, r, g), sequential.wdr(w, r, q, v, g, 2)):
        assert point.influence.mean() == pytest.approx(0.0, abs=1e-12)


# ---- errors by customer


def test_errors_are_of_sums_over_customers_whatever_their_numbers():
    customer = np.array([7, 2, 7, 9, 2, 2])
    clusters, values = Clusters(customer), np.array([1.0, -2.0, 0.5, 0.25, 0.75, -0.5])
    assert (len(clusters), clusters.rows) == (3, 6)
    assert clusters.numbers.tolist() == [2, 7, 9]
    assert clusters.sizes.tolist() == [3, 2, 1]
    assert clusters.of_rows().tolist() == [1, 0, 1, 2, 0, 0]
    assert clusters.sums(values).tolist() == [-1.75, 1.5, 0.25]
    assert clusters.scaled(values).tolist() == [-0.875, 0.75, 0.125]
    error = math.sqrt(3 / 2 * (1.75**2 + 1.5**2 + 0.25**2)) / 6
    assert std_error(values, clusters) == pytest.approx(error)
    assert math.isnan(std_error(values, Clusters(np.zeros(6, dtype=int))))
    two = Clusters(np.array([0, 0, 0, 1, 1, 1]))
    assert std_error(values, two) == pytest.approx(math.sqrt(2 * 2 * 0.5**2) / 6)
    found = clustered_t(Point(0.4, values), clusters, 0.1)
    half = stats.t.isf(0.05, 2) * error
    assert found[:4] == pytest.approx((0.4, error, 0.4 - half, 0.4 + half))
    assert found.interval == "customer t"


def test_how_likely_a_gap_is():
    assert p_value_of_gap(1.0, 0.0, 0.5) == pytest.approx(2 * stats.norm.sf(2.0))
    assert p_value_of_gap(0.0, 1.0, 0.5) == pytest.approx(2 * stats.norm.sf(2.0))
    assert p_value_of_gap(1.0, 1.0 + 0.9e-9, 1e-12) == 1.0  # rounding
    assert p_value_of_gap(1.0, 1.0 + 1.1e-9, 1e-12) < 1e-9
    assert p_value_of_gap(1000.0, 1000.0 + 0.9e-6, 1e-12) == 1.0
    for error in (0.0, math.nan):
        assert p_value_of_gap(1.0, 2.0, error) == 1.0
    assert p_value_of_gap(math.nan, 2.0, 1.0) == 1.0


def test_resamples_hold_customers_whole():
    customer = np.array([5, 1, 5, 3, 1, 1])
    clusters = Clusters(customer)
    drawn_ = list(resampled_rows(clusters, 40, np.random.default_rng(0)))
    chance = np.random.default_rng(0)
    assert len(drawn_) == 40
    for rows in drawn_:
        times = np.bincount(chance.integers(0, 3, 3), minlength=3)
        counts = np.bincount(rows, minlength=6)
        assert counts.tolist() == [times[[1, 3, 5].index(c)] for c in customer]


def test_ends_of_a_bootstrap_are_quantiles_of_the_draws_that_gave_something():
    clusters, values = Clusters(np.arange(9)), np.arange(9.0)
    found = percentile_interval(lambda rows: values[rows].mean(), clusters, 0.2, np.random.default_rng(3), 200)
    draws = [values[rows].mean() for rows in resampled_rows(clusters, 200, np.random.default_rng(3))]
    assert found == pytest.approx(tuple(np.quantile(draws, [0.1, 0.9])))

    def some(rows):
        return math.nan if values[rows].mean() > 4 else values[rows].mean()

    found = percentile_interval(some, clusters, 0.2, np.random.default_rng(3), 200)
    assert found == pytest.approx(tuple(np.quantile([d for d in draws if d <= 4], [0.1, 0.9])))
    nothing = percentile_interval(lambda rows: math.inf, clusters, 0.2, np.random.default_rng(3), 20)
    assert all(math.isnan(end) for end in nothing)


# ---- empirical likelihood


def sample(n, seed):
    chance = np.random.default_rng(seed)
    w = chance.lognormal(-0.2, 0.6, n)
    return w, w * chance.normal(0.5, 0.4, n)


def test_sums_of_pairs_add_up_and_turn():
    w, y = sample(6, 0)
    whole, a, b = PairSums.of(w, y), PairSums.of(w[:2], y[:2]), PairSums.of(w[2:], y[2:])
    fields = ("n", "w", "ww", "y", "wy", "yy")
    wanted = (6, w.sum(), w @ w, y.sum(), w @ y, y @ y)
    assert [getattr(whole, f) for f in fields] == pytest.approx(wanted)
    assert [getattr(a + b, f) for f in fields] == pytest.approx(wanted)
    assert [getattr(whole - b, f) for f in fields] == pytest.approx([getattr(a, f) for f in fields])
    assert [getattr(whole.mirrored(), f) for f in fields] == pytest.approx(
        (6, w.sum(), w @ w, -y.sum(), -(w @ y), y @ y)
    )
    assert Extreme(2.0, 3.0, 0.5).mirrored() == Extreme(2.0, -3.0, -0.5)


@pytest.mark.parametrize("seed", range(4))
def test_an_end_is_a_regression_read_off_at_a_mean_weight_of_one(seed):
    """Karampatziakis et al. 2020 in words: the fitted outcome at 1, less a margin of the residual spread."""
    w, y = sample(40, seed)
    low = [Extreme(0.0, 0.0), Extreme(4.0, -1.0)]
    high = [Extreme(0.0, 0.0), Extreme(4.0, 3.0)]
    found = cressie_read(PairSums.of(w, y), low, high, 0.1)
    ends = []
    budget = mean_weight_statistic(PairSums.of(w, y), 0.0, 4.0) + stats.f.isf(0.1, 1, 40)
    for sign, extremes in ((1, low), (-1, high)):
        for e in extremes:
            W, Y = np.append(w, e.weight), sign * np.append(y, e.outcome)
            m, var = 41, W.var()
            slope = np.cov(W, Y, bias=True)[0, 1] / var
            rest = (Y - Y.mean() - slope * (W - W.mean())).var()
            room = budget - m * (1 - W.mean()) ** 2 / var
            if room >= 0:
                ends.append((sign, Y.mean() + slope * (1 - W.mean()) - math.sqrt(rest * room / m)))
    assert found[0] == pytest.approx(min(end for sign, end in ends if sign == 1))
    assert found[1] == pytest.approx(-min(end for sign, end in ends if sign == -1))


def test_an_infinite_weight_is_the_limit_of_large_ones():
    w, y = sample(30, 1)
    sums = PairSums.of(w, y)
    for slope in (0.2, -0.4, 0.9):
        limit = cressie_read(
            sums,
            [Extreme(0.0, 0.0), Extreme(math.inf, 0.0, slope)],
            [Extreme(0.0, 0.0), Extreme(math.inf, 0.0, slope)],
            0.05,
        )
        large = 1e7
        near = cressie_read(
            sums,
            [Extreme(0.0, 0.0), Extreme(large, slope * large)],
            [Extreme(0.0, 0.0), Extreme(large, slope * large)],
            0.05,
        )
        assert limit == pytest.approx(near, rel=1e-3, abs=1e-3)


def test_where_no_distribution_agrees_any_value_may_be():
    """Every weight is a half, and none other can have been missed: no mean weight is 1."""
    ends = [Extreme(0.5, 0.1), Extreme(0.5, 0.1)]
    found = cressie_read(PairSums.of(np.full(4, 0.5), np.full(4, 0.2)), ends, ends, 0.05)
    assert found == (-math.inf, math.inf)


def test_how_far_weights_are_from_a_mean_of_one():
    w = np.array([0.5, 1.5, 0.7])
    joined = np.append(w, 3.0)
    found = mean_weight_statistic(PairSums.of(w, w), 0.1, 3.0)  # below 1 on average: the largest may be missing
    assert found == pytest.approx(4 * (1 - joined.mean()) ** 2 / joined.var())
    w = np.array([0.5, 1.5, 1.7])
    joined = np.append(w, 0.1)
    found = mean_weight_statistic(PairSums.of(w, w), 0.1, 3.0)
    assert found == pytest.approx(4 * (1 - joined.mean()) ** 2 / joined.var())
    ones = PairSums.of(np.ones(3), np.ones(3))
    assert mean_weight_statistic(ones, 1.0, 1.0) == 0.0
    assert mean_weight_statistic(PairSums.of(np.full(3, 0.5), np.ones(3)), 0.5, 0.5) == math.inf
    assert mean_weight_statistic(PairSums.of(np.full(4, 0.5), np.ones(4)), 0.0, math.inf) == 1.25


def test_the_nearest_distribution_gives_each_sample_its_chance():
    """q = -(gamma + beta w) / m adds up to the mass and to a mean weight of 1 with the point that was missed."""
    for seed in range(3):
        w, y = sample(20, seed)
        for least, largest in ((0.0, 5.0), (0.0, 50.0)):
            fake = largest if w.mean() < 1 else least
            W, m = np.append(w, fake), 21
            mean, square = W.mean(), (W**2).mean()
            beta = (1 - mean) / (mean**2 - square)
            gamma = (square - mean) / (mean**2 - square)
            q = (-gamma - beta * W) / m
            assert q.sum() == pytest.approx(1.0)
            assert q @ W == pytest.approx(1.0)
            r = y / w
            missing = max(0.0, 1 - (q[:-1] @ w))
            wanted = q[:-1] @ (w * r) + missing * 0.3
            assert cressie_read_point(PairSums.of(w, y), least, largest, 0.3) == pytest.approx(wanted)
    same = np.full(5, 1.0)
    assert cressie_read_point(PairSums.of(same, same * 0.4), 1.0, 1.0, 9.0) == pytest.approx(0.4)
    w, y = sample(20, 0)
    if w.sum() < 20:
        m = 21
        wanted = (m / 20) * y.sum() / m + max(0.0, 1 - (m / 20) * w.sum() / m) * 0.3
        assert cressie_read_point(PairSums.of(w, y), 0.0, math.inf, 0.3) == pytest.approx(wanted)


# ---- bounds that hold at any time


def test_a_path_is_made_of_guesses_from_what_came_before():
    x = np.random.default_rng(0).lognormal(-0.5, 1.0, (2, 6))
    path = Path.of(x)
    for row in range(2):
        total = squares = 0.0
        for t in range(6):
            guess = min((total + 0.5) / (t + 1), 1.0)
            total += x[row, t]
            squares += (x[row, t] - guess) ** 2
            assert (path.steps[row, t], path.total[row, t]) == (t + 1, pytest.approx(total))
            assert path.squares[row, t] == pytest.approx(squares)
    some = path.at(np.array([1, 4]))
    assert some.total.tolist() == path.total[:, [1, 4]].tolist()
    assert some.squares.shape == some.steps.shape == (2, 2)


def test_a_mixture_bound_is_where_wealth_reaches_one_over_alpha():
    x = np.random.default_rng(1).uniform(0.2, 1.0, 200)
    path = Path.of(x)
    for alpha in (0.05, 0.3):
        low = mixture(path, alpha)
        wealth = log_wealth(path.total - path.steps * low, path.squares)
        inside = low > 1e-9
        assert inside[-1]
        assert wealth[inside] == pytest.approx(-math.log(alpha), abs=1e-6)
        assert (log_wealth(path.total, path.squares)[~inside] <= -math.log(alpha) + 1e-9).all()
    assert log_wealth(np.array([-5.0]), np.array([1.0]))[0] == -np.inf
    assert log_wealth(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(0.0, abs=1e-9)


def test_a_stitched_bound_by_the_theorem():
    """Howard et al. 2021, theorem 1, with eta and s of 1.1 and a first epoch of 1."""
    from scipy import special

    path = Path.of(np.random.default_rng(2).uniform(0.0, 1.0, 300))
    eta = s = 1.1
    for t in (0, 10, 299):
        v = max(path.squares[t], 1.0)
        k1 = (eta**0.25 + eta**-0.25) / math.sqrt(2)
        k2 = (math.sqrt(eta) + 1) / 2
        ell = s * math.log(math.log(eta * v) / math.log(eta) + 1) + math.log(special.zeta(s) / 0.05)
        wanted = (path.total[t] - math.sqrt(k1**2 * ell * v + k2**2 * ell**2) - k2 * ell) / (t + 1)
        assert stitched(path, 0.05)[t] == pytest.approx(max(wanted, 0.0))


def test_both_bounds_share_alpha_and_follow_the_unit():
    chance = np.random.default_rng(3)
    w, r = chance.uniform(0.5, 1.5, 400), chance.uniform(0.0, 1.0, 400)
    low, high = anytime_bounds(w, r, 0.1)
    assert low == pytest.approx(mixture(Path.of(w * r), 0.05))
    assert high == pytest.approx(1 - mixture(Path.of(w * (1 - r)), 0.05))
    other = anytime_bounds(w, 3.0 * r - 1.0, 0.1, (-1.0, 2.0))
    assert other[0] == pytest.approx(3 * low - 1)
    assert other[1] == pytest.approx(3 * high - 1)
    looks = np.array([9, 99, 399])
    some = anytime_bounds(w, r, 0.1, looks=looks)
    assert some[0] == pytest.approx(low[looks])
    for value in (0.1, 0.3, 0.5, 0.6, 0.9):
        wanted = bool(((value < some[0]) | (value > some[1])).any())
        assert bool(ever_excluded(w, r, value, 0.1, looks)) is wanted


def test_bets_are_the_best_for_what_was_seen_before():
    unit, alpha = np.array([0.2, 0.9, 0.4, 0.4]), 0.1
    total, spread = 0.5, 0.25
    before, count = 0.25, 1
    for t, x in enumerate(unit):
        assert _bets(unit, alpha)[t] == pytest.approx(math.sqrt(2 * math.log(2 / alpha) / (4 * before)))
        count += 1
        total += x
        spread += (x - total / count) ** 2
        before = spread / count


def test_a_betting_interval_ends_where_a_gambler_is_rich():
    x = np.random.default_rng(4).uniform(1.0, 3.0, 60)
    low, high = betting_interval(x, 0.1, 0.0, 4.0)
    for end, unit in ((low / 4, x / 4), (1 - high / 4, 1 - x / 4)):
        stake = np.minimum(_bets(x / 4, 0.1), 0.5 / end)
        assert np.log1p(stake * (unit - end)).sum() == pytest.approx(math.log(2 / 0.1), abs=1e-9)
    assert low < x.mean() < high
    assert betting_interval(x, 0.1, 2.0, 2.0) == (2.0, 2.0)
    assert betting_interval(np.full(2, 0.5), 0.1) == (0.0, 1.0)


# ---- holdouts


def test_a_holdout_is_drawn_observed_and_compared():
    log = make_log(400, rows=2, meta={"holdout": 0.2, "holdout_salt": 3})
    held = drawn(log.customers, 0.2, 3)
    assert 20 < held.sum() < 60
    quiet = replace(log, action=np.where(held[log.customer], 0, log.action))
    found = holdout_of(quiet)
    assert found[:2] == (0.2, held.sum() / 200)
    assert found.p_value == pytest.approx(stats.binomtest(int(held.sum()), 200, 0.2).pvalue)
    assert found.contacted == 0
    one = int(np.flatnonzero(held)[0])
    action = quiet.action.copy()
    action[log.customer == one] = [0, 3]
    assert holdout_of(replace(quiet, action=action)).contacted == 1
    assert holdout_of(replace(log, meta={"holdout": 0.0})) is None
    assert holdout_of(replace(log, meta={})) is None
    assert holdout_of(log.take(slice(0, 0))) is None
    other = holdout_of(replace(log, meta={"holdout": 0.2}))
    assert other.observed == drawn(log.customers, 0.2, 0).mean()


def test_logs_are_apart_by_customer_or_by_time():
    learned = make_log(20, meta={"outcome_days": 3}, day=np.full(20, 10))
    for day, fine in ((13, True), (12, False), (14, True)):
        judged = make_log(20, day=np.full(20, day))
        if fine:
            check_apart(learned, judged)
        else:
            with pytest.raises(DataError, match="20 customers overlap"):
                check_apart(learned, judged)
    check_apart(
        learned, replace(make_log(20, day=np.full(20, 12)), customers=np.array([f"x{i}" for i in range(20)], object))
    )
    plain = make_log(20, day=np.full(20, 10))
    for day, fine in ((10, False), (11, True), (9, False)):
        judged = make_log(20, day=np.full(20, day))
        if fine:
            check_apart(plain, judged)
        else:
            with pytest.raises(DataError):
                check_apart(plain, judged)
    last = replace(plain, day=np.r_[np.full(19, 5), 10])
    with pytest.raises(DataError, match="1 customers overlap"):
        check_apart(last, make_log(20, day=np.full(20, 8)))
    assert CATALOG.names[0] == "none"
    assert SCHEMA.names == ("recency", "tag")
    assert TARGET.sum() == pytest.approx(1.0)
    assert isinstance(plain.context, Context)
