"""campaignrl: learn which offer to send to whom on which channel, prove it on logs, decide safely.

The verbs and nouns of the package, by name; each loads on first use. A name or a path is accepted wherever an object
is, tables go in and come out as pandas frames, and every noun shows itself in a line and in a notebook.

Worlds and policies   load_world save_world World, load_policy save_policy register_policy Policy, Catalog
Logs and learning     simulate run_campaign Campaign, read_log write_log DecisionLog, train, sb3_env, calibrate
Judging               evaluate evaluate_stream Evaluation, compare_many_on_log, benchmark, compare Comparison
Sending               read_customers, decide Decisions

Importing campaignrl also makes its environments known to `gymnasium.make`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from campaignrl.registration import register_environments as _register

if TYPE_CHECKING:
    from campaignrl.actions import Catalog as Catalog
    from campaignrl.calibration.calibrate import calibrate as calibrate
    from campaignrl.calibration.world.world_file import save_world as save_world
    from campaignrl.campaign import Campaign as Campaign
    from campaignrl.campaign import run_campaign as run_campaign
    from campaignrl.campaign import simulate as simulate
    from campaignrl.errors import ArtifactError as ArtifactError
    from campaignrl.errors import CampaignError as CampaignError
    from campaignrl.errors import DataError as DataError
    from campaignrl.errors import MissingExtra as MissingExtra
    from campaignrl.errors import SpecError as SpecError
    from campaignrl.errors import SupportError as SupportError
    from campaignrl.errors import UnknownName as UnknownName
    from campaignrl.errors import UsageError as UsageError
    from campaignrl.ope.comparison.policies import compare_many_on_log as compare_many_on_log
    from campaignrl.ope.evaluate import evaluate as evaluate
    from campaignrl.ope.methods.result import Evaluation as Evaluation
    from campaignrl.ope.streaming.evaluate import evaluate_stream as evaluate_stream
    from campaignrl.policies.base import Policy as Policy
    from campaignrl.policies.loading import load_policy as load_policy
    from campaignrl.policies.loading import save_policy as save_policy
    from campaignrl.policies.registry import register_policy as register_policy
    from campaignrl.registration import sb3_env as sb3_env
    from campaignrl.send.customers import read_customers as read_customers
    from campaignrl.send.decide import decide as decide
    from campaignrl.send.decisions import Decisions as Decisions
    from campaignrl.specs.world import World as World
    from campaignrl.specs.world import load_world as load_world
    from campaignrl.suites.compare import compare as compare
    from campaignrl.suites.comparison import Comparison as Comparison
    from campaignrl.suites.run import benchmark as benchmark
    from campaignrl.tables.log.decision_log import DecisionLog as DecisionLog
    from campaignrl.tables.log.files import write_log as write_log
    from campaignrl.tables.logs import read_log as read_log
    from campaignrl.training import train as train

_HOME = {
    "ArtifactError": "errors",
    "Campaign": "campaign",
    "CampaignError": "errors",
    "Catalog": "actions",
    "Comparison": "suites.comparison",
    "DataError": "errors",
    "DecisionLog": "tables.log.decision_log",
    "Decisions": "send.decisions",
    "Evaluation": "ope.methods.result",
    "MissingExtra": "errors",
    "Policy": "policies.base",
    "SpecError": "errors",
    "SupportError": "errors",
    "UnknownName": "errors",
    "UsageError": "errors",
    "World": "specs.world",
    "benchmark": "suites.run",
    "calibrate": "calibration.calibrate",
    "compare": "suites.compare",
    "compare_many_on_log": "ope.comparison.policies",
    "decide": "send.decide",
    "evaluate": "ope.evaluate",
    "evaluate_stream": "ope.streaming.evaluate",
    "load_policy": "policies.loading",
    "load_world": "specs.world",
    "read_customers": "send.customers",
    "read_log": "tables.logs",
    "register_policy": "policies.registry",
    "run_campaign": "campaign",
    "save_policy": "policies.loading",
    "save_world": "calibration.world.world_file",
    "sb3_env": "registration",
    "simulate": "campaign",
    "train": "training",
    "write_log": "tables.log.files",
}

__all__ = sorted(_HOME)
__version__ = "0.2.0"


_register()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'campaignrl' has no attribute {name!r}")
    value = getattr(import_module(f"campaignrl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
