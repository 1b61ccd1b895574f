"""What estimators lean on and fit themselves: reward models, propensities, action values.

cross_fitting.py        The expected reward q(x, a) of every action, for the estimators that lean on a model
density_ratios.py       How much more often a policy is in a state than the log: density ratios by classification
few_states.py           Where the states of a log are few: which they are, and a model of action values that is exact
                        in each of them
fqe.py                  Fitted-Q evaluation: what an episode would still earn, fitted backwards from the last step
logging_policy.py       What the logging policy would have done instead: its probabilities of every action, not only
                        of the logged one
minimax_ratios.py       How much more often a policy is in a state than the log: density ratios that balance what
                        states' models can see
pooled_loggers.py       How likely all loggers of a log together were to do what each row did: the propensity of their
                        average
propensity_error.py     What estimating propensities adds to the error of a value
propensity_features.py  What may have driven a logging policy's choice, as columns: contexts, wave and day, and
                        squares and products of them
propensity_model.py     Propensities that nobody wrote down: estimated from the log itself, and how well they are
                        calibrated
q_models.py             The regressions behind fitted-Q evaluation: Q of a context and an action, anew for every
                        number of steps to go
reward_models.py        Reward models by name: ridge, logistic, boosting, and each of them calibrated
"""

from campaignrl.ope.nuisance.cross_fitting import GivenPredictions as GivenPredictions
from campaignrl.ope.nuisance.cross_fitting import RewardModel as RewardModel
from campaignrl.ope.nuisance.cross_fitting import capped as capped
from campaignrl.ope.nuisance.cross_fitting import folds_of as folds_of
from campaignrl.ope.nuisance.cross_fitting import predict_unseen as predict_unseen
from campaignrl.ope.nuisance.density_ratios import state_ratios as state_ratios
from campaignrl.ope.nuisance.few_states import few_states as few_states
from campaignrl.ope.nuisance.fqe import KINDS as KINDS
from campaignrl.ope.nuisance.fqe import Behaviour as Behaviour
from campaignrl.ope.nuisance.fqe import FittedQ as FittedQ
from campaignrl.ope.nuisance.fqe import Kind as Kind
from campaignrl.ope.nuisance.fqe import fitted_q as fitted_q
from campaignrl.ope.nuisance.logging_policy import ESTIMATE as ESTIMATE
from campaignrl.ope.nuisance.logging_policy import NOT_KNOWN as NOT_KNOWN
from campaignrl.ope.nuisance.logging_policy import propensities_unknown as propensities_unknown
from campaignrl.ope.nuisance.logging_policy import wants_estimate as wants_estimate
from campaignrl.ope.nuisance.minimax_ratios import minimax_ratios as minimax_ratios
from campaignrl.ope.nuisance.pooled_loggers import NO_LOGGERS as NO_LOGGERS
from campaignrl.ope.nuisance.pooled_loggers import pooled_factor as pooled_factor
from campaignrl.ope.nuisance.propensity_error import PropensityError as PropensityError
from campaignrl.ope.nuisance.propensity_model import CalibrationBin as CalibrationBin
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities as EstimatedPropensities
from campaignrl.ope.nuisance.propensity_model import WaveCalibration as WaveCalibration
from campaignrl.ope.nuisance.propensity_model import calibration_gap as calibration_gap
from campaignrl.ope.nuisance.reward_models import MODELS as MODELS
from campaignrl.ope.nuisance.reward_models import reward_model as reward_model
