"""Who is asked, and that it makes no difference to anybody."""

import datetime

import numpy as np
import pytest

from campaignrl.actions import NONE
from campaignrl.campaign import ready_policy, run_campaign, simulate
from campaignrl.choices import actions_of_day, decide_day, decide_rows
from campaignrl.demo import usual_policy
from campaignrl.envs import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import DataError
from campaignrl.ope.data import asked_ahead, target_policy_of
from campaignrl.policies import certain_action
from campaignrl.policies.deep.numpy_network import NetworkPolicy
from campaignrl.policies.fixed.rules import RulesPolicy
from campaignrl.policies.loading import build_policy
from campaignrl.send.decide import decide
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.training import train

KINDS = ("none", "uniform", "usual", "lin_ts", "crm")


def policy_of(world, kind):
    if kind in ("lin_ts", "crm"):
        return train(kind, simulate(world, "uniform", customers=40, seed=1))
    return ready_policy(usual_policy(world) if kind == "usual" else kind, world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ecommerce", "tight_budget", "no_memory"])
def test_who_has_no_choice_need_not_be_asked(name, kind):
    """A whole day asked at once, by the book, gives the actions and chances that asking some of it does."""
    world = load_world(name)
    policy, panel = policy_of(world, kind), Panel(world, 90, seed=2, block=40, threads=1)
    while not panel.done and panel.day < 25:
        context = panel.observe()
        allowed, chosen = panel.allowed(context), decide_day(panel, policy)
        p = policy.probabilities(context, allowed)
        np.testing.assert_array_equal(chosen.propensity, p[np.arange(90), chosen.action])
        np.testing.assert_array_equal(chosen.none, p[:, NONE])
        np.testing.assert_array_equal(chosen.allowed, allowed)
        np.testing.assert_array_equal(actions_of_day(panel, policy), chosen.action)
        sure = certain_action(policy, context, allowed)
        if sure is not None:
            np.testing.assert_array_equal(sure, chosen.action)
            assert (chosen.propensity == 1.0).all()
        panel.step(chosen.action)


@pytest.mark.parametrize("name", bundled_files("envs"))
def test_to_who_cannot_be_reached_only_none_is_allowed(name):
    world = load_world(name)
    panel, uniform = Panel(world, 200, seed=4), ready_policy("uniform", world)
    left_out = 0
    for _ in range(20):
        allowed = panel.allowed(panel.observe())
        rows = panel.reachable()
        beyond = np.setdiff1d(np.arange(200), rows)
        assert not allowed[beyond][:, NONE + 1 :].any()
        np.testing.assert_array_equal(panel.reachable(slice(50, 120)), rows[(rows >= 50) & (rows < 120)])
        part = panel.observe(rows[:30])
        for column, whole in zip(part.columns.values(), panel.observe().columns.values(), strict=True):
            np.testing.assert_array_equal(column, whole[rows[:30]])
        np.testing.assert_array_equal(panel.allowed(part, rows[:30]), allowed[rows[:30]])
        left_out += len(beyond)
        panel.step(actions_of_day(panel, uniform))
    assert left_out > 0


class Counting:
    """Business as usual that counts whom it is asked about."""

    kind, name = "counting", "counting"

    def __init__(self, policy):
        self.policy, self.catalog, self.asked = policy, policy.catalog, 0

    def probabilities(self, context, allowed):
        self.asked += len(allowed)
        return self.policy.probabilities(context, allowed)

    def settings(self):
        return {}

    def tensors(self):
        return {}


def test_a_campaign_asks_few_more_than_those_who_have_a_choice():
    world = load_world("ecommerce")
    log = simulate(world, "uniform", customers=300, seed=3)
    free = int((log.allowed().sum(axis=1) > 1).sum())
    counting = Counting(ready_policy("uniform", world))
    campaign = run_campaign(world, counting, customers=300, seed=3)
    assert free <= counting.asked < 1.2 * free < 0.6 * len(log)
    np.testing.assert_array_equal(campaign.value, run_campaign(world, "uniform", customers=300, seed=3).value)


@pytest.mark.parametrize("kind", ["uniform", "usual", "lin_ts"])
def test_evaluation_asks_where_more_than_one_action_was_eligible(kind):
    """And what it says of the other rows is what asking them would have said."""
    world = load_world("no_memory")
    log = simulate(world, "uniform", customers=40, seed=3)
    log.eligible[::7] = False
    log.eligible[np.arange(0, len(log), 7), log.action[::7]] = True  # a single one, and not always `none`
    counting = Counting(policy_of(world, kind))
    whole = counting.policy.probabilities(log.context, log.allowed())
    p = target_policy_of(counting, log).probabilities(log, slice(10, None))
    np.testing.assert_array_equal(p, whole[10:])
    assert p.flags.c_contiguous == whole.flags.c_contiguous
    assert counting.asked == (log.allowed()[10:].sum(axis=1) > 1).sum() < len(p)


@pytest.mark.parametrize("kind", ["usual", "lin_ts"])
@pytest.mark.parametrize(("ahead", "kept"), [(1, 1), (70, 1 << 20), (1 << 17, 900), (1 << 17, 1 << 20)])
def test_blocks_that_follow_each_other_are_asked_together_and_every_row_once(monkeypatch, ahead, kept, kind):
    monkeypatch.setattr(asked_ahead, "AHEAD", ahead)
    monkeypatch.setattr(asked_ahead, "KEPT", kept)
    world = load_world("no_memory")
    log = simulate(world, "uniform", customers=40, seed=3)
    log.eligible[::7] = False
    log.eligible[np.arange(0, len(log), 7), log.action[::7]] = True
    counting = Counting(policy_of(world, kind))
    whole = counting.policy.probabilities(log.context, log.allowed())
    target = target_policy_of(counting, log)
    for start in range(0, len(log), 50):
        rows = slice(start, min(start + 50, len(log)))
        p = target.probabilities(log, rows)
        np.testing.assert_array_equal(p, whole[rows])
        assert (p.flags.c_contiguous, p.flags.f_contiguous) == (whole.flags.c_contiguous, whole.flags.f_contiguous)
    assert counting.asked == (log.allowed().sum(axis=1) > 1).sum()
    for rows in (slice(90, 100), slice(30, 60), slice(None), slice(len(log) - 5, len(log)), slice(0, 3)):
        np.testing.assert_array_equal(target.probabilities(log, rows), whole[rows])


class Short(Counting):
    """Says too little."""

    def probabilities(self, context, allowed):
        return super().probabilities(context, allowed)[1:]


def test_probabilities_of_a_wrong_shape_are_told_of_the_rows_that_were_looked_at():
    world = load_world("no_memory")
    log = simulate(world, "uniform", customers=40, seed=3)
    log.eligible[:] = True
    with pytest.raises(DataError, match=r"\(49, \d+\)"):
        target_policy_of(Short(policy_of(world, "uniform")), log).probabilities(log, slice(0, 50))


class Cautious(RulesPolicy):
    """A kind of the user's own: the rules, but every second customer is sent nothing."""

    def probabilities(self, context, allowed):
        p = super().probabilities(context, allowed)
        p[::2] = np.eye(len(self.catalog))[NONE]
        return p


def test_a_kind_that_changes_probabilities_alone_is_asked_for_them():
    world = load_world("ecommerce")
    rules = ready_policy("rules", world)
    cautious = Cautious(rules.catalog, world.features, rules.config, "cautious")
    panel = Panel(world, 50, seed=1)
    context = panel.observe()
    allowed = panel.allowed(context)
    assert certain_action(rules, context, allowed) is not None
    assert certain_action(cautious, context, allowed) is None
    assert (actions_of_day(panel, cautious) != actions_of_day(panel, rules)).any()


def test_a_kind_that_changes_probabilities_alone_is_drawn_from_them():
    world = load_world("ecommerce")
    network = build_policy({"kind": "network", "hidden": [4], "explore": 0.0}, world.catalog, world.features)
    chance = np.random.default_rng(0)
    network.restore({n: chance.normal(size=a.shape).astype(np.float32) for n, a in network.tensors().items()})

    class Halved(NetworkPolicy):
        def probabilities(self, context, allowed):
            return (super().probabilities(context, allowed) + np.eye(len(self.catalog))[NONE]) / 2

    halved = Halved(network.catalog, network.schema, network.config, "halved")
    halved.restore(network.tensors())
    panel = Panel(world, 200, seed=1)
    for policy in (network, halved):
        np.testing.assert_array_equal(actions_of_day(panel, policy), decide_day(panel, policy).action)
    assert (actions_of_day(panel, halved) != actions_of_day(panel, network)).any()


class Unguarded:
    """A policy of somebody's own that does not heed the mask."""

    name = kind = "unguarded"

    def __init__(self, catalog, writes=False):
        self.catalog, self.writes = catalog, writes

    def probabilities(self, context, allowed):
        if self.writes:
            allowed[:] = True
        return np.full(allowed.shape, 1.0 / allowed.shape[1])

    def settings(self):
        return {}

    def tensors(self):
        return {}


def test_a_policy_that_heeds_no_mask_sends_nothing_anywhere():
    world = load_world("ecommerce")
    customers = customers_frame(Panel(world, 200, 3))
    policy, day = Unguarded(world.catalog), datetime.date(2026, 12, 1)
    with pytest.raises(DataError, match=r"policy unguarded, customers 0, 1, .* Action 1 was not eligible there"):
        decide(policy, customers, world, day=day)
    for played in (run_campaign, simulate):
        with pytest.raises(DataError, match=r"policy unguarded: action on day 0 = .* not eligible"):
            played(world, policy, customers=200, seed=1)
    with pytest.raises(DataError, match=r"policy unguarded: action on day 0 = .* not eligible"):
        decide_rows(Panel(world, 200, 3), policy, np.arange(100))
    with pytest.raises(ValueError, match="read-only"):
        decide(Unguarded(world.catalog, writes=True), customers, world, day=day)


@pytest.mark.parametrize(
    ("row", "said"), [([2.0, -1.0], "sum"), ([np.nan, 1.0], "sum"), ([0.7, 0.2], "sum"), ([1.0], "of shape")]
)
def test_what_is_no_probability_sends_nothing(row, said):
    world = load_world("ecommerce")
    customers, policy = customers_frame(Panel(world, 3, 3)), Unguarded(world.catalog)
    policy.probabilities = lambda context, allowed: np.pad(
        np.tile(row, (len(allowed), 1)), ((0, 0), (0, allowed.shape[1] - 2 if len(row) > 1 else 0))
    )
    with pytest.raises(DataError, match=said):
        decide(policy, customers, world, day=datetime.date(2026, 12, 1))
