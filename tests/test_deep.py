"""Deep learners: what they see and are rewarded for, that numpy says what torch says, and going on after a stop."""

import json
import pickle

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.campaign import run_campaign
from campaignrl.envs.panel import Panel
from campaignrl.errors import ArtifactError, SpecError
from campaignrl.policies.base import sample
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.choice import uniform_over
from campaignrl.policies.deep.numpy_network import refused_to_none
from campaignrl.policies.deep.recurrent_state import answers_on
from campaignrl.policies.deep.run_options import RunOptions, thinned
from campaignrl.policies.deep.training_env import TrainingVectorEnv
from campaignrl.policies.loading import build_policy, load_policy

torch = pytest.importorskip("torch", reason="needs the extra `rl`")
pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")

from campaignrl.policies.deep import trainer as deep  # noqa: E402

SPECS = {
    "ppo": {},
    "maskable_ppo": {},
    "recurrent_ppo": {"lstm_hidden_size": 12},
    "dqn": {"buffer_size": 20_000, "learning_starts": 500, "explore": 0.0},
    "qr_dqn": {"buffer_size": 20_000, "learning_starts": 500, "explore": 0.0, "n_quantiles": 8},
}
SMALL = {"customers": 64, "batch_size": 512, "hidden": [24, 16], "reward_scale": 5.0}
EPISODES = 4


def learner(kind, world, **settings):
    return build_policy({"kind": kind, **SMALL, **SPECS[kind], **settings}, world.catalog, world.features, seed=3)


def steps_of(world, episodes=EPISODES):
    return episodes * SMALL["customers"] * world.horizon


@pytest.fixture(scope="module")
def trained(small_world):
    """Each kind after four episodes, with the model in torch that it came from."""
    made = {}

    def make(kind):
        if kind not in made:
            policy = learner(kind, small_world)
            with deep.torch_threads(1):
                training = deep.Training(policy, policy.config, small_world, RunOptions(steps_of(small_world)))
                policy.curve = training.run()
                policy.restore(training.tensors())
            made[kind] = policy, training.model
        return made[kind]

    return make


@pytest.fixture(scope="module")
def decisions(small_world):
    """Contexts, encoded observations and masks of customers half-way through a campaign of random sends."""
    panel = Panel(small_world, 700, seed=9)
    chance = np.random.default_rng(0)
    while panel.day < small_world.horizon // 2:
        allowed = panel.allowed(panel.observe())
        panel.step(sample(uniform_over(allowed), chance.random(len(panel))))
    context = panel.observe()
    return context, context.encode(small_world.features), panel.allowed(context)


# ------------------------------------------------------------------ what they see and are rewarded for


@pytest.mark.parametrize("show_mask", [False, True])
def test_the_environment_shows_what_a_context_encodes_to(show_mask, small_world):
    """Every day of an episode and into the next, the time to go among it: learning and deciding see the same."""
    env = TrainingVectorEnv(50, small_world, seed=2, show_mask=show_mask)
    seen, infos = env.reset(seed=2)
    panel, chance = Panel(small_world, 50, seed=2), np.random.default_rng(1)
    D = small_world.features.width
    for _ in range(small_world.horizon + 2):
        context = panel.observe()
        allowed = panel.allowed(context)
        np.testing.assert_array_equal(seen[:, :D], context.encode(small_world.features))
        np.testing.assert_array_equal(infos["action_mask"], allowed)
        if show_mask:
            np.testing.assert_array_equal(seen[:, D:], allowed)
        assert env.observation_space.contains(seen)
        action = sample(uniform_over(allowed), chance.random(50))
        seen, _, ended, _, infos = env.step(action)
        panel.step(action)
        if ended.any():
            final = infos["final_obs"]
            np.testing.assert_array_equal(final[:, :D], panel.observe().encode(small_world.features))
            panel = Panel(small_world, np.arange(50, 100), seed=2)


def test_whoever_is_sent_nothing_earns_what_the_twin_does(small_world):
    env = TrainingVectorEnv(200, small_world, seed=2)
    env.reset(seed=2)
    for _ in range(2 * small_world.horizon):
        assert not env.step(np.zeros(200, dtype=int))[1].any()
    earned = env.take_earned()
    assert earned.ours == earned.twins > 0.0


def test_the_reward_is_the_margin_over_the_twins(small_world):
    """Against panels of ours, day by day."""
    env = TrainingVectorEnv(200, small_world, seed=2, scale=4.0)
    env.reset(seed=2)
    ours, twins = (Panel(small_world, 200, seed=2) for _ in range(2))
    chance, total = np.random.default_rng(1), np.zeros(2)
    for _ in range(small_world.horizon):
        allowed = ours.allowed(ours.observe())
        action = sample(uniform_over(allowed), chance.random(200))
        reward = env.step(action)[1]
        a, b = ours.step(action).reward.astype(np.float64), twins.step(np.zeros(200, dtype=int)).reward
        np.testing.assert_allclose(reward, (a - b) / 4.0, rtol=1e-6, atol=1e-12)
        total += a.sum(), b.sum()
    np.testing.assert_allclose(env.take_earned(), total)
    assert env.take_earned() == (0.0, 0.0)


def test_without_twins_the_reward_is_the_margin(small_world):
    env, panel = TrainingVectorEnv(50, small_world, seed=2, twins=False), Panel(small_world, 50, seed=2)
    env.reset(seed=2)
    reward = env.step(np.zeros(50, dtype=int))[1]
    np.testing.assert_allclose(reward, panel.step(np.zeros(50, dtype=int)).reward, rtol=1e-6)
    assert env.take_earned().twins == 0.0


def test_twins_leave_most_of_the_luck_out(small_world):
    """The same random sends: the sum of an episode's rewards varies far less between customers."""
    spread = {}
    for twins in (False, True):
        env = TrainingVectorEnv(500, small_world, seed=2, twins=twins)
        _, infos = env.reset(seed=2)
        chance, total = np.random.default_rng(1), np.zeros(500)
        for _ in range(small_world.horizon):
            _, reward, _, _, infos = env.step(sample(uniform_over(infos["action_mask"]), chance.random(500)))
            total += reward
        spread[twins] = total.var()
    assert spread[True] < 0.5 * spread[False]


# ------------------------------------------------------------------ numpy says what torch says


@pytest.mark.parametrize("kind", SPECS)
def test_greedy_actions_are_those_of_torch(kind, trained, decisions, small_world):
    policy, model = trained(kind)
    context, seen, allowed = decisions
    masked = np.where(allowed, policy.scores(context), -np.inf).argmax(axis=1)
    if kind == "maskable_ppo":
        theirs, _ = model.predict(seen, deterministic=True, action_masks=allowed)
    elif kind == "ppo":
        theirs, _ = model.predict(seen, deterministic=True)
        masked = policy.scores(context).argmax(axis=1)
    else:
        theirs, _ = model.predict(np.concatenate([seen, allowed], axis=1, dtype=np.float32), deterministic=True)
        p = policy.probabilities(context, allowed)
        np.testing.assert_array_equal(p.argmax(axis=1), theirs)
        if kind != "recurrent_ppo":
            np.testing.assert_array_equal(p.max(axis=1), 1.0)
    np.testing.assert_array_equal(masked, theirs)


@pytest.mark.parametrize("kind", ["ppo", "maskable_ppo"])
def test_probabilities_are_those_of_torch(kind, trained, decisions):
    policy, model = trained(kind)
    context, seen, allowed = decisions
    with torch.no_grad():
        masks = (allowed,) if kind == "maskable_ppo" else ()
        theirs = model.policy.get_distribution(torch.as_tensor(seen), *masks).distribution.probs.numpy()
    expected = theirs if kind == "maskable_ppo" else refused_to_none(theirs.astype(np.float64), allowed)
    np.testing.assert_allclose(policy.probabilities(context, allowed), expected, atol=1e-6)


def test_the_kept_quantiles_are_their_mean(trained, decisions):
    policy, model = trained("qr_dqn")
    context, seen, allowed = decisions
    with torch.no_grad():
        observation = torch.as_tensor(np.concatenate([seen, np.ones_like(allowed)], axis=1, dtype=np.float32))
        theirs = model.policy.quantile_net(observation).mean(dim=1).numpy()
    np.testing.assert_allclose(policy.scores(context), theirs, atol=1e-5)


@pytest.mark.parametrize("kind", ["dqn", "qr_dqn"])
def test_targets_know_no_refused_action(kind, trained, decisions):
    """The best value of the next state is that of an allowed action, however high a refused one stands."""
    _, model = trained(kind)
    _, seen, allowed = decisions
    observation = torch.as_tensor(np.concatenate([seen, allowed], axis=1, dtype=np.float32))
    target = model.policy.q_net_target if kind == "dqn" else model.policy.quantile_net_target
    with torch.no_grad():
        values = target(observation).numpy()
    values = values if kind == "dqn" else values.mean(axis=1)
    assert (values[~allowed] <= -1e7).all()
    assert (np.abs(values[allowed]) < 1e3).all()


@pytest.mark.parametrize("kind", ["maskable_ppo", "recurrent_ppo", "dqn", "qr_dqn"])
def test_nothing_refused_is_ever_tried(kind, small_world, monkeypatch):
    refused = []
    step = TrainingVectorEnv.step

    def counting(self, actions):
        answer = step(self, actions)
        refused.append(int(answer[4]["invalid"].sum()))
        return answer

    monkeypatch.setattr(TrainingVectorEnv, "step", counting)
    crl.train(learner(kind, small_world), small_world, steps=steps_of(small_world, 2))
    assert len(refused) == 2 * small_world.horizon
    assert sum(refused) == 0


# ------------------------------------------------------------------ a trained one is a policy like any other


@pytest.mark.parametrize("kind", ["maskable_ppo", "recurrent_ppo", "dqn"])
def test_it_simulates_is_valued_and_is_kept(kind, trained, small_world, tmp_path):
    policy, _ = trained(kind)
    path = save_bundle(policy, tmp_path / "p.bundle", {"curve": [list(m) for m in policy.curve]})
    again = load_policy(path, small_world.catalog, small_world.features)
    log = crl.simulate(small_world, again, customers=300, seed=1)
    p = answers_on(policy, log) if kind == "recurrent_ppo" else policy.probabilities(log.context, log.eligible)
    np.testing.assert_array_equal(p[np.arange(len(log)), log.action], log.propensity)
    valued = crl.evaluate(crl.simulate(small_world, "uniform", customers=400, seed=2), again)
    assert np.isfinite(valued.estimates["dr"].value)
    assert again.settings() == policy.settings()


def test_it_learns_to_leave_bad_offers_alone(small_world):
    """Above random sends, on customers it has never met."""
    policy = learner("maskable_ppo", small_world, customers=256, batch_size=2048, none_bias=0.0)
    crl.train(policy, small_world, steps=60_000)
    ids = np.arange(10**6, 10**6 + 3000)
    ours, random = (run_campaign(small_world, p, customers=ids, seed=1).value for p in (policy, "uniform"))
    difference = ours - random
    assert difference.mean() > 3 * difference.std() / np.sqrt(len(ids))


# ------------------------------------------------------------------ the same again, and going on


@pytest.mark.parametrize("kind", SPECS)
def test_same_seed_same_bytes(kind, small_world, trained):
    again = learner(kind, small_world)
    crl.train(again, small_world, steps=steps_of(small_world))
    first, _ = trained(kind)
    for name, tensor in first.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], tensor)
    assert again.curve == first.curve
    assert [m.steps for m in again.curve] == [steps_of(small_world, i + 1) for i in range(EPISODES)]


def interrupted(kind, world, path, after=2, **settings):
    """A checkpoint of a training that ended after so many episodes."""
    met = []

    def watch(milestone):
        met.append(milestone)
        if len(met) == after:
            raise KeyboardInterrupt

    path.unlink(missing_ok=True)
    policy = learner(kind, world, **settings)
    with pytest.raises(KeyboardInterrupt):
        crl.train(policy, world, steps=steps_of(world), checkpoint=path, watch=watch)
    assert not policy.is_trained
    return path


@pytest.mark.parametrize("kind", SPECS)
def test_an_interrupted_training_goes_on(kind, small_world, trained, tmp_path):
    path = interrupted(kind, small_world, tmp_path / "c", after=3)  # raised before the third is kept
    again = learner(kind, small_world)
    crl.train(again, small_world, steps=steps_of(small_world), checkpoint=path, resume=True)
    whole, _ = trained(kind)
    assert [m.steps for m in again.curve] == [m.steps for m in whole.curve]
    assert again.curve[:2] == whole.curve[:2]
    if kind in ("ppo", "maskable_ppo", "recurrent_ppo"):  # the others lost the days they had in memory
        assert again.curve == whole.curve
        for name, tensor in whole.tensors().items():
            np.testing.assert_array_equal(again.tensors()[name], tensor)


def test_to_resume_where_nothing_is_kept_is_to_begin(small_world, tmp_path):
    policy = learner("maskable_ppo", small_world)
    crl.train(policy, small_world, steps=100, checkpoint=tmp_path / "c", resume=True)
    assert policy.is_trained
    assert (tmp_path / "c").is_file()


def test_a_finished_training_is_not_done_again(small_world, trained, tmp_path):
    first = learner("maskable_ppo", small_world)
    crl.train(first, small_world, steps=100, checkpoint=tmp_path / "c")
    again = learner("maskable_ppo", small_world)
    crl.train(again, small_world, steps=100, checkpoint=tmp_path / "c", resume=True)
    assert again.curve == first.curve
    assert all(np.array_equal(t, first.tensors()[n]) for n, t in again.tensors().items())


def test_damaged_checkpoints_are_refused(small_world, tmp_path):
    path = interrupted("maskable_ppo", small_world, tmp_path / "c")
    raw, policy = path.read_bytes(), learner("maskable_ppo", small_world)

    def go_on():
        with pytest.raises(ArtifactError) as caught:
            crl.train(policy, small_world, steps=steps_of(small_world), checkpoint=path, resume=True)
        return str(caught.value)

    for length in np.linspace(0, len(raw) - 1, 40).astype(int):
        path.write_bytes(raw[:length])
        go_on()
    changed = bytearray(raw)
    changed[-3] ^= 4
    path.write_bytes(changed)
    assert "sha256" in go_on()
    canary = tmp_path / "canary"
    path.write_bytes(pickle.dumps(Canary(canary)))
    assert "a pickle" in go_on()
    torch.save({"model": Canary(canary)}, path)
    assert "torch" in go_on()
    assert not canary.exists()
    save_bundle(build_policy("uniform", small_world.catalog, small_world.features), path)
    assert "a checkpoint of campaignrl" in go_on()
    assert not policy.is_trained


class Canary:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


@pytest.mark.parametrize(
    ("settings", "steps", "said"),
    [({"gamma": 0.9}, EPISODES, "settings"), ({"hidden": [8]}, EPISODES, "settings"), ({}, EPISODES + 1, "steps")],
)
def test_a_checkpoint_of_another_training_is_refused(settings, steps, said, small_world, tmp_path):
    path = interrupted("maskable_ppo", small_world, tmp_path / "c")
    policy = learner("maskable_ppo", small_world, **settings)
    with pytest.raises(ArtifactError, match=said):
        crl.train(policy, small_world, steps=steps_of(small_world, steps), checkpoint=path, resume=True)


@pytest.mark.parametrize("kind", ["qr_dqn", "recurrent_ppo"])
def test_a_trained_one_learns_on(kind, trained, small_world, tmp_path):
    """From a bundle, which holds the deciding network alone."""
    first, _ = trained(kind)
    again = load_bundle(save_bundle(first, tmp_path / "p.bundle"))
    before = again.tensors()
    again.learn(small_world, RunOptions(1))
    moved = [np.abs(t - before[n]).max() for n, t in again.tensors().items()]
    assert 0.0 < max(moved) < 0.5


def test_a_network_gone_astray_is_an_error(small_world, tmp_path):
    policy = learner("maskable_ppo", small_world, learning_rate=1e30)
    with pytest.raises(SpecError, match="learning_rate"):
        crl.train(policy, small_world, steps=steps_of(small_world), checkpoint=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_threads_of_torch_are_given_back(small_world):
    before = torch.get_num_threads()
    inside = []
    learner("maskable_ppo", small_world).learn(
        small_world, RunOptions(1, callback=lambda _: inside.append(torch.get_num_threads()))
    )
    assert (inside, torch.get_num_threads()) == ([1], before)


def test_progress_is_told_in_customer_days(small_world):
    told = []
    crl.train(learner("dqn", small_world), small_world, steps=1, progress=lambda *where: told.append(where))
    episode = SMALL["customers"] * small_world.horizon
    assert told[-1] == (episode, episode)
    assert [done for done, _ in told] == [64 * (i + 1) for i in range(small_world.horizon)]


def test_watching_may_end_it(small_world, trained):
    policy = learner("maskable_ppo", small_world)
    crl.train(policy, small_world, steps=steps_of(small_world), watch=lambda m: False)
    assert [m.steps for m in policy.curve] == [steps_of(small_world, 1)]
    assert policy.curve == trained("maskable_ppo")[0].curve[:1]


def test_a_curve_is_thinned_evenly_to_its_end(trained):
    curve = trained("ppo")[0].curve
    assert thinned(curve) == curve
    assert thinned(curve, 2) == [curve[1], curve[3]]
    assert thinned([]) == []
    assert json.loads(json.dumps(thinned(curve, 1))) == [list(curve[-1])]
