"""The page of a benchmark: a sentence and a picture by world, then every measure, segments, channels, how it was made.

Not here: the verdicts (suites/judge.py), the drawing (report/figures), the layout (benchmark.html.j2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from campaignrl.report.pages.template import style, template
from campaignrl.suites import ALPHA, CONTRIBUTION, Compared, Pairing, Results, judged, planned_sentence
from campaignrl.suites.statistics import IMPROVEMENT, INCONCLUSIVE, REGRESSION

BADGES = {IMPROVEMENT: "trust", REGRESSION: "refuse", INCONCLUSIVE: "caution"}
GAIN = "gain"


class WorldPart(NamedTuple):
    """What the page says of one world."""

    name: str
    currency: str
    sentence: str
    picture: Markup | None
    rows: list[dict[str, str]]  # policies with value, difference and verdict
    measures: list[tuple[str, str, str, list[str]]]  # id, unit, formula, a cell for each policy
    segments: list[tuple[str, list[str]]]  # segment, gain of each policy
    channels: list[tuple[str, list[str]]]  # channel, sends of each policy


def benchmark_page(results: Results) -> str:
    """The page as text; the same results give the same text."""
    suite = results.suite
    parts = [_world(results, world) for world in suite.worlds]
    return template("benchmark.html.j2").render(
        style=style(),
        suite=suite,
        made_with=results.made_with,
        planned=planned_sentence(results.detectable, suite),
        parts=parts,
        hash=results.suite_hash,
    )


def _world(results: Results, world: str) -> WorldPart:
    suite = results.suite
    others = [policy for policy in suite.policies if policy != suite.compare.baseline]
    base = results.values(world, suite.compare.baseline)
    pairings = [Pairing(world, policy, base, results.values(world, policy)) for policy in others]
    rows = judged(pairings, {CONTRIBUTION: suite.compare.margin}, ALPHA)
    drawn = [row for row in rows if math.isfinite(row.difference)]
    currency = suite.worlds[world].currency
    return WorldPart(
        world,
        currency,
        sentence(world, suite.compare.baseline, drawn),
        _picture(world, suite.compare.baseline, drawn) if drawn else None,
        [_row(row, currency) for row in rows],
        [
            (name, facts.unit, facts.formula, [_mean(results, world, p, name) for p in suite.policies])
            for name, facts in results.measures.items()
        ],
        _parts(results, world, lambda row: {k: v.get(GAIN) for k, v in row.segments.items()}, "{:+.2f}"),
        _parts(results, world, lambda row: {k: v["sends"] for k, v in row.channels.items()}, "{:.2f}"),
    )


def sentence(world: str, baseline: str, rows: Sequence[Compared]) -> str:
    """The answer of one world, derived from its rows."""
    better = [row for row in rows if row.verdict == IMPROVEMENT]
    worse = [row for row in rows if row.verdict == REGRESSION]
    unsure = [row.policy for row in rows if row.verdict == INCONCLUSIVE]
    open_said = f" Not decided with these seeds: {', '.join(unsure)}." if unsure else ""
    if better:
        best = max(better, key=lambda row: row.difference)
        also = f" ({', '.join(r.policy for r in better if r is not best)} too)" if len(better) > 1 else ""
        interval = f"{best.difference:+.1%} [{best.ci_low:+.1%}, {best.ci_high:+.1%}]"
        return f"In {world} {best.policy} brings more than {baseline}: {interval}{also}.{open_said}"
    if rows and len(worse) == len(rows):
        return f"In {world} nothing beats {baseline}: every other policy loses."
    lost = f" {', '.join(row.policy for row in worse)} lose{'' if len(worse) > 1 else 's'}." if worse else ""
    return f"In {world} no policy is shown to beat {baseline}.{lost}{open_said}"


def _picture(world: str, baseline: str, rows: Sequence[Compared]) -> Markup:
    from campaignrl.report.figures import ForestRow, forest, inline_svg, svg_bytes  # matplotlib is slow to import

    drawn = [
        ForestRow(
            row.policy,
            100 * row.difference,
            100 * row.ci_low,
            100 * row.ci_high,
            math.nan,
            f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]",
        )
        for row in rows
    ]
    figure = forest(drawn, f"contribution against {baseline}, %", (baseline, 0.0))
    says = "; ".join(f"{row.label} {row.text}" for row in drawn)
    drawing = inline_svg(svg_bytes(figure), f"forest-{world}", f"Difference to {baseline}: {says}")
    return Markup(drawing)  # our own, its texts escaped there


def _row(row: Compared, currency: str) -> dict[str, str]:
    known = math.isfinite(row.difference)
    return {
        "policy": row.policy,
        "value": f"{row.candidate:,.2f} {currency}" if known else "-",
        "difference": f"{row.difference:+.1%}" if known else "-",
        "interval": f"[{row.ci_low:+.1%}, {row.ci_high:+.1%}]" if known else row.reason,
        "better": f"{row.probability_of_improvement:.0%} of seeds" if known else "-",
        "verdict": "worse" if row.verdict == REGRESSION else row.verdict,  # nobody changed it: it is another policy
        "badge": BADGES.get(row.verdict, "plain"),
    }


def _mean(results: Results, world: str, policy: str, measure: str) -> str:
    values = list(results.values(world, policy, measure).values())
    return f"{np.mean(values):,.4g}" if values else "-"


def _parts(results: Results, world: str, of: Any, form: str) -> list[tuple[str, list[str]]]:
    """Means over seeds by part, a cell for each policy; parts in the order in which they come."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in results.rows:
        if row.world == world:
            parts: Mapping[str, float | None] = of(row)
            for part, value in parts.items():
                if value is not None:
                    found.setdefault(part, {}).setdefault(row.policy, []).append(value)
    return [
        (part, [form.format(np.mean(own[policy])) if policy in own else "-" for policy in results.suite.policies])
        for part, own in found.items()
    ]
