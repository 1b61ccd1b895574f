"""The flow between store and ledger beside a service that decides: nobody waits while it looks for what is new."""

import datetime
import sqlite3
from importlib import import_module

import pytest
from service_face import Face, frame_of, world_of
from sqlalchemy import event, select

from campaignrl.ledger import Ledger, add
from campaignrl.send.decide import decide
from campaignrl.service import flow
from campaignrl.service.store.schema import permissions, sends, totals

DAY = datetime.date(2026, 11, 21)


@pytest.fixture
def both(tmp_path):
    """A service, a ledger in which a morning of others stands, and their world."""
    world = world_of()
    frame, ledger = frame_of(world), Ledger.create(tmp_path / "led", world, start=DAY, customers=1_000)
    decide("always:coupon15@sms", frame.iloc[:20], world, day=DAY, ledger=ledger)
    (tmp_path / "said.csv").write_text(f"customer_id,channel,allowed,day\nc1,sms,no,{DAY}\nc30,*,no,{DAY}\n")
    add(ledger, "permissions", tmp_path / "said.csv", world, today=DAY)
    with Face(tmp_path, world, frame, clock=lambda: DAY, salt=ledger.salt) as face:
        face.post("/v1/decide/batch", {"customer_ids": list(frame["customer_id"][20:])})
        yield face, ledger, world


def counted(store):
    with store.reading() as con:
        return dict(con.execute(select(sends.c.decision_id, sends.c.counted)).all())


def spent(store):
    with store.reading() as con:
        return con.execute(select(totals.c.value).where(totals.c.name == "spent")).scalar() or 0


def test_nobody_waits_while_a_flow_looks_for_what_is_new(both):
    """Whatever is read in full, other requests are decided meanwhile."""
    face, ledger, world = both
    store, looked = face.service.store, []

    def could_decide(con, cursor, statement, *_):
        whole = "WHERE" not in statement or (".seq >" in statement and "max(" not in statement)
        if statement.startswith("SELECT") and whole:
            other = sqlite3.connect(store.database.file, timeout=0, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            other.close()
            looked.append(statement)

    engine = store.database._engine
    event.listen(engine, "before_cursor_execute", could_decide)
    try:
        told = flow(store, ledger, world, DAY)
    finally:
        event.remove(engine, "before_cursor_execute", could_decide)
    assert told.decisions == 40
    assert told.taken > 0
    for name in ("decisions", "sends", "permissions"):
        assert any(f"FROM {name}" in statement for statement in looked), name


def test_a_send_that_others_say_failed_gives_back_what_it_reserved_once(both, tmp_path):
    face, ledger, world = both
    store = face.service.store
    flow(store, ledger, world, DAY)
    before = counted(store)
    assert all(before.values())
    failed = sorted(before)[::2]
    rows = "".join(f"{one},refused,{DAY}\n" for one in failed)
    (tmp_path / "h.csv").write_text(f"decision_id,status,day\n{rows}")
    add(ledger, "handovers", tmp_path / "h.csv", world, today=DAY)
    for _ in range(2):
        flow(store, ledger, world, DAY)
        assert {one for one, said in counted(store).items() if not said} == set(failed)


def test_what_others_sent_is_counted_once_however_it_is_cut_off(both, monkeypatch):
    face, ledger, world = both
    store, module = face.service.store, import_module("campaignrl.service.store.flow")
    sent = ledger.read("decisions", ["cost", "action"]).to_pandas().query("action != 0")
    flown, before = [], spent(store)
    monkeypatch.setattr(module, "AT_ONCE", 3)

    def cut_off(con, rows, real=module._take_in):
        flown.append(len(rows))
        if len(flown) == 3:
            raise KeyboardInterrupt
        real(con, rows)

    monkeypatch.setattr(module, "_take_in", cut_off)
    with pytest.raises(KeyboardInterrupt):
        flow(store, ledger, world, DAY)
    assert flow(store, ledger, world, DAY).taken == len(sent) - 6
    assert max(flown) == 3
    assert spent(store) - before == sent["cost"].sum() > 0


def test_words_of_permission_come_over_once(both):
    face, ledger, world = both
    store = face.service.store
    for _ in range(2):
        flow(store, ledger, world, DAY)
        with store.reading() as con:
            said = con.execute(select(permissions.c.customer_id, permissions.c.channel, permissions.c.allowed)).all()
        assert sorted((who, channel, bool(yes)) for who, channel, yes in said) == [
            ("c1", "sms", False),
            ("c30", "*", False),
        ]
    assert not face.decide("c30").json()["send"]
