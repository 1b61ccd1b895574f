"""What a careful stranger found in the send chain: each as it should be."""

import datetime
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import ArtifactError, CampaignError, SpecError, SupportError, UsageError
from campaignrl.ledger import Ledger, add, erase, ledger_log
from campaignrl.send import audit_ledger
from campaignrl.send.audit import audit, other_forms
from campaignrl.specs import bundled_files

START = datetime.date(2026, 1, 1)
N = 60


def form(tmp_path, name="w.toml", **changes):
    """A form of coupon_trap's rules, as a file of its own name."""
    text = bundled_files("envs")["coupon_trap"].read_text(encoding="utf-8")
    for before, after in changes.values():
        assert before in text
        text = text.replace(before, after, 1)
    place = tmp_path / name.split(".")[0]
    place.mkdir(exist_ok=True)
    (place / "shop.toml").write_text(text, encoding="utf-8")
    return crl.load_world(place / "shop.toml")


def frame_of(world, n=N):
    frame = customers_frame(Panel(world, n, seed=4)).astype({"customer_id": str})
    return frame.drop(columns=[c for c in frame if c.startswith("contacts_")])


@pytest.fixture
def shop(tmp_path):
    """(world, its ledger with one morning of uniform sends)."""
    world = form(tmp_path)
    ledger = Ledger.create(tmp_path / "led", world, start=START, customers=N)
    crl.decide("uniform", frame_of(world), world, day=START, ledger=ledger)
    return world, ledger


def verb(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


def tighter(tmp_path):
    """The same world in which nothing may be sent at all any more."""
    return form(tmp_path, "tight.toml", guard=("at_most = 2", "at_most = 0"))


# ---- an audit judges a run by the rules it was made under


def test_a_world_that_was_never_given_to_the_ledger_is_refused_everywhere(shop, tmp_path):
    world, ledger = shop
    tight = tighter(tmp_path)
    with pytest.raises(UsageError, match="changed"):
        audit_ledger(ledger, tight)
    for args in (("audit", ledger.folder), ("ledger", "log", ledger.folder, "-o", tmp_path / "l.parquet")):
        assert isinstance(verb(*args, "-w", tmp_path / "tight" / "shop.toml").exception, UsageError)
    assert audit_ledger(ledger, world) == (N, [])


def test_changed_rules_accuse_no_run_that_was_made_before_them(shop, tmp_path):
    world, ledger = shop
    tight = tighter(tmp_path)
    ledger = ledger.accept(tight)
    assert audit_ledger(ledger, tight) == (0, [])
    assert other_forms(ledger, tight) == N
    crl.decide("uniform", frame_of(tight), tight, day=START + datetime.timedelta(days=1), ledger=ledger)
    assert audit_ledger(ledger, tight) == (N, [])
    assert audit_ledger(ledger, world) == (N, [])
    told = verb("audit", ledger.folder, "-w", tmp_path / "tight" / "shop.toml", "--json")
    assert json.loads(told.stdout)["not_looked_at"] == [f"{N:,} decisions under another form of the rules"]


def test_a_log_that_was_served_by_lot_says_so_to_an_audit(tmp_path):
    world = form(tmp_path)
    ledger = Ledger.create(tmp_path / "led", world, start=START, customers=N)
    crl.decide("uniform", frame_of(world), world, day=START, ledger=ledger, budget=0.05)
    log = ledger_log(ledger, world, as_of=START + datetime.timedelta(days=30))
    assert log.meta["limited"]
    with pytest.raises(SupportError, match="lot"):
        audit(log, world, policy=crl.load_policy("uniform", world))
    assert audit_ledger(ledger, world, crl.load_policy("uniform", world)) == (N, [])


def test_a_head_is_of_a_ledger_and_not_of_a_log(shop, tmp_path):
    world, ledger = shop
    crl.write_log(ledger_log(ledger, world, as_of=START + datetime.timedelta(days=30)), tmp_path / "l.parquet")
    wrong = verb("audit", tmp_path / "l.parquet", "-w", tmp_path / "w" / "shop.toml", "--head", "abc")
    assert isinstance(wrong.exception, UsageError)


def test_one_of_two_policies_of_a_name_is_named_by_the_beginning_of_its_hash(shop):
    world, ledger = shop
    crl.decide("none", frame_of(world), world, day=START + datetime.timedelta(days=1), ledger=ledger)
    later = START + datetime.timedelta(days=30)
    hashes = ledger.read("decisions").to_pandas().groupby("policy_id")["policy_hash"].first()
    assert len(ledger_log(ledger, world, as_of=later, policy=hashes["none"][:8])) == N
    with pytest.raises(SupportError):
        ledger_log(ledger, world, as_of=later, policy=hashes["none"][:3])


# ---- quiet hours of which nobody says whether they hold


def test_a_world_with_quiet_hours_asks_when_the_list_goes_out(tmp_path):
    quiet = 'timezone = "Europe/Berlin"\nquiet_hours = { from_hour = 21, to_hour = 9 }\n'
    world = form(tmp_path, "quiet.toml", guard=("[guard]\n", f"[guard]\n{quiet}"))
    frame = customers_frame(Panel(world, 20, seed=1))
    with pytest.raises(UsageError, match="send-at"):
        crl.decide("uniform", frame, world, day=START)
    assert len(crl.decide("uniform", frame, world, day=START, send_at="12:00").sends())
    assert not len(crl.decide("uniform", frame, world, day=START, send_at="22:00").sends())


# ---- erasure


def test_an_erasure_that_is_killed_after_the_first_table_has_suppressed_already(shop, monkeypatch):
    world, ledger = shop
    done = []
    replace = Ledger.replace

    def once(self, name, rows):
        if done:
            raise KeyboardInterrupt
        done.append(name)
        replace(self, name, rows)

    monkeypatch.setattr(Ledger, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        erase(ledger, "7", today=START)
    monkeypatch.undo()
    assert done == ["permissions"]
    found = crl.decide("uniform", frame_of(world), world, day=START + datetime.timedelta(days=9), ledger=ledger)
    assert "7" not in set(found.sends()["customer_id"])


def test_who_is_erased_is_suppressed_on_every_day_also_on_those_before(shop):
    world, ledger = shop
    erase(ledger, "7", today=START + datetime.timedelta(days=300))
    for t in (0, 1):
        found = crl.decide("uniform", frame_of(world), world, day=START + datetime.timedelta(days=t), ledger=ledger)
        assert "7" not in set(found.sends()["customer_id"])


def test_a_broken_salt_is_said_before_anything_goes(shop):
    _, ledger = shop
    facts = json.loads((ledger.folder / "ledger.json").read_text())
    (ledger.folder / "ledger.json").write_text(json.dumps({**facts, "salt": "zz"}))
    with pytest.raises(ArtifactError):
        Ledger.open(ledger.folder)


# ---- what others wrote into the folder


@pytest.mark.parametrize(
    "column", ["row_salt", "row_digest", "run_id", "eligible", "propensity", "customer_id", "chain"]
)
def test_a_cell_that_is_gone_is_accused_and_never_a_stack_trace(shop, column):
    world, ledger = shop
    rows = ledger.read("decisions")
    cells = rows[column].to_pylist()
    cells[3] = None
    place = rows.column_names.index(column)
    ledger.replace("decisions", rows.set_column(place, column, pa.array(cells, rows.schema.field(column).type)))
    many, broken = audit_ledger(ledger, world)
    assert many >= N - 1
    assert broken
    for args in (("decide", "--ledger", ledger.folder, "--explain", "3"), ("ledger", "show", ledger.folder)):
        done = verb(*args)
        assert done.exception is None or isinstance(done.exception, CampaignError | SystemExit)


def test_a_row_that_another_program_added_is_accused(shop):
    world, ledger = shop
    row = ledger.read("decisions").slice(0, 1).drop_columns(["row_salt", "row_digest"])
    write_deltalake(ledger.table("decisions"), row, mode="append", schema_mode="merge")
    rules = {one.rule for one in audit_ledger(ledger, world)[1]}
    assert "a row is not as it was written" in rules


def test_a_format_of_days_that_is_none_is_said(shop, tmp_path):
    world, ledger = shop
    (tmp_path / "m.toml").write_text('[columns]\ndecision_id = "M"\nstatus = "S"\nday = "D"\n[formats]\nday = "%Q"\n')
    (tmp_path / "in.csv").write_text("M,S,D\nx,sent,2026-01-02\n")
    with pytest.raises(SpecError, match="format of days"):
        add(ledger, "handovers", tmp_path / "in.csv", world, today=START, mapping=tmp_path / "m.toml")


# ---- a run that is repeated


def test_a_repeat_tells_the_limits_and_gains_of_the_run_as_it_was(tmp_path):
    world = crl.load_world("tight_budget")
    ledger = Ledger.create(tmp_path / "led", world, start=START, customers=N)
    frame = frame_of(world)
    first = crl.decide("uniform", frame, world, day=START, ledger=ledger)
    again = crl.decide("uniform", frame, world, day=START, ledger=ledger)
    assert first.cost > 0
    assert again.limits.money == first.limits.money
    np.testing.assert_array_equal(again.limits.sends, first.limits.sends)
    pd.testing.assert_frame_equal(again.to_frame(), first.to_frame())
