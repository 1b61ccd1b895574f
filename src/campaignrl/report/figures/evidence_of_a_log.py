"""Which pictures show what of a log speaks for each policy, with their captions.

Not here: how they are drawn (evidence.py, effective_size_by_step.py), the other pictures (captions.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.ope.data import LOGGED
from campaignrl.ope.diagnostics import ESS_REFUSE
from campaignrl.ope.episodes import EpisodeEvaluation
from campaignrl.ope.methods import Evaluation
from campaignrl.report.facts import ReportContent
from campaignrl.report.facts import wording as words
from campaignrl.report.figures.base import svg_bytes
from campaignrl.report.figures.captions import Picture
from campaignrl.report.figures.effective_size_by_step import ess_by_step
from campaignrl.report.figures.evidence import calibration, weights_and_overlap
from campaignrl.report.figures.lift_by_part import lift_by_part
from campaignrl.report.figures.svg_inline import inline_svg

KEY = (("series-1", "■", "rows of the log"), ("series-2", "■", "weighted: what the policy would do"))


def evidence_pictures(content: ReportContent) -> list[Picture]:
    """Weights and overlap of each policy, the curve of episodes, calibration of propensities, lift by part."""
    asked = [(number, e) for number, (e, _) in enumerate(content.evaluations) if e.policy != LOGGED]
    pictures = [_weights(content, number, e) for number, e in asked if e.spread is not None]
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


def _weights(content: ReportContent, number: int, e: Evaluation) -> Picture:
    assert e.spread is not None
    name = words.sentence_start(content.label(e.policy))
    caption = f"{name}: how much each row of the log counts, and how often each action was taken and would be."
    says = f"{e.ess:,.0f} effective of {e.n:,} rows, {e.spread.silent:.0%} of weight 0"
    return _picture(svg_bytes(weights_and_overlap(e.spread, e.ess, e.n)), f"weights{number}", caption, says, KEY)


def _picture(svg: bytes, key: str, caption: str, says: str, signs: tuple[tuple[str, str, str], ...] = ()) -> Picture:
    return Picture(inline_svg(svg, key, f"{caption} {says}"), caption, signs)
