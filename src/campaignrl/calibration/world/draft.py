"""The first draft of a world: what the log and the profiles say outright, and a template for the rest.

From the log: channels, offers, costs, who may be reached. From the profiles: segments, their shares and attributes.
The template lends what no log holds (margins, how long an offer is valid, how fast fatigue fades) and is named as the
source of each such number. Not here: numbers that are fitted (base_rates.py, method_of_simulated_moments.py), the file
(world_file.py).
"""

from __future__ import annotations

import copy
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl.calibration.response import Campaign
from campaignrl.effects import SECTIONS
from campaignrl.errors import SpecError
from campaignrl.specs import MOST, OfferKind, Provenance, World, compile_condition, feature_schema, leaves, place

Tables = dict[str, Any]
Path = tuple[str, ...]
SHARED = (*(name for name in SECTIONS if name != "season"), "tags", "guard")  # the calendar is a world's own

# For a channel that the template does not know: an e-mail as practice reports it (Campaign Monitor 2022).
ANY_CHANNEL = {
    "cost": 0.0,
    "reach": {"deliver": 0.97, "open": 0.2, "click": 0.1},
    "unsubscribe": {"base": 0.002, "per_fatigue": 0.3},
}
FEWEST_LEVEL = 0.002  # share of customers below which a level is left out


def draft(campaign: Campaign, template: World, title: str) -> tuple[Tables, dict[str, Provenance]]:
    """Tables of a world with the campaign's catalog and segments, and where each number came from so far."""
    lent = template.model_dump(exclude_none=True, exclude_unset=True)
    tables: Tables = {"title": title, "horizon": template.horizon, "outcome_days": template.outcome_days}
    tables |= {"tenure_days": template.tenure_days, "money": copy.deepcopy(lent.get("money", {}))}
    said: dict[str, Provenance] = {}
    tables["segments"] = _segments(campaign, template, lent, said)
    tables["channels"] = _channels(campaign, template, lent, said)
    tables["offers"] = _offers(campaign, lent, said)
    tables |= {name: copy.deepcopy(lent[name]) for name in SHARED if name in lent}
    _fitting_rules(tables)
    default = Provenance(how="default", by=f"template {template.name}")
    for path, value in leaves(tables):
        if isinstance(value, int | float) and not isinstance(value, bool):
            said.setdefault(place(path), default)
    return tables, said


def with_attributes(tables: Tables, attributes: pd.DataFrame, labels: npt.NDArray[np.object_]) -> dict[str, Provenance]:
    """Put shares of attribute levels and of consents into the segments; attributes: one row a customer, beside labels.

    Columns of a few texts are attributes; those named consent_CHANNEL hold yes or no. Returns where they came from.
    """
    said: dict[str, Provenance] = {}
    for name, column in attributes.items():
        text = str(name)
        channel = text.removeprefix("consent_")
        if channel != text and channel in tables["channels"]:
            agreed = column.astype(object).isin([True, 1, 1.0, "1", "yes", "true", "True"]).to_numpy()
            for g, segment in tables["segments"].items():
                _share(said, segment["consent"], ("segments", g, "consent", channel), agreed[labels == g])
        elif not pd.api.types.is_numeric_dtype(column) and text != "customer_id" and 1 < column.nunique() <= MOST:
            shares = column.astype(str).value_counts(normalize=True)
            levels = [str(level) for level, share in shares.sort_index().items() if share >= FEWEST_LEVEL]
            for g, segment in tables["segments"].items():
                mine = column[labels == g].astype(str)
                table, n = _table_of(mine[mine.isin(levels)], levels)
                segment.setdefault("profile", {})[text] = table
                for level, share in table.items():
                    said[place(("segments", g, "profile", text, level))] = _of_shares(share, n)
    return said


def _table_of(values: pd.Series, levels: list[str]) -> tuple[dict[str, float], int]:
    """Shares that add up to 1 when written with six digits."""
    counts = values.value_counts().reindex(levels, fill_value=0)
    shares = (counts / counts.sum()).round(6) if counts.sum() else counts * 0.0 + round(1.0 / len(levels), 6)
    found = {str(level): float(share) for level, share in shares.items()}
    top = max(found, key=lambda level: found[level])
    found[top] = round(1.0 - sum(share for level, share in found.items() if level != top), 6)
    return found, int(counts.sum())


def _share(said: dict[str, Provenance], table: Tables, path: Path, yes: npt.NDArray[np.bool_]) -> None:
    n = len(yes)
    share = float(yes.mean()) if n else 0.0
    table[path[-1]] = round(share, 6)
    said[place(path)] = _of_shares(share, n)


def _of_shares(share: float, n: int) -> Provenance:
    """A share of n customers: of all or of none is not certain, and of nobody is not known."""
    if not n:
        return Provenance(how="default", by="not identified: no customer to count")
    spread = share if 0.0 < share < 1.0 else (n * share + 0.5) / (n + 1.0)  # Jeffreys: as if half a customer were other
    return _fitted(float(np.sqrt(spread * (1.0 - spread) / n)), n, "share of customers")


def _segments(campaign: Campaign, template: World, lent: Tables, said: dict[str, Provenance]) -> Tables:
    largest = max(template.segments, key=lambda name: template.segments[name].share)
    _, first = np.unique(campaign.rows.customer, return_index=True)
    code, n = campaign.rows.segment[first], len(first)
    allowed = _reachable(campaign, first)
    shares = campaign.shares.round(6)
    shares[np.argmax(shares)] += round(1.0 - shares.sum(), 6)
    found: Tables = {}
    for g, name in enumerate(campaign.segments):
        own = copy.deepcopy(lent["segments"].get(name, lent["segments"][largest]))
        is_lent = name in lent["segments"] and not campaign.rows.action.any()  # nothing here says how it answers
        for part in ("profile", "says") if is_lent else ("profile", "affinity", "taste", "says"):
            own.pop(part, None)
        lent_consent = own.get("consent", {})
        share = float(round(shares[g], 6))
        consent: Tables = {}
        found[name] = {**own, "share": share, "consent": consent}
        said[place(("segments", name, "share"))] = _fitted(
            float(np.sqrt(share * (1 - share) / n)), n, "share of customers"
        )
        for c, channel in enumerate(campaign.catalog.channels):
            if campaign.eligible is None:  # the log does not say who may be reached
                consent[channel.name] = lent_consent.get(channel.name, 1.0)
            else:
                _share(said, consent, ("segments", name, "consent", channel.name), allowed[code == g, c])
    return found


def _reachable(campaign: Campaign, first: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(C, c) whether each customer was ever allowed something on each channel."""
    catalog = campaign.catalog
    if campaign.eligible is None:
        return np.ones((len(first), len(catalog.channels)), dtype=bool)
    by_channel = [
        np.logical_or.reduceat(campaign.eligible[:, catalog.channel_of == c].any(axis=1), first)
        for c in range(len(catalog.channels))
    ]
    return np.stack(by_channel, axis=1)


def _channels(campaign: Campaign, template: World, lent: Tables, said: dict[str, Provenance]) -> Tables:
    found: Tables = {}
    for channel in campaign.catalog.channels:
        name = channel.name
        found[name] = copy.deepcopy(lent["channels"].get(name, ANY_CHANNEL))
        if name not in lent["channels"]:
            usual = Provenance(how="default", by="an e-mail as practice reports it (Campaign Monitor 2022)")
            said |= {place(path): usual for path, _ in leaves({"channels": {name: ANY_CHANNEL}})}
        if channel.cost and campaign.rows.action.any():
            found[name]["cost"] = channel.cost / template.money.minor_per_unit
            said[place(("channels", name, "cost"))] = Provenance(how="user", by="the log's catalog")
    return found


def _offers(campaign: Campaign, lent: Tables, said: dict[str, Provenance]) -> Tables:
    catalog, kinds = campaign.catalog, get_args(OfferKind)
    found: Tables = {}
    for offer in catalog.offers:
        channels = list(dict.fromkeys(a.channel for a in catalog.actions if a.offer == offer.name and a.channel))
        own = copy.deepcopy(lent["offers"].get(offer.name, {}))
        kind = offer.kind if offer.kind in kinds else "content"
        found[offer.name] = {"kind": kind, **own, "channels": channels}
        for field in ("discount", "valid_days"):
            if getattr(offer, field) and campaign.rows.action.any():
                found[offer.name][field] = getattr(offer, field)
                said[place(("offers", offer.name, field))] = Provenance(how="user", by="the log's catalog")
    return found


def only_rules_that_hold(tables: Tables) -> None:
    """A template's rule on segments or attributes that this world does not have would mean nobody, and is left out."""
    attributes: dict[str, dict[str, None]] = {}
    for segment in tables["segments"].values():
        for name, table in segment.get("profile", {}).items():
            attributes.setdefault(name, {}).update(dict.fromkeys(table))
    levels = {name: tuple(table) for name, table in attributes.items()}
    schema = feature_schema(tuple(tables["segments"]), tuple(tables["channels"]), levels, horizon=1)
    for name, offer in tables["offers"].items():
        if offer.get("only_if"):
            try:
                compile_condition(offer["only_if"], schema, f"[offers.{name}]")
            except SpecError:
                del offer["only_if"]


def _fitting_rules(tables: Tables) -> None:
    """Caps on channels that this world does not have are left out."""
    guard = tables.get("guard", {})
    if "caps" in guard:
        guard["caps"] = [cap for cap in guard["caps"] if cap.get("channel", None) in (None, *tables["channels"])]


def _fitted(se: float, n: float, by: str) -> Provenance:
    return Provenance(how="fitted", se=float(f"{se:.3g}"), n=n, by=by)
