"""Runs in turn: as if each had been decided by itself within what those before it left, down to the last send."""

import datetime

import numpy as np
import pytest
from test_send_exact import table  # noqa: F401

from campaignrl.guard import Limits
from campaignrl.policies.loading import load_policy
from campaignrl.send.history import SHOWN, History, PastDecision
from campaignrl.send.limits import as_stocked, left_after
from campaignrl.send.stages import decide_in_turn, facts_about
from campaignrl.send.table_columns import _of_feature
from campaignrl.specs.world import load_world

DAY = datetime.date(2026, 11, 21)
TURNS = [slice(0, 7), slice(7, 8), slice(8, 25), slice(25, 40)]
FIELDS = ("action", "propensity", "reason", "blocked", "expected_gain")


@pytest.fixture(scope="module")
def world(small_world):
    return load_world(small_world, offers={n: {**o.model_dump(), "stock": 9} for n, o in small_world.offers.items()})


def limits_of(world, money, sends, stock):
    return Limits(
        sends=np.full(len(world.channels), sends),
        money=money,
        stock=None if stock is None else np.full(len(world.offers), stock),
    )


@pytest.mark.parametrize(
    ("money", "sends", "stock"),
    [
        (np.inf, np.inf, 9.0),
        (20.0, np.inf, 9.0),
        (np.inf, 6.0, 9.0),
        (np.inf, np.inf, 2.0),
        (8.0, 5.0, 3.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_each_turn_has_what_those_before_it_left(world, table, money, sends, stock):  # noqa: F811
    policy = load_policy("uniform", world.catalog, world.features)
    about = facts_about(policy, world, 3)
    limits = limits_of(world, money, sends, stock)
    whole = decide_in_turn(policy, world, table, limits, TURNS, day=DAY, about=about)
    left, alone = limits, []
    for turn in TURNS:
        own = table.take(turn)
        alone.append(decide_in_turn(policy, world, own, left, [slice(0, len(own))], day=DAY, about=about))
        left = left_after(left, world.catalog, alone[-1].action)
    for name in FIELDS:
        wanted = np.concatenate([getattr(one, name) for one in alone])
        assert np.array_equal(getattr(whole, name), wanted, equal_nan=wanted.dtype.kind == "f"), name
    assert whole.ids.tolist() == table.ids.tolist()
    assert whole.limits is limits
    nobody = decide_in_turn(
        policy, world, table, limits, TURNS, day=DAY, about=about, closed=np.arange(len(table)) % 2 == 0
    )
    assert (nobody.action[::2] == 0).all()


def test_an_offer_is_in_stock_while_a_piece_is_left():
    def of(*stock):
        return Limits(sends=np.full(1, np.inf), money=np.inf, stock=None if not stock else np.array(stock))

    assert as_stocked(of(3.0, 1.0), of(1.0, 1.0))
    assert not as_stocked(of(3.0, 1.0), of(3.0, 0.0))
    assert not as_stocked(of(1.0, 1.0), of(0.5, 1.0))
    assert as_stocked(of(0.0, 1.0), of(0.0, 1.0))
    assert as_stocked(of(), of(1.0))
    assert as_stocked(of(1.0), of())


def test_a_history_tells_the_last_five_of_each(small_world):
    def decision(day, **words):
        given = {name: "" for name in PastDecision.__dataclass_fields__}
        given |= {"day": day, "action": "none", "reason": "why", "blocked": (), "outcomes": ()}
        return PastDecision(**{**given, **words})

    many = tuple(decision(f"d{i}") for i in range(7))
    dated = tuple((f"o{i}", "refund", 0) for i in range(7))
    given = tuple((f"p{i}", "push", "given", "shop") for i in range(7))
    lines = History("c1", "EUR", 100, many, given, dated).lines()
    assert SHOWN == 5
    assert lines[:5] == [f"d{i}  c1 got nothing: why" for i in range(5)]
    assert lines[5] == "and 2 earlier decisions (--json has all)"
    assert lines[6:11] == [f"o{i}  refund" for i in range(5)]
    assert lines[11:] == [f"p{i}  given: push (shop)" for i in range(5)]
    five = History("c1", "EUR", 100, many[:5], (), ()).lines()
    assert len(five) == 5
    told = decision("d", action="a@b", blocked=("x", "y"), handed_over="sent", outcomes=(("d2", "order", 1_234_50),))
    assert History("c1", "EUR", 100, (told,), (), ()).lines() == [
        "d  c1 got a@b: why",
        "            refused   x · y",
        "            handed over: sent",
        "            d2  order, margin 1,234.50 EUR",
    ]


def test_columns_of_features_are_told_in_their_unit(small_world):
    told = {f.name: _of_feature(f, small_world) for f in small_world.features.features}
    for feature in small_world.features.features:
        column = told[feature.name]
        if feature.levels:
            assert (column[1], column[2]) == ("text", ", ".join(feature.levels))
            continue
        assert column[1] == (small_world.money.currency if feature.unit == "currency" else feature.unit)
        yes_no = feature.unit == "yes/no"
        assert column[2] == ("1 or 0; empty is no" if yes_no else f"{feature.low:g} to {feature.high:g}")
    units = {f.unit for f in small_world.features.features if not f.levels}
    assert {"currency", "yes/no"} <= units
