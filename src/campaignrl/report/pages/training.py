"""The report of a training: one HTML page, the picture as a PNG beside it, and the facts for JSON.

Not here: the numbers (training.py), the picture (training.py), training itself (train.py).
"""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

from campaignrl.errors import Problem, UsageError
from campaignrl.policies import Policy
from campaignrl.report.facts import ActionFacts, TrainingFacts, training_facts
from campaignrl.report.facts import wording as words
from campaignrl.report.pages.template import style
from campaignrl.specs import World
from campaignrl.tables.files import write_whole
from campaignrl.tables.log import DecisionLog

STYLE = "tbody th { min-width: 0; } td.n { text-align: right; white-space: nowrap; } td:last-child { min-width: 15em; }"


def training_report(
    policy: Policy, source: World | DecisionLog, path: str | Path, *, customers: int = 1_000, seed: int = 0
) -> dict[str, Any]:
    """Write the report of `policy` to `path` (.html) and its picture beside it (.png); returns the facts as plain JSON.

    source: the log it learned from, or the world, of which `customers` fresh ones are simulated.
    """
    from campaignrl.report.figures import png_bytes, training_figure  # matplotlib is slow to import

    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(Problem("training report", "path", str(path), "a name that ends in .html"))
    facts = training_facts(policy, source, customers, seed)
    text = page(facts).encode("utf-8", errors="replace")
    picture = png_bytes(training_figure(facts))
    drawn = target.with_suffix(".png")
    write_whole(drawn, lambda out: _write(out, picture))
    write_whole(target, lambda out: _write(out, text))
    return {**facts.to_dict(), "report": str(target), "picture": str(drawn)}


def page(facts: TrainingFacts) -> str:
    """The page as text, which needs nothing but itself; the same facts give the same text."""
    from campaignrl.report.figures import inline_svg, svg_bytes, training_figure  # matplotlib is slow to import

    title = html.escape(f"{facts.policy}: what it learned")
    drawing = inline_svg(svg_bytes(training_figure(facts)), "training", "The picture of the training; tables follow.")
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences(facts))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{style()}{STYLE}</style></head><body><main><h1>{title}</h1>"
        f'<p class="sub">Kind {html.escape(facts.kind)}; looked at on the {html.escape(facts.source)}.</p>{said}'
        f'<section><figure><div class="wide" tabindex="0">{drawing}</div></figure></section>'
        f"{_diagnostics(facts)}{_actions(facts)}</main></body></html>\n"
    )


def sentences(facts: TrainingFacts) -> list[str]:
    """What the figures say."""
    sends = next(d.value for d in facts.diagnostics if d.name == "sends")
    told = [f"It sends something in {100 * sends:.0f} % of decisions."]
    best = max((a for a in facts.actions[1:]), key=lambda a: a.share, default=None)
    if best is not None and best.share > 0.0:
        told.append(f"Most often {best.name}: {100 * best.share:.0f} % of decisions.")
    if len(facts.curve) > 1 and math.isfinite(facts.curve[-1].low):
        first, last = facts.curve[0], facts.curve[-1]
        value, interval = words.with_interval(last.low, last.high, last.value)
        told.append(
            f"Copies taught on {last.rows:,} decisions are worth {value} {interval} a decision to customers they"
        )
        told[-1] += f" have not met, those taught on {first.rows:,} {words.number(first.value, 3)}."
        if first.low <= last.value <= first.high:
            told[-1] += " More of this log would change little that can be seen here."
    return told


def _diagnostics(facts: TrainingFacts) -> str:
    rows = []
    for name, value, meaning in facts.diagnostics:
        cells = f'<td class="n">{value:.3g}</td><td class="note">{html.escape(meaning)}</td>'
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return _section("How it decides", "", "".join(rows))


def _section(title: str, note: str, rows: str) -> str:
    told = f'<p class="note">{note}</p>' if note else ""
    return f'<section><h2>{title}</h2>{told}<div class="wide" tabindex="0"><table>{rows}</table></div></section>'


def _actions(facts: TrainingFacts) -> str:
    order = sorted(facts.actions, key=lambda a: -a.share)
    head = "<tr><th>action</th><th>share</th><th>lead over none</th><th>speaks for it (+) and against it (−)</th></tr>"
    note = "Lead: the learner's own score over that of `none`; features: change of the lead per standard deviation."
    rows = "".join(_action_row(action) for action in order)
    return _section("Actions", note, head + rows)


def _action_row(action: ActionFacts) -> str:
    features = ", ".join(
        f"{html.escape(name)} {words.number(effect, 3, sign=True)}" for name, effect in action.strongest
    )
    lead = words.number(action.lead, 3, sign=True)
    cells = f'<td class="n">{100 * action.share:.1f} %</td><td class="n">{lead}</td><td>{features}</td>'
    return f"<tr><th>{html.escape(action.name)}</th>{cells}</tr>"


def _write(out: Any, content: bytes) -> None:
    out.write(content)
