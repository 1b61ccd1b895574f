"""One customer-day as functions of arrays, one customer an element.

parameters.py    a world's numbers as arrays, by segment, channel and action
customers.py     traits (fixed) and state (changing) of n customers, and drawing them for day 0
response.py      the chances of a send: deliver, open, click, unsubscribe
funnel.py        what became of today's sends, with their draws
purchase.py      buying, redeeming, order value, dropping out; whose hazards need no working out
satisfaction.py  trust in the sender
memory.py        what a day leaves behind: stocks, usable offers, contact and order history
money.py         revenue, margin, discount, cost, reward
advance.py       one day: the above in order, with their draws; pure, and in place
visits.py        who comes to the shop, drawn only where it is asked for
observe.py       what a policy may see
"""
