"""A world that answers, as the rows that a ledger would hold: days of decisions and what came of them; and faults."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from campaignrl.choices import decide_day
from campaignrl.effects import season_factors
from campaignrl.envs import Panel
from campaignrl.ledger import SEEN
from campaignrl.monitor import Window
from campaignrl.monitor.reading import BASE_DAYS, FRESH_DAYS
from campaignrl.policies import load_policy
from campaignrl.specs import load_world

START = 20_000  # day of the first decision, since 1970-01-01


@dataclass
class Answers:
    """Rows of all days: decisions, outcomes."""

    decisions: pd.DataFrame
    outcomes: pd.DataFrame
    calendar: np.ndarray

    def window(self, today):
        """What a monitor reads on a morning, `today` days after the first."""
        day = START + today
        first = day - BASE_DAYS - FRESH_DAYS
        parts = [frame[(frame["day"] >= first) & (frame["day"] < day)] for frame in (self.decisions, self.outcomes)]
        refusals = pd.DataFrame({"customer_id": [], "channel": [], "day": [], "source": []})
        models = self.decisions.groupby("policy_hash")["day"].min().to_dict()
        decisions, outcomes = (part.reset_index(drop=True) for part in parts)
        return Window(day, decisions, outcomes, refusals, frozenset(), models, self.calendar, START)

    def without(self, lost):
        """The same with outcomes lost: those of which `lost` (n,) is true."""
        return replace(self, outcomes=self.outcomes[~lost].reset_index(drop=True))


def played(customers, days, seed, world_name="ecommerce", policy="rules", **changes):
    """A world played for some days under a policy."""
    world = load_world(world_name, horizon=days + 1, **changes)
    player = load_policy(policy, world)
    panel = Panel(world, np.arange(customers), seed)
    ids = np.array([f"c{i:06d}" for i in panel.ids], dtype=object)
    channel_of = np.array([c.name for c in world.catalog.channels], dtype=object)[world.catalog.channel_of]
    channel_of[0] = ""
    decisions, outcomes = [], []
    for k in range(days):
        choice = decide_day(panel, player)
        outcome = panel.step(choice.action)
        decisions.append(_decided(choice, ids, channel_of, k))
        outcomes += _came(outcome, ids, channel_of[choice.action], k, world)
    came = pd.concat(outcomes, ignore_index=True)
    return Answers(pd.concat(decisions, ignore_index=True), came, season_factors(world.season, days))


def _decided(choice, ids, channel_of, k):
    seen = {
        SEEN + f.name: choice.context.labels(f.name) if f.levels else choice.context.columns[f.name]
        for f in choice.context.schema.features
    }
    masks = choice.allowed
    return pd.DataFrame(
        {
            "day": START + k,
            "decision_id": [f"{k}-{one}" for one in ids],
            "customer_id": ids,
            "action": choice.action,
            "channel": channel_of[choice.action],
            "eligible": [np.flatnonzero(row) for row in masks],
            "propensity": choice.propensity,
            "propensity_before": choice.propensity,
            "reason": "best of those allowed",
            "blocked": np.where(masks.all(axis=1), "", "a rule"),
            "policy_id": "rules",
            "policy_hash": "a" * 16,
            **seen,
        }
    )


def _came(outcome, ids, channel, k, world):
    for kind, hit in (
        ("open", outcome.opened),
        ("click", outcome.clicked),
        ("unsubscribe", outcome.unsubscribed),
        ("order", outcome.bought),
    ):
        rows = np.flatnonzero(hit)
        margin = (outcome.margin - outcome.discount)[rows] * world.money.minor_per_unit if kind == "order" else 0.0
        where = "" if kind == "order" else channel[rows]
        frame = {"day": START + k, "customer_id": ids[rows], "kind": kind, "channel": where, "margin": margin}
        yield pd.DataFrame(frame)


def lost_half(answers, day, seed=0):
    """Outcomes of a day and later, every second lost by chance."""
    chance = np.random.default_rng(seed).random(len(answers.outcomes))
    return answers.without(((answers.outcomes["day"] >= START + day) & (chance < 0.5)).to_numpy())


def dead_channel(answers, channel, day):
    """A channel on which nothing arrives from a day on, though sends are made."""
    gone = (answers.outcomes["day"] >= START + day) & (answers.outcomes["channel"] == channel)
    return answers.without(gone.to_numpy())
