"""What stands in each part of the page, as plain records of texts, ready for the template.

A part for which there is nothing to show is empty, and the template leaves it out. Not here: the layout
(page.html.j2), the pictures (captions.py), how figures are worded (wording.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from campaignrl.ope.methods import Evaluation
from campaignrl.report.facts import NONE, Gain, Kpi, ReportContent, best_estimate, kpis
from campaignrl.report.facts import wording as words
from campaignrl.true_value import Value, campaign_lift, campaign_value

BAR = 120.0  # units of the drawing, the width of the little interval in the table


class Badge(NamedTuple):
    """A verdict as a mark, a word and what it means."""

    verdict: str
    mark: str
    word: str
    meaning: str


class Bar(NamedTuple):
    """A little interval, in units of the drawing."""

    zero: float
    low: float
    high: float
    dot: float


class Row(NamedTuple):
    """One policy of the first table."""

    label: str
    value: tuple[str, str]  # figure, interval
    lift: tuple[str, str]
    bar: Bar | None
    badge: Badge | None
    is_reference: bool


class Card(NamedTuple):
    """One evaluation: the verdict and why."""

    label: str
    badge: Badge
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: str


class KpiRow(NamedTuple):
    """One figure for all campaigns."""

    name: str
    unit: str
    meaning: str
    cells: tuple[tuple[str, str], ...]


def headline(content: ReportContent) -> list[str]:
    """One sentence for each policy that is not itself a yardstick."""
    ours = content.reference
    if ours is None:
        return [] if content.campaigns else [_log_line(content, e) for e, _ in content.evaluations]
    others = [c for c in content.campaigns if c.policy not in (NONE, content.baseline)]
    other, per = content.label(ours.policy), f"per customer over {ours.world.horizon} days"
    return [
        words.difference_sentence(content.label(c.policy), other, campaign_lift(c, ours), content.currency, per)
        for c in others
    ]


def first_table(content: ReportContent) -> list[Row]:
    """Policy, what it earns, against the reference, trust: from campaigns, else from evaluations."""
    if content.campaigns:
        return _campaign_rows(content)
    best = [(e, best_estimate(e)) for e, _ in content.evaluations]
    lifts = [Value(e.lift, math.nan, e.lift_ci_low, e.lift_ci_high) for e, _ in best]
    bars = _bars([None if e.verdict == "refuse" else lift for (e, _), lift in zip(best, lifts, strict=True)])
    hidden = (words.NOTHING, "")
    return [
        Row(
            content.label(e.policy),
            hidden if e.verdict == "refuse" else words.with_interval(b.ci_low, b.ci_high, b.value),
            hidden if e.verdict == "refuse" else words.value_text(lift, sign=True),
            bar,
            badge(e),
            is_reference=e.policy == e.reference,
        )
        for (e, b), lift, bar in zip(best, lifts, bars, strict=True)
    ]


def _campaign_rows(content: ReportContent) -> list[Row]:
    ours = content.reference
    verdicts = {e.policy: badge(e) for e, _ in content.evaluations}
    lifts = [None if ours is None or c is ours else campaign_lift(c, ours) for c in content.campaigns]
    return [
        Row(
            content.label(c.policy),
            words.value_text(campaign_value(c)),
            (words.NOTHING, "") if lift is None else words.value_text(lift, sign=True),
            bar,
            verdicts.get(c.policy),
            is_reference=c is ours,
        )
        for c, lift, bar in zip(content.campaigns, lifts, _bars(lifts), strict=True)
    ]


def cards(content: ReportContent) -> list[Card]:
    """Verdict and why, one for each evaluation."""
    gains = {gain.policy: gain for gain in content.gains}
    return [
        Card(
            content.label(e.policy),
            badge(e),
            tuple(_card_sentences(content, e, truth, gains.get(e.policy))),
            e.reasons,
            words.evidence_sentence(e),
        )
        for e, truth in content.evaluations
    ]


def _card_sentences(content: ReportContent, e: Evaluation, truth: Value | None, gain: Gain | None) -> list[str]:
    if e.verdict == "refuse":
        return [_log_line(content, e)]
    if gain is None:
        said, line = best_estimate(e), _log_line(content, e)
    else:
        said, truth = gain.from_log, gain.truth
        lift = Value(said.value, said.std_error, said.ci_low, said.ci_high)
        policy, ours = content.label(e.policy), content.label(content.baseline)
        line = words.from_log(words.difference_sentence(policy, ours, lift, content.currency, "per decision"))
    if truth is None or not math.isfinite(said.ci_low):
        return [line]
    return [line, words.truth_sentence(said.ci_low, said.ci_high, truth)]


def _log_line(content: ReportContent, e: Evaluation) -> str:
    return words.log_sentence(e, content.label(e.policy), content.label(e.reference), content.currency)


def kpi_table(content: ReportContent) -> list[KpiRow]:
    """All figures, one row each, one cell for each campaign; rows that no campaign has are left out."""
    columns: list[tuple[Kpi, ...]] = [kpis(c, content.none) for c in content.campaigns]
    rows = []
    for cells in zip(*columns, strict=True):
        if any(math.isfinite(cell.value.value) for cell in cells):
            unit = "" if cells[0].unit == "share" else cells[0].unit
            texts = tuple(words.kpi_text(cell) for cell in cells)
            rows.append(KpiRow(cells[0].name, unit, cells[0].meaning, texts))
    return rows


def made_of(content: ReportContent) -> dict[str, str]:
    """How it was made; what the caller states goes before what is found here."""
    found: dict[str, object] = {}
    if content.world is not None:
        found["world"] = f"{content.world.name}: {content.world.title}".rstrip(": ")
    if content.campaigns:
        one = content.campaigns[0]
        found |= {
            "customers": len(one.segment),
            "days": one.world.horizon,
            "seed": one.seed,
            "currency": content.currency,
        }
    for e, _ in content.evaluations[:1]:
        found |= {"log written by": content.label(e.log_policy), "decisions in the log": e.n}
        found |= {"left out, outcome not yet known": e.dropped, "reward": f"{e.reward}; range {e.reward_range_from}"}
        found |= {"actions from": e.actions_from} if e.actions_from else {}
    found |= {name.lower(): value for name, value in content.facts.items()}
    return {name[:1].upper() + name[1:]: _fact(name, value) for name, value in found.items()}


def estimator_tables(content: ReportContent) -> list[tuple[str, list[tuple[str, ...]]]]:
    """For each evaluation the figures of every estimator."""
    return [
        (
            content.label(e.policy),
            [
                (
                    name,
                    words.ESTIMATOR_WORDS.get(name, ""),
                    *words.with_interval(x.ci_low, x.ci_high, x.value),
                    x.interval,
                )
                for name, x in [*e.estimates.items(), *e.robust.items()]
            ],
        )
        for e, _ in content.evaluations
    ]


def badge(evaluation: Evaluation) -> Badge:
    """The verdict as a badge."""
    return Badge(evaluation.verdict, *words.BADGES[evaluation.verdict])


def _bars(lifts: Sequence[Value | None]) -> list[Bar | None]:
    """Little intervals on one scale that holds zero."""
    known = [v for v in lifts if v is not None and math.isfinite(v.ci_low) and v.ci_high > v.ci_low]
    low, high = min([0.0, *(v.ci_low for v in known)]), max([0.0, *(v.ci_high for v in known)])
    scale = (BAR - 12.0) / (high - low) if high > low else 0.0

    def at(x: float) -> float:
        return round(6.0 + (x - low) * scale, 1)

    return [Bar(at(0.0), at(v.ci_low), at(v.ci_high), at(v.value)) if v in known and v else None for v in lifts]


def _fact(name: str, value: object) -> str:
    counted = isinstance(value, int) and not isinstance(value, bool) and name != "seed"
    return f"{value:,}" if counted else str(value)
