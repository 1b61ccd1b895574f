"""What a ledger adds to columns that only rules read, and what of a repeated run cannot be, by hand."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from test_send_recount_exact import world_of

from campaignrl.errors import DataError
from campaignrl.send.facts import SHARES
from campaignrl.send.ledger_run import _known, _over, _withdrawn, decided_before
from campaignrl.send.run_name import _texts
from campaignrl.tables import MILLIONTHS, Known

CONSENT = np.array([[1, 0, -1], [0, -1, 1]], dtype=np.int8)  # of push and sms: given, withdrawn, never heard of


def stand(**counts):
    """What stands of three customers: sends by (offer, days)."""
    by = {("coupon20", 30): np.array([2, 0, 1]), ("coupon20", 14): np.array([1, 0, 1]), ("winback", 14): [0, 3, 1]}
    return SimpleNamespace(consent=CONSENT, offer_contacts=lambda offer, days: np.asarray(by[offer, days]))


@pytest.fixture(scope="module")
def world(small_world):
    guard = {
        "caps": [{"offer": "coupon20", "per_days": 30, "at_most": 2}],
        "max_discount_depth": {"per_days": 14, "at_most": 0.5},
    }
    return world_of(small_world, guard, coupon20={"purpose": "ads"})


def test_a_channel_that_was_left_is_left_for_every_purpose(world):
    yes, some = np.ones(3, dtype=bool), np.array([True, True, False])

    def known(name, values, kind="consent"):
        return _known(name, Known(kind, values), stand(), world).values.tolist()

    assert known("consent_push_ads", yes) == [True, False, True]
    assert known("consent_push_ads", some) == [True, False, False]
    assert known("consent_sms_ads", yes) == [False, True, True]
    assert known(SHARES, yes) == [True] * 3  # is told as consent is, and is none
    assert known("consent_push_news", yes) == [True] * 3  # a purpose of no offer
    assert known("consent_push_ads", np.array([7, 8, 9]), "day") == [7, 8, 9]


def test_sends_by_offer_and_their_discounts_are_added(world):
    count = _known("contacts_offer_coupon20_30d", Known("count", np.array([5, 6, 7])), stand(), world)
    assert count.values.tolist() == [7, 6, 8]
    depth = _known("discount_depth_14d", Known("depth", np.array([1, 0, 2])), stand(), world)
    fifth, quarter = MILLIONTHS // 5, MILLIONTHS // 4
    assert depth.values.tolist() == [1 + fifth, 3 * quarter, 2 + fifth + quarter]
    assert (count.kind, depth.kind) == ("count", "depth")


def test_a_run_with_two_rows_of_a_customer_is_not_repeated():
    ids = np.array(["a", "b"], dtype=object)
    rows = pa.table({"customer_id": ["a", "a", "b"], "run_id": ["r"] * 3})
    with pytest.raises(DataError, match="with one row a customer"):
        decided_before(rows, ids, SimpleNamespace(), None)


@pytest.mark.parametrize(
    ("then", "suppressed"),
    [
        (["a"], None),  # b was not there
        (["a"], [False, False]),
        (["a", "b", "c"], None),  # c is not here
        (["a", "c"], [False, True]),
    ],
)
def test_a_run_of_other_customers_is_not_repeated(then, suppressed):
    ids = np.array(["a", "b"], dtype=object)
    barred = None if suppressed is None else np.array(suppressed)
    now = SimpleNamespace(customers=SimpleNamespace(suppressed=barred))
    with pytest.raises(DataError, match="with the customers of this table"):
        decided_before(pa.table({"customer_id": then, "run_id": ["r"] * len(then)}), ids, now, None)


def test_values_of_then_stand_where_there_were_any():
    there = np.array([True, False, True])
    assert _over(np.array([1, 2, 3]), there, np.array([0.5, 1.5])).tolist() == [0.5, 2.0, 1.5]
    now = np.array(["x", "y", "z"], dtype=object)
    assert _over(now, there, np.array(["a", "b"], dtype=object)).tolist() == ["a", "y", "b"]
    assert now.tolist() == ["x", "y", "z"]
    texts = np.array(["a", "bc"], dtype=object)
    assert b"".join(_texts(texts, pa.array([1, 0]))) == np.array(["bc", "a"]).tobytes()


def test_sends_that_may_no_longer_leave(world):
    import pandas as pd

    names = world.catalog.names
    actions = [names.index("content@push"), names.index("winback@sms"), 0, names.index("content@push")]
    consent = np.array([[True, False, False, True, False], [False, False, False, True, True]])
    there = np.array([True, True, True, False, True])  # the fourth was not in the table then

    def gone(suppressed):
        def take(rows):
            barred = None if suppressed is None else np.array(suppressed)[rows]
            return SimpleNamespace(consent=consent[:, rows], suppressed=barred)

        now = SimpleNamespace(customers=SimpleNamespace(take=take))
        return _withdrawn(pd.DataFrame({"action": actions}), now, world, there).tolist()

    assert gone(None) == [False, True, False, True]
    assert gone([True, False, True, False, False]) == [True, True, False, True]
