"""The health of what is running, on a morning: every check, the alarms first.

Read from a ledger alone, so that the batch, the service and an auditor see the same. Not here: each check (rates.py,
contexts.py, propensities.py, feeds.py), the page (report/pages/monitor.py).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from campaignrl.display import one_line
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import EPOCH, Ledger
from campaignrl.monitor.contexts import drifts
from campaignrl.monitor.feeds import age_of, feeds_of
from campaignrl.monitor.propensities import mean_weight, recomputed
from campaignrl.monitor.rates import ALARM, OK, UNKNOWN, YEAR, Rate, rate_of
from campaignrl.monitor.reading import Window, read_window
from campaignrl.monitor.series import series_of
from campaignrl.monitor.words import sentence
from campaignrl.policies import Policy
from campaignrl.specs import World

ALPHA = 0.05  # chance of a false alarm in a year of mornings
HEADLINE = 0.25  # share of alpha that all outcomes together get
OLDEST = 180  # days of a policy
RANK = {ALARM: 0, UNKNOWN: 1, OK: 2}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. code: of its sentence; figures: in it; rate: of a rate, its days."""

    name: str
    state: str
    code: str
    figures: dict[str, Any]
    rate: Rate | None = None

    @property
    def says(self) -> str:
        """In a sentence."""
        return sentence(self.code, self.figures)


@dataclass(frozen=True)
class Health:
    """Every check of a morning, alarms first.

    Attributes:
        day: the morning; earlier days count.
        alpha: chance of a false alarm in a year of mornings.
        checks: each with a state: ok, alarm or unknown.
    """

    day: datetime.date
    alpha: float
    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def alarms(self) -> list[Check]:
        """What is wrong."""
        return [one for one in self.checks if one.state == ALARM]

    @property
    def is_known(self) -> bool:
        """Whether any rate could be judged."""
        return any(one.rate is not None and one.state != UNKNOWN for one in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; what is not known is null."""
        checks = [
            {"name": c.name, "state": c.state, "says": c.says, **{k: _plain(v) for k, v in c.figures.items()}}
            for c in self.checks
        ]
        facts = {"day": self.day.isoformat(), "alarms": len(self.alarms), "known": self.is_known}
        return {**facts, "alpha": self.alpha, "checks": checks}

    def __repr__(self) -> str:
        return one_line(f"Health of {self.day}: {len(self.alarms)} alarms in {len(self.checks)} checks")


def health_of(
    ledger: Ledger,
    *,
    as_of: datetime.date,
    world: World | None = None,
    policy: Policy | None = None,
    alpha: float = ALPHA,
    oldest: int = OLDEST,
) -> Health:
    """Look at a ledger on a morning.

    Args:
        ledger: what was decided and came of it.
        as_of: the morning; only earlier days count.
        world: whose rules hold; None: the form that the ledger keeps. Needed with a policy only.
        policy: whose propensities are recomputed; None: only their mean is looked at.
        alpha: chance of a false alarm in a year of mornings.
        oldest: days after which a policy is too old.

    Raises:
        UsageError: a policy is given, and no world whose features it reads is known.
    """
    today = (as_of - EPOCH).days
    rules = world or ledger.form
    if policy is not None and rules is None:
        fix = "The ledger was begun by an earlier version, which kept none: give --world FILE."
        raise UsageError(Problem("monitor", "world", "left out", "the rules that held", fix))
    window = read_window(ledger, today, rules)
    return health_of_window(window, ledger.minor_per_unit, policy=policy, world=rules, alpha=alpha, oldest=oldest)


def health_of_window(
    window: Window,
    minor_per_unit: int,
    *,
    policy: Policy | None = None,
    world: World | None = None,
    alpha: float = ALPHA,
    oldest: int = OLDEST,
) -> Health:
    """The same of what was read already."""
    series = list(series_of(window, minor_per_unit))
    shared = len(series) + 1 + window.outcomes["kind"].nunique() + 1  # rates, feeds, the mean of the weights
    each, headline = alpha / YEAR * (1.0 - HEADLINE) / shared, alpha / YEAR * HEADLINE
    found = [*_feeds(window, each)]
    found += [_of_rate(rate_of(one, window.today, headline if one.name == "outcomes" else each)) for one in series]
    found += [*_propensities(window, policy, world, each), *_contexts(window), _model(window, oldest)]
    ordered = sorted(found, key=lambda one: RANK[one.state])
    return Health(EPOCH + datetime.timedelta(days=window.today), alpha, tuple(ordered))


def _feeds(window: Window, alpha: float) -> Iterator[Check]:
    for one in feeds_of(window, alpha):
        state = ALARM if one.silent > one.limit else OK
        yield Check(f"feed {one.name}", state, f"feed.{state}", one._asdict())


def _of_rate(rate: Rate) -> Check:
    figures = {name: getattr(rate, name) for name in ("name", "base", "low", "high", "now", "now_low", "now_high")}
    figures |= {"since": (EPOCH + datetime.timedelta(days=rate.since)).isoformat(), "half_lost_shows_in": rate.shows_in}
    word = rate.state if rate.state != ALARM else "down" if rate.now < rate.base else "up"
    return Check(rate.name, rate.state, f"rate.{word}", figures, rate)


def _propensities(window: Window, policy: Policy | None, world: World | None, alpha: float) -> Iterator[Check]:
    found = mean_weight(window, alpha)
    state = UNKNOWN if not found.rows else ALARM if found.low > 1.0 else OK
    yield Check("propensities", state, f"mean_weight.{state}", found._asdict())
    if policy is not None and world is not None:
        again = recomputed(window, policy, world)
        state = UNKNOWN if not again.rows else ALARM if again.wrong else OK
        yield Check("propensities recomputed", state, f"recomputed.{state}", again._asdict())


def _contexts(window: Window) -> Iterator[Check]:
    found = drifts(window)
    for one in found:
        state = ALARM if one.psi > one.limit else OK
        yield Check(f"feature {one.feature}", state, f"context.{state}", one._asdict())
    if not found:
        yield Check("features", UNKNOWN, "context.unknown", {})


def _model(window: Window, oldest: int) -> Check:
    found = age_of(window)
    if found is None:
        return Check("model age", UNKNOWN, "model.unknown", {})
    state = ALARM if found[1] > oldest else OK
    return Check("model age", state, f"model.{state}", {"model": found[0][:8], "age": found[1], "limit": oldest})


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
