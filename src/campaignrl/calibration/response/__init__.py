"""How customers respond to a campaign, from its decision log.

campaign_rows.py         A campaign as rows: one decision each, what came of it, and how likely it was
clustered_statistics.py  Figures of a campaign's rows with standard errors by customer: rates, and lifts over doing
                         nothing
conversion_delay.py      How long after a click an order follows: survival in days, right-censored, and the numbers
                         a world needs of it
engagement.py            How customers answer what is sent to them, counted from an events table: by sends of the
                         last week, and afterwards
funnel_regression.py     Logistic regression of a campaign's funnel: who delivers, opens, clicks, leaves; weighted,
                         penalised, cross-fitted
moments.py               Which figures of a campaign move which numbers of a world
shrinkage.py             Partial pooling: the figures of segments drawn towards each other, by as much as they may
                         differ by luck alone
treatment_effects.py     What a campaign's responses look like before any world is made of them: by action and
                         segment, and by step
"""

from campaignrl.calibration.response.campaign_rows import Campaign as Campaign
from campaignrl.calibration.response.campaign_rows import Rows as Rows
from campaignrl.calibration.response.campaign_rows import campaign_of_events as campaign_of_events
from campaignrl.calibration.response.campaign_rows import campaign_of_outcomes as campaign_of_outcomes
from campaignrl.calibration.response.campaign_rows import last_send as last_send
from campaignrl.calibration.response.clustered_statistics import Figure as Figure
from campaignrl.calibration.response.clustered_statistics import from_scale as from_scale
from campaignrl.calibration.response.clustered_statistics import to_scale as to_scale
from campaignrl.calibration.response.conversion_delay import delay_numbers as delay_numbers
from campaignrl.calibration.response.engagement import RESPONSES as RESPONSES
from campaignrl.calibration.response.engagement import Engagement as Engagement
from campaignrl.calibration.response.engagement import engagement_of_events as engagement_of_events
from campaignrl.calibration.response.moments import Moment as Moment
from campaignrl.calibration.response.moments import Path as Path
from campaignrl.calibration.response.moments import View as View
from campaignrl.calibration.response.moments import all_moments as all_moments
from campaignrl.calibration.response.treatment_effects import effects_table as effects_table
from campaignrl.calibration.response.treatment_effects import response_table as response_table
