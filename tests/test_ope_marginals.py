"""Estimators on offers and channels, and what the logging policy would have done instead."""

import importlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.actions import Catalog
from campaignrl.errors import DataError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.estimators.marginal_weights import MarginalGathering
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.methods.registry import ESTIMATORS
from campaignrl.ope.nuisance.logging_policy import logging_policy
from campaignrl.tables.log.decision_log import DecisionLog

CATALOG = Catalog.from_names(["mail@email", "mail@sms", "gift@email", "gift@sms"])  # after `none`
SCHEMA = FeatureSchema((Feature(name="x"),))
MARGINAL = ("mips_offer", "mips_channel", "offcem", "pi")
K = len(CATALOG)


def make_log(p, seed=0, reward=None, **changes):
    """A log drawn from probabilities p (n, 5); reward (5,) chance of a conversion by action."""
    n, chance = len(p), np.random.default_rng(seed)
    action = np.minimum((p.cumsum(axis=1) <= chance.random(n)[:, None]).sum(axis=1), K - 1)
    rate = np.full(K, 0.2) if reward is None else np.asarray(reward)
    whole = np.zeros(n, dtype=int)
    fields = {
        "catalog": CATALOG,
        "customers": np.array([f"c{i}" for i in range(n)], dtype=object),
        "customer": np.arange(n),
        "context": Context(SCHEMA, {"x": chance.random(n)}),
        "action": action,
        "propensity": p[np.arange(n), action],
        "reward": (chance.random(n) < rate[action]).astype(float),
        "matured": np.ones(n, dtype=bool),
        **{"step": whole, "day": whole, "cost": whole},
    }
    return DecisionLog(**{**fields, **changes})


def slots(none, offer, channel):
    """(n, 5) from (n,) chance of none, and (n,) chances of mail and of email among sends, drawn independently."""
    mail, gift = offer, 1.0 - offer
    sends = np.stack([mail * channel, mail * (1 - channel), gift * channel, gift * (1 - channel)], axis=1)
    return np.concatenate([none[:, None], (1.0 - none)[:, None] * sends], axis=1)


def varied(n, seed=0):
    chance = np.random.default_rng(seed)
    return slots(*chance.uniform(0.2, 0.8, (3, n)))


# ---- the weights, by hand


def test_two_rows_by_hand():
    #              none mail@email mail@sms gift@email gift@sms
    logging = [[0.2, 0.4, 0.2, 0.1, 0.1], [0.5, 0.1, 0.1, 0.2, 0.1]]
    target = [[0.0, 0.3, 0.6, 0.1, 0.0], [0.4, 0.0, 0.0, 0.0, 0.6]]
    log = make_log(np.array(logging), action=np.array([2, 0]), propensity=np.array([0.2, 0.5]))
    gathering = MarginalGathering(log)
    gathering.take(slice(0, 2), np.array(target), np.array(logging))
    found = gathering.result()
    assert found.offer.weight == pytest.approx([0.9 / 0.6, 0.4 / 0.5])
    assert found.channel.weight == pytest.approx([0.6 / 0.3, 0.4 / 0.5])
    assert found.contact.weight == pytest.approx([1.0 / 0.8, 0.4 / 0.5])
    assert not found.independent
    # r (w_offer + w_channel - w_contact): 1.5 + 2 - 1.25 = 2.25 for the send, the weight of `none` itself otherwise
    assert ESTIMATORS["pi"].marginal(found).weight == pytest.approx([2.25, 0.8])


def test_what_the_logging_policy_would_not_do_is_off_support():
    logging = np.tile([0.5, 0.25, 0.25, 0.0, 0.0], (40, 1))
    log = make_log(logging)
    e = evaluate(log, np.tile([0.0, 0.5, 0.3, 0.2, 0.0], (40, 1)), estimators=MARGINAL, logging=logging)
    assert "mips_offer: 20.00% of what this policy would do" in " ".join(e.reasons)
    assert "mips_channel" not in " ".join(e.reasons)


# ---- laws


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_logging_policy_itself_has_weights_of_one(seed):
    logging = varied(60, seed)
    log = make_log(logging, seed)
    e = evaluate(log, logging, estimators=MARGINAL, logging=logging)
    for name in ("mips_offer", "mips_channel", "pi"):
        assert e.estimates[name].value == pytest.approx(log.reward.mean())


def test_the_mean_weight_is_one_in_expectation():
    logging, target = varied(200, 1), varied(200, 2)
    sums = np.zeros(200)
    for a in range(K):  # every action in turn, weighted by how likely it is
        log = make_log(logging, action=np.full(200, a), propensity=logging[:, a])
        gathering = MarginalGathering(log)
        gathering.take(slice(0, 200), target, logging)
        part = gathering.result()
        sums += logging[:, a] * (part.offer.weight + part.channel.weight - part.contact.weight)
    assert sums == pytest.approx(np.ones(200))


def test_one_channel_makes_offers_the_actions():
    single = Catalog.from_names(["mail", "post", "gift", "visit"])
    logging, target = varied(500, 1), varied(500, 2)
    log = make_log(logging, catalog=single)
    e = evaluate(log, target, estimators=("ips", "dr", "mips_offer", "offcem"), logging=logging)
    assert e.estimates["mips_offer"][:2] == pytest.approx(e.estimates["ips"][:2])
    assert e.estimates["offcem"][:2] == pytest.approx(e.estimates["dr"][:2])


def test_blocks_are_invisible(monkeypatch):
    logging, target = varied(3000, 1), varied(3000, 2)
    log = make_log(logging)
    whole = evaluate(log, target, estimators=tuple(ESTIMATORS), logging=logging)
    monkeypatch.setattr(importlib.import_module("campaignrl.ope.data.blocks"), "BLOCK", 700)
    parts = evaluate(log, target, estimators=tuple(ESTIMATORS), logging=logging)
    for name in ESTIMATORS:
        assert parts.estimates[name][:4] == pytest.approx(whole.estimates[name][:4], rel=1e-6, nan_ok=True)


def test_a_mixture_is_between_its_parts():
    logging, target = varied(2000, 1), varied(2000, 2)
    log = make_log(logging)
    full, half = (evaluate(log, target, estimators=MARGINAL, logging=logging, mix=mix) for mix in (1.0, 0.5))
    for name in ("mips_offer", "mips_channel", "pi"):
        middle = (full.estimates[name].value + log.reward.mean()) / 2
        assert half.estimates[name].value == pytest.approx(middle)


# ---- truth: what each estimator presumes, it gets right


def _bias_in_errors(name, rates, runs=40, n=2000):
    logging, target = varied(n, 11), slots(np.full(n, 0.1), np.full(n, 0.2), np.full(n, 0.3))
    truth = (target @ rates).mean()
    found = [
        evaluate(make_log(logging, seed, rates), target, estimators=(name,), logging=logging).estimates[name].value
        for seed in range(runs)
    ]
    return (np.mean(found) - truth) / (np.std(found, ddof=1) / np.sqrt(runs))


BY_OFFER = np.array([0.1, 0.3, 0.3, 0.6, 0.6])
ADDITIVE = np.array([0.1, 0.2, 0.4, 0.5, 0.7])  # gift adds 0.3, sms 0.2


def test_mips_is_right_if_only_the_offer_matters():
    assert abs(_bias_in_errors("mips_offer", BY_OFFER)) < 3.5
    assert abs(_bias_in_errors("mips_channel", BY_OFFER)) > 6.0


@pytest.mark.slow
def test_pi_is_right_if_offer_and_channel_add_up():
    assert abs(_bias_in_errors("pi", ADDITIVE)) < 3.5
    assert abs(_bias_in_errors("mips_offer", ADDITIVE)) > 6.0


# ---- the logging policy: shown by the log, given, estimated, or not known


def test_without_the_logging_policy_nothing_is_guessed():
    logging, target = varied(300, 1), varied(300, 2)
    e = evaluate(make_log(logging), target, estimators=("ips", *MARGINAL))
    assert all(np.isnan(e.estimates[name].value) for name in MARGINAL)
    assert e.to_dict()["estimates"]["pi"]["value"] is None
    assert "mips_offer, mips_channel, offcem, pi: not to be had, the log holds the propensity" in " ".join(e.reasons)
    assert np.isfinite(e.estimates["ips"].value)


def test_a_uniform_log_shows_its_policy_whatever_was_eligible():
    n = 400
    eligible = np.random.default_rng(0).random((n, K)) < 0.7
    eligible[:, 0] = True
    p = eligible / eligible.sum(axis=1, keepdims=True)
    log = make_log(p, eligible=eligible)
    assert np.array_equal(logging_policy(None, log, None).answer(slice(0, n)), p)
    assert evaluate(log, p, estimators=("mips_offer",)).estimates["mips_offer"].value == pytest.approx(
        log.reward.mean()
    )


def test_a_fixed_design_shows_its_policy():
    design = np.tile([0.25, 0.3, 0.15, 0.1, 0.2], (2000, 1))
    log = make_log(design)
    assert logging_policy(None, log, None).answer(slice(0, 2000)) == pytest.approx(design)
    one_other = replace(log, propensity=np.where(np.arange(2000) == 5, 0.9, log.propensity))
    assert logging_policy(None, one_other, None) is None


def test_array_frame_and_policy_agree():
    logging, target = varied(300, 1), varied(300, 2)
    log = make_log(logging)
    frame = pd.DataFrame(logging, columns=list(CATALOG.names)).assign(decision_id=log.decision_id)
    found = [evaluate(log, target, estimators=MARGINAL, logging=g).estimates for g in (logging, frame)]
    assert found[0] == found[1]


def test_immature_rows_are_left_out_of_what_is_given_too():
    logging, target = varied(600, 1), varied(600, 2)
    log = make_log(logging, matured=np.arange(600) % 2 == 0)
    kept = evaluate(log.take(slice(0, 600, 2)), target[::2], estimators=MARGINAL, logging=logging[::2])
    assert evaluate(log, target, estimators=MARGINAL, logging=logging).estimates == kept.estimates


def test_another_policy_than_the_one_that_logged_is_refused_with_rows():
    logging = varied(300, 1)
    with pytest.raises(DataError, match=r"logging policy rows .*: probability = .* is not the logged propensity"):
        evaluate(make_log(logging), logging, estimators=("mips_offer",), logging=varied(300, 2))


def test_a_dependent_logging_policy_is_no_case_for_pi():
    logging = np.tile([0.2, 0.4, 0.1, 0.1, 0.2], (300, 1))
    e = evaluate(make_log(logging), logging, estimators=("pi", "mips_offer"))
    assert np.isnan(e.estimates["pi"].value)
    assert "pi: not to be had, the logging policy does not draw" in " ".join(e.reasons)
    assert np.isfinite(e.estimates["mips_offer"].value)


def test_mrdr_counts_rows_by_what_their_errors_cost():
    logging, target = varied(3000, 1), varied(3000, 2)
    log = make_log(logging, reward=ADDITIVE)
    e = evaluate(log, target, estimators=("dr", "mrdr"))
    assert e.estimates["mrdr"].value != e.estimates["dr"].value
    assert e.estimates["mrdr"].value == pytest.approx(e.estimates["dr"].value, abs=e.estimates["dr"].std_error)
