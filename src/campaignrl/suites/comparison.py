"""The answer of `compare`: one verdict a row, what was not comparable, and the exit code for CI.

Here: the object, and its text, JSON and Markdown. Not here: how rows are paired (compare.py), JUnit XML (junit.py).
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

from campaignrl.display import html_table, one_line
from campaignrl.suites.paired_test import NEW, NO_EVIDENCE, POWER, REGRESSION, seeds_needed
from campaignrl.suites.side_by_side import side_by_side

COMPARED_NOTHING = 4  # exit codes
FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One world and policy; shares of the base's mean value, NaN where they cannot be had."""

    world: str
    policy: str  # or "CANDIDATE against BASE" where two policies are compared
    seeds: int
    base: float = math.nan  # value per customer, currency
    candidate: float = math.nan
    difference: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    detectable: float = math.nan
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """The answer of `compare`: a verdict for each row, and one for all.

    Attributes:
        rows: one for each world and policy; values in the world's currency, differences as shares of the base's.
        margin: the loss that is allowed, a share.
        alpha: all intervals hold together with 1 - alpha.
        base, candidate: what was compared, for people.
        refused: why nothing at all was compared, or "".
        verdict: passed, regression or no comparison; exit_code: the same for CI.

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

    @property
    def exit_code(self) -> int:
        """0 no regression shown, 1 a regression, 4 something could not be compared."""
        verdicts = {row.verdict for row in self.rows}
        if REGRESSION in verdicts:
            return FAILED
        nothing = self.refused or NO_EVIDENCE in verdicts or not verdicts - {NEW}
        return COMPARED_NOTHING if nothing else 0

    @property
    def verdict(self) -> str:
        """One word for all of it: passed, regression or no comparison."""
        return {0: "passed", FAILED: "regression"}.get(self.exit_code, "no comparison")

    @property
    def rule(self) -> str:
        """The rule of the verdicts, in one sentence."""
        compared = sum(math.isfinite(row.difference) for row in self.rows)
        several = f" (Bonferroni over {compared} rows, {1 - self.alpha / compared:.2%} each)" if compared > 1 else ""
        return (
            f"Rule: a row is a {REGRESSION} only if its whole interval lies below {-self.margin:.1%} of the base's "
            f"value; intervals are paired t over seeds and hold together with {1 - self.alpha:.0%}{several}, so where "
            f"no policy has lost more than the margin, at most {self.alpha:.0%} of comparisons are red."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where a figure cannot be had."""
        rows = [{name: _json(value) for name, value in vars(row).items()} for row in self.rows]
        facts = {"base": self.base, "candidate": self.candidate, "margin": self.margin, "alpha": self.alpha}
        answer = {"verdict": self.verdict, "exit_code": self.exit_code, "refused": self.refused or None}
        return {**answer, **facts, "power": POWER, "rule": self.rule, "notes": list(self.notes), "rows": rows}

    def to_markdown(self) -> str:
        """A summary for a pull request."""
        head = f"### Policy benchmark: {self.verdict}"
        table = ["| world | policy | base | candidate | difference | interval | verdict |", "|-|-|-:|-:|-:|-:|-|"]
        table += ["| " + " | ".join(_markdown(cell) for cell in self._cells(row)) + " |" for row in self.rows]
        said = [f"- {_markdown(note)}" for note in [*self._remarks(), self.rule]]
        return "\n\n".join([head, *(["\n".join(table)] if self.rows else []), "\n".join(said)]) + "\n"

    def __repr__(self) -> str:
        return one_line(self._said())

    def _repr_html_(self) -> str:
        head = ("world", "policy", "base", "candidate", "difference", "interval", "verdict")
        remarks = [*self._remarks(), *([self.rule] if self.rows else [])]
        return html_table(self._said(), head if self.rows else (), [self._cells(row) for row in self.rows], remarks)

    def _said(self) -> str:
        many = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'}"
        return f"Comparison of {self.candidate} with {self.base}: {self.verdict} ({many})"

    def __str__(self) -> str:
        parts = [side_by_side([self._cells(row) for row in self.rows], right=(2, 3, 4))] if self.rows else []
        return "\n\n".join([*parts, "\n".join([*self._remarks(), *([self.rule] if self.rows else [])])])

    def _cells(self, row: Compared) -> tuple[str, ...]:
        if not math.isfinite(row.difference):
            return row.world, row.policy, "-", "-", "-", "-", f"{row.verdict}: {row.reason}"
        allowed = f"margin allowed {self.margin:.1%}, detectable from {row.detectable:.1%}"
        return (
            row.world,
            row.policy,
            f"{row.base:.2f}",
            f"{row.candidate:.2f}",
            f"{row.difference:+.1%}",
            f"[{row.ci_low:+.1%}, {row.ci_high:+.1%}]",
            f"{row.verdict} ({allowed})",
        )

    def _remarks(self) -> list[str]:
        refused = [f"No comparison: {self.refused}"] if self.refused else []
        return [*refused, *self.notes, *(text for row in self.rows if (text := self._too_noisy(row)))]

    def _too_noisy(self, row: Compared) -> str:
        """Said of a row that passes although a loss above the margin may hide in its interval."""
        if not (row.ci_low < -self.margin <= row.ci_high):
            return ""
        many = seeds_needed(row.seeds, row.detectable, self.margin) if self.margin > 0.0 else 0
        advice = f" About {many} seeds would show it." if many > row.seeds else ""
        return f"{row.world} {row.policy}: a loss above {self.margin:.1%} is not excluded.{advice}"


def _json(value: object) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown(text: str) -> str:
    escaped = html.escape(text, quote=False)
    for sign in "\\|`*_[]":
        escaped = escaped.replace(sign, f"\\{sign}")
    return " ".join(escaped.split())
