"""What every study script does around its science: words of the call, cells in parallel, what is kept, how it ends.

A study has one shape: constants; functions that work out one cell; `study(...)`, which names the cells before anything
runs and gathers their answers; `picture` or `table`; `main`, which reads the words of the call and tells. Not here:
benchmarks of many policies over seeds (run.py).
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, redirect_stdout
from functools import partial
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from campaignrl.errors import CampaignError
from campaignrl.tables.files import write_whole

Cell = TypeVar("Cell")
Answer = TypeVar("Answer")

# Draws what a study printed; by import path, for pages stand above and only `--page` asks for one.
PAGE = "campaignrl.report.pages:told_page"


class StudyWords(argparse.ArgumentParser):
    """The words of a study's call; remembers what was asked."""

    asked: argparse.Namespace | None = None  # of the call that this process is
    page_before: tuple[int, ...] | None = None  # what lay there when the study began

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, and remembered for the study's end."""
        found = super().parse_known_args(args, namespace)
        StudyWords.asked = found[0]
        StudyWords.page_before = _lies_at(getattr(found[0], "page", None))
        return found


def study_words(
    about: str | None, output: str | Path | None = None, *, json: bool = False, workers: int | None = None
) -> argparse.ArgumentParser:
    """The words of a study's call that all studies share; a study adds its own.

    about: the study's docstring, shown by --help. output: the folder that -o (--output, --out) stands for if not
    given; None: the study writes nothing. json: whether --json prints one JSON object instead of
    tables. workers: how many processes, unless --workers says.
    """
    words = StudyWords(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--page", type=Path, help="also write what was found as one HTML page")
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


def write_between(page: str | Path, mark: str, text: str) -> None:
    """Put a text into a page of docs, between its marks `<!-- mark -->` and `<!-- mark: end -->`, or at its end."""
    page, (begin, end) = Path(page), _marks(mark)
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    block = f"{begin}\n{text.removesuffix(chr(10))}\n{end}"
    if begin in before and end in before:
        first, last = before.index(begin), before.index(end) + len(end)
        whole = before[:first] + block + before[last:]
    else:
        whole = f"{before.rstrip()}\n\n{block}\n"
    write_files(page.parent, {page.name: whole})


def read_between(page: str | Path, mark: str) -> str:
    """What `write_between` put there; nothing where the page has no such marks."""
    begin, end = _marks(mark)
    found, ended, _ = Path(page).read_text(encoding="utf-8").partition(f"{begin}\n")[2].partition(f"\n{end}")
    return found if ended else ""


def _marks(mark: str) -> tuple[str, str]:
    return f"<!-- {mark} -->", f"<!-- {mark}: end -->"


def run_study(main: Callable[[], int | None]) -> None:
    """Run a study's `main` and leave with the exit code it returns, if any; an error of ours is told in its words.

    With --page FILE, what it printed and the pictures it wrote become one page, unless the study has written its own.
    """
    began, told = time.time(), _Heard(sys.stdout)
    StudyWords.asked = None
    heard = any(word.startswith("--page") for word in sys.argv[1:])
    try:
        with redirect_stdout(told) if heard else nullcontext():
            code = main()
        if heard:
            _end_in_a_page(main, told.getvalue(), began)
    except CampaignError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(wrong.exit_code)
    if code is not None:
        sys.exit(code)


class _Heard(io.StringIO):
    """What is printed, which is passed on as well."""

    def __init__(self, out: Any) -> None:
        super().__init__()
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(text)
        return super().write(text)

    def flush(self) -> None:
        self._out.flush()


def _end_in_a_page(main: Callable[[], int | None], told: str, began: float) -> None:
    asked = StudyWords.asked
    page = getattr(asked, "page", None)
    if page is None or _lies_at(page) != StudyWords.page_before:
        return
    module, _, name = PAGE.partition(":")
    draw = getattr(import_module(module), name)
    about = sys.modules[main.__module__].__doc__ or page.stem
    draw(about, told, _pictures(getattr(asked, "output", None), began), _made(sys.argv)).write(page)


def _lies_at(page: Path | None) -> tuple[int, ...] | None:
    """What tells the file at a place from one written there later; None: there is none."""
    if page is None or not page.exists():
        return None
    about = page.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _pictures(folder: Path | None, began: float) -> Sequence[Path]:
    """PNG files that were written there since."""
    found = [] if folder is None or not folder.is_dir() else sorted(folder.rglob("*.png"))
    return [path for path in found if path.stat().st_mtime >= began - 1.0]  # some file systems count whole seconds


def _made(argv: Sequence[str]) -> dict[str, str]:
    """How the figures came about: the call, versions, and what it took."""
    took = sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    call = " ".join(["python", "/".join(Path(argv[0]).parts[-2:]), *argv[1:]])
    versions = {name: version(name) for name in ("campaignrl", "numpy")}
    return {"Call": call, "CPU": f"{took:,.0f} seconds", **versions, "python": platform.python_version()}


def _put(out: BinaryIO, data: bytes) -> None:
    out.write(data)
