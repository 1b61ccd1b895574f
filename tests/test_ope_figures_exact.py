"""Figures beside a value by hand: cells and their counts, repeats, events, bounds, and what is said in sentences."""

from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.features import FeatureSchema
from campaignrl.ope.data import log_sample
from campaignrl.ope.data.target_policy import TargetPolicy
from campaignrl.ope.diagnostics.balance import SAID, Imbalance, _of_actions
from campaignrl.ope.diagnostics.cells import _of_numbers
from campaignrl.ope.diagnostics.log_facts import findings_of_facts
from campaignrl.ope.diagnostics.over_time import Days
from campaignrl.ope.diagnostics.repeats import _context_keys, repeats
from campaignrl.ope.intervals.regression_t import events_of
from campaignrl.ope.methods import ESTIMATORS
from campaignrl.ope.nuisance.propensity_features import _edges, _waves
from campaignrl.ope.streaming import estimates
from campaignrl.ope.streaming.estimates import ColumnTerms, own_columns, terms_of
from campaignrl.ope.streaming.figures import bounds_of


def test_cells_of_a_number_and_their_counts():
    column = np.repeat([1.0, 2.0, 2.0, 3.0, 3.0, 3.0, np.nan, 9.0], 100)
    cells = _of_numbers("x", column, (0.25, 0.5, 0.75))  # of seven: the second, the fourth, the fifth
    assert list(cells.called) == [
        "`x` is low (at most 2)",
        "`x` is above 2 and at most 3",
        "`x` is high (above 3)",
        "`x` is missing",
    ]
    assert np.bincount(cells.cell).tolist() == [300, 300, 100, 100]
    quarters = _of_numbers("x", np.arange(100.0), (0.25, 0.5, 0.75))  # of 25 rows each, which say nothing
    assert quarters.called == ("`x` is something rare",)


def sample_of(context, action, reward, **columns):
    n = len(action)
    filled = {
        "schema": FeatureSchema(()), "customer": np.arange(n), "action": np.array(action),
        "propensity": np.full(n, 0.5),
        "reward": np.array(reward, dtype=np.float64), "eligible": None, "columns": {"x": np.array(context)},
        "wave": None, "day": None, "wanted": None,
    }  # fmt: skip
    return log_sample.LogSample(**{**filled, **columns})


def test_rows_that_repeat_others_where_something_unusual_was_earned():
    """Six hundred contexts twice: sixty that earned something have their action again, the others one drawn apart."""
    context = np.repeat(np.arange(600), 2)
    reward = np.where(context < 60, 1.0, 0.0)
    apart = np.tile([0, 1, 0, 0], 300)  # every other pair differs
    action = np.where(reward > 0, context % 2, apart)
    (found,) = repeats(sample_of(context, action, reward))
    assert "of the rows repeat another customer's row in every column" in found.text
    assert "(55% of customers with the context of another got its action, where 50% would by chance)" in found.text
    assert repeats(sample_of(context, apart, reward)) == ()
    assert repeats(sample_of(context, action, reward, customer=context)) == ()  # of one customer each
    assert repeats(sample_of(context, action, reward, day=np.arange(1_200))) == ()


def test_a_context_is_the_columns_the_day_and_the_wave():
    same, other = np.array([1, 1]), np.array([1, 2])
    for columns, alike in (
        ({}, True),
        ({"day": same, "wave": same}, True),
        ({"day": other}, False),
        ({"wave": other}, False),
        ({"columns": {"x": other}}, False),
        ({"columns": {"x": np.array([0.0, -0.0])}}, True),
    ):
        keys = _context_keys(sample_of([3, 3], [0, 0], [0, 0], **columns))
        assert (keys[0] == keys[1]) == alike


def test_events_are_counted_as_so_many_equal_ones():
    for size in (1.0, 2.0):  # ten of a hundred rows: a tenth of those that count
        assert events_of(np.r_[size * np.ones(10), np.zeros(90)], 300.0) == pytest.approx(30.0)
    assert events_of(np.r_[3.0, np.ones(9), np.zeros(90)], 100.0) == pytest.approx(18.0**2 / 90.0)  # one is half of all
    assert events_of(np.zeros(10), 1e9) == 0.0


def test_a_target_policy_knows_nothing_of_the_log_unless_it_says_so():
    policy = TargetPolicy("p")
    assert (policy.learned_from, policy.own_rows, policy.given, policy.notes) == (0.0, False, False, ())
    assert (log_sample.WINDOW, log_sample.LEAST, log_sample.SHARE, log_sample.MOST) == (256, 16_384, 32, 262_144)


def test_actions_beyond_those_that_are_named_are_counted():
    names = [f"a{i}" for i in range(SAID + 3)]
    pool = [Imbalance(i, "everywhere", 1.5, 0.1, 20.0 - i, "") for i in range(SAID + 2)]
    found = _of_actions(pool, names)
    assert len(found) == SAID + 1
    assert found[-1].text == "2 more actions came more or less often than their propensities say."
    assert _of_actions(pool[: SAID + 1], names)[-1].text.startswith("1 more action came")
    assert len(_of_actions(pool[:SAID], names)) == SAID
    assert len(_of_actions([*pool[:SAID], pool[0]], names)) == SAID


def test_facts_that_are_not_told_are_nothing():
    (found,) = findings_of_facts({"repeated_rows": {}})
    assert found.text.startswith("0 rows repeat an earlier row of the same customer in every column (they earn 0):")
    assert findings_of_facts({"repeated_rows": None, "repeats_left_out": 0}) == ()
    (found,) = findings_of_facts({"repeated_rows": {"rows": 1_234, "reward": 2.5, "others": 0.25}})
    assert "1,234 rows repeat" in found.text
    assert "(they earn 2.5, where other rows earn 0.25)" in found.text


def test_waves_and_days_that_differ():
    def log(wave=None, day=(1, 1)):
        return SimpleNamespace(wave=None if wave is None else np.array(wave), day=np.array(day))

    assert _waves(log()).tolist() == _waves(log([3, 3])).tolist() == []
    assert _waves(log([4, 3, 4])).tolist() == [3, 4]
    assert _edges(log()).tolist() == _edges(log(day=())).tolist() == []
    assert max(_edges(log(day=range(100)))) < 99


def test_the_middle_of_a_day_decides_where_it_belongs():
    day = np.repeat([0, 1, 2], [80, 210, 110])  # the middles of 400 rows: 40, 185 and 345
    assert np.bincount(Days.of(day, day).of_row).tolist() == [290, 110]


def test_weights_that_are_ones_up_to_rounding():
    def of(off, lift):
        rows = SimpleNamespace(least={"q": 0.0}, largest={"q": 1.0, "off_one": off, "off_one_lift": lift})
        found = bounds_of(rows, (0.0, 1.0), None, 1.0, (False, False))
        assert (found.weight, found.lift_weight) == ((1.0, 1.0), (1.0, 1.0))
        return found.all_ones, found.all_ones_lift

    assert of(1e-9, 1e-9) == (True, True)
    assert of(1.1e-9, 0.0) == (False, True)
    assert of(0.0, 1.1e-9) == (True, False)


def test_columns_of_estimators_that_bring_their_own(monkeypatch):
    """A value is what is above the line over what is below it, and what is at its base; each column counts once."""
    own = [name for name in ESTIMATORS if own_columns(name)]
    assert own
    parts = ("above", "below", "base")
    monkeypatch.setattr(estimates, "own_columns", lambda name: {f"{name}.{part}": part for part in parts})
    for name in own:
        above, below, base = ({f"{name}.{part}": 1.0} for part in parts)
        assert terms_of(name) == ColumnTerms(above, below, base)
