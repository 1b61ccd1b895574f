"""What a policy may see of a customer: the feature schema, contexts, and their encoding as numbers.

feature.py   one feature: name, unit, range or levels, meaning
encoding.py  the tables of a schema, and filling a matrix of numbers from 0 to 1 with them
context.py   the schema, and what is known of n customers at a decision
"""

from campaignrl.features.context import Context as Context
from campaignrl.features.context import FeatureSchema as FeatureSchema
from campaignrl.features.context import Rows as Rows
from campaignrl.features.feature import UNKNOWN as UNKNOWN
from campaignrl.features.feature import Feature as Feature
