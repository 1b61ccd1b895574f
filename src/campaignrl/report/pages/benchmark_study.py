"""A benchmark as a study's page: a world at a time, what each policy earns, what learning cost, and whom it sends what.

Here: from results to the parts of the page. Not here: the page itself (study.py), the verdicts (suites), the plain page
of `benchmark --report` (benchmark.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.report.pages.study import BADGES, Drawing, Part, Table
from campaignrl.suites import ALPHA, CONTRIBUTION, Compared, Pairing, Results, judged, planned_sentence
from campaignrl.suites.statistics import REGRESSION

if TYPE_CHECKING:
    from campaignrl.report.figures import ForestRow

GAIN, SHARE, NONE = "gain", "ceiling_share", "none"
FEWEST_SENDS = 0.02  # of a policy's sends: actions below stand together in its profile
MOST_COLUMNS = 14


def against_baseline(results: Results, world: str) -> tuple[Compared, ...]:
    """Every other policy of a world against the suite's baseline; the rows of a world share alpha."""
    suite = results.suite
    base = results.values(world, suite.compare.baseline)
    others = [policy for policy in suite.policies if policy != suite.compare.baseline]
    pairings = [Pairing(world, policy, base, results.values(world, policy)) for policy in others]
    return judged(pairings, {CONTRIBUTION: suite.compare.margin}, ALPHA)


def world_part(results: Results, world: str, says: str, seconds: Mapping[str, float]) -> Part:
    """The section of one world. says: its reading; seconds: CPU seconds by run (`world/policy/seed`), where known."""
    rows = against_baseline(results, world)
    drawings = [
        _forest(results, rows),
        _curves(results, world, seconds),
        _pressure(results, world),
        _profile(results, world),
    ]
    drawn = [drawing for drawing in drawings if drawing is not None]
    return Part(world, says, drawn, [_verdicts(results, world, rows), _measures(results, world)])


def made_of(results: Results, seconds: Mapping[str, float]) -> dict[str, str]:
    """How a benchmark was made."""
    suite = results.suite
    planned = planned_sentence(results.detectable, suite)
    facts = {
        "Suite": f"{suite.name}: {len(suite.worlds)} worlds, {len(suite.policies)} policies, {suite.seeds} seeds, "
        f"{suite.customers:,} customers evaluated in each run, the same ones with the same luck for every policy",
        "Learners": f"taught for every seed anew on {suite.train.customers:,} other customers where the suite says no "
        f"other number, first by {suite.train.explore}",
        "Intervals": f"paired t over seeds; those of a world hold together with {1 - ALPHA:.0%} (Bonferroni)",
        **({"Planned": planned} if planned else {}),
        **({"CPU": f"{sum(seconds.values()) / 60:.1f} minutes"} if seconds else {}),
    }
    return {**facts, **results.made_with, "settings": results.suite_hash}


def mean_interval(values: Sequence[float], alpha: float = ALPHA) -> tuple[float, float, float]:
    """Mean over seeds and its Student's t interval; NaN ends where one seed says nothing."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = -float(special.stdtrit(len(values) - 1, alpha / 2) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def _forest(results: Results, rows: Sequence[Compared]) -> Drawing | None:
    from campaignrl.report.figures import forest  # matplotlib is slow to import

    drawn = [_forest_row(row) for row in rows if math.isfinite(row.difference)]
    if not drawn:
        return None
    baseline = results.suite.compare.baseline
    figure = forest(drawn, f"contribution against {baseline}, %", (baseline, 0.0))
    said = "; ".join(f"{row.label} {row.text}" for row in drawn)
    return Drawing(figure, f"Difference to {baseline}, seed by seed", f"Difference to {baseline}: {said}")


def _forest_row(row: Compared) -> ForestRow:
    from campaignrl.report.figures import ForestRow  # matplotlib is slow to import

    figures = (100 * row.difference, 100 * row.ci_low, 100 * row.ci_high, math.nan)
    return ForestRow(row.policy, *figures, f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]")


def _curves(results: Results, world: str, seconds: Mapping[str, float]) -> Drawing | None:
    """Gain against customers learned on and, where it is known, against CPU seconds."""
    from campaignrl.report.figures import Line, learning_curves  # matplotlib is slow to import

    by_customers, by_seconds = [], []
    for learner, sizes in results.suite.curves.items():
        labels = sorted(sizes, key=lambda label: sizes[label])
        found = [mean_interval(list(results.values(world, label, GAIN).values())) for label in labels]
        y, low, high = ([point[k] for point in found] for k in range(3))
        by_customers.append(Line(learner, [sizes[label] for label in labels], y, low, high))
        took = [_seconds(seconds, world, label) for label in labels]
        if all(took):
            by_seconds.append(Line(learner, took, y, low, high))
    if not by_customers:
        return None
    panels = [("customers learned on", by_customers)]
    if len(by_seconds) == len(by_customers):
        panels.append(("CPU seconds of a run, teaching and playing", by_seconds))
    unit = f"gain over nothing, {results.suite.worlds[world].currency} a customer"
    said = "; ".join(f"{line.label} {line.y[0]:+.2f} to {line.y[-1]:+.2f}" for line in by_customers)
    return Drawing(
        learning_curves(panels, unit), "What more to learn from brings; bands are 95 % over seeds", f"{unit}: {said}"
    )


def _seconds(seconds: Mapping[str, float], world: str, policy: str) -> float:
    found = [took for run, took in seconds.items() if run.startswith(f"{world}/{policy}/")]
    return float(np.mean(found)) if found else 0.0


def _pressure(results: Results, world: str) -> Drawing | None:
    from campaignrl.report.figures import Line, over_time  # matplotlib is slow to import

    lines = []
    for policy in results.suite.policies:
        weeks = [row.weeks.get("sends") for row in results.rows if (row.world, row.policy) == (world, policy)]
        known = np.array([week for week in weeks if week])
        if known.size and known.any():
            whole = max(results.suite.worlds[world].horizon // 7, 1)  # a short last week would look like a fall
            mean: Float = known.mean(axis=0)[:whole]
            blank = [math.nan] * len(mean)
            lines.append(Line(policy, range(1, len(mean) + 1), mean.tolist(), blank, blank))
    if not lines:
        return None
    said = "; ".join(f"{line.label} {np.mean(line.y):.2f} a week" for line in lines)
    return Drawing(
        over_time(lines, ("week", "sends per customer")), "Contact pressure over time", f"Sends per customer: {said}"
    )


def _profile(results: Results, world: str) -> Drawing | None:
    """Whom the best policy that sends anything sends what."""
    from campaignrl.report.figures import send_shares  # matplotlib is slow to import

    means = {
        policy: float(np.mean(list(values.values())))
        for policy in results.suite.policies
        if policy != NONE and (values := results.values(world, policy))
    }
    if not means:
        return None
    best = max(means, key=lambda policy: means[policy])
    rows = [row for row in results.rows if (row.world, row.policy) == (world, best)]
    segments = list(dict.fromkeys(name for row in rows for name in row.profile))
    actions = list(dict.fromkeys(name for row in rows for of in row.profile.values() for name in of))
    counts = np.array(
        [[np.mean([row.profile.get(s, {}).get(a, 0.0) for row in rows]) for a in actions] for s in segments]
    )
    if not counts.size:
        return None
    names, counts = _together(actions, counts)
    labels = [f"{name}\n{total:.1f} sends a customer" for name, total in zip(segments, counts.sum(axis=1), strict=True)]
    picture = send_shares(labels, [("share of a segment's sends, %", names, counts)])
    most = [
        f"{segment}: {names[int(row.argmax())]}" for segment, row in zip(segments, counts, strict=True) if row.any()
    ]
    return Drawing(picture, f"Whom {best} sends what", f"Most sent by {best}: {'; '.join(most)}")


def _together(names: Sequence[str], counts: Float) -> tuple[list[str], Float]:
    """Actions often sent, the most first, and all others as one column."""
    share = counts.sum(axis=0) / max(float(counts.sum()), 1e-12)
    order = np.argsort(-share, kind="stable")
    kept = [j for j in order[: MOST_COLUMNS - 1] if share[j] >= FEWEST_SENDS]
    rest = [j for j in order if j not in kept]
    shown = [names[j] for j in kept]
    if not rest:
        return shown, counts[:, kept]
    return [*shown, f"{len(rest)} others"], np.column_stack([counts[:, kept], counts[:, rest].sum(axis=1)])


def _verdicts(results: Results, world: str, rows: Sequence[Compared]) -> Table:
    suite, currency = results.suite, results.suite.worlds[world].currency
    by_policy = {row.policy: row for row in rows}
    cells = []
    for policy in suite.policies:
        row = by_policy.get(policy)
        value, gain, share = (_mean(results, world, policy, name) for name in (CONTRIBUTION, GAIN, SHARE))
        known = row is not None and math.isfinite(row.difference)
        cells.append(
            [
                policy,
                f"{value:,.2f}",
                f"{gain:+.2f}",
                f"{share:.0%}" if math.isfinite(share) else "-",
                f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]" if known and row else "-",
                _word(row) if row else "baseline",
            ]
        )
    head = ("Policy", f"Value, {currency}", "Over nothing", "Of the ceiling", f"Against {suite.compare.baseline}", "")
    return Table("", head, cells, (1, 2, 3, 4), badges={**BADGES, "equal within the margin": "plain"})


def _word(row: Compared) -> str:
    return "worse" if row.verdict == REGRESSION else row.verdict  # nobody changed it: it is another policy


def _measures(results: Results, world: str) -> Table:
    policies = results.suite.policies
    rows = [
        [f"{name} ({facts.unit})", *(_shown(_mean(results, world, policy, name)) for policy in policies)]
        for name, facts in results.measures.items()
    ]
    return Table("Every measure", ("Measure", *policies), rows, range(1, len(policies) + 1), folded=True)


def _mean(results: Results, world: str, policy: str, measure: str) -> float:
    values = list(results.values(world, policy, measure).values())
    return float(np.mean(values)) if values else math.nan


def _shown(value: float) -> str:
    return f"{value:,.4g}" if math.isfinite(value) else "-"
