"""Parts of the guard that whole runs would forgive: what a table must bring, which channels are open, what binds."""

import datetime

import numpy as np
import pytest
from test_guard_doors_exact import facts_of, with_quiet

import campaignrl as crl
from campaignrl.guard import (
    Limits,
    Spending,
    cap_windows,
    columns,
    dates,
    dual_prices,
    offer_windows,
    open_channels,
    quiet_for,
    quiet_hours,
    rules,
    rules_of,
    rules_said,
)
from campaignrl.guard.columns import (
    at_address_of,
    depth_column,
    is_stale,
    purposes_of,
    rule_columns,
    shares_address,
)
from campaignrl.guard.least_shares import DIGITS
from campaignrl.tables import NO_DAY

ALWAYS = ["address_key", "holdout"]


def shop(guard=None, **offers):
    """The study world of scarcity with more rules."""
    spec = crl.load_world("tight_budget").model_dump(exclude_unset=True)
    spec["guard"] = {**spec["guard"], **(guard or {})}
    for name, more in offers.items():
        spec["offers"][name] = {**spec["offers"][name], **more}
    return crl.load_world({**spec, "name": "shop"})


# ---- what a customers table must bring


def test_each_rule_asks_for_its_own_columns_and_no_rule_for_none():
    assert [one.name for one in rule_columns(shop())] == ALWAYS
    cap = {
        "caps": [{"offer": "coupon15", "per_days": 30, "at_most": 1}, {"channel": "sms", "per_days": 7, "at_most": 1}]
    }
    assert [one.name for one in rule_columns(shop(cap))] == ["contacts_offer_coupon15_30d", *ALWAYS]
    depth = {"max_discount_depth": {"per_days": 14, "at_most": 0.3}}
    assert [one.name for one in rule_columns(shop(depth))] == ["discount_depth_14d", *ALWAYS]
    assert [one.name for one in rule_columns(shop({"max_age_days": 0}))] == ["as_of", *ALWAYS]
    assert [one.name for one in rule_columns(shop({"timezone": "Europe/Berlin"}))] == ["timezone", *ALWAYS]
    purpose = shop(coupon15={"purpose": "sale"}, news={"purpose": "sale"}, advice={"purpose": "care"})
    asked = ["consent_sms_sale", "consent_call_care", "consent_call_sale"]
    assert [one.name for one in rule_columns(purpose)] == [*asked, *ALWAYS]
    everything = shop({**cap, **depth, "max_age_days": 3, "timezone": "Europe/Berlin"}, coupon15={"purpose": "sale"})
    found = {one.name: (one.kind, one.needed) for one in rule_columns(everything)}
    assert found == {
        "contacts_offer_coupon15_30d": ("count", "counted"),
        "discount_depth_14d": ("depth", "counted"),
        "consent_sms_sale": ("consent", "yes"),
        "consent_call_sale": ("consent", "yes"),
        "as_of": ("day", "yes"),
        "timezone": ("zone", "no"),
        "address_key": ("key", "no"),
        "holdout": ("held", "no"),
    }


def test_windows_are_those_of_the_caps_that_are_of_an_offer_or_of_a_channel_each_once():
    caps = [
        {"offer": "coupon15", "per_days": 30, "at_most": 1},
        {"channel": "sms", "per_days": 7, "at_most": 1},
        {"per_days": 3, "at_most": 2},
        {"offer": "coupon15", "per_days": 30, "at_most": 2},
        {"offer": "news", "per_days": 5, "at_most": 2},
    ]
    world = shop({"caps": caps})
    assert offer_windows(world) == [("coupon15", 30), ("news", 5)]
    assert cap_windows(world) == [("sms", 7), (None, 3)]


def test_purposes_are_by_channel_and_of_offers_that_have_one():
    assert purposes_of(shop()) == []
    world = shop(coupon15={"purpose": "sale"}, news={"purpose": "sale"})
    assert sorted(purposes_of(world)) == [("call", "sale"), ("sms", "sale")]
    assert depth_column(shop()) is None
    assert depth_column(shop({"max_discount_depth": {"per_days": 9, "at_most": 0.3}})) == "discount_depth_9d"


def test_a_column_that_is_a_feature_already_is_asked_for_once():
    spec = shop().model_dump(exclude_unset=True)
    names = {feature.name for feature in shop().features.features}
    for one in rule_columns(crl.load_world({**spec, "name": "shop"})):
        assert one.name not in names


# ---- rows and addresses


def test_a_row_is_stale_from_the_day_after_its_last_one_and_where_its_day_is_none():
    as_of = np.array([10, 7, 6, 11, NO_DAY])
    assert is_stale(as_of, 10, 3).tolist() == [False, False, True, True, True]
    assert is_stale(as_of, np.full(5, 10), 0).tolist() == [False, True, True, True, True]


def test_of_an_address_the_least_key_stands_and_an_empty_one_is_no_address():
    address = np.array(["a", "", "b", "a", "", "b", "a"], dtype=object)
    keys = np.array([5, 1, 9, 3, 0, 8, 4], dtype=np.uint64)
    assert shares_address(keys, address).tolist() == [True, False, True, False, False, False, True]
    assert shares_address(keys[:0], address[:0]).tolist() == []


def test_who_is_marked_marks_all_of_the_address_and_nobody_without_one():
    address = np.array(["a", "", "b", "a", "", "c"], dtype=object)
    marked = np.array([True, True, False, False, False, False])
    assert at_address_of(marked, address).tolist() == [True, True, False, True, False, False]
    assert at_address_of(~marked & False, address).tolist() == [False] * 6


# ---- open channels


def test_a_channel_is_open_where_no_rule_of_people_consent_or_caps_closes_it():
    world = crl.load_world("tight_budget")
    rules, n = rules_of(world), 3
    assert open_channels(rules, facts_of(world, n)).all()
    for what in ("suppressed", "held_out"):
        mine = np.array([False, True, False])
        facts = facts_of(world, n)._replace(**{what: mine})
        assert open_channels(rules, facts).tolist() == [[True, False, True]] * 2
    facts = facts_of(world, n)
    facts.consent[1, 2] = False  # the last channel
    facts.consent[0, 0] = False
    assert open_channels(rules, facts).tolist() == [[False, True, True], [True, True, False]]
    for full in (0, 1):
        facts = facts_of(world, n)._replace(contacts=lambda channel, days, full=full: np.full(n, int(channel == full)))
        assert open_channels(rules, facts).tolist() == [[full != 0] * n, [full != 1] * n]


def test_the_table_of_ways_has_a_row_for_each_set_of_open_doors():
    for name in ("tight_budget", "ecommerce", "retail"):
        rules = rules_of(crl.load_world(name))
        many = len(rules.doors.needed)
        sizes = [one.doors.stop - one.doors.start for one in rules.ways]
        assert sum(sizes) == many
        for one, size in zip(rules.ways, sizes, strict=True):
            mine = rules.doors.needed[one.doors]
            assert one.allowed.shape == (2 ** len(mine), len(rules.catalog))
            assert size == len(mine)
            assert one.bits.ravel().tolist() == [1 << door for door in range(len(mine))]
            for open_ in range(2 ** len(mine)):
                closed = [door for door in range(len(mine)) if not open_ >> door & 1]
                assert one.allowed[open_].tolist() == [not mine[closed, a].any() for a in range(len(rules.catalog))]


# ---- limits


@pytest.mark.parametrize(
    ("sends", "money", "stock", "bind"),
    [
        ([np.inf, np.inf], np.inf, None, False),
        ([np.inf, 3.0], np.inf, None, True),
        ([np.inf, np.inf], 0.0, None, True),
        ([np.inf, np.inf], np.inf, [np.inf, 2.0], True),
        ([0.0, 3.0], 9.0, [1.0, 2.0], True),
    ],
)
def test_one_finite_limit_is_enough_to_bind(sends, money, stock, bind):
    assert Limits(np.array(sends), money, None if stock is None else np.array(stock)).bind is bind


# ---- hours


def test_a_list_goes_out_at_its_minute_of_its_hour():
    """Quiet from 21 to 8: every minute of the day, in the world's zone and in one an hour behind."""
    world = with_quiet("tight_budget")
    zones = np.array(["", "Europe/London"], dtype=object)
    for hour in range(24):
        for minute in (0, 1, 29, 59):
            found = quiet_for(world, datetime.date(2026, 1, 15), zones, datetime.time(hour, minute))
            assert found.tolist() == [[not 8 <= hour < 21, not 8 <= (hour - 1) % 24 < 21]]
    assert quiet_for(world, datetime.date(2026, 1, 15), zones, None).tolist() == [[False, False]]


# ---- in words


@pytest.mark.parametrize(
    ("guard", "rule", "says"),
    [
        ({"max_policy_age_days": 30}, "age of the policy", "over 30 days ago"),
        ({"max_age_days": 2}, "age of rows", "over 2 days old"),
        ({"min_margin": 0.2}, "margin", "at least 20% of the margin"),
        ({"quiet_hours": {"from_hour": 21, "to_hour": 8}}, "quiet hours", "decide knows no zone"),
        ({"max_discount_depth": {"per_days": 9, "at_most": 0.3}}, "discounts", "at most 0.3 for a customer in 9 days"),
        ({"min_gap_days": 3}, "gap", "at least 3 days"),
    ],
)
def test_a_rule_is_said_where_the_world_states_it_and_nowhere_else(guard, rule, says):
    plain, more = rules_said(shop()), rules_said(shop(guard))
    assert rule not in {one.rule for one in plain}
    assert [one for one in more if one.rule != rule] == plain
    assert [says in one.says for one in more if one.rule == rule] == [True]


def test_a_holdout_is_said_with_its_share_and_a_table_s_own_always():
    said = {
        share: next(o.says for o in rules_said(shop({"holdout": share})) if o.rule == "holdout") for share in (0, 0.05)
    }
    assert said[0.05] == f"5% of customers, drawn by their id, are never contacted; {said[0]}"
    address = next(one.says for one in rules_said(shop()) if one.rule == "address")
    assert address.endswith("a single one, the same every day; where one is suppressed, none")
    stale = rules_said(shop({"max_age_days": 2, "max_stale_share": 0.1}))
    assert any("more than 10% of such rows" in one.says for one in stale)
    assert any("more than 50% of such rows" in one.says for one in rules_said(shop({"max_age_days": 2})))


def test_offers_and_channels_are_said_with_what_is_theirs():
    offers = {"valid_from": datetime.date(2026, 1, 2), "only_if": "orders >= 1", "stock": 1_200, "purpose": "sale"}
    plain, more = rules_said(shop()), rules_said(shop(coupon15=offers))
    assert [(one.rule, one.of) for one in more if one not in plain] == [
        ("consent", "coupon15"),
        ("dates", "coupon15"),
        ("eligibility", "coupon15"),
        ("stock", "coupon15"),
    ]
    said = {one.rule: one.says for one in more if one.of == "coupon15"}
    assert said["consent"].endswith("`consent_sms_sale` or `consent_call_sale`")
    assert said["dates"] == "valid from 2026-01-02, first and last day included"
    until = rules_said(shop(coupon15={"valid_until": datetime.date(2026, 1, 2)}))
    assert any(one.says == "valid until 2026-01-02, first and last day included" for one in until)
    assert said["eligibility"] == "only if orders >= 1"
    assert said["stock"].startswith("at most 1,200 sends")


# ---- figures


def test_figures_that_every_plan_and_rule_rests_on():
    """Nobody changes one of them without saying so: plans, and how long they take, would be others."""
    prices, days, hours = dual_prices, dates, quiet_hours
    assert (prices.FIRST_ROWS, prices.GROWTH, prices.STEPS, prices.CUTS) == (4_096, 16, 200, 64)
    assert (prices.TOLERANCE, prices.ROUGH, prices.AGAIN, prices.SAMPLED) == (1e-8, 1e-7, 1e-6, 1e-4)
    assert (prices.FIRST_BOX, prices.LATER_BOX, prices.BOLD) == (0.1, 0.02, 0.5)
    assert (datetime.date(1970, 1, 1), 1_440, datetime.timedelta(minutes=1)) == (days.EPOCH, hours.DAY, hours.MINUTE)
    assert (columns.STALE_SHARE, DIGITS) == (0.5, 6)


def test_caps_and_the_budget_are_said_as_what_they_allow():
    said = rules_said(crl.load_world("tight_budget"))
    assert [(one.of, one.says) for one in said if one.rule == "cap"] == [
        ("sms", "at most 1 in 7 days on sms"),
        ("call", "at most 1 in 14 days on call"),
    ]
    spread = "at most 300 EUR for 1,000 customers over 60 days, released evenly; what is left carries over"
    assert [one.says for one in said if one.rule == "budget"] == [spread]
    free = crl.load_world("ecommerce")
    assert [one for one in rules_said(free) if one.rule == "budget"] == []
    gaps = rules_said(shop({"min_gap_days": 3}))
    assert [one.says for one in gaps if one.rule == "gap"] == ["at least 3 days between sends on all channels"]


@pytest.mark.parametrize(
    ("sends", "money", "stock"),
    [
        (5.0, 1e9, None),
        (0.0, 1e9, None),
        (1.0, 0.0, None),
        (0.9, 1e9, 9.0),
        (5.0, 4.0, 1.0),
        (5.0, 3.0, 9.0),
        (5.0, 1e9, 0.0),
    ],
)
def test_room_for_an_action_is_a_send_its_cost_and_a_piece(small_world, sends, money, stock):
    catalog = small_world.catalog
    limits = Limits(
        sends=np.array([sends] + [np.inf] * (len(small_world.channels) - 1)),
        money=money,
        stock=None if stock is None else np.array([np.inf] * (len(small_world.offers) - 1) + [stock]),
    )

    class Left(Spending):
        def limits(self, day):
            return limits

    found = object.__new__(Left).room(catalog, 0)
    for a in range(len(catalog)):
        c, o = catalog.channel_of[a], catalog.offer_of[a]
        wanted = (c < 0 or limits.sends[c] >= 1) and catalog.cost_of[a] <= money
        wanted = wanted and (stock is None or o < 0 or limits.stock[o] >= 1)
        assert found[a] == wanted
    assert found[0]


def test_rules_are_kept_for_the_very_world_they_are_of():
    """Not for one that says the same, which is read again, and not for what is no world."""
    one, other = crl.load_world("tight_budget"), crl.load_world("tight_budget")
    assert rules_of(one) is rules_of(one)
    assert rules_of(one) is not rules_of(other)
    assert rules._Same(one) == rules._Same(one)
    assert rules._Same(one) != rules._Same(other)
