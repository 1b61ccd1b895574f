"""Partial pooling: the figures of segments drawn towards each other, by as much as they may differ by luck alone.

Normal-normal, with the variance between segments by moments (DerSimonian & Laird 1986, "Meta-analysis in clinical
trials"). Where segments are made of several traits, they are drawn towards what their traits add up to instead of
towards one mean (Fay & Herriot 1979, "Estimates of Income for Small Places"). Not here: pooling of whole purchase
models (partial_pooling.py). g segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campaignrl.arrays import Float
from campaignrl.calibration.response.clustered_statistics import Figure, Scale, scale_slope, to_scale

LEAST = 0.1  # of the common rate; no rate is drawn below


def traits_design(parts: Sequence[tuple[str, ...]]) -> Float:
    """(g, d) dummies of what each segment is made of, after a column of ones; parts: levels of its traits."""
    columns = [np.ones(len(parts))]
    for levels in zip(*parts, strict=True):
        for level in sorted(set(levels))[1:]:
            columns.append(np.array([each == level for each in levels], dtype=np.float64))
    return np.stack(columns, axis=1)


def pooled(figures: list[Figure], scale: Scale | None = None, design: Float | None = None) -> list[Figure]:
    """Each figure drawn towards what is expected of it by the others; one that is not to be had becomes that.

    With a scale, rates are pooled as they are, each with the variance it would have at the common rate: logs of small
    counts lean to one side. design: (g, d) of the segments; None: one common mean.
    """
    x = np.ones((len(figures), 1)) if design is None else design
    if scale is not None:
        return _pooled_rates(figures, scale, x)
    value, se = np.array([f.value for f in figures]), np.array([f.se for f in figures])
    known = np.isfinite(value) & np.isfinite(se) & (se > 0)
    if not known.any():
        return figures
    drawn, error = _drawn(np.where(known, value, 0.0), np.where(known, se**2, np.inf), x)
    return [f._replace(value=float(v), se=float(s)) for v, s, f in zip(drawn, error, figures, strict=True)]


def _pooled_rates(figures: list[Figure], scale: Scale, x: Float) -> list[Figure]:
    mean, se, units = (np.array([getattr(f, name) for f in figures]) for name in ("mean", "mean_se", "units"))
    seen = units > 0
    if not seen.any():
        return figures
    common = float(np.average(mean[seen], weights=units[seen]))
    if not 0.0 < common < (1.0 if scale == "logit" else np.inf):
        return figures
    alone = mean * (1.0 - mean) if scale == "logit" else mean  # variance of one unit, if all were independent
    usual = np.divide(se**2 * units, alone, out=np.ones(len(se)), where=seen & (alone > 0))
    clustered = float(np.average(usual[seen], weights=units[seen]))  # how much more it is
    at_common = clustered * (common * (1.0 - common) if scale == "logit" else common)
    variance = np.divide(at_common, units, out=np.full(len(se), np.inf), where=seen)
    drawn, error = _drawn(np.where(seen, mean, 0.0), variance, x)
    drawn = np.clip(drawn, LEAST * common, 1.0 - LEAST * (1.0 - common) if scale == "logit" else np.inf)
    return [
        f._replace(value=to_scale(float(v), scale), se=float(s) * scale_slope(float(v), scale))
        for v, s, f in zip(drawn, error, figures, strict=True)
    ]


def _drawn(value: Float, variance: Float, x: Float) -> tuple[Float, Float]:
    """(g,) values drawn to their expectations, and their standard errors. variance: infinite where nothing is known."""
    seen = np.isfinite(variance)
    between = _between(value[seen], variance[seen], x[seen])
    weight = np.where(seen, 1.0 / (between + np.where(seen, variance, 1.0)), 0.0)
    inverse = np.linalg.pinv((x * weight[:, None]).T @ x)
    expected = x @ (inverse @ (x.T @ (weight * value)))
    error = np.einsum("ij,jk,ik->i", x, inverse, x)
    kept = np.where(seen, between / (between + np.where(seen, variance, 1.0)), 0.0)
    own = np.where(seen, kept * np.where(seen, variance, 0.0), between)
    return expected + kept * (value - expected), np.sqrt(own + (1.0 - kept) ** 2 * np.maximum(error, 0.0))


def _between(value: Float, variance: Float, x: Float) -> float:
    """Variance between segments beyond what is expected of them and beyond their own luck."""
    w = 1.0 / variance
    free = len(value) - int(np.linalg.matrix_rank(x)) if len(value) else 0
    if free < 1:
        return 0.0
    inverse = np.linalg.pinv((x * w[:, None]).T @ x)
    residual = value - x @ (inverse @ (x.T @ (w * value)))
    spread = w.sum() - np.trace(inverse @ ((x * (w**2)[:, None]).T @ x))
    return max(0.0, (float((w * residual**2).sum()) - free) / float(spread))
