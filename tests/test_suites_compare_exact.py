"""The comparison's own numbers: where the world counts as another, who shares alpha, which seeds are missing."""

import pytest
from scipy import stats

from campaignrl.errors import UsageError
from campaignrl.suites.compare import compare
from campaignrl.suites.judge import Pairing, judged
from campaignrl.suites.results import Results, SuiteFacts, WorldFacts, made_with
from campaignrl.suites.rows import Row
from campaignrl.suites.statistics import EQUAL, INCONCLUSIVE, NEW, NO_EVIDENCE, REGRESSION, verdict
from campaignrl.suites.suite import Gate, Training


def results_of(values, none):
    """Results with these values by policy, one per seed; `none` is worth `none` in each."""
    facts = SuiteFacts(
        name="suite",
        worlds={"shop": WorldFacts(hash="abc", currency="EUR", horizon=10)},
        policies=["none", *values],
        seeds=max(len(v) for v in values.values()),
        customers=1000,
        train=Training(),
        compare=Gate(margin=0.01),
    )
    rows = [
        Row(world="shop", policy=policy, seed=seed, value_std=1.0, measures={"contribution": value})
        for policy, own in {**values, "none": [none] * facts.seeds}.items()
        for seed, value in enumerate(own)
    ]
    return Results(made_with=made_with(), suite=facts, suite_hash=facts.settings_hash, rows=rows)


RULES = {"rules": [40.0, 42.0, 41.0]}


@pytest.mark.parametrize(("moved", "refused"), [(0.0, False), (0.0009, False), (0.0011, True), (-0.0011, True)])
def test_a_world_counts_as_another_from_a_change_of_one_in_a_thousand(moved, refused):
    found = compare(results_of(RULES, 100.0), results_of(RULES, 100.0 * (1 + moved)))
    assert bool(found.refused) is refused
    assert ("itself behaves otherwise" in found.refused) is refused
    assert found.exit_code == (4 if refused else 0)


def pairing(base, candidate):
    return Pairing("shop", "rules", dict(enumerate(base)), dict(enumerate(candidate)))


def test_alpha_is_shared_by_the_rows_that_are_judged_only():
    """Differences 1, 2, 3 of a base worth 100: mean 2 %, standard error 1 % / sqrt(3)."""
    real = pairing([99.0, 100.0, 101.0], [100.0, 102.0, 104.0])
    absent, new, single = pairing([1.0, 2.0], []), pairing([], [1.0, 2.0]), pairing([1.0], [2.0])
    for others, judged_rows in (([], 1), ([absent, new, single], 1), ([real], 2), ([real, absent, real], 3)):
        first = judged([real, *others], {"contribution": 0.01}, 0.05)[0]
        half = stats.t.ppf(1 - 0.05 / judged_rows / 2, 2) * 0.01 / 3**0.5
        assert first.difference == pytest.approx(0.02, abs=1e-12)
        assert (first.ci_low, first.ci_high) == pytest.approx((0.02 - half, 0.02 + half), abs=1e-12)


def test_a_candidate_with_more_seeds_than_the_base_is_no_evidence_either():
    for base, candidate in (([1.0, 2.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [1.0, 2.0])):
        (row,) = judged([pairing(base, candidate)], {"contribution": 0.01}, 0.05)
        assert (row.verdict, row.reason) == (NO_EVIDENCE, "rows are missing (seed 2)")


def test_missing_seeds_are_named_up_to_ten():
    for many, end in ((10, "8, 9, 10, 11)"), (11, "8, 9, 10, 11 ...)")):
        (row,) = judged([pairing([1.0] * (2 + many), [1.0, 2.0])], {"contribution": 0.01}, 0.05)
        assert row.reason.endswith(end)


def test_two_seeds_are_enough_and_a_worthless_base_is_not():
    assert judged([pairing([1.0, 2.0], [1.0, 2.0])], {"contribution": 0.01}, 0.05)[0].verdict == EQUAL
    assert judged([pairing([1.0], [1.0])], {"contribution": 0.01}, 0.05)[0].verdict == NO_EVIDENCE
    assert judged([pairing([1.0, -1.0], [1.0, 2.0])], {"contribution": 0.01}, 0.05)[0].verdict == NO_EVIDENCE
    assert judged([pairing([], [])], {"contribution": 0.01}, 0.05)[0].verdict == NO_EVIDENCE
    assert judged([pairing([], [1.0])], {"contribution": 0.01}, 0.05)[0].verdict == NEW


@pytest.mark.parametrize(
    ("high", "word"), [(-0.0101, REGRESSION), (-0.01, INCONCLUSIVE), (0.0, INCONCLUSIVE), (0.01, INCONCLUSIVE)]
)
def test_the_verdict_on_both_sides_of_the_margin(high, word):
    assert verdict(-0.5, high, 0.01) == word


def test_a_margin_of_nothing_is_allowed_and_of_everything_is_not():
    same = results_of(RULES, 10.0)
    assert compare(same, same, margin=0.0).exit_code == 0
    for wrong in ({"margin": 1.0}, {"margin": -0.01}, {"alpha": 0.0}, {"alpha": 1.0}):
        with pytest.raises(UsageError):
            compare(same, same, **wrong)
