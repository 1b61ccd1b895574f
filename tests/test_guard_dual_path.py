"""The whole search for prices, step by step, as it was recorded: no step may change without somebody deciding so."""

import numpy as np
import pytest

from campaignrl.guard.dual_prices import lowest_bound, lowest_bound_again

# By case: answers that were asked for, the bound, the prices, the shares of the mixed plans; at the first limits and
# at others.
RECORDED = {
    "few": [(9, 44.0765482, 3.0883278, 1.0), (12, 23.1804759, 4.90608806, 1.0)],
    "none of one": [(8, 226.327782, 24.0282304, 0.885489895, 1.0), (26, 234.882957, 7.61333469, 0.884235791, 1.0)],
    "at least": [(22, 221.899961, 17.386741, 9.39376696, 1.0), (30, 242.437732, 10.2061322, 5.82923646, 1.0)],
    "loose": [(1, 669.735377, 0.0, 1.0), (1, 669.735377, 0.0, 1.0)],
    "several limits": [
        (28, 773.396722, 0.576148823, 3.07864903e-07, 1.1160589, 0.428571429, 0.571428571),
        (45, 495.87338, 0.780124839, 7.88134151e-05, 2.10717221, 0.2, 0.8),
    ],
    "edge": [
        (31, 5387.67856, 0.560411271, 2.13882429e-07, 1.23764021, 0.142857143, 0.857142857),
        (47, 3486.95227, 0.811222719, 1.36884755e-05, 2.08923136, 0.0526315789, 0.473684211, 0.473684211),
    ],
    "many": [
        (24, 7805.07317, 0.593917881, 4.05062879e-06, 1.14949152, 1.0),
        (41, 4963.83486, 0.847854434, 6.48100607e-05, 1.81563056, 0.4, 0.6),
    ],
}


def instance(case):
    """Gains (n, 5), weights and limits of one case."""
    chance = np.random.default_rng(sum(map(ord, case)))
    n = {"few": 40, "several limits": 600, "edge": 4096, "many": 6000}.get(case, 300)
    gains = chance.gamma(0.7, 2.0, (n, 5)) - 0.4
    gains[chance.random((n, 5)) < 0.3] = -np.inf
    gains[:, 0] = 0.0
    weights = {
        "few": [[0, 1, 1, 1, 1]],
        "none of one": [[0, 1, 1, 0, 0], [0, 3, 1, 4, 2]],
        "at least": [[0, -1, 0, 0, 0], [0, 2, 1, 3, 2]],
        "loose": [[0, 1, 1, 1, 1]],
    }.get(case, [[0, 7, 2, 5, 3], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1]])
    most = {
        "few": [9],
        "none of one": [0, 150],
        "at least": [-n // 4, n // 2],
        "loose": [10 * n],
    }.get(case, [n, n // 8, n // 6])
    return gains, np.array(weights), np.array(most), chance.permutation(n).astype(np.uint64)


def path(case):
    gains, weights, most, order = instance(case)
    demand, dual = lowest_bound(gains, weights, most, order)
    asked = len(demand.found)
    again = lowest_bound_again(demand, most // 2 if (most > 0).all() else most + 1)
    return [
        (many, *(float(f"{x:.9g}") for x in (found.bound, *found.prices, *np.sort(found.shares))))
        for many, found in ((asked, dual), (len(demand.found), again))
    ]


@pytest.mark.parametrize("case", ["few", "none of one", "at least", "loose", "several limits", "edge", "many"])
def test_the_search_goes_as_it_went(case):
    for found, recorded in zip(path(case), RECORDED[case], strict=True):
        assert found[0] == recorded[0]
        assert found[1:] == pytest.approx(recorded[1:], rel=1e-7, abs=1e-9)
