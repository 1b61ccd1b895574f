"""Rules of a customers table and of a ledger in decide: each refusal with its reason, kept by the audit, run by run."""

import datetime
import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import campaignrl as crl
from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import DataError, UsageError
from campaignrl.ledger import EPOCH, Ledger, add, decided, erase, log_of_rows
from campaignrl.send import audit_ledger, example_customers, not_looked_at, read_customers, table_columns
from campaignrl.send.audit import EVER, audit
from campaignrl.specs.world import World
from campaignrl.toml import check

DAY = datetime.date(2026, 11, 21)


def world_of(name="ecommerce", **guard):
    """A bundled world with more rules in its guard; keys such as offers__coupon20 go to other tables."""
    spec = crl.load_world(name).model_dump(exclude_unset=True)
    for place, more in guard.items():
        if "__" in place:
            table, key = place.split("__", 1)
            spec[table][key].update(more)
        else:
            spec["guard"] = {**spec.get("guard", {}), place: more}
    return check(World, spec, name)


def open_customers(world, n=200, seed=7):
    """Customers who allow everything and were sent nothing."""
    frame = customers_frame(Panel(world, n, seed))
    for column in frame.columns:
        if column.startswith("consent_"):
            frame[column] = 1.0
        if column.startswith("contacts_"):
            frame[column] = 0
    return frame


def free(world):
    """The world without a holdout and caps of its own."""
    spec = world.model_dump(exclude_unset=True)
    spec["guard"] = {k: v for k, v in spec["guard"].items() if k not in ("holdout", "caps")}
    return check(World, spec, world.name)


def sent(found):
    return dict(zip(found.ids, found.action != NONE, strict=True))


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    return code, capsys.readouterr()


# ---- the table is told, read and written


EVERY = {
    "caps": [{"offer": "coupon20", "per_days": 30, "at_most": 2}],
    "min_gap_days": 3,
    "max_discount_depth": {"per_days": 20, "at_most": 0.5},
    "max_age_days": 2,
    "timezone": "Asia/Shanghai",
    "quiet_hours": {"from_hour": 21, "to_hour": 9},
    "offers__coupon10": {"purpose": "marketing"},
}


@pytest.fixture(scope="module")
def every():
    return world_of(**EVERY)


def judged_by(world, ledger):
    """What rows of a ledger break by the rules of a world that they were not made under."""
    rows = decided(ledger, world, EVER).reset_index(drop=True)
    nothing = pd.DataFrame({"customer_id": [], "day": [], "currency": []})
    log, start = log_of_rows(rows, world, nothing, EVER), (ledger.start - EPOCH).days
    return audit(log, world, customers=ledger.customers, start=start, seen=rows)


def test_what_rules_ask_is_told_and_the_template_has_it(every):
    told = {column.name: column for column in table_columns(every)}
    for name, needed in (
        ("contacts_3d", "no, with a ledger"),
        ("contacts_offer_coupon20_30d", "no, with a ledger"),
        ("discount_depth_20d", "no, with a ledger"),
        ("consent_push_marketing", "yes"),
        ("as_of", "yes"),
        ("timezone", "no"),
        ("address_key", "no"),
        ("holdout", "no"),
    ):
        assert told[name].needed == needed
    template = example_customers(every)
    assert {name for name, column in told.items() if column.needed != "no"} <= set(template)
    assert len(crl.decide("uniform", template, every, day=datetime.date.today(), send_at="12:00").ids) == 5


def test_every_column_that_is_missing_is_named_at_once(every):
    frame = customers_frame(Panel(every, 5)).drop(columns=["contacts_offer_coupon20_30d", "discount_depth_20d"])
    words = r"(?s)contacts_offer_coupon20_30d.*discount_depth_20d.*as_of.*It holds: day on"
    with pytest.raises(DataError, match=words):
        read_customers(frame, every)


def test_a_table_that_was_read_and_written_is_read_as_the_same(every):
    frame = open_customers(every, 4)
    frame["as_of"] = ["2026-11-20", "", "2026-11-21", "2026-11-19"]
    frame["timezone"] = ["Europe/Berlin", "Mars/Phobos", "", "UTC"]
    frame["address_key"] = ["A ", "a", "", "b"]
    frame["holdout"] = ["no", "yes", "", "0"]
    frame["discount_depth_20d"] = [0.1, np.nan, 0.3, 0]
    frame["contacts_offer_coupon20_30d"] = [0, 1, np.nan, 2]
    table = read_customers(frame, every)
    again = read_customers(table.to_frame(), every)
    assert table.known.keys() == again.known.keys()
    for name, known in table.known.items():
        assert known.values.tolist() == again.known[name].values.tolist()
    assert table.known["address_key"].values.tolist() == ["a", "a", "", "b"]
    assert table.known["timezone"].values.tolist() == ["Europe/Berlin", "", "", "UTC"]
    assert table.notes["timezone: not known, taken as the sender's"] == 2
    assert table.notes["as_of: missing, taken as too old"] == 1


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("as_of", ["21.11.2026", "2026-02-30", "2026-11-21"], "as_of = '21.11.2026'"),
        ("contacts_offer_coupon20_30d", [-1, 0, 0], "whole number of at least 0"),
        ("contacts_offer_coupon20_30d", [0.5, 0, 0], "whole number of at least 0"),
        ("discount_depth_20d", [-0.1, 0, 0], "at least 0"),
        ("Address_Key", ["a", "a", "a"], "spelled 'address_key'"),
        (" holdout", ["1", "1", "1"], "spelled 'holdout'"),
    ],
)
def test_what_cannot_be_read_is_refused(every, column, values, words):
    frame = open_customers(every, 3).assign(as_of="2026-11-21")
    with pytest.raises(DataError, match=words):
        read_customers(frame.assign(**{column: values}), every)


def test_a_day_is_read_from_dates_and_times_alike(every):
    frame = open_customers(every, 2)
    for as_of in (
        [datetime.date(2026, 11, 20)] * 2,
        pd.to_datetime(["2026-11-20 23:59", "2026-11-20 00:00"]),
        ["2026-11-20 23:59:59", "2026-11-20T00:00"],
    ):
        table = read_customers(frame.assign(as_of=as_of), every)
        assert set(table.known["as_of"].values) == {(datetime.date(2026, 11, 20) - datetime.date(1970, 1, 1)).days}


# ---- freshness


def test_a_row_that_is_too_old_gets_nothing_and_too_many_stop_the_run():
    world = free(world_of(max_age_days=2))
    frame = open_customers(world, 8)
    frame["as_of"] = ["2026-11-21", "2026-11-19", "2026-11-18", "2026-11-22", "", *["2026-11-20"] * 3]
    found = crl.decide("always:content@push", frame, world, day=DAY)
    assert (found.action != NONE).tolist() == [True, True, False, False, False, True, True, True]
    assert found.reason[2].startswith("nothing may be sent: stale: row older than 2 days")
    assert found.blocked_counts()["stale: row older than 2 days"] == 3
    frame.loc[5, "as_of"] = "2026-01-01"
    assert crl.decide("none", frame, world, day=DAY) is not None  # four of eight: a half, which may be
    frame.loc[6, "as_of"] = "2026-01-01"
    with pytest.raises(DataError, match=r"in 5 of 8 rows.*at most 2 days old in 50% of the rows or more"):
        crl.decide("none", frame, world, day=DAY)
    strict = free(world_of(max_age_days=2, max_stale_share=0.0))
    with pytest.raises(DataError, match="100%"):
        crl.decide("none", frame.assign(as_of=["2026-11-18", *["2026-11-21"] * 7]), strict, day=DAY)


# ---- dates and quiet hours


def test_decide_sends_an_offer_on_its_days_alone():
    world = free(world_of(offers__content={"valid_from": "2026-11-20", "valid_until": "2026-11-21"}))
    frame = open_customers(world, 30)
    for day, sends in (("2026-11-19", 0), ("2026-11-20", 30), ("2026-11-21", 30), ("2026-11-22", 0)):
        found = crl.decide("always:content@push", frame, world, day=day)
        assert (found.action != NONE).sum() == sends
        told = found.to_log()
        assert audit(told, world) == []
    late = crl.decide("always:content@push", frame, free(crl.load_world("ecommerce")), day="2026-11-22").to_log()
    assert [f.rule for f in audit(late, world)] == ["out of date: content"]
    simulated = crl.simulate(world, "always:content@push", customers=50)
    assert (simulated.action != NONE).any()  # a simulated day is no day of the calendar
    assert audit(simulated, world) == []


def test_nobody_is_sent_anything_in_their_own_quiet_hours(tmp_path):
    world = free(world_of(timezone="Europe/Berlin", quiet_hours={"from_hour": 21, "to_hour": 9}))
    frame = open_customers(world, 5)
    frame["timezone"] = ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "", "Nowhere/At_All"]
    for hour, may in (("10:00", [1, 0, 1, 1, 1]), ("08:59", [0, 0, 1, 0, 0])):
        found = crl.decide("always:content@push", frame, world, day=DAY, send_at=hour)
        assert (found.action != NONE).tolist() == list(map(bool, may))
    with pytest.raises(UsageError, match="--send-at"):  # when nobody says when the list goes out
        crl.decide("always:content@push", frame, world, day=DAY)
    found = crl.decide("always:content@push", frame, world, day=DAY, send_at=datetime.time(8, 59))
    assert found.reason[0].endswith("quiet hours: 21 to 9 o'clock")
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=5)
    crl.decide("always:content@push", frame, world, day=DAY, send_at="10:00", ledger=ledger)
    assert audit_ledger(ledger, world) == (5, [])
    assert not_looked_at(world, ledger) == []
    other = free(world_of(timezone="America/Los_Angeles", quiet_hours={"from_hour": 21, "to_hour": 9}))
    assert [f.rule for f in judged_by(other, ledger)] == ["quiet hours"]


@pytest.mark.parametrize("hour", ["9 o'clock", "25:00", "09:30+02:00", ""])
def test_an_hour_that_is_none_or_in_no_zone_is_refused(hour):
    zoned, bare = world_of(timezone="UTC"), crl.load_world("ecommerce")
    with pytest.raises(UsageError, match="send_at"):
        crl.decide("none", open_customers(zoned, 2), zoned, day=DAY, send_at=hour)
    with pytest.raises(UsageError, match="Add timezone"):
        crl.decide("none", open_customers(bare, 2), bare, day=DAY, send_at="09:30")


# ---- addresses, holdout of one's own, purposes


def test_one_customer_an_address_the_same_in_any_order_and_none_where_one_is_suppressed():
    world = free(crl.load_world("ecommerce"))
    frame = open_customers(world, 60)
    frame["address_key"] = ["", *[f"hash{i % 20}" for i in range(59)]]
    found = crl.decide("always:content@push", frame, world, day=DAY)
    frame["sent"] = found.action != NONE
    assert frame["sent"][0]
    by_address = frame[1:].groupby("address_key")["sent"].sum()
    assert (by_address == 1).all()
    keys = rng.customer_keys(frame["customer_id"].to_numpy(dtype=object))
    least = frame[1:].assign(key=keys[1:]).sort_values("key").drop_duplicates("address_key")["customer_id"]
    assert set(least) == set(frame["customer_id"][1:][frame["sent"][1:]])
    turned = crl.decide("always:content@push", frame.drop(columns="sent").iloc[::-1], world, day=DAY, seed=4)
    assert sent(turned) == sent(found)
    assert found.blocked_counts()["address: another customer stands for it"] == 39
    one = frame["customer_id"][~frame["sent"]].iloc[0]
    barred = crl.decide("always:content@push", frame.drop(columns="sent"), world, day=DAY, suppressed=[one])
    theirs = frame["address_key"] == frame["address_key"][frame["customer_id"] == one].iloc[0]
    assert not any(sent(barred)[i] for i in frame["customer_id"][theirs])
    assert sum(sent(barred).values()) == sum(sent(found).values()) - 1
    assert (found.propensity == 1.0).all()


def test_a_holdout_of_one_s_own_is_heeded_and_an_unclear_one_too():
    """The last row of the cases of suppression: a column `holdout` that says 1, which was passed over."""
    world = free(crl.load_world("ecommerce"))
    frame = open_customers(world, 7)
    frame["holdout"] = ["1", "no", "", "maybe", "True", "0", "否"]
    found = crl.decide("always:content@push", frame, world, day=DAY)
    assert (found.action != NONE).tolist() == [False, True, False, False, False, True, True]
    assert found.blocked[0].split("; ")[0] == "holdout"
    assert found.blocked[2].split("; ")[0] == found.blocked[3].split("; ")[0] == "holdout: not clear in the table"
    assert "holdout" not in found.blocked[1]
    assert found.customers.notes["holdout: neither yes nor no, taken as held out"] == 2


def test_a_purpose_is_agreed_to_by_channel_and_a_withdrawn_channel_ends_all_of_them(tmp_path):
    world = free(world_of(offers__content={"purpose": "marketing"}))
    frame = open_customers(world, 4)
    frame["consent_push_marketing"] = [1, 0, None, 1]
    frame["consent_push"] = [1.0, 1.0, 1.0, 0.0]
    found = crl.decide("always:content@push", frame, world, day=DAY)
    assert (found.action != NONE).tolist() == [True, False, False, False]
    assert "no consent: push for marketing" in found.blocked[2]
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=4)
    crl.decide("always:content@push", frame, world, day=DAY, ledger=ledger)
    assert audit_ledger(ledger, world) == (4, [])
    said = {"customer_id": [frame["customer_id"][0]], "channel": ["push"], "allowed": ["no"], "day": ["2026-11-21"]}
    pd.DataFrame(said).to_csv(tmp_path / "p.csv", index=False)
    add(ledger, "permissions", tmp_path / "p.csv", world, today=DAY)
    after = crl.decide("always:content@push", frame, world, day=DAY + datetime.timedelta(1), ledger=ledger)
    assert (after.action == NONE).all()


# ---- what a ledger counts


def test_gaps_caps_by_offer_and_discounts_are_counted_from_the_ledger_and_audited(tmp_path):
    world = world_of(
        min_gap_days=3,
        max_discount_depth={"per_days": 14, "at_most": 0.4},
        caps=[{"offer": "content", "per_days": 10, "at_most": 1}],
    )
    counted = [c.name for c in table_columns(world) if c.needed == "no, with a ledger"]
    frame = open_customers(world, 150).drop(columns=counted)
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=150)
    rows = []
    for t in range(16):
        found = crl.decide("uniform", frame, world, day=DAY + datetime.timedelta(t), ledger=ledger)
        rows.append(found.action)
    action = np.stack(rows, axis=1)
    offer = world.catalog.offer_of[action]
    content = offer == list(world.offers).index("content")
    shares = np.array([round(o.discount * 100) for o in world.offers.values()] + [0])[offer]
    for hit, days, most in ((action != NONE, 3, 1), (content, 10, 1), (shares, 14, 40)):
        sums = [hit[:, t : t + days].sum(axis=1).max() for t in range(16 - days + 1)]
        assert max(sums) == most
    assert audit_ledger(ledger, world, crl.load_policy("uniform", world)) == (16 * 150, [])
    spec = world.model_dump(exclude_unset=True)
    for change, rule in (
        ({"min_gap_days": 4}, "gap: 4 days"),
        ({"caps": [{"offer": "content", "per_days": 12, "at_most": 1}]}, "cap: 1 in 12 days of content"),
        ({"max_discount_depth": {"per_days": 14, "at_most": 0.35}}, "discounts: more than 0.35"),
    ):
        stricter = check(World, {**spec, "guard": {**spec["guard"], **change}}, "ecommerce")
        assert [f.rule.startswith(rule) for f in judged_by(stricter, ledger)] == [True]


def test_a_table_s_own_counts_are_added_to_those_of_the_ledger(tmp_path):
    world = free(world_of(caps=[]))
    spec = world.model_dump(exclude_unset=True)
    spec["guard"]["caps"] = [{"offer": "content", "per_days": 10, "at_most": 2}]
    world = check(World, spec, "ecommerce")
    frame = open_customers(world, 3).assign(contacts_offer_content_10d=[0, 1, 2])
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=3)
    days = [
        crl.decide("always:content@push", frame, world, day=DAY + datetime.timedelta(t), ledger=ledger).action != NONE
        for t in range(3)
    ]
    assert np.stack(days).tolist() == [[True, True, False], [True, False, False], [False, False, False]]


def test_a_run_of_the_same_inputs_is_the_same_and_of_another_zone_or_hour_another(tmp_path, every):
    frame = open_customers(every, 20).assign(as_of="2026-11-21", timezone="UTC")
    ledger = Ledger.create(tmp_path / "l", every, start=DAY, customers=20)
    runs = [
        crl.decide("uniform", table, every, day=DAY, ledger=ledger, dry_run=True, send_at=hour).run
        for table, hour in (
            (frame, "12:00"),
            (frame.iloc[::-1], "12:00"),
            (frame, "10:00"),
            (frame.assign(timezone="Asia/Tokyo"), "12:00"),
            (frame.assign(holdout="no"), "12:00"),
        )
    ]
    assert runs[0] == runs[1]
    assert len(set(runs)) == 4


def test_the_audit_finds_what_the_ledger_s_rows_say_against_a_send(tmp_path, every):
    """Rows as a faulty sender would have written them: each rule that rests on a table is looked at again."""
    world = free(every)
    frame = open_customers(world, 40).assign(as_of="2026-11-21", holdout="no", timezone="Europe/Berlin")
    frame["address_key"] = [f"hash{i}" for i in range(40)]
    frame["consent_push_marketing"] = 1
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=40)
    crl.decide("always:coupon10@push", frame, world, day=DAY, send_at="16:30", ledger=ledger)
    assert audit_ledger(ledger, world) == (40, [])
    rows = ledger.read("decisions")
    for column, value, rule in (
        ("rule.as_of", 20_000, "stale: row older than 2 days"),
        ("rule.consent_push_marketing", 0, "no consent: push for marketing"),
        ("rule.holdout", 2, "holdout by the table"),
        ("rule.shares_address", 1, "address: another customer stood for it"),
        ("rule.timezone", "America/New_York", "quiet hours"),
        ("rule.send_at", "06:00", "quiet hours"),
    ):
        place = rows.column_names.index(column)
        said = pd.Series(rows[column].to_pylist(), dtype=object)
        said[[3, 8]] = value
        ledger.replace("decisions", rows.set_column(place, column, pa.array(said, rows[column].type)))
        chain, *found = [(f.rule, f.many) for f in audit_ledger(ledger, world)[1]]
        assert chain == ("a row is not as it was written", 2)
        assert found == [(rule, 2)]
        said[:] = None  # of a time when nobody asked
        ledger.replace("decisions", rows.set_column(place, column, pa.array(said, rows[column].type)))
        assert [f.rule for f in audit_ledger(ledger, world)[1]] == ["a row is not as it was written"]
    ledger.replace("decisions", rows)
    assert "hash3" not in str(rows.to_pydict())  # no address is kept
    erase(ledger, frame["customer_id"][3], today=DAY)
    assert audit_ledger(ledger, world) == (39, [])
    crl.decide("none", frame, world, day=DAY + datetime.timedelta(1), send_at="16:30", ledger=ledger)


# ---- a suppression list that shrank


def test_a_list_that_lost_more_than_half_or_went_away_stops_the_run(tmp_path):
    world = free(crl.load_world("ecommerce"))
    frame = open_customers(world, 100)
    ids = frame["customer_id"].tolist()
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=100)

    def run(day, suppressed, **how):
        table = read_customers(frame, world, suppressed=suppressed, ledger=True, **how)
        return crl.decide("always:content@push", table, world, day=DAY + datetime.timedelta(day), ledger=ledger)

    run(0, None)
    run(1, ids[:40])
    run(2, ids[:20])  # a half of it is left, which may be
    with pytest.raises(DataError, match=r"9 ids' is not at least 50% of the 20 of the last run"):
        run(3, ids[:9])
    with pytest.raises(DataError, match="0 ids"):
        run(3, None)
    with pytest.raises(DataError, match="no rows"):
        run(3, [])
    assert len(ledger.runs()) == 3  # nothing was written
    run(3, [f" {one} " for one in ids[:10]] * 3)  # ten, however often and however spelled
    run(4, ids[:4], least_known=0.4)
    run(5, None, least_known=0.0)
    run(6, None)  # it was meant


# ---- stock


def test_stock_is_counted_over_the_whole_campaign_from_the_ledger(tmp_path):
    world = free(world_of(offers__content={"stock": 50}))
    frame = open_customers(world, 30)
    ledger = Ledger.create(tmp_path / "l", world, start=DAY, customers=30)
    days = [DAY + datetime.timedelta(t) for t in range(3)]
    found = [crl.decide("always:content@push", frame, world, day=day, ledger=ledger) for day in days]
    assert [int((f.action != NONE).sum()) for f in found] == [30, 20, 0]
    lost = [text for text in found[1].reason if text.startswith("no stock")]
    assert lost == ["no stock: content@push was chosen, no content is left, and the lot fell to others"] * 10
    assert found[1].blocked_counts()["no stock: content"] == 10
    assert all("out of stock: content" in blocked for blocked in found[2].blocked)
    assert not found[2].eligible[:, world.catalog.offer_of == list(world.offers).index("content")].any()
    assert audit_ledger(ledger, world, crl.load_policy("always:content@push", world)) == (90, [])
    less = free(world_of(offers__content={"stock": 49}))
    assert [f.rule for f in judged_by(less, ledger)] == ["stock: 19 left of content"]


def test_without_a_ledger_a_run_may_use_one_day_s_share_of_a_stock():
    world = free(world_of(offers__content={"stock": 900}))
    found = crl.decide("always:content@push", open_customers(world, 40), world, day=DAY)
    assert world.horizon == 90
    assert (found.action != NONE).sum() == 10


def test_stated_propensities_are_frequencies_where_stock_capacity_and_money_are_short():
    """Invariant I9: of every offer, over customers and seeds, chance equals frequency, with all three limits at work.

    What was sent, each weighed by one over its chance, estimates how many such sends were drawn before any limit.
    """
    world = free(world_of("ecommerce", offers__coupon20={"stock": 90 * 6}, budget={"amount_per_1000_customers": 90.0}))
    spec = world.model_dump(exclude_unset=True)
    spec["channels"]["push"]["capacity"] = {"sends_per_day_per_1000_customers": 100.0}
    world = check(World, spec, "ecommerce")
    frame, runs, missed, none, short = open_customers(world, 200), 250, [], [], np.zeros(3)
    for seed in range(runs):
        found = crl.decide("uniform", frame, world, day=DAY, seed=seed)
        options, offer = found.eligible.sum(axis=1), world.catalog.offer_of[found.action]
        weight = 1.0 / (found.propensity * options)
        row = []
        for o in range(len(world.offers)):
            drawn = (found.eligible[:, world.catalog.offer_of == o].sum(axis=1) / options).sum()
            row.append(weight[offer == o].sum() - drawn)
        missed.append(row)
        none.append((1.0 / found.propensity[offer < 0]).sum() / len(frame))
        assert (offer == list(world.offers).index("coupon20")).sum() <= 6
        assert (world.catalog.channel_of[found.action] == list(world.channels).index("push")).sum() <= 20
        assert found.cost <= found.limits.money
        short += [
            any(text.startswith(f"no {what}") for text in found.reason) for what in ("stock", "capacity", "money")
        ]
    assert (short > runs / 2).all()
    error = np.std(missed, axis=0) / np.sqrt(runs)
    assert (error > 0).sum() >= 6
    assert (np.abs(np.mean(missed, axis=0)) <= 4 * error).all()
    assert np.mean(none) == pytest.approx(1.0, abs=0.02)  # the cut of who is not served is the day's: of order 1 / n


# ---- the command line


def test_the_command_line_takes_an_hour_says_the_rules_and_what_it_could_not_look_at(tmp_path, monkeypatch, capsys):
    world = world_of(timezone="Europe/Berlin", quiet_hours={"from_hour": 21, "to_hour": 9}, max_age_days=1)
    file = crl.save_world(world, tmp_path / "ecommerce.toml")
    open_customers(world, 20).assign(as_of="2026-11-21").to_csv(tmp_path / "c.csv", index=False)
    words = ["decide", "uniform", tmp_path / "c.csv", "-w", file, "--as-of", "2026-11-21", "-o", tmp_path / "s.csv"]
    code, said = call(monkeypatch, capsys, *words, "--send-at", "22:15", "--json")
    assert (code, json.loads(said.out)["sends"]) == (0, 0)
    assert json.loads(said.out)["blocked"]["quiet hours: 21 to 9 o'clock"] == 20
    code, said = call(monkeypatch, capsys, *words, "--send-at", "noon")
    assert code == 2
    assert "Write it as 09:30" in said.err
    code, said = call(monkeypatch, capsys, "guard", "explain", file)
    assert code == 0
    assert "nothing leaves from 21 to 9 o'clock, in the customer's `timezone`, or Europe/Berlin" in said.out
    code, said = call(monkeypatch, capsys, "guard", "explain", "ecommerce", "--json")
    assert {"rule": "cap", "of": "sms", "says": "at most 1 in 7 days on sms"} in json.loads(said.out)["rules"]
    code, said = call(monkeypatch, capsys, "audit", tmp_path / "s.decisions.parquet", "-w", file, "--json")
    assert code == 0
    assert json.loads(said.out)["not_looked_at"] == ["age of rows", "quiet hours"]
    assert "not looked at" in said.err
