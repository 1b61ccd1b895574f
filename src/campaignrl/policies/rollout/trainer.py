"""From a world to a policy: rounds of labels and fits, prices, acceptance, and what was found on the way.

Each part has customers of its own, so that nothing is judged by whom it was found on. Not here: a round's labels
(labelling.py), the fit (value_network.py), the search (price_search.py), the judgement (acceptance.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Float
from campaignrl.envs.truth import Decide, RolloutLabels, live, nothing
from campaignrl.errors import Problem, SupportError, UsageError
from campaignrl.policies.base import Tensors
from campaignrl.policies.baselines import baselines_of
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.deep import CurvePoint, RunOptions
from campaignrl.policies.rollout.acceptance import Verdict, best_of, judged
from campaignrl.policies.rollout.labelling import (
    PLAYED,
    Draws,
    held_out,
    ids_of_block,
    labelled,
    most_states,
    way_of_labelling,
    worth_of_a_send,
)
from campaignrl.policies.rollout.policy import RolloutPolicy
from campaignrl.policies.rollout.price_search import Players, improved, starts
from campaignrl.policies.rollout.prices import Prices, by_value, in_words, priced_layers, unpriced
from campaignrl.policies.rollout.progress_file import Progress
from campaignrl.policies.rollout.value_network import FitSettings, ValueNetwork, fit, held_out_fit
from campaignrl.policies.tensor_file import MAX_FILE
from campaignrl.rng import Purpose
from campaignrl.specs import World, world_hash

MARGIN = 0.02  # units that a send must be worth while states are visited: it costs nothing and saves half of the sends
MOST_BYTES = MAX_FILE * 9 // 10  # of the labels of all rounds, which are held in memory and in the checkpoint
VALUED = 4_000  # customers, at most, on whom the policy of a round is valued for the curve
ROUND, CURVE, GRID, TURN, CHOICE, FIXED, JUDGES = 0, 100, 200, 300, 400, 500, 600  # blocks of customers
FIGURES = ("states", "labels", "unit", "slope", "explained", "gain")  # of a round; gain: over nothing sent


def train_rollout(policy: RolloutPolicy, world: World, options: RunOptions) -> None:
    """Teach `policy` in `world`: it ends with the network that was accepted, or with the baseline that it did not beat.

    Raises:
        UsageError: the labels of so many customers would not fit, with how many would.
        SupportError: nobody may ever be sent anything.
    """
    with one_blas_thread():
        Training(policy, world, options).run()


class Training:
    """One training, from the first round or where a killed one stood."""

    def __init__(self, policy: RolloutPolicy, world: World, options: RunOptions) -> None:
        self.policy, self.world, self.options, self.config = policy, world, options, policy.config
        self.features, self.rounds = policy.schema, options.rounds
        self.customers = -(-options.steps // (world.horizon * self.rounds))
        self.labels = way_of_labelling(world, policy.config.labels)
        self._require_room()
        self.of = _identity(policy, world, self.customers, self.rounds)
        file = options.checkpoint
        resumed = file is not None and options.resume and file.exists()
        self.progress = Progress.load(file, self.of) if file is not None and resumed else Progress()
        self._parts = self.rounds * (self.customers + 1) + self.config.starts * self.config.turns + 3
        self._done = len(self.progress.labels) * (self.customers + 1)

    def run(self) -> None:
        """All parts that are not done yet; the policy is given what was found."""
        for turn in range(len(self.progress.labels), self.rounds):
            if not self._round(turn):
                break  # whoever watches has seen enough
        network = self.progress.network
        assert network is not None
        self._search(network)
        prices, verdict = self._judge(network)
        self.policy.curve = self.progress.curve
        self.policy.facts, self.policy.told = self._facts(prices, verdict), self._told(prices, verdict)

    def _round(self, turn: int) -> bool:
        """One round; False if whoever watches wants no more."""
        done, world, seed = self.progress, self.world, self.config.seed
        ids = ids_of_block(ROUND + turn, self.customers)
        found = labelled(
            world, self._behave(), ids, Draws(seed, turn, self.labels), self.options.threads, self._step, self.features
        )
        done.labels.append(found)
        if not sum(len(labels.gain) for labels in done.labels):
            raise SupportError(f"{world.name}: nobody may be sent anything on the days looked at; nothing to learn.")
        done.network = self._fitted(turn)
        point, gain = self._valued(turn, done.network)
        done.figures.append(self._figures(done.network, found, gain))
        done.curve.append(point)
        self._step(1)
        done.save(self.options.checkpoint, self.of)
        watch = self.options.callback
        return watch is None or watch(point) is not False

    def _behave(self) -> Decide:
        """Who meets the customers: the policy so far, who sends nothing before it has learned anything."""
        network = self.progress.network
        if network is not None:
            return by_value(self.world, network, self._margin(network), self.features)
        if any(layer.weight.any() for layer in self.policy.layers):
            catalog = self.world.catalog
            return by_value(
                self.world, unpriced(list(self.policy.layers), catalog), Prices.free(catalog), self.features
            )
        return nothing

    def _fitted(self, turn: int) -> ValueNetwork:
        config, labels = self.config, self.progress.labels
        kept = [~held_out(len(found.gain)) for found in labels]
        seen = np.concatenate([found.seen[rows] for found, rows in zip(labels, kept, strict=True)])
        gain = np.concatenate([found.gain[rows] for found, rows in zip(labels, kept, strict=True)])
        settings = FitSettings(
            config.hidden, config.epochs, config.batch_size, config.learning_rate, config.weight_decay
        )
        return fit(seen, gain, settings, rng.generator(config.seed, Purpose.LEARNING, turn))

    def _unit(self, network: ValueNetwork) -> float:
        """What a send is worth to those who are sent something, on the states of the last round, currency."""
        last = self.progress.labels[-1]
        return worth_of_a_send(network(last.seen), last.gain)

    def _margin(self, network: ValueNetwork) -> Prices:
        return Prices.free(self.world.catalog)._replace(any=MARGIN * self._unit(network))

    def _valued(self, turn: int, network: ValueNetwork) -> tuple[CurvePoint, float]:
        """Where the round's policy stands, on customers of its own."""
        ids = ids_of_block(CURVE + turn, min(VALUED, self.config.players))
        decide = by_value(self.world, network, self._margin(network), self.features)
        ours, idle = (_played(self.world, way, ids, self.config.seed) for way in (decide, nothing))
        gain = float((ours - idle).mean())
        steps = (turn + 1) * self.customers * self.world.horizon
        return CurvePoint(steps, float(ours.mean()), gain, 0.0), gain

    def _figures(self, network: ValueNetwork, found: RolloutLabels, gain: float) -> Float:
        """FIGURES of a round; slope and explained on states that the fit has not seen."""
        rows = held_out(len(found.gain))
        slope, explained = held_out_fit(network, found.seen[rows], found.gain[rows])
        labels = float((~np.isnan(found.gain[:, 1:])).sum())
        return np.array([len(found.gain), labels, self._unit(network), slope, explained, gain])

    def _search(self, network: ValueNetwork) -> None:
        """Prices from every start that is not done yet."""
        config, done, unit = self.config, self.progress, self._unit(network)
        if len(done.thetas) >= config.starts:
            return
        grid = Players(self.world, network, ids_of_block(GRID, config.players), config.seed, self.features)
        begun = starts(self.world, grid, unit, config.starts)
        self._step(1)
        for prices in begun[len(done.thetas) :]:
            for turn in range(config.turns):
                players = Players(
                    self.world, network, ids_of_block(TURN + turn, config.players), config.seed, self.features
                )
                prices = improved(self.world, players, prices, unit, turn).prices
                self._step(1)
            done.thetas.append(prices.to_array())
            done.save(self.options.checkpoint, self.of)

    def _judge(self, network: ValueNetwork) -> tuple[Prices, Verdict]:
        """The best candidate, and whether it is kept."""
        world, config, catalog = self.world, self.config, self.world.catalog
        found = {"network": Prices.free(catalog), "network, with a margin": self._margin(network)}
        for i, theta in enumerate(self.progress.thetas, start=1):
            found[f"network and prices, start {i}"] = Prices.from_array(theta, catalog)
        ways = {name: by_value(world, network, prices, self.features) for name, prices in found.items()}
        name = best_of(world, ways, customers=ids_of_block(CHOICE, config.players), seed=config.seed)
        self._step(1)
        few = max(config.players // 4, 1)
        against = baselines_of(world, customers=ids_of_block(FIXED, few), seed=config.seed)
        judges = ids_of_block(JUDGES, config.judges)
        verdict = judged(world, (name, ways[name]), against, customers=judges, seed=config.seed)
        layers = priced_layers(network, found[name], catalog, self.features)
        tensors: Tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
        tensors |= {f"bias_{i}": layer.bias for i, layer in enumerate(layers)}
        instead = None if verdict.accepted else against[verdict.kept]
        self.policy.keep(tensors, None if instead is None else {"kind": instead.kind, **instead.settings()})
        self._step(self._parts)
        return found[name], verdict

    def _facts(self, prices: Prices, verdict: Verdict) -> dict[str, Any]:
        currency, catalog = self.world.money.currency, self.world.catalog
        rounds = [dict(zip(FIGURES, map(_plain, figures), strict=True)) for figures in self.progress.figures]
        return {
            "rounds": rounds,
            "prices": in_words(prices, catalog, currency),
            **({} if self.labels == PLAYED else {"labels": self.labels}),
            "label_bytes": sum(f.seen.nbytes + f.gain.nbytes for f in self.progress.labels),
            **verdict.to_dict(),
        }

    def _told(self, prices: Prices, verdict: Verdict) -> list[str]:
        """The report for whoever waits, line by line."""
        currency = self.world.money.currency
        lines = [
            f"round {i}: {states:,.0f} states, {labels:,.0f} labels; held out: slope {slope:.2f}; "
            f"{gain:+.2f} {currency} a customer over nothing sent"
            for i, (states, labels, _, slope, _, gain) in enumerate(self.progress.figures, start=1)
        ]
        if self.labels != self.config.labels:
            lines.append(
                f"labels are {self.labels}: an effect of {self.world.name} does not say what a day does on average"
            )
        lines += in_words(prices, self.world.catalog, currency) or ["no prices: no one that was tried helped"]
        lines += [
            f"over {name}: {gain.mean:+.2f} {currency} a customer [{gain.low:+.2f}, {gain.high:+.2f}]"
            for name, gain in verdict.over.items()
        ]
        kept = f"kept: {verdict.kept}"
        return [*lines, kept if verdict.accepted else f"not shown to be better than every one of these, so {kept}"]

    def _step(self, done: int) -> None:
        self._done += done
        if self.options.progress is not None:
            self.options.progress(min(self._done, self._parts), self._parts)

    def _require_room(self) -> None:
        """The labels of all rounds at once."""
        row = 4 * (self.features.width + len(self.world.catalog)) * most_states(self.world, self.labels)
        most = MOST_BYTES // (row * self.rounds)
        if self.customers > most:
            fix = f"Its labels would take up to {row * self.customers * self.rounds / 1e6:,.0f} MB."
            raise UsageError(Problem("train", "customers", self.customers, f"at most {most:,} a round", fix))


def _played(world: World, decide: Decide, ids: Any, seed: int) -> Float:
    return live(world, decide, customers=ids, seed=seed, expects=True)["expected"]


def _plain(figure: float) -> float | None:
    return round(float(figure), 6) if math.isfinite(figure) else None


def _identity(policy: RolloutPolicy, world: World, customers: int, rounds: int) -> dict[str, Any]:
    """What must be the same for a training to go on."""
    return {
        "kind": policy.kind,
        "settings": policy.settings(),
        "world": world_hash(world),
        "catalog": world.catalog.hash,
        "features": list(policy.schema.encoded),
        "customers": customers,
        "rounds": rounds,
    }
