"""What every study script does around its science: words of the call, cells in parallel, what is kept, how it ends.

A study has one shape: constants; functions that work out one cell; `study(...)`, which names the cells before anything
runs and gathers their answers; `picture` or `table`; `main`, which reads the words of the call and tells. Not here:
benchmarks of many policies over seeds (run.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from campaignrl.errors import CampaignError
from campaignrl.tables.files import write_whole

Cell = TypeVar("Cell")
Answer = TypeVar("Answer")


def study_words(
    about: str | None, output: str | Path | None = None, *, json: bool = False, workers: int | None = None
) -> argparse.ArgumentParser:
    """The words of a study's call that all studies share; a study adds its own.

    about: the study's docstring, shown by --help. output: the folder that -o (--output, --out) stands for if not
    given; None: the study writes nothing. json: whether --json prints one JSON object instead of
    tables. workers: how many processes, unless --workers says.
    """
    words = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if output is not None:
        words.add_argument("-o", "--output", "--out", type=Path, default=Path(output), help="folder of what is written")
    if json:
        words.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    if workers is not None:
        words.add_argument("--workers", type=int, default=workers, help="processes")
    return words


def run_cells(work: Callable[[Cell], Answer], cells: Iterable[Cell], workers: int = 1) -> list[Answer]:
    """The answer of every cell, in the order of the cells; in so many processes, each started afresh.

    work: takes one cell; with more than one process, a function of a module or a `partial` of one.
    """
    if workers <= 1:
        return [work(cell) for cell in cells]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, cells))


def kept(path: str | Path, make: Callable[[], Any], *, fresh: bool = False) -> Any:
    """What a file of JSON holds, or what is made now and written there: a study that stopped goes on.

    fresh: make it again even if it is there.
    """
    path = Path(path)
    if fresh or not path.exists():
        write_files(path.parent, {path.name: json.dumps(make())})
    return json.loads(path.read_bytes())


def write_files(folder: str | Path, files: Mapping[str, bytes | str]) -> None:
    """Write pictures and texts into a folder, which is made if need be; each file whole or not at all."""
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        write_whole(Path(folder) / name, partial(_put, data=data))


def run_study(main: Callable[[], int | None]) -> None:
    """Run a study's `main` and leave with the exit code it returns, if any; an error of ours is told in its words."""
    try:
        code = main()
    except CampaignError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(wrong.exit_code)
    if code is not None:
        sys.exit(code)


def _put(out: BinaryIO, data: bytes) -> None:
    out.write(data)
