"""Raw exports to one events table, with nothing lost on the way.

deduplication.py     All rows of one source together: laid down, freed of outliers and duplicates, lines joined to
                     orders
field_spec.py        What a mapping says about one field of a source, and the rules for rows that are not as they
                     should be
identity.py          Who is who: member ids, device ids and phone hashes of all sources -> one customer id a row
intake.py            Intake: raw exports of several tools -> one events table and one attributes table, and nothing
                     lost on the way
lines.py             The rows of a result folder as they were understood, kept so that later exports join them
lookups.py           What a row takes from elsewhere: a table beside the source with one row a key, and the first
                     line of its order
mapping.py           Event mappings: a TOML file that says what raw exports of shop, app, store and campaign tools
                     mean
moments.py           Cells to moments in UTC, as SQL: the shapes that exports write dates and times in, and why others
                     are refused
pseudonymisation.py  Personal cells (a phone number, an e-mail address) become keyed hashes before anything is
                     stored
quality.py           What the data are like: how much of every column is there, what was refused and why, repeats,
                     outliers, time range
readers.py           Raw exports as tables of the engine: CSV, Excel, Parquet, JSON and blank-separated text, every
                     cell as written
rules.py             The rules of a mapping at work on the rows of one source, as one query
sql_text.py          The SQL of an intake as text: names, constants, cells as text, and expressions reckoned once a
                     row
sql_values.py        Cells to values, as SQL: text stays text, numbers and moments are tried and are null where they
                     fail
writer.py            The result folder: events, attributes, rejects, links, figures and, last of all, the manifest
"""

from campaignrl.profiles.intake.intake import IntakeResult as IntakeResult
from campaignrl.profiles.intake.intake import intake as intake
from campaignrl.profiles.intake.lines import forget_lines as forget_lines
from campaignrl.profiles.intake.lines import keeps_lines as keeps_lines
from campaignrl.profiles.intake.lines import kept_digests as kept_digests
from campaignrl.profiles.intake.mapping import REGIONS as REGIONS
from campaignrl.profiles.intake.mapping import IntakeMapping as IntakeMapping
from campaignrl.profiles.intake.mapping import Source as Source
from campaignrl.profiles.intake.mapping import load_intake_mapping as load_intake_mapping
from campaignrl.profiles.intake.mapping import parse_intake_mapping as parse_intake_mapping
from campaignrl.profiles.intake.quality import in_a_line as in_a_line
from campaignrl.profiles.intake.readers import open_raw as open_raw
from campaignrl.profiles.intake.writer import tell_tags as tell_tags
