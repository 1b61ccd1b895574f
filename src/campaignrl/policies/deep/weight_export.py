"""Torch's weights as numpy arrays and back: of a network that decides, and of a whole training.

Not here: what the arrays are for (numpy_network.py, checkpoints.py), training (trainer.py, neural.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.errors import ArtifactError, MissingExtra, Problem
from campaignrl.policies.base import Tensors
from campaignrl.policies.certified_draws import Layer
from campaignrl.policies.deep.recurrent_ppo import BIAS, WEIGHT

try:
    import torch
except ImportError as missing:
    raise MissingExtra("training a network needs torch: pip install 'campaignrl[rl]'") from missing

NETWORK, OPTIMISER = "network/", "optimiser/"


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many torch threads inside: on matrices this small more of them lose, and on a busy machine by ten times."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def layers_of(linears: Sequence[Any], k: int) -> list[Layer]:
    """Affine layers as arrays; a last one of several outputs an action (quantiles, k apart) becomes their mean."""
    layers = [Layer(np.ascontiguousarray(_array(linear.weight).T), _array(linear.bias)) for linear in linears]
    weight, bias = layers[-1]
    if len(bias) > k:  # the mean of affine functions is one of them
        layers[-1] = Layer(weight.reshape(len(weight), -1, k).mean(axis=1), bias.reshape(-1, k).mean(axis=0))
    return layers


def tensors_of(policy: Any, k: int) -> Tensors:
    """The network that decides in a policy of stable-baselines3, by the names that ours has for its parts."""
    layers = layers_of(_linears(policy), k)
    tensors: Tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
    tensors |= {f"bias_{i}": layer.bias for i, layer in enumerate(layers)}
    if hasattr(policy, "lstm_actor"):
        lstm = policy.lstm_actor
        tensors[WEIGHT] = np.concatenate([_array(lstm.weight_ih_l0).T, _array(lstm.weight_hh_l0).T])
        tensors[BIAS] = _array(lstm.bias_ih_l0) + _array(lstm.bias_hh_l0)
    return tensors


def put_network(tensors: Tensors, policy: Any) -> None:
    """Let the network that decides begin from arrays; where a last layer has several outputs an action, alike."""
    with torch.no_grad():
        for i, linear in enumerate(_linears(policy)):
            weight, bias = tensors[f"weight_{i}"], tensors[f"bias_{i}"]
            times = linear.out_features // weight.shape[1]
            linear.weight.copy_(_tensor(np.tile(weight.T, (times, 1))))
            linear.bias.copy_(_tensor(np.tile(bias, times)))
        if hasattr(policy, "lstm_actor"):
            lstm, inputs = policy.lstm_actor, policy.lstm_actor.input_size
            lstm.weight_ih_l0.copy_(_tensor(tensors[WEIGHT][:inputs].T))
            lstm.weight_hh_l0.copy_(_tensor(tensors[WEIGHT][inputs:].T))
            lstm.bias_ih_l0.copy_(_tensor(tensors[BIAS]))
            lstm.bias_hh_l0.zero_()


def _linears(policy: Any) -> list[Any]:
    """The affine layers of the network that decides, in order; after the memory, where there is one."""
    if hasattr(policy, "action_net"):
        modules = [*policy.mlp_extractor.policy_net, policy.action_net]
    else:
        modules = policy.q_net.q_net if hasattr(policy, "q_net") else policy.quantile_net.quantile_net
    return [module for module in modules if isinstance(module, torch.nn.Linear)]


def state_of(policy: Any) -> Tensors:
    """All weights of a torch module that has an `optimizer`, and the optimiser's sums."""
    tensors: Tensors = {f"{NETWORK}{name}": _array(tensor) for name, tensor in policy.state_dict().items()}
    for i, sums in policy.optimizer.state_dict()["state"].items():
        tensors |= {f"{OPTIMISER}{i}/{name}": _array(value) for name, value in sums.items()}
    return tensors


def restore_state(policy: Any, tensors: Tensors, where: str) -> None:
    """Take back what `state_of` gave; tensors of another network are an ArtifactError."""
    network = {name.removeprefix(NETWORK): a for name, a in tensors.items() if name.startswith(NETWORK)}
    sums: dict[int, dict[str, torch.Tensor]] = {}
    for name in tensors:
        if name.startswith(OPTIMISER):
            index, _, which = name.removeprefix(OPTIMISER).partition("/")
            sums.setdefault(int(index), {})[which] = _tensor(tensors[name])
    own = policy.state_dict()
    if {name: array.shape for name, array in network.items()} != {name: tuple(t.shape) for name, t in own.items()}:
        raise ArtifactError(Problem(where, "network", sorted(network), "the network of these settings"))
    policy.load_state_dict({name: _tensor(array) for name, array in network.items()})
    groups = policy.optimizer.state_dict()["param_groups"]
    policy.optimizer.load_state_dict({"state": sums, "param_groups": groups})


def _array(tensor: Any) -> npt.NDArray[np.float32]:
    return np.array(tensor.detach().numpy(), dtype=np.float32)


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
