"""What estimators lean on and fit themselves: reward models, propensities, action values.

cross_fitting.py     The expected reward q(x, a) of every action, for the estimators that lean on a model
density_ratios.py    How much more often a policy is in a state than the log: density ratios by classification
fqe.py               Fitted-Q evaluation: what an episode would still earn, fitted backwards from the last step
logging_policy.py    What the logging policy would have done instead: its probabilities of every action, not only of
                     the logged one
propensity_model.py  Propensities that nobody wrote down: estimated from the log itself, and how well they are
                     calibrated
q_models.py          The regressions behind fitted-Q evaluation: Q of a context and an action, anew for every number
                     of steps to go
reward_models.py     Reward models by name: ridge, logistic, boosting, and each of them calibrated
"""
