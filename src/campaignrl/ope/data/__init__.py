"""What the estimators read: target policies and trajectories.

blocks.py         Rows of a log in blocks that fit the cache
states.py         The state of a customer at each decision, as models of whole episodes see it
target_policy.py  What a policy would do on a log's rows: its probabilities, block by block, checked
trajectories.py   A decision log as trajectories: one customer's decisions in order of their step, aligned in (N, T)
                  arrays
"""
