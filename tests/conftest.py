"""What several test files share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from campaignrl import rng
from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.dynamics.advance import advance
from campaignrl.dynamics.customers import State, draw_customers
from campaignrl.dynamics.parameters import parameters
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema
from campaignrl.specs.world import World, load_world
from campaignrl.tables.log.decision_log import DecisionLog

# A loaded machine is no fault of the code, and the gate asks every change the same; HYPOTHESIS_PROFILE=wide draws anew,
# and so many times as much.
WIDE = 5
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "gate")
hypothesis.settings.register_profile("wide", deadline=None)
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True)
hypothesis.settings.load_profile(PROFILE)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-docs", action="store_true", help="write the outputs shown in README.md and docs/ again")
    parser.addoption("--refresh-lock", action="store_true", help="record what every verb writes today again")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Laws draw more in `make slow` than the gate has time for."""
    kept = "_hypothesis_internal_use_settings"  # there is no other way to change what a law was given
    laws = {id(law): law for item in items if getattr(law := getattr(item, "obj", None), kept, None) is not None}
    for law in laws.values() if PROFILE == "wide" else ():
        own = getattr(law, kept)
        setattr(law, kept, hypothesis.settings(own, max_examples=WIDE * own.max_examples))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets, which are not ours to ship."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED


class Shop:
    """A world small enough to read, for tests of policies: three offers, two channels, seven actions, four features."""

    catalog = Catalog.product(
        [
            Offer(name="content"),
            Offer(name="coupon10", kind="coupon", discount=0.1),
            Offer(name="coupon20", kind="coupon", discount=0.2),
        ],
        [Channel(name="push"), Channel(name="sms", cost=4)],
        [(o, c) for o in ("content", "coupon10", "coupon20") for c in ("push", "sms")],
    )
    schema = FeatureSchema(
        (
            Feature(name="segment", levels=("loyal", "price_sensitive", "leisure")),
            Feature(name="orders", high=50.0, log=True),
            Feature(name="basket", high=200.0, nullable=True),
            Feature(name="contacts_7d", high=7.0),
        )
    )

    def context(self, n: int, seed: int = 0) -> Context:
        """n customers, some without a segment, some without a basket."""
        chance = np.random.default_rng(seed)
        basket = chance.uniform(0, 200, n)
        basket[chance.random(n) < 0.2] = np.nan
        columns = {
            "segment": chance.integers(UNKNOWN, 3, n),
            "orders": chance.poisson(3, n).astype(np.float64),
            "basket": basket,
            "contacts_7d": chance.integers(0, 8, n).astype(np.float64),
        }
        return Context(self.schema, columns)

    def allowed(self, n: int, seed: int = 0) -> np.ndarray:
        """(n, 7) masks; `none` is always allowed."""
        mask = np.random.default_rng(seed + 1).random((n, len(self.catalog))) < 0.6
        mask[:, 0] = True
        return mask

    def log(self, n: int, seed: int = 0, masked: bool = True) -> DecisionLog:
        """n decisions of three days a customer, logged by uniform; price-sensitive customers like coupon20."""
        chance = np.random.default_rng(seed + 2)
        context = self.context(n, seed)
        allowed = self.allowed(n, seed) if masked else np.ones((n, len(self.catalog)), dtype=bool)
        p = allowed / allowed.sum(axis=1, keepdims=True)
        action = np.array([chance.choice(len(self.catalog), p=row) for row in p])
        likes = (context.columns["segment"] == 1) & np.isin(action, [5, 6])
        reward = 1.0 * likes - 0.3 * (action > 0) + chance.normal(0, 0.5, n)
        return DecisionLog(
            catalog=self.catalog,
            customers=np.array([f"c{i}" for i in range(n // 3 + 1)], dtype=object),
            customer=np.arange(n) // 3,
            step=np.arange(n) % 3,
            day=np.arange(n) % 3,
            context=context,
            action=action,
            propensity=p[np.arange(n), action],
            reward=reward,
            cost=self.catalog.cost_of[action],
            matured=chance.random(n) < 0.9,
            eligible=allowed,
        )


@pytest.fixture(scope="session")
def shop() -> Shop:
    """The small world of the policy tests."""
    return Shop()


@pytest.fixture(scope="session")
def small_world() -> World:
    """The world of `tests/worlds/small.toml`."""
    return load_world(ROOT / "tests" / "worlds" / "small.toml")


@pytest.fixture
def tables(small_world: World) -> dict[str, Any]:
    """The same world as plain tables, to be changed at will; build it with `check(World, tables, "test")`."""
    return small_world.model_dump(exclude_unset=True)


def _days_of(world: World, n: int, seed: int, actions: Callable[[int, State], np.ndarray]) -> Iterator[tuple[Any, ...]]:
    p = parameters(world)
    traits, state = draw_customers(world, rng.customer_keys(np.arange(n)), seed)
    for day in range(world.horizon):
        action = actions(day, state)
        after, outcome = advance(world, traits, state, action, day, seed, p)
        yield traits, state, action, outcome, after
        state = after


@pytest.fixture(scope="session")
def days_of() -> Callable[..., Iterator[tuple[Any, ...]]]:
    """n customers day by day under `actions(day, state)`, which may ignore every rule.

    Yields (traits, state before, action, outcome, state after).
    """
    return _days_of
