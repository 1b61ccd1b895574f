"""Policies that see the true state.

expected_labels.py     What each allowed action is expected to bring over sending nothing, to the end of the
                       campaign: labels without luck
far_sighted_oracle.py  The far-sighted oracle: the reduced model's best action at each customer's true state, where
                       the guard allows it
greedy_oracle.py       The greedy oracle: the true expected gain of every action over `none`, from the true state,
                       and the best of them
one_day_values.py      One day of the reduced model: what a customer at each point brings today and from tomorrow
                       on, with each offer held
reduced_model.py       The reduced model backward in time: what each type is worth at each point of the lattice, and
                       each action there
reduced_state.py       The reduced state of a customer: used caps x fatigue x expected price x usable offer, and how
                       each moves in a day
stocks.py              What a unit of ad-stock, satisfaction, intent or stockpile is worth: the stocks that the
                       lattice leaves out
window_values.py       What customers bring in the days to come, after each thing that they may see today; nothing
                       else is sent
"""

from campaignrl.envs.truth.oracles.expected_labels import DAYS as DAYS
from campaignrl.envs.truth.oracles.expected_labels import can_be_expected as can_be_expected
from campaignrl.envs.truth.oracles.expected_labels import expected_labels as expected_labels
from campaignrl.envs.truth.oracles.far_sighted_oracle import FarSightedOracle as FarSightedOracle
from campaignrl.envs.truth.oracles.greedy_oracle import action_gains as action_gains
from campaignrl.envs.truth.oracles.greedy_oracle import greedy as greedy
from campaignrl.envs.truth.oracles.greedy_oracle import priced as priced
from campaignrl.envs.truth.oracles.one_day_values import Types as Types
from campaignrl.envs.truth.oracles.reduced_state import Lattice as Lattice
from campaignrl.envs.truth.oracles.reduced_state import Move as Move
from campaignrl.envs.truth.oracles.reduced_state import Size as Size
from campaignrl.envs.truth.oracles.reduced_state import fatigue_of as fatigue_of
from campaignrl.envs.truth.oracles.reduced_state import lattice as lattice
from campaignrl.envs.truth.oracles.reduced_state import stock_most as stock_most
from campaignrl.envs.truth.oracles.stocks import clicks_of as clicks_of
from campaignrl.envs.truth.oracles.stocks import intent_of_a_click as intent_of_a_click
