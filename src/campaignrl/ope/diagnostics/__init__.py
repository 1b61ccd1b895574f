"""What is wrong with a log or a question, and the verdict: trust, caution or refuse.

balance.py    Do a log's actions come as often as its propensities say, and among whom not?
cells.py      What rows of a log have in common, in words: a number in its lowest quarter, a level, a wave, a stretch
              of days
deciders.py   How many customers decide a figure: where it is a handful, another log would have others, and another
              figure
evidence.py   Evidence against a mean of 0, by betting: a test that holds at any sample size, however rare what is
              looked for
holdout.py    Is the holdout what was planned, and is what a policy learned on apart from what it is judged on?
influence.py  What one row does to an estimate: a typing error of a reward, named with its row and what the value is
              without it
repeats.py    Do rows of different customers repeat each other? Joins that double rows make few customers look like
              many
verdict.py    Whether the log can answer at all: trust, caution or refuse, with reasons in plain words
"""

from campaignrl.ope.diagnostics.balance import balance as balance
from campaignrl.ope.diagnostics.deciders import deciders as deciders
from campaignrl.ope.diagnostics.holdout import Holdout as Holdout
from campaignrl.ope.diagnostics.holdout import check_apart as check_apart
from campaignrl.ope.diagnostics.holdout import holdout_of as holdout_of
from campaignrl.ope.diagnostics.influence import outlier as outlier
from campaignrl.ope.diagnostics.repeats import repeats as repeats
from campaignrl.ope.diagnostics.verdict import CUSTOMERS_CAUTION as CUSTOMERS_CAUTION
from campaignrl.ope.diagnostics.verdict import CUSTOMERS_REFUSE as CUSTOMERS_REFUSE
from campaignrl.ope.diagnostics.verdict import ESS_CAUTION as ESS_CAUTION
from campaignrl.ope.diagnostics.verdict import ESS_REFUSE as ESS_REFUSE
from campaignrl.ope.diagnostics.verdict import MEAN_WEIGHT_REFUSE as MEAN_WEIGHT_REFUSE
from campaignrl.ope.diagnostics.verdict import OFF_SUPPORT_REFUSE as OFF_SUPPORT_REFUSE
from campaignrl.ope.diagnostics.verdict import P_ALARM as P_ALARM
from campaignrl.ope.diagnostics.verdict import SHARE_CAUTION as SHARE_CAUTION
from campaignrl.ope.diagnostics.verdict import SHARE_REFUSE as SHARE_REFUSE
from campaignrl.ope.diagnostics.verdict import Figures as Figures
from campaignrl.ope.diagnostics.verdict import Finding as Finding
from campaignrl.ope.diagnostics.verdict import Level as Level
from campaignrl.ope.diagnostics.verdict import diagnose as diagnose
from campaignrl.ope.diagnostics.verdict import learned_from as learned_from
