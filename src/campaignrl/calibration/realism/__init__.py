"""How alike simulated and real customers are.

classifier_two_sample.py  Can a classifier tell real customers from simulated ones? The area under its ROC curve,
                          cross-validated
recent_days.py            Is a world still like what new exports say? Orders and revenue of the last days,
                          against what it expects of them
scorecard.py              How close simulated customers come to real ones: one row a figure, each with its
                          tolerance, and why it was missed
summaries.py              What customers did in a window of time, as arrays in which real and simulated ones can be
                          held against each other
untreated_cohorts.py      Customers of a world with nothing sent to them, who enter as real ones did: their orders,
                          as an events table
untreated_scorecard.py    The scorecard of a calibrated world on what no campaign touched: real orders against those
                          of simulated customers
"""

from campaignrl.calibration.realism.recent_days import Held as Held
from campaignrl.calibration.realism.recent_days import calendar_of as calendar_of
from campaignrl.calibration.realism.recent_days import expected_of as expected_of
from campaignrl.calibration.realism.recent_days import hold as hold
from campaignrl.calibration.realism.scorecard import Scorecard as Scorecard
from campaignrl.calibration.realism.scorecard import scorecard as scorecard
from campaignrl.calibration.realism.summaries import CustomerSummaries as CustomerSummaries
from campaignrl.calibration.realism.untreated_cohorts import entering as entering
