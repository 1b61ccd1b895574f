"""What a policy would earn, from logged decisions, and whether the log can say so at all.

target_policy.py       what a policy would do on a log's rows, block by block, checked
cross_fitting.py  the expected reward of every action, cross-fitted by customer
reward_models.py  reward models by name: ridge, logistic, boosting, calibrated
logging_policy.py   what the logging policy would have done instead
propensity_model.py    propensities that nobody wrote down
weights.py       importance weights and what they tell: effective sample size, mean weight, support
marginal_weights.py     weights of what an action is made of: its offer, its channel, whether anything is sent
bandit.py        the estimators, as pure functions of row arrays
registry.py    which estimators there are, their ids and their intervals
shrinkage.py        how strongly to hold back heavy weights
empirical_likelihood.py     customer-clustered t and empirical likelihood
intervals_by_name.py  intervals asked for by name; betting.py, confidence_sequences.py and bootstrap.py make them
refit.py         the bootstrap that fits everything anew
bounds.py        textbook intervals and bounds, to compare with
verdict.py      trust, caution or refuse, in plain words
result.py        the answer and how it is shown
evaluate.py      the verb that joins them
equivalence.py   what an interval of a difference lets one say; the difference between two logs
policies.py        many policies at once, lift by segment or wave, cost of what is gained, probability of harm
subgroups.py     those questions about one policy at once, and how the answers read
holdout.py       the holdout against its plan; leaks between what is learned on and judged on
personalisation.py does treating customers differently pay? In one sentence

Whole episodes instead of single decisions:

trajectories.py  a log as aligned trajectories
sequential.py    the estimators, as pure functions of (trajectories, steps) arrays
states.py        context joined by traces of past sends, for the models
fqe.py           fitted-Q evaluation; density_ratios.py: how much more often a policy is in a state
return_distribution.py  quantiles and worst part of the returns
support_horizon.py    how far into an episode the log lasts, and the verdict
sequential_registry.py, evaluate.py, result.py   the table, the verb, the answer
"""
