"""The pictures of a report: what of its content each one shows, and its caption.

Not here: how it is drawn (base.py), how it becomes part of the page (svg_inline.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float
from campaignrl.campaign import Campaign
from campaignrl.ope.intervals import Estimate
from campaignrl.report.facts import NONE, ReportContent, best_estimate, gain_by_day
from campaignrl.report.facts import wording as words
from campaignrl.report.figures import base as figures
from campaignrl.report.figures.svg_inline import inline_svg
from campaignrl.true_value import Value

MOST_OFFERS = 12  # columns of offers in a heatmap; the rest are added up


class Picture(NamedTuple):
    """A drawing with its caption."""

    svg: str
    caption: str
    key: tuple[tuple[str, str, str], ...] = ()  # colour by name, sign, what it stands for


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
        per = content.evaluations[0][0].per
        caption = f"What is earned {per}, read off the log; the dashed line is what the logged policy earned."
        mark = (words.LABELS["logged"], content.evaluations[0][0].logged_value)
        pictures.append(_forest_picture("values", caption, rows, f"{unit}, {per}", mark))
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
    caption = "Gain over sending nothing, added up day by day, per customer; bands are 95 % intervals."
    says = "; ".join(f"{curve.label} ends at {curve.mean[-1]:.2f}" for curve in curves)
    return Picture(inline_svg(figures.svg_bytes(drawing), "days", f"{caption} {says}"), caption)


def heatmaps(content: ReportContent) -> list[Picture]:
    """Who is sent what, one picture for each policy that sends anything."""
    pictures = []
    for number, campaign in enumerate(content.campaigns):
        if campaign.action_counts[:, 1:].sum() == 0:
            continue
        drawing = figures.send_shares(_segment_names(campaign), sends_by(campaign))
        caption = f"{words.sentence_start(content.label(campaign.policy))}: share of each segment's sends, in per cent."
        pictures.append(Picture(inline_svg(figures.svg_bytes(drawing), f"sends{number}", caption), caption))
    return pictures


def _segment_names(campaign: Campaign) -> list[str]:
    names = list(campaign.world.segments)
    customers = np.bincount(campaign.segment, minlength=len(names))
    sends = campaign.action_counts[:, 1:].sum(axis=1)
    each = [f"{sent / n:.1f} sends each" if n else "no customers" for sent, n in zip(sends, customers, strict=True)]
    return [f"{plain(name)}\n{text}" for name, text in zip(names, each, strict=True)]


def sends_by(campaign: Campaign) -> list[tuple[str, list[str], Float]]:
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


def plain(name: str) -> str:
    """A name of a TOML file for people: price_sensitive -> price sensitive."""
    return name.replace("_", " ")
