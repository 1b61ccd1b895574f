"""A world from data: how customers buy, how they respond, and how real it looks.

calibrate.py  The verb: events, a decision log and segments in, a world out, and for every number where it came from
published/    A world against published figures of the business that it claims to be
purchase/     How customers buy when nothing is sent: buy-till-you-die models and baskets
realism/      How alike simulated and real customers are
response/     How customers respond to a campaign, from its decision log
world/        From fitted numbers to the TOML of a world
"""

from campaignrl.calibration.calibrate import Calibration as Calibration
from campaignrl.calibration.calibrate import calibrate_campaign as calibrate_campaign
from campaignrl.calibration.published import RealismTable as RealismTable
from campaignrl.calibration.published import realism_table as realism_table
