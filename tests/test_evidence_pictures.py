"""What of a log speaks for a policy: the spread of weights by hand, and what its pictures show."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.ope.methods.weight_histogram import ActionOverlap, weight_histogram_of
from campaignrl.report.figures.base import svg_bytes
from campaignrl.report.figures.evidence import MOST_ACTIONS, actions_shown, evidence_pictures, weights_and_overlap
from campaignrl.report.html import ReportContent, page
from campaignrl.tables.log.files import write_log


def sibling(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"test_{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOGS, CHAINS = sibling("ope_log"), sibling("ope_sequential_log")


@pytest.fixture(scope="module")
def log():
    return LOGS.make_log(600)


@pytest.fixture(scope="module")
def found(log):
    return crl.evaluate(log, LOGS.within(log, np.arange(1.0, LOGS.K + 1)))


def of(*evaluations):
    return ReportContent(evaluations=tuple((e, None) for e in evaluations))


class Weights:
    """As much of the evidence as a spread looks at."""

    weight = np.array([0.0, 0.0, 0.5, 1.0, 1.0, 2.5])


def test_a_spread_by_hand(log):
    six = replace(log.take(np.arange(6)), action=np.array([0, 0, 1, 1, 1, 2]))
    spread = weight_histogram_of(six, Weights)
    assert spread.edges[[0, -1]] == pytest.approx([0.5, 2**1.5])
    assert spread.silent == pytest.approx(2 / 6)
    assert spread.rows == pytest.approx([1 / 6, 0, 2 / 6, 0, 1 / 6])  # edges 0.5, 0.71, 1, 1.41, 2, 2.83
    assert spread.weight == pytest.approx([0.1, 0, 0.4, 0, 0.5])
    shown = [(a.logged, a.wanted, a.ess) for a in spread.overlap[:3]]
    assert shown[0] == pytest.approx((2 / 6, 0.0, 0.0))
    assert shown[1] == pytest.approx((3 / 6, 2.5 / 6, 2.5**2 / 2.25))
    assert shown[2] == pytest.approx((1 / 6, 2.5 / 6, 1.0))


def test_shares_add_up(found):
    spread = found.spread
    assert spread.rows.sum() + spread.silent == pytest.approx(1.0)
    assert spread.weight.sum() == pytest.approx(1.0)
    assert sum(a.logged for a in spread.overlap) == pytest.approx(1.0)
    assert sum(a.wanted for a in spread.overlap) == pytest.approx(found.mean_weight)
    assert "spread" not in found.to_dict()


def test_many_actions_are_added_up_and_none_is_lost():
    many = [ActionOverlap(f"a{i}", i / 465, (30 - i) / 465, 1.0) for i in range(31)]
    shown = actions_shown([*many, ActionOverlap("never", 0.0, 0.0, 0.0)])
    assert len(shown) == MOST_ACTIONS + 1
    assert shown[-1].name == f"{31 - MOST_ACTIONS} others"
    assert sum(a.wanted for a in shown) == pytest.approx(1.0)
    assert sum(a.logged for a in shown) == pytest.approx(1.0)


def test_the_picture_says_size_actions_and_silence(found):
    drawn = svg_bytes(weights_and_overlap(found.spread, found.ess, found.n)).decode()
    assert f"{found.ess:,.0f} effective of {found.n:,} rows" in drawn
    assert all(a.name in drawn for a in found.spread.overlap)
    assert svg_bytes(weights_and_overlap(found.spread, found.ess, found.n)).decode() == drawn


def test_a_policy_that_no_row_speaks_for_still_has_a_picture(log, found):
    nobody = type("Nobody", (), {"weight": np.zeros(len(log))})
    silent = replace(found, spread=weight_histogram_of(log, nobody), ess=0.0)
    assert "100% of rows have weight 0" in evidence_pictures(of(silent))[0].svg


@pytest.mark.slow
def test_every_picture_that_applies_is_on_the_page(log, found):
    estimated = crl.evaluate(replace(log, meta={**log.meta, "propensity_from": "estimate"}), "always:mail@email")
    chain = CHAINS.chain()
    episodes = crl.evaluate(chain, CHAINS.wanted(chain), estimators=("wpdis",))
    logged = crl.evaluate(log, "logged")
    assert [p.caption.split()[0] for p in evidence_pictures(of(found, logged))] == ["Given"] * 2
    captions = [p.caption for p in evidence_pictures(of(episodes, estimated))]
    assert len(captions) == 4
    assert "if propensities are off" in captions[1]
    assert captions[2].startswith("How many customers still speak")
    assert captions[3].startswith("Propensities estimated from the log")
    assert "What of the log speaks for it" in page(of(found))
    assert "What of the log speaks for it" not in page(of(logged))


def test_the_command_writes_a_page(log, tmp_path, monkeypatch, capsys):
    path, report = tmp_path / "log.parquet", tmp_path / "report.html"
    write_log(log, path)
    words = ["evaluate", str(path), "--policy", "always:mail@email", "--report", str(report)]
    monkeypatch.setattr(sys, "argv", ["campaignrl", *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert "report: " in capsys.readouterr().err
    text = report.read_text(encoding="utf-8")
    assert "What of the log speaks for it" in text
    assert "effective of" in text


def test_a_page_of_episodes_speaks_of_customers_not_of_decisions():
    chain = CHAINS.chain()
    episodes = crl.evaluate(chain, CHAINS.wanted(chain), estimators=("wpdis",))
    text = page(of(episodes))
    assert f"per customer over {episodes.horizon} steps" in text
    assert "per decision" not in text
    assert "per decision" in page(of(crl.evaluate(chain, CHAINS.wanted(chain), estimators=("ips",))))
