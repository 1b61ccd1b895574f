"""The ledger: what was decided, handed over and came of it, over all days and processes, as Delta tables in a folder.

aliases.py      Customers who turned out to be one: earlier names of a customer, as a profile folder learned them later
chain.py        The chain over runs: shows that rows of decisions were changed, added or removed behind its back
delta_tables.py  Delta tables on disk: begun, opened, read by columns, and added to exactly once
erase_files.py  Erasure in files: a customer's rows go from lists, logs, tables and profile folders; a search proves it
erasure.py      Erasure: everything a ledger holds of one customer goes, and a keyed hash stays
folder.py       The folder: transactional tables, what they are of, appends that happen exactly once
forms.py        What a ledger keeps beside its tables: each form of its world's rules, and the prices of each plan by
                value
handovers.py    What became of sends at hand-over: which were not made, which were after all, and which went out against
                a word
incoming.py     What comes back from outside: hand-overs, outcomes and permissions, from files
kept_lines.py   Rows that a profile folder keeps for later exports: which are of a customer, by the ids they came with
log_view.py     The decision log of a ledger: every decision with the contribution that came within its outcome window
mapping.py      How an export of another tool reads as rows of ours: a TOML file that renames and translates
owners.py       Whose rows of a ledger are: its aliases, taken over and kept, and the customer of an outcome that names
                none
permissions.py  Who may be contacted by the word of a ledger: the latest counts, of two of one day the refusal
schemas.py      The tables: which columns they have
standing.py     What a run must know of earlier ones: contacts, money, sends, permissions
"""

from campaignrl.ledger.aliases import names_of as names_of
from campaignrl.ledger.aliases import renamed as renamed
from campaignrl.ledger.chain import CHAINED as CHAINED
from campaignrl.ledger.chain import Tampered as Tampered
from campaignrl.ledger.chain import sealed as sealed
from campaignrl.ledger.chain import tampered as tampered
from campaignrl.ledger.delta_tables import LedgerMoved as LedgerMoved
from campaignrl.ledger.erase_files import ErasedFile as ErasedFile
from campaignrl.ledger.erase_files import erase_in_files as erase_in_files
from campaignrl.ledger.erase_files import still_found as still_found
from campaignrl.ledger.erasure import Erased as Erased
from campaignrl.ledger.erasure import erase as erase
from campaignrl.ledger.folder import EPOCH as EPOCH
from campaignrl.ledger.folder import FACTS as FACTS
from campaignrl.ledger.folder import Ledger as Ledger
from campaignrl.ledger.forms import keep_plan as keep_plan
from campaignrl.ledger.forms import newest_plan as newest_plan
from campaignrl.ledger.handovers import handed_over as handed_over
from campaignrl.ledger.handovers import not_sent as not_sent
from campaignrl.ledger.handovers import sent_after_all as sent_after_all
from campaignrl.ledger.handovers import sent_against_a_word as sent_against_a_word
from campaignrl.ledger.incoming import Added as Added
from campaignrl.ledger.incoming import add as add
from campaignrl.ledger.incoming import checked_rows as checked_rows
from campaignrl.ledger.log_view import SUMS as SUMS
from campaignrl.ledger.log_view import customer_sums as customer_sums
from campaignrl.ledger.log_view import decided as decided
from campaignrl.ledger.log_view import decision_context as decision_context
from campaignrl.ledger.log_view import eligible_masks as eligible_masks
from campaignrl.ledger.log_view import ledger_log as ledger_log
from campaignrl.ledger.log_view import log_of_rows as log_of_rows
from campaignrl.ledger.log_view import require_whole as require_whole
from campaignrl.ledger.owners import keep_aliases as keep_aliases
from campaignrl.ledger.owners import known_as as known_as
from campaignrl.ledger.owners import with_customers as with_customers
from campaignrl.ledger.permissions import consent_on as consent_on
from campaignrl.ledger.permissions import in_order as in_order
from campaignrl.ledger.schemas import ADDRESS as ADDRESS
from campaignrl.ledger.schemas import RULE as RULE
from campaignrl.ledger.schemas import SEEN as SEEN
from campaignrl.ledger.schemas import TABLES as TABLES
from campaignrl.ledger.schemas import schema_of as schema_of
from campaignrl.ledger.standing import Past as Past
from campaignrl.ledger.standing import Standing as Standing
from campaignrl.ledger.standing import past as past
from campaignrl.ledger.standing import standing as standing
from campaignrl.ledger.standing import standing_on as standing_on
