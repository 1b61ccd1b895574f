"""The decisions of a day, by whoever decides: the champion, or champion and challenger with their shares.

Beside them, in apprentice mode, what a challenger would have decided, of which nothing is sent. Not here: who decides
(champion.py, trial.py), how (send/).
"""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from campaignrl.errors import CampaignError
from campaignrl.ledger import Ledger
from campaignrl.loop.arms.champion import champion_of
from campaignrl.loop.arms.kept import keep
from campaignrl.loop.arms.trial import deciding
from campaignrl.loop.folder import CampaignFile
from campaignrl.policies import Policy, parts_of
from campaignrl.send import SHARD, Decisions, Plan, Settings, clock_time, decide_in_shards, is_typed, plan_of
from campaignrl.send.decide import decide
from campaignrl.tables import ID
from campaignrl.tables.files import column_names, parquet_file, read_frame, write_whole

TABLE = Path("profiles") / "profiles.parquet"
DECIDING = ".deciding-"  # begins the name of a folder in which a day is decided


def decided(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, *, commit: bool, policy: Policy | None = None
) -> Decisions:
    """The decisions of a day, given profiles and ledger as they stand; of those whose day it is, or of `policy`."""
    return decide(
        _who(campaign, commit, policy),
        campaign.folder / TABLE,
        campaign.world,
        day=day,
        ledger=ledger,
        dry_run=not commit,
        send_at=campaign.spec.sends.at,
        **campaign.spec.how,
    )


@dataclass(frozen=True)
class OfDay:
    """What was decided for a day, however many customers there are: of each of them, only sends are held.

    Attributes:
        plan: in figures.
        sends: the list, a row a send.
        run, policy: names of the run in the ledger and of who decided.
        gone: decisions that were released, to customers who may no longer be contacted; by their ids.
    """

    plan: Plan
    sends: pd.DataFrame
    run: str
    policy: str
    gone: frozenset[str]

    @property
    def digest(self) -> str:
        """Of what would be sent to whom: equal digests, equal lists."""
        frame = self.sends[[ID, "offer", "channel"]].sort_values([ID], kind="stable")
        return hashlib.blake2b(frame.to_csv(index=False).encode(), digest_size=16).hexdigest()


def of_day(
    campaign: CampaignFile, ledger: Ledger, day: datetime.date, *, commit: bool, policy: Policy | None = None
) -> OfDay:
    """As `decided`, in shards where the profiles are longer than one: the same plan, list and rows of the ledger."""
    table = campaign.folder / TABLE
    with parquet_file(table) as file:
        rows = file.metadata.num_rows
    if rows <= SHARD or not is_typed(table, campaign.world):
        found = decided(campaign, ledger, day, commit=commit, policy=policy)
        plan = plan_of(found, campaign.world, ledger)
        return OfDay(plan, found.sends(), found.run, found.policy, frozenset(plan.left_out))
    who = _who(campaign, commit, policy)
    settings = Settings(send_at=clock_time(campaign.spec.sends.at), **campaign.spec.how)
    with tempfile.TemporaryDirectory(dir=campaign.folder, prefix=DECIDING) as scratch:
        place, listed = Path(scratch) / "run", Path(scratch) / "sends.parquet"
        shards = decide_in_shards(
            who,
            table,
            campaign.world,
            settings,
            day=day,
            folder=place,
            made={"sends": "parquet"},
            ledger=ledger,
            dry_run=not commit,
            rows=SHARD,
        )
        plan = shards.plan()
        write_whole(listed, shards.sends_writer(listed))
        return OfDay(plan, read_frame(listed), plan.run, plan.policy, frozenset(plan.left_out))


def _who(campaign: CampaignFile, commit: bool, policy: Policy | None) -> Policy:
    """Who decides, kept in the folder where the decisions count."""
    who = deciding(campaign, champion_of(campaign)) if policy is None else policy
    for part in parts_of(who) if commit else ():
        keep(campaign, part)
    return who


def beside(campaign: CampaignFile, ledger: Ledger, day: datetime.date, apprentice: Policy, of_champion: OfDay) -> str:
    """What an apprentice would send, and how often that is what will be sent."""
    try:
        found = of_day(campaign, ledger, day, commit=False, policy=apprentice)
    except CampaignError as wrong:
        return f"{apprentice.name} cannot decide: {str(wrong).partition(chr(10))[0]}"
    many, cost, same = found.plan.sends, found.plan.money(found.plan.cost), _same(found, of_champion)
    return f"{apprentice.name} decides beside: {many:,} sends for {cost}, the same for {same:.1%} of the customers"


def _same(one: OfDay, other: OfDay) -> float:
    """The share of the customers who get the same, also nothing, of two policies."""
    if not one.plan.customers:
        return 1.0
    both = one.sends.merge(other.sends, on=ID)
    same = (both["offer_x"] == both["offer_y"]) & (both["channel_x"] == both["channel_y"])
    differ = len(one.sends) + len(other.sends) - len(both) - int(same.sum())
    return 1.0 - differ / one.plan.customers


def of_others_unknown(campaign: CampaignFile) -> tuple[str, ...]:
    """What a plan must say where the exports tell of no contacts: those by others are unknown, which is not none."""
    table = campaign.folder / TABLE
    counts = read_frame(table, [name for name in column_names(table) if name.startswith("contacts_")])
    names = [str(name) for name in counts if counts[name].isna().all()]
    said = f"The exports tell of no contacts ({', '.join(names)}): only what this ledger sent counts against the caps."
    return (said,) if names else ()
