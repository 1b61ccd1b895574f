"""Quiet hours in each customer's own zone, for a send at an hour of the sender's clock.

The sender's hour is read in the world's zone and shown in the customer's. Where the clocks change it may stand for two
moments, or for none, which stands for the moments before and after: blocked if it is quiet in any of them. Quiet hours
are half-open: quiet at `from_hour`, no longer at `to_hour`. Not here: other rules (checks.py), sends that wait for the
end of quiet hours (envs/clock/).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np

from campaignrl.arrays import Bool, Objects
from campaignrl.specs import QuietHours, World

DAY = 1_440  # minutes
MINUTE = datetime.timedelta(minutes=1)


def quiet_for(world: World, day: datetime.date, zones: Objects, send_at: datetime.time | None) -> Bool | None:
    """(s + 1, n) whether it may be quiet in each slot, and at `send_at` for actions without a slot.

    zones: (n,) names of the IANA database; "": the world's. None where the world has no quiet hours or no zone.
    """
    quiet, home = world.guard.quiet_hours, world.guard.timezone
    if quiet is None or home is None:
        return None
    names, which = np.unique(zones.astype(str), return_inverse=True)
    moments = list(_moments(world, day, ZoneInfo(home), send_at))
    found = np.zeros((len(moments), len(names)), dtype=bool)
    for j, name in enumerate(names):
        zone = ZoneInfo(name or home)
        found[:, j] = [any(is_quiet(quiet, moment.astimezone(zone)) for moment in each) for each in moments]
    return found[:, which.ravel()]


def is_quiet(quiet: QuietHours, local: datetime.datetime) -> bool:
    """Whether any second of a minute of somebody's clock is quiet."""
    minute, start, end = local.hour * 60 + local.minute, quiet.from_hour * 60.0, quiet.to_hour * 60.0
    return (minute - start) % DAY < (end - start) % DAY or minute < start < minute + 1


def _moments(
    world: World, day: datetime.date, home: ZoneInfo, send_at: datetime.time | None
) -> Iterator[list[datetime.datetime]]:
    """Every minute at which something may leave, in UTC: of each slot, and without one."""
    for slot in world.catalog.slots:
        first, last = int(slot.from_hour * 60.0), -int(-slot.to_hour * 60.0 // 1)
        last += DAY if slot.to_hour < slot.from_hour else 0
        start = min(_both(day, first, home))
        minutes = int((max(_both(day, last, home)) - start) / MINUTE)
        yield [start + i * MINUTE for i in range(minutes)]
    yield [] if send_at is None else _both(day, send_at.hour * 60 + send_at.minute, home)


def _both(day: datetime.date, minute: int, zone: ZoneInfo) -> list[datetime.datetime]:
    """The moments, in UTC, for which a minute of a zone's clock may stand; it may lie on the next day."""
    at = datetime.datetime.combine(day, datetime.time()) + minute * MINUTE
    return [at.replace(tzinfo=zone, fold=fold).astimezone(datetime.UTC) for fold in (0, 1)]
