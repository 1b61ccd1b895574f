"""Tables that go in and out: customers, events, decision logs.

customers.py    The customers table: what is known of real customers on the morning of a decision
events.py       The events table: what customers did and what was done to them, one row an event
logs.py         Reading any decision log: one of ours, or somebody else's by a mapping file
rule_columns.py Columns of a customers table that only rules read, by kind: what an empty cell means, and which text is
                refused
suppression.py  Suppression: who is never to be contacted, by a list of ids and by a column of the customers table
databases/      Tables of databases as files: SQLite, DuckDB and PostgreSQL, read only, streamed, in their own types
files/          Tables as files: formats, whole-or-nothing writing, columns with the rows that do not fit
foreign/        Decision logs of other people, read by a mapping file
log/            The decision log: its contract, its files, whole or as a stream
"""

from campaignrl.tables.customers import AT_THE_START as AT_THE_START
from campaignrl.tables.customers import ID as ID
from campaignrl.tables.customers import CustomerTable as CustomerTable
from campaignrl.tables.customers import arrow_table as arrow_table
from campaignrl.tables.customers import contact_column as contact_column
from campaignrl.tables.customers import read_customers as read_customers
from campaignrl.tables.events import COLUMNS as COLUMNS
from campaignrl.tables.events import KINDS as KINDS
from campaignrl.tables.events import NUMBERS as NUMBERS
from campaignrl.tables.events import REQUIRED as REQUIRED
from campaignrl.tables.events import SCHEMA as SCHEMA
from campaignrl.tables.events import TEXTS as TEXTS
from campaignrl.tables.events import event_pieces as event_pieces
from campaignrl.tables.events import events_table as events_table
from campaignrl.tables.events import read_events as read_events
from campaignrl.tables.events import write_events as write_events
from campaignrl.tables.logs import read_log as read_log
from campaignrl.tables.rule_columns import FULL as FULL
from campaignrl.tables.rule_columns import HELD as HELD
from campaignrl.tables.rule_columns import MILLIONTHS as MILLIONTHS
from campaignrl.tables.rule_columns import NO_DAY as NO_DAY
from campaignrl.tables.rule_columns import NOT_HELD as NOT_HELD
from campaignrl.tables.rule_columns import UNCLEAR as UNCLEAR
from campaignrl.tables.rule_columns import Known as Known
from campaignrl.tables.rule_columns import RuleColumn as RuleColumn
from campaignrl.tables.suppression import LEAST_KNOWN as LEAST_KNOWN
from campaignrl.tables.suppression import Listed as Listed
from campaignrl.tables.suppression import column_says as column_says
from campaignrl.tables.suppression import require_known as require_known
from campaignrl.tables.suppression import same_spelling as same_spelling
from campaignrl.tables.suppression import spelled_list as spelled_list
