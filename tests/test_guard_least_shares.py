"""Minimum shares: what there shall be at least of an offer or on a channel, from a world's file or a run's words."""

import datetime
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import SpecError, UsageError
from campaignrl.guard import least_sends, least_shares, rules_said, share_problems
from campaignrl.ledger import Ledger
from campaignrl.report.pages import plan_page
from campaignrl.send import plan_of
from campaignrl.specs import guard_hash, world_hash


@pytest.fixture(scope="module")
def tables():
    return crl.load_world("ecommerce").model_dump(exclude_unset=True)


def with_shares(tables, offers=(), channels=()):
    """The shop with least shares, as (name, share)."""
    changed = {
        "offers": {name: {**offer} for name, offer in tables["offers"].items()},
        "channels": {name: {**channel} for name, channel in tables["channels"].items()},
    }
    for part, given_ in (("offers", offers), ("channels", channels)):
        for name, share in given_:
            changed[part][name]["at_least"] = share
    return crl.load_world({**tables, "name": "shop", **changed})


def test_the_world_s_shares_stand_unless_a_run_says_another(tables):
    world = with_shares(tables, [("coupon20", 0.02), ("vip_perk", 0.01)], [("sms", 0.05)])
    assert least_shares(world) == {"coupon20": 0.02, "vip_perk": 0.01, "sms": 0.05}
    assert least_shares(world, {"coupon20": 0.5, "push": 0.1}) == {
        "coupon20": 0.5,
        "vip_perk": 0.01,
        "sms": 0.05,
        "push": 0.1,
    }
    assert least_shares(crl.load_world("ecommerce")) == {}


def test_sends_are_whole_customers_rounded_up_by_dimension(tables):
    world = with_shares(tables, [("coupon20", 0.1)], [("sms", 0.001)])
    found = least_sends(world, 30)
    offers, channels = list(world.offers), list(world.channels)
    assert found["offer"].tolist() == [3 if name == "coupon20" else 0 for name in offers]  # 0.1 of 30 are no 4
    assert found["channel"].tolist() == [1 if name == "sms" else 0 for name in channels]
    assert least_sends(world, 31)["offer"].sum() == 4
    assert least_sends(world, 0) == {}
    tiny = [least_sends(world, 10, {"coupon20": 0.3 + more})["offer"].sum() for more in (4e-8, 4e-7)]
    assert tiny == [3, 4]  # a millionth of a customer is none, more is one
    assert least_sends(crl.load_world("ecommerce"), 1_000) == {}
    assert list(least_sends(world, 30, {"coupon20": 0.0})) == ["channel"]


@given(share=st.integers(0, 1_000), customers=st.integers(0, 10_000))
def test_a_share_of_whole_thousandths_is_exact(share, customers):
    found = least_sends(crl.load_world("no_memory"), customers, {"sms": share / 1_000})
    assert sum(int(sends.sum()) for sends in found.values()) == math.ceil(share * customers / 1_000 - 1e-12)


def test_what_a_run_cannot_ask_for_is_said_at_once(tables):
    world = crl.load_world("ecommerce")

    def said(given_):
        return [(p.field, p.value) for p in share_problems(world, given_)]

    assert said({"coupon20": 0.0, "sms": 1.0}) == []
    assert said({"coupn20": 0.1, "push": 1.5, "sms": -0.1}) == [
        ("at_least", "coupn20"),
        ("at_least of push", 1.5),
        ("at_least of sms", -0.1),
        ("at_least of all channels", 1.4),
    ]
    assert [field for field, _ in said({"feed": math.nan})] == ["at_least of feed"]
    (near,) = share_problems(world, {"coupn20": 0.1})
    assert "coupon20" in near.fix
    assert said({"coupon20": 0.6, "coupon30": 0.4}) == []
    assert said({"coupon20": 0.6, "coupon30": 0.5}) == [("at_least of all offers", 1.1)]
    assert said({"sms": 0.6, "push": 0.5, "coupon20": 0.9}) == [("at_least of all channels", 1.1)]
    half = with_shares(tables, [("coupon20", 0.6)])
    assert [p.field for p in share_problems(half, {"coupon30": 0.5})] == ["at_least of all offers"]
    assert [p.field for p in share_problems(half, {"coupon20": 0.5, "coupon30": 0.5})] == []


def test_a_world_that_asks_for_more_than_everybody_or_of_what_two_things_are_called_is_refused(tables):
    with pytest.raises(SpecError, match=r"at_least of all = 1\.1"):
        with_shares(tables, [("coupon20", 0.6), ("coupon30", 0.5)])
    with_shares(tables, [("coupon20", 0.6), ("coupon30", 0.4)])
    for share in (-0.1, 1.1, "much"):
        with pytest.raises(SpecError, match="at_least"):
            with_shares(tables, channels=[("sms", share)])
    offers = {**tables["offers"], "sms": {**tables["offers"]["coupon20"], "at_least": 0.1}}
    with pytest.raises(SpecError, match="both called"):
        crl.load_world({**tables, "name": "shop", "offers": offers})
    offers["sms"] = tables["offers"]["coupon20"]
    twice = crl.load_world({**tables, "name": "shop", "offers": offers})
    assert [p.value for p in share_problems(twice, {"sms": 0.1})] == ["sms"]


def test_a_least_share_is_a_rule_in_words_and_in_hashes(tables):
    world = with_shares(tables, [("coupon20", 0.02)], [("sms", 0.5)])
    said = {rule.of: rule.says for rule in rules_said(world) if rule.rule == "least share"}
    assert set(said) == {"coupon20", "sms"}
    assert said["coupon20"].startswith("at least 0.02 of the customers of a run")
    assert "--allocate value" in said["sms"]
    plain = with_shares(tables)
    assert world_hash(world) != world_hash(plain)
    hashes = {guard_hash(one) for one in (plain, with_shares(tables, [("coupon20", 0.02)]), world)}
    assert len(hashes) == 3


# ---- in a plan by value


@pytest.fixture(scope="module")
def shop():
    """(world, 300 customers, a policy that states values)."""
    world = crl.load_world("ecommerce")
    frame = customers_frame(Panel(world, 300, 7)).astype({"customer_id": str})
    frame[[c for c in frame if c.startswith("contacts_")]] = 0
    return world, frame, crl.load_policy("pretrained/ecommerce", world)


def planned(shop, **how):
    world, frame, policy = shop
    return crl.decide(policy, frame, how.pop("world", world), day="2026-11-21", allocate="value", **how)


def sends_of(found, offer):
    return int((found.to_frame()["offer"] == offer).sum())


@settings(max_examples=8, deadline=None)
@given(share=st.sampled_from([0.01, 0.05, 0.1, 0.2]))
def test_an_offer_reaches_its_share_and_costs_the_plan_no_more_than_it_must(shop, share):
    free, bound = planned(shop), planned(shop, at_least={"coupon30": share})
    asked = math.ceil(round(300 * share, 6))
    may = int(free.eligible[:, free.catalog.offer_of == list(shop[0].offers).index("coupon30")].any(axis=1).sum())
    assert sends_of(bound, "coupon30") >= min(asked, may)
    assert bound.plan.value <= free.plan.bound + 1e-6
    assert (bound.action[~bound.eligible[np.arange(300), bound.action]] == NONE).all()  # nothing that a rule refuses
    assert plan_of(bound, shop[0]).least == (("coupon30", sends_of(bound, "coupon30"), asked),)


def test_who_gets_it_for_the_share_is_told_so_and_what_cannot_be_had_is_said(shop):
    world = shop[0]
    found = planned(shop, at_least={"coupon30": 0.1})
    got = found.to_frame()
    told = got["reason"].str.contains("coupon30 shall reach its least share")
    assert told.any()
    assert (got.loc[told, "offer"] == "coupon30").all()
    page = plan_page(plan_of(found, world))
    assert "at least of coupon30" in page
    assert "one send less of coupon30 would bring" in page
    assert "one more of at least" not in page
    short = plan_of(planned(shop, at_least={"sms": 1.0}), world)
    ((name, sends, asked),) = short.least
    assert (name, asked) == ("sms", 300)
    assert 0 < sends < 300
    assert f"300 sends of sms were asked for, {sends} can be had." in short.limits


def test_the_lot_heeds_no_share_and_says_so(shop, tables):
    world, frame, _ = shop
    with pytest.raises(UsageError, match="at_least"):
        crl.decide("uniform", frame, world, day="2026-11-21", at_least={"coupon30": 0.1})
    own = with_shares(tables, [("coupon30", 0.1)])
    found = plan_of(crl.decide("uniform", frame, own, day="2026-11-21"), own)
    assert found.least == ()
    assert any("heeds no least share (coupon30)" in text for text in found.limits)
    policy = crl.load_policy("pretrained/ecommerce", own)
    by_file = crl.decide(policy, frame, own, day="2026-11-21", allocate="value")
    by_word = planned(shop, at_least={"coupon30": 0.1})
    assert by_file.action.tolist() == by_word.action.tolist()  # the file and the word say the same
    off = crl.decide(policy, frame, own, day="2026-11-21", allocate="value", at_least={"coupon30": 0.0})
    assert off.action.tolist() == planned(shop).action.tolist()


def test_the_order_of_rows_changes_nothing_and_another_share_is_another_run(shop, tmp_path):
    world, frame, policy = shop
    plan = planned(shop, at_least={"coupon30": 0.1})
    other = crl.decide(policy, frame.iloc[::-1], world, day="2026-11-21", allocate="value", at_least={"coupon30": 0.1})
    assert other.action[::-1].tolist() == plan.action.tolist()
    ledger = Ledger.create(tmp_path / "l", world, start=datetime.date(2026, 11, 21), customers=300)
    asked = (None, {"sms": 0.1}, {"sms": 0.2})
    runs = [planned(shop, at_least=least, ledger=ledger, dry_run=True).run for least in asked]
    assert len(set(runs)) == 3
