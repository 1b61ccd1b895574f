"""What `campaign.toml` may say, key by key, with units and what holds where nothing is said.

Not here: the file itself (campaign_file.py), the meaning of the exports' columns (profiles/intake/mapping.py).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from campaignrl.specs import Spec


class Data(Spec):
    """Exports of shop and tools.

    margin: share of an order's amount that is earned, before any offer's cost. max_age_days: nobody is sent anything
    on data whose newest event is older.
    """

    exports: str = "exports"
    tags: str = "shop"
    never_contacted: bool = False
    max_age_days: Annotated[int, Field(ge=1)] = 14
    margin: Annotated[float, Field(gt=0, le=1)] = 0.3


class Answers(Spec):
    """What came back from sending: a folder, and mapping files where columns have other names."""

    folder: str = "answers"
    handovers: str | None = None
    outcomes: str | None = None
    permissions: str | None = None


class Policies(Spec):
    """Who decides. explore: share of uniform mixed into whoever decides, so that the log can teach."""

    champion: str
    challengers: tuple[str, ...] = ()
    explore: Annotated[float, Field(ge=0, le=1)] = 0.05


class Proof(Spec):
    """How large a trial is."""

    customers: Annotated[int, Field(ge=200)] = 4_000
    seed: int = 0


class Sends(Spec):
    """How a list goes out. budget: money of a day, in the world's currency; capacity: sends of a day by channel.

    allocate: who is served where that is too little for all: by lot, or by value, those to whom it brings most, but for
    the share `[policies] explore`, who draw among all that is allowed.
    """

    at: str | None = None
    budget: Annotated[float, Field(ge=0)] | None = None
    capacity: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    allocate: Literal["lot", "value"] = "lot"


class WorldCheck(Spec):
    """Is the world still like the exports?

    days: that are looked at, the last ones; most: difference of orders or revenue, a share of what the world expects,
    of which the whole interval must lie beyond before it counts; stop: whether the morning stops then.
    """

    days: Annotated[int, Field(ge=7, le=365)] = 28
    most: Annotated[float, Field(gt=0)] = 0.25
    stop: bool = False


class Learn(Spec):
    """Learning on, from what the ledger's log tells.

    policy: a bundle that goes on learning, or a kind that learns from logs and begins anew (`lin_ts`); None: nobody
    learns. every: days between two lessons; least: decisions of which the outcome is known and nothing was learned yet,
    below which it waits.
    """

    policy: str | None = None
    every: Annotated[int, Field(ge=1)] = 7
    least: Annotated[int, Field(ge=100)] = 2_000


class Stage(Spec):
    """A step of a trial. share: of the customers, who are the challenger's; days: how long."""

    share: Annotated[float, Field(gt=0, lt=1)]
    days: Annotated[int, Field(ge=1)]


class TrialSpec(Spec):
    """How a challenger becomes champion: one at a time, by a test that may be read every morning.

    mode: off; apprentice, in which challengers decide beside and nothing of theirs is sent; trial, in which the first
    that the world shows to be better gets shares of the customers. ramp: the steps; the last one is the test. watched:
    days after a promotion in which the former champion keeps `kept` of the customers and the new one may be rolled
    back. alpha: chance at most that a challenger which brings no more becomes champion, or that the last step of the
    ramp sends away one which brings no less; each other step has its part of as much again. more_unsubscribes,
    more_spend, less_margin: by which share of the champion's the challenger may be worse; beyond, it is rolled back.
    holdout: share of the customers who are never contacted; None: the world's own.
    """

    mode: Literal["off", "apprentice", "trial"] = "apprentice"
    ramp: Annotated[tuple[Stage, ...], Field(min_length=1)] = (Stage(share=0.1, days=7), Stage(share=0.5, days=83))
    watched: Annotated[int, Field(ge=0)] = 13
    kept: Annotated[float, Field(gt=0, lt=1)] = 0.1
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    more_unsubscribes: Annotated[float, Field(ge=0)] = 0.5
    more_spend: Annotated[float, Field(ge=0)] = 1.0
    less_margin: Annotated[float, Field(ge=0)] = 0.1
    holdout: Annotated[float, Field(ge=0, lt=1)] | None = None

    @property
    def steps(self) -> tuple[Stage, ...]:
        """All of a trial: the ramp, and the days after a promotion."""
        after = (Stage(share=1.0 - self.kept, days=self.watched),) if self.watched else ()
        return (*self.ramp, *after)


class GuessSpec(Spec):
    """Something concluded from files, not yet confirmed by anybody."""

    what: str
    file: str
    says: str


class CampaignSpec(Spec):
    """A campaign, but for the meaning of its exports."""

    name: str
    world: str
    start: datetime.date
    customers: Annotated[int, Field(ge=1)]
    data: Data = Data()
    answers: Answers = Answers()
    policies: Policies
    proof: Proof = Proof()
    sends: Sends = Sends()
    world_check: WorldCheck = WorldCheck()
    learn: Learn = Learn()
    trial: TrialSpec = TrialSpec()
    guess: tuple[GuessSpec, ...] = ()

    @model_validator(mode="after")
    def _one_plan(self) -> CampaignSpec:
        if self.sends.allocate == "value" and self.trial.mode == "trial":
            said = "[sends] allocate by lot while [trial] mode is trial: one plan by value would be of both"
            raise PydanticCustomError("allocate", said)
        return self

    @property
    def how(self) -> dict[str, Any]:
        """How a day's sends are shared, in the words of `decide`."""
        sends = self.sends
        more = {"explore": self.policies.explore} if sends.allocate == "value" else {}
        return {"budget": sends.budget, "capacity": sends.capacity, "allocate": sends.allocate, **more}
