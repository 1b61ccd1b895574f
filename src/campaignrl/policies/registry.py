"""Which kinds of policy exist. The table is literal: no spec and no bundle ever decides what is imported.

A kind's module is imported when it is first asked for, so an optional library loads only with the kind that
needs it. Not here: building one from a spec (loading.py), or from a file (bundle.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from campaignrl.actions import Catalog
from campaignrl.errors import unknown
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Policy, Shapes, Tensors
from campaignrl.specs import Spec

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
        "neural_linear": "campaignrl.policies.bandits.neural_linear:NeuralLinear",
        "network": "campaignrl.policies.deep.numpy_network:NetworkPolicy",
        "ppo": "campaignrl.policies.deep.configs:PPO",
        "maskable_ppo": "campaignrl.policies.deep.configs:MaskablePPO",
        "recurrent_ppo": "campaignrl.policies.deep.recurrent_ppo:RecurrentPPO",
        "dqn": "campaignrl.policies.deep.configs:DQN",
        "qr_dqn": "campaignrl.policies.deep.configs:QRDQN",
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


def policy_class(kind: str) -> type[Stored]:
    """The class of a kind; an unknown kind is an UnknownName with the nearest one."""
    if kind not in KINDS:
        raise unknown("kind of policy", kind, KINDS)
    module, _, name = KINDS[kind].partition(":")
    found: type[Stored] = getattr(importlib.import_module(module), name)
    return found
