"""One worker of the service, and who may ask it for what.

running.py    One running worker: its store, its customers and policies in memory, its line
security.py   Who may do what: tokens, of which only a hash is kept, with one of four roles
"""

from campaignrl.service.worker.running import Service as Service
from campaignrl.service.worker.security import ROLES as ROLES
from campaignrl.service.worker.security import Caller as Caller
from campaignrl.service.worker.security import list_tokens as list_tokens
from campaignrl.service.worker.security import make_token as make_token
from campaignrl.service.worker.security import revoke_token as revoke_token
