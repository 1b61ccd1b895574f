"""Profiles kept live: new events refresh the customers they touch within a second, between two updates.

refresh.py  New events -> new tags for the customers they touch, within a second, beside a folder of any number of
            customers
watch.py    Waiting for files of events in an inbox, and refreshing the customers that each of them touches
witness.py  A few events and attributes that prove what data there are, so that a handful of customers can be tagged
            alone
"""

from campaignrl.profiles.live.refresh import Live as Live
from campaignrl.profiles.live.refresh import Refreshed as Refreshed
from campaignrl.profiles.live.refresh import refresh as refresh
from campaignrl.profiles.live.watch import Taken as Taken
from campaignrl.profiles.live.watch import watch as watch
