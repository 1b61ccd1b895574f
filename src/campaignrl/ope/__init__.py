"""Off-policy evaluation: what a policy would earn, from logged decisions, and whether the log can say so at all.

estimated_propensities.py  What it does to the figures that propensities were estimated: their own error is counted
                           in every interval
evaluate.py                The verb: what a policy would earn, from a log of another policy's decisions
figures.py                 What the checks of a verdict look at, from the rows of a log in memory
leaks.py                   Has a policy that came as a table of probabilities learned from the very rows it is
                           judged by?
refit_bootstrap.py         Bootstrap over customers in which every draw is evaluated anew: reward model,
                           propensities and settings included
row_checks.py              Checks that look at rows of a log, and what they found: whatever the figures of all rows
                           cannot show
comparison/                Comparing policies on one log: paired lifts, subgroups, equivalence
data/                      What the estimators read: target policies and trajectories
diagnostics/               What is wrong with a log or a question, and the verdict: trust, caution or refuse
episodes/                  Valuing whole episodes
estimators/                The estimators, as pure functions of arrays
intervals/                 Confidence intervals, as pure functions of arrays
methods/                   Which estimators there are, and how each gets its value and interval from a log
nuisance/                  What estimators lean on and fit themselves: reward models, propensities, action values
streaming/                 The bandit estimators on a log of any size, in one or two passes and bounded memory
"""

from campaignrl.ope.comparison import Comparison as Comparison
from campaignrl.ope.comparison import breakdown as breakdown
from campaignrl.ope.comparison import compare_many_on_log as compare_many_on_log
from campaignrl.ope.comparison import independent_difference as independent_difference
from campaignrl.ope.comparison import lift_ahead as lift_ahead
from campaignrl.ope.comparison import personalising as personalising
from campaignrl.ope.diagnostics import check_apart as check_apart
from campaignrl.ope.evaluate import compare_on_log as compare_on_log
from campaignrl.ope.refit_bootstrap import refit_bootstrap as refit_bootstrap
