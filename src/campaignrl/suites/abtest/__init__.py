"""Tests of policies on live customers (A/B tests): planned before they start, assigned by hash, stopped by a rule.

assignment.py   which arm a customer is in, for ever, by hash
cuped.py        differences between arms, with what was known beforehand taken out
outcomes.py     the table that a test is read from
power.py        how many customers a test needs, by formula
reading.py      what a test says now, and whether to stop
simulated.py    a test played many times in a world: power, false stops, what covariates save
split_check.py  did the arms get the shares they were meant to get?
trial.py        what a test is, as a file
"""

from campaignrl.suites.abtest.assignment import arms_of as arms_of
from campaignrl.suites.abtest.outcomes import Outcomes as Outcomes
from campaignrl.suites.abtest.outcomes import read_outcomes as read_outcomes
from campaignrl.suites.abtest.power import customers_needed as customers_needed
from campaignrl.suites.abtest.power import plan_trial as plan_trial
from campaignrl.suites.abtest.power import power_of as power_of
from campaignrl.suites.abtest.reading import Reading as Reading
from campaignrl.suites.abtest.reading import read_trial as read_trial
from campaignrl.suites.abtest.simulated import Pool as Pool
from campaignrl.suites.abtest.simulated import Simulated as Simulated
from campaignrl.suites.abtest.simulated import pool_of as pool_of
from campaignrl.suites.abtest.simulated import simulate_trials as simulate_trials
from campaignrl.suites.abtest.split_check import split_p_value as split_p_value
from campaignrl.suites.abtest.trial import Guardrail as Guardrail
from campaignrl.suites.abtest.trial import Trial as Trial
from campaignrl.suites.abtest.trial import read_trial_file as read_trial_file
