"""Rules that a world may state beside caps and consent: each at its edge, recounted by hand, and only taking away."""

import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.campaign import simulate
from campaignrl.envs.panel import Panel
from campaignrl.errors import SpecError
from campaignrl.features import UNKNOWN, Context
from campaignrl.guard import Facts, allowed, is_stale, quiet_for, reasons, rules_of, rules_said, shares_address
from campaignrl.guard.checks import millionths
from campaignrl.guard.quiet_hours import is_quiet
from campaignrl.send.audit import audit
from campaignrl.specs import QuietHours
from campaignrl.specs.world import World, load_world
from campaignrl.tables import NO_DAY
from campaignrl.toml import check

EPOCH = datetime.date(1970, 1, 1)
FINE = {"segment": "loyal", "stage": "dormant"}  # meets both conditions of the small world


def build(tables, **changes):
    """The small world with some tables changed: `guard={...}` is added to, `offers__coupon20={...}` likewise."""
    for place, more in changes.items():
        table = tables
        for name in place.split("__"):
            table = table.setdefault(name, {})
        table.update(more)
    return check(World, tables, "test")


def facts_of(world, n=1, **known):
    """n equal customers about whom everything is known and fine, but for what is given."""
    columns = {
        f.name: np.full(n, 0 if f.levels else f.low, dtype=np.int8 if f.levels else np.float32)
        for f in world.features.features
    }
    for name, value in FINE.items():
        columns[name] = np.full(n, world.features[name].levels.index(value))
    facts = Facts(
        held_out=np.zeros(n, bool),
        suppressed=None,
        consent=np.ones((len(world.channels), n), bool),
        context=Context(world.features, columns),
        contacts=lambda channel, days: np.zeros(n, np.int64),
        offer_contacts=lambda offer, days: np.zeros(n, np.int64),
        depth=lambda days: np.zeros(n, np.int64),
    )
    return facts._replace(**known)


def shut(world, facts):
    """{name: reason} of the first customer's refused actions."""
    mask, why = allowed(rules_of(world), facts)[0], reasons(rules_of(world), facts)[0]
    assert np.array_equal(mask, why == "")
    return {name: text for name, text in zip(world.catalog.names, why, strict=True) if text}


# ---- what a file may say


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"guard": {"caps": [{"offer": "coupon99", "per_days": 3, "at_most": 1}]}}, "caps.offer = 'coupon99'"),
        ({"guard": {"caps": [{"offer": "content", "channel": "sms", "per_days": 3, "at_most": 1}]}}, "write two caps"),
        ({"guard": {"caps": [{"offer": "content", "per_days": 3, "at_most": -1}]}}, "at_most = -1"),
        ({"guard": {"caps": [{"offer": "content", "per_days": 3, "at_most": 0.5}]}}, "at_most = 0.5"),
        ({"guard": {"min_gap_days": 0}}, "min_gap_days = 0"),
        ({"guard": {"min_gap_days": 61}}, "min_gap_days = 61"),
        ({"guard": {"min_gap_days": 2.5}}, "min_gap_days = 2.5"),
        ({"channels__sms": {"min_gap_days": -1}}, "min_gap_days = -1"),
        ({"offers__coupon20": {"valid_from": "2026-12-02", "valid_until": "2026-12-01"}}, "2026-12-02 comes after"),
        ({"offers__coupon20": {"valid_from": "12-02"}}, "a whole day with its year"),
        ({"offers__coupon20": {"valid_from": datetime.datetime(2026, 12, 2, 9, 0)}}, "a whole day with its year"),
        ({"offers__coupon20": {"valid_until": 20_000}}, "a whole day with its year"),
        ({"offers__coupon20": {"stock": -1}}, "stock = -1"),
        ({"offers__coupon20": {"stock": 1.5}}, "stock = 1.5"),
        ({"offers__coupon20": {"purpose": "Marketing!"}}, "purpose = 'Marketing!'"),
        ({"offers__coupon20": {"discount": 1.0}}, "discount = 1.0"),
        ({"guard": {"max_discount_depth": {"per_days": 30, "at_most": -0.1}}}, "at_most = -0.1"),
        ({"guard": {"max_age_days": -1}}, "max_age_days = -1"),
        ({"guard": {"max_stale_share": 1.5}}, "max_stale_share = 1.5"),
        ({"guard": {"timezone": "Europe/Atlantis"}}, "a time zone of the IANA database"),
        ({"guard": {"timezone": "../../etc/passwd"}}, "a time zone of the IANA database"),
        ({"guard": {"quiet_hours": {"from_hour": 9, "to_hour": 9}}}, "leave quiet_hours out"),
        ({"guard": {"min_margin": 0.5}}, r"coupon20\]: margin left of an order = 0.3333.*0.5 .* in segment bargain"),
        ({"guard": {"min_margin": 0.0}}, "min_margin = 0.0"),
    ],
)
def test_what_makes_no_rule_is_refused(tables, changes, words):
    with pytest.raises(SpecError, match=words):
        build(tables, **changes)


def test_a_world_that_states_no_new_rule_is_written_as_before(small_world):
    dumped = small_world.model_dump()
    assert not {"min_gap_days", "max_discount_depth", "timezone", "max_age_days"} & dumped["guard"].keys()
    assert not {"valid_from", "stock", "purpose"} & dumped["offers"]["coupon20"].keys()
    assert "offer" not in dumped["guard"]["caps"][0]


def test_rules_survive_a_file(tables, tmp_path):
    world = build(
        tables,
        guard={"min_gap_days": 2, "timezone": "Asia/Shanghai", "max_age_days": 3},
        offers__coupon20={"valid_from": datetime.date(2026, 11, 1), "stock": 5, "purpose": "marketing"},
    )
    assert load_world(crl.save_world(world, tmp_path / "w.toml")) == world
    assert "valid_from = 2026-11-01" in (tmp_path / "w.toml").read_text()


@pytest.mark.parametrize(("least", "fine"), [(1 / 6 - 1e-6, True), (1 / 6 + 1e-6, False)])
def test_the_margin_floor_is_that_of_the_thinnest_segment(tables, least, fine):
    """Winback takes 25 % of baskets with 30 % margin: a sixth of it is left; the perk 5 of 40: 7 of 12."""
    tables["guard"]["min_margin"] = least
    if fine:
        build(tables)
    else:
        with pytest.raises(SpecError, match="winback"):
            build(tables)


def test_a_discount_on_baskets_without_margin_never_meets_a_floor(tables):
    tables["segments"]["bargain"]["basket"]["margin"] = 0.0
    build(tables)
    with pytest.raises(SpecError, match="-inf"):
        build(tables, guard={"min_margin": 1e-6})


# ---- gaps and caps by offer


@pytest.mark.parametrize("scope", ["total", "sms"])
def test_a_gap_of_four_days_ends_on_the_fourth_day_after(tables, scope):
    """Half-open: a send on day d closes d + 1, d + 2 and d + 3, and no longer d + 4."""
    tables["guard"] = {}
    for channel in tables["channels"].values():
        channel["unsubscribe"] = {"base": 1e-9}
    (tables["guard"] if scope == "total" else tables["channels"]["sms"])["min_gap_days"] = 4
    world = check(World, {**tables, "horizon": 10}, "test")
    panel = Panel(world, 300, seed=1)
    sms, push = world.catalog.id_of("coupon20@sms"), world.catalog.id_of("content@push")
    text, ping, willing = [], [], panel.state.consent.all(axis=0)
    for day in range(10):
        mask = panel.allowed(panel.observe()) & willing[:, None]
        text.append(bool(mask[:, sms].any()))
        ping.append(bool(mask[:, push].any()))
        panel.step(np.where(mask[:, sms] & (day in (1, 5)), sms, NONE))
    closed = [day for day in range(10) if not text[day]]
    assert closed == [2, 3, 4, 6, 7, 8]
    assert [day for day in range(10) if not ping[day]] == (closed if scope == "total" else [])


def test_a_gap_says_so(tables):
    world = build(tables, guard={"min_gap_days": 3})
    facts = facts_of(world, contacts=lambda channel, days: np.full(1, int(channel is None and days == 3)))
    assert set(shut(world, facts).values()) == {"gap: 3 days between sends on all channels"}


@pytest.fixture(scope="module")
def coupons():
    """A shop that caps one coupon, keeps gaps and adds up discounts; an eager sender for 30 days."""
    spec = load_world("ecommerce", horizon=30).model_dump(exclude_unset=True)
    spec["guard"]["caps"] = [{"offer": "coupon20", "per_days": 9, "at_most": 2}]
    spec["guard"] |= {"min_gap_days": 2, "max_discount_depth": {"per_days": 12, "at_most": 0.4}}
    spec["channels"]["sms"]["min_gap_days"] = 5
    world = check(World, spec, "coupons")
    return world, simulate(world, "uniform", customers=500, seed=3)


def windows(hit, days):
    """Sums of (n, T) over every window of so many days."""
    return np.stack([hit[:, t : t + days].sum(axis=1) for t in range(hit.shape[1] - days + 1)], axis=1)


def test_caps_by_offer_gaps_and_discounts_hold_in_every_window_by_brute_force(coupons):
    world, log = coupons
    action = log.action.reshape(500, 30)
    offer = world.catalog.offer_of[action]
    coupon = offer == list(world.offers).index("coupon20")
    sends = action != NONE
    sms = world.catalog.channel_of[action] == list(world.channels).index("sms")
    shares = np.array([round(o.discount * 1000) for o in world.offers.values()] + [0])[offer]
    for hit, days, most in ((coupon, 9, 2), (sends, 2, 1), (sms, 5, 1), (shares, 12, 400)):
        found = windows(hit, days)
        assert found.max() == most  # kept, and felt
    assert set(rule.said for _, rule in rules_of(world).caps) == {
        "gap: 2 days between sends on all channels",
        "gap: 5 days between sends on sms",
    }


def test_the_audit_recounts_them_and_finds_each_that_is_broken(coupons):
    world, log = coupons
    assert audit(log, world, policy=crl.load_policy("uniform", world)) == []
    spec = world.model_dump(exclude_unset=True)
    for change, rule in (
        ({"caps": [{"offer": "coupon20", "per_days": 9, "at_most": 1}]}, "cap: 1 in 9 days of coupon20"),
        ({"min_gap_days": 3}, "gap: 3 days between sends on all channels"),
        ({"max_discount_depth": {"per_days": 12, "at_most": 0.39}}, "discounts: more than 0.39 in 12 days"),
        ({"max_discount_depth": {"per_days": 13, "at_most": 0.4}}, "discounts: more than 0.4 in 13 days"),
    ):
        stricter = check(World, {**spec, "guard": {**spec["guard"], **change}}, "coupons")
        assert [f.rule for f in audit(log, stricter)] == [rule]


def test_an_offer_s_cap_leaves_other_offers_alone_and_nobody_counting_is_a_no(tables):
    world = build(tables, guard={"caps": [{"offer": "coupon20", "per_days": 7, "at_most": 2}]})
    coupon = list(world.offers).index("coupon20")
    for sent, closed in ((1, False), (2, True), (3, True)):
        facts = facts_of(world, offer_contacts=lambda offer, days, sent=sent: np.full(1, sent * (offer == coupon)))
        said = shut(world, facts)
        assert set(said) == ({"coupon20@push", "coupon20@sms"} if closed else set())
        assert set(said.values()) <= {"cap: 2 in 7 days of coupon20"}
    assert set(shut(world, facts_of(world, offer_contacts=None))) == {"coupon20@push", "coupon20@sms"}


def test_discounts_add_up_to_the_last_millionth(tables):
    """0.1 + 0.2 is 0.3, whatever binary fractions say."""
    tables["guard"]["caps"] = []
    world = build(tables, guard={"max_discount_depth": {"per_days": 7, "at_most": 0.3}})
    for had, closed in (
        (0, set()),
        (0.05, set()),
        (0.06, {"winback"}),
        (0.1, {"winback"}),
        (0.11, {"winback", "coupon20"}),
    ):
        facts = facts_of(world, depth=lambda days, had=had: np.full(1, millionths(had)))
        assert {name.split("@")[0] for name in shut(world, facts)} == closed
    assert {name.split("@")[0] for name in shut(world, facts_of(world, depth=None))} == {"winback", "coupon20"}


# ---- dates, consent for a purpose, what a table says


def test_an_offer_is_open_on_its_first_and_last_day_and_on_no_other_side(tables):
    world = build(
        tables,
        offers__coupon20={"valid_from": "2026-12-01", "valid_until": "2026-12-24"},
        offers__content={"valid_until": "2026-12-24"},
        offers__winback={"valid_from": "2026-12-01"},
    )
    for day, closed in (
        ("2026-11-30", {"coupon20", "winback"}),
        ("2026-12-01", set()),
        ("2026-12-24", set()),
        ("2026-12-25", {"coupon20", "content"}),
    ):
        said = shut(world, facts_of(world, day=(datetime.date.fromisoformat(day) - EPOCH).days))
        assert {name.split("@")[0] for name in said} == closed
    assert said["coupon20@sms"] == "out of date: coupon20, valid from 2026-12-01 until 2026-12-24"
    assert shut(world, facts_of(world)) == {}  # a simulated day is no day of the calendar


@pytest.mark.parametrize("key", ["valid_from", "valid_until"])
def test_one_date_is_a_rule_by_itself(tables, key):
    world = build(tables, offers__content={key: "2026-12-01"})
    early, late = ((datetime.date(2026, 12, day) - EPOCH).days for day in (1, 2))
    for day in (early - 1, early, late):
        closed = day < early if key == "valid_from" else day > early
        assert set(shut(world, facts_of(world, day=day))) == ({"content@push"} if closed else set())


def test_a_purpose_needs_its_own_consent_beside_that_of_the_channel(tables):
    world = build(tables, offers__coupon20={"purpose": "marketing"})
    agreed = {(0, "marketing"): np.array([True]), (1, "marketing"): np.array([False])}
    assert shut(world, facts_of(world, purposes=agreed)) == {"coupon20@sms": "no consent: sms for marketing"}
    neither = facts_of(world, purposes={k: np.array([True]) for k in agreed}, consent=np.array([[True], [False]]))
    assert set(shut(world, neither)) == {"coupon20@sms", "winback@sms"}
    assert shut(world, facts_of(world)) == {}  # in a simulation consent is for all purposes


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"unclear": np.array([True])}, "holdout: not clear in the table"),
        ({"stale": np.array([True])}, "stale: row older than 3 days"),
        ({"shares_address": np.array([True])}, "address: another customer stands for it"),
    ],
)
def test_what_a_table_says_of_a_customer_closes_everything(tables, known, reason):
    world = build(tables, guard={"max_age_days": 3})
    assert set(shut(world, facts_of(world, **known)).values()) == {reason}
    assert len(shut(world, facts_of(world, **known))) == len(world.catalog) - 1
    assert shut(world, facts_of(world, **{name: ~value for name, value in known.items()})) == {}


def test_a_row_is_fresh_to_its_last_day():
    as_of = np.array([20_000 - 4, 20_000 - 3, 20_000, 20_001, NO_DAY])
    assert is_stale(as_of, 20_000, 3).tolist() == [True, False, False, True, True]
    assert is_stale(as_of, 20_000, 0).tolist() == [True, True, False, True, True]


def test_of_customers_at_one_address_the_least_key_stands_for_it_in_any_order():
    keys = np.array([7, 3, 9, 1, 5], dtype=np.uint64)
    address = np.array(["a", "a", "", "b", "a"], dtype=object)
    shared = shares_address(keys, address)
    assert shared.tolist() == [True, False, False, False, True]
    turned = np.array([4, 2, 0, 3, 1])
    assert np.array_equal(shares_address(keys[turned], address[turned]), shared[turned])


# ---- quiet hours

NIGHT = QuietHours(from_hour=21, to_hour=9)
NOON = QuietHours(from_hour=12, to_hour=14)


def at(text, zone="UTC", fold=0):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("quiet", "hour", "silent"),
    [
        (NIGHT, "20:59", False),
        (NIGHT, "21:00", True),
        (NIGHT, "00:00", True),
        (NIGHT, "08:59", True),
        (NIGHT, "09:00", False),
        (NOON, "11:59", False),
        (NOON, "12:00", True),
        (NOON, "13:59", True),
        (NOON, "14:00", False),
        (QuietHours(from_hour=12.0083, to_hour=14), "12:00", True),  # it begins within that minute
    ],
)
def test_quiet_hours_are_half_open_and_may_go_over_midnight(quiet, hour, silent):
    assert is_quiet(quiet, at(f"2026-06-01T{hour}")) is silent


def quiet_world(tables, zone="Europe/Berlin", hours=(21, 9), slots=None):
    if slots:
        tables["slots"] = {name: {"hours": list(band)} for name, band in slots.items()}
    start, end = hours
    return build(tables, guard={"timezone": zone, "quiet_hours": {"from_hour": start, "to_hour": end}})


def silent(world, day, send_at, *zones):
    hour = None if send_at is None else datetime.time.fromisoformat(send_at)
    return quiet_for(world, datetime.date.fromisoformat(day), np.array(zones, dtype=object), hour)


def test_an_hour_is_quiet_by_the_customer_s_clock(tables):
    """Ten in Berlin on a winter's day: four at night in New York, five in the afternoon in Shanghai."""
    world = quiet_world(tables)
    found = silent(world, "2026-01-15", "10:00", "", "Europe/Berlin", "America/New_York", "Asia/Shanghai")
    assert found.tolist() == [[False, False, True, False]]
    assert silent(world, "2026-01-15", None, "America/New_York").tolist() == [[False]]
    assert quiet_for(build({**tables, "guard": {}}), datetime.date(2026, 1, 15), np.array([""]), None) is None


def test_an_hour_that_the_clock_leaves_out_or_tells_twice_is_quiet_if_any_reading_is(tables):
    """Berlin: no 02:30 on 29 March 2026 (01:30 or 03:30 it may be), two of them on 25 October (00:30 and 01:30 UTC)."""
    for hours, gap, overlap in (
        ((3, 4), True, False),  # 03:30 is one reading of the gap
        ((1, 2), True, False),  # and 01:30 the other
        ((2, 3), False, True),
        ((5, 6), False, False),
    ):
        world = quiet_world({**tables}, hours=hours)
        assert silent(world, "2026-03-29", "02:30", "Europe/Berlin").tolist() == [[gap]]
        assert silent(world, "2026-10-25", "02:30", "Europe/Berlin").tolist() == [[overlap]]
    first, second = quiet_world({**tables}, hours=(0, 1)), quiet_world({**tables}, hours=(1, 2))
    for world in (first, second):  # each of the two moments, on a clock that does not change
        assert silent(world, "2026-10-25", "02:30", "UTC").tolist() == [[True]]
        assert silent(world, "2026-10-24", "02:30", "UTC").tolist() == [[world is first]]


def test_a_slot_is_open_only_if_none_of_its_minutes_is_quiet(tables):
    world = quiet_world(tables, slots={"late": (19, 21), "later": (19.5, 21.1), "over": (22, 2), "noon": (12, 13)})
    found = silent(world, "2026-01-15", None, "", "Europe/London", "Europe/Athens")
    assert found.tolist() == [
        [False, False, True],
        [True, False, True],
        [True, True, True],
        [False, False, False],
        [False, False, False],
    ]
    quiet = np.array([[True], [False], [False], [False], [True]])
    said = shut(world, facts_of(world, quiet=quiet))
    assert {name.rsplit("/", 1)[1] for name in said} == {"late"}
    assert set(said.values()) == {"quiet hours: 21 to 9 o'clock"}


def test_a_slot_whose_ends_the_clock_tells_twice_is_the_longest_it_can_be(tables):
    """Berlin on 25 October 2026: half past two is half past midnight in UTC, and half past one."""
    for band, hours, shut_ in (
        ((1, 2.5), (1, 1.25), True),  # until 01:30 UTC it may last
        ((1, 2.5), (1.5, 3), False),
        ((2.5, 4), (0.5, 0.75), True),  # from 00:30 UTC on it may begin
        ((2.5, 4), (23.75, 0.5), False),
    ):
        world = quiet_world({**tables}, hours=hours, slots={"only": band})
        assert silent(world, "2026-10-25", None, "UTC").tolist() == [[shut_], [False]]


def test_a_slot_ends_where_it_says_over_midnight_and_within_a_minute(tables):
    for band, hours, shut_ in (
        ((22, 2), (1, 3), False),  # in Berlin; one o'clock in UTC, when it is over
        ((22, 2), (0.99, 3), True),
        ((13, 13.008), (12, 13), True),  # half a minute of the quiet hour
        ((12, 13), (12, 13), False),
        ((13.01, 13.009), (3, 4), True),  # a whole day but for some seconds
    ):
        world = quiet_world({**tables}, hours=hours, slots={"only": band})
        assert silent(world, "2026-01-15", None, "UTC").tolist() == [[shut_], [False]]


def test_without_a_zone_of_the_world_no_hour_is_asked(tables):
    world = build(tables, guard={"quiet_hours": {"from_hour": 21, "to_hour": 9}})
    assert rules_of(world).doors.slots.start == rules_of(world).doors.slots.stop
    assert silent(world, "2026-01-15", "23:00", "") is None


# ---- all rules together

MORE = {
    "gap": lambda t: t["guard"].update(min_gap_days=3),
    "gap of a channel": lambda t: t["channels"]["push"].update(min_gap_days=7),
    "cap of an offer": lambda t: t["guard"]["caps"].append({"offer": "content", "per_days": 7, "at_most": 1}),
    "another cap": lambda t: t["guard"]["caps"].append({"per_days": 30, "at_most": 2}),
    "discounts": lambda t: t["guard"].update(max_discount_depth={"per_days": 30, "at_most": 0.45}),
    "first day": lambda t: t["offers"]["coupon20"].update(valid_from="2026-11-22"),
    "last day": lambda t: t["offers"]["perk"].update(valid_until="2026-11-20"),
    "a day": lambda t: t["offers"]["winback"].update(valid_from="2026-11-21", valid_until="2026-11-21"),
    "freshness": lambda t: t["guard"].update(max_age_days=3),
    "purpose": lambda t: t["offers"]["coupon20"].update(purpose="marketing"),
    "purpose of another": lambda t: t["offers"]["perk"].update(purpose="service"),
    "stock": lambda t: t["offers"]["content"].update(stock=3),
    "zone": lambda t: t["guard"].update(timezone="Europe/Berlin", quiet_hours={"from_hour": 21, "to_hour": 9}),
    "condition": lambda t: t["offers"]["content"].update(only_if="orders > 3"),
    "holdout": lambda t: t["guard"].update(holdout=0.3),
}


@st.composite
def crowds(draw, n=12):
    """Random knowledge of n customers of the small world, on 21 November 2026."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seen = {
        "segment": chance.integers(UNKNOWN, 2, n),
        "stage": chance.integers(UNKNOWN, 7, n),
        "orders": np.where(chance.random(n) < 0.2, np.nan, chance.integers(0, 30, n)),
    }
    counts = {key: chance.integers(0, 4, n) for key in [(c, d) for c in (None, 0, 1) for d in (3, 4, 5, 7, 30)]}
    by_offer = {(o, d): chance.integers(0, 3, n) for o in range(4) for d in (7,)}
    flags = {name: chance.random(n) < 0.15 for name in ("stale", "unclear", "shares_address", "suppressed")}
    known = {name: value if draw(st.booleans()) else None for name, value in flags.items()}
    depth, purposes = chance.integers(0, 6, n) * 100_000, chance.random((2, 2, n)) < 0.6
    return seen, dict(
        held_out=chance.random(n) < 0.1,
        consent=chance.random((2, n)) < 0.8,
        contacts=lambda channel, days: counts[channel, days],
        offer_contacts=lambda offer, days: by_offer[offer, days],
        depth=lambda days: depth,
        purposes={(c, p): purposes[c, i] for c in (0, 1) for i, p in enumerate(("marketing", "service"))},
        day=draw(st.sampled_from([None, (datetime.date(2026, 11, 21) - EPOCH).days])),
        sold_out=draw(st.sampled_from([None, np.array([True, False, False, False])])),
        quiet=draw(st.sampled_from([None, chance.random((1, n)) < 0.3])),
        **known,
    )


@given(crowds(), st.sets(st.sampled_from(sorted(MORE))), st.sampled_from(sorted(MORE)))
@settings(max_examples=150, deadline=None)
def test_any_rule_on_top_of_any_others_only_takes_away(small_world, crowd, some, more):
    """Invariant I16, over every rule that looks at one customer."""
    seen, known = crowd
    masks = []
    for names in (some, some | {more}):
        tables = small_world.model_dump(exclude_unset=True)
        for name in sorted(names):
            MORE[name](tables)
        world = check(World, tables, "test")
        facts = facts_of(world, 12, **known)
        facts = facts._replace(context=Context(world.features, {**facts.context.columns, **seen}))
        masks.append(allowed(rules_of(world), facts))
        assert np.array_equal(masks[-1], reasons(rules_of(world), facts) == "")
        assert masks[-1][:, NONE].all()
    assert not (masks[1] & ~masks[0]).any()


LESS = {
    "stale": np.True_,
    "unclear": np.True_,
    "shares_address": np.True_,
    "suppressed": np.True_,
    "held_out": np.True_,
    "quiet": np.True_,
}


@given(crowds(), st.sampled_from(sorted(LESS)), st.integers(0, 11))
@settings(max_examples=80, deadline=None)
def test_what_is_said_against_one_customer_takes_away_from_this_one_alone(small_world, crowd, what, row):
    tables = small_world.model_dump(exclude_unset=True)
    for name in sorted(MORE):
        MORE[name](tables)
    world = check(World, tables, "test")
    seen, known = crowd
    facts = facts_of(world, 12, **known)
    facts = facts._replace(context=Context(world.features, {**facts.context.columns, **seen}))
    shape = (1, 12) if what == "quiet" else (12,)
    was = getattr(facts, what)
    was = np.zeros(shape, bool) if was is None else was.copy()
    before = allowed(rules_of(world), facts)
    was[..., row] = True
    after = allowed(rules_of(world), facts._replace(**{what: was}))
    assert not after[row, 1:].any()
    others = np.arange(12) != row
    assert np.array_equal(after[others], before[others])


def test_every_rule_of_a_world_is_said_in_words(small_world):
    tables = small_world.model_dump(exclude_unset=True)
    for name in MORE:
        MORE[name](tables)
    tables["channels"]["sms"]["capacity"] = {"sends_per_day_per_1000_customers": 5.0}
    tables["guard"] |= {"budget": {"amount_per_1000_customers": 12.5}, "min_margin": 0.1, "max_stale_share": 0.2}
    said = {(rule.rule, rule.of): rule.says for rule in rules_said(check(World, tables, "test"))}
    assert said["gap", "push"] == "at least 7 days between sends on push"
    assert said["gap", ""] == "at least 3 days between sends on all channels"
    assert said["cap", "content"] == "at most 1 in 7 days of content"
    assert said["dates", "winback"] == "valid from 2026-11-21 until 2026-11-21, first and last day included"
    assert said["dates", "coupon20"] == "valid from 2026-11-22, first and last day included"
    assert said["dates", "perk"] == "valid until 2026-11-20, first and last day included"
    assert ("dates", "content") not in said
    assert said["consent", "coupon20"].endswith("`consent_push_marketing` or `consent_sms_marketing`")
    assert "Europe/Berlin" in said["quiet hours", ""]
    assert "more than 20%" in said["age of rows", ""]
    assert said["holdout", ""].startswith("30% of customers")
    assert said["stock", "content"].startswith("at most 3 sends")
    assert said["budget", ""].startswith("at most 12.5 EUR")
    rest = {"discounts", "margin", "capacity", "address", "suppression", "eligibility"}
    assert rest <= {rule for rule, _ in said}
    named = [rule for rule, _ in said]
    assert [a for a, b in pairwise(named) if a == "budget"] == []  # money is asked last


def test_some_customers_may_be_sent_what_they_may_among_all(small_world):
    panel = Panel(small_world, 80, seed=3)
    for _ in range(6):
        context, rows = panel.observe(), np.array([3, 70, 12, 3])
        everybody = panel.allowed(context)
        np.testing.assert_array_equal(panel.allowed(context, rows=rows), everybody[rows])
        part = slice(20, 60)
        np.testing.assert_array_equal(panel.allowed(context.take(part), part, rows[2:] + 1), everybody[rows[2:] + 21])
        panel.step(np.where(everybody[:, 1], 1, NONE))
