"""Confidence intervals, as pure functions of arrays.

asymptotic_sequences.py  Asymptotic confidence sequences: a normal interval made wide enough to hold at every look,
                         for means without a range
betting.py               Hedged betting interval of a bounded mean: two gamblers bet against each candidate value,
                         one on more, one on less
bootstrap.py             Percentile bootstrap over customers: the estimate again and again, from customers drawn
                         with replacement
clustered.py             Estimates and how sure they are by customers: rows of one customer move together, so sums
                         over customers count
confidence_sequences.py  Confidence sequences: bounds on a policy's value that hold at every look at once, so one
                         may stop when one likes
empirical_likelihood.py  Empirical likelihood: the interval of a weighted mean that stays honest when conversions are
                         rare
quantiles.py             Quantiles and tail chances of t, F and normal distributions, to the bit as scipy.stats has
                         them, and a binomial test
regression_t.py          Interval of a weighted mean whose weights are known to average 1: read off a regression of
                         outcomes on weights
"""

from campaignrl.ope.intervals.asymptotic_sequences import FIRST as FIRST
from campaignrl.ope.intervals.asymptotic_sequences import anytime_multiple as anytime_multiple
from campaignrl.ope.intervals.asymptotic_sequences import horizon_inflation as horizon_inflation
from campaignrl.ope.intervals.asymptotic_sequences import horizon_multiple as horizon_multiple
from campaignrl.ope.intervals.asymptotic_sequences import late_inflation as late_inflation
from campaignrl.ope.intervals.asymptotic_sequences import late_multiple as late_multiple
from campaignrl.ope.intervals.betting import betting_interval as betting_interval
from campaignrl.ope.intervals.bootstrap import RESAMPLES as RESAMPLES
from campaignrl.ope.intervals.bootstrap import percentile_interval as percentile_interval
from campaignrl.ope.intervals.bootstrap import resampled_rows as resampled_rows
from campaignrl.ope.intervals.clustered import CLUSTERED_T as CLUSTERED_T
from campaignrl.ope.intervals.clustered import HELD_T as HELD_T
from campaignrl.ope.intervals.clustered import MODEL_T as MODEL_T
from campaignrl.ope.intervals.clustered import NOT_TO_BE_HAD as NOT_TO_BE_HAD
from campaignrl.ope.intervals.clustered import Clusters as Clusters
from campaignrl.ope.intervals.clustered import Estimate as Estimate
from campaignrl.ope.intervals.clustered import Point as Point
from campaignrl.ope.intervals.clustered import clustered_t as clustered_t
from campaignrl.ope.intervals.clustered import numbered as numbered
from campaignrl.ope.intervals.clustered import p_value_of_gap as p_value_of_gap
from campaignrl.ope.intervals.clustered import std_error as std_error
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds as anytime_bounds
from campaignrl.ope.intervals.confidence_sequences import ever_excluded as ever_excluded
from campaignrl.ope.intervals.empirical_likelihood import EMPIRICAL_LIKELIHOOD as EMPIRICAL_LIKELIHOOD
from campaignrl.ope.intervals.empirical_likelihood import NO_OUTLIERS as NO_OUTLIERS
from campaignrl.ope.intervals.empirical_likelihood import Extreme as Extreme
from campaignrl.ope.intervals.empirical_likelihood import Outliers as Outliers
from campaignrl.ope.intervals.empirical_likelihood import PairSums as PairSums
from campaignrl.ope.intervals.empirical_likelihood import cressie_read as cressie_read
from campaignrl.ope.intervals.empirical_likelihood import mean_weight_statistic as mean_weight_statistic
from campaignrl.ope.intervals.quantiles import binomial_p as binomial_p
from campaignrl.ope.intervals.quantiles import f_tail as f_tail
from campaignrl.ope.intervals.quantiles import t_quantile as t_quantile
from campaignrl.ope.intervals.regression_t import REGRESSION_T as REGRESSION_T
from campaignrl.ope.intervals.regression_t import SKEWED_T as SKEWED_T
from campaignrl.ope.intervals.regression_t import balanced_interval as balanced_interval
from campaignrl.ope.intervals.regression_t import degrees_of_stakes as degrees_of_stakes
from campaignrl.ope.intervals.regression_t import error_of_like_residuals as error_of_like_residuals
from campaignrl.ope.intervals.regression_t import events_of as events_of
from campaignrl.ope.intervals.regression_t import freedom_of_stakes as freedom_of_stakes
from campaignrl.ope.intervals.regression_t import independent_rows as independent_rows
from campaignrl.ope.intervals.regression_t import one_sided as one_sided
from campaignrl.ope.intervals.regression_t import regression_interval as regression_interval
from campaignrl.ope.intervals.regression_t import side_of_events as side_of_events
from campaignrl.ope.intervals.regression_t import skewed_interval as skewed_interval
from campaignrl.ope.intervals.regression_t import skewness_of_sum as skewness_of_sum
