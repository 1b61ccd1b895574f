"""The events of a profile up to a day, and order histories made of them.

database.py         One DuckDB connection over a profile's events and attributes: what was known on the morning of a
                    day
order_histories.py  Order histories in weeks, from the events of a profile: what buy-till-you-die models are fitted
                    on
"""
