"""The plan of a run in figures: what goes where, what it costs, who gets nothing and why, what changed since the last.

The terminal, the JSON answer and the page say the same figures, which are made here. Not here: the counts
(figures.py), the decisions (decide.py), the page (report/pages/plan.py). n customers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from campaignrl.actions import NONE
from campaignrl.display import one_line
from campaignrl.guard import least_shares
from campaignrl.ledger import EPOCH, Ledger
from campaignrl.send.decisions import Decisions, rule_counts
from campaignrl.send.plans.figures import Before, Figures, before, day_said, figures_of
from campaignrl.specs import World

REWARDS = "unit of the rewards it learned from"
SHOWN = 5  # decisions named
OLD = 90  # days since the last outcome that a policy learned from
HELD = "Their money and contact stay taken until a hand-over says `withdrawn`."
NAMED = 3  # actions of a segment that are named in words


@dataclass(frozen=True)
class Cell:
    """The sends of one offer on one channel to one segment; cost in minor units."""

    segment: str
    offer: str
    channel: str
    sends: int
    cost: int


@dataclass(frozen=True)
class Change:
    """What is different from the run before.

    Attributes:
        day, policy: of that run.
        sends: of that run.
        new, gone, other: customers who get something only now, only then, and something else now.
        by_action: (offer@channel, sends then, sends now), of every action in either.
    """

    day: str
    policy: str
    sends: int
    new: int
    gone: int
    other: int
    by_action: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Certificate:
    """How far from the best a plan by value can be, everything in the unit of gains.

    value: of the plan, with nobody exploring; bound: what no plan can exceed; explore: share of customers who draw;
    prices: of one more minor unit, send or piece of what is scarce.
    """

    value: float
    bound: float
    relative_gap: float
    explore: float
    prices: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """One run in figures.

    Attributes:
        world, policy, day, run, currency: what it is; run: its name in a ledger, "" without one.
        customers, sends, cost, budget: counts, and minor units; budget None: no limit.
        gain, gain_unit: expected over sending nothing, cost taken off; None where the policy states no values.
        certificate: of a plan by value; None where the lot served.
        channels: all of the world.
        capacity: (channel, sends, most) of every channel with a limit.
        least: (offer or channel, sends, asked for) of every least share that a plan by value was given.
        cells: sends by segment, offer and channel, the most first.
        segments: (segment, customers, sends), the largest first.
        blocked: (rule, customers to whom it refused something), the most first.
        nothing: (why, customers) of those who get nothing, the most first.
        words: of every segment, what the policy does there.
        change: against the run before in the ledger; None: there is none.
        left_out: decisions of this run, and of earlier ones of the day, that may no longer be handed over.
        limits: what is not known of this plan, or to be kept in mind, in words.
    """

    world: str
    policy: str
    day: str
    run: str
    currency: str
    minor_per_unit: int
    customers: int
    sends: int
    cost: int
    budget: int | None
    gain: float | None
    gain_unit: str
    certificate: Certificate | None
    channels: tuple[str, ...]
    capacity: tuple[tuple[str, int, int], ...]
    least: tuple[tuple[str, int, int], ...]
    cells: tuple[Cell, ...]
    segments: tuple[tuple[str, int, int], ...]
    blocked: tuple[tuple[str, int], ...]
    nothing: tuple[tuple[str, int], ...]
    words: tuple[str, ...]
    change: Change | None
    left_out: tuple[str, ...]
    limits: tuple[str, ...]

    def __repr__(self) -> str:
        return one_line(f"Plan of {self.policy} for {self.day}: {self.sends:,} sends to {self.customers:,} customers")

    def money(self, minor: int) -> str:
        """An amount in the world's currency."""
        return f"{minor / self.minor_per_unit:,.2f} {self.currency}"


def plan_of(found: Decisions, world: World, ledger: Ledger | None = None) -> Plan:
    """The plan of decisions; with their ledger also what changed since the run before.

    Args:
        found: of one run.
        world: whose rules held.
        ledger: the one it was decided with.
    """
    then = None if ledger is None else before(ledger, (found.day - EPOCH).days, len(found.catalog))
    return plan_of_figures(figures_of(found, then), found, world, then)


def plan_of_figures(made: Figures, found: Decisions, world: World, then: Before | None) -> Plan:
    """The plan of figures; found: decisions of the run on any customers, for all that holds of everybody."""
    catalog, money = found.catalog, found.limits.money
    cells = [
        Cell(
            segment=segment,
            offer=catalog.offers[catalog.offer_of[a]].name,
            channel=catalog.channels[catalog.channel_of[a]].name,
            sends=many,
            cost=int(many * catalog.cost_of[a]),
        )
        for (segment, a), many in sorted(made.sends.items(), key=lambda item: (-item[1], item[0]))
    ]
    sizes: Counter[str] = Counter()
    for (segment, _), many in made.listed.items():
        sizes[segment] += many
    ranked = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    segments = tuple((n, many, sum(m for (s, _), m in made.sends.items() if s == n)) for n, many in ranked)
    return Plan(
        world=world.name,
        policy=found.policy,
        day=found.day.isoformat(),
        run=found.run,
        currency=world.money.currency,
        minor_per_unit=world.money.minor_per_unit,
        customers=made.customers,
        sends=sum(made.sends.values()),
        cost=sum(cell.cost for cell in cells),
        budget=None if np.isinf(money) else int(money),
        gain=made.gain,
        gain_unit=found.gain_unit or REWARDS,
        certificate=_certificate(found),
        channels=tuple(world.channels),
        capacity=_capacity(made, found, world),
        least=_least(made, found),
        cells=tuple(cells),
        segments=segments,
        blocked=tuple(rule_counts(made.blocked).items()),
        nothing=tuple(sorted(made.nothing.items(), key=lambda item: (-item[1], item[0]))),
        words=tuple(_words(name, many, made, found) for name, many, _ in segments),
        change=None if then is None else _change(made, found, then),
        left_out=(*made.withdrawn, *found.barred_today),
        limits=_limits(made, found, world),
    )


def _certificate(found: Decisions) -> Certificate | None:
    if found.plan is None:
        return None
    made = found.plan
    return Certificate(made.value, made.bound, made.relative_gap, float(found.about["explore"]), made.prices)


def _capacity(made: Figures, found: Decisions, world: World) -> tuple[tuple[str, int, int], ...]:
    sent = np.zeros(len(world.channels) + 1, dtype=np.int64)
    np.add.at(sent, found.catalog.channel_of + 1, made.of_action(made.decided, len(found.catalog)))
    rows = zip(world.channels, sent[1:], found.limits.sends, strict=True)
    return tuple((name, int(many), int(most)) for name, many, most in rows if np.isfinite(most))


def _least(made: Figures, found: Decisions) -> tuple[tuple[str, int, int], ...]:
    """What a plan by value was asked to send at least; the lot cannot heed it."""
    asked = (found.limits.at_least or {}) if _by_value(found) else {}
    listed, rows = made.listed_actions(len(found.catalog)), []
    for dimension, least in asked.items():
        names, of = found.catalog.dimensions[dimension]
        sent = np.zeros(len(names) + 1, dtype=np.int64)
        np.add.at(sent, np.asarray(of) + 1, listed)
        rows += [(name, int(many), int(m)) for name, many, m in zip(names, sent[1:], least, strict=True) if m]
    return tuple(rows)


def _by_value(found: Decisions) -> bool:
    return found.about.get("allocation") == "value"


def _words(segment: str, customers: int, made: Figures, found: Decisions) -> str:
    """What the policy does in a segment, in a sentence."""
    own = Counter({action: many for (name, action), many in made.sends.items() if name == segment})
    sent = sum(own.values())
    if not sent:
        return f"{segment}: nobody of {customers:,} gets anything"
    top = own.most_common()
    most = [f"{found.catalog.names[a]} {_share(many, sent)}" for a, many in top[:NAMED]]
    rest = "" if len(top) <= NAMED else f", {len(top) - NAMED} others the rest"
    said = "; ".join(most)
    return f"{segment}: {_share(sent, customers)} of {customers:,} get something, of these {said}{rest}"


def _share(part: int, whole: int) -> str:
    percent = 100.0 * part / whole
    return "all" if part == whole else "under 1 %" if percent < 1 else f"{percent:.0f} %"


def _limits(made: Figures, found: Decisions, world: World) -> tuple[str, ...]:
    """What a reader must not take this plan for."""
    said = [f"Policy {found.policy}: {doubt}" for doubt in found.doubts]
    if world.provenance:
        unfitted = sum(one.how == "default" for one in world.provenance.values())
        if unfitted:
            many = len(world.provenance)
            said.append(f"{unfitted} of {many} numbers of this world are defaults, not fitted to your data.")
    age = 0 if found.learned_until is None else (found.day - found.learned_until).days
    if age > OLD:
        said.append(f"The policy learned from nothing of the last {age:,} days: train it on.")
    said += found.overdrawn
    if made.withdrawn:
        said.append(f"{len(made.withdrawn):,} sends are left out: the permission was taken away since. {HELD}")
    if found.barred_today:
        many, ids = len(found.barred_today), ", ".join(found.barred_today[:SHOWN])
        more = " ..." if many > SHOWN else ""
        said.append(
            f"{many:,} sends of earlier runs of this day may no longer leave: take off their lists {ids}{more}."
        )
    if found.plan is not None and not found.about["explore"]:
        said.append("Every action of a plan is certain: its log values no other policy (--explore 0.05 would let it).")
    said += [
        f"{asked:,} sends of {name} were asked for, {many:,} can be had."
        for name, many, asked in _least(made, found)
        if many < asked
    ]
    if found.limits.at_least and not _by_value(found):
        named = ", ".join(least_shares(world))
        said.append(f"The lot heeds no least share ({named}): a plan by value does (--allocate value).")
    said += [f"{many:,} customers with {note}." for note, many in made.notes.items()]
    return tuple(said)


def _change(made: Figures, found: Decisions, then: Before) -> Change:
    """Against the last run of an earlier day."""
    was, names = then.was, found.catalog.names
    actions = made.listed_actions(len(found.catalog))
    either = [a for a in np.argsort(-(was + actions), kind="stable") if a != NONE and was[a] + actions[a]]
    return Change(
        day=day_said(then.day),
        policy=", ".join(then.policies),
        sends=int(was.sum() - was[NONE]),
        new=made.new,
        gone=len(then.action) - made.then + made.gone,
        other=made.other,
        by_action=tuple((names[a], int(was[a]), int(actions[a])) for a in either),
    )
