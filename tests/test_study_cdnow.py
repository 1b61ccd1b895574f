"""The CDNOW study of purchase models: published figures, errors of tracking, pictures, and refusals."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from campaignrl.errors import DataError

PATH = Path(__file__).resolve().parents[1] / "experiments" / "cdnow.py"


def script():
    found = importlib.util.spec_from_file_location("cdnow_models", PATH)
    module = importlib.util.module_from_spec(found)
    sys.modules["cdnow_models"] = module
    found.loader.exec_module(module)
    return module


STUDY = script()


@pytest.fixture(scope="module")
def told(shared_data):
    path = shared_data / "cdnow" / "CDNOW_sample.txt"
    if not path.is_file():
        pytest.skip("the CDNOW sample is not beside this checkout")
    return STUDY.study(STUDY.read_orders(path))


def test_the_published_parameters(told):
    for name, model in told[0]["models"].items():
        for parameter, value in model["published"].items():
            mine = (model["parameters"] | {"log_likelihood": model["log_likelihood"]})[parameter]
            digits = len(str(value).partition(".")[2])
            assert round(mine, digits) == pytest.approx(value, abs=0.02 if parameter == "beta" else 1e-9), (
                name,
                parameter,
            )


def test_errors_of_tracking(told):
    """BG/NBD: -13.9, -0.9, +1.6, -1.7, -4.3, -4.0 % with a day's difference in when a week ends."""
    error = told[0]["tracking_error"]["bg_nbd"]
    assert list(error.values()) == pytest.approx([-0.139, -0.009, 0.016, -0.017, -0.043, -0.040], abs=0.006)
    assert abs(told[0]["tracking_error"]["nbd"][78]) > 0.2  # who forgets drop-out is far off


def test_expected_orders_in_the_holdout(told):
    bg, actual = told[0]["expected"]["bg_nbd"], told[0]["actual"]
    assert actual["total"] == 1882
    assert np.round(actual["by_frequency"], 2).tolist() == [0.24, 0.70, 1.39, 1.56, 2.53, 2.95, 3.86, 6.36]
    assert bg["total"] == pytest.approx(1653, abs=1)
    assert (bg["correlation"], bg["rmse"], bg["mae"]) == pytest.approx((0.626, 1.61, 0.785), abs=0.005)


def test_expected_counts_are_those_of_the_data(told):
    _, table, fits, *_ = told
    seen = np.bincount(np.minimum(table["x"], 7), minlength=8)
    for name in ("bg_nbd", "mbg_nbd", "pareto_nbd"):
        expected = STUDY.expected_counts(fits[name], table, copies=20)
        assert expected.sum() == pytest.approx(2357)
        assert np.abs(expected - seen).max() / 2357 < 0.025


def test_four_pictures(told, tmp_path):
    paths = STUDY.draw(tmp_path, *told)
    assert sorted(path.name for path in paths) == ["alive.png", "conditional.png", "frequencies.png", "tracking.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_one_json_object(shared_data, tmp_path, capsys, monkeypatch):
    path = shared_data / "cdnow" / "CDNOW_sample.txt"
    monkeypatch.setattr(sys, "argv", ["cdnow.py", str(path), "-o", str(tmp_path), "--json"])
    runpy.run_path(str(PATH), run_name="__main__")
    facts = json.loads(capsys.readouterr().out)
    assert facts["customers"] == 2357
    assert facts["models"]["bg_nbd"]["parameters"]["r"] == pytest.approx(0.2426, abs=1e-4)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        STUDY.read_orders(tmp_path / "none.txt")
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("1 1 19700101 1 1.0\n")
    with pytest.raises(DataError, match="dated before"):
        STUDY.read_orders(wrong)
