"""The propensity of all loggers together by hand: even ones, one chance an action, and designs that are not plain."""

from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.ope.nuisance.pooled_loggers import SAME, _of_logged, pooled_factor


def log_of(action, p, wave, eligible=None, k=3):
    made = type("Log", (SimpleNamespace,), {"__len__": lambda self: len(action)})
    return made(
        action=np.array(action), propensity=np.array(p, dtype=float), wave=None if wave is None else np.array(wave),
        eligible=None if eligible is None else np.array(eligible, dtype=bool), catalog=range(k),
    )  # fmt: skip


def test_two_waves_by_hand():
    """The first draws evenly of three, the second by chances of 0.5, 0.3 and 0.2; it has three rows of five."""
    log = log_of([0, 2, 0, 1, 2], [1 / 3, 1 / 3, 0.5, 0.3, 0.2], [0, 0, 7, 7, 7])
    chances = np.array([0.5, 0.3, 0.2])
    together = [0.4 / 3 + 0.6 * chances[a] for a in log.action]
    assert pooled_factor(log) == pytest.approx(log.propensity / together)
    assert pooled_factor(log_of([0, 1], [1 / 3, 1 / 3], None)) is None
    alone = log_of([0, 1, 2], [0.5, 0.3, 0.2], [1, 1, 1])
    assert pooled_factor(alone) == pytest.approx([1.0, 1.0, 1.0])


def test_an_even_logger_draws_among_what_is_eligible():
    eligible = [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    log = log_of([0, 2, 0], [0.5, 1 / 3, 1.0], [0, 0, 0], eligible)
    rows = np.array([True, True, False])
    assert _of_logged(log, log.eligible, rows) == pytest.approx([0.5, 1 / 3, 1.0])
    assert pooled_factor(log) == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("p", "eligible"),
    [
        ([0.5, 0.3, 0.3], None),  # they add up to more
        ([0.5, 0.3, 0.1], None),  # or to less
        ([0.5, 0.3, 0.2], [[1, 1, 1], [1, 1, 1], [1, 0, 1]]),  # what it draws was not eligible once
    ],
)
def test_designs_that_are_not_plain_are_not_known(p, eligible):
    log = log_of([0, 1, 2], p, [0, 0, 0], eligible)
    assert pooled_factor(log) is None


def test_one_chance_an_action_is_one_up_to_rounding():
    def known(p):
        return pooled_factor(log_of([0, 0, 1], p, [0, 0, 0], k=2)) is not None

    assert known([0.6, 0.6 * (1 + SAME / 2), 0.4])
    assert not known([0.6, 0.6 * (1 + 3 * SAME), 0.4])
    assert known([0.6, 0.6, 0.4 + 9e-7])
    assert not known([0.6, 0.6, 0.4 + 1.2e-6])
    assert not known([0.6, 0.6, 0.4 - 1.2e-6])
    assert SAME == 1e-9
