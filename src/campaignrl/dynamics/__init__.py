"""One customer-day as functions of arrays, one customer an element; what single effects add stands in effects/.

parameters.py    a world's numbers as arrays, by segment, channel and action
customers.py     traits (fixed) and state (changing) of n customers, and drawing them for day 0
response.py      the chances of a send: deliver, open, click, unsubscribe
funnel.py        what became of today's sends, with their draws
purchase.py      buying, redeeming, order value, dropping out; whose hazards need no working out
memory.py        what a day leaves behind in any world: usable offers, contact and order history
money.py         revenue, margin, discount, cost, reward
advance.py       one day: the above in order, with their draws; pure, and in place
lifetime.py      what customers are worth afterwards, in closed form
visits.py        who comes to the shop, drawn only where it is asked for
observe.py       what a policy may see
"""

from campaignrl.dynamics.advance import Outcome as Outcome
from campaignrl.dynamics.advance import advance as advance
from campaignrl.dynamics.advance import live as live
from campaignrl.dynamics.customers import NO_OFFER as NO_OFFER
from campaignrl.dynamics.customers import State as State
from campaignrl.dynamics.customers import StocksOf as StocksOf
from campaignrl.dynamics.customers import Traits as Traits
from campaignrl.dynamics.customers import draw_customers as draw_customers
from campaignrl.dynamics.customers import observed_tags as observed_tags
from campaignrl.dynamics.funnel import answers as answers
from campaignrl.dynamics.funnel import wanted as wanted
from campaignrl.dynamics.lifetime import expected_margin as expected_margin
from campaignrl.dynamics.memory import days_with as days_with
from campaignrl.dynamics.parameters import Parameters as Parameters
from campaignrl.dynamics.parameters import parameters as parameters
from campaignrl.dynamics.response import delivery_probability as delivery_probability
from campaignrl.dynamics.response import open_probability as open_probability
from campaignrl.dynamics.response import unsubscribe_probability as unsubscribe_probability
from campaignrl.dynamics.visits import visited as visited
