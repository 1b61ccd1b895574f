"""The study of ranking: its wave and its summary by hand, and a small run of the whole."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from campaignrl.campaign import ready_policy
from campaignrl.envs.panel import Panel

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        import ranking
        import ranking_waves
    finally:
        sys.path.remove(str(EXPERIMENTS))
    return ranking, ranking_waves


@pytest.fixture(scope="module")
def made(study):
    """A small wave by chance."""
    world = study[1].wave_world()
    return world, study[1].wave(world, ready_policy("uniform", world), np.arange(2_000), 3)


def test_a_wave_decides_once_and_its_rewards_fit_together(study, made):
    waves, (_, wave) = study[1], made
    assert tuple(wave.rewards) == tuple(waves.REWARDS)
    assert wave.log.propensity * wave.log.eligible.sum(axis=1) == pytest.approx(1.0)
    sent, rewards = wave.log.action > 0, wave.rewards
    assert not rewards["clicked"][~sent].any()
    assert not rewards["attributed"][~sent].any()
    touched = rewards["attributed"] > 0.0
    assert rewards["attributed"][touched] == pytest.approx(rewards["contribution"][touched])
    assert set(np.unique(rewards["converted"])) == {0.0, 1.0}
    nobody = rewards["converted"] == 0.0
    assert (rewards["contribution"][nobody] <= 0.0).all()


def test_the_oracle_takes_the_best_and_its_opposite_the_worst(study, made):
    waves, (world, wave) = study[1], made
    for p in wave.extremes.values():
        assert not p[~wave.log.eligible].any()
        assert p.sum(axis=1) == pytest.approx(1.0)
    true = waves.true_lifts(world, {"none": ready_policy("none", world)}, 2_000, 3)
    assert true["none"]["contribution"] == (0.0, 0.0)
    assert true["oracle"]["contribution"][0] > 0.0 > true["anti_oracle"]["contribution"][0]


@pytest.mark.slow
def test_true_lifts_are_differences_of_two_lives(study, made, monkeypatch):
    waves, (world, _) = study[1], made
    rules = ready_policy("rules", world)
    monkeypatch.setattr(waves, "PART", 700)  # in parts as in one
    found = waves.true_lifts(world, {"rules": rules}, 2_000, 5)["rules"]
    panel = Panel(world, 2_000, 5)
    ours = waves.outcomes(panel, waves.decide_day(Panel(world, 2_000, 5), rules).action)
    idle = waves.outcomes(Panel(world, 2_000, 5), np.zeros(2_000, dtype=np.int64))
    for name in waves.REWARDS:
        gain = ours[name] - idle[name]
        assert found[name] == pytest.approx((gain.mean(), gain.std() / 2_000**0.5))


def test_a_mixture_is_the_mean_of_its_policies(study, made):
    world, wave = made
    some = [ready_policy(name, world) for name in ("none", "uniform", "always:content@email")]
    p = study[1].Mixture(world.catalog, some).probabilities(wave.log.context, wave.log.eligible)
    content = world.catalog.id_of("content@email")
    may = wave.log.eligible[:, content]
    even = 1.0 / wave.log.eligible.sum(axis=1)
    assert p[:, content] == pytest.approx(np.where(may, (even + 1.0) / 3, 0.0))
    assert p[:, 0] == pytest.approx(np.where(may, (even + 1.0) / 3, (even + 2.0) / 3))


def test_ranks_are_spearmans(study):
    chance = np.random.default_rng(2)
    true, rows = chance.normal(size=7), chance.normal(size=(5, 7)).round(1)
    expected = [stats.spearmanr(true, row).statistic for row in rows]
    assert study[0].correlations(true, rows) == pytest.approx(expected)


def test_summary_says_what_errors_allow_and_what_enough_takes(study):
    true = np.arange(10.0)
    lifted = true + 3.0 * np.random.default_rng(0).normal(size=(2_000, 10))
    found = study[0].summary(true, lifted, 1_000.0)
    assert found["rmse"] == pytest.approx(3.0, rel=0.02)
    assert found["rank_correlation"] == pytest.approx(found["reachable"], abs=0.02)
    low, high = found["ci"]
    assert low < found["rank_correlation"] < high
    larger = (found["decisions_wanted"] / 1_000.0) ** 0.5
    again = study[0].summary(true, true + (lifted - true) / larger, found["decisions_wanted"])
    assert again["reachable"] == pytest.approx(0.9, abs=0.02)
    assert study[0].summary(true, np.tile(true[::-1], (4, 1)) + lifted[:4] * 1e-9, 1.0)["rank_correlation"] == -1.0


@pytest.mark.slow
def test_the_study_runs_and_goes_on(tmp_path):
    words = ["--logs", "2", "--decisions", "300", "--customers", "200", "--days-truth", "100", "--taught-on", "500"]
    call = [sys.executable, EXPERIMENTS / "ranking.py", *words, "--rewards", "clicked", "-o", tmp_path, "--json"]
    first = subprocess.run(call, capture_output=True, text=True, timeout=250, check=True)
    told = json.loads(first.stdout)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*/*.json")}
    assert len(kept) == 2 + 3 * 2  # truths, and two logs of each design
    assert json.loads((tmp_path / "ranking.json").read_text()) == told
    assert (tmp_path / "ranking.png").read_bytes().startswith(b"\x89PNG")
    assert {cell["design"] for cell in told["cells"]} == {"wave", "test", "days"}
    ten = [c for c in told["cells"] if (c["design"], c["set"]) == ("wave", "ten")]
    assert [(c["reward"], c["estimator"]) for c in ten] == [
        (reward, name) for reward in ("contribution", "clicked") for name in ("dr", "snips", "ips", "dm")
    ]
    again = subprocess.run(call, capture_output=True, text=True, timeout=100, check=True)
    assert json.loads(again.stdout) == told
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*/*.json")} == kept
