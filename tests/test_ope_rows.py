"""Single rows: repeats of other customers' rows, a row that decides alone, rows that the policy has learned from."""

from dataclasses import replace

import numpy as np
import pytest
from tests.test_ope_balance import NAMES, Honest, log_of

import campaignrl as crl
from campaignrl.ope.data.blocks import BLOCK, NUMBERS, blocks
from campaignrl.ope.data.log_sample import LogSample
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.repeats import repeats
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.evaluate import evaluate


def sample_of(log):
    return LogSample.of(log, np.arange(len(log)), log.customer, None)


def test_rows_that_stand_twice_under_other_names_are_seen():
    h = Honest(1_000)
    twice = np.repeat(np.arange(500), 2)
    log = log_of(h.X[twice], h.action[twice], h.p[twice], h.reward[twice])
    (found,) = repeats(sample_of(log))
    assert found.level is Level.CAUTION
    assert found.text.startswith(
        "about 50% of the rows repeat another customer's row in every column (100% of customers"
    )
    assert repeats(sample_of(h.log())) == ()


def test_one_customer_twice_is_no_repeat_of_another():
    h = Honest(1_000)
    twice = np.repeat(np.arange(500), 2)
    assert repeats(sample_of(log_of(h.X[twice], h.action[twice], h.p[twice], h.reward[twice], customer=twice))) == ()


@pytest.mark.parametrize("levels", [2, 5, 50])
def test_coarse_contexts_that_many_share_are_no_repeats(levels):
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, levels, (800, 1)).astype(float)
        p = np.where(X[:, 0] > 0, 0.97, 0.5)
        action = (rng.random(800) > p).astype(int)
        log = log_of(X, action, np.where(action == 0, p, 1 - p), np.zeros(800), NAMES[:2])
        alarms += bool(repeats(sample_of(log)))
    assert alarms <= 1


def test_one_reward_that_is_all_of_the_spread_is_named():
    h = Honest(2_000)
    log = h.log()
    reward = log.reward.copy()
    reward[17] = 60_000.0
    answer = evaluate(replace(log, reward=reward), h.E)
    assert answer.verdict != "trust"
    assert any("row 17 (customer c000017, reward 60000) by itself moves dr from" in r for r in answer.reasons)


def test_without_the_row_is_the_mean_of_the_others():
    h = Honest(200)
    terms = np.r_[1_000.0, np.arange(199) / 100]
    (found,) = outlier(h.log(), terms)
    assert f"from {terms[1:].mean():.4g} to {terms.mean():.4g}" in found.text
    assert outlier(h.log(), np.r_[3.0, np.arange(199) / 100]) == ()
    assert outlier(h.log(), np.ones(200)) == ()


def test_a_learner_is_refused_on_its_own_rows_in_memory_and_from_a_bundle(tmp_path):
    log = crl.simulate("coupon_trap", "uniform", customers=150, seed=7)
    policy = crl.train("lin_ts", log)
    bundle = crl.save_policy(policy, tmp_path / "own.bundle", trained_on=log)
    for asked in (policy, bundle):
        answer = evaluate(log, asked)
        assert answer.verdict == "refuse"
        assert any("learned from these very rows" in r and "fresh log" in r for r in answer.reasons)
    fresh = crl.simulate("coupon_trap", "uniform", customers=150, seed=8)
    assert not any("learned from" in reason for reason in evaluate(fresh, policy).reasons)


@pytest.mark.parametrize(
    ("n", "k", "longest"), [(0, 5, 0), (9, 5, 9), (200_000, 4, BLOCK), (200_000, 5, 52_428), (90_000, 33, 7_943)]
)
def test_blocks_hold_every_row_once_and_a_bounded_number_of_numbers(n, k, longest):
    parts = list(blocks(n, k))
    assert [row for part in parts for row in range(n)[part]] == list(range(n))
    assert max((part.stop - part.start for part in parts), default=0) == longest
    assert longest * k <= NUMBERS


def test_a_row_of_more_numbers_than_a_block_holds_is_one_block():
    assert list(blocks(3, 2 * NUMBERS)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
