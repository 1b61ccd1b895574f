"""Times within the day: quiet hours, activity, delays; the servers that a capacity asks for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.envs.clock.queues import Quiet, service, service_hours
from campaignrl.envs.clock.response_times import active_hour, delayed, planned_hour
from campaignrl.errors import SpecError
from campaignrl.rng import customer_keys
from campaignrl.specs.guard_spec import QuietHours
from campaignrl.specs.world import World
from campaignrl.toml import check

NIGHT = Quiet.of(QuietHours(from_hour=21.0, to_hour=9.0))
NOON = Quiet.of(QuietHours(from_hour=12.0, to_hour=14.0))
EVEN = np.linspace(0.0, 1.0, 20_001)[:-1]


@pytest.mark.parametrize(
    ("quiet", "time", "wait"),
    [
        (NIGHT, 20.9, 0.0),
        (NIGHT, 21.0, 12.0),
        (NIGHT, 23.0, 10.0),
        (NIGHT, 24.0, 9.0),
        (NIGHT, 72.0 + 8.5, 0.5),
        (NIGHT, 9.0, 0.0),
        (NOON, 11.0, 0.0),
        (NOON, 12.5, 1.5),
        (NOON, 14.0, 0.0),
        (Quiet(), 3.0, 0.0),
    ],
)
def test_quiet_hours_by_hand(quiet, time, wait):
    assert quiet.wait(time) == pytest.approx(wait)
    assert quiet.release(np.array([time])) == pytest.approx([time + wait])


@given(st.floats(0.0, 23.9), st.floats(0.0, 23.9), st.floats(0.0, 2_000.0))
def test_who_has_waited_waits_no_more(start, length, time):
    quiet = Quiet(start, length)
    assert quiet.wait(time + quiet.wait(time)) == 0.0
    assert quiet.release(np.array([time]))[0] == time + quiet.wait(time)
    assert 0.0 <= quiet.wait(time) <= length


def test_open_hours_are_what_quiet_hours_leave():
    assert (NIGHT.open_hours, NOON.open_hours, Quiet.of(None).open_hours) == (12.0, 22.0, 24.0)


def test_activity_peaks_in_the_evening_and_rests_at_night():
    hours = active_hour(EVEN)
    assert (np.diff(hours) >= 0.0).all()
    assert hours[0] == 0.0
    assert hours[-1] < 24.0
    counts, _ = np.histogram(hours, np.arange(25))
    assert counts.argmax() in (19, 20)
    assert counts[2:5].sum() < 0.01 * counts.sum()


def test_a_customers_hour_is_its_own_whoever_else_is_there():
    keys = customer_keys(np.arange(50))
    assert np.array_equal(planned_hour(keys, 3, 8)[::7], planned_hour(keys[::7], 3, 8))
    assert not np.array_equal(planned_hour(keys, 3, 8), planned_hour(keys, 3, 9))


@given(st.floats(0.0, 23.99), st.floats(0.01, 30.0))
def test_a_delay_ends_within_the_day(start, mean):
    ends = delayed(np.full(len(EVEN), start), mean, 24.0, EVEN)
    assert ends.min() >= start
    assert ends.max() < 24.0


def test_a_short_delay_is_exponential():
    ends = delayed(np.zeros(len(EVEN)), 0.5, 24.0, EVEN)
    assert ends.mean() == pytest.approx(0.5, rel=2e-3)
    assert (ends > 0.5).mean() == pytest.approx(np.exp(-1), abs=1e-3)


def test_service_is_constant_or_exponential():
    assert set(service_hours(0.2, False, EVEN)) == {0.2}
    varied = service_hours(0.2, True, EVEN)
    assert varied.mean() == pytest.approx(0.2, rel=2e-3)
    assert varied.std() == pytest.approx(0.2, rel=1e-2)


def channel(tables, **capacity):
    tables["channels"]["sms"]["capacity"] = capacity
    return check(World, tables, "test").channels["sms"]


@pytest.mark.parametrize(
    ("per_1000", "minutes", "customers", "servers", "hours"),
    [
        (10.0, 6.0, 100_000, 8, 8 * 12.0 / 1_000),  # 1,000 calls of 6 minutes in 12 hours: 8.33 seats
        (10.0, 6.0, 1_000, 1, 1.2),  # never less than one, which then takes as long as the capacity says
        (480.0, None, 1_000, 1, 12.0 / 480),
        (0.0, 6.0, 1_000, 0, 0.0),
    ],
)
def test_servers_give_exactly_the_capacity(tables, per_1000, minutes, customers, servers, hours):
    given_minutes = {} if minutes is None else {"minutes_per_send": minutes}
    spec = channel(tables, sends_per_day_per_1000_customers=per_1000, **given_minutes)
    found = service(spec, customers, 12.0)
    assert found == (servers, pytest.approx(hours), False)
    if servers:
        assert found.servers * 12.0 / found.hours == pytest.approx(per_1000 * customers / 1000)


def test_a_channel_without_capacity_takes_no_time(tables):
    assert service(check(World, tables, "test").channels["sms"], 1_000, 24.0) == (1, 0.0, False)


UNIT = "given with its unit, as in capacity = { sends_per_day_per_1000_customers = 10.0 }"
MISTAKES = {
    "capacity without unit": ({"capacity": 5000}, ["[channels.sms]", "capacity = 5000", UNIT]),
    "capacity as text": ({"capacity": "5000/day"}, ["[channels.sms]", "capacity = '5000/day'", UNIT]),
    "capacity by another unit": (
        {"capacity": {"sends_per_hour": 9}},
        ["[channels.sms.capacity]", "'sends_per_hour'", "sends_per_day_per_1000_customers = '(absent)'"],
    ),
    "negative capacity": (
        {"capacity": {"sends_per_day_per_1000_customers": -1.0}},
        ["[channels.sms.capacity]", "-1.0", "greater than or equal to 0"],
    ),
    "service that takes no time": (
        {"capacity": {"sends_per_day_per_1000_customers": 1.0, "minutes_per_send": 0.0}},
        ["minutes_per_send", "greater than 0"],
    ),
    "unknown service": (
        {"capacity": {"sends_per_day_per_1000_customers": 1.0, "service": "normal"}},
        ["service", "'normal'", "exponential"],
    ),
    "no patience": ({"patience_hours": 0.0}, ["[channels.sms]", "patience_hours", "greater than 0"]),
    "retries without end": ({"retry": {"at_most": 99, "after_hours": 1.0}}, ["[channels.sms.retry]", "at_most", "99"]),
    "a retry on another day": ({"retry": {"at_most": 1, "after_hours": 24.0}}, ["after_hours", "less than 24"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_named(tables, name):
    changes, words = MISTAKES[name]
    tables["channels"]["sms"].update(changes)
    with pytest.raises(SpecError) as wrong:
        check(World, tables, "mine.toml")
    assert [word for word in words if word not in str(wrong.value)] == []


def test_quiet_hours_have_a_beginning_and_an_end(tables):
    tables["guard"]["quiet_hours"] = {"from_hour": 9.0, "to_hour": 9.0}
    with pytest.raises(SpecError, match=r"quiet_hours = .* is not from one hour to another"):
        check(World, tables, "test")
    tables["guard"]["quiet_hours"] = {"from_hour": 21.0, "to_hour": 24.0}
    with pytest.raises(SpecError, match=r"to_hour = 24\.0 is not less than 24"):
        check(World, tables, "test")
