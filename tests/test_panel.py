"""The panel: a customer's life depends on world, seed, id and what is sent, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.envs.panel import Panel
from campaignrl.errors import UsageError
from campaignrl.specs.world import load_world

N = 90


def plan(world, ids):
    """A fixed, lawless plan: what is sent to whom on which day depends on id and day alone; (T, n)."""
    day = np.arange(world.horizon)[:, None]
    return (np.asarray(ids, dtype=int) * 7 + day * 3) % len(world.catalog)


def life(world, ids, seed=3, actions=None, **how):
    """Everything that ever happens to customers `ids`: outcomes and states by field, each (T, ..., n)."""
    panel = Panel(world, np.asarray(ids), seed, **how)
    actions = plan(world, ids) if actions is None else actions
    days = []
    for action in actions:
        outcome = panel.step(action)
        days.append({**outcome._asdict(), **{f"state {k}": v.copy() for k, v in panel.state._asdict().items()}})
    return {name: np.stack([day[name] for day in days]) for name in days[0]}


def same(a, b):
    assert a.keys() == b.keys()
    return [name for name in a if not np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f")] == []


@pytest.fixture(scope="module")
def together(small_world):
    return life(small_world, np.arange(N))


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("block", [7, 32, 89, 90, 1000])
def test_blocks_and_threads_change_nothing(small_world, together, threads, block):
    assert same(life(small_world, np.arange(N), threads=threads, block=block), together)


@given(st.permutations(range(N)), st.integers(0, N))
@settings(max_examples=10, deadline=None)
def test_the_order_of_customers_and_who_else_is_there_change_nothing(small_world, together, order, cut):
    parts = [life(small_world, ids) for ids in (order[:cut], order[cut:])]
    apart = {name: np.concatenate([p[name] for p in parts], axis=-1) for name in together}
    assert same(apart, {name: values[..., order] for name, values in together.items()})


def test_every_customer_alone_lives_as_among_others(small_world, together):
    alone = [life(small_world, [i]) for i in range(0, N, 9)]
    apart = {name: np.concatenate([a[name] for a in alone], axis=-1) for name in together}
    assert same(apart, {name: values[..., ::9] for name, values in together.items()})


def test_another_seed_is_another_life(small_world, together):
    other = life(small_world, np.arange(N), seed=4)
    assert not np.array_equal(other["bought"], together["bought"])


def test_large_ids_are_customers_too(small_world):
    ids = np.array([0, 2**40, 2**62], dtype=np.int64)
    assert same(life(small_world, ids), life(small_world, ids, block=1))


# ---- twins: the same customer in worlds that differ in what is sent


def test_twins_to_whom_nothing_is_sent_live_the_same_life(small_world):
    nothing = np.zeros((small_world.horizon, N), dtype=int)
    assert same(life(small_world, np.arange(N), actions=nothing), life(small_world, np.arange(N), actions=nothing))


def test_what_is_sent_to_others_does_not_matter(small_world, together):
    quiet = np.arange(N) % 3 == 0
    some = np.where(quiet, 0, plan(small_world, np.arange(N)))
    nobody = life(small_world, np.arange(N), actions=np.zeros_like(some))
    mixed = life(small_world, np.arange(N), actions=some)
    assert same({k: v[..., quiet] for k, v in mixed.items()}, {k: v[..., quiet] for k, v in nobody.items()})
    assert not np.array_equal(mixed["reward"], nobody["reward"])
    assert same({k: v[..., ~quiet] for k, v in mixed.items()}, {k: v[..., ~quiet] for k, v in together.items()})


def test_a_send_that_is_not_seen_changes_no_purchase(tables):
    # Delivered to nobody: the same orders, to the cent, as if nothing was sent; only the cost differs.
    for channel in tables["channels"].values():
        channel["reach"]["deliver"] = 1e-12
    tables["fatigue"]["drop_out"] = 0.0
    world = load_world(load_world("ecommerce"), **{**tables, "name": "deaf"})
    heard = life(world, np.arange(400))
    silent = life(world, np.arange(400), actions=np.zeros((world.horizon, 400), dtype=int))
    for name in ("bought", "revenue", "margin", "discount", "redeemed", "state alive"):
        assert np.array_equal(heard[name], silent[name])
    assert heard["cost"].sum() > 0 == silent["cost"].sum()


# ---- edges


def test_a_panel_of_nobody_lives_through_its_days(small_world):
    panel = Panel(small_world, 0)
    assert len(panel) == len(panel.observe()) == 0
    while not panel.done:
        assert panel.allowed(panel.observe()).shape == (0, len(small_world.catalog))
        assert panel.step(np.zeros(0, dtype=int)).reward.shape == (0,)
    assert panel.day == small_world.horizon


@pytest.mark.parametrize(
    ("customers", "words"),
    [
        (-1, "at least 0"),
        (np.array([1, 2, 1]), "given once"),
        (np.array([1.0, 2.0]), "whole numbers"),
        (["a", "b"], "whole numbers"),
        ([0.5], "whole numbers"),
        (np.array([[1, 2]]), "whole numbers"),
    ],
)
def test_what_is_no_list_of_customers_is_refused(small_world, customers, words):
    with pytest.raises(UsageError, match=words):
        Panel(small_world, customers)


def test_a_count_is_short_for_the_first_ids(small_world):
    assert Panel(small_world, np.int64(3)).ids.tolist() == [0, 1, 2]
    assert np.array_equal(Panel(small_world, 3).traits.key, Panel(small_world, np.arange(3)).traits.key)
