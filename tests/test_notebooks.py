"""The notebooks of docs/notebooks run from their first to their last cell, as somebody would run them."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"

SHOW = """
import json as _json
_shown = {}

def _show(cell, value):
    if value is not None:
        made = getattr(value, "_repr_html_", None)
        _shown[cell] = {"type": type(value).__name__, "line": repr(value), "html": None if made is None else made()}
"""
END = """
open("shown.json", "w", encoding="utf-8").write(_json.dumps(_shown))
"""


SMALL = {
    "CUSTOMERS, STEPS, SEEDS = 1_000, 4_096, 2": "CUSTOMERS, STEPS, SEEDS = 100, 1_024, 2",
    "LOGS, CUSTOMERS, TRUTH = 10, 600, 20_000": "LOGS, CUSTOMERS, TRUTH = 3, 200, 2_000",
    "LEARN, PLAY = 3_000, 3_000": "LEARN, PLAY = 150, 150",
}


def script(notebook):
    """The code cells one after the other; what a cell's last line is worth is shown, as a notebook does."""
    parts = [SHOW]
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] != "code":
            continue
        text = "".join(cell["source"])
        for usual, small in SMALL.items():
            text = text.replace(usual, small)
        tree = ast.parse(text)
        last = tree.body[-1]
        if isinstance(last, ast.Expr):
            call = ast.Call(ast.Name("_show", ast.Load()), [ast.Constant(number), last.value], [])
            tree.body[-1] = ast.Expr(call)
        parts.append(ast.unparse(ast.fix_missing_locations(tree)))
    return "\n".join([*parts, END])


def run(name, folder):
    """What the cells of a notebook showed, by type of what was shown; warnings are errors."""
    (folder / "notebook.py").write_text(script(FOLDER / f"{name}.ipynb"), encoding="utf-8")
    words = [sys.executable, "-W", "error", "notebook.py"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    shown = json.loads((folder / "shown.json").read_text(encoding="utf-8"))
    return {each["type"]: each for each in shown.values()}, done.stdout


def test_every_notebook_is_run_here():
    named = {"researcher", "marketer", "estimates_and_truth", "bandits_and_rl", "hillstrom", "cdnow"}
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == named


def test_a_cell_that_fails_is_noticed(tmp_path, monkeypatch):
    cell = {"cell_type": "code", "source": ["import campaignrl as crl\n", "crl.load_world('ecomerce')"]}
    (tmp_path / "broken.ipynb").write_text(json.dumps({"cells": [cell]}))
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path)
    with pytest.raises(AssertionError, match="Did you mean 'ecommerce'"):
        run("broken", tmp_path)


def test_the_notebooks_hold_no_outputs_and_use_public_names_only():
    for path in FOLDER.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), path.name
            text = "".join(cell["source"])
            assert "campaignrl." not in text.replace("campaignrl/", ""), f"{path.name} needs more than public names"


def test_the_researchers_first_minute(tmp_path):
    pytest.importorskip("sb3_contrib")
    assert next(iter(SMALL)) in (FOLDER / "researcher.ipynb").read_text(encoding="utf-8")
    shown, printed = run("researcher", tmp_path)
    assert {"World", "LinTS", "DecisionLog", "Evaluation", "Comparison", "Campaign"} <= shown.keys()
    for noun in ("World", "LinTS", "DecisionLog", "Evaluation", "Comparison", "Campaign"):
        assert shown[noun]["html"].startswith("<div>")
    assert printed.splitlines()[0] in ("trust", "caution", "refuse")
    assert shown["Discrete"]["line"] == f"Discrete({len(crl.load_world('coupon_trap').catalog)})"
    assert "lin_ts with ppo" in shown["Comparison"]["line"]


def test_the_marketers_morning(tmp_path):
    customers_frame(Panel(crl.load_world("ecommerce"), 400, 3)).to_parquet(tmp_path / "customers.parquet")
    shown, _ = run("marketer", tmp_path)
    assert "33 actions, trained" in shown["DRUplift"]["line"]
    assert shown["Decisions"]["line"].startswith("Decisions of dr_uplift for 2026-11-21: ")
    sends = pd.read_csv(tmp_path / "sends.csv", dtype={"customer_id": str})
    assert 0 < len(sends) < 400
    assert not {"3", "5"} & set(sends["customer_id"])
    assert "suppress" in shown["str"]["line"]
    assert shown["dict"]["line"].count(":") > 1


def test_every_size_that_is_made_small_stands_in_a_notebook():
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.ipynb")]
    assert all(any(usual in text for text in texts) for usual in SMALL)


def test_estimates_are_held_against_the_truth(tmp_path):
    shown, _ = run("estimates_and_truth", tmp_path)
    assert float(shown["float"]["line"]) > 0
    assert {"dm", "snips", "dr"} <= set(shown["DataFrame"]["line"].split())
    assert shown["dict"]["line"].split("'")[1] in ("trust", "caution", "refuse")


def test_bandits_and_learners_of_episodes_meet_the_same_customers(tmp_path):
    shown, _ = run("bandits_and_rl", tmp_path)
    assert {"World", "DecisionLog", "Campaign"} <= shown.keys()
    assert "fitted_q" in shown["DataFrame"]["line"]


@pytest.fixture
def beside_data(shared_data, tmp_path):
    """A folder like the checkout, the data sets beside it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (tmp_path / "shared").symlink_to(shared_data.parent)
    (folder / "experiments").symlink_to(FOLDER.parents[1] / "experiments")
    return folder


def test_the_hillstrom_test(beside_data):
    shown, _ = run("hillstrom", beside_data)
    plain = ast.literal_eval(shown["dict"]["line"])
    assert plain["Mens E-Mail"] == pytest.approx(0.18463, abs=1e-5)
    assert "trust" in shown["DataFrame"]["line"]


def test_a_world_made_of_cdnow(beside_data):
    shown, _ = run("cdnow", beside_data)
    assert shown["tuple"]["line"].startswith("(6919, ")
    assert "purchase.rate" in shown["DataFrame"]["line"]
    assert crl.load_world(beside_data / "cdnow.toml").provenance
