"""Whether a table has learned from the rows it is judged by: what must be missed by how many models, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.ope import leaks
from campaignrl.ope.diagnostics import P_ALARM, Level
from campaignrl.ope.intervals import Clusters, p_value_of_gap, std_error
from campaignrl.ope.leaks import ALL, FOREST, UNSEEN, _as_if_by_lot, _gap, leaked

TABLE = SimpleNamespace(given=True)
LOG = SimpleNamespace(action=np.array([0, 0, 0, 1]), propensity=np.array([0.5, 0.75, 0.05, 0.25]), catalog=range(3))


class Log(SimpleNamespace):
    """As many rows as actions."""

    def __len__(self):
        return len(self.action)


def rows_of(gap, n=400, spread=1.0):
    """Rows that earn so much more than a model expects, and 0.2 in the mean."""
    terms = gap + spread * np.where(np.arange(n) % 2, 1.0, -1.0)
    reward = np.full(n, 0.2)
    return SimpleNamespace(
        weight=np.full(n, 2.0), reward=reward, predicted=reward - terms / 2.0, clusters=Clusters(np.arange(n)),
        reward_range=(0.0, 1.0),
    )  # fmt: skip


def said(monkeypatch, *missed, rows=None, target=TABLE):
    """What is said where models miss so much and expect so much, one after the other; and how many were asked."""
    asked = iter(missed)
    monkeypatch.setattr(leaks, "_missed", lambda *_: next(asked))
    found = leaked(Log(**vars(LOG)), target, rows_of(1.0) if rows is None else rows, 5, 0)
    return found, len(missed) - len(list(asked))


def test_all_models_must_miss_half_of_the_gain(monkeypatch):
    """The rows earn 0.2; a model that expects 0.3 of the table and misses 0.1 of it misses half of a gain of 0.2."""
    half = (0.1, 0.3)
    (found,), asked = said(monkeypatch, half, (0.2, 0.2), (0.3, 0.1))
    assert (found.level, asked) == (Level.CAUTION, 3)
    assert found.text.startswith(
        "these rows say the table earns 0.4, a model that has not seen them 0.3: it looks as if it has learned"
    )
    assert said(monkeypatch, (0.1, 0.3001), half, half) == ((), 1)
    assert said(monkeypatch, half, (0.0999, 0.3001), half) == ((), 2)
    assert said(monkeypatch, half, half, (0.0, 0.2)) == ((), 3)
    assert (UNSEEN, ALL) == (0.5, 0.7)


def test_seven_tenths_are_refused(monkeypatch):
    """Of a gain of 1, all but 0.3 or more is missed by the model that misses least."""
    (found,), _ = said(monkeypatch, (0.9, 0.3), (0.7, 0.5), (0.8, 0.4))
    assert found.level == Level.REFUSE
    assert "the table earns 1.2, a model that has not seen them 0.5" in found.text
    (found,), _ = said(monkeypatch, (0.9, 0.3), (0.8, 0.4), (0.6999, 0.5001))
    assert found.level == Level.CAUTION


def test_of_other_policies_and_of_tables_without_a_gain_nothing_is_asked(monkeypatch):
    assert said(monkeypatch, (9.0, 0.0), target=SimpleNamespace(given=False)) == ((), 0)
    assert said(monkeypatch, (9.0, 0.0), rows=rows_of(0.0)) == ((), 0)


def test_a_gap_must_be_above_nothing_and_beyond_chance():
    assert _gap(rows_of(0.5)) == pytest.approx(0.5)
    assert _gap(rows_of(-0.5)) == 0.0
    assert _gap(rows_of(0.5, n=1)) == 0.0  # no error to be had
    for n in range(10, 40):
        rows = rows_of(0.7, n)
        terms = rows.weight * (rows.reward - rows.predicted)
        error = std_error(terms - terms.mean(), rows.clusters)
        p = p_value_of_gap(float(terms.mean()), 0.0, error)
        assert _gap(rows) == (pytest.approx(terms.mean()) if p < P_ALARM else 0.0)


def test_each_row_counts_as_if_actions_were_drawn_by_lot():
    log = Log(**vars(LOG))
    assert _as_if_by_lot(log).tolist() == [1.5, 1.0, 10.0, 1.0]
    assert dict(FOREST) == {"n_estimators": 20, "min_samples_leaf": 10, "random_state": 0}
