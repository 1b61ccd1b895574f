"""Sequential estimates beside the simulator's truth, in a world small enough to run each time.

The full-size study is experiments/sequential_truth.py.
"""

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.campaign import run_campaign
from campaignrl.policies.loading import build_policy
from campaignrl.specs.world import load_world

CUSTOMERS, OTHERS = 6_000, 40_000
POLICIES = ("none", "uniform", "always:content@push", "always:coupon20@sms", "always:perk@push")


@pytest.fixture(scope="module")
def world(request):
    """The small world with a reward of its own for every day."""
    return load_world(request.path.parent / "worlds" / "small.toml", outcome_days=1)


@pytest.fixture(scope="module")
def log(world):
    half = build_policy({"kind": "uniform", "none_share": 0.5}, world.catalog, world.features)
    return crl.simulate(world, half, customers=CUSTOMERS, seed=4)


@pytest.fixture(scope="module")
def truth(world):
    """Policy -> (12,) what a customer has earned by the end of each day, on other customers."""
    runs = {policy: run_campaign(world, policy, customers=OTHERS, seed=10**9) for policy in POLICIES}
    return {policy: np.cumsum(run.daily["reward"]) / OTHERS for policy, run in runs.items()}


@pytest.mark.parametrize("policy", POLICIES)
def test_right_as_far_as_the_log_lasts_and_refused_beyond(log, truth, policy):
    whole = crl.evaluate(log, policy, estimators=("pdis",))
    if whole.lasting < 12:
        assert whole.verdict == "refuse"
        assert f"horizon={whole.lasting}" in whole.reasons[0]
    within = crl.evaluate(log, policy, estimators=("wpdis", "wdr"), horizon=whole.lasting, folds=2)
    assert within.verdict != "refuse"
    for name in ("wpdis", "wdr"):
        estimate = within.estimates[name]
        assert abs(estimate.value - truth[policy][whole.lasting - 1]) < 3.5 * estimate.std_error


def test_the_logs_neighbour_lasts_and_the_far_ones_do_not(log):
    lasting = {p: crl.evaluate(log, p, estimators=("pdis",)).lasting for p in POLICIES}
    assert lasting["uniform"] == 12
    assert max(lasting[p] for p in POLICIES if p.startswith("always")) < 8


def test_the_model_goes_on_and_finds_the_best(log, truth):
    """Beyond the weights only the model speaks: a gap of a quarter of the value must not escape it."""
    values = {p: crl.evaluate(log, p, estimators=("fqe",), folds=2).estimates["fqe"].value for p in POLICIES}
    last = {p: each[-1] for p, each in truth.items()}
    assert max(values, key=values.get) == max(last, key=last.get) == "always:perk@push"
    assert values["always:perk@push"] > 1.15 * values["always:coupon20@sms"]
