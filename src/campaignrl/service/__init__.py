"""The decision service: one answer in milliseconds, with the guard, the policies and the ledger of `decide`.

app.py           The front door: `create_app` makes the application of one worker
gate.py          What every request passes before any route: its size, its speed, its type, its share
metrics.py       What `/metrics` shows, for Prometheus
problems.py      Answers that something is wrong, as problem JSON (RFC 9457)
running.py       One running worker: its store, its customers and policies in memory, its line
security.py      Who may do what: tokens, of which only a hash is kept, with one of four roles
settings.py      What a running service is told at its start
strict_json.py   JSON as it comes from outside: one object, no key twice, no NaN, no depth that breaks a parser
api/             The routes
console/         The console: pages at `/` of the service, for people
deciding/        Requests come together in rounds, each one transaction
store/           SQLite or PostgreSQL by the same code, one writer at a time, every answer on the disk first
"""

from campaignrl.service.app import create_app as create_app
from campaignrl.service.running import Service as Service
from campaignrl.service.security import ROLES as ROLES
from campaignrl.service.security import Caller as Caller
from campaignrl.service.security import list_tokens as list_tokens
from campaignrl.service.security import make_token as make_token
from campaignrl.service.security import revoke_token as revoke_token
from campaignrl.service.settings import Settings as Settings
