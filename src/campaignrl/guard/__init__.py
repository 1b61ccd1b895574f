"""What may be sent at all. Never learned; deny by default.

allocation.py     Allocation by value: at most one action a customer, the most value in all that money, capacity and
                  stock allow
budget.py         Budget, capacity and stock: the rules that tie customers together, enforced over a whole wave
checks.py         Each rule by itself: what it needs to know, what it answers, which doors it closes, and its reason in
                  words
columns.py        Columns of a customers table that only rules read, and the facts that follow from them
dates.py          Days on which an offer may be sent: from its first to its last, both among them, in the calendar of
                  the sender
dual_prices.py    Prices of what is scarce: the Lagrangian dual of sending at most one thing to each customer within
                  shared limits
integral_plan.py  From prices to a plan that can be carried out: whole sends within whole limits, the same for any
                  order of the rows
least_shares.py   Minimum shares: sends that there shall be of an offer, or on a channel, where a plan by value can have
                  them
quiet_hours.py    Quiet hours in each customer's own zone, for a send at an hour of the sender's clock
rules.py          What may be sent at all: one mask over the catalog, with the rule that removed each action
words.py          The rules of a world in words, one line a rule, in the order in which they are asked
"""

from campaignrl.guard.allocation import MONEY as MONEY
from campaignrl.guard.allocation import Allocation as Allocation
from campaignrl.guard.allocation import CurvePoint as CurvePoint
from campaignrl.guard.allocation import Planner as Planner
from campaignrl.guard.allocation import SharedLimits as SharedLimits
from campaignrl.guard.allocation import allocate as allocate
from campaignrl.guard.allocation import price_of_actions as price_of_actions
from campaignrl.guard.allocation import shared_limits as shared_limits
from campaignrl.guard.budget import Lanes as Lanes
from campaignrl.guard.budget import Limits as Limits
from campaignrl.guard.budget import Spending as Spending
from campaignrl.guard.budget import Throttled as Throttled
from campaignrl.guard.budget import below as below
from campaignrl.guard.budget import by_lane as by_lane
from campaignrl.guard.budget import cuts_of as cuts_of
from campaignrl.guard.budget import lanes_of as lanes_of
from campaignrl.guard.budget import propensity_after as propensity_after
from campaignrl.guard.budget import sends_by_offer as sends_by_offer
from campaignrl.guard.budget import stock_of as stock_of
from campaignrl.guard.budget import throttle as throttle
from campaignrl.guard.checks import Facts as Facts
from campaignrl.guard.checks import discounts_of as discounts_of
from campaignrl.guard.columns import ADDRESS as ADDRESS
from campaignrl.guard.columns import AS_OF as AS_OF
from campaignrl.guard.columns import HOLDOUT as HOLDOUT
from campaignrl.guard.columns import STALE_SHARE as STALE_SHARE
from campaignrl.guard.columns import ZONE as ZONE
from campaignrl.guard.columns import at_address_of as at_address_of
from campaignrl.guard.columns import depth_column as depth_column
from campaignrl.guard.columns import is_stale as is_stale
from campaignrl.guard.columns import purposes_of as purposes_of
from campaignrl.guard.columns import rule_columns as rule_columns
from campaignrl.guard.columns import shares_address as shares_address
from campaignrl.guard.dates import is_valid as is_valid
from campaignrl.guard.least_shares import least_sends as least_sends
from campaignrl.guard.least_shares import least_shares as least_shares
from campaignrl.guard.least_shares import share_problems as share_problems
from campaignrl.guard.quiet_hours import quiet_for as quiet_for
from campaignrl.guard.rules import Block as Block
from campaignrl.guard.rules import Met as Met
from campaignrl.guard.rules import Rules as Rules
from campaignrl.guard.rules import allowed as allowed
from campaignrl.guard.rules import answers as answers
from campaignrl.guard.rules import blocks as blocks
from campaignrl.guard.rules import cap_windows as cap_windows
from campaignrl.guard.rules import offer_windows as offer_windows
from campaignrl.guard.rules import open_channels as open_channels
from campaignrl.guard.rules import reasons as reasons
from campaignrl.guard.rules import rules_of as rules_of
from campaignrl.guard.words import RuleSaid as RuleSaid
from campaignrl.guard.words import rules_said as rules_said
