"""Monitoring: is what runs still healthy? Every check is read from a ledger, on a morning.

contexts.py      Do the customers that are decided for still look as they did? The population stability index of every
                 feature
expected.py      All outcomes together, of those that earlier weeks lead one to expect: the sharpest look at a feed that
                 loses some
feeds.py         Do the feeds still come: decisions, and each kind of outcome? And how old is the policy that decides?
health.py        The health of what is running, on a morning: every check, the alarms first
propensities.py  Are the propensities that were written down those that held? Recomputed with the policy; else by a bet
                 on their mean
rates.py         Has a rate left the band it was in? Bounds that hold at every look, of the last days against the weeks
                 before
reading.py       The last weeks of a ledger, as a monitor looks at them: decisions, outcomes, permissions taken away
series.py        What is counted day by day: of every trial whether, or how much, something came of it on the same day
words.py         What each check says, in a sentence: one form of words for each of its outcomes
"""

from campaignrl.monitor.health import ALPHA as ALPHA
from campaignrl.monitor.health import OLDEST as OLDEST
from campaignrl.monitor.health import Check as Check
from campaignrl.monitor.health import Health as Health
from campaignrl.monitor.health import health_of as health_of
from campaignrl.monitor.health import health_of_window as health_of_window
from campaignrl.monitor.rates import ALARM as ALARM
from campaignrl.monitor.rates import OK as OK
from campaignrl.monitor.rates import UNKNOWN as UNKNOWN
from campaignrl.monitor.rates import Rate as Rate
from campaignrl.monitor.reading import Window as Window
from campaignrl.monitor.reading import read_window as read_window
from campaignrl.monitor.words import SENTENCES as SENTENCES
from campaignrl.monitor.words import figure as figure
from campaignrl.monitor.words import sentence as sentence
