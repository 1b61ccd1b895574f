"""A day by the formulas, in double precision and without shortcuts: every step, effect and record of every customer."""

import math

import numpy as np
import pytest
from scipy import stats

from campaignrl import rng
from campaignrl.dynamics.advance import Outcome, advance, live
from campaignrl.dynamics.customers import draw_customers, observed_format, observed_tags
from campaignrl.dynamics.observe import observe
from campaignrl.dynamics.parameters import parameters
from campaignrl.dynamics.visits import visited
from campaignrl.effects import ROW, STOCKS
from campaignrl.effects.drift import Change, path
from campaignrl.effects.hours import Peak, log_odds, slot_log_odds
from campaignrl.rng import Purpose
from campaignrl.specs.world import load_world

N = 500
PEAKS = {
    "loyal": [{"hour": 20, "lift": 0.8, "spread_hours": 1.5}, {"hour": 1, "lift": -0.5}],
    "bargain": [{"hour": 7, "lift": 1.1}],
}
LIKES = {"loyal": {"words": 0.5, "video": 0.5}, "bargain": {"words": 0.2, "video": 0.8}}
EVERYTHING = {
    "response": {
        "click_lift": 1.5, "open_lift": 0.4, "same_day": 0.3, "open_visit": 0.02, "click_visit": 0.05, "delay_days": 3.0
    },
    "fatigue": {"half_life_days": 4.0, "open": 0.2, "drop_out": 0.6, "usual": 1.0, "half_saturation": 3.0},
    "adstock": {"effect": 0.8, "shape": 1.7, "half_saturation": 0.7, "half_life_days": 3.0},
    "satisfaction": {
        "level": 0.6, "purchase": 1.2, "drop_out": 1.5, "unsubscribe": 0.8, "undelivered": 0.3, "ignored": 0.2,
        "opened": 0.3, "perk": 0.7, "order": 0.25, "half_life_days": 9.0,
    },
    "reference_price": {"loss_aversion": 3.0, "seen": 0.2, "paid": 0.4, "half_life_days": 6.0},
    "stockpile": {"effect": 0.5, "half_life_days": 8.0},
    "season": {
        "weekday": [1, 1, 1, 1, 1.2, 2, 0.5], "first_weekday": 4, "events": [{"name": "x", "day": 3, "factor": 3}]
    },
    "formats": {"match": 0.9, "segments": LIKES, "tones": {"loud": {"segments": {"bargain": 0.4}}}},
    "hours": {"segments": PEAKS},
    "drift": {
        "changes": [
            {"what": "taste", "day": 2, "by": 0.7, "offer": "coupon20"},
            {"what": "price", "day": 3, "by": -0.2, "segment": "bargain"},
            {"what": "response", "day": 0, "by": 0.3, "how": "walk"},
            {"what": "response", "day": 1, "by": -0.4, "how": "linear", "days": 4, "segment": "loyal"},
        ]
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def world(small_world):
    tables = small_world.model_dump(exclude_unset=True)
    tables["creatives"] = {"video": {}, "words": {"tone": "loud"}}
    tables["slots"] = {"early": {"hours": [6, 9]}, "late": {"hours": [22, 2]}}
    tables["segments"]["loyal"] |= {"visits": 0.2}
    tables["segments"]["bargain"]["basket"] |= {"model": "gamma_gamma", "within": 0.7}
    tables["segments"]["bargain"]["taste"] = {"coupon": 0.4, "coupon20": 0.1, "perk": -0.2}
    tables["offers"]["coupon20"] |= {"feels_like": 0.05, "brings": 0.03}
    tables["offers"]["perk"] |= {"revives": 0.6}
    tables["arrivals"] = {"per_day": 0.03}
    tables["tags"] = {"wrong": 0.2, "missing": 0.1, "refresh_days": 2}
    return load_world({**tables, **EVERYTHING})


def logit(p):
    return math.log(p / (1 - p))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def felt(fatigue, f):
    return fatigue / (1 + fatigue / f.half_saturation)


def contentment(trust, s):
    return sigmoid(trust + logit(s.level)) - s.level


_KNOWN = {}


def once(of, *words):
    """What it gives for these words, worked out once."""
    if (of, words) not in _KNOWN:
        _KNOWN[of, words] = of(*words)
    return _KNOWN[of, words]


def slot_effect(segment, hours):
    return slot_log_odds([Peak(**peak) for peak in PEAKS[segment]], *hours)


def way(number, horizon):
    return path(Change(**EVERYTHING["drift"]["changes"][number]), horizon, 0, number)


def moved(world, day, kinds, segment, offer):
    """What drift has added by this day for one segment and offer; None: no offer is held."""
    total = 0.0
    for number, change in enumerate(world.drift.changes):
        mine = change.segment in (None, segment)
        if change.what not in kinds or not mine:
            continue
        units = once(way, number, world.horizon)[day]
        if change.what == "price":
            total += -10 * world.segments[segment].price_sensitivity.mean * units
        elif offer is not None and change.offer in (None, offer):
            total += units
    return total


class Book:
    """The formulas for n customers of a world."""

    def __init__(self, world, traits, state, action, day, seed, attempts):
        self.world, self.t, self.day, self.seed = world, traits, day, seed
        self.segments, self.offers = list(world.segments), list(world.offers)
        self.own = [world.segments[self.segments[g]] for g in traits.segment]
        self.stocks = {name: row.astype(float) for name, row in state.named_stocks().items()}
        self.state, self.action = state, world.catalog.actions
        self.sends = [self.action[a] if a else None for a in action]
        self.attempts = np.ones(len(action)) if attempts is None else attempts
        self.n = len(action)

    def per(self, of, none=0.0):
        """A number of each customer's send."""
        return np.array([none if a is None else of(a, i) for i, a in enumerate(self.sends)], dtype=float)

    def taste(self, name, i):
        """Log-odds or log-hazard of a customer's segment for an offer: by its kind, and by its own name."""
        offer, taste = self.world.offers[name], self.own[i].taste
        return taste.get(offer.kind, 0.0) + (taste.get(name, 0.0) if name != offer.kind else 0.0)

    def extra(self, a, i, clicking):
        """What the hour, the format and drift add."""
        w, segment = self.world, self.segments[self.t.segment[i]]
        creative, slot = w.creatives[a.creative], w.slots[a.slot]
        liked = w.formats.names[self.t.format[i]] if self.t.format[i] >= 0 else None
        total = w.formats.match * (liked == (creative.format or a.creative))
        if creative.tone in w.formats.tones:
            total += w.formats.tones[creative.tone].segments.get(segment, 0.0)
        total += moved(w, self.day, ("taste",) if clicking else ("taste", "response"), segment, a.offer)
        if not clicking:
            total += once(slot_effect, segment, tuple(slot.hours))
        return total

    def funnel(self):
        w, keys = self.world, self.t.key
        u_deliver, u_open, u_click, u_leave = rng.uniforms(keys, self.seed, self.day, Purpose.FUNNEL, 4)
        self.sent = np.array([a is not None for a in self.sends])
        once = self.per(lambda a, i: w.channels[a.channel].reach.deliver)
        self.delivered = self.sent & (u_deliver < 1 - (1 - once) ** self.attempts)
        tired = felt(self.stocks["fatigue"], w.fatigue) - felt(w.fatigue.usual, w.fatigue)
        channel = {name: c for c, name in enumerate(w.channels)}
        odds = self.per(
            lambda a, i: (
                logit(w.channels[a.channel].reach.open)
                + self.t.affinity[channel[a.channel], i]
                + self.taste(a.offer, i)
                + self.extra(a, i, False)
                - w.fatigue.open * tired[i]
                - w.response.dropped_open * (not self.state.alive[i])
            )
        )
        self.opened = self.delivered & (u_open < sigmoid(odds))
        odds = self.per(
            lambda a, i: logit(w.channels[a.channel].reach.click) + self.taste(a.offer, i) + self.extra(a, i, True)
        )
        self.clicked = self.opened & (u_click < sigmoid(odds))
        content = contentment(self.stocks["satisfaction"], w.satisfaction)
        odds = self.per(
            lambda a, i: (
                logit(w.channels[a.channel].unsubscribe.base)
                + w.channels[a.channel].unsubscribe.per_fatigue * tired[i]
                - w.satisfaction.unsubscribe * content[i]
            )
        )
        self.unsubscribed = self.delivered & (u_leave < sigmoid(odds))

    def orders(self):
        w, s = self.world, self.stocks
        u_buy, self.u_redeem, self.u_drop, u_back = rng.uniforms(self.t.key, self.seed, self.day, Purpose.PURCHASE, 4)
        back = self.per(lambda a, i: w.offers[a.offer].revives)
        self.alive = self.state.alive | (self.opened & (u_back < back))
        held = [self.offers[o] if o >= 0 else None for o in self.state.live_offer]
        held = [a.offer if open_ else h for a, open_, h in zip(self.sends, self.opened, held, strict=True)]
        days = np.where(self.opened, self.per(lambda a, i: w.offers[a.offer].valid_days), self.state.live_days)
        self.held, self.held_days = held, days

        def of(attribute):
            return np.array([0.0 if h is None else getattr(w.offers[h], attribute) for h in held])

        self.cut = of("discount") + of("feels_like")
        gain = self.cut + s["expected_price"] - 1
        cut = np.where(gain < 0, w.reference_price.loss_aversion * gain, gain)
        wants = np.array(
            [
                (0.0 if h is None else self.taste(h, i))
                + moved(w, self.day, ("taste", "price"), self.segments[self.t.segment[i]], h)
                for i, h in enumerate(held)
            ]
        )
        lift = wants + of("appeal") + 10 * self.t.sensitivity * cut
        r, ad = w.response, w.adstock
        lift += r.open_lift * self.opened + r.click_lift * (r.same_day * self.clicked + s["intent"])
        lift += ad.effect * s["adstock"] ** ad.shape / (s["adstock"] ** ad.shape + ad.half_saturation**ad.shape)
        lift += w.satisfaction.purchase * contentment(s["satisfaction"], w.satisfaction)
        lift -= w.stockpile.effect * s["stockpile"]
        weekday = w.season.weekday[(w.season.first_weekday + self.day) % 7] * (3 if self.day == 3 else 1)
        base = self.t.rate * weekday + of("brings") + r.open_visit * self.opened + r.click_visit * self.clicked
        self.bought = self.alive & (-np.log(1 - u_buy.astype(float)) < base * np.exp(lift))
        self.redeemed = self.bought & (self.u_redeem < of("redeem"))
        (z,) = rng.normals(self.t.key, self.seed, self.day, Purpose.BASKET, 1)
        within = np.array([o.basket.within for o in self.own])
        gammas = np.array([o.basket.model == "gamma_gamma" for o in self.own])
        sigma = np.sqrt(np.log(1 + within**2))
        factor = np.exp(sigma * z - sigma**2 / 2)
        gamma = stats.gamma.ppf(stats.norm.cdf(z.astype(float)), within**-2, scale=within**2)
        self.revenue = self.bought * self.t.basket * np.where(gammas, gamma, factor)
        self.margin = self.revenue * np.array([o.basket.margin for o in self.own])
        self.discount = self.redeemed * (self.revenue * of("discount") + of("face_value"))
        self.cost = self.per(lambda a, i: w.channels[a.channel].cost)
        self.reward = self.margin - self.discount - self.cost - w.money.unsubscribe * self.unsubscribed
        self.retention = of("retention")

    def tomorrow(self):
        """Stocks after the day."""
        w, s = self.world, self.stocks

        def left(half_life):
            return 0.5 ** (1 / half_life)

        sat, price = w.satisfaction, w.reference_price
        new = {
            "fatigue": s["fatigue"] * left(w.fatigue.half_life_days)
            + self.per(lambda a, i: w.channels[a.channel].fatigue)
        }
        seen = self.opened * self.per(lambda a, i: w.channels[a.channel].adstock)
        new["adstock"] = s["adstock"] * left(w.adstock.half_life_days) + seen
        gained = self.per(lambda a, i: sat.perk if w.offers[a.offer].kind == "perk" else sat.opened)
        new["satisfaction"] = (
            s["satisfaction"] * left(sat.half_life_days)
            + gained * self.opened
            + sat.order * self.bought
            - sat.ignored * (self.delivered & ~self.opened)
            - sat.undelivered * (self.sent & ~self.delivered)
        )
        decay = math.exp(-1 / w.response.delay_days)
        new["intent"] = s["intent"] * decay + self.clicked * (1 - w.response.same_day) * (1 - decay)
        redeemed_cut = self.redeemed * self.cut
        new["stockpile"] = s["stockpile"] * left(w.stockpile.half_life_days) + (redeemed_cut > 0)
        expected = 1 - (1 - s["expected_price"]) * left(price.half_life_days)
        shown = self.opened * self.per(lambda a, i: w.offers[a.offer].discount + w.offers[a.offer].feels_like)
        after_seen = expected + price.seen * ((1 - shown) - expected)
        after_paid = expected + price.paid * ((1 - redeemed_cut) - expected)
        new["expected_price"] = np.where(self.bought, after_paid, np.where(shown > 0, after_seen, expected))
        return new

    def stays(self, new):
        w = self.world
        log = -self.retention + w.fatigue.drop_out * felt(new["fatigue"], w.fatigue)
        log -= w.satisfaction.drop_out * contentment(new["satisfaction"], w.satisfaction)
        return self.alive & ~(-np.log(1 - self.u_drop.astype(float)) < self.t.drop_rate * np.exp(log))


def any_action(world, day):
    """Every action there is, and none for a quarter."""
    chance = np.random.default_rng(day)
    return np.where(chance.random(N) < 0.25, 0, chance.integers(1, len(world.catalog), N))


def test_six_days_are_those_of_the_formulas(world):
    p, seed = parameters(world), 4
    traits, state = draw_customers(world, rng.customer_keys(np.arange(N)), seed)
    totals = np.zeros(5)
    for day in range(6):
        action = any_action(world, day)
        attempts = None if day % 2 else np.random.default_rng(day + 50).integers(1, 4, N)
        book_state = state
        if day:
            alive = state.alive | (traits.arrives == day)
            book_state = state._replace(alive=alive)
        after, out = advance(world, traits, state, action, day, seed, p, attempts)
        book = Book(world, traits, book_state, action, day, seed, attempts)
        book.funnel()
        book.orders()
        for name in ("sent", "delivered", "opened", "clicked", "unsubscribed", "bought", "redeemed"):
            assert getattr(out, name).tolist() == getattr(book, name).tolist(), (day, name)
        for name in ("revenue", "margin", "discount", "cost", "reward"):
            assert getattr(out, name) == pytest.approx(getattr(book, name), rel=2e-4, abs=1e-4), (day, name)
        stocks = book.tomorrow()
        for name in ROW:
            assert after.stock(name) == pytest.approx(stocks[name], rel=1e-4, abs=1e-5), (day, name)
        assert after.alive.tolist() == book.stays(stocks).tolist()
        records(world, state, after, book, day)
        totals += [
            book.opened.sum(),
            book.clicked.sum(),
            book.unsubscribed.sum(),
            book.bought.sum(),
            book.redeemed.sum(),
        ]
        state = after
    assert (totals > 20).all()
    assert {s.name for s in STOCKS} == set(stocks)


def records(world, state, after, book, day):
    """Histories, counts, permissions and the offer held."""
    channel = {name: c for c, name in enumerate(world.channels)}
    on = np.array([-1 if a is None else channel[a.channel] for a in book.sends])
    for c in range(len(channel)):
        assert after.sent[c].tolist() == ((state.sent[c] << np.uint64(1)) | (on == c).astype(np.uint64)).tolist()
        assert after.consent[c].tolist() == (state.consent[c] & ~(book.unsubscribed & (on == c))).tolist()
    for name, hit in (("opened", book.opened), ("clicked", book.clicked)):
        bits = (getattr(state, name) << np.uint64(1)) | hit.astype(np.uint64)
        assert getattr(after, name).tolist() == bits.tolist(), name
    assert after.orders.tolist() == (state.orders + book.bought).tolist()
    assert after.discounted.tolist() == (state.discounted + book.redeemed).tolist()
    assert after.spend == pytest.approx(state.spend + book.revenue, rel=1e-5)
    first = np.where(book.bought & np.isnan(state.first_order), day, state.first_order)
    assert np.array_equal(after.first_order, first.astype(np.float32), equal_nan=True)
    last = np.where(book.bought, day, state.last_order)
    assert np.array_equal(after.last_order, last.astype(np.float32), equal_nan=True)
    held = np.array([-1 if h is None else book.offers.index(h) for h in book.held])
    days = np.where(book.redeemed, 0, book.held_days)
    assert after.live_offer.tolist() == np.where(days > 0, held, -1).tolist()
    assert after.live_days.tolist() == np.maximum(days - 1, 0).tolist()
    tags = [getattr(after, name).tolist() for name in ("segment_tag", "price_tag", "format_tag")]
    if (day + 1) % 2:
        assert tags == [getattr(state, name).tolist() for name in ("segment_tag", "price_tag", "format_tag")]
    else:  # a period of two days is over
        period = (day + 1) // 2
        fresh = *observed_tags(world, book.t, period, book.seed), observed_format(world, book.t, period, book.seed)
        assert tags == [tag.tolist() for tag in fresh]


def test_a_day_of_a_block_is_that_of_its_customers_alone(world):
    """Rows of a larger panel in place, whose fields by channel are not contiguous."""
    p, seed = parameters(world), 4
    traits, state = draw_customers(world, rng.customer_keys(np.arange(N)), seed)
    action, part = any_action(world, 1), slice(100, 260)
    whole, outcome = type(state)._make(f.copy() for f in state), Outcome.unwritten(N)
    live(world, traits.rows(part), whole.rows(part), action[part], 1, seed, p, None, outcome.rows(part))
    after, out = advance(world, traits, state, action, 1, seed, p)
    for name in out._fields:
        assert np.array_equal(getattr(outcome, name)[part], getattr(out, name)[part]), name
    for name in state._fields:
        wanted = getattr(state, name).copy()
        wanted[..., part] = getattr(after, name)[..., part]
        assert np.array_equal(getattr(whole, name), wanted, equal_nan=getattr(whole, name).dtype.kind == "f"), name


def test_an_hour_of_arrival_stands_for_the_slot(world):
    """At a given hour the chance is that of its quarter of the hour, whatever the slot of the action."""
    p, seed = parameters(world), 4
    hours = next(e for e in p.effects if type(e).__name__ == "HoursEffect")
    assert hours.by_hour.shape == (2, 96)
    for g, name in enumerate(world.segments):
        peaks = world.hours.segments[name]
        middle = (np.arange(96) + 0.5) / 4
        assert hours.by_hour[g] == pytest.approx(log_odds(peaks, middle), abs=1e-6)
    traits, state = draw_customers(world, rng.customer_keys(np.arange(N)), seed)
    action = np.full(N, world.catalog.id_of("content@push/video/late"))
    early = np.where(action > 0, world.catalog.id_of("content@push/video/early"), 0)
    found = []
    for actions in (action, early):
        outcome = Outcome.unwritten(N)
        live(
            world,
            traits,
            type(state)._make(f.copy() for f in state),
            actions,
            0,
            seed,
            p,
            None,
            outcome,
            np.full(N, 20.1),
        )
        found.append(outcome.opened.tolist())
    assert found[0] == found[1]
    usual = [advance(world, traits, state, actions, 0, seed, p)[1].opened.tolist() for actions in (action, early)]
    assert usual[0] != usual[1]
    midnight = Outcome.unwritten(N)
    live(
        world, traits, type(state)._make(f.copy() for f in state), action, 0, seed, p, None, midnight, np.full(N, 24.0)
    )
    first = Outcome.unwritten(N)
    live(world, traits, type(state)._make(f.copy() for f in state), action, 0, seed, p, None, first, np.zeros(N))
    assert midnight.opened.tolist() == first.opened.tolist()


# ---- the day's log-odds by hand


def test_peaks_are_bells_around_the_clock():
    peak = Peak(hour=23.0, lift=2.0, spread_hours=1.5)
    quarters = (np.arange(96) + 0.5) / 4
    away = np.minimum(np.abs(quarters - 23), 24 - np.abs(quarters - 23))
    mean = (2 * np.exp(-0.5 * (away / 1.5) ** 2)).mean()
    for hour, apart in ((23.0, 0.0), (1.0, 2.0), (20.0, 3.0), (11.0, 12.0), (0.0, 1.0)):
        found = log_odds([peak], np.array([hour]))[0]
        assert found == pytest.approx(2 * math.exp(-0.5 * (apart / 1.5) ** 2) - mean)
    assert log_odds([], np.array([3.0])).tolist() == [0.0]
    both = log_odds([peak, Peak(hour=2.0, lift=1.0)], np.array([3.0]))
    alone = log_odds([peak], np.array([3.0])) + log_odds([Peak(hour=2.0, lift=1.0)], np.array([3.0]))
    assert both == pytest.approx(alone)


def test_a_slot_is_the_mean_of_its_hours_and_may_go_over_midnight():
    peaks = [Peak(hour=23.0, lift=2.0, spread_hours=1.5)]
    for begin, end, length in ((22.0, 2.0, 4.0), (6.0, 9.0, 3.0), (0.0, 24.0, 24.0), (5.0, 5.0, 24.0)):
        hours = (begin + (np.arange(96) + 0.5) / 96 * length) % 24
        assert slot_log_odds(peaks, begin, end) == pytest.approx(log_odds(peaks, hours).mean())
    assert slot_log_odds(peaks, 0.0, 24.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("words", "units"),
    [
        ({"how": "jump", "day": 2}, [0, 0, 1, 1, 1, 1]),
        ({"how": "linear", "day": 1, "days": 4}, [0, 0.25, 0.5, 0.75, 1, 1]),
        ({"how": "linear", "day": 0, "days": 1}, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_a_change_by_day(words, units):
    change = Change(what="taste", by=3.0, **words)
    assert path(change, 6, 0, 0) == pytest.approx(3.0 * np.array(units))


def test_a_walk_goes_by_its_own_steps_from_its_day_on():
    steps = rng.generator(5, Purpose.DRIFT, 2).standard_normal(6)
    for days, kept in ((None, slice(1, 6)), (2, slice(1, 3))):
        change = Change(what="taste", by=0.5, day=1, how="walk", days=days)
        wanted = np.zeros(6)
        wanted[kept] = steps[kept]
        assert path(change, 6, 5, 2) == pytest.approx(0.5 * np.cumsum(wanted))
    assert not np.allclose(path(change, 6, 5, 2), path(change, 6, 5, 3))
    assert not np.allclose(path(change, 6, 5, 2), path(change, 6, 6, 2))


def test_who_comes_to_the_shop(world):
    """Who clicked or bought, and of those alive some of their own accord."""
    traits, state = draw_customers(world, rng.customer_keys(np.arange(N)), 4)
    _, out = advance(world, traits, state, any_action(world, 0), 0, 4, parameters(world))
    found = visited(world, traits, state.alive, out, 0, 4)
    rate = np.array([s.visits for s in world.segments.values()])[traits.segment]
    own = rng.uniform(traits.key, 4, 0, Purpose.VISIT) < 1 - np.exp(-rate)
    assert found.tolist() == (out.clicked | out.bought | (state.alive & own)).tolist()
    assert (own & ~state.alive).any()


def test_what_is_seen_of_attributes_cannot_be_changed(world):
    traits, state = draw_customers(world, rng.customer_keys(np.arange(9)), 4)
    seen = observe(world, traits, state, 0)
    for name, row in zip(world.attributes, traits.attributes, strict=True):
        assert seen.columns[name].tolist() == row.tolist()
        with pytest.raises(ValueError, match="read-only"):
            seen.columns[name][0] = 1
    assert traits.attributes.flags.writeable
