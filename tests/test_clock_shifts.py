"""Servers, shifts and slots on the clock of hours."""

import numpy as np
import pytest

from campaignrl.campaign import run_campaign, simulate_hours
from campaignrl.envs.clock.queues import Closed, Quiet, service
from campaignrl.errors import SpecError
from campaignrl.specs.market import ChannelSpec
from campaignrl.specs.world import load_world

CAPACITY = {"sends_per_day_per_1000_customers": 60.0}
CHANNEL = {"cost": 1.0, "reach": {"deliver": 0.9, "open": 0.5, "click": 0.1}, "unsubscribe": {"base": 0.0}}


@pytest.fixture
def tables(small_world):
    return small_world.model_dump(exclude_unset=True)


def closed(shift, quiet=None):
    spec = ChannelSpec(**CHANNEL, capacity=CAPACITY, servers=3, shift=shift)
    return Closed.of(Quiet(*quiet) if quiet else Quiet(), spec)


@pytest.mark.parametrize(
    ("shift", "quiet", "time", "wait"),
    [
        ((9, 18), None, 8.0, 1.0),
        ((9, 18), None, 12.0, 0.0),
        ((9, 18), None, 18.0, 15.0),
        ((9, 18), None, 24.0 * 3 + 20.0, 13.0),
        ((22, 4), None, 23.0, 0.0),
        ((22, 4), None, 3.5, 0.0),
        ((22, 4), None, 4.0, 18.0),
        ((0, 24), None, 4.0, 0.0),
        ((8, 20), (6.0, 5.0), 8.0, 3.0),  # quiet from 6 to 11
        ((8, 12), (6.0, 5.0), 12.0, 23.0),
        ((18, 23), (21.0, 12.0), 21.0, 21.0),
    ],
)
def test_shifts_by_hand(shift, quiet, time, wait):
    assert closed(shift, quiet).wait(time) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("shift", "quiet", "hours"),
    [
        ((9, 18), None, 9.0),
        ((22, 4), None, 6.0),
        ((0, 24), None, 24.0),
        ((8, 20), (6.0, 5.0), 9.0),
        ((18, 23), (21.0, 12.0), 3.0),
    ],
)
def test_open_hours_are_those_of_the_shift_that_are_not_quiet(shift, quiet, hours):
    assert closed(shift, quiet).open_hours == pytest.approx(hours)


def test_servers_in_their_shift_give_exactly_the_capacity():
    spec = ChannelSpec(**CHANNEL, capacity=CAPACITY, servers=4, shift=(9, 17))
    found = service(spec, 500, closed((9, 17)).open_hours)
    assert found.servers == 4
    assert found.servers * 8.0 / found.hours == pytest.approx(30.0)  # sends a day for 500 customers


def test_agents_serve_in_their_shift_alone(tables):
    tables["channels"]["sms"] |= {"capacity": CAPACITY, "servers": 2, "shift": [10, 16], "patience_hours": 48.0}
    run = simulate_hours(load_world(tables), "uniform", customers=300, seed=3)
    load = run.load[run.load["channel"] == "sms"]
    hour = load["hour"] % 24
    assert (load["servers"] == 2).all()
    assert load["begun"].sum() > 20
    assert (load.loc[(hour < 10) | (hour >= 16), "begun"] == 0).all()
    sent = run.events[(run.events["event"] == "sent") & (run.events["channel"] == "sms")]
    assert sent["time"].mod(24).between(10, 16).all()
    waited = run.events[(run.events["event"] == "waited") & (run.events["channel"] == "sms")]
    assert waited["hours"].max() > 4.0  # who was decided for in the evening waits for the morning


def test_a_send_waits_for_the_hours_of_its_slot(tables):
    tables["slots"] = {"morning": {"hours": [7, 10]}, "night": {"hours": [22, 1]}}
    world = load_world(tables)
    run = simulate_hours(world, "always:content@push/night", customers=300, seed=3)
    at = run.events.loc[run.events["event"] == "sent", "time"].mod(24)
    assert len(at) > 100
    assert ((at >= 22) | (at < 1)).all()
    assert (at >= 22).sum() > 1.5 * (at < 1).sum() > 0
    run = simulate_hours(world, "always:content@push/morning", customers=300, seed=3)
    assert run.events.loc[run.events["event"] == "sent", "time"].mod(24).between(7, 10).all()


def opened_by_hour(tables, policy):
    run = simulate_hours(load_world({**tables, "horizon": 6}), policy, customers=6_000, seed=1)
    delivered, opened = (run.events[run.events["event"] == e] for e in ("delivered", "opened"))
    return len(opened) / len(delivered)


def test_behaviour_depends_on_the_hour_of_arrival(tables):
    tables["slots"] = {"best": {"hours": [11.5, 12.5]}, "worst": {"hours": [23.5, 0.5]}}
    tables["hours"] = {"segments": {name: [{"hour": 12, "lift": 1.5}] for name in tables["segments"]}}
    best, worst = (opened_by_hour(tables, f"always:content@push/{slot}") for slot in ("best", "worst"))
    tables["channels"]["push"]["slots"] = []  # at an hour of activity, which is around noon and in the evening
    between = opened_by_hour(tables, "always:content@push")
    assert best > 1.2 * between > 1.2 * 1.05 * worst
    days = load_world({**tables, "horizon": 6})
    assert days.hours is not None


def test_slots_without_hours_of_behaviour_change_only_the_time(tables):
    """The clock's law, with slots: without delays a run equals the panel customer by customer."""
    tables["slots"] = {"morning": {"hours": [7, 10]}, "night": {"hours": [22, 1]}}
    tables["creatives"] = {"video": {}, "words": {}}
    tables["formats"] = {"match": 1.0, "segments": {name: {"video": 0.5, "words": 0.5} for name in tables["segments"]}}
    tables["drift"] = {"changes": [{"what": "taste", "day": 4, "by": 0.5}]}
    tables["arrivals"] = {"per_day": 0.02}
    world = load_world(tables)
    hours, days = (run(world, "uniform", customers=400, seed=5) for run in (simulate_hours, run_campaign))
    for name, values in days.totals.items():
        assert np.array_equal(hours.totals[name], values), name


WRONG = {
    "a shift without servers": ({"capacity": CAPACITY, "shift": [9, 17]}, ["[channels]", "sms", "servers = 10"]),
    "a shift alone": ({"shift": [9, 17]}, ["servers = 10"]),
    "servers without a capacity": ({"servers": 3}, ["capacity, from which"]),
    "a length that would be said twice": (
        {"capacity": {**CAPACITY, "minutes_per_send": 5.0}, "servers": 3},
        ["without minutes_per_send"],
    ),
    "no servers": ({"capacity": CAPACITY, "servers": 0}, ["servers", "0", "greater than or equal to 1"]),
    "a shift past midnight": ({"capacity": CAPACITY, "servers": 3, "shift": [9, 30]}, ["shift", "30"]),
    "a shift without hours": ({"capacity": CAPACITY, "servers": 3, "shift": [9, 9]}, ["hours in its shift"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_named(name, tables):
    fields, words = WRONG[name]
    tables["channels"]["sms"] |= fields
    with pytest.raises(SpecError) as wrong:
        load_world(tables)
    assert [word for word in words if word not in str(wrong.value)] == []
    assert len(str(wrong.value)) < 500


def test_a_shift_in_quiet_hours_alone_is_refused(tables):
    tables["guard"]["quiet_hours"] = {"from_hour": 21.0, "to_hour": 9.0}
    tables["channels"]["sms"] |= {"capacity": CAPACITY, "servers": 3, "shift": [22, 6]}
    with pytest.raises(SpecError, match="outside the quiet hours"):
        load_world(tables)
