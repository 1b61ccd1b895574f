"""The verb: events, a decision log and segments in, a world out, and for every number where it came from.

    calibration = calibrate(events, log, segments=labels, attributes=attributes, like="ecommerce")
    calibration.write("mine.toml"); print(calibration.table())

What the data say is fitted: base rates on untreated histories (untreated_histories.py), the funnel and the effects of
offers by replaying the campaign in the world until both give the same figures (method_of_simulated_moments.py). The
rest is a default, or what the user said, and marked so. Not here: any of these parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pandas as pd

from campaignrl.calibration.purchase import Base, Chosen, Fitted, Path, base_of_events, labels_of
from campaignrl.calibration.response import (
    Campaign,
    Moment,
    Rows,
    View,
    all_moments,
    campaign_of_events,
    delay_numbers,
    effects_table,
    response_table,
)
from campaignrl.calibration.world import (
    Matched,
    calendar,
    days_needed,
    get,
    in_currency,
    match,
    only_rules_that_hold,
    put,
    with_attributes,
    write_world,
)
from campaignrl.calibration.world.draft import draft
from campaignrl.errors import DataError, Problem, SpecError
from campaignrl.specs import Provenance, World, WorldReference, check, leaves, load_world, place
from campaignrl.tables.log import DecisionLog

UNCHOSEN = "not chosen out of time: early orders are known in sum only, or too few customers ordered again"
Progress = Callable[[int, int], None]
Tables = dict[str, Any]


@dataclass(frozen=True)
class Calibration:
    """A world with the evidence for it."""

    tables: Tables
    provenance: dict[str, Provenance]
    matched: tuple[Matched, ...]
    effects: pd.DataFrame  # one row an action and segment: orders against nothing sent
    responses: pd.DataFrame  # one row a step of the funnel: how well it can be predicted
    chosen: Chosen | None = None  # the purchase model of untreated orders

    @property
    def world(self) -> World:
        """The world itself."""
        said = {key: found.model_dump(exclude_none=True) for key, found in self.provenance.items()}
        return check(World, {"name": "calibrated", **self.tables, "provenance": said}, "calibrated world")

    def write(self, path: str | FilePath) -> None:
        """The world's file, whole or not at all."""
        write_world(self.tables, self.provenance, path)

    def table(self) -> pd.DataFrame:
        """One row a fitted number: place, value, se, n, how; target, simulated and off where it was matched."""
        by_place = {place(path): m for m in self.matched if m.moved for path in m.moment.paths}
        rows, values = [], self._values
        for key, found in self.provenance.items():
            if found.how != "fitted" or isinstance(values[key], list):  # a calendar is not one number
                continue
            m = by_place.get(key)
            row = {"number": key, "value": values[key], "se": found.se, "n": found.n, "by": found.by}
            row |= {"target": m.moment.target.value, "simulated": m.simulated.value, "off": m.off} if m else {}
            rows.append(row)
        return pd.DataFrame(rows, columns=["number", "value", "se", "n", "by", "target", "simulated", "off"])

    @property
    def purchase(self) -> dict[str, Any]:
        """The purchase model that was chosen out of time, beside all others, in plain JSON types."""
        if self.chosen is None:
            return {"model": "Pareto/NBD", "caution": UNCHOSEN}
        return self.chosen.forecast.facts(self.chosen.customers)

    @property
    def _values(self) -> dict[str, Any]:
        return {place(path): value for path, value in leaves(self.tables)}


def calibrate(
    events: pd.DataFrame,
    log: DecisionLog | None = None,
    *,
    segments: pd.Series | None = None,
    attributes: pd.DataFrame | None = None,
    like: WorldReference = "ecommerce",
    user: Mapping[str, float] | None = None,
    window: int | None = None,
    day_zero: str | None = None,
    currency: str | None = None,
    rate: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """A world from an events table, with the responses of a decision log where there is one.

    Args:
        events: what customers did and what was done to them, one row an event (`campaignrl.tables.read_events`).
        log: decisions whose outcomes are among the events; None: nothing was sent.
        segments: labels by customer id.
        attributes: one row a customer (`customer_id`, `joined`, levels, consent_CHANNEL).
        like: the world that lends what no data say: a World, its name, path or dict.
        user: numbers by place (`fatigue.half_life`) that are not to be fitted.
        window: days after a send in which orders count as its outcome.
        day_zero: date of the log's day 0, 2026-11-21.
        currency: of the amounts; the template's, if not given.
        rate: what one unit of the template's currency is worth in it, where they differ.
        seed: of the simulations that are matched.
        progress: called as (steps done, in all).

    Returns:
        Calibration: the world, and where each number came from.

    Raises:
        DataError: the tables do not fit together.
        UnknownName: no world goes by that name.
        UsageError: the template's costs are in another currency, and no rate is given.

    Source:
        Purchases by BG/NBD and its kin (Fader, Hardie and Lee 2005); responses by the method of simulated moments.

    Example:
        >>> import campaignrl as crl, numpy as np
        >>> from campaignrl.envs import Panel
        >>> from campaignrl.envs.events_export import play_history
        >>> panel = Panel(crl.load_world("coupon_trap"), 300)
        >>> events = play_history(panel, lambda panel: np.zeros(len(panel), dtype=int), days=60).events
        >>> found = crl.calibrate(events, like="coupon_trap")
        >>> found.world.horizon
        120
    """
    template = in_currency(load_world(like), currency, rate, keep_minor=log is not None)
    ids = _customers(events, log, attributes)
    labels = labels_of(ids, segments)
    names = tuple(sorted(set(labels)))
    code = pd.Categorical(labels, categories=names).codes.astype(np.int64)
    if log is None:
        campaign, before = _nothing_sent(template, names, code), _first_send(events)
        zero = before if before is not None else events.ts.max() + pd.Timedelta(days=1)
    else:
        campaign = campaign_of_events(log, events, code, names, window, day_zero)
        zero = pd.Timestamp(day_zero or log.meta.get("day_zero", "1970-01-01"))
        before = zero = zero + pd.Timedelta(days=int(log.day.min()))
    everybody = labels if segments is None or log is None else labels_of(pd.Index(segments.index), segments)
    base = base_of_events(events, everybody, before, attributes)
    if log is not None and template.response.click_lift > 0.0:
        valid = {o.name: o.valid_days for o in log.catalog.offers}
        valid |= {name: offer.valid_days for name, offer in template.offers.items() if not valid.get(name, 1)}
        base = base._replace(numbers=base.numbers | delay_numbers(events, log, valid))
    return calibrate_campaign(
        campaign, template, base=base, attributes=_beside(attributes, labels), labels=labels, user=user, day_zero=zero,
        seed=seed, progress=progress,
    )  # fmt: skip


def calibrate_campaign(
    campaign: Campaign,
    like: str | FilePath | World,
    *,
    base: Base | None = None,
    attributes: pd.DataFrame | None = None,
    labels: pd.Series | None = None,
    user: Mapping[str, float] | None = None,
    by_spend: bool = False,
    title: str = "",
    day_zero: pd.Timestamp | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """A world from a campaign's rows. attributes: one row a customer, beside labels (segment names).

    day_zero: the date of the world's day 0, which a season of the base is put on.
    by_spend: offers are to add as much spend as they did, instead of as many orders.
    """
    template, base = load_world(like), base or Base({}, False)
    tables, said = draft(campaign, template, title or f"Calibrated; what no data say is from {template.name}")
    for path, number in base.numbers.items():
        _write_number(tables, said, path, number)
    for segment in tables["segments"].values():
        if base.numbers and "within" in segment["basket"] and any(p[-1] == "within" for p in base.numbers):
            segment["basket"]["model"] = "gamma_gamma"
    if attributes is not None and labels is not None:
        said |= with_attributes(tables, attributes, labels.to_numpy(dtype=object))
    if base.joined_by_order:
        tables["joined_by_order"] = True
    if base.chosen is not None and day_zero is not None:
        season, found = calendar(base.chosen, day_zero)
        tables |= {"season": season} if season else {}
        said |= found
    only_rules_that_hold(tables)
    fixed = _users_words(tables, said, user or {})
    tables, matched, view = _matched(campaign, tables, base.rates_known, fixed, by_spend, seed, progress)
    for m in matched:
        for path in m.moment.paths:
            said[place(path)] = _source(m, said.get(place(path)))
    if campaign.rows.action.any():
        said["horizon"] = Provenance(how="user", by="the days of the log")
    known = {place(path) for path, _ in leaves(tables)}
    kept = {key: found for key, found in said.items() if key in known}
    return Calibration(tables, kept, tuple(matched), effects_table(view), response_table(view, seed), base.chosen)


def _matched(
    campaign: Campaign,
    tables: Tables,
    base_known: bool,
    fixed: set[Path],
    by_spend: bool,
    seed: int,
    progress: Progress | None,
) -> tuple[Tables, list[Matched], View]:
    """Moments in two stages: what a whole channel does, then all that is told apart within it."""
    added = {name: float(channel.get("fatigue", 1.0)) for name, channel in tables["channels"].items()}
    decay = float(0.5 ** (1.0 / tables.get("fatigue", {}).get("half_life_days", 7.0)))

    def view_of(rows: Campaign) -> View:
        return View(rows, added, decay, by_spend)

    view = view_of(campaign)
    moments = [m for m in all_moments(view, tables, base_known) if not fixed.intersection(m.paths)]
    if campaign.rows.action.any():
        tables = {**tables, "horizon": days_needed(campaign)}
    early = [m for m in moments if m.early]
    tables, first = match(tables, view, early, view_of, seed, progress)
    tables, rest = match(tables, view, [m for m in moments if not m.early], view_of, seed, progress)
    return tables, [*first, *rest], view


def _source(m: Matched, before: Provenance | None) -> Provenance:
    if m.moved:
        return Provenance(how="fitted", se=float(f"{m.se:.3g}"), n=m.moment.target.n, by=m.moment.by)
    by = before.by if before is not None else "the model's own"
    return Provenance(how="default", by=f"{by}; the log does not tell")


def _write_number(tables: Tables, said: dict[str, Provenance], path: Path, number: Fitted) -> None:
    if len(path) > 1 and get(tables, path[:2]) is None:  # a segment with nobody in the campaign
        return
    put(tables, path, float(f"{number.value:.6g}"))
    if number.known and not math.isfinite(number.se):  # the likelihood is flat there, or at its edge
        number = number._replace(known=False, by=f"not identified: {number.by} has no standard error")
    if number.known:
        said[place(path)] = Provenance(how="fitted", se=float(f"{number.se:.3g}"), n=number.n, by=number.by)
    else:
        said[place(path)] = Provenance(how="default", by=number.by)


def _users_words(tables: Tables, said: dict[str, Provenance], user: Mapping[str, float]) -> set[Path]:
    """Numbers that the user gives stand as they are."""
    paths = {place(path): path for path, _ in leaves(tables)}
    unknown = [key for key in user if key not in paths]
    if unknown:
        fix = "A place is a path such as segments.all.basket.margin."
        raise SpecError([Problem("calibrate", "user", key, "a number of this world", fix) for key in unknown])
    for key, value in user.items():
        put(tables, paths[key], value)
        said[key] = Provenance(how="user")
    return {paths[key] for key in user}


def _beside(attributes: pd.DataFrame | None, labels: pd.Series) -> pd.DataFrame | None:
    """The attributes of the labelled customers, in their order; dates and tags that label segments are left out."""
    if attributes is None:
        return None
    twice = attributes.customer_id.duplicated()
    if twice.any():
        first = attributes.customer_id[twice].iloc[0]
        raise DataError(Problem("attributes", "customer_id", first, "there once"))
    table = attributes.set_index("customer_id").reindex(labels.index)
    return table.drop(columns=[c for c in ("segment", "price_tag", "stage", "joined", "refreshed") if c in table])


def _customers(events: pd.DataFrame, log: DecisionLog | None, attributes: pd.DataFrame | None) -> pd.Index:
    """Whose world it is: those of the log; else those of the events; where nothing happened, those that are known."""
    if log is not None:
        return pd.Index(log.customers)
    known = events if len(events) or attributes is None else attributes
    if not len(known):
        raise DataError(Problem("calibrate", "customers", 0, "at least one", "Give events, attributes or a log."))
    found: pd.Index = pd.Index(known["customer_id"].unique())
    return found


def _first_send(events: pd.DataFrame) -> pd.Timestamp | None:
    sends = events.ts[events.kind == "sent"]
    return sends.min() if len(sends) else None


def _nothing_sent(template: World, names: tuple[str, ...], code: Any) -> Campaign:
    """A campaign of one decision each, to send nothing: without a log, responses are the template's."""
    n = len(code)
    nothing = np.full(n, np.nan)
    zero = np.zeros(n, dtype=np.int64)
    rows = Rows(np.arange(n), code, zero, zero, np.ones(n), *([nothing] * 9))
    return replace(Campaign(template.catalog, names, rows), eligible=None)


__all__ = ["Calibration", "Moment", "calibrate", "calibrate_campaign"]
