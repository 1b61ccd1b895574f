"""Which estimators there are, and how each gets its value and interval from a log.

absent.py              Why an estimator has no answer from a log, in words
intervals_by_name.py   Intervals by the way one asks for instead of the usual one: t, betting, anytime or bootstrap
likelihood_of_rows.py  The customers whose outcomes lie farthest out, to whom empirical likelihood might give a
                       chance below 0
preparation.py         What an evaluation works with: matured rows, propensities that can be used, the reward's
                       range and its model
registry.py            Which estimators there are, and which interval each gets
result.py              The answer of an evaluation, and how it is shown: JSON, a table in a terminal, HTML in a
                       notebook
shrinkage.py           How strongly to hold back heavy weights: SLOPE++ and estimated mean squared error
weight_histogram.py    How the weight of a log is spread: over rows, and over actions. What the pictures of a report
                       are made of
weighted_rows.py       What a log's rows say about one policy: five numbers a row, gathered in one pass over blocks
"""
