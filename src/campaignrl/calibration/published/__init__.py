"""A world against published figures: is what it does what businesses of its kind report?

customer_rows.py   Orders, repurchase, churn and order values, nothing sent
figures.py         The published figures, from figures.toml: what each counts, its bands and their sources
measured.py        One figure as it was measured
message_rows.py    The funnel of one channel at 1, 2, 4 and 7 messages a week
plays.py           Who is sent what on which day, and what came of it
promotion_rows.py  What a campaign causes, against the twin: extra orders, redemptions, price lift, dip
statistics.py      Means, ratios and other statistics with their intervals
table.py           The realism table: every figure beside its band
"""

from campaignrl.calibration.published.figures import BUSINESSES as BUSINESSES
from campaignrl.calibration.published.figures import GUESSES as GUESSES
from campaignrl.calibration.published.figures import figures as figures
from campaignrl.calibration.published.table import RealismTable as RealismTable
from campaignrl.calibration.published.table import Row as Row
from campaignrl.calibration.published.table import realism_table as realism_table
