"""A shop that is simulated: its exports, and what its customers answer to the lists that are released.

Its customers live on from day to day; what is not in an export nobody outside knows. Not here: the campaign that is
made for it (run.py), the files of an export (loop/example_exports.py).
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from campaignrl.arrays import Int
from campaignrl.choices import actions_of_day
from campaignrl.envs import Chronicle, Panel
from campaignrl.loop import exports_of
from campaignrl.policies import Policy
from campaignrl.specs import World
from campaignrl.tables import ID
from campaignrl.tables.files import frame_writer, read_frame, write_frame, write_together

LIST = (ID, "decision_id", "offer", "channel")  # what is read of a released list


class Shop:
    """Customers of a world under its usual rules, until somebody else sends to them."""

    def __init__(self, world: World, usual: Policy, customers: Int, seed: int, today: datetime.date, days: int) -> None:
        """Let so many days pass until the morning of `today`."""
        panel = Panel(world, customers, seed)
        self.world, self.today = world, today
        self._life = Chronicle(panel, today - datetime.timedelta(days=days))
        self._life.live(lambda at: actions_of_day(at, usual), days)

    def export(self, folder: Path) -> list[Path]:
        """What is known this morning, as three files; where they lie."""
        found = exports_of(self._life.history(), self.world)
        write_together({folder / name: frame_writer(frame, folder / name) for name, frame in found.items()})
        return [folder / name for name in found]

    def send(self, path: Path, answers: Path, days: int) -> int:
        """Send a released list, say so in `answers`, and let so many days pass; how many were sent."""
        rows = read_frame(path, text=LIST)
        action = self._actions(rows)
        handed = pd.DataFrame({"decision_id": rows["decision_id"], "status": "sent", "day": self.today.isoformat()})
        write_frame(handed, answers / f"handovers_{self.today}.csv")
        self._life.live(lambda _: action, 1)
        self._life.live(lambda at: np.zeros(len(at), dtype=np.int64), days - 1)
        self.today += datetime.timedelta(days=days)
        return len(rows)

    def _actions(self, rows: pd.DataFrame) -> Int:
        """(n,) the list as the day's actions of the panel."""
        panel, catalog = self._life.panel, self.world.catalog
        place = {str(one): i for i, one in enumerate(panel.ids)}
        number = {name: i for i, name in enumerate(catalog.names)}
        action = np.zeros(len(panel), dtype=np.int64)
        for one, offer, channel in zip(rows[ID], rows["offer"], rows["channel"], strict=True):
            action[place[one]] = number[f"{offer}@{channel}"]
        return action
