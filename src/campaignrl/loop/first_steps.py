"""What may come before the first morning: profiles alone, to calibrate a world on, and a policy held against others.

Not here: the morning, whose stations these are (morning.py).
"""

from __future__ import annotations

import datetime
from pathlib import Path

from campaignrl.loop.arms import policy_of, standing_of
from campaignrl.loop.folder import CampaignFile, locked, read_state, write_state
from campaignrl.loop.stations import make_profiles, open_ledger, sweep
from campaignrl.policies import Standing


def profiles_alone(folder: str | Path, *, day: datetime.date) -> str:
    """The first station of a morning and no other; the line it says, "" where nothing is new."""
    place = Path(folder)
    campaign = CampaignFile(place)
    with locked(place):
        sweep(place)
        state = read_state(place)
        said = make_profiles(campaign, open_ledger(campaign), day, state)
        write_state(place, state)
    return said or ""


def standing_in_world(folder: str | Path, named: str) -> Standing:
    """How a policy stands in the campaign's world, as its mornings will say; they do not play it again."""
    place = Path(folder)
    campaign = CampaignFile(place)
    with locked(place):
        state = read_state(place)
        found = standing_of(campaign, policy_of(campaign, named), state)
        write_state(place, state)
    return found
