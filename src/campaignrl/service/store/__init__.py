"""The store of a service: SQLite or PostgreSQL by the same code, one writer at a time, every answer on the disk first.

access.py      What was answered to a key, so that the same request gets the same bytes and nothing happens twice
backup.py      A copy of a store that is in use, and back
checkpoints.py Checkpoints of a SQLite store beside its rounds: what was committed goes from the log into the file
customers.py   The customers a service decides for, as they came in, and whom it was told to forget
database.py    The database: connections, one writer at a time, and what is said when it is down
decided.py     What was decided: rows, reservations and totals, in the transaction that decides
facts.py       Single facts that workers share: is it halted, which customers are current, which policies hold
flow.py        The flow into a ledger, exactly once, and back from it what others decided there
history.py     What the store says of one customer, and of a day
incoming.py    What comes back: hand-overs, outcomes and permissions, each once, in any order
migrations.py  From an older store to today's, step by step in one transaction
policies.py    Which policies hold which place: champion, shadow, former, dismissed; and at which prices the champion
               decides
schema.py      The tables of the store. The same on SQLite and on PostgreSQL
standing.py    What a decision must know of earlier ones, read by the customers it is about
store.py       The store of a service: what it is of, and how it is opened
trail.py       The audit trail: every change that somebody made, in a chain
"""

from campaignrl.service.store.access import Answer as Answer
from campaignrl.service.store.access import answers_to as answers_to
from campaignrl.service.store.access import drop_answers as drop_answers
from campaignrl.service.store.access import hash_of_body as hash_of_body
from campaignrl.service.store.access import keep_answers as keep_answers
from campaignrl.service.store.backup import back_up as back_up
from campaignrl.service.store.backup import restore as restore
from campaignrl.service.store.checkpoints import Checkpoints as Checkpoints
from campaignrl.service.store.customers import change_row as change_row
from campaignrl.service.store.customers import erased_among as erased_among
from campaignrl.service.store.customers import forget as forget
from campaignrl.service.store.customers import read_rows as read_rows
from campaignrl.service.store.customers import replace_customers as replace_customers
from campaignrl.service.store.customers import row_of as row_of
from campaignrl.service.store.customers import spellings_of as spellings_of
from campaignrl.service.store.database import Database as Database
from campaignrl.service.store.database import StoreDown as StoreDown
from campaignrl.service.store.decided import Form as Form
from campaignrl.service.store.decided import keep as keep
from campaignrl.service.store.decided import keep_shadows as keep_shadows
from campaignrl.service.store.facts import CUSTOMERS as CUSTOMERS
from campaignrl.service.store.facts import ERASED as ERASED
from campaignrl.service.store.facts import LAST_DAY as LAST_DAY
from campaignrl.service.store.facts import LESSONS as LESSONS
from campaignrl.service.store.facts import POLICIES as POLICIES
from campaignrl.service.store.facts import PRICED_BY as PRICED_BY
from campaignrl.service.store.facts import PRICES as PRICES
from campaignrl.service.store.facts import SHARED as SHARED
from campaignrl.service.store.facts import halt as halt
from campaignrl.service.store.facts import halted as halted
from campaignrl.service.store.facts import read_facts as read_facts
from campaignrl.service.store.facts import release as release
from campaignrl.service.store.facts import tell as tell
from campaignrl.service.store.flow import Flowed as Flowed
from campaignrl.service.store.flow import flow as flow
from campaignrl.service.store.flow import forget_what_flowed as forget_what_flowed
from campaignrl.service.store.history import figures_of_day as figures_of_day
from campaignrl.service.store.history import history_of_one as history_of_one
from campaignrl.service.store.history import shadow_matches as shadow_matches
from campaignrl.service.store.incoming import CONFLICT as CONFLICT
from campaignrl.service.store.incoming import HELD as HELD
from campaignrl.service.store.incoming import NEW as NEW
from campaignrl.service.store.incoming import REPEATED as REPEATED
from campaignrl.service.store.incoming import Told as Told
from campaignrl.service.store.incoming import add_handovers as add_handovers
from campaignrl.service.store.incoming import add_outcomes as add_outcomes
from campaignrl.service.store.incoming import add_permissions as add_permissions
from campaignrl.service.store.policies import CHAMPION as CHAMPION
from campaignrl.service.store.policies import FORMER as FORMER
from campaignrl.service.store.policies import SHADOW as SHADOW
from campaignrl.service.store.policies import champion as champion
from campaignrl.service.store.policies import dismiss as dismiss
from campaignrl.service.store.policies import place as place
from campaignrl.service.store.policies import places as places
from campaignrl.service.store.policies import predecessor as predecessor
from campaignrl.service.store.policies import price_at as price_at
from campaignrl.service.store.policies import priced_at as priced_at
from campaignrl.service.store.policies import take_prices as take_prices
from campaignrl.service.store.schema import metadata as metadata
from campaignrl.service.store.schema import sends as sends
from campaignrl.service.store.schema import tokens as tokens
from campaignrl.service.store.standing import standing_of as standing_of
from campaignrl.service.store.store import Store as Store
from campaignrl.service.store.trail import Entry as Entry
from campaignrl.service.store.trail import broken_trail as broken_trail
from campaignrl.service.store.trail import note as note
from campaignrl.service.store.trail import read_trail as read_trail
