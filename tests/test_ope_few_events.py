"""Which interval a figure gets, and who is cautioned: by how many rows speak and how much happened, never by luck."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.test_ope_balance import Honest, drawn, log_of, softmax

from campaignrl.features import Feature, FeatureSchema
from campaignrl.ope.data.log_sample import LogSample
from campaignrl.ope.diagnostics.few_events import FEW, few_events
from campaignrl.ope.diagnostics.hardly_tried import beyond, hardly_tried, left_over
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals.empirical_likelihood import EMPIRICAL_LIKELIHOOD, PairSums
from campaignrl.ope.intervals.regression_t import REGRESSION_T, events_of, one_sided
from campaignrl.ope.methods.weighted_mean import EVENTS, SPEAKING, Seen
from campaignrl.ope.streaming.evaluate import evaluate_stream

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


def study_of(name):
    """A script of experiments/ as a module, with those beside it to be had."""
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(EXPERIMENTS))


# ---- how much happened, by hand


def test_events_by_hand():
    clicks = np.r_[np.ones(42), np.zeros(958)]
    assert events_of(clicks, 1_000) == pytest.approx(42)
    assert events_of(clicks, 500) == pytest.approx(21)  # rows of which every other one repeats the one before
    assert events_of(np.array([3.0, 1.0]), 2) == pytest.approx(100 / 82)  # (9 + 1)^2 / (81 + 1)
    assert events_of(np.zeros(5), 5) == 0.0


def test_sides_by_hand():
    assert one_sided(np.r_[np.full(10, 9.0), np.full(90, -1.0)])
    assert not one_sided(np.r_[np.full(10, 9.0), np.full(10, -9.0), np.zeros(80)])
    # root mean square 3.2: four above and one below are both sides, five above are not
    assert not one_sided(np.r_[np.full(4, 9.0), [-9.0], np.zeros(35)])
    assert one_sided(np.r_[np.full(5, 9.0), [-9.0], np.zeros(34)])


def told(residual, rows=1_000.0):
    return Seen(PairSums(rows, rows, rows, 0.0, 0.0, 1.0), np.ones(3), np.ones(3), residual, 0.0, rows)


def test_when_the_sharp_interval_stands():
    rare = np.r_[np.ones(20), np.full(980, -0.02)]
    assert not told(rare).tells_value(900.0)  # twenty clicks are too few for a value
    assert told(rare).speaks(SPEAKING)
    assert not told(rare).speaks(SPEAKING - 1.0)
    more = np.r_[np.ones(round(EVENTS) + 1), np.zeros(969)]
    assert told(more).tells_value(SPEAKING)
    assert not told(more).tells_value(SPEAKING - 1.0)
    coins = np.r_[np.full(500, 0.5), np.full(500, -0.5)]
    assert told(coins).tells_value(EVENTS)  # where every row is an event, thirty rows have had thirty
    assert not told(coins).speaks(EVENTS - 1.0)
    both = np.r_[np.full(5, 9.0), np.full(5, -9.0), np.full(990, 0.01)]
    assert told(both).events < FEW
    assert told(both).tells_value(SPEAKING)


# ---- through the doors


def test_coins_in_few_rows_have_a_sharp_difference():
    h = Honest(150)
    log = log_of(h.X, h.action, h.p, (np.arange(150) % 2).astype(float))
    wanted = softmax(1.2 * h.X @ np.random.default_rng(5).normal(size=(2, 4)))
    answer = evaluate(log, wanted, estimators=("dr",))
    assert answer.ess < SPEAKING
    assert answer.estimates["dr"].interval == REGRESSION_T
    likely = evaluate(log.take(np.arange(40)), wanted[:40], estimators=("dr",))
    assert likely.ess < EVENTS
    assert likely.estimates["dr"].interval == EMPIRICAL_LIKELIHOOD


@pytest.mark.parametrize(("jackpots", "cautioned"), [(6, True), (60, False)])
def test_few_large_orders_are_a_caution_in_memory_and_in_passing(jackpots, cautioned):
    h = Honest(4_000)
    reward = np.ones(4_000)
    reward[np.random.default_rng(1).permutation(4_000)[:jackpots]] = 500.0
    log = log_of(h.X, h.action, h.p, reward)
    for answer in (evaluate(log, h.P, estimators=("dr",)), evaluate_stream(log, np.ascontiguousarray(h.P))):
        said = [reason for reason in answer.reasons if "are most of what no model foretells" in reason]
        assert bool(said) is cautioned
        assert answer.verdict == ("caution" if cautioned else "trust")
    if cautioned:
        assert said[0].startswith("about 6 of 4,000 rewards")


def test_rewards_without_surprises_are_no_few_events():
    sample = Honest(100)
    log = sample.log()
    empty = LogSample.of(log, np.arange(100), log.customer, None)._replace(gain=np.zeros((3, 100)))
    assert few_events(empty, 100) == ()
    assert few_events(empty._replace(gain=None), 100) == ()


# ---- what the log hardly had a chance to show


def sample_of(action, propensity, wanted, eligible=None):
    n = len(action)
    schema = FeatureSchema((Feature(name="x", low=0.0, high=1.0),))
    columns = {"x": np.linspace(0.0, 1.0, n)}
    return LogSample(
        schema, np.arange(n), np.asarray(action), np.asarray(propensity, float), np.zeros(n), eligible, columns, None,
        None, None if wanted is None else np.asarray(wanted, np.float32),
    )  # fmt: skip


def test_what_is_left_to_others_by_hand():
    assert left_over(1.0 / np.array([0.7, 0.9995])) == pytest.approx([0.3, 0.0005])
    mass = beyond(np.array([[0.5, 0.3, 0.2]], dtype=np.float32), np.array([0]), np.array([0.25]))
    assert mass.tolist() == [[0.0, pytest.approx(0.3), 0.0]]


def test_mass_on_what_had_hardly_a_chance_by_hand():
    wanted = np.tile([0.9, 0.08, 0.02], (10, 1))
    never = sample_of(np.zeros(10, int), np.full(10, 0.998), wanted)  # two thousandths are left
    assert hardly_tried(never) == pytest.approx(0.1)
    once = sample_of(np.r_[np.zeros(9, int), 1], np.r_[np.full(9, 0.998), 0.0009], wanted)  # a weight of 89 was seen
    assert hardly_tried(once) == pytest.approx(0.0)
    rather = sample_of(np.zeros(10, int), np.full(10, 0.99), wanted)  # weights of 8 and 2 at least
    assert hardly_tried(rather) == pytest.approx(0.08)
    often = sample_of(np.zeros(10, int), np.full(10, 0.5), wanted)
    assert hardly_tried(often) == 0.0
    even = sample_of(np.zeros(10, int), np.full(10, 0.1), np.tile([0.0, 1.0, 0.0], (10, 1)))
    assert hardly_tried(even) == 0.0  # what was left to it may have been all of 0.9
    assert hardly_tried(sample_of(np.zeros(10, int), np.ones(10), wanted)) == 0.0
    assert hardly_tried(sample_of(np.zeros(10, int), np.full(10, 0.998), None)) == 0.0


def one_in_a_thousand(seed, n=2_000):
    """An honest log that explores so rarely that most of what the policy would do elsewhere never came."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    best = (X @ rng.normal(size=(2, 4))).argmax(axis=1)
    P = np.full((n, 4), 0.001 / 4)
    P[np.arange(n), best] += 0.999
    E = 0.95 * P + 0.05 * softmax(X @ rng.normal(size=(2, 4)))
    action = drawn(P, rng)
    return log_of(X, action, P[np.arange(n), action], rng.random(n) < 0.3), E


def test_an_honest_log_that_hardly_explores_is_not_called_wrong():
    wrong = ("than its propensities say", "where it should be 1", "was never tried where", "check the propensities")
    told_of = 0
    for seed in range(12):
        log, E = one_in_a_thousand(seed)
        answer = evaluate(log, E, estimators=("dr",))
        assert not [reason for reason in answer.reasons if any(word in reason for word in wrong)]
        assert answer.verdict != "trust"  # but what the policy would do there is not known
        told_of += any("was hardly ever tried where it would do it" in reason for reason in answer.reasons)
    assert told_of >= 4


def test_the_same_log_with_wrong_propensities_is_called_wrong():
    log, E = one_in_a_thousand(0)
    rng = np.random.default_rng(0)
    other = np.where(rng.random(len(log)) < 0.1, (log.action + 1) % 4, log.action)  # in truth it explores a tenth
    p = np.where(other == log.action, log.propensity, 0.00025)
    found = evaluate(log_of(np.c_[log.context.columns["x0"], log.context.columns["x1"]], other, p, log.reward), E)
    assert any("more often than its propensities say" in reason for reason in found.reasons)


# ---- the study of coverage, small


def test_the_study_of_intervals_keeps_its_blocks_and_tells_of_them(tmp_path, monkeypatch):
    study = study_of("interval_study")
    monkeypatch.setattr(study, "BLOCK", 3)
    for first in (0, 3):
        study.block_of(("similar", first), 5, tmp_path)
    before = (tmp_path / "similar_5_0.json").read_bytes()
    study.block_of(("similar", 0), 5, tmp_path)  # there already: not run again
    assert (tmp_path / "similar_5_0.json").read_bytes() == before
    found = study.summary("similar", 5, tmp_path)
    assert found["runs"] == 6
    assert found["value_covers"] >= 0.5
    assert 0.5 < found["difference_over_t"] < 1.6
    assert study.summary("normal", 5, tmp_path) == {"runs": 0}
    assert "| `similar` | 6 |" in study.table({"similar": found, "normal": {"runs": 0}})
    assert study.covers(0.937, 1_000)
    assert not study.covers(0.93, 1_000)


def test_every_design_is_a_sound_log():
    designs = study_of("coverage_designs")
    assert len(designs.DESIGNS) == 22
    for name in (*designs.DESIGNS, *designs.STRESSES):
        log, E, F = designs.log_of(name, np.random.default_rng(0))
        assert len(log) == len(E) == len(F)
        assert E.sum(axis=1) == pytest.approx(1.0)
        assert F.sum(axis=1) == pytest.approx(1.0)
    assert designs.truth_of("arms_tail", 100, 1)[0] == pytest.approx(0.02 * 40.0 * np.exp(1.5**2 / 2.0))
    assert designs.truth_of("jackpots_thin", 100, 1)[0] == pytest.approx(1.0 + 500.0 * 0.004)
    e, p, f = designs.truth_of("rareuplift", 100, 1)
    assert (e, p, f) == pytest.approx((0.2 * 0.01 + 0.8 * 0.03, 0.9 * 0.005 + 0.08 * 0.01 + 0.02 * 0.03, 0.005))


def test_levels_say_how_bad_a_few_events_are():
    residual = np.r_[np.full(6, 500.0), np.zeros(994)]
    log = Honest(1_000).log()
    sample = LogSample.of(log, np.arange(1_000), log.customer, None)._replace(gain=np.tile(residual, (3, 1)))
    (finding,) = few_events(sample, 1_000)
    assert finding.level is Level.CAUTION
    assert few_events(sample, 10_000) == ()  # a sample of one row in ten: sixty in all
