"""The customer-day of dynamics/ in numba: staged short loops over 1-D float32 arrays, without the interpreter lock.

For benchmarks/compiled.py only. Covers draws, funnel, hazards, drop-out, stocks, held offers and histories with every
effect of `ecommerce` on; not order values, money, order counts, permissions and tags. numba has no vectorised exp and
log of its own, so they are the polynomials of Cephes (Moshier 1992), which LLVM turns into vector code.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

STAGE = 512  # customers; the scratch arrays of a stage stay in the first-level cache
_F = np.float32
ONE, HALF, ZERO, TEN = _F(1.0), _F(0.5), _F(0.0), _F(10.0)
LOG2E, MAGIC, LN2_HIGH, LN2_LOW = _F(1.44269504), _F(12582912.0), _F(0.693359375), _F(-2.12194440e-4)
E0, E1, E2, E3, E4 = (
    _F(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1)
)
LOGS = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1)
L0, L1, L2, L3, L4 = (_F(c) for c in LOGS)
L5, L6, L7, L8 = (_F(c) for c in (-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1))
SQRT2, INV24 = _F(1.41421356), _F(2.0**-24)
MUL1, MUL2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31, S40, S8, LOW, BIT = (np.uint64(s) for s in (30, 27, 31, 40, 8, 0xFFFFFFFF, 1))

compiled = njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


class Tables(NamedTuple):
    """A world's numbers; tables of offers start with a row of zeros for none, so that no index is negative."""

    deliver: np.ndarray
    open_logit: np.ndarray
    click_logit: np.ndarray
    unsubscribe_logit: np.ndarray
    unsubscribe_fatigue: np.ndarray
    price_cut: np.ndarray
    appeal: np.ndarray
    brings: np.ndarray
    redeem: np.ndarray
    retention: np.ndarray
    revives_of: np.ndarray  # by action, as the next five; 0 for none
    valid_of: np.ndarray
    gained_of: np.ndarray
    cut_of: np.ndarray
    tired_of: np.ndarray
    seen_of: np.ndarray
    sent_on: np.ndarray  # channel; -1 for none
    taste: np.ndarray  # flat, (segments x offers,)
    offer_of: np.ndarray  # one more than the offer
    channel_of: np.ndarray
    season: np.float32
    open_lift: np.float32
    click_lift: np.float32
    click_today: np.float32
    open_visit: np.float32
    click_visit: np.float32
    intent_decay: np.float32
    intent_gain: np.float32
    dropped_open: np.float32
    fatigue_open: np.float32
    fatigue_drop_out: np.float32
    fatigue_room: np.float32  # 1 / half saturation
    fatigue_usual: np.float32  # the units that count then
    fatigue_decay: np.float32
    adstock_effect: np.float32
    half_saturation: np.float32
    adstock_decay: np.float32
    level: np.float32
    odds: np.float32
    satisfied_buy: np.float32
    satisfied_drop: np.float32
    satisfied_stay: np.float32
    satisfaction_decay: np.float32
    order: np.float32
    ignored: np.float32
    undelivered: np.float32
    loss_aversion: np.float32
    price_decay: np.float32
    price_seen: np.float32
    price_paid: np.float32
    stockpile_effect: np.float32
    stockpile_decay: np.float32


@compiled
def uniforms(keys, stream, high, low):
    """Both uniforms of one hash; the mixing of campaignrl.rng."""
    for i in range(len(keys)):
        h = keys[i] ^ stream
        h ^= h >> S30
        h *= MUL1
        h ^= h >> S27
        h *= MUL2
        h ^= h >> S31
        high[i] = _F(np.int32(h >> S40)) * INV24
        low[i] = _F(np.int32((h & LOW) >> S8)) * INV24


@compiled
def exps(x, scratch, out):
    """Exp of x into out, x within (-87, 88)."""
    bits = scratch.view(np.int32)
    for i in range(len(x)):
        t = min(max(x[i], _F(-87.0)), _F(88.0)) * LOG2E + MAGIC  # the last bits of t are the power of two
        scratch[i] = t
        k = t - MAGIC
        r = (x[i] - k * LN2_HIGH) - k * LN2_LOW
        p = ((((E0 * r + E1) * r + E2) * r + E3) * r + E4) * r + HALF
        out[i] = p * r * r + r + ONE
    for i in range(len(x)):
        bits[i] = (bits[i] << 23) + (127 << 23)
    for i in range(len(x)):
        out[i] *= scratch[i]


@compiled
def clocks(u, scratch, out):
    """Standard exponential waiting times, -log(1 - u), into out."""
    bits = scratch.view(np.int32)
    power = out.view(np.int32)
    for i in range(len(u)):
        scratch[i] = ONE - u[i]
    for i in range(len(u)):
        b = bits[i]
        power[i] = (b >> 23) - 127
        bits[i] = (b & 0x7FFFFF) | 0x3F800000
    for i in range(len(u)):
        m = scratch[i]
        e = _F(power[i])
        up = m > SQRT2
        x = (m * HALF if up else m) - ONE
        e += ONE if up else ZERO
        z = x * x
        p = ((((L0 * x + L1) * x + L2) * x + L3) * x + L4) * x + L5
        p = ((p * x + L6) * x + L7) * x + L8
        out[i] = -((x * z * p - HALF * z) + x + e * LN2_LOW + e * LN2_HIGH)


@compiled
def sigmoids(x, scratch, out):
    """1 / (1 + exp(-x)) into out; x is overwritten."""
    for i in range(len(x)):
        x[i] = -x[i]
    exps(x, scratch, out)
    for i in range(len(x)):
        out[i] = ONE / (ONE + out[i])


@compiled
def contentments(s, x, scratch, out, t):
    """Into out: satisfaction in (0, 1) less its level."""
    for i in range(len(s)):
        x[i] = -s[i]
    exps(x, scratch, out)
    for i in range(len(s)):
        out[i] = ONE / (ONE + out[i] * t.odds) - t.level


@compiled
def funnel(lo, hi, traits, state, action, streams, t, w, rows, sent, delivered, opened, clicked, unsubscribed, keys):
    """The funnel of customers lo .. hi: gathered, worked out, spread back; w: scratch (k, STAGE)."""
    m = 0
    for i in range(lo, hi):
        a = action[i] > 0
        sent[i], delivered[i], opened[i], clicked[i], unsubscribed[i] = a, False, False, False, False
        rows[m] = i
        m += a
    x, scratch, y = w[0, :m], w[1, :m], w[2, :m]
    u_deliver, u_open, u_click, u_leave = w[3, :m], w[4, :m], w[5, :m], w[6, :m]
    opens, click, leave = w[7, :m], w[8, :m], w[9, :m]
    for j in range(m):
        i = rows[j]
        c, taste = t.channel_of[action[i]], t.taste[traits.segment[i] * len(t.appeal) + t.offer_of[action[i]]]
        keys[j] = traits.key[i]
        dropped = t.dropped_open * (ONE - _F(state.alive[i]))
        tired = state.fatigue[i] / (ONE + t.fatigue_room * state.fatigue[i]) - t.fatigue_usual
        opens[j] = t.open_logit[c] + traits.affinity[c, i] + taste - t.fatigue_open * tired - dropped
        click[j] = t.click_logit[c] + taste
        leave[j] = t.unsubscribe_logit[c] + t.unsubscribe_fatigue[c] * tired
        y[j] = state.satisfaction[i]
    uniforms(keys[:m], streams[0], u_deliver, u_open)
    uniforms(keys[:m], streams[1], u_click, u_leave)
    contentments(y, x, scratch, y, t)
    for j in range(m):
        leave[j] -= t.satisfied_stay * y[j]
    sigmoids(opens, scratch, x)
    sigmoids(click, scratch, y)
    sigmoids(leave, scratch, opens)
    for j in range(m):
        i = rows[j]
        arrived = u_deliver[j] < t.deliver[t.channel_of[action[i]]]
        seen = arrived & (u_open[j] < x[j])
        delivered[i], opened[i] = arrived, seen
        clicked[i] = seen & (u_click[j] < y[j])
        unsubscribed[i] = arrived & (u_leave[j] < opens[j])


@compiled
def offers_in_hand(segment, action, opened, live, left, alive, u_revive, t, held, kept, living, cut, lift):
    """The offer usable today, a return, and what the tables say of it: look-ups, one customer after the other."""
    for j in range(len(held)):
        a, was, op = np.uintp(action[j]), np.intp(live[j]) + 1, np.intp(opened[j])
        o = np.uintp(was + op * (t.offer_of[a] - was))
        held[j], kept[j] = np.int8(o) - 1, left[j] + op * (t.valid_of[a] - left[j])
        living[j] = alive[j] | (opened[j] & (u_revive[j] < t.revives_of[a]))
        cut[j] = t.price_cut[o]
        lift[j] = t.taste[np.uintp(segment[j]) * np.uintp(len(t.appeal)) + o] + t.appeal[o]


@compiled
def lifts_of_price(cut, expected, sensitivity, loss_aversion, lift):
    """Adds the felt gain or loss against the expected price."""
    for j in range(len(lift)):
        gain = cut[j] + expected[j] - ONE
        lift[j] += TEN * sensitivity[j] * min(gain, loss_aversion * gain)


@compiled
def lifts_of_contact(opened, clicked, intent, t, lift, later):
    """Adds today's open and click and earlier clicks; `later` is the intent of tomorrow."""
    open_lift, click_lift, today = t.open_lift, t.click_lift, t.click_today
    decay, gain = t.intent_decay, t.intent_gain
    for j in range(len(lift)):
        click = _F(clicked[j])
        lift[j] += open_lift * _F(opened[j]) + click_lift * (today * click + intent[j])
        later[j] = decay * intent[j] + gain * click


@compiled
def lifts_of_stocks(adstock, content, stockpile, t, lift):
    """Adds ad-stock, satisfaction and stockpile."""
    effect, half, satisfied, stock_effect = t.adstock_effect, t.half_saturation, t.satisfied_buy, t.stockpile_effect
    for j in range(len(lift)):
        lift[j] += effect * (adstock[j] / (adstock[j] + half)) + satisfied * content[j] - stock_effect * stockpile[j]


@compiled
def purchases(rate, held, opened, clicked, t, factor, clock, alive, hazard, bought):
    """The hazard of the day and whether its clock ran out."""
    season, by_open, by_click = t.season, t.open_visit, t.click_visit
    for j in range(len(rate)):
        visits = by_open * _F(opened[j]) + by_click * _F(clicked[j]) + t.brings[np.intp(held[j]) + 1]
        hazard[j] = (rate[j] * season + visits) * factor[j]
        bought[j] = alive[j] & (clock[j] < hazard[j])


@compiled
def added(action, held, opened, bought, u_redeem, t, redeemed, tired, seen, gained, cut, exposed, ahead, channel):
    """What today adds to the stocks: look-ups, one customer after the other, and no branch to guess wrong."""
    for j in range(len(held)):
        a, o, op = np.uintp(action[j]), np.uintp(np.intp(held[j]) + 1), _F(opened[j])
        redeemed[j] = bought[j] & (o > 0) & (u_redeem[j] < t.redeem[o])
        tired[j], seen[j], gained[j] = t.tired_of[a], t.seen_of[a] * op, t.gained_of[a] * op
        channel[j] = t.sent_on[a]
        shown, paid, buys = t.cut_of[a] * op, t.price_cut[o] * _F(redeemed[j]), _F(bought[j])
        cut[j] = buys * paid + (ONE - buys) * shown
        exposed[j] = buys * t.price_paid + (ONE - buys) * _F(shown > ZERO) * t.price_seen
        ahead[j] = _F(paid > ZERO)


@compiled
def stocks(stock, more, decay, out):
    """What is left of a stock, and what came in."""
    for j in range(len(out)):
        out[j] = stock[j] * decay + more[j]


@compiled
def expected_prices(old, cut, exposed, decay, out):
    """Recovered by a day, then drawn towards the price seen or paid, by the weight of each."""
    for j in range(len(out)):
        rested = decay * old[j] + (ONE - decay)
        out[j] = rested + exposed[j] * ((ONE - cut[j]) - rested)


@compiled
def satisfactions(s, gained, sent, delivered, opened, bought, t, out):
    """Satisfaction of tomorrow."""
    decay, order, ignored, undelivered = t.satisfaction_decay, t.order, t.ignored, t.undelivered
    for j in range(len(out)):
        out[j] = s[j] * decay + gained[j] + order * _F(bought[j])
    for j in range(len(out)):
        out[j] -= ignored * (_F(delivered[j]) - _F(opened[j])) + undelivered * (_F(sent[j]) - _F(delivered[j]))


@compiled
def leanings(fatigue, content, held, t, lift):
    """The log of what multiplies a customer's drop-out rate."""
    tired, room, satisfied = t.fatigue_drop_out, t.fatigue_room, t.satisfied_drop
    for j in range(len(lift)):
        lift[j] = tired * fatigue[j] / (ONE + room * fatigue[j]) - satisfied * content[j]
    for j in range(len(lift)):
        lift[j] -= t.retention[np.intp(held[j]) + 1]


@compiled
def departures(rate, factor, clock, hazard, alive):
    """The drop-out hazard, and who is left."""
    for j in range(len(rate)):
        hazard[j] = rate[j] * factor[j]
        alive[j] &= clock[j] >= hazard[j]


@compiled
def offers_of_tomorrow(redeemed, held, left):
    """A day shorter, or gone."""
    for j in range(len(held)):
        keep = np.int8((left[j] > 0) & (not redeemed[j]))
        held[j] = (held[j] + 1) * keep - 1
        left[j] = (left[j] - 1) * keep


@compiled
def histories(bits, today, out):
    """A day on: bit 0 is today."""
    for j in range(len(out)):
        out[j] = (bits[j] << BIT) | np.uint64(today[j])


@compiled
def contacts(history, channel, lo, hi, out):
    """The contact histories of all channels a day on."""
    for c in range(len(history)):
        before, after = history[c, lo:hi], out[c, lo:hi]
        for j in range(len(after)):
            after[j] = (before[j] << BIT) | np.uint64(channel[j] == c)


@compiled
def stage(lo, hi, traits, state, action, streams, t, new, out, w):
    """Customers lo .. hi after the funnel, in short loops."""
    n = hi - lo
    x, scratch, lift, content, u_buy = w[0, :n], w[1, :n], w[2, :n], w[3, :n], w[4, :n]
    u_redeem, u_drop, u_revive, gained, cut = w[5, :n], w[6, :n], w[7, :n], w[8, :n], w[9, :n]
    clock, exposed, ahead, channel = w[10, :n], w[11, :n], w[12, :n], w[13].view(np.int32)[:n]
    sent, delivered, opened, clicked = out[0][lo:hi], out[1][lo:hi], out[2][lo:hi], out[3][lo:hi]
    bought, redeemed, hazard, drop = out[5][lo:hi], out[6][lo:hi], out[7][lo:hi], out[8][lo:hi]
    held, left, alive, plays = new.live_offer[lo:hi], new.live_days[lo:hi], new.alive[lo:hi], action[lo:hi]
    keys, segment, satisfaction = traits.key[lo:hi], traits.segment[lo:hi], state.satisfaction[lo:hi]
    expected = state.expected_price[lo:hi]
    uniforms(keys, streams[2], u_buy, u_redeem)
    uniforms(keys, streams[3], u_drop, u_revive)
    contentments(satisfaction, x, scratch, content, t)
    now = (state.live_offer[lo:hi], state.live_days[lo:hi], state.alive[lo:hi])
    offers_in_hand(segment, plays, opened, *now, u_revive, t, held, left, alive, cut, lift)
    lifts_of_price(cut, expected, traits.sensitivity[lo:hi], t.loss_aversion, lift)
    lifts_of_contact(opened, clicked, state.intent[lo:hi], t, lift, new.intent[lo:hi])
    lifts_of_stocks(state.adstock[lo:hi], content, state.stockpile[lo:hi], t, lift)
    exps(lift, scratch, content)
    clocks(u_buy, scratch, clock)
    purchases(traits.rate[lo:hi], held, opened, clicked, t, content, clock, alive, hazard, bought)
    added(plays, held, opened, bought, u_redeem, t, redeemed, x, lift, gained, cut, exposed, ahead, channel)
    stocks(state.fatigue[lo:hi], x, t.fatigue_decay, new.fatigue[lo:hi])
    stocks(state.adstock[lo:hi], lift, t.adstock_decay, new.adstock[lo:hi])
    stocks(state.stockpile[lo:hi], ahead, t.stockpile_decay, new.stockpile[lo:hi])
    expected_prices(expected, cut, exposed, t.price_decay, new.expected_price[lo:hi])
    satisfactions(satisfaction, gained, sent, delivered, opened, bought, t, new.satisfaction[lo:hi])
    contentments(new.satisfaction[lo:hi], x, scratch, content, t)
    leanings(new.fatigue[lo:hi], content, held, t, lift)
    exps(lift, scratch, content)
    clocks(u_drop, scratch, clock)
    departures(traits.drop_rate[lo:hi], content, clock, drop, alive)
    offers_of_tomorrow(redeemed, held, left)
    histories(state.opened[lo:hi], opened, new.opened[lo:hi])
    histories(state.clicked[lo:hi], clicked, new.clicked[lo:hi])
    contacts(state.sent, channel, lo, hi, new.sent)


@compiled
def day(first, last, traits, state, action, streams, t, new, out):
    """Customers first .. last: tomorrow's state into `new`, events and hazards into `out`."""
    w, rows, keys = np.empty((14, STAGE), np.float32), np.empty(STAGE + 1, np.int64), np.empty(STAGE, np.uint64)
    for lo in range(first, last, STAGE):
        hi = min(lo + STAGE, last)
        funnel(lo, hi, traits, state, action, streams, t, w, rows, out[0], out[1], out[2], out[3], out[4], keys)
        stage(lo, hi, traits, state, action, streams, t, new, out, w)
