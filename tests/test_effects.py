"""Effects of the world: the contract that every registered one keeps, and the laws of each, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl import rng
from campaignrl.campaign import run_campaign
from campaignrl.dynamics import purchase, response
from campaignrl.dynamics.advance import advance
from campaignrl.dynamics.customers import NO_OFFER, draw_customers
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import ROW, SECTIONS, STOCKS, EffectSections
from campaignrl.effects.ad_stock import AdStock, hill
from campaignrl.effects.click_intent import next_intent
from campaignrl.effects.effect import Contact, Day, Effect, MeanDay, Section, Stock
from campaignrl.effects.fatigue import FatigueEffect, next_fatigue
from campaignrl.effects.reference_price import ReferencePrice, next_expected_price, price_gain, recovered
from campaignrl.effects.satisfaction import Satisfaction, contentment, next_satisfaction
from campaignrl.effects.season import Event, Season, Wave, season_factors
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.upper_bound import upper_bound
from campaignrl.envs.truth.oracles.far_sighted_oracle import FarSightedOracle
from campaignrl.envs.truth.oracles.greedy_oracle import greedy
from campaignrl.errors import SpecError, UsageError
from campaignrl.specs.world import World, load_world

ECOMMERCE = load_world("ecommerce")
P = parameters(ECOMMERCE)
N = 60

# Numbers that make an effect strong, for the contract: a new effect that is weak by default has its own here.
STRONG = {
    "response": {"click_lift": 1.5, "open_lift": 0.4, "same_day": 0.3, "open_visit": 0.01, "click_visit": 0.05},
    "fatigue": {"open": 0.2, "drop_out": 0.3, "usual": 1.0},
    "adstock": {"effect": 0.8, "shape": 1.7},
    "satisfaction": {"purchase": 1.2, "drop_out": 1.5, "unsubscribe": 0.8, "undelivered": 0.04},
    "reference_price": {"loss_aversion": 3.0, "seen": 0.2, "paid": 0.4},
    "stockpile": {"effect": 0.5},
    "season": {"weekday": [1, 1, 1, 1, 1.2, 2, 0.5]},
    "formats": {"match": 0.9, "segments": {"loyal": {"words": 0.5, "video": 0.5}}},
    "hours": {"segments": {"loyal": [{"hour": 20, "lift": 0.8}]}},
    "drift": {
        "changes": [
            {"what": "taste", "day": 2, "by": 0.7},
            {"what": "price", "day": 3, "by": -0.2},
            {"what": "response", "day": 0, "by": 0.3, "how": "walk"},
        ]
    },
}
ALL = sorted(SECTIONS)
OPTIONAL = [name for name, field in EffectSections.model_fields.items() if field.default is None]


def one(value, dtype=np.float32):
    return np.array([value], dtype=dtype)


def world_with(small_world, *names):
    """The small world with these effects strong and all others as weak as they can be; with creatives and slots."""
    wanted = {name: None for name in OPTIONAL} | {name: STRONG.get(name, {}) for name in names}
    ways = {"creatives": {"video": {}, "words": {}}, "slots": {"early": {"hours": [6, 9]}, "late": {"hours": [18, 22]}}}
    return load_world(small_world, **ways, **({"response": {}} | wanted))


def drawn_stocks(chance, n):
    """Stocks of n customers anywhere between their limits."""
    low = {s.name: max(s.low, -9.0) for s in STOCKS}
    high = {s.name: min(s.high, 20.0) for s in STOCKS}
    return {name: chance.uniform(low[name], high[name], n).astype(np.float32) for name in ROW}


def any_day(chance, p):
    """A day on which anything may have happened to N customers."""
    some = lambda rows, share: np.flatnonzero(chance.random(len(rows)) < share)  # noqa: E731
    everybody = np.arange(N)
    sent = some(everybody, 0.7)
    delivered = chance.random(len(sent)) < 0.8
    which = np.flatnonzero(delivered & (chance.random(len(sent)) < 0.5))
    channel, offer = chance.integers(0, len(p.deliver), len(sent)), chance.integers(0, len(p.discount) - 1, len(which))
    opened, ordered = sent[which], some(everybody, 0.3)
    cut = p.price_cut[chance.integers(-1, len(p.discount) - 1, len(ordered))]
    seen = (which, opened, offer, channel[which], p.price_cut[offer])
    return Day(sent, channel, delivered, *seen, opened[some(opened, 0.4)], ordered, cut)


# ---- the contract


def test_stocks_have_names_of_their_own_and_start_within_their_limits():
    assert len({stock.name for stock in STOCKS}) == len(STOCKS) == len(ROW)
    assert all(stock.low <= stock.start <= stock.high and stock.meaning for stock in STOCKS)
    assert set(STRONG) <= set(SECTIONS)


@pytest.mark.parametrize("name", ALL)
@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_every_hook_keeps_shape_and_type_and_leaves_its_inputs(small_world, name, seed):
    p = parameters(world_with(small_world, name))
    effect, chance = next(e for e in p.effects if type(e.spec) is SECTIONS[name]), np.random.default_rng(seed)
    stocks = drawn_stocks(chance, N)
    kept = {stock: values.copy() for stock, values in stocks.items()}
    log, yes = chance.normal(size=N).astype(np.float32), chance.random(N) < 0.5
    before = log.copy()
    channel = chance.integers(0, len(p.deliver), N)
    found = {
        "opening": effect.opening(log, stocks),
        "unsubscribing": effect.unsubscribing(log, stocks, channel),
        "felt_cut": effect.felt_cut(log, stocks),
    }
    assert np.array_equal(log, before)  # only purchase and drop_out may write in it
    found["purchase"] = effect.purchase(log.copy(), stocks, Contact(yes, yes))
    found["drop_out"] = effect.drop_out(log.copy(), stocks)
    day = MeanDay(0, 0, True, np.float32(0.1), np.abs(log) / 10, np.abs(log) / 20, np.abs(log) / 30)
    for stock, values in effect.live_mean(stocks, day).items():
        assert stock in {s.name for s in SECTIONS[name].stocks}
        found[f"live_mean {stock}"] = values
    for hook, values in found.items():
        assert (values.shape, values.dtype) == ((N,), np.float32), hook
        assert np.isfinite(values).all(), hook
    assert all(np.array_equal(stocks[stock], values) for stock, values in kept.items())


@pytest.mark.parametrize("name", ALL)
@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_no_term_is_above_its_ceiling(small_world, name, seed):
    p = parameters(world_with(small_world, name))
    effect, chance = next(e for e in p.effects if type(e.spec) is SECTIONS[name]), np.random.default_rng(seed)
    stocks, zero, no = drawn_stocks(chance, N), np.zeros(N, np.float32), np.zeros(N, bool)
    stirred = effect.stirred(stocks)
    quiet = ~no if stirred is None else ~stirred
    assert (effect.felt_cut(zero, stocks) <= 0).all()  # who holds no offer gains nothing by a price
    term = effect.purchase(zero.copy(), stocks, Contact(no, no))
    assert (term[quiet] <= effect.purchase_ceiling() + 1e-5).all()
    ceiling = effect.drop_out_ceiling(stocks)
    tonight = {stock: values.copy() for stock, values in stocks.items()}
    effect.live(tonight, any_day(chance, p))
    assert (effect.drop_out(zero.copy(), tonight) <= ceiling + 1e-5).all()
    for stock in STOCKS:
        if stock in SECTIONS[name].stocks:
            assert ((tonight[stock.name] >= stock.low) & (tonight[stock.name] <= stock.high)).all()
        else:
            assert np.array_equal(tonight[stock.name], stocks[stock.name])  # an effect moves its own stocks alone


@pytest.mark.parametrize("names", [*([name] for name in ALL), ALL], ids=" ".join)
def test_days_leave_stocks_within_their_limits_and_hazards_below_their_ceilings(small_world, names):
    """Every customer is worked out, on days of any sends: nobody above the ceiling is passed over by thinning."""
    world, n = world_with(small_world, *names), 500
    p, chance = parameters(world), np.random.default_rng(7)
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), 1)
    none, no = np.full(n, NO_OFFER), np.zeros(n, bool)
    for day in range(world.horizon):
        before = state.named_stocks()
        most = purchase.ceilings(before, day, p)
        quiet = np.ones(n, bool)
        for effect in p.effects:
            stirred = effect.stirred(before)
            quiet &= True if stirred is None else ~stirred
        hazard = purchase.purchase_hazard(
            traits.rate, traits.sensitivity, np.zeros(n, np.float32), none, no, no, before, day, p
        )
        assert (hazard <= traits.rate * np.float32(most.quiet))[quiet].all()
        state, _ = advance(world, traits, state, chance.integers(0, len(world.catalog), n), day, 1, p)
        leaving = purchase.drop_out_hazard(traits.drop_rate, state.named_stocks(), none, p)
        assert (leaving <= traits.drop_rate * np.float32(most.drop_out)).all()
        for stock in STOCKS:
            values = state.stock(stock.name)
            assert ((values >= stock.low) & (values <= stock.high)).all(), stock.name


NEUTRAL = {
    "adstock": {"effect": 0.0},
    "satisfaction": {"purchase": 0.0, "drop_out": 0.0, "unsubscribe": 0.0},
    "stockpile": {"effect": 0.0},
    "season": {},
}  # reference_price has no such numbers: a price is felt as a difference; fatigue's stand at the channels as well


def bytes_of(world):
    """Everything that happens in a campaign."""
    totals = run_campaign(world, "uniform", customers=400, seed=2).totals
    return {field: total.tobytes() for field, total in totals.items()}


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_effect_that_is_left_out_leaves_every_byte_and_its_stocks_alone(small_world, name):
    """Beside all others: left out it is as one without any strength; strong, it changes what customers do."""
    others = set(ALL) - {name}
    without = bytes_of(world_with(small_world, *others))
    if name in NEUTRAL:
        neutral = load_world(world_with(small_world, *others), **{name: NEUTRAL[name]})
        assert bytes_of(neutral) == without
    assert bytes_of(world_with(small_world, *ALL)) != without
    panel = Panel(world_with(small_world, *others), 200, 3)
    start = panel.state.stocks.copy()
    for _ in range(5):
        panel.step(np.arange(200) % len(panel.world.catalog))
    for stock in SECTIONS[name].stocks:
        assert np.array_equal(panel.state.stock(stock.name), start[ROW[stock.name]])


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_section_left_out_is_not_asked(small_world, name):
    world = world_with(small_world)
    assert SECTIONS[name] not in {type(effect.spec) for effect in parameters(world).effects}
    assert SECTIONS[name] in {type(effect.spec) for effect in parameters(world_with(small_world, name)).effects}


# ---- an effect that is new: the oracle and the bound follow it or say that they do not


class Gloom(Section):
    """An effect of a user's own, with a stock that the greedy oracle cannot follow."""

    stocks = (Stock("gloom", "days"),)

    def at_work(self, market):
        return GloomEffect(self)


class GloomEffect(Effect):
    def __init__(self, spec):
        self.spec = spec


class WithGloom(World):
    gloom: Gloom = Gloom()

    def effects(self, market):
        return (*super().effects(market), GloomEffect(self.gloom))


@pytest.mark.parametrize(
    "ask",
    [
        lambda world: upper_bound(world, customers=5),
        lambda world: FarSightedOracle(world, types=5),
        lambda world: greedy(Panel(world, 5)),
    ],
    ids=["upper bound", "far-sighted oracle", "greedy oracle"],
)
def test_an_effect_that_the_truth_cannot_follow_is_refused_by_name(small_world, ask):
    world = WithGloom(**small_world.model_dump(exclude_unset=True))
    with pytest.raises(UsageError, match="Gloom"):
        ask(world)


# ---- the laws of each effect


def test_fatigue_halves_in_its_half_life():
    stock = one(8.0)
    for _ in range(int(ECOMMERCE.fatigue.half_life_days)):
        stock = next_fatigue(stock, one(0.0), P.effect(FatigueEffect).decay)
    assert stock[0] == pytest.approx(4.0, rel=1e-5)
    assert next_fatigue(one(4.0), one(2.0), 0.5)[0] == 4.0


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0.1, 10), st.floats(0.3, 4))
@settings(max_examples=100, deadline=None)
def test_ad_stock_saturates(stock, more, half, steep):
    effect = AdStock(half_saturation=half, shape=steep)
    low, high = hill(np.float32([stock, stock + more]), effect)
    assert 0 <= low <= high < 1 + 1e-6
    assert hill(one(half), effect)[0] == pytest.approx(0.5, rel=1e-5)
    assert hill(one(0), effect)[0] == 0


@given(st.floats(0, 0.9), st.floats(0, 0.3), st.floats(0.3, 1))
@settings(max_examples=100, deadline=None)
def test_a_price_above_the_expected_one_weighs_double_and_a_deeper_cut_never_less(cut, deeper, expected):
    reference = ReferencePrice(loss_aversion=2.0)
    felt = price_gain(np.float32([cut, cut + deeper]), np.float32([expected] * 2), reference)
    gain = cut - (1 - expected)
    assert felt[0] == pytest.approx(gain if gain > 0 else 2 * gain, abs=1e-6)
    assert felt[1] >= felt[0]
    assert price_gain(one(cut), one(expected), None)[0] == np.float32(cut)


def test_a_repeated_coupon_becomes_the_expected_price():
    expected = one(1.0)
    for _ in range(60):
        expected = next_expected_price(expected, one(0.8), np.float32(0.2))
    assert expected[0] == pytest.approx(0.8, abs=1e-4)


def test_an_expected_price_goes_half_the_way_back_in_its_half_life():
    expected, effect = one(0.8), load_world(ECOMMERCE, reference_price={"half_life_days": 14.0}).effects(ECOMMERCE)
    price = next(e for e in effect if isinstance(e.spec, ReferencePrice))
    for _ in range(14):
        expected = recovered(expected, price.decay)
    assert expected[0] == pytest.approx(0.9, abs=1e-5)


def test_a_price_that_is_paid_moves_the_expectation_more_than_one_that_is_seen(small_world):
    """Three customers of a day: one saw 20 % off, one also ordered with it, one ordered at the full price."""
    price = {"paid": 0.5, "seen": 0.1, "half_life_days": 1e9}
    p = parameters(load_world(small_world, reference_price=price))
    effect = next(e for e in p.effects if isinstance(e.spec, ReferencePrice))
    stocks, nobody = {"expected_price": np.float32([1.0, 1.0, 0.8])}, np.empty(0, np.intp)
    sent, cut = np.array([0, 1]), np.float32([0.2, 0.2])
    day = Day(sent, sent, sent >= 0, sent, sent, sent, sent, cut, nobody, np.array([1, 2]), np.float32([0.2, 0.0]))
    effect.live(stocks, day)
    assert stocks["expected_price"] == pytest.approx([0.98, 0.9, 0.9], abs=1e-6)


def test_an_old_file_with_a_memory_of_prices_is_refused_with_the_fix(small_world):
    with pytest.raises(SpecError, match=r"\[reference_price\]: memory = 0.8 is not left out.*paid = 1 - memory"):
        load_world(small_world, reference_price={"memory": 0.8})


@given(st.floats(0, 60), st.floats(0, 60), st.floats(0.1, 20))
@settings(max_examples=100, deadline=None)
def test_what_fatigue_does_saturates(stock, more, half):
    effect = next(
        e
        for e in load_world(ECOMMERCE, fatigue={"half_saturation": half}).effects(ECOMMERCE)
        if isinstance(e, FatigueEffect)
    )
    low, high = effect.felt(np.float32([stock, stock + more]))
    assert 0 <= low <= high * (1 + 1e-6)
    assert high <= min(half, stock + more) * (1 + 1e-5)
    assert effect.felt(one(half))[0] == pytest.approx(half / 2, rel=1e-5)


def test_rates_of_the_channels_hold_at_the_usual_fatigue_and_always_without_the_section():
    channel = np.zeros(2, np.intp)
    usual = {"fatigue": np.full(2, ECOMMERCE.fatigue.usual, dtype=np.float32)}
    calm = parameters(load_world(ECOMMERCE, fatigue=None, satisfaction=None))
    tired = parameters(load_world(ECOMMERCE, satisfaction=None))
    rate = ECOMMERCE.channels["push"].unsubscribe.base
    assert response.unsubscribe_probability(channel, usual, tired) == pytest.approx([rate] * 2, rel=1e-4)
    worn = {"fatigue": np.float32([0.0, 30.0])}
    assert response.unsubscribe_probability(channel, worn, calm) == pytest.approx([rate] * 2, rel=1e-4)
    low, high = response.unsubscribe_probability(channel, worn, tired)
    assert low < rate < high


def test_an_open_and_a_click_add_the_same_hazard_for_likely_and_unlikely_buyers():
    world = load_world(ECOMMERCE, response={"open_visit": 0.005, "click_visit": 0.015}, season=None)
    p, n = parameters(world), 2
    rate, zero, no = np.float32([0.001, 0.1]), np.zeros(n, np.float32), np.zeros(n, bool)
    stocks = {stock.name: np.full(n, stock.start, np.float32) for stock in STOCKS}
    held = np.full(n, NO_OFFER)

    def hazard(clicked):
        return purchase.purchase_hazard(rate, zero, zero, held, clicked, clicked, stocks, 0, p)

    assert hazard(~no) - hazard(no) == pytest.approx([0.02, 0.02], rel=1e-3)
    assert hazard(no) == pytest.approx(rate, rel=1e-6)


def test_no_price_is_expected_above_the_full_one():
    # The ceiling of a quiet customer's hazard rests on it, in single precision too.
    for kept in np.linspace(0, 1, 4097):
        assert next_expected_price(one(1.0), one(1.0), np.float32(kept))[0] <= 1
        assert recovered(one(1.0), float(kept))[0] <= 1


def test_the_delayed_effect_of_a_click_adds_up_to_the_rest():
    intent, total = next_intent(one(0.0), np.array([True]), 0.35, np.exp(-1 / 7)), 0.0
    for _ in range(200):
        total += float(intent[0])
        intent = next_intent(intent, np.array([False]), 0.35, np.exp(-1 / 7))
    assert total == pytest.approx(0.65, rel=1e-4)


def test_satisfaction_drifts_back_to_its_level():
    effect = Satisfaction(half_life_days=10.0, ignored=0.2, perk=0.15)
    yes, no = np.array([True]), np.array([False])
    ignored = next_satisfaction(one(0.0), yes, yes, no, no, one(0.15), effect, 0.5**0.1)
    assert ignored[0] == pytest.approx(-0.2)
    perk = next_satisfaction(one(0.0), yes, yes, yes, no, one(0.15), effect, 0.5**0.1)
    assert perk[0] == pytest.approx(0.15)
    left = ignored
    for _ in range(10):
        left = next_satisfaction(left, no, no, no, no, one(0.0), effect, 0.5**0.1)
    assert left[0] == pytest.approx(-0.1, rel=1e-4)
    assert contentment(one(0.0), effect.level)[0] == pytest.approx(0.0, abs=1e-6)
    assert contentment(ignored, effect.level)[0] < 0 < contentment(perk, effect.level)[0]


def test_the_calendar_by_hand():
    season = Season(
        weekday=[1, 1, 1, 1, 1, 1.5, 2], first_weekday=4, events=[Event(name="sale", day=3, days=2, factor=3)]
    )
    assert season_factors(season, 7).tolist() == [1, 1.5, 2, 3, 3, 1, 1]
    assert season_factors(None, 3).tolist() == [1, 1, 1]
    wave = Season(first_day_of_year=10, waves=[Wave(amplitude=0.2, peak=10)])
    year = season_factors(wave, 366)
    assert year[0] == pytest.approx(1.2)
    assert year[183] == pytest.approx(0.8, abs=1e-4)
    assert year.mean() == pytest.approx(1.0, abs=1e-3)
