"""Product recommendation: which items to show each customer, and whether that is any good.

interactions.py  Who had to do with which item, and when: a table of any shop's lines as arrays, and the catalogue
                 beside it
judgement.py     Is it any good: recommendations of a morning held against what customers did in the days that
                 followed
ranking.py       How much each signal counts: learned on an earlier period, whose outcome is known, and used on the
                 next one
recommender.py   The items to show each customer: learned on the past, with a reason for each, popularity where
                 nothing is known
shown_items.py   Items in a send list: what each content message shows, and the same by decision for the log
signals.py       What speaks for an item to a customer: own history, customers alike, rules, content, popularity; as
                 columns of pairs
"""

from campaignrl.profiles.items.interactions import ITEM as ITEM
from campaignrl.profiles.items.interactions import Interactions as Interactions
from campaignrl.profiles.items.interactions import interactions_of as interactions_of
from campaignrl.profiles.items.interactions import read_catalogue as read_catalogue
from campaignrl.profiles.items.interactions import read_interactions as read_interactions
from campaignrl.profiles.items.judgement import Judged as Judged
from campaignrl.profiles.items.judgement import Judgement as Judgement
from campaignrl.profiles.items.judgement import judge as judge
from campaignrl.profiles.items.recommender import SPAN as SPAN
from campaignrl.profiles.items.recommender import Recommender as Recommender
from campaignrl.profiles.items.recommender import fit_recommender as fit_recommender
from campaignrl.profiles.items.shown_items import STRANGERS as STRANGERS
from campaignrl.profiles.items.shown_items import WithItems as WithItems
from campaignrl.profiles.items.shown_items import with_items as with_items
