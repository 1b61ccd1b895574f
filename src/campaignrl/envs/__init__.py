"""Worlds that can be stepped: the panel of customers, its gymnasium faces, its clock, and what only it knows.

bandit.py              One decision a customer, then its outcome window: the contextual bandit of a world, single and
                       as a VectorEnv
cohorts.py             Customers who share a calendar, and the places they take in a batch
customers_export.py    Simulated customers as a customers table, as a marketer's system would export it
episode_end_checks.py  What must hold of a vector environment where episodes end: final observations, autoreset,
                       partial resets
equipped_cohort.py     A cohort that gives what a face was asked for: other rewards, a ledger, prices, more to see,
                       decisions on events
events_export.py       A simulated panel's life as the tables a shop would have kept: one row an event, one row of
                       attributes a customer
expected_reward.py     What a day brings in expectation, given the state it began with and what was opened and clicked
known_features.py      What a sender knows of each customer beside the world's features
options.py             What an environment can be asked for beside the plain daily one, checked
panel.py               n customers side by side, day by day: the engine under every environment and every simulation
prices.py              Prices of what ties customers together, as a part of the reward: of money and of sends
rollout_checks.py      Playing an episode of a vector environment and keeping all that it returned; the raw material
                       of its checks
sb3.py                 The vector environments as stable-baselines3 wants them: `lifecycle(world, n)` and
                       `bandit(world, n)` (extra `rl`)
single.py              One customer as a gymnasium Env: the vector environment with n = 1, in plain Python numbers
vector.py              n customers as one native gymnasium VectorEnv: a thin face over the panel
vector_checks.py       What must hold of a vector environment, looked for by playing it: the checks that gymnasium's
                       checker leaves out
clock/                 The panel by the hour: sends that queue, wait for the morning, are retried, given up or expire
truth/                 What only the simulator knows: what a send truly brought, and the best that could be had
"""

from importlib import import_module
from types import ModuleType

from campaignrl.envs.bandit import BanditVectorEnv as BanditVectorEnv
from campaignrl.envs.cohorts import Cohort as Cohort
from campaignrl.envs.customers_export import customers_frame as customers_frame
from campaignrl.envs.events_export import Chronicle as Chronicle
from campaignrl.envs.events_export import History as History
from campaignrl.envs.events_export import play_history as play_history
from campaignrl.envs.events_export import truth_of as truth_of
from campaignrl.envs.expected_reward import Morning as Morning
from campaignrl.envs.expected_reward import expected_orders as expected_orders
from campaignrl.envs.expected_reward import morning as morning
from campaignrl.envs.options import Options as Options
from campaignrl.envs.panel import BLOCK as BLOCK
from campaignrl.envs.panel import Panel as Panel
from campaignrl.envs.single import CustomerEnv as CustomerEnv
from campaignrl.envs.single import LifecycleEnv as LifecycleEnv
from campaignrl.envs.vector import CustomersVectorEnv as CustomersVectorEnv
from campaignrl.envs.vector import LifecycleVectorEnv as LifecycleVectorEnv
from campaignrl.envs.vector import Rhythm as Rhythm


def __getattr__(name: str) -> ModuleType:
    if name != "sb3":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.sb3")
