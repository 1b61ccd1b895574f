"""Tests of policies on live customers (A/B tests): planned before they start, assigned by hash, stopped by a rule.

assignment.py   Which arm of a test a customer is in: by hash of the salt and the id, so the same for ever, on every
                machine
champion_rule.py  May the challenger take the champion's place this morning? One word for each, and the figures it
                rests on
cuped.py        Differences between two arms, with what was known before the test taken out of the noise
outcomes.py     The tables of a test: customers to assign, and what it is read from, one row a customer whose outcome
                is in
power.py        How many customers a test needs, by formula: normal means, unequal shares, covariates, one look or any
                number
reading.py      What a test says now, and whether to stop: the split, the guardrails, then the measure
simulated.py    A test played many times in a world: its power, its false stops, and what covariates save
sized.py        The size of a test by playing it: the first one whose power is shown to be the power asked
split_check.py  Did the arms get the shares they were meant to get? A test of the sample ratio that may be read every
                morning
trial.py        What an A/B test is, as a JSON file: arms and their shares, the measure, guardrails, the size it was
                planned for
"""

from campaignrl.suites.abtest.assignment import arms_of as arms_of
from campaignrl.suites.abtest.champion_rule import KEEP as KEEP
from campaignrl.suites.abtest.champion_rule import PROMOTE as PROMOTE
from campaignrl.suites.abtest.champion_rule import RETIRE as RETIRE
from campaignrl.suites.abtest.champion_rule import VOID as VOID
from campaignrl.suites.abtest.champion_rule import WAIT as WAIT
from campaignrl.suites.abtest.champion_rule import Ruling as Ruling
from campaignrl.suites.abtest.champion_rule import champion_rule as champion_rule
from campaignrl.suites.abtest.outcomes import Outcomes as Outcomes
from campaignrl.suites.abtest.outcomes import ids_to_assign as ids_to_assign
from campaignrl.suites.abtest.outcomes import read_outcomes as read_outcomes
from campaignrl.suites.abtest.power import customers_needed as customers_needed
from campaignrl.suites.abtest.power import plan_trial as plan_trial
from campaignrl.suites.abtest.power import power_of as power_of
from campaignrl.suites.abtest.reading import BETTER as BETTER
from campaignrl.suites.abtest.reading import BROKEN as BROKEN
from campaignrl.suites.abtest.reading import GO_ON as GO_ON
from campaignrl.suites.abtest.reading import HARMED as HARMED
from campaignrl.suites.abtest.reading import WORSE as WORSE
from campaignrl.suites.abtest.reading import Reading as Reading
from campaignrl.suites.abtest.reading import read_trial as read_trial
from campaignrl.suites.abtest.simulated import Pool as Pool
from campaignrl.suites.abtest.simulated import Simulated as Simulated
from campaignrl.suites.abtest.simulated import pool_of as pool_of
from campaignrl.suites.abtest.simulated import simulate_trials as simulate_trials
from campaignrl.suites.abtest.sized import Sized as Sized
from campaignrl.suites.abtest.sized import size_by_playing as size_by_playing
from campaignrl.suites.abtest.split_check import ALARM as ALARM
from campaignrl.suites.abtest.split_check import split_p_value as split_p_value
from campaignrl.suites.abtest.trial import Guardrail as Guardrail
from campaignrl.suites.abtest.trial import Trial as Trial
from campaignrl.suites.abtest.trial import read_trial_file as read_trial_file
