"""From a policy and a customers table to what is sent today.

audit.py          An audit of what was decided: every rule and, with the policy, every propensity, recomputed from a
                  log or a ledger
customers.py      The customers of a decision, from a file or a frame, with what policy and rules need
decide.py         One decision for every customer of a table: guard, policy, draw, then what budget and capacity leave
decisions.py      What was decided for every customer of a run, as a frame, a send list and a decision log
draw.py           What a policy would send to each customer of a table: the guard first, the policy inside it, one draw
explain.py        Why one customer gets what it gets: what speaks for it, what came second, what was refused
facts.py          What the guard needs to know of the customers of a table, on the morning of a decision
history.py        What a ledger says of one customer: every decision and why, its hand-over, what came of it, what was
                  allowed since
ledger_run.py     One run of decisions on a ledger: what it starts from, what it leaves there
limits.py         Budget, capacity and stock of one run of decisions, and what they leave of its sends
reasons.py        Why each customer gets what it gets, in a marketer's words: by lot, and by a plan of value
recount.py        Each rule recomputed from what was decided: in how many rows it was broken, and the first of them
run_name.py       What a run on a ledger is called: a hash of everything it rests on, so that the same inputs are the
                  same run
stages.py         The three steps of a run: customers draw, what is scarce is shared, customers are told
table_columns.py  Which columns a customers table must have for a world, with unit, levels, range and meaning
value_plan.py     A run whose budget, capacity and stock go where they bring most: the plan by value, and a share that
                  explores
plans/            The plan of a run: what is counted, shard by shard, and what is said of it
shards/           Decisions on more customers than fit into memory, shard by shard, by one process, several or a cluster
"""

from campaignrl.ledger import EPOCH as EPOCH
from campaignrl.send.audit import audit_ledger as audit_ledger
from campaignrl.send.audit import forms_of as forms_of
from campaignrl.send.audit import other_forms as other_forms
from campaignrl.send.customers import read_customers as read_customers
from campaignrl.send.decide import require_playable as require_playable
from campaignrl.send.decide import require_recent as require_recent
from campaignrl.send.decisions import Decisions as Decisions
from campaignrl.send.explain import Explanation as Explanation
from campaignrl.send.explain import explained as explained
from campaignrl.send.facts import clock_time as clock_time
from campaignrl.send.facts import facts_of as facts_of
from campaignrl.send.facts import one_an_address as one_an_address
from campaignrl.send.history import History as History
from campaignrl.send.history import history_of as history_of
from campaignrl.send.ledger_run import counted_in as counted_in
from campaignrl.send.ledger_run import limits_left as limits_left
from campaignrl.send.ledger_run import record_columns as record_columns
from campaignrl.send.ledger_run import rows_of as rows_of
from campaignrl.send.limits import limits_of_run as limits_of_run
from campaignrl.send.plans import NO_TAG as NO_TAG
from campaignrl.send.plans import REWARDS as REWARDS
from campaignrl.send.plans import Certificate as Certificate
from campaignrl.send.plans import Plan as Plan
from campaignrl.send.plans import Prices as Prices
from campaignrl.send.plans import plan_of as plan_of
from campaignrl.send.plans import read_prices as read_prices
from campaignrl.send.reasons import AT_LEAST as AT_LEAST
from campaignrl.send.recount import Finding as Finding
from campaignrl.send.recount import not_looked_at as not_looked_at
from campaignrl.send.shards import SHARD as SHARD
from campaignrl.send.shards import InShards as InShards
from campaignrl.send.shards import decide_in_shards as decide_in_shards
from campaignrl.send.shards import is_typed as is_typed
from campaignrl.send.shards import require_engine as require_engine
from campaignrl.send.stages import Settings as Settings
from campaignrl.send.stages import decide_in_turn as decide_in_turn
from campaignrl.send.stages import facts_about as facts_about
from campaignrl.send.table_columns import TableColumn as TableColumn
from campaignrl.send.table_columns import example_customers as example_customers
from campaignrl.send.table_columns import table_columns as table_columns
from campaignrl.send.value_plan import HOW as HOW
from campaignrl.send.value_plan import require_values as require_values
from campaignrl.send.value_plan import what_if_budget as what_if_budget
