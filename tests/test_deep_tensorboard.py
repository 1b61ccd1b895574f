"""`train --tensorboard DIR`: what the events say is the curve, and a folder that cannot be is refused at once."""

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.errors import MissingExtra, UsageError
from campaignrl.policies.loading import build_policy

pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")

SMALL = {"customers": 48, "batch_size": 192, "hidden": [8], "reward_scale": 5.0}
SPECS = {
    "ppo": {},
    "maskable_ppo": {},
    "recurrent_ppo": {"lstm_hidden_size": 4},
    "dqn": {"buffer_size": 5_000, "learning_starts": 100},
    "qr_dqn": {"buffer_size": 5_000, "learning_starts": 100, "n_quantiles": 4},
}
EPISODES = 3


def learner(kind, world):
    return build_policy({"kind": kind, **SMALL, **SPECS[kind]}, world.catalog, world.features, seed=3)


def steps_of(world, episodes=EPISODES):
    return episodes * SMALL["customers"] * world.horizon


def scalars(folder):
    """Steps and values by name, of all events in a folder."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(folder))
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


@pytest.mark.parametrize("kind", SPECS)
def test_the_events_are_the_curve_and_change_nothing(kind, small_world, tmp_path):
    pytest.importorskip("tensorboard", reason="not installed")
    policy, quiet = learner(kind, small_world), learner(kind, small_world)
    crl.train(policy, small_world, steps=steps_of(small_world), tensorboard=tmp_path / "new" / "events")
    crl.train(quiet, small_world, steps=steps_of(small_world))
    assert policy.curve == quiet.curve
    for name, tensor in quiet.tensors().items():
        np.testing.assert_array_equal(policy.tensors()[name], tensor)
    found = scalars(tmp_path / "new" / "events" / f"{kind}_1")
    for name in ("value", "lift"):
        expected = [(m.steps, getattr(m, name)) for m in policy.curve]
        np.testing.assert_allclose(found[f"campaign/{name}"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["train/loss"], [(m.steps, m.loss) for m in policy.curve if m.loss], rtol=1e-6)


@pytest.mark.slow
def test_a_resumed_training_goes_on_in_the_same_events(small_world, tmp_path):
    pytest.importorskip("tensorboard", reason="not installed")
    words = {"steps": steps_of(small_world), "checkpoint": tmp_path / "c", "tensorboard": tmp_path / "events"}

    def stop(milestone):
        if milestone.steps == steps_of(small_world, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crl.train(learner("recurrent_ppo", small_world), small_world, watch=stop, **words)
    policy = learner("recurrent_ppo", small_world)
    crl.train(policy, small_world, resume=True, **words)
    assert [path.name for path in (tmp_path / "events").iterdir()] == ["recurrent_ppo_1"]
    steps = {step for step, _ in scalars(tmp_path / "events" / "recurrent_ppo_1")["campaign/value"]}
    assert steps == {m.steps for m in policy.curve}


def test_without_the_package_it_names_the_fix(small_world, tmp_path, monkeypatch):
    monkeypatch.setattr("campaignrl.policies.deep.trainer.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install tensorboard"):
        crl.train(learner("ppo", small_world), small_world, steps=1, tensorboard=tmp_path / "events")
    assert not (tmp_path / "events").exists()


def test_a_file_in_place_of_the_folder_is_refused(small_world, tmp_path):
    pytest.importorskip("tensorboard", reason="not installed")
    (tmp_path / "events").write_text("mine")
    with pytest.raises(UsageError, match=r"tensorboard = .*events' is not a folder that can be written"):
        crl.train(learner("ppo", small_world), small_world, steps=1, tensorboard=tmp_path / "events")
    assert (tmp_path / "events").read_text() == "mine"
