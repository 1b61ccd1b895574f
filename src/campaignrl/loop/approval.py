"""Releasing a plan, and the kill switch: who, when, which plan.

What was approved is what is sent: the list is decided once more as the ledger stands now, and may only have lost
customers since (an opt-out at noon). Anything else needs a new look. Asked again before the list is handed over, it
takes off those who may no longer be contacted. What the page of the morning says of it is kept true
(standing.py). Not here: the plan (morning.py).
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.loop.arms import of_day
from campaignrl.loop.folder import (
    APPROVALS,
    HALT,
    CampaignFile,
    GuessSpec,
    append_line,
    confirm_guesses,
    halted,
    locked,
    read_state,
    require_going,
    write_state,
)
from campaignrl.loop.morning import PLANS
from campaignrl.loop.standing import tell_standing
from campaignrl.loop.stations import open_ledger, profiles_key, take_in
from campaignrl.tables.files import frame_writer, read_frame, write_whole

SENDS, HALTS = "sends", "halts.jsonl"
COLUMNS = ["customer_id", "offer", "channel"]


@dataclass(frozen=True)
class Approved:
    """A released list: where it lies, how many sends it has, how many of the plan were lost since."""

    day: datetime.date
    path: Path
    sends: int
    lost: int
    who: str


def approve(folder: str | Path, *, day: datetime.date, who: str, now: datetime.datetime) -> Approved:
    """Release the plan of a day: the decisions go to the ledger, the list to FOLDER/sends.

    Again, it gives what it gave, without customers whose permission was taken away since.

    Raises:
        UsageError: there is no plan of that day, guesses are not confirmed, the campaign is halted, nobody signs, or
            the plan no longer holds.
    """
    place = Path(folder)
    campaign = CampaignFile(place)
    require_going(place)
    if not who.strip():
        raise UsageError(Problem("approve", "--by", who, "the name of who answers for it"))
    with locked(place):
        state, ledger = read_state(place), open_ledger(campaign)
        path = place / SENDS / f"{day}.csv"
        before = state.get("approved", {})
        if before.get("day") == day.isoformat() and path.exists():
            take_in(campaign, ledger, day, state)
            lost = _take_off(campaign, ledger, day, path, who, now)
            left = len(read_frame(path, ["customer_id"]))
            before |= {"lost": int(before["lost"]) + lost, "sends": left}
            write_state(place, {**state, "approved": before})
            tell_standing(place)
            return Approved(day, path, left, before["lost"], before["who"])
        _require_plan(campaign, state, day)
        take_in(campaign, ledger, day, state)  # an opt-out at noon
        planned = read_frame(place / PLANS / f"{day}.csv", text=["customer_id"])
        rows = of_day(campaign, ledger, day, commit=False).sends
        kept = set(map(tuple, planned[COLUMNS].astype(str).to_numpy()))
        added = [row for row in map(tuple, rows[COLUMNS].astype(str).to_numpy()) if row not in kept]
        if added:
            fix = f"Look at it again: campaignrl today {place}."
            raise UsageError(Problem("approve", "plan", f"{len(added):,} other sends", "what was looked at", fix))
        found = of_day(campaign, ledger, day, commit=True)
        lost = len(planned) - len(found.sends)
        facts = {"day": day.isoformat(), "who": who, "when": now.isoformat(timespec="seconds"), "lost": lost}
        facts |= {"sends": len(found.sends), "list": found.digest, "run": found.run, "policy": found.policy}
        write_whole(path, frame_writer(found.sends, path))
        append_line(place / APPROVALS, facts)
        state["approved"] = {**facts, "list": str(path)}
        write_state(place, state)
        tell_standing(place)
    return Approved(day, path, len(found.sends), lost, who)


def _take_off(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, path: Path, who: str, now: datetime.datetime
) -> int:
    """Take customers off a released list who may no longer be contacted; how many."""
    listed = read_frame(path, text=["customer_id", "decision_id"])
    gone = listed["decision_id"].isin(of_day(campaign, ledger, day, commit=False).gone)
    if gone.any():
        left = listed[~gone].reset_index(drop=True)
        write_whole(path, frame_writer(left, path))
        facts = {"day": day.isoformat(), "who": who, "when": now.isoformat(timespec="seconds")}
        append_line(campaign.folder / APPROVALS, {**facts, "taken off": int(gone.sum()), "list": str(path)})
    return int(gone.sum())


def _require_plan(campaign: CampaignFile, state: dict[str, Any], day: datetime.date) -> None:
    problems, plan = [], state.get("plan", {})
    if plan.get("day") != day.isoformat():
        fix = f"Make it: campaignrl today {campaign.folder} --as-of {day}."
        if plan:
            fix += f" Or release that one: campaignrl approve {campaign.folder} --by NAME --as-of {plan['day']}."
        problems.append(Problem("approve", "plan", plan.get("day", "none"), f"one of {day}", fix))
    elif state.get("profiles") != profiles_key(campaign, day):
        fix = f"Look at it again: campaignrl today {campaign.folder}."
        changed = "made before exports or campaign.toml changed"
        problems.append(Problem("approve", "plan", changed, "made of what lies there now", fix))
    if campaign.spec.guess:
        fix = f"Look at each in campaign.toml, then: campaignrl init {campaign.folder} --confirm."
        problems.append(Problem("campaign.toml", "guess", len(campaign.spec.guess), "confirmed", fix))
    if problems:
        raise UsageError(problems)


def halt(folder: str | Path, *, who: str, why: str, now: datetime.datetime) -> None:
    """Stop the campaign: no plan and no approval until it is released."""
    _signed("halt", who, why)
    place = Path(folder)
    CampaignFile(place)
    facts = {"who": who, "why": why, "when": now.isoformat(timespec="seconds")}
    write_whole(place / HALT, lambda out: out.write(json.dumps(facts, ensure_ascii=False).encode()))
    append_line(place / HALTS, {**facts, "what": "halted"})
    tell_standing(place)


def release(folder: str | Path, *, who: str, why: str, now: datetime.datetime) -> None:
    """Let a halted campaign go on."""
    _signed("halt --release", who, why)
    place = Path(folder)
    if halted(place) is None:
        raise UsageError(Problem("halt", "--release", str(place), "a campaign that is halted"))
    append_line(place / HALTS, {"who": who, "why": why, "when": now.isoformat(timespec="seconds"), "what": "released"})
    (place / HALT).unlink()
    tell_standing(place)


def confirm(folder: str | Path) -> list[GuessSpec]:
    """Take the guesses out of campaign.toml; what was confirmed.

    Raises:
        UsageError: there are guesses, but not at the end of the file where they were written.
    """
    place = Path(folder)
    found = confirm_guesses(place)
    if found:
        tell_standing(place)
    return found


def _signed(verb: str, who: str, why: str) -> None:
    wrong = [Problem(verb, option, "", "given") for option, text in (("--by", who), ("--why", why)) if not text.strip()]
    if wrong:
        raise UsageError(wrong)
