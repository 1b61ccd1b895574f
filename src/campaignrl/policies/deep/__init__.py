"""Deep reinforcement learning: taught by stable-baselines3 (extra `rl`), decided by numpy.

checkpoints.py           The whole state of a training in one file, so that an interrupted one goes on where it was
configs.py               Learners that learn by acting in a world: `ppo`, `maskable_ppo`, `dqn`, `qr_dqn`. Each ends
                         as a network in numpy
forward_pass.py          The layers of a network over batch after batch of one size, in arrays that are used again
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
warm_start.py            A deep learner that begins from a network that decides already, and ends at least as good, or
                         as that network
weight_export.py         Torch's weights as numpy arrays and back: of a network that decides, and of a whole
                         training
"""

from campaignrl.policies.certified_draws import Activation as Activation
from campaignrl.policies.certified_draws import Layer as Layer
from campaignrl.policies.deep.checkpoints import Checkpoint as Checkpoint
from campaignrl.policies.deep.checkpoints import load_checkpoint as load_checkpoint
from campaignrl.policies.deep.checkpoints import save_checkpoint as save_checkpoint
from campaignrl.policies.deep.numpy_network import NetworkConfig as NetworkConfig
from campaignrl.policies.deep.numpy_network import NetworkPolicy as NetworkPolicy
from campaignrl.policies.deep.numpy_network import Width as Width
from campaignrl.policies.deep.numpy_network import forward as forward
from campaignrl.policies.deep.numpy_network import hidden_outputs as hidden_outputs
from campaignrl.policies.deep.numpy_network import layer_sizes as layer_sizes
from campaignrl.policies.deep.recurrent_state import Memory as Memory
from campaignrl.policies.deep.recurrent_state import Recurrent as Recurrent
from campaignrl.policies.deep.recurrent_state import answers_on as answers_on
from campaignrl.policies.deep.recurrent_state import ask as ask
from campaignrl.policies.deep.recurrent_state import gaps_in as gaps_in
from campaignrl.policies.deep.recurrent_state import is_recurrent as is_recurrent
from campaignrl.policies.deep.recurrent_state import memory_for as memory_for
from campaignrl.policies.deep.recurrent_state import require_memory as require_memory
from campaignrl.policies.deep.recurrent_state import states_on as states_on
from campaignrl.policies.deep.recurrent_state_file import KEY as KEY
from campaignrl.policies.deep.recurrent_state_file import forget as forget
from campaignrl.policies.deep.recurrent_state_file import memory_writer as memory_writer
from campaignrl.policies.deep.recurrent_state_file import open_memory as open_memory
from campaignrl.policies.deep.recurrent_state_file import save_memory as save_memory
from campaignrl.policies.deep.run_options import CurvePoint as CurvePoint
from campaignrl.policies.deep.run_options import RunOptions as RunOptions
from campaignrl.policies.deep.run_options import TrainingCallback as TrainingCallback
from campaignrl.policies.deep.run_options import WorldLearner as WorldLearner
from campaignrl.policies.deep.run_options import thinned as thinned
from campaignrl.policies.deep.training_env import TrainingVectorEnv as TrainingVectorEnv
from campaignrl.policies.deep.warm_start import Ended as Ended
from campaignrl.policies.deep.warm_start import kept_in_the_end as kept_in_the_end
from campaignrl.policies.deep.warm_start import warm_started as warm_started
