"""Draws without probabilities: scores may round as they like, the actions are those of the probabilities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import sample
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.certified_draws import Layer, QuickNetwork, Rounded, quick_outputs
from campaignrl.policies.certified_draws.greedy_draws import greedy_draws
from campaignrl.policies.certified_draws.rounding_bound import UNIT, UNKNOWN, RoundingBound
from campaignrl.policies.certified_draws.softmax_draws import softmax_draws
from campaignrl.policies.chunks import CHUNK, chunk_of
from campaignrl.policies.deep.numpy_network import NetworkConfig, answered, forward
from campaignrl.policies.loading import build_policy

F32, F64 = np.float32, np.float64
EXACT = Rounded(0.0, np.inf)


def some_layers(sizes, scale, seed):
    chance = np.random.default_rng(seed)
    return [
        Layer(chance.normal(0, scale, (d, k)).astype(F32), chance.normal(0, scale, k).astype(F32))
        for d, k in pairwise(sizes)
    ]


def in_double(X, layers, activation):
    bend = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0.0)
    X = X.astype(F64)
    for layer in layers[:-1]:
        X = bend(X @ layer.weight.astype(F64) + layer.bias)
    return X @ layers[-1].weight.astype(F64) + layers[-1].bias


def quick(layers, activation, X):
    network = QuickNetwork(layers, activation)
    arrays = [np.empty((1 + layer.weight.shape[1]) * len(X), F32) for layer in layers]
    return network.outputs(np.vstack([np.ones(len(X), F32), X.T]).astype(F32), arrays).T


@given(
    sizes=st.lists(st.integers(1, 70), min_size=2, max_size=5),
    activation=st.sampled_from(["relu", "tanh"]),
    scale=st.sampled_from([1e-30, 1e-3, 0.1, 0.5, 3.0, 1e3]),
    reach=st.sampled_from([1e-25, 1.0, 50.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_outputs_however_made_are_within_half_the_bound_of_the_exact_ones(sizes, activation, scale, reach, seed):
    layers = some_layers(sizes, scale, seed)
    X = (reach * np.random.default_rng(seed).normal(size=(40, sizes[0]))).astype(F32)
    known = RoundingBound(layers, activation)(float(np.linalg.norm(X.astype(F64), axis=1).max()))
    exact = in_double(X, layers, activation)
    for found in (quick(layers, activation, X), forward(X, layers, activation)):
        assert np.abs(found - exact).max() <= known.off / 2.0
        assert np.abs(found).max() <= known.size


def one_after_the_other(terms):
    """A sum as some machine may make it: in single precision, from the first to the last."""
    return np.add.accumulate(terms.astype(F32), dtype=F32)[-1]


@pytest.mark.parametrize("n", [30, 1_000])
def test_the_bound_is_reached_by_a_sum_in_the_worst_order(n):
    """1 and n products of nearly half its last place: one after the other, all of them are lost, layer for layer."""
    small = F32(np.sqrt(0.999 * UNIT))
    row = np.array([1.0, *[small] * n], F32)
    wide = np.zeros((n + 1, n + 1), F32)
    wide[:, 0], wide[1:, 1:] = row, np.eye(n, dtype=F32)
    no_bias = np.zeros(n + 1, F32)
    last = Layer(row[:, None], no_bias[:1])
    exact = in_double(row[None], [last], "relu")[0, 0]
    off = abs(one_after_the_other(row * row) - exact)
    bound = RoundingBound([last], "relu")(float(np.linalg.norm(row.astype(F64)))).off / 2.0
    assert 0.9 * n / (n + 3) * bound < off <= bound

    # In two layers the first output is off, and everything that the second adds is lost again.
    layers = [Layer(wide, no_bias), last]
    hidden = np.array([one_after_the_other(row * row), *row[1:]], F32)
    off = abs(one_after_the_other(hidden * row) - in_double(row[None], layers, "relu")[0, 0])
    norms = RoundingBound([Layer(wide / 1e6, no_bias), last], "relu")  # the rounding of the last layer alone
    bound = RoundingBound(layers, "relu")(float(np.linalg.norm(row.astype(F64)))).off / 2.0
    assert norms(1.0).off < bound
    assert off <= bound
    assert off > 1.9 * n * 0.99 * UNIT


def test_the_bound_by_hand():
    """Two inputs, two hidden units, one output: norms of 5 and 2, the rounding of 4 operations a sum."""
    layers = [
        Layer(np.array([[3, 0], [0, 5]], F32), np.array([0, 2], F32)),
        Layer(np.array([[0], [2]], F32), np.array([-7], F32)),
    ]
    gamma = 4 * UNIT / (1 - 4 * UNIT)
    for activation, longest, tanh in (("relu", 5 * 1.5 + 2, 0.0), ("tanh", np.sqrt(2), 8 * UNIT * np.sqrt(2))):
        first = 5 * 0.1 + gamma * (np.sqrt(34) * 1.6 + 2) + tanh
        exact = 2 * first + gamma * (2 * (longest + first) + 7)
        found = RoundingBound(layers, activation)(1.5, 0.1)
        np.testing.assert_allclose(found.off, 2 * 1.001 * exact, rtol=1e-12)
        np.testing.assert_allclose(found.size, 1.001 * (2 * (longest + first) + 7 + exact), rtol=1e-12)


@pytest.mark.parametrize("bad", [np.inf, np.nan, 3e38])
@pytest.mark.parametrize("where", [0, 1])
def test_nothing_is_promised_of_what_may_overflow(bad, where, shop):
    layers = some_layers([shop.schema.width, 4, 7], 0.1, 0)
    layers[where].weight[0, 0] = bad
    assert RoundingBound(layers, "relu")(2.0) == UNKNOWN
    network = QuickNetwork(layers)
    _, close = network.drawn(None, np.inf, shop.context(9), shop.schema, shop.allowed(9), np.zeros(9))
    np.testing.assert_array_equal(close, np.arange(9))
    assert RoundingBound(some_layers([2, 3], 1.0, 0), "relu")(np.nan) == UNKNOWN
    assert RoundingBound(some_layers([2, 3], 1.0, 0), "relu")(1e38) == UNKNOWN


def test_exp_tanh_and_log_are_as_near_as_the_bounds_take_them_to_be():
    """Four units in the last place, over what they are asked here."""
    x = np.random.default_rng(0).normal(0, 30, 2_000_000).astype(F32)
    for function, at in ((np.exp, x[x > -87]), (np.tanh, x / 10), (np.log, 1 + np.abs(x) * 1e4), (np.log1p, np.abs(x))):
        at = at[at < 88] if function is np.exp else at
        exact = function(at.astype(F64))
        assert (np.abs(function(at) - exact) <= 4.0 * np.spacing(np.abs(exact).astype(F32))).all(), function


@pytest.mark.parametrize("explore", [0.0, 0.05])
@pytest.mark.parametrize("near", [False, True])
def test_a_draw_without_probabilities_is_the_one_with_them(explore, near):
    """Also where u is a running sum itself, or next to one: those rows are told apart, and no others."""
    chance, (n, k) = np.random.default_rng(4), (5_000, 7)
    outputs, allowed = chance.normal(0, 3, (n, k)).astype(F32), chance.random((n, k)) < 0.6
    allowed[:, 0] = True
    config = NetworkConfig(answer="softmax", explore=explore, temperature=0.7)
    p = answered(outputs, allowed, config)
    u = chance.random(n)
    if near:
        u = p.cumsum(axis=1)[np.arange(n), chance.integers(0, k - 1, n)] + chance.integers(-1, 2, n) * 1e-9
        u = np.clip(u, 0.0, 1.0 - 1e-9)
    action, close = softmax_draws(outputs.T.copy(), EXACT, allowed, u, 0.7, explore)
    np.testing.assert_array_equal(action[~close], sample(p, u)[~close])
    assert close.all() if near else close.sum() < 0.01 * n


@pytest.mark.parametrize("size", [10.0, np.inf])  # known to be moderate, or not
@pytest.mark.parametrize("temperature", [0.7, 3.0])
@pytest.mark.parametrize("explore", [0.0, 0.3])
@pytest.mark.parametrize("off", [0.003, 0.02])
def test_outputs_that_are_off_in_the_worst_way_lead_to_no_other_action(size, temperature, explore, off):
    """Those before a running sum up by `off`, those behind down, or the reverse; u where only a full slack holds."""
    chance, (n, k) = np.random.default_rng(5), (4_000, 6)
    outputs = np.clip(chance.normal(0, 2, (n, k)), -8, 8).astype(F32)
    allowed = chance.random((n, k)) < 0.7
    allowed[:, [0, -1]] = True
    config = NetworkConfig(answer="softmax", explore=explore, temperature=temperature)
    p, at = answered(outputs, allowed, config), chance.integers(0, k - 1, n)
    before = np.arange(k) <= at[:, None]
    up = chance.choice([-1.0, 1.0], n)
    moved = (outputs.astype(F64) + np.where(before, 1.0, -1.0) * (up * off / 2.0)[:, None]).astype(F32)
    c, d = (q.cumsum(axis=1)[np.arange(n), at] for q in (p, answered(moved, allowed, config)))
    wrong = 0
    for u in (c + (d - c) * 0.02, c + (d - c) * 0.98):
        expected = sample(p, u)
        action, close = softmax_draws(moved.T.copy(), Rounded(off / 2.0, size), allowed, u, temperature, explore)
        np.testing.assert_array_equal(action[~close], expected[~close])
        # Between the two sums the moved outputs would say something else: it is the slack that saves it, ...
        assert close.mean() > 0.99
        few, many = softmax_draws(moved.T.copy(), Rounded(off / 10.0, size), allowed, u, temperature, explore)
        wrong += int((few[~many] != expected[~many]).sum())
    assert wrong > n / 4  # ... and one that were too narrow would show


@pytest.mark.parametrize("around", [-98.0, -39.0, 39.0, 95.0])
def test_outputs_far_from_zero_lose_no_precision(around):
    """Exps of numbers of which nobody knows that they are moderate are made of what is left below the highest."""
    chance, (n, k) = np.random.default_rng(7), (3_000, 5)
    outputs = (around + chance.random((n, k))).astype(F32)
    allowed, u, size = np.ones((n, k), dtype=bool), chance.random(n), abs(around) + 0.5
    p = answered(outputs, allowed, NetworkConfig(answer="softmax", explore=0.0))
    known = Rounded(0.0, size if abs(around) < 40 else 2 * size)
    action, close = softmax_draws(outputs.T.copy(), known, allowed, u, 1.0, 0.0)
    np.testing.assert_array_equal(action[~close], sample(p, u)[~close])
    assert close.mean() < 0.01


@pytest.mark.parametrize("explore", [0.0, 0.05, 0.4, 0.5, 0.9, 1.0])
def test_the_best_that_leads_by_more_than_rounding_is_drawn_as_its_probabilities_say(explore):
    chance, (n, k), off = np.random.default_rng(6), (6_000, 7), 0.01
    scores, allowed = chance.normal(size=(n, k)).astype(F32), chance.random((n, k)) < 0.5
    allowed[:, 0] |= ~allowed.any(axis=1)
    scores[::3, 2] = scores[::3, 4]  # ties
    p = answered(scores, allowed, NetworkConfig(answer="greedy", explore=explore))
    u = chance.random(n)
    ends = p.cumsum(axis=1)[np.arange(n), chance.integers(0, k, n)]
    u[::2] = np.clip(ends[::2] + chance.integers(-1, 2, n)[::2] * 1e-12, 0.0, 1.0 - 2.0**-53)
    rank = np.argsort(np.where(allowed, scores, -np.inf), axis=1)
    moved = scores.copy()
    moved[np.arange(n), rank[:, -1]] -= F32(off)  # the best down, the next up
    moved[np.arange(n), rank[:, -2]] += F32(off)
    known = Rounded(1.001 * off, float(np.abs(moved).max()))
    action, close = greedy_draws(moved.T.copy(), known, allowed, u, explore)
    expected = sample(p, u)
    np.testing.assert_array_equal(action[~close], expected[~close])
    assert close.mean() < 0.15
    few, many = greedy_draws(moved.T.copy(), Rounded(0.5 * off, known.size), allowed, u, explore)
    assert explore == 1.0 or (few[~many] != expected[~many]).any()  # a bound that is too small shows


def test_scores_that_nobody_bounds_are_left_to_the_reference():
    allowed = np.ones((3, 2), dtype=bool)
    for known in (Rounded(0.0, 0.0), Rounded(np.inf, 1.0)):
        assert greedy_draws(np.zeros((2, 3), F32), known, allowed, np.full(3, 0.5), 0.0)[1].all()
    never = np.full((2, 3), np.nan, F32)
    assert greedy_draws(never.copy(), Rounded(0.0, 1.0), allowed, np.full(3, 0.5), 0.0)[1].all()
    assert softmax_draws(never.copy(), Rounded(0.0, 1.0), allowed, np.full(3, 0.5), 1.0, 0.0)[1].all()


def network(shop, seed, scale, **config):
    policy = build_policy({"kind": "network", **config}, shop.catalog, shop.schema)
    chance = np.random.default_rng(seed)
    policy.restore({name: chance.normal(0, scale, a.shape).astype(F32) for name, a in policy.tensors().items()})
    return policy


def tried(policy, shop, n, seed):
    """The actions, against those of the probabilities, by chance and at running sums; (n,) rows left to these."""
    context, allowed, chance = shop.context(n, seed), shop.allowed(n, seed), np.random.default_rng(seed)
    p, asked = policy.probabilities(context, allowed), []
    ends = np.clip(p.cumsum(axis=1)[np.arange(n), chance.integers(0, p.shape[1], n)], 0.0, 1.0 - 2.0**-53)
    plain = policy.probabilities
    policy.probabilities = lambda context, allowed: asked.append(len(allowed)) or plain(context, allowed)
    left = []
    for u in (chance.random(n), ends, np.nextafter(ends, 0.0), np.clip(ends + 1e-7, 0.0, 1.0 - 2.0**-53)):
        asked.clear()
        found = policy.drawn_action(context, allowed, u)
        np.testing.assert_array_equal(found, sample(p, u))
        left.append(sum(asked))
        some = chance.permutation(n)[: chance.integers(1, n + 1)]  # whatever the batch
        np.testing.assert_array_equal(policy.drawn_action(context.take(some), allowed[some], u[some]), found[some])
    del policy.probabilities
    return left


@given(
    hidden=st.lists(st.integers(2, 70), max_size=4),  # with 1, AVX kernels make probabilities depend on the batch
    activation=st.sampled_from(["relu", "tanh"]),
    answer=st.sampled_from(["softmax", "greedy"]),
    temperature=st.sampled_from([1e-6, 0.05, 1.0, 7.0, 1e6]),
    explore=st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    scale=st.sampled_from([0.0, 1e-20, 0.1, 0.3, 2.0, 100.0, 1e4]),
    n=st.integers(1, 1_500),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=120, deadline=None)
def test_any_network_draws_what_its_probabilities_say(
    shop, hidden, activation, answer, temperature, explore, scale, n, seed
):
    config = {"hidden": tuple(hidden), "activation": activation, "answer": answer}
    tried(network(shop, seed, scale, **config, temperature=temperature, explore=explore), shop, n, seed)


@pytest.mark.parametrize("answer", ["softmax", "greedy"])
def test_hardly_a_row_of_a_usual_network_is_left_to_its_probabilities(answer, shop, monkeypatch):
    """Of uniform numbers by chance; in several blocks, the last one shorter. Of those at a running sum, all are."""
    monkeypatch.setattr(quick_outputs, "ROWS_AT_ONCE", 1_000)
    policy = network(shop, 1, 0.2, answer=answer, explore=0.02)
    left = tried(policy, shop, 5_300, 3)
    assert 0 <= left[0] < 0.02 * 5_300
    assert answer == "greedy" or left[1] > 0.8 * 5_300


def test_layers_that_were_replaced_are_not_drawn_from(shop):
    policy = network(shop, 1, 0.5)
    tried(policy, shop, 50, 1)
    policy.restore({name: -a for name, a in policy.tensors().items()})
    tried(policy, shop, 50, 1)


@pytest.mark.parametrize("explore", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("kind", ["dr_uplift", "uplift", "fitted_q"])
def test_learners_from_logs_that_take_the_best_draw_what_their_probabilities_say(kind, explore, shop):
    policy = build_policy({"kind": kind, "explore": explore}, shop.catalog, shop.schema)
    tried(policy, shop, 30, 2)  # has learned nothing: all ties
    policy.update(shop.log(600))
    left = tried(policy, shop, 3_000, 4)
    assert left[0] < 0.1 * 3_000
    policy.update(shop.log(300, seed=5))
    tried(policy, shop, 300, 4)


@pytest.mark.parametrize("kind", ["crm", "pessimistic", "budgeted", "propensity_greedy"])
def test_learners_that_decide_otherwise_are_asked_for_their_probabilities(kind, shop):
    policy = build_policy({"kind": kind}, shop.catalog, shop.schema)
    assert policy.drawn_action(shop.context(3), shop.allowed(3), np.zeros(3)) is None


def test_a_policy_from_a_file_reads_contexts_of_an_equal_schema_as_its_own(tmp_path, small_world):
    policy = build_policy("network", small_world.catalog, small_world.features)
    save_bundle(policy, tmp_path / "some.bundle")
    loaded = load_bundle(tmp_path / "some.bundle")
    assert loaded.schema is not small_world.features
    assert loaded.schema.encoding is small_world.features.encoding
    other = FeatureSchema(small_world.features.features[1:])
    assert other.encoding is not loaded.schema.encoding


def test_rows_encoded_roughly_are_within_what_is_said_of_them(shop):
    context = shop.context(4_000)
    columns = {**context.columns, "orders": np.random.default_rng(0).uniform(-1, 60, 4_000)}
    context = Context(shop.schema, columns)
    exact, rough = (np.empty((shop.schema.width, 4_000), F32) for _ in range(2))
    context.encode_columns(shop.schema, exact)
    context.encode_columns(shop.schema, rough, roughly=True)
    off = np.linalg.norm(exact.astype(F64) - rough, axis=0).max()
    assert 0.0 < off <= shop.schema.encoding.rough < 100 * off
    longest = np.linalg.norm(rough.astype(F64), axis=0).max()
    assert longest <= shop.schema.encoding.longest == 2.0
    # One log feature from 0 to 50: its sum, two logs to four units in the last place each and two differences, over the
    # span of the log, and two quotients.
    reach = np.log(51.0)
    by_hand = ((1.1 + (8 + 8 + 2.1) * reach) / reach + 2.1) * UNIT
    assert shop.schema.encoding.rough == pytest.approx(by_hand, rel=1e-6)


def test_a_draw_is_told_what_the_longest_and_roughest_row_may_do(shop):
    layers, told = some_layers([shop.schema.width, 5, 7], 0.5, 1), []

    def draw(outputs, known, allowed, u):
        told.append((outputs.shape, known))
        return np.zeros(len(u), np.int64), np.zeros(len(u), bool)

    network, n = QuickNetwork(layers, "tanh"), 30
    _, close = network.drawn(draw, np.inf, shop.context(n), shop.schema, shop.allowed(n), np.zeros(n))
    known = RoundingBound(layers, "tanh")(shop.schema.encoding.longest, shop.schema.encoding.rough)
    assert told == [((7, n), known)]
    assert known.off > RoundingBound(layers, "tanh")(shop.schema.encoding.longest).off
    assert not len(close)
    for furthest, left in ((known.off, n), (1.01 * known.off, 0)):
        assert len(network.drawn(draw, furthest, shop.context(n), shop.schema, shop.allowed(n), np.zeros(n))[1]) == left
    assert not len(network.drawn(draw, np.inf, shop.context(0), shop.schema, shop.allowed(0), np.zeros(0))[0])


def test_few_rows_are_answered_as_among_many(shop):
    """In fewer rows at once where tiles alone decide how rows round, else padded to a chunk."""
    assert chunk_of(0) == chunk_of(CHUNK) == chunk_of(10 * CHUNK) == CHUNK
    context, allowed = shop.context(700), shop.allowed(700)
    learned = build_policy("dr_uplift", shop.catalog, shop.schema)
    learned.update(shop.log(300))
    for policy in (network(shop, 3, 0.5), learned):
        p = policy.probabilities(context, allowed)
        for some in (slice(3, 4), slice(5, 13), slice(100, 109), slice(0, 511), slice(0, 513)):
            np.testing.assert_array_equal(policy.probabilities(context.take(some), allowed[some]), p[some])
