"""What of a log speaks for a policy: its weights, its actions beside the logged ones, its estimated propensities.

Here: which pictures show it, with their captions, and how they are drawn. Not here: the figures themselves
(ope/methods/weight_histogram.py, ope/nuisance/propensity_model.py), the effective sample size by step
(effective_size_by_step.py), the other pictures (captions.py), colours and rules of text (base.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from campaignrl.ope.data import LOGGED
from campaignrl.ope.diagnostics import ESS_REFUSE, Sensitivity
from campaignrl.ope.episodes import EpisodeEvaluation
from campaignrl.ope.methods import ActionOverlap, Evaluation, WeightHistogram
from campaignrl.ope.nuisance import CalibrationBin
from campaignrl.report.facts import ReportContent
from campaignrl.report.facts import wording as words
from campaignrl.report.figures.base import INK, MUTED, RULE, SERIES, WIDTH, frame, safe, svg_bytes
from campaignrl.report.figures.captions import Picture
from campaignrl.report.figures.doubts import hidden_bias, lift_over_days
from campaignrl.report.figures.effective_size_by_step import ess_by_step
from campaignrl.report.figures.lift_by_part import lift_by_part
from campaignrl.report.figures.svg_inline import inline_svg

KEY = (("series-1", "■", "rows of the log"), ("series-2", "■", "weighted: what the policy would do"))
MOST_ACTIONS = 12  # rows of the overlap; the rest are added up


def evidence_pictures(content: ReportContent) -> list[Picture]:
    """Weights, overlap and doubts of each policy, the curve of episodes, calibration of propensities, lift by part."""
    asked = [(number, e) for number, (e, _) in enumerate(content.evaluations) if e.policy != LOGGED]
    pictures = [_weights(content, number, e) for number, e in asked if e.spread is not None]
    pictures += [
        _hidden_bias(content, number, e.sensitivity, e)
        for number, e in asked
        if e.sensitivity is not None and e.sensitivity.curve
    ]
    pictures += [_over_days(content, number, e) for number, e in asked if len(e.over_time) > 1]
    curves = {
        content.label(e.policy): np.array([step.ess for step in e.curve])
        for _, e in asked
        if isinstance(e, EpisodeEvaluation) and e.curve
    }
    if curves:
        caption = "How many customers still speak for a policy at each step of an episode."
        says = "; ".join(f"{name} ends at {sizes[-1]:,.0f}" for name, sizes in curves.items())
        pictures.append(_picture(svg_bytes(ess_by_step(curves, ESS_REFUSE)), "steps", caption, says))
    estimated = next((e for _, e in asked if e.calibration), None)
    if estimated is not None:
        caption = "Propensities estimated from the log, beside how often the action was taken; right on the line."
        says = "; ".join(f"{b.predicted:.3g} estimated, {b.observed:.3g} taken" for b in estimated.calibration)
        pictures.append(_picture(svg_bytes(calibration(estimated.calibration)), "calibration", caption, says))
    return pictures + [_by_part(content, number, name) for number, name in enumerate(content.parts)]


def _by_part(content: ReportContent, number: int, name: str) -> Picture:
    parts, e = content.parts[name], content.evaluations[0][0]
    caption = f"Lift by {name}, over {content.label(e.reference)}; the intervals hold together."
    says = "; ".join(f"{part.part} {part.lift.value:+.4g}" for part in parts)
    return _picture(svg_bytes(lift_by_part(parts, e.reward)), f"parts{number}", caption, says)


def _hidden_bias(content: ReportContent, number: int, found: Sensitivity, e: Evaluation) -> Picture:
    name = words.sentence_start(content.label(e.policy))
    what, told = "what the lift could be if propensities are off, and (pale) its interval", found.sentence()
    caption = f"{name}: {what}. {told[:1].upper()}{told[1:]}."
    says = "; ".join(f"{b.gamma:g}: {b.low:.4g} to {b.high:.4g}" for b in found.curve)
    return _picture(svg_bytes(hidden_bias(found, e.reward)), f"bias{number}", caption, says)


def _over_days(content: ReportContent, number: int, e: Evaluation) -> Picture:
    name = words.sentence_start(content.label(e.policy))
    caption = f"{name}: lift over {content.label(e.reference)} by days of the log, each with twice its error."
    says = "; ".join(f"days {s.first} to {s.last} {s.lift:+.4g}" for s in e.over_time)
    return _picture(svg_bytes(lift_over_days(e.over_time, e.lift, e.reward)), f"days{number}", caption, says)


def _weights(content: ReportContent, number: int, e: Evaluation) -> Picture:
    assert e.spread is not None
    name = words.sentence_start(content.label(e.policy))
    caption = f"{name}: how much each row of the log counts, and how often each action was taken and would be."
    says = f"{e.ess:,.0f} effective of {e.n:,} rows, {e.spread.silent:.0%} of weight 0"
    return _picture(svg_bytes(weights_and_overlap(e.spread, e.ess, e.n)), f"weights{number}", caption, says, KEY)


def _picture(svg: bytes, key: str, caption: str, says: str, signs: tuple[tuple[str, str, str], ...] = ()) -> Picture:
    return Picture(inline_svg(svg, key, f"{caption} {says}"), caption, signs)


def weights_and_overlap(spread: WeightHistogram, ess: float, n: int) -> Figure:
    """At the left the histogram of weights, by rows and by weight; at the right the actions, logged and wanted."""
    shown = actions_shown(spread.overlap)
    figure = Figure(figsize=(WIDTH, max(3.2, 1.2 + 0.3 * len(shown))), layout="constrained")
    figure.patch.set_alpha(0.0)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
    _histogram(left, spread)
    left.set_title(f"{ess:,.0f} effective of {n:,} rows", loc="left", fontsize=10, color=INK)
    _overlap(right, shown)
    right.set_title("share of decisions, and effective rows", loc="left", fontsize=10, color=INK)
    return figure


def calibration(bins: Sequence[CalibrationBin]) -> Figure:
    """Estimated propensities beside how often the action was really taken; right where dots are on the line."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    _frame(ax)
    top = max((max(b.predicted, b.observed) for b in bins), default=1.0) * 1.08
    ax.plot([0, top], [0, top], color=MUTED, lw=1, ls=(0, (3, 3)), zorder=1)
    most = max((b.pairs for b in bins), default=1)
    sizes = [20 + 130 * b.pairs / most for b in bins]
    ax.scatter([b.predicted for b in bins], [b.observed for b in bins], s=sizes, color=SERIES[0], alpha=0.8, zorder=2)
    ax.set_xlabel("estimated chance of an action", color=MUTED)
    ax.set_ylabel("how often it was taken", color=MUTED)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    return figure


def actions_shown(overlap: Sequence[ActionOverlap]) -> list[ActionOverlap]:
    """The actions most wanted or logged, most wanted first; the others added up."""
    there = sorted((a for a in overlap if a.logged > 0.0 or a.wanted > 0.0), key=lambda a: -max(a.wanted, a.logged))
    kept, rest = there[:MOST_ACTIONS], there[MOST_ACTIONS:]
    kept.sort(key=lambda a: -a.wanted)
    if rest:
        sums = (float(sum(getattr(a, part) for a in rest)) for part in ("logged", "wanted", "ess"))
        kept.append(ActionOverlap(f"{len(rest)} others", *sums))
    return kept


def _histogram(ax: Axes, spread: WeightHistogram) -> None:
    _frame(ax)
    low, width = spread.edges[:-1], np.diff(spread.edges)
    ax.set_xscale("log", base=2)
    ax.bar(low, spread.rows, width=width * 0.92, align="edge", color=SERIES[0], alpha=0.45)
    ax.step(spread.edges, np.append(spread.weight, 0.0), where="post", color=SERIES[1], lw=2)
    ax.axvline(1.0, color=MUTED, lw=1, ls=(0, (3, 3)), zorder=0)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=7))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.set_axisbelow(True)
    silent = f"; {spread.silent:.0%} of rows have weight 0" if spread.silent > 0.0 else ""
    ax.set_xlabel(f"weight of a row{silent}", color=MUTED)


def _overlap(ax: Axes, shown: Sequence[ActionOverlap]) -> None:
    _frame(ax)
    at = np.arange(len(shown))
    ax.barh(at - 0.2, [a.logged for a in shown], height=0.36, color=SERIES[0], alpha=0.45)
    ax.barh(at + 0.2, [a.wanted for a in shown], height=0.36, color=SERIES[1], alpha=0.9)
    for y, action in enumerate(shown):
        end = max(action.logged, action.wanted)
        ax.annotate(
            f"{action.ess:,.0f}", (end, y), (4, 0), textcoords="offset points", va="center", fontsize=8, color=MUTED
        )
    ax.set_yticks(at, [safe(a.name, 24) for a in shown], parse_math=False, color=INK, fontsize=9)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    ax.margins(x=0.15)


def _frame(ax: Axes) -> None:
    ax.patch.set_alpha(0.0)
    frame(ax)
