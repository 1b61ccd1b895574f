"""One customer-day as pure functions of arrays.

parameters.py  a world's numbers as arrays, by segment, channel and action
customers.py   traits (fixed) and state (changing) of n customers, and drawing them for day 0
response.py    the funnel of a send: deliver, open, click, unsubscribe
purchase.py    buying, redeeming, order value, dropping out
memory.py      what a day leaves behind: fatigue, usable offers, contact and order history
money.py       revenue, margin, discount, cost, reward
advance.py     one day: the above in order, with their draws
observe.py     what a policy may see

Not modelled yet, and where each belongs: ad-stock, satisfaction, reference price and post-promotion stock
(memory.py, read by response.py and purchase.py), seasonality and delayed conversion (purchase.py), quiet hours
and capacity (envs/clock.py), tags refreshed on a period (observe.py).
"""
