"""Which doors every action needs, one by one: no send slips past a rule, and sending nothing needs none."""

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.features import Context
from campaignrl.guard.checks import Facts, doors_of
from campaignrl.guard.rules import allowed, rules_of


def facts_of(world, n, **more):
    columns = {
        f.name: np.zeros(n, np.int8) if f.levels else np.full(n, f.low, np.float32) for f in world.features.features
    }
    yes, seen = np.ones((len(world.channels), n), dtype=bool), np.zeros(n, dtype=np.int64)
    return Facts(np.zeros(n, bool), None, yes, Context(world.features, columns), lambda channel, days: seen, **more)


def with_quiet(name):
    world = crl.load_world(name)
    quiet = {"quiet_hours": {"from_hour": 21, "to_hour": 8}, "timezone": "Europe/Berlin"}
    return crl.load_world(name, guard={**world.guard.model_dump(exclude_unset=True), **quiet})


@pytest.mark.parametrize("name", ["ecommerce", "bank", "tight_budget", "no_memory"])
def test_at_a_quiet_hour_no_channel_is_open_the_first_and_the_last_neither(name):
    world, plain = with_quiet(name), crl.load_world(name)
    quiet = np.array([[True, False]] * (len(world.catalog.slots) + 1))
    found = allowed(rules_of(world), facts_of(world, 2, quiet=quiet))
    assert found[0].tolist() == [action == "none" for action in world.catalog.names]
    assert found[1].tolist() == allowed(rules_of(plain), facts_of(plain, 2))[1].tolist()


@pytest.mark.parametrize("name", ["ecommerce", "tight_budget"])
def test_each_action_needs_the_doors_of_its_channel_its_offer_and_its_hour_and_no_other(name):
    world = with_quiet(name)
    doors, catalog = doors_of(world), world.catalog
    for a, action in enumerate(catalog.names):
        offer, _, channel = action.partition("@")
        needed = set() if action == "none" else {list(world.channels).index(channel), doors.slots.stop - 1}
        if offer in world.offers and list(world.offers).index(offer) in doors.offers:
            needed.add(doors.offers[list(world.offers).index(offer)])
        assert set(np.flatnonzero(doors.needed[:, a])) == needed


def test_an_offer_is_closed_where_its_stock_is_gone_and_no_other_is():
    name = "tight_budget"
    spec = crl.load_world(name).model_dump(exclude_unset=True)
    for offer in spec["offers"].values():
        offer["stock"] = 5
    world = crl.load_world({**spec, "name": "stocked"})
    offers = world.catalog.offer_of
    for gone in range(len(world.offers)):
        sold_out = np.arange(len(world.offers)) == gone
        found = allowed(rules_of(world), facts_of(world, 1, sold_out=sold_out))[0]
        plain = allowed(rules_of(world), facts_of(world, 1))[0]
        assert found.tolist() == (plain & (offers != gone)).tolist()
        assert plain[offers == gone].any()
