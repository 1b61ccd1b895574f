"""A log says what was seen: from its context and eligible actions alone, the choices and the rules follow again.

For every bundled world, kinds of policy that are told and kinds that learn, and however the work is divided. And
whatever leaves the panel stays as it was: nobody's later day changes it, and writing on it changes nobody's day.
"""

import functools

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.campaign import ready_policy, simulate
from campaignrl.choices import decide_day
from campaignrl.demo import usual_policy
from campaignrl.dynamics import Outcome
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.twins import Life, nothing
from campaignrl.guard import Facts, Spending, allowed, rules_of
from campaignrl.policies.deep.numpy_network import NetworkPolicy
from campaignrl.rng import Purpose
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.training import train

WORLDS = bundled_files("envs")
KINDS = ("uniform", "usual", "lin_ts", "dr_greedy", "network")
DIVISIONS = ((1, 1000), (2, 10))  # (threads, customers in a block)
N = 40
CASES = [  # the gate plays each world and kind in one division, `make slow` in the other as well
    pytest.param(name, kind, *division, marks=[] if (i + j + d) % 2 else pytest.mark.slow)
    for i, name in enumerate(WORLDS)
    for j, kind in enumerate(KINDS)
    for d, division in enumerate(DIVISIONS)
]


@functools.cache
def learning(world):
    return simulate(world, "uniform", customers=60, seed=1)


@functools.cache
def policy_of(name, kind):
    """A policy of this kind, ready to play in the world."""
    world = load_world(name)
    if kind == "network":
        network = NetworkPolicy(world.catalog, world.features, NetworkPolicy.Config(hidden=(8,)), "network")
        generator = np.random.default_rng(3)
        network.restore({n: generator.normal(size=t.shape).astype(t.dtype) for n, t in network.tensors().items()})
        return network
    if kind in ("lin_ts", "dr_greedy"):
        return train(kind, learning(name))
    return ready_policy(usual_policy(world) if kind == "usual" else kind, world)


@functools.cache
def logged(name, kind, threads, block):
    return simulate(name, policy_of(name, kind), customers=N, seed=2, threads=threads, block=block)


def served_on(log, chance, catalog):
    """(T, c + 1) share of each channel's sends that was served on each day, as its sends tell; nan: none was sent."""
    days = log.meta["horizon"]
    served = np.full((days, len(catalog.channels) + 1), np.nan)
    served[:, -1] = 1.0  # of `none`, which has the channel -1
    sent = np.flatnonzero(log.action != NONE)
    share = log.propensity[sent] / chance[sent]
    at = log.day[sent], catalog.channel_of[log.action[sent]]
    served[at] = share
    np.testing.assert_allclose(served[at], share, atol=1e-12)  # one share a day and channel, whoever it was
    return served


@pytest.mark.parametrize(("name", "kind", "threads", "block"), CASES)
def test_the_logging_policys_propensities_follow_from_the_log(name, kind, threads, block):
    """Where budget or capacity are short, chances of sends shrink by one share a day and channel, and `none` grows."""
    world, log = load_world(name), logged(name, kind, threads, block)
    rows, catalog = np.arange(len(log)), load_world(name).catalog
    p = policy_of(name, kind).probabilities(log.context, log.allowed())
    if not Spending(world, N).is_limited:
        np.testing.assert_allclose(p[rows, log.action], log.propensity, rtol=0, atol=1e-12)
        return
    served = served_on(log, p[rows, log.action], catalog)
    assert (served[np.isfinite(served)] <= 1.0 + 1e-12).all()
    by_channel = np.stack([p[:, catalog.channel_of == c].sum(axis=1) for c in range(len(catalog.channels))], axis=1)
    unserved = (1.0 - served[log.day, :-1]) * by_channel
    unserved[by_channel == 0.0] = 0.0
    stayed = (log.action == NONE) & np.isfinite(unserved).all(axis=1)
    assert stayed.any()
    np.testing.assert_allclose((p[:, NONE] + unserved.sum(axis=1))[stayed], log.propensity[stayed], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "kind", "threads", "block"), CASES)
def test_every_rule_holds_in_the_logged_context(name, kind, threads, block):
    """The guard asked again, with what the log says and no panel: permissions, conditions, caps, the holdout."""
    world, log = load_world(name), logged(name, kind, threads, block)
    channel = world.catalog.channel_of[log.action].reshape(N, -1)

    def contacts(which, days):
        hit = channel >= 0 if which is None else channel == which
        before = np.cumsum(np.concatenate([np.zeros((N, 1)), hit], axis=1), axis=1)  # (N, T + 1) up to each morning
        start = np.maximum(np.arange(hit.shape[1]) - days + 1, 0)
        return (before[:, :-1] - before[:, start]).ravel()

    consent = np.array([log.context.columns[f"consent_{c}"] > 0.0 for c in world.channels])
    held_out = rng.uniform(rng.customer_keys(np.arange(N)), world.guard.holdout_salt, 0, Purpose.HOLDOUT)
    facts = Facts((held_out < world.guard.holdout)[log.customer], None, consent, log.context, contacts)
    np.testing.assert_array_equal(allowed(rules_of(world), facts), log.allowed())
    assert log.allowed()[np.arange(len(log)), log.action].all()


# ---- what leaves the panel


def arrays_of(thing):
    """The arrays in what was handed out."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if hasattr(thing, "columns"):
        return [*thing.columns.values(), *([] if thing.beside is None else [thing.beside])]
    if isinstance(thing, dict):
        return arrays_of(tuple(thing.values()))
    return [array for part in thing for array in arrays_of(part)] if isinstance(thing, tuple | list) else []


def asked(panel):
    """What the panel hands out, by what is asked, in one block and in a part."""
    context, part = panel.observe(), slice(3, 17)
    facts, some = panel.facts(context), panel.facts(panel.observe(part), part)
    windows = [(channel, days) for channel in (None, 0) for days in (1, 7)]
    choice = decide_day(panel, ready_policy("uniform", panel.world))
    return {
        "observe": (context, panel.observe(part), context.encode()),
        "allowed": (panel.allowed(context), panel.allowed(panel.observe(part), part)),
        "facts": tuple((f.held_out, f.consent, *(f.contacts(*w) for w in windows)) for f in (facts, some)),
        "take": tuple(panel.take(np.arange(5)).state) + tuple(panel.take(np.arange(5)).traits),
        "decide_day": (
            choice.context,
            choice.allowed,
            choice.action,
            choice.propensity,
            choice.none,
            choice.by_channel,
        ),
    }


@pytest.mark.parametrize("name", WORLDS)
def test_what_was_handed_out_stays_as_it_was_for_all_the_days_that_follow(name):
    world = load_world(name)
    panel, lazy, kept, outcomes = Panel(world, 60, seed=1), [], [], []
    while not panel.done:
        if panel.day % 9 == 0:
            handed = asked(panel)
            lazy.append((panel.facts(panel.observe()), handed))
            kept.append([array.copy() for array in arrays_of(handed)])
        outcome = panel.step(np.where(panel.allowed(panel.observe())[:, 1], 1, NONE))
        outcomes.append((outcome, Outcome._make(field.copy() for field in outcome)))
    for (facts, handed), copies in zip(lazy, kept, strict=True):
        for array, copy in zip(arrays_of(handed), copies, strict=True):
            np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(facts.contacts(None, 7), handed["facts"][0][3])  # asked late, the day it was for
    for outcome, copy in outcomes:
        for field, same in zip(outcome, copy, strict=True):
            np.testing.assert_array_equal(field, same)


@pytest.mark.parametrize("name", WORLDS)
def test_writing_on_what_was_handed_out_changes_nobodys_days(name):
    world = load_world(name)
    panel, other = (Panel(world, 60, seed=1) for _ in range(2))
    for _ in range(8):
        action = np.where(other.allowed(other.observe())[:, 1], 1, NONE)
        for array in arrays_of(asked(panel)):
            if array.flags.writeable:
                array[...] = 1
        outcome = panel.step(action)
        for mine, theirs in zip(outcome, other.step(action), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for array in outcome:
            array[...] = 1
    for mine, theirs in zip((*panel.state, *panel.traits), (*other.state, *other.traits), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_life_of_twins_hands_out_days_that_stay(small_world):
    life = Life(small_world, nothing, 40, seed=1)
    first = life.day()
    kept = Outcome._make(field.copy() for field in first)
    while not life.panel.done:
        life.day()
    for field, same in zip(first, kept, strict=True):
        np.testing.assert_array_equal(field, same)


class Scribbler:
    """A policy that writes on what it is given."""

    kind, name = "scribbler", "scribbler"

    def __init__(self, catalog, where):
        self.catalog, self.where = catalog, where

    def probabilities(self, context, allowed):
        array = allowed if self.where == "mask" else context.columns[self.where]
        array[...] = 0
        return np.eye(len(self.catalog))[np.zeros(len(allowed), dtype=int)]

    def settings(self):
        return {}

    def tensors(self):
        return {}


@pytest.mark.parametrize("where", ["mask", "segment", "age_band", "orders"])
def test_a_policy_that_writes_on_what_it_sees_does_not_change_the_log(where):
    """It gets copies of those who have a choice; where all have one, it gets what is logged, to be read only."""
    world = load_world("ecommerce")
    quiet = simulate(world, "none", customers=30, seed=1)
    log = simulate(world, Scribbler(world.catalog, where), customers=30, seed=1)
    np.testing.assert_array_equal(log.allowed(), quiet.allowed())
    for name, column in quiet.context.columns.items():
        np.testing.assert_array_equal(log.context.columns[name], column)
    free = load_world("no_memory")
    everybody = np.flatnonzero(Panel(free, 200, seed=1).allowed(Panel(free, 200, seed=1).observe())[:, 1:].any(axis=1))
    if where != "age_band":
        with pytest.raises(ValueError, match="read-only"):
            simulate(free, Scribbler(free.catalog, where), customers=everybody, seed=1)
