"""The chain over runs: whatever is changed, added, removed or put elsewhere behind its back is found and named."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.ledger import CHAINED, Ledger, add, erase, tampered
from campaignrl.ledger.chain import FIRST, digests_of, entry_of, linked
from campaignrl.send import audit_ledger

WORLD, N = "coupon_trap", 40
START = datetime.date(2026, 1, 1)


@pytest.fixture
def ledger(tmp_path):
    world = crl.load_world(WORLD)
    made = Ledger.create(tmp_path / "ledger", world, start=START, customers=N)
    frame = customers_frame(Panel(world, N, seed=1))
    for t in range(3):
        crl.decide("uniform", frame, world, day=START + datetime.timedelta(days=t), ledger=made)
    return made


def broken(ledger, head=None):
    return {one.what: one for one in tampered(ledger.read("decisions"), ledger.read("erasures"), head)}


def changed(rows, i, **values):
    """Rows with other values in row i."""
    for name, value in values.items():
        column = rows[name].to_pylist()
        column[i] = value
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(column, rows.schema.field(name).type))
    return rows


def test_a_ledger_that_nobody_touched_is_whole_and_each_run_follows_the_one_before(ledger):
    assert broken(ledger) == {}
    rows = ledger.read("decisions").to_pandas().sort_values("day")
    pairs = rows[["chain", "chain_before"]].drop_duplicates()
    assert list(pairs["chain_before"]) == [FIRST, *pairs["chain"][:-1]]
    assert ledger.chain_head == pairs["chain"].iloc[-1]
    assert broken(ledger, head=ledger.chain_head) == {}
    assert broken(ledger, head=pairs["chain"].iloc[0]) == {}  # an older head is still in it


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cost", 999),
        ("propensity", 0.123),
        ("customer_id", "x"),
        ("reason", "because"),
        ("eligible", [0, 1, 0]),
        ("day", 9),
    ],
)
def test_a_changed_row_is_named_by_customer_and_day(ledger, name, value):
    rows = ledger.read("decisions")
    ledger.replace("decisions", changed(rows, 7, **{name: value}))
    found = broken(ledger)["a row is not as it was written"]
    row = changed(rows, 7, **{name: value}).slice(7, 1).to_pylist()[0]
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=row["day"])
    assert (found.many, found.where) == (1, (f"{row['customer_id']} on {day}",))


def test_a_changed_row_with_a_digest_made_anew_breaks_its_run(ledger):
    rows = changed(ledger.read("decisions"), 7, cost=999)
    digests = digests_of(rows, rows["row_salt"].to_pylist())
    ledger.replace("decisions", changed(rows, 7, row_digest=digests[7]))
    found = broken(ledger)
    assert list(found) == ["rows of a run were added, removed or changed"]
    assert found["rows of a run were added, removed or changed"].where == (f"run {rows['run_id'][7].as_py()[:12]}",)


@pytest.mark.parametrize("what", ["removed", "doubled"])
def test_a_row_that_is_gone_or_there_twice_breaks_its_run(ledger, what):
    rows = ledger.read("decisions")
    keep = np.arange(len(rows))
    keep = np.delete(keep, 5) if what == "removed" else np.append(keep, 5)
    ledger.replace("decisions", rows.take(pa.array(keep)))
    assert broken(ledger)["rows of a run were added, removed or changed"].many == 1


def test_a_run_that_is_gone_leaves_the_next_without_its_entry_before(ledger):
    rows = ledger.read("decisions")
    middle = pc.equal(rows["day"], (START - datetime.date(1970, 1, 1)).days + 1)
    ledger.replace("decisions", rows.filter(pc.invert(middle)))
    assert list(broken(ledger)) == ["the entry before is gone"]


def test_the_last_run_that_is_gone_is_shown_by_the_head_that_was_written_down(ledger):
    head, rows = ledger.chain_head, ledger.read("decisions")
    last = pc.equal(rows["day"], (START - datetime.date(1970, 1, 1)).days + 2)
    ledger.replace("decisions", rows.filter(pc.invert(last)))
    assert broken(ledger) == {}
    assert list(broken(ledger, head)) == ["the head that was written down is not in the chain"]


GONE = "a run or an erasure is gone that stood there"


@pytest.mark.parametrize("how", ["its rows", "its commit, after a permission came in"])
def test_the_last_run_cannot_go_alone(ledger, how, tmp_path):
    """What was added later, to whatever table, remembers it."""
    world, rows = crl.load_world(WORLD), ledger.read("decisions")
    one, last = rows["customer_id"][3].as_py(), (START - datetime.date(1970, 1, 1)).days + 2
    entry = pc.unique(rows.filter(pc.equal(rows["day"], last))["chain"])[0].as_py()
    if how == "its rows":
        assert audit_ledger(ledger)[1] == []
        ledger.replace("decisions", rows.filter(pc.not_equal(rows["day"], last)))
    else:
        (tmp_path / "p.csv").write_text(f"customer_id,channel,allowed,day\n{one},*,no,2026-01-03\n")
        add(ledger, "permissions", tmp_path / "p.csv", world, today=datetime.date(2026, 1, 3))
        assert audit_ledger(ledger)[1] == []
        commit = ledger.folder / "decisions" / "_delta_log" / f"{3:020}.json"
        assert entry in commit.read_text()
        commit.unlink()
    found = {one.rule: one for one in audit_ledger(ledger)[1]}
    assert found[GONE].rows == (f"entry {entry[:12]}",)


def test_a_run_of_nobody_is_missed_by_nobody(tmp_path):
    world = crl.load_world(WORLD)
    made = Ledger.create(tmp_path / "l", world, start=START, customers=N)
    frame = customers_frame(Panel(world, N, seed=1))
    crl.decide("uniform", frame.head(0), world, day=START, ledger=made)
    assert (made.chains_seen(), audit_ledger(made)[1]) == (set(), [])
    crl.decide("uniform", frame, world, day=START, ledger=made)
    assert made.chains_seen() == {made.chain_head}
    for one in frame["customer_id"].astype(str)[:3]:
        erase(made, one, today=START)
    assert made.chain_head in made.chains_seen()
    assert audit_ledger(made)[1] == []


def test_a_chain_made_anew_from_the_second_run_on_is_shown_by_the_old_head(ledger):
    """Somebody with the code and the folder can forge a chain, but not the head that somebody else holds."""
    head, rows = ledger.chain_head, ledger.read("decisions")
    made, before = [], FIRST
    for t in range(3):
        day = (START - datetime.date(1970, 1, 1)).days + t
        part = rows.filter(pc.equal(rows["day"], day)).drop_columns(list(CHAINED))
        part = linked(changed(part, 0, cost=1), part["run_id"][0].as_py(), before)
        before = part["chain"][0].as_py()
        made.append(part.select(rows.column_names))
    ledger.replace("decisions", pa.concat_tables(made))
    assert broken(ledger) == {}
    assert broken(ledger, head)


def test_an_erasure_is_an_entry_and_leaves_the_chain_whole(ledger):
    one = ledger.read("decisions")["customer_id"][3].as_py()
    before = ledger.chain_head
    gone = erase(ledger, one, today=START)
    assert gone.decisions == 3
    assert broken(ledger, before) == {}
    kept = ledger.read("erasures").to_pandas()
    assert len(kept) == 3
    assert set(kept["chain_before"]) == {before}
    assert ledger.chain_head == kept["chain"].iloc[0] != before
    frame = customers_frame(Panel(crl.load_world(WORLD), N, seed=1))
    crl.decide("uniform", frame, WORLD, day=START + datetime.timedelta(days=5), ledger=ledger)
    assert broken(ledger) == {}  # the next run follows the erasure


def test_a_customer_alone_in_a_run_can_be_erased_and_its_run_stays_in_the_chain(tmp_path):
    world = crl.load_world(WORLD)
    made = Ledger.create(tmp_path / "ledger", world, start=START, customers=N)
    frame = customers_frame(Panel(world, N, seed=1))
    for t, part in enumerate((frame, frame.iloc[:1], frame)):
        crl.decide("uniform", part, world, day=START + datetime.timedelta(days=t), ledger=made)
    erase(made, str(frame["customer_id"].iloc[0]), today=START)
    assert broken(made) == {}


def test_an_erasure_that_was_killed_half_way_is_said_and_completed_by_its_repeat(ledger, monkeypatch):
    one = ledger.read("decisions")["customer_id"][3].as_py()
    monkeypatch.setattr(Ledger, "replace", lambda self, name, rows: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        erase(ledger, one, today=START)
    monkeypatch.undo()
    assert broken(ledger)["an erasure was begun and not completed"].many == 3
    erase(ledger, one, today=START)
    assert broken(ledger) == {}
    assert len(ledger.read("erasures")) == 3


def test_digests_of_erased_rows_cannot_be_guessed_from_their_content(ledger):
    """The salt went with the row: the same content digests to something else each time."""
    rows = ledger.read("decisions").drop_columns(list(CHAINED))
    first, second = linked(rows, "r", FIRST), linked(rows, "r", FIRST)
    assert not set(first["row_digest"].to_pylist()) & set(second["row_digest"].to_pylist())
    assert len(set(first["row_salt"].to_pylist())) == len(rows)


values = st.one_of(st.none(), st.floats(allow_nan=True), st.sampled_from([0.0, -0.0, 0.1]))


@settings(max_examples=60)
@given(st.lists(st.tuples(values, st.text(max_size=3)), min_size=1, max_size=4), st.randoms())
def test_a_digest_depends_on_content_alone(rows, random):
    table = pa.table({"a": pa.array([a for a, _ in rows], pa.float64()), "b": pa.array([b for _, b in rows])})
    salts = [bytes([i]) * 16 for i in range(len(rows))]
    digests = digests_of(table, salts)
    wider = table.select(["b", "a"]).append_column("later", pa.nulls(len(rows), pa.int64()))
    assert digests_of(wider, salts) == digests
    order = list(range(len(rows)))
    random.shuffle(order)
    assert digests_of(table.take(order), [salts[i] for i in order]) == [digests[i] for i in order]
    assert entry_of("r", digests, "") == entry_of("r", [digests[i] for i in order], "")
    other = table.set_column(1, "b", pa.array([b + "x" for _, b in rows]))
    assert not set(digests_of(other, salts)) & set(digests)
