"""campaignrl: learn which offer to send to whom on which channel, prove it on logs, decide safely.

The verbs and nouns of the package, by name; each loads on first use. Importing campaignrl also makes its
environments known to `gymnasium.make`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from campaignrl.registration import register_environments as _register

if TYPE_CHECKING:
    from campaignrl.actions import Catalog as Catalog
    from campaignrl.calibration.calibrate import calibrate as calibrate
    from campaignrl.campaign import simulate as simulate
    from campaignrl.errors import ArtifactError as ArtifactError
    from campaignrl.errors import CampaignError as CampaignError
    from campaignrl.errors import DataError as DataError
    from campaignrl.errors import SpecError as SpecError
    from campaignrl.errors import SupportError as SupportError
    from campaignrl.errors import UnknownName as UnknownName
    from campaignrl.ope.evaluate import evaluate as evaluate
    from campaignrl.ope.methods import Evaluation as Evaluation
    from campaignrl.policies import Policy as Policy
    from campaignrl.policies import load_policy as load_policy
    from campaignrl.send.decide import decide as decide
    from campaignrl.specs import World as World
    from campaignrl.specs import load_world as load_world
    from campaignrl.suites import benchmark as benchmark
    from campaignrl.suites.compare import compare as compare
    from campaignrl.tables import read_log as read_log
    from campaignrl.tables.log import DecisionLog as DecisionLog
    from campaignrl.training import train as train

_HOME = {
    "ArtifactError": "errors",
    "CampaignError": "errors",
    "Catalog": "actions",
    "DataError": "errors",
    "DecisionLog": "tables.log.decision_log",
    "Evaluation": "ope.methods.result",
    "Policy": "policies.base",
    "SpecError": "errors",
    "SupportError": "errors",
    "UnknownName": "errors",
    "World": "specs.world",
    "benchmark": "suites.run",
    "calibrate": "calibration.calibrate",
    "compare": "suites.compare",
    "decide": "send.decide",
    "evaluate": "ope.evaluate",
    "load_policy": "policies.loading",
    "load_world": "specs.world",
    "read_log": "tables.logs",
    "simulate": "campaign",
    "train": "training",
}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


_register()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'campaignrl' has no attribute {name!r}")
    value = getattr(import_module(f"campaignrl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
