"""One round: everything that waits, decided in one transaction.

A round is what `decide` does for one table, with what the store knows in place of a ledger. Requests of a round are
runs that follow each other; a customer who is asked about twice is decided twice, the second time after the first. Not
here: who waits (queue.py), what is answered (answers.py).
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import Counter as Metric
from sqlalchemy import Connection

from campaignrl.actions import NONE
from campaignrl.arrays import Bool
from campaignrl.errors import CampaignError
from campaignrl.guard import ADDRESS, at_address_of
from campaignrl.ledger import EPOCH, Standing
from campaignrl.send import Decisions, counted_in, decide_in_turn, limits_left, record_columns
from campaignrl.service.deciding.answers import (
    decision_columns,
    end_of_day,
    packed,
    ranking_of,
    run_of,
    send_columns,
    told,
    written,
)
from campaignrl.service.deciding.customers import Customers
from campaignrl.service.deciding.json_columns import Texts
from campaignrl.service.deciding.parties import InTime, Late, Parties, Party, Timed
from campaignrl.service.deciding.windows import longest_window
from campaignrl.service.deciding.wishes import Given, Wish, open_now
from campaignrl.service.ground import Metrics, Refused, Settings
from campaignrl.service.store import (
    ERASED,
    LAST_DAY,
    Answer,
    Store,
    answers_to,
    halted,
    keep,
    keep_answers,
    keep_shadows,
    read_facts,
    standing_of,
    tell,
)
from campaignrl.specs import guard_hash
from campaignrl.tables import CustomerTable, same_spelling


class Decider:
    """Decides wishes within a transaction of the store.

    Attributes:
        customers, parties: of whom and by whom; replaced as a whole when the store has newer ones.
        seen: facts of the store as the last round found them.
    """

    def __init__(
        self, store: Store, settings: Settings, metrics: Metrics, customers: Customers, parties: Parties
    ) -> None:
        """All that a round needs."""
        self.store, self.settings, self.metrics = store, settings, metrics
        self.customers, self.parties = customers, parties
        self.seen: Mapping[str, str] = {}
        self._world = settings.world
        self._watch = InTime(settings.policy_seconds)
        self._days, self._guard = longest_window(self._world), guard_hash(self._world)
        self._channels, self._offers = list(self._world.channels), list(self._world.offers)
        self._figures: dict[tuple[str, int], Metric] = {}

    def stopped(self, facts: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Who stopped sending, here or in the campaign's folder; None: nobody."""
        told = halted(dict(facts))
        if told is not None or self.settings.campaign is None:
            return told
        from campaignrl.loop import halted as campaign_halted  # slow to import, and only campaigns need it

        return campaign_halted(Path(self.settings.campaign))

    def decide(self, con: Connection, wishes: Sequence[Wish], day: datetime.date, now: float) -> list[Given | Refused]:
        """An answer or a refusal to each wish; what was decided is written, and holds once the transaction does."""
        facts = self.seen = read_facts(con)
        stop, today = self.stopped(facts), (day - EPOCH).days
        last = int(facts.get(LAST_DAY, today))
        if today < last:  # windows that had closed would open again
            stop = {"who": "the service", "why": "the clock went back behind the last day decided"}
        elif today > last or LAST_DAY not in facts:
            tell(con, LAST_DAY, str(today))
        self.metrics.halted.set(stop is not None)
        found: dict[int, Given | Refused] = {}
        before = answers_to(con, {wish.key for wish in wishes})
        waiting = list(range(len(wishes)))
        while waiting:
            some, later = self._apart(wishes, waiting, before, found, stop)
            if some:
                made = self._round(con, [wishes[i] for i in some], day, now, facts)
                for i, answer in zip(some, made, strict=True):
                    found[i] = answer if isinstance(answer, Refused) else Given(answer.status, answer.body)
                    if isinstance(answer, Answer):
                        before[wishes[i].key] = answer
            waiting = later
        return [found[i] for i in range(len(wishes))]

    def _apart(
        self,
        wishes: Sequence[Wish],
        waiting: list[int],
        before: Mapping[str, Answer],
        found: dict[int, Given | Refused],
        stop: Mapping[str, Any] | None,
    ) -> tuple[list[int], list[int]]:
        """Wishes that can be decided at once, of different customers; and those that come after them."""
        some: list[int] = []
        later: list[int] = []
        taken: set[str] = set()
        keys: set[str] = set()
        for i in waiting:
            wish = wishes[i]
            if wish.key in before:
                found[i] = self._again(wish, before[wish.key])
            elif stop is not None:
                said = f"Sending was stopped by {stop.get('who')}: {stop.get('why')}."
                found[i] = Refused(503, said, retry=60, halted=True)
            elif (
                wish.key in keys
                or not taken.isdisjoint(wish.ids)
                or (wish.table is not None and some)
                or (some and wishes[some[0]].table is not None)
            ):
                later.append(i)
            else:
                some.append(i)
            taken.update(wish.ids)
            keys.add(wish.key)
        return some, later

    def _again(self, wish: Wish, answer: Answer) -> Given | Refused:
        if answer.body_hash != wish.body_hash:
            return Refused(422, "This Idempotency-Key was used for another request, which stands as it was answered.")
        self.metrics.replayed.inc()
        if answer.status == 410:
            return Refused(410, "What was answered is gone: a customer of it was erased.")
        return Given(answer.status, answer.body, replayed=True)

    def _round(
        self, con: Connection, wishes: list[Wish], day: datetime.date, now: float, facts: Mapping[str, str]
    ) -> list[Answer | Refused]:
        """Wishes of different customers, decided as runs that follow each other."""
        refused: dict[int, Refused] = {}
        places: list[int] = []
        turns: list[slice] = []
        kept: list[int] = []
        own = wishes[0].table
        for i, wish in enumerate(wishes):
            try:
                new = [] if own is not None else self.customers.places(wish.ids)
            except Refused as wrong:
                refused[i] = wrong
                continue
            turns.append(slice(turns[-1].stop if turns else 0, (turns[-1].stop if turns else 0) + len(wish.ids)))
            places += new
            kept.append(i)
        if kept:
            chosen = [wishes[i] for i in kept]
            table, standing = self._counted(con, places, own, day, facts)
            table = open_now(table, chosen, turns, self._channels)
            answers = self._written(con, chosen, turns, table, standing, day, now)
        results = dict(zip(kept, answers, strict=True)) if kept else {}
        return [refused[i] if i in refused else results[i] for i in range(len(wishes))]

    def _counted(
        self,
        con: Connection,
        places: list[int],
        own: CustomerTable | None,
        day: datetime.date,
        facts: Mapping[str, str],
    ) -> tuple[CustomerTable, Standing]:
        """The table of the round with all that the store knows of it, and what stands."""
        people, asked = self.customers, len(places)
        if own is None:
            assert people.table is not None
            assert people.spelled is not None
            rows = np.array([*places, *people.beside(places)])
            table, spelled = people.table.take(rows), people.spelled[rows].tolist()
            addresses = None if people.addresses is None else people.addresses[rows].tolist()
        else:
            asked, table = 1, own
            spelled = list(same_spelling([str(one) for one in own.ids]))
            said = own.known.get(ADDRESS)
            addresses = None if said is None else [self.store.address_hash(str(one)) for one in said.values]
        ids = [str(one) for one in table.ids]
        standing = standing_of(
            con,
            (day - EPOCH).days,
            ids,
            spelled,
            hashes=self.store.hashes_of(ids) if facts.get(ERASED) else None,
            addresses=addresses,
            channels=self._channels,
            offers=self._offers,
            days=self._days,
        )
        counted = counted_in(table, standing, self._world, (day - self.store.start).days)
        if ADDRESS in counted.known and counted.suppressed is not None:
            barred = at_address_of(counted.suppressed, counted.known[ADDRESS].values)
            counted = replace(counted, suppressed=barred)
        return counted if len(counted) == asked else counted.take(np.arange(asked)), standing

    def _written(
        self,
        con: Connection,
        wishes: list[Wish],
        turns: list[slice],
        table: CustomerTable,
        standing: Standing,
        day: datetime.date,
        now: float,
    ) -> list[Answer]:
        """Decided, written, and what to answer."""
        found, party, why = self._found(turns, table, standing, day)
        runs = [run_of(self.store, wish.key) for wish in wishes]
        ids = [f"{run}-{one}" for run, wish in zip(runs, wishes, strict=True) for one in wish.ids]
        keys = [wish.key for wish in wishes for _ in wish.ids]
        columns = record_columns(found, self._world, ids, self._guard)
        if why:
            columns["reason"] = [f"fallback, the champion was {why}: {one}" for one in columns["reason"]]
        end, hashes = end_of_day(day), self._addresses(table)
        texts = written(found, columns, bool(why), end.isoformat())
        form, records = packed(columns, texts, _noted(hashes, found))
        sent = send_columns(columns, end.timestamp(), hashes)
        keep(con, form, decision_columns(columns, records, keys, bool(why), now), sent)
        answers = self._answers(wishes, turns, found, texts, party)
        keep_answers(con, {wish.key: answer for wish, answer in zip(wishes, answers, strict=True)}, now)
        self._watch_shadows(con, found, ids)
        self._count(found, party, why)
        return answers

    def _addresses(self, table: CustomerTable) -> list[str]:
        said = table.known.get(ADDRESS)
        return [""] * len(table) if said is None else [self.store.address_hash(str(one)) for one in said.values]

    def _found(
        self, turns: list[slice], table: CustomerTable, standing: Standing, day: datetime.date
    ) -> tuple[Decisions, Party, str]:
        """(decisions, who made them, why it was the fallback or "")."""
        limits = limits_left(standing, self._world, self.store.customers, (day - self.store.start).days)
        closed: Bool = standing.decided_today[: len(table)]
        parties, why = self.parties, "" if self.parties.champion is not None else "missing"

        def by(party: Party, watched: bool) -> Decisions:
            ask_as: Any = Timed(party.policy, self._watch) if watched else None
            how = {"day": day, "about": party.about, "closed": closed, "send_at": self.settings.send_at}
            return decide_in_turn(party.policy, self._world, table, limits, turns, ask_as=ask_as, **how)  # type: ignore[arg-type]

        if parties.champion is not None:
            try:
                return by(parties.champion, True), parties.champion, ""
            except Late as wrong:
                why = wrong.why
        return by(parties.fallback, False), parties.fallback, why

    def _answers(
        self,
        wishes: list[Wish],
        turns: list[slice],
        found: Decisions,
        texts: Texts,
        party: Party,
    ) -> list[Answer]:
        lists: list[Any] | None = None
        if any(wish.ranking for wish in wishes):
            p = party.policy.probabilities(found.context, found.eligible)
            many = [
                wish.ranking for wish, turn in zip(wishes, turns, strict=True) for _ in range(turn.start, turn.stop)
            ]
            lists = [ranking_of(found, p[i], i, most) if most else None for i, most in enumerate(many)]
        said = told(texts, lists)
        answers = []
        for wish, turn in zip(wishes, turns, strict=True):
            body = f'{{"decisions":[{",".join(said[turn])}]}}' if wish.many else said[turn.start]
            answers.append(Answer(wish.body_hash, 200, body.encode()))
        return answers

    def _watch_shadows(self, con: Connection, found: Decisions, ids: list[str]) -> None:
        """What each shadow would have done; one that fails is left out, and stops nothing."""
        n = np.arange(len(found.ids))
        for shadow in self.parties.shadows:
            try:
                p = shadow.policy.probabilities(found.context, found.eligible)
            except (CampaignError, ValueError, ArithmeticError):
                self.metrics.refused_policies.inc()
                continue
            own, chance = p.argmax(axis=1), p[n, found.action]
            named = {"decision_id": ids, "policy": [shadow.name] * len(ids)}
            keep_shadows(con, {**named, "action": own.tolist(), "chance": chance.astype(np.float64).tolist()})
            same = int((own == found.action).sum())
            self.metrics.shadows.labels(shadow.name, "yes").inc(same)
            self.metrics.shadows.labels(shadow.name, "no").inc(len(own) - same)

    def _decided_on(self, party: str, place: int) -> Metric:
        """The figure of a party's decisions on a channel; to look it up takes as long as to add to it ten times."""
        found = self._figures.get((party, place))
        if found is None:
            name = "none" if place < 0 else self._channels[place]
            found = self._figures[party, place] = self.metrics.decisions.labels(party, name)
        return found

    def _count(self, found: Decisions, party: Party, why: str) -> None:
        for place, many in Counter(found.catalog.channel_of[found.action].tolist()).items():
            self._decided_on(party.name, place).inc(many)
        self.metrics.blocked.inc(len(found.ids) - int(np.count_nonzero(found.eligible[:, 1:].any(axis=1))))
        if why:
            self.metrics.fallbacks.labels(why).inc(len(found.ids))

    def close(self) -> None:
        """Wait for no policy any more."""
        self._watch.close()


def _noted(hashes: list[str], found: Decisions) -> list[str] | None:
    """(n,) the address of each send, as its record ends with it, "" of none; None: of nobody."""
    if not any(hashes):
        return None
    sends = (found.action != NONE).tolist()
    return [f',"{one}"' if one and sent else "" for one, sent in zip(hashes, sends, strict=True)]
