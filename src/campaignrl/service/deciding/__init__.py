"""Deciding: requests come together in rounds, each one transaction; guard, policy and limits are those of `decide`.

answers.py     What is answered: decisions as JSON, and their rows for the store
json_columns.py Rows as JSON, written column by column: the texts that orjson would write of each row, in less time
customers.py   The customers in memory: the checked table, whom a request is about, what a request adds
parties.py     Who decides: champion, fallback and shadows, loaded and checked before they may
rounds.py      One round: everything that waits, decided in one transaction
queue.py       The line of requests: one thread that takes all who wait into the next round
wishes.py      What is asked for, and what is given
windows.py     How far back the rules and features of a world look
"""

from campaignrl.service.deciding.customers import LONGEST_ID as LONGEST_ID
from campaignrl.service.deciding.customers import Customers as Customers
from campaignrl.service.deciding.customers import as_customers as as_customers
from campaignrl.service.deciding.customers import load_customers as load_customers
from campaignrl.service.deciding.parties import Parties as Parties
from campaignrl.service.deciding.parties import Party as Party
from campaignrl.service.deciding.parties import load_party as load_party
from campaignrl.service.deciding.parties import try_party as try_party
from campaignrl.service.deciding.queue import Change as Change
from campaignrl.service.deciding.queue import Line as Line
from campaignrl.service.deciding.rounds import Decider as Decider
from campaignrl.service.deciding.wishes import Given as Given
from campaignrl.service.deciding.wishes import Wish as Wish
