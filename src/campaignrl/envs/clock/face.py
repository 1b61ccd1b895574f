"""The clock as a gymnasium environment: decide at an hour, for whoever is due, while sends queue, wait and expire.

Here: spaces, masks and rewards, over the same panel and queues as `simulate_hours`. Not here: what happens to a send
(simulation.py), the daily faces (envs/vector.py). n customers share the channels; k actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float32, Int
from campaignrl.envs import Cohort, CustomerEnv, CustomersVectorEnv, Options, Panel, Rhythm
from campaignrl.envs.clock.queues import DAY
from campaignrl.envs.clock.simulation import Clock
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.specs import World

LONGEST_WAIT = 96.0  # hours; what is above is seen as this long


@dataclass(frozen=True, slots=True)
class ClockCohort(Cohort):
    """A panel with its queues."""

    clock: Clock
    known: FeatureSchema

    def live(self, action: Int, days: int) -> tuple[npt.NDArray[Any], ...]:
        """(m,) contribution, and cost of what left its queue, currency, in the 24 hours of today."""
        self.clock.decide = lambda panel: action
        today = self.clock.next_day()
        return today.reward.astype(np.float64), today.cost.astype(np.float64)

    def look(self) -> tuple[Float32, Bool]:
        """(m, D) encoded features and (m, k) what may be sent to those who are due."""
        clock, n = self.clock, len(self.panel)
        if not self.panel.done:
            clock.begin_day()
        seen, mask = Cohort.look(self)
        waits = {_wait(name): np.full(n, hours) for name, hours in clock.expected_waits().items()}
        more = Context(self.known, {"on_its_way": clock.busy.astype(np.float32), **waits}).encode()
        mask[:, NONE + 1 :] &= ~clock.busy[:, None]
        if not self.panel.done:
            mask &= clock.room()
        return np.concatenate([seen, more], axis=1), mask

    def without(self, leaving: Bool) -> Cohort | None:
        """All who are here, or nobody: they share their queues."""
        stay = ~leaving[self.places]
        if stay.any() and not stay.all():
            fix = "Customers share their queues, so all begin and end together."
            raise UsageError(Problem("reset", "reset_mask", "partly False", "all True", fix))
        return self if stay.all() else None


class ClockVectorEnv(CustomersVectorEnv):
    """Customers of a world by the hour: one decision a day for whoever is due; sends queue, wait, are retried, expire.

    ## Description
    The clock of `campaignrl simulate --clock hours` as an environment: n customers share channels with servers, quiet
    hours, patience and retries. A send counts on the day it leaves; the reward of a decision may come days later.

    ## Action Space
    `Discrete(k)` for each customer, with `infos["action_mask"]`, as in `LifecycleVectorEnv`. Who has a send on its way
    is not due: the mask holds `none` alone. So it does for what the budget cannot pay; where it is short, chance says
    who is served.

    ## Observation Space
    `Box(0, 1, (n, D), float32)`: the world's features, whether a send is on its way (`on_its_way`), and for each
    channel with a queue the hours that a send would wait which joined it now (`wait_CHANNEL`).

    ## Rewards
    Contribution of the day in currency; `infos["cost"]` is the cost of sends that left.

    ## Starting State
    As in `LifecycleVectorEnv`, with empty queues.

    ## Episode End
    `terminated` after the last day of the horizon, for everybody at once; what is still on its way then is lost.

    ## Arguments
    num_envs, world, seed, first_customer, threads, autoreset_mode: as in `LifecycleVectorEnv`. hour: of the day, 0 to
    24, at which sends that choose no slot are planned to leave; None: each at its customer's own hour, drawn by day.

    ## Version History
    v0: first version.

    Example:
        >>> import gymnasium, campaignrl
        >>> envs = gymnasium.make_vec("campaignrl/Clock-v0", num_envs=50, world="bank", hour=10.0)
        >>> observation, infos = envs.reset(seed=1)
        >>> [name for name in envs.unwrapped.features.names if name.startswith("wait_")]
        ['wait_call', 'wait_manager']
    """

    def __init__(
        self,
        num_envs: int = 1,
        world: str | World = "ecommerce",
        seed: int = 0,
        first_customer: int = 0,
        threads: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
        *,
        hour: float | None = None,
    ) -> None:
        if hour is not None and not 0.0 <= hour < DAY:
            raise UsageError(Problem("environment", "hour", hour, "an hour from 0 to below 24"))
        self._hour = hour
        super().__init__(num_envs, world, seed, first_customer, threads, autoreset_mode, render_mode)

    @classmethod
    def rhythm(cls, world: World, options: Options, customers: int) -> Rhythm:
        """A decision a day, to the world's horizon."""
        return Rhythm(1, world.horizon)

    def _further_features(self) -> tuple[Feature, ...]:
        return tuple(_features(self.world))

    def _cohort(self, panel: Panel, places: Int) -> Cohort:
        clock = Clock(panel, lambda panel: np.zeros(len(panel), dtype=np.int64), self._hour)
        return ClockCohort(panel, places, clock, FeatureSchema(self._further_features()))


class ClockEnv(CustomerEnv):
    """One customer of a world by the hour, alone with the channels.

    ## Description
    `ClockVectorEnv` with n = 1, in plain numbers. A capacity is a customer's share of it.

    ## Action Space
    `Discrete(k)`, with `info["action_mask"]` (k,) int8.

    ## Observation Space
    `Box(0, 1, (D,), float32)`, as in `ClockVectorEnv`.

    ## Rewards
    Contribution of the day in currency.

    ## Starting State
    `reset(options={"customer": i})` meets customer i; else each episode meets the next one.

    ## Episode End
    `terminated` after the last day of the horizon.

    ## Arguments
    world: a bundled name, a TOML path or a World; seed: of all draws; hour: as in `ClockVectorEnv`.

    ## Version History
    v0: first version.
    """

    def __init__(
        self, world: str | World = "ecommerce", seed: int = 0, render_mode: str | None = None, **options: Any
    ) -> None:
        super().__init__(ClockVectorEnv, world, seed, render_mode, **options)


def _features(world: World) -> Iterator[Feature]:
    """What is seen of the sends on their way."""
    yield Feature(name="on_its_way", unit="yes/no", meaning="a send has been decided and has not left yet")
    for name, channel in world.channels.items():
        if channel.capacity or channel.retry:
            meaning = f"expected of a send by {name} that joins its queue now"
            yield Feature(name=_wait(name), unit="hours", high=LONGEST_WAIT, log=True, meaning=meaning)


def _wait(channel: str) -> str:
    return f"wait_{channel}"
