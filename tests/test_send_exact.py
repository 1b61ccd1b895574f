"""Decisions to the last unit: costs and counts by hand, the edge of the holdout, rows in more than one block."""

import datetime
import inspect

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import UsageError
from campaignrl.features import Context, FeatureSchema
from campaignrl.guard import Limits
from campaignrl.guard.rules import cap_windows
from campaignrl.policies.choice import uniform_over
from campaignrl.policies.deep import memory_for
from campaignrl.policies.loading import load_policy
from campaignrl.rng import Purpose
from campaignrl.send import EPOCH, Decisions, audit, customers, explain, recount
from campaignrl.send import draw as module
from campaignrl.send.decide import decide
from campaignrl.send.draw import Drawn
from campaignrl.send.limits import Served, limits_of_run
from campaignrl.send.reasons import blocked_of, reasons_of
from campaignrl.specs.world import load_world
from campaignrl.tables.customers import read_customers

DAY = datetime.date(2026, 11, 21)
N = 40


@pytest.fixture(scope="module")
def table(small_world):
    frame = customers_frame(Panel(small_world, N, seed=5))
    return read_customers(frame, small_world.features, list(small_world.channels), cap_windows(small_world))


def uniform(world):
    return load_policy("uniform", world.catalog, world.features)


def test_the_holdout_ends_below_its_share(small_world, table):
    """A customer whose number is the share itself is not held out; the one just below is."""
    u = rng.uniform(rng.customer_keys(table.ids), small_world.guard.holdout_salt, 0, Purpose.HOLDOUT)
    edge = np.sort(u)[4]
    world = load_world(small_world, guard={**small_world.guard.model_dump(), "holdout": float(edge)})
    blocked = decide(uniform(world), table, world, day=DAY).blocked
    held_out = np.array(["holdout" in text.split("; ") for text in blocked])
    assert np.array_equal(held_out, u < edge)
    assert held_out.sum() == 4


def test_decisions_rest_on_the_days_since_1970(small_world, table):
    found = decide(uniform(small_world), table, small_world, day=datetime.date(1970, 1, 2), seed=3)
    assert (EPOCH - datetime.date(1970, 1, 1)).days == 0
    u = rng.uniform(rng.customer_keys(table.ids), 3, 1, Purpose.ACTION)
    alone = found.propensity == 1.0
    options = np.rint(1 / found.propensity)
    for i in np.flatnonzero(~alone):  # uniform: the position among what is allowed is u times their number
        assert f"of {options[i]:.0f} allowed" in found.reason[i]
    assert (found.action[~alone & (u < 1 / options)] == 0).all()  # `none` is the first
    assert (found.action[~alone & (u >= 1 / options)] > 0).all()


def test_blocks_of_rows_change_nothing_and_progress_counts_them(small_world, table, monkeypatch):
    whole = decide(uniform(small_world), table, small_world, day=DAY)
    seen = []
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", 16)
    parts = decide(
        uniform(small_world), table, small_world, day=DAY, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(16, N), (32, N), (N, N)]
    for name in ("action", "propensity", "reason", "blocked"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_costs_sends_and_refusals_by_hand(small_world, table):
    catalog = small_world.catalog
    push, sms = catalog.id_of("content@push"), catalog.id_of("coupon20@sms")
    words = np.array(["", "holdout; suppressed", "suppressed", "suppressed; cap"], dtype=object)
    found = Decisions(
        catalog,
        DAY,
        np.array(["a", "b", "c", "d"], dtype=object),
        np.array([push, 0, sms, sms]),
        np.array([0.5, 1.0, 0.25, 0.125]),
        np.array([0.5, 1.0, 0.25, 0.125]),
        words,
        words,
        "p",
        Context(FeatureSchema(()), {}, count=4),
        np.ones((4, len(catalog)), dtype=bool),
        table.take(slice(0, 4)),
        limits_of_run(small_world, 4),
        small_world.log_facts,
    )
    assert found.cost == 1 + 8 + 8
    assert found.blocked_counts() == {"suppressed": 3, "holdout": 1, "cap": 1}
    sends = found.sends()
    assert sends["customer_id"].tolist() == ["a", "c", "d"]
    assert sends["offer"].tolist() == ["content", "coupon20", "coupon20"]
    assert sends["channel"].tolist() == ["push", "sms", "sms"]
    assert sends.index.tolist() == [0, 1, 2]
    assert found.to_frame()["offer"].tolist()[1] == ""


def test_the_most_probable_of_several_is_the_best_and_one_alone_is_no_choice(small_world):
    n, c = 5, len(small_world.channels)
    push = small_world.catalog.id_of("content@push")
    action = np.array([push, push, NONE, NONE, NONE])
    drawn = Drawn(
        eligible=np.arange(len(small_world.catalog)) < np.array([[3], [3], [2], [2], [1]]),
        action=action,
        propensity=np.array([0.5, 0.3, 1.0, 0.25, 1.0]),
        none=np.ones(n),
        by_channel=np.zeros((n, c)),
        is_best=np.array([True, False, True, False, True]),
        blocked=np.array(["", "", "", "", "holdout"], dtype=object),
    )
    nobody = np.zeros(n, dtype=bool)
    some = Limits(np.full(c, 1.0), 100.0)
    as_drawn = Served(action, drawn.propensity, nobody, nobody)
    said = reasons_of(small_world.catalog, drawn, as_drawn, some, ~nobody)
    assert said.tolist() == [
        "best of 3 allowed, probability 0.500",
        "exploring: one of 3 allowed, probability 0.300",
        "nothing pays here: best of 2 allowed",
        "exploring what comes of nothing: one of 2 allowed, probability 0.250",
        "nothing may be sent: holdout",
    ]
    of_rules = reasons_of(small_world.catalog, drawn, as_drawn, some, nobody)
    assert of_rules.tolist() == [*said[:2], "nothing is its choice here: best of 2 allowed", *said[3:]]
    one, two = np.arange(n) == 0, np.arange(n) == 1
    served = Served(np.zeros(n, dtype=np.int64), drawn.propensity, one, two)
    assert reasons_of(small_world.catalog, drawn, served, some, one)[:2].tolist() == [
        "no capacity: content@push was chosen, push is full, and the lot fell to others",
        "no money: content@push was chosen, the budget of this run is spent, and the lot fell to others",
    ]
    none = Limits(np.zeros(c), small_world.catalog.cost_of[push] - 0.5)  # there never was any
    assert reasons_of(small_world.catalog, drawn, served, none, one)[:2].tolist() == [
        "no capacity: content@push was chosen, push has no room for this run",
        "no money: content@push was chosen, this run has no money for it",
    ]
    assert blocked_of(small_world.catalog, drawn, served)[:2].tolist() == ["no capacity: push", "no money"]


class Tired:
    """Sends to whom it sees for the first time, and nothing to anybody it remembers."""

    name, kind, state_width = "tired", "tired", 1

    def __init__(self, world):
        self.catalog, self.schema = world.catalog, world.features

    def remember(self, context, state):
        return state + np.float32(1)

    def shares(self, context, state, allowed):
        p = uniform_over(allowed)
        p[state[:, 0] > 1] = np.eye(1, len(self.catalog))
        return p

    outputs = shares

    def probabilities(self, context, allowed):
        return uniform_over(allowed)

    def settings(self):
        return {}

    def tensors(self):
        return {"w": np.zeros(1, dtype=np.float32)}


def test_a_memory_moves_on_by_days_and_never_back(small_world, table):
    policy = Tired(small_world)
    memory = memory_for(policy)
    first = decide(policy, table, small_world, day=DAY, memory=memory)
    assert memory.last_day == (DAY - datetime.date(1970, 1, 1)).days
    assert (first.action > 0).any()
    again = decide(policy, table, small_world, day=DAY, memory=memory)
    assert np.array_equal(first.action, again.action)
    with pytest.raises(UsageError, match=f"{DAY}, where the memory stands, or later"):
        decide(policy, table, small_world, day=DAY - datetime.timedelta(days=1), memory=memory)
    later = decide(policy, table, small_world, day=DAY + datetime.timedelta(days=1), memory=memory)
    assert (later.action == 0).all()


def test_what_is_left_out_and_how_much_is_told():
    def default(of, name):
        return inspect.signature(of).parameters[name].default

    assert (default(decide, "seed"), default(decide, "dry_run"), default(explain.explained, "seed")) == (0, False, 0)
    assert all(value is False for value in (default(of, "ledger") for of in _with_ledger()))
    assert (recount.FIRST, explain.BACKGROUND, explain.ORDERS, explain.STEPS) == (5, 24, 8, 21)
    assert datetime.date.fromordinal(EPOCH.toordinal() + audit.EVER) == datetime.date.max


def _with_ledger():
    """Functions of customers.py that a ledger may stand in for counts of contacts."""
    found = [of for _, of in inspect.getmembers(customers, inspect.isfunction) if of.__module__ == customers.__name__]
    told = [of for of in found if isinstance(inspect.signature(of).parameters.get("ledger"), inspect.Parameter)]
    return [of for of in told if inspect.signature(of).parameters["ledger"].default is not inspect.Parameter.empty]
