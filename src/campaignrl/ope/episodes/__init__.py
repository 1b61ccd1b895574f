"""Valuing whole episodes.

evaluate.py             What whole episodes would earn: the sequential half of `evaluate`
return_distribution.py  The distribution of an episode's return under another policy: quantiles and the mean of its
                        worst part
support_horizon.py      How far into an episode a log can follow another policy: effective sample size by step, and
                        the verdict on it
"""
