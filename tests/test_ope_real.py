"""Real logs: what their READMEs say an estimate must come to. Skipped where the data sets are absent."""

from pathlib import Path

import numpy as np
import pytest

from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.tables.logs import read_log

MAPPINGS = Path(__file__).resolve().parents[1] / "experiments" / "mappings"


@pytest.fixture(scope="module")
def hillstrom(shared_data):
    return read_log(shared_data / "hillstrom" / "hillstrom_half.csv.gz", MAPPINGS / "hillstrom.toml")


@pytest.mark.parametrize(
    ("action", "value", "error", "own_mean"),
    [
        ("Mens E-Mail", 0.1849, 0.0040, 0.18463),
        ("Womens E-Mail", 0.1567, 0.0037, 0.15523),
        ("none", 0.1058, 0.0031, 0.10688),
    ],
)
def test_hillstrom_arms(hillstrom, action, value, error, own_mean):
    e = evaluate(hillstrom, f"always:{action}")
    assert e.estimates["ips"].value == pytest.approx(value, abs=1e-4)  # the README cuts or rounds the last digit
    assert e.estimates["ips"].std_error == pytest.approx(error, abs=5e-5)
    assert e.estimates["snips"].value == pytest.approx(own_mean, abs=5e-6)
    for name in ("ips", "ips_clip", "snips", "dr", "sndr"):
        assert e.estimates[name].ci_low <= own_mean <= e.estimates[name].ci_high
    assert (e.verdict, e.customers) == ("trust", 32_000)
    assert e.off_support_mass == 0.0


def test_hillstrom_mens_mail_beats_womens(hillstrom):
    found = compare_on_log(hillstrom, "always:Mens E-Mail", "always:Womens E-Mail")
    assert 0.018 < found.ci_low < 0.18463 - 0.15523 < found.ci_high < 0.041


@pytest.mark.parametrize(
    ("campaign", "ips", "error", "snips", "mean", "largest", "ess", "on_policy"),
    [
        pytest.param("all", 0.00236, 0.00087, 0.00233, 1.011, 277.8, 340, 0.00380, marks=pytest.mark.slow),
        ("men", 0.00301, 0.00077, 0.00319, 0.943, 178.3, 656, 0.00460),
    ],
)
def test_open_bandit_uniform_from_the_bts_log(shared_data, campaign, ips, error, snips, mean, largest, ess, on_policy):
    log = read_log(shared_data / "obd" / "bts" / campaign / f"{campaign}.csv.gz", MAPPINGS / "obd.toml")
    e = evaluate(log, "uniform")
    assert e.estimates["ips"].value == pytest.approx(ips, abs=5e-6)
    assert e.estimates["ips"].std_error == pytest.approx(error, abs=5e-6)
    assert e.estimates["snips"].value == pytest.approx(snips, abs=5.1e-6)
    assert e.mean_weight == pytest.approx(mean, abs=5e-4)
    assert e.max_weight_share * e.mean_weight * e.n == pytest.approx(largest, abs=0.05)
    assert e.ess == pytest.approx(ess, abs=0.5)
    assert e.verdict == "caution"
    assert e.estimates["ips"].ci_low <= on_policy <= e.estimates["ips"].ci_high
    assert e.lift_ci_low < 0.0 < e.lift_ci_high  # these samples cannot tell the two policies apart
    assert np.isfinite([value for est in e.estimates.values() for value in est[:4]]).all()
