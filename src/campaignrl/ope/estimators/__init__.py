"""The estimators, as pure functions of arrays.

bandit.py            Bandit estimators: each the value of a policy and every row's influence on it
marginal_weights.py  Importance weights of what an action is made of: its offer, its channel, and whether anything
                     is sent at all
sequential.py        Sequential estimators: what whole episodes would earn under another policy
weights.py           Importance weights, and what they tell before any reward is looked at
"""
