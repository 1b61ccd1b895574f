"""In how many of the posterior draws each action is the best of the allowed ones: what Thompson sampling decides by.

Scores are products in the precision and shape that this machine treats all rows alike in (row_products.py, chunks.py),
so that a vote never depends on the batch. Those are slow, and hardly ever needed: where the best score leads by more
than rounding can turn, any product finds it. So scores are first made in single precision, for rows with the same
allowed actions together and for those actions alone; only rows where some draw is too close to tell are scored again.
n rows, k actions, S draws, D coefficients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import gcd

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Bool, Float, Float32, Rows
from campaignrl.policies.choice import in_cache
from campaignrl.policies.chunks import CHUNK
from campaignrl.policies.row_products import even_dtype

SCORES_AT_ONCE = 400_000  # of all draws and actions; 1.6 MB
DRAWS_AT_ONCE = 32  # compared at once: the best scores of 256 rows by 32 draws stay in the first-level cache
FEW = 64  # rows of which all actions are barred at once, since a step for each action costs more
ROWS_AT_ONCE = 256  # scored at once, with the actions that any of them may have

Votes = npt.NDArray[np.uint8]
Batch = tuple[slice, Bool, bool, bool]  # as `_batches_with_actions` says them


def vote_shares(coefficients: Float32, phi: Float32, allowed: Bool, largest: Float32 | None = None) -> Float:
    """(n, k) share of draws in which each allowed action is best; arguments as in `winning_draws`."""
    votes = winning_draws(coefficients, phi, allowed, largest).T
    shares = np.empty(votes.shape)
    for rows in in_cache(len(phi)):
        some = votes[:, rows]
        np.divide(some, some.sum(axis=0, dtype=np.uint16), out=shares[:, rows], dtype=np.float64)
    return shares.T


def scoring_layout(draws: Float32) -> Float32:
    """(S, D, k) draws as (S, k, D), laid out in memory as `winning_draws` reads them."""
    return np.ascontiguousarray(draws.transpose(2, 0, 1)).transpose(1, 0, 2)


def largest_of(coefficients: Float32) -> Float32:
    """(D,) size of the largest coefficient of any draw and action. coefficients: as in `winning_draws`."""
    return np.asarray(np.abs(coefficients).max(axis=(0, 1)))


def winning_draws(coefficients: Float32, phi: Float32, allowed: Bool, largest: Float32 | None = None) -> Votes:
    """(n, k) draws in which each allowed action has the highest score; a tie counts for each of its actions.

    coefficients: (S, k, D), S <= 255; phi: (n, D); largest: what `largest_of` says of them, where it is known. A row
    with nothing allowed has no votes.
    """
    exact = np.ascontiguousarray(coefficients.transpose(1, 0, 2))
    largest = largest_of(coefficients) if largest is None else largest
    votes, clear = _clear_votes(exact, phi, allowed, largest)
    left = np.flatnonzero(~clear)
    if len(left) and even_dtype() is not np.float32:
        finer = exact.astype(even_dtype())
        votes[:, left], clear = _clear_votes(finer, phi[left], allowed[left], largest.astype(finer.dtype))
        left = left[~clear]
    for start in range(0, len(left), CHUNK):
        rows = left[start : start + CHUNK]
        padded = np.concatenate([rows, np.repeat(rows[:1], CHUNK - len(rows))])
        votes[:, rows] = _even_votes(coefficients, phi[padded], allowed[padded])[:, : len(rows)]
    return votes.T


def _clear_votes(by_action: Array, phi: Float32, allowed: Bool, largest: Array) -> tuple[Votes, Bool]:
    """(k, n) votes, none in rows where some draw is too close to tell; and (n,) which rows are not.

    by_action: (k, S, D) in the precision to score in; largest: (D,) of them, in the same.
    """
    k, S, D = by_action.shape
    few = len(phi) <= FEW
    turn = None if few else _by_mask(allowed)  # rows of a mask side by side
    x = (phi.T if turn is None else phi.T.take(turn, axis=1)).astype(by_action.dtype, copy=False)  # (D, n)
    at_once = len(phi) if few else _rows_at_once(k * S)
    may = allowed.T if turn is None else np.ascontiguousarray(allowed[turn].T)
    if few:
        batches: Iterable[Batch] = _as_one(allowed)
    else:
        batches = _alike(allowed, at_once) if turn is None else _batches_with_actions(may, at_once)
    found, clear = np.zeros((k, len(phi)), dtype=np.uint8), np.zeros(len(phi), dtype=bool)
    scores, coefficients, used = np.empty(k * S * at_once, by_action.dtype), by_action, np.arange(k)
    slack = _slack(largest, x)
    for at, some, others, partly in batches:
        if others:  # than the batch before had
            used = np.flatnonzero(some)
            coefficients = by_action if len(used) == k else by_action[used]
        if not len(used):
            clear[at] = True  # nothing allowed, no votes
            continue
        shape = (len(used) * S, at.stop - at.start)
        score: Array = scores[: shape[0] * shape[1]].reshape(shape)
        np.matmul(coefficients.reshape(-1, D), x[:, at], out=score)
        score = score.reshape(len(used), S, -1)
        if partly:
            _bar(score, may[used, at])
        won = _counted(score, slack[at])
        np.equal(won.sum(axis=0, dtype=np.uint16), S, out=clear[at])
        won *= clear[at]
        found[slice(None) if len(used) == k else used, at] = won
    if turn is None:
        return found, clear
    back = np.empty_like(turn)
    back[turn] = np.arange(len(turn))
    return found.take(back, axis=1), clear[back]


def _bar(score: Array, open_: Bool) -> None:
    """Let no draw choose what a row may not have. score: (u, S, m), written on; open_: (u, m)."""
    barred = np.where(open_, score.dtype.type(0.0), score.dtype.type(-np.inf))
    if score.shape[2] <= FEW:
        score += barred[:, None]
        return
    for i in np.flatnonzero(~open_.all(axis=1)):
        score[i] += barred[i]


def _rows_at_once(scores: int) -> int:
    """Rows of one mask whose scores of all draws stay in the second-level cache, a power of two."""
    return max(ROWS_AT_ONCE, min(CHUNK, 1 << int(np.log2(SCORES_AT_ONCE / scores))))


def _as_one(allowed: Bool) -> Iterator[Batch]:
    """As `_batches_with_actions`, of few rows (n, k): all at once, and all actions, which to choose costs more."""
    if len(allowed):
        yield slice(0, len(allowed)), np.ones(allowed.shape[1], dtype=bool), True, not allowed.all()


def _alike(allowed: Bool, at_once: int) -> Iterator[Batch]:
    """As `_batches_with_actions`, of rows (n, k) that all have one mask."""
    for start in range(0, len(allowed), at_once):
        yield slice(start, min(start + at_once, len(allowed))), allowed[0], not start, False


def _batches(may: Bool, at_once: int) -> list[slice]:
    """Columns of (k, m) to be scored at once: of one mask where many in a row have it, else some of several masks."""
    m = may.shape[1]
    changes = np.flatnonzero((may[:, 1:] != may[:, :-1]).any(axis=0)) + 1
    cuts, begin = [0], 0
    for start, end in pairwise([0, *changes.tolist(), m]):
        many = end - start >= ROWS_AT_ONCE // 2
        if many or end - begin > ROWS_AT_ONCE:
            cuts.append(start)
            begin = start
        if many:
            parts = -(-(end - start) // at_once)
            cuts += [start + (end - start) * i // parts for i in range(1, parts + 1)]
            begin = end
    return [slice(start, end) for start, end in pairwise([*cuts, m]) if end > start]


def _batches_with_actions(may: Bool, at_once: int) -> Iterator[Batch]:
    """Batches of (k, m): which actions (k,) any row has, if the one before had others, if some row has fewer."""
    batches = _batches(may, at_once)
    starts = [at.start for at in batches]
    some = np.logical_or.reduceat(may, starts, axis=1).T
    every = np.logical_and.reduceat(may, starts, axis=1).T
    others = [True, *(some[1:] != some[:-1]).any(axis=1).tolist()]
    return zip(batches, some, others, (some != every).any(axis=1).tolist(), strict=True)


def _counted(score: Array, slack: Array | None) -> Votes:
    """(u, m) draws in which each action has the highest score, or one within `slack` (m,) of it. score: (u, S, m)."""
    u, S, m = score.shape
    won = np.empty(score.shape, dtype=np.bool_)
    at_once = S if m <= FEW else DRAWS_AT_ONCE
    for some in (slice(s, s + at_once) for s in range(0, S, at_once)):
        best = score[:, some].max(axis=0)
        if slack is not None:
            best -= slack
        np.greater_equal(score[:, some], best, out=won[:, some])
    few = won.view(np.uint8).reshape(u, gcd(S, 8), -1, m)  # summed in two steps, twice as fast as in one
    return np.asarray(np.add.reduce(np.add.reduce(few, axis=1, dtype=np.uint8), axis=1, dtype=np.uint8))


def _slack(largest: Array, x: Array) -> Array:
    """(m,) by how much the best score has to lead: the bound of the rounding of both scores, here and as they decide.

    A sum of d products, in any order, fused or not, is within d u / (1 - d u) of the sum of their sizes (Higham 2002,
    Accuracy and Stability of Numerical Algorithms, 3.1); products that are exactly 0 do not count.
    largest: (D,) size of a coefficient of any draw; x: (D, m).
    """
    dtype = largest.dtype
    scores = 4.0 if dtype == even_dtype() else 2.001  # those that decide are rounded a billion times finer
    d = 1.0 + np.add.reduce((x != 0.0).view(np.uint8), axis=0, dtype=np.min_scalar_type(len(x)))
    unit = float(np.finfo(dtype).eps) / 2.0
    size = (largest @ np.abs(x)).astype(np.float64)  # its own rounding is in the 1.01
    bound: Array = (1.01 * scores * size * d * unit / (1.0 - d * unit)).astype(dtype)
    return np.asarray(np.nextafter(bound, dtype.type(np.inf)))


def _by_mask(allowed: Bool) -> Rows | None:
    """(n,) the rows in an order in which equal masks stand together; None where all are equal."""
    if not len(allowed) or (allowed == allowed[0]).all():
        return None
    packed = np.packbits(allowed, axis=1)
    words = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    order: Rows = np.lexsort(tuple(words.view(np.uint64).T))
    return order


def _even_votes(coefficients: Float32, phi: Float32, allowed: Bool) -> Votes:
    """(k, n) votes by scores of one precision and shape, for n rows of which none is scored otherwise than another."""
    S, k, D = coefficients.shape
    dtype = even_dtype()
    stacked = np.ascontiguousarray(coefficients.transpose(1, 0, 2), dtype=dtype).reshape(k * S, D)
    # As many rows at once as leave the scores of all draws in the second-level cache, a power of two.
    rows = max(32, min(512, 1 << int(np.log2(SCORES_AT_ONCE / (k * S)))))
    votes, may = np.empty((k, len(phi)), dtype=np.uint8), np.ascontiguousarray(allowed.T)
    barred = np.flatnonzero(~may.all(axis=1))
    for start in range(0, len(phi), rows):
        x = phi[start : start + rows].T.astype(dtype, copy=False)
        # Actions outside, draws, rows inside: every step is one pass over contiguous memory, and one large product.
        score: Array = np.matmul(stacked, x).reshape(k, S, -1)
        for action in barred:
            score[action] += np.where(may[action, start : start + rows], dtype(0.0), dtype(-np.inf))
        votes[:, start : start + rows] = _counted(score, None)
    votes *= may
    return votes
