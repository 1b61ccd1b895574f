"""Help pages: one look, 80 columns, and the two examples at the end of each run."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from campaignrl.cli import main as cli
from campaignrl.cli.terminal.examples import EXAMPLES
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.events_export import play_history
from campaignrl.envs.panel import Panel
from campaignrl.specs.bundled import bundled_folder
from campaignrl.specs.world import load_world

SUITE = """
worlds = ["coupon_trap"]
seeds = 3
customers = 60
[[policy]]
use = "uniform"
[[policy]]
use = "lin_ts"
[train]
customers = 60
[compare]
baseline = "uniform"
"""


def call(monkeypatch, *words: str) -> int:
    """The exit code of one call."""
    monkeypatch.setattr(sys, "argv", ["campaignrl", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(str(end.code or 0))
    return 0


def smaller(example: str) -> list[str]:
    """The words after `campaignrl`, with a hundred customers."""
    words = shlex.split(example)[1:]
    if "-n" in words:
        words[words.index("-n") + 1] = "150"
    return words


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What a reader of the examples has before the first one."""
    home = tmp_path_factory.mktemp("examples")
    world = load_world("ecommerce")
    customers_frame(Panel(world, 60, seed=4)).to_csv(home / "customers.csv", index=False)
    play_history(Panel(world, 300, seed=2), lambda panel: np.zeros(300, dtype=np.int64)).write(home)
    came = {"outcome_id": ["o1", "o2"], "customer_id": ["1", "2"], "kind": ["order", "click"], "day": "2026-11-29"}
    pd.DataFrame({**came, "margin": [12.5, 0.0]}).to_csv(home / "outcomes.csv", index=False)
    said = {"customer_id": ["3"], "channel": ["sms"], "allowed": ["no"], "day": ["2026-11-28"]}
    pd.DataFrame(said).to_csv(home / "permissions.csv", index=False)
    pd.DataFrame({"customer_id": ["1", "2"], "city": ["Oslo", "Bergen"]}).to_csv(home / "attributes.csv", index=False)
    values = {"customer_id": [str(i) for i in range(40)], "value": [i % 7 for i in range(40)]}
    pd.DataFrame(values).to_csv(home / "values.csv", index=False)
    bought = {"customer_id": [f"c{i % 40}" for i in range(400)], "item_id": [f"i{i * i % 13}" for i in range(400)]}
    days = pd.date_range("2026-06-01", periods=400, freq="6h").strftime("%Y-%m-%d %H:%M:%S")
    pd.DataFrame({**bought, "ts": days}).to_csv(home / "lines.csv", index=False)
    text = ["lovely tea, quick parcel", "cold tea, slow parcel", "fine", "never again, broken cup"]
    wrote = {"customer_id": [f"c{i}" for i in range(400)], "text": text * 100, "score": [5, 2, 4, 1] * 100}
    pd.DataFrame(wrote).to_csv(home / "reviews.csv", index=False)
    (home / "mine.toml").write_text((bundled_folder("envs") / "ecommerce.toml").read_text(encoding="utf-8"))
    (home / "suite.toml").write_text(SUITE)
    return home


def test_the_examples_of_all_help_pages_run_one_after_the_other(monkeypatch, capsys, folder) -> None:
    """In the order of the pages: a profile is built before it is shown, a policy trained before it decides."""
    monkeypatch.chdir(folder)
    wrong = []
    for path, examples in EXAMPLES.items():
        for example in () if path == "demo" else examples:  # the README's test and test_demo.py play those
            assert example.startswith(f"campaignrl {path}")
            code = call(monkeypatch, *smaller(example))
            said = capsys.readouterr()
            for file in folder.glob("*/campaign.toml"):  # customers on whom a champion is held against nothing
                file.write_text(file.read_text().replace("customers = 4000", "customers = 300"))
            # A small log may not be able to say, and a small suite may find a regression: both are answers.
            if code not in {"evaluate": (0, 4), "compare": (0, 1, 4), "monitor": (0, 4)}.get(path, (0,)) or not (
                said.out or "-o" in example
            ):
                wrong.append((example, code, said.err))
    assert not wrong


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_help_page_has_one_look_and_80_columns(monkeypatch, capsys, path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call(monkeypatch, *path.split(), "--help") == 0
    page = capsys.readouterr().out
    assert re.match(rf"Usage: (python -m pytest\.)?campaignrl {path} ", page)  # the first is how the test was started
    assert max(map(len, page.splitlines())) <= 80
    assert not set("╭│╰─") & set(page)
    assert not re.search(r"<[^>\n]*$", page, re.MULTILINE), "a word broken in two"
    assert "range>" not in page
    assert page.rstrip().endswith(EXAMPLES[path][1])
    assert EXAMPLES[path][0] in page


def test_every_verb_has_its_examples() -> None:
    found = []
    for name in cli.VERBS:
        parts = getattr(cli.load_verb(name), "commands", {})
        found += [f"{name} {part}" for part in parts] or [name]
    assert sorted(found) == sorted(EXAMPLES)
