"""`campaignrl profile build|update|show` as a shell meets them: answers, exit codes, hostile text, 80 columns."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from campaignrl.campaign import ready_policy
from campaignrl.choices import decide_day
from campaignrl.cli import main as cli
from campaignrl.envs.events_export import START, play_history
from campaignrl.envs.panel import Panel
from campaignrl.profiles.table.profile_file import profile_facts, read_profiles_file
from campaignrl.specs.world import load_world
from campaignrl.tables.events import write_events
from campaignrl.tables.files.whole_files import read_frame

DAY = START + timedelta(days=30)


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    """Call the command line as a shell would."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "80")
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return Said(int(str(code)), captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """30 days of 300 customers of the web shop."""
    home = tmp_path_factory.mktemp("told")
    world = load_world("ecommerce")
    panel, policy = Panel(world, 300, seed=3), ready_policy("uniform", world)
    play_history(panel, lambda panel: decide_day(panel, policy).action, 30).write(home)
    return home


def ready(told):
    return ("--events", told / "events.parquet", "--attributes", told / "attributes.parquet")


def test_events_become_a_folder_that_decide_reads(campaignrl, told, tmp_path: Path):
    out = tmp_path / "profiles"
    words = ("profile", "build", *ready(told), "--world", "ecommerce", "--start", START, "--as-of", DAY, "-o", out)
    said = campaignrl(*words, "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts["customers"] == 300
    assert facts["as_of"] == DAY.isoformat()
    assert facts["tags"]["orders"]["rests_on"] == ["order", "opening"]
    assert profile_facts(out)["tag_set"]["name"] == "shop"
    sends = tmp_path / "sends.csv"
    decided = campaignrl("decide", "rules", out / "profiles.parquet", "--world", "ecommerce", "-o", sends)
    assert decided.code == 0, decided.err
    assert len(read_frame(sends, text=["customer_id"])) > 0
    before = (out / "profiles.parquet").read_bytes()
    assert campaignrl(*words).code == 0
    assert (out / "profiles.parquet").read_bytes() == before


def test_show_lists_tags_and_one_customer(campaignrl, told, tmp_path: Path):
    out = tmp_path / "p"
    assert campaignrl("profile", "build", *ready(told), "-o", out, "--as-of", DAY).code == 0
    said = campaignrl("profile", "show", out)
    assert "300 customers" in said.out
    assert "price_sensitivity" in said.out
    assert all(len(line.rstrip()) <= 80 for line in said.out.splitlines())
    tags = json.loads(campaignrl("profile", "show", out, "--json").out)["tags"]
    assert len(tags["spend"]["quantiles"]) == 3
    assert sum(share for _, share in tags["stage"]["top"]) <= 1.0 + 1e-9
    frame, _ = read_profiles_file(out)
    one = json.loads(campaignrl("profile", "show", out, "--customer", "17", "--json").out)
    assert one["customer_id"] == "17"
    row = frame.set_index("customer_id").loc["17"]
    assert one["tags"]["orders"]["value"] == row["orders"]
    events = read_frame(told / "events.parquet", text=["customer_id"])
    sent = events[(events["customer_id"] == "17") & (events["kind"] == "sent")]["ts"].max()
    assert pd.Timestamp(one["tags"]["contacts_30d"]["freshness"]) == sent
    unknown = campaignrl("profile", "show", out, "--customer", "17 ")
    assert unknown.code == 2
    assert "Did you mean '17'" in unknown.err


def test_an_update_moves_the_day_and_the_tags(campaignrl, told, tmp_path: Path):
    out, new = tmp_path / "p", tmp_path / "new.parquet"
    assert campaignrl("profile", "build", *ready(told), "-o", out, "--as-of", DAY).code == 0
    fresh = {"customer_id": ["new one", "17"], "ts": pd.Timestamp(DAY), "kind": "order", "amount": [9.0, 5.0]}
    write_events(pd.DataFrame(fresh), new)
    said = campaignrl("profile", "update", out, new, "--json")
    assert said.code == 0, said.err
    answer = json.loads(said.out)
    assert (answer["events"], answer["late"], answer["new_customers"]) == (2, 0, 1)
    assert answer["as_of"] == (DAY + timedelta(days=1)).isoformat()
    assert campaignrl("profile", "update", out, new).code == 2  # the same again
    assert campaignrl("profile", "update", out).code == 2  # nothing new
    log = tmp_path / "log.parquet"
    assert campaignrl("simulate", "-n", 300, "--seed", 3, "-o", log).code == 0
    weighed = campaignrl("profile", "update", out, "--results", log)
    assert weighed.code == 0, weighed.err
    assert "new weights" in weighed.out
    assert "idle_days" in weighed.out


def test_raw_exports_by_a_mapping(campaignrl, shared_data, tmp_path: Path):
    mapping = Path(__file__).resolve().parents[1] / "experiments" / "mappings" / "cdnow.toml"
    out = tmp_path / "cdnow"
    words = ("--data", shared_data / "cdnow", "--tags", "retail", "--as-of", "1998-07-01", "-o", out, "--json")
    said = campaignrl("profile", "build", mapping, *words)
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts["customers"] == 2_357
    assert facts["tags"]["spend"]["known"] == 1.0
    assert (out / "quality.html").exists()


MAPPING = """
[[source]]
name = "till"
file = "till.csv"
customer = "card"
ts = "when"
amount = "paid"
kind = "order"
rules = { negative = "reject" }
"""


def test_what_became_of_the_rows_is_said(campaignrl, tmp_path: Path):
    exports = tmp_path / "exports"
    exports.mkdir()
    rows = [
        "007,2026-01-02,5",
        "007,2026-01-02,5",
        ",2026-01-03,7",
        "1e5,2026-01-04,-3",
        "1e5,soon,4",
        "\x1b[31m,2026-01-05,6",
    ]
    (exports / "till.csv").write_text("\n".join(["card,when,paid", *rows]))
    (tmp_path / "till.toml").write_text(MAPPING)
    missed = campaignrl("profile", "build", tmp_path / "till.toml", "-o", tmp_path / "shop")
    assert (missed.code, missed.out) == (2, "")
    assert "--data FOLDER" in missed.err
    done = campaignrl("profile", "build", tmp_path / "till.toml", "--data", exports, "-o", tmp_path / "shop", "--json")
    assert done.code == 0
    assert "till: 6 rows: 2 taken, 1 repeated, 3 rejected (1 amount: below 0; 1 card: no customer id; " in done.err
    assert "rejects.parquet" in done.err
    assert "quality.html" in done.err
    assert "\x1b" not in done.out + done.err
    assert len(pd.read_parquet(tmp_path / "shop" / "rejects.parquet")) == 4


def test_attributes_that_no_tag_shows_are_named(campaignrl, tmp_path: Path):
    write_events(
        pd.DataFrame({"customer_id": ["a"], "ts": [pd.Timestamp(2026, 3, 1)], "kind": ["order"]}),
        tmp_path / "e.parquet",
    )
    pd.DataFrame({"customer_id": ["a"], "joined": [pd.Timestamp(2026, 1, 1)], "region": ["x"]}).to_parquet(
        tmp_path / "a.parquet"
    )
    words = ("profile", "build", "--events", tmp_path / "e.parquet", "--attributes", tmp_path / "a.parquet")
    assert "in attributes.parquet only: region." in campaignrl(*words, "-o", tmp_path / "p").err
    (tmp_path / "t.toml").write_text('[tags.region]\nlevel = "basic"\nkind = "attribute"\nof = "region"\n')
    assert "only" not in campaignrl(*words, "-o", tmp_path / "q", "--tags", tmp_path / "t.toml").err


def test_hostile_ids_and_texts_reach_no_terminal(campaignrl, tmp_path: Path):
    nasty = "\x1b[31m[bold]007\x07"
    rows = [{"customer_id": nasty, "ts": pd.Timestamp(2026, 3, d), "kind": "order", "category": nasty} for d in (1, 2)]
    write_events(pd.DataFrame(rows), tmp_path / "e.parquet")
    out = tmp_path / "p"
    assert campaignrl("profile", "build", "--events", tmp_path / "e.parquet", "-o", out).code == 0
    for said in (campaignrl("profile", "show", out), campaignrl("profile", "show", out, "--customer", nasty)):
        assert said.code == 0, said.err
        assert "\x1b[31m" not in said.out
        assert "[bold]007" in said.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["-o", "x"], 2, "MAPPING or --events"),
        (["--events", "nowhere.parquet", "-o", "x"], 2, "no file named"),
        (["--events", "e.csv", "-o", "x"], 3, "a Parquet file"),
        (["--tags", "shopp", "--events", "e.csv", "-o", "x"], 2, "Did you mean 'shop'"),
        (["--as-of", "21.11.2026", "--events", "e.csv", "-o", "x"], 2, "2026-11-21"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_line(campaignrl, tmp_path, monkeypatch, words, code, says):
    monkeypatch.chdir(tmp_path)
    Path("e.csv").write_text("customer_id,ts,kind\n1,2026-01-01,order\n", encoding="utf-8")
    said = campaignrl("profile", "build", *words)
    assert said.code == code, said.err
    assert says in said.err
    assert "Traceback" not in said.err
    assert not Path("x").exists()


def test_a_folder_that_is_not_there_is_named_with_the_nearest(campaignrl, tmp_path: Path):
    (tmp_path / "shop").mkdir()
    for words in (("show", tmp_path / "shup"), ("segment", tmp_path / "shup")):
        said = campaignrl("profile", *words)
        assert said.code == 2
        assert "no profiles file or folder named 'shup'. Did you mean 'shop'?" in said.err


def test_a_damaged_profiles_file_is_named(campaignrl, tmp_path: Path):
    (tmp_path / "profiles.parquet").write_bytes(b"PAR1 nothing PAR1")
    said = campaignrl("profile", "show", tmp_path)
    assert said.code == 3
    assert "profiles.parquet" in said.err
