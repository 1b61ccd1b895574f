"""Learners from finished logs.

advantage_regression.py  What actions do beyond what would have come anyway: regression on rewards less a
                         cross-fitted baseline
base.py                  What learners from finished logs have in common: settings, regressions by fold, deciding by
                         the highest linear score
budgeted.py              `budgeted`: value less a price on what a send costs; the price makes a budget last, and can
                         change any day
cql.py                   `cql`: fitted returns that think little of what the log hardly shows
crm.py                   `crm`: a softmax policy learned directly from a log by counterfactual risk minimisation
dr_greedy.py             `dr_greedy`: the best action by a doubly robust regression on a decision log
fitted_q.py              `fitted_q`: the action after which a customer brings most until the campaign ends, learned
                         from trajectories
lbfgs.py                 Fitting factorised coefficients to any smooth loss by L-BFGS, stopped where a held-out loss
                         stops falling
lookahead_choice.py      How far ahead a log can tell: the whole return or the first outcome window, whichever
                         held-out customers prefer
merge_logs.py            Decision logs laid together, so that what is learned from halves of one is what is learned
                         from the whole
pessimistic.py           `pessimistic`: the best action by what it gains over `none` for certain, the lower end of
                         an interval
propensity_greedy.py     `propensity_greedy`: write to those likeliest to buy. A baseline that hurts, and the
                         practice of many
replay_learner.py        A learner from logs that needs rows, and learns on from a bundle: a replay sample, and sums of
                         all other rows
replay_sample.py         The replay sample: rows that a learner learned from, as tensors in its bundle, so that a
                         loaded one learns on
returns.py               What a customer brings after a decision: the log's own reward windows, laid end to end
uplift.py                `uplift` and `dr_uplift`: send what changes a customer's contribution most, and nothing
                         where nothing does
"""

from campaignrl.policies.offline.advantage_regression import BASELINE_L2 as BASELINE_L2
from campaignrl.policies.offline.advantage_regression import PENALTIES as PENALTIES
from campaignrl.policies.offline.advantage_regression import Sums as Sums
from campaignrl.policies.offline.advantage_regression import encoded as encoded
from campaignrl.policies.offline.advantage_regression import fit_parts as fit_parts
from campaignrl.policies.offline.advantage_regression import overlap_of as overlap_of
from campaignrl.policies.offline.advantage_regression import products as products
from campaignrl.policies.offline.advantage_regression import refitted as refitted
from campaignrl.policies.offline.dr_greedy import doubly_robust_scores as doubly_robust_scores
from campaignrl.policies.offline.replay_learner import ReplayConfig as ReplayConfig
from campaignrl.policies.offline.replay_learner import ReplayLearner as ReplayLearner
