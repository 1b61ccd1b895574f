"""An upper bound on the value of every policy.

eligible_offers.py          When an offer with a condition can be open to a customer at all, whatever is sent: by
                            orders since day 0
linear_stocks.py            The stocks of the optimistic model: two numbers that move linearly and stand for three
                            that bend
offer_validity.py           Which offer a customer of the optimistic model holds, and until when: validity counted
                            in blocks of days
optimistic_model.py         The optimistic model backward in time: at least what any policy can earn from each
                            customer, or know of it
optimistic_tables.py        Chances and money of the optimistic model at its points, raised where straight lines
                            would lie below them
piecewise_linear_bounds.py  Lines above curves: how the optimistic model keeps a continuous state on few points and
                            stays an upper bound
upper_bound.py              An upper bound on what any policy can earn, with or without a budget or capacity, and
                            the regret against it
"""

from campaignrl.envs.truth.bounds.upper_bound import ROUGH as ROUGH
from campaignrl.envs.truth.bounds.upper_bound import idle_value as idle_value
from campaignrl.envs.truth.bounds.upper_bound import upper_bound as upper_bound
