"""One decision a customer, then its outcome window: the contextual bandit of a world, single and as a VectorEnv.

What offline bandit estimators assume, as an environment: one step per episode, customers independent of each other.
Not here: the step of many decisions (vector.py, single.py); everything but the rhythm is shared with it.
"""

from __future__ import annotations

from campaignrl.envs.single import CustomerEnv
from campaignrl.envs.vector import CustomersVectorEnv, Rhythm
from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World


class BanditVectorEnv(CustomersVectorEnv):
    """Customers of a world, one decision each on day 0, and nothing further sent.

    Decision: one action of the catalog per customer. Observation, actions and what is hidden: as in
    `LifecycleVectorEnv`. Reward: contribution over the world's `outcome_days`, the day of the decision included, in
    currency; `none` earns what these days bring by themselves. End: `terminated` after the one step; the next
    observation shows the next customers.
    """

    @classmethod
    def rhythm(cls, world: World) -> Rhythm:
        """One decision, and the days of its outcome window."""
        if world.outcome_days > world.horizon:
            fix = "Else the outcome window outlasts the campaign."
            raise UsageError(Problem(world.name, "outcome_days", world.outcome_days, f"at most {world.horizon}", fix))
        return Rhythm(world.outcome_days, world.outcome_days)


class BanditEnv(CustomerEnv):
    """One customer of a world, one decision, and nothing further sent: `BanditVectorEnv` with n = 1.

    `reset(options={"customer": i})` meets customer i; else each episode meets the next one.
    """

    def __init__(self, world: str | World = "ecommerce", seed: int = 0, render_mode: str | None = None) -> None:
        super().__init__(BanditVectorEnv, world, seed, render_mode)
