"""Files that version 0.1 wrote load and mean what they meant, or the message says what to do.

The files under tests/formats/v0.1 were written by 0.1.0 and are never written again.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import campaignrl as crl
from campaignrl.errors import ArtifactError, DataError
from campaignrl.suites.results import read_results

OLD = Path(__file__).resolve().parent / "formats" / "v0.1"
EXPECTED = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def log():
    return crl.read_log(OLD / "log.parquet")


def test_a_log_loads(log):
    assert len(log.reward) == EXPECTED["rows"]
    assert np.nansum(log.reward) == pytest.approx(EXPECTED["reward"])
    assert log.catalog.names[0] == "none"


@pytest.mark.parametrize("name", EXPECTED["values"])
def test_a_bundle_loads_and_answers_as_it_did(name, log):
    policy = crl.load_policy(OLD / f"{name}.bundle")
    answered = policy.probabilities(log.context, log.eligible).mean(axis=0)
    np.testing.assert_allclose(answered, EXPECTED["values"][name], atol=1e-6)


def test_a_bundle_decides_on_a_world_and_learns_on(log):
    assert crl.run_campaign(OLD / "world.toml", OLD / "lin_ts.bundle", customers=20, seed=2).value.shape == (20,)


def test_a_world_loads():
    world = crl.load_world(OLD / "world.toml")
    assert world.catalog.names == crl.load_world("coupon_trap").catalog.names
    assert world.horizon == 120


def test_results_of_the_first_form_say_what_to_do(tmp_path):
    path = tmp_path / "main.json"
    path.write_text(json.dumps({"kind": "campaignrl benchmark results", "format": 1}), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"run the benchmark again|Give a file written by"):
        read_results(path)


def test_a_log_of_a_later_version_says_what_to_do(tmp_path):
    table = pq.read_table(OLD / "log.parquet")
    metadata = {key: value.replace(b'"format": 1', b'"format": 99') for key, value in table.schema.metadata.items()}
    assert metadata != table.schema.metadata
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "log.parquet")
    with pytest.raises(DataError, match="at most 1"):
        crl.read_log(tmp_path / "log.parquet")


def test_a_bundle_that_lost_its_end_says_so(tmp_path):
    shutil.copy(OLD / "lin_ts.bundle", tmp_path)
    path = tmp_path / "lin_ts.bundle"
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(ArtifactError):
        crl.load_policy(path)
