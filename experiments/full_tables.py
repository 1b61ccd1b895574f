"""What the study `full` found, as a page, as a section of docs/results.md and as its reading by world. No runs here.

Every sentence is derived from the figures. Learners with a model of the weeks to come are held against the best of all
other ways in the same world, seed by seed; that one is chosen on the same seeds, which favours it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from campaignrl.report.figures import (
    ForestRow,
    Judged,
    Line,
    curves_by_panel,
    estimates_against_truth,
    forest,
    gain_by_budget,
    png_bytes,
)
from campaignrl.report.pages import Drawing, Part, StudyPage, Table, made_of, mean_interval, world_part
from campaignrl.suites import ALPHA, CONTRIBUTION, Compared, Pairing, Results, judged, write_between, write_files

RL = ("fitted_q", "maskable_ppo", "rollout")
OTHERS = ("rules", "best_fixed", "lin_ts", "dr_uplift")
MARK = "full"
HELPS, LOSES, OPEN = "helps", "loses", "is not shown to help"


def mean(results: Results, world: str, policy: str, measure: str = CONTRIBUTION) -> float:
    """Over the seeds; NaN where it cannot be had."""
    values = list(results.values(world, policy, measure).values())
    return mean_interval(values)[0] if values else math.nan


def contest(results: Results, world: str) -> tuple[str, Compared, str]:
    """The best other way, the best RL against it (the RL rows of a world share alpha), and what follows."""
    present = [p for p in OTHERS if p in results.suite.policies]
    other = max(present, key=lambda policy: mean(results, world, policy))
    base = results.values(world, other)
    pairings = [Pairing(world, p, base, results.values(world, p)) for p in RL if p in results.suite.policies]
    rows = judged(pairings, {CONTRIBUTION: results.suite.compare.margin}, ALPHA)
    best = max(rows, key=lambda row: row.difference)
    word = HELPS if any(row.ci_low > 0.0 for row in rows) else LOSES if all(row.ci_high < 0.0 for row in rows) else OPEN
    return other, max((r for r in rows if r.ci_low > 0.0), key=lambda r: r.difference, default=best), word


def percent(row: Compared) -> str:
    """A difference with its interval."""
    return f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]"


def reading(found: dict[str, Any], world: str) -> str:
    """The honest reading of one world, from its figures."""
    results: Results = found["results"]
    other, best, word = contest(results, world)
    share = mean(results, world, best.policy, "ceiling_share")
    theirs = mean(results, world, other, "ceiling_share")
    of = f" It has {share:.0%} of the observable ceiling, {other} {theirs:.0%}." if math.isfinite(share) else ""
    said = {
        HELPS: f"RL helps: {best.policy} earns {percent(best)} against {other}, the best other way.",
        LOSES: f"RL loses: its best, {best.policy}, earns {percent(best)} against {other}.",
        OPEN: f"RL is not shown to help: its best, {best.policy}, earns {percent(best)} against {other}"
        + (f"; {best.seeds_if_as_seen} seeds would decide if it is as seen." if best.seeds_if_as_seen else "."),
    }[word]
    return f"{said}{of} {log_reading(found['logs'][world])}"


def log_reading(answers: list[dict[str, Any]]) -> str:
    """What the world's log could tell and what not: trusted with the sign known, and whether the truth lies inside."""
    told = [a for a in answers if told_apart(a)]
    dumb = [f"{a['policy']} ({why(a)})" for a in answers if not told_apart(a)]
    missed = [a["policy"] for a in answers if a["lift_ci_low"] is not None and not covers(a)]
    first = f"The log tells {len(told)} of {len(answers)} policies from the logging one"
    rest = f"; it could not tell {', '.join(dumb)}" if dumb else ""
    wrong = f". Its interval misses the truth for {', '.join(missed)}" if missed else ""
    return f"{first}{rest}{wrong}."


def told_apart(one: dict[str, Any]) -> bool:
    """Trusted, and an interval that leaves out no difference."""
    low, high = one["lift_ci_low"], one["lift_ci_high"]
    return one["verdict"] == "trust" and low is not None and (low > 0.0 or high < 0.0)


def why(one: dict[str, Any]) -> str:
    """Why a log could not tell."""
    return one["verdict"] if one["verdict"] != "trust" else "its interval holds 0"


def covers(one: dict[str, Any]) -> bool:
    """Whether the interval holds the truth, which has an error of its own."""
    low, high = one["lift_ci_low"], one["lift_ci_high"]
    truth, error = one["truth"], 1.96 * one["truth_std_error"]
    return bool(low <= truth + error and truth - error <= high)


def answer(found: dict[str, Any]) -> str:
    """All worlds in a sentence."""
    results: Results = found["results"]
    by_word: dict[str, list[str]] = {HELPS: [], OPEN: [], LOSES: []}
    for world in results.suite.worlds:
        by_word[contest(results, world)[2]].append(world)
    parts = [f"{word} in {', '.join(worlds)}" for word, worlds in by_word.items() if worlds]
    dumb = [world for world, of in found["logs"].items() if sum(told_apart(a) for a in of) < len(of) / 2]
    logs = f" The log could not tell half of the policies or more in {', '.join(dumb)}." if dumb else ""
    return f"Reinforcement learning {'; '.join(parts)}.{logs}"


def lead(results: Results) -> Drawing:
    """The best RL against the best other way, a row a world."""
    rows = []
    for world in results.suite.worlds:
        other, best, _ = contest(results, world)
        ends = (100 * best.difference, 100 * best.ci_low, 100 * best.ci_high)
        rows.append(ForestRow(f"{world}\n{best.policy} against {other}", *ends, math.nan, percent(best)))
    said = "; ".join(f"{row.label.replace(chr(10), ', ')} {row.text}" for row in rows)
    return Drawing(forest(rows, "contribution, %", ("the best other way", 0.0)), "The best RL in each world", said)


def log_part(found: dict[str, Any]) -> Part:
    """Estimates against truth, and the table of verdicts."""
    known = {world: [a for a in of if a["lift"] is not None] for world, of in found["logs"].items()}
    panels = [(world, [spot(a) for a in of]) for world, of in known.items() if of]
    rows = [
        [world, a["policy"], lift(a), f"{a['truth']:+.3f}", f"{a['ess']:,.0f}" if a["ess"] else "-", a["verdict"]]
        for world, of in found["logs"].items()
        for a in of
    ]
    head = ("World", "Policy", "Lift a decision, from the log", "Truth", "Effective rows", "Verdict")
    table = Table("Each policy", head, rows, (2, 3, 4), True, {v: v for v in ("trust", "caution", "refuse")})
    figure = estimates_against_truth(
        [panel for panel in panels if panel[1]], "lift of a decision over the logging policy"
    )
    note = (
        "What a fresh log of the logging policy says of each policy (doubly robust) beside what is true; bars are 95 %."
    )
    return Part("Calibration: what the log says, and what is true", note, [Drawing(figure, "")], [table])


def spot(one: dict[str, Any]) -> Judged:
    """One policy in the picture of estimates against truth."""
    return Judged(*(one[key] for key in ("policy", "lift", "lift_ci_low", "lift_ci_high", "truth", "verdict")))


def lift(one: dict[str, Any]) -> str:
    """As the log has it."""
    return "-" if one["lift"] is None else f"{one['lift']:+.3f} [{one['lift_ci_low']:+.3f}, {one['lift_ci_high']:+.3f}]"


def budget_part(world: str, rows: list[dict[str, Any]], currency: str) -> Part:
    """Gain at each budget."""
    lines = []
    for policy in dict.fromkeys(row["policy"] for row in rows):
        own = [row for row in rows if row["policy"] == policy]
        y, low, high = zip(*(mean_interval(row["gains"]) for row in own), strict=True)
        lines.append(Line(policy, [row["budget"] for row in own], y, low, high))
    units = (f"budget, {currency} a customer", f"gain over nothing, {currency} a customer")
    said = "; ".join(f"{line.label} {line.y[0]:+.2f} to {line.y[-1]:+.2f}" for line in lines)
    figure = gain_by_budget(lines, rows[0]["today"], units)
    note = "Policies as taught at today's budget; bands are 95 % over seeds."
    return Part(f"More or less money in {world}", note, [Drawing(figure, "", f"{units[1]}: {said}")])


def study_page(found: dict[str, Any]) -> StudyPage:
    """The whole page."""
    results: Results = found["results"]
    suite, seconds = results.suite, found["seconds"]
    parts = [world_part(results, world, reading(found, world), seconds) for world in suite.worlds]
    budgets = [budget_part(world, rows, suite.worlds[world].currency) for world, rows in found["budgets"].items()]
    question = "Every way of deciding in every bundled world, on the same customers with the same luck."
    made = {"Call": "python experiments/full.py --docs docs/results.md --page full.html", **made_of(results, seconds)}
    title = "Where reinforcement learning helps"
    return StudyPage(title, question, answer(found), lead(results), [log_part(found), *parts, *budgets], made)


def document(found: dict[str, Any]) -> str:
    """The section of docs/results.md."""
    results: Results = found["results"]
    suite, minutes = results.suite, sum(found["seconds"].values()) / 60
    sizes = f"{suite.seeds} seeds, {suite.customers:,} customers each, learners on {suite.train.customers:,} or fewer"
    policies = [policy for policy in suite.policies if policy != "none"]
    rows = [f"| {w} | " + " | ".join(gained(results, w, p) for p in policies) + " |" for w in suite.worlds]
    lines = [
        "## Everything, everywhere: the suite `full`",
        "",
        f"Made by `python experiments/full.py --docs docs/results.md`: {sizes}; {minutes:.0f} CPU minutes of runs.",
        "Intervals are 95 % over seeds; those of a world hold together. The best other way is chosen on the same",
        "seeds, which favours it.",
        "",
        f"**{answer(found)}**",
        "",
        "![The best RL against the best other way, by world](results_full.png)",
        "",
        *(f"- **{world}**: {reading(found, world)}" for world in suite.worlds),
        "",
        "Gain over sending nothing, per customer and campaign, in each world's currency; in brackets the share of the",
        "observable ceiling ([bounds.md](bounds.md)), where it is known:",
        "",
        "| world | " + " | ".join(policies) + " |",
        "|---" * (len(policies) + 1) + "|",
        *rows,
        "",
        "![What more to learn from brings](results_full_curves.png)",
    ]
    return "\n".join(lines)


def gained(results: Results, world: str, policy: str) -> str:
    """A cell: the mean gain with its interval, and the share of the ceiling."""
    values = list(results.values(world, policy, "gain").values())
    value, low, high = mean_interval(values)
    share = mean(results, world, policy, "ceiling_share")
    return f"{value:.2f} [{low:.2f}, {high:.2f}]" + (f" ({share:.0%})" if math.isfinite(share) else "")


def curves(found: dict[str, Any]) -> Drawing:
    """What learners gain from few customers and from many, a panel a world in its own currency."""
    results: Results = found["results"]
    panels = []
    for world, facts in results.suite.worlds.items():
        lines = []
        for learner, sizes in results.suite.curves.items():
            labels = sorted(sizes, key=lambda label: sizes[label])
            points = [mean_interval(list(results.values(world, label, "gain").values())) for label in labels]
            y, low, high = ([point[k] for point in points] for k in range(3))
            lines.append(Line(learner, [sizes[label] for label in labels], y, low, high))
        panels.append((f"{world}, {facts.currency}", lines))
    return Drawing(curves_by_panel(panels, ("customers learned on", "gain over nothing, a customer")), "")


def into(path: Path, text: str, found: dict[str, Any]) -> None:
    """Put the section into a page of docs, between its marks or at its end, and its pictures beside it."""
    write_between(path, MARK, text)
    pictures = {"results_full.png": lead(found["results"]), "results_full_curves.png": curves(found)}
    drawn = {name: png_bytes(one.of, dpi=110) for name, one in pictures.items() if not isinstance(one.of, bytes)}
    write_files(path.parent, drawn)
