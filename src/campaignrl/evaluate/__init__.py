"""What a policy would earn, from logged decisions, and whether the log can say so at all.

targets.py       what a policy would do on a log's rows, block by block, checked
reward_model.py  the expected reward of every action, cross-fitted by customer
learned_rewards.py  reward models by name: ridge, logistic, boosting, calibrated
logging_policy.py   what the logging policy would have done instead
propensity.py    propensities that nobody wrote down
weights.py       importance weights and what they tell: effective sample size, mean weight, support
marginals.py     weights of what an action is made of: its offer, its channel, whether anything is sent
bandit.py        the estimators, as pure functions of row arrays
estimators.py    which estimators there are, their ids and their intervals
tuning.py        how strongly to hold back heavy weights
intervals.py     customer-clustered t and empirical likelihood
other_intervals.py  intervals asked for by name; betting.py, anytime.py and bootstrap.py make them
refit.py         the bootstrap that fits everything anew
bounds.py        textbook intervals and bounds, to compare with
diagnose.py      trust, caution or refuse, in plain words
result.py        the answer and how it is shown
evaluate.py      the verb that joins them
differences.py   what an interval of a difference lets one say; the difference between two logs
paired.py        many policies at once, lift by segment or wave, cost of what is gained, probability of harm
breakdown.py     those questions about one policy at once, and how the answers read
holdout.py       the holdout against its plan; leaks between what is learned on and judged on
personalising.py does treating customers differently pay? In one sentence

Whole episodes instead of single decisions:

trajectories.py  a log as aligned trajectories
sequential.py    the estimators, as pure functions of (trajectories, steps) arrays
states.py        context joined by traces of past sends, for the models
fqe.py           fitted-Q evaluation; state_ratios.py: how much more often a policy is in a state
distribution.py  quantiles and worst part of the returns
step_curve.py    how far into an episode the log lasts, and the verdict
sequential_estimators.py, episodes.py, episode_result.py   the table, the verb, the answer
"""
