"""What happened, as event tables.

event_log.py  What the clock writes down: one row an event, and the load of each channel by the hour
export.py     A simulated panel's life as the tables a shop would have kept: one row an event, one row of attributes
              a customer
"""
