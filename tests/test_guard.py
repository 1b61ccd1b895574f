"""The guard: each rule by hand, caps and consent recounted from the log, and rules that only ever take away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl import rng
from campaignrl.campaign import run_campaign, simulate
from campaignrl.envs.panel import Panel
from campaignrl.features import UNKNOWN, Context
from campaignrl.guard.checks import Facts
from campaignrl.guard.rules import allowed, cap_windows, reasons, rules_of
from campaignrl.rng import Purpose
from campaignrl.specs.world import World, load_world
from campaignrl.specs.world_features import STAGES
from campaignrl.toml import check


def facts_of(world, n=1, *, held_out=False, suppressed=None, consent=True, contacts=None, **seen):
    """n equal customers about whom everything is known and fine, but for what is given."""
    columns = {
        f.name: np.full(n, 0 if f.levels else f.low, dtype=np.int8 if f.levels else np.float32)
        for f in world.features.features
    }
    for name, value in seen.items():
        levels = world.features[name].levels
        columns[name] = np.full(n, (levels.index(value) if value else UNKNOWN) if levels else value)
    sent = contacts or {}
    return Facts(
        np.full(n, held_out),
        None if suppressed is None else np.full(n, suppressed),
        np.broadcast_to(np.reshape(consent, (-1, 1)), (len(world.channels), n)).copy(),
        Context(world.features, columns),
        lambda channel, days: np.full(n, sent.get((channel, days), 0)),
    )


def allowed_names(world, facts):
    mask = allowed(rules_of(world), facts)
    return [name for name, ok in zip(world.catalog.names, mask[0], strict=True) if ok]


FINE = {"segment": "loyal", "stage": "dormant"}  # meets both conditions of the small world
EVERYTHING = ["none", "content@push", "coupon20@push", "coupon20@sms", "perk@push", "winback@sms"]


def test_everything_is_allowed_where_no_rule_objects(small_world):
    facts = facts_of(small_world, **FINE)
    assert allowed_names(small_world, facts) == EVERYTHING
    assert (reasons(rules_of(small_world), facts) == "").all()


# What is known of the customer, what is still allowed, and the reason for coupon20@sms (None: allowed).
RULES = {
    "held out": ({"held_out": True}, ["none"], "holdout"),
    "suppressed": ({"suppressed": True}, ["none"], "suppressed"),
    "not suppressed": ({"suppressed": False}, EVERYTHING, None),
    "suppressed and held out": ({"held_out": True, "suppressed": True}, ["none"], "suppressed"),
    "no consent for sms": (
        {"consent": [True, False]},
        ["none", "content@push", "coupon20@push", "perk@push"],
        "no consent: sms",
    ),
    "no consent at all": ({"consent": [False, False]}, ["none"], "no consent: sms"),
    "not eligible for the perk": (
        {"segment": "bargain", "orders": 10.0},
        [name for name in EVERYTHING if name != "perk@push"],
        None,
    ),
    "eligible by orders": ({"segment": "bargain", "orders": 11.0}, EVERYTHING, None),
    "unknown segment": ({"segment": ""}, [name for name in EVERYTHING if name != "perk@push"], None),
    "unknown stage": ({"stage": ""}, [name for name in EVERYTHING if name != "winback@sms"], None),
    "a cap not yet reached": ({"contacts": {(None, 5): 2}}, EVERYTHING, None),
    "a cap reached": ({"contacts": {(None, 5): 3}}, ["none"], "cap: 3 in 5 days on all channels"),
    "a cap passed": ({"contacts": {(None, 5): 99}}, ["none"], "cap: 3 in 5 days on all channels"),
    "a cap of one channel": (
        {"contacts": {(1, 4): 1, (None, 5): 1}},
        ["none", "content@push", "coupon20@push", "perk@push"],
        "cap: 1 in 4 days on sms",
    ),
    "consent before cap": ({"consent": [True, False], "contacts": {(1, 4): 1}}, None, "no consent: sms"),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_by_hand(small_world, name):
    known, names, reason = RULES[name]
    facts = facts_of(small_world, **{**FINE, **known})
    if names is not None:
        assert allowed_names(small_world, facts) == names
    given_reason = reasons(rules_of(small_world), facts)[0, small_world.catalog.id_of("coupon20@sms")]
    assert given_reason == (reason or "")


def test_a_cap_of_nothing_blocks_everything(tables):
    tables["guard"]["caps"] = [{"per_days": 1, "at_most": 0}]
    world = check(World, tables, "test")
    assert allowed_names(world, facts_of(world, **FINE)) == ["none"]


def test_the_windows_a_table_must_bring_are_named_once(tables):
    tables["guard"]["caps"] += [{"channel": "sms", "per_days": 4, "at_most": 3}, {"per_days": 30, "at_most": 9}]
    assert cap_windows(check(World, tables, "test")) == [("sms", 4), (None, 5), (None, 30)]


def test_a_window_is_open_again_on_its_last_day_plus_one(tables):
    """A send on day d counts up to day d + per_days - 1 and no longer on day d + per_days."""
    tables["guard"] = {"caps": [{"channel": "sms", "per_days": 4, "at_most": 1}]}
    tables["offers"]["coupon20"]["only_if"] = ""
    for channel in tables["channels"].values():
        channel["unsubscribe"] = {"base": 1e-9}
    world = check(World, {**tables, "horizon": 8}, "test")
    panel, sms = Panel(world, 400, seed=1), world.catalog.id_of("coupon20@sms")
    willing = panel.state.consent[1]
    open_on = []
    for day in range(8):
        free = panel.allowed(panel.observe())[:, sms]
        assert free.sum() in (0, willing.sum())  # all customers alike
        open_on.append(bool(free.any()))
        panel.step(np.where(free & (day in (1, 5)), sms, 0))
    assert open_on == [True, True, False, False, False, True, False, False]


# ---- rules only take away


@st.composite
def situations(draw, channels=2, windows=((1, 4), (None, 5), (None, 30), (0, 7))):
    """Random knowledge of 12 customers of the small world."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = 12
    return {
        "held_out": chance.random(n) < 0.2,
        "suppressed": None if draw(st.booleans()) else chance.random(n) < 0.2,
        "consent": chance.random((channels, n)) < 0.7,
        "segment": chance.integers(UNKNOWN, 2, n),
        "stage": chance.integers(UNKNOWN, len(STAGES), n),
        "orders": np.where(chance.random(n) < 0.2, np.nan, chance.integers(0, 30, n)).astype(np.float32),
        "contacts": {window: chance.integers(0, 5, n) for window in windows},
    }


def of_situation(world, s):
    n = len(s["held_out"])
    base = facts_of(world, n)
    columns = {**base.context.columns, **{name: s[name] for name in ("segment", "stage", "orders")}}
    contacts = s["contacts"]
    return base._replace(
        held_out=s["held_out"],
        suppressed=s["suppressed"],
        consent=s["consent"],
        context=Context(world.features, columns),
        contacts=lambda channel, days: contacts[channel, days],
    )


@given(situations())
@settings(max_examples=60, deadline=None)
def test_none_is_always_allowed_and_every_refusal_has_a_reason(small_world, situation):
    facts = of_situation(small_world, situation)
    mask, why = allowed(rules_of(small_world), facts), reasons(rules_of(small_world), facts)
    assert mask.dtype == bool
    assert mask.shape == why.shape == (12, len(small_world.catalog))
    assert mask[:, 0].all()
    assert np.array_equal(why == "", mask)


extra_rules = st.sampled_from(
    [
        ("caps", {"per_days": 30, "at_most": 1}),
        ("caps", {"channel": "push", "per_days": 7, "at_most": 2}),
        ("caps", {"channel": "sms", "per_days": 4, "at_most": 0}),
        ("content", "orders > 3"),
        ("coupon20", "segment == 'bargain'"),
        ("coupon20", "stage not in ['new', 'prospect'] and orders <= 20"),
        ("perk", "(segment == 'loyal' or orders > 10) and stage != 'churned'"),
    ]
)


@given(situations(), st.lists(extra_rules, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_adding_a_rule_only_takes_away(small_world, situation, more):
    stricter = small_world.model_dump(exclude_unset=True)
    for what, rule in more:
        if what == "caps":
            stricter["guard"]["caps"].append(rule)
        else:
            stricter["offers"][what]["only_if"] = rule
    facts = of_situation(small_world, situation)
    before = allowed(rules_of(small_world), facts)
    after = allowed(rules_of(check(World, stricter, "stricter")), facts)
    assert not (after & ~before).any()


LESS = {"consent": False, "segment": UNKNOWN, "stage": UNKNOWN, "orders": np.nan, "suppressed": True, "held_out": True}


@given(situations(), st.integers(0, 11), st.sampled_from(sorted(LESS)))
@settings(max_examples=100, deadline=None)
def test_knowing_less_of_a_customer_only_takes_away_and_only_from_this_one(small_world, situation, row, what):
    before = allowed(rules_of(small_world), of_situation(small_world, situation))
    known = np.zeros(12, bool) if situation[what] is None else situation[what].copy()
    known[..., row] = LESS[what]
    after = allowed(rules_of(small_world), of_situation(small_world, {**situation, what: known}))
    assert not (after & ~before).any()
    others = np.arange(12) != row
    assert np.array_equal(after[others], before[others])


# ---- sixty days of real use, recounted by somebody else

WORLD = load_world("ecommerce", horizon=60)


@pytest.fixture(scope="module")
def sixty_days():
    """Decisions of an eager sender: every customer, every day, whatever is allowed; (n, T) action ids and masks."""
    log = simulate(WORLD, "uniform", customers=1500, seed=5)
    shape = (1500, 60)
    return log, log.action.reshape(shape), log.eligible.reshape(*shape, -1)


def test_caps_hold_in_every_window_by_brute_force(sixty_days):
    _, action, eligible = sixty_days
    channel = WORLD.catalog.channel_of[action]
    names = list(WORLD.channels)
    for cap in WORLD.guard.caps:
        hit = action > 0 if cap.channel is None else channel == names.index(cap.channel)
        reached = 0
        for start in range(60 - cap.per_days + 1):
            in_window = hit[:, start : start + cap.per_days].sum(axis=1)
            assert in_window.max() <= cap.at_most
            reached += int((in_window == cap.at_most).sum())
        assert reached > 0  # the cap was felt
        # And never tighter than stated: with room in the window, some action of its scope is open to somebody.
        scope = [k for k in range(1, len(WORLD.catalog)) if cap.channel in (None, names[WORLD.catalog.channel_of[k]])]
        for day in range(cap.per_days, 60, 7):
            before = hit[:, day - cap.per_days + 1 : day].sum(axis=1)
            assert not eligible[before >= cap.at_most, day][:, scope].any()
            assert eligible[before < cap.at_most, day][:, scope].any()


@pytest.mark.parametrize("name", ["ecommerce", "bank", "retail", "travel", "no_memory"])
def test_an_action_is_allowed_exactly_where_no_rule_gives_a_reason(name):
    world = load_world(name)
    panel, chance = Panel(world, 120, seed=3), np.random.default_rng(1)
    refused = set()
    for _ in range(12):
        facts = panel.facts(panel.observe())
        mask, why = allowed(panel.rules, facts), reasons(panel.rules, facts)
        assert np.array_equal(mask, why == "")
        refused |= {text.partition(":")[0] for text in np.unique(why)}
        panel.step((chance.random(mask.shape) * mask).argmax(axis=1))
    stated = {"holdout": world.guard.holdout, "not eligible": world.conditions, "cap": world.guard.caps}
    assert refused == {"", "no consent", *(rule for rule, present in stated.items() if present)}


def test_consent_is_never_broken_after_an_unsubscribe():
    panel, rules_seen = Panel(WORLD, 2500, seed=5), 0
    chance = np.random.default_rng(0)
    ever_lost = np.zeros((len(WORLD.channels), 2500), bool)
    at_start = panel.state.consent.copy()
    for _ in range(60):
        mask = panel.allowed(panel.observe())
        scores = np.where(mask, chance.random(mask.shape), -1.0)
        scores[:, 0] = 0.0 * scores[:, 0]  # send whatever may be sent
        action = scores.argmax(axis=1)
        channel = WORLD.catalog.channel_of[action]
        rows = np.flatnonzero(action)
        assert at_start[channel[rows], rows].all()
        assert not ever_lost[channel[rows], rows].any()
        out = panel.step(action)
        gone = np.flatnonzero(out.unsubscribed)
        ever_lost[channel[gone], gone] = True
        rules_seen += len(gone)
    assert rules_seen > 50
    assert np.array_equal(panel.state.consent, at_start & ~ever_lost)


def test_the_holdout_is_never_treated(sixty_days):
    log, action, eligible = sixty_days
    keys = rng.customer_keys(log.customers)  # ids as text, as a table would hold them
    held_out = rng.uniform(keys, WORLD.guard.holdout_salt, 0, Purpose.HOLDOUT) < WORLD.guard.holdout
    assert 40 < held_out.sum() < 120
    assert (action[held_out] == 0).all()
    assert not eligible[held_out][:, :, 1:].any()
    assert (action[~held_out] > 0).any(axis=1).mean() > 0.99


def test_the_holdout_is_the_same_for_every_seed_batch_and_policy():
    arms = [
        Panel(WORLD, ids, seed=seed, block=block).traits.held_out
        for ids, seed, block in ((500, 0, 10_000), (500, 99, 64), (np.arange(500), 7, 7))
    ]
    assert all(np.array_equal(arm, arms[0]) for arm in arms)
    backwards = Panel(WORLD, np.arange(500)[::-1], seed=3).traits.held_out
    assert np.array_equal(backwards[::-1], arms[0])


def test_another_salt_is_another_holdout(small_world):
    arms = []
    for salt in (0, 1, 2):
        guard = {**small_world.guard.model_dump(), "holdout_salt": salt}
        arms.append(Panel(load_world(small_world, guard=guard), 20_000).traits.held_out)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = (arms[a] & arms[b]).mean()
        assert both == pytest.approx(0.01, abs=4 * np.sqrt(0.01 / 20_000))


def test_no_holdout_where_none_is_wanted(small_world):
    guard = {**small_world.guard.model_dump(), "holdout": 0.0}
    assert not Panel(load_world(small_world, guard=guard), 2000).traits.held_out.any()


def test_what_is_eligible_in_a_log_is_what_was_sent(sixty_days):
    _, action, eligible = sixty_days
    assert eligible[:, :, 0].all()
    assert np.take_along_axis(eligible, action[..., None].astype(int), axis=2).all()
    campaign = run_campaign(WORLD, "uniform", customers=1500, seed=5)
    assert campaign.totals["sent"].tolist() == (action > 0).sum(axis=1).tolist()
