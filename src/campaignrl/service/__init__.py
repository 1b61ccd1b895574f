"""The decision service: one answer in milliseconds, with the guard, the policies and the ledger of `decide`.

app.py           The front door: `create_app` makes the application of one worker
gate.py          What every request passes before any route: its size, its speed, its type, its share
learning.py      Learning beside deciding: a candidate from what came back, proven, promoted by rule
serving.py       Serving on a socket: one process or several over one store, and a quiet end
api/             The routes
console/         The console: pages at `/` of the service, for people
deciding/        Requests come together in rounds, each one transaction
ground/          What every part of the service stands on
store/           SQLite or PostgreSQL by the same code, one writer at a time, every answer on the disk first
worker/          One worker, and who may ask it for what
"""

from campaignrl.service.app import create_app as create_app
from campaignrl.service.ground import Settings as Settings
from campaignrl.service.learning import Learned as Learned
from campaignrl.service.learning import learn_once as learn_once
from campaignrl.service.serving import listen as listen
from campaignrl.service.serving import serve as serve
from campaignrl.service.store import Store as Store
from campaignrl.service.store import StoreDown as StoreDown
from campaignrl.service.store import back_up as back_up
from campaignrl.service.store import broken_trail as broken_trail
from campaignrl.service.store import drop_answers as drop_answers
from campaignrl.service.store import flow as flow
from campaignrl.service.store import forget_what_flowed as forget_what_flowed
from campaignrl.service.store import note as note
from campaignrl.service.store import price_at as price_at
from campaignrl.service.store import priced_at as priced_at
from campaignrl.service.store import read_trail as read_trail
from campaignrl.service.store import restore as restore
from campaignrl.service.worker import ROLES as ROLES
from campaignrl.service.worker import Caller as Caller
from campaignrl.service.worker import Service as Service
from campaignrl.service.worker import list_tokens as list_tokens
from campaignrl.service.worker import make_token as make_token
from campaignrl.service.worker import revoke_token as revoke_token
