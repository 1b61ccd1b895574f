"""What a day writes down: how often each customer was sent an offer that a rule counts, day by day."""

import numpy as np

from campaignrl import rng
from campaignrl.dynamics.advance import advance
from campaignrl.dynamics.customers import draw_customers
from campaignrl.dynamics.memory import days_with
from campaignrl.dynamics.parameters import parameters
from campaignrl.specs.world import load_world


def test_sends_of_each_counted_offer_are_written_down_by_day(tables):
    caps = [{"offer": "coupon20", "per_days": 4, "at_most": 1}, {"offer": "winback", "per_days": 3, "at_most": 1}]
    tables["guard"] = {"caps": caps}
    world, n, seed = load_world(tables), 60, 4
    catalog, offers = world.catalog, list(world.offers)
    assert world.counted_offers == ("coupon20", "winback")
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), seed)
    sent = np.zeros((5, 2, n), dtype=bool)  # by day and counted offer
    for day in range(5):
        action = (np.arange(n) * 3 + day * 5) % len(catalog)
        state, outcome = advance(world, traits, state, action, day, seed, parameters(world))
        for place, offer in enumerate(world.counted_offers):
            sent[day, place] = outcome.sent & (catalog.offer_of[action] == offers.index(offer))
    assert sent.any(axis=(0, 2)).all()
    wanted = sum(sent[4 - back].astype(np.uint64) << np.uint64(back) for back in range(5))
    assert state.sent_offers.tolist() == wanted.tolist()
    assert days_with(state.sent_offers[0], 4).tolist() == sent[2:, 0].sum(axis=0).tolist()
    assert days_with(state.sent_offers[1], 2).tolist() == sent[4:, 1].sum(axis=0).tolist()
