"""One part of a log that stays on disk, as one policy and one reference see it: columns by row, summed by customer.

A part is a row group: a pure function of the file and the question, so any worker may do it. Not here: joining parts
and answering (streaming.py). m rows of a block, k actions, d columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.errors import DataError, Problem
from campaignrl.evaluate import bandit, weights
from campaignrl.evaluate.customer_sums import AT, COLUMNS, NOTHING, CustomerSums, customer_sums, joined, sampling_of
from campaignrl.evaluate.estimators import HEAVY
from campaignrl.evaluate.streamed_model import StreamedModel
from campaignrl.evaluate.tally import EMPTY, Tally
from campaignrl.evaluate.targets import Target, target_of
from campaignrl.policies.base import Policy
from campaignrl.policies.threads import one_blas_thread
from campaignrl.tables.decisions import DecisionLog
from campaignrl.tables.logstream import LogInMemory, LogStream, Piece, pieces

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]

NUMBERS_AT_ONCE = 1 << 18  # of probabilities: 2 MB, whatever the number of actions
TOGETHER = 64  # rows
FIRST = 1 << 16  # propensities kept, to see how they were rounded


@dataclass(frozen=True)
class Question:
    """What is asked of a log; a policy that is None is the logging policy. Arrays are (n, k), for all rows."""

    stream: LogStream | LogInMemory
    policy: Policy | Array | None
    reference: Policy | Array | None
    mix: float
    model: StreamedModel | Array | None
    estimators: tuple[str, ...]


class Part(NamedTuple):
    """What one row group says."""

    customers: CustomerSums
    rows: Tally
    propensities: Float  # the first ones of the file


def part_of(question: Question, group: int) -> Part:
    """Row group number `group`."""
    sums, tally, first = NOTHING, EMPTY, np.zeros(0)
    sampling = sampling_of(question.stream.rows)
    with one_blas_thread():
        for piece in pieces(question.stream, group):
            try:
                more, figures, propensities = _of_piece(question, piece, sampling)
            except DataError as wrong:
                where = f"{question.stream.path}, matured rows counted from row {piece.first:,}: "
                raise DataError([p._replace(where=where + p.where) for p in wrong.problems]) from None
            sums, tally = joined(sums, more, sampling), tally + figures
            first = propensities if piece.first == 0 else first
    return Part(sums, tally, first)


def _of_piece(question: Question, piece: Piece, sampling: int) -> tuple[CustomerSums, Tally, Float]:
    log, starts = piece.log, piece.starts
    dropped = int(len(log) - np.count_nonzero(log.matured))
    at: slice | Array = slice(piece.first, piece.first + len(log))  # rows of the whole log
    if dropped:
        kept = np.flatnonzero(log.matured)
        log, at = log.take(kept), kept + piece.first
        starts = np.flatnonzero(np.diff(log.customer, prepend=-1))
    if not len(log):
        return NOTHING, EMPTY, np.zeros(0)
    columns = np.empty((len(COLUMNS), len(log)))
    targets = [_target(policy, log, at) for policy in (question.policy, question.reference)]
    given = question.model[at] if isinstance(question.model, np.ndarray) else None
    tally, size = EMPTY, max(1024, NUMBERS_AT_ONCE // len(log.catalog))
    for start in range(0, len(log), size):
        rows = slice(start, min(start + size, len(log)))
        q = _predictions(question.model, log, rows) if given is None else given[rows]
        tally += _block(log, rows, targets, q, question, columns[:, rows])
    tally = Tally({**tally.added, "dropped": dropped}, tally.least, tally.largest)
    begun = log.customer[starts]
    names = begun if isinstance(question.stream, LogInMemory) else log.customers[begun]  # numbers tell them apart too
    sums = customer_sums(columns, starts, names, log.step, sampling)
    return sums, tally, log.propensity[:FIRST].copy()


class _View(NamedTuple):
    """A block as one target sees it."""

    weight: Float  # (m,)
    expected: Float
    added: dict[str, Any]
    wanted: Float  # (k,)


def _target(policy: Policy | Array | None, log: DecisionLog, at: slice | Array) -> Target | None:
    if policy is None:
        return None
    return target_of(policy[at] if isinstance(policy, np.ndarray) else policy, log)


def _predictions(model: StreamedModel | Array | None, log: DecisionLog, rows: slice) -> Array | None:
    return None if model is None or isinstance(model, np.ndarray) else model.predict(log.take(rows))


def _block(
    log: DecisionLog, rows: slice, targets: list[Target | None], q: Array | None, question: Question, out: Float
) -> Tally:
    """Fill the columns of a block, out (d, m), and give its tally. q: (m, k) predictions; None: no model."""
    reward, action, chance = log.reward[rows], log.action[rows], log.propensity[rows]
    k, mix = len(log.catalog), question.mix
    q_range = (0.0, 0.0) if q is None else (float(q.min()), float(q.max()))
    if not np.isfinite(q_range).all():
        raise DataError(Problem("reward model", "q", "not a number somewhere", "finite numbers"))
    predicted = np.zeros(len(action)) if q is None else _picked(q, action)
    certain = chance >= weights.CERTAIN
    view, other = (_seen(target, rows, log, certain, q, predicted) for target in targets)
    weight = view.weight if mix >= 1.0 else weights.mixed(view.weight, mix)
    expected = view.expected if mix >= 1.0 else predicted + mix * (view.expected - predicted)
    residual = reward - predicted
    lift_weight, base = 1.0 + weight - other.weight, expected - other.expected
    lift = base + (lift_weight - 1.0) * residual
    out[AT["one"]] = 1.0
    out[AT["weight"]], out[AT["expected"]] = weight, expected
    np.multiply(weight, reward, out=out[AT["earned"]])
    np.add(expected, weight * residual, out=out[AT["dr"]])
    _held_back(question.estimators, weight, reward, residual, expected, out)
    out[AT["lift_weight"]], out[AT["lift"]] = lift_weight, lift
    propensity = np.full(k, np.inf)
    np.minimum.at(propensity, action, chance)
    choice = None if log.eligible is None else np.count_nonzero(log.eligible[rows], axis=1) > 1
    return Tally(
        added={
            "tried": np.bincount(action, minlength=k),
            "reward": float(reward.sum()),
            "weight_square": float(weight @ weight),
            "reference_expected": float(other.expected.sum()),
            "outcomes": int(((weight > 0.0) & (reward != 0.0)).sum()),
            "clipped": float(np.maximum(weight - HEAVY, 0.0).sum()),
            "choice": len(action) if choice is None else int(choice.sum()),
            "certain": int(certain.sum() if choice is None else (certain & choice).sum()),
            **{f"{name} of {who}": v for who, x in (("a", view), ("b", other)) for name, v in x.added.items()},
        },
        least={
            "propensity": propensity,
            "reward": float(reward.min()),
            "q": q_range[0],
        },
        largest={
            "reward": float(reward.max()),
            "not_binary": float(((reward != 0.0) & (reward != 1.0)).any()),
            "q": q_range[1],
            "weight": float(weight.max()),
            "weight of a": float(view.weight.max()),
            "weight of b": float(other.weight.max()),
            "wanted of a": view.wanted,
            "wanted of b": other.wanted,
            "off_one": float(np.abs(weight - 1.0).max()),
            "off_one_lift": float(np.abs(lift_weight - 1.0).max()),
            "differs": float(lift.any()),
        },
    )


def _held_back(
    names: tuple[str, ...], weight: Float, reward: Float, residual: Float, expected: Float, out: Float
) -> None:
    """The columns of estimators that hold weights back; 0 where nobody asked."""
    clip, dros, switch = (out[AT[name]] for name in ("clip", "dros", "switch_dr"))
    clip[:] = dros[:] = switch[:] = 0.0
    if "ips_clip" in names:
        np.multiply(bandit.clipped(weight, HEAVY), reward, out=clip)
    if "dros" in names:
        np.add(expected, bandit.shrunk(weight, HEAVY**2) * residual, out=dros)
    if "switch_dr" in names:
        np.add(expected, bandit.switched(weight, HEAVY) * residual, out=switch)


def _seen(
    target: Target | None, rows: slice, log: DecisionLog, certain: Array, q: Array | None, predicted: Float
) -> _View:
    k = len(log.catalog)
    if target is None:  # the logging policy expects what it did
        return _View(np.ones(len(predicted)), predicted, {"certain_off": 0.0, "mass": np.zeros(k)}, np.zeros(k))
    p = target.probabilities(log, rows)
    chosen = _picked(p, log.action[rows])
    off = float(np.maximum(1.0 - chosen[certain], 0.0).sum())
    mass = (~certain).astype(np.float64) @ p
    expected = np.zeros(len(p)) if q is None else np.einsum("ij,ij->i", p, q).astype(np.float64)
    return _View(chosen / log.propensity[rows], expected, {"certain_off": off, "mass": mass}, _largest(p))


def _picked(values: Array, action: Array) -> Float:
    """(m, k) -> (m,) that of each row's action; twice as fast as by two indices."""
    at = np.arange(len(action)) * values.shape[1] + action
    return np.asarray(np.ravel(values).take(at), dtype=np.float64)


def _largest(values: Array) -> Float:
    """(m, k) -> (k,) largest of each column; several rows at a time, since short rows are slow."""
    whole = len(values) - len(values) % TOGETHER
    if not whole:
        return np.asarray(values.max(axis=0))
    folded = values[:whole].reshape(-1, TOGETHER * values.shape[1]).max(axis=0).reshape(TOGETHER, -1).max(axis=0)
    return np.asarray(np.maximum(folded, values[whole:].max(axis=0, initial=0.0)))
