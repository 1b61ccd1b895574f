"""Parts of the evaluator to the last digit: bins of weights, independence of offer and channel, words of a refusal."""

import numpy as np
import pytest

from campaignrl.ope.episodes.support_horizon import Step, _end
from campaignrl.ope.estimators.marginal_weights import independent, memberships
from campaignrl.ope.methods.weight_histogram import BINS, LEAST, PER_DOUBLING, histogram_sums, weight_histogram_from
from campaignrl.policies import unsound_rows


def test_the_histogram_of_weights_by_hand():
    weight, action = np.array([0.0, 1.0, 1.4, 1.5, 2.0, 8.0]), np.array([0, 0, 0, 1, 1, 1])
    sums = histogram_sums(weight, action, 3)
    first = -PER_DOUBLING * LEAST  # of the weight 1
    rows = next(values for values in sums.values() if len(values) == BINS)
    assert np.flatnonzero(rows).tolist() == [first, first + 1, first + 2, first + 6]
    assert rows[[first, first + 1, first + 2, first + 6]].tolist() == [2, 1, 1, 1]  # 1 and 1.4; 1.5; 2; 8
    found = weight_histogram_from(("a", "b", "c"), sums)
    assert found.edges[[0, -1]].tolist() == [1.0, pytest.approx(2**3.5)]
    assert len(found.edges) == len(found.rows) + 1 == len(found.weight) + 1 == 8
    assert found.edges[1] == pytest.approx(2**0.5)
    assert found.rows.tolist() == pytest.approx([2 / 6, 1 / 6, 1 / 6, 0, 0, 0, 1 / 6])
    assert found.weight.tolist() == pytest.approx([2.4 / 13.9, 1.5 / 13.9, 2 / 13.9, 0, 0, 0, 8 / 13.9])
    assert found.silent == pytest.approx(1 / 6)
    assert [overlap[0] for overlap in found.overlap] == ["a", "b", "c"]
    assert found.overlap[1][3] == pytest.approx(11.5**2 / (1.5**2 + 4 + 64))
    assert found.overlap[2][3] == 0.0


def products(offers, channels, none):
    """(1, k) of `none` and every offer on every channel, independently."""
    send = 1.0 - none
    return np.array([[none, *(send * o * c for o in offers for c in channels)]])


def test_offers_and_channels_are_independent_where_every_row_is_a_product():
    offer, channel = np.array([-1, 0, 0, 1, 1]), np.array([-1, 0, 1, 0, 1])
    members = memberships(offer), memberships(channel), memberships(np.where(offer < 0, -1, offer * 2 + channel))
    product = products((0.3, 0.7), (0.6, 0.4), 0.2)
    assert independent(product, *members)
    tied = product.copy()
    tied[0, [1, 2]] += [0.01, -0.01]
    assert not independent(tied, *members)
    assert not independent(np.concatenate([product, tied]), *members)  # one row is enough
    missing = members[2][:, :-1]  # a pair that is no action has probability 0
    assert not independent(product[:, :-1] / product[:, :-1].sum(), *(m[:-1] for m in members[:2]), missing[:-1])


@pytest.mark.parametrize(
    ("ess", "share", "words"),
    [
        (0.0, 0.0, "none of 900 customers with a choice still does"),
        (99.0, 0.0, "effective sample size is 99 of 900"),
        (4.25, 0.0, "effective sample size is 4.2 of 900"),
        (100_000.0, 0.0, "the weights add up to 60% of what they should"),
        (100_000.0, 1.0, "effective sample size is 100,000 of 900"),
    ],
)
def test_what_is_wrong_at_the_first_step_out_of_reach(ess, share, words):
    assert words in _end(Step(3, 1.0, 900, ess, np.nan, share, 0.6), 5)


def test_mass_outside_the_eligible_names_the_largest_and_its_action():
    p = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    allowed = np.array([[True, True, True], [True, False, False]])
    problem = unsound_rows(p, allowed, lambda rows: f"rows {rows + 10}")[0]
    assert (problem.field, problem.value) == ("mass", 0.5)
    assert "Action 2 was not eligible" in problem.fix
    assert "11" in problem.where
    sums = unsound_rows(np.array([[0.5, 0.6, 0.0]]), np.ones((1, 3), dtype=bool), str)[0]
    assert (sums.field, sums.value) == ("sum", pytest.approx(1.1))
