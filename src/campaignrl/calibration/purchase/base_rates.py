"""How customers order when nothing is sent to them: a segment's order rate, lifetime and basket, from its history.

Fitted on untreated spells: histories that end before the campaign begins. A world's rates are those of a Pareto/NBD;
where another model was chosen (forecast.py), of the one that foretells as many orders (constrained_pareto.py). Order
values are Gamma-Gamma. Small segments lean on all customers (partial_pooling.py). Not here: histories from events
(rfm.py, untreated_histories.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float
from campaignrl.calibration.purchase.constrained_pareto import foretelling
from campaignrl.calibration.purchase.forecast import Forecast, fit_of
from campaignrl.calibration.purchase.gamma_gamma import GammaGamma, fit_gamma_gamma
from campaignrl.calibration.purchase.histories import histories
from campaignrl.calibration.purchase.pareto_nbd import ParetoNbd, fit_pareto_nbd, log_likelihood
from campaignrl.calibration.purchase.partial_pooling import fit_by_segment

Path = tuple[str, ...]

PARETO = "Pareto/NBD"
OF_HISTORIES = f"{PARETO} of untreated histories"
FEWEST = 50  # customers with repeat orders below which a model has too little to go by
LONGEST_LIFE = 36_500.0  # days; where nobody is seen to leave
WIDEST = 3.0  # coefficient of variation
VAGUE = 1.0  # standard error of a logarithm from which a number is not known, not even to its order
STEP = 1e-4  # of log parameters, for the curvature


class Fitted(NamedTuple):
    """A number with its standard error and what it was fitted on.

    known: False where the data do not tell: the value is a bound, or its error is as large as itself.
    """

    value: float
    se: float
    n: float
    by: str
    known: bool = True


def purchase_numbers(
    columns: Mapping[str, Float], labels: npt.NDArray[np.object_], chosen: Forecast | None = None
) -> dict[Path, Fitted]:
    """Rate, lifetime and their spreads of each segment. columns: x, t_x, T (n,) in days, average ones in a season."""
    if int((columns["x"] > 0).sum()) < FEWEST:
        return {}
    fits = fit_by_segment(fit_pareto_nbd, columns, labels).segments
    theirs = None
    if chosen is not None and chosen.tried and chosen.name != PARETO:
        theirs = fit_by_segment(fit_of(chosen.name), columns, labels).segments
    found: dict[Path, Fitted] = {}
    for name, fit in fits.items():
        rows = labels == name
        own, by = {key: column[rows] for key, column in columns.items()}, OF_HISTORIES
        covariance = log_covariance(fit, own)
        if theirs is not None and chosen is not None:
            days = float(chosen.judged_days)
            total = float(theirs[name].expected_purchases(days, **own).sum())
            fit = foretelling(fit, total, days, own, covariance)
            by = f"{PARETO} that foretells what {chosen.name} does, of untreated histories"
        for path, number in pareto_numbers(fit, covariance, int(rows.sum()), by).items():
            found["segments", name, *path] = number
    return found


def pareto_numbers(fit: ParetoNbd, covariance: Float, n: int, by: str = OF_HISTORIES) -> dict[Path, Fitted]:
    """The world's numbers of a Pareto/NBD fitted in days; covariance: (4, 4) of the logs of r, alpha, s, beta."""
    logs = np.log([fit.r, fit.alpha, fit.s, fit.beta])
    contrasts: dict[Path, tuple[Float, float]] = {
        ("purchase", "rate"): (np.array([1.0, -1.0, 0.0, 0.0]), 2.0),
        ("purchase", "spread"): (np.array([-0.5, 0.0, 0.0, 0.0]), WIDEST),
        ("lifetime", "days"): (np.array([0.0, 0.0, -1.0, 1.0]), LONGEST_LIFE),
        ("lifetime", "spread"): (np.array([0.0, 0.0, -0.5, 0.0]), WIDEST),
    }
    found: dict[Path, Fitted] = {}
    for path, (contrast, most) in contrasts.items():
        fitted, relative = float(np.exp(contrast @ logs)), max(float(contrast @ covariance @ contrast), 0.0) ** 0.5
        known = fitted < most and 0.0 < relative < VAGUE  # 0: the likelihood is not curved there
        source = by if known else f"not identified by {n:,} untreated histories"
        found[path] = Fitted(min(fitted, most), min(fitted, most) * relative, n, source, known)
    if not found["lifetime", "days"].known:  # nobody is seen to leave, so their differences are not seen either
        source = found["lifetime", "days"].by
        found["lifetime", "spread"] = found["lifetime", "spread"]._replace(known=False, by=source)
    return found


def log_covariance(fit: ParetoNbd, columns: Mapping[str, Float]) -> Float:
    """(4, 4) covariance of the logs of the parameters: the inverse of the log-likelihood's curvature there."""
    given = histories(columns["x"], columns["t_x"], columns["T"])

    def slope(logs: Float) -> Float:
        parameters = np.exp(logs)
        return log_likelihood(parameters, given)[1] * parameters

    logs = np.log([fit.r, fit.alpha, fit.s, fit.beta])
    rows = [(slope(logs + STEP * unit) - slope(logs - STEP * unit)) / (2.0 * STEP) for unit in np.eye(4)]
    curvature = -np.array(rows)
    return np.asarray(np.linalg.pinv((curvature + curvature.T) / 2.0 + 1e-6 * np.eye(4)), dtype=np.float64)


def basket_numbers(orders: Float, mean: Float, labels: npt.NDArray[np.object_]) -> dict[Path, Fitted]:
    """Mean and spreads of order values. orders, mean: (n,) orders whose values are known, and their mean."""
    known = (orders >= 1) & (mean > 0)
    if int((known & (orders > 1)).sum()) < FEWEST:
        return _one_spread(orders[known], mean[known], labels[known])
    fit: Callable[..., GammaGamma] = fit_gamma_gamma
    fits = fit_by_segment(fit, {"x": orders[known], "m": mean[known]}, labels[known]).segments
    found: dict[Path, Fitted] = {}
    for name, model in fits.items():
        if model.q <= 2.05:  # no second moment: a lognormal world cannot hold it
            continue
        rows = known & (labels == name)
        n, within, between = int(rows.sum()), model.p**-0.5, (model.q - 2.0) ** -0.5
        se = model.mean * float(np.sqrt((between**2 + within**2 / orders[rows]).mean() / n))
        by, errors = "Gamma-Gamma of order values", model.standard_errors
        found["segments", name, "basket", "mean"] = Fitted(model.mean, se, n, by)
        spread_se = 0.5 * (model.q - 2.0) ** -1.5 * errors["q"]
        found["segments", name, "basket", "spread"] = Fitted(between, spread_se, n, by)
        found["segments", name, "basket", "within"] = Fitted(within, 0.5 * model.p**-1.5 * errors["p"], n, by)
    return found


def _one_spread(orders: Float, mean: Float, labels: npt.NDArray[np.object_]) -> dict[Path, Fitted]:
    """Where hardly anybody ordered twice: the mean alone."""
    found: dict[Path, Fitted] = {}
    for name in sorted(set(labels.tolist())):
        values = mean[labels == name]
        if len(values) >= 10:
            se = float(values.std(ddof=1) / np.sqrt(len(values)))
            found["segments", name, "basket", "mean"] = Fitted(float(values.mean()), se, len(values), "mean order")
    return found
