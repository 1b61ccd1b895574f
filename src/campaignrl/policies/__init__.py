"""Policies: context and mask in, an exact probability for every action out.

base.py       the protocol, sampling, chunked calls
choice.py     from scores or a chosen action to probabilities over what is allowed
fixed.py      none, uniform, always
rules.py      a table of rules, first match first
blocks.py     which coefficients the actions of a catalog share
ridge.py      Bayesian ridge regression on per-action sums
learning.py   what learners share: settings, and which rows teach
drift.py      sums that fade
counts.py     epsilon_greedy, ucb1, beta_ts, gaussian_ts: one mean per group and action
factorised.py what the linear bandits share
width.py      how unsure a linear model is of each action
linear.py     lin_ts, lin_ucb, lin_epsilon
online.py     the same three row by row
logistic.py   logit_ts: Thompson sampling for outcomes that happen or not
square_cb.py  square_cb: inverse gap weighting
reg_cb.py     reg_cb: optimism over near-best regressors
ensemble.py   bootstrap_ts: a bootstrapped ensemble
learned.py    dr_greedy: the best action by a doubly robust regression
offline.py    what the learners from finished logs share: joined.py (logs laid together), contrasts.py (what an action
              does beyond what would have come anyway), returns.py (what comes until the campaign ends), descent.py
fitted_q.py   fitted_q: returns of trajectories; cql.py, its conservative form
counterfactual.py  crm: counterfactual risk minimisation
pessimistic.py     the best lower bound of a gain
uplift.py     uplift, dr_uplift: what a send changes; propensity_greedy.py, who buys anyway
budgeted.py   value less a price on money
threads.py    one BLAS thread for small matrices
registry.py      which kinds exist
catalog.py    building a policy from its name, spec or file
container.py  tensors and texts in one file, with limits of our own
bundle.py     saving and loading without pickle
"""
