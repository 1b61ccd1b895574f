"""The bandit estimators on a log of any size, in one or two passes and bounded memory.

estimates.py  Estimates, errors and intervals from sums over customers alone; the same figures as registry.py has
              from rows
evaluate.py   The verb for a log of any size: one pass over a Parquet file in pieces, in memory that does not grow
              with it
figures.py    What a whole log's tally says once all parts are joined: bounds of rows, and the figures that are
              judged
model.py      Reward models of a log that stays on disk: the ridge, from sums over a capped part of it, or anyone's
              own
rows.py       One part of a log that stays on disk, as one policy and one reference see it: columns by row, summed
              by customer
sums.py       Sums over customers that add up: what intervals need of a log of any size, in memory that does not
              grow with it
views.py      Blocks of probabilities and predictions, as they pass by: what a policy makes of each row of a piece
              of a log
"""

from campaignrl.ope.methods import STREAMED as STREAMED
from campaignrl.ope.streaming.evaluate import evaluate_stream as evaluate_stream
