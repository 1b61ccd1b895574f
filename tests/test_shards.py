"""Decisions in shards are those of the whole table, byte for byte, whatever the shards, the workers and the engine."""

import datetime
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from campaignrl.cli.sends.answer import page_writer
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import DataError, MissingExtra, Problem, UsageError
from campaignrl.ledger import Ledger, add, erase, tampered
from campaignrl.send import Settings, audit_ledger, decide_in_shards, is_typed, plan_of, read_customers
from campaignrl.send.decide import decide
from campaignrl.send.run_name import run_id
from campaignrl.send.shards import engine, engines, work_folder
from campaignrl.send.shards.job import readings_of
from campaignrl.specs import load_world
from campaignrl.tables.files import frame_writer
from campaignrl.tables.log import log_writers
from campaignrl.training import train

DAY = datetime.date(2026, 11, 21)
N = 900
LISTED = [f"c-{i:04d}" for i in range(0, N, 30)]
SALTED = ["row_salt", "row_digest", "chain", "chain_before"]
LOT = Settings(seed=3, budget=12.0, capacity={"sms": 20})
VALUE = Settings(seed=3, budget=12.0, allocate="value", explore=0.2)


@pytest.fixture(scope="module")
def world():
    return load_world("tight_budget")


@pytest.fixture(scope="module")
def policy(world):
    return train("lin_ts", world, customers=60, seed=1)


@pytest.fixture(scope="module")
def source(world, tmp_path_factory):
    frame = customers_frame(Panel(world, N, seed=4), as_of=DAY)
    frame["customer_id"] = [f"c-{i:04d}" for i in np.random.default_rng(0).permutation(N)]
    frame["address_key"] = [f"street {i % 700}" if i % 9 else "" for i in range(N)]
    frame["suppressed"] = ["yes" if i % 40 == 0 else "no" for i in range(N)]
    path = tmp_path_factory.mktemp("customers") / "customers.parquet"
    frame.to_parquet(path, index=False, row_group_size=250)
    return path


def bytes_of(writer):
    out = io.BytesIO()
    writer(out)
    return out.getvalue()


def whole(policy, source, world, settings, day=DAY, ledger=None):
    table = read_customers(source, world, suppressed=LISTED, ledger=ledger is not None)
    words = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    return decide(policy, table, world, day=day, ledger=ledger, **words)


def sharded(policy, source, world, settings, folder, day=DAY, **more):
    more = {"made": {"sends": "sends.csv", "log": "parquet"}, "rows": 200, "suppressed": LISTED, **more}
    return decide_in_shards(policy, source, world, settings, day=day, folder=folder, **more)


@pytest.mark.parametrize("settings", [LOT, VALUE], ids=["lot", "value"])
@pytest.mark.parametrize("rows", [70, 250, 256, 5000])
def test_a_run_in_shards_is_the_run_of_the_whole_table(policy, source, world, settings, rows, tmp_path):
    one = whole(policy, source, world, settings)
    for name in ("sends.csv", "sends.parquet"):
        made = {"sends": "parquet" if name.endswith("parquet") else name, "log": "parquet"}
        found = sharded(policy, source, world, settings, tmp_path / "run", rows=rows, made=made)
        assert bytes_of(found.sends_writer(tmp_path / name)) == bytes_of(frame_writer(one.sends(), tmp_path / name))
        (log,) = log_writers(one.to_log(), tmp_path / "log.parquet").values()
        assert bytes_of(found.log_writer()) == bytes_of(log)
        assert found.plan() == plan_of(one, world)
        assert bytes_of(page_writer(found.plan())) == bytes_of(page_writer(plan_of(one, world)))
        found.forget()
        assert not (tmp_path / "run").exists()
    assert 0 < len(one.sends()) < N - len(LISTED)


@pytest.mark.parametrize("settings", [pytest.param(LOT, marks=pytest.mark.slow), VALUE], ids=["lot", "value"])
def test_days_on_a_ledger_in_shards_are_those_of_whole_tables(policy, source, world, settings, tmp_path):
    one = Ledger.create(tmp_path / "one", world, start=DAY, customers=N)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    two, path = Ledger.open(tmp_path / "two"), tmp_path / "sends.csv"
    said = pd.DataFrame({"customer_id": ["c-0007", " C-0500", "c-0801"], "channel": ["*", "sms", "*"]})
    said.assign(allowed="no", day=DAY.isoformat()).to_csv(tmp_path / "no.csv", index=False)
    for t in range(2):
        day = DAY + datetime.timedelta(t)
        for kept in (one, two) if t else ():
            add(kept, "permissions", tmp_path / "no.csv", world, today=day)
            erase(kept, "c-0801", today=day)
        then = whole(policy, source, world, settings, day, one)
        for again in range(2):
            found = sharded(policy, source, world, settings, tmp_path / "run", day, ledger=two, made={"sends": "a.csv"})
            assert bytes_of(found.sends_writer(path)) == bytes_of(frame_writer(then.sends(), path))
            told = plan_of(whole(policy, source, world, settings, day, one) if again else then, world, one)
            assert found.plan() == told
            found.forget()
    rows = [kept.read("decisions").to_pandas().drop(columns=SALTED) for kept in (one, two)]
    rows = [frame.sort_values(["day", "customer_id"]).reset_index(drop=True) for frame in rows]
    pd.testing.assert_frame_equal(*rows)
    assert len(rows[1]) == 2 * N - 2  # a run that is in the ledger adds nothing; of one customer nothing is kept
    assert not tampered(two.read("decisions"), two.read("erasures"), two.chain_head)
    assert audit_ledger(two, world)[1] == []


def test_the_name_of_a_run_is_that_of_the_whole_table(policy, source, world, tmp_path):
    ledger = Ledger.create(tmp_path / "ledger", world, start=DAY, customers=N)
    found = sharded(policy, source, world, LOT, tmp_path / "run", ledger=ledger, dry_run=True)
    table = read_customers(source, world, suppressed=LISTED, ledger=True)
    assert found.job.name == run_id(policy, table, world, DAY, *LOT.named())
    assert ledger.counts()["decisions"] == 0


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize(("settings", "writes"), [(LOT, (7, 28)), (VALUE, (25,))], ids=["lot", "value"])
def test_a_run_that_was_killed_anywhere_goes_on_to_the_same_bytes(
    policy, source, world, settings, writes, tmp_path, monkeypatch
):
    path, more = tmp_path / "sends.csv", {"made": {"sends": "a.csv"}}
    begun = Ledger.create(tmp_path / "begun", world, start=DAY, customers=N)
    shutil.copytree(begun.folder, tmp_path / "whole")
    right = sharded(policy, source, world, settings, tmp_path / "r", ledger=Ledger.open(tmp_path / "whole"), **more)
    sends, plan = bytes_of(right.sends_writer(path)), right.plan()
    files = [import_module(f"campaignrl.send.shards.{name}") for name in ("arrays_file", "steps", "work_folder")]
    write_whole, whole_runs = files[0].write_whole, 0

    def until(last):
        count = iter(range(10_000))

        def write(target, put):
            if next(count) == last:
                raise Killed
            write_whole(target, put)

        return write

    for last in writes:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.rmtree(tmp_path / "ledger", ignore_errors=True)
        shutil.copytree(begun.folder, tmp_path / "ledger")
        ledger = Ledger.open(tmp_path / "ledger")
        with monkeypatch.context() as patch:
            write = until(last)
            for module in files:
                patch.setattr(module, "write_whole", write)
            with suppress(Killed):
                sharded(policy, source, world, settings, tmp_path / "run", ledger=ledger, **more)
                whole_runs += 1
        found = sharded(policy, source, world, settings, tmp_path / "run", ledger=ledger, **more)
        assert bytes_of(found.sends_writer(path)) == sends
        assert found.plan() == plan
        assert ledger.counts()["decisions"] == N
    assert whole_runs <= 1  # the others were killed


def test_a_run_killed_after_its_commit_writes_the_files_it_owes(policy, source, world, tmp_path):
    ledger = Ledger.create(tmp_path / "ledger", world, start=DAY, customers=N)
    more = {"ledger": ledger, "made": {"sends": "a.csv"}}
    first = sharded(policy, source, world, VALUE, tmp_path / "run", **more)  # committed; no file is written
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("told-*")}
    again = sharded(policy, source, world, VALUE, tmp_path / "run", **more)
    assert not again.job.repeated
    assert again.plan() == first.plan()
    assert again.plan().certificate is not None
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("told-*")}
    assert ledger.counts()["decisions"] == N


def test_what_is_done_for_another_table_or_rule_is_not_taken_over(policy, source, world, tmp_path):
    sharded(policy, source, world, LOT, tmp_path / "run")
    other = tmp_path / "other.parquet"
    frame = pd.read_parquet(source)
    frame.assign(customer_id="x" + frame["customer_id"]).to_parquet(other, index=False)
    found = sharded(policy, other, world, LOT, tmp_path / "run", suppressed=None)
    one = decide(policy, other, world, day=DAY, seed=3, budget=12.0, capacity={"sms": 20})
    path = tmp_path / "sends.csv"
    assert bytes_of(found.sends_writer(path)) == bytes_of(frame_writer(one.sends(), path))


def test_what_only_all_shards_show_is_refused(policy, source, world, tmp_path):
    frame, path = pd.read_parquet(source), tmp_path / "wrong.parquet"
    frame.loc[899, "customer_id"] = frame.loc[3, "customer_id"]
    frame.to_parquet(path, index=False)
    with pytest.raises(DataError, match=r"row 899.*customer_id.*unique"):
        sharded(policy, path, world, LOT, tmp_path / "run")
    with pytest.raises(DataError, match=r"suppression list.*1 of 4 ids"):
        sharded(policy, source, world, LOT, tmp_path / "run", suppressed=["a", "b", "d", "c-0001"])
    frame = pd.read_parquet(source).astype({"customer_id": object})
    frame.loc[[5, 700], "customer_id"] = ""
    frame.to_parquet(path, index=False)
    with pytest.raises(DataError, match=r"rows counted from 600: customers row 100") as told:
        sharded(policy, path, world, LOT, tmp_path / "run")
    assert len(told.value.problems) == 2
    with pytest.raises(UsageError, match="at least 1"):
        sharded(policy, source, world, LOT, tmp_path / "run", rows=0)


def test_a_carriage_return_in_any_shard_quotes_the_whole_list(policy, source, world, tmp_path):
    frame, path = pd.read_parquet(source), tmp_path / "customers.parquet"
    one = whole(policy, source, world, LOT)
    frame.loc[frame["customer_id"] == one.sends()["customer_id"].iloc[-1], "customer_id"] = "c\rd"
    frame.to_parquet(path, index=False)
    one = whole(policy, path, world, LOT)
    found = sharded(policy, path, world, LOT, tmp_path / "run")
    expected = bytes_of(frame_writer(one.sends(), tmp_path / "sends.csv"))
    assert bytes_of(found.sends_writer(tmp_path / "sends.csv")) == expected
    assert (b'"c\rd"' in expected) == ("c\rd" in set(one.sends()["customer_id"]))


def test_every_row_is_in_one_shard_in_the_order_of_the_file(source):
    for rows in (1, 7, 249, 250, 251, 600, 10_000):
        shards = [shard for reading in readings_of(source, rows) for shard in reading.shards]
        assert [shard.index for shard in shards] == list(range(len(shards)))
        assert np.concatenate([np.arange(s.first, s.first + s.rows) for s in shards]).tolist() == list(range(N))
        assert max(shard.rows for shard in shards) <= rows


def test_numbers_that_are_texts_are_left_to_the_whole_table(source, world, tmp_path):
    assert is_typed(source, world)
    frame, path = pd.read_parquet(source), tmp_path / "texts.parquet"
    number = next(f.name for f in world.features.features if not f.levels)
    frame.astype({number: str}).to_parquet(path, index=False)
    assert not is_typed(path, world)
    frame.assign(customer_id=np.arange(N, dtype=float)).to_parquet(path, index=False)
    assert not is_typed(path, world)


@pytest.fixture
def started():
    """A Ray of this machine, where one can be started: on a busy one its own patience of 30 seconds ends before."""
    ray = pytest.importorskip("ray")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception as wrong:
        ray.shutdown()
        if "timed out" not in str(wrong):
            raise
        pytest.skip("Ray did not start in time")
    yield
    ray.shutdown()


@pytest.mark.parametrize("by", ["local", "dask", "ray", "spark"])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_any_engine_gives_the_same_bytes(policy, source, world, by, tmp_path, request):
    if by == "ray":
        request.getfixturevalue("started")
    if by == "dask":
        pytest.importorskip("distributed")
    if by == "spark":
        pytest.importorskip("pyspark")
        if shutil.which("java") is None:
            pytest.skip("Spark needs Java")
    right = sharded(policy, source, world, LOT, tmp_path / "run")
    path = tmp_path / "sends.csv"
    sends, log, plan = bytes_of(right.sends_writer(path)), bytes_of(right.log_writer()), right.plan()
    right.forget()
    found = sharded(policy, source, world, LOT, tmp_path / "run", by=by, workers=2)
    assert bytes_of(found.sends_writer(path)) == sends
    assert bytes_of(found.log_writer()) == log
    assert found.plan() == plan


def test_a_world_that_asks_for_no_day_finds_nobody_out_of_date(policy, source, world, tmp_path):
    few = tmp_path / "few.parquet"
    pd.read_parquet(source).head(3).to_parquet(few, index=False)
    assert world.guard.max_age_days is None
    found = sharded(policy, few, world, LOT, tmp_path / "run", rows=1, suppressed=None)
    assert found.plan().customers == 3


def test_processes_end_with_the_work_and_hold_no_pipe_of_the_callers():
    """Idle ones would keep whoever reads what the command prints waiting for minutes."""
    work = """
from campaignrl.__main__ import leave
from campaignrl.send.shards import engines
with engines.engine("local", 2) as by:
    print(sorted(by(abs, [-3, 2, -1])))
leave(4)
"""
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "[1, 2, 3]\n", "")


@pytest.mark.slow
def test_processes_end_when_their_caller_is_killed(tmp_path):
    """In the middle of its work; one that was being told something would wait for the rest for ever."""
    work = f"""
import os, time
from pathlib import Path
from campaignrl.send.shards import engines
def do(item):
    Path({str(tmp_path)!r}, str(os.getpid())).touch()
    time.sleep(60)
with engines.engine("local", 2) as by:
    list(by(do, range(4)))
"""
    caller = subprocess.Popen([sys.executable, "-c", work], stderr=subprocess.DEVNULL)
    found = within(60, lambda: [int(mark.name) for mark in tmp_path.iterdir()], lambda pids: len(pids) == 2)
    caller.kill()
    caller.wait()
    assert within(20, lambda: [pid for pid in found if lives(pid)], lambda left: not left) == []


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def within(seconds, ask, enough):
    """What is answered as soon as it is enough, or when the time is over."""
    end = time.monotonic() + seconds
    while not enough(answer := ask()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def lethal(job, shard):
    """The worker that is first at the third shard dies there."""
    from campaignrl.send.shards.steps import make_offer

    mark = job.folder.path.parent / "died"
    if shard.index == 2 and not mark.exists() and os.environ["CALLED"] != str(os.getpid()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return make_offer(job, shard)


class Future:
    """One that is done and says so, or is done and lost, or is never done; or failed."""

    def __init__(self, said=None, wrong=None, done=True):
        self.said, self.wrong, self.done = said, wrong, done

    def result(self, timeout):
        assert timeout == engines.LOST
        if self.wrong is not None:
            raise self.wrong
        return self.said


def waited(futures, timeout, return_when):
    """As `distributed.wait`."""
    assert (timeout, return_when) == (engines.PATIENCE, "FIRST_COMPLETED")
    done = {future for future in futures if future.done}
    if not done:
        raise TimeoutError
    return SimpleNamespace(done=done)


def test_what_workers_that_died_took_with_them_is_said_once_all_the_same():
    here = []
    waiting = {Future("a"): 1, Future(wrong=TimeoutError()): 2, Future(done=False): 3, Future(done=False): 4}
    said = list(engines.gathered(lambda item: here.append(item) or f"here {item}", waiting, waited))
    assert sorted(said) == ["a", "here 2", "here 3", "here 4"]
    assert sorted(here) == [2, 3, 4], "each once"


def test_what_is_wrong_with_a_shard_is_not_taken_for_a_worker_that_died():
    with pytest.raises(DataError):
        list(engines.gathered(lambda item: "here", {Future(wrong=DataError("no such column")): 1}, waited))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_dask_worker_that_dies_costs_no_customer_and_none_twice(policy, source, world, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    cloudpickle = pytest.importorskip("cloudpickle")
    ledger, path = Ledger.create(tmp_path / "ledger", world, start=DAY, customers=N), tmp_path / "sends.csv"
    shutil.copytree(ledger.folder, tmp_path / "other")
    more = {"made": {"sends": "a.csv"}}
    right = sharded(policy, source, world, LOT, tmp_path / "r", ledger=Ledger.open(tmp_path / "other"), **more)
    sends = bytes_of(right.sends_writer(path))
    cloudpickle.register_pickle_by_value(sys.modules[lethal.__module__])
    monkeypatch.setattr(import_module("campaignrl.send.shards.steps"), "make_offer", lethal)
    monkeypatch.setenv("CALLED", str(os.getpid()))
    found = sharded(policy, source, world, LOT, tmp_path / "run", ledger=ledger, by="dask", workers=2, **more)
    assert (tmp_path / "died").exists()
    assert bytes_of(found.sends_writer(path)) == sends
    ids = ledger.read("decisions", ["customer_id"])["customer_id"].to_pylist()
    assert len(ids) == len(set(ids)) == N


def test_an_engine_that_is_none_says_what_there_is(monkeypatch):
    with pytest.raises(UsageError, match="local or dask or ray or spark"), engine("slurm"):
        pass
    with pytest.raises(UsageError, match="at least 1"), engine("local", 0):
        pass

    for by, module, said in (("dask", "distributed", "scale"), ("ray", "ray", "scale"), ("spark", "pyspark", "spark")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtra, match=rf"campaignrl\[{said}\]"), engine(by):
            pass


def test_a_folder_that_is_damaged_is_begun_anew(tmp_path):
    found = work_folder.WorkFolder.open(tmp_path / "run", {"asked": 1})
    (tmp_path / "run" / "told-00000.part").write_bytes(b"x")
    assert work_folder.WorkFolder.open(tmp_path / "run", {"asked": 1}).has("told", 0)
    (tmp_path / "run" / "manifest.json").write_text("{", encoding="utf-8")
    assert not work_folder.WorkFolder.open(tmp_path / "run", {"asked": 1}).has("told", 0)
    found.forget()
    assert not (tmp_path / "run").exists()


def test_a_ledger_only_moves_forward_in_shards_too_and_what_is_in_it_may_be_repeated(policy, source, world, tmp_path):
    ledger = Ledger.create(tmp_path / "ledger", world, start=DAY, customers=N)
    days = [DAY + datetime.timedelta(t) for t in range(3)]

    def on(day):
        found = sharded(policy, source, world, Settings(seed=3), tmp_path / "run", day, ledger=ledger, rows=N)
        listed = bytes_of(found.log_writer())
        found.forget()
        return listed

    first = on(days[0])
    on(days[2])
    with pytest.raises(UsageError, match="the last one decided, or later"):
        on(days[1])
    assert on(days[0]) == first  # a day before the last one, which is in it already
    assert ledger.counts()["decisions"] == 2 * N


def test_what_is_wrong_with_a_table_comes_through_a_cell_of_text():
    """As Spark says it: counts and problems, the value as it is shown."""
    wrong = [Problem("c.csv row 3", "age", "soon", "a number", "Mend it."), Problem("c.csv", "id", None, "given")]
    assert engines._read(engines._written(7)) == 7
    assert engines._read(engines._written(wrong)) == wrong
