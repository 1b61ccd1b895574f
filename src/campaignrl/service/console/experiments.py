"""What is being tried: exploration, holdout, shadows, A/B tests of the campaign's folder.

Not here: how tests are read (suites/abtest).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from campaignrl.errors import CampaignError
from campaignrl.loop import CampaignFile
from campaignrl.service.api import service_of
from campaignrl.service.console.inside import ask
from campaignrl.service.console.page import shown, signed_in
from campaignrl.service.console.session import Visitor
from campaignrl.suites.abtest import Trial, read_trial_file

FOLDER = "experiments"  # of a campaign: plans of A/B tests, as `campaignrl abtest plan` writes them


@signed_in
async def experiments(request: Request, visitor: Visitor) -> Response:
    """The page."""
    settings = service_of(request).settings
    told = await ask(request, visitor, "GET", "/v1/policies")
    trials, explore = await asyncio.to_thread(_of_campaign, settings.campaign)
    return shown(
        request,
        visitor,
        "experiments",
        holdout=settings.world.guard.holdout,
        explore=explore,
        shadows=told.facts["shadows"],
        trials=trials,
    )


def _of_campaign(folder: Path | None) -> tuple[list[dict[str, Any]], float | None]:
    """(A/B tests, share of the champion's customers who draw at random)."""
    if folder is None:
        return [], None
    try:
        explore = CampaignFile(Path(folder)).spec.policies.explore
    except CampaignError:
        explore = None
    return [_trial(path) for path in sorted((Path(folder) / FOLDER).glob("*.json"))], explore


def _trial(path: Path) -> dict[str, Any]:
    try:
        found: Trial = read_trial_file(path)
    except CampaignError as wrong:
        return {"name": path.stem, "wrong": str(wrong).partition("\n")[0], "arms": [], "customers": None}
    return {"name": path.stem, "wrong": "", "arms": list(found.arms.items()), "customers": found.customers}
