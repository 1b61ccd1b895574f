"""Queues: waits by hand, by an independent recursion, and as Erlang's formula says."""

import heapq
import math

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.envs.clock.event_log import channel_load
from campaignrl.envs.clock.queues import Job, Queue, Quiet, mean_wait, waiting_probability


def run(arrivals, service, servers, until=math.inf, **how):
    """Waits (n,) of jobs, NaN where never begun, in the order of arrival; the queue; and who was lost when."""
    env = simpy.Environment()
    lost = {}
    queue = Queue(env, servers, lambda job: None, lambda job: None, lambda job, t: lost.update({job.row: t}), **how)
    jobs = [Job(i, 1, [s]) for i, s in enumerate(service)]
    queue.feed(list(zip(arrivals, jobs, strict=True)))
    env.run(None if until == math.inf else until)
    return np.array([job.begun - job.joined for job in jobs]), queue, lost


def recursion(arrivals, service, servers):
    """Waits by the times at which servers become free, first come first served (Kiefer & Wolfowitz 1955)."""
    free, waits = [0.0] * servers, []
    for at, length in zip(arrivals, service, strict=True):
        start = max(at, heapq.heappop(free))
        heapq.heappush(free, start + length)
        waits.append(start - at)
    return np.array(waits)


def test_waits_by_hand():
    waits, queue, _ = run([0.0, 1.0, 1.5, 9.0], [3.0, 1.0, 1.0, 1.0], 1)
    assert waits.tolist() == [0.0, 2.0, 2.5, 0.0]
    waits, queue, _ = run([0.0, 1.0, 1.5, 9.0], [3.0, 1.0, 1.0, 1.0], 2)
    assert waits.tolist() == [0.0, 0.0, 0.5, 0.0]
    assert queue.services == [(0.0, 0.0, 3.0), (1.0, 0.0, 1.0), (2.0, 0.5, 1.0), (9.0, 0.0, 1.0)]


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 5.0)), min_size=1, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_waits_equal_those_of_the_recursion(servers, gaps):
    arrivals, service = np.cumsum([g for g, _ in gaps]).tolist(), [s for _, s in gaps]
    waits, _, _ = run(arrivals, service, servers)
    assert waits == pytest.approx(recursion(arrivals, service, servers), abs=1e-9)


def test_nobody_is_served_in_quiet_hours():
    arrivals, service = [19.5, 20.9, 20.95, 30.0, 33.5], [0.2, 0.2, 0.2, 0.2, 0.2]
    waits, _, _ = run(arrivals, service, 1, quiet=Quiet(21.0, 12.0))  # 21:00 to 9:00
    assert waits == pytest.approx([0.0, 0.0, 33.0 - 20.95, 33.2 - 30.0, 0.0])


def test_patience_and_expiry_end_a_wait_unserved():
    waits, queue, lost = run([0.0, 1.0, 2.0, 3.5], [5.0, 1.0, 1.0, 1.0], 1, patience=2.0)
    assert lost == {1: 3.0, 2: 4.0}
    assert waits[3] == 1.5
    assert sorted(queue.spells) == [(0.0, 0.0), (1.0, 3.0), (2.0, 4.0), (3.5, 5.0)]


def test_without_servers_nothing_is_ever_begun():
    waits, queue, _ = run([0.0, 1.0], [1.0, 1.0], 0, until=10.0)
    assert np.isnan(waits).all()
    assert len(queue.waiting) == 2


def test_a_further_attempt_goes_to_the_head():
    env, order = simpy.Environment(), []
    queue = Queue(env, 1, lambda job: order.append(job.row), lambda job: None, lambda job, t: None)
    for job in (Job(0, 1, [1.0]), Job(1, 1, [1.0]), Job(2, 1, [1.0, 1.0], attempts=1)):
        queue.join(job)
    env.run()
    assert order == [2, 0, 1]


def test_load_by_the_hour_by_hand():
    _, queue, _ = run([0.0, 0.5, 0.75, 2.25], [1.5, 1.0, 1.0, 0.25], 1)
    load = channel_load({"call": queue}, 5.0)
    assert load["joined"].tolist() == [3, 0, 1, 0, 0]
    assert load["begun"].tolist() == [1, 1, 1, 1, 0]
    assert load["waiting"].tolist() == [2, 1, 1, 0, 0]
    assert load["busy"].tolist() == [1.0, 1.0, 1.0, 0.75, 0.0]
    assert load["wait"].tolist()[:4] == [0.0, 1.0, 1.75, 1.25]  # begun at 0, 1.5, 2.5 and 3.5
    assert np.isnan(load["wait"].iloc[4])
    assert set(load["servers"]) == {1}


def test_erlang_c_by_hand():
    assert waiting_probability(1, 0.7) == pytest.approx(0.7)  # M/M/1: the share of time the server is busy
    assert waiting_probability(2, 1.0) == pytest.approx(1 / 3)
    assert waiting_probability(5, 4.0) == pytest.approx(0.5541, abs=5e-5)  # tables of formula C
    assert waiting_probability(3, 3.0) == 1.0
    assert mean_wait(1, 0.5, 1.0) == pytest.approx(1.0)  # rho / (mu - lambda)
    assert mean_wait(1, 1.0, 1.0) == math.inf


@given(st.integers(1, 40), st.floats(0.01, 0.98))
def test_erlang_c_is_a_probability_that_falls_with_servers(servers, share):
    offered = share * servers
    p = waiting_probability(servers, offered)
    assert 0.0 <= p <= share + 1e-12
    assert waiting_probability(servers + 1, offered) <= p


@pytest.mark.parametrize(("servers", "share"), [(1, 0.6), (4, 0.7), (10, 0.8)])
def test_markov_waits_are_those_of_erlang(servers, share):
    """Poisson arrivals, exponential service; the full study with its intervals is experiments/queues.py."""
    chance = np.random.default_rng(7 + servers)
    n, arrivals_per_hour = 25_000, share * servers
    arrivals, service = np.cumsum(chance.exponential(1 / arrivals_per_hour, n)), chance.exponential(1.0, n)
    waits, _, _ = run(arrivals.tolist(), service.tolist(), servers)
    batches = waits[1_000:].reshape(24, -1).mean(axis=1)  # far apart in time: nearly independent
    error = batches.std(ddof=1) / np.sqrt(len(batches))
    assert abs(batches.mean() - mean_wait(servers, arrivals_per_hour, 1.0)) < 3.0 * error
    assert error < 0.15 * batches.mean()


def test_constant_service_halves_the_wait_of_one_server():
    """Pollaczek & Khinchine: half of M/M/1 with the same means."""
    chance = np.random.default_rng(3)
    arrivals = np.cumsum(chance.exponential(1 / 0.7, 25_000))
    waits, _, _ = run(arrivals.tolist(), [1.0] * len(arrivals), 1)
    batches = waits[1_000:].reshape(24, -1).mean(axis=1)
    error = batches.std(ddof=1) / np.sqrt(len(batches))
    assert abs(batches.mean() - 0.5 * mean_wait(1, 0.7, 1.0)) < 3.0 * error
