"""A stream at its edges, by loops: the tally of a piece, figures from it, what a question may ask."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_ope_log import K, always, make_log, within

import campaignrl.ope.evaluate as whole_module
import campaignrl.ope.streaming.evaluate as stream_module
from campaignrl.errors import DataError, UsageError
from campaignrl.ope.estimators.weights import CERTAIN
from campaignrl.ope.intervals import Clusters
from campaignrl.ope.methods.weight_histogram import BINS, histogram_sums, weight_histogram_from
from campaignrl.ope.streaming import figures as stream_figures
from campaignrl.ope.streaming import rows as stream_rows
from campaignrl.ope.streaming.model import fit_sampled_ridge
from campaignrl.ope.streaming.rows import Question, part_of
from campaignrl.ope.streaming.sums import COLUMNS, EDGES, Extremes, bins_of, customer_sums, ends_of
from campaignrl.tables.log import LogInMemory

# ---- what is small


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_figures_of_light_rows_in_pieces_are_those_of_the_whole(unit, monkeypatch):
    """Twelve rows of which a policy hardly wants what was done: all weights together are below 1."""
    log = make_log(12, rows=2)
    log = replace(log, reward=unit * np.arange(12.0))
    p = np.full((12, K), 0.0)
    p[np.arange(12), log.action] = 0.004 * (1 + np.arange(12) % 3)
    p[:, 0] += 1.0 - p.sum(axis=1)
    log = replace(log, action=np.where(log.action == 0, 1, log.action))
    p[:, 1:] = np.maximum(p[:, 1:], 0.0)
    q = unit * np.random.default_rng(0).uniform(0.0, 11.0, (12, K))
    judged = {}
    for name, module in (("whole", whole_module), ("pieces", stream_module)):

        def keep(figures, name=name, diagnose=module.diagnose):
            judged[name] = figures
            return diagnose(figures)

        monkeypatch.setattr(module, "diagnose", keep)
    whole_module.evaluate(log, p, q=q)
    stream_module.evaluate_stream(log, p, model=q)
    whole, pieces = judged["whole"], judged["pieces"]
    weight = p[np.arange(12), log.action] / log.propensity
    assert 0.0 < weight.sum() < 1.0
    sums = weight.reshape(6, 2).sum(axis=1)
    assert whole.ess == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert whole.max_weight_share == pytest.approx(weight.max() / weight.sum())
    assert whole.max_customer_share == pytest.approx(sums.max() / sums.sum())
    assert whole.supported_value == pytest.approx((weight * log.reward).mean())
    assert whole.outcomes == int(((weight > 0) & (log.reward > 0)).sum())
    for field in ("ess", "max_weight_share", "max_customer_share", "mean_weight", "supported_value", "snips", "dr"):
        assert getattr(pieces, field) == pytest.approx(getattr(whole, field)), field
    assert (pieces.outcomes, pieces.one_reward, pieces.clipped_mass) == (whole.outcomes, False, 0.0)


# ---- figures of a stream from its tally


def test_bounds_and_mass_from_a_tally_by_hand():
    rows = SimpleNamespace(
        added={
            "tried": np.array([0, 1, 5]), "certain_off of a": 0.5, "mass of a": np.array([2.0, 3.0, 4.0]),
        },
        least={"q": -0.5, "propensity": np.array([np.inf, 0.2, 0.05]), "reward": 0.5},
        largest={
            "q": 0.75, "wanted of a": np.array([0.0, 1.0, 0.0]), "wanted of b": np.array([1.0, 1.0, 1.0]),
            "most wanted of a": 0.6, "most wanted of b": 0.9, "weight of a": 2.5, "weight of b": 30.0,
            "off_one": 1e-9, "off_one_lift": 2e-9, "reward": 0.5, "not_binary": 1.0,
        },
    )  # fmt: skip
    assert stream_figures.off_support(rows, "a", 10) == pytest.approx(0.25)
    assert stream_figures._weight_range(rows, "a", None, True) == (0.0, pytest.approx(3.0))  # of what it wants
    assert stream_figures._weight_range(rows, "b", None, True) == (0.0, 30.0)  # one that came is heavier
    assert stream_figures._weight_range(rows, "b", 0.5, True) == (0.0, 30.0)
    assert stream_figures._weight_range(rows, "a", 0.1, True) == (0.0, pytest.approx(6.0))
    assert stream_figures._weight_range(rows, "a", None, False) == (1.0, 1.0)
    whole = stream_figures.bounds_of(rows, (0.0, 1.0), None, 1.0, (True, True))
    assert (whole.reward, whole.predicted) == ((0.0, 1.0), (-0.5, 0.75))
    assert (whole.weight, whole.lift_weight) == ((0.0, pytest.approx(3.0)), (-29.0, pytest.approx(4.0)))
    assert (whole.all_ones, whole.all_ones_lift) == (True, False)
    part = stream_figures.bounds_of(rows, (0.0, 1.0), None, 0.25, (True, False))
    assert part.weight == pytest.approx((0.75, 1.5))
    assert part.lift_weight == pytest.approx((0.75, 1.5))
    assert stream_figures.reward_range_of(rows, (0.0, 1.0), None) == ((0.0, 1.0), "given")
    assert stream_figures.reward_range_of(rows, (0.5, 0.5), None) == ((0.5, 0.5), "given")
    assert stream_figures.reward_range_of(rows, None, None) == ((0.5, 0.5), "observed")


def test_where_nothing_speaks_all_of_the_weight_is_of_one(monkeypatch):
    log = make_log(60)
    log = replace(log, action=np.minimum(log.action, 2))
    judged = []
    for module in (whole_module, stream_module):
        monkeypatch.setattr(
            module, "diagnose", lambda figures, usual=module.diagnose: judged.append(figures) or usual(figures)
        )
    p = np.tile([0.0, 0.0, 0.0, 1.0], (60, 1))
    whole_module.evaluate(log, p, q=np.zeros((60, K)))
    stream_module.evaluate_stream(log, p, model=np.zeros((60, K)))
    assert [(one.max_weight_share, one.max_customer_share, one.ess) for one in judged] == [(1.0, 1.0, 0.0)] * 2


# ---- histograms, repeats and marginal weights


def test_weights_beyond_the_bins_lie_in_the_last_ones_and_light_rows_count_too():
    weight = np.array([2.0**-20, 2.0**60, 0.1, 0.2])
    sums = histogram_sums(weight, np.array([0, 0, 1, 1]), 2)
    rows = next(values for values in sums.values() if len(values) == BINS)
    assert (rows[0], rows[BINS - 1], rows.sum()) == (1, 1, 4)
    assert weight_histogram_from(("a", "b"), sums).overlap[1].ess == pytest.approx(0.3**2 / 0.05)


# ---- sums of a stream


def test_the_first_and_the_last_customer_keep_their_steps_whatever_their_number():
    columns, step = np.arange(len(COLUMNS) * 5.0).reshape(len(COLUMNS), 5), np.array([0, 1, 0, 1, 2])
    for starts, ends in (([0], [(0, 2)]), ([0, 2], [(0, 1), (0, 2)]), ([0, 2, 4], [(0, 1), (2, 2)])):
        names = np.array(list("abc")[: len(starts)], dtype=object)
        found = customer_sums(columns, np.array(starts), names, step, 1).edges
        assert [one[3:] for one in found] == ends
        assert [one.customer for one in found] == list(dict.fromkeys([names[0], names[-1]]))


@pytest.mark.parametrize(
    ("size", "bound", "weight", "above", "below"),
    [
        (2.0, 1.0, 0.6, True, False),  # the bound is where the bin begins
        (1.0, np.nextafter(0.5, 0.0), 0.4, False, True),  # and where one ends
        (1.0, 0.45, 0.4, True, True),  # within a bin nobody knows
    ],
)
def test_customers_beside_a_bound_by_bins(size, bound, weight, above, below):
    bins = len(EDGES) + 1
    low, high = np.full((1, bins), np.inf), np.full((1, bins), -np.inf)
    (at,) = bins_of(np.array([weight]))
    low[0, at], high[0, at] = -1.0, 3.0
    found = ends_of(Extremes(np.array([size]), low, high), 0.5, bound)
    ends = [-1.0 - 0.5 * size, 3.0 - 0.5 * size]
    assert found == (ends if above else [], ends if below else [])


# ---- whole answers


@pytest.mark.parametrize("unit", [1.0, 0.001])
def test_intervals_of_two_customers_are_the_same_in_pieces(unit):
    log = make_log(8, rows=4)
    log = replace(log, reward=unit * np.arange(8.0))
    q = unit * np.random.default_rng(0).uniform(0.0, 7.0, (8, K))
    words = {"estimators": ("dm", "ips_clip", "ips", "dr", "snips"), "reference": always(log, 1)}
    whole = whole_module.evaluate(log, within(log), q=q, **words)
    pieces = stream_module.evaluate_stream(log, within(log), model=q, **words)
    for name, one in whole.estimates.items():
        assert pieces.estimates[name][:4] == pytest.approx(one[:4], rel=1e-6, abs=1e-9 * unit), name
    assert (pieces.lift, pieces.lift_ci_low, pieces.lift_ci_high) == pytest.approx(
        (whole.lift, whole.lift_ci_low, whole.lift_ci_high), rel=1e-6
    )


# ---- a piece of a stream


@pytest.mark.parametrize("mix", [1.0, 0.5])
@pytest.mark.parametrize("same", [False, True])
def test_the_tally_of_a_piece_by_loops(mix, same):
    """Rows that are not known yet, certain ones with and without a choice, one just at the bar of heavy weights."""
    n, chance = 40, np.random.default_rng(1)
    log = make_log(n, rows=2, eligible=True)
    eligible = log.eligible.copy()
    eligible[::7, 1:] = False
    action = np.where(eligible[:, 1:].any(axis=1), np.argmax(eligible * chance.random((n, K)), axis=1), 0)
    action = np.where(action == 3, 0, action)  # the last one was never tried
    propensity = chance.uniform(0.1, 0.9, n)
    propensity[[3, 7, 8]] = CERTAIN, 1.0, CERTAIN - 1e-9
    p = chance.random((n, K)) * eligible
    other = chance.random((n, K)) * eligible
    p[:, 2] = 0.0  # never wanted
    p, other = (x / x.sum(axis=1, keepdims=True) for x in (p, other))
    propensity[10], propensity[11] = p[10, action[10]] / 10.0, p[11, action[11]] / 25.0
    log = replace(
        log, eligible=eligible, action=action, propensity=propensity, reward=chance.choice([0.0, 1.0, 2.5], n),
        matured=np.arange(n) % 9 != 4,
    )  # fmt: skip
    q = chance.uniform(-0.5, 3.0, (n, K))
    question = Question(LogInMemory(log), p, p if same else other, mix, q, ("dr", "ips_clip"))
    part, b = part_of(question, 0), (p if same else other)
    rows = [i for i in range(n) if log.matured[i]]
    plain = {i: p[i, action[i]] / propensity[i] for i in rows}
    w = {i: 1.0 - mix + mix * plain[i] for i in rows}
    wb = {i: b[i, action[i]] / propensity[i] for i in rows}
    sure = [i for i in rows if propensity[i] >= CERTAIN]
    free = [i for i in rows if eligible[i].sum() > 1]
    lifted = {i: 1.0 + w[i] - wb[i] for i in rows}
    added = {
        "dropped": n - len(rows),
        "tried": np.bincount(action[rows], minlength=K),
        "reward": sum(log.reward[rows]),
        "weight_square": sum(w[i] ** 2 for i in rows),
        "weight of b": sum(wb.values()),
        "weight_square of b": sum(x**2 for x in wb.values()),
        "reference_expected": sum(b[i] @ q[i] for i in rows),
        "outcomes": sum(w[i] * log.reward[i] != 0.0 for i in rows),
        "clipped": sum(max(w[i] - 10.0, 0.0) for i in rows),
        "choice": len(free),
        "certain": sum(i in free for i in sure),
        "certain_off of a": sum(max(1.0 - p[i, action[i]], 0.0) for i in sure),
        "certain_off of b": sum(max(1.0 - b[i, action[i]], 0.0) for i in sure),
        "mass of a": sum(p[i] for i in rows if i not in sure),
        "mass of b": sum(b[i] for i in rows if i not in sure),
    }
    assert set(part.rows.added) == set(added)
    for name, value in added.items():
        assert part.rows.added[name] == pytest.approx(value), name
    tried = added["tried"] > 0
    assert not tried.all()
    least = [min(propensity[i] for i in rows if action[i] == a) if tried[a] else np.inf for a in range(K)]
    assert part.rows.least["propensity"].tolist() == least
    assert (part.rows.least["reward"], part.rows.least["q"]) == (0.0, q[rows].min())
    largest = {
        "reward": 2.5, "not_binary": 1.0, "q": q[rows].max(), "weight": max(w.values()),
        "weight of a": max(plain.values()), "weight of b": max(wb.values()),
        "wanted of a": (p[rows] > 0).any(axis=0) * 1.0, "wanted of b": (b[rows] > 0).any(axis=0) * 1.0,
        "most wanted of a": p[rows].max(), "most wanted of b": b[rows].max(),
        "off_one": max(abs(x - 1.0) for x in w.values()), "off_one_lift": max(abs(x - 1.0) for x in lifted.values()),
        "differs": float(not (same and mix == 1.0)),
    }  # fmt: skip
    assert set(part.rows.largest) == set(largest)
    for name, value in largest.items():
        assert part.rows.largest[name] == pytest.approx(value, abs=1e-12), name
    assert part.propensities.tolist() == propensity[rows].tolist()
    assert part.customers.columns[: len(COLUMNS)] == COLUMNS


def test_what_is_binary_and_what_is_one_propensity_for_all():
    q = np.zeros((6, K))
    for reward, binary in (([0, 1, 0, 1, 1, 0], True), ([0, 1, 0, 2, 1, 0], False), ([2, 3, 2, 3, 3, 2], False)):
        log = make_log(6, reward=np.array(reward, dtype=float), action=np.array([0, 1, 0, 1, 0, 1]))
        log = replace(log, propensity=np.full(6, 0.5))
        part = part_of(Question(LogInMemory(log), None, None, 1.0, q, ("ips",)), 0)
        assert part.rows.largest["not_binary"] == float(not binary)
        assert part.rows.least["propensity"].tolist() == [0.5, 0.5, np.inf, np.inf]
        assert stream_module.evaluate_stream(log, "logged", model=q).reward_range_from == (
            "0 or 1" if binary else "observed"
        )
    assert stream_rows._from_one(np.array([0.5, 1.2])) == 0.5
    assert stream_rows._from_one(np.array([0.9, 1.2])) == pytest.approx(0.2)
    late = replace(make_log(6), matured=np.zeros(6, dtype=bool))
    nobody = part_of(Question(LogInMemory(late), None, None, 1.0, q, ("ips",)), 0)
    assert (len(nobody.propensities), nobody.sample) == (0, ())


# ---- estimators that hold weights back, and differences


def test_sums_of_customers_of_one_row_each_in_any_order():
    assert Clusters(np.array([2, 0, 1])).sums(np.array([10.0, 20.0, 30.0])).tolist() == [20.0, 30.0, 10.0]
    assert Clusters(np.array([0, 2, 1])).sums(np.array([10.0, 20.0, 30.0])).tolist() == [10.0, 30.0, 20.0]
    log = make_log(6)
    tally = part_of(Question(LogInMemory(log), None, None, 1.0, None, ("ips",)), 0).rows
    for who in "ab":
        assert (tally.largest[f"weight of {who}"], tally.largest[f"most wanted of {who}"]) == (1.0, 0.0)
        assert tally.added[f"certain_off of {who}"] == 0.0


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_of_one_kind_of_two_are_conversions_all_the_same(reward):
    log = make_log(40, reward=np.full(40, reward))
    assert fit_sampled_ridge(LogInMemory(log), None, 2, 0, 1_000).reward_range == (0.0, 1.0)
    half = replace(log, reward=np.full(40, 0.5))
    assert fit_sampled_ridge(LogInMemory(half), None, 2, 0, 1_000).reward_range == (0.5, 0.5)


# ---- figures, words and settings of an answer


def test_numbers_of_a_question_to_a_stream_are_bounded():
    log, q = make_log(60), np.zeros((60, K))
    for words in ({"mix": 0.0}, {"mix": 1.01}, {"alpha": 0.0}, {"alpha": 1.0}, {"folds": 1}, {"workers": 0}):
        with pytest.raises(UsageError, match=next(iter(words))):
            stream_module.evaluate_stream(log, "logged", model=q, **words)
    for words in ({"mix": 1.0}, {"mix": 1e-9}, {"alpha": 1e-9}, {"alpha": 0.999}, {"folds": 2}, {"workers": 1}):
        stream_module._check(
            **{"estimators": ("dr",), "mix": 1.0, "alpha": 0.1, "folds": 5, "model": q, "workers": 1} | words
        )
    for wrong in (q[:59], q.astype(str), q[:, :3]):
        with pytest.raises(DataError, match="numbers of shape"):
            stream_module.evaluate_stream(log, "logged", model=wrong)


def test_a_model_of_a_stream_knows_what_a_reward_can_be(monkeypatch):
    asked = []
    monkeypatch.setattr(stream_module, "fit_sampled_ridge", lambda *words: asked.append(words[1]))
    for meta, given, wanted in (
        ({}, None, None),
        ({"reward_range": [-9, 9]}, None, (-9.0, 9.0)),
        ({}, (0, 2), (0.0, 2.0)),
    ):
        stream = LogInMemory(make_log(20, meta=meta))
        stream_module._fitted(stream, "ridge", ("dr",), given, 5, 0, 100)
        assert asked.pop() == wanted
    assert stream_module._fitted(stream, "ridge", ("ips",), None, 5, 0, 100) is None
    stream_module._fitted(stream, "ridge", ("ips", "dr"), None, 5, 0, 100)  # one that needs it is enough
    assert len(asked) == 1


def test_parts_of_a_stream_in_a_row_and_where_nothing_differs_or_could():
    log = make_log(60)
    part = part_of(Question(LogInMemory(log), None, None, 1.0, None, ("ips",)), 0)
    assert stream_module.merged([part], 0).propensities.tolist() == log.propensity.tolist()
    nothing = SimpleNamespace(largest={"differs": 0.0})
    assert stream_module._lift(None, nothing, None, 0.05, None)[:4] == (0.0, 0.0, 0.0, 0.0)
    light = SimpleNamespace(added={"weight of b": 0.3, "weight_square of b": 0.05})
    shape = stream_module.Shape(None, 10.0)
    assert stream_module._of_both(shape, light).speaking == pytest.approx(1.8)


def test_where_nobody_had_a_choice_nothing_was_certain(monkeypatch):
    eligible = np.zeros((40, K), dtype=bool)
    eligible[:, 0] = True
    log = replace(make_log(40), eligible=eligible, action=np.zeros(40, dtype=int), propensity=np.ones(40))
    judged = []
    for module in (whole_module, stream_module):
        monkeypatch.setattr(
            module, "diagnose", lambda figures, usual=module.diagnose: judged.append(figures) or usual(figures)
        )
    q = np.zeros((40, K))
    whole_module.evaluate(log, always(log, 0), q=q)
    stream_module.evaluate_stream(log, always(log, 0), model=q)
    assert [one.certain_share for one in judged] == [0.0, 0.0]
