"""Results in MLflow, read back with MLflow's own client from a folder; skipped where it is not installed."""

import json
import math
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaignrl.cli.main import app
from campaignrl.errors import ArtifactError, MissingExtra, UsageError
from campaignrl.suites.export import to_mlflow
from campaignrl.suites.results import read_results
from campaignrl.suites.run import benchmark
from campaignrl.suites.suite import PolicyUse, Suite

SUITE = """
worlds = ["coupon_trap"]
seeds = 2
customers = 40
[[policy]]
use = "uniform"
"""


@pytest.fixture(scope="module")
def results():
    uses = [PolicyUse(use="uniform")]
    return benchmark(Suite(name="tiny", worlds=["coupon_trap"], policy=uses, seeds=2, customers=40, horizon=20))


@pytest.fixture
def client_of(monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'campaignrl[mlflow]'")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return lambda folder: mlflow.MlflowClient(tracking_uri=Path(folder).resolve().as_uri())


def test_runs_hold_params_metrics_seed_by_seed_and_the_results_file(results, tmp_path, client_of):
    (tmp_path / "page.html").write_text("<p>")
    whole = to_mlflow(results, tmp_path / "ml", [tmp_path / "page.html"])
    client = client_of(tmp_path / "ml")
    parent = client.get_run(whole)
    assert (parent.info.status, parent.data.params["seeds"]) == ("FINISHED", "2")
    kept = Path(client.download_artifacts(whole, "results.json"))
    assert read_results(kept) == results
    assert {one.path for one in client.list_artifacts(whole)} == {"results.json", "page.html"}
    runs = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{whole}'")
    assert {run.info.run_name for run in runs} == {"coupon_trap/none", "coupon_trap/uniform"}
    for run in runs:
        policy = run.data.params["policy"]
        values = results.values("coupon_trap", policy)
        history = client.get_metric_history(run.info.run_id, "contribution")
        assert {one.step: one.value for one in history} == pytest.approx(values)
        assert run.data.metrics["contribution.mean"] == pytest.approx(sum(values.values()) / 2)
        assert all(math.isfinite(value) for value in run.data.metrics.values()), "what cannot be had is left out"


def test_a_second_benchmark_joins_the_same_experiment_and_the_environment_is_as_before(results, tmp_path, client_of):
    os.environ.pop("MLFLOW_ALLOW_FILE_STORE")
    first, second = to_mlflow(results, tmp_path), to_mlflow(results, str(tmp_path))
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = client_of(tmp_path)
    assert first != second
    assert client.get_run(first).info.experiment_id == client.get_run(second).info.experiment_id


def test_the_command_line_writes_there_too(tmp_path, client_of, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(SUITE)
    done = CliRunner().invoke(app, ["benchmark", "s.toml", "--mlflow", "ml", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["suite"]["seeds"] == 2
    assert client_of("ml").get_experiment_by_name("s") is not None


def test_a_place_that_is_none_or_refuses_is_told(results, tmp_path, client_of):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        to_mlflow(results, tmp_path / "file")
    to_mlflow(results, tmp_path / "ml")
    client = client_of(tmp_path / "ml")
    client.delete_experiment(client.get_experiment_by_name("tiny").experiment_id)
    with pytest.raises(ArtifactError, match="MLflow refused"):
        to_mlflow(results, tmp_path / "ml")


def test_without_mlflow_the_install_command_is_told_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    monkeypatch.delitem(sys.modules, "campaignrl.suites.export.mlflow_store", raising=False)
    (tmp_path / "s.toml").write_text(SUITE)
    wrong = CliRunner().invoke(app, ["benchmark", str(tmp_path / "s.toml"), "--mlflow", str(tmp_path / "ml")])
    assert isinstance(wrong.exception, MissingExtra)
    assert "pip install 'campaignrl[mlflow]'" in str(wrong.exception)
    assert not (tmp_path / "ml").exists()
