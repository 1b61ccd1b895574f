"""The panel by the hour: sends that queue, wait for the morning, are retried, given up or expire.

event_log.py       What the clock writes down: one row an event, and the load of each channel by the hour
face.py            The clock as a gymnasium environment: decide at an hour, for whoever is due
queues.py          A channel as a queue: whole servers, first come first served, and nobody served in quiet hours
response_times.py  When within a day: planned sends, and the time of each response of a customer
simulation.py      The panel on a clock of hours: sends queue, wait for the morning, are retried, given up or expire
"""

from campaignrl.envs.clock.face import ClockEnv as ClockEnv
from campaignrl.envs.clock.face import ClockVectorEnv as ClockVectorEnv
from campaignrl.envs.clock.queues import Job as Job
from campaignrl.envs.clock.queues import Queue as Queue
from campaignrl.envs.clock.queues import mean_wait as mean_wait
from campaignrl.envs.clock.simulation import Hours as Hours
from campaignrl.envs.clock.simulation import run_clock as run_clock
