"""Policies: context and mask in, an exact probability for every action out.

base.py              What a policy is: context and eligibility mask in, an exact probability for every action out
baselines.py         What every policy is held against: sending nothing, business as usual, the best fixed action
blas_threads.py      One BLAS thread for small matrices
bundle.py            A policy in one file, NAME.bundle: what it is, what it may see, what it has learned. Nothing in
                     it is ever run
choice.py            From scores or a chosen action to exact probabilities over what is allowed
chunks.py            Calling in chunks of one shape: of arrays, of contexts, of contexts encoded in blocks
content_hash.py      What a policy is, as a hash of its content: its kind, its settings, its learned numbers
learner_settings.py  What learners share: settings, and the rows of a decision log that may teach, in blocks, with
                     their weights
loading.py           Building a policy from its name, its spec or its file
priced.py            A policy at the prices of a plan: each customer by itself takes what gains most over the price of
                     what is scarce
registry.py          Which kinds of policy exist. The table is literal: no spec and no bundle ever decides what is
                     imported
row_products.py      Products of rows with a matrix in which a row's result never depends on its place in the batch
split.py             Several policies at once, each with its own customers: a share of them by a stable hash
standing.py          How a policy stands against sending nothing, business as usual and the best fixed action: the
                     record in its bundle
tensor_file.py       Tensors and a few texts in one file, in the safetensors format: a length, a JSON header, raw
                     numbers
bandits/             Bandits: learners that explore, exact in their probabilities
certified_draws/     Draws of actions from scores in plain single precision, each certified by a bound of rounding or
                     left aside
deep/                Deep reinforcement learning: taught by stable-baselines3 (extra `rl`), decided by numpy
fixed/               Policies that learn nothing
linear_model/        Bayesian linear regression that all actions share
offline/             Learners from finished logs
rollout/             `rollout`: approximate policy iteration from counterfactual rollouts, then prices found by playing
                     whole campaigns
selection/           `dr_select`: of several classes of policy the one that a log shows to be worth most, or whoever
                     wrote the log
"""

from campaignrl.policies.base import Learner as Learner
from campaignrl.policies.base import Policy as Policy
from campaignrl.policies.base import Shown as Shown
from campaignrl.policies.base import certain_action as certain_action
from campaignrl.policies.base import drawn_action as drawn_action
from campaignrl.policies.base import sample as sample
from campaignrl.policies.base import stated_gains as stated_gains
from campaignrl.policies.base import weighs_rewards as weighs_rewards
from campaignrl.policies.baselines import FIXED as FIXED
from campaignrl.policies.baselines import NOTHING as NOTHING
from campaignrl.policies.baselines import USUAL as USUAL
from campaignrl.policies.baselines import baselines_of as baselines_of
from campaignrl.policies.baselines import business_as_usual as business_as_usual
from campaignrl.policies.blas_threads import keep_one_blas_thread as keep_one_blas_thread
from campaignrl.policies.blas_threads import on_one_blas_thread as on_one_blas_thread
from campaignrl.policies.blas_threads import one_blas_thread as one_blas_thread
from campaignrl.policies.bundle import forget_in_bundle as forget_in_bundle
from campaignrl.policies.bundle import read_manifest as read_manifest
from campaignrl.policies.bundle import save_bundle as save_bundle
from campaignrl.policies.choice import allowed_counts as allowed_counts
from campaignrl.policies.choice import are_sound as are_sound
from campaignrl.policies.choice import certainly as certainly
from campaignrl.policies.choice import unsound_rows as unsound_rows
from campaignrl.policies.chunks import in_chunks as in_chunks
from campaignrl.policies.content_hash import policy_hash as policy_hash
from campaignrl.policies.loading import ALWAYS as ALWAYS
from campaignrl.policies.loading import PolicyReference as PolicyReference
from campaignrl.policies.loading import build_policy as build_policy
from campaignrl.policies.loading import copy_of as copy_of
from campaignrl.policies.loading import exploring as exploring
from campaignrl.policies.loading import is_trained as is_trained
from campaignrl.policies.loading import load_policy as load_policy
from campaignrl.policies.loading import require_trained as require_trained
from campaignrl.policies.loading import save_policy as save_policy
from campaignrl.policies.priced import Priced as Priced
from campaignrl.policies.registry import KINDS as KINDS
from campaignrl.policies.registry import kinds as kinds
from campaignrl.policies.registry import policy_class as policy_class
from campaignrl.policies.registry import register_policy as register_policy
from campaignrl.policies.split import Split as Split
from campaignrl.policies.split import arm_numbers as arm_numbers
from campaignrl.policies.split import parts_of as parts_of
from campaignrl.policies.standing import ALPHA as ALPHA
from campaignrl.policies.standing import PROOF as PROOF
from campaignrl.policies.standing import Gain as Gain
from campaignrl.policies.standing import Standing as Standing
from campaignrl.policies.standing import doubts_of as doubts_of
from campaignrl.policies.standing import paired_gain as paired_gain
from campaignrl.policies.standing import skipped as skipped
from campaignrl.policies.tensor_file import foreign_name as foreign_name
