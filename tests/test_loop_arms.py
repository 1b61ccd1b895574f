"""Champion and challengers: shares by a stable hash, the rule that promotes and sends away, its course over days."""

import datetime as dt
import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from campaignrl.actions import NONE
from campaignrl.choices import actions_of_day
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.ledger import Ledger, add
from campaignrl.loop import CampaignFile, TrialSpec, cohort_of, new_campaign, planned_step, read_step, today, verdict
from campaignrl.loop.arms import beside, champion_of, course_of, decided, decisions, move_on, of_day, policy_of
from campaignrl.loop.folder import Stage
from campaignrl.loop.stations import learn_on, open_ledger
from campaignrl.loop.stations.exports import _leave_out_own_sends
from campaignrl.ope.intervals import late_inflation, late_multiple
from campaignrl.policies import Split, load_policy, policy_hash
from campaignrl.rng import customer_keys
from campaignrl.send import audit_ledger
from campaignrl.send.decide import decide
from campaignrl.specs import load_world
from campaignrl.suites.abtest import arms_of, customers_needed
from campaignrl.suites.abtest.cuped import difference, differences
from campaignrl.tables import events
from campaignrl.tables.files import write_frame

DAY = dt.date(2026, 11, 21)
STUDY = Path(__file__).parents[1] / "experiments" / "promotion.py"
SPEC = TrialSpec(ramp=(Stage(share=0.2, days=2), Stage(share=0.5, days=10)), watched=4, kept=0.1, alpha=0.01)


def cohort(n=2_000):
    return pd.DataFrame({"customer_id": [f"c{i:05d}" for i in range(n)], "spent_before": np.arange(n, dtype=float) % 7})


def sums(people, trial, gain=0.0, left=0.0, seed=0):
    """Every customer brings about 10; the challenger's more by `gain`, and `left` of them leave."""
    rng = np.random.default_rng(seed)
    keys = customer_keys(people["customer_id"].to_numpy(dtype=object))
    theirs = Split((), tuple(trial.arms.values()), trial.salt).of(keys) == 1
    value = rng.gamma(4.0, 2.5, len(people)) * np.where(theirs, 1.0 + gain, 1.0)
    gone = (rng.random(len(people)) < np.where(theirs, 0.3 + left, 0.3)).astype(float)
    columns = {"value": value, "margin": value, "spend": np.ones(len(people)), "unsubscribed": gone}
    return pd.DataFrame(columns, index=people["customer_id"])


def told(step, days, **how):
    people = cohort()
    trial = planned_step(SPEC, step, "spring", people)
    seen = days / SPEC.steps[step].days
    return verdict(SPEC, step, read_step(trial, people, sums(people, trial, **how), seen, how.pop("crossed", 0)), days)


def test_what_a_morning_leads_to():
    assert told(0, 1).move == "go on"
    assert told(0, 2).move == "next step"
    assert told(0, 2, gain=5.0).move == "next step", "only the last step of the ramp promotes"
    assert told(1, 5, gain=0.5).move == "promote"
    assert told(1, 5, gain=-0.5).move == "roll back"
    assert told(1, 10).move == "stay"
    assert told(2, 2).move == "go on"
    assert told(2, 4).move == "settle"
    assert told(2, 2, gain=-0.5).move == "roll back"
    harmed = told(1, 5, gain=0.5, left=0.5)
    assert harmed.move == "roll back"
    assert "unsubscribed" in harmed.said


def test_customers_in_the_other_arm_void_a_trial():
    people = cohort()
    trial = planned_step(SPEC, 1, "spring", people)
    reading = read_step(trial, people, sums(people, trial, gain=0.5), 0.5, crossed=20)
    assert verdict(SPEC, 1, reading, 5).move == "roll back"


def test_what_a_customer_is_expected_to_bring_is_of_the_days_before_and_one_order_tells_little():
    day = pd.Timestamp("2026-11-21")
    people = pd.DataFrame({"customer_id": ["a", "b", "c"]})
    rows = [("a", 1, 200.0), ("b", 1, 50.0), ("b", 31, 50.0), ("b", 61, 50.0), ("b", 200, 50.0)]
    orders = pd.DataFrame(
        {"customer_id": one, "ts": day - pd.Timedelta(days=ago), "amount": amount} for one, ago, amount in rows
    )
    found = cohort_of(people, orders, day).set_index("customer_id")
    typical = 400.0 / 5
    assert found.loc["c", "order_expected"] == pytest.approx(typical), "who never ordered is as everybody"
    assert found.loc["a", "order_expected"] == pytest.approx((200.0 + 1.5 * typical) / 2.5)
    assert found.loc["b", "order_expected"] == pytest.approx((200.0 + 1.5 * typical) / 5.5)
    assert found.loc["b", "value_expected"] == pytest.approx(3 * found.loc["b", "order_expected"])
    late = 0.5 ** (1 / 30) + 0.5 ** (31 / 30) + 0.5 ** (61 / 30)
    assert found.loc["b", "value_expected_late"] == pytest.approx(late * found.loc["b", "order_expected"])
    since = pd.DataFrame({"customer_id": ["c"], "ts": [day], "amount": [999.0]})
    pd.testing.assert_frame_equal(found.reset_index(), cohort_of(people, pd.concat([orders, since]), day))
    told = cohort_of(people.assign(orders=[4, np.nan, 0], basket_mean=[10.0, 10.0, np.nan]), orders, day)
    assert told["order_expected"].tolist() == pytest.approx([(40.0 + 1.5 * typical) / 5.5, typical, typical])
    none = cohort_of(people, orders.iloc[:0], day)
    assert not none[["order_expected", "value_expected", "value_expected_late"]].to_numpy().any()


def expected_of(newest=None, **changes):
    columns = {
        "customer_id": [f"c{i}" for i in range(60)],
        "segment": ["big"] * 30 + ["small"] * 30,
        "orders": [4.0] * 30 + [1.0] * 30,
        "tenure_days": [400.0] * 60,
        "recency_days": [10.0] * 60,
        "basket_mean": [200.0] * 30 + [50.0] * 30,
    }
    orders = pd.DataFrame({"customer_id": ["c0"], "ts": [pd.Timestamp(DAY)], "amount": [1.0]}).iloc[:0]
    found = cohort_of(pd.DataFrame(columns).assign(**changes), orders, pd.Timestamp(DAY), newest)
    return found.set_index("customer_id")


def test_what_is_expected_is_rate_times_order_drawn_towards_the_segments_and_less_in_silence():
    usual = expected_of()
    assert usual.loc["c1", "expected_ever"] == pytest.approx(4.6 / (0.6 / 0.01 + 400.0) * 200.0)
    assert usual.loc["c40", "expected_ever"] == pytest.approx(1.0 / 400.0 * 50.0), "as everybody of the segment"
    never = expected_of(orders=[0.0, *[4.0] * 29, *[1.0] * 30], basket_mean=[np.nan, *[200.0] * 29, *[50.0] * 30])
    rate = 29 * 4.0 / (30 * 400.0)
    assert never.loc["c0", "expected_ever"] == pytest.approx(0.6 / (0.6 / rate + 400.0) * 200.0)
    assert never.loc["c0", "expected_order"] == pytest.approx(200.0)
    silent = expected_of(recency_days=[300.0, *[10.0] * 59])
    for name in ("expected_silent_60", "expected_silent_240", "expected_ever_there", "expected_while_there_there"):
        assert silent.loc["c0", name] < usual.loc["c0", name], name
    assert silent.loc["c0", "expected_ever"] == usual.loc["c0", "expected_ever"]
    nobody = expected_of(orders=0.0, basket_mean=np.nan)
    assert np.isfinite(nobody.filter(regex="^expected_").to_numpy(dtype=float)).all()
    unknown = expected_of(orders=np.nan, basket_mean=np.nan, recency_days=np.nan, tenure_days=np.nan)
    assert np.isfinite(unknown.filter(regex="^expected_").to_numpy(dtype=float)).all()


def test_signs_of_life_are_those_that_the_exports_tell_of():
    assert not [name for name in expected_of() if name.startswith("sign_")]
    unknown = expected_of(opens_30d=np.nan, clicks_30d=np.nan, newest=pd.DataFrame({"customer_id": [], "order": []}))
    assert not [name for name in unknown if name.startswith("sign_")], "unknown is not none"
    never = pd.DataFrame({"customer_id": ["c0"], "visit": [pd.NaT]}).astype({"visit": "datetime64[us]"})
    assert not [name for name in expected_of(never) if name.startswith("sign_")]
    newest = pd.DataFrame({"customer_id": ["c1", "c0"], "visit": [pd.Timestamp(DAY) - pd.Timedelta(days=7), pd.NaT]})
    told = expected_of(newest, opens_30d=[9.0, *[1.0] * 59], clicks_30d=[0.0, *[2.0] * 59])
    assert told.loc["c1", "sign_visit_7"] == pytest.approx(np.exp(-1.0))
    assert told.loc["c0", "sign_visit_7"] == told.loc["c5", "sign_visit_7"] == 0.0, "never came"
    assert told.loc[["c0", "c1"], "sign_opens_30d"].tolist() == [3.0, 1.0]
    assert told.loc[["c0", "c1"], "sign_clicks_30d"].tolist() == [0.0, 1.0]
    assert told.loc["c1", "sign_visit_7_ever"] == pytest.approx(np.exp(-1.0) * told.loc["c1", "expected_ever"])


def test_a_cohort_knows_when_each_last_came(shop):
    """The morning's cohort is of the profiles' own freshness, which `cohort_of` is given in the study as well."""
    campaign = CampaignFile(shop)
    newest = pd.read_parquet(shop / "profiles" / "freshness.parquet")
    newest["visit"] = pd.Timestamp(DAY) - pd.Timedelta(days=3)
    newest.to_parquet(shop / "profiles" / "freshness.parquet")
    ledger = open_ledger(campaign)
    day = DAY + dt.timedelta(days=1)
    move_on(campaign, ledger, day, champion_of(campaign), [load_policy("none", campaign.world)])
    cohort = pd.read_parquet(shop / "trial-customers.parquet")
    assert cohort["sign_visit_7"].to_numpy() == pytest.approx(np.exp(-4.0 / 7.0))
    assert {"expected_ever", "sign_opens_30d_ever", "segment_0"} <= set(cohort)


def test_what_was_known_beforehand_is_taken_out_of_the_guardrails_too():
    people = cohort()
    trial = planned_step(SPEC, 1, "spring", people)
    brought = sums(people, trial)
    brought["margin"] += 20.0 * people["spent_before"].to_numpy()
    narrow = read_step(trial, people, brought, 0.5).arms[0].guardrails[-1]
    wide = read_step(trial, people.assign(spent_before=0.0), brought, 0.5).arms[0].guardrails[-1]
    assert narrow.column == "margin"
    assert (narrow.ci_high - narrow.ci_low) < 0.3 * (wide.ci_high - wide.ci_low)
    arm = arms_of(trial, people["customer_id"].to_numpy(dtype=object))
    assert read_step(trial, people, brought, 0.5, arm=arm).arms == read_step(trial, people, brought, 0.5).arms


def test_a_regression_of_several_outcomes_is_that_of_each_however_covariates_hang_together():
    rng = np.random.default_rng(2)
    known, arm = rng.normal(size=(400, 3)), rng.random(400) < 0.3
    outcomes = known @ rng.normal(size=(3, 2)) + rng.normal(size=(400, 2)) + arm[:, None]
    wide = np.column_stack([known, known[:, 0] * 1e6, np.ones(400)])  # one twice, in another unit, and a constant
    for column, found in enumerate(differences(outcomes, arm, wide)):
        design = np.column_stack([arm, np.ones(400), known])
        slopes = np.linalg.lstsq(design, outcomes[:, column], rcond=None)[0]
        assert found.value == pytest.approx(slopes[0], rel=1e-9)
        alone = difference(outcomes[:, column], arm, known)
        assert found == pytest.approx(alone, rel=1e-9)


def test_few_events_in_the_smaller_arm_are_no_harm_and_no_gain():
    """An arm in which nobody left or bought yet is no arm in which everybody is alike."""
    rng, false = np.random.default_rng(6), 0
    for _ in range(300):
        challenger = rng.random(4_000) < 0.9
        left = (rng.random(4_000) < 0.003).astype(float)  # about one in the champion's arm
        found = difference(left, challenger)
        false += abs(found.value) > stats.norm.isf(0.01) * found.std_error
    assert false <= 12, "of 300 at 2 %"
    alike, some = np.r_[np.zeros(400), np.ones(3), np.zeros(3_597)], np.arange(4_000) >= 400
    found = difference(alike, some)
    assert found.std_error > 0.5 * found.value


def test_the_steps_that_only_send_away_share_what_they_may_err():
    levels = [planned_step(SPEC, step, "spring", cohort(50)).alpha for step in range(3)]
    assert levels == pytest.approx([2 * SPEC.alpha / 3, 2 * SPEC.alpha, 2 * SPEC.alpha / 3])


def test_the_share_of_a_growing_step_keeps_its_customers():
    people = cohort(5_000)
    keys = customer_keys(people["customer_id"].to_numpy(dtype=object))
    few, many = (Split((), (1.0 - share, share), "spring").of(keys) == 1 for share in (0.1, 0.5))
    assert few.mean() == pytest.approx(0.1, abs=0.015)
    assert many.mean() == pytest.approx(0.5, abs=0.025)
    assert (many[few]).all()


def test_the_boundary_that_keeps_alpha_for_the_end_asks_for_few_more_customers():
    once, late, any_time = (
        customers_needed(0.1, 1.0, (0.5, 0.5), 0.1, 0.8, how) for how in ("once", "late", "any time")
    )
    assert once < late < 1.35 * once
    assert late < any_time


def test_the_boundary_that_keeps_alpha_for_the_end_errs_as_seldom_as_it_says():
    rng, looks = np.random.default_rng(3), np.arange(1, 84)
    walk = rng.standard_normal((20_000, len(looks))).cumsum(axis=1)
    for alpha in (0.05, 0.2):
        edge = late_multiple(looks.astype(float), alpha, 83.0) * np.sqrt(looks)
        crossed = (np.abs(walk) > edge).any(axis=1).mean()
        assert 0.75 * alpha < crossed < alpha + 0.005  # looks on single days miss some of a continuous path
    drift = np.sqrt(late_inflation(0.2, 0.8)) * (stats.norm.isf(0.1) + stats.norm.ppf(0.8)) / np.sqrt(83.0)
    assert ((walk + drift * looks) > edge).any(axis=1).mean() == pytest.approx(0.8, abs=0.03)


def test_a_split_decides_as_its_parts_do():
    world = load_world("ecommerce")
    frame = customers_frame(Panel(world, 600), DAY)
    rules, uniform = load_policy("rules", world), load_policy("uniform", world)
    split = Split((rules, uniform), (0.7, 0.3), "spring")
    found, *alone = (decide(one, frame, world, day=DAY, seed=4) for one in (split, rules, uniform))
    arm = split.of(customer_keys(found.ids))
    assert 0.2 < arm.mean() < 0.4
    for number, part in enumerate(alone):
        rows = arm == number
        assert (found.action[rows] == part.action[rows]).all()
        assert (found.propensity_before[rows] == part.propensity_before[rows]).all()
    said = found.to_frame()["policy_id"].to_numpy()
    assert set(said[arm == 0]) == {"rules"}
    assert set(said[arm == 1]) == {"uniform"}
    with pytest.raises(UsageError):
        split.probabilities(found.context, found.eligible)


@pytest.fixture(scope="module")
def first_morning(tmp_path_factory):
    """A shop after its first morning, with a trial that has short steps."""
    place = tmp_path_factory.mktemp("arms") / "shop"
    new_campaign(place, start=DAY)
    path = place / "campaign.toml"
    text = path.read_text().replace("customers = 4000", "customers = 300")
    ramp = "ramp = [{ share = 0.2, days = 1 }, { share = 0.5, days = 2 }]"
    text = text.replace('mode = "apprentice"', 'mode = "trial"').replace("watched = 13", "watched = 2")
    text = text.replace('# policy = "lin_ts"', 'policy = "lin_ts"').replace("least = 2000", "least = 1000")
    path.write_text("\n".join(ramp if line.startswith("ramp = ") else line for line in text.splitlines()))
    today(place, day=DAY)
    return place


@pytest.fixture
def shop(first_morning, tmp_path):
    import shutil

    shutil.copytree(first_morning, tmp_path / "shop")
    return tmp_path / "shop"


def bring(ledger, world, rows, name, folder, day):
    """Outcomes of a day, from a file as the sending tool writes it."""
    path = folder / f"{name}.csv"
    columns = ["outcome_id", "customer_id", "kind", "day", "margin"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    add(ledger, "outcomes", path, world, today=day + dt.timedelta(days=1))


@pytest.mark.parametrize("named", ["rules", "always:winback@sms"])
def test_whoever_decides_draws_a_share_at_random(shop, named):
    """[policies] explore is of whoever decides, so that the log of a fixed action can teach as well."""
    campaign = CampaignFile(shop)
    policy, plain = policy_of(campaign, named), load_policy(named, campaign.world)
    assert policy.name == plain.name
    panel = Panel(campaign.world, 200, seed=1)
    context = panel.observe()
    allowed = panel.allowed(context)
    p, certain = policy.probabilities(context, allowed), plain.probabilities(context, allowed)
    share = campaign.spec.policies.explore
    nobody = policy_of(campaign, "none").probabilities(context, allowed)
    assert not nobody[:, 1:].any(), "who sends nothing, sends nothing"
    even = allowed / allowed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, (1.0 - share) * certain + share * even, atol=1e-12)
    assert share > 0.0


def test_a_trial_from_its_first_share_to_promotion_and_back(shop, tmp_path):
    campaign, challenger = CampaignFile(shop), load_policy("none", load_world("ecommerce"))
    ledger, former = open_ledger(campaign), champion_of(campaign)
    assert move_on(campaign, ledger, DAY, former, [challenger]) == [], "that morning was done already"
    day = DAY + dt.timedelta(days=1)
    said = move_on(campaign, ledger, day, former, [challenger])
    assert "none is on trial: 20%" in said[0]
    assert move_on(campaign, ledger, day, former, [challenger]) == said, "the same morning again"
    found = decided(campaign, ledger, day, commit=True)
    made = ledger.read("decisions", ["customer_id", "policy_id", "policy_hash"]).to_pandas()
    theirs = set(made.loc[made["policy_id"] == "none", "customer_id"])
    assert len(theirs) / len(made) == pytest.approx(0.2, abs=0.04)
    for kept in sorted((shop / "policies").glob("*.bundle")):
        many, broken = audit_ledger(ledger, campaign.world, load_policy(kept, campaign.world))
        assert many == len(found.ids)
        assert not broken, "chances recomputed, also of rules that explore"

    day += dt.timedelta(days=1)
    assert "gets 50%" in move_on(campaign, ledger, day, former, [challenger])[0]
    course = course_of(campaign)
    salt, keys = course.salt, customer_keys(found.ids)
    half = found.ids[Split((), (0.5, 0.5), salt).of(keys) == 1]
    assert theirs <= set(half)
    rows = [(f"o{i}", one, "order", str(day), 20 + i % 5) for i, one in enumerate(half)]
    rows += [(f"p{i}", one, "order", str(day), 10 + i % 5) for i, one in enumerate(found.ids) if one not in set(half)]
    decided(campaign, ledger, day, commit=True)
    bring(ledger, campaign.world, rows, "orders", tmp_path, day)
    day += dt.timedelta(days=1)
    assert "CHAMPION from today on" in move_on(campaign, ledger, day, former, [challenger])[0]
    assert champion_of(campaign).name == "none"
    assert json.loads((shop / "champions.jsonl").read_text())["name"] == "none"

    most = found.ids[Split((), (0.1, 0.9), salt).of(keys) == 1]
    few = [one for one in found.ids if one not in set(most)][::10]
    leave = [(f"u{i}", one, "unsubscribe", str(day), 0) for i, one in enumerate([*most[::2], *few])]
    bring(ledger, campaign.world, leave, "left", tmp_path, day)
    day += dt.timedelta(days=1)
    said = move_on(campaign, ledger, day, champion_of(campaign), [challenger])
    assert "ROLLED BACK" in said[0]
    assert policy_hash(champion_of(campaign)) == policy_hash(former)
    assert not course_of(campaign).goes_on, "what was sent away is not tried again as it is"
    text = (shop / "campaign.toml").read_text()
    (shop / "campaign.toml").write_text(text.replace('champion = "rules"', 'champion = "uniform"'))
    assert champion_of(CampaignFile(shop)).name == "uniform", "whoever is named by hand decides"


@pytest.mark.parametrize("kind", ["lin_ts", "dr_greedy", "dr_uplift", "fitted_q"])  # sums, more sums, rows, returns
def test_learning_on_takes_each_decision_once_and_makes_a_challenger(kind, shop, tmp_path):
    text = (shop / "campaign.toml").read_text()
    (shop / "campaign.toml").write_text(text.replace('policy = "lin_ts"', f'policy = "{kind}"'))
    campaign, state = CampaignFile(shop), {}
    assert campaign.spec.learn.policy == kind
    ledger = open_ledger(campaign)
    assert learn_on(campaign, ledger, DAY, state) is None, "nothing was decided yet"
    decided(campaign, ledger, DAY, commit=True)
    day = DAY + dt.timedelta(days=1)
    assert learn_on(campaign, ledger, day, state).startswith("waits: 0 of 1,000")
    bring(ledger, campaign.world, [("a", "1", "order", str(DAY), 9)], "first", tmp_path, DAY + dt.timedelta(days=9))
    day = DAY + dt.timedelta(days=10)
    assert "took in 2,000 decisions" in learn_on(campaign, ledger, day, state)
    bundle = shop / state["learned"]["bundle"]
    first = load_policy(bundle).tensors()
    assert learn_on(campaign, ledger, day, state) is None, "once a day"
    for lone in (day, day + dt.timedelta(days=7)):
        decided(campaign, ledger, lone, commit=True)
    bring(ledger, campaign.world, [("b", "1", "order", str(day), 9)], "second", tmp_path, day + dt.timedelta(days=9))
    assert "took in 2,000 decisions" in learn_on(campaign, ledger, day + dt.timedelta(days=10), state)
    assert state["learned"]["bundle"] != str(bundle)
    second = load_policy(shop / state["learned"]["bundle"])
    assert second.trained_on, "it goes on from its own bundle"
    assert second.tensors()["coefficients" if kind != "lin_ts" else "gram"].any()
    assert any(not np.array_equal(first[name], second.tensors()[name]) for name in first)


def test_the_study_promotes_what_is_far_better_and_nothing_that_is_far_worse(tmp_path):
    study = runpy.run_path(str(STUDY))
    study["study"].__globals__["GAINS"] = (-0.5, 1.0)
    spec = TrialSpec(ramp=(Stage(share=0.2, days=3), Stage(share=0.5, days=24)), watched=3)
    how = (2, 3_000, "coupon_trap", spec, 0, 3, tmp_path)
    told = study["study"](*how)
    found = told["gains"]
    assert found["-50%"]["promoted"] == 0
    assert found["-50%"]["roll back"] >= 1
    assert found["+100%"]["promoted"] == 2
    assert 3 < found["+100%"]["days to promotion, quartiles"][0] <= 27
    study["study"].__globals__["life_of"] = None
    assert study["study"](*how) == told, "runs are kept"
    with pytest.raises(TypeError):
        study["study"](*how, visits=False)  # which is another study


def test_a_world_fits_its_own_life_and_not_another():
    from campaignrl.calibration.realism import expected_of, hold

    world = load_world("ecommerce")
    rules = load_policy("rules", world)
    expected = expected_of(world, rules, 28, 2_000, seed=1)
    panel, rows = Panel(world, np.arange(70_000, 73_000), 9), []
    start = pd.Timestamp("2026-01-01")
    for day in range(60):
        out = panel.step(actions_of_day(panel, rules))
        who = np.flatnonzero(out.bought)
        rows.append(
            pd.DataFrame({"customer_id": who, "ts": start + pd.Timedelta(days=day), "amount": out.revenue[who]})
        )
    orders = pd.concat(rows, ignore_index=True)
    end, ids = start + pd.Timedelta(days=60), np.arange(3_000)
    held = hold(expected, orders, ids, end, 28)
    assert held.orders.low < 0.1
    assert held.orders.high > -0.1
    assert not held.orders.beyond(0.25)
    more = pd.concat([orders, orders, orders], ignore_index=True)
    recent = more["ts"] >= end - pd.Timedelta(days=28)
    tripled = hold(
        expected, pd.concat([orders[orders["ts"] < end - pd.Timedelta(days=28)], more[recent]]), ids, end, 28
    )
    assert tripled.orders.beyond(0.25)
    assert tripled.orders.value > 1.0
    assert hold(expected, orders.head(10), ids, end, 28).orders is None


def test_a_day_in_shards_is_the_day_of_the_whole_table(shop, monkeypatch):
    campaign = CampaignFile(shop)
    ledger, uniform = open_ledger(campaign), load_policy("uniform", campaign.world)
    whole = of_day(campaign, ledger, DAY, commit=False)
    assert 0 < len(whole.sends) < 2_000
    said = beside(campaign, ledger, DAY, uniform, whole)
    every = decided(campaign, ledger, DAY, commit=False).action
    same = float((decided(campaign, ledger, DAY, commit=False, policy=uniform).action == every).mean())
    assert said.endswith(f"the same for {same:.1%} of the customers")
    monkeypatch.setattr(decisions, "SHARD", 300)
    monkeypatch.setattr(decisions, "decided", None)
    shards = of_day(campaign, ledger, DAY, commit=False)
    assert (shards.plan, shards.run, shards.policy, shards.gone) == (whole.plan, whole.run, whole.policy, whole.gone)
    assert shards.digest == whole.digest
    place = shop / "list.csv"
    assert list_bytes(shards.sends, place) == list_bytes(whole.sends, place)
    assert beside(campaign, ledger, DAY, uniform, shards) == said
    assert not ledger.counts()["decisions"]

    committed = of_day(campaign, ledger, DAY, commit=True)
    assert ledger.counts()["decisions"] == 2_000
    leaves = committed.sends["customer_id"].iloc[0]
    row = pd.DataFrame({"customer_id": [leaves], "channel": ["*"], "allowed": ["no"], "day": [str(DAY)]})
    row.to_csv(shop / "permissions.csv", index=False)
    add(ledger, "permissions", shop / "permissions.csv", campaign.world, today=DAY)
    again = of_day(campaign, ledger, DAY, commit=True)
    assert set(committed.sends["decision_id"]) - set(again.sends["decision_id"]) == again.gone
    assert len(again.gone) == 1
    assert ledger.counts()["decisions"] == 2_000
    monkeypatch.undo()
    once_more = of_day(campaign, ledger, DAY, commit=False)
    assert (once_more.plan, once_more.digest, once_more.gone) == (again.plan, again.digest, again.gone)
    assert not list(shop.glob(".deciding-*"))


def list_bytes(frame, path):
    write_frame(frame, path)
    return path.read_bytes()


@pytest.mark.parametrize("rows", [2, 131_072])  # in a piece
def test_a_send_of_the_ledger_is_one_contact_though_the_exports_tell_of_it(shop, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(events, "ROW_GROUP", rows)
    campaign = CampaignFile(shop)
    ledger, path = open_ledger(campaign), tmp_path / "events.parquet"
    sent = decided(campaign, ledger, DAY, commit=True).sends()
    own, noon = sent["customer_id"].iloc[0], pd.Timestamp(DAY) + pd.Timedelta(hours=12)
    channel = sent["channel"].iloc[0]
    other = next(name for name in campaign.world.channels if name != channel)
    told = [
        (own, noon, "sent", channel),
        (own, noon, "order", channel),
        (own, noon, "sent", other),
        (own, noon, "sent", None),
        (own, noon - pd.Timedelta(days=1), "sent", channel),
        ("somebody", noon, "sent", channel),
    ]
    columns = ["customer_id", "ts", "kind", "channel"]
    events.write_events(pd.DataFrame(told, columns=columns), path)
    _leave_out_own_sends(path, ledger)
    left = events.read_events(path)[columns].astype(object).where(lambda frame: frame.notna(), None)
    assert sorted(map(str, left.itertuples(index=False, name=None))) == sorted(map(str, told[1:]))
    before = path.read_bytes()
    _leave_out_own_sends(path, ledger)
    assert path.read_bytes() == before
    events.write_events(pd.DataFrame(told[:1], columns=columns), path)
    _leave_out_own_sends(path, ledger)
    assert not len(events.read_events(path)), "nothing else was told"


def test_nobody_is_sent_anything_twice_by_two_policies(shop):
    campaign = CampaignFile(shop)
    ledger = open_ledger(campaign)
    day = DAY + dt.timedelta(days=1)
    move_on(campaign, ledger, day, champion_of(campaign), [load_policy("uniform", campaign.world)])
    decided(campaign, ledger, day, commit=True)
    again = decided(campaign, ledger, day, commit=True)
    rows = Ledger.open(shop / "ledger").read("decisions", ["customer_id", "action", "policy_id"]).to_pandas()
    assert set(rows["policy_id"]) == {"rules", "uniform"}
    assert not rows["customer_id"].duplicated().any()
    assert int((rows["action"] != NONE).sum()) == len(again.sends())
