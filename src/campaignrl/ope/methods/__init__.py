"""Which estimators there are, and how each gets its value and interval from a log.

episode_intervals.py    Intervals of what whole episodes earn, and of differences of it: t or percentile bootstrap
                        over customers
intervals_by_name.py    Intervals by the way one asks for instead of the usual one: t, betting, anytime or bootstrap
likelihood_of_rows.py   The customers whose outcomes lie farthest out, to whom empirical likelihood might give a
                        chance below 0
refit.py                Bootstrap over customers in which every draw is evaluated anew: reward model, propensities
                        and settings included
registry.py             Which estimators there are, and which interval each gets
sequential_registry.py  Which sequential estimators there are, and what the log says of one policy's episodes
shrinkage.py            How strongly to hold back heavy weights: SLOPE++ and estimated mean squared error
weight_histogram.py     How the weight of a log is spread: over rows, and over actions. What the pictures of a
                        report are made of
weighted_rows.py        What a log's rows say about one policy: five numbers a row, gathered in one pass over blocks
"""
