"""A morning: exports to profiles, what came back to the ledger, who may decide, what would be sent; and the page.

Nothing is sent here: the plan waits for somebody's approval (approval.py). The same morning again changes nothing, and
one that was killed goes on where it was. Not here: each station's work (stations.py, champion.py).
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.loop.arms import (
    OfDay,
    beside,
    challengers,
    champion_of,
    course_of,
    judge,
    move_on,
    of_day,
    of_others_unknown,
    require_not_losing,
)
from campaignrl.loop.folder import CampaignFile, locked, read_state, require_going, write_state
from campaignrl.loop.standing import PAGE, standing_of
from campaignrl.loop.stations import (
    PROFILES,
    data_alerts,
    hold_world,
    learn_on,
    learned_bundle,
    make_profiles,
    open_ledger,
    sweep,
    take_in,
    world_alerts,
)
from campaignrl.monitor import health_of
from campaignrl.policies import Policy
from campaignrl.profiles.store import money_of, require_currency
from campaignrl.report.pages import morning_page, plan_page
from campaignrl.send import Plan
from campaignrl.tables.files import Writer, frame_writer, read_frame, write_together

PLANS = "plans"
NOTHING_NEW = "nothing new"
Watch = Callable[[str, float], None]


@dataclass(frozen=True)
class Station:
    """One station of a morning: its name, what it did in a line, how long that took."""

    name: str
    said: str
    seconds: float


@dataclass
class Today:
    """A morning.

    Attributes:
        folder, day: of the campaign; the day that is decided for.
        stations: in order.
        plan: what would be sent.
        list_path, page: of the plan and of the morning.
        waits_for: what has to be done before anything is sent; "" where it was approved already.
        alerts: what somebody should look at, the gravest first.
    """

    folder: Path
    day: datetime.date
    stations: list[Station] = field(default_factory=list)
    plan: Plan | None = None
    list_path: Path | None = None
    page: Path | None = None
    waits_for: str = ""
    alerts: list[str] = field(default_factory=list)

    @contextmanager
    def station(self, name: str, watch: Watch | None = None, *, quiet: bool = False) -> Iterator[list[str]]:
        """Time a station; what it appends to the list is what it says. quiet: it is not even mentioned."""
        started, said = time.monotonic(), list[str]()
        yield said
        seconds = time.monotonic() - started
        if quiet:
            return
        lines = said or [NOTHING_NEW]
        self.stations += [Station(name, line, seconds if i == 0 else 0.0) for i, line in enumerate(lines)]
        if watch is not None:
            watch(name, seconds)


def today(folder: str | Path, *, day: datetime.date, watch: Watch | None = None) -> Today:
    """Do a morning in a campaign's folder.

    Args:
        folder: with campaign.toml.
        day: that is decided for; exports and outcomes of the days before it count.
        watch: called with the name of each station and its seconds as it ends.

    Returns:
        Today: what each station did, the plan, what it waits for.

    Raises:
        ArtifactError: there is no campaign.
        SpecError: its file has mistakes.
        DataError: exports or answers cannot be read, or are too old.
        UsageError: the campaign is halted, or a policy may not play.
    """
    place = Path(folder)
    campaign, found = CampaignFile(place), Today(place, day)
    require_going(place)
    with locked(place):
        sweep(place)
        state, ledger = read_state(place), open_ledger(campaign)
        _require_day(campaign, ledger, day)
        with found.station("profiles", watch) as said:
            said += _some(make_profiles(campaign, ledger, day, state))
            require_currency("campaign.toml", money_of(place / PROFILES)[0], campaign.world, place / PROFILES)
        write_state(place, state)
        with found.station("outcomes", watch) as said:
            said += _some(take_in(campaign, ledger, day, state))
        write_state(place, state)
        champion = champion_of(campaign)
        with found.station("world", watch) as said:
            said.append(hold_world(campaign, champion, day, state))
        write_state(place, state)
        with found.station("learn", watch, quiet=campaign.spec.learn.policy is None) as said:
            said += _some(learn_on(campaign, ledger, day, state))
        write_state(place, state)
        tried = challengers(campaign, learned_bundle(state), state)
        with found.station("champion", watch) as said:
            said.append(require_not_losing(campaign, champion, state))
            others = [one.policy for one in tried if one.policy is not None]
            said += [str(one) for one in judge(campaign, ledger, day, champion, others)]
        write_state(place, state)
        with found.station("challenger", watch) as said:
            said += [one.said for one in tried] or ["none"]
            may = [one.policy for one in tried if one.policy is not None and one.is_better]
            said += move_on(campaign, ledger, day, champion, may)
        with found.station("decide", watch) as said:
            made = of_day(campaign, ledger, day, commit=False)
            found.plan = replace(made.plan, limits=(*made.plan.limits, *of_others_unknown(campaign)))
            said.append(_sends(found.plan))
        apprentices = _apprentices(campaign, state, others, day)
        with found.station("apprentice", watch, quiet=not apprentices) as said:
            said += [beside(campaign, ledger, day, one, made) for one in apprentices]
        _wait(found, campaign, state, made)
        found.alerts += [one.says for one in health_of(ledger, as_of=day, world=campaign.world).alarms]
        _write(found, campaign, state, made)
        write_state(place, state)
    return found


def _require_day(campaign: CampaignFile, ledger: Ledger, day: datetime.date) -> None:
    """UsageError for a day before the campaign's first, or before one that was decided: nothing is touched."""
    last = max((run["day"] for run in ledger.runs()), default=campaign.spec.start.isoformat())
    if day.isoformat() < last:
        fix = "A campaign only moves forward: give --as-of that day or a later one."
        raise UsageError(
            Problem("today", "--as-of", day.isoformat(), f"{last}, where the campaign stands, or later", fix)
        )


def _apprentices(
    campaign: CampaignFile, state: dict[str, Any], others: Sequence[Policy], day: datetime.date
) -> list[Policy]:
    """Challengers that decide beside: all but the one that is on trial, until the list of the day is released."""
    if campaign.spec.trial.mode == "off" or state.get("approved", {}).get("day") == day.isoformat():
        return []
    busy = course_of(campaign).challenger
    return [one for one in others if one.name != busy]


def _wait(found: Today, campaign: CampaignFile, state: dict[str, Any], made: OfDay) -> None:
    """What stands between the plan and the sends."""
    assert found.plan is not None
    approved = state.get("approved", {})
    if approved.get("day") == found.day.isoformat():
        found.alerts.append(f"{found.day}: released by {approved['who']}; the list is {approved['list']}")
        gone = len(made.gone & _listed(approved["list"]))
        if gone:
            fix = f"campaignrl approve {found.folder} --by NAME, once more, takes them off"
            found.alerts.insert(0, f"{gone:,} on the released list may no longer be contacted: {fix}")
        return
    guesses = campaign.spec.guess
    found.alerts += [*world_alerts(campaign.world, state), *data_alerts(campaign, state)]
    found.alerts += [f"to be confirmed: {guess.says} ({guess.file})" for guess in guesses]
    if not found.plan.sends:
        why = ", ".join(f"{why} ({many:,})" for why, many in found.plan.nothing[:3])
        found.alerts.append(f"nobody gets anything: {why or 'no customers'}")
    state["plan"] = {"day": found.day.isoformat(), "list": made.digest, "sends": found.plan.sends}
    found.waits_for = standing_of(campaign, state, found.day).said


def _listed(path: str) -> set[str]:
    """Decisions on a released list, by their ids."""
    place = Path(path)
    return set(read_frame(place, text=["decision_id"])["decision_id"]) if place.is_file() else set()


def _write(found: Today, campaign: CampaignFile, state: dict[str, Any], made: OfDay) -> None:
    assert found.plan is not None
    name = found.day.isoformat()
    found.list_path, found.page = found.folder / PLANS / f"{name}.csv", found.folder / PAGE
    plan = plan_page(found.plan).encode("utf-8", errors="replace")
    stations = [(one.name, one.said, one.seconds) for one in found.stations]
    page = morning_page(
        campaign.spec.name,
        found.plan,
        stations,
        standing=standing_of(campaign, state, found.day),
        alerts=found.alerts,
        plan_link=f"{PLANS}/{name}.html",
    ).encode("utf-8", errors="replace")
    files: dict[str | Path, Writer] = {found.page: lambda out: out.write(page)}
    if found.waits_for:  # what was released stays as it was looked at
        files = {
            found.folder / PLANS / f"{name}.html": lambda out: out.write(plan),
            found.list_path: frame_writer(made.sends, found.list_path),
            **files,
        }
    write_together(files)


def _sends(plan: Plan) -> str:
    spent = plan.money(plan.cost) + ("" if plan.budget is None else f" of {plan.money(plan.budget)}")
    gain = "" if plan.gain is None else f" · expected {plan.gain:+,.2f} {plan.gain_unit}"
    blocked = " · ".join(f"{many:,} {rule}" for rule, many in plan.blocked[:3])
    return f"{plan.sends:,} sends to {plan.customers:,} customers for {spent}{gain}" + (
        f" · {blocked}" if blocked else ""
    )


def _some(line: str | None) -> list[str]:
    return [] if line is None else [line]
