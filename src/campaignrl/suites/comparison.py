"""The answer of `compare`: one verdict a row, what was not comparable, and the exit code for CI.

Here: the object, and its text, JSON and Markdown. Not here: how rows are paired (compare.py) and judged (judge.py),
JUnit XML (junit.py).
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

from campaignrl.display import html_table, one_line
from campaignrl.suites.measure_definitions import CONTRIBUTION, MEASURES
from campaignrl.suites.side_by_side import side_by_side
from campaignrl.suites.statistics import EQUAL, INCONCLUSIVE, NEW, NO_EVIDENCE, POWER, REGRESSION, SURE

COMPARED_NOTHING = 4  # exit codes
FAILED = 1
HEAD = ("world", "policy", "base", "candidate", "difference", "interval", "IQM", "P(better)", "verdict")


@dataclass(frozen=True)
class Compared:
    """One world, policy and measure; shares of the base's mean, NaN where they cannot be had."""

    world: str
    policy: str  # or "CANDIDATE against BASE" where two policies are compared
    measure: str = CONTRIBUTION
    seeds: int = field(kw_only=True)
    base: float = field(default=math.nan, kw_only=True)  # in the measure's unit
    candidate: float = field(default=math.nan, kw_only=True)
    difference: float = field(default=math.nan, kw_only=True)
    ci_low: float = field(default=math.nan, kw_only=True)
    ci_high: float = field(default=math.nan, kw_only=True)
    detectable: float = field(default=math.nan, kw_only=True)
    spread: float = field(default=math.nan, kw_only=True)  # standard deviation of the difference between seeds
    interquartile_mean: float = field(default=math.nan, kw_only=True)  # of the differences
    probability_of_improvement: float = field(default=math.nan, kw_only=True)  # share of seeds; ties count one half
    margin: float = field(kw_only=True)  # the loss allowed
    verdict: str = field(kw_only=True)
    reason: str = field(default="", kw_only=True)
    seeds_if_as_seen: int | None = field(default=None, kw_only=True)  # of an inconclusive row: seeds that would decide
    seeds_if_equal: int | None = field(default=None, kw_only=True)  # ... if there is no difference at all
    accepted: str = field(default="", kw_only=True)  # why this regression is allowed to stand, or ""


@dataclass(frozen=True, kw_only=True)
class Overall:
    """One policy and measure over several worlds; more is better (Agarwal et al. 2021)."""

    policy: str
    measure: str
    worlds: int
    interquartile_mean: float  # of the differences, a share of each world's base
    iqm_low: float
    iqm_high: float
    probability: float  # of improvement
    probability_low: float
    probability_high: float

    def __str__(self) -> str:
        what = "" if self.measure == CONTRIBUTION else f" {self.measure}"
        return (
            f"{self.policy}{what} over {self.worlds} worlds: inter-quartile mean {self.interquartile_mean:+.1%} "
            f"[{self.iqm_low:+.1%}, {self.iqm_high:+.1%}], probability of improvement {self.probability:.2f} "
            f"[{self.probability_low:.2f}, {self.probability_high:.2f}] (bootstrap, for information)."
        )


@dataclass(frozen=True)
class Comparison:
    """The answer of `compare`: a verdict for each row, and one for all.

    Attributes:
        rows: one for each world, policy and measure; differences as shares of the base's.
        margin: the loss of contribution that is allowed, a share.
        alpha: all intervals hold together with 1 - alpha.
        base, candidate: what was compared, for people.
        refused: why nothing at all was compared, or "".
        overall: aggregates over worlds, where there are several.
        strict: whether an inconclusive row fails.
        verdict: passed, inconclusive, regression or no comparison; exit_code: the same for CI.

    Example:
        >>> import campaignrl as crl
        >>> crl.compare("none", "none", world="coupon_trap", seeds=2, customers=20)
        Comparison of none with none: passed (1 row)
    """

    rows: tuple[Compared, ...]
    margin: float
    alpha: float
    base: str  # what the rows stand against, for people
    candidate: str
    refused: str = ""
    notes: tuple[str, ...] = ()
    overall: tuple[Overall, ...] = ()
    strict: bool = False
    customers: int = 0  # of each seed
    seconds: float | None = None  # of CPU that one more seed of both would take; None: not known

    @property
    def exit_code(self) -> int:
        """0 no regression shown, 1 a regression, 4 something could not be compared (strict: or is inconclusive)."""
        verdicts = {row.verdict for row in self.rows}
        if any(row.verdict == REGRESSION and not row.accepted for row in self.rows):
            return FAILED
        nothing = self.refused or NO_EVIDENCE in verdicts or not verdicts - {NEW}
        return COMPARED_NOTHING if nothing or (self.strict and INCONCLUSIVE in verdicts) else 0

    @property
    def verdict(self) -> str:
        """One word for all of it: passed, inconclusive, regression or no comparison."""
        undecided = any(row.verdict == INCONCLUSIVE for row in self.rows)
        if self.exit_code == FAILED:
            return "regression"
        lacking = self.exit_code and not (self.strict and self._compared_all)
        return "no comparison" if lacking else "inconclusive" if undecided else "passed"

    @property
    def _compared_all(self) -> bool:
        verdicts = {row.verdict for row in self.rows}
        return not self.refused and NO_EVIDENCE not in verdicts and bool(verdicts - {NEW})

    @property
    def rule(self) -> str:
        """The rule of the verdicts, in a few sentences."""
        compared = sum(math.isfinite(row.difference) for row in self.rows)
        several = f" (Bonferroni over {compared} rows, {1 - self.alpha / compared:.2%} each)" if compared > 1 else ""
        return (
            f"Rule: a row is a {REGRESSION} only if its whole interval lies beyond the loss allowed (contribution: "
            f"{-self.margin:.1%} of the base's), an improvement if it lies above 0, equal if no part of it lies beyond "
            f"the loss allowed, else inconclusive. Intervals are paired t over seeds and hold together with "
            f"{1 - self.alpha:.0%}{several}: where no policy has lost more than allowed, at most {self.alpha:.0%} of "
            f"comparisons have any red row."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where a figure cannot be had."""
        rows = [{name: _json(value) for name, value in vars(row).items()} for row in self.rows]
        facts = {"base": self.base, "candidate": self.candidate, "margin": self.margin, "alpha": self.alpha}
        answer = {"verdict": self.verdict, "exit_code": self.exit_code, "refused": self.refused or None}
        beside = {"power": POWER, "strict": self.strict, "customers_per_seed": self.customers or None}
        said = {"cpu_seconds_per_seed": self.seconds, "rule": self.rule, "notes": list(self.notes)}
        return {**answer, **facts, **beside, **said, "rows": rows, "overall": [vars(one) for one in self.overall]}

    def to_markdown(self) -> str:
        """A summary for a pull request."""
        head = f"### Policy benchmark: {self.verdict}"
        table = ["| " + " | ".join(_markdown(name) for name in HEAD) + " |", "|-|-|-:|-:|-:|-:|-:|-:|-|"]
        table += ["| " + " | ".join(_markdown(cell) for cell in self._cells(row)) + " |" for row in self.rows]
        said = [f"- {_markdown(note)}" for note in [*self._remarks(), self.rule]]
        return "\n\n".join([head, *(["\n".join(table)] if self.rows else []), "\n".join(said)]) + "\n"

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        remarks = [*self._remarks(), *([self.rule] if self.rows else [])]
        return html_table(self._said(), HEAD if self.rows else (), [self._cells(row) for row in self.rows], remarks)

    def _said(self) -> str:
        many = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'}"
        return f"Comparison of {self.candidate} with {self.base}: {self.verdict} ({many})"

    def __str__(self) -> str:
        rows = [HEAD, *(self._cells(row) for row in self.rows)]
        parts = [side_by_side(rows, right=range(2, len(HEAD) - 1))] if self.rows else []
        return "\n\n".join([*parts, "\n".join([*self._remarks(), *([self.rule] if self.rows else [])])])

    def _cells(self, row: Compared) -> tuple[str, ...]:
        name = row.policy if row.measure == CONTRIBUTION else f"{row.policy} ({row.measure})"
        if not math.isfinite(row.difference):
            return row.world, name, *["-"] * 6, f"{row.verdict}: {row.reason}"
        allowed = f"margin allowed {row.margin:.1%}, detectable from {row.detectable:.1%}"
        word = f"{row.verdict}, or better" if row.verdict == EQUAL and _may_be_better(row) else row.verdict
        return (
            row.world,
            name,
            f"{row.base:.4g}" if row.measure != CONTRIBUTION else f"{row.base:.2f}",
            f"{row.candidate:.4g}" if row.measure != CONTRIBUTION else f"{row.candidate:.2f}",
            f"{row.difference:+.1%}",
            f"[{row.ci_low:+.1%}, {row.ci_high:+.1%}]",
            f"{row.interquartile_mean:+.1%}",
            f"{row.probability_of_improvement:.2f}",
            f"{word} ({allowed})" + (f"; accepted: {row.accepted}" if row.accepted else ""),
        )

    def _remarks(self) -> list[str]:
        refused = [f"No comparison: {self.refused}"] if self.refused else []
        undecided = [self._what_it_takes(row) for row in self.rows if row.verdict == INCONCLUSIVE]
        return [*refused, *self.notes, *undecided, *map(str, self.overall)]

    def _what_it_takes(self, row: Compared) -> str:
        """Said of an inconclusive row: the seeds, customers and minutes that would decide it."""
        what = "" if row.measure == CONTRIBUTION else f" ({row.measure})"
        return (
            f"{row.world} {row.policy}{what}: a loss above {row.margin:.1%} is neither shown nor excluded. If it is as "
            f"seen ({row.difference:+.1%}), {self._price(row.seeds_if_as_seen)} decide; if there is no difference, "
            f"{self._price(row.seeds_if_equal)} (with {SURE:.0%} chance each, in place of {row.seeds} seeds)."
        )

    def _price(self, seeds: int | None) -> str:
        if seeds is None:
            return "no number of seeds would"
        parts = [f"{seeds * self.customers:,} customers"] if self.customers else []
        if self.seconds is not None:
            minutes = seeds * self.seconds / 60
            parts.append("under a CPU minute" if minutes < 1 else f"{minutes:,.0f} CPU minutes")
        return f"about {seeds:,} seeds" + (f" ({', '.join(parts)})" if parts else "")


def _may_be_better(row: Compared) -> bool:
    more = row.ci_high if MEASURES[row.measure].better > 0 else -row.ci_low
    return more > row.margin


def _json(value: object) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown(text: str) -> str:
    escaped = html.escape(text, quote=False)
    for sign in "\\|`*_[]":
        escaped = escaped.replace(sign, f"\\{sign}")
    return " ".join(escaped.split())
