"""Draws of actions from scores in plain single precision, each certified by a bound of rounding or left aside.

greedy_draws.py    Actions drawn of a policy that takes the best, without its probabilities, which only a log needs
quick_outputs.py   Outputs of a network for whole blocks of rows, by whatever product is fastest, and how far they may
                   be off
rounding_bound.py  How far the outputs of a network may be from one another when rounding differs: a bound for all sums,
                   in any order
softmax_draws.py   Actions drawn from a softmax without its probabilities, which only a log needs
"""

from campaignrl.policies.certified_draws.quick_outputs import Actions as Actions
from campaignrl.policies.certified_draws.quick_outputs import QuickNetwork as QuickNetwork
from campaignrl.policies.certified_draws.rounding_bound import Activation as Activation
from campaignrl.policies.certified_draws.rounding_bound import Layer as Layer
from campaignrl.policies.certified_draws.rounding_bound import Rounded as Rounded
from campaignrl.policies.certified_draws.softmax_draws import FURTHEST as FURTHEST
from campaignrl.policies.certified_draws.softmax_draws import softmax_weights as softmax_weights
