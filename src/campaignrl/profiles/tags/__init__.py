"""Tags of a customer: the tag set, statistics of events, learned models.

evidence.py            What data there are at all: a tag whose data nobody exported is unknown for everybody, not
                       zero, low or "night"
history_statistics.py  Statistics that rest on a whole order history, or on that of all customers: lifecycle stage,
                       RFM, days since sign-up
learned_models.py      Model tags that learn from an earlier window: what was known before a day `cut`, and what
                       happened after it
lineage.py             What a tag rests on: kinds of events, columns of events and attributes, and the rule that makes
                       it, in words
manual_lists.py        Tags by hand: an uploaded list of customers, each for as long as the list says
next_purchase.py       The next purchase: which category, and in how many days; by sequence where that beats counts
order_models.py        Model tags of a customer's order history: chance of being a customer still, orders to come, and
                       their value
outlook.py             What is to come of customers by their order histories: the one purchase model behind all tags
                       that forecast
process_statistics.py  Statistics of a customer's way through the shop: visits and carts that no order followed, and
                       the best hour
rfm_scores.py          Scores of recency, frequency and money by edges: one arithmetic for the RFM tags and for RFM
                       segments
statistics.py          The closed list of statistics a tag may be: a phrase in words -> SQL over one customer's
                       events, or a function
tag_set.py             A tag set in TOML -> checked specification: what each tag is called, its level, and how it is
                       made
values.py              The values of tags, one array a tag: statistics by one query, attributes, lists, rules, scores,
                       cuts into names
world_features.py      Events and attributes -> the features of a world's schema, as its policies were taught to see
                       them
world_levels.py        Levels of a world's categories against those of the data: what its policies would not know,
                       told at build
"""

from campaignrl.profiles.tags.evidence import ACTIVE as ACTIVE
from campaignrl.profiles.tags.evidence import Evidence as Evidence
from campaignrl.profiles.tags.evidence import evidence as evidence
from campaignrl.profiles.tags.learned_models import Book as Book
from campaignrl.profiles.tags.learned_models import inputs_of as inputs_of
from campaignrl.profiles.tags.learned_models import taught_customers as taught_customers
from campaignrl.profiles.tags.learned_models import wanted_inputs as wanted_inputs
from campaignrl.profiles.tags.lineage import columns_of as columns_of
from campaignrl.profiles.tags.lineage import kinds_of as kinds_of
from campaignrl.profiles.tags.lineage import rule_in_words as rule_in_words
from campaignrl.profiles.tags.manual_lists import listed as listed
from campaignrl.profiles.tags.next_purchase import NEXT_PURCHASE as NEXT_PURCHASE
from campaignrl.profiles.tags.next_purchase import next_purchase as next_purchase
from campaignrl.profiles.tags.order_models import forecasts as forecasts
from campaignrl.profiles.tags.order_models import learns as learns
from campaignrl.profiles.tags.order_models import model_column as model_column
from campaignrl.profiles.tags.outlook import Outlook as Outlook
from campaignrl.profiles.tags.outlook import outlook as outlook
from campaignrl.profiles.tags.rfm_scores import QUINTILES as QUINTILES
from campaignrl.profiles.tags.rfm_scores import edge_scores as edge_scores
from campaignrl.profiles.tags.rfm_scores import quintile_edges as quintile_edges
from campaignrl.profiles.tags.statistics import DERIVED as DERIVED
from campaignrl.profiles.tags.statistics import STATISTICS as STATISTICS
from campaignrl.profiles.tags.statistics import Scope as Scope
from campaignrl.profiles.tags.tag_set import Tag as Tag
from campaignrl.profiles.tags.tag_set import TagSet as TagSet
from campaignrl.profiles.tags.tag_set import load_tags as load_tags
from campaignrl.profiles.tags.values import Aggregates as Aggregates
from campaignrl.profiles.tags.values import Values as Values
from campaignrl.profiles.tags.values import Wanted as Wanted
from campaignrl.profiles.tags.values import aggregates as aggregates
from campaignrl.profiles.tags.values import aggregates_of as aggregates_of
from campaignrl.profiles.tags.values import aggregates_of_history as aggregates_of_history
from campaignrl.profiles.tags.values import attribute_column as attribute_column
from campaignrl.profiles.tags.values import derived_columns as derived_columns
from campaignrl.profiles.tags.values import into_names as into_names
from campaignrl.profiles.tags.values import nobody_knows as nobody_knows
from campaignrl.profiles.tags.values import rule_column as rule_column
from campaignrl.profiles.tags.values import score_column as score_column
from campaignrl.profiles.tags.values import statistic_columns as statistic_columns
from campaignrl.profiles.tags.world_features import features as features
from campaignrl.profiles.tags.world_features import features_frame as features_frame
from campaignrl.profiles.tags.world_features import rests_on as rests_on
from campaignrl.profiles.tags.world_levels import level_lists as level_lists
from campaignrl.profiles.tags.world_levels import unheard as unheard
