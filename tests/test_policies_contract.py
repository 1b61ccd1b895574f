"""What every kind of policy must do; a new kind is covered once it is in the table and has a spec here."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from campaignrl.actions import Action, Catalog
from campaignrl.errors import DataError, SpecError
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Learner, Policy
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.loading import build_policy, is_trained
from campaignrl.policies.registry import KINDS, policy_class

SPECS = {
    "none": {},
    "uniform": {"none_share": 0.4},
    "always": {"action": "coupon20@sms"},
    "rules": {
        "only_if": "contacts_7d <= 5",
        "explore": 0.05,
        "rule": [
            {"when": "segment == 'price_sensitive'", "send": ["coupon20@sms", "coupon10@push"]},
            {"when": "basket > 50 and orders >= 2", "send": ["content@push"]},
            {"send": ["coupon10@sms", "none"]},
        ],
    },
    "lin_ts": {},
    "dr_greedy": {"explore": 0.02},
    "epsilon_greedy": {"by": "segment", "explore": 0.05},
    "ucb1": {"by": "segment", "alpha": 0.3},
    "beta_ts": {"by": "segment", "success_above": 0.0},
    "gaussian_ts": {"by": "segment"},
    "lin_epsilon": {"explore": 0.05},
    "lin_ucb": {},
    "logit_ts": {"low": -0.4, "high": 0.8, "l2": 3.0},
    "square_cb": {"gamma_scale": 100.0},
    "reg_cb": {},
    "bootstrap_ts": {},
    "neural_linear": {"hidden": [24, 12], "epochs": 12, "batch": 256},
    "fitted_q": {},
    "cql": {"alpha": 0.01},
    "crm": {"estimator": "snips"},
    "pessimistic": {"width": 0.5},
    "uplift": {"explore": 0.02},
    "dr_uplift": {},
    "propensity_greedy": {"top": 0.2},
    "budgeted": {"price": 0.5},
    "dr_select": {},
    "network": {"hidden": [16], "activation": "tanh", "temperature": 0.5},
    "ppo": {"hidden": [16, 8]},
    "maskable_ppo": {"hidden": [16, 8], "explore": 0.0},
    "dqn": {"hidden": [16], "explore": 0.05},
    "qr_dqn": {"hidden": []},
    "recurrent_ppo": {"hidden": [16], "lstm_hidden_size": 8},
    "rollout": {"hidden": [16, 8]},
}
NETWORKS = (
    "network",
    "ppo",
    "maskable_ppo",
    "recurrent_ppo",
    "dqn",
    "qr_dqn",
    "rollout",
)  # taught in a world: any weights do
LEARNERS = tuple(kind for kind in SPECS if hasattr(policy_class(kind), "update"))
DETERMINISTIC = ("dr_greedy", "epsilon_greedy", "ucb1", "lin_epsilon", "lin_ucb", "square_cb", "reg_cb")  # draw nothing
HALVES_ONLY_NEARLY = ("logit_ts",)  # a Gaussian stands for the first half when the second one comes
RELABELLED_ONLY_NEARLY = ("neural_linear",)  # rounding grows over the gradient steps of its network
N = 700  # more than one chunk


def spec(kind):
    return {"kind": kind, **SPECS[kind]}


def fill(network):
    """Some weights, none of them zero."""
    chance = np.random.default_rng(3)
    shapes = {name: array.shape for name, array in network.tensors().items()}
    network.restore({name: chance.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.fixture(autouse=True)
def _extra(request):
    """Fitting a network takes torch; networks that are taught in a world are filled with any weights instead."""
    call = getattr(request.node, "callspec", None)
    if call is not None and "neural_linear" in call.params.values():
        pytest.importorskip("torch", reason="needs the extra `rl`")


@pytest.fixture(scope="module")
def policy_of(shop):
    """A policy of each kind, learners trained on 3,000 rows."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = build_policy(spec(kind), shop.catalog, shop.schema, seed=5)
            if kind in LEARNERS:
                made[kind].update(shop.log(3000))
            if kind in NETWORKS:
                fill(made[kind])
        return made[kind]

    return make


@pytest.fixture(params=sorted(KINDS))
def policy(request, policy_of):
    return policy_of(request.param)


def test_every_kind_of_the_table_resolves_and_is_tested_here(shop):
    assert sorted(SPECS) == sorted(KINDS)
    for kind in KINDS:
        assert policy_class(kind).kind == kind
        made = build_policy(spec(kind), shop.catalog, shop.schema)
        assert isinstance(made, Policy)
        assert isinstance(made, Learner) == (kind in LEARNERS)
        assert is_trained(made) == (kind not in LEARNERS + NETWORKS)


def test_rows_sum_to_one_and_bar_what_is_not_allowed(policy, shop):
    allowed = shop.allowed(N)
    p = policy.probabilities(shop.context(N), allowed)
    assert p.shape == allowed.shape
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-14)
    assert (p[~allowed] == 0.0).all()
    assert (p >= 0.0).all()


def test_one_action_left_is_certain(policy, shop):
    k = len(shop.catalog)
    allowed = np.eye(k, dtype=bool)[np.arange(N) % k]
    np.testing.assert_array_equal(policy.probabilities(shop.context(N), allowed), allowed.astype(float))


def test_none_may_be_barred(policy, shop):
    """Some foreign logs know no `none`."""
    allowed = shop.allowed(N) | True
    allowed[:, 0] = False
    p = policy.probabilities(shop.context(N), allowed)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (p[:, 0] == 0.0).all()


def test_nothing_allowed_is_an_error(policy, shop):
    allowed = shop.allowed(N)
    allowed[600] = False
    with pytest.raises(DataError, match="row 600: allowed actions = 0"):
        policy.probabilities(shop.context(N), allowed)


def test_no_customers_no_rows(policy, shop):
    p = policy.probabilities(shop.context(0), np.ones((0, len(shop.catalog)), dtype=bool))
    assert p.shape == (0, len(shop.catalog))


def test_same_question_same_bytes(policy, shop):
    ask = lambda: policy.probabilities(shop.context(N), shop.allowed(N)).tobytes()  # noqa: E731
    assert ask() == ask()


def test_a_row_alone_has_the_bytes_it_has_in_a_batch(policy, shop):
    context, allowed = shop.context(N), shop.allowed(N)
    whole = policy.probabilities(context, allowed)
    for start, stop in [(0, 1), (511, 513), (699, 700), (100, 650)]:
        part = policy.probabilities(context.take(slice(start, stop)), allowed[start:stop])
        assert part.tobytes() == whole[start:stop].tobytes()


def test_threads_do_not_disturb_each_other(policy, shop):
    context, allowed = shop.context(N), shop.allowed(N)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: policy.probabilities(context, allowed).tobytes(), range(8)))
    assert set(answers) == {policy.probabilities(context, allowed).tobytes()}


def test_row_order_does_not_matter(policy, shop):
    context, allowed = shop.context(N), shop.allowed(N)
    order = np.random.default_rng(0).permutation(N)
    whole = policy.probabilities(context, allowed)
    assert policy.probabilities(context.take(order), allowed[order]).tobytes() == whole[order].tobytes()


def test_features_meet_by_name(policy, shop):
    """Columns in another order, levels in another order, and a feature nobody asked for."""
    context, allowed = shop.context(N), shop.allowed(N)
    own = shop.schema["segment"]
    turned = type(own)(name="segment", levels=own.levels[::-1])
    codes = context.columns["segment"]
    columns = {**context.columns, "segment": np.where(codes < 0, codes, 2 - codes), "age": np.full(N, 40.0)}
    schema = FeatureSchema((type(own)(name="age", high=100.0), turned, *shop.schema.features[:0:-1]))
    other = Context(schema, {name: columns[name] for name in schema.names})
    assert policy.probabilities(other, allowed).tobytes() == policy.probabilities(context, allowed).tobytes()


def test_saved_and_loaded_decides_alike(policy, shop, tmp_path):
    path = save_bundle(policy, tmp_path / "p.bundle", {"rows": 3000})
    again = load_bundle(path, shop.catalog)
    context, allowed = shop.context(N), shop.allowed(N)
    assert again.probabilities(context, allowed).tobytes() == policy.probabilities(context, allowed).tobytes()
    assert (again.kind, again.name, again.settings()) == (policy.kind, policy.name, policy.settings())
    assert is_trained(again)
    assert save_bundle(again, tmp_path / "q.bundle", {"rows": 3000}).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(LEARNERS) - set(NETWORKS)))
def test_relabelling_actions_permutes_the_answer(kind, policy_of, shop):
    order = np.array([0, 4, 2, 6, 1, 5, 3])
    actions: list[Action] = [shop.catalog.actions[a] for a in order]
    relabelled = Catalog(shop.catalog.offers, shop.catalog.channels, tuple(actions))
    context, allowed = shop.context(N), shop.allowed(N)
    p = build_policy(spec(kind), relabelled, shop.schema).probabilities(context, allowed[:, order])
    np.testing.assert_allclose(p, policy_of(kind).probabilities(context, allowed)[:, order], rtol=1e-14)


def relabelled(log, catalog, order):
    """The same decisions where action order[j] is now called j."""
    return replace(log, catalog=catalog, action=np.argsort(order)[log.action], eligible=log.eligible[:, order])


@pytest.mark.parametrize("kind", LEARNERS)
class TestLearners:
    def test_relabelling_actions_permutes_what_is_learned(self, kind, shop):
        order = np.array([0, 4, 2, 6, 1, 5, 3])
        catalog = Catalog(shop.catalog.offers, shop.catalog.channels, tuple(shop.catalog.actions[a] for a in order))
        log, context, allowed = shop.log(1500), shop.context(N), shop.allowed(N)
        here, there = (build_policy(spec(kind), c, shop.schema, seed=5) for c in (shop.catalog, catalog))
        here.update(log)
        there.update(relabelled(log, catalog, order))
        near = 0.02 if kind in RELABELLED_ONLY_NEARLY else 1e-5
        np.testing.assert_allclose(there.scores(context), here.scores(context)[:, order], atol=near)
        if kind in DETERMINISTIC:
            p = here.probabilities(context, allowed)[:, order]
            np.testing.assert_allclose(there.probabilities(context, allowed[:, order]), p, atol=1e-3)

    def test_rows_of_a_log_teach_the_same_in_any_order(self, kind, shop, policy_of):
        log = shop.log(3000)
        policy = build_policy(spec(kind), shop.catalog, shop.schema, seed=5)
        policy.update(log.take(np.random.default_rng(3).permutation(3000)))
        context = shop.context(N)
        np.testing.assert_allclose(policy.scores(context), policy_of(kind).scores(context), atol=1e-5)

    def test_untrained_all_allowed_actions_are_nearly_alike(self, kind, shop):
        many = {
            name: most
            for name, most in [("draws", 255), ("members", 64)]
            if name in policy_class(kind).Config.model_fields
        }
        policy = build_policy({"kind": kind, **many}, shop.catalog, shop.schema)
        p = policy.probabilities(shop.context(N), np.ones((N, 7), dtype=bool))
        np.testing.assert_allclose(p.mean(axis=0), 1 / 7, atol=0.12 if "members" in many else 0.07)

    def test_halves_teach_what_the_whole_does(self, kind, shop, policy_of):
        log, policy = shop.log(3000), build_policy(spec(kind), shop.catalog, shop.schema, seed=5)
        policy.update(log.take(slice(0, 1000)))
        policy.update(log.take(slice(1000, 3000)))
        context = shop.context(N)
        near = 0.05 if kind in HALVES_ONLY_NEARLY else 1e-5
        np.testing.assert_allclose(policy.scores(context), policy_of(kind).scores(context), atol=near)

    def test_rows_whose_window_is_open_teach_nothing(self, kind, shop, policy_of):
        log = shop.log(3000)
        policy = build_policy(spec(kind), shop.catalog, shop.schema, seed=5)
        policy.update(log.take(log.matured))
        context, allowed = shop.context(N), shop.allowed(N)
        expected = policy_of(kind).probabilities(context, allowed)
        np.testing.assert_array_equal(policy.probabilities(context, allowed), expected)

    def test_same_seed_same_bytes(self, kind, shop, policy_of, tmp_path):
        policy = build_policy(spec(kind), shop.catalog, shop.schema, seed=5)
        policy.update(shop.log(3000))
        paths = [save_bundle(p, tmp_path / f"{i}.bundle") for i, p in enumerate([policy, policy_of(kind)])]
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_it_finds_who_likes_what(self, kind, shop, policy_of):
        """Price-sensitive customers like coupon20; for all others the best is not to send."""
        context = shop.context(N)
        p = policy_of(kind).probabilities(context, np.ones((N, 7), dtype=bool))
        likes = context.columns["segment"] == 1
        assert p[likes][:, [5, 6]].sum(axis=1).mean() > 0.9
        assert p[~likes][:, 0].mean() > 0.8

    def test_a_log_without_none_will_do(self, kind, shop):
        log = shop.log(2000)
        sent = log.take(log.action > 0)
        sent.eligible[:, 0] = False
        policy = build_policy(spec(kind), shop.catalog, shop.schema)
        policy.update(sent)
        p = policy.probabilities(sent.context, sent.eligible)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        assert np.isfinite(policy.scores(sent.context)).all()

    def test_another_catalog_is_refused(self, kind, shop):
        policy = build_policy(spec(kind), Catalog.from_names(["a"]), shop.schema)
        with pytest.raises(DataError, match="catalog of the log"):
            policy.update(shop.log(10))

    def test_a_log_without_matured_rows_changes_nothing(self, kind, shop):
        log = shop.log(30)
        log.matured[:] = False
        policy, fresh = (build_policy(spec(kind), shop.catalog, shop.schema) for _ in range(2))
        policy.update(log)
        assert not is_trained(policy)
        np.testing.assert_array_equal(policy.scores(shop.context(5)), fresh.scores(shop.context(5)))

    def test_a_log_without_contexts_teaches_or_is_refused(self, kind, shop, tmp_path):
        """Nothing is known of anybody: what is learned is which action is best for all of them."""
        log = shop.log(900)
        bare = replace(log, context=Context(FeatureSchema(()), {}))
        if "by" in SPECS[kind] or kind == "neural_linear":
            with pytest.raises(SpecError, match=r"by = 'segment' is not a category|at least one, to find features in"):
                build_policy(spec(kind), shop.catalog, bare.context.schema)
            return
        policy = build_policy(spec(kind), shop.catalog, bare.context.schema)
        policy.update(bare)
        again = load_bundle(save_bundle(policy, tmp_path / "bare.bundle"), shop.catalog)
        p = again.probabilities(bare.context.take(slice(0, 50)), bare.allowed(slice(0, 50)))
        assert p.shape == (50, len(shop.catalog))
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        np.testing.assert_array_equal(
            p, policy.probabilities(bare.context.take(np.arange(50)), bare.allowed(slice(0, 50)))
        )
