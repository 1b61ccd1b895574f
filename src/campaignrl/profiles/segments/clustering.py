"""Segments by clustering: k-means or a Gaussian mixture in the scaled space of tags, and who belongs to which.

Fitted by scikit-learn, kept as plain numbers: centres, covariances and weights, largest segment first. Assigning works
in chunks of one size, so that a customer's segment never depends on the others in the table. Not here: how many
segments (choose_k.py), the space (scaling.py). n customers, d columns, k segments.
"""

from __future__ import annotations

import warnings
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import model_validator
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Int64
from campaignrl.errors import Problem, SpecError
from campaignrl.policies import in_chunks
from campaignrl.profiles.segments.scaling import ScaledTag, scaled
from campaignrl.profiles.table import require_tags
from campaignrl.specs import Spec

Method = Literal["kmeans", "gmm"]
Matrix = tuple[tuple[float, ...], ...]

SMALLEST_VARIANCE = 0.05  # of a mixture's component, in the scaled space: no segment is a single value
WIDEST_FULL = 12  # columns up to which a mixture's covariances are full; beyond, and with categories, diagonal
STARTS = 4


class Fit(NamedTuple):
    """Plain numbers of k clusters."""

    weights: Float  # (k,) shares, largest first
    centres: Float  # (k, d)
    covariances: Float  # (k, d, d) of a mixture; (0, d, d) for k-means


class Clusters(Spec):
    """A learned segmentation: the space, and where in it the segments lie."""

    method: Method
    scale: tuple[ScaledTag, ...]
    names: tuple[str, ...]
    weights: tuple[float, ...]
    centres: Matrix
    covariances: tuple[Matrix, ...] = ()

    @model_validator(mode="after")
    def _shapes(self) -> Clusters:
        k, d = len(self.names), sum(len(part.columns) for part in self.scale)
        sizes = [len(self.weights), len(self.centres), len(self.covariances) or k]
        fits = sizes == [k, k, k] and all(len(c) == d for c in self.centres) and len(set(self.names)) == k > 0
        fits = fits and (len(self.covariances) == k) == (self.method == "gmm")
        fits = fits and all(len(c) == d and all(len(row) == d for row in c) for c in self.covariances)
        if not fits:
            raise SpecError(Problem("[part]", "centres", f"{k} names", "of one size with names, weights and scale"))
        if any(np.linalg.eigvalsh(np.array(c)).min() <= 0 for c in self.covariances if d):
            raise SpecError(Problem("[part]", "covariances", "(a matrix)", "positive definite"))
        return self

    @property
    def fit(self) -> Fit:
        """The numbers as arrays."""
        d = sum(len(part.columns) for part in self.scale)
        covariances = np.array(self.covariances, dtype=np.float64).reshape(-1, d, d)
        return Fit(np.array(self.weights), np.array(self.centres).reshape(-1, d), covariances)

    def codes(self, profiles: pd.DataFrame) -> Int64:
        """(n,) index into `names` of each customer."""
        require_tags(profiles, [part.tag for part in self.scale])
        return assigned(scaled(profiles, self.scale), self.fit)


def assigned(x: Float, fit: Fit) -> Int64:
    """(n, d) -> (n,) the nearest centre, or the component most likely to have made the row."""
    if len(fit.weights) == 1 or not x.shape[1]:
        return np.zeros(len(x), dtype=np.int64)
    scores = _likelihoods if len(fit.covariances) else _nearness
    with threadpool_limits(limits=1):
        codes: Int64 = in_chunks(lambda rows: np.argmax(scores(rows, fit), axis=1), x).astype(np.int64)
    return codes


def fit_clusters(x: Float, method: Method, k: int, full: bool, chance: np.random.Generator) -> Fit:
    """Clusters, k of them, of the rows x (n, d); full: covariances of a mixture have off-diagonal parts."""
    from sklearn.cluster import KMeans  # slow to import, and few verbs need it
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    seed = int(chance.integers(2**31))
    # With fewer distinct rows than clusters some come out empty, and a mixture may stop early: the choice sees both.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if method == "kmeans":
            means = KMeans(k, n_init=STARTS, random_state=seed).fit(x)
            weights, centres, covariances = (
                np.bincount(means.labels_, minlength=k) / len(x),
                means.cluster_centers_,
                None,
            )
        else:
            kind = "full" if full else "diag"
            mixture = GaussianMixture(
                k,
                covariance_type=kind,
                n_init=STARTS // 2,
                reg_covar=SMALLEST_VARIANCE,
                random_state=seed,
                max_iter=300,
            ).fit(x)
            weights, centres, covariances = mixture.weights_, mixture.means_, mixture.covariances_
    order = np.lexsort((*centres.T[::-1], -np.round(weights, 9)))  # the largest first; ties by where they lie
    if covariances is None:
        matrices = np.zeros((0, x.shape[1], x.shape[1]))
    else:
        matrices = covariances if full else np.array([np.diag(c) for c in covariances])
        matrices = matrices[order]
    return Fit(np.asarray(weights[order], dtype=np.float64), np.asarray(centres[order], dtype=np.float64), matrices)


def log_likelihood(x: Float, fit: Fit) -> float:
    """Of the rows under the mixture; for k-means of rows and segments under one Gaussian each, of a common diagonal.

    Cutting a single round group in two then costs more (log 2 a row) than the halves gain, which a variance common to
    all columns (Pelleg & Moore 2000) does not see where one column is wide.
    """
    if len(fit.covariances):
        return float(np.logaddexp.reduce(_likelihoods(x, fit), axis=1).sum())
    codes = np.argmax(_nearness(x, fit), axis=1)
    variance = np.maximum(((x - fit.centres[codes]) ** 2).mean(axis=0), SMALLEST_VARIANCE)
    mixing = float(np.log(np.maximum(fit.weights[codes], 1e-300)).sum())
    squares = float((((x - fit.centres[codes]) ** 2) / variance).sum())
    return float(mixing - 0.5 * len(x) * np.log(2.0 * np.pi * variance).sum() - 0.5 * squares)


def parameters_of(fit: Fit, full: bool) -> int:
    """Free numbers of the model that `log_likelihood` speaks of."""
    k, d = fit.centres.shape
    spread = (k * d * (d + 1) // 2 if full else k * d) if len(fit.covariances) else d
    return int(k - 1 + k * d + spread)


def _nearness(x: Float, fit: Fit) -> Float:
    """(n, k) minus half the squared distance to each centre, but for what all centres share."""
    nearness: Float = x @ fit.centres.T - 0.5 * (fit.centres**2).sum(axis=1)
    return nearness


def _likelihoods(x: Float, fit: Fit) -> Float:
    """(n, k) log of weight times density of each component."""
    columns = []
    for weight, centre, covariance in zip(fit.weights, fit.centres, fit.covariances, strict=True):
        root = np.linalg.cholesky(covariance)
        away = solve_triangular(root, (x - centre).T, lower=True)
        size = np.log(2.0 * np.pi) * len(centre) + 2.0 * np.log(np.diag(root)).sum()
        columns.append(np.log(max(weight, 1e-300)) - 0.5 * (size + (away**2).sum(axis=0)))
    return np.column_stack(columns)
