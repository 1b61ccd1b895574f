"""Policies: context and mask in, an exact probability for every action out.

base.py       the protocol, sampling, chunked calls
choice.py     from scores or a chosen action to probabilities over what is allowed
simple.py      none, uniform, always
rules.py      a table of rules, first match first
parameter_sharing.py     which coefficients the actions of a catalog share
ridge.py      Bayesian ridge regression on per-action sums
learner_settings.py   what learners share: settings, and which rows teach
forgetting.py      sums that fade
counts.py     epsilon_greedy, ucb1, beta_ts, gaussian_ts: one mean per group and action
linear_base.py what the linear bandits share
posterior_width.py      how unsure a linear model is of each action
linear.py     lin_ts, lin_ucb, lin_epsilon
online.py     the same three row by row
logistic.py   logit_ts: Thompson sampling for outcomes that happen or not
square_cb.py  square_cb: inverse gap weighting
reg_cb.py     reg_cb: optimism over near-best regressors
bootstrap_ts.py   bootstrap_ts: a bootstrapped ensemble
dr_greedy.py    dr_greedy: the best action by a doubly robust regression
base.py    what the learners from finished logs share: merge_logs.py (logs laid together), advantage_regression.py (what
an action
              does beyond what would have come anyway), returns.py (what comes until the campaign ends), lbfgs.py
fitted_q.py   fitted_q: returns of trajectories; cql.py, its conservative form
crm.py  crm: counterfactual risk minimisation
pessimistic.py     the best lower bound of a gain
uplift.py     uplift, dr_uplift: what a send changes; propensity_greedy.py, who buys anyway
budgeted.py   value less a price on money
blas_threads.py    one BLAS thread for small matrices
registry.py      which kinds exist
loading.py    building a policy from its name, spec or file
tensor_file.py  tensors and texts in one file, with limits of our own
bundle.py     saving and loading without pickle
"""
