"""Tests along the days by hand and by loops: stretches, contrasts, their p values, rewards that are not in yet."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from campaignrl.features import FeatureSchema
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.over_time import (
    LEAST_DF,
    Change,
    Days,
    _changed,
    _falling,
    _in_words,
    _late,
    _p_value,
    _stretches,
    _usual_mix,
    _wanted,
    change,
    not_in_yet,
    over_time,
)
from campaignrl.ope.diagnostics.verdict import Level


def sample_of(reward, day, expected=1.0, **columns):
    """Rows of as many customers, of which a model expects the same reward each."""
    n = len(reward)
    return LogSample(
        **{
            "schema": FeatureSchema(()),
            "customer": np.arange(n),
            "action": np.zeros(n, dtype=int),
            "propensity": np.ones(n),
            "reward": np.asarray(reward, dtype=np.float64),
            "eligible": None,
            "columns": {},
            "wave": None,
            "day": np.asarray(day),
            "wanted": None,
            "gain": np.stack([np.asarray(reward) - expected, np.zeros(n), np.zeros(n)]),
            **columns,
        }
    )


def days_of(of_row, customer, last=None):
    many = max(of_row) + 1
    first = 10 * np.arange(many)
    return Days(np.array(of_row), first, first + 9, np.array(customer))


# ---- stretches


def test_stretches_of_whole_days_with_as_many_rows_each():
    day = np.repeat([3, 4, 6, 9], 100)
    found = Days.of(day, np.repeat([7, 5], 200))
    assert found.of_row.tolist() == np.repeat([0, 0, 1, 1], 100).tolist()
    assert (found.first.tolist(), found.last.tolist()) == ([3, 6], [4, 9])
    assert (found.customer.min(), found.customer.max(), found.customer[0]) == (0, 1, 1)
    assert (found.called(0, 1), found.called(1, 1)) == ("days 3 to 9", "days 6 to 9")
    assert Days.of(day[:399], np.zeros(399)) is None  # not two of 200 rows
    assert Days.of(np.zeros(400), np.zeros(400)) is None  # one day
    assert Days.of(np.repeat([1, 2], [301, 99]), np.zeros(400)) is None
    assert Days.of(np.repeat([1, 2], [300, 100]), np.zeros(400)).first.tolist() == [1, 2]
    assert Days.of(np.repeat([1, 2], [300, 100]), np.zeros(400)).called(0, 0) == "day 1"
    long = np.repeat(np.arange(40), 100)
    assert np.bincount(Days.of(long, long).of_row).tolist() == [500] * 8
    assert np.bincount(Days.of(long, long, most=5).of_row).tolist() == [800] * 5
    assert np.bincount(Days.of(long[:600], long[:600]).of_row).tolist() == [200] * 3
    skipped = np.repeat([0, 1, 2], [100, 700, 100])  # the large day takes the place of two
    assert np.bincount(Days.of(skipped, skipped).of_row).tolist() == [100, 700, 100]


def test_a_stretch_by_loops():
    chance = np.random.default_rng(0)
    days = days_of(np.repeat([0, 1, 2], [6, 8, 3]).tolist(), [0, 0, 1, 2, 2, 2, 0, 1, 1, 3, 3, 4, 4, 4, 5, 5, 5])
    reward, terms = chance.random(17), chance.normal(size=17)
    found = _stretches(days, reward, terms)
    for number, one in enumerate(found):
        here = np.flatnonzero(days.of_row == number)
        mean = sum(terms[i] for i in here) / len(here)
        sums = {}
        for i in here:
            sums[days.customer[i]] = sums.get(days.customer[i], 0.0) + terms[i] - mean
        assert (one.first, one.last, one.rows) == (10 * number, 10 * number + 9, len(here))
        assert (one.reward, one.lift) == (pytest.approx(reward[here].mean()), pytest.approx(mean))
        if len(sums) == 1:
            assert math.isnan(one.std_error)
            continue
        many = len(sums)
        square = sum(x * x for x in sums.values()) * many / (many - 1)
        assert one.std_error == pytest.approx(math.sqrt(square) / len(here))
    assert len(found) == 3


def test_weights_of_the_logs_own_mix():
    action, p = np.array([0, 0, 1, 2]), np.array([0.5, 0.25, 0.5, 0.5])
    sample = sample_of(np.zeros(4), np.zeros(4), action=action, propensity=p)
    assert _usual_mix(sample).tolist() == [1.0, 2.0, 0.5, 0.5]
    eligible = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0]], dtype=bool)
    some = sample._replace(eligible=eligible)
    assert _usual_mix(some).tolist() == [1.0, 4.0, 1.0, 0.5 / 0.75]


def test_actions_that_the_policy_wants_most_first():
    wanted = np.tile(np.array([0.04, 0.3, 0.06, 0.6, 0.0], dtype=np.float32), (4, 1))
    sample = sample_of(np.zeros(4), np.zeros(4), action=np.array([0, 1, 2, 3]), wanted=wanted)
    assert _wanted(sample) == [3, 1, 2]
    assert _wanted(sample._replace(action=np.array([0, 1, 2, 2]))) == [1, 2]  # 3 was never taken
    assert _wanted(sample._replace(wanted=None)) == []
    even = sample._replace(wanted=np.full((4, 9), 1 / 9, dtype=np.float32), action=np.arange(4))
    assert _wanted(even) == [0, 1, 2, 3]
    all_taken = sample_of(np.zeros(9), np.zeros(9), action=np.arange(9), wanted=np.full((9, 9), 1 / 9, np.float32))
    assert _wanted(all_taken) == [0, 1, 2, 3, 4, 5]


# ---- p values


@pytest.mark.parametrize(
    ("moved", "squares", "length", "t", "df"),
    [
        ([1.0] * 12, [1.0] * 20, 3.0, 12 / math.sqrt(12), 12),
        ([1.0] * 12, [1.0] * 20, 48.0, 12 / math.sqrt(48), 12),  # pooled over all rows there is more
        ([1.0] * 12, [1.0] * 10, 3.0, 12 / math.sqrt(12), 10),
        ([-1.0] * 12, [2.0] * 20, 3.0, -12 / math.sqrt(12), 12),
        ([1.0] * 16 + [2.0] * 4, [1.0] * 40, 3.0, 24 / math.sqrt(32), 32**2 / 80),
        ([1.0] * 8, [1.0] * 8, 1.0, 8 / math.sqrt(8), 8),
    ],
)
def test_p_values_by_hand(moved, squares, length, t, df):
    args = np.array(moved), np.array(squares), length
    assert _p_value(*args) == pytest.approx(2 * stats.t.sf(abs(t), df))
    assert _p_value(*args, one_sided=True) == pytest.approx(stats.t.cdf(t, df))


def test_few_customers_few_large_terms_and_nothing_at_all_decide_nothing():
    assert _p_value(np.ones(7), np.ones(20), 1.0) == 1.0
    assert _p_value(np.ones(20), np.ones(7), 1.0) == 1.0
    assert _p_value(np.zeros(20), np.ones(20), 1.0) == 1.0
    assert LEAST_DF == 8.0


@pytest.mark.parametrize(("stretches", "shape"), [(2, "jump"), (3, "jump"), (4, "trend"), (5, "jump")])
def test_a_change_by_loops(stretches, shape):
    """The trend and each cut as a contrast of means; customers may be in several stretches."""
    chance = np.random.default_rng(stretches)
    m = 40 * stretches
    of_row, customer = np.sort(chance.integers(0, stretches, m)), chance.integers(0, 25, m)
    terms = chance.normal(size=m) + (0.3 * of_row if shape == "trend" else 0.8 * (of_row >= 1))
    days = days_of(of_row.tolist(), customer.tolist())
    rows = [int((of_row == s).sum()) for s in range(stretches)]
    mean_place = sum(of_row) / m
    spread = sum(rows[s] * (s - mean_place) ** 2 for s in range(stretches))
    contrasts = [[(s - mean_place) / spread for s in range(stretches)]]
    for cut in range(1, stretches):
        after, before = sum(rows[cut:]), sum(rows[:cut])
        contrasts.append([1 / after if s >= cut else -1 / before for s in range(stretches)])
    centred = terms - terms.mean()
    p, explained = [], []
    for w in contrasts:
        moved = np.zeros(25)
        for i in range(m):
            moved[customer[i]] += w[of_row[i]] * centred[i]
        length = sum(rows[s] * w[s] ** 2 for s in range(stretches))
        p.append(_p_value(moved, centred**2, length))
        explained.append(abs(moved.sum()) / math.sqrt(length))
    found = change(terms, days)
    cut = int(np.argmax(explained))
    late = of_row >= (cut or stretches - stretches // 2)
    assert found.p_value == pytest.approx(min(1.0, min(p) * len(contrasts)))
    assert found.cut == cut
    assert (found.before, found.after) == (pytest.approx(terms[~late].mean()), pytest.approx(terms[late].mean()))


def test_a_change_in_words():
    days = days_of([0, 1, 2, 3, 4], [0] * 5)
    ending = " beside other actions, from"
    less = ", less what the model expects"
    up = _in_words(Change(0.0, 2, 0.1, 0.25), days)
    assert up == f"rises{ending} +0.1 in days 0 to 19 to +0.25 in days 20 to 49{less}"
    down = _in_words(Change(0.0, 0, 0.1, -0.2), days)
    assert down == f"falls little by little{ending} +0.1 in days 0 to 29 to -0.2 in days 30 to 49{less}"


# ---- rewards that are not in yet


def in_blocks(*blocks):
    """Rewards of 0 and more, 10 rows a day, block after block: (days, mean) each; in every day half get the double."""
    return np.concatenate([np.tile([0.0, 2.0 * mean], 5 * days) for days, mean in blocks])


def late(*blocks, **columns):
    reward = in_blocks(*blocks)
    day = 5 + np.arange(len(reward)) // 10
    sample = sample_of(reward, day, **columns)
    return not_in_yet(sample, sample.customer)


NEW = ((8, 0.4), (8, 0.2))  # of 640 rows the newest quarter; the days before them are left out, too


def test_rewards_that_are_not_in_are_told_with_the_days():
    (found,) = late((32, 1.0), (16, 0.7), *NEW)
    assert found.level == Level.CAUTION
    assert found.text.startswith(
        "rewards of the newest rows look as if they were not in yet: days 53 to 68 have 30% of what earlier days had,"
    )
    assert "[matured] after_days = " in found.text


@pytest.mark.parametrize(
    "blocks",
    [
        ((32, 1.0), (16, 0.2), *NEW),  # the days between had even fewer
        ((32, 1.0), (16, 0.3), *NEW),  # or as many
        ((32, 1.0), (16, 0.7), (8, 0.2), (8, 0.4)),  # they rise again
        ((32, 1.0), (16, 0.9), (8, 0.7), (8, 0.6)),  # two thirds are a season
        ((32, 1.0), (16, 0.9), (8, 0.6), (8, 0.5)),  # a season of three quarters, and chance
        ((32, 0.0), (16, 0.7), *NEW),  # nothing before
        ((64, 0.0),),
        ((19, 1.0), (10, 0.7), (5, 0.4), (5, 0.2)),  # too few rows before
    ],
)
def test_what_is_no_sign_of_rewards_to_come(blocks):
    assert late(*blocks) == ()


def test_rewards_below_nothing_and_unknown_expectations_tell_nothing():
    reward, day = in_blocks((32, 1.0), (16, 0.7), *NEW), np.arange(640) // 10
    below = reward.copy()
    below[0] = -0.01
    sample = sample_of(reward, day)
    assert not_in_yet(sample, sample.customer)
    assert not_in_yet(sample._replace(reward=below), sample.customer) == ()
    assert not_in_yet(sample._replace(gain=None), sample.customer) == ()
    expects_less = sample_of(reward, day, np.where(np.arange(640) < 480, 1.0, 0.3))
    assert not_in_yet(expects_less, sample.customer) == ()  # just what is expected of what was done


def test_enough_rows_on_both_sides():
    """One row a day: of 396 rows 99 are the newest quarter, of 400 a hundred beside two hundred before."""
    for n, told in ((396, 0), (400, 1)):
        quarter = n // 4
        blocks = np.repeat([1.0, 0.6, 0.3, 0.1], [2 * quarter, quarter, quarter // 2, quarter - quarter // 2])
        reward = blocks * np.tile([0.0, 2.0], n // 2)
        sample = sample_of(reward, np.arange(n))
        assert len(not_in_yet(sample, sample.customer)) == told


def test_the_newer_half_has_fewer():
    day, due = np.array([1, 1, 2, 2, 3, 3, 4, 4]), np.full(8, 2.0)
    new = day >= 2

    def falling(*by_day):
        return _falling(day, new, np.repeat(by_day, 2).astype(float), due)

    assert falling(9, 10, 5, 5)  # days 3 and 4 against day 2
    assert not falling(9, 10, 10, 10)
    assert not falling(0, 10, 9, 9)  # nine tenths are no fall
    assert falling(0, 10, 9, 8)
    assert _falling(day, day >= 4, np.ones(8), due)  # one day alone says nothing against it


@pytest.mark.parametrize(
    ("rewards", "since", "after", "days"),
    [
        ([1.0] * 7 + [0.0] * 3, 8, 4, "days 8 to 9"),  # two days each: from ages 3 and 4 on all are in
        ([1.0] * 7 + [0.0] * 3, 9, 3, "day 9"),
        ([1.0] * 6 + [0.95, 0.94, 0.0, 0.0], 9, 3, "day 9"),
        ([0.5] * 10, 9, 5, "day 9"),  # never: half of the days
    ],
)
def test_the_age_from_which_on_rewards_are_in(rewards, since, after, days):
    day = np.repeat(np.arange(10), 4)
    found = _late(day, np.repeat(rewards, 4), np.ones(40), since, 0.25)
    assert f": {days} have 25% of what earlier days had" in found.text
    assert f"last {after} days (`[matured] after_days = {after}`)" in found.text
    assert found.level == Level.CAUTION


# ---- the whole answer


def fading(wanted=True, **columns):
    """200 rows a day: action 1, half of all, earns 0.8 more than is expected until day 3, then what is expected."""
    m = 1_600
    day, action = np.arange(m) // 200, np.arange(m) % 2
    noise = np.where(np.arange(m) // 2 % 2, 1.0, -1.0)
    residual = noise + 0.8 * (action == 1) * (day < 4)
    weight = 2.0 * (action == 1)
    given = {
        "action": action,
        "propensity": np.full(m, 0.5),
        "wanted": np.tile(np.array([0.0, 1.0], dtype=np.float32), (m, 1)) if wanted else None,
        "gain": np.stack([residual, weight, (weight - 1.0) * residual + 0.01 * day]),
        **columns,
    }
    return sample_of(np.full(m, -1.0), day, **given)


@pytest.mark.parametrize(("wanted", "what"), [(True, "what `b` earns"), (False, "what this policy earns")])
def test_a_change_is_told_with_its_days_and_the_lift_of_the_newest_quarter(wanted, what):
    sample = fading(wanted)
    found = over_time(sample, ("a", "b"), logged=False)
    days = Days.of(sample.day, sample.customer)
    assert found.stretches == tuple(_stretches(days, sample.reward, sample.gain[2]))
    told = change((sample.gain[1] - 1.0) * sample.gain[0], days)
    newest = sample.gain[2][sample.day >= 6].mean()
    (said,) = found.findings
    assert said.level == Level.CAUTION
    assert said.text == (
        f"{what} {_in_words(told, days)}: over days 6 to 7 the lift is {newest:+.4g}, over all days "
        f"{sample.gain[2].mean():+.4g}. Go by the recent part (`over_time` in --json), or log again."
    )
    assert "falls beside other actions, from +0.4 in days 0 to 3 to +0 in days 4 to 7" in said.text


@pytest.mark.parametrize(("wanted", "looked_at"), [(True, 2), (False, 1)])
def test_a_change_must_be_sure_among_all_that_are_looked_at(wanted, looked_at, monkeypatch):
    sample = fading(wanted)
    p = change((sample.gain[1] - 1.0) * sample.gain[0], Days.of(sample.day, sample.customer)).p_value
    for more, told in ((1e-6, 1), (-1e-6, 0)):
        monkeypatch.setitem(over_time.__globals__, "P_ALARM", 3 * looked_at * p * (1.0 + more))
        assert len(over_time(sample, ("a", "b"), logged=False).findings) == told


def test_the_first_action_has_a_name_too():
    sample = fading()
    turned = sample._replace(action=1 - sample.action, wanted=sample.wanted[:, ::-1])
    (said,) = over_time(turned, ("a", "b"), logged=False).findings
    assert said.text.startswith("what `a` earns falls")


def test_of_four_stretches_the_newest_one_is_the_recent_part():
    sample = fading()
    few = sample._replace(day=np.arange(1_600) // 400)
    (said,) = over_time(few, ("a", "b"), logged=False).findings
    newest = sample.gain[2][1_200:].mean()
    assert f"over day 3 the lift is {newest:+.4g}, over all days" in said.text


def test_against_the_logged_policy_the_logs_own_mix_stands_in_its_place():
    sample = fading(wanted=False)
    assert over_time(sample, ("a", "b"), logged=True).findings  # 2 or 0 against 1
    itself = sample._replace(gain=np.stack([sample.gain[0], _usual_mix(sample), sample.gain[2]]))
    assert over_time(itself, ("a", "b"), logged=True).findings == ()
    twice = sample._replace(gain=np.stack([sample.gain[0], np.ones(1_600), sample.gain[2]]))
    assert over_time(twice, ("a", "b"), logged=False).findings == ()


def test_what_has_no_days_no_model_and_no_lift_says_nothing():
    sample = fading()
    assert over_time(sample._replace(day=None), ("a", "b"), logged=False) == ((), ())
    assert over_time(sample._replace(gain=None), ("a", "b"), logged=False) == ((), ())
    assert over_time(sample._replace(day=np.zeros(1_600)), ("a", "b"), logged=False) == ((), ())
    still = sample._replace(gain=np.stack([*sample.gain[:2], np.zeros(1_600)]))
    found = over_time(still, ("a", "b"), logged=False)
    assert (len(found.stretches), found.findings) == (8, ())


def test_of_several_actions_whose_effect_changes_the_surest_is_named(monkeypatch):
    module = sys.modules[_changed.__module__]
    n = 400
    found = iter([Change(1.0, 1, 0.0, 1.0), Change(1e-6, 1, 0.0, 1.0), Change(1e-9, 1, 2.0, 1.0), Change(1.0, 1, 0, 1)])
    monkeypatch.setattr(module, "change", lambda terms, days: next(found))
    monkeypatch.setattr(module, "_wanted", lambda sample: [1, 2, 3])
    monkeypatch.setattr(module, "_usual_mix", lambda sample: np.ones(n))
    sample = SimpleNamespace(
        action=np.arange(n) % 4, propensity=np.full(n, 0.25), gain=np.stack([np.ones(n), np.ones(n), np.arange(n) / n])
    )
    days = Days(np.arange(n) // 100, np.array([0, 10, 20, 30]), np.array([9, 19, 29, 39]), np.arange(n))
    (said,) = _changed(sample, days, np.ones(n), ["none", "a", "b", "c"], [None] * 4)
    assert said.text.startswith(
        "what `b` earns falls beside other actions, from +2 in days 0 to 9 to +1 in days 10 to 39"
    )
    assert "over days 30 to 39 the lift is +0.8738, over all days +0.4988" in said.text
