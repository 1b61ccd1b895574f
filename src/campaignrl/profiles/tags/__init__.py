"""Tags of a customer: the tag set, statistics of events, learned models.

learned_models.py  Model tags that learn from an earlier window: what was known before a day `cut`, and what
                   happened after it
order_models.py    Model tags of a customer's order history: chance of being a customer still, orders to come, and
                   their value
statistics.py      The closed list of statistics a tag may be: a phrase in words -> SQL over one customer's events
tag_set.py         A tag set in TOML -> checked specification: what each tag is called, its level, and how it is
                   made
values.py          The values of tags, one array a tag: statistics by one query, attributes, lists, rules, scores,
                   cuts into names
world_features.py  Events and attributes -> the features of a world's schema, as its policies were taught to see
                   them
"""
