"""Which kinds of policy exist. The table is literal: no spec and no bundle ever decides what is imported.

A kind's module is imported when it is first asked for, so an optional library loads only with the kind that
needs it. Kinds of the user's own are registered by their code, or by an entry point of a package they installed.
Not here: building one from a spec (loading.py), or from a file (bundle.py).
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from campaignrl.actions import Catalog
from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Policy, Shapes, Tensors
from campaignrl.specs import Spec

GROUP = "campaignrl.policies"  # of entry points, in packages that bring kinds of their own
OWN_KIND = "A kind of your own has to be registered first: campaignrl.register_policy(KIND, CLASS)."

NEEDED = {  # what is called on any kind, with its arguments by place
    "__init__": ("catalog", "schema", "config", "name"),
    "shapes": ("catalog", "schema", "config"),
    "probabilities": ("self", "context", "allowed"),
    "settings": ("self",),
    "tensors": ("self",),
    "restore": ("self", "tensors"),
}

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "none": "campaignrl.policies.fixed.simple:NonePolicy",
        "uniform": "campaignrl.policies.fixed.simple:UniformPolicy",
        "always": "campaignrl.policies.fixed.simple:AlwaysPolicy",
        "rules": "campaignrl.policies.fixed.rules:RulesPolicy",
        "epsilon_greedy": "campaignrl.policies.bandits.counts:EpsilonGreedy",
        "ucb1": "campaignrl.policies.bandits.counts:UCB1",
        "beta_ts": "campaignrl.policies.bandits.counts:BetaTS",
        "gaussian_ts": "campaignrl.policies.bandits.counts:GaussianTS",
        "lin_epsilon": "campaignrl.policies.bandits.linear:LinEpsilon",
        "lin_ucb": "campaignrl.policies.bandits.linear:LinUCB",
        "lin_ts": "campaignrl.policies.bandits.linear:LinTS",
        "logit_ts": "campaignrl.policies.bandits.logistic:LogitTS",
        "square_cb": "campaignrl.policies.bandits.square_cb:SquareCB",
        "reg_cb": "campaignrl.policies.bandits.reg_cb:RegCB",
        "bootstrap_ts": "campaignrl.policies.bandits.bootstrap_ts:BootstrapTS",
        "dr_greedy": "campaignrl.policies.offline.dr_greedy:DRGreedy",
        "crm": "campaignrl.policies.offline.crm:CRM",
        "pessimistic": "campaignrl.policies.offline.pessimistic:Pessimistic",
        "fitted_q": "campaignrl.policies.offline.fitted_q:FittedQ",
        "cql": "campaignrl.policies.offline.cql:CQL",
        "uplift": "campaignrl.policies.offline.uplift:Uplift",
        "dr_uplift": "campaignrl.policies.offline.uplift:DRUplift",
        "propensity_greedy": "campaignrl.policies.offline.propensity_greedy:PropensityGreedy",
        "budgeted": "campaignrl.policies.offline.budgeted:Budgeted",
        "dr_select": "campaignrl.policies.selection.dr_select:DRSelect",
        "neural_linear": "campaignrl.policies.bandits.neural_linear:NeuralLinear",
        "network": "campaignrl.policies.deep.numpy_network:NetworkPolicy",
        "ppo": "campaignrl.policies.deep.configs:PPO",
        "maskable_ppo": "campaignrl.policies.deep.configs:MaskablePPO",
        "recurrent_ppo": "campaignrl.policies.deep.recurrent_ppo:RecurrentPPO",
        "dqn": "campaignrl.policies.deep.configs:DQN",
        "qr_dqn": "campaignrl.policies.deep.configs:QRDQN",
        "rollout": "campaignrl.policies.rollout.policy:RolloutPolicy",
    }
)


class Stored(Policy, Protocol):
    """What every kind of the table offers beside deciding: to be built, and to be kept in a bundle."""

    Config: ClassVar[type[Spec]]
    schema: FeatureSchema

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        """A policy that has learned nothing yet."""

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Name, dtype and shape of every tensor of such a policy."""

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""


_OWN: dict[str, type[Stored]] = {}  # kinds that the user's own code has registered


def register_policy(kind: str, cls: type[Any]) -> None:
    """Make a policy class of one's own known under a name, for `load_policy`, `train`, `save_policy` and bundles.

    The name then works wherever a policy is named in this process. To have it on the command line and in workers too,
    give it an entry point of the group `campaignrl.policies` in the package it lives in. A bundle holds settings and
    tensors only: the class always comes from here, never from a file.

    Args:
        kind: its name, the same as `cls.kind`; a name of ours cannot be taken. Again with the same name replaces.
        cls: what `campaignrl.Policy` asks for, and `Config` (settings, a `campaignrl.specs.Spec`), a constructor of
            (catalog, schema, config, name), the classmethod `shapes(catalog, schema, config)` and `restore(tensors)`.

    Raises:
        UsageError: the class lacks something, all of which is named, or the name is taken.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.policies.fixed.simple import NonePolicy
        >>> class Patient(NonePolicy):
        ...     kind = "patient"
        >>> crl.register_policy("patient", Patient)
        >>> crl.load_policy("patient", "coupon_trap")
        Policy patient: 7 actions, learns nothing
    """
    if kind in KINDS:
        fix = "Give it another name: bundles of that kind are read by our own class."
        raise UsageError(Problem("register_policy", "kind", kind, "free", fix))
    problems = lacking(kind, cls)
    if problems:
        raise UsageError(problems)
    _OWN[kind] = cls


def kinds() -> tuple[str, ...]:
    """Every kind that can be named: ours, those registered in this process, and those of installed packages."""
    return tuple(dict.fromkeys([*KINDS, *_OWN, *(point.name for point in _points(tuple(sys.path)))]))


@lru_cache(maxsize=1)
def _points(path: tuple[str, ...]) -> EntryPoints:
    """What installed packages offer; they are looked through again where others are importable."""
    return entry_points(group=GROUP)


def policy_class(kind: str) -> type[Stored]:
    """The class of a kind; an unknown kind is an UnknownName with the nearest one."""
    if kind in KINDS:
        module, _, name = KINDS[kind].partition(":")
        found: type[Stored] = getattr(importlib.import_module(module), name)
        return found
    if kind in _OWN:
        return _OWN[kind]
    if kind not in kinds():
        raise unknown("kind of policy", kind, kinds(), OWN_KIND)
    return _installed(kind)


def _installed(kind: str) -> type[Stored]:
    """The class that an installed package gives for a kind."""
    points = [point for point in _points(tuple(sys.path)) if point.name == kind]
    if len({point.value for point in points}) > 1:
        given = ", ".join(sorted({point.value for point in points}))
        fix = "Two installed packages use the name: uninstall one of them."
        raise UsageError(Problem(f"entry points of {GROUP}", kind, given, "one class", fix))
    try:
        found: type[Stored] = points[0].load()
    except (ImportError, AttributeError) as wrong:
        raise UsageError(Problem(f"entry points of {GROUP}", kind, points[0].value, f"to be had: {wrong}")) from None
    problems = lacking(kind, found)
    if problems:
        raise UsageError(problems)
    return found


def lacking(kind: str, cls: Any) -> list[Problem]:
    """What a class of somebody else's would need to be a kind of policy."""
    if not isinstance(cls, type):
        return [Problem("register_policy", "cls", cls, "a class", "Give the class itself, not one of its objects.")]
    where, config = f"class {cls.__name__}", getattr(cls, "Config", None)
    problems = []
    if not kind.isidentifier():
        problems.append(Problem("register_policy", "kind", kind, "a name of letters, digits and _"))
    if getattr(cls, "kind", None) != kind:
        problems.append(Problem(where, "kind", getattr(cls, "kind", None), repr(kind), f"Write kind = {kind!r}."))
    if not (isinstance(config, type) and issubclass(config, Spec)):
        fix = "Write class Config(campaignrl.specs.Spec) with a field for each setting."
        problems.append(Problem(where, "Config", config, "a class of settings", fix))
    for name, arguments in NEEDED.items():
        method = cls if name == "__init__" else getattr(cls, name, None)
        if not (callable(method) and _takes(method, arguments)):
            given = "absent" if method is None else "of other arguments"
            problems.append(Problem(where, name, given, f"a method of ({', '.join(arguments)})"))
    return problems


def _takes(method: Any, arguments: tuple[str, ...]) -> bool:
    """Whether it can be called with so many arguments by place."""
    try:
        inspect.signature(method).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True
