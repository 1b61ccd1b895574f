"""What a campaign causes, against the twin who is sent nothing: extra orders, redemptions, lift of a price cut, dip.

Orders are counted by their chance, given the state the day began with and what was opened and clicked: the same answer
as drawn orders from far fewer customers. Redemptions and discounts are drawn. There is no calendar: published averages
are of whole years. Not here: the funnel (message_rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from campaignrl.arrays import Bool, Float, Float32
from campaignrl.calibration.published.measured import Measured
from campaignrl.calibration.published.plays import Lives, lives, main_channel, once, paced, plain_action, unguarded
from campaignrl.calibration.published.statistics import share
from campaignrl.dynamics import State
from campaignrl.envs import Panel
from campaignrl.envs.truth import nothing
from campaignrl.specs import OfferSpec, World
from campaignrl.true_value import Value

SEND_DAY = 5
WINDOW = 14  # days in which an e-mail's extra orders are published
MONTH = 30  # days within which a click's orders are counted
FLEET_DAYS, A_WEEK = 90, 2
RECENT, LONG_AGO = (0.0, 90.0), (270.0, 365.0)  # days since the last order
CUTS = (0.10, 0.20, 0.30)
SALE_DAYS = 7
PROBE = "probe"  # a channel that everybody reads and nobody minds


def promotion_rows(world: World, customers: int, seed: int) -> Iterator[Measured]:
    """Every figure of what a campaign causes, as they are measured."""
    free = unguarded(world, horizon=max(world.horizon, FLEET_DAYS), season=None)
    without = lives(free, nothing, customers, seed, free.horizon)
    action = plain_action(free, main_channel(free))
    fleet = lives(free, paced(action, A_WEEK), customers, seed, FLEET_DAYS)
    yield Measured("extra orders a 1,000 contacts", extra_a_thousand(fleet, without, FLEET_DAYS - 1))
    plain = lives(free, once(action, SEND_DAY), customers, seed, SEND_DAY + MONTH + 1)
    yield from _plain_rows(plain, without, Panel(free, customers, seed).state)
    yield from _offer_rows(free, without, customers, seed)
    yield from price_lifts(world, customers, seed)


def extra_a_thousand(ours: Lives, other: Lives, last: int) -> Value:
    """Extra orders up to day `last` for 1,000 delivered contacts."""
    extra = ours.orders(0, last) - other.orders(0, last)
    return share(1_000.0 * extra, ours.delivered[: last + 1].sum(axis=0))


def _plain_rows(plain: Lives, without: Lives, state: State) -> Iterator[Measured]:
    """One plain message on the send day. state: of day 0.

    Likely and unlikely buyers are those still there: the list of the published figure shows none who are gone for good.
    """
    extra = plain.orders(SEND_DAY, SEND_DAY + WINDOW - 1) - without.orders(SEND_DAY, SEND_DAY + WINDOW - 1)
    got, ago = plain.delivered[SEND_DAY], -state.last_order
    bought = ago <= LONG_AGO[1]
    yield Measured("extra order of a recent buyer", share(extra * bought, got & bought))
    recent, old = (got & state.alive & (ago > low) & (ago <= high) for low, high in (RECENT, LONG_AGO))
    yield Measured("unlikely over likely", share(extra * old * _per(old), extra * recent * _per(recent)))
    month = slice(SEND_DAY, SEND_DAY + MONTH + 1)
    both = plain.alive[month] & without.alive[month]  # who is lost on the way is no delay
    days = (plain.expected[month] - without.expected[month]) * both
    yield from delays(days * plain.clicked[SEND_DAY])


def _per(rows: Bool) -> float:
    """The weight of one of these rows, so that they add up to a mean."""
    return 1.0 / max(int(rows.sum()), 1)


def delays(extra: Float32) -> Iterator[Measured]:
    """extra: (d, n) extra orders by days since the click, 0 on its own day."""
    later, lag = extra[1:], np.arange(1, len(extra))[:, None]
    yield Measured("same day", share(extra[0], extra.sum(axis=0)))
    yield Measured("days to convert", share((later * lag).sum(axis=0), later.sum(axis=0)))


def _offer_rows(world: World, without: Lives, customers: int, seed: int) -> Iterator[Measured]:
    """One send of every offer with a discount, each alone; codes that need no condition are pooled."""
    recipients, redeemed, buyers, given, anyway = (np.zeros(customers) for _ in range(5))
    for name, offer in world.offers.items():
        if not offer.discount:
            continue
        channel = main_channel(world) if main_channel(world) in offer.channels else offer.channels[0]
        action = world.catalog.names.index(f"{name}@{channel}")
        sent = lives(world, once(action, SEND_DAY), customers, seed, world.horizon)
        end = SEND_DAY + offer.valid_days
        if not offer.revives:  # who comes back goes on buying, which is no dip
            yield Measured("dip", dip(sent, without, end), of=name)
        if not offer.only_if:
            valid, twin = slice(SEND_DAY, end + 1), without.bought[SEND_DAY : end + 1].any(axis=0)
            got = sent.sent[SEND_DAY]
            recipients += got
            redeemed += sent.redeemed[valid].sum(axis=0)
            buyers += got & sent.bought[valid].any(axis=0)
            given += sent.discount[valid].sum(axis=0)
            anyway += sent.discount[valid].sum(axis=0) * twin
    yield Measured("redeemed/recipients", share(redeemed, recipients))
    yield Measured("redeemed/buyers", share(redeemed, buyers))
    yield Measured("anyway", share(anyway, given))


def dip(ours: Lives, other: Lives, end: int) -> Value:
    """Orders lost after day `end`, over those won from the send day to `end`."""
    won = ours.orders(SEND_DAY, end) - other.orders(SEND_DAY, end)
    lost = other.orders(end + 1, len(ours.expected) - 1) - ours.orders(end + 1, len(ours.expected) - 1)
    return share(lost, won)


def price_lifts(world: World, customers: int, seed: int) -> Iterator[Measured]:
    """10, 20 and 30 % off for a week that every customer sees, as a shop window shows it; nothing but the price."""
    probed = with_probe(world)
    base = lives(probed, nothing, customers, seed, SALE_DAYS)
    everybody = np.arange(customers)
    before: Float = base.orders(0, SALE_DAYS - 1).astype(np.float64)
    for cut in CUTS:
        action = probed.catalog.names.index(f"{_probe(cut)}@{PROBE}")
        sale = lives(probed, once(action, 0), everybody, seed, SALE_DAYS)
        yield Measured(
            f"lift of {cut:.0%} off".replace("%", " %"), share(sale.orders(0, SALE_DAYS - 1) - before, before)
        )


def with_probe(world: World) -> World:
    """The same world with a channel that all read, and a coupon of each cut on it."""
    tables = world.model_dump(exclude_unset=True)
    tables["channels"][PROBE] = {
        "cost": 0.0,
        "reach": {"deliver": 1.0 - 1e-6, "open": 1.0 - 1e-6, "click": 1e-9},
        "unsubscribe": {"base": 0.0},
        "fatigue": 0.0,
        "adstock": 0.0,
        "affinity_spread": 0.0,
    }
    for segment in tables["segments"].values():
        segment["consent"] = {**segment["consent"], PROBE: 1.0}
    for cut in CUTS:
        coupon = OfferSpec(kind="coupon", channels=[PROBE], discount=cut, valid_days=SALE_DAYS - 1, redeem=1.0)
        tables["offers"][_probe(cut)] = coupon.model_dump(exclude_unset=True)
    tables["response"] = {**tables.get("response", {}), "open_lift": 0.0}
    tables.update(guard={"caps": [], "holdout": 0.0}, horizon=max(SALE_DAYS, 1), outcome_days=1, season=None)
    return World.model_validate(tables)


def _probe(cut: float) -> str:
    return f"{PROBE}{cut:.0%}".replace("%", "")
