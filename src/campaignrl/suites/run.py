"""The verb `benchmark`: play every run of a suite, in this process or in several, and keep what is finished.

Not here: what a run is (measure.py), how finished runs are kept (store.py).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

from campaignrl.errors import CampaignError, Problem, UsageError
from campaignrl.suites.identity import identify
from campaignrl.suites.measure import Timed, measure
from campaignrl.suites.plan import Run, plan
from campaignrl.suites.results import Results, assemble
from campaignrl.suites.store import Store
from campaignrl.suites.suite import Suite, load_suite
from campaignrl.suites.timings import write_timings

Progress = Callable[[int, int], None]  # (runs done, runs in all)


def benchmark(
    suite: str | Path | Suite,
    *,
    out: str | Path | None = None,
    seeds: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    resume: bool = True,
) -> Results:
    """Play every policy of a suite in every world for every seed; the same results for any number of workers.

    Args:
        suite: a bundled name, a TOML file, or a Suite.
        out: results file; what is finished before an interruption waits in OUT.partial, and what each run took is
            written beside it (NAME.timings.json).
        seeds: how many, instead of the suite's own number.
        workers: processes at a time.
        progress: called as (runs done, in all).
        resume: do not play again what waits in OUT.partial.

    Returns:
        Results: figures of each run, per customer, money in the world's currency; `compare` judges two of them.

    Raises:
        UnknownName: no suite goes by that name.
        UsageError: words out of their range.
        SpecError: the suite has mistakes; every one at once.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.suites.suite import PolicyUse, Suite
        >>> tiny = Suite(worlds=["coupon_trap"], policy=[PolicyUse(use="uniform")], seeds=2, customers=50)
        >>> sorted(crl.benchmark(tiny).values("coupon_trap", "uniform"))  # by seed
        [0, 1]
    """
    if workers < 1:
        raise UsageError(Problem("benchmark", "workers", workers, "at least 1"))
    suite = load_suite(suite, seeds=seeds)
    identity, runs = identify(suite), plan(suite)
    if out is not None and Path(out).is_dir():
        raise UsageError(Problem("benchmark", "out", str(out), "a file", "It is a folder: name a file in it."))
    store = Store(out, suite, identity) if out is not None else None
    done = {run: found for run in runs if (found := store.load(run))} if store and resume else {}
    _tell(progress, len(done), len(runs))
    with closing(_played(suite, [run for run in runs if run not in done], workers)) as played:
        for run, found in played:
            if store is not None:
                store.save(run, found)
            done[run] = found
            _tell(progress, len(done), len(runs))
    results = assemble(suite, identity, {run: done[run].figures for run in runs})
    if store is not None and out is not None:
        write_timings(out, {run: done[run].seconds for run in runs})
        results.write(out)
        store.clear()
    return results


def _played(suite: Suite, runs: list[Run], workers: int) -> Generator[tuple[Run, Timed], None, None]:
    """Each run with its figures, in the order in which they finish."""
    workers = min(workers, len(runs))
    if workers <= 1:
        yield from ((run, measure(suite, run)) for run in runs)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks in whatever state they are
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    waiting = {pool.submit(measure, suite, run): run for run in runs}
    try:
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool:
        raise CampaignError(f"a worker process ended before its run was finished. {_HINT}") from None
    except BaseException:  # Ctrl-C too: runs under way would keep us from ending
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_HINT = (
    "Finished runs are kept if there is an output file: run it again, with fewer workers if memory is short. "
    "In a script, call benchmark under `if __name__ == '__main__':`."
)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it: a worker whose parent was killed would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
