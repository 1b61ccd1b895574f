"""Confidence intervals, as pure functions of arrays.

betting.py               Hedged betting interval of a bounded mean: two gamblers bet against each candidate value,
                         one on more, one on less
bootstrap.py             Percentile bootstrap over customers: the estimate again and again, from customers drawn
                         with replacement
bounds.py                The textbook intervals and one-sided bounds, to compare ours with; each from weighted
                         rewards x = w r of n rows
confidence_sequences.py  Confidence sequences: bounds on a policy's value that hold at every look at once, so one
                         may stop when one likes
empirical_likelihood.py  How sure an estimate is: customer-clustered t, and empirical likelihood
"""
