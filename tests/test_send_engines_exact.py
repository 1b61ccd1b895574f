"""What each engine asks of the library it works with, told by stand-ins: workers, addresses, what is left behind."""

import os
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pyarrow as pa
import pytest

from campaignrl.errors import UsageError
from campaignrl.send.shards import engines
from campaignrl.send.shards.engines import engine


def twice(item):
    return 2 * item


class Future:
    """What Dask gives for an item that is worked on."""

    def __init__(self, do, item):
        self.result = lambda timeout: do(item)


def of(name, workers=1, items=(1, 2, 3)):
    with engine(name, workers) as by:
        return list(by(twice, items))


def test_engines_have_names_and_one_worker_at_least():
    for name in ("pigeon", "", "dusk:tcp", ":dask"):
        with pytest.raises(UsageError, match="engine"):
            of(name)
    for workers in (0, -1):
        with pytest.raises(UsageError, match="workers"):
            of("local", workers)


def test_one_worker_is_this_process(monkeypatch):
    monkeypatch.setattr(engines, "_processes", None)
    assert of("local") == [2, 4, 6]


def test_several_workers_end_with_the_work(monkeypatch):
    told = []

    def parallel(**how):
        told.append(how)
        return lambda calls: [do(item) for do, item in calls]

    pool = SimpleNamespace(shutdown=lambda wait: told.append(("shutdown", wait)))
    loky = SimpleNamespace(get_reusable_executor=lambda reuse: told.append(("reuse", reuse)) or pool)
    joblib = SimpleNamespace(Parallel=parallel, delayed=lambda do: lambda item: (do, item))
    monkeypatch.setitem(sys.modules, "joblib", joblib)
    monkeypatch.setitem(sys.modules, "joblib.externals.loky", loky)
    assert of("local", 3) == [2, 4, 6]
    alone = {"initializer": engines._end_with, "initargs": (os.getpid(),)}
    assert told == [
        {"n_jobs": 3, "return_as": "generator_unordered", "pre_dispatch": 6, **alone},
        ("reuse", True),
        ("shutdown", True),
    ]


def test_a_worker_looks_every_second_whether_its_caller_is_there(monkeypatch):
    told, parents = [], iter([7, 7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(time, "sleep", lambda seconds: told.append(seconds))
    monkeypatch.setattr(os, "_exit", lambda code: told.append(("exit", code)))

    class Thread:
        def __init__(self, target, daemon):
            told.append(("daemon", daemon))
            self.start = target

    monkeypatch.setattr(threading, "Thread", Thread)
    engines._end_with(7)
    assert told == [("daemon", True), 1.0, 1.0, ("exit", 1)]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("dask", {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}),
        ("dask:tcp://here:1", {"address": "tcp://here:1"}),
    ],
)
def test_dask_is_asked_for_workers_of_one_thread_and_for_every_shard_anew(monkeypatch, name, asked):
    told = []

    @contextmanager
    def client(**how):
        told.append(how)

        def mapped(do, items, pure):
            told.append(("pure", pure))
            return [Future(do, item) for item in items]

        yield SimpleNamespace(map=mapped)

    def wait(waiting, timeout, return_when):
        return SimpleNamespace(done=waiting)

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=client, wait=wait))
    assert of(name, 2) == [2, 4, 6]
    assert told == [asked, ("pure", False)]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    ("name", "asked"), [("ray", {"num_cpus": 2, "include_dashboard": False}), ("ray:auto", {"address": "auto"})]
)
def test_ray_is_begun_quietly_and_ended_unless_it_was_there(monkeypatch, begun, name, asked):
    told = []
    ray = SimpleNamespace(
        is_initialized=lambda: begun,
        init=lambda **how: told.append(how),
        shutdown=lambda: told.append("shutdown"),
        remote=lambda call: SimpleNamespace(remote=lambda do, item: call(do, item)),
        put=lambda do: do,
        wait=lambda waiting: (waiting[:1], waiting[1:]),
        get=lambda done: done,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert of(name, 2) == [2, 4, 6]
    quiet = {**asked, "log_to_driver": False, "configure_logging": False}
    assert told == ([] if begun else [quiet, "shutdown"])


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(("name", "master"), [("spark", "local[2]"), ("spark:spark://here:7077", "spark://here:7077")])
@pytest.mark.parametrize("items", [(), (1, 2, 3)])
def test_spark_has_a_partition_for_each_shard_and_is_stopped_if_it_was_begun(monkeypatch, begun, name, master, items):
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    told = []

    def mapped(work, schema):
        told.append(schema)
        batches = [pa.RecordBatch.from_pydict({"id": [i]}) for i in range(len(items))]
        rows = [SimpleNamespace(said=said) for batch in work(iter(batches)) for said in batch["said"].to_pylist()]
        return SimpleNamespace(collect=lambda: rows)

    def numbers(start, stop, step, numPartitions):
        told.append((start, stop, step, numPartitions))
        return SimpleNamespace(mapInArrow=mapped)

    session = SimpleNamespace(range=numbers, stop=lambda: told.append("stop"))
    builder = SimpleNamespace(
        master=lambda where: told.append(where) or builder,
        appName=lambda called: builder,
        config=lambda name, value: told.append((name, value)) or builder,
        getOrCreate=lambda: session,
    )
    spark = SimpleNamespace(getActiveSession=lambda: session if begun else None, builder=builder)
    monkeypatch.setitem(sys.modules, "pyspark.sql", SimpleNamespace(SparkSession=spark))
    assert of(name, 2, items) == [2 * item for item in items]
    off = [("spark.ui.enabled", "false"), ("spark.ui.showConsoleProgress", "false")]
    ends = [] if begun else ["stop"]
    assert told == [master, *off, (0, len(items), 1, max(len(items), 1)), "said string", *ends]
