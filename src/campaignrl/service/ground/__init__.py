"""What every part of the service stands on.

metrics.py       What `/metrics` shows, for Prometheus: counts, times and states of one worker
problems.py      Answers that something is wrong, as problem JSON (RFC 9457), and the exceptions that become them
settings.py      What a running service is told at its start; nothing here changes while it runs
strict_json.py   JSON as it comes from outside: one object, no key twice, no NaN, no depth that breaks a parser
"""

from campaignrl.service.ground.metrics import Metrics as Metrics
from campaignrl.service.ground.problems import MEDIA as MEDIA
from campaignrl.service.ground.problems import Refused as Refused
from campaignrl.service.ground.problems import problem as problem
from campaignrl.service.ground.settings import Settings as Settings
from campaignrl.service.ground.strict_json import read_json as read_json
