"""The lifecycle stage: one label per order history, by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.lifecycle import LATE, PRIOR_GAP, stage
from campaignrl.specs.world_features import STAGES

NEVER = np.nan
# orders, days since the last order, days since the first -> stage. The expected gap is (first - last + 45) / orders.
CASES = [
    (0, 400.0, NEVER, "prospect"),
    (1, 0.0, 0.0, "new"),
    (1, 29.0, 29.0, "new"),
    (9, 1.0, 29.0, "new"),
    (1, 30.0, 30.0, "active"),  # expected gap 45: late by 0.67
    (1, 67.0, 67.0, "active"),
    (1, 67.5, 67.5, "at_risk"),  # 1.5 gaps
    (1, 135.0, 135.0, "dormant"),  # 3 gaps
    (1, 270.0, 270.0, "churned"),  # 6 gaps
    (5, 10.0, 100.0, "active"),  # expected gap 27
    (6, 10.0, 100.0, "loyal"),
    (6, 33.0, 100.0, "at_risk"),  # expected gap (67 + 45) / 6 = 18.7
    (12, 100.0, 220.0, "churned"),  # expected gap 13.75, late by 7.3
]


@pytest.mark.parametrize(("orders", "recency", "first_age", "name"), CASES)
def test_stages_by_hand(orders, recency, first_age, name):
    code = stage(np.array([orders]), np.float32([recency]), np.float32([first_age]))
    assert STAGES[code[0]] == name


def test_many_customers_at_once_are_each_as_alone():
    orders, recency, first = (np.array(column) for column in list(zip(*CASES, strict=True))[:3])
    together = stage(orders.astype(np.int16), recency.astype(np.float32), first.astype(np.float32))
    assert [STAGES[code] for code in together] == [name for *_, name in CASES]


@given(st.integers(1, 40), st.floats(0, 400), st.floats(31, 800))
@settings(max_examples=200, deadline=None)
def test_waiting_longer_never_makes_a_customer_livelier(orders, span, wait):
    # The first order is `span` days before the last; days pass without another one.
    order = {name: i for i, name in enumerate(("loyal", "active", "at_risk", "dormant", "churned"))}
    waits = np.float32([wait, wait * 1.3, wait * 2, wait * 10])
    codes = stage(np.full(4, orders), waits, waits + np.float32(span))
    ranks = [order[STAGES[code]] for code in codes]
    assert ranks == sorted(ranks)
    expected_gap = (span + PRIOR_GAP) / orders
    assert (ranks[0] >= 2) == pytest.approx(float(waits[0]) >= LATE[0] * expected_gap) or np.isclose(
        waits[0], LATE[0] * expected_gap, rtol=1e-4
    )
