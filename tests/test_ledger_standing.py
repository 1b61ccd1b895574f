"""Counts of earlier sends: the same whether they are looked at one by one or all at once."""

from importlib import import_module

import numpy as np
import pytest

from campaignrl.ledger import Standing

module = import_module("campaignrl.ledger.standing")  # beside the function of that name
CHANNELS, OFFERS = ("email", "sms"), ("content", "coupon", "gift")


def standing(n, sends, day=20):
    names = ("customer", "day", "channel", "offer", "decision_id")
    return Standing.of_sends(
        day,
        dict(zip(names, zip(*sends, strict=True), strict=True)) if sends else dict.fromkeys(names, ()),
        spent=0,
        sends_today=np.zeros(2, dtype=np.int64),
        sends_of={},
        consent=np.full((2, n), -1, dtype=np.int8),
        suppressed=np.zeros(n, dtype=bool),
        erased=np.zeros(n, dtype=bool),
    )


def counts(one):
    windows = (1, 7, 20)
    by_channel = [one.contacts(channel, days) for channel in (None, *CHANNELS) for days in windows]
    return np.array(by_channel + [one.offer_contacts(offer, days) for offer in OFFERS for days in windows])


@pytest.mark.parametrize("many", [0, 1, 7, module.FEW])
def test_windows_count_few_sends_as_they_count_many(monkeypatch, many):
    chance = np.random.default_rng(many)
    sends = [
        (int(chance.integers(5)), int(day), CHANNELS[chance.integers(2)], OFFERS[chance.integers(3)], f"d{i}")
        for i, day in enumerate(chance.integers(-5, 24, many))  # long ago, in each window, and after today
    ]
    one_by_one = counts(standing(5, sends))
    monkeypatch.setattr(module, "FEW", -1)
    assert np.array_equal(one_by_one, counts(standing(5, sends)))
    assert one_by_one.dtype == np.int64


def test_windows_end_today_and_are_as_long_as_they_say():
    sends = [(0, 20, "email", "gift", "a"), (0, 14, "sms", "gift", "b"), (0, 13, "email", "gift", "c")]
    one = standing(2, [*sends, (1, 21, "email", "gift", "d")])
    assert one.contacts(None, 7).tolist() == [2, 0]
    assert one.contacts("email", 8).tolist() == [2, 0]
    assert one.offer_contacts("gift", 1).tolist() == [1, 0]
    assert one.offer_contacts("coupon", 20).tolist() == [0, 0]
    assert one.decided_today.tolist() == [True, False]
