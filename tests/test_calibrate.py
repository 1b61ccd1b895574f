"""A world calibrated on what a known world produced has the numbers of that world; files, provenance, wrong input."""

import json
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.calibration.calibrate import calibrate
from campaignrl.calibration.response.campaign_rows import campaign_of_events, last_send
from campaignrl.calibration.response.conversion_delay import delay_numbers
from campaignrl.calibration.world.currency import in_currency
from campaignrl.calibration.world.replay import days_needed, replay, translation
from campaignrl.calibration.world.world_file import world_text
from campaignrl.campaign import ready_policy
from campaignrl.choices import decide_day
from campaignrl.cli.main import app
from campaignrl.envs.events_export import play_history, truth_of
from campaignrl.envs.panel import Panel
from campaignrl.errors import DataError, SpecError, UsageError
from campaignrl.specs.provenance import Provenance, leaves, place
from campaignrl.specs.world import World, load_world
from campaignrl.tables.log.files import write_log
from campaignrl.toml import check

N, START = 2_500, "2026-01-01"
SEGMENT = {
    "regular": {"share": 0.4, "rate": 0.06, "days": 400, "mean": 60, "feels": 0.15, "email": 0.3},
    "saver": {"share": 0.6, "rate": 0.03, "days": 250, "mean": 35, "feels": 0.35, "email": -0.2},
}
KNOWN = {
    "name": "known",
    "horizon": 50,
    "tenure_days": 400.0,
    "segments": {
        name: {
            "share": s["share"],
            "purchase": {"rate": s["rate"], "spread": 0.8},
            "lifetime": {"days": s["days"], "spread": 1.0},
            "basket": {"model": "gamma_gamma", "mean": s["mean"], "spread": 0.5, "within": 0.4, "margin": 0.4},
            "price_sensitivity": {"mean": s["feels"], "spread": 0.5},
            "consent": {"email": 0.9, "sms": 0.6},
            "affinity": {"email": s["email"]},
            "profile": {"device": {"ios": 0.6, "android": 0.4}},
        }
        for name, s in SEGMENT.items()
    },
    "channels": {
        "email": {
            "cost": 0.01,
            "reach": {"deliver": 0.97, "open": 0.3, "click": 0.15},
            "unsubscribe": {"base": 0.004, "per_fatigue": 0.3},
        },
        "sms": {
            "cost": 0.05,
            "reach": {"deliver": 0.95, "open": 0.7, "click": 0.08},
            "unsubscribe": {"base": 0.01, "per_fatigue": 0.3},
            "fatigue": 2.0,
        },
    },
    "offers": {
        "news": {"kind": "content", "channels": ["email"], "appeal": 0.5, "valid_days": 1},
        "coupon20": {"kind": "coupon", "channels": ["email", "sms"], "discount": 0.2, "valid_days": 5, "redeem": 0.8},
    },
    "response": {"click_lift": 0.8},
    "fatigue": {"half_life_days": 7.0, "open": 0.2},
    "guard": {"caps": [{"per_days": 4, "at_most": 1}]},
}


def template():
    """The same shop with other numbers wherever the log can tell."""
    tables = json.loads(json.dumps(KNOWN)) | {"name": "like"}
    tables["segments"] = {
        "any": {**tables["segments"]["saver"], "share": 1.0, "purchase": {"rate": 0.02, "spread": 1.5}}
    }
    any_ = tables["segments"]["any"]
    any_ |= {"lifetime": {"days": 100, "spread": 0.7}, "price_sensitivity": {"mean": 0.6}, "affinity": {}}
    for channel in tables["channels"].values():
        channel["reach"] = {"deliver": 0.8, "open": 0.5, "click": 0.2}
        channel["unsubscribe"] = {"base": 0.002, "per_fatigue": 0.1}
    tables["offers"]["news"]["appeal"] = 0.0
    tables["offers"]["coupon20"]["redeem"] = 0.5
    tables["fatigue"]["open"] = 0.05
    return check(World, tables, "like")


@pytest.fixture(scope="module")
def known():
    return check(World, KNOWN, "known")


@pytest.fixture(scope="module")
def material(known):
    """(log, history, labels) of a campaign in the known world, at random."""
    log = crl.simulate(known, "uniform", customers=N, seed=7)
    panel, policy = Panel(known, N, 7), ready_policy("uniform", known)
    history = play_history(panel, lambda p: decide_day(p, policy).action)
    return log, history, truth_of(panel).set_index("customer_id").segment


@pytest.fixture(scope="module")
def found(material):
    log, history, labels = material
    return calibrate(
        history.events, log, segments=labels, attributes=history.attributes, like=template(), day_zero=START,
        user={"segments.saver.basket.margin": 0.25},
    )  # fmt: skip


def test_the_numbers_come_back(found, known):
    truth = {place(path): value for path, value in leaves(known.model_dump())}
    table = found.table().set_index("number")
    table = table[~table.index.str.contains(r"visits|profile|affinity\.sms")]
    off = (table.value - pd.Series(truth).reindex(table.index).astype(float)) / table.se
    assert off.abs().max() < 3.5, off[off.abs() >= 3.0]
    assert (off.abs() <= 2.0).mean() >= 0.85
    expected = ["segments.saver.purchase.rate", "segments.saver.lifetime.days", "channels.sms.reach.open"]
    expected += ["segments.regular.price_sensitivity.mean", "offers.news.appeal", "offers.coupon20.redeem"]
    assert [name for name in expected if name not in table.index] == []


def test_standard_errors_say_something(found):
    table = found.table().set_index("number")
    for name, most in {"channels.email.reach.open": 0.03, "segments.saver.purchase.rate": 0.003}.items():
        assert 0.0 < table.se[name] < most


def test_simulated_figures_reach_their_targets(found):
    moved = [m for m in found.matched if m.moved and m.moment.paths[0][-1] not in ("visits", "mean")]
    assert len(moved) >= 12
    assert max(abs(m.off) for m in moved) < 1.5


def test_every_number_has_a_source(found):
    numbers = [
        place(path)
        for path, value in leaves(found.tables)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    assert [key for key in numbers if key not in found.provenance] == []
    assert found.provenance["segments.saver.basket.margin"].how == "user"
    assert found.world.segments["saver"].basket.margin == 0.25
    assert found.provenance["fatigue.half_life_days"] == Provenance(how="default", by="template like")


def test_the_file_says_it_and_loads(found, tmp_path):
    found.write(tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("deliver"))
    assert "# fitted (se " in line
    world = crl.load_world(tmp_path / "mine.toml")
    assert world.provenance == found.provenance
    assert world.segments == found.world.segments
    assert len(crl.simulate(world, "uniform", customers=50)) == 50 * world.horizon


def test_names_of_any_kind_survive_the_file(tmp_path):
    tables = json.loads(json.dumps(KNOWN).replace("email", 'e.\\"m\\u0007ail').replace("coupon20", "优惠券"))
    world = check(World, tables, "odd")
    said = {place(path): Provenance(how="user", by='#"\n') for path, v in leaves(tables) if isinstance(v, float)}
    (tmp_path / "known.toml").write_text(world_text(tables, said))
    again = crl.load_world(tmp_path / "known.toml")
    assert again.channels == world.channels
    assert again.offers == world.offers
    assert again.provenance == said


def test_a_source_for_nothing_is_refused():
    with pytest.raises(SpecError, match=r"segments\.none\.share"):
        check(World, KNOWN | {"provenance": {"segments.none.share": {"how": "user"}}}, "known")


def test_without_a_log_responses_are_defaults(material):
    _, history, labels = material
    found = calibrate(history.events, segments=labels, attributes=history.attributes, like=template())
    assert found.matched == ()
    assert found.provenance["segments.saver.purchase.rate"].how == "fitted"
    assert found.provenance["channels.sms.reach.open"].how == "default"


@pytest.fixture(scope="module")
def plain_orders():
    """Orders that a Poisson process gives each of 600 customers over a year: nobody ever leaves, nothing is sent."""
    chance = np.random.default_rng(3)
    count = chance.poisson(365 * chance.gamma(4.0, 0.01, 600))
    ts = pd.Timestamp("2025-01-01") + pd.to_timedelta(chance.uniform(0, 365, count.sum()), unit="D")
    amount = chance.lognormal(3.0, 0.5, count.sum())
    who = np.repeat([f"c{i}" for i in range(600)], count)
    return pd.DataFrame({"customer_id": who, "ts": ts.floor("us"), "kind": "order", "amount": amount, "value": np.nan})


def test_orders_alone_say_nothing_of_consent_horizon_and_catalog(plain_orders):
    found, lent = calibrate(plain_orders), load_world("ecommerce")
    segment = found.world.segments["all"]
    assert segment.consent == next(s for s in lent.segments.values() if s.consent == segment.consent).consent
    assert found.world.horizon == lent.horizon
    told = found.provenance
    assert {told[f"segments.all.consent.{name}"].how for name in segment.consent} == {"default"}
    assert told["horizon"] == Provenance(how="default", by="template ecommerce")
    assert [key for key, each in told.items() if each.how == "user"] == []
    assert {key for key, each in told.items() if each.how == "fitted"} >= {"segments.all.purchase.rate"}


def test_a_lifetime_that_nobody_is_seen_to_end_is_no_finding(plain_orders):
    told = calibrate(plain_orders).provenance
    for name in ("days", "spread"):
        found = told[f"segments.all.lifetime.{name}"]
        assert (found.how, found.se) == ("default", None)
        assert found.by.startswith("not identified by")


def test_customers_of_whom_only_attributes_are_known(plain_orders):
    about = pd.DataFrame({"customer_id": list("abcd"), "region": ["north", "north", "north", "south"]})
    found = calibrate(plain_orders.head(0), attributes=about)
    assert found.world.segments["all"].profile["region"] == {"north": 0.75, "south": 0.25}
    assert {key for key, each in found.provenance.items() if each.how == "fitted"} == {
        "segments.all.share", "segments.all.profile.region.north", "segments.all.profile.region.south",
    }  # fmt: skip
    for nobody in (None, about.head(0)):
        with pytest.raises(DataError, match="at least one"):
            calibrate(plain_orders.head(0), attributes=nobody)


def test_a_log_says_how_long_its_campaign_was(found):
    assert found.provenance["horizon"] == Provenance(how="user", by="the days of the log")
    assert found.world.horizon == KNOWN["horizon"]


def test_from_the_folder_of_intake_to_a_world_that_runs(plain_orders, tmp_path):
    plain_orders.to_parquet(tmp_path / "events.parquet", index=False)
    (tmp_path / "quality.json").write_text('{"currency": "GBP"}')
    file = str(tmp_path / "mine.toml")

    def said(*words):
        result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with pytest.raises(UsageError, match=r"currency = 'GBP' is not CNY.*--rate"):
        said("calibrate", str(tmp_path), "-o", file)
    answer = said("calibrate", str(tmp_path), "-o", file, "--scorecard", "--rate", "0.11")
    assert "not identified by these data" in answer
    assert "of 13 within their tolerance" in answer
    assert "monthly retention" in answer
    assert "array(" not in answer
    assert "sums lent by ecommerce are converted: 1 CNY is 0.11 GBP" in answer
    (tmp_path / "quality.json").write_text('{"currency": "GBP", "rates": {"CNY": 0.12}}')
    assert "1 CNY is 0.12 GBP" in said("calibrate", str(tmp_path), "-o", str(tmp_path / "other.toml"))
    assert "money in GBP" in said("world", "show", file)
    assert "GBP per customer" in said("simulate", "-w", file, "-p", "uniform", "-n", "200")
    (tmp_path / "quality.json").write_text("[")
    with pytest.raises(DataError, match=r"quality\.json"):
        said("calibrate", str(tmp_path), "-o", file)


def test_customers_of_another_shop_are_refused(material):
    log, history, _ = material
    strangers = history.events.assign(customer_id="x" + history.events.customer_id)
    with pytest.raises(DataError, match="among the log's customers"):
        calibrate(strangers, log, like=template(), day_zero=START)


def test_a_number_the_world_does_not_have_is_refused(material):
    log, history, _ = material
    with pytest.raises(SpecError, match=r"segments\.all\.shoe"):
        calibrate(history.events, log, like=template(), day_zero=START, user={"segments.all.shoe": 1.0})


def test_replay_in_the_true_world_looks_like_the_log(material, known):
    log, history, labels = material
    code = pd.Categorical(labels.reindex(log.customers), categories=["regular", "saver"]).codes.astype(int)
    campaign = campaign_of_events(log, history.events, code, ("regular", "saver"), 1, START)
    assert days_needed(campaign) == known.horizon
    told = replay(known, campaign, seed=3, customers=10_000)
    for name in ("delivered", "opened", "clicked", "orders", "spend"):
        real, ours = (getattr(c.rows, name)[~np.isnan(getattr(c.rows, name))] for c in (campaign, told))
        assert ours.mean() == pytest.approx(real.mean(), rel=0.13), name
    assert (np.bincount(told.rows.action) / len(told.rows)) == pytest.approx(
        np.bincount(campaign.rows.action) / len(campaign.rows), abs=0.01
    )


def test_a_missing_action_is_named(known, material):
    other = check(World, {**KNOWN, "offers": {"news": KNOWN["offers"]["news"]}}, "known")
    with pytest.raises(SpecError, match="coupon20@sms"):
        translation(known.catalog, other.catalog)


def test_an_event_belongs_to_the_last_send_of_its_offer():
    customer, day = np.array([0, 0, 0, 1]), np.array([0, 3, 6, 2])
    sent, code = np.array([True, True, True, True]), np.array([0, 1, 0, 0])
    who, when, what = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 6, 4, 1, 40, 5]), np.array([0, 0, 1, 0, 0, 0])
    assert last_send(customer, day, sent, code, who, when, what).tolist() == [0, 2, 1, -1, -1, -1]


def test_the_verb(material, tmp_path, monkeypatch):
    replaying = import_module("campaignrl.calibration.world.replay")
    monkeypatch.setattr(replaying, "FEWEST", 600)  # what the numbers come to is another test's
    monkeypatch.setattr(replaying, "ROWS", 30_000)
    log, history, labels = material
    few = [str(i) for i in range(400)]
    history.events[history.events.customer_id.isin(few)].to_parquet(tmp_path / "events.parquet", index=False)
    small = log.take(np.isin(log.customers[log.customer], few))
    write_log(small, tmp_path / "log.parquet")
    labels[few].rename("segment").reset_index().to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "like.toml").write_text(world_text(template().model_dump(exclude_none=True), {}))
    words = ["calibrate", str(tmp_path), "--log", str(tmp_path / "log.parquet"), "--day-zero", START]
    words += ["--segments", str(tmp_path / "labels.csv"), "--like", str(tmp_path / "like.toml")]
    result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "w.toml"), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert {row["number"] for row in facts["fitted"]} >= {"channels.email.reach.deliver"}
    assert crl.load_world(tmp_path / "w.toml").segments.keys() == {"regular", "saver"}


def test_delay_after_a_click_comes_back():
    tables = json.loads(json.dumps(KNOWN)) | {"horizon": 90}
    tables["offers"]["news"]["valid_days"] = 0
    tables["response"] = {"click_lift": 2.5, "same_day": 0.5, "delay_days": 5.0}
    tables["channels"]["email"]["reach"] |= {"open": 0.5, "click": 0.4}
    tables["guard"] = {"caps": [{"per_days": 14, "at_most": 1}]}
    world = check(World, tables, "slow")
    panel, policy = Panel(world, 6_000, 2), ready_policy("uniform", world)
    history = play_history(panel, lambda p: decide_day(p, policy).action)
    log = crl.simulate(load_world(world, horizon=1), "none", customers=6_000, seed=2)  # names the customers
    found = delay_numbers(history.events, log, {"news": 0, "coupon20": 5})
    for name, truth in (("same_day", 0.5), ("delay_days", 5.0)):
        number = found["response", name]
        assert abs(number.value - truth) < 3.0 * number.se
    assert delay_numbers(history.events, log, {"news": 3, "coupon20": 5}) == {}


def test_sums_of_a_template_are_converted_and_nothing_else():
    lent = load_world("tight_budget")
    world = in_currency(lent, "CNY", 7.5)
    assert world.money.currency == "CNY"
    assert world.money.unsubscribe == pytest.approx(7.5 * lent.money.unsubscribe)
    assert world.guard.budget.amount_per_1000_customers == pytest.approx(
        7.5 * lent.guard.budget.amount_per_1000_customers
    )
    for name, channel in lent.channels.items():
        assert world.channels[name].cost == pytest.approx(7.5 * channel.cost, rel=0.01)
        assert world.channels[name].reach == channel.reach
    for name, offer in lent.offers.items():
        assert world.offers[name].face_value == pytest.approx(7.5 * offer.face_value)
        assert world.offers[name].discount == offer.discount
    for name, segment in lent.segments.items():
        assert world.segments[name].basket.mean == pytest.approx(7.5 * segment.basket.mean, rel=1e-5)
        assert world.segments[name].purchase == segment.purchase


@pytest.mark.parametrize("rate", [0.0065, 0.14, 160.0])
def test_what_costs_something_never_becomes_free_nor_far_from_its_worth(rate):
    lent = load_world("ecommerce")
    fine, kept = in_currency(lent, "USD", rate), in_currency(lent, "USD", rate, keep_minor=True)
    assert kept.money.minor_per_unit == lent.money.minor_per_unit
    for name, channel in lent.channels.items():
        assert fine.channels[name].cost == pytest.approx(channel.cost * rate, rel=0.01)
        assert (kept.channels[name].cost > 0) == (channel.cost > 0)


def test_a_rate_that_says_nothing_is_refused():
    for currency in (None, "CNY"):
        assert in_currency(load_world("ecommerce"), currency, None) == load_world("ecommerce")
        with pytest.raises(UsageError, match="Leave it out"):
            in_currency(load_world("ecommerce"), currency, 7.0)
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="a number above 0"):
            in_currency(load_world("ecommerce"), "USD", rate)


def test_where_nothing_was_sent_a_segment_of_the_templates_keeps_its_tastes():
    """No data here say how anybody answers, so the template says it whole, and is named for it."""
    panel = Panel(load_world("ecommerce"), 400, seed=2)
    history = play_history(panel, lambda at: np.zeros(len(at), dtype=np.int64), days=40)
    labels = history.attributes.set_index("customer_id")["segment"].dropna()
    labels = labels.replace({"leisure": "our_own"})
    events = history.events[history.events["customer_id"].isin(labels.index)]
    found = calibrate(events, segments=labels, like="ecommerce")
    segments = found.world.segments
    theirs = load_world("ecommerce").segments
    assert segments["rational"].taste == theirs["rational"].taste
    assert segments["rational"].affinity == theirs["rational"].affinity
    assert not segments["our_own"].taste
    tastes = [one for key, one in found.provenance.items() if key.startswith("segments.rational.taste")]
    assert tastes
    assert {one.how for one in tastes} == {"default"}
