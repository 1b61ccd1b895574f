"""Logistic regression of a campaign's funnel: who delivers, opens, clicks, leaves; weighted, penalised, cross-fitted.

Rows count for stabilised 1 / propensity, clipped; a penalty on the squared coefficients keeps rare levels quiet;
standard errors are by customer (Liang & Zeger 1986). Predictions for a customer come from rows of other customers, so
their fit is honest. Not here: what the coefficients mean for a world (moments.py). n rows, d columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Float, Int
from campaignrl.calibration.response.clustered_statistics import by_customer
from campaignrl.rng import Purpose, customer_keys, uniform

STEPS, TOLERANCE = 50, 1e-9
PENALTY = 1.0  # on the squared coefficients, the intercept's left out; as one row of evidence against each
FOLDS = 5


class Logistic(NamedTuple):
    """A fitted regression: coefficients (d,), the intercept first, and their covariance by customer (d, d)."""

    coefficients: Float
    covariance: Float

    @property
    def se(self) -> Float:
        """(d,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def predict(self, x: Float) -> Float:
        """(n,) probabilities; x: (n, d - 1)."""
        p: Float = special.expit(self.coefficients[0] + x @ self.coefficients[1:])
        return p


class Response(NamedTuple):
    """A regression with how well it predicts customers it has not seen."""

    fit: Logistic
    predicted: Float  # (n,) out of fold
    log_loss: float
    auc: float
    slope: float  # of outcomes on predicted log-odds; 1: calibrated


def fit_logistic(x: Float, y: Float, weight: Float, customer: Int, penalty: float = PENALTY) -> Logistic:
    """Newton's method with step halving; x: (n, d - 1), y: (n,) 0 or 1."""
    design = np.column_stack([np.ones(len(x)), x])
    ridge = np.diag([0.0, *np.full(x.shape[1], penalty)])
    beta = np.zeros(design.shape[1])
    mean = np.clip(np.average(y, weights=weight), 1e-6, 1.0 - 1e-6)
    beta[0] = np.log(mean / (1.0 - mean))
    loss = _loss(design, y, weight, beta, ridge)
    for _ in range(STEPS):
        p = special.expit(design @ beta)
        hessian = (design * (weight * p * (1.0 - p))[:, None]).T @ design + ridge
        gradient = design.T @ (weight * (y - p)) - ridge @ beta
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        size = 1.0
        while (new := _loss(design, y, weight, beta + size * step, ridge)) > loss + 1e-12 and size > 1e-6:
            size /= 2.0
        beta, loss, gained = beta + size * step, new, loss - new
        if gained <= TOLERANCE * max(abs(loss), 1.0):
            break
    p = special.expit(design @ beta)
    inverse = np.linalg.pinv((design * (weight * p * (1.0 - p))[:, None]).T @ design + ridge)
    scores = (weight * (y - p))[:, None] * design
    grouped = np.stack([by_customer(customer, column) for column in scores.T], axis=1)
    return Logistic(beta, inverse @ (grouped.T @ grouped) @ inverse)


def fit_response(x: Float, y: Float, weight: Float, customer: Int, seed: int = 0, penalty: float = PENALTY) -> Response:
    """The regression on all rows, and predictions of each fold of customers from the others."""
    who, code = np.unique(customer, return_inverse=True)
    fold = (uniform(customer_keys(who), seed, 0, Purpose.FOLD) * FOLDS).astype(np.int64)[code]
    predicted = np.empty(len(y))
    for k in range(FOLDS):
        mine = fold == k
        if mine.any():
            predicted[mine] = fit_logistic(x[~mine], y[~mine], weight[~mine], customer[~mine], penalty).predict(x[mine])
    p = np.clip(predicted, 1e-9, 1.0 - 1e-9)
    loss = -np.average(y * np.log(p) + (1.0 - y) * np.log1p(-p), weights=weight)
    odds = special.logit(p)[:, None]
    slope = fit_logistic(odds, y, weight, customer, 0.0).coefficients[1] if np.ptp(odds) > 1e-9 else np.nan
    return Response(fit_logistic(x, y, weight, customer, penalty), predicted, float(loss), _auc(p, y), float(slope))


def _loss(design: Float, y: Float, weight: Float, beta: Float, ridge: Float) -> float:
    odds = design @ beta
    return float((weight * (np.logaddexp(0.0, odds) - y * odds)).sum() + 0.5 * beta @ ridge @ beta)


def _auc(p: Float, y: Float) -> float:
    """Chance that a row that happened was predicted higher than one that did not; ties count half."""
    values, code = np.unique(p, return_inverse=True)
    ones, zeros = (np.bincount(code, weights=part, minlength=len(values)) for part in (y, 1.0 - y))
    if not ones.sum() or not zeros.sum():
        return float("nan")
    return float((ones * (np.cumsum(zeros) - 0.5 * zeros)).sum() / (ones.sum() * zeros.sum()))
