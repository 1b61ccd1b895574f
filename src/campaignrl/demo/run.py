"""All of it in order: a shop's exports, a world calibrated on them, a policy taught and proven there, three mornings.

Then what the simulator, who is the shop, knows of the policy. The mornings are those of any campaign's folder, and it
can be gone on with. Here: the order of the steps and the files they leave. Not here: any of the steps.
"""

from __future__ import annotations

import datetime
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from campaignrl.calibration.calibrate import calibrate
from campaignrl.campaign import Progress, ready_policy, simulate
from campaignrl.demo.shop import Shop
from campaignrl.demo.verdict import Row, Watch, judge, usual_policy
from campaignrl.errors import Problem, UsageError
from campaignrl.loop import (
    Approved,
    NewCampaign,
    Today,
    approve,
    confirm,
    new_campaign,
    profiles_alone,
    settle,
    standing_in_world,
    today,
)
from campaignrl.policies import PROOF, Policy, Standing, load_policy, save_bundle
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import ID, read_events
from campaignrl.tables.files import read_frame
from campaignrl.tables.log import DecisionLog
from campaignrl.training import train

DAY = datetime.date(2026, 11, 21)  # of the first morning; fixed, so that the demo gives the same bytes
WHO, HOUR = "the demo", datetime.time(9)  # who approves, and when
MORNINGS, APART = 3, 7  # and days between them: an outcome window of the bundled shop
BEFORE = 60  # days of which the exports tell, where the horizon leaves as many
SHOP, LEAST = 10, 200  # one in so many of the customers are the shop's, and no fewer than these
FEWEST = 200  # who play for a proof
MARK = ".demo"  # in a campaign's folder that the demo made, and may take away
PROVEN = 5  # one in so many of the customers, fresh ones of the calibrated world, play for the proof
EXPLORE = 0.02  # share of decisions that a learner without chance leaves to it, so that its own log can teach
TEMPLATES = {"ecommerce": "shop", "bank": "bank", "retail": "retail", "travel": "travel"}


@dataclass(frozen=True)
class Morning:
    """A morning, and the list that was released."""

    today: Today
    approved: Approved


@dataclass(frozen=True)
class Demo:
    """What the demo found and where it left its files.

    world: of the shop, which only the simulator knows; calibrated: what its exports say of it, with `fitted` numbers of
    its `numbers`; standing: of the policy in it, by which it decides or only may try; log, rows: the verdict.
    """

    world: World
    calibrated: World
    fitted: int
    numbers: int
    begun: NewCampaign
    profiles: str
    policy: Policy
    taught: int  # decisions it learned from
    standing: Standing
    mornings: tuple[Morning, ...]
    log: DecisionLog
    rows: tuple[Row, ...]
    folder: Path

    @property
    def report(self) -> Path:
        """The page that says what the policy is worth."""
        return self.folder / "report.html"

    @property
    def campaign(self) -> Path:
        """The campaign's folder, which can be gone on with."""
        return self.begun.folder

    @property
    def next_day(self) -> datetime.date:
        """Of the next morning."""
        return self.mornings[-1].today.day + datetime.timedelta(days=APART)


def run_demo(world: WorldReference, learner: str, folder: Path, customers: int, seed: int, watch: Watch) -> Demo:
    """Everything once. `learner` learns from so many simulated customers and is valued on as many of the shop's."""
    found = load_world(world)
    place = folder / "campaign"
    _away(place)
    with watch("export    the shop"):
        ids = 2 * customers + np.arange(max(customers // SHOP, LEAST))
        shop = Shop(found, ready_policy(usual_policy(found), found), ids, seed, DAY, _days(found))
        begun = _begun(found, shop, place)
    with watch("profile   the exports"):
        profiles = profiles_alone(place, day=DAY)
    with watch("calibrate a world") as step:
        fitted, numbers = _calibrated(found, place, seed, step)
        calibrated = load_world(place / f"{found.name}.toml")
    with watch("simulate  random offers") as step:
        lesson = simulate(calibrated, "uniform", customers=customers, seed=seed, progress=step, expects=True)
    with watch(f"train     {learner}"):
        policy = train(_learner(learner, calibrated), lesson)
    least = int((MORNINGS - 1.5) * len(ids))  # on the last morning outcomes of all but its own lists are known
    few = max(customers // PROVEN, FEWEST)
    settle(place, {"proof.customers": few, "learn.policy": "lin_ts", "learn.least": max(least, 100)})
    with watch(f"prove     {learner}"):
        standing = _proven(policy, place, {"world": found.name, "customers": customers, "seed": seed})
    mornings = []
    for _ in range(MORNINGS):
        with watch(f"morning   {shop.today}"):
            mornings.append(_morning(shop, place))
    own = load_policy(place / f"{policy.name}.bundle", found)  # as the shop's own customers meet it
    log, rows = judge(found, own, folder, customers, seed, watch)
    return Demo(
        found, calibrated, fitted, numbers, begun, profiles, policy, len(lesson), standing, tuple(mornings), log, rows,
        folder,
    )  # fmt: skip


def _away(place: Path) -> None:
    """Take away the campaign of an earlier demo, and nobody else's."""
    if place.exists() and not (place / MARK).exists():
        fix = f"Give another folder, or take {place} away."
        raise UsageError(Problem("demo", "-o", str(place), "a demo's campaign, or not there", fix))
    shutil.rmtree(place, ignore_errors=True)


def _days(world: World) -> int:
    """Days of which the exports tell; the mornings come within the horizon as well."""
    return max(min(BEFORE, world.horizon - MORNINGS * APART), 1)


def _begun(world: World, shop: Shop, place: Path) -> NewCampaign:
    """`campaignrl init PLACE --from` the shop's exports, and their guesses confirmed."""
    with tempfile.TemporaryDirectory() as scratch:
        template = TEMPLATES.get(world.name, "shop")
        begun = new_campaign(place, template=template, exports=shop.export(Path(scratch)), start=DAY, world=world)
    confirm(place)
    (place / MARK).touch()
    return begun


def _calibrated(world: World, place: Path, seed: int, step: Progress | None) -> tuple[int, int]:
    """`campaignrl calibrate` on the profiles of customers whose segment is known; how many numbers are fitted, of all.

    The world goes by its old name, so that business as usual there is still business as usual.
    """
    beside = read_frame(place / "profiles" / "attributes.parquet", text=(ID,))
    beside = beside[beside["segment"].notna()]
    events = read_events(place / "profiles" / "events.parquet")
    events = events[events[ID].isin(beside[ID])]
    segments = beside.set_index(ID)["segment"]
    made = calibrate(events, segments=segments, attributes=beside, like=world, seed=seed, progress=step)
    made.write(place / f"{world.name}.toml")
    settle(place, {"world": f"{world.name}.toml"})
    return sum(one.how == "fitted" for one in made.provenance.values()), len(made.provenance)


def _learner(named: str, world: World) -> Policy:
    """The learner by its name; one that would leave nothing to chance explores a little."""
    found = load_policy(named, world)
    settings: dict[str, Any] = getattr(found, "settings", dict)()
    if settings.get("explore") != 0.0:
        return found
    return load_policy({**settings, "kind": found.kind, "name": found.name, "explore": EXPLORE}, world)


def _proven(policy: Policy, place: Path, facts: dict[str, object]) -> Standing:
    """Held against nothing, business as usual and the best fixed action: it decides, or it may only try."""
    bundle = f"{policy.name}.bundle"
    save_bundle(policy, place / bundle, facts)
    standing = standing_in_world(place, bundle)
    save_bundle(policy, place / bundle, {**facts, PROOF: standing.to_dict()})
    role = {"policies.champion": bundle} if standing.is_better else {"policies.challengers": [bundle]}
    settle(place, role)
    return standing


def _morning(shop: Shop, place: Path) -> Morning:
    """New exports, `today`, `approve`; then the list is sent, and its customers answer until the next morning."""
    day = shop.today
    if day != DAY:
        shop.export(place / "exports")
    planned = today(place, day=day)
    released = approve(place, day=day, who=WHO, now=datetime.datetime.combine(day, HOUR))
    shop.send(released.path, place / "answers", APART)
    return Morning(planned, released)
