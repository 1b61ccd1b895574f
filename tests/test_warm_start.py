"""Deep learners that begin from a rollout policy: exact first decisions, and never worse in the end."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.envs.panel import Panel
from campaignrl.errors import UsageError
from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
from campaignrl.policies.deep import kept_in_the_end, warm_started
from campaignrl.policies.deep.warm_start import SLOWER
from campaignrl.policies.loading import build_policy
from campaignrl.policies.rollout import value_network
from campaignrl.policies.rollout.prices import Prices, priced_layers

SMALL = Path(__file__).parent / "worlds" / "small.toml"
DEEP = ("maskable_ppo", "ppo", "dqn", "qr_dqn")


@pytest.fixture(scope="module")
def start(small_world):
    """A rollout policy with a network that sends some things and not others."""
    world, chance = small_world, np.random.default_rng(1)
    seen = Panel(world, 2_000, 1).observe().encode(world.features)
    gain = np.zeros((len(seen), len(world.catalog)), dtype=np.float32)
    gain[:, 1:] = chance.normal(-0.2, 0.5, gain[:, 1:].shape) + seen[:, [0]] * 0.8
    settings = value_network.FitSettings((8, 8), 5, 256)
    network = value_network.fit(seen, gain, settings, np.random.default_rng(0))
    layers = priced_layers(network, Prices.free(world.catalog), world.catalog, world.features)
    policy = build_policy({"kind": "rollout", "hidden": [8, 8]}, world.catalog, world.features)
    tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
    policy.keep(tensors | {f"bias_{i}": layer.bias for i, layer in enumerate(layers)}, None)
    return policy


def agent(kind, world, **settings):
    return build_policy({"kind": kind, "customers": 32, "batch_size": 128, **settings}, world.catalog, world.features)


@pytest.mark.parametrize("kind", DEEP)
def test_it_begins_with_the_decisions_of_the_start(kind, small_world, start):
    begun = warm_started(agent(kind, small_world, explore=0.0), start, small_world)
    context = Panel(small_world, 300, 2).observe()
    allowed = np.ones((300, len(small_world.catalog)), dtype=bool)
    best = start.probabilities(context, allowed).argmax(axis=1)
    assert np.array_equal(begun.probabilities(context, allowed).argmax(axis=1), best)
    assert begun.config.hidden == (9, 9)
    assert begun.config.learning_rate == pytest.approx(agent(kind, small_world).config.learning_rate * SLOWER)


@pytest.mark.parametrize("kind", DEEP)
def test_one_that_has_learned_nothing_better_ends_as_the_start(kind, small_world, start):
    begun = warm_started(agent(kind, small_world), start, small_world)
    ended = kept_in_the_end(begun, start, small_world)
    context = Panel(small_world, 300, 2).observe()
    allowed = Panel(small_world, 300, 2).allowed(context)
    assert ended.kept == "start"
    assert ended.over.low <= 0.0
    assert np.array_equal(begun.probabilities(context, allowed), start.probabilities(context, allowed))


def test_one_that_is_better_is_kept(small_world, start):
    """The start turned round: it sends what it thinks worst."""
    worse = build_policy({"kind": "rollout", "hidden": [8, 8]}, small_world.catalog, small_world.features)
    tensors = {name: -array if name in ("weight_2", "bias_2") else array for name, array in start.tensors().items()}
    worse.keep(tensors, None)
    found = agent("maskable_ppo", small_world, hidden=[9, 9])
    found.restore({**start.tensors(), "weight_2": 50 * start.tensors()["weight_2"], "bias_2": tensors["bias_2"] * 0})
    values = {p.name: crl.run_campaign(small_world, p, customers=4_000).value.mean() for p in (found, worse)}
    ended = kept_in_the_end(found, worse, small_world)
    assert (ended.kept != "start") == (ended.over.low > 0.0)
    assert (ended.over.mean > 0.0) == (values["maskable_ppo"] > values["rollout"])


def test_what_is_no_network_is_no_start(small_world, start):
    rules = build_policy({"kind": "none", "name": "rules"}, small_world.catalog, small_world.features)
    idle = {"kind": "rollout", "baseline": {"kind": "none"}}
    fallen_back = build_policy(idle, small_world.catalog, small_world.features)
    for policy in (rules, fallen_back):
        with pytest.raises(UsageError, match=f"warm start = '{policy.name}' is not a policy that is a network"):
            warm_started(agent("dqn", small_world), policy, small_world)


def test_a_learner_with_a_memory_or_from_logs_cannot_start_warm(small_world, start):
    for kind in ("recurrent_ppo", "rollout"):
        with pytest.raises(UsageError, match="a learner without memory"):
            warm_started(build_policy(kind, small_world.catalog, small_world.features), start, small_world)
    with pytest.raises(UsageError, match=r"warm_start.*learns from logs"):
        crl.train("lin_ts", small_world, customers=5, warm_start=start)


def test_by_command_it_is_never_below_its_start(small_world, start, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sb3_contrib")
    begun, bundle, spec = save_bundle(start, tmp_path / "s.bundle"), tmp_path / "p.bundle", tmp_path / "deep.toml"
    spec.write_text('kind = "maskable_ppo"\ncustomers = 32\nbatch_size = 128\n')
    words = ["train", spec, "--world", SMALL, "--steps", 800, "--warm-start", begun, "-o", bundle, "--json"]
    monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert not end.value.code, said.err
    report = json.loads(said.out)["report"]
    assert report["kept"] in ("start", "trained", "trained, best action")
    assert "trained over start" in said.err
    assert read_manifest(bundle)["trained_on"]["report"] == report
    ended = load_bundle(bundle)
    assert ended.kind == "maskable_ppo"
    if report["kept"] == "start":
        context = Panel(small_world, 200, 2).observe()
        allowed = Panel(small_world, 200, 2).allowed(context)
        assert np.array_equal(ended.probabilities(context, allowed), start.probabilities(context, allowed))
