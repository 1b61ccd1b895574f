"""`dr_select`: it finds the simplest class of policy that a log bears out, and keeps to a log that shows nothing."""

import numpy as np
import pytest

from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.loading import build_policy
from campaignrl.policies.selection.candidates import PAIRS, columns_of, expanded
from campaignrl.policies.selection.judgement import LoggedRows, interval, judged, score_of
from campaignrl.policies.selection.policy_tree import NEVER, best_action, gini, grown
from campaignrl.tables.log import DecisionLog

UNIFORM = np.full(7, 1 / 7)


def log_of(shop, n, gain, chances, seed=0, noise=0.5):
    """n decisions, two a customer; gain (n, 7) of each action, chances (n, 7) of the logging policy."""
    chance, context = np.random.default_rng(seed + 9), shop.context(n, seed)
    p = np.broadcast_to(chances(context), (n, 7))
    action = (np.cumsum(p, axis=1) < chance.random(n)[:, None]).sum(axis=1).clip(max=6)
    orders = np.nan_to_num(context.columns["orders"])
    return DecisionLog(
        catalog=shop.catalog,
        customers=np.array([f"c{i}" for i in range(n // 2 + 1)], dtype=object),
        customer=np.arange(n) // 2,
        step=np.arange(n) % 2,
        day=np.arange(n) % 2,
        context=context,
        action=action,
        propensity=p[np.arange(n), action],
        reward=0.3 * orders + gain(context)[np.arange(n), action] + chance.normal(0, noise, n),
        cost=shop.catalog.cost_of[action],
        matured=np.ones(n, dtype=bool),
    )


def by_segment(context):
    """Price-sensitive customers like action 5, leisure ones action 2; anything else costs."""
    gain = np.full((len(context), 7), -0.3)
    gain[:, 0] = 0.0
    segment = context.columns["segment"]
    gain[segment == 1, 5], gain[segment == 2, 2] = 0.6, 0.6
    return gain


def by_both(context):
    """Action 3 is for those with few contacts and many orders, or many contacts and few orders."""
    gain = np.full((len(context), 7), -0.3)
    gain[:, 0] = 0.0
    same = (context.columns["contacts_7d"] > 3.5) == (context.columns["orders"] > 3)
    gain[:, 3] = np.where(same, 1.0, -1.0)
    return gain


def by_line(context):
    """Action 4 for those with many orders."""
    gain = np.full((len(context), 7), -0.3)
    gain[:, 0] = 0.0
    gain[:, 4] = 0.5 * (context.columns["orders"] - 3.0)
    return gain


def taught(shop, log, **settings):
    policy = build_policy({"kind": "dr_select", **settings}, shop.catalog, shop.schema)
    policy.update(log)
    return policy


def value_of(policy, gain, shop, n=4_000, seed=123):
    context = shop.context(n, seed)
    p = policy.probabilities(context, np.ones((n, 7), dtype=bool))
    return float((p * gain(context)).sum(axis=1).mean()), float(gain(context).max(axis=1).mean())


@pytest.mark.parametrize(
    ("gain", "wanted", "share"),
    [
        (by_segment, ("segment means",), 0.95),
        (by_line, ("linear", "products of columns"), 0.9),
        (by_both, ("products of columns", "tree"), 0.6),
    ],
)
def test_the_simplest_class_that_the_log_bears_out_is_taken(gain, wanted, share, shop):
    policy = taught(shop, log_of(shop, 12_000, gain, lambda c: UNIFORM))
    assert policy.taken in wanted
    ours, best = value_of(policy, gain, shop)
    assert ours > share * best
    assert policy.score_unit == "reward"
    assert len(policy.told) == 6


def test_where_no_send_gains_anything_nothing_is_sent(shop):
    def gain(context):
        return np.broadcast_to(np.where(np.arange(7) > 0, -0.3, 0.0), (len(context), 7))

    policy = taught(shop, log_of(shop, 6_000, gain, lambda c: UNIFORM))
    assert policy.taken == "nothing sent"
    assert (policy.probabilities(shop.context(50), np.ones((50, 7), dtype=bool))[:, 0] == 1.0).all()


def nearly(share):
    """A rule by segment and contacts, done so often."""

    def chances(context):
        p = np.full((len(context), 7), (1.0 - share) / 6)
        rule = np.where(context.columns["segment"] == 1, 6, np.where(context.columns["contacts_7d"] > 4, 0, 1))
        p[np.arange(len(p)), rule] = share
        return p

    return chances


@pytest.mark.parametrize("share", [1.0, 0.97])
def test_a_log_that_did_hardly_anything_else_is_copied_with_caution(share, shop):
    """Its customers differ, so that a regression takes what sets them apart for what the actions do."""
    policy = taught(shop, log_of(shop, 4_000, by_segment, nearly(share)))
    assert policy.taken == "the log's own way"
    assert any("caution" in line and "hardly did anything else" in line for line in policy.told)
    context = shop.context(3_000, seed=77)
    p = policy.probabilities(context, np.ones((3_000, 7), dtype=bool))
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    logged = nearly(share)(context)
    assert np.abs(p - logged).sum(axis=1).mean() < 0.15
    assert policy.score_unit == "share of the log"
    allowed = np.zeros((10, 7), dtype=bool)
    allowed[:, [0, 3]] = True
    few = policy.probabilities(shop.context(10), allowed)
    assert (few[:, [1, 2, 4, 5, 6]] == 0).all()
    np.testing.assert_allclose(few.sum(axis=1), 1.0)


def test_what_is_taken_survives_its_bundle_and_learns_on(shop, tmp_path):
    log = log_of(shop, 6_000, by_segment, lambda c: UNIFORM)
    policy = taught(shop, log.take(slice(0, 3_000)))
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), shop.catalog)
    context, allowed = shop.context(100), shop.allowed(100)
    assert loaded.taken == policy.taken
    assert loaded.probabilities(context, allowed).tobytes() == policy.probabilities(context, allowed).tobytes()
    loaded.update(log.take(slice(3_000, 6_000)))
    whole = taught(shop, log)
    np.testing.assert_allclose(loaded.scores(context), whole.scores(context), atol=1e-5)


@pytest.mark.slow
def test_what_is_claimed_of_a_candidate_is_true_on_average(shop):
    """Claims of the linear candidate against its truth, over seeds: no bias to speak of, intervals hold."""
    claims, holds = [], []
    for seed in range(8):
        log = log_of(shop, 3_000, by_segment, lambda c: UNIFORM, seed=seed)
        policy = taught(shop, log)
        one = next(each for each in policy.facts["candidates"] if each["name"] == "segment means")
        truth = value_of(policy, by_segment, shop)[0] - by_segment(shop.context(20_000, 5)).mean()
        claims.append(one["gain"] - truth)
        holds.append(one["low"] <= truth <= one["high"])
    assert abs(np.mean(claims)) < 0.03
    assert sum(holds) >= 6


def test_a_judgement_by_hand():
    rows = LoggedRows(
        action=np.array([0, 1, 1, 0]),
        weight=np.array([2.0, 4.0, 4.0, 2.0]),
        reward=np.array([1.0, 3.0, 2.0, 0.0]),
        customer=np.array([0, 0, 1, 1]),
        q=np.array([[0.5, 1.0], [0.5, 1.0], [0.0, 2.0], [0.0, 2.0]]),
    )
    choice = np.array([1, 1, 1, 1])
    np.testing.assert_allclose(score_of(rows, choice), [1.0, 1.0 + 4.0 * 2.0, 2.0 + 0.0, 2.0])
    found = judged("x", rows, choice)
    assert found.gain == pytest.approx((1 + 9 + 2 + 2) / 4 - 6 / 4)
    assert found.rows == pytest.approx(8.0**2 / 32.0)
    assert found.mean_weight == pytest.approx(2.0)
    assert not found.can_be_told
    assert "cannot be told" in found.said()
    mean, _, high = interval(np.array([1.0, 1.0, 3.0, 3.0]), np.array([0, 0, 1, 1]))
    assert mean == 2.0
    assert high - mean == pytest.approx(12.706 * np.sqrt(2 * (4 + 4)) / 4, rel=1e-3), "two customers, not four rows"
    assert interval(np.ones(3), np.zeros(3, dtype=int))[1] == -np.inf


def test_a_tree_takes_the_split_that_brute_force_finds():
    chance = np.random.default_rng(3)
    X = chance.random((900, 4)).astype(np.float32)
    scores = np.zeros((900, 3))
    scores[:, 1] = np.where(X[:, 2] > 0.6, 1.0, -1.0) + chance.normal(0, 0.2, 900)
    tree = grown(X, scores, 1)
    assert tree.column[0] == 2
    assert abs(tree.threshold[0] - 0.6) < 0.07
    best = max(
        (best_action(scores[X[:, j] <= t].sum(0), 0) + best_action(scores[X[:, j] > t].sum(0), 0), j)
        for j in range(4)
        for t in np.quantile(X[:, j], np.linspace(0, 1, 17)[1:-1], method="lower")
    )
    inside = X[:, 2] <= tree.threshold[0]
    assert best[1] == 2
    assert best_action(scores[inside].sum(0), 0) + best_action(scores[~inside].sum(0), 0) == pytest.approx(best[0])
    deep = tree.deepened(3)
    np.testing.assert_array_equal(deep.scores[deep.leaf(X)], tree.scores[tree.leaf(X)])
    flat = grown(X, np.zeros((900, 3)), 2)
    assert (flat.threshold == NEVER).all(), "nothing to gain, nothing to split"
    labels = np.eye(3)[(X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0.5)]
    copied = grown(X, labels, 2, gini)
    assert (copied.scores[copied.leaf(X)] * labels).sum(axis=1).mean() > 0.9


def test_columns_and_products(shop):
    columns = columns_of(shop.schema, None)
    assert [shop.schema.encoded[i] for i in columns] == list(shop.schema["segment"].encoded)
    X = np.array([[2.0, 3.0, 5.0]], dtype=np.float32)
    np.testing.assert_array_equal(expanded(X, np.array([[0, 2], [1, 1]])), [[1, 2, 3, 5, 10, 9]])
    assert PAIRS == 36
