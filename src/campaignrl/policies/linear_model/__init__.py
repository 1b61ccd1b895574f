"""Bayesian linear regression that all actions share.

parameter_sharing.py  Which blocks of coefficients an action shares with others, and how strongly each block is held
                      back
posterior_width.py    How unsure a linear model is of each action's value: the marginal posterior of one action's
                      coefficients
rank_one_update.py    The posterior covariance of a ridge with shared blocks, conditioned on one row at a time
ridge.py              Bayesian ridge regression of reward on context, one coefficient vector an action, from sums
                      alone
"""

from campaignrl.policies.linear_model.parameter_sharing import INTERCEPT as INTERCEPT
from campaignrl.policies.linear_model.parameter_sharing import Blocks as Blocks
from campaignrl.policies.linear_model.parameter_sharing import blocks_of as blocks_of
from campaignrl.policies.linear_model.posterior_width import joint_covariance as joint_covariance
from campaignrl.policies.linear_model.posterior_width import marginal_covariances as marginal_covariances
from campaignrl.policies.linear_model.posterior_width import widths as widths
from campaignrl.policies.linear_model.rank_one_update import Marginals as Marginals
from campaignrl.policies.linear_model.rank_one_update import RankOneUpdate as RankOneUpdate
from campaignrl.policies.linear_model.ridge import L2_GRID as L2_GRID
from campaignrl.policies.linear_model.ridge import Posterior as Posterior
from campaignrl.policies.linear_model.ridge import RidgeMean as RidgeMean
from campaignrl.policies.linear_model.ridge import RidgeModel as RidgeModel
from campaignrl.policies.linear_model.ridge import RidgeStatistics as RidgeStatistics
from campaignrl.policies.linear_model.ridge import fit_ridge as fit_ridge
from campaignrl.policies.linear_model.ridge import with_intercept as with_intercept
