"""Learning on after loading: which kinds do, and that weekly retraining through bundles teaches what one log does."""

import numpy as np
import pytest

from campaignrl.errors import UsageError
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.loading import build_policy
from campaignrl.policies.offline.uplift import UpliftConfig
from campaignrl.policies.registry import KINDS, policy_class

BY = {"by": "segment"}
SETTINGS = {
    **dict.fromkeys(("epsilon_greedy", "ucb1", "gaussian_ts"), BY),
    "beta_ts": {**BY, "success_above": 0.0},
    "logit_ts": {"low": -0.4, "high": 0.8, "l2": 3.0},
    "neural_linear": {"hidden": [8], "epochs": 3, "batch": 256},
}
# Their baselines and scores rest on rows, of which a bundle holds none.
REFUSING = {"dr_greedy", "crm", "pessimistic", "fitted_q", "cql", "dr_uplift", "propensity_greedy", "budgeted"}
LEARNERS = sorted(kind for kind in KINDS if hasattr(policy_class(kind), "update"))
EXACT = sorted({*LEARNERS} - REFUSING - {"neural_linear", "logit_ts"})  # those two go on only nearly


def learner(kind, shop):
    return build_policy({"kind": kind, **SETTINGS.get(kind, {})}, shop.catalog, shop.schema, seed=5)


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_loaded_learner_learns_on_or_says_that_it_cannot(kind, shop, tmp_path):
    if kind == "neural_linear":
        pytest.importorskip("torch", reason="needs the extra `rl`")
    policy = learner(kind, shop)
    policy.update(shop.log(600))
    loaded = load_bundle(save_bundle(policy, tmp_path / "p.bundle"), shop.catalog)
    if kind in REFUSING:
        with pytest.raises(UsageError, match="Train a new one instead"):
            loaded.update(shop.log(600))
        return
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
