"""One decision a customer, then its outcome window: the contextual bandit of a world, single and as a VectorEnv.

What offline bandit estimators assume, as an environment: one step per episode, customers independent of each other.
Not here: the step of many decisions (vector.py, single.py); everything but the rhythm is shared with it.
"""

from __future__ import annotations

from typing import Any

from campaignrl.envs.options import Options
from campaignrl.envs.single import CustomerEnv
from campaignrl.envs.vector import CustomersVectorEnv, Rhythm
from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World


class BanditVectorEnv(CustomersVectorEnv):
    """Customers of a world, one decision each on day 0, and nothing further sent.

    ## Description
    The contextual bandit of a world: what offline bandit estimators assume, one step an episode, customers independent.

    ## Action Space
    `Discrete(k)` for each customer, with `infos["action_mask"]`, as in `LifecycleVectorEnv`.

    ## Observation Space
    `Box(0, 1, (n, D), float32)`, as in `LifecycleVectorEnv`; the same things are hidden.

    ## Rewards
    Contribution over the world's `outcome_days`, the day of the decision included, in currency; `none` earns what these
    days bring by themselves.

    ## Starting State
    Customers as on day 0 of `LifecycleVectorEnv`; every episode meets the next ones.

    ## Episode End
    `terminated` after the one step; the next observation shows the next customers.

    ## Arguments
    As those of `LifecycleVectorEnv`, but for `step`, and with `limits` left out by default. A world whose outcome
    window outlasts its horizon is refused.

    ## Version History
    v0: first version.
    """

    @classmethod
    def rhythm(cls, world: World, options: Options, customers: int) -> Rhythm:
        """One decision, and the days of its outcome window."""
        if options.every != 1 or options.on_events:
            fix = "The bandit decides once; leave it out."
            raise UsageError(Problem("environment", "step", options.every, "the default here", fix))
        if world.outcome_days > world.horizon:
            fix = "Else the outcome window outlasts the campaign."
            raise UsageError(Problem(world.name, "outcome_days", world.outcome_days, f"at most {world.horizon}", fix))
        return Rhythm(world.outcome_days, world.outcome_days)


class BanditEnv(CustomerEnv):
    """One customer of a world, one decision, and nothing further sent.

    ## Description
    `BanditVectorEnv` with n = 1, in plain numbers.

    ## Action Space
    `Discrete(k)`, with `info["action_mask"]` (k,) int8.

    ## Observation Space
    `Box(0, 1, (D,), float32)`, as in `LifecycleEnv`.

    ## Rewards
    Contribution over the world's `outcome_days`, in currency.

    ## Starting State
    `reset(options={"customer": i})` meets customer i; else each episode meets the next one.

    ## Episode End
    `terminated` after the one step.

    ## Arguments
    world: a bundled name, a TOML path or a World; seed: of all draws; the options of `BanditVectorEnv`.

    ## Version History
    v0: first version.
    """

    def __init__(
        self, world: str | World = "ecommerce", seed: int = 0, render_mode: str | None = None, **options: Any
    ) -> None:
        super().__init__(BanditVectorEnv, world, seed, render_mode, **options)
