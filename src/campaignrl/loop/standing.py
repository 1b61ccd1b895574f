"""What stands between the plan of a morning and its sends, as its page says it.

Here: the words, from what the folder remembers, and the page kept true by whoever changes that after the morning: an
approval, a halt, a confirmation. Not here: the page (report/), the acts themselves (approval.py).
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from campaignrl.errors import DataError
from campaignrl.loop.folder import CampaignFile, halted, read_state
from campaignrl.loop.stations import profiles_key
from campaignrl.report.pages import Standing, day_of_page, restated
from campaignrl.tables.files import write_whole

PAGE = "morning.html"


def standing_of(campaign: CampaignFile, state: dict[str, Any], day: datetime.date) -> Standing:
    """Of the plan of a day: halted, released, or what has to be done before anything is sent."""
    folder = campaign.folder
    if (stop := halted(folder)) is not None:
        said = f"by {stop.get('who')}, {_moment(stop.get('when'))}: {stop.get('why')}"
        return Standing("halted", said, is_command=False)
    approved = state.get("approved", {})
    if approved.get("day") == day.isoformat():
        many = f"{approved['sends']:,} sends, " if "sends" in approved else ""
        said = f"by {approved['who']}, {_moment(approved.get('when'))}: {many}{approved['list']}"
        return Standing("released", said, is_command=False)
    if not _is_of_now(campaign, state, day):
        return Standing("waits for", f"campaignrl today {folder}")
    if campaign.spec.guess:
        return Standing("waits for", f"campaignrl init {folder} --confirm")
    return Standing("waits for", f"campaignrl approve {folder} --by NAME")


def tell_standing(folder: Path) -> None:
    """Say it on the page of the newest morning, where there is one."""
    path = folder / PAGE
    if not path.is_file():
        return
    page = path.read_text(encoding="utf-8")
    day = day_of_page(page)
    if day is None:
        return
    state = {} if halted(folder) else read_state(folder)  # a halt needs nothing that could be broken
    told = restated(page, standing_of(CampaignFile(folder), state, day))
    write_whole(path, lambda out: out.write(told.encode("utf-8", errors="replace")))


def _is_of_now(campaign: CampaignFile, state: dict[str, Any], day: datetime.date) -> bool:
    try:
        return bool(state.get("profiles") == profiles_key(campaign, day))
    except DataError:  # no exports any more
        return False


def _moment(told: object) -> str:
    return str(told).replace("T", " ")
