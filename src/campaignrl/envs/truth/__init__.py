"""What only the simulator knows: what a send truly brought, and the best that could be had.

followed_effects.py  Which effects the reduced models follow: the far-sighted oracle and the upper bound
rollout_labels.py    What each allowed action would bring over sending nothing, to the end of the campaign: labels
                     by paired rollouts
shadow_prices.py     Prices of what ties customers together: money of a budget, sends of a channel with a capacity
twins.py             Counterfactual twins: the same customers with the same luck, under two ways of deciding
bounds/              An upper bound on the value of every policy
oracles/             Policies that see the true state
"""

from campaignrl.envs.truth.rollout_labels import RolloutLabels as RolloutLabels
from campaignrl.envs.truth.rollout_labels import rollout_labels as rollout_labels
from campaignrl.envs.truth.shadow_prices import ShadowPrices as ShadowPrices
from campaignrl.envs.truth.twins import Decide as Decide
from campaignrl.envs.truth.twins import Life as Life
from campaignrl.envs.truth.twins import Twins as Twins
from campaignrl.envs.truth.twins import always as always
from campaignrl.envs.truth.twins import live as live
from campaignrl.envs.truth.twins import nothing as nothing
