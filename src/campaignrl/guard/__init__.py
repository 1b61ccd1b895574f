"""What may be sent at all. Never learned; deny by default.

budget.py  budget and capacity over a whole wave, with exact propensities
rules.py   consent, caps, eligibility, holdout: one mask, with a reason for every removed action
"""

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
