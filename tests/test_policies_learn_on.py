"""Learning on after loading: every kind does, and weekly retraining through bundles teaches what one log does."""

from dataclasses import replace

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.errors import UsageError
from campaignrl.policies import policy_hash
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.linear_model import RidgeStatistics, with_intercept
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.dr_greedy import ScoreSums, doubly_robust_scores
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.policies.offline.replay_sample import _mask, _words, packed, sampled, unpacked
from campaignrl.policies.offline.uplift import UpliftConfig
from campaignrl.policies.registry import KINDS, policy_class

BY = {"by": "segment"}
SETTINGS = {
    **dict.fromkeys(("epsilon_greedy", "ucb1", "gaussian_ts"), BY),
    "beta_ts": {**BY, "success_above": 0.0},
    "logit_ts": {"low": -0.4, "high": 0.8, "l2": 3.0},
    "neural_linear": {"hidden": [8], "epochs": 3, "batch": 256},
}
LEARNERS = sorted(kind for kind in KINDS if hasattr(policy_class(kind), "update"))
REPLAYING = [kind for kind in LEARNERS if issubclass(policy_class(kind), ReplayLearner)]
EXACT = sorted({*LEARNERS} - {"neural_linear", "logit_ts"})  # those two go on only nearly


def learner(kind, shop):
    return build_policy({"kind": kind, **SETTINGS.get(kind, {})}, shop.catalog, shop.schema, seed=5)


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_loaded_learner_learns_on(kind, shop, tmp_path):
    if kind == "neural_linear":
        pytest.importorskip("torch", reason="needs the extra `rl`")
    policy = learner(kind, shop)
    policy.update(shop.log(600))
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), shop.catalog)
    before = loaded.scores(shop.context(50))
    loaded.update(shop.log(1200).take(slice(600, 1200)))
    assert not np.array_equal(loaded.scores(shop.context(50)), before)


@pytest.mark.parametrize("kind", EXACT)
def test_weeks_through_bundles_teach_what_one_log_does(kind, shop, tmp_path):
    log, path = shop.log(2000), tmp_path / "p.bundle"
    whole = learner(kind, shop)
    whole.update(log)
    save_bundle(learner(kind, shop), path)
    for week in range(4):
        policy = load_bundle(path, shop.catalog)
        policy.update(log.take(slice(500 * week, 500 * (week + 1))))
        save_bundle(policy, path)
    context = shop.context(200)
    np.testing.assert_allclose(policy.scores(context), whole.scores(context), atol=1e-5)
    allowed = shop.allowed(200)
    np.testing.assert_allclose(policy.probabilities(context, allowed), whole.probabilities(context, allowed), atol=1e-3)


@pytest.mark.parametrize("kind", [kind for kind in REPLAYING if kind != "dr_select"])  # which rests on rows at hand
def test_beyond_the_sample_sums_carry_what_rows_no_longer_do(kind, shop, tmp_path):
    """A sample of a fifth of the rows: nearer to all weeks at once than the last week, or sample and last week, are."""
    log, path, weeks = shop.log(3000), tmp_path / "p.bundle", [slice(750 * w, 750 * (w + 1)) for w in range(4)]
    settings = {"keep_rows": 600, **SETTINGS.get(kind, {})}

    def taught(*rows):
        policy = build_policy({"kind": kind, **settings}, shop.catalog, shop.schema, seed=5)
        for each in rows:
            policy.update(log.take(each))
        return policy

    whole, last = taught(slice(0, 3000)), taught(weeks[-1])
    policy = taught(weeks[0])
    for week in weeks[1:]:
        policy = load_bundle(save_bundle(policy, path), shop.catalog)
        assert len(policy.tensors()["replay_rows"]) <= 600
        policy.update(log.take(week))
    held = load_bundle(save_bundle(policy, path), shop.catalog).tensors()["replay_rows"]
    assert 500 < len(held) <= 600
    assert policy.tensors()["rows"] == whole.tensors()["rows"] == log.matured.sum()
    context = shop.context(400)

    def contrast(of):
        found = of.scores(context)
        return found - found[:, :1]

    def distance(one):
        return np.sqrt(np.mean((contrast(one) - contrast(whole)) ** 2))

    assert distance(policy) < 0.6 * distance(last)
    assert distance(policy) < 0.15 * contrast(whole).std()


@pytest.mark.parametrize("kind", REPLAYING)
def test_a_bundle_that_was_loaded_is_saved_to_the_same_bytes(kind, shop, tmp_path):
    policy = build_policy({"kind": kind, "keep_rows": 300}, shop.catalog, shop.schema)
    for rows in (slice(0, 600), slice(600, 900)):
        policy.update(shop.log(900).take(rows))
        first = save_bundle(policy, tmp_path / "one.bundle").read_bytes()
        policy = load_bundle(tmp_path / "one.bundle")
        assert save_bundle(policy, tmp_path / "two.bundle").read_bytes() == first
        assert b"c17" not in first  # ids stay at home


def test_without_rows_in_its_bundle_a_learner_says_that_it_cannot_learn_on(shop, tmp_path):
    """As those of before there were any, whose settings do not know of them."""
    policy = build_policy({"kind": "dr_uplift", "keep_rows": 0}, shop.catalog, shop.schema)
    policy.update(shop.log(600))
    assert set(policy.tensors()) == {"coefficients", "rows"}
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), shop.catalog)
    with pytest.raises(UsageError, match="holds no rows"):
        loaded.update(shop.log(600))
    old = {name: value for name, value in policy.settings().items() if name != "keep_rows"}
    assert ReplayConfig.with_names_of_today(old) == {**old, "keep_rows": 0}


def test_without_sums_dr_greedy_says_that_it_cannot_learn_on(shop, tmp_path):
    policy = build_policy({"kind": "dr_greedy", "keep_sums": False}, shop.catalog, shop.schema)
    policy.update(shop.log(500))
    again = load_bundle(save_bundle(policy, tmp_path / "p.bundle"))
    with pytest.raises(UsageError, match="without sums"):
        again.update(shop.log(500))


def test_dr_greedy_s_sums_are_those_of_its_rows_scores(shop):
    """Gamma, row by row, as the docstring writes it."""
    log = shop.log(400)
    rows, X = np.flatnonzero(log.matured), log.context.encode(shop.schema)
    sums, by_rows = ScoreSums.zeros(shop.catalog, X.shape[1]), RidgeStatistics.zeros(shop.catalog, X.shape[1])
    sums.add(X[rows], log, rows, 3.0)
    beta = np.random.default_rng(2).normal(size=(7, X.shape[1] + 1))
    q = with_intercept(X[rows]) @ beta.T
    weight = np.minimum(1.0 / log.propensity[rows], 3.0)
    by_rows.add_targets(X[rows], doubly_robust_scores(q, log.action[rows], log.reward[rows], weight), log.allowed(rows))
    for name, wanted in by_rows.tensors().items():
        np.testing.assert_allclose(sums.scored(beta).tensors()[name], wanted, rtol=1e-9, atol=1e-9)


def test_a_sample_holds_whole_customers_and_gives_back_what_learners_read(shop):
    """Gaps, unknown levels, masks of more than one word, keys of ids of all spellings."""
    log = shop.log(600)
    ids = np.array([f"{i}" if i % 2 else f"k-{i:03}" for i in range(201)], dtype=object)
    log = replace(log, customers=ids, meta={"outcome_days": 7})
    rows = sampled(log, 300, seed=1)
    theirs = np.bincount(log.customer, rows) / np.bincount(log.customer)
    assert set(theirs) == {0.0, 1.0}
    assert 290 < (rows & log.matured).sum() <= 300
    kept = np.flatnonzero(rows & log.matured)
    again = unpacked(packed(log, rows, shop.schema), shop.catalog, shop.schema)
    assert again.context.encode(shop.schema).tobytes() == log.context.encode(shop.schema)[kept].tobytes()
    for name in ("step", "day", "action", "propensity", "reward", "cost"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name)[kept])
    np.testing.assert_array_equal(again.allowed(), log.allowed()[kept])
    assert again.meta == {"outcome_days": 7.0}
    names, mine = again.customers[again.customer], ids[log.customer[kept]]
    np.testing.assert_array_equal(rng.customer_keys(names), rng.customer_keys(mine))
    numbers = np.array([i.isdigit() for i in mine])
    assert (names[numbers] == mine[numbers]).all()
    wide = np.random.default_rng(0).random((50, 61)) < 0.5
    np.testing.assert_array_equal(_mask(_words(wide), 61), wide)


def test_a_customer_is_forgotten_by_the_sample(shop, tmp_path):
    policy = build_policy("pessimistic", shop.catalog, shop.schema)
    policy.update(shop.log(600))
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"))
    before, choice = loaded.tensors()["replay_rows"], loaded.scores(shop.context(20))
    gone = loaded.forget("c17")
    left = loaded.tensors()
    assert gone == (before[:, 0] == 17).sum() > 0
    assert policy_hash(loaded) == policy_hash(policy)  # who is forgotten changes no decision
    assert len(left["replay_rows"]) == len(before) - gone
    assert not (left["replay_customers"] == policy.tensors()["replay_customers"][17]).all(axis=1).any()
    assert loaded.forget("c17") == loaded.forget("nobody") == 0
    np.testing.assert_array_equal(loaded.scores(shop.context(20)), choice)  # what it learned of all stays
    loaded.update(shop.log(300, seed=5))


def test_a_bundle_of_uplift_without_sums_is_read_and_does_not_learn_on(shop, tmp_path):
    """As those of before there were sums in them."""
    policy = build_policy({"kind": "uplift", "keep_sums": False}, shop.catalog, shop.schema)
    policy.update(shop.log(600))
    assert set(policy.tensors()) == {"coefficients", "rows"}
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), shop.catalog)
    context, allowed = shop.context(50), shop.allowed(50)
    assert np.array_equal(loaded.probabilities(context, allowed), policy.probabilities(context, allowed))
    with pytest.raises(UsageError, match="without sums"):
        loaded.update(shop.log(600))
    old = {name: value for name, value in policy.settings().items() if name != "keep_sums"}
    assert UpliftConfig.with_names_of_today(old) == {**old, "keep_sums": False}
