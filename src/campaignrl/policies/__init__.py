"""Policies: context and mask in, an exact probability for every action out.

base.py     the protocol, sampling, chunked calls
catalog.py  which kinds exist, and building one from its spec
fixed.py    none, uniform, always, rules
ridge.py    factorised Bayesian ridge regression on per-action sufficient statistics
linear.py   lin_ts
bundle.py   saving and loading without pickle
"""
