"""From a policy and a customers table to what is sent today.

customers.py  The customers of a decision, from a file or a frame, with the columns that a world's policy and rules need
decide.py     One decision for every customer, inside the guard, with its propensity and its reasons
"""

from campaignrl.send.customers import read_customers as read_customers
from campaignrl.send.decide import Decisions as Decisions
