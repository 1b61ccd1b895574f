"""Networks in numpy: the forward pass, the answers, and bundles that decide where torch is not installed."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from campaignrl.actions import Action, Catalog
from campaignrl.errors import ArtifactError, SpecError
from campaignrl.policies.base import drawn_action, sample
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.deep.configs import RENAMED
from campaignrl.policies.deep.forward_pass import ForwardPass
from campaignrl.policies.deep.numpy_network import (
    Layer,
    NetworkConfig,
    answered,
    forward,
    masked_softmax,
    refused_to_none,
    sums_of_rows,
)
from campaignrl.policies.loading import build_policy, is_trained
from campaignrl.policies.tensor_file import pack, unpack

F32 = np.float32


def filled(policy, seed=0):
    """The policy with some weights, as if it had been taught."""
    chance = np.random.default_rng(seed)
    tensors = {name: chance.normal(0, 0.5, a.shape).astype(F32) for name, a in policy.tensors().items()}
    policy.restore(tensors)
    return policy


def test_forward_by_hand():
    """Two inputs, two hidden units, three outputs."""
    layers = [
        Layer(np.array([[1, -1], [2, 0]], F32), np.array([0, 0.5], F32)),
        Layer(np.array([[1, 0, 1], [0, 2, 1]], F32), np.array([0, 0, -1], F32)),
    ]
    X = np.array([[1, 1], [0, -3]], F32)
    # hidden before relu: (1 + 2, -1 + 0.5) = (3, -0.5) and (-6, 0.5); after: (3, 0) and (0, 0.5)
    np.testing.assert_array_equal(forward(X, layers, "relu"), np.array([[3, 0, 2], [0, 1, -0.5]], F32))
    h = np.tanh(np.array([[3, -0.5], [-6, 0.5]]))
    np.testing.assert_allclose(forward(X, layers, "tanh"), h @ layers[1].weight + layers[1].bias, rtol=1e-6)
    assert forward(X, layers, "relu").dtype == F32


def test_forward_leaves_its_input_alone():
    X = np.full((3, 2), -1.0, F32)
    layers = [Layer(np.eye(2, dtype=F32), np.zeros(2, F32)), Layer(np.eye(2, dtype=F32), np.ones(2, F32))]
    np.testing.assert_array_equal(forward(X, layers, "relu"), np.ones((3, 2)))
    assert (X == -1.0).all()


def test_masked_softmax_by_hand():
    outputs = np.log(np.array([[1, 2, 5, 2]], F32))
    allowed = np.array([[True, True, False, True]])
    np.testing.assert_allclose(masked_softmax(outputs, allowed), [[0.2, 0.4, 0.0, 0.4]], rtol=1e-6)
    half = masked_softmax(outputs, allowed, temperature=0.5)  # squares the odds
    np.testing.assert_allclose(half, [[1 / 9, 4 / 9, 0.0, 4 / 9]], rtol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 7, 8, 9, 33, 128, 129, 300])
def test_rows_are_added_up_as_numpy_does_however_they_lie(k):
    p = np.exp(5.0 * np.random.default_rng(k).normal(size=(50, k)))
    for turned in (p, np.asfortranarray(p)):
        np.testing.assert_array_equal(sums_of_rows(turned), p.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_batch_after_batch_gives_what_each_gives_alone(activation):
    chance = np.random.default_rng(2)
    sizes = [(5, 9), (9, 4), (4, 3)]
    layers = [Layer(chance.normal(size=s).astype(F32), chance.normal(size=s[1]).astype(F32)) for s in sizes]
    outputs = ForwardPass(layers, activation, 16)
    for _ in range(3):
        X = chance.normal(size=(16, 5)).astype(F32)
        np.testing.assert_array_equal(outputs(X), forward(X, layers, activation))


@pytest.mark.parametrize("answer", ["softmax", "refused_to_none", "greedy"])
def test_a_network_draws_what_its_probabilities_say(answer, shop):
    policy = filled(build_policy({"kind": "network", "answer": answer, "hidden": [8]}, shop.catalog, shop.schema))
    context, chance = shop.context(3_000), np.random.default_rng(5)
    allowed = chance.random((3_000, len(shop.catalog))) < 0.5
    allowed[:, 0] = True
    u = chance.random(3_000)
    found = drawn_action(policy, context, allowed, u)
    np.testing.assert_array_equal(found, sample(policy.probabilities(context, allowed), u))
    assert (policy.drawn_action(context, allowed, u) is None) == (answer == "refused_to_none")


def test_refused_to_none_by_hand():
    shares = np.array([[0.1, 0.3, 0.6], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]])
    allowed = np.array([[True, True, False], [True, True, True], [False, True, False]])
    np.testing.assert_allclose(refused_to_none(shares, allowed), [[0.7, 0.3, 0.0], [0.1, 0.3, 0.6], [0.0, 1.0, 0.0]])


def test_answers_by_hand():
    """The floor is a share of uniform over what is allowed."""
    outputs, allowed = np.array([[1, 3, 2, 0]], F32), np.array([[True, False, True, False]])
    greedy = answered(outputs, allowed, NetworkConfig(answer="greedy", explore=0.2))
    np.testing.assert_allclose(greedy, [[0.1, 0.0, 0.9, 0.0]])
    odds = np.exp(1.0) / (1.0 + np.exp(1.0))
    soft = answered(outputs, allowed, NetworkConfig(answer="softmax", explore=0.2))
    np.testing.assert_allclose(soft, [[0.8 * (1 - odds) + 0.1, 0.0, 0.8 * odds + 0.1, 0.0]])


@given(
    arrays(F32, (4, 5), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    arrays(np.bool_, (4, 5)),
    st.floats(0.01, 100.0),
)
def test_any_outputs_give_probabilities(outputs, allowed, temperature):
    allowed[:, 0] = True
    p = masked_softmax(outputs, allowed, temperature)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (p[~allowed] == 0.0).all()
    everything = masked_softmax(outputs, np.ones_like(allowed), temperature)
    q = refused_to_none(everything, allowed)
    np.testing.assert_allclose(q.sum(axis=1), 1.0)
    assert (q >= 0.0).all()
    assert (q[~allowed] == 0.0).all()
    assert (q[:, 1:] <= everything[:, 1:] + 1e-12).all()  # only `none` gains by refusals


def test_weights_that_could_overflow_are_refused(shop, tmp_path):
    """All of them are numbers; what they come to would not be."""
    policy = build_policy({"kind": "network", "hidden": [64] * 4}, shop.catalog, shop.schema)
    huge = {name: np.full(a.shape, 1e8, F32) for name, a in policy.tensors().items()}
    with pytest.raises(ArtifactError, match="outputs"):
        policy.restore(huge)
    assert not is_trained(policy)
    policy._layers = tuple(Layer(huge[f"weight_{i}"], huge[f"bias_{i}"]) for i in range(5))
    with pytest.raises(ArtifactError, match=r"do not fit together.*outputs"):
        load_bundle(save_bundle(policy, tmp_path / "huge.bundle"))


@pytest.mark.parametrize("kind", ["network", "maskable_ppo", "ppo", "dqn"])
def test_relabelling_outputs_and_actions_permutes_the_answer(kind, shop):
    """`none` keeps its place."""
    order = np.array([0, 4, 2, 6, 1, 5, 3])
    actions: list[Action] = [shop.catalog.actions[a] for a in order]
    catalog = Catalog(shop.catalog.offers, shop.catalog.channels, tuple(actions))
    here, there = (build_policy({"kind": kind}, c, shop.schema) for c in (shop.catalog, catalog))
    filled(here)
    weights = dict(here.tensors())
    weights["weight_2"], weights["bias_2"] = weights["weight_2"][:, order], weights["bias_2"][order]
    there.restore(weights)
    context, allowed = shop.context(300), shop.allowed(300)
    p = here.probabilities(context, allowed)
    np.testing.assert_allclose(there.probabilities(context, allowed[:, order]), p[:, order], atol=1e-6)


def test_a_network_without_weights_has_learned_nothing(shop):
    policy = build_policy("maskable_ppo", shop.catalog, shop.schema)
    assert not is_trained(policy)
    p = policy.probabilities(shop.context(3), np.ones((3, 7), dtype=bool))
    np.testing.assert_allclose(p, 1 / 7)
    assert is_trained(filled(policy))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden": [0]}, "hidden"),
        ({"hidden": [64] * 9}, "hidden"),
        ({"activation": "gelu"}, "activation"),
        ({"temperature": 0}, "temperature"),
        ({"explore": 1.5}, "explore"),
        ({"learning_rates": 0.1}, "learning_rate"),
        ({"gamma": 1.1}, "gamma"),
        ({"worlds": {"ecommerce": {"n_epochs": 0}}}, "n_epochs"),
        ({"worlds": {"ecommerce": {"n_epoch": 2}}}, "n_epochs"),
        ({"worlds": {"ecommerce": {"hidden": [8]}}}, "hidden"),
    ],
)
def test_settings_are_checked(settings, said, shop):
    with pytest.raises(SpecError, match=said):
        build_policy({"kind": "maskable_ppo", **settings}, shop.catalog, shop.schema)


def test_settings_that_differ_in_a_world(shop):
    spec = {"kind": "dqn", "gamma": 0.9, "worlds": {"coupon_trap": {"gamma": 1.0, "n_steps": 5}}}
    config = build_policy(spec, shop.catalog, shop.schema).config
    assert (config.in_world("ecommerce").gamma, config.in_world("ecommerce").n_steps) == (0.9, 1)
    assert (config.in_world("coupon_trap").gamma, config.in_world("coupon_trap").n_steps) == (1.0, 5)


OLD_NAMES = {  # of settings, as bundles were written with them before they were called as in stable-baselines3
    "maskable_ppo": {"batch": 128, "epochs": 3, "clip": 0.1, "entropy": 0.01, "value_weight": 0.4},
    "recurrent_ppo": {"memory": 6, "hidden": [8], "worlds": {"coupon_trap": {"batch": 256}}},
    "dqn": {"buffer": 9_000, "waiting": 70, "every": 3, "target_every": 500, "steps_ahead": 2}
    | {"explore_first": 0.8, "explore_last": 0.2, "explore_until": 0.4},
    "qr_dqn": {"quantiles": 5},
}


@pytest.mark.parametrize("kind", OLD_NAMES)
def test_a_bundle_with_the_settings_old_names_still_decides(kind, shop, tmp_path):
    """Settings are found under the names of today, and are saved under them."""
    today = {RENAMED.get(name, name): value for name, value in OLD_NAMES[kind].items()}
    if "worlds" in today:
        today["worlds"] = {"coupon_trap": {"batch_size": 256}}
    policy = filled(build_policy({"kind": kind, **today}, shop.catalog, shop.schema))
    texts, tensors = unpack(save_bundle(policy, tmp_path / "new.bundle").read_bytes(), "x")
    manifest = json.loads(texts["campaignrl"])
    for old, new in RENAMED.items():
        if new in manifest["settings"]:
            manifest["settings"][old] = manifest["settings"].pop(new)
    manifest["settings"]["worlds"] = OLD_NAMES[kind].get("worlds", {})
    old_text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    (tmp_path / "old.bundle").write_bytes(pack({"campaignrl": old_text}, tensors))
    loaded = load_bundle(tmp_path / "old.bundle")
    assert loaded.settings() == policy.settings()
    assert save_bundle(loaded, tmp_path / "again.bundle").read_bytes() == (tmp_path / "new.bundle").read_bytes()
    context = shop.context(40)
    expected = policy.scores(context)
    assert loaded.scores(context).tobytes() == expected.tobytes()


def test_a_spec_has_one_name_a_setting(shop):
    with pytest.raises(SpecError, match=r"'epochs' is not a known key.*n_epochs"):
        build_policy({"kind": "maskable_ppo", "epochs": 3}, shop.catalog, shop.schema)


DEEP = ("ppo", "recurrent_ppo", "dqn", "qr_dqn")
BLOCKED = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("torch", "stable_baselines3", "sb3_contrib"):
                raise ImportError(f"{name} is not installed")

    sys.meta_path.insert(0, Blocker())
"""


def run_without_torch(body):
    """Standard output of a program in a process where torch cannot be imported."""
    program = textwrap.dedent(BLOCKED) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bundle_decides_where_torch_is_not_installed(shop, tmp_path):
    context, allowed = shop.context(100), shop.allowed(100)
    np.savez(tmp_path / "rows.npz", allowed=allowed, **context.columns)
    learned = build_policy("neural_linear", shop.catalog, shop.schema)
    pytest.importorskip("torch", reason="needs the extra `rl`")
    learned.update(shop.log(500))
    policies = {kind: filled(build_policy(kind, shop.catalog, shop.schema)) for kind in DEEP}
    policies |= {
        "neural_linear": learned,
        "maskable_ppo": filled(build_policy("maskable_ppo", shop.catalog, shop.schema)),
    }
    for kind, policy in policies.items():
        save_bundle(policy, tmp_path / f"{kind}.bundle")
    said = run_without_torch(f"""
        import sys
        import numpy as np
        from campaignrl.features import Context
        from campaignrl.policies.bundle import load_bundle
        with np.load(r"{tmp_path / "rows.npz"}", allow_pickle=False) as rows:
            columns = dict(rows)
        allowed = columns.pop("allowed")
        for kind in {sorted(policies)}:
            policy = load_bundle(rf"{tmp_path}/{{kind}}.bundle")
            p = policy.probabilities(Context(policy.schema, columns), allowed)
            print(kind, p.tobytes().hex())
        assert not {{"torch", "stable_baselines3"}} & set(sys.modules)
    """)
    answers = dict(line.split() for line in said.splitlines())
    assert answers.keys() == policies.keys()
    for kind, policy in policies.items():
        assert answers[kind] == policy.probabilities(context, allowed).tobytes().hex()


def test_without_the_extra_training_says_what_to_install(shop):
    said = run_without_torch("""
        import campaignrl as crl
        for learner in ("maskable_ppo", "recurrent_ppo", "dqn"):
            try:
                crl.train(learner, "no_memory", steps=60)
            except crl.CampaignError as wrong:
                print(wrong.exit_code, wrong)
    """)
    lines = said.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("2 ") and "pip install 'campaignrl[rl]'" in line for line in lines)
