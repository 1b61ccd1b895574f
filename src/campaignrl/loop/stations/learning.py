"""Learning on: a learner takes in what the ledger's log tells since its last lesson, and becomes a challenger.

It goes on from the bundle of its last lesson; each decision teaches once. What it has become is held against nothing,
business as usual and the best fixed action like any other challenger. Not here: that (arms/), the lesson (training.py).
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from campaignrl.errors import CampaignError
from campaignrl.ledger import EPOCH, Ledger, ledger_log
from campaignrl.loop.folder import CampaignFile
from campaignrl.policies import load_policy, save_policy
from campaignrl.training import train

LEARNED = "learned"


def learn_on(campaign: CampaignFile, ledger: Ledger, day: datetime.date, state: dict[str, Any]) -> str | None:
    """Teach, if it is time to; the line that says so, None where nobody learns or nothing is new.

    `state["learned"]`: bundle, day of the last lesson, and the last day of decisions that taught.
    """
    spec, last = campaign.spec.learn, state.get(LEARNED, {})
    if spec.policy is None or last.get("day") == day.isoformat():
        return None
    if last.get("of") != spec.policy:  # another learner was named: it begins from its own bundle
        last = {}
    if last and (day - datetime.date.fromisoformat(last["day"])).days < spec.every:
        return None
    through = int(last.get("through", -1))
    try:
        log = ledger_log(ledger, campaign.world, as_of=day, every=True)
    except CampaignError:  # nothing was decided yet
        return None
    rows = np.flatnonzero(log.matured & (log.day > through))
    if len(rows) < spec.least:
        return f"waits: {len(rows):,} of {spec.least:,} decisions have a known outcome and taught nothing yet"
    lesson = log.take(rows)
    own = campaign.place(str(last.get("bundle", spec.policy)))
    learner = load_policy(str(own) if own.is_file() else spec.policy, campaign.world)
    taught = train(learner, lesson)
    path = campaign.folder / LEARNED / f"{taught.name}-{day}.bundle"
    path.parent.mkdir(exist_ok=True)
    save_policy(taught, path)
    newest = int(lesson.day.max())
    state[LEARNED] = {"of": spec.policy, "bundle": f"{LEARNED}/{path.name}", "day": day.isoformat(), "through": newest}
    until = EPOCH + datetime.timedelta(days=newest)
    return f"{taught.name} took in {len(rows):,} decisions up to {until} and is a challenger: {LEARNED}/{path.name}"


def learned_bundle(state: dict[str, Any]) -> str | None:
    """The newest bundle that learned on, by its place in the folder."""
    bundle: str | None = state.get(LEARNED, {}).get("bundle")
    return bundle
