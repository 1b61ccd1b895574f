"""The verb for a log of any size: one pass over a Parquet file in pieces, in memory that does not grow with it.

The same answer with the same keys as evaluate.py gives, from sums (sums.py) that are joined in the order of
the file, so that any number of workers gives the same digits. What it asks for: rows of a customer together, steps
ascending. What it leaves out: estimators that look at rows more than once (mips_*, offcem, pi, mrdr, those of
episodes), tuning, estimated propensities, other intervals than the usual ones, the check of the holdout's share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from campaignrl.arrays import Array
from campaignrl.errors import DataError, Problem, SupportError, UsageError, unknown
from campaignrl.ope.data import LOGGED, TABLES, LogSample, joined_samples
from campaignrl.ope.diagnostics import diagnose, findings_of_facts
from campaignrl.ope.figures import told
from campaignrl.ope.intervals import EMPIRICAL_LIKELIHOOD, NOT_TO_BE_HAD, Estimate
from campaignrl.ope.methods import (
    ESTIMATORS,
    STREAMED,
    USUAL,
    Evaluation,
    Range,
    reasons_missing,
    weight_histogram_from,
)
from campaignrl.ope.nuisance import ESTIMATE
from campaignrl.ope.row_checks import Found, of_sample
from campaignrl.ope.streaming.estimates import Bounds, Shape, estimate, lift
from campaignrl.ope.streaming.figures import bounds_of, figures_of, hidden_bias, off_support, reward_range_of
from campaignrl.ope.streaming.model import SAMPLE, GivenModel, SampledRidge, StreamedModel, fit_sampled_ridge
from campaignrl.ope.streaming.rows import Part, Question, part_of
from campaignrl.ope.streaming.sums import AT, EMPTY, NOTHING, CustomerSums, Tally, closed, joined
from campaignrl.policies import Policy, load_policy, on_one_blas_thread
from campaignrl.policies.deep import Recurrent
from campaignrl.tables.log import FACT, DecisionLog, LogInMemory, LogStream, open_log

HELD = {name: held.usual for name in STREAMED if (held := ESTIMATORS[name].held) is not None}
WHOLE = "Evaluate it without --stream."
NONE_HAD = Estimate(NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, "none")


@on_one_blas_thread  # a sum split over threads has other digits
def evaluate_stream(
    log: str | Path | DecisionLog,
    policy: Policy | str | Path | Array,
    *,
    estimators: Sequence[str] = USUAL,
    reference: Policy | str | Path | Array = LOGGED,
    mix: float = 1.0,
    model: StreamedModel | str | Array = "ridge",
    reward_range: Range | None = None,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
    workers: int = 1,
    sample: int = SAMPLE,
    spread: bool = False,
) -> Evaluation:
    """`evaluate` on a Parquet log of any size, which is read in pieces and never held.

    Args:
        log: a file, or a log in memory, for which this takes less memory and time than `evaluate`.
        policy: a Policy, the name or file of one, "logged", or probabilities (n, k) for all rows of the log, which may
            be memory-mapped.
        estimators: which ones.
        reference: what the lift is over, in any form a policy may have.
        mix: value the policy that follows `policy` this often, in (0, 1], and the logged one otherwise.
        model: "ridge", cross-fitted on about `sample` rows, (n, k) predictions, or anything with
            `predict(log) -> (m, k)` that has not seen these customers.
        reward_range: least and largest reward possible.
        alpha: intervals cover with 1 - alpha.
        folds: of customers, for cross-fitting.
        seed: of the folds and the sample.
        workers: threads; the answer does not depend on them.
        sample: rows that the reward model learns from.
        spread: also gather what a report draws of the weights, which takes a little longer.

    Returns:
        Evaluation: as `evaluate` gives it.

    Raises:
        UnknownName: no estimator, policy or file goes by that name.
        UsageError: a question that takes the whole log at once.

    Example:
        >>> import campaignrl as crl
        >>> crl.write_log(crl.simulate("coupon_trap", "uniform", customers=200, seed=7), "large.parquet")
        >>> crl.evaluate_stream("large.parquet", "always:content@email").customers
        200
    """
    _check(estimators, mix, alpha, folds, model, workers)
    stream = LogInMemory(log) if isinstance(log, DecisionLog) else open_log(log)
    if stream.facts.meta.get("propensity_from") == ESTIMATE:
        raise UsageError(
            f"{stream.path}: its propensities are not known, and estimating them takes the whole log. {WHOLE}"
        )
    playing, base = (_policy(given, stream) for given in (policy, reference))
    fitted = _fitted(stream, model, estimators, reward_range, folds, seed, sample)
    question = Question(stream, playing, base, mix, fitted, tuple(estimators), spread)
    return _answer(question, _parts(question, workers), estimators, reward_range, alpha)


def _check(
    estimators: Sequence[str], mix: float, alpha: float, folds: int, model: StreamedModel | str | Array, workers: int
) -> None:
    for name in estimators:
        if name not in STREAMED:
            raise unknown("estimator of a stream", name, STREAMED, WHOLE if name in ESTIMATORS else "")
    if isinstance(model, str) and model != "ridge":
        raise UsageError(Problem("evaluate", "model", model, "ridge, where a log is read in pieces", WHOLE))
    problems = [
        Problem("evaluate", name, value, allowed)
        for name, value, allowed, fine in (
            ("mix", mix, "in (0, 1]", 0.0 < mix <= 1.0),
            ("alpha", alpha, "in (0, 1)", 0.0 < alpha < 1.0),
            ("folds", folds, "at least 2", folds >= 2),
            ("workers", workers, "at least 1", workers >= 1),
        )
        if not fine
    ]
    if problems:
        raise UsageError(problems)


def _policy(given: Policy | str | Path | Array, stream: LogStream | LogInMemory) -> Policy | Array | None:
    """The policy, once; None for the logging policy."""
    if isinstance(given, np.ndarray):
        return _of_all_rows(given, stream, "probabilities")
    if isinstance(given, str | Path):
        if given == LOGGED:
            return None
        if str(given).endswith(TABLES):
            raise UsageError(f"{given}: a table of probabilities cannot be met by decision in passing. {WHOLE}")
        given = load_policy(given, stream.facts.catalog, stream.facts.features)
    if not isinstance(given, Policy):
        raise UsageError(Problem("evaluate", "policy", type(given).__name__, "a policy, or the name or file of one"))
    if isinstance(given, Recurrent):
        raise UsageError(f"{given.name} remembers customers, whose rows are not kept together in passing. {WHOLE}")
    return given


def _of_all_rows(given: Array, stream: LogStream | LogInMemory, what: str) -> Array:
    expected = (stream.rows, len(stream.facts.catalog))
    if given.shape != expected or given.dtype.kind not in "fiub":
        raise DataError(Problem(what, "shape", given.shape, f"numbers of shape {expected}"))
    return given


def _fitted(
    stream: LogStream | LogInMemory,
    model: StreamedModel | str | Array,
    estimators: Sequence[str],
    bounds: Range | None,
    folds: int,
    seed: int,
    sample: int,
) -> StreamedModel | Array | None:
    if not any(ESTIMATORS[name].model for name in estimators):
        return None
    if isinstance(model, np.ndarray):
        return _of_all_rows(model, stream, "reward model")
    if not isinstance(model, str):
        return GivenModel(model)
    known = bounds if bounds is not None else stream.facts.meta.get("reward_range")
    pair = None if known is None else (float(known[0]), float(known[1]))
    return fit_sampled_ridge(stream, pair, folds, seed, sample)


def _parts(question: Question, workers: int) -> Iterator[Part]:
    """The row groups in order, several at a time."""
    groups = range(len(question.stream.groups))
    if workers == 1:
        yield from map(partial(part_of, question), groups)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(partial(part_of, question), groups)


def merged(parts: Iterable[Part], sampling: int) -> Part:
    """Parts that follow each other, as one; the whole file if they are all of it. sampling: the question's."""
    sums, tally, first = NOTHING, EMPTY, np.zeros(0)
    sample: list[LogSample] = []
    for part in parts:
        sums, tally = joined(sums, part.customers, sampling), tally + part.rows
        first = part.propensities if not len(first) else first
        sample += part.sample
    return Part(closed(sums), tally, first, tuple(sample))


def _answer(
    question: Question, parts: Iterable[Part], estimators: Sequence[str], given: Range | None, alpha: float
) -> Evaluation:
    stream, (sums, rows, first, sample) = question.stream, merged(parts, question.sampling)
    if not rows.added:
        raise SupportError(f"none of the log's {stream.rows:,} decisions has a known outcome yet; evaluate it later.")
    n, meta, mix = int(sums.totals[AT["one"]]), stream.facts.meta, question.mix
    policies = (question.policy, question.reference)
    reward_range, reward_range_from = reward_range_of(rows, given, meta.get("reward_range"))
    here = (policies[0] is not None, policies[1] is not None)
    bounds = bounds_of(rows, reward_range, meta.get("propensity_floor"), mix, here)
    off, off_other = mix * off_support(rows, "a", n), off_support(rows, "b", n)
    certain = rows.added["certain"] / rows.added["choice"] if rows.added["choice"] else 0.0
    figures = figures_of(sums, rows, first, bounds, off, certain, stream.rows)
    silent = _no_information(float(rows.largest["weight"]), certain, off)
    whole = joined_samples(sample)
    shape = None if whole is None else Shape(whole, figures.ess)
    likely: dict[str, Range] = {}
    estimates = {
        name: NONE_HAD if silent and ESTIMATORS[name].weights else estimate(name, sums, bounds, alpha, shape, likely)
        for name in estimators
    }
    both = silent or _no_information(float(rows.largest["weight of b"]), certain, off_other)
    gained = NONE_HAD if both else _lift(sums, rows, bounds, alpha, _of_both(shape, rows))
    found, names = Found(findings_of_facts(meta), {}), stream.facts.catalog.names
    if whole is not None:
        found = of_sample(whole, n, names, meta, question.reference is None, mix)
    verdict, reasons = diagnose(figures._replace(found=found.findings, hardly_tried=found.hardly_tried))
    name, reference = (_name(policy) for policy in policies)
    return Evaluation(
        policy=name if mix >= 1.0 else f"{mix:g} {name} + {1 - mix:g} logged",
        log_policy=str(meta.get("policy_id", "unknown")),
        reference=reference,
        reward_range=reward_range,
        reward_range_from=reward_range_from,
        alpha=alpha,
        n=n,
        dropped=stream.rows - n,
        off_support_mass=off,
        logged_value=rows.added["reward"] / n,
        verdict=verdict,
        reasons=reasons + reasons_missing(estimates, {}) + _unchecked(meta, question.policy),
        estimates=estimates,
        settings={name: HELD[name] for name in estimators if name in HELD},
        reward_model=_described(question.model, n),
        spread=weight_histogram_from(stream.facts.catalog.names, rows.added) if question.spread else None,
        sensitivity=hidden_bias(whole, gained, mix, question.reference is None),
        **told(figures, gained, meta),
        **found.beside,
    )


def _unchecked(meta: dict[str, Any], policy: Policy | Array | None) -> tuple[str, ...]:
    """What the verdict leaves out here."""
    left = ["the holdout's share"] if meta.get("holdout") else []
    left += ["whether the policy has learned from these customers"] if FACT in getattr(policy, "trained_on", {}) else []
    return tuple(f"{what} is not checked where a log is read in pieces." for what in left)


def _name(policy: Policy | Array | None) -> str:
    if policy is None:
        return LOGGED
    return "given probabilities" if isinstance(policy, np.ndarray) else policy.name


def _no_information(heaviest: float, certain: float, off: float) -> bool:
    return heaviest <= 0.0 or (certain == 1.0 and off > 1e-9)


def _of_both(shape: Shape | None, rows: Tally) -> Shape | None:
    """The shape with as many effective rows as the policy has of which fewer speak."""
    square = float(rows.added["weight_square of b"])
    other = float(rows.added["weight of b"]) ** 2 / square if square > 0.0 else 0.0
    return None if shape is None else shape._replace(speaking=min(shape.speaking, other))


def _lift(sums: CustomerSums, rows: Tally, bounds: Bounds, alpha: float, shape: Shape | None) -> Estimate:
    if not rows.largest["differs"]:
        return Estimate(0.0, 0.0, 0.0, 0.0, EMPIRICAL_LIKELIHOOD)
    return lift(sums, rows.added["reference_expected"] / float(sums.totals[AT["one"]]), bounds, alpha, shape)


def _described(model: StreamedModel | Array | None, n: int) -> str:
    if not isinstance(model, SampledRidge):
        return "" if model is None else "given"
    return "ridge" if model.rows_used == n else f"ridge, fitted on {model.rows_used:,} of {n:,} rows"
