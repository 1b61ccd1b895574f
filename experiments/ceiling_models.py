"""Two families of models for the observable ceiling: a network, and boosted trees; and prices found by playing.

Each is fitted to labels of counterfactual rollouts, of what every action brings over nothing at an observed state.
"""

import itertools
from functools import partial

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor

from campaignrl.envs.truth import live

MARGINS = (0.0, 0.03, 0.12, 0.5, 2.0)  # of any send, in units


def network(seen, gain, seed: int = 0, hidden: int = 128, epochs: int = 12, batch: int = 2048, rate: float = 2e-3):
    """An MLP on all actions at once; each action's mean is taken out first, one scale for all. -> rows to (m, k)."""
    known = ~np.isnan(gain)
    known[:, 0] = False
    mean = np.array([gain[known[:, a], a].mean() if known[:, a].any() else 0.0 for a in range(gain.shape[1])])
    scale = float((gain - mean)[known].std()) or 1.0
    x, mask = torch.from_numpy(seen), torch.from_numpy(known.astype(np.float32))
    y = torch.from_numpy(np.where(known, (gain - mean) / scale, 0.0).astype(np.float32))
    torch.manual_seed(seed)
    sizes = [x.shape[1], hidden, hidden, y.shape[1]]
    first, second, third = (torch.nn.Linear(i, o) for i, o in itertools.pairwise(sizes))
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), third)
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, epochs * -(-len(x) // batch), pct_start=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            loss = ((model(x[rows]) - y[rows]) ** 2 * mask[rows]).sum() / mask[rows].sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    def value(rows):
        with torch.no_grad():
            found = model(torch.from_numpy(rows)).numpy() * scale + mean
        found[:, 0] = 0.0
        return found

    return value


def trees(seen, gain, seed: int = 0):
    """Gradient boosting, one model an action. -> rows to (m, k)."""
    fit = partial(
        HistGradientBoostingRegressor, max_iter=80, max_leaf_nodes=24, min_samples_leaf=100, random_state=seed
    )
    known = ~np.isnan(gain)
    models = {
        a: fit().fit(seen[known[:, a]], gain[known[:, a], a]) for a in range(1, gain.shape[1]) if known[:, a].any()
    }

    def value(rows):
        found = np.full((len(rows), gain.shape[1]), -np.inf)
        found[:, 0] = 0.0
        for a, model in models.items():
            found[:, a] = model.predict(rows)
        return found

    return value


FAMILIES = {"network": network, "trees": trees}


def by_value(world, value, price):
    """Decide by value less a price: (k + 1,), of each action at the start, and the share that falls to the end."""

    def decide(panel):
        context = panel.observe()
        may = panel.allowed(context)
        rows, action = np.flatnonzero(may.sum(axis=1) > 1), np.zeros(len(panel), np.int16)
        if len(rows):
            worth = value(context.take(rows).encode(world.features)) - price[:-1] * (
                1 - price[-1] * panel.day / world.horizon
            )
            action[rows] = np.where(may[rows], worth, -np.inf).argmax(axis=1)
        return action

    return decide


def prices(world, value, unit: float, players: int, first: int, rounds: int):
    """Of any send, each channel, each offer and their fall, found by playing whole campaigns on fresh customers.

    A step is kept where it gains more than one standard error. rounds: of the search after the grid of MARGINS.
    """
    catalog, c, o = world.catalog, len(world.channels), len(world.offers)

    def spread(theta):
        each = theta[catalog.channel_of] + theta[c + catalog.offer_of] + theta[c + o]
        return np.append(np.where(np.arange(len(catalog)) > 0, each, 0.0), theta[-1])

    def earned(theta, ids, seed):
        return live(world, by_value(world, value, spread(theta)), customers=ids, seed=seed, expects=True)["expected"]

    def moved(theta, i, by):
        return theta + by * (np.arange(len(theta)) == i)

    ids = np.arange(first, first + players)
    grid = [moved(np.zeros(c + o + 2), c + o, m * unit) for m in MARGINS]
    theta = max(grid, key=lambda t: earned(t, ids, 900).mean())
    for turn, step in zip(range(rounds), (0.5, 0.25, 0.12), strict=False):
        ids = ids + players
        now = earned(theta, ids, 901 + turn)
        for i in range(len(theta)):
            for sign in (1.0, -1.0):
                by, better = (0.3 if i == c + o + 1 else step * unit) * sign, False
                for _ in range(5):
                    tried = moved(theta, i, by)
                    then = earned(tried, ids, 901 + turn)
                    if (then - now).mean() <= (then - now).std() / np.sqrt(players):
                        break
                    theta, now, by, better = tried, then, by * 1.6, True
                if better:
                    break
    return spread(theta)
