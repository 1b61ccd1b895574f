"""What only the simulator knows: what a send truly brought, and the best that could be had.

twins.py     the same customers with the same luck and other sends: incremental value, cannibalised discounts
greedy_oracle.py    the greedy oracle: the true expected gain of every action over its outcome window
reduced_state.py   the reduced state: usable offer x expected price x fatigue x used caps
one_day_values.py    one day of the reduced model: orders, offers used, drop-out, from tomorrow's values
stocks.py    what the stocks outside the lattice are worth to a plan
reduced_model.py   the reduced model, backward in time: values and action values
far_sighted_oracle.py   a far-sighted policy that reads the reduced model's action values at the true state
expected_reward.py  a day's contribution in expectation: the same means from fewer customers
eligible_offers.py  which offers can be open to a customer on a day, whatever is sent
piecewise_linear_bounds.py  lines above curves, between the points of a lattice
linear_stocks.py  intent, ad-stock and satisfaction below straight lines
optimistic_model.py  the optimistic model, backward in time: at least what any policy earns from each customer
offer_validity.py      which offer the optimistic model's customer holds, in blocks of days
optimistic_tables.py  its chances and money at the points
shadow_prices.py      prices of a budget and of scarce sends
upper_bound.py     an upper bound on every policy's value, also under a budget or capacity; regret

Whoever decides here sees the true state, so it is a function of the panel (`Decide`) and not a policy. Not here:
policies run on the same customers (simulate.py), intervals (true_value.py).
"""
