"""What stands in each part of the page, as plain records of texts and pictures, ready for the template.

A part for which there is nothing to show is empty, and the template leaves it out. Not here: the layout
(page.html.j2), how figures are drawn (figures.py) and worded (words.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.evaluate.intervals import Estimate
from campaignrl.evaluate.result import Evaluation
from campaignrl.report import figures, words
from campaignrl.report.inline import inline_svg
from campaignrl.report.kpi import NONE, Kpi, check_same_customers, find, gain_by_day, kpis
from campaignrl.simulate import Campaign
from campaignrl.specs.world import World
from campaignrl.true_value import Value, campaign_lift, campaign_value

Float = npt.NDArray[np.float64]

PREFERRED = ("dr", "sndr", "snips", "ips", "dm")  # the estimate shown first, the first of these that can be had
BAR = 120.0  # units of the drawing, the width of the little interval in the table
MOST_OFFERS = 12  # columns of offers in a heatmap; the rest are added up


class Gain(NamedTuple):
    """What one decision by a policy earns more than by the baseline: read off a log, and in truth."""

    policy: str
    from_log: Estimate
    truth: Value | None = None


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything a report is made of; each part may be absent.

    campaigns: on the same customers and seed. evaluations: each with the simulator's truth per decision, or None.
    titles: what people call a policy, by its name. facts: how it was made, as shown.
    """

    title: str = "What each policy would earn"
    world: World | None = None
    campaigns: tuple[Campaign, ...] = ()
    evaluations: tuple[tuple[Evaluation, Value | None], ...] = ()
    gains: tuple[Gain, ...] = ()
    baseline: str = "rules"
    titles: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.campaigns:
            check_same_customers(self.campaigns)

    def label(self, policy: str) -> str:
        """What people call a policy."""
        return words.label_of(policy, self.titles)

    @cached_property
    def none(self) -> Campaign | None:
        """The campaign in which nothing is sent."""
        return find(self.campaigns, NONE)

    @cached_property
    def reference(self) -> Campaign | None:
        """What campaigns are measured against: the baseline, else sending nothing; None for a single campaign."""
        return (find(self.campaigns, self.baseline) or self.none) if len(self.campaigns) > 1 else None

    @cached_property
    def currency(self) -> str:
        """Of all money on the page."""
        return self.campaigns[0].world.money.currency if self.campaigns else ""


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


class Picture(NamedTuple):
    """A drawing with its caption."""

    svg: str
    caption: str
    key: tuple[tuple[str, str, str], ...] = ()  # colour by name, sign, what it stands for


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


def forest(content: ReportContent) -> list[Picture]:
    """What the log says beside the truth: gains over the baseline where given, and values."""
    unit = content.evaluations[0][0].reward if content.evaluations else "reward"
    ours, refused = content.label(content.baseline), {e.policy for e, _ in content.evaluations if e.verdict == "refuse"}
    pictures = []
    if content.gains:
        rows = [
            _forest_row(content.label(g.policy), g.from_log, g.truth, g.policy in refused, sign=True)
            for g in content.gains
        ]
        caption = f"What one decision earns more than by {ours}: read off the log before anything was sent."
        label = f"gain of one decision over {ours} ({unit})"
        pictures.append(_forest_picture("gains", caption, rows, label, (ours, 0.0)))
    if content.evaluations:
        rows = [
            _forest_row(content.label(e.policy), best_estimate(e), truth, e.policy in refused)
            for e, truth in content.evaluations
        ]
        caption = "What one decision earns, read off the log; the dashed line is what the logged decisions earned."
        mark = (words.LABELS["logged"], content.evaluations[0][0].logged_value)
        pictures.append(_forest_picture("values", caption, rows, f"{unit}, per decision", mark))
    return pictures


def _forest_row(label: str, e: Estimate, truth: Value | None, refused: bool, sign: bool = False) -> figures.ForestRow:
    known = math.nan if truth is None else truth.value
    if refused or not math.isfinite(e.ci_low):
        return figures.ForestRow(label, math.nan, math.nan, math.nan, known, "the log cannot say")
    text = " ".join(words.with_interval(e.ci_low, e.ci_high, e.value, sign))
    return figures.ForestRow(label, e.value, e.ci_low, e.ci_high, known, text)


def _forest_picture(
    key: str, caption: str, rows: Sequence[figures.ForestRow], unit: str, mark: tuple[str, float]
) -> Picture:
    drawing = figures.forest(rows, unit, mark)
    says = "; ".join(f"{row.label} {row.text}" for row in rows)
    signs = [("series-1", "●", "from the log, with its 95 % interval")]
    if any(math.isfinite(row.truth) for row in rows):
        signs.append(("series-2", "◆", "the truth, which only the simulator knows"))
    return Picture(inline_svg(figures.svg_bytes(drawing), key, f"{caption} {says}"), caption, tuple(signs))


def over_days(content: ReportContent) -> Picture | None:
    """Cumulated gain of each campaign over sending nothing."""
    if content.none is None or len(content.campaigns) < 2:
        return None
    none, others = content.none, [c for c in content.campaigns if c is not content.none]
    curves = [figures.Curve(content.label(c.policy), *gain_by_day(c, none)) for c in others]
    label = content.label(NONE)
    drawing = figures.gain_over_days(curves, f"{content.currency} per customer", label)
    caption = f"Gain over {label}, added up day by day, per customer; bands are 95 % intervals."
    says = "; ".join(f"{curve.label} ends at {curve.mean[-1]:.2f}" for curve in curves)
    return Picture(inline_svg(figures.svg_bytes(drawing), "days", f"{caption} {says}"), caption)


def heatmaps(content: ReportContent) -> list[Picture]:
    """Who is sent what, one picture for each policy that sends anything."""
    pictures = []
    for number, campaign in enumerate(content.campaigns):
        if campaign.action_counts[:, 1:].sum() == 0:
            continue
        drawing = figures.send_shares(_segment_names(campaign), _sends_by(campaign))
        caption = f"{words.sentence_start(content.label(campaign.policy))}: share of each segment's sends, in per cent."
        pictures.append(Picture(inline_svg(figures.svg_bytes(drawing), f"sends{number}", caption), caption))
    return pictures


def _segment_names(campaign: Campaign) -> list[str]:
    names = list(campaign.world.segments)
    customers = np.bincount(campaign.segment, minlength=len(names))
    sends = campaign.action_counts[:, 1:].sum(axis=1)
    each = [f"{sent / n:.1f} sends each" if n else "no customers" for sent, n in zip(sends, customers, strict=True)]
    return [f"{plain(name)}\n{text}" for name, text in zip(names, each, strict=True)]


def _sends_by(campaign: Campaign) -> list[tuple[str, list[str], Float]]:
    """Sends by segment and offer, and by segment and channel, from the counts of actions."""
    catalog, counts = campaign.world.catalog, campaign.action_counts[:, 1:]
    by_offer = _summed(counts, catalog.offer_of[1:], len(catalog.offers))
    by_channel = _summed(counts, catalog.channel_of[1:], len(catalog.channels))
    offers = [plain(offer.name) for offer in catalog.offers]
    if len(offers) > MOST_OFFERS:
        order = np.argsort(-by_offer.sum(axis=0), kind="stable")
        kept, rest = order[: MOST_OFFERS - 1], order[MOST_OFFERS - 1 :]
        offers = [offers[j] for j in kept] + [f"{len(rest)} others"]
        by_offer = np.column_stack([by_offer[:, kept], by_offer[:, rest].sum(axis=1)])
    return [("offer", offers, by_offer), ("channel", [plain(c.name) for c in catalog.channels], by_channel)]


def _summed(counts: Float, group: npt.NDArray[np.integer], groups: int) -> Float:
    """(s, k) counts by action -> (s, groups)."""
    result: Float = counts @ (group[:, None] == np.arange(groups)).astype(np.float64)
    return result


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
                for name, x in e.estimates.items()
            ],
        )
        for e, _ in content.evaluations
    ]


def best_estimate(evaluation: Evaluation) -> Estimate:
    """The estimate shown where there is room for one."""
    estimates = [evaluation.estimates[name] for name in PREFERRED if name in evaluation.estimates]
    estimates += list(evaluation.estimates.values())
    missing = Estimate(math.nan, math.nan, math.nan, math.nan, "none")
    return next((e for e in estimates if math.isfinite(e.value)), missing)


def badge(evaluation: Evaluation) -> Badge:
    """The verdict as a badge."""
    return Badge(evaluation.verdict, *words.BADGES[evaluation.verdict])


def plain(name: str) -> str:
    """A name of a TOML file for people: price_sensitive -> price sensitive."""
    return name.replace("_", " ")


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
