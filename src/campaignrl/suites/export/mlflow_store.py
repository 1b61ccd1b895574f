"""Results to MLflow, where it is installed (extra `mlflow`): an experiment a suite, a run for each world and policy.

Params say what was played, metrics every measure: its mean over seeds, and seed by seed as steps. The results file and
the page are artifacts of a run of the whole suite, whose children the others are. Not here: our own history
(history/).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from campaignrl.errors import ArtifactError, MissingExtra, UsageError
from campaignrl.suites.results import Results

try:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
except ImportError as missing:
    raise MissingExtra("writing to MLflow needs it: pip install 'campaignrl[mlflow]'") from missing

FILES = "MLFLOW_ALLOW_FILE_STORE"  # since 3.7 MLflow takes a folder only where this says `true`
SCHEMES = ("http://", "https://", "file:", "sqlite:", "postgresql:", "mysql:", "mssql:", "databricks")


def written(results: Results, where: str | Path, artifacts: Sequence[Path] = ()) -> str:
    """Write results; the id of the run of the whole suite. See store.py (`to_mlflow`)."""
    with _folders_allowed():
        try:
            return _written(MlflowClient(tracking_uri=_uri(str(where))), results, artifacts)
        except (MlflowException, OSError) as wrong:
            raise ArtifactError(f"{where}: MLflow refused: {str(wrong).splitlines()[0]}") from None
        except ImportError as wrong:
            raise MissingExtra(f"{where}: MLflow needs {wrong.name} for this store: pip install mlflow") from None


def _written(client: MlflowClient, results: Results, artifacts: Sequence[Path]) -> str:
    suite = results.suite
    experiment = _experiment(client, suite.name)
    whole = client.create_run(experiment, run_name=suite.name).info.run_id
    with _ending(client, whole):
        _log_params(client, whole, {**_settings(results), **results.made_with})
        with TemporaryDirectory() as folder:
            results.write(Path(folder) / "results.json")
            client.log_artifact(whole, str(Path(folder) / "results.json"))
        for path in artifacts:
            client.log_artifact(whole, str(path))
        for world in suite.worlds:
            for policy in suite.policies:
                _log_policy(client, experiment, whole, results, world, policy)
    return whole


def _log_policy(client: MlflowClient, experiment: str, parent: str, results: Results, world: str, policy: str) -> None:
    run = client.create_run(experiment, run_name=f"{world}/{policy}", tags={"mlflow.parentRunId": parent}).info.run_id
    with _ending(client, run):
        _log_params(client, run, {"world": world, "policy": policy, **_settings(results)})
        for measure in results.measures:
            values = results.values(world, policy, measure)
            if values:
                client.log_metric(run, f"{measure}.mean", float(np.mean(list(values.values()))))
            for seed, value in values.items():
                client.log_metric(run, measure, value, step=seed)


def _settings(results: Results) -> dict[str, Any]:
    suite = results.suite
    train = {f"train_{name}": value for name, value in suite.train.model_dump().items()}
    return {
        "suite": suite.name,
        "seeds": suite.seeds,
        "customers": suite.customers,
        **train,
        "hash": results.suite_hash,
    }


def _log_params(client: MlflowClient, run: str, params: dict[str, Any]) -> None:
    for name, value in params.items():
        client.log_param(run, name, value)


def _experiment(client: MlflowClient, name: str) -> str:
    """The id of the suite's experiment, made if it is not there."""
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


@contextmanager
def _ending(client: MlflowClient, run: str) -> Iterator[None]:
    """A run that is finished in the end, or marked as failed."""
    try:
        yield
    except BaseException:
        client.set_terminated(run, status="FAILED")
        raise
    client.set_terminated(run)


@contextmanager
def _folders_allowed() -> Iterator[None]:
    """MLflow takes a folder as its store, for as long as this lasts."""
    before = os.environ.get(FILES)
    os.environ[FILES] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FILES]
        else:
            os.environ[FILES] = before


def _uri(where: str) -> str:
    """A tracking URI as it is; a folder, made if need be, as one."""
    if where.startswith(SCHEMES):
        return where
    try:
        Path(where).mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise UsageError(f"{where}: cannot be made: {wrong.strerror}.") from wrong
    return Path(where).resolve().as_uri()
