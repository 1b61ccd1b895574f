"""The estimators, as pure functions of arrays.

bandit.py            Bandit estimators: each the rows whose means are the value of a policy, from which follow
                     value, error and interval
marginal_weights.py  Importance weights of what an action is made of: its offer, its channel, and whether anything
                     is sent at all
sequential.py        Sequential estimators: what whole episodes would earn under another policy
weights.py           Importance weights, and what they tell before any reward is looked at
"""

from campaignrl.ope.estimators.bandit import RowTerms as RowTerms
from campaignrl.ope.estimators.marginal_weights import Marginal as Marginal
from campaignrl.ope.estimators.marginal_weights import MarginalGathering as MarginalGathering
from campaignrl.ope.estimators.marginal_weights import Marginals as Marginals
from campaignrl.ope.estimators.weights import CERTAIN as CERTAIN
from campaignrl.ope.estimators.weights import customer_range as customer_range
from campaignrl.ope.estimators.weights import effective_sample_size as effective_sample_size
from campaignrl.ope.estimators.weights import max_weight_share as max_weight_share
from campaignrl.ope.estimators.weights import mean_weight_p_value as mean_weight_p_value
from campaignrl.ope.estimators.weights import mixed as mixed
from campaignrl.ope.estimators.weights import most_wanted as most_wanted
from campaignrl.ope.estimators.weights import off_support as off_support
from campaignrl.ope.estimators.weights import weight_bound as weight_bound
