"""What of sends has no file of its own: what a policy last learned, gains that are withdrawn, lots after a plan."""

import datetime
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_send_exact import DAY, table  # noqa: F401

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.errors import UsageError
from campaignrl.guard import Limits
from campaignrl.policies import Split
from campaignrl.policies.loading import load_policy
from campaignrl.rng import Purpose
from campaignrl.send import EPOCH, draw, value_plan
from campaignrl.send.audit import _added_up
from campaignrl.send.decide import decide
from campaignrl.send.decisions import rule_counts
from campaignrl.send.ledger_run import _seen_by_rules
from campaignrl.send.plans.prices import SAID, Prices
from campaignrl.send.recount import Finding
from campaignrl.send.stages import learned_until
from campaignrl.tables.log.customer_sketch import FACT, CustomerSketch
from campaignrl.tables.rule_columns import Known
from campaignrl.tables.suppression import Listed


def trained(closed):
    sketch = CustomerSketch(np.arange(3, dtype=np.uint64), True, closed)
    return SimpleNamespace(name="p", trained_on={FACT: sketch.to_dict()})


def test_a_policy_learned_until_its_last_outcome_on_a_day_of_the_calendar():
    assert learned_until(trained(20_000)) == EPOCH + datetime.timedelta(days=20_000)
    assert learned_until(trained(3_661)) == EPOCH + datetime.timedelta(days=3_661)
    assert learned_until(trained(3_660)) is None  # a simulated campaign may be as long
    assert learned_until(SimpleNamespace(name="p")) is learned_until(SimpleNamespace(name="p", trained_on={})) is None
    split = Split((trained(20_000), trained(19_000), trained(10), trained(19_500)), (0.25,) * 4, "salt")
    assert learned_until(split) == EPOCH + datetime.timedelta(days=19_000)
    assert learned_until(Split((trained(10), trained(20)), (0.5, 0.5), "salt")) is None


def test_the_gain_of_a_list_is_of_what_still_leaves(small_world, table):  # noqa: F811
    found = decide("uniform", table, small_world, day=DAY)
    assert found.gain is None
    n = len(table)
    known = replace(found, expected_gain=np.arange(n, dtype=np.float64))
    assert known.gain == n * (n - 1) / 2
    gone = replace(known, withdrawn=np.arange(n) >= 2)
    assert gone.gain == 1.0
    assert (gone.listed()[2:] == NONE).all()
    assert gone.listed()[:2].tolist() == found.action[:2].tolist()
    part = np.where(np.arange(n) == 3, np.nan, 1.0)
    assert replace(found, expected_gain=part).gain is None
    assert replace(found, expected_gain=part, withdrawn=np.arange(n) == 3).gain == n - 1.0


def test_refusals_are_counted_once_a_customer_the_most_frequent_first():
    assert rule_counts({"a; b": 2, "b": 3, "a; a": 1, "": 9}) == {"b": 5, "a": 3}
    assert list(rule_counts({"a": 1, "b; c": 2})) == ["b", "c", "a"]


def test_findings_of_several_forms_of_a_rule_are_one():
    broken = [Finding("a", 2, ("x", "y")), Finding("b", 1, ("z",)), Finding("a", 4, tuple("pqrs"))]
    assert _added_up(broken) == [Finding("a", 6, ("x", "y", "p", "q", "r")), Finding("b", 1, ("z",))]


@pytest.mark.parametrize("n", [3, 64, 65, 400])
def test_refusals_of_many_are_those_of_each_by_itself(monkeypatch, n):
    """Eleven rules, more than fit in a byte."""
    chance = np.random.default_rng(n)
    refused = chance.random((11, n)) < np.linspace(0.02, 0.9, 11)[:, None]
    blocks = [SimpleNamespace(reason=f"rule {i}", refused=row) for i, row in enumerate(refused)]
    monkeypatch.setattr(draw, "blocks", lambda rules, facts, said: blocks)
    told = draw._blocked(None, None, None)
    assert told.tolist() == ["; ".join(f"rule {i}" for i in np.flatnonzero(row)) for row in refused.T]


# ---- exploring beside a plan


def test_one_of_the_allowed_is_drawn_each_as_likely():
    eligible = np.array([[True, True, False, True]] * 6)
    u = np.array([0.0, 0.33, 0.34, 0.66, 0.67, 0.999])
    assert value_plan._any_allowed(eligible, u).tolist() == [0, 0, 1, 1, 3, 3]


def test_who_draws_among_all_is_served_by_the_cut_of_its_action():
    eligible = np.array([[True, True, True, False], [True, True, True, False], [True, False, True, True]])
    cut = np.array([0.7, 0.5, 0.25, 1.0])  # of `none` not read
    found = value_plan._after_lot(eligible, np.array([0, 1, 3]), cut)
    np.testing.assert_allclose(found, [1 - (0.5 + 0.25) / 3, 0.5 / 3, 1.0 / 3])


def test_a_plan_leaves_what_it_does_not_use(small_world):
    catalog = small_world.catalog
    action = np.array([1, 1, 2, 0, len(catalog) - 1])
    limits = Limits(np.full(len(catalog.channels), 9.0), 5_000.0, np.full(len(catalog.offers), 4.0))
    left = value_plan._left(catalog, limits, action)
    sends = [sum(catalog.channel_of[a] == c for a in action) for c in range(len(catalog.channels))]
    pieces = [sum(catalog.offer_of[a] == o for a in action) for o in range(len(catalog.offers))]
    assert left.sends.tolist() == [9.0 - s for s in sends]
    assert left.stock.tolist() == [4.0 - p for p in pieces]
    assert left.money == 5_000.0 - sum(int(catalog.cost_of[a]) for a in action)
    assert value_plan._left(catalog, limits._replace(stock=None), action).stock is None


def test_budgets_that_are_tried_go_from_nothing_to_all_that_pays(small_world, table, monkeypatch):  # noqa: F811
    """What a plan without a limit of money costs is all that pays; today's budget is among the points."""
    n, k = len(table), len(small_world.catalog)
    gains = np.random.default_rng(3).normal(1.0, 2.0, (n, k)).astype(np.float32)
    gains[:, NONE] = 0.0
    monkeypatch.setattr(value_plan, "_gains", lambda policy, context: gains)
    found = decide("uniform", table, small_world, day=DAY)
    free = replace(found, limits=found.limits._replace(sends=np.full(len(small_world.channels), np.inf), stock=None))
    best = np.where(found.eligible, gains, -np.inf).argmax(axis=1)
    pays = int(small_world.catalog.cost_of[best].sum())
    for money in (pays / 3, np.inf):
        curve = value_plan.what_if_budget(None, replace(free, limits=free.limits._replace(money=money)), small_world)
        budgets = [point.money for point in curve]
        assert (budgets[0], budgets[-1]) == (0, pays)
        assert set(np.linspace(0, pays, 12).round().astype(int)) <= set(budgets)
        assert int(min(money, pays)) in budgets
        assert len(budgets) == (13 if money < pays else 12)
    assert curve[-1].value == pytest.approx(float(np.where(found.eligible, gains, 0.0).max(axis=1).sum()), rel=1e-5)


def test_who_explores_is_drawn_by_key_and_below_the_share():
    keys = rng.customer_keys(np.array([f"c{i}" for i in range(400)], dtype=object))
    u = rng.uniform(keys, 5, 20_000, Purpose.ALLOCATION)
    for share in (0.0, 0.3, float(u[7]), 1.0):
        assert value_plan.explorers(keys, 20_000, 5, share).tolist() == (u < share).tolist()


def test_chances_of_a_plan_with_an_exploring_share_add_up(small_world, table):  # noqa: F811
    """Over all actions a customer could be given, by the formula of the plan's action and the lot's."""
    policy = load_policy("uniform", small_world.catalog, small_world.features)
    n, k = len(table), len(small_world.catalog)
    eligible = np.ones((n, k), dtype=bool)
    keys, cut = rng.customer_keys(table.ids), None
    limits = Limits(np.full(len(small_world.channels), np.inf), np.inf, None)
    lanes = value_plan.lanes_of(small_world.catalog, None)
    cut = np.linspace(0.2, 0.9, len(lanes.channel))
    planned = np.arange(n) % k
    plan = SimpleNamespace(action=planned)
    wishes = value_plan.Wishes(np.zeros((n, k), np.float32), np.full(n, 1))
    made = value_plan.planned_rows(
        policy,
        small_world.catalog,
        table.context,
        eligible,
        wishes,
        value_plan.Terms(plan, cut),
        limits,
        keys,
        20_000,
        5,
        0.4,
    )
    u = rng.uniform(keys, 5, 20_000, Purpose.THROTTLE)
    of = np.append(cut, 0.0)[lanes.of]
    served = np.where(u < of[1], 1, NONE)
    assert made.action.tolist() == np.where(made.explores, served, planned).tolist()
    nothing = 1.0 - of[np.arange(k) != NONE].sum() / k
    exploring = np.where(made.action == NONE, nothing, of[made.action] / k)
    np.testing.assert_allclose(made.propensity, 0.6 * (made.action == planned) + 0.4 * exploring)
    np.testing.assert_allclose(made.before, 1.0 / k)


def test_prices_are_numbers_by_name_and_come_back_as_they_were():
    prices = Prices({"b": 2, "a": 0.5}, 0.25)
    told = prices.to_dict()
    assert told == {"prices": {"a": 0.5, "b": 2}, "explore": 0.25}
    for form in (told, {SAID: told, "more": 1}):
        found = Prices.from_dict(form, "here")
        assert (found.of, found.explore) == ({"a": 0.5, "b": 2.0}, 0.25)
    assert Prices.from_dict({"prices": {}}, "here") == Prices({}, 0.0)
    for none in (None, [], {}, {"prices": None}, {"prices": [1.0]}, {"prices": {"a": "1"}}, {"prices": {"a": True}},
                 {"prices": {"a": 1.0}, "explore": "0"}, {SAID: None}, {SAID: {"explore": 0.1}}):  # fmt: skip
        with pytest.raises(UsageError, match="numbers by name, of a plan by value"):
            Prices.from_dict(none, "here")


@pytest.mark.parametrize("at", [None, datetime.time(9, 30)])
def test_what_only_rules_saw_is_kept_where_a_rule_asks_for_it(at):
    known = {
        "tz": Known("zone", np.array(["UTC", ""], dtype=object)), "as_of": Known("day", np.array([5, -1])),
        "ok": Known("consent", np.array([True, False])), "n": Known("count", np.array([1, 2])),
    }  # fmt: skip

    def kept(listed=None, timezone="UTC", morning=True):
        found = SimpleNamespace(
            ids=np.array(["a", "b"], dtype=object),
            customers=SimpleNamespace(known=known, listed=listed),
            morning=SimpleNamespace(send_at=at) if morning else None,
        )
        cells = _seen_by_rules(found, SimpleNamespace(guard=SimpleNamespace(timezone=timezone)))
        return {name: values.to_pylist() for name, values in cells.items()}

    always = {"tz": ["UTC", ""], "as_of": [5, -1], "ok": [1, 0]}  # no count of others
    said = ["" if at is None else "09:30:00"] * 2
    assert kept() == {**always, "send_at": said}
    assert kept(morning=False) == {**always, "send_at": ["", ""]}
    assert kept(timezone=None) == always
    assert kept(Listed(7, 0.5), None) == {**always, "suppression_list": [7, 7]}
    assert kept(Listed(0, 0.0), None) == {**always, "suppression_list": [0, 0]}  # one that may be left out
    assert kept(Listed(0, 0.5), None) == always
