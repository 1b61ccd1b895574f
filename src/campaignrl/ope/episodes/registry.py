"""Which sequential estimators there are, and what the log says of one policy's episodes.

Here: the table, and gathering what its rows need: weights, the model Q, the ratios of states. Not here: formulas
(sequential.py), the verb (evaluate.py). N trajectories, T steps, n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float
from campaignrl.ope.data import TargetPolicy, Trajectories
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.diagnostics import ESS_REFUSE
from campaignrl.ope.episodes.support_horizon import (
    REFUSED,
    TOLD,
    EpisodeFigures,
    Step,
    curve_of,
    judged,
    lasting_steps,
)
from campaignrl.ope.estimators import (
    CERTAIN,
    mean_weight_p_value,
    mixed,
    most_wanted,
    off_support,
    sequential,
    weight_bound,
)
from campaignrl.ope.intervals import CLUSTERED_T, Clusters, Point
from campaignrl.ope.nuisance import Behaviour, FittedQ, Kind, few_states, fitted_q, minimax_ratios, state_ratios
from campaignrl.tables.log import DecisionLog

DOUBLY_ROBUST = "customer t of drl, which sees the model's error"
NO_INTERVAL = "none: the model's own error cannot be told"
# Of 40 logs of a policy far from theirs, which they refuse, an interval of wdr would have held in 17, of drl in 30.
WHERE_REFUSED = "none: the log refuses this policy"


class Fitting(NamedTuple):
    """How Q and the ratios of states are fitted."""

    kind: Kind = "ridge"
    folds: int = 5
    seed: int = 0


class Episodes(NamedTuple):
    """What N trajectories of T steps say of one policy; arrays (N, T)."""

    weight: Float  # of single decisions
    reward: Float
    discount: float
    q: FittedQ | None
    ratio: Float | None  # rho_t(s_t) of msis
    drl_ratio: Float | None  # rho_t(s_t) w_t of drl
    curve: tuple[Step, ...]
    figures: EpisodeFigures

    @property
    def cumulative(self) -> Float:
        """W_t."""
        return sequential.cumulative_weights(self.weight)

    def take(self, rows: npt.NDArray[np.intp]) -> Episodes:
        """The trajectories of these numbers; curve and figures stay those of all."""
        q = None if self.q is None else FittedQ(*(part[rows] for part in self.q))
        ratio, drl_ratio = (None if each is None else each[rows] for each in (self.ratio, self.drl_ratio))
        return self._replace(weight=self.weight[rows], reward=self.reward[rows], q=q, ratio=ratio, drl_ratio=drl_ratio)

    def of(self, name: str) -> Callable[[npt.NDArray[np.intp] | None], Point]:
        """An estimator as a function of which trajectories it sees; None: all."""
        return lambda rows: SEQUENTIAL[name].point(self if rows is None else self.take(rows))

    def believed(self, name: str) -> bool:
        """Whether the weights an estimator leans on last to the horizon, or it goes on without them."""
        estimator = SEQUENTIAL[name]
        if estimator.minimax:
            return estimator.goes_on or self.figures.drl_lasting == len(self.curve)
        return estimator.goes_on or lasting_steps(self.curve, estimator.marginal) == len(self.curve)

    def interval(self, name: str) -> str:
        """How the interval of an estimator is made, or why there is none."""
        of_model = SEQUENTIAL[name].spread_of is not None
        if of_model and self.figures.told != len(self.curve):
            return NO_INTERVAL
        if judged(self.curve, self.figures)[0] == REFUSED:
            return WHERE_REFUSED
        return DOUBLY_ROBUST if of_model else CLUSTERED_T


class SequentialEstimator(NamedTuple):
    """One row of the table below."""

    point: Callable[[Episodes], Point]
    model: bool = False  # leans on Q
    marginal: bool = False  # leans on the ratios of states
    goes_on: bool = False  # answers beyond the step where the weights run out, by the model
    minimax: bool = False  # leans, itself or its interval, on the ratios of drl
    spread_of: str | None = None  # the estimator whose interval it gets, as the model's own error is not in its terms


def _sdr(e: Episodes) -> Point:
    assert e.q is not None
    return sequential.sdr(e.weight, e.reward, e.q.predicted, e.q.expected, e.discount)


def _wdr(e: Episodes) -> Point:
    assert e.q is not None
    corrected = lasting_steps(e.curve)
    return sequential.wdr(e.weight, e.reward, e.q.predicted, e.q.expected, e.discount, corrected)


def _fqe(e: Episodes) -> Point:
    assert e.q is not None
    return sequential.dm(e.q.expected)


def _drl(e: Episodes) -> Point:
    assert e.q is not None
    assert e.drl_ratio is not None
    return sequential.drl(e.drl_ratio, e.reward, e.q.predicted, e.q.expected, e.discount)


def _msis(e: Episodes) -> Point:
    assert e.ratio is not None
    return sequential.msis(e.ratio, e.weight, e.reward, e.discount)


SEQUENTIAL: Mapping[str, SequentialEstimator] = MappingProxyType(
    {
        "pdis": SequentialEstimator(lambda e: sequential.pdis(e.weight, e.reward, e.discount)),
        "wpdis": SequentialEstimator(lambda e: sequential.wpdis(e.weight, e.reward, e.discount)),
        "sdr": SequentialEstimator(_sdr, model=True),
        "wdr": SequentialEstimator(_wdr, model=True, goes_on=True),
        "fqe": SequentialEstimator(_fqe, model=True, goes_on=True, minimax=True, spread_of="drl"),
        "drl": SequentialEstimator(_drl, model=True, minimax=True),
        "msis": SequentialEstimator(_msis, marginal=True),
    }
)
LIFT_PREFERENCE = ("wdr", "sdr", "drl", "wpdis", "msis", "pdis", "fqe")  # which of those asked for gives the lift


def gather_episodes(
    log: DecisionLog,
    paths: Trajectories,
    target: TargetPolicy,
    names: Iterable[str],
    *,
    discount: float = 1.0,
    mix: float = 1.0,
    fitting: Fitting,
) -> Episodes:
    """What the trajectories say of the target followed `mix` of the time, as far as the named estimators need it."""
    wanted = [SEQUENTIAL[name] for name in names]
    modelled, marginal = any(e.model for e in wanted), any(e.marginal for e in wanted)
    minimax = any(e.minimax for e in wanted)
    per_row, off, largest, probabilities = _weights(log, target, modelled)
    per_row, off = mixed(per_row, mix), mix * off
    weight = paths.aligned(per_row, 1.0)
    q, (kind, folds, seed) = None, fitting
    state = few_states(log, paths) if modelled else None
    if modelled:
        behaviour = Behaviour(probabilities, mix)
        q = fitted_q(log, paths, behaviour, discount=discount, kind=kind, folds=folds, seed=seed, state=state)
    ratio = state_ratios(log, paths, weight, folds, seed) if marginal else None
    drl_ratio = minimax_ratios(log, paths, weight, state, folds, seed) * weight if minimax else None
    going = paths.going_on
    rows = paths.row[going]
    w, clusters = per_row[rows], Clusters(log.customer[rows])
    bounds = (float(mixed(np.zeros(1), mix)[0]), float(mixed(np.array([largest]), mix)[0]))
    bounds = (1.0, 1.0) if target.answer is None else bounds
    figures = EpisodeFigures(
        customers=len(paths),
        off_support=float(off[rows].mean()),
        mean_weight=float(w.mean()),
        mean_weight_p=mean_weight_p_value(w, clusters, bounds),
        ended=float(1.0 - going[:, -1].mean()),
        model_asked=modelled,
        learned_from=target.learned_from,
    )
    W = sequential.cumulative_weights(weight)
    choice = paths.aligned(log.propensity, 1.0) < CERTAIN
    curve = curve_of(W, None if ratio is None else ratio * weight, going, choice)
    if drl_ratio is not None:
        of_drl = curve_of(W, drl_ratio, going, choice)
        reach, told = (lasting_steps(of_drl, True, least) for least in (ESS_REFUSE, TOLD))
        figures = figures._replace(drl_lasting=reach, told=told)
    return Episodes(weight, paths.aligned(log.reward, 0.0), discount, q, ratio, drl_ratio, curve, figures)


def _weights(
    log: DecisionLog, target: TargetPolicy, keep: bool
) -> tuple[Float, Float, float, npt.NDArray[np.float32] | None]:
    """Weights (n,), mass off support (n,), the largest weight possible, and pi_e (n, k) if it is to be kept.

    Fitting backwards asks for pi_e once a step, so it is held, in single precision.
    """
    n, k = len(log), len(log.catalog)
    if target.answer is None:
        return np.ones(n), np.zeros(n), 1.0, None
    weight, off, wanted = np.ones(n), np.zeros(n), np.zeros(k)
    held = np.empty((n, k), dtype=np.float32) if keep else None
    untried = np.bincount(log.action, minlength=k) == 0
    for rows in blocks(n):
        p, propensity = target.probabilities(log, rows), log.propensity[rows]
        chosen = p[np.arange(len(p)), log.action[rows]].astype(np.float64)
        weight[rows], off[rows] = chosen / propensity, off_support(p, chosen, untried, propensity)
        np.maximum(wanted, most_wanted(p), out=wanted)
        if held is not None:
            held[rows] = p
    bound = weight_bound(wanted, log.action, log.propensity, log.meta.get("propensity_floor"))
    return weight, off, max(bound, float(weight.max())), held
