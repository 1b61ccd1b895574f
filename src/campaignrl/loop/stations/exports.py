"""Exports to profiles: the first station of a morning, which does its work anew or not at all.

Not here: what came back from sending (came_back.py), the order of the stations (morning.py).
"""

from __future__ import annotations

import datetime
import fnmatch
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import DataError, Problem
from campaignrl.ledger import FACTS, Ledger, not_sent
from campaignrl.loop.folder import CampaignFile, digest_of
from campaignrl.profiles.events import newest_day
from campaignrl.profiles.intake import IntakeResult
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.store import build_folder
from campaignrl.report.pages import quality_page
from campaignrl.specs import world_hash
from campaignrl.tables import event_pieces, read_events
from campaignrl.tables.files import write_parquet_parts, write_whole

PROFILES, LEDGER = "profiles", "ledger"
FEWER = 0.8  # of the orders of the morning before, below which somebody should look
HIDDEN = (".", "_", "~$")
SEP = "\0"


def open_ledger(campaign: CampaignFile) -> Ledger:
    """The campaign's ledger, begun on the first morning; anew for another world while there is nothing in it yet."""
    place, spec = campaign.folder / LEDGER, campaign.spec
    if (place / FACTS).exists():
        found = Ledger.open(place)
        is_of_this = found.world == campaign.world.name and found.rules[-1] == world_hash(campaign.world)
        if is_of_this or any(found.counts().values()):
            found.require(campaign.world)
            return found
        place.rename(campaign.folder / f".{LEDGER}-before-{os.getpid()}")
    return Ledger.create(place, campaign.world, start=spec.start, customers=spec.customers)


def make_profiles(campaign: CampaignFile, ledger: Ledger, day: datetime.date, state: dict[str, Any]) -> str | None:
    """Exports -> FOLDER/profiles as of a morning; the line that says so, None where nothing is new.

    Raises:
        DataError: the exports cannot be read, or their newest event is too old to send anything by.
    """
    known = profiles_key(campaign, day)
    place = campaign.folder / PROFILES
    if state.get("profiles") == known and place.is_dir():
        return None
    spec = campaign.spec
    with tempfile.TemporaryDirectory(dir=campaign.folder, prefix=".profiles-") as scratch:
        fresh = Path(scratch) / PROFILES
        taken = intake(campaign.mapping, campaign.exports, fresh, day, page=quality_page)
        rejected = len(taken.rejects)
        orders = len(read_events(taken.events_path, ["kind"], kinds=["order"]))
        _require_understood(taken)
        _leave_out_own_sends(taken.events_path, ledger)
        _require_recent(taken.events_path, day, spec.data.max_age_days)
        made = build_folder(
            fresh,
            taken.events_path,
            fresh / "attributes.parquet",
            spec.data.tags,
            day,
            world=campaign.world,
            start=spec.start,
            never_contacted=spec.data.never_contacted,
        )
        if place.exists():
            place.rename(Path(scratch) / "before")
        fresh.rename(place)
    state["profiles"] = known
    state["orders"] = {"now": orders, "before": state.get("orders", {}).get("now", orders)}
    reach = made.facts["permissions"]
    reached = " · ".join(f"{name} {facts['reachable']:,}" for name, facts in reach.items()) or "nobody: no consents"
    more = f" · {rejected:,} rows left out, see {PROFILES}/quality.html" if rejected else ""
    return f"{len(made.frame):,} customers · reachable: {reached}{more}"


def profiles_key(campaign: CampaignFile, day: datetime.date) -> str:
    """What the profiles of a morning are made of: the day, every export, campaign.toml."""
    exports = files_of(campaign.exports)
    if not exports:
        fix = "Put the exports there, as the mapping names them."
        raise DataError(Problem("profiles", "exports", str(campaign.exports), "a folder with files", fix))
    return f"{day} {digest_of({**exports, 'campaign.toml': campaign.path})}"


def data_alerts(campaign: CampaignFile, state: dict[str, Any]) -> list[str]:
    """What somebody should look at in the exports: files that nothing reads, orders that are gone."""
    patterns = [source.file for source in campaign.mapping.source]
    read = [name for name in files_of(campaign.exports) if any(_reads(pattern, name) for pattern in patterns)]
    unread = [name for name in files_of(campaign.exports) if name not in read]
    said = [f"{name} lies in {campaign.spec.data.exports}/, and no [[source]] reads it" for name in unread]
    counts = state.get("orders", {})
    now, before = int(counts.get("now", 0)), int(counts.get("before", 0))
    if now < FEWER * before:
        said.append(f"the exports hold {now:,} orders; the morning before it was {before:,}")
    return said


def _reads(pattern: str, name: str) -> bool:
    return fnmatch.fnmatch(name, pattern) or name.startswith(pattern.rstrip("/") + "/")


def _leave_out_own_sends(path: Path, ledger: Ledger) -> None:
    """A send that the ledger knows is one contact, though the sending tool exports it as well."""
    sends = ledger.read("decisions", ["decision_id", "customer_id", "day", "channel", "action"]).to_pandas()
    sends = sends[(sends["action"] != 0) & ~sends["decision_id"].isin(not_sent(ledger))]
    if not len(sends):
        return
    own = pa.array((sends["customer_id"] + SEP + sends["channel"] + SEP + sends["day"].astype(str)).unique())
    if any(pc.any(_among(piece, own)).as_py() for piece in event_pieces(path)):
        left = (piece.filter(pc.invert(_among(piece, own))) for piece in event_pieces(path))
        write_whole(path, lambda out: write_parquet_parts(left, out))


def _among(events: pa.Table, own: pa.Array) -> pa.ChunkedArray:
    """(n,) which events are sends of these customers, channels and days."""
    day = pc.cast(pc.cast(pc.cast(events["ts"], pa.date32()), pa.int32()), pa.string())
    key = pc.binary_join_element_wise(events["customer_id"], pc.fill_null(events["channel"], ""), day, SEP)
    return pc.and_(pc.equal(events["kind"], "sent"), pc.is_in(key, value_set=own))


def _require_recent(path: Path, day: datetime.date, most: int) -> None:
    newest = newest_day(path)
    age = (day - newest).days
    if age > most:
        fix = "Put newer exports there, or raise [data] max_age_days."
        raise DataError(Problem("profiles", "newest event", f"{age} days old", f"at most {most} days old", fix))


def _require_understood(taken: IntakeResult) -> None:
    """A source of which more is left out than taken is not what the mapping says."""
    problems = [
        Problem(
            "profiles", f"[[source]] {name!r}", f"{counts.rejected:,} of {counts.rows:,} rows left out", "understood"
        )
        for name, counts in taken.counts.items()
        if counts.rejected * 2 > counts.rows
    ]
    if problems:
        reasons = taken.rejects["reason"].value_counts().index[:1]
        fix = f"Mostly: {reasons[0]}. See what campaign.toml takes its columns for." if len(reasons) else ""
        raise DataError([problem._replace(fix=fix) for problem in problems])


def files_of(folder: Path) -> dict[str, Path]:
    """Files under a folder by their place in it, but for hidden ones."""
    if not folder.is_dir():
        return {}
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(HIDDEN))
    return {str(path.relative_to(folder)): path for path in found}


def sweep(folder: Path) -> None:
    """Take away what a morning that was killed left behind; its old profiles come back where no new ones lie."""
    for left in folder.glob(".profiles-*"):
        before = left / "before"
        if before.is_dir() and not (folder / PROFILES).exists():
            before.rename(folder / PROFILES)
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob(".deciding-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob(f".{LEDGER}-*"):  # begun and not ended, or empty and of another world
        shutil.rmtree(left, ignore_errors=True)
