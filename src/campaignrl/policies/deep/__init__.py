"""Deep reinforcement learning: taught by stable-baselines3 (extra `rl`), decided by numpy.

checkpoints.py           The whole state of a training in one file, so that an interrupted one goes on where it was
configs.py               Learners that learn by acting in a world: `ppo`, `maskable_ppo`, `dqn`, `qr_dqn`. Each ends
                         as a network in numpy
numpy_network.py         `network`: a small neural network run in numpy, whose answer is an exact probability for
                         every action
recurrent_ppo.py         `recurrent_ppo`: a network that reads, beside today's row, what it remembers of the
                         customer's days before
recurrent_state.py       What a policy remembers of customers from one day to the next
recurrent_state_file.py  What a recurrent policy remembers, in a file between one day's run and the next
run_options.py           What a learner is told when it learns in a world step by step, and what it tells back
sb3_models.py            The algorithms of stable-baselines3 and sb3-contrib (extra `rl`), set up for thousands of
                         customers at once
trainer.py               Training networks in a world with stable-baselines3 and sb3-contrib (extra `rl`): from a
                         learner to its weights
training_env.py          The environment that deep learners learn in: a world's customers, with rewards made fit to
                         learn from
weight_export.py         Torch's weights as numpy arrays and back: of a network that decides, and of a whole
                         training
"""
