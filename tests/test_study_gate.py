"""The study of the gate, small: what it spoils loses what it says, teachings differ, and it tells what it measured."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from campaignrl.rng import Purpose, generator
from campaignrl.suites import Suite
from campaignrl.suites.suite import PolicyUse, Training

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def gate():
    return runpy.run_path(str(ROOT / "experiments" / "gate.py"))


@pytest.fixture(scope="module")
def suite():
    uses = [PolicyUse(use="rules"), PolicyUse(use="lin_ts")]
    return Suite(worlds=["ecommerce"], policy=uses, seeds=4, customers=300, horizon=8, train=Training(customers=200))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def found(gate, suite, folder):
    return gate["study"](suite, teachings=2, folder=folder, aa=40, spoilt=10)


def test_seeds_that_were_played_are_not_played_again(gate, suite, folder, found, monkeypatch):
    monkeypatch.setitem(gate["study"].__globals__, "cell", lambda *given: pytest.fail("a seed was played again"))
    assert gate["study"](suite, teachings=2, folder=folder, aa=40, spoilt=10) == found


def test_a_rule_taught_again_is_the_same_and_a_learner_is_not(found):
    assert found["spread"]["rules"] == 0.0
    assert found["spread"]["lin_ts"] > 0.0
    assert found["planned"]["rules"] == 0.01  # the margin: any loss beyond it is seen
    assert found["planned"]["lin_ts"] > 0.01


def test_hardly_any_comparison_of_equals_alarms(found):
    assert found["false_alarms"] <= 0.05
    assert found["intervals_without_zero"] <= 0.2  # of forty


def test_a_large_loss_is_caught_at_least_as_often_as_a_small_one(found):
    shares = list(found["caught"]["rules"].values())
    assert shares == sorted(shares)


def test_what_is_spoilt_loses_what_it_says(gate):
    chance = np.random.default_rng(1)
    nothing = chance.exponential(30.0, (6, 1, 4_000))
    values = {"none": nothing, "p": nothing + 10.0}
    worse = gate["spoil"](values, "p", 0.05)
    assert worse.shape == (6, 1)
    assert 1.0 - worse.mean() / values["p"].mean() == pytest.approx(0.05, abs=0.004)
    assert gate["spoil"](values, "p", 0.5) is None  # sending nothing loses less than that


def test_paired_seeds_are_worth_many_unpaired_ones(gate):
    chance = np.random.default_rng(2)
    luck = chance.normal(30.0, 3.0, (12, 1, 1)) + chance.exponential(5.0, (12, 1, 500))
    taught = luck + chance.normal(0.0, 2.0, (12, 2, 1))
    values = {"none": taught - 8.0, "p": taught}
    means = {"p": taught.mean(axis=2)}
    own, anew = (gate["variance_ratio"](values, means, "p", teaching, 0) for teaching in (0, -1))
    assert own[0] > 50.0
    assert 1.0 < anew[0] < own[0] / 5.0
    assert all(low < ratio < high for ratio, low, high in (own, anew))


def test_equals_are_drawn_seed_by_seed(gate):
    means = {"p": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}
    chance = generator(3, Purpose.RESAMPLE)
    gains = {gate["comparison"](means, means, chance, 0.01)["p"].difference for _ in range(60)}
    assert len(gains) == 4  # of three seeds 0 to 3 may have gained


def test_it_writes_and_tells(gate, tmp_path, capsys):
    words = ["--seeds", "2", "--customers", "60", "--teach", "60", "--teachings", "2", "-o", str(tmp_path)]
    page = tmp_path / "gate.md"
    words += ["--docs", str(page)]
    assert gate["main"](words) in (0, 1)
    told = capsys.readouterr().out
    assert "A/A comparisons of 2 seeds" in told
    assert told.strip() in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "gate.json").read_text())["seeds"] == 2
