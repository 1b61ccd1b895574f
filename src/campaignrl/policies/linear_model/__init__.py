"""Bayesian linear regression that all actions share.

parameter_sharing.py  Which blocks of coefficients an action shares with others, and how strongly each block is held
                      back
posterior_width.py    How unsure a linear model is of each action's value: the marginal posterior of one action's
                      coefficients
rank_one_update.py    The posterior covariance of a ridge with shared blocks, conditioned on one row at a time
ridge.py              Bayesian ridge regression of reward on context, one coefficient vector an action, from sums
                      alone
"""
