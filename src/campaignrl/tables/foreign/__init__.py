"""Decision logs of other people, read by a mapping file.

actions.py   Which action each row of a foreign log holds, and which actions there are at all
contexts.py  What was known at each row of a foreign log: its numbers and categories, with the ranges and levels
             seen
log.py       Foreign logs: any table, read as a decision log by a mapping
mapping.py   Mappings: a TOML file that says what the columns of somebody else's log mean
"""

from campaignrl.tables.foreign.log import foreign_log as foreign_log
from campaignrl.tables.foreign.mapping import LogMapping as LogMapping
from campaignrl.tables.foreign.mapping import load_mapping as load_mapping
