"""The decisions of a day, by whoever decides: the champion, or champion and challenger with their shares.

Beside them, in apprentice mode, what a challenger would have decided, of which nothing is sent. Not here: who decides
(champion.py, trial.py), how (send/).
"""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

from campaignrl.actions import NONE
from campaignrl.errors import CampaignError
from campaignrl.ledger import Ledger
from campaignrl.loop.arms.champion import champion_of
from campaignrl.loop.arms.kept import keep
from campaignrl.loop.arms.trial import deciding
from campaignrl.loop.folder import CampaignFile
from campaignrl.policies import Policy, parts_of
from campaignrl.send import Decisions
from campaignrl.send.decide import decide
from campaignrl.tables.files import read_frame

TABLE = Path("profiles") / "profiles.parquet"


def decided(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, *, commit: bool, policy: Policy | None = None
) -> Decisions:
    """The decisions of a day, given profiles and ledger as they stand; of those whose day it is, or of `policy`."""
    sends = campaign.spec.sends
    who = deciding(campaign, champion_of(campaign)) if policy is None else policy
    if commit:
        for part in parts_of(who):
            keep(campaign, part)
    return decide(
        who,
        campaign.folder / TABLE,
        campaign.world,
        day=day,
        budget=sends.budget,
        capacity=sends.capacity,
        ledger=ledger,
        dry_run=not commit,
        send_at=sends.at,
    )


def beside(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, apprentice: Policy, of_champion: Decisions
) -> str:
    """What an apprentice would send, and how often that is what will be sent."""
    try:
        found = decided(campaign, ledger, day, commit=False, policy=apprentice)
    except CampaignError as wrong:
        return f"{apprentice.name} cannot decide: {str(wrong).partition(chr(10))[0]}"
    same = float((found.action == of_champion.action).mean()) if len(found.ids) else 1.0
    many, cost = int((found.action != NONE).sum()), campaign.world.money
    money = f"{found.cost / cost.minor_per_unit:,.2f} {cost.currency}"
    return f"{apprentice.name} decides beside: {many:,} sends for {money}, the same for {same:.1%} of the customers"


def of_others_unknown(campaign: CampaignFile) -> tuple[str, ...]:
    """What a plan must say where the exports tell of no contacts: those by others are unknown, which is not none."""
    profiles = read_frame(campaign.folder / TABLE)
    names = [name for name in map(str, profiles) if name.startswith("contacts_") and profiles[name].isna().all()]
    said = f"The exports tell of no contacts ({', '.join(names)}): only what this ledger sent counts against the caps."
    return (said,) if names else ()


def no_longer(found: Decisions) -> set[str]:
    """Decisions of the day that were released, to customers who may no longer be contacted; by their ids."""
    own = [] if found.withdrawn is None else found.decision_id[found.withdrawn & (found.action != NONE)].tolist()
    return {*found.barred_today, *own}


def list_digest(decisions: Decisions) -> str:
    """Of what would be sent to whom: equal digests, equal lists."""
    frame = decisions.sends()[["customer_id", "offer", "channel"]].sort_values(["customer_id"], kind="stable")
    return hashlib.blake2b(frame.to_csv(index=False).encode(), digest_size=16).hexdigest()
