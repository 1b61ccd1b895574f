"""What a policy would earn, from logged decisions, and whether the log can say so at all.

targets.py       what a policy would do on a log's rows, block by block, checked
reward_model.py  the expected reward of every action, cross-fitted by customer
weights.py       importance weights and what they tell: effective sample size, mean weight, support
bandit.py        the estimators, as pure functions of row arrays
intervals.py     customer-clustered t and empirical likelihood
diagnose.py      trust, caution or refuse, in plain words
result.py        the answer and how it is shown
evaluate.py      the verb that joins them
differences.py   what an interval of a difference lets one say; the difference between two logs
personalising.py does treating customers differently pay? In one sentence
"""
