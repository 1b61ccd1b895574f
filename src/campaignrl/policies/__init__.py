"""Policies: context and mask in, an exact probability for every action out.

base.py       the protocol, sampling, chunked calls
choice.py     from scores or a chosen action to probabilities over what is allowed
fixed.py      none, uniform, always
rules.py      a table of rules, first match first
blocks.py     which coefficients the actions of a catalog share
ridge.py      Bayesian ridge regression on per-action sums
linear.py     lin_ts: Thompson sampling
learned.py    dr_greedy: the best action by a doubly robust regression
learning.py   what learners share
threads.py    one BLAS thread for small matrices
kinds.py      which kinds exist
catalog.py    building a policy from its name, spec or file
container.py  tensors and texts in one file, with limits of our own
bundle.py     saving and loading without pickle
"""
