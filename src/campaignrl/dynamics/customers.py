"""Traits (fixed) and state (changing) of n customers, as one array per field, and drawing them for day 0.

Purchase and drop-out rates are gamma-distributed and lifetimes exponential: Pareto/NBD (Schmittlein, Morrison
& Colombo 1987, "Counting Your Customers", Management Science 33(1)). A customer joined some time before day 0, so
the panel starts mid-life: the order history before day 0 follows the same process, with nothing sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32, Int8, Rows
from campaignrl.effects import NO_FORMAT, ROW, STOCKS
from campaignrl.rng import Purpose
from campaignrl.specs import World

NO_OFFER = -1
SUMMED = 100.0  # orders; above, adding up Poisson terms is slower than inverting the distribution
MOST_ORDERS = 25_000  # before day 0; leaves room in 16 bits for one order a day over the longest horizon


class Traits(NamedTuple):
    """What never changes. Rates are latent; tags and attributes are what is known."""

    key: npt.NDArray[np.uint64]  # (n,) of all draws
    segment: Int8  # (n,) the true one
    rate: Float32  # (n,) orders per day while alive
    drop_rate: Float32  # (n,) drop-outs per day
    sensitivity: Float32  # (n,) log-hazard of buying per 10 % off
    basket: Float32  # (n,) mean order value, currency
    affinity: Float32  # (c, n) log-odds of opening, segment's part included
    joined: Float32  # (n,) days before day 0
    attributes: Int8  # (a, n) level codes
    held_out: Bool  # (n,) never contacted
    format: Int8  # (n,) of content that is preferred, latent; -1: none
    arrives: npt.NDArray[np.int16]  # (n,) day on which the customer arrives; 0: was there before

    def rows(self, part: slice) -> Traits:
        """The same traits of some customers, as views."""
        return Traits._make(field[..., part] for field in self)


class State(NamedTuple):
    """What a day may change. Histories are bits: bit j is the day j + 1 days ago."""

    alive: Bool  # (n,) latent
    consent: Bool  # (c, n)
    stocks: Float32  # (s, n) what effects keep of each customer, in the order of effects.STOCKS; latent
    segment_tag: Int8  # (n,) observed; -1: missing
    price_tag: Int8  # (n,) observed; -1: missing
    format_tag: Int8  # (n,) observed; -1: missing, or none is preferred
    live_offer: Int8  # (n,) the offer the customer holds, or -1
    live_days: Int8  # (n,) days it is still usable
    orders: npt.NDArray[np.int16]  # (n,)
    discounted: npt.NDArray[np.int16]  # (n,) orders that used an offer
    spend: Float32  # (n,) currency, all orders
    first_order: Float32  # (n,) day of it, negative before day 0; nan: never
    last_order: Float32  # (n,) likewise
    sent: npt.NDArray[np.uint64]  # (c, n) contact history by channel
    opened: npt.NDArray[np.uint64]  # (n,) open history
    clicked: npt.NDArray[np.uint64]  # (n,) click history
    sent_offers: npt.NDArray[np.uint64]  # (r, n) contact history by counted offer: those of which a rule counts sends

    def rows(self, part: slice) -> State:
        """The same state of some customers, as views."""
        return State._make(field[..., part] for field in self)

    def stock(self, name: str) -> Float32:
        """(n,) one stock, e.g. "fatigue", as a view."""
        found: Float32 = self.stocks[ROW[name]]
        return found

    def named_stocks(self) -> dict[str, Float32]:
        """Every stock by its name, as views, each (n,)."""
        return dict(zip(ROW, self.stocks, strict=True))


class StocksOf(Mapping[str, Float32]):
    """The stocks of some customers by name, each (m,): looked up as they are when first asked for."""

    def __init__(self, state: State, rows: Rows) -> None:
        self._stocks, self._rows = state.stocks, rows
        self._known: dict[str, Float32] = {}

    def __getitem__(self, name: str) -> Float32:
        if name not in self._known:
            self._known[name] = self._stocks[ROW[name]][self._rows]
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ROW)

    def __len__(self) -> int:
        return len(ROW)


def draw_customers(world: World, keys: npt.NDArray[np.uint64], seed: int) -> tuple[Traits, State]:
    """Traits and day-0 state of the customers with these keys (n,); each depends on its key and the seed alone."""
    segments = list(world.segments.values())
    u = [rng.uniform(keys, seed, 0, Purpose.PROFILE, k) for k in range(4)]
    segment = np.searchsorted(np.cumsum([s.share for s in segments])[:-1], u[0], side="right").astype(np.int8)
    arrives = _arrival_days(world, keys, seed)
    if world.arrivals is not None and world.arrivals.segments:
        new = np.array([world.arrivals.segments.get(name, 0.0) for name in world.segments])
        later = np.searchsorted(np.cumsum(new)[:-1], u[0], side="right").astype(np.int8)
        segment = np.where(arrives > 0, later, segment)
    z = rng.normals(keys, seed, 0, Purpose.PROFILE, 2 + len(world.channels))
    rate = _gamma(u[1], [(s.purchase.rate, s.purchase.spread) for s in segments], segment)
    drop_rate = _gamma(u[2], [(1.0 / s.lifetime.days, s.lifetime.spread) for s in segments], segment)
    joined = np.where(arrives > 0, -arrives.astype(np.float64), u[3] * world.tenure_days)
    sensitivity = _lognormal(z[0], [(s.price_sensitivity.mean, s.price_sensitivity.spread) for s in segments], segment)
    traits = Traits(
        key=keys,
        segment=segment,
        rate=rate.astype(np.float32),
        drop_rate=drop_rate.astype(np.float32),
        sensitivity=sensitivity,
        basket=_basket(world, segment, z[1]),
        affinity=_affinity(world, segment, z[2:]),
        joined=joined.astype(np.float32),
        attributes=_attributes(world, keys, seed, segment),
        held_out=rng.uniform(keys, world.guard.holdout_salt, 0, Purpose.HOLDOUT) < world.guard.holdout,
        format=_formats(world, keys, seed, segment),
        arrives=arrives,
    )
    return traits, _start(world, traits, rate, drop_rate, joined, seed)


def _start(world: World, traits: Traits, rate: Float, drop_rate: Float, joined: Float, seed: int) -> State:
    """State at day 0: alive or not, orders so far, consents; nothing sent yet."""
    keys, n = traits.key, len(traits.key)
    u = [rng.uniform(keys, seed, 0, Purpose.HISTORY, k) for k in range(6)]
    lifetime = _lifetime(u[0], drop_rate, joined, world.leavers_kept)
    active = np.minimum(lifetime, joined)
    gap = -np.log1p(-u[1]) / rate  # from the end of the active time back to the last order
    ordered = gap < active
    earlier = np.where(ordered, poisson_quantile(u[2], rate * np.maximum(active - gap, 0.0)), 0)
    orders = np.minimum(np.where(ordered, earlier + 1, 0), MOST_ORDERS)
    last = active - gap - joined  # days from day 0, negative
    first_gap = (active - gap) * -np.expm1(np.log1p(-u[3]) / np.maximum(earlier, 1))  # least of `earlier` uniforms
    first = np.where(earlier > 0, first_gap - joined, last)
    if world.joined_by_order:
        began = traits.arrives == 0
        last, first = np.where(ordered, last, -joined), np.where(began, -joined, first)
        orders, ordered = np.minimum(orders + began, MOST_ORDERS), ordered | began
    mean_share = np.float32(0.2) * traits.sensitivity / np.float32(0.3)  # of past orders that used an offer
    discounted = np.minimum(orders * np.minimum(mean_share, 0.9) + u[4], orders).astype(np.int16)
    consents = np.array([[s.consent[c] for c in world.channels] for s in world.segments.values()])
    draws = [rng.uniform(keys, seed, 0, Purpose.HISTORY, 6 + c) for c in range(len(world.channels))]
    zero = np.zeros(n, dtype=np.uint64)
    segment_tag, price_tag = observed_tags(world, traits, 0, seed)
    return State(
        alive=(lifetime > joined) & (traits.arrives == 0),
        consent=np.array([u_c < consents[traits.segment, c] for c, u_c in enumerate(draws)]),
        stocks=np.repeat(np.array([[stock.start] for stock in STOCKS], dtype=np.float32), n, axis=1),
        segment_tag=segment_tag,
        price_tag=price_tag,
        format_tag=observed_format(world, traits, 0, seed),
        live_offer=np.full(n, NO_OFFER, dtype=np.int8),
        live_days=np.zeros(n, dtype=np.int8),
        orders=orders.astype(np.int16),
        discounted=discounted,
        spend=(orders * traits.basket).astype(np.float32),
        first_order=np.where(ordered, first, np.nan).astype(np.float32),
        last_order=np.where(ordered, last, np.nan).astype(np.float32),
        sent=np.zeros((len(world.channels), n), dtype=np.uint64),
        opened=zero,
        clicked=zero.copy(),
        sent_offers=np.zeros((len(world.counted_offers), n), dtype=np.uint64),
    )


def _lifetime(u: Float, drop_rate: Float, joined: Float, kept: float) -> Float:
    """(n,) days from joining to dropping out, exponential; u: (n,) uniforms.

    A table that has lost some of those who have gone for good holds fewer of them, so that the rest stand in
    proportion: with `kept` of them left, a customer is one with chance kept x gone / (kept x gone + alive).
    """
    if kept == 1.0:
        return -np.log1p(-u) / drop_rate
    left = -np.expm1(-drop_rate * joined)  # chance to have gone by day 0, as the law has it
    gone = kept * left / (kept * left + 1.0 - left)
    among = np.where(
        u < gone, u * left / np.maximum(gone, 1e-300), left + (u - gone) / np.maximum(1.0 - gone, 1e-300) * (1.0 - left)
    )
    return -np.log1p(-np.minimum(among, 1.0 - 1e-16)) / drop_rate


def poisson_quantile(u: Float, mean: Float) -> npt.NDArray[np.int64]:
    """Smallest x with P(Poisson(mean) <= x) > u, (n,): terms added up, large means by the incomplete gamma."""
    large = mean > SUMMED
    x = np.zeros(len(u), dtype=np.int64)
    x[large] = _large_poisson_quantile(u[large], mean[large])
    term = np.exp(-mean)
    total = np.where(large, 1.0, term)  # above any u: nothing left to add
    open_rows = np.flatnonzero(total <= u)
    while len(open_rows):
        x[open_rows] += 1
        term[open_rows] *= mean[open_rows] / x[open_rows]
        total[open_rows] += term[open_rows]
        rising = x[open_rows] < mean[open_rows]  # before the mode, terms may be tiny and still grow
        open_rows = open_rows[(total[open_rows] <= u[open_rows]) & (rising | (term[open_rows] > 1e-18))]
    return x


def _large_poisson_quantile(u: Float, mean: Float) -> Float:
    x = np.maximum(np.ceil(special.pdtrik(u, mean)), 0.0)
    quantile: Float = np.where((x > 0) & (special.pdtr(np.maximum(x - 1.0, 0.0), mean) > u), x - 1.0, x)
    return quantile


def _gamma(u: Float, mean_cv: list[tuple[float, float]], segment: Int8) -> Float:
    """Gamma quantiles with each segment's mean and coefficient of variation; never exactly 0."""
    mean, cv = np.array(mean_cv).T
    shape = 1.0 / cv**2
    quantile = special.gammaincinv(shape[segment], u) * (mean / shape)[segment]
    rates: Float = np.maximum(quantile, 1e-12)
    return rates


def _lognormal(z: Float32, mean_cv: list[tuple[float, float]], segment: Int8) -> Float32:
    mean, cv = np.array(mean_cv, dtype=np.float32).T
    sigma = np.sqrt(np.log1p(cv * cv))
    values: Float32 = np.exp(z * sigma[segment] + (np.log(mean) - sigma * sigma / 2)[segment])
    return values


def _basket(world: World, segment: Int8, z: Float32) -> Float32:
    """(n,) mean order value of each customer: lognormal, or p / nu of the gamma-gamma model with nu gamma."""
    segments = list(world.segments.values())
    values = _lognormal(z, [(s.basket.mean, s.basket.spread) for s in segments], segment)
    for g, s in enumerate(segments):
        if s.basket.model == "gamma_gamma":
            rows = segment == g
            q = 2.0 + s.basket.spread**-2.0  # an inverse gamma with this shape has the wanted spread
            nu = special.gammaincinv(q, special.ndtr(-z[rows].astype(np.float64)))
            values[rows] = s.basket.mean * (q - 1.0) / np.maximum(nu, 1e-12)
    return values


def _affinity(world: World, segment: Int8, z: list[Float32]) -> Float32:
    rows = []
    for (name, channel), z_c in zip(world.channels.items(), z, strict=True):
        of_segment = np.array([s.affinity.get(name, 0.0) for s in world.segments.values()], dtype=np.float32)
        rows.append(of_segment[segment] + np.float32(channel.affinity_spread) * z_c)
    return np.array(rows)


def _attributes(world: World, keys: npt.NDArray[np.uint64], seed: int, segment: Int8) -> Int8:
    codes = np.empty((len(world.attributes), len(keys)), dtype=np.int8)
    for a, (name, levels) in enumerate(world.attributes.items()):
        shares = np.array([[s.profile[name].get(level, 0.0) for level in levels] for s in world.segments.values()])
        cuts = np.cumsum(shares, axis=1)[:, :-1]
        u = rng.uniform(keys, seed, 0, Purpose.PROFILE, 16 + a)
        codes[a] = sum((u >= cuts[segment, j]).astype(np.int8) for j in range(cuts.shape[1]))
    return codes


def _arrival_days(world: World, keys: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.int16]:
    """(n,) day of each customer's arrival, evenly over the days after day 0; 0: there at the start.

    With s arrivals per customer of that file, s / (1 + s) of all customers are arrivals.
    """
    if world.arrivals is None:
        return np.zeros(len(keys), dtype=np.int16)
    total = world.arrivals.share_over(world.horizon)
    u = rng.uniform(keys, seed, 0, Purpose.PROFILE, 8)
    share = total / (1.0 + total)
    day = 1 + np.floor(u / max(share, 1e-300) * (world.horizon - 1))
    return np.where((u < share) & (world.horizon > 1), day, 0).astype(np.int16)


def _formats(world: World, keys: npt.NDArray[np.uint64], seed: int, segment: Int8) -> Int8:
    """(n,) the format of content that each customer prefers, by the shares of its segment."""
    if world.formats is None:
        return np.full(len(keys), NO_FORMAT, dtype=np.int8)
    names = world.formats.names
    tables = [world.formats.segments.get(name) for name in world.segments]
    cuts = np.cumsum([[(table or {}).get(name, 0.0) for name in names] for table in tables], axis=1)
    cuts[:, -1] = np.where([table is None for table in tables], 0.0, 1.0)  # of a segment left out nobody prefers any
    u = rng.uniform(keys, seed, 0, Purpose.PROFILE, 9)
    place = (u[:, None] >= cuts[segment]).sum(axis=1)
    return np.where(place < len(names), place, NO_FORMAT).astype(np.int8)


def observed_format(world: World, traits: Traits, period: int, seed: int) -> Int8:
    """(n,) the tag of the preferred format as observed in a period, as noisy as other tags."""
    if world.formats is None:
        return traits.format.copy()
    levels = len(world.formats.names)
    wrong, missing, other = (rng.uniform(traits.key, seed, period, Purpose.TAG, 6 + k) for k in range(3))
    shift = 1 + np.floor(other * max(levels - 1, 1)).astype(np.int8)
    tag = np.where(wrong < world.tags.wrong, (traits.format + shift) % levels, traits.format)
    return np.where((missing < world.tags.missing) | (traits.format < 0), -1, tag).astype(np.int8)


def observed_tags(world: World, traits: Traits, period: int, seed: int) -> tuple[Int8, Int8]:
    """Segment and price tags as observed in a period: some wrong, some missing, by luck drawn anew each period."""
    low, high = world.tags.price
    price = (traits.sensitivity >= low).astype(np.int8) + (traits.sensitivity >= high).astype(np.int8)
    tags = []
    for t, (truth, levels) in enumerate(((traits.segment, len(world.segments)), (price, 3))):
        wrong, missing, other = (rng.uniform(traits.key, seed, period, Purpose.TAG, 3 * t + k) for k in range(3))
        shift = 1 + np.floor(other * max(levels - 1, 1)).astype(np.int8)
        tag = np.where(wrong < world.tags.wrong, (truth + shift) % levels, truth)
        tags.append(np.where(missing < world.tags.missing, -1, tag).astype(np.int8))
    return tags[0], tags[1]
