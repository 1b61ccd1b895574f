"""What a world's file leaves out is the same in every version, and what may be said is bounded as documented."""

import math

import pytest
from pydantic import ValidationError

from campaignrl.dynamics import customers, memory, purchase
from campaignrl.dynamics.observe import COUNTS
from campaignrl.effects import NO_FORMAT, SECTIONS, STOCKS, click_intent
from campaignrl.effects.drift import Change, Drift
from campaignrl.effects.fatigue import Fatigue
from campaignrl.effects.formats import Formats
from campaignrl.effects.hours import DAY, STEPS, Peak
from campaignrl.effects.season import Event, Wave
from campaignrl.errors import SpecError

DEFAULTS = {
    "response": {
        "click_lift": 0.0,
        "open_lift": 0.0,
        "open_visit": 0.0,
        "click_visit": 0.0,
        "dropped_open": 2.5,
        "same_day": 1.0,
        "delay_days": 7.0,
    },
    "fatigue": {"half_life_days": 7.0, "open": 0.0, "drop_out": 0.0, "half_saturation": 5.0, "usual": 0.0},
    "adstock": {"half_life_days": 5.0, "effect": 0.0, "half_saturation": 1.0, "shape": 1.0},
    "satisfaction": {
        "level": 0.7,
        "half_life_days": 34.0,
        "opened": 0.05,
        "perk": 0.15,
        "order": 0.05,
        "ignored": 0.03,
        "undelivered": 0.0,
        "purchase": 0.0,
        "drop_out": 0.0,
        "unsubscribe": 0.0,
    },
    "reference_price": {"paid": 0.1, "seen": 0.02, "half_life_days": 21.0, "loss_aversion": 1.5},
    "stockpile": {"half_life_days": 20.0, "effect": 0.0},
    "season": {"weekday": [1.0] * 7, "first_weekday": 0, "first_day_of_year": 0, "waves": [], "events": []},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_section_without_words_is_the_documented_one(name):
    assert SECTIONS[name]().model_dump() == DEFAULTS[name]


def test_parts_without_words_are_the_documented_ones():
    change = Change(what="taste", day=0, by=1.0)
    assert (change.how, change.days, change.segment, change.offer) == ("jump", None, None, None)
    assert Drift(changes=[change]).salt == 0
    formats = Formats(segments={"a": {"video": 1.0}})
    assert (formats.match, formats.tones) == (0.5, {})
    assert Peak(hour=8, lift=1.0).spread_hours == 2.0
    assert Wave(amplitude=0.1, peak=0).per_year == 1
    assert Event(name="sale", day=3, factor=2.0).days == 1


def test_stocks_start_and_stay_as_documented():
    found = {stock.name: (stock.start, stock.low, stock.high) for stock in STOCKS}
    usual = (0.0, 0.0, math.inf)
    assert found == {
        "intent": usual,
        "fatigue": usual,
        "adstock": usual,
        "satisfaction": (0.0, -math.inf, math.inf),
        "expected_price": (1.0, 0.0, 1.0),
        "stockpile": usual,
    }


def test_figures_that_every_world_shares():
    assert (customers.NO_OFFER, NO_FORMAT, customers.MOST_ORDERS) == (-1, -1, 25_000)
    assert (click_intent.FAINT, purchase.ROUNDING, DAY, STEPS) == (0.02, 1.001, 24.0, 96)
    assert COUNTS == {"contacts_7d": 7, "contacts_30d": 30, "opens_30d": 30, "clicks_30d": 30}
    assert int(memory._ONE) == 1


@pytest.mark.parametrize(
    ("section", "field", "inside", "outside"),
    [
        (Fatigue, "half_saturation", (0.1, 10_000.0), (0.09, 10_001.0)),
        (SECTIONS["satisfaction"], "level", (0.001, 0.999), (0.0, 1.0)),
        (SECTIONS["reference_price"], "loss_aversion", (1.0, 9.0), (0.99,)),
        (SECTIONS["season"], "first_weekday", (0, 6), (-1, 7)),
        (SECTIONS["season"], "first_day_of_year", (0, 365), (-1, 366)),
        (SECTIONS["season"], "weekday", ([1.0] * 7,), ([1.0] * 6, [1.0] * 8)),
        (lambda **w: Wave(**{"amplitude": 0.1, "peak": 0.0, **w}), "amplitude", (0.0, 0.999), (-0.001, 1.0)),
        (lambda **w: Wave(**{"amplitude": 0.1, "peak": 0.0, **w}), "peak", (0.0, 365.9), (-0.1, 366.0)),
        (lambda **w: Wave(**{"amplitude": 0.1, "peak": 0.0, **w}), "per_year", (1, 12), (0, 13)),
        (lambda **w: Event(**{"name": "sale", "day": 0, "factor": 2.0, **w}), "days", (1, 9), (0,)),
        (lambda **w: Peak(**{"hour": 0.0, "lift": 1.0, **w}), "hour", (0.0, 23.9), (-0.1, 24.0)),
        (lambda **w: Peak(**{"hour": 0.0, "lift": 1.0, **w}), "spread_hours", (0.25, 12.0), (0.24, 12.1)),
        (lambda **w: Change(**{"what": "taste", "day": 0, "by": 1.0, **w}), "day", (0, 3660), (-1, 3661)),
        (lambda **w: Change(**{"what": "taste", "day": 0, "by": 1.0, **w}), "days", (1, 3660), (0, 3661)),
        (lambda **w: Drift(**{"changes": [Change(what="taste", day=0, by=1.0)], **w}), "salt", (0, 9), (-1,)),
        (Drift, "changes", ([{"what": "taste", "day": 0, "by": 1.0}],), ([],)),
    ],
)
def test_numbers_are_bounded_as_documented(section, field, inside, outside):
    for value in inside:
        assert getattr(section(**{field: value}), field) is not None
    for value in outside:
        with pytest.raises((ValidationError, SpecError)):
            section(**{field: value})


def test_amplitudes_of_waves_add_up_to_less_than_one():
    half = {"amplitude": 0.5, "peak": 0.0}
    assert len(SECTIONS["season"](waves=[{**half, "amplitude": 0.499}, half]).waves) == 2
    with pytest.raises((ValidationError, SpecError), match="sum below 1"):
        SECTIONS["season"](waves=[half, half])


def test_shares_of_formats_add_up_to_one():
    for off in (1.2e-6, -1.2e-6, 0.1):
        with pytest.raises((ValidationError, SpecError), match="adding up to 1"):
            Formats(segments={"a": {"video": 0.5, "text": 0.5 + off}})
    assert Formats(segments={"a": {"video": 0.5, "text": 0.5 + 4e-7}}).names == ("video", "text")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"how": "linear"}, "days"),
        ({"how": "jump", "days": 3}, "days"),
        ({"what": "price", "offer": "coupon"}, "offer"),
    ],
)
def test_a_change_that_makes_no_sense_is_named_with_its_place(change, field):
    fine = {"what": "taste", "day": 0, "by": 1.0}
    with pytest.raises((ValidationError, SpecError), match=rf"drift\.changes\.1\]: {field}"):
        Drift(changes=[fine, {**fine, **change}])
    for good in ({"how": "linear", "days": 3}, {"how": "walk"}, {"how": "walk", "days": 2}, {"what": "price"}):
        assert len(Drift(changes=[{**fine, **good}]).changes) == 1
    with pytest.raises((ValidationError, SpecError)) as both:
        Drift(changes=[{**fine, "how": "linear"}, {**fine, **change}])
    assert "changes.0" in str(both.value)
    assert "changes.1" in str(both.value)
