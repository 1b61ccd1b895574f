"""Effects and customers to the last digit: ceilings that are reached, mean days by hand, who is still in a table."""

import datetime
import math
from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.dynamics.customers import _lifetime, draw_customers, observed_format, observed_tags
from campaignrl.dynamics.parameters import parameters
from campaignrl.dynamics.purchase import ceilings
from campaignrl.effects import FAINT, ROW
from campaignrl.effects.ad_stock import AdStock, hill
from campaignrl.effects.click_intent import Response
from campaignrl.effects.effect import Contact, Day, MeanDay
from campaignrl.effects.fatigue import Fatigue, FatigueEffect
from campaignrl.effects.hours import log_odds
from campaignrl.effects.reference_price import ReferencePrice
from campaignrl.effects.satisfaction import Satisfaction
from campaignrl.effects.season import Season
from campaignrl.specs.world import load_world


def one(*values):
    return np.array(values, dtype=np.float32)


def effect_of(world, section):
    return next(e for e in parameters(world).effects if type(e).__name__ == f"{type(section).__name__}Effect")


def test_the_most_satisfied_reach_the_ceiling_of_purchases_and_nobody_passes_it():
    world = load_world("ecommerce", satisfaction=Satisfaction(level=0.2, purchase=1.5).model_dump())
    effect = effect_of(world, world.satisfaction)
    log = effect.purchase(one(0.0, 0.0), {"satisfaction": one(40.0, 0.0)}, Contact(*[None] * len(Contact._fields)))
    assert effect.purchase_ceiling() == pytest.approx(1.5 * 0.8)
    assert log[0] == pytest.approx(effect.purchase_ceiling(), rel=1e-6)
    assert log[1] == pytest.approx(1.5 * (0.2 - 0.2), abs=1e-6)  # the usual satisfaction changes nothing


def test_a_mean_day_moves_the_expected_price_by_what_is_seen_and_what_is_paid():
    """By hand: it recovers, then goes `seen` of the way to a shown price and `paid` of the way to a paid one."""
    section = ReferencePrice(paid=0.1, seen=0.02, half_life_days=21.0)
    world = load_world("ecommerce", reference_price=section.model_dump())
    effect = effect_of(world, section)
    before, orders, redeemed, cut = 0.9, 0.3, 0.2, 0.25
    day = MeanDay(3, 0, False, np.float32(0.2), one(orders), one(redeemed), one(cut))
    expected = 1.0 - (1.0 - before) * 0.5 ** (1 / 21.0)
    seen = (1 - orders) * ((1 - 0.2) - expected)
    paid = redeemed * ((1 - cut) - expected) + (orders - redeemed) * (1 - expected)
    found = effect.live_mean({"expected_price": one(before)}, day)["expected_price"]
    assert found[0] == pytest.approx(expected + 0.02 * seen + 0.1 * paid, rel=1e-6)
    quiet = MeanDay(-1, -1, False, np.float32(0.0), one(0.0), one(0.0), one(0.0))
    assert effect.live_mean({"expected_price": one(before)}, quiet)["expected_price"][0] == pytest.approx(expected)


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.1])
def test_a_table_that_lost_its_leavers_holds_the_others_in_proportion(kept):
    rate, joined = 0.004, 300.0
    u = (np.arange(200_000) + 0.5) / 200_000
    days = _lifetime(u, np.full(len(u), rate), np.full(len(u), joined), kept)
    left = 1 - np.exp(-rate * joined)
    gone = kept * left / (kept * left + 1 - left)
    assert (days < joined).mean() == pytest.approx(gone, abs=2e-5)
    alive = days[days >= joined] - joined  # memoryless: whoever is there leaves at the same rate as ever
    assert alive.mean() == pytest.approx(1 / rate, rel=2e-3)
    assert np.median(alive) == pytest.approx(np.log(2) / rate, rel=2e-3)
    early = days[days < joined]  # and who has gone went as the law has it
    assert (early < joined / 2).mean() == pytest.approx((1 - np.exp(-rate * joined / 2)) / left, abs=2e-4)


def with_tags(**tags):
    world = load_world("ecommerce")
    return load_world("ecommerce", tags={**world.tags.model_dump(), **tags})


def test_tags_are_wrong_missing_and_at_their_borders_as_the_file_says():
    keys = rng.customer_keys(np.arange(500))
    right = with_tags(wrong=0.0, missing=0.0)
    traits, _ = draw_customers(right, keys, 3)
    segment, price = observed_tags(right, traits, 0, 3)
    assert np.array_equal(segment, traits.segment)
    low, high = right.tags.price
    just_below = np.nextafter(np.float32(high), np.float32(0))
    edge = traits._replace(sensitivity=np.resize(np.array([low, high, just_below], dtype=np.float32), 500))
    assert observed_tags(right, edge, 0, 3)[1][:3].tolist() == [1, 2, 1]
    assert set(price) <= {0, 1, 2}
    wrong = with_tags(wrong=0.999, missing=0.0)
    segment, _ = observed_tags(wrong, traits, 0, 3)
    assert (segment != traits.segment).mean() > 0.98
    assert set(segment) <= set(range(len(wrong.segments)))
    missing = observed_tags(with_tags(wrong=0.0, missing=0.999), traits, 0, 3)
    assert all((tag == -1).mean() > 0.98 for tag in missing)


def test_a_wrong_format_tag_is_another_format(small_world):
    tables = small_world.model_dump(exclude_unset=True)
    ways = {"creatives": {"a": {"format": "video"}, "b": {"format": "text"}, "c": {"format": "song"}}}
    shares = {"video": 0.3, "text": 0.3, "song": 0.4}
    formats = {"formats": {"match": 0.5, "segments": dict.fromkeys(small_world.segments, shares)}}
    tags = {**small_world.tags.model_dump(), "wrong": 0.999, "missing": 0.0}
    world = load_world({**tables, **ways, **formats, "tags": tags})
    traits, _ = draw_customers(world, rng.customer_keys(np.arange(600)), 1)
    tag = observed_format(world, traits, 0, 1)
    assert set(tag) == {0, 1, 2}
    assert (tag != traits.format).mean() > 0.98
    shift = (tag - traits.format)[tag != traits.format] % 3
    assert (shift == 1).mean() == pytest.approx(0.5, abs=0.08)  # either other format, as often


def test_the_ceiling_of_a_day_counts_the_largest_wish_of_a_drifting_world():
    world = load_world("experiments/worlds/drifting.toml")
    p = parameters(world)
    wishes = np.random.default_rng(0).normal(0.0, 1.0, p.wanting.shape).astype(np.float32)
    p = p._replace(wanting=wishes)  # also of who holds no offer, and another for each segment
    stocks = draw_customers(world, rng.customer_keys(np.arange(50)), 1)[1].named_stocks()
    buying = sum(effect.purchase_ceiling() for effect in p.effects)
    for day in (0, world.horizon - 1):
        highest = float(p.season[day]) * np.exp(buying + float(wishes[day, :, -1].max()))
        assert highest <= ceilings(stocks, day, p).quiet == pytest.approx(highest, rel=2e-3)


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("clicked", [True, False])
@pytest.mark.parametrize("offer", [0, 1, 2, 3])
def test_a_mean_day_on_which_all_is_certain_is_a_day(small_world, sent, clicked, offer):
    """All open the same send, or nothing is sent; orders and redemptions happen or do not."""
    sections = {
        "response": {"same_day": 0.3, "delay_days": 3.0},
        "fatigue": {"half_life_days": 4.0},
        "adstock": {"half_life_days": 3.0},
        "satisfaction": {"opened": 0.3, "perk": 0.7, "order": 0.25, "ignored": 0.2, "undelivered": 0.3},
        "reference_price": {"paid": 0.4, "seen": 0.2},
        "stockpile": {"half_life_days": 8.0},
    }
    p = parameters(load_world(small_world, **sections))
    n, rows, channel = 8, np.arange(8), offer % 2
    orders, redeemed = np.float32(rows % 2), np.float32(rows % 4 == 1)
    held = np.float32(np.where(rows < 4, 0.2, 0.0))  # some hold an offer that feels like nothing off
    mean = MeanDay(
        offer if sent else -1, channel if sent else -1, clicked and sent, p.price_cut[offer if sent else -1], orders,
        redeemed, held,
    )  # fmt: skip
    who = rows if sent else rows[:0]
    offers, media = np.full(len(who), offer), np.full(len(who), channel)
    ordered = np.flatnonzero(orders)
    day = Day(
        who, media, who >= 0, np.arange(len(who)), who, offers, media, p.price_cut[offers],
        who if clicked else who[:0], ordered, (redeemed * held)[ordered],
    )  # fmt: skip
    chance = np.random.default_rng(offer)
    stocks = {name: chance.uniform(0.1, 0.9, n).astype(np.float32) for name in ROW}
    for effect in p.effects:
        wanted = {name: values.copy() for name, values in stocks.items()}
        effect.live(wanted, day)
        found = effect.live_mean(stocks, mean)
        assert set(found) == {stock.name for stock in effect.spec.stocks}
        for name, values in found.items():
            assert values == pytest.approx(wanted[name], abs=1e-6), name


def test_fatigue_matters_where_it_moves_anything():
    def of(per_channel=(0.0, 0.0), **words):
        units = np.zeros(2, dtype=np.float32)
        return FatigueEffect(Fatigue(**words), 0.9, units, np.array(per_channel, dtype=np.float32)).matters

    assert not of()
    assert of(open=0.1)
    assert of(drop_out=0.1)
    assert of((0.0, 0.2))  # one channel is enough


def test_who_has_just_the_faintest_intent_is_quiet():
    section = Response(same_day=0.5)
    effect = section.at_work(None)
    assert effect.stirred({"intent": one(0.0, FAINT, 0.0201)}).tolist() == [False, False, True]
    assert Response(same_day=1.0).at_work(None).stirred({"intent": one(9.0)}) is None


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 3.0])
def test_a_hill_curve_of_any_steepness(shape):
    stock = np.array([0.0, 0.3, 0.7, 2.0, 9.0], dtype=np.float32)
    wanted = stock.astype(float) ** shape / (stock.astype(float) ** shape + 0.7**shape)
    np.testing.assert_allclose(hill(stock, AdStock(shape=shape, half_saturation=0.7)), wanted, rtol=1e-5)


def test_a_calendar_that_begins_later_keeps_its_dates():
    weekday = [0.5, 1.0, 1.0, 1.0, 1.0, 1.5, 1.0]
    sale = {"name": "sale", "day": 10, "days": 3, "factor": 2.0}
    wave = {"amplitude": 0.3, "peak": 100.0, "per_year": 2}
    season = Season(
        weekday=weekday, first_weekday=5, first_day_of_year=360, waves=[wave], events=[sale], day_zero="2026-12-27"
    )
    later = season.starting(9)
    assert (later.first_weekday, later.first_day_of_year) == (0, 3)  # a year has 365.25 days
    assert later.day_zero == datetime.date(2027, 1, 5)
    assert [(e.name, e.day, e.days, e.factor) for e in later.events] == [("sale", 1, 3, 2.0)]
    assert (later.weekday, later.waves) == (weekday, season.waves)
    assert season.starting(2).first_weekday == 0
    assert season.starting(0) == season
    assert season.starting(-3).events[0].day == 13
    assert Season().starting(4).day_zero is None


def test_hours_are_above_the_mean_of_the_middles_of_the_quarters():
    """A wide peak has a kink half a day away, so that it matters where its quarters are looked at."""
    peaks = [
        SimpleNamespace(hour=3.0, lift=1.5, spread_hours=7.0),
        SimpleNamespace(hour=20.0, lift=-0.5, spread_hours=2),
    ]

    def raised(hour):
        apart = [min(abs(hour - one.hour), 24.0 - abs(hour - one.hour)) for one in peaks]
        return sum(p.lift * math.exp(-0.5 * (a / p.spread_hours) ** 2) for p, a in zip(peaks, apart, strict=True))

    mean = sum(raised((i + 0.5) / 4.0) for i in range(96)) / 96
    off = sum(raised((i + 0.75) / 4.0) for i in range(96)) / 96
    assert abs(mean - off) > 1e-7
    found = log_odds(peaks, np.array([0.0, 3.0, 12.5]))
    assert found == pytest.approx([raised(hour) - mean for hour in (0.0, 3.0, 12.5)], rel=1e-12, abs=1e-12)
