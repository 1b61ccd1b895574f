"""The plan of a run: what is counted, shard by shard, and what is said of it.

figures.py   Sums over the decisions of a run, of which those of two shards, put together in order, are those of both
plan.py      The plan of a run in figures: what goes where, what it costs, who gets nothing and why, what changed since
             the last
prices.py    Prices of a plan by value, for who comes after it: as `campaignrl decide --json` says them, or a ledger
             keeps them
"""

from campaignrl.send.plans.figures import NO_TAG as NO_TAG
from campaignrl.send.plans.figures import Before as Before
from campaignrl.send.plans.figures import Figures as Figures
from campaignrl.send.plans.figures import before as before
from campaignrl.send.plans.figures import figures_of as figures_of
from campaignrl.send.plans.figures import notes_together as notes_together
from campaignrl.send.plans.figures import together as together
from campaignrl.send.plans.plan import REWARDS as REWARDS
from campaignrl.send.plans.plan import Certificate as Certificate
from campaignrl.send.plans.plan import Plan as Plan
from campaignrl.send.plans.plan import plan_of as plan_of
from campaignrl.send.plans.plan import plan_of_figures as plan_of_figures
from campaignrl.send.plans.prices import Prices as Prices
from campaignrl.send.plans.prices import read_prices as read_prices
