"""The events of a profile up to a day, and order histories made of them.

database.py         One DuckDB connection over a profile's events and attributes: what was known on the morning of a
                    day
order_histories.py  Order histories in weeks, from the events of a profile: what buy-till-you-die models are fitted
                    on
permissions.py      May this customer be contacted on that channel: one meaning of every word that the data hold
                    about it
"""

from campaignrl.profiles.events.database import UNIT as UNIT
from campaignrl.profiles.events.database import Connection as Connection
from campaignrl.profiles.events.database import Events as Events
from campaignrl.profiles.events.database import by_customer as by_customer
from campaignrl.profiles.events.database import customers as customers
from campaignrl.profiles.events.database import fixed as fixed
from campaignrl.profiles.events.database import newest_day as newest_day
from campaignrl.profiles.events.database import oldest_moment as oldest_moment
from campaignrl.profiles.events.database import quoted as quoted
from campaignrl.profiles.events.database import text as text
from campaignrl.profiles.events.order_histories import FEWEST as FEWEST
from campaignrl.profiles.events.order_histories import MOST_FITTED as MOST_FITTED
from campaignrl.profiles.events.order_histories import WEEK as WEEK
from campaignrl.profiles.events.order_histories import Histories as Histories
from campaignrl.profiles.events.order_histories import ModelTag as ModelTag
from campaignrl.profiles.events.order_histories import histories as histories
from campaignrl.profiles.events.order_histories import order_days as order_days
from campaignrl.profiles.events.permissions import ALL_OUT as ALL_OUT
from campaignrl.profiles.events.permissions import AT as AT
from campaignrl.profiles.events.permissions import NEWEST as NEWEST
from campaignrl.profiles.events.permissions import OLDEST as OLDEST
from campaignrl.profiles.events.permissions import OPT_OUT as OPT_OUT
from campaignrl.profiles.events.permissions import Reach as Reach
from campaignrl.profiles.events.permissions import is_date_of_permission as is_date_of_permission
from campaignrl.profiles.events.permissions import is_permission as is_permission
from campaignrl.profiles.events.permissions import permission_column as permission_column
from campaignrl.profiles.events.permissions import reach as reach
from campaignrl.profiles.events.permissions import spoken_of as spoken_of
