"""Which tools results can be written to; each is loaded only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from campaignrl.suites.results import Results

MLFLOW = "campaignrl.suites.export.mlflow_store"  # the only module that imports mlflow


def to_mlflow(results: Results, where: str | Path, artifacts: Sequence[Path] = ()) -> str:
    """Write results to the MLflow at a folder or tracking URI; the id of the run of the whole suite.

    where: a folder, which is made if need be, or a URI that MLflow knows. artifacts: further files to keep.
    MissingExtra where MLflow is not installed; ArtifactError where it refuses.
    """
    found: str = require_mlflow().written(results, where, artifacts)
    return found


def require_mlflow() -> ModuleType:
    """What writes to it; MissingExtra where it is not installed."""
    return import_module(MLFLOW)
