"""Who does the work: this process, others of this machine, or a cluster that sees the same folders.

Every engine calls one pure function on each item and gives back what it says, in whatever order it comes; what a run
decides does not depend on it. Dask, Ray and Spark are loaded only where they are asked for. Not here: the function
(steps.py).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa

from campaignrl.errors import MissingExtra, Problem, UsageError

Item = TypeVar("Item")
Said = TypeVar("Said")
Engine = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
NAMES = ("local", "dask", "ray", "spark")
PATIENCE = 60.0  # seconds in which no item is done, after which this process takes one itself
LOOKS = 1.0  # seconds after which a worker looks whether its caller is there
LOST = 20.0  # seconds to wait for what a worker said, after which it is lost
INSTALL = 'Install it: pip install "campaignrl[scale]".'
INSTALL_SPARK = 'Install them: pip install "campaignrl[spark]", and a Java of 17 or later.'


def require_engine(name: str) -> None:
    """UsageError where there is no such engine."""
    if name.partition(":")[0] not in NAMES:
        raise UsageError(Problem("decide", "engine", name, " or ".join(NAMES), "A cluster is named as dask:ADDRESS."))


@contextmanager
def engine(name: str = "local", workers: int = 1) -> Iterator[Engine]:
    """An engine by name, with so many workers; `dask:ADDRESS`, `ray:ADDRESS`, `spark:ADDRESS` for a cluster's own.

    Raises:
        UsageError: there is no such engine, or fewer than one worker.
        MissingExtra: what it needs is not installed.
    """
    kind, _, address = name.partition(":")
    require_engine(name)
    if workers < 1:
        raise UsageError(Problem("decide", "workers", workers, "at least 1"))
    if kind == "local" and workers == 1:
        yield here
    elif kind == "local":
        with _processes(workers) as found:
            yield found
    elif kind == "dask":
        with _dask(address, workers) as found:
            yield found
    else:
        with (_ray if kind == "ray" else _spark)(address, workers) as found:
            yield found


def here(do: Callable[[Item], Said], items: Sequence[Item]) -> Iterator[Said]:
    """One after the other, in this process."""
    return map(do, items)


@contextmanager
def _processes(workers: int) -> Iterator[Engine]:
    """Processes of this machine, which end with the work: idle ones would keep memory and the caller's pipes."""
    from joblib import Parallel, delayed  # slow to import, and only several workers need it
    from joblib.externals.loky import get_reusable_executor

    def over(do: Callable[[Item], Said], items: Sequence[Item]) -> Iterator[Said]:
        alone: dict[str, Any] = {"initializer": _end_with, "initargs": (os.getpid(),)}
        pool = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch=2 * workers, **alone)
        found: Iterator[Said] = pool(delayed(do)(item) for item in items)
        return found

    try:
        yield over
    finally:
        get_reusable_executor(reuse=True).shutdown(wait=True)


def _end_with(caller: int) -> None:
    """In a worker: end when the caller is gone. One killed while it said something would be listened to for ever."""

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask(address: str, workers: int) -> Iterator[Engine]:
    """Work is given again to others where a worker dies; every shard's file is written whole, so twice is once."""
    try:
        from distributed import Client, wait
    except ImportError:
        raise MissingExtra(f"--engine dask needs distributed, which is not here. {INSTALL}") from None
    asked: dict[str, Any] = {"address": address} if address else {"n_workers": workers, "threads_per_worker": 1}
    quiet: dict[str, Any] = {} if address else {"dashboard_address": None}
    with Client(**asked, **quiet) as client:

        def over(do: Callable[[Item], Said], items: Sequence[Item]) -> Iterator[Said]:
            futures = client.map(do, list(items), pure=False)
            return gathered(do, dict(zip(futures, items, strict=True)), wait)

        yield over


def gathered(do: Callable[[Item], Said], waiting: dict[Any, Item], wait: Callable[..., Any]) -> Iterator[Said]:
    """What Dask's futures say, whatever happens to those who work; each item is said once.

    A worker that dies takes what it said with it, and with the last of them nobody is left. What does not come in time
    is done here: an item that was done already is read off its file. wait: `distributed.wait`.
    """
    while waiting:
        try:
            done = wait(list(waiting), timeout=PATIENCE, return_when="FIRST_COMPLETED").done
        except TimeoutError:  # nobody may be left: this process takes the one that would come last
            yield do(waiting.popitem()[1])
            continue
        for future in done:
            item = waiting.pop(future)
            try:
                said = future.result(timeout=LOST)
            except TimeoutError:
                said = do(item)
            yield said


@contextmanager
def _ray(address: str, workers: int) -> Iterator[Engine]:
    try:
        import ray
    except ImportError:
        raise MissingExtra(f"--engine ray needs ray, which is not here. {INSTALL}") from None
    own = not ray.is_initialized()
    if own:
        asked: dict[str, Any] = {"address": address} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(**asked, log_to_driver=False, configure_logging=False)
    try:

        def over(do: Callable[[Item], Said], items: Sequence[Item]) -> Iterator[Said]:
            task: Any = ray.remote(_call)
            kept = ray.put(do)
            waiting = [task.remote(kept, item) for item in items]
            while waiting:
                done, waiting = ray.wait(waiting)
                yield from ray.get(done)

        yield over
    finally:
        if own:
            ray.shutdown()


def _call(do: Callable[[Item], Said], item: Item) -> Said:
    return do(item)


@contextmanager
def _spark(address: str, workers: int) -> Iterator[Engine]:
    """A row of numbers, an item to each partition, through `mapInArrow`; all items are said when the last is done."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtra(f"--engine spark needs pyspark and Java, which are not here. {INSTALL_SPARK}") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    made = SparkSession.getActiveSession() is None
    builder = SparkSession.builder.master(address or f"local[{workers}]").appName("campaignrl")
    for name in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(name, "false")
    session: Any = builder.getOrCreate()
    try:

        def over(do: Callable[[Item], Said], items: Sequence[Item]) -> Iterator[Any]:
            kept = list(items)

            def work(batches: Any) -> Iterator[Any]:
                for batch in batches:
                    said = [_written(do(kept[i])) for i in batch["id"].to_pylist()]
                    yield pa.RecordBatch.from_pydict({"said": said})

            numbers = session.range(0, len(kept), 1, numPartitions=max(len(kept), 1))
            return (_read(row.said) for row in numbers.mapInArrow(work, "said string").collect())

        yield over
    finally:
        if made:
            session.stop()


def _written(said: object) -> str:
    """What a step says, a count or what is wrong, as a cell of text."""
    return json.dumps(said, default=str)


def _read(cell: str) -> int | list[Problem]:
    said = json.loads(cell)
    return said if isinstance(said, int) else [Problem(*one) for one in said]
