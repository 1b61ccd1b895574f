"""The panel by the hour: sends that queue, wait for the morning, are retried, given up or expire.

answers.py         When a customer answers: the times within the day of what `Panel.step` says happened on it
event_log.py       What the clock writes down: one row an event, and the load of each channel by the hour
queues.py          A channel as a queue: whole servers, first come first served, and nobody served in quiet hours
response_times.py  When within a day: planned sends, quiet hours, and the time of each answer
simulation.py      The panel on a clock of hours: sends queue, wait for the morning, are retried, given up or expire
"""

from campaignrl.envs.clock.simulation import Hours as Hours
from campaignrl.envs.clock.simulation import run_clock as run_clock
