"""Bandits: learners that explore, exact in their probabilities.

bootstrap_ts.py     `bootstrap_ts`: an ensemble of ridge regressions, each on its own resample of the rows, as draws
                    of a posterior
change_detection.py How much of what was learned before still speaks of what comes in, by how well it foretells it
counts.py           Bandits that read no context but one category: `epsilon_greedy`, `ucb1`, `beta_ts`,
                    `gaussian_ts`
draw_votes.py       In how many of the posterior draws each action is the best of the allowed ones: what Thompson
                    sampling decides by
forgetting.py       Sums over rows that fade: what was learned before keeps a share at every update, or only the
                    latest updates count
linear.py           The linear bandits: `lin_ts`, `lin_ucb`, `lin_epsilon`, on coefficients shared by offer and
                    channel
linear_base.py      What the linear bandits have in common: reward regressed on context, coefficients shared by
                    offer and channel
logistic.py         `logit_ts`: Thompson sampling on a logistic model with coefficients shared by offer and channel
neural_features.py  Fitting a network to rewards, for the features in its last hidden layer (extra `rl`: torch)
neural_linear.py    `neural_linear`: Thompson sampling on a linear model of features that a network has learned
online.py           A linear bandit row by row: choose, see what came of it, learn, choose for the next one
reg_cb.py           `reg_cb`: optimism over all regressors that predict nearly as well as the best one
square_cb.py        `square_cb`: inverse gap weighting (Abe & Long 1999; SquareCB: Foster & Rakhlin 2020, ICML)
vote_scores.py      The fast scores of posterior draws, and by how much a best one has to lead for any rounding to
                    leave it the best
"""

from campaignrl.policies.bandits.online import Online as Online
