"""What is wrong with a log or a question, and the verdict: trust, caution or refuse.

balance.py      Do a log's actions come as often as its propensities say, and among whom not?
cells.py        What rows of a log have in common, in words: a number in its lowest quarter, a level, a wave, a
                stretch of days
evidence.py     Evidence against a mean of 0, by betting: a test that holds at any sample size, however rare what is
                looked for
few_events.py   Whether enough happened in a log: where a few rewards are most of what no model foretells, others
                may be missing
hardly_tried.py What a policy wants where the logging policy hardly ever did it, as the log itself says by what
                else it did there
holdout.py      Is the holdout what was planned, and is what a policy learned on apart from what it is judged on?
influence.py    What one row does to an estimate: a typing error of a reward, named with its row and what the value
                is without it
log_facts.py    What a log's own facts say a reader should know: rows that stood twice, rows of nobody, how a file
                was read
never_tried.py  Whom an action was never tried on, by context, though they could have got it and the policy wants it
                there
over_time.py    What a log says over its days: a lift that fades or jumps, and rewards that are not in yet
repeats.py      Do rows of different customers repeat each other? Joins that double rows make few customers look
                like many
robust.py       What a value would be if few rows could not decide it: a second figure beside the estimate,
                winsorised and LogSumExp
sensitivity.py  How wrong would the log have to be? Bounds of a lift if propensities are off, by the marginal
                sensitivity model
verdict.py      Whether the log can answer at all: trust, caution or refuse, with reasons in plain words
worst_weights.py
                The largest self-normalised mean of rows whose weights may be off: one sort of the outcomes, any
                factor
"""

from campaignrl.ope.diagnostics.balance import balance as balance
from campaignrl.ope.diagnostics.few_events import few_events as few_events
from campaignrl.ope.diagnostics.hardly_tried import findings_of_hardly_tried as findings_of_hardly_tried
from campaignrl.ope.diagnostics.hardly_tried import hardly_tried as hardly_tried
from campaignrl.ope.diagnostics.holdout import Holdout as Holdout
from campaignrl.ope.diagnostics.holdout import check_apart as check_apart
from campaignrl.ope.diagnostics.holdout import holdout_of as holdout_of
from campaignrl.ope.diagnostics.influence import outlier as outlier
from campaignrl.ope.diagnostics.log_facts import findings_of_facts as findings_of_facts
from campaignrl.ope.diagnostics.never_tried import NeverTried as NeverTried
from campaignrl.ope.diagnostics.never_tried import findings_of_never_tried as findings_of_never_tried
from campaignrl.ope.diagnostics.never_tried import never_tried as never_tried
from campaignrl.ope.diagnostics.over_time import OverTime as OverTime
from campaignrl.ope.diagnostics.over_time import Stretch as Stretch
from campaignrl.ope.diagnostics.over_time import over_time as over_time
from campaignrl.ope.diagnostics.repeats import repeats as repeats
from campaignrl.ope.diagnostics.robust import robust_figures as robust_figures
from campaignrl.ope.diagnostics.sensitivity import LOOKED_AT as LOOKED_AT
from campaignrl.ope.diagnostics.sensitivity import MOST_ROWS as MOST_ROWS
from campaignrl.ope.diagnostics.sensitivity import Bound as Bound
from campaignrl.ope.diagnostics.sensitivity import Sensitivity as Sensitivity
from campaignrl.ope.diagnostics.sensitivity import Sides as Sides
from campaignrl.ope.diagnostics.sensitivity import sensitivity as sensitivity
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
