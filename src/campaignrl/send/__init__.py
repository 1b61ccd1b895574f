"""From a policy and a customers table to what is sent today.

decide.py  one decision for every customer, inside the guard, with its propensity and its reasons
"""

from campaignrl.send.decide import Decisions as Decisions
