"""Formats of content: each customer prefers one, latent; a creative of that format is opened and clicked more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from campaignrl.arrays import Float32
from campaignrl.effects.effect import Answer, Effect, Market, Section, Send
from campaignrl.errors import Problem, SpecError
from campaignrl.quantities import LogEffect, Share
from campaignrl.toml import Spec

NO_FORMAT = -1


class Tone(Spec):
    """What a tone of voice does in each segment."""

    segments: dict[str, LogEffect]  # log-odds of opening and of clicking


class Formats(Section):
    """Preferred formats of content (short video, picture and text, ...), and what a match of the creative does."""

    match: LogEffect = 0.5  # log-odds of opening and of clicking where the creative has the format preferred
    segments: Annotated[dict[str, dict[str, Share]], Field(min_length=1)]  # share who prefer each format; sums to 1
    tones: dict[str, Tone] = {}

    @model_validator(mode="after")
    def _whole(self) -> Formats:
        wrong = {n: round(sum(t.values()), 6) for n, t in self.segments.items() if abs(sum(t.values()) - 1.0) > 1e-6}
        if wrong:
            where = "[formats.segments]"
            raise SpecError([Problem(where, name, total, "a table adding up to 1") for name, total in wrong.items()])
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The formats, in the order in which they first appear."""
        return tuple(dict.fromkeys(name for table in self.segments.values() for name in table))

    def at_work(self, market: Market) -> FormatsEffect:
        """The creatives of the market's actions."""
        catalog, names = market.catalog, self.names
        shown = [names.index(f) if (f := c.format or c.name) in names else NO_FORMAT for c in catalog.creatives]
        tones = [self.tones[c.tone].segments if c.tone in self.tones else {} for c in catalog.creatives]
        by_tone = np.array([[*(t.get(g, 0.0) for t in tones), 0.0] for g in market.segments], dtype=np.float32)
        # An action without a creative shows a format that nobody prefers; a customer without one prefers none shown.
        of_action = np.array([*shown, len(names)], dtype=np.int8)[catalog.creative_of]
        of_action[of_action == NO_FORMAT] = len(names)
        return FormatsEffect(self, of_action, np.ascontiguousarray(by_tone[:, catalog.creative_of]))


@dataclass(frozen=True, eq=False)
class FormatsEffect(Effect):
    """Preferred formats at work."""

    spec: Formats
    of_action: np.ndarray[tuple[int], np.dtype[np.int8]]  # (k,) the format shown; one that nobody prefers: none
    by_tone: Float32  # (g, k) log-odds of opening and of clicking

    def answering(self, send: Send) -> Answer | None:
        """More where the format is the customer's own."""
        match = np.float32(self.spec.match) * (self.of_action[send.action] == send.format)
        both: Float32 = match + self.by_tone[send.segment, send.action]
        return Answer(both, both)
