"""Erasure in files: the customer's rows go, the others stay as they were, and what still names the id is said."""

import datetime
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import ArtifactError, UsageError
from campaignrl.ledger import Ledger, erase_in_files, still_found
from campaignrl.profiles.intake import intake, parse_intake_mapping

GONE = "17"


@pytest.fixture
def run_files(tmp_path):
    """A customers table, a send list and a decision log of one morning."""
    frame = customers_frame(Panel(crl.load_world("coupon_trap"), 40, seed=1)).astype({"customer_id": str})
    frame.to_csv(tmp_path / "customers.csv", index=False)
    found = crl.decide("always:coupon20@email", frame, "coupon_trap", day="2026-01-05")
    found.write_sends(tmp_path / "sends.csv")
    crl.write_log(found.to_log(), tmp_path / "log.parquet")
    return tmp_path


def test_rows_go_from_every_table_and_the_others_stay_to_the_letter(run_files):
    before = {p.name: pd.read_csv(p, dtype=str, keep_default_na=False) for p in run_files.glob("*.csv")}
    log = crl.read_log(run_files / "log.parquet")
    crl.write_log(log, run_files / "other.csv")
    assert still_found([run_files], GONE)
    gone = {one.path.rsplit("/", 1)[1]: one.rows for one in erase_in_files([run_files], f" {GONE} ")}
    assert gone["customers.csv"] == gone["log.parquet"] == gone["other.csv"] == 1
    assert still_found([run_files], GONE) == []
    for name, then in before.items():
        now = pd.read_csv(run_files / name, dtype=str, keep_default_na=False)
        pd.testing.assert_frame_equal(now, then[then["customer_id"] != GONE].reset_index(drop=True))
    left = crl.read_log(run_files / "log.parquet")
    assert len(crl.read_log(run_files / "other.csv")) == len(left)
    kept = log.customers[log.customer] != GONE
    assert list(left.customers[left.customer]) == list(log.customers[log.customer][kept])
    assert np.array_equal(left.propensity, log.propensity[kept])
    assert left.meta == log.meta


def test_a_second_erasure_finds_nothing_and_changes_no_byte(run_files):
    erase_in_files([run_files], GONE)
    before = {p: p.read_bytes() for p in run_files.iterdir()}
    assert erase_in_files([run_files], GONE) == []
    assert {p: p.read_bytes() for p in run_files.iterdir()} == before


def test_a_manifest_tells_the_files_as_they_are_now(tmp_path):
    table = pa.table({"customer_id": ["a", "b"], "n": [1, 2]})
    pq.write_table(table, tmp_path / "events.parquet")
    (tmp_path / "other.parquet").write_bytes((tmp_path / "events.parquet").read_bytes())
    files = {name: {"bytes": 1, "sha256": "x"} for name in ("events.parquet", "elsewhere.parquet")}
    (tmp_path / "manifest.json").write_text(json.dumps({"as_of": "now", "files": files}))
    erase_in_files([tmp_path], "a")
    told = json.loads((tmp_path / "manifest.json").read_text())
    content = (tmp_path / "events.parquet").read_bytes()
    assert told["files"]["events.parquet"] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert told["files"]["elsewhere.parquet"] == files["elsewhere.parquet"]
    assert told["as_of"] == "now"


def test_a_cell_of_another_column_that_looks_like_the_id_is_no_customer(tmp_path):
    pq.write_table(pa.table({"customer_id": ["a", "b"], "segment": ["b", "c"]}), tmp_path / "t.parquet")
    erase_in_files([tmp_path / "t.parquet"], "b")
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == [{"customer_id": "a", "segment": "b"}]


def test_what_is_no_table_is_searched_by_the_word(tmp_path):
    (tmp_path / "page.html").write_text("<p>C-17 and 170</p>")
    (tmp_path / "notes.txt").write_text("17,5 and 17")
    assert still_found([tmp_path], "C-17") == [str(tmp_path / "page.html")]
    assert still_found([tmp_path], "17") == [str(tmp_path / "notes.txt")]


def test_rows_that_a_bundle_keeps_to_learn_on_from_are_erased(tmp_path, shop):
    from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
    from campaignrl.policies.loading import build_policy

    policy = build_policy("dr_uplift", shop.catalog, shop.schema)
    policy.update(shop.log(300))
    rows = len(policy.tensors()["replay_rows"])
    save_bundle(policy, tmp_path / "p.bundle", {"by": "me"})
    save_bundle(build_policy("lin_ts", shop.catalog, shop.schema), tmp_path / "q.bundle")
    (gone,) = erase_in_files([tmp_path], "c5")
    assert gone.path.endswith("p.bundle")
    assert 0 < gone.rows <= 3
    left = load_bundle(tmp_path / "p.bundle")
    assert len(left.tensors()["replay_rows"]) == rows - gone.rows
    assert read_manifest(tmp_path / "p.bundle")["trained_on"] == {"by": "me"}
    assert erase_in_files([tmp_path], "c5") == []
    context = shop.context(50)
    assert (left.scores(context) == policy.scores(context)).all()


def test_a_recurrent_memory_forgets_the_very_id(tmp_path):
    from campaignrl import rng
    from campaignrl.policies.deep import KEY, forget
    from campaignrl.policies.tensor_file import pack, unpack

    keys = np.sort(rng.customer_keys(np.array(["a", "b", "c"], dtype=object)))
    halves = np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1).astype(np.float64)
    tensors = {
        "key": halves,
        "day": np.arange(3.0),
        "before": np.zeros((3, 2), np.float32),
        "after": np.ones((3, 2), np.float32),
    }
    (tmp_path / "m").write_bytes(pack({KEY: json.dumps({"format": 1, "policy": "p"})}, tensors))
    assert [one.rows for one in erase_in_files([tmp_path / "m"], "b")] == [1]
    _, left = unpack((tmp_path / "m").read_bytes(), "m")
    mine = np.flatnonzero(keys != rng.customer_keys(np.array(["b"], dtype=object))[0])
    assert np.array_equal(left["key"], halves[mine])
    assert np.array_equal(left["day"], mine.astype(float))
    assert forget(tmp_path / "m", "b") == 0
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-3])
    with pytest.raises(ArtifactError):
        forget(tmp_path / "m", "a")


def test_the_verb_erases_everywhere_or_says_where_the_id_still_stands(run_files):
    world = crl.load_world("coupon_trap")
    ledger = Ledger.create(run_files / "led", world, start=datetime.date(2026, 1, 1), customers=40)
    crl.decide("uniform", run_files / "customers.csv", world, day="2026-01-05", ledger=ledger)
    (run_files / "page.html").write_text(f"<p>{GONE}</p>")

    def run(*args):
        return CliRunner().invoke(app, ["erase", GONE, "--ledger", str(run_files / "led"), *map(str, args)])

    for place in (run_files, run_files / "led", run_files / "led" / "decisions"):
        inside = run("--also", place)  # would write the ledger's own files anew
        assert isinstance(inside.exception, UsageError)
        assert "apart from the ledger" in str(inside.exception)
    missing = run("--also", run_files / "nowhere")
    assert isinstance(missing.exception, UsageError)
    assert GONE in ledger.read("decisions")["customer_id"].to_pylist()  # nothing went before all paths were there
    places = [f"--also={run_files / name}" for name in ("customers.csv", "sends.csv", "log.parquet", "page.html")]
    done = run(*places, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["still_found"] == [str(run_files / "page.html")]
    assert told["decisions"] == 1
    (run_files / "page.html").unlink()
    assert run(*places[:3]).exit_code == 0


# ---- folders of profiles, which keep the rows of exports under other columns


EXPORT = """m,d,t,amt
A-1,dev1,2024-01-02,10
B-2,dev2,2024-01-03,20
,dev1,2024-01-04,5
A-1,,not a time,7
A-1,dev9,2024-01-05,3
B-2,dev9,2024-01-05,3
,dev9,2024-01-06,4
"""


@pytest.fixture
def profiles(tmp_path):
    """A folder built from an export with two kinds of id, kept for later exports."""
    (tmp_path / "o.csv").write_text(EXPORT)
    source = {"name": "o", "file": "o.csv", "ids": {"member": "m", "device": "d"}, "kind": "order", "ts": "t"}
    plan = parse_intake_mapping({"ids": {"order": ["member", "device"]}, "source": [{**source, "amount": "amt"}]}, "m")
    intake(plan, tmp_path, tmp_path / "home", datetime.datetime(2024, 2, 1), keep=True)
    return tmp_path / "home"


def texts_of(folder):
    """Every byte of a folder, and every value that can be read from its tables, as one text."""
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts.append(path.read_bytes().decode("latin-1"))
        if path.suffix == ".parquet":
            parts.append(str(pq.read_table(path).to_pydict()))
    return "\n".join(parts)


def test_rows_kept_for_later_exports_go_with_their_customer_and_nobody_else(profiles):
    assert "A-1" in texts_of(profiles)
    assert "dev1" in texts_of(profiles)
    assert str(profiles / "lines-0.parquet") in still_found([profiles], "A-1")
    gone = {Path(one.path).name: one.rows for one in erase_in_files([profiles], " a-1 ")}
    assert gone["lines-0.parquet"] == 4  # also the row of a device alone that was linked, and the one without a time
    assert gone["links.parquet"] == 3  # the member, the device, and the name among those who share dev9
    rows = pq.read_table(profiles / "lines-0.parquet").to_pandas()
    assert rows[["id0", "id1"]].fillna("").to_numpy().tolist() == [["B-2", "dev2"], ["B-2", "dev9"], ["", "dev9"]]
    named = [place for place in still_found([profiles], "A-1") if not place.endswith("quality.json")]
    assert named == []
    left = texts_of(profiles).replace((profiles / "quality.json").read_text(), "")
    assert "A-1" not in left
    assert "dev1" not in left
    links = pq.read_table(profiles / "links.parquet").to_pandas().set_index("id")
    assert links.loc["dev9", "members"] == "B-2"
    told = json.loads((profiles / "manifest.json").read_text())["files"]["lines-0.parquet"]
    assert told["sha256"] == hashlib.sha256((profiles / "lines-0.parquet").read_bytes()).hexdigest()
    assert erase_in_files([profiles], "A-1") == []


def test_a_device_that_is_nobodys_is_erased_by_its_own_name(profiles):
    gone = {Path(one.path).name: one.rows for one in erase_in_files([profiles], "device:dev9")}
    assert gone["lines-0.parquet"] == 1  # rows that a member stands in are the member's


def test_a_folder_of_one_kind_of_id_has_no_links(tmp_path):
    (tmp_path / "o.csv").write_text("m,t,amt\n007,2024-01-02,10\nB,2024-01-03,20\n")
    source = {"name": "o", "file": "o.csv", "customer": "m", "kind": "order", "ts": "t", "amount": "amt"}
    intake(
        parse_intake_mapping({"source": [source]}, "m"),
        tmp_path,
        tmp_path / "h",
        datetime.datetime(2024, 2, 1),
        keep=True,
    )
    erase_in_files([tmp_path / "h"], "7")
    assert pq.read_table(tmp_path / "h" / "lines-0.parquet")["id0"].to_pylist() == ["B"]
    (tmp_path / "h" / "lines.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"lines\.json"):
        erase_in_files([tmp_path / "h"], "B")
