"""One BLAS thread for small matrices.

BLAS threads fight with ours and cost up to thirty times the work on matrices of a few dozen columns; and a
product split over threads may round a row differently. Not here: our own threads over blocks of customers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import scipy.linalg  # noqa: F401  loads scipy's own BLAS, so that the controller below sees it
from threadpoolctl import LibController, ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _blas() -> tuple[LibController, ...]:
    return tuple(_controller().select(user_api="blas").lib_controllers)


def keep_one_blas_thread() -> None:
    """From now on, in this whole process: for one that asks a policy many times a second."""
    _controller().limit(limits=1, user_api="blas")


def one_blas_thread() -> AbstractContextManager[object]:
    """A context inside which every BLAS call runs on the calling thread alone."""
    if all(one.num_threads == 1 for one in _blas()):  # which to set takes as long as to decide for a few customers
        return nullcontext()
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limited


def on_one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """The function, inside such a context: for one whose answer must not depend on how many cores there are."""

    @wraps(function)
    def limited(*args: P.args, **words: P.kwargs) -> R:
        with one_blas_thread():
            return function(*args, **words)

    return limited
