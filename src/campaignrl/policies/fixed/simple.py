"""Policies that learn nothing: `none`, `uniform`, `always`.

One class a kind, each with its frozen settings. Where the wanted action is not allowed they send nothing;
where sending nothing is barred too (some foreign logs), they are uniform over what is allowed. Not here: the
table of rules (rules.py).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Shown, Tensors
from campaignrl.policies.choice import certainly, uniform_over, with_floor
from campaignrl.specs import Spec

SEES_NOTHING = FeatureSchema(())


class NoneConfig(Spec):
    """`none` has no settings: who sends nothing draws nothing at random either."""


class UniformConfig(Spec):
    """none_share: chance kept for `none`, the rest shared by the allowed sends; not given: all share alike."""

    none_share: float | None = Field(default=None, ge=0.0, le=1.0)


class AlwaysConfig(Spec):
    """action: the name of the action to take wherever it is allowed; explore: share of uniform mixed in."""

    action: str
    explore: float = Field(default=0.0, ge=0.0, le=1.0)


class Untrained(Shown):
    """What the kinds that learn nothing have in common: settings, and no tensors."""

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Spec, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, SEES_NOTHING, config, name

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Spec) -> Shapes:
        """No tensors."""
        return {}

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return self.config.model_dump(mode="json")

    def tensors(self) -> Tensors:
        """Nothing was learned."""
        return {}

    def restore(self, tensors: Tensors) -> None:
        """Nothing to take back."""


class NonePolicy(Untrained):
    """Never sends: the baseline every effect is measured against."""

    kind: ClassVar[str] = "none"
    Config: ClassVar[type[Spec]] = NoneConfig

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): all on `none`."""
        return certainly(np.full(len(allowed), NONE), allowed)

    def certain_action(self, context: Context, allowed: Bool) -> Int:
        """(n,) `none`."""
        return np.full(len(allowed), NONE)


class UniformPolicy(Untrained):
    """Every allowed action alike: the log that can value any policy."""

    kind: ClassVar[str] = "uniform"
    Config: ClassVar[type[Spec]] = UniformConfig
    config: UniformConfig

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): uniform, or `none_share` on `none` and the rest uniform over sends."""
        p = uniform_over(allowed)
        share = self.config.none_share
        if share is None:
            return p
        sends = allowed.copy()
        sends[:, NONE] = False
        both = allowed[:, NONE] & sends.any(axis=1)
        p[both] = (1.0 - share) * uniform_over(sends[both])
        p[both, NONE] = share
        return p


class AlwaysPolicy(Untrained):
    """One action for everybody who may have it."""

    kind: ClassVar[str] = "always"
    Config: ClassVar[type[Spec]] = AlwaysConfig
    config: AlwaysConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: AlwaysConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        if config.action not in catalog.names:
            fix = nearest(config.action, catalog.names)
            raise SpecError(Problem(f"policy {name}", "action", config.action, "an action of the catalog", fix))
        self._action = catalog.id_of(config.action)

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): all on the action where allowed, but for the explored share."""
        p = certainly(np.full(len(allowed), self._action), allowed)
        return with_floor(p, allowed, self.config.explore) if self.config.explore else p

    def certain_action(self, context: Context, allowed: Bool) -> Int | None:
        """(n,) the action where allowed, else `none`; None where some share explores."""
        return None if self.config.explore else np.where(allowed[:, self._action], self._action, NONE)

    def settings(self) -> dict[str, Any]:
        """The settings that were given, as plain JSON types."""
        return self.config.model_dump(mode="json", exclude_defaults=True)
