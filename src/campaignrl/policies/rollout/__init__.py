"""`rollout`: approximate policy iteration from counterfactual rollouts, then prices found by playing whole campaigns.

acceptance.py     Who is kept in the end: a candidate that is shown to bring more than every baseline, else the best
                  shown baseline
budget_search.py  The same network at the prices of another budget, found by playing whole campaigns under it
labelling.py      Labels of one round, in pieces that depend on no thread
policy.py         `rollout`: a network of what every action brings over nothing, less prices, or the baseline that
                  was not beaten
price_search.py   Simulation-based search for prices: whole campaigns are played on fresh customers, all moves under
                  the same luck
prices.py         Prices that a send has to be worth beyond what the network says: of its channel, of its offer, of
                  any send, by time
progress_file.py  Where a training stands, in one file, so that a killed one goes on at the last finished part
trainer.py        From a world to a policy: rounds of labels and fits, prices, acceptance, and what was found on the
                  way
value_network.py  A small network that regresses what every action brings over `none` on the observation, in numpy
                  alone
"""
