"""Policies that learn nothing.

rules.py   A table of rules, first match first: what a marketing team does without learning
simple.py  Policies that learn nothing: `none`, `uniform`, `always`
"""

from campaignrl.policies.fixed.simple import SEES_NOTHING as SEES_NOTHING
from campaignrl.policies.fixed.simple import Untrained as Untrained
