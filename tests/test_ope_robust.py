"""A second figure that few rows cannot decide: by hand, beside a typing error, and on request."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from tests.test_ope_balance import Honest, log_of

from campaignrl.cli import main as cli
from campaignrl.errors import UsageError
from campaignrl.ope.diagnostics.robust import LEAST, caps, log_sum_exp, robust_figures
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Clusters
from campaignrl.tables.log.files import write_log


def test_caps_by_hand():
    reward = np.r_[np.zeros(500), np.arange(1.0, 101.0)]
    assert caps(reward) == (0.0, 95.0)  # five of a hundred are cut at either end, and 0 stays
    assert caps(-reward) == (-95.0, 0.0)
    assert caps(np.r_[-50.0 * np.ones(3), np.arange(1.0, 98.0)]) == (0.0, 92.0)
    assert caps(np.array([0.0, 0.0, 7.0, -1.0])) == (-1.0, 7.0)  # too few to tell a tail
    assert LEAST == 5


def test_conversions_are_what_they_were():
    rng = np.random.default_rng(0)
    n = 400
    weight, reward = rng.random(n) * 2, (rng.random(n) < 0.3).astype(float)
    found = robust_figures(weight, reward, Clusters(np.arange(n)), 0.05)
    assert found["winsorised"].value == pytest.approx((weight * reward).mean() / weight.mean())
    assert found["logsumexp"].value == pytest.approx((weight * reward).mean(), rel=0.05)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=40))
@example([50.0, 49.9375])
def test_log_sum_exp_of_terms_is_what_its_formula_says_and_nearer_to_nothing(values):
    x = np.array(values)
    found = log_sum_exp(x, x)
    if not x.std() > 0.0:
        assert found.value == pytest.approx(x.mean())
        return
    parameter = -1.0 / (np.sqrt(len(x)) * x.std())
    up, down = np.maximum(x, 0.0), np.maximum(-x, 0.0)
    sides = [(logsumexp(parameter * side) - np.log(len(x))) / parameter for side in (up, down)]
    assert found.value == pytest.approx(sides[0] - sides[1], abs=1e-9)
    assert sides[0] <= up.mean() + 1e-9
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-6 * max(1.0, np.abs(x).max()))


def test_the_influence_is_the_derivative():
    rng = np.random.default_rng(0)
    x = rng.lognormal(size=30)
    base, step = log_sum_exp(x, x), 1e-6
    share = np.full(30, 1 / 30)
    parameter = -1.0 / (np.sqrt(30) * x.std())
    for i in (0, 11):
        moved = share * (1 - step)
        moved[i] += step
        value = np.log(moved @ np.exp(parameter * x)) / parameter
        assert (value - base.value) / step == pytest.approx(base.influence[i], rel=1e-4)


@pytest.fixture(scope="module")
def shop():
    """Orders of about 40, by 3 % of customers; one of 60,000 is a typing error."""
    h = Honest(6_000)
    reward = (h.rng.random(h.n) < 0.03) * np.exp(3.5 + 0.5 * h.rng.normal(size=h.n))
    typo = reward.copy()
    typo[np.flatnonzero(h.action == 1)[0]] = 60_000.0
    return h, reward, typo


def test_a_typing_error_does_not_move_them(shop):
    h, reward, typo = shop
    wrong = evaluate(log_of(h.X, h.action, h.p, typo), "always:a@email")
    right = evaluate(log_of(h.X, h.action, h.p, reward), "always:a@email")
    assert any("by itself moves dr" in reason for reason in wrong.reasons)
    assert wrong.estimates["dr"].value > 5 * right.estimates["dr"].value
    truth = 0.03 * np.exp(3.5 + 0.125)
    for name in ("winsorised", "logsumexp"):
        assert wrong.robust[name].value == pytest.approx(truth, rel=0.35), name
        assert wrong.robust[name].ci_low <= wrong.robust[name].value <= wrong.robust[name].ci_high
    assert "winsorised" in str(wrong)
    assert json.loads(json.dumps(wrong.to_dict()))["robust"].keys() == {"winsorised", "logsumexp"}
    assert right.robust == {}
    assert "winsorised" not in str(right)


def test_they_are_given_on_request(shop, tmp_path, monkeypatch, capsys):
    h, reward, _ = shop
    log = log_of(h.X, h.action, h.p, reward)
    asked = evaluate(log, "always:a@email", robust=True)
    assert asked.robust["winsorised"].value < asked.estimates["snips"].value
    path = tmp_path / "log.parquet"
    write_log(log, path)
    for words, code in (([], 0), (["--stream"], 2)):
        line = ["campaignrl", "evaluate", str(path), "-p", "always:a@email", "--robust", "--json", *words]
        monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert int(end.value.code or 0) == code
        if not code:
            told = json.loads(capsys.readouterr().out)["robust"]["winsorised"]["value"]
            assert told == pytest.approx(asked.robust["winsorised"].value)
    with pytest.raises(UsageError, match="robust"):
        evaluate(log, "always:a@email", estimators=("fqe",), robust=True)


def test_a_mixture_s_are_of_the_mixture(shop):
    h, reward, _ = shop
    log = log_of(h.X, h.action, h.p, reward)
    half = evaluate(log, "always:a@email", robust=True, mix=0.5).robust["winsorised"].value
    whole = evaluate(log, "always:a@email", robust=True).robust["winsorised"].value
    logged = evaluate(log, "logged", robust=True).robust["winsorised"].value
    assert half == pytest.approx((whole + logged) / 2, rel=0.02)
