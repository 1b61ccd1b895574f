"""What a policy is: context and eligibility mask in, an exact probability for every action out.

Here: the protocol, drawing an action, what else a kind may say. Not here: what may be sent (guard/), which policies
exist (loading.py), calling in chunks of one size (chunks.py), files (bundle.py). n customers, k actions.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.display import html_table, one_line
from campaignrl.features import Context, FeatureSchema
from campaignrl.tables.log import DecisionLog

Tensors = dict[str, npt.NDArray[Any]]
Shapes = dict[str, tuple[str, tuple[int, ...]]]  # by tensor name: dtype as safetensors calls it, shape
ANY = -1  # a size in such a shape that the file says

ROWS_AT_A_TIME = 65_536  # rows encoded at once: 12 MB at 45 columns
FEW = 64  # rows that are added up by one call, since a step for each action costs more
SUMMED_AT_ONCE = 65_536  # probabilities that `sample` adds up at once, 512 kB


@runtime_checkable
class Policy(Protocol):
    """Anything that can state its propensities: contexts and masks in, a probability for every action out.

    Attributes:
        kind: its kind of policy, `lin_ts` or one that was registered.
        name: what people call it; `policy_id` of the logs it writes.
        catalog: the k actions it decides among.

    Example:
        >>> import campaignrl as crl
        >>> isinstance(crl.load_policy("uniform", "coupon_trap"), crl.Policy)
        True
    """

    kind: ClassVar[str]
    name: str
    catalog: Catalog

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n,) contexts, (n, k) mask -> (n, k); rows sum to 1, zero where not allowed. Draws nothing."""

    def settings(self) -> dict[str, Any]:
        """Plain JSON types that, with `tensors`, rebuild the policy."""

    def tensors(self) -> Tensors:
        """Learned arrays by name; empty for a policy that learns nothing."""


@runtime_checkable
class Learner(Policy, Protocol):
    """A policy that learns from decision logs, its own or another's."""

    schema: FeatureSchema

    def update(self, log: DecisionLog) -> None:
        """Learn from matured rows; two calls with the halves equal one call with the whole."""


REWARD = "reward"  # the `score_unit` of kinds whose scores are values


def weighs_rewards(policy: Policy) -> bool:
    """Whether what it chooses by is what actions bring; rules, and networks of chances, only choose."""
    return str(getattr(policy, "score_unit", "")).startswith(REWARD)


def stated_gains(policy: Policy, context: Context) -> Float32 | None:
    """(n, k) what each action is expected to bring over `none`, in the unit of rewards; None: the policy does not say.

    A kind says it by `scores` (context) and `score_unit = "reward"`, the expected reward of every action, of which only
    differences within a row count.
    """
    if getattr(policy, "score_unit", None) != REWARD:
        return None
    scores = np.asarray(policy.scores(context), dtype=np.float32)  # type: ignore[attr-defined]
    gains: Float32 = scores - scores[:, NONE : NONE + 1]
    return gains


def certain_action(policy: Policy, context: Context, allowed: Bool) -> Int | None:
    """(n,) the actions whose probability is 1, where `none` is allowed in every row; None: the policy cannot say.

    A kind says it by a method of this name, (context, allowed), beside its `probabilities`; a class that replaces one
    of the two and not the other is asked for its probabilities.
    """
    sure = _says(policy, "certain_action")
    action: Int | None = policy.certain_action(context, allowed) if sure else None  # type: ignore[attr-defined]
    return action


def drawn_action(policy: Policy, context: Context, allowed: Bool, u: Float) -> Int:
    """(n,) the actions that `sample` takes of the policy's probabilities by u (n,).

    A kind that finds them without, by a method of this name, is asked for them alone, as by `certain_action`.
    """
    knows = _says(policy, "drawn_action")
    action: Int | None = policy.drawn_action(context, allowed, u) if knows else None  # type: ignore[attr-defined]
    return sample(policy.probabilities(context, allowed), u) if action is None else action


def _says(policy: Policy, method: str) -> bool:
    """Whether the class that says a policy's probabilities says this, too."""
    both = {"probabilities", method}
    owners = (getattr(policy, "__dict__", {}), *(vars(kind) for kind in type(policy).__mro__))
    return next((both & names.keys() for names in owners if both & names.keys()), set()) == both


class Shown:
    """How a policy shows itself: a line, and in a notebook its settings."""

    def __repr__(self) -> str:
        return one_line(_said(self))

    def _repr_html_(self) -> str:
        settings = self.settings().items()  # type: ignore[attr-defined]
        return html_table(_said(self), ("setting", "value"), [(name, _short(value)) for name, value in settings])


def _said(policy: Any) -> str:
    kind = "" if policy.name == policy.kind else f" ({policy.kind})"
    learned = {True: "trained", False: "untrained", None: "learns nothing"}[getattr(policy, "is_trained", None)]
    return f"Policy {policy.name}{kind}: {len(policy.catalog)} actions, {learned}"


def _short(value: Any, limit: int = 80) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def sample(probabilities: Float, u: Float) -> npt.NDArray[np.int64]:
    """Action ids (n,) from rows of probabilities (n, k) and uniforms u (n,) in [0, 1), by inversion.

    An action of probability zero is never taken, whatever the rounding of the row's sum.
    """
    n, k = probabilities.shape
    if n <= FEW:
        cumulative = probabilities.T.cumsum(axis=0, dtype=np.float64)
        taken = (cumulative <= u * cumulative[-1]).sum(axis=0)
        return _within(taken, probabilities)
    taken = np.empty(n, dtype=np.int64)
    scratch = np.empty((k, min(max(64, SUMMED_AT_ONCE // k), max(n, 1))))
    for start in range(0, n, scratch.shape[1]):
        rows = slice(start, start + scratch.shape[1])
        cumulative = scratch[:, : len(taken[rows])]  # turned round: four times as fast as sums along short rows
        cumulative[:] = probabilities[rows].T
        for last, here in pairwise(cumulative):
            here += last
        passed = cumulative <= u[rows] * cumulative[-1]
        taken[rows] = np.add.reduce(passed.view(np.uint8), axis=0, dtype=np.min_scalar_type(k))
    return _within(taken, probabilities)


def _within(taken: npt.NDArray[np.int64], probabilities: Float) -> npt.NDArray[np.int64]:
    """The same, with the last action that is possible where rounding has passed them all."""
    k = probabilities.shape[1]
    if taken.max(initial=0) == k:
        beyond = np.flatnonzero(taken == k)
        taken[beyond] = k - 1 - np.argmax(probabilities[beyond, ::-1] > 0.0, axis=1)
    return taken
