"""Whatever a log is valued by, its figures do not depend on how many threads the machine's BLAS may use."""

import json

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import campaignrl as crl
from campaignrl.ope import compare_many_on_log
from campaignrl.policies import on_one_blas_thread

LOG = crl.simulate("ecommerce", "uniform", customers=300, seed=1)
LEARNER = crl.train("lin_ts", crl.simulate("ecommerce", "uniform", customers=300, seed=7))


def told(value):
    """Every digit of what was found."""
    return json.dumps(value.to_dict(), sort_keys=True, default=str)


WAYS = {
    "evaluate": lambda: told(crl.evaluate(LOG, LEARNER)),
    "stream": lambda: told(crl.evaluate_stream(LOG, LEARNER)),
    "episodes": lambda: told(crl.evaluate(LOG, LEARNER, estimators=["sdr", "fqe"], horizon=4)),
    "policies": lambda: repr(compare_many_on_log(LOG, {"learned": LEARNER, "none": "none"})),
}


@pytest.mark.parametrize("way", WAYS)
def test_figures_do_not_depend_on_the_number_of_blas_threads(way):
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(WAYS[way]())
    assert found[0] == found[1]


def test_a_function_on_one_thread_is_the_same_function_and_gives_the_threads_back():
    from campaignrl.policies.blas_threads import _blas

    @on_one_blas_thread
    def seen(a, *, b):
        """What it was given, and by how many threads."""
        return a, b, {one.num_threads for one in _blas()}

    with threadpool_limits(2, user_api="blas"):
        before = [one.num_threads for one in _blas()]
        assert seen(1, b=2) == (1, 2, {1})
        assert [one.num_threads for one in _blas()] == before
    assert seen.__doc__ == "What it was given, and by how many threads."
    assert np.max(before) == 2
