"""What a careful stranger found in the send chain: each as it should be."""

import datetime
import json
import shutil

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
from campaignrl.specs import bundled_files, world_hash

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
    """Every decision is judged by the form it was made under, which the ledger keeps."""
    world, ledger = shop
    tight = tighter(tmp_path)
    ledger = ledger.accept(tight)
    assert audit_ledger(ledger) == audit_ledger(ledger, tight) == (N, [])
    assert other_forms(ledger) == 0
    crl.decide("uniform", frame_of(tight), tight, day=START + datetime.timedelta(days=1), ledger=ledger)
    assert audit_ledger(ledger) == audit_ledger(ledger, world) == (2 * N, [])
    told = json.loads(verb("audit", ledger.folder, "--json").stdout)
    assert (told["decisions"], told["forms"], told["broken"]) == (2 * N, 2, [])
    assert "not_looked_at" not in told
    said = verb("audit", ledger.folder).stdout
    assert f"{2 * N} decisions in shop under 2 forms of its rules: no rule is broken" in said


def test_a_send_under_a_later_form_is_judged_by_it_and_counts_those_before(shop, tmp_path):
    world, ledger = shop
    tight = form(tmp_path, "tight.toml", guard=("at_most = 2", "at_most = 1"))
    ledger = ledger.accept(tight)
    rows = ledger.read("decisions").to_pandas()
    one = rows[rows["action"] > 0].head(1)
    for days, hash_, accused in ((1, world_hash(world), False), (2, world_hash(tight), True)):
        forged = one.assign(day=one["day"] + days, world_hash=hash_, decision_id=f"forged-{days}", run_id=f"r{days}")
        schema = ledger.read("decisions").schema
        ledger.append("decisions", pa.Table.from_pandas(forged, schema=schema, preserve_index=False), f"r{days}")
        caps = [found for found in audit_ledger(ledger)[1] if found.rule.startswith("cap: ")]
        assert [found.many for found in caps] == ([1] if accused else [])  # never the run of the first form


def test_decisions_under_a_form_that_was_not_kept_are_said_not_to_be_looked_at(shop, tmp_path):
    """A ledger of an earlier version."""
    world, ledger = shop
    tight = tighter(tmp_path)
    ledger = ledger.accept(tight)
    (ledger.folder / "forms" / f"{world_hash(world)}.json").unlink()
    assert audit_ledger(ledger) == (0, [])
    assert other_forms(ledger) == N
    assert audit_ledger(ledger, world) == (N, [])  # unless somebody still has it
    told = json.loads(verb("audit", ledger.folder, "--json").stdout)
    assert told["not_looked_at"] == [f"{N:,} decisions under a form of the rules that it does not keep"]
    (ledger.folder / "forms" / f"{world_hash(tight)}.json").unlink()
    with pytest.raises(UsageError, match="earlier version"):
        audit_ledger(ledger)
    assert isinstance(verb("audit", ledger.folder).exception, UsageError)  # no bundled world is called so
    assert ledger.form is None


def test_a_form_comes_back_as_it_was_given_and_a_changed_one_is_refused(tmp_path):
    for name in bundled_files("envs"):
        world = crl.load_world(name)
        ledger = Ledger.create(tmp_path / name, world, start=START, customers=9)
        assert ledger.form == world
        assert ledger.forms() == {world_hash(world): world}
    path = ledger.folder / "forms" / f"{world_hash(world)}.json"
    kept = path.read_text()
    for text in (kept.replace('"horizon": ', '"horizon": 1'), "{", "[]", '{"name": "x"}'):
        path.write_text(text)
        with pytest.raises(ArtifactError, match="Bring the folder back"):
            _ = ledger.form


def test_the_rules_of_a_ledger_are_the_ones_it_was_given_last(shop, tmp_path):
    """Neither decide nor what comes back needs the file of a world of one's own."""
    world, ledger = shop
    frame_of(world).to_csv(tmp_path / "c.csv", index=False)
    words = ("decide", "uniform", tmp_path / "c.csv", "--ledger", ledger.folder, "--as-of", "2026-01-02", "--json")
    assert json.loads(verb(*words, "-o", tmp_path / "s.csv").stdout)["sends"] > 0
    (tmp_path / "h.csv").write_text("decision_id,status,day\nx,sent,2026-01-02\n")
    assert verb("ledger", "add", ledger.folder, "handovers", tmp_path / "h.csv").exit_code == 0
    tight = tighter(tmp_path)
    assert verb("ledger", "rules", ledger.folder, "-w", tmp_path / "tight" / "shop.toml").exit_code == 0
    told = json.loads(verb(*words[:6], "2026-01-09", "--json", "--dry-run").stdout)
    assert told["sends"] == 0
    back = Ledger.open(ledger.folder).accept(world)
    assert back.form == world
    assert set(back.rules) == {world_hash(world), world_hash(tight)}


def test_rules_at_other_costs_would_leave_a_log_that_nobody_can_read(shop, tmp_path):
    world, ledger = shop
    dearer = {name: spec.model_dump(exclude_unset=True) for name, spec in world.channels.items()}
    first = next(iter(dearer))
    dearer[first]["cost"] += 1.0
    with pytest.raises(UsageError, match="Begin another ledger"):
        ledger.accept(crl.load_world(tmp_path / "w" / "shop.toml", channels=dearer))
    assert Ledger.open(ledger.folder).rules == ledger.rules


def test_a_world_of_another_name_and_the_same_actions_may_take_over(shop, tmp_path):
    """A world that was calibrated on the campaign's own exports takes the place of the template's."""
    world, ledger = shop
    (tmp_path / "own").mkdir()
    own = crl.load_world(shutil.copy(tmp_path / "w" / "shop.toml", tmp_path / "own" / "own.toml"), horizon=200)
    day = START + datetime.timedelta(days=1)
    with pytest.raises(UsageError, match=r"campaignrl ledger rules .*led.* --world FILE"):
        crl.decide("uniform", frame_of(own), own, day=day, ledger=ledger)
    ledger = ledger.accept(own)
    assert (ledger.world, ledger.form) == ("own", own)
    crl.decide("uniform", frame_of(own), own, day=day, ledger=ledger)
    assert audit_ledger(ledger) == audit_ledger(ledger, world) == audit_ledger(ledger, own) == (2 * N, [])
    assert len(ledger_log(ledger, own, as_of=day + datetime.timedelta(days=30), every=True)) == 2 * N
    for other in ("no_memory", "travel"):
        with pytest.raises(UsageError, match="ledger rules"):
            ledger.accept(crl.load_world(other))
    facts = json.loads((ledger.folder / "ledger.json").read_text())
    (ledger.folder / "ledger.json").write_text(json.dumps(facts | {"currency": "GBP"}))
    with pytest.raises(UsageError, match="GBP, 100 minor units"):
        Ledger.open(ledger.folder).accept(own)


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
