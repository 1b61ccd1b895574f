"""Budget and capacity of a run: never over either, exact propensities, a day's share where nobody knows the rest."""

import datetime

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.send import limits_of_run
from campaignrl.send.decide import decide

DAY = datetime.date(2026, 11, 21)
BUSINESSES = ("ecommerce", "bank", "retail", "travel", "tight_budget")


def customers(world, n=1_000, seed=7):
    return customers_frame(Panel(crl.load_world(world), n, seed))


def with_budget(amount, name="tight_budget"):
    world = crl.load_world(name)
    return crl.load_world(name, guard={**world.guard.model_dump(), "budget": {"amount_per_1000_customers": amount}})


def test_a_budget_of_nothing_sends_nothing():
    """What a world of budget 0 did before: 874 messages."""
    found = crl.decide("uniform", customers("tight_budget"), with_budget(0.0), day=DAY)
    assert found.cost == 0
    assert (found.action == NONE).all()
    assert any(text.startswith("no money: ") for text in found.reason)


@pytest.mark.parametrize("budget", [0.0, 0.07, 0.08, 1.5, 3.33, 40.0])
def test_a_run_never_costs_more_than_its_budget(budget):
    """Nor less than it could: what is left would not have paid for the next in the order of the lot."""
    world = with_budget(1e6)
    found = crl.decide("uniform", customers("tight_budget"), world, day=DAY, budget=budget)
    assert found.cost <= world.minor(budget)
    assert world.minor(budget) - found.cost < max(world.catalog.cost_of) or not (found.reason == "no money").any()


@pytest.mark.parametrize("name", BUSINESSES)
def test_capacity_and_a_days_share_hold_in_every_world(name):
    world, n = crl.load_world(name), 1_500
    frame = customers(name, n)
    for seed in range(5):
        found = crl.decide("uniform", frame, world, day=DAY, seed=seed)
        for c, channel in enumerate(world.channels.values()):
            if channel.capacity is not None:
                most = channel.capacity.sends_per_day_per_1000_customers * n // 1000
                assert (world.catalog.channel_of[found.action] == c).sum() <= most
        if world.guard.budget is not None:
            campaign = world.minor(world.guard.budget.amount_per_1000_customers) * n // 1000
            assert found.cost <= campaign // world.horizon


def test_a_given_limit_can_only_lower_the_worlds_own():
    bank = crl.load_world("bank")
    own = limits_of_run(bank, 5_000)
    channel = next(c for c, spec in bank.channels.items() if spec.capacity is not None)
    place = list(bank.channels).index(channel)
    assert limits_of_run(bank, 5_000, capacity={channel: 10**9}).sends[place] == own.sends[place]
    assert limits_of_run(bank, 5_000, capacity={channel: 3}).sends[place] == 3
    assert limits_of_run(bank, 5_000, budget=12.34).money == bank.minor(12.34)
    tight = crl.load_world("tight_budget")
    share = tight.minor(300.0) * 5 // tight.horizon
    assert limits_of_run(tight, 5_000, budget=1e9).money == limits_of_run(tight, 5_000).money == share


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"budget": -5.0}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"budget": 1e308}, "budget"),
        ({"capacity": {"smoke": 3}}, "smoke"),
        ({"capacity": {"sms": -1}}, "capacity of sms"),
        ({"budget": -1.0, "capacity": {"smoke": 3, "sms": -1}}, "(?s)budget.*smoke.*capacity of sms"),
    ],
)
def test_a_limit_that_is_none_is_refused_and_all_of_them_at_once(how, words):
    with pytest.raises(UsageError, match=words):
        crl.decide("uniform", customers("tight_budget", 20), "tight_budget", day=DAY, **how)


@pytest.mark.slow
def test_stated_propensities_are_frequencies_over_seeds():
    """Invariant I9 after guard, budget and capacity: by action, over customers and seeds, chance equals frequency."""
    world = crl.load_world("tight_budget")
    frame = customers("tight_budget", 400)
    k, runs = len(world.catalog), 400
    seen, expected = np.zeros(k), np.zeros(k)
    inverse = []
    for seed in range(runs):
        found = crl.decide("uniform", frame, world, day=DAY, seed=seed, budget=3.0)
        seen += np.bincount(found.action, minlength=k)
        inverse.append((1.0 / found.propensity)[found.action != NONE].sum())  # estimates how many had a send allowed
        options = found.eligible.sum(axis=1)
        expected[1:] += (found.eligible[:, 1:] / options[:, None]).sum(axis=0)
    could = (found.eligible[:, 1:].sum(axis=1)).sum()  # the sum over sends of p / p
    spread = np.std(inverse) / np.sqrt(runs)
    assert abs(np.mean(inverse) - could) < 4 * spread
    assert seen[1:].sum() < expected[1:].sum() / 3  # and the budget really was short


def test_who_is_refused_by_the_budget_says_so_and_keeps_the_chance_of_nothing():
    world = crl.load_world("tight_budget")
    found = decide(crl.load_policy("always:coupon15@sms", world), customers("tight_budget"), world, day=DAY, budget=1.0)
    lost = np.array([text.startswith("no money") for text in found.reason])
    assert lost.sum() > 10
    assert found.cost == (1 + 99) // 8 * 8  # twelve texts of 0.08
    assert (found.action[lost] == NONE).all()
    assert set(found.propensity_before[lost]) == {1.0}
    served = (found.action != NONE).sum() / ((found.action != NONE).sum() + lost.sum())
    chances = np.unique(found.propensity[lost])
    assert len(chances) == 1
    assert chances[0] == pytest.approx(1 - served, abs=0.15)  # the cut of the lot, near the share that was served
    assert found.blocked_counts()["no money"] == lost.sum()


def test_the_order_of_rows_and_other_limits_move_nothing():
    frame = customers("tight_budget")
    one = crl.decide("uniform", frame, "tight_budget", day=DAY, budget=2.0)
    other = crl.decide("uniform", frame.iloc[::-1], "tight_budget", day=DAY, budget=2.0)
    assert one.to_frame().equals(other.to_frame().iloc[::-1].reset_index(drop=True))
    free = crl.decide("uniform", frame, with_budget(1e6), day=DAY)
    kept = one.action != NONE
    assert (free.action[kept] == one.action[kept]).all()


def test_the_largest_budget_is_what_whole_minor_units_can_hold_exactly():
    world = crl.load_world("tight_budget")
    largest = 2**53 / world.money.minor_per_unit
    assert limits_of_run(world, 10, budget=largest).money == limits_of_run(world, 10).money
    with pytest.raises(UsageError, match="budget"):
        limits_of_run(world, 10, budget=largest * 1.0001)
