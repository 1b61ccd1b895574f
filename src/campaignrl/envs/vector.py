"""n customers as one native gymnasium VectorEnv: a thin face over the panel.

Here: spaces, masks, seeds, resets, the three autoreset modes, infos. Not here: what happens to a customer (dynamics/),
what is allowed (guard/), the one-decision environment (bandit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from campaignrl.arrays import Array, Bool, Float, Float32, Int
from campaignrl.envs.cohorts import Cohort, gathered
from campaignrl.envs.equipped_cohort import Equipment
from campaignrl.envs.options import Options, Prices, checked_options
from campaignrl.envs.panel import Panel
from campaignrl.envs.prices import rates_of
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Feature, FeatureSchema
from campaignrl.specs import World, load_world

Step = tuple[Float32, Float, Bool, Bool, dict[str, Any]]


def observation_space(features: FeatureSchema) -> gymnasium.spaces.Box:
    """The encoded features: (D,) float32 in [0, 1]."""
    return gymnasium.spaces.Box(0.0, 1.0, (features.width,), np.float32)


class Rhythm(NamedTuple):
    """When decisions fall, in days: one `every` so many days, `until` the episode is over."""

    every: int
    until: int


class CustomersVectorEnv(VectorEnv[Float32, Int, Bool]):
    """What the vector environments of a world share; a subclass states its rhythm.

    customer ids start at `first_customer`; each episode takes the next ones. The life of customer i under the same
    actions is the same as in the single environment and in a simulation with the same seed. An episode ends by
    `terminated`, with the time to go in the observation; never by `truncated`, so no value is bootstrapped.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
    kept = "none"  # of the world's limits, unless it is said otherwise

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
        reward: str = "plain",
        reward_scale: float = 1.0,
        limits: str | None = None,
        price: Prices = None,
        observe: str | Sequence[str] = "features",
        step: str | int = "day",
    ) -> None:
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self._mode}
        self.world, self.num_envs, self.render_mode = load_world(world), num_envs, render_mode
        self._seed, self._first, self._next, self._threads = seed, first_customer, first_customer, threads
        self.options = checked_options(
            self.world,
            reward=reward,
            reward_scale=reward_scale,
            limits=self.kept if limits is None else limits,
            price=price,
            observe=observe,
            step=step,
        )
        self._equipment = None if self.options.are_plain else Equipment(self.world, self.options)
        self._rates: Float | None = None
        self._rhythm = self.rhythm(self.world, self.options, num_envs)
        known = self._further_features()
        self.features = FeatureSchema((*self.world.features.features, *known)) if known else self.world.features
        self.single_observation_space = observation_space(self.features)
        self.single_action_space = gymnasium.spaces.Discrete(len(self.world.catalog))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._first_of = np.arange(num_envs) * len(self.world.catalog)  # where each place's row of the mask begins
        self._cohorts: list[Cohort] = []
        self._mask: Bool = np.zeros((num_envs, len(self.world.catalog)), dtype=bool)

    @classmethod
    def rhythm(cls, world: World, options: Options, customers: int) -> Rhythm:
        """When decisions fall in this world."""
        raise NotImplementedError

    @property
    def panel(self) -> Panel:
        """The customers of the current episode; several panels after a partial reset, of which this is the first."""
        if not self._cohorts:
            raise UsageError("call reset() before step()")
        return self._cohorts[0].panel

    def action_masks(self) -> Bool:
        """(n, k) what the guard allows now."""
        return self._mask.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Place i meets customer `first_customer + i` of `seed` (None: the next customers of the last seed).

        options: `{"customer": c}` lets place i meet customer c + i; `{"reset_mask": (n,) bool}` resets these places
        alone, and lets the others go on from where they are; `{"price": p}`, or a dict of prices by name, sets the
        prices of all episodes that begin from now to the next such call, instead of drawing them.
        """
        super().reset(seed=seed)
        options = options or {}
        starting = self._reset_mask(options)
        first = self._customer(options)
        self._rates = rates_of(self.options.prices, options.get("price"))
        if seed is not None:
            self._seed, first = seed, self._first if first is None else first
        self._meet(starting, first)
        observation = self._look()
        return observation, {"action_mask": self._mask.copy(), "_action_mask": np.ones(self.num_envs, dtype=bool)}

    def step(self, actions: Int) -> Step:  # type: ignore[override]
        """One decision for every customer."""
        waiting = self._over()  # episodes that ended on an earlier call: this one only starts the next
        anyone = bool(waiting.any())
        if not self._cohorts or (self._mode == AutoresetMode.DISABLED and anyone):
            raise UsageError("the episode is over, or has not begun: call reset() first")
        action = self._checked(actions)
        valid = self._mask.reshape(-1).take(self._first_of + action)
        if anyone:
            valid |= waiting
        reward, told = self._live(action * valid)  # what is not allowed becomes NONE, which is 0
        if anyone:
            self._meet(waiting)
        acted, ended = ~waiting, self._over()
        observation = self._look()
        infos: dict[str, Any] = {"invalid": ~valid, "_invalid": acted}
        for name, values in told.items():
            infos[name], infos[f"_{name}"] = values, acted.copy()
        if self._mode == AutoresetMode.SAME_STEP and ended.any():
            final = {k: v.copy() for k, v in infos.items()} | {"action_mask": self._mask, "_action_mask": ended.copy()}
            infos |= {"final_obs": observation, "_final_obs": ended.copy(), "final_info": final}
            infos["_final_info"] = ended.copy()
            self._meet(ended)
            observation = self._look()
        infos |= {"action_mask": self._mask.copy(), "_action_mask": np.ones(self.num_envs, dtype=bool)}
        return observation, reward, ended, np.zeros(self.num_envs, dtype=bool), infos

    def _checked(self, actions: Int) -> Int:
        """The actions, if they are ids of the catalog, one a customer; anything else is a slip of the caller."""
        action = np.asarray(actions)
        k = len(self.world.catalog)
        if action.shape != (self.num_envs,) or action.dtype.kind not in "iu":
            given = f"{action.dtype} of shape {action.shape}"
            raise UsageError(Problem("step", "actions", given, f"whole numbers of shape ({self.num_envs},)"))
        if action.size and not 0 <= action.min() <= action.max() < k:
            outside = action[(action < 0) | (action >= k)]
            raise UsageError(Problem("step", "actions", int(outside[0]), f"an action id from 0 to {k - 1}"))
        return action.astype(np.intp, copy=False)

    def _reset_mask(self, options: dict[str, Any]) -> Bool:
        """(n,) places to reset; a part of them only once all have begun."""
        mask = options.get("reset_mask", np.ones(self.num_envs, dtype=bool))
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            given = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise UsageError(Problem("reset", "reset_mask", given, f"a bool array of shape ({self.num_envs},)"))
        if not mask.any() and self.num_envs:
            raise UsageError(Problem("reset", "reset_mask", "all False", "True somewhere"))
        if not self._cohorts and not mask.all():
            raise UsageError(Problem("reset", "reset_mask", "partly False", "all True in the first reset"))
        return mask

    def _customer(self, options: dict[str, Any]) -> int | None:
        customer = options.get("customer")
        if customer is None:
            return None
        if isinstance(customer, bool) or not isinstance(customer, int | np.integer) or customer < 0:
            raise UsageError(Problem("reset", "customer", customer, "a customer's number, 0 or more"))
        return int(customer)

    def _meet(self, starting: Bool, first: int | None = None) -> None:
        """New customers on day 0 in these places: `first` + place, or simply the next ones."""
        staying = (cohort.without(starting) for cohort in self._cohorts)
        places = np.flatnonzero(starting)
        if first is None:
            ids = np.arange(self._next, self._next + len(places))
            self._next += len(places)
        else:
            ids, self._next = first + places, first + self.num_envs
        new = self._cohort(Panel(self.world, ids, self._seed, self._threads), places)
        self._cohorts = [*(cohort for cohort in staying if cohort is not None), new]

    def _further_features(self) -> tuple[Feature, ...]:
        """What is seen beside the world's features."""
        return () if self._equipment is None else self._equipment.known.schema.features

    def _cohort(self, panel: Panel, places: Int) -> Cohort:
        """Customers who begin today."""
        equipment = self._equipment
        return Cohort(panel, places) if equipment is None else equipment.cohort(panel, places, self._rates)

    def _ended(self, cohort: Cohort) -> bool:
        return cohort.panel.day >= self._rhythm.until

    def _over(self) -> Bool:
        """(n,) places whose episode is over."""
        over = np.zeros(self.num_envs, dtype=bool)
        for cohort in self._cohorts:
            if self._ended(cohort):
                over[cohort.places] = True
        return over

    def _live(self, action: Int) -> tuple[Float, dict[str, Array]]:
        """(n,) reward until the next decision, and by name what is told beside it; 0 where the episode is over."""
        going = [cohort for cohort in self._cohorts if not self._ended(cohort)]
        names = ("cost",) if self._equipment is None else self._equipment.told
        if not going:
            told = {name: np.zeros(self.num_envs, dtype=bool if name == "unserved" else float) for name in names}
            return np.zeros(self.num_envs), told
        every, until = self._rhythm
        reward, *values = gathered(
            going,
            self.num_envs,
            lambda cohort: cohort.live(action[cohort.places], min(every, until - cohort.panel.day)),
        )
        return reward, dict(zip(names, values, strict=True))

    def _look(self) -> Float32:
        """(n, D) what may be seen now; keeps the mask that belongs to it."""
        observation: Float32
        observation, self._mask = gathered(self._cohorts, self.num_envs, lambda cohort: cohort.look())
        return observation


class LifecycleVectorEnv(CustomersVectorEnv):
    """Customers of a world, one decision a day each, until the horizon.

    ## Description
    The sender's side of customer relations: every day each of n independent customers may be sent one offer on
    one channel, or nothing. Customers buy, grow tired, expect lower prices after coupons, unsubscribe and drop out by
    the world's behaviour model (`campaignrl world show NAME`). Customer i under the same actions lives the same life
    here, in the single environment and in `campaignrl.simulate` with the same seed.

    ## Action Space
    `Discrete(k)` for each customer: ids of the world's catalog, 0 is `none`. `infos["action_mask"]` (n, k) and
    `action_masks()` say what the guard allows; an action outside the mask is treated as `none` and flagged in
    `infos["invalid"]`.

    ## Observation Space
    `Box(0, 1, (n, D), float32)`: the world's features, encoded, and those that `observe` adds (`env.features` has
    name, unit, range and meaning of each); the time to go is one of them. Tags in it are noisy and may be missing. Not
    observed: rates, price sensitivity, fatigue, satisfaction, the price a customer expects, and whether a customer has
    dropped out.

    ## Rewards
    Contribution of the day in currency: margin less discount given away, cost of the send, and the value of a
    permission lost. `infos["cost"]` is the cost of the send alone; where `reward`, `price` or `reward_scale` change the
    reward, `infos["contribution"]` is what it would have been.

    ## Starting State
    New customers in the middle of their life: they joined up to `tenure_days` ago and have an order history with
    nothing sent. `reset(seed=...)` begins with the first customer of that seed; each episode takes the next ones.

    ## Episode End
    `terminated` after the last day of the horizon; never `truncated`, so no value is bootstrapped. Autoreset is
    SAME_STEP unless `autoreset_mode` says otherwise.

    ## Arguments
    num_envs: customers at once; world: a bundled name, a TOML path or a World; seed: of all draws; first_customer: id
    of the first one; threads: of the engine (results do not depend on it); autoreset_mode: a `gymnasium` AutoresetMode.

    reward: `plain`; `expected`, the same in expectation over the orders of the day, so with less noise; `incremental`,
    what the customer brings over a twin with the same luck who is sent nothing. reward_scale: currency to one unit.

    limits: `wave`, the world's budget and capacities are kept as in `campaignrl.simulate`, by all who began together
    (the default where a world has any): the mask closes what can no longer be paid or served, and when a day's sends
    are more than there is room for, chance says who is served; the others are sent nothing and flagged in
    `infos["unserved"]`. `money`, the budget alone, of which each wave has its customers' share (the default of the
    single environment). `none`: customers do not depend on each other. A budget is of what sends cost; it is released
    evenly by day, and at no prefix of an episode is more spent than was released.

    price: of a unit of money that sends cost, on top of it, taken off the reward: a number, a pair (low, high) to be
    drawn anew for each episode and seen in the observation, or a dict of these by `money` and channel (currency per
    send). `reset(options={"price": p})` sets it.

    observe: `features`; `everything` a sender knows, or some of `offer` (the live one, and its days left), `contacts`
    (by channel, in each cap's window), `calendar` (factors of this day and the six to come), `spend` (cost and
    discounts so far), `budget` (what is left of the wave's).

    step: days from one decision to the next, as `day`, `week` or a number; nothing is sent in between and rewards add
    up. `event`: decide after an open, a visit, an order, a permission lost, an offer gone or an arrival, and at least
    once a week. A single customer's other days pass at once; customers in a batch share their days, and the mask of
    those to whom nothing happened holds `none` alone.

    ## Version History
    v0: first version.

    Example:
        >>> import gymnasium, campaignrl
        >>> envs = gymnasium.make_vec("campaignrl/Lifecycle-v0", num_envs=4, world="no_memory")
        >>> observation, infos = envs.reset(seed=1)
        >>> observation.shape[0], infos["action_mask"].shape == (4, envs.single_action_space.n)
        (4, True)
    """

    kept = "wave"

    @classmethod
    def rhythm(cls, world: World, options: Options, customers: int) -> Rhythm:
        """A decision every so many days, to the world's horizon.

        Who decides on events: for a single customer the days between them pass at once; several share their days, so
        that customers do not depend on each other, and the mask of those to whom nothing happened holds `none` alone.
        """
        return Rhythm(1 if options.on_events and customers > 1 else options.every, world.horizon)
