"""The bundled worlds: each runs, keeps the contract of a world, and is what its first lines promise."""

from __future__ import annotations

import re

import numpy as np
import pytest

from campaignrl.campaign import run_campaign
from campaignrl.dynamics.advance import Outcome
from campaignrl.envs.panel import Panel
from campaignrl.errors import SpecError
from campaignrl.policies.loading import build_policy
from campaignrl.specs.bundled import bundled_files, bundled_folder
from campaignrl.specs.world import World, load_world
from campaignrl.true_value import Value, campaign_lift, campaign_value, decision_lift

WORLDS = sorted(bundled_files("envs"))

# Changes when an action is renamed, added, moved or re-priced: logs and bundles of before no longer fit. Say so then.
CATALOG_HASHES = {
    "bank": "bb00274c27f74192",
    "churn_rescue": "4cfc0fbd36f13b1a",
    "coupon_trap": "066c3c323e1a2215",
    "ecommerce": "eb3eeb81a2bda46b",
    "no_memory": "605d7102081c4a99",
    "retail": "69c17dc4474894b7",
    "tight_budget": "4f706b1d2c5ba1d6",
    "travel": "d7f9f349271a67ab",
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    return load_world(request.param)


def lift(world: World, policy: object, customers: int = 4_000, seed: int = 1) -> Value:
    """Gain per customer of a policy over nothing sent; a list is a table of rules (condition, actions)."""
    if isinstance(policy, list):
        table = [{"when": when, "send": send} for when, send in policy]
        policy = build_policy({"kind": "rules", "rule": table}, world.catalog, world.features, name="table")
    played, none = (run_campaign(world, p, customers=customers, seed=seed) for p in (policy, "none"))
    return campaign_lift(played, none)


# ---- the contract of every world


def test_all_worlds_of_the_plan_are_there():
    assert set(CATALOG_HASHES) == set(WORLDS)


def test_catalogs_are_as_they_were(world):
    assert world.catalog.hash == CATALOG_HASHES[world.name]


def test_a_world_plays_and_its_parts_add_up(world):
    """500 customers for 10 days with every action tried; any warning is an error here."""
    campaign = run_campaign(load_world(world, horizon=10), "uniform", customers=500, seed=3, keep_log=True)
    parts = {name: total.sum() for name, total in campaign.totals.items()}
    lost = world.money.unsubscribe * parts["unsubscribed"]
    assert parts["reward"] == pytest.approx(parts["margin"] - parts["discount"] - parts["cost"] - lost, abs=1e-2)
    assert parts["sent"] > 0
    assert parts["clicked"] <= parts["opened"] <= parts["delivered"] <= parts["sent"]
    assert campaign.log is not None
    assert campaign.log.eligible is not None
    assert campaign.log.eligible[:, 0].all()
    assert np.isfinite(campaign.log.reward).all()


def test_nothing_may_always_be_sent_and_consent_is_kept(world):
    panel = Panel(world, 400, seed=5)
    mask = panel.allowed(panel.observe())
    assert mask[:, 0].all()
    channel = world.catalog.channel_of
    for k in range(1, len(world.catalog)):
        assert not (mask[:, k] & ~panel.state.consent[channel[k]]).any()
    held_out = panel.traits.held_out
    assert not mask[held_out, 1:].any()


def test_every_action_can_be_sent_to_somebody(world):
    """No offer whose condition nobody meets, and no channel without consent."""
    panel = Panel(world, 4_000, seed=5)
    ever = np.zeros(len(world.catalog), dtype=bool)
    for _ in range(min(world.horizon, 3)):
        mask = panel.allowed(panel.observe())
        ever |= mask.any(axis=0)
        panel.step(np.zeros(len(panel), dtype=np.int64))
    assert np.array(world.catalog.names)[~ever].tolist() == []


def test_rates_of_a_world_are_shares(world):
    for segment in world.segments.values():
        assert all(0.0 <= share <= 1.0 for share in segment.consent.values())
        assert 0.0 < segment.basket.margin < 0.6
        assert segment.purchase.rate < 0.1  # orders a day
    assert sum(s.share for s in world.segments.values()) == pytest.approx(1.0)
    assert (world.catalog.cost_of >= 0).all()
    assert world.outcome_days < world.horizon


def test_the_index_says_what_the_titles_say():
    text = (bundled_folder("envs") / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)\.toml` \| (.+) \|$", text, flags=re.MULTILINE))
    assert rows == {name: load_world(name).title for name in WORLDS}


def test_business_as_usual_of_every_world_sends(world):
    name = "rules" if world.name == "ecommerce" else f"rules_{world.name}"
    campaign = run_campaign(load_world(world, horizon=10), name, customers=500, seed=3)
    used = campaign.action_counts.sum(axis=0)[1:] > 0
    assert campaign.totals["sent"].mean() > 0.1
    assert used.sum() >= 2


# ---- what the study worlds promise


def test_no_memory_nothing_sent_today_changes_tomorrow():
    """Two panels with the same luck, one contacted every day: no latent state and no permission differs, ever."""
    world = load_world("no_memory")
    contacted, quiet = Panel(world, 2_000, seed=2), Panel(world, 2_000, seed=2)
    assert world.outcome_days == 1
    sends = 0
    for day in range(15):
        allowed = contacted.allowed(contacted.observe())
        action = np.array([np.flatnonzero(row)[day % row.sum()] for row in allowed])
        sends += int((action > 0).sum())
        contacted.step(action)
        quiet.step(np.zeros(2_000, dtype=np.int64))
        for field in (
            "alive",
            "consent",
            "stocks",
        ):
            assert np.array_equal(getattr(contacted.state, field), getattr(quiet.state, field)), field
        assert (contacted.state.live_offer == -1).all()
    assert sends > 10_000


def test_no_memory_yesterdays_send_does_not_change_todays_reward():
    world = load_world("no_memory")
    after_send, after_none = Panel(world, 20_000, seed=4), Panel(world, 20_000, seed=4)
    mask = after_send.allowed(after_send.observe())
    coupon = world.catalog.id_of("coupon20@sms")
    after_send.step(np.where(mask[:, coupon], coupon, 0))
    after_none.step(np.zeros(20_000, dtype=np.int64))
    today = np.where(mask[:, coupon], world.catalog.id_of("content@sms"), 0)
    first, second = after_send.step(today), after_none.step(today)
    for field in Outcome._fields:
        assert np.array_equal(getattr(first, field), getattr(second, field)), field


def test_coupon_trap_a_coupon_pays_within_its_week():
    world = load_world("coupon_trap", horizon=12)  # nobody has seen many coupons yet
    coupon = decision_lift(world, "always:coupon10@email", "none", "none", customers=40_000, seed=2)
    content = decision_lift(world, "always:content@email", "none", "none", customers=40_000, seed=2)
    assert coupon.ci_low > 0.0
    assert coupon.value > content.value


def test_coupon_trap_repeated_coupons_ruin_the_full_price():
    world = load_world("coupon_trap")
    every_week, far_sighted = lift(world, "rules_coupon_trap"), lift(world, "always:content@email")
    assert every_week.ci_high < -5.0  # of 62 with nothing sent
    assert far_sighted.ci_low > 0.0


def test_churn_rescue_by_sensitivity_beats_by_risk():
    world = load_world("churn_rescue")
    by_risk = lift(world, [("segment == 'leaving'", ["perk@email", "perk@call"])], 5_000)
    by_sensitivity = lift(world, [("segment == 'wavering'", ["perk@email", "perk@call"])], 5_000)
    assert by_sensitivity.ci_low > max(by_risk.ci_high, 0.0)
    assert by_risk.value < 0.2 * by_sensitivity.value


def test_tight_budget_gain_per_unit_beats_gain():
    world = load_world("tight_budget")
    rules = [("segment == 'business'", ["news@sms"]), ("segment == 'private'", ["coupon15@sms"])]
    per_unit, by_gain = lift(world, rules, 10_000), lift(world, "rules_tight_budget", 10_000)
    assert per_unit.ci_low > by_gain.value
    assert per_unit.value > by_gain.ci_high


def test_tight_budget_pays_for_one_send_in_ten():
    world = load_world("tight_budget")
    free = load_world(world, guard={"caps": [cap.model_dump() for cap in world.guard.caps]})
    paid, wanted = (run_campaign(w, "uniform", customers=4_000, seed=1).totals["cost"].mean() for w in (world, free))
    assert world.guard.budget is not None
    assert paid <= world.guard.budget.amount_per_1000_customers / 1000 + 1e-6
    assert 0.05 < paid / wanted < 0.2


@pytest.mark.parametrize("name", ["bank", "retail", "travel"])
def test_the_season_is_in_the_revenue_of_nothing_sent(name):
    """The days of the strongest event bring more than the days of the weakest, by about as much as the file says."""
    world = load_world(name)
    assert world.season is not None
    strongest = max(world.season.events, key=lambda event: event.factor)
    weakest = min(world.season.events, key=lambda event: event.factor)
    daily = run_campaign(world, "none", customers=6_000, seed=1).daily["bought"]
    per_day = [daily[e.day : e.day + e.days].mean() for e in (strongest, weakest)]
    assert per_day[0] / per_day[1] == pytest.approx(strongest.factor / weakest.factor, rel=0.35)


# ---- wrong input: everything at once


def test_every_mistake_of_a_world_is_named_at_once(tmp_path):
    text = bundled_files("envs")["coupon_trap"].read_text(encoding="utf-8")
    slips = {
        "share = 0.60": "share = 0.70",
        'channels = ["email", "push"]\nappeal': "channels = []\nappeal",
        "consent = { email = 0.90": "consent = { email = 1.90",
        "cost = 0.01\nreach = { deliver = 0.98": "cost = -0.01\ncapacity = 20\nreach = { deliver = 0.98",
        'title = "20 % off"': 'title = "20 % off"\nonly_if = "stag == \'new\'"',
    }
    for right, wrong in slips.items():
        assert right in text
        text = text.replace(right, wrong, 1)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        load_world(path)
    said = {(problem.where, problem.field) for problem in raised.value.problems}
    assert said == {
        ("mine.toml [segments]", "sum of share"),
        ("mine.toml [offers.content]", "channels"),
        ("mine.toml [segments.regular.consent]", "email"),
        ("mine.toml [channels.email]", "cost"),
        ("mine.toml [channels.email]", "capacity"),
        ("mine.toml [offers.coupon20] only_if", "feature"),
    }
    assert "sends_per_day_per_1000_customers" in str(raised.value)


@pytest.mark.parametrize(
    "tables",
    [
        {"segments": [], "channels": 3, "offers": "none"},
        {"segments": {"a": 1}, "channels": {"b": []}, "offers": {"c": {"channels": [1, {}], "only_if": 7}}},
        {
            "segments": {"a": {"share": "x", "profile": {"d": [1]}, "consent": 2}},
            "guard": {"caps": [1, {"channel": []}]},
        },
        {"money": {"minor_per_unit": "many"}, "channels": {"b": {"cost": float("nan")}}, "horizon": {}},
    ],
)
def test_tables_of_the_wrong_shape_are_refused_in_words(tables, tmp_path):
    with pytest.raises(SpecError) as raised:
        load_world("no_memory", **tables)
    assert len(raised.value.problems) >= 2


def test_values_of_nothing_sent_are_positive(world):
    value = campaign_value(run_campaign(world, "none", customers=1_000, seed=1))
    assert value.ci_low > 0.0
