"""The course of a trial over mornings: who is on trial, in which step, since when; promotion and roll-back.

`trial.json` holds it, so that the same morning again changes nothing and a killed one goes on where it was. What was
tried and not promoted is not tried again as it is. Not here: the rule (rule.py), who may be tried (champion.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from campaignrl.errors import ArtifactError, Problem
from campaignrl.ledger import EPOCH, Ledger, customer_sums
from campaignrl.loop.arms.cohort import cohort_of
from campaignrl.loop.arms.kept import crown, keep, kept
from campaignrl.loop.arms.rule import planned_step, read_step, too_few, verdict
from campaignrl.loop.folder import CampaignFile, read_json, write_json
from campaignrl.policies import Policy, Split, policy_hash
from campaignrl.rng import customer_keys
from campaignrl.tables import ID, read_events
from campaignrl.tables.files import read_frame, write_frame

TRIAL, COHORT = "trial.json", "trial-customers.parquet"
PROFILES = "profiles"
FIX = "Bring it back from a copy, or take it away: the trial begins anew, and the champion decides."


@dataclass
class Course:
    """A trial. Empty names: nobody is on trial.

    tried: content hash -> how it ended; stepped, said: the last morning, and what it said.
    """

    challenger: str = ""
    bundle: str = ""
    champion: str = ""
    salt: str = ""
    step: int = 0
    since: str = ""
    stepped: str = ""
    said: list[str] = field(default_factory=list)
    tried: dict[str, str] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether somebody is on trial."""
        return bool(self.bundle)


def course_of(campaign: CampaignFile) -> Course:
    """As trial.json has it.

    Raises:
        ArtifactError: it cannot be read, or campaign.toml has no such step any more.
    """
    path, steps = campaign.folder / TRIAL, len(campaign.spec.trial.steps)
    try:
        found = Course(**read_json(path, FIX))
    except TypeError:
        raise ArtifactError(Problem(str(path), "content", "other keys", "those of a trial", FIX)) from None
    if found.goes_on and found.step >= steps:
        allowed = f"one of the {steps} steps that [trial] has"
        raise ArtifactError(Problem(str(path), "step", found.step, allowed, f"Give it back its ramp. {FIX}"))
    return found


def deciding(campaign: CampaignFile, champion: Policy) -> Policy:
    """Who decides today: the champion, or both with their shares."""
    course = course_of(campaign)
    if not course.goes_on or campaign.spec.trial.mode != "trial":
        return champion
    share = campaign.spec.trial.steps[course.step].share
    both = (kept(campaign, course.champion), kept(campaign, course.bundle))
    return cast(Policy, Split(both, (1.0 - share, share), course.salt))  # its name is that of its parts


def move_on(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, champion: Policy, may: Sequence[Policy]
) -> list[str]:
    """This morning's reading of the trial, or the beginning of one; what it says.

    may: challengers that the world shows to be better, in their order.
    """
    course = course_of(campaign)
    if campaign.spec.trial.mode != "trial":
        return []
    if course.stepped == day.isoformat():
        return course.said
    said = _read(campaign, ledger, day, course) if course.goes_on else []
    if not course.goes_on:
        said += _begin(campaign, day, course, champion, may)
    course.stepped, course.said = day.isoformat(), said
    write_json(campaign.folder / TRIAL, vars(course))
    return said


def _read(campaign: CampaignFile, ledger: Ledger, day: datetime.date, course: Course) -> list[str]:
    spec, since = campaign.spec.trial, datetime.date.fromisoformat(course.since)
    days = (day - since).days
    cohort = read_frame(campaign.folder / COHORT, text=[ID])
    trial = planned_step(spec, course.step, course.salt, cohort)
    sums = customer_sums(ledger, campaign.world, since, day)
    share = spec.steps[course.step].share
    crossed = _crossed(campaign, ledger, since, day, course, (1.0 - share, share))
    reading = read_step(trial, cohort, sums, days / spec.steps[course.step].days, crossed)
    found = verdict(spec, course.step, reading, days)
    told = f"{course.challenger}, with {share:.0%} of the customers: {found.said}"
    place, name, facts = course.bundle, course.challenger, {"day": day.isoformat(), "why": told}
    if found.move == "go on":
        return [told]
    if found.move == "next step":
        more = spec.steps[course.step + 1].share
        return [f"{told}; gets {more:.0%} from today on", *_enter(campaign, day, course, course.step + 1)]
    if found.move == "promote":
        crown(campaign, {**facts, "bundle": place, "name": name})
        if spec.watched:
            _enter(campaign, day, course, len(spec.ramp))
            return [f"{told}; CHAMPION from today on, watched for {spec.watched} days"]
    watched = course.step >= len(spec.ramp)
    if found.move == "roll back" and watched:
        former = kept(campaign, course.champion)
        crown(campaign, {**facts, "bundle": course.champion, "name": former.name})
    course.tried[policy_hash(kept(campaign, place))] = f"{day}: {found.move}"
    _end(course)
    ends = {"promote": "CHAMPION from today on", "settle": "stays champion", "stay": "does not become champion"}
    back = "is ROLLED BACK: the former champion decides again" if watched else "is ROLLED BACK: its trial is over"
    return [f"{told}; {ends.get(found.move, back)}"]


def _begin(
    campaign: CampaignFile, day: datetime.date, course: Course, champion: Policy, may: Sequence[Policy]
) -> list[str]:
    """The first challenger that was not tried yet gets its first share."""
    spec = campaign.spec.trial
    own = policy_hash(champion)
    new = [one for one in may if policy_hash(one) not in (own, *course.tried)]
    if not new:
        return []
    one = new[0]
    course.challenger, course.bundle, course.champion = one.name, keep(campaign, one), keep(campaign, champion)
    course.salt = f"{campaign.spec.name} {policy_hash(one)[:12]} {day}"
    said = _enter(campaign, day, course, 0)
    if not course.goes_on:
        return said
    share = spec.steps[0].share
    return [f"{one.name} is on trial: {share:.0%} of the customers from today on, for {spec.steps[0].days} days"]


def _enter(campaign: CampaignFile, day: datetime.date, course: Course, step: int) -> list[str]:
    """Begin a step: whom it watches, and what is known of them beforehand."""
    cohort = _cohort(campaign, day)
    if too_few(campaign.spec.trial, step, course.salt, cohort):
        _end(course)
        return [f"{len(cohort):,} customers are too few for a trial"]
    write_frame(cohort, campaign.folder / COHORT)
    course.step, course.since = step, day.isoformat()
    return []


def _end(course: Course) -> None:
    course.challenger = course.bundle = course.champion = course.salt = course.since = ""
    course.step = 0


def _cohort(campaign: CampaignFile, day: datetime.date) -> pd.DataFrame:
    folder = campaign.folder / PROFILES
    profiles = read_frame(folder / "profiles.parquet", text=[ID])
    orders = read_events(folder / "events.parquet", [ID, "ts", "amount"], kinds=["order"])
    return cohort_of(profiles, orders, pd.Timestamp(day), read_frame(folder / "freshness.parquet", text=[ID]))


def _crossed(
    campaign: CampaignFile,
    ledger: Ledger,
    since: datetime.date,
    day: datetime.date,
    course: Course,
    shares: tuple[float, float],
) -> int:
    """Customers for whom another policy decided than the hash gives them."""
    rows = ledger.read("decisions", ["customer_id", "day", "policy_hash"]).to_pandas()
    rows = rows[(rows["day"] >= (since - EPOCH).days) & (rows["day"] < (day - EPOCH).days)]
    both = tuple(kept(campaign, place) for place in (course.champion, course.bundle))
    own = np.array([policy_hash(one) for one in both], dtype=object)
    ids = rows["customer_id"].to_numpy(dtype=object)
    arm = Split(both, shares, course.salt).of(customer_keys(ids))
    return int(rows.loc[(rows["policy_hash"] != own[arm]).to_numpy(), "customer_id"].nunique())
