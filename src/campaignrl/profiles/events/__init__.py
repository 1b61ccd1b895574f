"""The events of a profile up to a day, and order histories made of them.

database.py         One DuckDB connection over a profile's events and attributes: what was known on the morning of a
                    day
order_histories.py  Order histories in weeks, from the events of a profile: what buy-till-you-die models are fitted
                    on
"""

from campaignrl.profiles.events.database import UNIT as UNIT
from campaignrl.profiles.events.database import Connection as Connection
from campaignrl.profiles.events.database import Events as Events
from campaignrl.profiles.events.database import customers as customers
from campaignrl.profiles.events.database import fixed as fixed
from campaignrl.profiles.events.database import newest_day as newest_day
from campaignrl.profiles.events.database import quoted as quoted
from campaignrl.profiles.events.database import text as text
from campaignrl.profiles.events.order_histories import FEWEST as FEWEST
from campaignrl.profiles.events.order_histories import MOST_FITTED as MOST_FITTED
from campaignrl.profiles.events.order_histories import WEEK as WEEK
from campaignrl.profiles.events.order_histories import Histories as Histories
from campaignrl.profiles.events.order_histories import ModelTag as ModelTag
from campaignrl.profiles.events.order_histories import histories as histories
