"""One part of a log that stays on disk, as one policy and one reference see it: columns by row, summed by customer.

A part is a row group: a pure function of the file and the question, so any worker may do it. Not here: joining parts
and answering (evaluate.py). m rows of a block, k actions, d columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.errors import DataError
from campaignrl.ope.data import LogSample, sampled
from campaignrl.ope.estimators import weights
from campaignrl.ope.methods import ESTIMATORS, HEAVY, Range, histogram_sums
from campaignrl.ope.streaming.estimates import PieceRows, columns_of, own_columns
from campaignrl.ope.streaming.model import StreamedModel
from campaignrl.ope.streaming.sums import (
    AT,
    COLUMNS,
    EMPTY,
    NOTHING,
    TOGETHER,
    CustomerSums,
    Tally,
    customer_sums,
    joined,
    keys_of,
    sampling_of,
)
from campaignrl.ope.streaming.views import View, pass_by
from campaignrl.policies import Policy, allowed_counts
from campaignrl.tables.log import DecisionLog, LogInMemory, LogStream, Piece, pieces, starts_of

FIRST = 1 << 16  # propensities kept, to see how they were rounded
GLANCE = 64  # rows
AT_A_TIME = 16_384  # rows of which all columns are made at once: they stay in the cache


@dataclass(frozen=True)
class Question:
    """What is asked of a log; a policy that is None is the logging policy. Arrays are (n, k), for all rows."""

    stream: LogStream | LogInMemory
    policy: Policy | Array | None
    reference: Policy | Array | None
    mix: float
    model: StreamedModel | Array | None
    estimators: tuple[str, ...]
    spread: bool = False  # gather what pictures of the weights are made of

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """(d,) what is summed by customer."""
        return columns_of(self.estimators)

    @cached_property
    def sampling(self) -> int:
        """One customer in how many is remembered, to notice rows that are apart; TOGETHER: it is known already."""
        if isinstance(self.stream, LogInMemory):
            customer = self.stream.log.customer
            if (customer[1:] >= customer[:-1]).all():
                return TOGETHER
        return sampling_of(self.stream.rows)

    @property
    def asks(self) -> bool:
        """Whether a policy or the model has to be asked, and not looked up."""
        return any(x is not None and not isinstance(x, np.ndarray) for x in (self.policy, self.reference, self.model))


class Part(NamedTuple):
    """What one row group says."""

    customers: CustomerSums
    rows: Tally
    propensities: Float  # the first ones of the file
    sample: tuple[LogSample, ...] = ()  # rows that checks look at


def part_of(question: Question, group: int) -> Part:
    """Row group number `group`."""
    sums, tally, first = NOTHING, EMPTY, np.zeros(0)
    sample: list[LogSample] = []
    sampling = question.sampling
    for piece in pieces(question.stream, group):
        try:
            more, figures, propensities, rows = _of_piece(question, piece, sampling)
        except DataError as wrong:
            where = f"{question.stream.path}, matured rows counted from row {piece.first:,}: "
            raise DataError([p._replace(where=where + p.where) for p in wrong.problems]) from None
        sums, tally = joined(sums, more, sampling), tally + figures
        first = propensities if piece.first == 0 else first
        sample += rows
    return Part(sums, tally, first, tuple(sample))


def _of_piece(question: Question, piece: Piece, sampling: int) -> tuple[CustomerSums, Tally, Float, list[LogSample]]:
    log, starts = piece.log, piece.starts
    dropped = int(len(log) - np.count_nonzero(log.matured))
    at: slice | Array = slice(piece.first, piece.first + len(log))  # rows of the whole log
    if dropped:
        kept = np.flatnonzero(log.matured)
        log, at = log.take(kept), kept + piece.first
        starts = starts_of(log.customer)
    if not len(log):
        return NOTHING, EMPTY, np.zeros(0), []
    looked_at = sampled(piece.first, len(piece.log), question.stream.rows)
    if dropped:
        looked_at = np.searchsorted(kept, looked_at[piece.log.matured[looked_at]])
    columns = np.empty((len(question.columns), len(log)))
    predicted, views, q_range = _looked_at(question, log, at, columns, looked_at)
    _fill(columns, log, predicted, views, question)
    tally = _tallied(log, columns, views, q_range, dropped)
    if question.spread:
        tally = tally._replace(
            added={**tally.added, **histogram_sums(columns[AT["weight"]], log.action, len(log.catalog))}
        )
    begun = log.customer if len(starts) == len(log) else log.customer[starts]
    names = begun if isinstance(question.stream, LogInMemory) else log.customers[begun]  # numbers tell them apart too
    sums = customer_sums(columns, starts, names, log.step, sampling, question.columns)
    whose = log.customer.take(looked_at)
    if not isinstance(question.stream, LogInMemory):  # numbers that mean the same in every piece
        there, back = np.unique(whose, return_inverse=True)
        whose = keys_of(log.customers[there])[back]
    gain = np.empty((5, len(looked_at)))
    np.subtract(log.reward.take(looked_at), predicted.take(looked_at), out=gain[0])
    for i, name in enumerate(("lift_weight", "lift", "weight", "dr"), 1):
        columns[AT[name]].take(looked_at, out=gain[i], mode="clip")  # in range, and so without a copy
    rows = [LogSample.of(log, looked_at, whose, views[0].noted)._replace(gain=gain)] if len(looked_at) else []
    return sums, tally, log.propensity[:FIRST].copy(), rows


def _looked_at(
    question: Question, log: DecisionLog, at: slice | Array, columns: Float, sample: Array
) -> tuple[Float, list[View], Range]:
    """What is predicted of the logged actions (n,), what the policies make of the rows, the range of all predictions.

    at: the piece's rows in the whole log; columns: of the weights and expectations of the first policy; sample: rows
    whose probabilities are kept.
    """
    certain = np.flatnonzero(log.propensity >= weights.CERTAIN)
    policy, reference = _rows_of(question.policy, at), _rows_of(question.reference, at)
    view = View(policy, log, certain, columns[AT["weight"] : AT["expected"] + 1], sample)
    other = View(reference, log, certain, np.empty((2, len(log))))
    predicted = np.zeros(len(log))
    q_range = pass_by(log, [view, other], _rows_of(question.model, at), predicted, question.asks)
    view.close(predicted, question.mix)
    other.close(predicted, 1.0)
    return predicted, [view, other], q_range


def _rows_of(given: Any, at: slice | Array) -> Any:
    """The rows of an array, anything else as it is."""
    return given[at] if isinstance(given, np.ndarray) else given


def _fill(columns: Float, log: DecisionLog, predicted: Float, views: list[View], question: Question) -> None:
    """The other columns, from weights, expectations and rewards."""
    view, _ = views
    columns[AT["one"]] = 1.0
    if view.target is None:
        columns[AT["weight"]], columns[AT["expected"]] = view.weight, view.expected
    for start in range(0, len(log), AT_A_TIME):
        some = slice(start, start + AT_A_TIME)
        _fill_part(columns[:, some], log.reward[some], predicted[some], views, some)
    rows = PieceRows(view.weight, log.reward, predicted, view.expected)
    columns[len(COLUMNS) :] = 0.0
    for name in question.estimators:
        own = own_columns(name)
        terms = ESTIMATORS[name].terms(rows) if own else None
        for column, part in own.items():
            columns[question.columns.index(column)] = getattr(terms, part)


def _fill_part(columns: Float, reward: Float, predicted: Float, views: list[View], part: slice) -> None:
    """`ips` and `dr` of estimators/bandit.py and the lift of methods/registry.py, with one array beside the columns."""
    view, other = views
    weight, expected, other_weight, other_expected = (
        x[part] for x in (view.weight, view.expected, other.weight, other.expected)
    )
    earned, robust, lift_weight, lift = (columns[AT[name]] for name in ("earned", "dr", "lift_weight", "lift"))
    residual = reward - predicted
    np.multiply(weight, reward, out=earned)
    np.multiply(weight, residual, out=robust)
    np.add(expected, robust, out=robust)
    np.add(weight, 1.0, out=lift_weight)
    lift_weight -= other_weight
    np.subtract(lift_weight, 1.0, out=lift)
    lift *= residual
    lift += np.subtract(expected, other_expected, out=residual)
    if other.target is None:
        lift_weight[:] = weight  # to the last digit


def _tallied(log: DecisionLog, columns: Float, views: list[View], q_range: Range, dropped: int) -> Tally:
    """A piece's figures that are no sums over customers."""
    k, (view, other) = len(log.catalog), views
    weight, lift_weight = columns[AT["weight"]], columns[AT["lift_weight"]]
    tried, heaviest = np.bincount(log.action, minlength=k), float(weight.max())
    choice = None if log.eligible is None else allowed_counts(log.eligible) > 1
    certain = view.certain if choice is None else view.certain[choice[view.certain]]
    off_one = _from_one(weight)
    return Tally(
        added={
            "dropped": dropped,
            "tried": tried,
            "reward": float(log.reward.sum()),
            "weight_square": float(weight @ weight),
            "weight of b": float(len(log) if other.target is None else other.weight.sum()),
            "weight_square of b": float(len(log) if other.target is None else other.weight @ other.weight),
            "reference_expected": float(other.expected.sum()),
            "outcomes": int(np.count_nonzero(columns[AT["earned"]] != 0.0)),
            "clipped": float((weight[weight > HEAVY] - HEAVY).sum()) if heaviest > HEAVY else 0.0,
            "choice": len(log) if choice is None else int(choice.sum()),
            "certain": len(certain),
            **{f"certain_off of {who}": seen.certain_off for who, seen in zip("ab", views, strict=True)},
            **{f"mass of {who}": seen.mass for who, seen in zip("ab", views, strict=True)},
        },
        least={
            "propensity": _least_by_action(log, tried),
            "reward": float(log.reward.min()),
            "q": q_range[0],
        },
        largest={
            "reward": float(log.reward.max()),
            "not_binary": float(((log.reward != 0.0) & (log.reward != 1.0)).any()),
            "q": q_range[1],
            "weight": heaviest,
            **{f"weight of {who}": seen.heaviest for who, seen in zip("ab", views, strict=True)},
            **{f"wanted of {who}": seen.wanted for who, seen in zip("ab", views, strict=True)},
            **{f"most wanted of {who}": seen.most_wanted for who, seen in zip("ab", views, strict=True)},
            "off_one": off_one,
            "off_one_lift": off_one if other.target is None else _from_one(lift_weight),
            "differs": float(_differ(view, other) and columns[AT["lift"]].any()),
        },
    )


def _least_by_action(log: DecisionLog, tried: Array) -> Float:
    """(k,) least propensity of each action, infinite where it was not tried. tried: (k,) rows."""
    least = float(log.propensity.min())
    if least == log.propensity.max():
        return np.where(tried > 0, least, np.inf)
    found = np.full(len(tried), np.inf)
    np.minimum.at(found, log.action, log.propensity)
    return found


def _differ(view: View, other: View) -> bool:
    """Whether two policies do different things in any row; 1 + w - w is 1 up to rounding only."""
    for rows in (slice(GLANCE), slice(None)):  # mostly the first rows tell
        pairs = ((view.weight, other.weight), (view.expected, other.expected))
        if not all(np.array_equal(a[rows], b[rows]) for a, b in pairs):
            return True
    return False


def _from_one(weight: Float) -> float:
    """How far the farthest is from 1."""
    return max(1.0 - float(weight.min()), float(weight.max()) - 1.0)
