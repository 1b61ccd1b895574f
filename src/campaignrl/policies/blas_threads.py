"""One BLAS thread for small matrices.

BLAS threads fight with ours and cost up to thirty times the work on matrices of a few dozen columns; and a
product split over threads may round a row differently. Not here: our own threads over blocks of customers.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

import scipy.linalg  # noqa: F401  loads scipy's own BLAS, so that the controller below sees it
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """A context inside which every BLAS call runs on the calling thread alone."""
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limited
