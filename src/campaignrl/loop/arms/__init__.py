"""Who decides: champion, challengers, and the trial by which one becomes the other.

champion.py     Who may decide: the champion as its file names it, and what world and ledger say of it and of its
                challengers
cohort.py       Whom a step of a trial watches, and what is known of them beforehand, which takes noise out of the
                comparison
decisions.py    The decisions of a day, by whoever decides: the champion, or champion and challenger with their shares
expectation.py  What a customer may be expected to bring: how often they order, times what an order is worth, if
                still there
kept.py         Every policy that decides is kept in the folder as it was, so that an audit and a roll-back need no
                other file
rule.py         The rule by which a challenger becomes champion, stays one, or is sent away: that of an A/B test
trial.py        The course of a trial over mornings: who is on trial, in which step, since when; promotion and roll-back
"""

from campaignrl.loop.arms.champion import Challenger as Challenger
from campaignrl.loop.arms.champion import Judged as Judged
from campaignrl.loop.arms.champion import campaign_policy as campaign_policy
from campaignrl.loop.arms.champion import challengers as challengers
from campaignrl.loop.arms.champion import champion_of as champion_of
from campaignrl.loop.arms.champion import judge as judge
from campaignrl.loop.arms.champion import policy_of as policy_of
from campaignrl.loop.arms.champion import require_not_losing as require_not_losing
from campaignrl.loop.arms.champion import standing_of as standing_of
from campaignrl.loop.arms.cohort import cohort_of as cohort_of
from campaignrl.loop.arms.decisions import OfDay as OfDay
from campaignrl.loop.arms.decisions import beside as beside
from campaignrl.loop.arms.decisions import decided as decided
from campaignrl.loop.arms.decisions import of_day as of_day
from campaignrl.loop.arms.decisions import of_others_unknown as of_others_unknown
from campaignrl.loop.arms.rule import CHALLENGER as CHALLENGER
from campaignrl.loop.arms.rule import CHAMPION as CHAMPION
from campaignrl.loop.arms.rule import Verdict as Verdict
from campaignrl.loop.arms.rule import planned_step as planned_step
from campaignrl.loop.arms.rule import read_step as read_step
from campaignrl.loop.arms.rule import verdict as verdict
from campaignrl.loop.arms.trial import course_of as course_of
from campaignrl.loop.arms.trial import move_on as move_on
