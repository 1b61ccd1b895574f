"""The answer of an evaluation, and how it is shown: JSON, a table in a terminal, HTML in a notebook.

Not here: the HTML report with pictures (report/), the command line (cli/).
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaignrl.display import one_line
from campaignrl.ope.diagnostics import NeverTried, Sensitivity, Stretch
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods.shrinkage import FIXED
from campaignrl.ope.methods.weight_histogram import WeightHistogram
from campaignrl.ope.nuisance import CalibrationBin, WaveCalibration

FIGURES = (
    "n",
    "customers",
    "ess",
    "max_weight_share",
    "mean_weight",
    "off_support_mass",
    "logged_value",
    "lift",
    "lift_ci_low",
    "lift_ci_high",
)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a policy would earn per decision, from a log; figures that cannot be had are NaN (null in JSON).

    Attributes:
        policy, log_policy, reference: who is valued, who wrote the log, what the lift is over.
        estimates: by estimator: value, std_error, ci_low, ci_high, and how the interval was made; unit `reward`.
        lift, lift_ci_low, lift_ci_high: over the reference, in the same unit, paired by customer.
        n, customers: rows used, and whose; ess: effective sample size.
        verdict: trust, caution or refuse; reasons: why, in sentences.
        robust: value by two figures that few rows cannot decide, where one row does or if asked for.
        over_time, never_tried: the lift by stretches of days; parts of the contexts where an action never came.
        sensitivity: by which factor propensities must be off to turn the sign of the lift.

    Example:
        >>> import campaignrl as crl
        >>> log = crl.simulate("coupon_trap", "uniform", customers=200, seed=7)
        >>> crl.evaluate(log, "logged")
        Evaluation of logged: trust, 23,200 decisions of 200 customers
    """

    policy: str
    log_policy: str  # who wrote the log
    reference: str  # what the lift is over
    reward: str  # unit of the reward
    reward_range: tuple[float, float]
    reward_range_from: str  # given | the log's facts | 0 or 1 | observed
    actions_from: str | None  # where the action set came from, if the log says
    alpha: float  # intervals cover with 1 - alpha
    n: int  # rows used
    dropped: int  # rows left out, their outcome being unknown yet
    customers: int
    ess: float
    max_weight_share: float
    mean_weight: float
    off_support_mass: float
    logged_value: float
    lift: float
    lift_ci_low: float
    lift_ci_high: float
    verdict: str  # trust | caution | refuse
    reasons: tuple[str, ...]
    estimates: Mapping[str, Estimate]
    settings: Mapping[str, float] = field(default_factory=dict)  # of estimators that hold weights back; may be infinite
    settings_from: str = FIXED  # fixed | slope | mse
    selection: str = ""  # what `auto` took, in words
    reward_model: str = ""  # which, and on how many rows it was fitted
    logging_policy: str = ""  # where its probabilities of other actions come from, if they were needed
    calibration: tuple[CalibrationBin, ...] = ()  # of estimated propensities
    calibration_by_wave: tuple[WaveCalibration, ...] = ()
    spread: WeightHistogram | None = field(
        default=None, repr=False, compare=False
    )  # of weights, for pictures; not in JSON
    robust: Mapping[str, Estimate] = field(default_factory=dict)  # winsorised, logsumexp; empty: not asked, no outlier
    over_time: tuple[Stretch, ...] = ()  # the lift by stretches of days, of the rows that checks look at
    never_tried: tuple[NeverTried, ...] = ()  # parts of the contexts in which an action never came
    sensitivity: Sensitivity | None = None  # how far propensities may be off; None: not looked at

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where a figure cannot be had."""
        apart = ("estimates", "spread", "sensitivity", "over_time", "never_tried", "robust")
        facts = {name: _json(getattr(self, name)) for name in self.__dataclass_fields__ if name not in apart}
        facts["settings"] = {name: _json(value) for name, value in self.settings.items()}
        facts["calibration"] = [part._asdict() for part in self.calibration]
        for of in ("estimates", "robust"):
            made: Mapping[str, Estimate] = getattr(self, of)
            facts[of] = {n: {field: _json(value) for field, value in e._asdict().items()} for n, e in made.items()}
        for name in ("over_time", "never_tried", "calibration_by_wave"):
            parts = getattr(self, name)
            facts[name] = [{field: _json(value) for field, value in part._asdict().items()} for part in parts]
        facts["sensitivity"] = None if self.sensitivity is None else self.sensitivity.to_dict()
        return facts

    def __repr__(self) -> str:
        rows = f"{self.n:,} decisions of {self.customers:,} customers"
        return one_line(f"{type(self).__name__} of {self.policy}: {self.verdict}, {rows}")

    def __str__(self) -> str:
        sections = [self._heading(), _columns(self._table()), "\n".join(self._notes())]
        return "\n\n".join(sections)

    def _repr_html_(self) -> str:
        head, *body = self._table()
        cells = [
            "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"
            for tag, row in [("th", head), *(("td", row) for row in body)]
        ]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self._notes())
        heading = html.escape(self._heading())
        return f"<div><p>{heading}</p><table>{''.join(cells)}</table><ul>{notes}</ul></div>"

    @property
    def per(self) -> str:
        """What a value is of."""
        return "per decision"

    def _heading(self) -> str:
        dropped = f", {self.dropped:,} immature left out" if self.dropped else ""
        rows = f"{self.n:,} decisions of {self.customers:,} customers{dropped}"
        return f"{self.policy}: {self.reward} {self.per}, from {rows}, logged by {self.log_policy}"

    def _table(self) -> list[tuple[str, ...]]:
        level = f"{1 - self.alpha:.0%} interval"
        rows: list[tuple[str, ...]] = [("estimator", "value", "std. error", level, "made by")]
        for name, e in [*self.estimates.items(), *self.robust.items()]:
            rows.append((name, _number(e.value), _number(e.std_error), _interval(e.ci_low, e.ci_high), e.interval))
        lift = _interval(self.lift_ci_low, self.lift_ci_high)
        rows.append((f"over {self.reference}", f"{_number(self.lift, '+')}", "", lift, "paired by customer"))
        return rows

    def _notes(self) -> list[str]:
        return [
            f"logged value {_number(self.logged_value)}   effective sample size {self.ess:,.0f}   "
            f"mean weight {_number(self.mean_weight)}   heaviest row {self.max_weight_share:.2%}   "
            f"never tried {self.off_support_mass:.2%}",
            *([f"actions from {self.actions_from}"] if self.actions_from else []),
            *([f"logging policy {self.logging_policy}"] if self.logging_policy else []),
            *self._how(),
            *([said] if self.sensitivity is not None and (said := self.sensitivity.sentence()) else []),
            f"{self.verdict}" + (": " if self.reasons else "") + " ".join(self.reasons),
        ]

    def _how(self) -> list[str]:
        """Which model and settings the estimates were made with, where they are not the usual ones."""
        told = [f"reward model {self.reward_model}"] if self.reward_model not in ("", "ridge") else []
        told += [self.selection] if self.selection else []
        if self.settings_from != FIXED and self.settings:
            held = ", ".join(f"{name} {value:g}" for name, value in self.settings.items())
            told.append(f"weights held back at {held} ({self.settings_from})")
        return told


def _json(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [_json(part) for part in value] if isinstance(value, tuple) else value


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4g}" if math.isfinite(value) else "-"


def _interval(low: float, high: float) -> str:
    return f"[{_number(low)}, {_number(high)}]" if math.isfinite(low) else "-"


def _columns(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
