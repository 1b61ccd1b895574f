"""The fast scores of posterior draws, and by how much a best one has to lead for any rounding to leave it the best.

What is done to make fewer and smaller products: rows with the same allowed actions are scored together, and those
actions alone; columns that are the same in all of these rows are added up once, and many rows are sorted so that they
are; what all actions of a draw have in common, which no choice depends on, is taken off beforehand, so that scores are
small and rounded finely. Not here: rows that this leaves undecided (draw_votes.py). n rows, k actions, S draws, D
coefficients.
"""

from __future__ import annotations

from itertools import pairwise
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Bool, Float32, Rows
from campaignrl.policies.chunks import CHUNK
from campaignrl.policies.row_products import even_dtype

SCORES_AT_ONCE = 400_000  # of all draws and actions; 1.6 MB
DRAWS_AT_ONCE = 32  # compared at once: the best scores of 256 rows by 32 draws stay in the first-level cache
FEW = 64  # rows of which all actions are barred at once, since a step for each action costs more
ROWS_AT_ONCE = 256  # scored at once, with the actions that any of them may have
SORTED = 8_192  # rows, from which on those of a mask are sorted by their categories
SAMPLED = 2_048  # rows that tell which columns are flags
MIX = np.uint64(0x9E3779B97F4A7C15)

UNITS = {np.dtype(t): (float(np.finfo(t).eps) / 2.0, float(np.finfo(t).tiny)) for t in (np.float32, np.float64)}

Votes = npt.NDArray[np.uint8]


class FastDraws(NamedTuple):
    """Draws as they are scored fast: less what all actions of a draw share, and laid out by column.

    A score of theirs is that of the draws themselves, less a number of the row and the draw alone.
    """

    table: Array  # (D + 1, k, S), a last row of zeros
    given: Array  # (D,) size of the largest number of a column of the draws as they are given
    size: Array  # (D + 1,) how large scores may be, here and as they decide, by column: as `_slack` weighs it

    @classmethod
    def of(cls, coefficients: Float32) -> FastDraws:
        """Of draws (S, k, D)."""
        D, k, S = coefficients.shape[::-1]
        table = np.zeros((D + 1, k, S), dtype=coefficients.dtype)
        draws = coefficients.transpose(2, 1, 0)
        half = coefficients.dtype.type(0.5)
        low, high = draws.min(axis=1), draws.max(axis=1)
        np.subtract(draws, (half * low + half * high)[:, None], out=table[:D])
        given = np.maximum(np.abs(low), np.abs(high)).max(axis=1)
        return cls(table, given, _size(table, given))

    def as_given(self, coefficients: Float32, dtype: npt.DTypeLike) -> FastDraws:
        """The same draws (S, k, D) with nothing taken off, in another precision, laid out as they are."""
        D, k, S = coefficients.shape[::-1]
        by_action = np.zeros((k, S, D + 1), dtype=dtype)
        by_action[:, :, :D] = coefficients.transpose(1, 0, 2)
        given = self.given.astype(dtype)
        return FastDraws(by_action.transpose(2, 0, 1), given, np.append(2.0 * given, 0.0))


def fast_draws(coefficients: Float32) -> FastDraws | None:
    """Of draws (S, k, D), if there are any."""
    return FastDraws.of(coefficients) if coefficients.size else None


def clear_votes(draws: FastDraws, phi: Float32, allowed: Bool) -> tuple[Votes, Bool]:
    """(k, n) votes, none in rows where some draw is too close to tell; and (n,) which rows are not.

    phi: (n, D); allowed: (n, k).
    """
    if len(phi) <= FEW:
        return _votes_of_few(draws, phi, allowed)
    D, k, S = draws.table.shape[0] - 1, *draws.table.shape[1:]
    turn = _turn(allowed, phi)
    x = np.empty((D + 1, len(phi)), dtype=draws.table.dtype)
    if turn is None:
        x[:D] = phi.T
    else:
        phi.T.astype(x.dtype, copy=False).take(turn, axis=1, out=x[:D], mode="clip")  # in range, and so no copy
    x[D] = 1.0
    may = np.ascontiguousarray(allowed.T if turn is None else allowed.take(turn, axis=0).T)
    at_once = _rows_at_once(k * S)
    batches = _alike(len(phi), at_once) if turn is None else _batches(may, at_once)
    product = _Product(draws, x, batches)
    slack = _slack(draws.size, x)
    found, clear = np.zeros((k, len(phi)), dtype=np.uint8), np.zeros(len(phi), dtype=bool)
    for i, (at, used, partly) in enumerate(zip(batches, *_actions(may, batches), strict=True)):
        if not len(used):
            clear[at] = True  # nothing allowed, no votes
            continue
        score = product.scores(i, used)
        if partly:
            bar(score, may[used, at])
        found[used, at], clear[at] = _told(score, slack[at])
    if turn is None:
        return found, clear
    back = np.empty_like(turn)
    back[turn] = np.arange(len(turn))
    return found.take(back, axis=1), clear[back]


def _votes_of_few(draws: FastDraws, phi: Float32, allowed: Bool) -> tuple[Votes, Bool]:
    """The same for few rows: all at once, and all actions and columns, which to choose costs more; by row."""
    D, k, S = draws.table.shape[0] - 1, *draws.table.shape[1:]
    x = np.ascontiguousarray(phi, dtype=draws.table.dtype)
    score = np.matmul(x, draws.table[:D].reshape(D, k * S)).reshape(len(phi), k, S)
    if not allowed.all():
        score += np.where(allowed, score.dtype.type(0.0), score.dtype.type(-np.inf))[:, :, None]
    best = score.max(axis=1, keepdims=True)
    best -= _slack(draws.size[:D], x.T)[:, None, None]
    won = np.add.reduce((score >= best).view(np.uint8), axis=2, dtype=np.uint8)
    clear: Bool = np.add.reduce(won, axis=1, dtype=np.uint16 if k * S < 1 << 16 else np.uint32) == S
    won *= clear[:, None]
    return won.T, clear


class _Product:
    """Scores of batches of rows, with the columns that make a difference among these."""

    def __init__(self, draws: FastDraws, x: Array, batches: list[slice]) -> None:
        """x: (D + 1, n), the last of it ones; batches: rows that are scored together, in order."""
        starts = [at.start for at in batches]
        changes = np.zeros(x.shape, dtype=bool)
        np.not_equal(x[:, 1:], x[:, :-1], out=changes[:, :-1])
        changes[:, [start - 1 for start in starts[1:]]] = False  # from batch to batch
        varies = np.logical_or.reduceat(changes, starts, axis=1).T
        self._x, self._batches, self._first = x, batches, x[:, starts].T
        self._varying, self._fixed = _places(varies), _places(~varies & (self._first != 0.0))
        _, self._k, self._S = draws.table.shape
        self._table = np.ascontiguousarray(draws.table).reshape(-1, self._S)
        most = max(at.stop - at.start for at in batches)
        self._scores = np.empty(self._k * self._S * most, dtype=x.dtype)

    def scores(self, batch: int, used: Rows) -> Array:
        """(u, S, m) of the actions `used` in a batch; written over by the next."""
        varying, fixed, at = self._varying[batch], self._fixed[batch], self._batches[batch]
        factors = np.empty((len(varying) + 1, len(used) * self._S), dtype=self._x.dtype)
        self._take(varying, used, factors[:-1])
        same = np.empty((len(fixed), factors.shape[1]), dtype=self._x.dtype)
        self._take(fixed, used, same)
        np.dot(self._first[batch, fixed], same, out=factors[-1])
        x = self._x[:, at].take([*varying.tolist(), len(self._x) - 1], axis=0)
        score: Array = self._scores[: factors.shape[1] * x.shape[1]].reshape(factors.shape[1], -1)
        np.matmul(factors.T, x, out=score)
        return score.reshape(len(used), self._S, -1)

    def _take(self, columns: Rows, used: Rows, out: Array) -> None:
        """Numbers of some columns and actions into `out` (c, u S)."""
        at = columns[:, None] * self._k + used
        self._table.take(at.ravel(), axis=0, out=out.reshape(at.size, self._S), mode="clip")  # in range, and so no copy


def _told(score: Array, slack: Array) -> tuple[Votes, Bool]:
    """(u, m) votes, none where some draw is too close to tell, and (m,) where none is. score: (u, S, m)."""
    u, S, _ = score.shape
    won = counted(score, slack)
    clear: Bool = np.add.reduce(won, axis=0, dtype=np.uint16 if u * S < 1 << 16 else np.uint32) == S
    won *= clear
    return won, clear


def bar(score: Array, open_: Bool) -> None:
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


def _alike(n: int, at_once: int) -> list[slice]:
    """As `_batches`, of rows that all have one mask."""
    return [slice(start, min(start + at_once, n)) for start in range(0, n, at_once)]


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


def _actions(may: Bool, batches: list[slice]) -> tuple[list[Rows], list[bool]]:
    """By batch of (k, m): which actions any row has, and whether some row has fewer."""
    starts = [at.start for at in batches]
    some, every = (how.reduceat(may, starts, axis=1) for how in (np.logical_or, np.logical_and))
    return _places(some.T), (some != every).any(axis=0).tolist()


def _places(flags: Bool) -> list[Rows]:
    """Of each row, where it is true."""
    ends = np.cumsum(np.count_nonzero(flags, axis=1)).tolist()
    places = np.nonzero(flags)[1]
    return [places[start:end] for start, end in pairwise([0, *ends])]


def counted(score: Array, slack: Array | None) -> Votes:
    """(u, m) draws in which each action has the highest score, or one within `slack` (m,) of it. score: (u, S, m)."""
    u, S, m = score.shape
    won = np.empty(score.shape, dtype=np.bool_)
    at_once = S if m <= FEW else DRAWS_AT_ONCE
    for some in (slice(s, s + at_once) for s in range(0, S, at_once)):
        best = score[:, some].max(axis=0)
        if slack is not None:
            best -= slack
        np.greater_equal(score[:, some], best, out=won[:, some])
    few = won.view(np.uint8).reshape(u, gcd(S, 8), S // gcd(S, 8), m)  # summed in two steps, twice as fast as in one
    return np.asarray(np.add.reduce(np.add.reduce(few, axis=1, dtype=np.uint8), axis=1, dtype=np.uint8))


def _size(table: Array, given: Array) -> Array:
    """(D + 1,) largest number of a column, and of one as it is given what its own rounding is of that here."""
    size = np.abs(table).max(axis=(1, 2))
    size[:-1] += given * table.dtype.type(np.finfo(even_dtype()).eps / np.finfo(table.dtype).eps)
    return np.asarray(size)


def _slack(size: Array, x: Array) -> Array:
    """(m,) by how much the best score has to lead: the bound of the rounding of both scores, here and as they decide.

    A sum of d products, in any order, fused or not, is within d u / (1 - d u) of the sum of their sizes (Higham 2002,
    Accuracy and Stability of Numerical Algorithms, 3.1); products that are exactly 0 do not count. Here a coefficient
    is rounded once more when what all actions share is taken off, and the best score when the slack is. Beside that, a
    product may be too small for the precision. size: (D,) as `_size` gives it; x: (D, m).
    """
    unit, tiny = UNITS[x.dtype]
    terms = np.add.reduce((x != 0.0).view(np.uint8), axis=0, dtype=np.min_scalar_type(len(x)))
    bound = (size @ np.abs(x)).astype(np.float64)  # its own rounding is in the 2.03
    bound *= 2.03 * unit / (1.0 - (len(x) + 2) * unit)
    bound += 4.0 * tiny
    bound *= terms + 2.0
    return bound.astype(x.dtype)


def _turn(allowed: Bool, phi: Float32) -> Rows | None:
    """(n,) the rows in an order in which equal masks stand together, in which rows of equal categories do.

    None where they may stay as they are. It only decides how much there is to add up: masks that share a number are
    told apart by the batches.
    """
    if not len(allowed) or (allowed == allowed[0]).all():
        return None
    masks = numbers_of_masks(allowed)
    if len(allowed) < SORTED:
        return np.asarray(np.argsort(masks, kind="stable"))
    alike = np.argsort(_numbers_of_categories(phi), kind="stable")
    return np.asarray(alike[np.argsort(masks[alike], kind="stable")])


def numbers_of_masks(allowed: Bool) -> npt.NDArray[np.uint16]:
    """(n,) one of 65,536 numbers for each mask, which are sorted by their digits, in a tenth of the time of words."""
    packed = np.packbits(allowed, axis=1)
    words = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    mixed = np.zeros(len(packed), dtype=np.uint64)
    for word in words.view(np.uint64).T:
        mixed ^= word
        mixed *= MIX
    return (mixed >> np.uint64(48)).astype(np.uint16)


def _numbers_of_categories(phi: Float32) -> npt.NDArray[np.uint16]:
    """(n,) a number of what the rarest flags say, columns of zeros and ones, of which a batch then holds few values."""
    every = -(-len(phi) // SAMPLED)
    some = phi[::every]
    share = some.mean(axis=0)
    rarity = np.minimum(share, 1.0 - share)
    flags = np.flatnonzero(((some == 0.0) | (some == 1.0)).all(axis=0) & (rarity > 0.0))
    rarest = flags[np.argsort(rarity[flags], kind="stable")[:16]]
    bits = np.zeros((16, len(phi)), dtype=bool)
    np.not_equal(phi.T[rarest], 0.0, out=bits[: len(rarest)])
    high, low = np.packbits(bits, axis=0)
    return np.asarray(high.astype(np.uint16) << np.uint16(8) | low)
