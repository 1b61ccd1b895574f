"""Do a log's actions come as often as its propensities say? Faults are named, honest logs are left alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from campaignrl.actions import Catalog
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.data.log_sample import (
    LEAST,
    WINDOW,
    LogSample,
    Noted,
    joined_samples,
    noted,
    sampled,
    sampled_of_kept,
)
from campaignrl.ope.data.target_policy import TargetPolicy
from campaignrl.ope.diagnostics.balance import balance
from campaignrl.ope.diagnostics.cells import CROSSED, Cells, CellSums, cells_of
from campaignrl.ope.diagnostics.evidence import STAKES, log_wealth, wealthy
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log
from campaignrl.tables.logs import read_log

NAMES = ("none", "a@email", "b@email", "c@sms")


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def drawn(P, rng):
    return (P.cumsum(axis=1) < rng.random(len(P))[:, None]).sum(axis=1).clip(0, P.shape[1] - 1)


def log_of(X, action, p, reward, names=NAMES, customer=None, **columns):
    n = len(action)
    customer = np.arange(n) if customer is None else customer
    step = np.zeros(n, dtype=int)
    for i in range(1, n):
        step[i] = step[i - 1] + 1 if customer[i] == customer[i - 1] else 0
    low, high = float(X.min()) - 1.0, float(X.max()) + 1.0
    schema = FeatureSchema(tuple(Feature(name=f"x{j}", low=low, high=high) for j in range(X.shape[1])))
    return DecisionLog(
        catalog=Catalog.from_names(names),
        customers=np.array([f"c{i:06d}" for i in range(int(customer.max()) + 1)], dtype=object),
        customer=customer,
        step=step,
        day=columns.pop("day", np.zeros(n, dtype=int)),
        context=Context(schema, {f"x{j}": X[:, j] for j in range(X.shape[1])}),
        action=action,
        propensity=np.asarray(p, dtype=float),
        reward=np.asarray(reward, dtype=float),
        cost=np.zeros(n, dtype=np.int64),
        matured=columns.pop("matured", np.ones(n, dtype=bool)),
        meta={"policy_id": "mine"},
        **columns,
    )


class Honest:
    """A log drawn by a softmax of the contexts, and a policy to value; each fault changes one thing."""

    def __init__(self, n=6_000, seed=0):
        rng = np.random.default_rng(seed)
        self.rng, self.n, self.rows = rng, n, np.arange(n)
        self.X = rng.normal(size=(n, 2))
        self.P = 0.8 * softmax(0.5 * self.X @ rng.normal(size=(2, 4))) + 0.05
        self.action = drawn(self.P, rng)
        self.p = self.P[self.rows, self.action]
        self.reward = (rng.random(n) < 0.2).astype(float)
        self.E = softmax(0.8 * self.X @ rng.normal(size=(2, 4)))

    def log(self, **changes):
        given = {"p": self.p, "action": self.action, **changes}
        return log_of(self.X, given.pop("action"), given.pop("p"), self.reward, **given)

    def findings(self, log, wanted="own"):
        wanted = self.E if isinstance(wanted, str) else wanted
        at = np.arange(len(log))
        return balance(
            LogSample.of(log, at, log.customer, None if wanted is None else wanted.astype("f4")), log.catalog.names
        )


# ---- the bets


@settings(max_examples=200, deadline=None)
@given(arrays(float, st.integers(1, 30), elements=st.floats(-1.0, 50.0)))
def test_sums_and_squares_never_promise_more_than_the_bets_themselves(x):
    """The wealth of each stake, worked out bet by bet, is at least what the two sums say."""
    bets = np.log(np.mean([np.exp(np.log1p(s * x).sum()) for s in STAKES]))
    assert log_wealth(np.array(x.sum()), np.array(x @ x)) <= bets + 1e-9


def test_a_single_certain_gain_by_hand():
    """x = 1 once: the mean over the stakes of exp(s - (-log(1 - s) - s)) = exp(2 s) (1 - s)."""
    assert log_wealth(np.array(1.0), np.array(1.0)) == pytest.approx(np.log(np.mean(np.exp(2 * STAKES) * (1 - STAKES))))


@pytest.mark.parametrize("p", [0.5, 0.01, 0.0003])
def test_wealth_of_an_honest_propensity_rarely_grows(p):
    rng = np.random.default_rng(0)
    n, alpha = 2_000, 0.01
    taken = rng.binomial(n, p, size=20_000)
    total, squares = taken / p - n, taken * (1 / p - 1) ** 2 + (n - taken)
    assert (log_wealth(total, squares) > -np.log(alpha)).mean() <= alpha
    short = (log_wealth(-total, squares, 1 / p - 1) > -np.log(alpha)).mean()
    assert short <= alpha


# ---- which rows


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 200_000), cut=st.integers(700, 70_000))
def test_pieces_of_any_size_give_the_rows_of_the_whole(rows, cut):
    whole = sampled(0, rows, rows)
    parts = [sampled(first, min(cut, rows - first), rows) + first for first in range(0, rows, cut)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert min(rows, LEAST) - 2 * WINDOW <= len(whole) <= max(rows if rows <= LEAST else LEAST, rows // 32) + 2 * WINDOW


def test_rows_that_are_not_kept_are_not_looked_at():
    matured = np.arange(40_000) % 3 > 0
    at = sampled_of_kept(matured)
    kept = np.flatnonzero(matured)
    assert np.array_equal(kept[at], np.array([i for i in sampled(0, 40_000, 40_000) if matured[i]]))


def test_what_a_policy_answers_is_noted_at_the_sampled_rows_alone():
    p = np.random.default_rng(0).random((100, 3))
    at = np.array([0, 7, 8, 40, 99])
    target, kept = noted(TargetPolicy("mine", lambda rows: p[rows]), at, 3)
    for rows in (slice(0, 8), slice(8, 9), slice(9, 100)):
        assert np.array_equal(target.answer(rows), p[rows])
    assert np.array_equal(kept, p[at].astype("f4"))


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.lists(st.integers(1, 20), min_size=1, max_size=60))
def test_any_rows_are_noted_whatever_the_blocks(kept, sizes):
    at, p = np.flatnonzero(kept), np.random.default_rng(1).random((len(kept), 2))
    noting, ends = Noted(at, 2), np.minimum(np.cumsum([0, *sizes, len(kept)]), len(kept)).tolist()
    for start, end in pairwise(ends):
        noting.take(p[start:end], slice(start, end))
    noting.take(np.zeros((3, 5)), slice(0, 3))  # no probabilities of these actions: somebody else says so
    assert np.array_equal(noting.wanted, p[at].astype("f4"))


def test_joined_samples_are_the_sample_of_the_whole():
    h = Honest(500)
    log = h.log(wave=h.rows % 2)
    at = np.arange(500)
    whole = LogSample.of(log, at, log.customer, h.E.astype("f4"))
    halves = [LogSample.of(log, part, log.customer[part], h.E[part].astype("f4")) for part in np.split(at, [200])]
    both = joined_samples(halves)
    assert both.eligible is None
    for name in ("customer", "action", "propensity", "reward", "wave", "day", "wanted"):
        assert np.array_equal(getattr(both, name), getattr(whole, name)), name
    assert all(np.array_equal(both.columns[c], whole.columns[c]) for c in whole.columns)


# ---- cells


def test_cells_cover_every_row_and_say_what_they_hold():
    X = np.r_[np.repeat(np.arange(100.0), 4), np.full(40, np.nan)][:, None]
    n = len(X)
    feature = Feature(name="recency", low=0.0, high=100.0, nullable=True)
    sample = LogSample(
        FeatureSchema((feature,)), np.arange(n), np.zeros(n, int), np.full(n, 0.5), np.zeros(n), None,
        {"recency": X[:, 0]}, None, np.zeros(n), None,
    )  # fmt: skip
    (cells,) = cells_of(sample)
    assert cells.called[0] == "`recency` is low (at most 24)"
    assert cells.called[-1] == "`recency` is missing"
    assert set(cells.cell[np.isnan(X[:, 0])]) == {len(cells.called) - 1}
    for at, value in ((0, 24.0), (1, 25.0), (3, 99.0)):
        assert cells.cell[4 * int(value)] == at


@given(st.integers(0, 2**32), st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 300))
@settings(deadline=None)
def test_columns_counted_together_are_what_each_is_alone(seed, counts, k):
    rng, m = np.random.default_rng(seed), 200
    columns = [
        Cells(str(j), rng.integers(0, count, m).astype(("i1", "i8")[j % 2]), tuple(map(str, range(count))))
        for j, count in enumerate(counts)
    ]
    action, x = rng.integers(0, k, m).astype("i2"), rng.integers(-9, 9, m).astype(float)  # sums without rounding
    sums = CellSums(columns, action, k)
    wanted, rows = [], []
    for column in columns:
        for cell in range(len(column.called)):
            here = column.cell == cell
            wanted.append(np.bincount(action[here], x[here], k))
            rows.append(np.bincount(action[here], minlength=k))
    assert [(column.name, cell) for column, cell in sums.cells] == [
        (c.name, i) for c in columns for i in range(len(c.called))
    ]
    assert np.array_equal(sums.by_action(x), wanted)
    assert np.array_equal(sums.by_action(), rows)
    assert np.array_equal(sums.of(x), np.sum(wanted, axis=1))


def test_many_columns_are_crossed_within_a_bound():
    columns = [Cells(str(j), np.zeros(3, int), ("a", "b", "c", "d")) for j in range(9)]
    sums = CellSums(columns, np.arange(3), 20)
    assert max(np.prod(shape) for _, shape in sums._crossed) <= CROSSED
    assert len(sums._crossed) == 3


def test_rare_levels_share_a_cell():
    level = np.r_[np.zeros(200, int), np.ones(5, int), np.full(5, 2)]
    n = len(level)
    sample = LogSample(
        FeatureSchema((Feature(name="plan", levels=("free", "gold", "silver")),)), np.arange(n), level, np.ones(n),
        np.zeros(n), None, {"plan": level}, None, None, None,
    )  # fmt: skip
    (cells,) = cells_of(sample)
    assert cells.called == ("`plan` is free", "`plan` is something rare")
    assert cells.cell.sum() == 10


def test_levels_that_come_as_bytes_are_counted_right():
    """Four levels times 60 actions is more than a byte holds."""
    rng = np.random.default_rng(0)
    n, names = 2_000, ("none", *(f"o{j}@c" for j in range(59)))
    level = rng.integers(0, 4, n).astype(np.int8)
    schema = FeatureSchema((Feature(name="plan", levels=("a", "b", "c", "d")),))
    sample = LogSample(
        schema, np.arange(n), rng.integers(0, 60, n).astype(np.int8), np.full(n, 1 / 60), np.zeros(n), None,
        {"plan": level}, None, None, np.full((n, 60), 1 / 60, dtype="f4"),
    )  # fmt: skip
    assert balance(sample, names) == ()


# ---- faults


def test_an_honest_log_is_left_alone():
    h = Honest()
    assert h.findings(h.log(wave=h.rows * 4 // h.n, day=h.rows * 60 // h.n)) == ()


def test_an_action_stated_too_low_is_named():
    h = Honest()
    (found, *_) = h.findings(h.log(p=np.where(h.action == 1, h.p / 1.3, h.p)))
    assert found.text.startswith("`a@email` was taken ")
    assert "more often than its propensities say" in found.text


def test_an_action_stated_too_high_is_a_fault_where_the_policy_wants_it():
    h = Honest()
    log = h.log(p=np.minimum(np.where(h.action == 2, h.p * 1.5, h.p), 1.0))
    (found, *_) = h.findings(log)
    assert found.text.startswith("`b@email` was taken 3")
    assert "less often than its propensities say in what this policy would do" in found.text
    elsewhere = np.tile([1.0, 0.0, 0.0, 0.0], (h.n, 1))
    assert h.findings(log, elsewhere) == ()


def test_shares_in_place_of_propensities_name_the_column_that_drove_the_choice():
    h = Honest()
    g = np.where(h.X[:, 1] > 0, 0.9, 0.1)
    action = (h.rng.random(h.n) < g).astype(int)
    log = log_of(h.X, action, np.full(h.n, 0.5), h.reward, names=NAMES[:2])
    found = h.findings(log, np.tile([0.0, 1.0], (h.n, 1)))
    assert "more often than its propensities say where `x1` is" in found[0].text
    assert all("`x0`" not in one.text for one in found)
    assert found[0].level is Level.REFUSE


def test_waves_pooled_under_one_propensity_are_refused():
    """The mean weight is 1, and dr's interval lies far from the truth."""
    rng = np.random.default_rng(0)
    n = 4_000
    wave = np.arange(n) // (n // 2)
    action = (rng.random(n) < np.where(wave == 0, 0.9, 0.1)).astype(int)
    base = np.where(wave == 0, 0.05, 0.20) + 0.02 * action
    log = log_of(rng.normal(size=(n, 1)), action, np.full(n, 0.5), rng.random(n) < base, NAMES[:2], wave=wave)
    answer = evaluate(log, np.tile([0.0, 1.0], (n, 1)))
    assert answer.mean_weight == pytest.approx(1.0, abs=0.05)
    assert answer.verdict == "refuse"
    assert any("where `wave` is 0" in reason for reason in answer.reasons)


def test_a_segment_that_never_got_the_action_is_named():
    h = Honest()
    P = h.P.copy()
    P[h.X[:, 0] > 1.0, 3] = 0.0
    P /= P.sum(axis=1, keepdims=True)
    action = drawn(P, h.rng)
    found = h.findings(h.log(action=action, p=P[h.rows, action]), np.tile([0.0, 0.0, 0.0, 1.0], (h.n, 1)))
    assert any("where `x0` is high" in one.text and "`c@sms` was hardly ever tried there" in one.text for one in found)


def test_propensities_before_the_mask_are_seen():
    h = Honest()
    mask = h.rng.random((h.n, 4)) < 0.6
    mask[:, 0] = True
    P = h.P * mask / (h.P * mask).sum(axis=1, keepdims=True)
    E = h.E * mask / (h.E * mask).sum(axis=1, keepdims=True)
    action = drawn(P, h.rng)
    assert h.findings(h.log(action=action, p=P[h.rows, action], eligible=mask), E) == ()
    found = h.findings(h.log(action=action, p=h.P[h.rows, action], eligible=mask), E)
    assert "more often than its propensities say" in found[0].text


def test_customers_who_keep_their_arm_are_no_fault():
    """Each row says 1/3, and all rows of a customer are one draw: rows alone would see a fault in half of such logs."""
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        customer = np.repeat(np.arange(100), 30)
        X = rng.normal(size=(100, 2))[customer]
        action = rng.integers(0, 3, 100)[customer]
        log = log_of(X, action, np.full(3_000, 1 / 3), np.zeros(3_000), NAMES[:3], customer)
        sample = LogSample.of(log, np.arange(3_000), customer, softmax(X @ rng.normal(size=(2, 3))).astype("f4"))
        alarms += bool(balance(sample, log.catalog.names))
    assert alarms <= 1


@pytest.mark.parametrize("tiny", [1e-2, 1e-4, 1e-6])
def test_tiny_propensities_raise_no_false_alarm(tiny):
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = 1_500
        P = tiny ** rng.random((n, 6))
        P /= P.sum(axis=1, keepdims=True)
        action = drawn(P, rng)
        X = rng.normal(size=(n, 3))
        names = ("none", *(f"o{j}@c" for j in range(5)))
        log = log_of(X, action, P[np.arange(n), action], np.zeros(n), names)
        E = 0.8 * P + 0.2 * softmax(X @ rng.normal(size=(3, 6)))
        alarms += bool(balance(LogSample.of(log, np.arange(n), log.customer, E.astype("f4")), names))
    assert alarms <= 1


def test_the_logging_policy_itself_is_judged_by_its_propensities_alone():
    h = Honest()
    assert h.findings(h.log(), None) == ()
    assert h.findings(h.log(p=np.where(h.action == 1, h.p / 1.3, h.p)), None)


def test_certain_rows_say_nothing():
    h = Honest(600)
    log = h.log(p=np.ones(h.n))
    assert h.findings(log) == ()


# ---- through the doors


@pytest.mark.parametrize("n", [3_000, 40_000])
def test_a_streamed_log_is_found_out_in_the_same_words(tmp_path, n):
    """The larger one is sampled, and a third of its rows is not matured yet."""
    h = Honest(n)
    log = h.log(
        p=np.where(h.action == 1, h.p / 1.4, h.p),
        wave=h.rows * 3 // n,
        day=h.rows * 30 // n,
        matured=h.rows % 3 > 0,
        customer=h.rows // 2,
    )
    path = tmp_path / "log.parquet"
    write_log(log, path)
    streamed, whole = evaluate_stream(path, "uniform"), evaluate(read_log(path), "uniform")
    assert any("`a@email` was taken" in reason for reason in streamed.reasons)
    assert streamed.reasons == whole.reasons == evaluate_stream(log, "uniform").reasons
    assert evaluate_stream(path, "uniform", workers=2).reasons == whole.reasons


def test_an_honest_policy_is_trusted_still():
    h = Honest(9_000)
    log = h.log(wave=h.rows * 4 // h.n, day=h.rows * 60 // h.n)
    assert evaluate(log, h.E).verdict == "trust"
    assert evaluate(replace(log, wave=None), h.E).verdict == "trust"


@given(
    arrays(float, (5, 3), elements=st.floats(-50, 50)),
    arrays(float, (5, 3), elements=st.floats(0, 500)),
    st.floats(0.5, 9.0),
)
def test_who_is_wealthy_is_who_has_the_wealth(total, squares, most):
    for bar in (-1.0, 0.0, 2.0, 9.0):
        assert np.array_equal(wealthy(bar, total, squares, most), np.argwhere(log_wealth(total, squares, most) > bar))
    of_row = np.full(3, most)
    assert np.array_equal(
        wealthy(1.0, total[0], squares[0], of_row), np.argwhere(log_wealth(total[0], squares[0], of_row) > 1.0)
    )
