"""Each rule recounted over rows that one can count by hand: which rows break it, to the row and to the day."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from campaignrl.actions import NONE
from campaignrl.features import Context, FeatureSchema
from campaignrl.guard import AS_OF, HOLDOUT, ZONE
from campaignrl.ledger import EPOCH, RULE
from campaignrl.send.facts import SHARES
from campaignrl.send.recount import (
    SEND_AT,
    SIMULATED,
    SentAfterAll,
    _sum_before,
    not_looked_at,
    of_days,
    of_mornings,
    of_one,
    of_windows,
)
from campaignrl.specs.world import World, load_world
from campaignrl.tables import HELD, NOT_HELD, UNCLEAR
from campaignrl.tables.log import DecisionLog
from campaignrl.toml import check

NEVER = SentAfterAll.none()


def late(*rows):
    """Sends said not to be made: (row, since, until) each."""
    return SentAfterAll(*(np.array(column) for column in zip(*rows, strict=True)))


def world_of(small_world, guard=None, **changed):
    """The small world with other rules alone; changed: fields of offers and channels."""
    spec = small_world.model_dump(exclude_unset=True)
    spec["guard"] = guard or {}
    for offer in spec["offers"].values():
        offer.pop("only_if", None)
    for name, more in changed.items():
        (spec["offers"] if name in spec["offers"] else spec["channels"])[name].update(more)
    return check(World, spec, "test")


def log_of(world, *rows, context=None):
    """A log of (customer, day, action) rows."""
    customer, day, action = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return DecisionLog(
        catalog=world.catalog,
        customers=np.array(["a", "b", "c"], dtype=object),
        customer=customer,
        step=np.arange(n),
        day=day,
        context=context or Context(FeatureSchema(()), {}, count=n),
        action=action,
        propensity=np.ones(n),
        reward=np.zeros(n),
        cost=world.catalog.cost_of[action],
        matured=np.ones(n, dtype=bool),
    )


def hit(broken):
    """By rule, the rows that break it; of a rule that is told twice, both."""
    found = {}
    for rule, rows in broken:
        found.setdefault(rule, []).extend(np.flatnonzero(rows).tolist())
    return found


@pytest.fixture(scope="module")
def ids(small_world):
    return SimpleNamespace(**{name.replace("@", "_"): a for a, name in enumerate(small_world.catalog.names)})


# ---- sends that were made after all


def test_a_late_send_is_hidden_from_its_first_day_to_its_last():
    rows = late((0, 3, 5), (4, 4, 4))
    assert [rows.hidden(day).tolist() for day in (2, 3, 4, 5, 6)] == [
        [False, False],
        [True, False],
        [True, True],
        [True, False],
        [False, False],
    ]
    assert rows.hidden(np.array([5, 3])).tolist() == [True, False]
    assert [len(column) for column in NEVER] == [0, 0, 0]


DAYS = ((0, 10), (0, 10), (0, 12), (0, 13), (0, 17), (1, 10), (1, 12))  # customer and day of seven sends
VALUES = np.array([1, 2, 4, 8, 16, 32, 64])


@pytest.mark.parametrize(
    ("days", "sent_late", "before"),
    [
        (7, NEVER, [0, 1, 3, 7, 12, 0, 32]),  # day 17 counts days 11 to 17
        (8, NEVER, [0, 1, 3, 7, 15, 0, 32]),
        (3, NEVER, [0, 1, 3, 4, 0, 0, 32]),
        (7, late((1, 10, 12)), [0, 0, 1, 7, 12, 0, 32]),  # nothing of it on day 12; itself came second on day 10
        (7, late((1, 11, 12)), [0, 1, 1, 7, 12, 0, 32]),  # on day 10 it was still planned
        (7, late((1, 12, 17)), [0, 1, 1, 5, 12, 0, 32]),  # day 17 is out of its window
        (8, late((1, 12, 17)), [0, 1, 1, 5, 13, 0, 32]),
        (7, late((0, 10, 10)), [0, 0, 3, 7, 12, 0, 32]),  # nothing of it when the second of the day was made
        (7, late((5, 10, 20), (2, 13, 13)), [0, 1, 3, 3, 12, 0, 0]),
    ],
)
def test_sums_of_a_window_and_what_runs_between_could_not_count(small_world, ids, days, sent_late, before):
    log = log_of(small_world, *((c, d, ids.content_push) for c, d in DAYS))
    every = np.ones(len(log), dtype=bool)
    assert _sum_before(log, every, VALUES, days, sent_late).tolist() == before


def test_sums_of_a_window_are_of_the_rows_that_are_asked_for_alone(small_world, ids):
    log = log_of(small_world, *((c, d, ids.content_push) for c, d in DAYS))
    some = np.array([True, False, True, True, True, True, False])
    assert _sum_before(log, some, VALUES, 7, NEVER).tolist() == [0, 0, 1, 5, 12, 0, 0]
    assert _sum_before(log, some, VALUES, 7, late((1, 10, 12))).tolist() == [0, 0, 1, 5, 12, 0, 0]
    assert _sum_before(log, some, VALUES, 7, late((0, 11, 12))).tolist() == [0, 0, 0, 5, 12, 0, 0]
    turned = [6, 4, 2, 0, 1, 3, 5]  # the same rows in another order
    other = log_of(small_world, *((*DAYS[i], ids.content_push) for i in turned))
    found = _sum_before(other, np.ones(7, dtype=bool), VALUES[turned], 7, NEVER)
    assert found.tolist() == [32, 12, 3, 0, 1, 7, 0]


def test_two_sends_on_a_day_unless_the_first_was_made_after_all(small_world, ids):
    world, push = world_of(small_world), ids.content_push
    context = Context(FeatureSchema(()), {}, count=8)
    log = log_of(
        world,
        *(
            (0, 5, push),
            (0, 5, push),
            (0, 6, push),
            (1, 6, push),
            (1, 7, NONE),
            (1, 7, NONE),
            (2, 7, push),
            (2, 7, NONE),
        ),
        context=context,
    )
    rule = "two sends to one customer on one day"

    def twice(sent_late):
        return next(np.flatnonzero(rows).tolist() for name, rows in of_one(log, world, sent_late) if name == rule)

    assert twice(NEVER) == [1]
    assert twice(late((0, 5, 5))) == []
    assert twice(late((0, 6, 9))) == [1]  # on day 5 it was still planned
    assert twice(late((2, 6, 6))) == [1]


# ---- windows


def test_discounts_up_to_the_depth_itself(small_world, ids):
    """Coupon20 takes a fifth off, winback a quarter; at most 0.45 in 14 days."""
    world = world_of(small_world, {"max_discount_depth": {"per_days": 14, "at_most": 0.45}})
    fifth, quarter, nothing = ids.coupon20_push, ids.winback_sms, ids.perk_push
    log = log_of(
        world,
        *((0, 1, fifth), (0, 5, quarter), (0, 6, nothing), (0, 7, NONE), (0, 14, fifth), (0, 15, fifth)),
        *((1, 1, quarter), (1, 14, quarter), (1, 15, quarter)),
    )
    rule = "discounts: more than 0.45 in 14 days"
    # Day 14 sees .2 + .25 before it; day 15 has lost day 1, and sees .25 + .2. A quarter twice is .5.
    assert hit(of_windows(log, world, NEVER)) == {rule: [4, 5, 7, 8]}
    assert hit(of_windows(log, world, late((4, 15, 15)))) == {rule: [4, 7, 8]}
    assert hit(of_windows(log, world, late((0, 5, 14)))) == {rule: [5, 7, 8]}


def test_caps_of_channels_and_of_offers(small_world, ids):
    caps = [
        {"channel": "sms", "per_days": 4, "at_most": 1},
        {"offer": "coupon20", "per_days": 10, "at_most": 1},
        {"per_days": 3, "at_most": 2},
    ]
    world = world_of(small_world, {"caps": caps})
    push, sms, other = ids.coupon20_push, ids.coupon20_sms, ids.content_push
    log = log_of(
        world, (0, 1, push), (0, 4, sms), (0, 5, other), (0, 6, other), (0, 8, sms), (0, 18, push), (0, 19, NONE)
    )
    found = list(hit(of_windows(log, world, NEVER)).values())
    assert found == [[], [3], [1, 4]]  # of channels, of all; offers come last
    log = log_of(world, (0, 1, sms), (0, 4, sms), (0, 8, sms))
    assert list(hit(of_windows(log, world, NEVER)).values()) == [[1], [], [1, 2]]


# ---- dates


def test_dates_are_judged_on_days_of_the_calendar_alone(small_world, ids):
    first, last = EPOCH + datetime.timedelta(SIMULATED + 2), EPOCH + datetime.timedelta(SIMULATED + 4)
    world = world_of(small_world, content={"valid_from": first, "valid_until": last})
    days = [SIMULATED - 1, SIMULATED, SIMULATED + 1, SIMULATED + 2, SIMULATED + 4, SIMULATED + 5]
    rows = [(0, day, ids.content_push) for day in days] + [(1, SIMULATED, ids.perk_push), (1, SIMULATED + 9, NONE)]
    found = hit(of_one(log_of(world, *rows), world, NEVER))
    assert found["out of date: content"] == [1, 2, 5]
    assert {rule: rows for rule, rows in found.items() if rows} == {"out of date: content": [1, 2, 5]}
    assert SIMULATED == 3_660


# ---- budget, capacity and stock, day by day


def prefixes(log, world, sent_late=NEVER, customers=1_000, start=0):
    return hit(of_days(log, world, customers, start, sent_late))


def test_capacity_of_a_day_is_met_and_passed(small_world, ids):
    world = world_of(small_world, sms={"capacity": {"sends_per_day_per_1000_customers": 2}})
    sms, push = ids.coupon20_sms, ids.content_push
    log = log_of(world, (0, 0, sms), (1, 0, sms), (2, 0, push), (0, 1, sms), (1, 1, sms), (2, 1, sms), (0, 2, push))
    rule = "capacity: 2 a day on sms"
    assert prefixes(log, world) == {rule: [3, 4, 5]}
    assert prefixes(log, world, late((3, 1, 1))) == {}
    assert prefixes(log, world, late((3, 2, 3))) == {rule: [3, 4, 5]}  # of day 1 it was counted still
    assert prefixes(log, world, customers=1_500) == {}
    assert prefixes(log, world, customers=500) == {"capacity: 1 a day on sms": [0, 1, 3, 4, 5]}


def test_stock_is_used_up_over_the_days(small_world, ids):
    world = world_of(small_world, coupon20={"stock": 3}, perk={"stock": 1})
    push, sms, perk = ids.coupon20_push, ids.coupon20_sms, ids.perk_push
    log = log_of(world, (0, 0, push), (1, 0, sms), (0, 1, push), (1, 1, perk), (2, 1, ids.content_push))
    assert prefixes(log, world) == {}
    more = log_of(world, (0, 0, push), (1, 0, sms), (0, 1, push), (1, 1, push), (2, 1, perk), (0, 2, sms), (1, 3, perk))
    left = {"stock: 1 left of coupon20": [2, 3], "stock: 0 left of coupon20": [5], "stock: 0 left of perk": [6]}
    assert prefixes(more, world) == left
    # Of a send of day 0 that seemed not to be made nothing was taken on day 1.
    assert prefixes(more, world, late((0, 1, 1))) == {k: v for k, v in left.items() if "1 left" not in k}
    assert prefixes(more, world, late((2, 1, 1))) == {k: v for k, v in left.items() if "1 left" not in k}
    assert prefixes(more, world, late((4, 2, 3))) == {k: v for k, v in left.items() if "perk" not in k}
    assert prefixes(more, world, late((6, 4, 5))) == left


def test_money_is_released_by_the_day_and_what_was_spent_is_gone(small_world, ids):
    """0.96 a thousand customers over 12 days: 8 minor units a day, an sms of the small world each."""
    world = world_of(small_world, {"budget": {"amount_per_1000_customers": 0.96}})
    sms, push = ids.coupon20_sms, ids.content_push
    log = log_of(world, (0, 0, sms), (0, 1, sms), (1, 1, push), (0, 3, sms), (1, 3, push))
    assert prefixes(log, world) == {"budget: 9 minor units of 8 that were released": [1, 2]}
    assert prefixes(log, world, late((2, 1, 1))) == {}
    assert prefixes(log, world, late((0, 1, 1))) == {}  # its 8 seemed to be there
    assert prefixes(log, world, late((0, 0, 0))) == {"budget: 9 minor units of 8 that were released": [1, 2]}
    late_in_the_campaign = log_of(world, (0, 30, sms), (1, 30, sms))
    assert prefixes(late_in_the_campaign, world) == {}  # all of it, and no more
    assert prefixes(late_in_the_campaign, world, start=30) == {"budget: 16 minor units of 8 that were released": [0, 1]}
    assert prefixes(late_in_the_campaign, world, start=29) == {}
    poor = log_of(world, (0, 0, sms), (1, 0, sms), (2, 1, push), (2, 2, sms))
    assert prefixes(poor, world) == {
        "budget: 16 minor units of 8 that were released": [0, 1],
        "budget: 1 minor units of 0 that were released": [2],
        "budget: 8 minor units of 7 that were released": [3],
    }
    overdrawn = log_of(world, (0, 0, sms), (1, 0, sms), (2, 0, sms), (2, 1, push))
    assert prefixes(overdrawn, world)["budget: 1 minor units of 0 that were released"] == [3]
    assert prefixes(log_of(world, *((c, 11, sms) for c in (0, 1, 2, 0, 1, 2) * 2)), world) == {}
    thirteen = log_of(world, *((0, 11, sms) for _ in range(13)))
    assert list(prefixes(thirteen, world)) == ["budget: 104 minor units of 96 that were released"]


# ---- what only a ledger keeps


def kept(**columns):
    return pd.DataFrame({RULE + name: column for name, column in columns.items()})


def test_a_log_without_a_ledger_tells_nothing_of_mornings(small_world, ids):
    assert list(of_mornings(log_of(small_world, (0, 0, ids.content_push)), small_world, None)) == []


def test_rows_that_were_too_old_and_customers_who_may_not_be_sent_to(small_world, ids):
    world, push = world_of(small_world, {"max_age_days": 2}), ids.content_push
    log = log_of(world, *((0, 20_000 + t, push) for t in range(4)), (0, 20_009, NONE), (0, 20_009, push))
    seen = kept(
        **{AS_OF: [20_000, 19_999, 19_999, 20_004, 10_000, None]},
        **{HOLDOUT: [NOT_HELD, HELD, UNCLEAR, NOT_HELD, HELD, None]},
        **{SHARES: [0, 1, 0, None, 1, None]},
    )
    assert hit(of_mornings(log, world, seen)) == {
        "stale: row older than 2 days": [2, 3],
        "holdout by the table": [1, 2],
        "address: another customer stood for it": [1],
    }
    nothing = pd.DataFrame(index=range(6))
    assert not any(hit(of_mornings(log, world, nothing)).values())


def test_consent_for_the_purpose_of_an_offer_on_its_channel(small_world, ids):
    world = world_of(small_world, coupon20={"purpose": "ads"})
    rows = [ids.coupon20_push] * 3 + [ids.coupon20_sms] * 2 + [ids.content_push, NONE, ids.winback_sms]
    log = log_of(world, *((0, day, action) for day, action in enumerate(rows)))
    seen = kept(consent_push_ads=[1, 0, None, 0, 0, 0, 0, 0], consent_sms_ads=[0, 0, 0, 1, 0, 0, 0, 0])
    assert hit(of_mornings(log, world, seen)) == {
        "no consent: push for ads": [1],
        "no consent: sms for ads": [4],
        "holdout by the table": [],
        "address: another customer stood for it": [],
    }


def test_quiet_hours_of_each_row_s_own_zone(small_world, ids):
    """Quiet from 21 to 9 o'clock; Tokyo is 8 hours ahead of Berlin in winter."""
    rules = {"timezone": "Europe/Berlin", "quiet_hours": {"from_hour": 21, "to_hour": 9}}
    world, push = world_of(small_world, rules), ids.content_push
    winter, summer = ((datetime.date(2026, month, 10) - EPOCH).days for month in (1, 7))
    sends = [
        ("08:59:00", None, True),
        ("09:00:00", None, False),
        ("20:59:00", "", False),
        ("21:00:00", "", True),
        ("12:59:00", "Asia/Tokyo", False),
        ("13:00:00", "Asia/Tokyo", True),
        ("", "Asia/Tokyo", False),  # no hour was told
        (None, "Asia/Tokyo", False),  # nothing was kept
    ]
    log = log_of(world, *((0, winter, push) for _ in sends), (0, summer, push), (0, summer, push), (0, winter, NONE))
    hours, zones = [one[0] for one in sends], [one[1] for one in sends]
    seen = kept(**{SEND_AT: [*hours, "13:00:00", "14:00:00", "03:00:00"], ZONE: [*zones, *["Asia/Tokyo"] * 2, ""]})
    wanted = [i for i, one in enumerate(sends) if one[2]] + [9]  # in summer Tokyo is 7 hours ahead
    assert hit(of_mornings(log, world, seen))["quiet hours"] == wanted
    bare = seen.drop(columns=RULE + ZONE)
    assert hit(of_mornings(log, world, bare))["quiet hours"] == [0, 3]
    assert "quiet hours" not in hit(of_mornings(log, world, seen.drop(columns=RULE + SEND_AT)))
    assert hit(of_mornings(log, world_of(small_world), seen))["quiet hours"] == []


def test_rules_of_which_nothing_was_kept_are_named(small_world, ids):
    hours = {"quiet_hours": {"from_hour": 21, "to_hour": 9}}
    every = {**hours, "timezone": "Europe/Berlin", "max_age_days": 2}
    log = log_of(small_world, (0, 0, NONE))
    assert not_looked_at(world_of(small_world, every, coupon20={"purpose": "ads"}), log) == [
        "consent for ads",
        "age of rows",
        "quiet hours",
    ]
    assert not_looked_at(world_of(small_world, {"max_age_days": 0}), log) == ["age of rows"]
    assert not_looked_at(world_of(small_world, {"timezone": "Europe/Berlin"}), log) == []
    assert not_looked_at(load_world(small_world), log) == []
