"""A researcher's folder: its own words run as its README says."""

import subprocess
import sys

import pytest

from campaignrl.errors import UsageError
from campaignrl.loop import new_study
from campaignrl.specs import load_world
from campaignrl.suites.suite import load_suite

SMALL = {"CUSTOMERS = 500": "CUSTOMERS = 120"}


def test_what_the_folder_holds(tmp_path):
    names = {path.name for path in new_study(tmp_path / "mine")}
    assert names == {"README.md", "world.toml", "suite.toml", "study.py"}
    assert load_world(tmp_path / "mine" / "world.toml").catalog.names == load_world("coupon_trap").catalog.names
    suite = load_suite(tmp_path / "mine" / "suite.toml")
    assert list(suite.policies) == ["none", "uniform", "lin_ts", "dr_greedy"]
    assert list(suite.world_of) == ["world"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="new or empty"):
        new_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_script_runs(tmp_path):
    words = [sys.executable, "-m", "campaignrl", "init", "mine", "--template", "study"]
    made = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert made.stdout.endswith("next: cd mine && python study.py\n")
    script = tmp_path / "mine" / "study.py"
    text = script.read_text(encoding="utf-8")
    for usual, small in SMALL.items():
        assert usual in text
        text = text.replace(usual, small)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text], cwd=script.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "whole campaign, over sending nothing:" in done.stdout
    assert (script.parent / "lin_ts.bundle").is_file()


def test_files_have_no_place_in_a_study(tmp_path):
    words = [sys.executable, "-m", "campaignrl", "init", "mine", "orders.csv", "--template", "study"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no files" in done.stderr
