"""From a policy and a customers table to what is sent today.

audit.py          An audit of what was decided: every rule and, with the policy, every propensity, recomputed from a
                  log or a ledger
customers.py      The customers of a decision, from a file or a frame, with what policy and rules need
decide.py         One decision for every customer of a table: guard, policy, draw, then what budget and capacity leave
decisions.py      What was decided for every customer of a run, as a frame, a send list and a decision log
draw.py           What a policy would send to each customer of a table: the guard first, the policy inside it, one draw
explain.py        Why one customer gets what it gets: what speaks for it, what came second, what was refused
facts.py          What the guard needs to know of the customers of a table, on the morning of a decision
ledger_run.py     One run of decisions on a ledger: what it starts from, what it is called, what it leaves there
limits.py         Budget, capacity and stock of one run of decisions, and what they leave of its sends
reasons.py        Why each customer gets what it gets, in a marketer's words
recount.py        Each rule recomputed from what was decided: in how many rows it was broken, and the first of them
table_columns.py  Which columns a customers table must have for a world, with unit, levels, range and meaning
"""

from campaignrl.ledger import EPOCH as EPOCH
from campaignrl.send.audit import audit_ledger as audit_ledger
from campaignrl.send.customers import read_customers as read_customers
from campaignrl.send.decisions import Decisions as Decisions
from campaignrl.send.explain import Explanation as Explanation
from campaignrl.send.explain import explained as explained
from campaignrl.send.facts import facts_of as facts_of
from campaignrl.send.limits import limits_of_run as limits_of_run
from campaignrl.send.recount import Finding as Finding
from campaignrl.send.recount import not_looked_at as not_looked_at
from campaignrl.send.table_columns import TableColumn as TableColumn
from campaignrl.send.table_columns import example_customers as example_customers
from campaignrl.send.table_columns import table_columns as table_columns
