"""The figures of a report.

content.py          Everything a report is made of. Not here: what is made of it (sections.py, captions.py)
kpi.py              The figures a marketing team steers by, from simulated campaigns, each with a unit and a 95 %
                    interval
ratio_intervals.py  Rates and means with intervals from the spread between customers, who are independent. n
                    customers
training.py         What a learner has learned, as numbers: its curve, how it decides, what it sends to whom and why
wording.py          Figures in words: numbers with as many digits as they deserve, and what they say to a marketer
world.py            What a newcomer wants to know of a world, as numbers: customers, funnels, wear-out, and a
                    campaign of nothing
"""

from campaignrl.report.facts.content import Gain as Gain
from campaignrl.report.facts.content import ReportContent as ReportContent
from campaignrl.report.facts.content import best_estimate as best_estimate
from campaignrl.report.facts.kpi import NONE as NONE
from campaignrl.report.facts.kpi import Kpi as Kpi
from campaignrl.report.facts.kpi import gain_by_day as gain_by_day
from campaignrl.report.facts.kpi import kpis as kpis
from campaignrl.report.facts.training import ActionFacts as ActionFacts
from campaignrl.report.facts.training import TrainingFacts as TrainingFacts
from campaignrl.report.facts.training import training_facts as training_facts
from campaignrl.report.facts.world import ChannelFacts as ChannelFacts
from campaignrl.report.facts.world import WorldFacts as WorldFacts
from campaignrl.report.facts.world import world_facts as world_facts
