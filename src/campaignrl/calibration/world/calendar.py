"""The calendar of a calibrated world: how busy the weeks were that its purchase model saw, and those to come.

Where the model found a season (calibration/purchase/forecast.py), every week is an event of the world's season on its
own dates: those before day 0 are what recent exports are held against (realism/recent_days.py), those to come are a
year ago's where a year is known, and average ones else, as the tags take them. Not here: finding the season.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from campaignrl.calibration.purchase import Chosen
from campaignrl.specs import Provenance

WEEK = 7
YEAR = 53  # weeks to come that are written, where they are known
DAY = pd.Timedelta(days=1)
EVEN = 0.005  # of a factor, from 1: no event


def calendar(chosen: Chosen, day_zero: pd.Timestamp) -> tuple[dict[str, Any], dict[str, Provenance]]:
    """The tables of [season], and where they came from; nothing where there is none. day_zero: date of the day 0."""
    weeks = chosen.forecast.weeks
    if weeks is None:
        return {}, {}
    zero = day_zero.normalize()
    offset = int((zero - chosen.origin) / DAY)  # the world's day 0, in days of the model
    end, seen = chosen.forecast.end, len(weeks.weekly)
    later = np.arange(seen, seen + YEAR) if weeks.a_year else np.arange(0)
    factors = [*weeks.weekly.tolist(), *weeks.ahead(later).tolist()]
    events = []
    for week, factor in enumerate(factors):
        day = WEEK * week
        days = WEEK if weeks.a_year else min(WEEK, end + 1 - day)  # what follows the last day seen is average
        if abs(factor - 1.0) >= EVEN:
            name = f"week of {(chosen.origin + day * DAY).date()}"
            events.append({"name": name, "day": day - offset, "days": days, "factor": round(factor, 4)})
    first = chosen.origin.weekday()
    section = {
        "day_zero": zero.date(),
        "first_weekday": int(zero.weekday()),
        "first_day_of_year": zero.timetuple().tm_yday - 1,
        "weekday": [round(float(weeks.weekday[(day - first) % WEEK]), 4) for day in range(WEEK)],
        "events": events,
    }
    n, of_the_date = float(weeks.orders.sum()), Provenance(how="user", by="the date of day 0")
    found = Provenance(how="fitted", n=n, by="orders over those expected in average days")
    said = {"season.weekday": found, "season.events": found}
    return section, said | {"season.first_weekday": of_the_date, "season.first_day_of_year": of_the_date}
