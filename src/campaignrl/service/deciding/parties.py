"""Who decides: champion, fallback and shadows, loaded and checked before they may.

A policy that is broken, untrained, for other actions or too old is refused, and the one before goes on. One that fails
or takes too long while it decides is answered for by the fallback, and every such decision is counted. Not here: what
is decided (rounds.py).
"""

from __future__ import annotations

import concurrent.futures
import datetime
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float
from campaignrl.errors import CampaignError, Problem, UsageError
from campaignrl.features import Context
from campaignrl.policies import Policy, Priced, load_policy, policy_hash
from campaignrl.send import Prices, facts_about, require_playable, require_recent
from campaignrl.specs import World

LOG = logging.getLogger("campaignrl.service")
OURS = f"{Policy.__module__.rpartition('.')[0]}."
SAME = 1e-6  # how far a row of probabilities may be from 1


@dataclass(frozen=True)
class Party:
    """A policy that may decide. name: how it was named; about: what each of its decisions says of it."""

    name: str
    policy: Policy
    hash: str
    about: Mapping[str, Any]


def load_party(name: str, world: World, seed: int, day: datetime.date, prices: Prices | None = None) -> Party:
    """A policy by reference, checked. prices: of a plan by value, at which it decides; None: served by lot alone.

    Raises:
        CampaignError: it is missing, broken, untrained, too old, for another catalog, remembers customers, or states no
            values for prices.
    """
    policy = load_policy(name, world)
    require_playable(policy, world)
    require_recent(policy, world, day)
    if hasattr(policy, "remember"):
        fix = "Let it decide in mornings: campaignrl decide --memory."
        raise UsageError(Problem(f"policy {name}", "kind", policy.kind, "one that remembers nothing", fix))
    for tensor, values in policy.tensors().items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UsageError(Problem(f"policy {name}", f"tensor {tensor}", "not finite", "made of numbers"))
    asked: Policy = policy if prices is None else Priced.of(policy, prices.of, prices.explore)
    return Party(name, asked, policy_hash(policy), facts_about(asked, world, seed))


class Late(Exception):
    """A policy that failed, or gave no answer in time. why: missing, slow, failed, wrong."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class InTime:
    """A policy that is waited for only so long, and whose answer is looked at.

    It is asked in a thread of its own, which can be left behind. A kind of our own waits for nothing and nobody, so it
    answers where it is asked, which spares two changes of thread; until it was too slow for the first time.
    """

    def __init__(self, seconds: float) -> None:
        """seconds: for one round."""
        self._seconds, self._slow = seconds, False
        self._threads = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._busy: concurrent.futures.Future[Float] | None = None

    def ask(self, policy: Policy, context: Context, allowed: Bool) -> Float:
        """Its probabilities; Late where it gives none, or wrong ones, or is still busy with an earlier question."""
        try:
            p = (self._left if self._slow or not _is_ours(policy) else self._here)(policy, context, allowed)
        except Late:
            raise
        except Exception as wrong:
            LOG.error("policy %s failed: %s", policy.name, type(wrong).__name__)
            raise Late("failed") from wrong
        if (
            p.shape != allowed.shape
            or not (np.abs(p.sum(axis=1) - 1.0) < SAME).all()
            or (p < 0).any()
            or p[~allowed].any()
        ):
            raise Late("wrong")
        return p

    def _here(self, policy: Policy, context: Context, allowed: Bool) -> Float:
        began = time.monotonic()
        p = policy.probabilities(context, allowed)
        self._slow = time.monotonic() - began > self._seconds
        if self._slow:
            raise Late("slow")
        return p

    def _left(self, policy: Policy, context: Context, allowed: Bool) -> Float:
        if self._busy is not None and not self._busy.done():
            raise Late("slow")
        asked = self._busy = self._threads.submit(policy.probabilities, context, allowed)
        try:
            return asked.result(self._seconds)
        except concurrent.futures.TimeoutError:
            raise Late("slow") from None

    def close(self) -> None:
        """Wait for nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_ours(policy: Policy) -> bool:
    """Whether nobody else's code takes part in what it says."""
    inner = policy.policy if isinstance(policy, Priced) else policy
    return type(inner).__module__.startswith(OURS) and "probabilities" not in vars(inner)


class Timed:
    """A policy as the decider asks it: itself in all it says, but watched while it answers."""

    def __init__(self, policy: Policy, watch: InTime) -> None:
        """The policy and who watches it."""
        self._policy, self._watch = policy, watch
        self.name, self.catalog = policy.name, policy.catalog
        self.kind = policy.kind

    catalog: Catalog

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """Those of the policy, in time."""
        return self._watch.ask(self._policy, context, allowed)

    def settings(self) -> dict[str, Any]:
        """Those of the policy."""
        return self._policy.settings()

    def tensors(self) -> dict[str, Any]:
        """Those of the policy."""
        return self._policy.tensors()


@dataclass(frozen=True)
class Parties:
    """Who decides now. champion: None where it is missing; why: what is wrong with it then."""

    version: str
    champion: Party | None
    fallback: Party
    shadows: tuple[Party, ...] = ()
    why: str = ""


def try_party(
    name: str, world: World, seed: int, day: datetime.date, prices: Prices | None = None
) -> tuple[Party | None, str]:
    """A party, or None and the first line of what is wrong with it."""
    try:
        return load_party(name, world, seed, day, prices), ""
    except CampaignError as wrong:
        return None, str(wrong).partition("\n")[0]
