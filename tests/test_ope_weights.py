"""Figures of importance weights and of a log, by hand: mixes, bounds, rounding, certain actions, MRDR's weights."""

import numpy as np
import pytest

from campaignrl.actions import Catalog
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.diagnostics import ESS_CAUTION
from campaignrl.ope.estimators import weights
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import p_value_of_gap
from campaignrl.ope.methods import certain_share
from campaignrl.ope.nuisance import reward_model
from campaignrl.ope.streaming import evaluate_stream
from campaignrl.tables.log import DecisionLog

CATALOG = Catalog.from_names(["mail@email", "gift@email"])  # after `none`
SCHEMA = FeatureSchema((Feature(name="x"),))


def log_of(action, propensity, reward=None, **changes):
    n = len(action)
    whole = np.zeros(n, dtype=int)
    fields = {
        "catalog": CATALOG,
        "customers": np.array([f"c{i:05}" for i in range(n)], dtype=object),
        "customer": np.arange(n),
        "context": Context(SCHEMA, {"x": np.linspace(0.0, 1.0, n)}),
        "action": np.asarray(action),
        "propensity": np.asarray(propensity, dtype=float),
        "reward": np.zeros(n) if reward is None else np.asarray(reward, dtype=float),
        "matured": np.ones(n, dtype=bool),
        **{"step": whole, "day": whole, "cost": whole},
    }
    return DecisionLog(**{**fields, **changes})


# ---- a closer question


def test_the_closest_mix_by_hand():
    # one row in 10 of weight 10: at share s weights are 1 - s and 1 + 9 s: n / (1 + 9 s^2) effective rows
    weight = np.tile(np.r_[10.0, np.zeros(9)], 100)
    assert weights.effective_sample_size(weights.mixed(weight, 0.3)) == pytest.approx(1000 / 1.81)
    assert weights.closest_mix(weight, 1000 / 1.81 - 1e-6) == (0.3, pytest.approx(1000 / 1.81))
    assert weights.closest_mix(weight, 1000 / 1.81 + 1e-6) == (0.2, pytest.approx(1000 / 1.36))
    assert weights.closest_mix(weight, 1000 / (1 + 9 * 0.01**2) - 1e-9) == (0.01, pytest.approx(1000 / 1.0009))
    assert weights.closest_mix(weight, 999.9) is None
    for share in (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01):  # each is offered where no larger one will do
        assert weights.closest_mix(weight, 1000 / (1 + 9 * share**2) - 1e-6)[0] == share


@pytest.mark.parametrize("evaluated", [evaluate, evaluate_stream])
def test_a_mix_that_is_offered_keeps_its_promise(evaluated):
    """20,000 rows, of which 1 % speak, each for a hundred: 2,000 are logged `gift`, which is always wanted."""
    n = 20_000
    gift = np.arange(n) % 100 == 0
    log = log_of(np.where(gift, 2, 0), np.where(gift, 0.01, 0.99), np.arange(n) % 7 == 0)
    always = np.tile([0.0, 0.0, 1.0], (n, 1))
    found = evaluated(log, always, estimators=("ips",))
    # at share s: n / (1 + 99 s^2), 5,747 at 0.2 and 2,020 at 0.3, 785 at 0.5, 1,188 at 0.4 (1,000 are wanted)
    assert found.ess == pytest.approx(200)
    offered = evaluated(log, always, estimators=("ips",), mix=0.4)
    assert offered.ess == pytest.approx(n / (1 + 99 * 0.4**2)) == pytest.approx(1_188, abs=0.5)
    assert offered.ess >= ESS_CAUTION > evaluated(log, always, estimators=("ips",), mix=0.5).ess
    scarce = evaluated(log_of(log.action[:5_000], log.propensity[:5_000]), always[:5_000], estimators=("ips",))
    assert scarce.verdict == "refuse"  # 50 effective rows; at 0.2, 5,000 / (1 + 99 x 0.04)
    assert "`--mix 0.2` would have an effective sample size of about 1,008" in scarce.reasons[-1]


# ---- bounds and rounding


def test_the_bound_of_weights_looks_at_wanted_actions_only():
    action, propensity = np.array([0, 1, 2]), np.array([0.5, 0.25, 0.01])
    wanted = np.array([0.75, 0.5, 0.0])  # the third, logged at 0.01, is never wanted
    assert weights.weight_bound(wanted, action, propensity, None) == 0.75 / 0.25
    assert weights.weight_bound(wanted, action, propensity, 0.05) == 0.75 / 0.05
    assert weights.weight_bound(np.array([0.0, 0.0, 1.0]), action, propensity, None) == 1.0 / 0.01
    assert weights.weight_bound(np.array([0.1, 0.0, 0.0]), action, propensity, None) == 1.0  # no mean of 1 below it


def test_twenty_values_are_many_nineteen_are_not():
    values = np.linspace(0.1, 0.9, 20).astype(np.float16).astype(np.float64)
    assert len(np.unique(values)) == 20
    assert weights.rounded_to_half_precision(values)
    assert not weights.rounded_to_half_precision(np.r_[values[:19], values[:19]])
    assert not weights.rounded_to_half_precision(np.r_[values, 0.1 + 1e-9])


# ---- rows whose action was certain


def test_an_action_is_certain_only_where_another_was_eligible():
    eligible = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 1, 0]], dtype=bool)
    log = log_of([0, 1, 2, 1, 0], [1.0, 1.0, 0.95, 0.5, 1.0 - 1e-9], eligible=eligible)
    assert certain_share(log) == 1 / 4  # of the four with a choice, the second
    assert certain_share(log_of([0, 1, 2], [1.0, 0.95, 1.0])) == pytest.approx(2 / 3)  # all are eligible
    forced = log_of([0, 0], [1.0, 1.0], eligible=eligible[[0, 0]])
    assert certain_share(forced) == 0.0


# ---- more robust doubly robust


def test_the_model_of_mrdr_counts_rows_by_what_their_errors_cost():
    """A row's error costs w (1 - p) / p; the value is that of dr with a model fitted so (Farajtabar et al. 2018)."""
    n = 900
    turn = np.arange(n) % 3
    p = np.choose(turn, [0.5, 0.3, 0.2])
    target = np.tile([0.1, 0.3, 0.6], (n, 1))
    log = log_of(turn, p, (np.arange(n) * 7 % 11 < 2 + 2 * turn) * 1.0)
    cost = np.choose(turn, [0.1 / 0.5 * 0.5 / 0.5, 0.3 / 0.3 * 0.7 / 0.3, 0.6 / 0.2 * 0.8 / 0.2])
    assert cost.tolist()[:3] == pytest.approx([0.2, 7 / 3, 12.0])
    model = reward_model("ridge", log, (0.0, 1.0), 5, 0, cost / cost.mean())
    by_hand = evaluate(log, target, q=model.predict(slice(0, n)), estimators=("dr",)).estimates["dr"]
    assert evaluate(log, target, estimators=("mrdr",)).estimates["mrdr"][:4] == pytest.approx(by_hand[:4], rel=1e-9)
    plain = evaluate(log, target, estimators=("dr",)).estimates["dr"]
    assert abs(plain.value - by_hand.value) > 1e-6


# ---- two estimates that should agree


def test_the_p_value_of_a_gap_is_two_sided():
    assert p_value_of_gap(1.0, 0.0, 0.5) == pytest.approx(0.04550026389635842)  # two standard errors, either way
    assert p_value_of_gap(0.0, 1.0, 0.5) == pytest.approx(0.04550026389635842)
    assert p_value_of_gap(0.3, 0.3 + 1e-12, 1e-15) == 1.0  # rounding
    assert p_value_of_gap(0.3, 0.4, 0.0) == 1.0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 64, 1000])
def test_the_most_wanted_of_each_action_is_found_wherever_it_stands(rows, order):
    p = np.asarray(np.random.default_rng(rows).random((rows, 5)), order=order)
    assert weights.most_wanted(p).tolist() == p.max(axis=0).tolist()
    for at in {0, rows // 2, rows - 1}:
        peak = p.copy(order="K")
        peak[at, 3] = 2.0
        assert weights.most_wanted(peak).tolist() == peak.max(axis=0).tolist()
    with pytest.raises(ValueError, match="zero-size"):
        weights.most_wanted(p[:0])
