"""The greedy oracle's gains are what twins show; its choices are the best of them, and allowed."""

import numpy as np
import pytest

from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.bounds.upper_bound import idle_value
from campaignrl.envs.truth.oracles.greedy_oracle import action_gains, greedy
from campaignrl.envs.truth.oracles.window_values import NOTHING, window_value
from campaignrl.envs.truth.twins import always, live, nothing
from campaignrl.specs.world import load_world

EFFECTS = {
    "adstock": {"effect": 0.5},
    "satisfaction": {"purchase": 0.8, "drop_out": 1.0},
    "reference_price": {},
    "stockpile": {"effect": 0.3},
    "response": {"open_lift": 0.2, "click_lift": 1.0, "same_day": 0.5},
}


def first_day(world, n, seed):
    panel = Panel(world, n, seed)
    p = parameters(world)
    return panel, action_gains(world, panel.traits, panel.state, 0, p)


def caused(world, action, n, seed):
    """(n,) what sending `action` to everybody on day 0, allowed or not, brings over the outcome window."""
    earned = []
    for a in (action, 0):
        panel, total = Panel(world, n, seed), np.zeros(n)
        for day in range(world.outcome_days):
            total += panel.step(np.full(n, a if day == 0 else 0)).reward
        earned.append(total)
    return earned[0] - earned[1]


@pytest.mark.parametrize("changes", [pytest.param({}, marks=pytest.mark.slow), EFFECTS], ids=["plain", "every effect"])
def test_gains_are_what_twins_show(small_world, changes):
    world, n = load_world(small_world, **changes), 100_000
    _, gains = first_day(world, n, 4)
    clear = 0
    for action in range(1, len(world.catalog)):
        found = caused(world, action, n, 4)
        error = found.std() / np.sqrt(n)
        # 3.5 standard errors, and 3 % for stocks followed by their mean
        assert gains[:, action].mean() == pytest.approx(found.mean(), abs=3.5 * error + 0.03 * abs(found.mean()))
        clear += abs(found.mean()) > 5.0 * error
    assert clear >= 3  # else the check above would pass with anything


def test_gains_tell_customers_apart(small_world):
    _, gains = first_day(small_world, 100_000, 4)
    action = small_world.catalog.id_of("coupon20@push")
    found, order = caused(small_world, action, 100_000, 4), np.argsort(gains[:, action])
    for part in np.array_split(order, 4):  # quarters by expected gain
        error = found[part].std() / np.sqrt(len(part))
        assert gains[part, action].mean() == pytest.approx(found[part].mean(), abs=3.5 * error + 0.002)


def test_nothing_brings_its_closed_form(small_world):
    panel, p = Panel(small_world, 500, 2), parameters(small_world)
    value = window_value(panel.traits, panel.state, NOTHING, 0, small_world.horizon, p) * panel.state.alive
    np.testing.assert_allclose(value, idle_value(small_world, customers=500, seed=2), rtol=1e-4, atol=1e-5)


def test_the_closed_form_is_the_mean_of_lives(small_world):
    lives = live(small_world, nothing, customers=40_000, seed=2)["reward"]
    idle = idle_value(small_world, customers=40_000, seed=2)
    error = (lives - idle).std() / np.sqrt(len(idle))
    assert lives.mean() == pytest.approx(idle.mean(), abs=3.5 * error)


def test_the_oracle_does_what_is_allowed_and_gains(small_world):
    panel = Panel(small_world, 2000, 6)
    while not panel.done:
        context = panel.observe()
        allowed, action = panel.allowed(context), greedy(panel)
        p = parameters(small_world)
        gains = action_gains(small_world, panel.traits, panel.state, panel.day, p, allowed)
        rows = np.arange(len(panel))
        assert allowed[rows, action].all()
        assert (gains[rows, action] == gains.max(axis=1)).all()
        assert (gains[rows, action] >= 0.0).all()
        assert (action[panel.traits.held_out] == 0).all()
        panel.step(action)


def test_in_a_world_without_memory_the_oracle_beats_every_fixed_action():
    world = load_world("no_memory", horizon=20)
    best = live(world, greedy, customers=3000, seed=1)["reward"]
    for action in range(len(world.catalog)):
        lead = best - live(world, always(action), customers=3000, seed=1)["reward"]
        assert lead.mean() > 3.0 * lead.std() / np.sqrt(len(lead))
