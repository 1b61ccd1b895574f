"""One running worker: its store, its customers and policies in memory, its line; and what keeps them up to date.

Not here: the routes (api/), how a round decides (deciding/).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from campaignrl.errors import CampaignError, Problem, UsageError
from campaignrl.ledger import newest_plan
from campaignrl.policies import ALWAYS
from campaignrl.send import Prices, read_prices
from campaignrl.service.deciding import (
    Change,
    Decider,
    Line,
    Parties,
    Party,
    Wish,
    as_customers,
    load_customers,
    load_party,
    try_party,
)
from campaignrl.service.ground import Metrics, Refused, Settings
from campaignrl.service.store import (
    CHAMPION,
    CUSTOMERS,
    POLICIES,
    PRICED_BY,
    PRICES,
    SHADOW,
    Store,
    StoreDown,
    champion,
    note,
    place,
    places,
    price_at,
    priced_at,
    read_facts,
    replace_customers,
    take_prices,
)
from campaignrl.service.worker.security import Door
from campaignrl.specs import bundled_files, pretrained_files
from campaignrl.tables.files import read_frame

LOG = logging.getLogger("campaignrl.service")
LOOK = 0.5  # seconds between looks at what the store has
SPARE = 20.0  # times as long as the last reading of customers took before they are read again


@dataclass
class Service:
    """What the routes of one worker share."""

    settings: Settings
    store: Store
    metrics: Metrics
    door: Door
    decider: Decider
    line: Line
    shares: dict[bytes, tuple[float, float]] = field(default_factory=dict)  # of requests, by token (gate.py)
    _read_again: float = 0.0
    _plan: Path | None = None  # of the ledger, the last one looked at

    @classmethod
    def begin(cls, settings: Settings) -> Service:
        """Open the store, take in customers that are given, load who decides.

        Raises:
            CampaignError: store, customers, fallback or, in a new store, the policy cannot be used.
        """
        frame = None if settings.customers is None else read_frame(settings.customers, text=["customer_id"])
        store, metrics = _store(settings, frame), Metrics()
        if frame is not None:
            as_customers(store, settings.world, frame, "")  # every fault is told before anything changes
            with store.writing() as con:
                replace_customers(con, frame)
        _first_champion(store, settings)
        if settings.prices is not None:
            _price(store, read_prices(settings.prices))
            if settings.ledger is not None:
                take_prices(store, settings.ledger, settings.clock(), pass_over=True)
        with store.reading() as con:
            told = read_facts(con)
        customers = load_customers(store, settings.world, told.get(CUSTOMERS, ""))
        parties = load_parties(store, settings, told.get(POLICIES, ""), None)
        decider = Decider(store, settings, metrics, customers, parties)
        door = Door(store, open_without_token=settings.open_without_token)
        metrics.customers.set(len(customers))
        return cls(settings, store, metrics, door, decider, Line(decider, waiting=settings.waiting))

    def start(self) -> None:
        """Begin to serve."""
        self.line.start()

    async def ask(self, work: Wish | Change) -> Any:
        """What comes of a wish or a change, once it is on the disk; a Refused is raised."""
        return await self.line.ask(work)

    async def keep_up(self) -> None:
        """Read customers and policies again whenever the store has others."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await asyncio.to_thread(self.catch_up)
            except StoreDown:
                continue
            except Exception:
                LOG.exception("what the store has could not be read")

    def catch_up(self) -> None:
        """Once; what is broken is told, and what was there goes on."""
        self._look_for_a_plan()
        with self.store.reading() as con:
            told = read_facts(con)
        if told.get(POLICIES, "") != self.decider.parties.version:
            self.decider.parties = load_parties(self.store, self.settings, told.get(POLICIES, ""), self.decider.parties)
            if self.decider.parties.why:
                self.metrics.refused_policies.inc()
        self.decider.seen = told
        self.metrics.halted.set(self.decider.stopped(told) is not None)
        if told.get(CUSTOMERS, "") != self.decider.customers.version and time.monotonic() >= self._read_again:
            began = time.monotonic()
            self.decider.customers = load_customers(self.store, self.settings.world, told.get(CUSTOMERS, ""))
            self._read_again = time.monotonic() + SPARE * (time.monotonic() - began)
            self.metrics.customers.set(len(self.decider.customers))

    def _look_for_a_plan(self) -> None:
        """A new plan of the ledger says new prices."""
        folder, day = self.settings.ledger, self.settings.clock()
        newest = None if folder is None else newest_plan(folder, day)
        if folder is None or newest == self._plan:
            return
        try:
            take_prices(self.store, folder, day)
        except UsageError as wrong:
            LOG.error("prices refused: %s", _line(wrong))
        self._plan = newest

    def reference(self, name: str) -> str:
        """A policy's name as it may come from outside: bundled, `always:ACTION`, or a file of the folder of policies.

        Refused (404) for anything else; no file outside is ever looked at.
        """
        if name.startswith(ALWAYS) or name in {*bundled_files("policies"), *pretrained_files()}:
            return name
        with self.store.reading() as con:
            if name in {str(one["name"]) for one in places(con)}:
                return name
        folder = self.settings.policies
        path = None if folder is None else (folder / name).resolve()
        inside = path is not None and folder is not None and path.is_relative_to(folder.resolve())
        if path is None or not inside or not path.is_file():
            raise Refused(404, "No policy goes by that name here.")
        return str(path)

    def checked(self, name: str) -> Party:
        """A policy that may decide; Refused (422) where its check fails, and nothing changes."""
        with self.store.reading() as con:
            told = read_facts(con, (PRICES, PRICED_BY))
        try:
            return _champion_of(self.reference(name), self.settings, told)[0]
        except CampaignError as wrong:
            self.metrics.refused_policies.inc()
            raise Refused(422, f"The policy fails its check: {_line(wrong)}") from None

    def ready(self) -> list[str]:
        """What keeps it from deciding; empty where nothing does."""
        wrong = []
        try:
            with self.store.writing() as con:
                told = read_facts(con)
            if self.decider.stopped(told) is not None:
                wrong.append("sending was stopped")
        except StoreDown:
            wrong.append("the store does not answer")
        if self.decider.parties.champion is None:
            wrong.append(f"the champion cannot be used, the fallback decides: {self.decider.parties.why}")
        return wrong

    def close(self) -> None:
        """Answer who waits, then let go."""
        if not self.line.close(self.settings.drain_seconds):
            LOG.error("what was under way took longer than %s s", self.settings.drain_seconds)
        self.decider.close()
        self.store.close()


def _store(settings: Settings, frame: pd.DataFrame | None) -> Store:
    many = settings.horizon_customers or (len(frame) if frame is not None else 0)
    if not many:
        try:
            found = Store.open(settings.store)
        except UsageError:
            fix = "Give them: --customers FILE, or say whom budget and capacity are for: --for N."
            raise UsageError(Problem("serve", "customers", "not known", "given for a new store", fix)) from None
        found.require(settings.world)
        return found
    start = settings.start or settings.clock()
    return Store.begin(settings.store, settings.world, start=start, customers=many, salt=settings.salt)


def _first_champion(store: Store, settings: Settings) -> None:
    """The policy of the call decides in a store that has none yet; later ones come by promotion."""
    with store.reading() as con:
        if champion(con) is not None:
            return
    party = load_party(settings.policy, settings.world, settings.seed, settings.clock())
    with store.writing() as con:
        if champion(con) is None:
            name = str(Path(settings.policy).resolve()) if Path(settings.policy).is_file() else settings.policy
            place(con, name, party.hash, CHAMPION, time.time())
            note(con, "start", "policy promoted", time.time(), {"policy": party.policy.name, "hash": party.hash})


def _price(store: Store, prices: Prices) -> None:
    """Let the champion decide at these prices, unless it does already."""
    said = orjson.dumps(prices.to_dict()).decode()
    with store.writing() as con:
        if priced_at(con) != said:
            price_at(con, said)
            note(con, "start", "prices changed", time.time(), prices.to_dict())


def _prices_of(said: str) -> Prices | None:
    """What a store says of prices; None: nothing."""
    return Prices.from_dict(orjson.loads(said), "store") if said else None


def load_parties(store: Store, settings: Settings, version: str, before: Parties | None) -> Parties:
    """Who decides by the store; where the new champion is broken, the one before goes on."""
    with store.reading() as con:
        rows, told = places(con), read_facts(con, (PRICES, PRICED_BY))
    day, seed, world = settings.clock(), settings.seed, settings.world
    fallback = load_party(settings.fallback, world, seed, day) if before is None else before.fallback
    named = next((str(row["name"]) for row in rows if row["role"] == CHAMPION), None)
    found, why = None if before is None else before.champion, "none was promoted"
    if named is not None:
        try:
            found, why = _champion_of(named, settings, told)
        except CampaignError as wrong:
            why = _line(wrong)
    if why:
        LOG.error("champion: %s", why)
    shadows = [try_party(str(row["name"]), world, seed, day)[0] for row in rows if row["role"] == SHADOW]
    return Parties(version, found, fallback, tuple(one for one in shadows if one is not None), why)


def _champion_of(name: str, settings: Settings, told: Mapping[str, str]) -> tuple[Party, str]:
    """A policy at the prices of the store, and what is wrong with that.

    Prices of a plan are of whoever decided then: one that states no values decides without them.
    """
    asked, prices = (name, settings.world, settings.seed, settings.clock()), _prices_of(told.get(PRICES, ""))
    try:
        return load_party(*asked, prices), ""
    except CampaignError as wrong:
        if not told.get(PRICED_BY):
            raise
        return load_party(*asked), f"it decides without the prices of the plan: {_line(wrong)}"


def _line(wrong: CampaignError) -> str:
    """The first of its lines."""
    return str(wrong).partition("\n")[0]
