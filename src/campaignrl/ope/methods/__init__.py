"""Which estimators there are, and how each gets its value and interval from a log.

intervals_by_name.py   Intervals by the way one asks for instead of the usual one: t, betting, anytime or bootstrap
likelihood_of_rows.py  The customers whose outcomes lie farthest out, to whom empirical likelihood might give a
                       chance below 0
preparation.py         What an evaluation works with, and why an estimator has no answer from it
registry.py            Which estimators there are, and which interval each gets
result.py              The answer of an evaluation, and how it is shown: JSON, a table in a terminal, HTML in a
                       notebook
shrinkage.py           How strongly to hold back heavy weights: SLOPE++ and estimated mean squared error
weight_histogram.py    How the weight of a log is spread: over rows, and over actions. What the pictures of a report
                       are made of
weighted_rows.py       What a log's rows say about one policy: five numbers a row, gathered in one pass over blocks
"""

from campaignrl.ope.methods.intervals_by_name import BOOTSTRAP as BOOTSTRAP
from campaignrl.ope.methods.intervals_by_name import INTERVALS as INTERVALS
from campaignrl.ope.methods.intervals_by_name import MADE_BY as MADE_BY
from campaignrl.ope.methods.intervals_by_name import UNCOUNTED as UNCOUNTED
from campaignrl.ope.methods.intervals_by_name import T as T
from campaignrl.ope.methods.intervals_by_name import remade as remade
from campaignrl.ope.methods.intervals_by_name import remade_difference as remade_difference
from campaignrl.ope.methods.preparation import Predictions as Predictions
from campaignrl.ope.methods.preparation import beyond as beyond
from campaignrl.ope.methods.preparation import blind as blind
from campaignrl.ope.methods.preparation import cannot as cannot
from campaignrl.ope.methods.preparation import certain_share as certain_share
from campaignrl.ope.methods.preparation import described as described
from campaignrl.ope.methods.preparation import fitted_model as fitted_model
from campaignrl.ope.methods.preparation import matured as matured
from campaignrl.ope.methods.preparation import missing as missing
from campaignrl.ope.methods.preparation import more_robust as more_robust
from campaignrl.ope.methods.preparation import of_matured as of_matured
from campaignrl.ope.methods.preparation import propensities as propensities
from campaignrl.ope.methods.preparation import reward_range_of as reward_range_of
from campaignrl.ope.methods.registry import ESTIMATORS as ESTIMATORS
from campaignrl.ope.methods.registry import HEAVY as HEAVY
from campaignrl.ope.methods.registry import USUAL as USUAL
from campaignrl.ope.methods.registry import Seen as Seen
from campaignrl.ope.methods.registry import Weighted as Weighted
from campaignrl.ope.methods.registry import difference as difference
from campaignrl.ope.methods.registry import ends_given as ends_given
from campaignrl.ope.methods.registry import estimate as estimate
from campaignrl.ope.methods.registry import likelihood_interval as likelihood_interval
from campaignrl.ope.methods.registry import seen_by as seen_by
from campaignrl.ope.methods.registry import setting_of as setting_of
from campaignrl.ope.methods.result import Evaluation as Evaluation
from campaignrl.ope.methods.shrinkage import FIXED as FIXED
from campaignrl.ope.methods.shrinkage import METHODS as METHODS
from campaignrl.ope.methods.weight_histogram import ActionOverlap as ActionOverlap
from campaignrl.ope.methods.weight_histogram import Spread as Spread
from campaignrl.ope.methods.weight_histogram import counted as counted
from campaignrl.ope.methods.weight_histogram import spread_from as spread_from
from campaignrl.ope.methods.weight_histogram import spread_of as spread_of
from campaignrl.ope.methods.weighted_rows import Evidence as Evidence
from campaignrl.ope.methods.weighted_rows import Range as Range
from campaignrl.ope.methods.weighted_rows import gather as gather
