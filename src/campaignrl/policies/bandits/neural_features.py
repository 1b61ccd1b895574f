"""Fitting a network to rewards, for the features in its last hidden layer (extra `rl`: torch).

Each row teaches the output of its own action alone. Outputs begin at zero, so no action has an advantage by its place
in the catalog; rows are put in order of customer and step first, so that theirs in the log does not matter. Not here:
what is done with the features (neural_linear.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.errors import MissingExtra
from campaignrl.features import FeatureSchema
from campaignrl.policies.deep import Layer
from campaignrl.policies.deep.weight_export import layers_of, torch_threads
from campaignrl.tables.log import DecisionLog

try:
    import torch
except ImportError as missing:
    raise MissingExtra("fitting a network needs torch: pip install 'campaignrl[rl]'") from missing

if TYPE_CHECKING:
    from campaignrl.policies.bandits.neural_linear import NeuralLinearConfig


def fitted_features(
    logs: Sequence[DecisionLog], schema: FeatureSchema, k: int, config: NeuralLinearConfig
) -> tuple[Layer, ...]:
    """The hidden layers of a network fitted to the matured rows of all logs."""
    X, action, reward = _rows(logs, schema, config.rows)
    scale = float(reward.std()) or 1.0
    with torch_threads(1):
        chance = torch.Generator().manual_seed(int(rng.stream(config.seed, 0, rng.Purpose.LEARNING)) % 2**63)
        hidden, head = _network(X.shape[1], k, config, chance)
        data = [torch.from_numpy(part) for part in (X, action, ((reward - reward.mean()) / scale).astype(np.float32))]
        _fit(torch.nn.Sequential(*hidden, head), data, config, chance)
        linears = [module for module in hidden if isinstance(module, torch.nn.Linear)]
        return tuple(layers_of(linears, config.hidden[-1]))


def _rows(
    logs: Sequence[DecisionLog], schema: FeatureSchema, most: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Encoded contexts, actions and rewards of at most so many matured rows, evenly spread over customers and steps."""
    matured = [np.flatnonzero(log.matured) for log in logs]
    key = np.concatenate(
        [rng.customer_keys(log.customers)[log.customer[m]] for log, m in zip(logs, matured, strict=True)]
    )
    step = np.concatenate([log.step[m] for log, m in zip(logs, matured, strict=True)])
    source = np.repeat(np.arange(len(logs)), [len(m) for m in matured])
    row = np.concatenate(matured)
    order = np.lexsort((step, key))
    chosen = order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(np.int64)]
    X = np.empty((len(chosen), schema.width), dtype=np.float32)
    action, reward = np.empty(len(chosen), dtype=np.int64), np.empty(len(chosen))
    for i, log in enumerate(logs):
        mine = source[chosen] == i
        rows = row[chosen[mine]]
        X[mine], action[mine], reward[mine] = log.context.take(rows).encode(schema), log.action[rows], log.reward[rows]
    return X, action, reward


def _network(d: int, k: int, config: NeuralLinearConfig, chance: Any) -> tuple[list[Any], Any]:
    """Hidden modules with weights drawn by `chance` (He et al. 2015), and an output layer of zeros."""
    hidden: list[Any] = []
    inputs = d
    for width in config.hidden:
        linear = torch.nn.Linear(inputs, width)
        torch.nn.init.kaiming_uniform_(linear.weight, nonlinearity=config.activation, generator=chance)
        torch.nn.init.zeros_(linear.bias)
        hidden += [linear, torch.nn.Tanh() if config.activation == "tanh" else torch.nn.ReLU()]
        inputs = width
    head = torch.nn.Linear(inputs, k)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return hidden, head


def _fit(network: Any, data: list[Any], config: NeuralLinearConfig, chance: Any) -> None:
    """Least squares on the output of each row's own action, by Adam with decoupled weight decay."""
    X, action, reward = data  # untyped: torch's own annotations are not complete
    rate, decay = config.learning_rate, config.weight_decay
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    for _ in range(config.epochs):
        order: Any = torch.randperm(len(X), generator=chance)
        for rows in order.split(config.batch):
            predicted = network(X[rows]).gather(1, action[rows, None])[:, 0]
            loss: Any = torch.nn.functional.mse_loss(predicted, reward[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
