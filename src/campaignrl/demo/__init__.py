"""The main job end to end on a bundled world: what a newcomer runs first, and an example of how the pieces join.

run.py      All of it in order: a shop's exports, a world calibrated on them, a policy taught and proven there, three
            mornings, and what the simulator knows of the policy
shop.py     A shop that is simulated: its exports, and what its customers answer to the lists that are released
verdict.py  What the simulator knows of policies, beside what a log says of them, and the report
"""

from campaignrl.demo.run import Demo as Demo
from campaignrl.demo.run import Morning as Morning
from campaignrl.demo.run import run_demo as run_demo
from campaignrl.demo.verdict import Row as Row
from campaignrl.demo.verdict import title as title
from campaignrl.demo.verdict import usual_policy as usual_policy
