"""The clock: the panel when nothing delays, and otherwise one story told by hours that keeps every rule."""

import numpy as np
import pandas as pd
import pytest

from campaignrl.actions import NONE
from campaignrl.campaign import run_campaign, simulate_hours
from campaignrl.dynamics.advance import Outcome
from campaignrl.envs.clock.simulation import Clock, run_clock
from campaignrl.envs.panel import Panel
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import World, load_world
from campaignrl.tables.files.whole_files import read_frame, write_frame
from campaignrl.toml import check

SMS = "sms"
ANSWERS = {
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "purchased": "bought",
    "redeemed": "redeemed",
}
GIVEN_UP = ("abandoned", "expired", "withdrawn")


def always(name):
    """A decision that sends one thing to everybody who may have it."""

    def decide(panel):
        wanted = panel.world.catalog.id_of(name)
        return np.where(panel.allowed(panel.observe())[:, wanted], wanted, NONE)

    return decide


def busy_world(tables, **sms):
    """The small world with text messages that queue, nights that are quiet, and offers that run out."""
    capacity = {"sends_per_day_per_1000_customers": 15.0, "minutes_per_send": 30.0, "service": "exponential"}
    tables["channels"]["sms"] |= {"capacity": capacity, "patience_hours": 20.0, **sms}
    tables["offers"]["coupon20"]["expires_after_hours"] = 16.0
    tables["guard"]["quiet_hours"] = {"from_hour": 20.0, "to_hour": 9.0}
    return check(World, tables, "busy")


def per_customer(events, ids, event):
    found = events.loc[events["event"] == event, "customer"].value_counts()
    return found.reindex(ids, fill_value=0).to_numpy()


def kind(events, *names):
    return events[events["event"].isin(names)]


def test_without_delays_the_clock_is_the_panel_customer_by_customer():
    world = load_world("ecommerce")
    by_day = run_campaign(world, "uniform", customers=10_000, seed=5)
    by_hour = simulate_hours(world, "uniform", customers=10_000, seed=5)
    assert world.horizon == 90
    assert by_day.totals["bought"].sum() > 3_000
    different = [name for name in Outcome._fields if not np.array_equal(by_day.totals[name], by_hour.totals[name])]
    assert different == []
    assert all(np.array_equal(by_day.daily[name], by_hour.daily[name]) for name in Outcome._fields)


@pytest.mark.parametrize("policy", ["none", "uniform", "always:coupon20@sms"])
def test_a_budget_alone_changes_nothing_either(tables, policy):
    tables["guard"]["budget"] = {"amount_per_1000_customers": 40.0}
    world = check(World, tables, "test")
    by_day = run_campaign(world, policy, customers=800, seed=2)
    by_hour = simulate_hours(world, policy, customers=800, seed=2)
    assert all(np.array_equal(by_day.totals[name], by_hour.totals[name]) for name in Outcome._fields)


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_every_bundled_world_runs_by_the_hour(name):
    world = load_world(name, horizon=14)
    run = simulate_hours(world, "uniform", customers=200, seed=1)
    assert np.array_equal(per_customer(run.events, np.arange(200), "sent"), run.totals["sent"])
    assert len(run.load) == 24 * 14 * sum(c.capacity is not None for c in world.channels.values())
    if run.load.empty and world.guard.quiet_hours is None:
        by_day = run_campaign(world, "uniform", customers=200, seed=1)
        assert np.array_equal(by_day.totals["reward"], run.totals["reward"])


@pytest.fixture
def busy(tables):
    return simulate_hours(
        busy_world(tables, retry={"at_most": 2, "after_hours": 1.0}), "uniform", customers=2_000, seed=4
    )


def test_the_log_tells_of_every_answer_once(busy):
    for event, field in ANSWERS.items():
        assert np.array_equal(per_customer(busy.events, np.arange(2_000), event), busy.totals[field]), event
    happened = set(busy.events["event"].unique())
    assert {"dropped", "withdrawn", "held", "queued", "abandoned", "expired", "waited", "retried", "failed"} <= happened
    assert busy.events["time"].is_monotonic_increasing


def test_every_queued_send_is_sent_or_given_up_or_still_waits(busy):
    sms = busy.events[busy.events["channel"] == SMS]
    queued, sent = kind(sms, "queued"), kind(sms, "sent")
    given_up = kind(sms, *GIVEN_UP)
    waiting = busy.load[busy.load["channel"] == SMS]["waiting"].iloc[-1]
    outside = given_up["hours"].eq(0.0) | given_up["event"].eq("withdrawn")  # never came to queue, or may not have
    assert len(queued) - len(sent) - len(given_up) <= waiting <= len(queued) - len(sent) - len(given_up[~outside])
    assert busy.load["joined"].sum() >= len(queued)
    assert busy.load["begun"].sum() == len(sent) + len(kind(sms, "retried"))


def test_nothing_leaves_in_quiet_hours_and_nobody_is_sent_two_things_a_day(busy):
    hour = kind(busy.events, "sent", "retried")["time"] % 24.0
    assert hour.between(9.0 - 1e-6, 20.0).all()
    sent = kind(busy.events, "sent")
    assert not pd.Series(list(zip(sent["customer"], sent["time"] // 24.0, strict=True))).duplicated().any()


def test_answers_come_after_their_causes_on_the_same_day(busy):
    events = busy.events.assign(day=busy.events["time"] // 24.0)
    first = {e: kind(events, e).set_index(["customer", "day"])["time"] for e in ANSWERS}
    for effect, cause in (("delivered", "sent"), ("opened", "delivered"), ("clicked", "opened")):
        pair = pd.concat([first[effect], first[cause]], axis=1, keys=["effect", "cause"], join="inner")
        assert len(pair) == len(first[effect]) > 0, effect
        assert (pair["effect"] >= pair["cause"]).all(), effect
    clicked_and_bought = pd.concat([first["purchased"], first["clicked"]], axis=1, join="inner")
    assert (clicked_and_bought.iloc[:, 0] > clicked_and_bought.iloc[:, 1]).all()
    assert first["redeemed"].index.isin(first["purchased"].index).all()


def test_waits_keep_to_patience_and_expiry(busy):
    waited = kind(busy.events, "waited", *GIVEN_UP)["hours"].dropna()
    assert waited.between(0.0, 20.0 + 1e-9).all()
    assert np.allclose(kind(busy.events, "abandoned")["hours"], 20.0)
    coupons = busy.events[busy.events["offer"] == "coupon20"]
    sent = kind(coupons, "sent")
    assert (sent["time"] % 24.0 < 16.0).all()  # decided at midnight, so it is usable until 16:00
    assert len(sent) > 0


def test_caps_hold_on_the_days_of_sending(busy):
    sent = kind(busy.events, "sent")
    days = np.zeros((2_000, busy.world.horizon), dtype=int)
    np.add.at(days, (sent["customer"], (sent["time"] // 24.0).astype(int)), 1)
    texts = np.zeros_like(days)
    sms = sent[sent["channel"] == SMS]
    np.add.at(texts, (sms["customer"], (sms["time"] // 24.0).astype(int)), 1)
    for counts, window, most in ((days, 5, 3), (texts, 4, 1)):
        sums = np.lib.stride_tricks.sliding_window_view(counts, window, axis=1).sum(axis=2)
        assert sums.max() == most


def test_further_attempts_reach_those_whom_one_does_not(tables):
    """A channel that delivers 0.95 of attempts delivers 1 - 0.05 ** 3 of sends within three."""
    tables["channels"]["sms"]["reach"]["deliver"] = 0.5
    decide, n = always("coupon20@sms"), 3_000
    once = run_clock(Panel(check(World, tables, "once"), n, 1), decide)
    tables["channels"]["sms"]["retry"] = {"at_most": 2, "after_hours": 0.25}
    thrice = run_clock(Panel(check(World, tables, "thrice"), n, 1), decide)
    for run, share in ((once, 0.5), (thrice, 1.0 - 0.5**3)):
        sent, delivered = run.totals["sent"].sum(), run.totals["delivered"].sum()
        assert delivered / sent == pytest.approx(share, abs=4 * np.sqrt(0.25 / sent) + 0.01)  # some begin near midnight
    retried = len(kind(thrice.events, "retried")) / thrice.totals["sent"].sum()
    assert retried == pytest.approx(0.5 + 0.25, abs=0.03)
    assert thrice.totals["cost"].sum() == pytest.approx(0.08 * thrice.totals["sent"].sum())


def test_a_channel_that_is_shut_sends_nothing(tables):
    tables["channels"]["sms"]["capacity"] = {"sends_per_day_per_1000_customers": 0.0}
    run = run_clock(Panel(check(World, tables, "shut"), 300, 0), always("coupon20@sms"))
    assert run.totals["sent"].sum() == 0.0
    assert set(run.events["event"].unique()) <= {"queued", "dropped", "abandoned", "withdrawn", "purchased"}


def test_capacity_bounds_the_sends_of_every_day(tables):
    capacity = {"sends_per_day_per_1000_customers": 40.0}
    tables["channels"]["sms"] |= {"capacity": capacity, "patience_hours": 100.0}
    run = run_clock(Panel(check(World, tables, "narrow"), 1_000, 0), always("coupon20@sms"))
    assert run.daily["sent"].max() in (40.0, 41.0)  # one may be under way at midnight
    assert run.daily["sent"][1:].min() >= 39.0


def test_money_is_reserved_and_comes_back(tables):
    tables["guard"]["budget"] = {"amount_per_1000_customers": 60.0}
    world = busy_world(tables)
    clock = Clock(Panel(world, 1_000, 3), always("coupon20@sms"))
    spent, cost = 0, world.catalog.cost_of
    for day in range(world.horizon):
        outcome = clock.next_day()
        spent += round(float(outcome.cost.sum(dtype=np.float64)) * 100)
        under_way = sum(int(cost[job.action]) for queue in clock.queues.values() for job in queue.waiting)
        under_way += int(cost[clock._over.action].sum())
        assert clock._spending.spent == spent + under_way
        assert clock._spending.spent <= 6_000 * (day + 1) // world.horizon
    assert len(kind(clock.log.frame(np.arange(1_000)), *GIVEN_UP)) > 0
    assert spent > 0


def test_the_same_seed_gives_the_same_bytes_however_the_work_is_divided(tables, tmp_path):
    world = busy_world(tables)
    files = []
    for i, how in enumerate(({"threads": 1}, {"threads": 2, "block": 97})):
        panel = Panel(world, 500, 9, **how)
        run = run_clock(panel, always("coupon20@sms"))
        write_frame(run.events, tmp_path / f"{i}.parquet")
        files.append((tmp_path / f"{i}.parquet").read_bytes())
    assert files[0] == files[1]
    again = read_frame(tmp_path / "0.parquet")
    assert list(again.columns) == ["time", "customer", "event", "offer", "channel", "hours"]
    assert again["event"].astype(str).tolist() == run.events["event"].astype(str).tolist()


def test_the_order_of_customers_changes_no_life(tables):
    world = busy_world(tables)
    order = np.random.default_rng(0).permutation(600)
    lives = [run_clock(Panel(world, ids, 9), always("coupon20@sms")).totals for ids in (np.arange(600), order)]
    assert all(np.array_equal(lives[0][name][order], lives[1][name]) for name in Outcome._fields)


def test_progress_is_told_day_by_day(small_world):
    heard = []
    simulate_hours(small_world, "none", customers=5, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(day + 1, small_world.horizon) for day in range(small_world.horizon)]


def moments(totals):
    """Mean and variance over customers of purchases, sends and redemptions, each with its standard error."""
    found = {}
    for name in ("bought", "sent", "redeemed"):
        x = totals[name]
        centred = x - x.mean()
        variance = (centred**2).mean()
        fourth = (centred**4).mean()
        found[f"mean {name}"] = (x.mean(), np.sqrt(variance / len(x)))
        found[f"variance {name}"] = (variance, np.sqrt((fourth - variance**2) / len(x)))
    return found


@pytest.mark.parametrize("policy", ["none", "uniform", "always:winback@sms"])
def test_short_queues_leave_the_moments_of_the_panel(tables, policy):
    """The same customers with the same luck; errors as if they were two samples. Sends lost past midnight are few."""
    capacity = {"sends_per_day_per_1000_customers": 150.0, "minutes_per_send": 5.0, "service": "exponential"}
    tables["channels"]["sms"]["capacity"] = capacity
    world = check(World, tables, "mild")
    by_day = run_campaign(world, policy, customers=6_000, seed=1).totals
    run = simulate_hours(world, policy, customers=6_000, seed=1)
    by_hour = moments(run.totals)
    for name, (value, error) in moments(by_day).items():
        assert abs(by_hour[name][0] - value) <= 3.0 * error, name
    if policy == "uniform":
        assert len(kind(run.events, "waited")) > 2_000
        assert not np.array_equal(by_day["sent"], run.totals["sent"])


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["uniform", "rules"])
def test_the_web_shop_by_the_hour_keeps_the_moments_of_the_panel(policy):
    """Full size: 10,000 customers, 90 days, every channel a queue in which a third of the sends or more wait."""
    spec = load_world("ecommerce").model_dump(exclude_unset=True)
    for name, sends in {"push": 330.0, "feed": 330.0, "email": 330.0, "popup": 270.0, "sms": 180.0}.items():
        capacity = {"sends_per_day_per_1000_customers": sends, "minutes_per_send": 3.0, "service": "exponential"}
        spec["channels"][name]["capacity"] = capacity
    world = check(World, spec, "queued shop")
    run = simulate_hours(world, policy, customers=10_000, seed=1)
    by_hour = moments(run.totals)
    for name, (value, error) in moments(run_campaign(world, policy, customers=10_000, seed=1).totals).items():
        assert abs(by_hour[name][0] - value) <= 3.0 * error, name
    assert len(kind(run.events, "waited")) > 0.3 * len(kind(run.events, "queued"))
