"""Monitoring: an injected fault raises its alarm within a day, quiet weeks raise none, unknown stays unknown."""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from answering_world import START, dead_channel, lost_half, played
from typer.testing import CliRunner

from campaignrl.cli.main import app
from campaignrl.ledger import EPOCH, Ledger, add
from campaignrl.monitor import ALARM, OK, UNKNOWN, health_of, health_of_window, read_window
from campaignrl.monitor.contexts import drifts
from campaignrl.monitor.expected import Opportunities, together
from campaignrl.monitor.feeds import feeds_of
from campaignrl.monitor.propensities import mean_weight, recomputed
from campaignrl.monitor.rates import rate_of
from campaignrl.monitor.series import Series, series_of
from campaignrl.monitor.words import SENTENCES, figure
from campaignrl.policies import load_policy, policy_hash
from campaignrl.report.pages import day_line, monitor_page
from campaignrl.send.decide import decide
from campaignrl.specs import load_world

FREE = {"guard": {"caps": [], "holdout": 0.0}}
DAY = 38  # of the fault


@pytest.fixture(scope="module")
def life():
    """Six weeks of a web shop that may write to everybody every day."""
    return played(5_000, DAY + 3, 1, policy="uniform", **FREE)


def alarms(answers, today):
    return {one.name for one in health_of_window(answers.window(today), 100).alarms}


def state_of(window, *names):
    """State of some rates, by name; the others are not looked at."""
    found = {one.name: one for one in series_of(window, 100) if one.name in names}
    return {name: rate_of(found[name], window.today, 1e-6).state for name in names}


def bernoulli(p, days, trials=400, seed=0, name="x"):
    chance = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), trials)
    return Series(name, day, (chance.random(days * trials) < np.broadcast_to(p, (days,)).repeat(trials)).astype(float))


# ---- the law


@pytest.fixture(scope="module")
def quiet(life):
    return health_of_window(life.window(DAY), 100)


def test_a_quiet_life_raises_no_alarm(quiet):
    health = quiet
    assert [one.says for one in health.alarms] == []
    assert health.is_known
    by_name = {one.name: one for one in health.checks}
    assert by_name["outcomes"].state == by_name["order"].state == by_name["open@email"].state == OK
    assert by_name["outcomes"].rate.shows_in == 1, "the world is large enough for the law that follows"


def test_half_the_outcomes_lost_is_an_alarm_the_next_morning(life):
    assert "outcomes" in alarms(lost_half(life, DAY), DAY + 1)


def test_a_dead_channel_is_an_alarm_the_next_morning(life):
    found = alarms(dead_channel(life, "email", DAY), DAY + 1)
    assert "open@email" in found
    assert not {one for one in found if one.endswith(("@push", "@feed", "@sms", "@popup"))}


def test_a_feed_that_stopped_is_an_alarm_and_its_silence_is_not_read_as_nothing(life):
    gone = life.without((life.outcomes["day"] >= START + DAY).to_numpy())
    found = alarms(gone, DAY + 1)
    assert {"feed order", "feed open"} <= found
    assert not found & {"order", "margin", "outcomes", "open@email"}, "rates stop where nothing is told"


@pytest.mark.slow
def test_orders_alone_that_stopped_are_told_by_name(life):
    gone = life.without(((life.outcomes["day"] >= START + DAY) & (life.outcomes["kind"] == "order")).to_numpy())
    found = alarms(gone, DAY + 1)
    assert "feed order" in found
    assert "feed open" not in found


def test_many_opt_outs_are_an_alarm_upwards(life):
    chance = np.random.default_rng(0)
    sent = life.decisions[(life.decisions["day"] == START + DAY) & (life.decisions["channel"] == "email")]
    angry = sent[chance.random(len(sent)) < 0.10]
    rows = pd.DataFrame({"day": START + DAY, "customer_id": angry["customer_id"], "kind": "unsubscribe"})
    more = replace(life, outcomes=pd.concat([life.outcomes, rows.assign(channel="email", margin=0.0)]))
    assert state_of(more.window(DAY + 1), "unsubscribe@email") == {"unsubscribe@email": ALARM}


@pytest.mark.slow
def test_complaints_come_from_the_permissions_that_say_so(life):
    sent = life.decisions[(life.decisions["day"] == START + DAY) & (life.decisions["channel"] == "email")]
    window = life.window(DAY + 1)
    said = pd.DataFrame({"customer_id": sent["customer_id"][::5], "channel": "email", "day": START + DAY})
    found = {}
    for source in ("complaint feed", "账单投诉", "newsletter footer"):
        refused = replace(window, refusals=said.assign(source=source))
        found[source] = state_of(refused, "complaint@email")["complaint@email"]
    assert found == {"complaint feed": ALARM, "账单投诉": ALARM, "newsletter footer": OK}


def test_failed_hand_overs_and_fallbacks_are_counted(life):
    window = life.window(DAY + 1)
    newest = window.decisions["day"] == START + DAY
    email = window.decisions[newest & (window.decisions["channel"] == "email")]
    failed = frozenset(email["decision_id"][::4])
    fell = window.decisions.assign(reason=np.where(newest, "fallback: the policy was slow", "best of those allowed"))
    found = state_of(replace(window, failed=failed, decisions=fell), "not_made@email", "not_made@push", "fallback")
    assert found == {"not_made@email": ALARM, "not_made@push": OK, "fallback": ALARM}


# ---- rates


def test_the_band_allows_a_fifth_and_what_days_differ_by_themselves():
    steady = rate_of(bernoulli(0.2, 35), 35, 1e-4)
    assert steady.state == OK
    assert steady.low == pytest.approx(0.2 * 0.8, abs=0.02)
    swinging = rate_of(bernoulli(0.2 + 0.08 * np.sin(np.arange(35)), 35), 35, 1e-4)
    assert swinging.low < 0.08


def test_a_change_within_what_is_tolerated_is_none_and_beyond_it_is():
    p = np.full(35, 0.2)
    p[28:] = 0.17
    assert rate_of(bernoulli(p, 35, 2_000), 35, 1e-4).state == OK
    p[28:] = 0.10
    found = rate_of(bernoulli(p, 35, 2_000), 35, 1e-4)
    assert (found.state, found.since >= 28) == (ALARM, True)
    assert found.now_high < found.low


def test_the_alarm_begins_where_the_fault_does():
    p = np.full(35, 0.2)
    p[33:] = 0.0
    assert rate_of(bernoulli(p, 35, 2_000), 35, 1e-4).since == 33


def test_few_days_or_no_trials_are_unknown_never_an_alarm():
    assert rate_of(bernoulli(0.2, 10), 10, 1e-4).state == UNKNOWN
    empty = bernoulli(0.2, 28)
    found = rate_of(empty, 35, 1e-4)
    assert found.state == UNKNOWN
    assert found.base == pytest.approx(empty.value.mean())


def test_what_it_could_see_is_said():
    assert rate_of(bernoulli(0.2, 35, 4_000), 35, 1e-5).shows_in == 1
    assert rate_of(bernoulli(0.01, 35, 40), 35, 1e-5).shows_in is None


def false_alarms(runs, mornings, trials, alpha, seed):
    """Alarms in quiet runs, whose rate wanders by a tenth from day to day."""
    found = 0
    for run in range(runs):
        chance = np.random.default_rng([seed, run])
        p = 0.08 * np.exp(0.1 * chance.standard_normal(35 + mornings))
        series = bernoulli(p, 35 + mornings, trials, seed=seed * 1_000 + run)
        found += sum(rate_of(series.between(m, m + 35), m + 35, alpha).state == ALARM for m in range(mornings))
    return found


def test_quiet_rates_raise_no_false_alarm():
    assert false_alarms(10, 7, 300, 0.05 / 365 / 40, 3) == 0


@pytest.mark.slow
def test_false_alarms_of_many_quiet_years():
    """200 rates of a year: at alpha a morning, 365 x 200 mornings would raise alpha x 73,000 at most."""
    alpha = 1e-3
    found = false_alarms(200, 365, 300, alpha, 4)
    print(f"{found} false alarms in {200 * 365:,} mornings of a rate; alpha allows {alpha * 200 * 365:.0f}")
    assert found <= alpha * 200 * 365


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_ten_quiet_weeks_of_a_world_raise_none_and_each_fault_its_alarm_within_a_day():
    life = played(12_000, 35 + 71, 7, policy="uniform", **FREE)
    for day in range(35, 35 + 71):
        assert alarms(life, day) == set(), day
    for day in range(40, 105, 7):
        assert "outcomes" in alarms(lost_half(life, day, seed=day), day + 1), day
        assert "open@email" in alarms(dead_channel(life, "email", day), day + 1), day


# ---- all outcomes together


def test_trials_of_expected_outcomes_have_a_mean_of_one_whatever_is_sent():
    chance = np.random.default_rng(5)
    day = np.repeat(np.arange(20), 3_000)
    often = np.where(day % 2 == 0, 0.8, 0.1)  # of the better kind, on every other day
    kind = pd.Series(np.where(chance.random(len(day)) < often, "good", "poor"))
    hit = chance.random(len(day)) < kind.map({"good": 0.2, "poor": 0.02}).to_numpy()
    days, value, _ = together([Opportunities(day, kind, hit, np.ones(len(day)))], (0, 20))
    means = [value[days == d].mean() for d in range(20)]
    assert np.mean(means) == pytest.approx(1.0, abs=0.03)
    assert np.std(means) < 0.10
    assert (days == 0).sum() > 3 * (days == 1).sum()


def test_the_worlds_calendar_is_no_alarm(life):
    """On a day of which the world says that 2.6 times as much is bought, that is what is expected."""
    window = life.window(DAY + 3)  # no such day; make one of the calendar alone
    twice = window.calendar.copy()
    twice[-1] *= 3.0
    orders = {s.name: s for s in series_of(replace(window, calendar=twice), 100)}["order"]
    plain = {s.name: s for s in series_of(window, 100)}["order"]
    newest = orders.day == orders.day.max()
    assert orders.value[newest].sum() == pytest.approx(plain.value[newest].sum() / 3.0)
    assert orders.value[~newest].tolist() == plain.value[~newest].tolist()


# ---- features, propensities, feeds


def test_a_feature_that_changed_is_named_and_the_calendar_is_not(life):
    window = life.window(DAY)
    names = {one.feature for one in drifts(window)}
    assert "weekday" not in names
    rows = window.decisions.copy()
    newest = rows["day"] == rows["day"].max()
    rows.loc[newest, "seen.basket_mean"] = np.nan
    first = drifts(replace(window, decisions=rows))[0]
    assert first.feature == "basket_mean"
    assert first.psi > first.limit


def test_a_psi_by_hand():
    from campaignrl.monitor.contexts import _psi

    assert _psi(np.array([0.5, 0.5]), np.array([0.8, 0.2])) == pytest.approx(
        -0.3 * np.log(0.5 / 0.8) + 0.3 * np.log(0.5 / 0.2)
    )


def test_propensities_that_are_too_small_are_shown_without_the_policy(life):
    window = life.window(DAY)
    assert mean_weight(window, 1e-6).mean == pytest.approx(1.0)  # uniform: exactly one over the allowed
    wrong = window.decisions.assign(propensity=window.decisions["propensity"] * 0.8)
    assert mean_weight(replace(window, decisions=wrong), 1e-6).low > 1.0


def test_propensities_are_recomputed_with_the_policy(life):
    world = load_world("ecommerce", **FREE)
    policy = load_policy("uniform", world)
    window = life.window(DAY)
    rows = window.decisions.assign(policy_hash=policy_hash(policy))
    right = recomputed(replace(window, decisions=rows), policy, world)
    assert (right.wrong, right.rows > 1_000) == (0, True)
    off = recomputed(
        replace(window, decisions=rows.assign(propensity_before=rows["propensity"] * 0.999)), policy, world
    )
    assert off.wrong == off.rows
    assert recomputed(window, policy, world).rows == 0, "another policy's rows are not its own"


def test_a_rare_feed_may_be_silent_for_as_long_as_chance_allows(life):
    window = life.window(DAY)
    rare = window.outcomes[window.outcomes["kind"] == "order"].drop_duplicates("day")
    quiet = rare[rare["day"] < START + DAY - 3].assign(kind="refund")
    found = {one.name: one for one in feeds_of(replace(window, outcomes=quiet), 1e-6)}
    assert found["refund"].silent == 4
    assert found["refund"].limit == 14  # one a day: e^-14 is 8e-7


# ---- ledger, page, command


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """A ledger of 25 days, 300 customers of the shop, with orders."""
    place = tmp_path_factory.mktemp("monitored") / "shop"
    world = load_world("ecommerce")
    made = Ledger.create(place, world, start=dt.date(2026, 10, 1), customers=300)
    chance, frame = np.random.default_rng(0), customers(world)
    for k in range(25):
        day = dt.date(2026, 10, 1) + dt.timedelta(days=k)
        decide(load_policy("uniform", world), frame, world, day=day, ledger=made)
        rows = frame["customer_id"][chance.random(len(frame)) < 0.3]
        came = pd.DataFrame({"outcome_id": [f"{k}-{one}" for one in rows], "customer_id": rows, "kind": "order"})
        came.assign(day=str(day), margin=2.5).to_csv(place.parent / "o.csv", index=False)
        add(made, "outcomes", place.parent / "o.csv", world, today=day + dt.timedelta(days=1))
    return made


def customers(world):
    from campaignrl.envs import Panel
    from campaignrl.envs.customers_export import customers_frame

    return customers_frame(Panel(world, 300, seed=4))


def test_a_ledger_is_read_and_judged(ledger):
    found = health_of(ledger, as_of=dt.date(2026, 10, 26), policy=load_policy("uniform", ledger.form))
    checks = {one.name: one for one in found.checks}
    assert checks["order"].state == OK
    window = read_window(ledger, (dt.date(2026, 10, 26) - EPOCH).days, ledger.form)
    plain = float((0.3 / window.calendar[:18]).mean())  # a holiday week, of which the world says that more is bought
    assert checks["order"].rate.base == pytest.approx(plain, abs=0.03)
    assert checks["margin"].rate.base == pytest.approx(plain * 2.5, abs=0.1)
    assert checks["propensities recomputed"].state == OK
    assert checks["model age"].figures["age"] == 25
    later = health_of(ledger, as_of=dt.date(2026, 10, 29))
    assert {"feed decisions", "feed order"} <= {one.name for one in later.alarms}


def test_the_command_answers_with_its_exit_code_its_json_and_its_page(ledger, tmp_path):
    run = CliRunner().invoke
    quiet = run(app, ["monitor", str(ledger.folder), "--as-of", "2026-10-26", "-o", str(tmp_path / "m.html"), "--json"])
    assert quiet.exit_code == 0, quiet.output
    facts = json.loads(quiet.stdout)
    assert (facts["alarms"], facts["known"]) == (0, True)
    assert {"name", "state", "says"} <= set(facts["checks"][0])
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")
    silent = run(app, ["monitor", str(ledger.folder), "--as-of", "2026-10-30"])
    assert silent.exit_code == 1
    assert "nothing for" in silent.output
    assert run(app, ["monitor", str(ledger.folder), "--as-of", "2026-10-03"]).exit_code == 4
    assert run(app, ["monitor", str(tmp_path / "none")]).exception is not None


def test_hostile_names_are_escaped_on_the_page(life):
    rows = life.window(DAY).decisions
    evil = rows.assign(channel=rows["channel"].replace("email", "<script>alert(1)</script>"))
    window = replace(life.window(DAY), decisions=evil[evil["customer_id"] < "c000300"])
    page = monitor_page("<img src=x>", health_of_window(window, 100))
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<img" not in page


def test_every_sentence_has_its_figures_and_numbers_are_readable(quiet):
    health = quiet
    assert {one.code for one in health.checks} <= SENTENCES.keys()
    assert all("{" not in one.says for one in health.checks)
    assert [figure(v) for v in (0.123456, 12_345, 12_345.6, "x", True)] == ["0.1235", "12,345", "12,346", "x", "True"]
    assert EPOCH + dt.timedelta(days=START + DAY) == health.day


def test_a_line_of_days_breaks_where_a_day_is_missing_and_escapes_its_words():
    made = str(day_line([1.0, float("nan"), 2.0, 9.0], label="<x>", band=(0.0, 3.0), alarm_from=3, names=["<a>"] * 4))
    assert "nan" not in made
    assert "<x>" not in made
    assert "<a>" not in made
    path = next(part for part in made.split("<") if part.startswith('path class="line"'))
    assert (path.count("M"), path.count("L")) == (2, 1)
    assert made.count("dot out") == 1
    assert day_line([], label="nothing").startswith("<svg")
