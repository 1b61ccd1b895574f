"""What the estimators read: target policies and trajectories.

asked_ahead.py    What a policy would do on a log's rows, asked for more of them at once than are looked at
blocks.py         Rows of a log in blocks that fit the cache
log_sample.py     Some rows of a log, spread evenly over it, that checks look at: as good as all of them, at a cost that
                  is bounded
row_order.py      Rows in the order of a column, equal ones as they stand: what a stable sort gives, at a third of
                  its cost
states.py         The state of a customer at each decision, as models of whole episodes see it
target_policy.py  What a policy would do on a log's rows: its probabilities, block by block, checked
trajectories.py   A decision log as trajectories: one customer's decisions in order of their step, aligned in (N, T)
                  arrays
"""

from campaignrl.ope.data.log_sample import LogSample as LogSample
from campaignrl.ope.data.log_sample import Noted as Noted
from campaignrl.ope.data.log_sample import joined_samples as joined_samples
from campaignrl.ope.data.log_sample import noted as noted
from campaignrl.ope.data.log_sample import sampled as sampled
from campaignrl.ope.data.log_sample import sampled_of_kept as sampled_of_kept
from campaignrl.ope.data.row_order import ascending as ascending
from campaignrl.ope.data.target_policy import LOGGED as LOGGED
from campaignrl.ope.data.target_policy import TABLES as TABLES
from campaignrl.ope.data.target_policy import PolicyLike as PolicyLike
from campaignrl.ope.data.target_policy import TargetPolicy as TargetPolicy
from campaignrl.ope.data.target_policy import policy_of_rows as policy_of_rows
from campaignrl.ope.data.target_policy import target_policy_of as target_policy_of
from campaignrl.ope.data.trajectories import ENDED as ENDED
from campaignrl.ope.data.trajectories import Trajectories as Trajectories
from campaignrl.ope.data.trajectories import known_steps as known_steps
from campaignrl.ope.data.trajectories import next_rows as next_rows
from campaignrl.ope.data.trajectories import why_not_additive as why_not_additive
