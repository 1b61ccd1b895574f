"""The recurrent learner against torch: the same answers day after day, and what our faster pass leaves as it is."""

import numpy as np
import pytest

from campaignrl.envs.panel import Panel
from campaignrl.policies.base import sample
from campaignrl.policies.choice import uniform_over
from campaignrl.policies.deep.run_options import RunOptions
from campaignrl.policies.loading import build_policy

torch = pytest.importorskip("torch", reason="needs the extra `rl`")
pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")

from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy  # noqa: E402

from campaignrl.policies.deep import trainer as deep  # noqa: E402

SPEC = {
    "kind": "recurrent_ppo",
    "customers": 64,
    "batch_size": 300,
    "hidden": [24],
    "lstm_hidden_size": 12,
    "reward_scale": 5.0,
}
N = 300


@pytest.fixture(scope="module", params=["own", "shared"])
def trained(request, small_world):
    """A policy after two episodes, and the model in torch that it came from."""
    policy = build_policy({**SPEC, "critic": request.param}, small_world.catalog, small_world.features, seed=3)
    with deep.torch_threads(1):
        steps = 2 * SPEC["customers"] * small_world.horizon
        training = deep.Training(policy, policy.config, small_world, RunOptions(steps))
        training.run()
        policy.restore(training.tensors())
    return policy, training.model


def days_of(world):
    """Contexts and masks of every day of N customers who are sent things at random."""
    panel, chance = Panel(world, N, seed=9), np.random.default_rng(0)
    while not panel.done:
        context = panel.observe()
        allowed = panel.allowed(context)
        yield context, allowed
        panel.step(sample(uniform_over(allowed), chance.random(N)))


def test_states_probabilities_and_actions_are_those_of_torch(trained, small_world):
    policy, model = trained
    state = np.zeros((N, policy.state_width), dtype=np.float32)
    theirs, start = None, np.ones(N)
    most = 0.0
    for context, allowed in days_of(small_world):
        seen = np.concatenate([context.encode(small_world.features), allowed], axis=1, dtype=np.float32)
        before = theirs
        picked, theirs = model.predict(seen, state=before, episode_start=start, deterministic=True)
        state = policy.remember(context, state)
        np.testing.assert_allclose(state, np.concatenate([theirs[0][0], theirs[1][0]], axis=1), atol=1e-5)
        shares = policy.shares(context, state, allowed)
        np.testing.assert_array_equal(shares.argmax(axis=1), picked)
        with torch.no_grad():
            zeros = tuple(torch.zeros(1, N, 12) for _ in range(2))
            held = zeros if before is None else tuple(torch.as_tensor(part) for part in before)
            found, _ = model.policy.get_distribution(torch.as_tensor(seen), held, torch.as_tensor(start).float())
        np.testing.assert_allclose(shares, found.distribution.probs.numpy(), atol=1e-5)
        start = np.zeros(N)
        most = max(most, float(np.abs(state - policy.remember(context, np.zeros_like(state))).max()))
    assert most > 0.01  # else a policy without a memory would pass


def test_the_fast_pass_is_the_parents(trained):
    """Sequences that begin an episode, and ones that go on from a state."""
    _, model = trained
    lstm, chance = model.policy.lstm_actor, np.random.default_rng(1)
    features = torch.as_tensor(chance.random((6 * 5, lstm.input_size), dtype=np.float32))
    held = tuple(torch.as_tensor(chance.normal(size=(1, 6, 12)).astype(np.float32)) for _ in range(2))
    starts = torch.zeros(6, 5)
    starts[::2, 0] = 1.0
    ours = type(model.policy)._process_sequence(features, held, starts.flatten(), lstm)
    theirs = RecurrentActorCriticPolicy._process_sequence(features, held, starts.flatten(), lstm)
    np.testing.assert_allclose(ours[0].detach()[:, :12], theirs[0].detach(), atol=1e-6)
    np.testing.assert_array_equal(ours[0].detach()[:, 12:], features)
    for mine, their in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(mine.detach(), their.detach(), atol=1e-6)


def test_sequences_begin_where_episodes_do(trained):
    """What the fast pass relies on: in no minibatch does an episode begin within a sequence."""
    _, model = trained
    buffer = model.rollout_buffer
    batches = list(buffer.get(model.batch_size))
    assert len(batches) > 1
    for batch in batches:
        sequences = batch.lstm_states.pi[0].shape[1]
        starts = batch.episode_starts.reshape(sequences, -1)
        assert not starts[:, 1:].any()
    assert sum(float(batch.episode_starts.sum()) for batch in batches) == SPEC["customers"]
    assert sum(int(batch.mask.sum()) for batch in batches) == buffer.buffer_size * SPEC["customers"]


def test_refused_actions_have_no_chance_while_it_learns(trained):
    """Log-probabilities of the actions that were taken are those with which they were drawn."""
    _, model = trained
    for batch in model.rollout_buffer.get(model.batch_size):
        mask = batch.mask > 0.5
        with torch.no_grad():
            model.policy.evaluate_actions(
                batch.observations, batch.actions.long().flatten(), batch.lstm_states, batch.episode_starts
            )
            refused = batch.observations[:, model.policy.features_extractor.features_dim :] < 0.5
            latent = torch.zeros(len(refused), model.policy.action_net.in_features)
            p = model.policy._get_action_dist_from_latent(latent).distribution.probs
        assert (p[mask][refused[mask]] == 0.0).all()
        taken = refused.gather(1, batch.actions.long())
        assert not taken[mask].any()
