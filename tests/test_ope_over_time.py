"""What a log says over its days: effects that change, rewards that are not in yet, and whom an action never reached."""

import json

import numpy as np
import pytest
from tests.test_ope_balance import NAMES, drawn, log_of, softmax

from campaignrl.features import Feature, FeatureSchema
from campaignrl.ope.data.log_sample import LogSample
from campaignrl.ope.diagnostics.never_tried import NeverTried, findings_of_never_tried, never_tried
from campaignrl.ope.diagnostics.over_time import Days, change
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.report.figures.evidence import evidence_pictures
from campaignrl.report.html import ReportContent
from campaignrl.tables.log.files import write_log

N, DAYS = 12_000, 60
B = "always:b@email"
CHANGED, LATE, NEVER = "beside other actions", "not in yet", "was never tried where"


class Shop:
    """20 % buy, 30 % with b; sixty days, actions drawn by the contexts."""

    def __init__(self, seed=0, n=N):
        rng = np.random.default_rng(seed)
        self.n, self.rng, self.rows = n, rng, np.arange(n)
        self.day = self.rows * DAYS // n
        self.X = rng.normal(size=(n, 2))
        self.P = 0.8 * softmax(0.5 * self.X @ rng.normal(size=(2, 4))) + 0.05
        self.action = drawn(self.P, rng)
        self.chance = np.tile([0.2, 0.2, 0.3, 0.2], (n, 1))

    def log(self, chance=None, seen=1.0, action=None, P=None, **columns):
        action, P = self.action if action is None else action, self.P if P is None else P
        chance = self.chance if chance is None else chance
        reward = self.rng.random(self.n) < chance[self.rows, action]
        reward = reward & (self.rng.random(self.n) < seen)
        return log_of(self.X, action, P[self.rows, action], reward, day=columns.pop("day", self.day), **columns)


def said(answer, words):
    return [reason for reason in answer.reasons if words in reason]


def test_an_honest_log_says_nothing_and_shows_its_stretches():
    answer = evaluate(Shop().log(), B)
    assert (answer.verdict, answer.reasons) == ("trust", ())
    assert len(answer.over_time) == 8
    assert sum(s.rows for s in answer.over_time) == N
    assert (answer.over_time[0].first, answer.over_time[-1].last) == (0, DAYS - 1)
    mean = sum(s.lift * s.rows for s in answer.over_time) / N
    assert mean == pytest.approx(answer.lift, abs=1e-9)


def test_an_effect_that_fades_is_named_with_what_it_is_now():
    shop = Shop()
    fading = shop.chance + np.outer(0.25 * (0.5 - shop.day / DAYS), [0, 0, 1, 0])
    answer = evaluate(shop.log(fading), B)
    assert answer.verdict == "caution"
    (reason,) = said(answer, CHANGED)
    assert reason.startswith("what `b@email` earns falls ")
    assert "over days 45 to 59 the lift is " in reason


def test_an_effect_that_jumps_is_named_with_the_days():
    shop = Shop()
    gone = shop.chance.copy()
    gone[shop.day >= 30, 2] = 0.2
    (reason,) = said(evaluate(shop.log(gone), B), CHANGED)
    assert "falls beside other actions, from" in reason
    assert "in days 0 to 29 to" in reason


def test_a_season_that_lifts_every_action_alike_changes_no_effect():
    shop = Shop()
    season = shop.chance + 0.15 * np.sin(shop.day / 6.0)[:, None]
    assert evaluate(shop.log(season), B).reasons == ()


def test_a_logging_policy_that_changes_its_mind_changes_no_effect():
    """What is earned over the logged policy falls, as that sends b more often; b itself earns what it did."""
    shop = Shop()
    P = shop.P.copy()
    P[shop.day >= 30] = [0.1, 0.1, 0.7, 0.1]
    answer = evaluate(shop.log(action=drawn(P, shop.rng), P=P), B)
    assert answer.over_time[-1].lift < answer.over_time[0].lift - 0.02
    assert answer.reasons == ()


def test_rewards_that_come_in_late_are_named_though_rows_say_mature():
    shop = Shop()
    log = shop.log(seen=np.clip((DAYS - shop.day) / 6.0, 0.0, 1.0))
    assert log.matured.all()
    answer = evaluate(log, B)
    assert answer.verdict == "caution"
    (reason,) = said(answer, LATE)
    assert "of the last 6 days" in reason or "of the last 5 days" in reason or "of the last 7 days" in reason
    kept = log.take(np.flatnonzero(log.day < DAYS - 7))
    assert evaluate(kept, B).reasons == ()


def test_customers_whose_rows_hang_together_are_counted_once():
    """Twenty rows a customer who has one mood: rows alone would see changes in many such logs."""
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        customer = np.repeat(np.arange(150), 20)
        mood = rng.random(150)[customer] * 0.6
        action = rng.integers(0, 3, 3_000)
        day = np.repeat(np.arange(150) // 3, 20)
        log = log_of(
            rng.normal(size=(3_000, 1)), action, np.full(3_000, 1 / 3), rng.random(3_000) < mood, NAMES[:3], customer,
            day=day,
        )  # fmt: skip
        answer = evaluate(log, "always:a@email", estimators=("dr",))
        alarms += bool(said(answer, CHANGED) or said(answer, LATE))
    assert alarms <= 1


@pytest.mark.parametrize("rate", [0.003, 0.3])
def test_honest_logs_rarely_alarm(rate):
    alarms = 0
    for seed in range(60):
        shop = Shop(seed, 3_000)
        log = shop.log(np.full((3_000, 4), rate))
        answer = evaluate(log, B, estimators=("dr",))
        alarms += bool(said(answer, CHANGED) or said(answer, LATE) or said(answer, NEVER))
    assert alarms <= 1


def test_rare_large_rewards_at_one_end_are_no_change():
    shop = Shop()
    day = shop.day
    log = shop.log()
    reward = np.zeros(N)
    reward[np.flatnonzero((shop.action == 2) & (day > 50))[:3]] = 1e4
    reward[np.flatnonzero(shop.action == 1)[::50]] = 10.0
    answer = evaluate(log_of(shop.X, shop.action, log.propensity, reward, day=day), B, estimators=("dr",))
    assert not said(answer, CHANGED)


# ---- the parts by hand


def test_stretches_are_whole_days_of_about_as_many_rows():
    day = np.repeat([3, 4, 9, 10, 11], [400, 200, 600, 300, 300])
    days = Days.of(day, np.arange(len(day)), most=3)
    assert list(zip(days.first.tolist(), days.last.tolist(), strict=True)) == [(3, 4), (9, 9), (10, 11)]
    assert np.bincount(days.of_row).tolist() == [600, 600, 600]
    assert days.called(0, 1) == "days 3 to 9"
    assert days.called(1, 1) == "day 9"


def test_one_day_or_few_rows_have_no_stretches():
    assert Days.of(np.zeros(5_000, int), np.arange(5_000)) is None
    assert Days.of(np.arange(300) % 2, np.arange(300)) is None


def test_a_change_by_hand():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(4), 500)
    days = Days.of(day, np.arange(2_000), most=4)
    noise = rng.choice([-1.0, 1.0], 2_000)
    assert change(noise, days).p_value > 0.01
    found = change(noise + (day >= 3), days)
    assert (found.cut, found.p_value < 1e-6) == (3, True)
    assert found.after - found.before == pytest.approx(1.0, abs=0.15)
    assert change(noise + day / 2.0, days).cut == 0


def test_customers_that_repeat_their_rows_are_no_surer():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(4), 200)
    terms = rng.normal(size=800) + 0.25 * (day >= 2)
    once = change(terms, Days.of(day, np.arange(800), most=4))
    often = change(np.repeat(terms, 9), Days.of(np.repeat(day, 9), np.repeat(np.arange(800), 9), most=4))
    assert often.p_value == pytest.approx(once.p_value, rel=0.1)


# ---- never tried


def test_a_segment_that_never_got_the_action_is_counted_by_context():
    shop = Shop()
    P = shop.P.copy()
    out = shop.X[:, 0] > 1.3
    P[out, 3] = 0.0
    P /= P.sum(axis=1, keepdims=True)
    log = shop.log(action=drawn(P, shop.rng), P=P)
    answer = evaluate(log, np.tile([0.0, 0.0, 0.0, 1.0], (N, 1)))
    (part,) = answer.never_tried
    assert part.action == "c@sms"
    assert part.where.startswith("`x0` is above 1.")
    assert part.customers == pytest.approx(out.sum(), abs=60)
    assert part.wanted == pytest.approx(out.mean(), abs=0.005)
    assert answer.verdict != "trust"
    assert said(answer, NEVER)
    assert json.loads(json.dumps(answer.to_dict()))["never_tried"][0]["rows"] == part.rows
    elsewhere = evaluate(log, B)
    assert (elsewhere.verdict, elsewhere.never_tried[0].wanted) == ("trust", 0.0)


def test_a_level_and_a_mask():
    rng = np.random.default_rng(0)
    m = 2_000
    plan = rng.integers(0, 3, m)
    action = np.where(plan == 2, 0, rng.integers(0, 2, m))
    schema = FeatureSchema((Feature(name="plan", levels=("free", "gold", "silver")),))
    sample = LogSample(
        schema, np.arange(m), action, np.full(m, 0.5), np.zeros(m), None, {"plan": plan}, None, None,
        np.tile(np.float32([0, 1]), (m, 1)),
    )  # fmt: skip
    rows = int((plan == 2).sum())
    (part,) = never_tried(sample, ("none", "a@email"))
    assert part == NeverTried("a@email", "`plan` is silver", rows, rows, rows / m, pytest.approx(rows / m))
    assert findings_of_never_tried((part,))[0].level is Level.CAUTION
    barred = np.ones((m, 2), dtype=bool)
    barred[plan == 2, 1] = False
    assert never_tried(sample._replace(eligible=barred), ("none", "a@email")) == ()


def test_a_level_with_few_rows_due_is_no_part():
    """One row in a hundred: a level of fifty rows without it says nothing."""
    rng = np.random.default_rng(0)
    m = 2_000
    plan = np.r_[np.zeros(1_950, int), np.ones(50, int)]
    action = (rng.random(m) < 0.01) & (plan == 0)
    schema = FeatureSchema((Feature(name="plan", levels=("free", "gold")),))
    sample = LogSample(
        schema, np.arange(m), action.astype(int), np.full(m, 0.5), np.zeros(m), None, {"plan": plan}, None, None,
        np.tile(np.float32([0, 1]), (m, 1)),
    )  # fmt: skip
    assert never_tried(sample, ("none", "a@email")) == ()


def test_a_propensity_that_falls_slowly_leaves_no_part():
    """At the far end of the column the action is rare, so that it happens to be missing in a few hundred rows."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        m = 6_000
        x = rng.normal(size=m)
        action = (rng.random(m) < 1 / (1 + np.exp(1 + 2.0 * x))).astype(int)
        schema = FeatureSchema((Feature(name="x", low=-9.0, high=9.0),))
        sample = LogSample(
            schema, np.arange(m), action, np.full(m, 0.5), np.zeros(m), None, {"x": x}, None, None,
            np.tile(np.float32([0, 1]), (m, 1)),
        )  # fmt: skip
        assert never_tried(sample, ("none", "a@email")) == ()


# ---- through the doors


def test_a_stream_says_the_same_and_the_report_draws_it(tmp_path):
    shop = Shop()
    gone = shop.chance.copy()
    gone[shop.day >= 30, 2] = 0.2
    log, path = shop.log(gone), tmp_path / "log.parquet"
    write_log(log, path)
    whole, streamed = evaluate(log, B), evaluate_stream(path, B)
    assert streamed.reasons == whole.reasons
    assert [s[:3] for s in streamed.over_time] == [s[:3] for s in whole.over_time]
    assert [s.lift for s in streamed.over_time] == pytest.approx([s.lift for s in whole.over_time])
    pictures = evidence_pictures(ReportContent(evaluations=((whole, None),)))
    (picture,) = [p for p in pictures if "by days of the log" in p.caption]
    assert "<svg" in picture.svg
    facts = json.loads(json.dumps(whole.to_dict()))["over_time"]
    assert facts[0].keys() == {"first", "last", "rows", "reward", "lift", "std_error"}
