"""Which estimators there are, and how each gets its value and interval from a log.

intervals_by_name.py   Intervals by the way one asks for instead of the usual one: t, betting, anytime or bootstrap
likelihood_of_rows.py  The customers whose outcomes lie farthest out, to whom empirical likelihood might give a
                       chance below 0
preparation.py         What an evaluation works with, and why an estimator has no answer from it
registry.py            Which estimators there are, and which interval each gets
result.py              The answer of an evaluation, and how it is shown: JSON, a table in a terminal, HTML in a
                       notebook
selection.py           Which estimator suits a log and a policy: the least noisy one that agrees with all that are
                       noisier
shrinkage.py           How strongly to hold back heavy weights: SLOPE++ and estimated mean squared error
weight_histogram.py    How the weight of a log is spread: over rows, and over actions. What the pictures of a report
                       are made of
weighted_mean.py       How sure a mean of weighted rows is: sharp where enough happened, wide where what was not seen
                       may decide
weighted_rows.py       What a log's rows say about one policy: five numbers a row, gathered in one pass over blocks
"""

from campaignrl.ope.methods.intervals_by_name import BOOTSTRAP as BOOTSTRAP
from campaignrl.ope.methods.intervals_by_name import BY_NAME as BY_NAME
from campaignrl.ope.methods.intervals_by_name import INTERVALS as INTERVALS
from campaignrl.ope.methods.intervals_by_name import MODEL_ERROR_NOT_COUNTED as MODEL_ERROR_NOT_COUNTED
from campaignrl.ope.methods.intervals_by_name import T as T
from campaignrl.ope.methods.intervals_by_name import difference_with_interval as difference_with_interval
from campaignrl.ope.methods.intervals_by_name import with_interval as with_interval
from campaignrl.ope.methods.preparation import Predictions as Predictions
from campaignrl.ope.methods.preparation import certain_share as certain_share
from campaignrl.ope.methods.preparation import fitted_model as fitted_model
from campaignrl.ope.methods.preparation import logging_of_matured as logging_of_matured
from campaignrl.ope.methods.preparation import matured as matured
from campaignrl.ope.methods.preparation import model_description as model_description
from campaignrl.ope.methods.preparation import mrdr_rows as mrdr_rows
from campaignrl.ope.methods.preparation import no_information as no_information
from campaignrl.ope.methods.preparation import outside_logging_support as outside_logging_support
from campaignrl.ope.methods.preparation import propensities as propensities
from campaignrl.ope.methods.preparation import reasons_missing as reasons_missing
from campaignrl.ope.methods.preparation import reward_range_of as reward_range_of
from campaignrl.ope.methods.preparation import unavailable as unavailable
from campaignrl.ope.methods.preparation import with_loggers as with_loggers
from campaignrl.ope.methods.registry import ESTIMATORS as ESTIMATORS
from campaignrl.ope.methods.registry import HEAVY as HEAVY
from campaignrl.ope.methods.registry import STREAMED as STREAMED
from campaignrl.ope.methods.registry import USUAL as USUAL
from campaignrl.ope.methods.registry import DecisionRows as DecisionRows
from campaignrl.ope.methods.registry import difference as difference
from campaignrl.ope.methods.registry import estimate as estimate
from campaignrl.ope.methods.registry import setting_of as setting_of
from campaignrl.ope.methods.registry import with_own_weights as with_own_weights
from campaignrl.ope.methods.result import Evaluation as Evaluation
from campaignrl.ope.methods.selection import AUTO as AUTO
from campaignrl.ope.methods.selection import asked as asked
from campaignrl.ope.methods.selection import selected as selected
from campaignrl.ope.methods.shrinkage import FIXED as FIXED
from campaignrl.ope.methods.shrinkage import METHODS as METHODS
from campaignrl.ope.methods.weight_histogram import ActionOverlap as ActionOverlap
from campaignrl.ope.methods.weight_histogram import WeightHistogram as WeightHistogram
from campaignrl.ope.methods.weight_histogram import histogram_sums as histogram_sums
from campaignrl.ope.methods.weight_histogram import weight_histogram_from as weight_histogram_from
from campaignrl.ope.methods.weight_histogram import weight_histogram_of as weight_histogram_of
from campaignrl.ope.methods.weighted_mean import LikelihoodInputs as LikelihoodInputs
from campaignrl.ope.methods.weighted_mean import Seen as Seen
from campaignrl.ope.methods.weighted_mean import Weighted as Weighted
from campaignrl.ope.methods.weighted_mean import around as around
from campaignrl.ope.methods.weighted_mean import difference_ends as difference_ends
from campaignrl.ope.methods.weighted_mean import difference_within as difference_within
from campaignrl.ope.methods.weighted_mean import likelihood_ends as likelihood_ends
from campaignrl.ope.methods.weighted_mean import likelihood_interval as likelihood_interval
from campaignrl.ope.methods.weighted_mean import sums_of_part as sums_of_part
from campaignrl.ope.methods.weighted_mean import value_ends as value_ends
from campaignrl.ope.methods.weighted_mean import within as within
from campaignrl.ope.methods.weighted_rows import Evidence as Evidence
from campaignrl.ope.methods.weighted_rows import Range as Range
from campaignrl.ope.methods.weighted_rows import gather as gather
