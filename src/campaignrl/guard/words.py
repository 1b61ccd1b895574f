"""The rules of a world in words, one line a rule, in the order in which they are asked.

Not here: the rules (checks.py, budget.py), what one refusal is called (checks.py), how a line is printed (cli/).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from campaignrl.guard.columns import STALE_SHARE
from campaignrl.guard.dates import dates_said
from campaignrl.guard.least_shares import least_shares
from campaignrl.guard.rules import rules_of
from campaignrl.specs import World


class RuleSaid(NamedTuple):
    """One rule: what it is about, of what (a channel, an offer, "" for everything), and what it says."""

    rule: str
    of: str
    says: str


def rules_said(world: World) -> list[RuleSaid]:
    """Every rule that a send of this world must meet.

    Example:
        >>> from campaignrl.guard import rules_said
        >>> from campaignrl.specs import load_world
        >>> rules_said(load_world("tight_budget"))[-1].says
        'at most 300 EUR for 1,000 customers over 60 days, released evenly; what is left carries over'
    """
    return [*_of_people(world), *_of_consent(world), *_of_offers(world), *_of_time(world), *_of_wave(world)]


def _of_people(world: World) -> Iterator[RuleSaid]:
    guard = world.guard
    yield RuleSaid("suppression", "", "nobody on a suppression list, or whose `suppressed` is no clear no")
    share = f"{guard.holdout:.0%} of customers, drawn by their id, are never contacted; " if guard.holdout else ""
    yield RuleSaid("holdout", "", f"{share}nobody whose `holdout` is no clear no, where the table has that column")
    if guard.max_age_days is not None:
        most = STALE_SHARE if guard.max_stale_share is None else guard.max_stale_share
        says = f"nobody whose row (`as_of`) is over {guard.max_age_days} days old, to come or of no known day; "
        yield RuleSaid("age of rows", "", f"{says}a table with more than {most:.0%} of such rows is refused")
    if guard.max_policy_age_days is not None:
        says = f"no policy whose last outcome that it learned from is over {guard.max_policy_age_days} days ago"
        yield RuleSaid("age of the policy", "", says)
    says = "of the customers of a table who share an `address_key` a single one, the same every day"
    says += "; where one is suppressed, none"
    yield RuleSaid("address", "", says)


def _of_consent(world: World) -> Iterator[RuleSaid]:
    for name in world.channels:
        yield RuleSaid("consent", name, f"only with a known yes in `consent_{name}`")
    for name, offer in world.offers.items():
        if offer.purpose is not None:
            columns = " or ".join(f"`consent_{channel}_{offer.purpose}`" for channel in offer.channels)
            yield RuleSaid("consent", name, f"only with a known yes for its purpose as well: {columns}")


def _of_offers(world: World) -> Iterator[RuleSaid]:
    for name, offer in world.offers.items():
        if offer.valid_from is not None or offer.valid_until is not None:
            yield RuleSaid("dates", name, f"{dates_said(offer)}, first and last day included")
        if offer.only_if:
            yield RuleSaid("eligibility", name, f"only if {offer.only_if}")
    if world.guard.min_margin is not None:
        says = (
            f"every offer leaves at least {world.guard.min_margin:.0%} of the margin of a mean order, in every segment"
        )
        yield RuleSaid("margin", "", says)


def _of_time(world: World) -> Iterator[RuleSaid]:
    quiet, zone, rules = world.guard.quiet_hours, world.guard.timezone, rules_of(world)
    if quiet is not None:
        says = f"nothing leaves from {quiet.from_hour:g} to {quiet.to_hour:g} o'clock"
        where = f"in the customer's `timezone`, or {zone}" if zone else "on the clock of hours; decide knows no zone"
        yield RuleSaid("quiet hours", "", f"{says}, {where}")
    for scope, cap in rules.caps:
        yield RuleSaid(*_split(cap.said, "" if scope is None else world.catalog.channels[scope].name))
    for offer, cap in rules.offer_caps:
        yield RuleSaid(*_split(cap.said, world.catalog.offers[offer].name))
    depth = world.guard.max_discount_depth
    if depth is not None:
        says = f"shares off add up to at most {depth.at_most:.4g} for a customer in {depth.per_days} days"
        yield RuleSaid("discounts", "", says)


def _split(said: str, of: str) -> tuple[str, str, str]:
    """`cap: 1 in 7 days on sms` as its rule, scope and sentence."""
    rule, _, says = said.partition(": ")
    return rule, of, f"at most {says}" if rule == "cap" else f"at least {says}"


def _of_wave(world: World) -> Iterator[RuleSaid]:
    for name, channel in world.channels.items():
        if channel.capacity is not None:
            most = channel.capacity.sends_per_day_per_1000_customers
            yield RuleSaid("capacity", name, f"at most {most:g} sends a day for 1,000 customers; a lot decides who")
    for name, offer in world.offers.items():
        if offer.stock is not None:
            yield RuleSaid("stock", name, f"at most {offer.stock:,} sends in the whole campaign; a lot decides who")
    for name, share in least_shares(world).items():
        says = f"at least {share:.4g} of the customers of a run, where it can be had; by decide --allocate value alone"
        yield RuleSaid("least share", name, says)
    if world.guard.budget is not None:
        amount = f"{world.guard.budget.amount_per_1000_customers:g} {world.money.currency}"
        says = f"at most {amount} for 1,000 customers over {world.horizon} days, released evenly"
        yield RuleSaid("budget", "", f"{says}; what is left carries over")
