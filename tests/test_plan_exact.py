"""The plan of a run from counts, by hand: cells, segments, limits and every sentence a reader is warned with."""

import datetime as dt
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from campaignrl.send.plans import plan as module
from campaignrl.send.plans.figures import Before, Figures, notes_together, together
from campaignrl.send.plans.plan import (
    HELD,
    NAMED,
    OLD,
    SHOWN,
    Cell,
    _limits,
    _share,
    _words,
    plan_of_figures,
)

DAY = dt.date(2026, 6, 1)
WORLD = SimpleNamespace(
    name="w", money=SimpleNamespace(currency="EUR", minor_per_unit=100), channels={"push": 0, "sms": 0}, provenance={}
)


def found_of(shop, **changes):
    """Decisions of a run by lot without limits."""
    given = {
        "catalog": shop.catalog,
        "policy": "mine",
        "day": DAY,
        "run": "r1",
        "limits": SimpleNamespace(money=np.inf, sends=np.array([np.inf, 7.0]), at_least=None),
        "gain_unit": "",
        "plan": None,
        "about": {"allocation": "lot", "explore": 0.0},
        "barred_today": (),
        "doubts": (),
        "learned_until": None,
        "overdrawn": (),
        **changes,
    }
    return SimpleNamespace(**given)


def made_of(listed, **changes):
    """Counts of (segment, action)."""
    decided = Counter()
    for (_, action), many in listed.items():
        decided[action] += many
    given = {"customers": sum(listed.values()), "decided": decided, "gains": [np.zeros(1)], **changes}
    return Figures(listed=Counter(listed), **given)


LISTED = {("b", 0): 5, ("a", 2): 4, ("b", 2): 4, ("b", 1): 3, ("c", 0): 2, ("a", 0): 2}


def test_a_plan_from_counts_by_hand(shop):
    made = made_of(LISTED, blocked=Counter(), nothing=Counter({"z": 2, "m": 5, "a": 2}), gains=[np.array([1.5, 2.0])])
    plan = plan_of_figures(made, found_of(shop), WORLD, None)
    assert plan.cells == (
        Cell("a", "content", "sms", 4, 16),
        Cell("b", "content", "sms", 4, 16),
        Cell("b", "content", "push", 3, 0),
    )
    assert (plan.customers, plan.sends, plan.cost, plan.budget) == (20, 11, 32, None)
    assert plan.segments == (("b", 12, 7), ("a", 6, 4), ("c", 2, 0))
    assert plan.capacity == (("sms", 8, 7),)
    assert plan.nothing == (("m", 5), ("a", 2), ("z", 2))
    assert (plan.gain, plan.gain_unit, plan.least, plan.certificate, plan.change) == (
        3.5,
        "unit of the rewards it learned from",
        (),
        None,
        None,
    )
    assert (plan.world, plan.policy, plan.day, plan.run, plan.currency) == ("w", "mine", "2026-06-01", "r1", "EUR")
    assert plan.money(123_456) == "1,234.56 EUR"
    assert len(plan.words) == 3
    limited = found_of(shop, limits=SimpleNamespace(money=250.0, sends=np.array([2.0, np.inf]), at_least=None))
    again = plan_of_figures(made, limited, WORLD, None)
    assert (again.budget, again.capacity) == (250, (("push", 3, 2),))


def test_a_segment_in_words(shop):
    names = shop.catalog.names
    made = made_of({("a", 1): 1, ("a", 2): 199, ("a", 0): 200, ("b", 0): 3, ("c", 3): 4})
    found = found_of(shop)
    assert (
        _words("a", 400, made, found)
        == f"a: 50 % of 400 get something, of these {names[2]} 100 %; {names[1]} under 1 %"
    )
    assert _words("b", 1_300, made, found) == "b: nobody of 1,300 gets anything"
    assert _words("c", 4, made, found) == f"c: all of 4 get something, of these {names[3]} all"
    many = made_of({("a", action): 10 - action for action in range(1, 6)})
    said = _words("a", 100, many, found)
    assert said.endswith(f"{names[1]} 26 %; {names[2]} 23 %; {names[3]} 20 %, 2 others the rest")
    three = made_of({("a", action): 1 for action in range(1, 4)})
    assert "others" not in _words("a", 3, three, found)
    assert (NAMED, _share(1, 100), _share(99, 10_000), _share(996, 1_000)) == (3, "1 %", "under 1 %", "100 %")


def test_nothing_to_keep_in_mind_of_a_sound_run(shop):
    assert _limits(made_of(LISTED), found_of(shop), WORLD) == ()


@pytest.mark.parametrize(("ago", "told"), [(90, False), (91, True), (1_000, True)])
def test_a_policy_that_learned_long_ago_is_told(shop, ago, told):
    said = _limits(made_of(LISTED), found_of(shop, learned_until=DAY - dt.timedelta(ago)), WORLD)
    assert said == ((f"The policy learned from nothing of the last {ago:,} days: train it on.",) if told else ())
    assert OLD == 90


def test_every_limit_of_a_plan_in_words(shop):
    world = SimpleNamespace(
        **{
            **vars(WORLD),
            "provenance": {
                n: SimpleNamespace(how=how) for n, how in zip("abc", ("default", "fitted", "default"), strict=True)
            },
        }
    )
    found = found_of(
        shop,
        doubts=("it is untried.",),
        overdrawn=("3 more of gift are sent than its stock.",),
        barred_today=tuple(f"d{i}" for i in range(6)),
        plan=SimpleNamespace(),
    )
    made = made_of(LISTED, withdrawn=["d7", "d8"], notes={"no tag": 1_234})
    assert _limits(made, found, world) == (
        "Policy mine: it is untried.",
        "2 of 3 numbers of this world are defaults, not fitted to your data.",
        "3 more of gift are sent than its stock.",
        f"2 sends are left out: the permission was taken away since. {HELD}",
        "6 sends of earlier runs of this day may no longer leave: take off their lists d0, d1, d2, d3, d4 ....",
        "Every action of a plan is certain: its log values no other policy (--explore 0.05 would let it).",
        "1,234 customers with no tag.",
    )
    five = found_of(shop, barred_today=tuple(f"d{i}" for i in range(5)))
    assert _limits(made_of(LISTED), five, WORLD)[0].endswith("take off their lists d0, d1, d2, d3, d4.")
    exploring = found_of(shop, plan=SimpleNamespace(), about={"allocation": "value", "explore": 0.05})
    assert _limits(made_of(LISTED), exploring, WORLD) == ()
    fitted = SimpleNamespace(**{**vars(WORLD), "provenance": {"a": SimpleNamespace(how="fitted")}})
    assert _limits(made_of(LISTED), found_of(shop), fitted) == ()
    assert SHOWN == 5


def test_least_shares_of_a_plan_and_of_the_lot(shop, monkeypatch):
    monkeypatch.setattr(module, "least_shares", lambda world: {"sms": 0.5, "content": 0.2})
    asked = {"offer": np.array([0, 9, 0]), "channel": np.array([3, 8])}
    by_lot = SimpleNamespace(money=np.inf, sends=np.array([np.inf, np.inf]), at_least=asked)
    lot = _limits(made_of(LISTED), found_of(shop, limits=by_lot), WORLD)
    assert lot == ("The lot heeds no least share (sms, content): a plan by value does (--allocate value).",)
    by_value = found_of(shop, limits=by_lot, about={"allocation": "value", "explore": 0.0})
    listed = {**LISTED, ("a", 4): 1}
    offers = list(shop.catalog.dimensions["offer"][0])
    plan = plan_of_figures(made_of(listed), by_value, WORLD, None)
    assert plan.least == ((offers[1], 1, 9), ("push", 3, 3), ("sms", 9, 8))
    assert plan.limits == (f"9 sends of {offers[1]} were asked for, 1 can be had.",)


def test_a_change_against_the_run_before(shop):
    names = shop.catalog.names
    was = np.array([50, 4, 0, 2, 0, 0, 0])
    then = Before(20_000, ("old", "older"), pd.Series([1, 1, 1, 1, 3, 3], index=list("abcdef")), was)
    made = made_of(LISTED, then=4, new=3, gone=2, other=1)
    change = plan_of_figures(made, found_of(shop), WORLD, then).change
    assert (change.policy, change.sends, change.new, change.gone, change.other) == ("old, older", 6, 3, 6 - 4 + 2, 1)
    assert change.day == "2024-10-04"
    assert change.by_action == ((names[2], 0, 8), (names[1], 4, 3), (names[3], 2, 0))


def test_customers_against_what_they_got_then():
    then = Before(0, ("p",), pd.Series([1, 2, 3], index=["a", "b", "c"]), np.zeros(4, dtype=int))
    ids = np.array(["a", "b", "c", "d", "e"], dtype=object)
    made = then.compared(Figures(), ids, np.array([1, 3, 0, 2, 0]))
    assert (made.then, made.new, made.gone, made.other) == (3, 1, 1, 1)
    nobody = then.compared(Figures(), np.array(["x"], dtype=object), np.array([0]))
    assert (nobody.then, nobody.new, nobody.gone, nobody.other) == (0, 0, 0, 0)


def test_figures_of_shards_add_up():
    one = Figures(
        customers=2, withdrawn=["d1"], gains=[np.array([1.0])], notes={"a": 1}, then=1, new=2, gone=3, other=4
    )
    two = Figures(customers=5, withdrawn=["d2"], gains=[np.array([0.5])], notes={"a": 2, "b": 1}, then=10, new=20)
    two.gone, two.other = 30, 40
    for made, many in ((one, 1), (two, 3)):
        for of in (made.listed, made.decided, made.blocked, made.nothing):
            of["x"] += many
    both = together([one, two])
    assert (both.customers, both.then, both.new, both.gone, both.other) == (7, 11, 22, 33, 44)
    assert [dict(of) for of in (both.listed, both.decided, both.blocked, both.nothing)] == [{"x": 4}] * 4
    assert (both.withdrawn, both.gain, both.notes) == (["d1", "d2"], 1.5, {"a": 3, "b": 1})
    assert notes_together([]) == {}
    both.gains.append(np.array([np.nan]))
    assert both.gain is None
    some = Figures(listed=Counter({("a", 2): 3, ("b", 2): 1, ("a", 0): 7}), decided=Counter({1: 4, 3: 2}))
    assert some.listed_actions(4).tolist() == [7, 0, 4, 0]
    assert some.of_action(some.decided, 4).tolist() == [0, 4, 0, 2]
    assert some.sends == {("a", 2): 3, ("b", 2): 1}
