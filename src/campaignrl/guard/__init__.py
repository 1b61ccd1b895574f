"""What may be sent at all. Never learned; deny by default.

allocation.py     Allocation by value: at most one action a customer, the most value in all that money, capacity and
                  stock allow
budget.py         Budget and capacity: the rules that tie customers together, enforced over a whole wave
dual_prices.py    Prices of what is scarce: the Lagrangian dual of sending at most one thing to each customer within
                  shared limits
integral_plan.py  From prices to a plan that can be carried out: whole sends within whole limits, the same for any
                  order of the rows
rules.py          What may be sent at all: one mask over the catalog, with the rule that removed each action
"""

from campaignrl.guard.allocation import MONEY as MONEY
from campaignrl.guard.allocation import Allocation as Allocation
from campaignrl.guard.allocation import CurvePoint as CurvePoint
from campaignrl.guard.allocation import Planner as Planner
from campaignrl.guard.allocation import SharedLimits as SharedLimits
from campaignrl.guard.allocation import allocate as allocate
from campaignrl.guard.allocation import shared_limits as shared_limits
from campaignrl.guard.budget import Limits as Limits
from campaignrl.guard.budget import Spending as Spending
from campaignrl.guard.budget import Throttled as Throttled
from campaignrl.guard.budget import propensity_after as propensity_after
from campaignrl.guard.budget import throttle as throttle
from campaignrl.guard.rules import Facts as Facts
from campaignrl.guard.rules import Rules as Rules
from campaignrl.guard.rules import allowed as allowed
from campaignrl.guard.rules import blocks as blocks
from campaignrl.guard.rules import cap_windows as cap_windows
from campaignrl.guard.rules import open_channels as open_channels
from campaignrl.guard.rules import reasons as reasons
from campaignrl.guard.rules import rules_of as rules_of
