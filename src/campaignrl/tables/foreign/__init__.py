"""Decision logs of other people, read by a mapping file.

actions.py        Which action each row of a foreign log holds, and which actions there are at all
as_written.py     How a foreign text file writes its cells: separator, encoding, decimal sign, yes and no; found where
                  nobody says
contexts.py       What was known at each row of a foreign log: its numbers and categories, with the ranges and levels
                  seen
log.py            Foreign logs: any table, read as a decision log by a mapping
mapping.py        Mappings: a TOML file that says what the columns of somebody else's log mean
repeated_rows.py  Rows of a foreign log that stand twice, as joins leave them: left out where a decision has an id,
                  else counted
"""

from campaignrl.tables.foreign.log import foreign_log as foreign_log
from campaignrl.tables.foreign.mapping import LogMapping as LogMapping
from campaignrl.tables.foreign.mapping import load_mapping as load_mapping
