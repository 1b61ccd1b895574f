"""campaignrl: learn which offer to send to whom on which channel, prove it on logs, decide safely.

The verbs and nouns of the package, by name; each loads on first use. Importing campaignrl also makes its
environments known to `gymnasium.make`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from campaignrl.envs.registration import register_environments as _register

if TYPE_CHECKING:
    from campaignrl.actions import Catalog as Catalog
    from campaignrl.calibrate.calibrate import calibrate as calibrate
    from campaignrl.errors import ArtifactError as ArtifactError
    from campaignrl.errors import CampaignError as CampaignError
    from campaignrl.errors import DataError as DataError
    from campaignrl.errors import SpecError as SpecError
    from campaignrl.errors import SupportError as SupportError
    from campaignrl.errors import UnknownName as UnknownName
    from campaignrl.evaluate.evaluate import evaluate as evaluate
    from campaignrl.evaluate.result import Evaluation as Evaluation
    from campaignrl.experiments.compare import compare as compare
    from campaignrl.experiments.run import benchmark as benchmark
    from campaignrl.policies.base import Policy as Policy
    from campaignrl.policies.catalog import load_policy as load_policy
    from campaignrl.send.decide import decide as decide
    from campaignrl.simulate import simulate as simulate
    from campaignrl.specs.world import World as World
    from campaignrl.specs.world import load_world as load_world
    from campaignrl.tables.decisions import DecisionLog as DecisionLog
    from campaignrl.tables.logfile import read_log as read_log
    from campaignrl.train import train as train

_HOME = {
    "ArtifactError": "errors",
    "CampaignError": "errors",
    "Catalog": "actions",
    "DataError": "errors",
    "DecisionLog": "tables.decisions",
    "Evaluation": "evaluate.result",
    "Policy": "policies.base",
    "SpecError": "errors",
    "SupportError": "errors",
    "UnknownName": "errors",
    "World": "specs.world",
    "benchmark": "experiments.run",
    "calibrate": "calibrate.calibrate",
    "compare": "experiments.compare",
    "decide": "send.decide",
    "evaluate": "evaluate.evaluate",
    "load_policy": "policies.catalog",
    "load_world": "specs.world",
    "read_log": "tables.logfile",
    "simulate": "simulate",
    "train": "train",
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


class _Package(ModuleType):
    """`campaignrl.evaluate` is the verb; importing the package of that name must not replace it."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
_register()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'campaignrl' has no attribute {name!r}")
    value = getattr(import_module(f"campaignrl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
