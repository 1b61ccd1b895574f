"""In how many of the posterior draws each action is the best of the allowed ones: what Thompson sampling decides by.

Scores are products in the precision and shape that this machine treats all rows alike in (row_products.py, chunks.py),
so that a vote never depends on the batch. Those are slow, and hardly ever needed: where the best score leads by more
than rounding can turn, any product finds it. So scores are first made fast, in single precision (vote_scores.py); only
rows where some draw is too close to tell are scored again. n rows, k actions, S draws, D coefficients.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Array, Bool, Float, Float32
from campaignrl.policies.bandits.vote_scores import (
    SCORES_AT_ONCE,
    FastDraws,
    Votes,
    bar,
    clear_votes,
    counted,
    numbers_of_masks,
)
from campaignrl.policies.choice import in_cache
from campaignrl.policies.chunks import CHUNK
from campaignrl.policies.row_products import even_dtype


def vote_shares(coefficients: Float32, phi: Float32, allowed: Bool, fast: FastDraws | None = None) -> Float:
    """(n, k) share of draws in which each allowed action is best; arguments as in `winning_draws`."""
    votes = winning_draws(coefficients, phi, allowed, fast).T
    shares = np.empty(votes.shape)
    for rows in in_cache(len(phi)):
        some = votes[:, rows]
        np.divide(some, some.sum(axis=0, dtype=np.uint16), out=shares[:, rows], dtype=np.float64)
    return shares.T


def scoring_layout(draws: Float32) -> Float32:
    """(S, D, k) draws as (S, k, D), laid out in memory as `winning_draws` reads them."""
    return np.ascontiguousarray(draws.transpose(2, 0, 1)).transpose(1, 0, 2)


def winning_draws(coefficients: Float32, phi: Float32, allowed: Bool, fast: FastDraws | None = None) -> Votes:
    """(n, k) draws in which each allowed action has the highest score; a tie counts for each of its actions.

    coefficients: (S, k, D), S <= 255; phi: (n, D); fast: `FastDraws.of` the coefficients, where they are made. A row
    with nothing allowed has no votes.
    """
    fast = FastDraws.of(coefficients) if fast is None else fast
    votes, clear = clear_votes(fast, phi, allowed)
    left = np.flatnonzero(~clear)
    if len(left) and even_dtype() is not np.float32:
        finer = fast.as_given(coefficients, even_dtype())
        votes[:, left], clear = clear_votes(finer, phi[left], allowed[left])
        left = left[~clear]
    left = left[np.argsort(numbers_of_masks(allowed[left]), kind="stable")]  # in a batch few actions are then open
    for start in range(0, len(left), CHUNK):
        rows = left[start : start + CHUNK]
        padded = np.concatenate([rows, np.repeat(rows[:1], CHUNK - len(rows))])
        votes[:, rows] = _even_votes(coefficients, phi[padded], allowed[padded])[:, : len(rows)]
    return votes.T


def _even_votes(coefficients: Float32, phi: Float32, allowed: Bool) -> Votes:
    """(k, n) votes by scores of one precision and shape, for n rows of which none is scored otherwise than another."""
    S, k, D = coefficients.shape
    dtype = even_dtype()
    stacked = np.ascontiguousarray(coefficients.transpose(1, 0, 2), dtype=dtype).reshape(k * S, D)
    # As many rows at once as leave the scores of all draws in the second-level cache, a power of two.
    rows = max(32, min(512, 1 << int(np.log2(SCORES_AT_ONCE / (k * S)))))
    largest, most = D * float(np.abs(stacked).max()), float(np.finfo(dtype).max)  # of a score of features of 1
    votes, may = np.zeros((k, len(phi)), dtype=np.uint8), np.ascontiguousarray(allowed.T)
    for at in (slice(start, start + rows) for start in range(0, len(phi), rows)):
        x = phi[at].T.astype(dtype, copy=False)
        # Actions outside, draws, rows inside: every step is one pass over contiguous memory, and one large product.
        score: Array = np.matmul(stacked, x).reshape(k, S, -1)
        open_ = np.flatnonzero(may[:, at].any(axis=1))  # to any of these rows
        if len(open_):
            score = score[open_]
            if not largest * float(np.abs(x).max()) < most:  # a score may be infinite, or none, and no sum bars it
                np.copyto(score, dtype(-np.inf), where=~may[open_, None, at])
            bar(score, may[open_, at])
            votes[open_, at] = counted(score, None)
    votes *= may
    return votes
