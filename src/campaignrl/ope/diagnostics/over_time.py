"""What a log says over its days: a lift that fades or jumps, and rewards that are not in yet.

One figure for all days is no forecast where what an action does has changed on the way. What the policy earns over its
reference is set against itself before and after each cut of the days, and along them; so is what each action earns that
the policy wants. Both are measured against something that stays: the logged policy may change its mind, so in its place
stands the whole log's mix of actions, weighed as any other policy. Rewards that come in late are fewest on the newest
days, of every action alike: their sum is set against what the model expects there, as the days before have borne it
out. Tests are t tests over customers with as many degrees of freedom as few large terms leave (Satterthwaite 1946),
together at P_ALARM.

Here: stretches of days, those tests and their words. Not here: which rows are looked at (ope/data/log_sample.py).
m rows, S stretches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Array, Float
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.verdict import P_ALARM, Finding, Level

STRETCHES = 8  # of about as many rows each
ENOUGH = 200  # rows of a stretch
ACTIONS = 6  # at most that are looked at, the most wanted first
WANTED = 0.05  # of what a policy does; an action that it wants less says little of its lift
NEWEST = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)  # shares of the rows whose rewards may not be in
MISSING = 0.6  # of the rewards of earlier days; below it they look as if they were not in yet
SEASON = 0.75  # of the rewards of earlier days; a fall to it may be the season, and chance must not explain the rest
FALLING = 0.9  # of the older half's share: what the newer half has at most
LEAST_DF = 8.0  # degrees of freedom; below, a few rows decide


class Stretch(NamedTuple):
    """Some days of the log."""

    first: int
    last: int
    rows: int
    reward: float  # mean, as logged
    lift: float  # of the policy over its reference, doubly robust
    std_error: float


class OverTime(NamedTuple):
    """What the days say, and what is to be said of it."""

    stretches: tuple[Stretch, ...]
    findings: tuple[Finding, ...]


NOTHING = OverTime((), ())


class Days(NamedTuple):
    """Rows of a sample in stretches of days."""

    of_row: Array  # (m,) number of the stretch
    first: Array  # (S,) days
    last: Array
    customer: Array  # (m,) 0, 1, ...

    @classmethod
    def of(cls, day: Array, customer: Array, most: int = STRETCHES) -> Days | None:
        """At most so many stretches of whole days; None where there are not two of ENOUGH rows."""
        values, at, counts = np.unique(day, return_inverse=True, return_counts=True)
        wanted = min(most, len(day) // ENOUGH)
        if wanted < 2 or len(values) < 2:
            return None
        middle = np.cumsum(counts) - counts / 2.0
        number = np.minimum((middle * wanted / len(day)).astype(np.intp), wanted - 1)
        number = np.unique(number, return_inverse=True)[1]
        size = np.bincount(number[at])
        if len(size) < 2 or size.min() < ENOUGH // 2:
            return None
        edges = np.flatnonzero(np.diff(number)) + 1
        first, last = values[np.r_[0, edges]], values[np.r_[edges - 1, len(values) - 1]]
        return cls(number[at], first, last, np.unique(customer, return_inverse=True)[1])

    def called(self, low: int, high: int) -> str:
        """The days from one stretch to another."""
        first, last = int(self.first[low]), int(self.last[high])
        return f"day {first}" if first == last else f"days {first} to {last}"


class Change(NamedTuple):
    """How a mean of terms differs along the days; `cut`: the stretch from which on it does, 0 for a trend."""

    p_value: float
    cut: int
    before: float
    after: float


def over_time(sample: LogSample, names: Sequence[str], logged: bool) -> OverTime:
    """The lift by stretches of days, and what has changed. names: (k,); logged: the reference is the logged policy."""
    if sample.day is None or sample.gain is None or (sample.day == sample.day[:1]).all():
        return NOTHING
    days = Days.of(np.asarray(sample.day), sample.customer)
    if days is None:
        return NOTHING
    residual, weight, terms = sample.gain[:3]
    stretches = tuple(_stretches(days, sample.reward, terms))
    late = not_in_yet(sample, days.customer)
    apart = weight - 1.0 if not logged else weight - _usual_mix(sample)
    changed = _changed(sample, days, apart * residual, names, stretches) if terms.any() else ()
    return OverTime(stretches, (*late, *changed))


def _usual_mix(sample: LogSample) -> Float:
    """(m,) weights of the policy that draws actions by their share in the log, among those that are eligible."""
    share = np.bincount(sample.action) / len(sample.action)
    usual = share[sample.action] / sample.propensity
    if sample.eligible is None:
        return np.asarray(usual)
    of_all = np.zeros(sample.eligible.shape[1])
    of_all[: len(share)] = share
    return np.asarray(usual / np.maximum(sample.eligible @ of_all, 1e-300))


def _stretches(days: Days, reward: Float, terms: Float) -> list[Stretch]:
    found = []
    for number, (first, last) in enumerate(zip(days.first.tolist(), days.last.tolist(), strict=True)):
        here = days.of_row == number
        lift, sums = float(terms[here].mean()), np.bincount(days.customer[here], terms[here] - terms[here].mean())
        there = np.bincount(days.customer[here]) > 0
        count = int(there.sum())
        square = float(sums @ sums) * count / max(count - 1, 1)
        error = math.sqrt(square) / int(here.sum()) if count > 1 else math.nan
        found.append(Stretch(int(first), int(last), int(here.sum()), float(reward[here].mean()), lift, error))
    return found


def change(terms: Float, days: Days) -> Change:
    """The surest change of a mean of `terms` (m,) along the days, corrected for the number of cuts."""
    stretches, rows = len(days.first), np.bincount(days.of_row)
    position = np.arange(stretches) - days.of_row.mean()
    contrasts = [position / float(rows @ position**2)]
    for cut in range(1, stretches):
        late = np.arange(stretches) >= cut
        contrasts.append(late / rows[late].sum() - ~late / rows[~late].sum())
    centred = terms - terms.mean()
    sums = np.bincount(days.customer * stretches + days.of_row, centred)
    by_customer = np.resize(sums, (-(-len(sums) // stretches), stretches))
    by_customer.ravel()[len(sums) :] = 0.0
    moved, squares = by_customer @ np.array(contrasts).T, centred * centred
    p = min(_p_value(moved[:, i], squares, float(rows @ (weights * weights))) for i, weights in enumerate(contrasts))
    explained = [abs(float(moved[:, i].sum())) / math.sqrt(float(rows @ w**2)) for i, w in enumerate(contrasts)]
    cut = int(np.argmax(explained))
    late = days.of_row >= (cut or stretches - stretches // 2)
    return Change(min(1.0, p * len(contrasts)), cut, float(terms[~late].mean()), float(terms[late].mean()))


def _p_value(moved: Float, squares: Float, length: float, one_sided: bool = False) -> float:
    """Of a sum of contrast x terms whose mean is 0; few large terms counted.

    moved: (C,) what each customer adds to it; squares: (m,) of the terms; length: sum of the contrast's squares.
    """
    of_each = moved * moved
    square, all_squares = float(of_each.sum()), float(squares.sum())
    if not square > 0.0:
        return 1.0
    pooled = all_squares / len(squares) * length  # where one part shows no events
    df, events = square**2 / float(of_each @ of_each), all_squares**2 / float(squares @ squares)
    if min(df, events) < LEAST_DF:
        return 1.0
    t = float(moved.sum()) / math.sqrt(max(square, pooled))
    return float(special.stdtr(min(df, events), t if one_sided else -abs(t))) * (1.0 if one_sided else 2.0)


def _changed(
    sample: LogSample, days: Days, terms: Float, names: Sequence[str], stretches: Sequence[Stretch]
) -> tuple[Finding, ...]:
    """One sentence about the action whose effect changes most surely, else about the policy. terms: (m,) of it."""
    assert sample.gain is not None
    actions, usual, residual = _wanted(sample), _usual_mix(sample), sample.gain[0]
    bar = P_ALARM / 3 / (1 + len(actions))
    whole = change(terms, days)
    of_actions = [(change(((sample.action == a) / sample.propensity - usual) * residual, days), a) for a in actions]
    sure = [(found, a) for found, a in of_actions if found.p_value < bar]
    if whole.p_value >= bar and not sure:
        return ()
    found, action = min(sure) if sure else (whole, -1)
    what = "what this policy earns" if action < 0 else f"what `{names[action]}` earns"
    recent = max(1, len(stretches) // 4)
    rows = days.of_row >= len(stretches) - recent
    said, lift = days.called(len(stretches) - recent, len(stretches) - 1), sample.gain[2]
    beside = f"over {said} the lift is {float(lift[rows].mean()):+.4g}, over all days {float(lift.mean()):+.4g}"
    fix = "Go by the recent part (`over_time` in --json), or log again"
    return (Finding(Level.CAUTION, f"{what} {_in_words(found, days)}: {beside}. {fix}."),)


def _wanted(sample: LogSample) -> list[int]:
    """The actions that the policy wants, the most wanted first."""
    if sample.wanted is None:
        return []
    mass = sample.wanted.mean(axis=0, dtype=np.float64)
    order = np.argsort(-mass, kind="stable")[:ACTIONS]
    return [int(a) for a in order if mass[a] >= WANTED and (sample.action == a).any()]


def _in_words(found: Change, days: Days) -> str:
    last = len(days.first) - 1
    cut = found.cut or last + 1 - (last + 1) // 2
    verb = "rises" if found.after > found.before else "falls"
    ends = f"{found.before:+.3g} in {days.called(0, cut - 1)} to {found.after:+.3g} in {days.called(cut, last)}"
    along = " little by little" if found.cut == 0 else ""
    return f"{verb}{along} beside other actions, from {ends}, less what the model expects"


def not_in_yet(sample: LogSample, customer: Array) -> tuple[Finding, ...]:
    """Said where the newest rows have far fewer rewards than the days before have for what was done."""
    day, reward = np.asarray(sample.day), sample.reward
    if sample.gain is None or reward.min() < 0.0 or not reward.any():
        return ()
    expected = reward - sample.gain[0]  # what the model expects of the logged action
    expected = np.maximum(expected, 0.0) + 1e-3 * float(reward.mean())
    order = np.sort(day)
    for share in NEWEST:
        since = int(order[-max(1, int(share * len(day)))])
        new = day >= since
        old = day < since - (int(day.max()) - since + 1)  # as many days before are left out: they may be late too
        if new.sum() < ENOUGH // 2 or old.sum() < ENOUGH:
            continue
        rate = float(reward[old].sum() / expected[old].sum())
        ratio = float(reward[new].sum() / (rate * expected[new].sum())) if rate > 0.0 else 1.0
        between = ~new & ~old
        nearly = (
            float(reward[between].sum() / (rate * expected[between].sum())) if between.any() and rate > 0.0 else 1.0
        )
        if not (ratio < MISSING and ratio < nearly and _falling(day, new, reward, rate * expected)):
            continue
        gap = reward - rate * np.where(new, SEASON, 1.0) * expected  # is it below even that share?
        contrast = new / new.sum() - old / old.sum()
        kept = new | old
        centred, weights = gap[kept] - gap[kept].mean(), contrast[kept]
        moved = np.asarray(np.bincount(customer[kept], weights * centred), dtype=np.float64)
        p = _p_value(moved, centred * centred, float(weights @ weights), one_sided=True)
        if p < P_ALARM / 3 / len(NEWEST):
            return (_late(day, reward, rate * expected, since, ratio),)
    return ()


def _falling(day: Array, new: Array, reward: Float, due: Float) -> bool:
    """Whether the newer half of the new days has a smaller share of its rewards than the older: a season may turn."""
    days = np.unique(day[new])
    if len(days) < 2:
        return True
    newer = new & (day >= days[len(days) // 2])
    older = new & ~newer
    shares = [float(reward[half].sum() / due[half].sum()) for half in (newer, older)]
    return shares[0] < FALLING * shares[1]


def _late(day: Array, reward: Float, due: Float, since: int, ratio: float) -> Finding:
    """With the age from which on rewards are in, as far as the newest half of the days shows."""
    last = int(day.max())
    ages = last - day
    window = max(1, last - since + 1)
    came, owed = (np.convolve(np.bincount(ages, x), np.ones(window), mode="valid") for x in (reward, due))
    share = np.divide(came, owed, out=np.ones(len(owed)), where=owed > 0.0)
    full = np.flatnonzero(share >= 0.95)
    after = int(full[0]) + window // 2 if len(full) else (int(ages.max()) + 1) // 2
    days = f"day {last}" if since == last else f"days {since} to {last}"
    text = (
        f"rewards of the newest rows look as if they were not in yet: {days} have {ratio:.0%} of what earlier days had"
    )
    fix = f"Leave out rows of the last {after} days (`[matured] after_days = {after}`), or evaluate later"
    return Finding(Level.CAUTION, f"{text}, for the same actions. {fix}.")
