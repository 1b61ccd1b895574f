"""The monitor's checks of the campaign's ledger, looked at again every few minutes, and as metrics.

Nobody waits for them twice: while a thread looks, the last answer stands. Not here: the checks (monitor/).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from campaignrl.ledger import FACTS, Ledger
from campaignrl.loop import Judged
from campaignrl.monitor import ALARM, OK, UNKNOWN, Health, health_of
from campaignrl.service.ground import Settings

LOG = logging.getLogger("campaignrl.service")
AGAIN = 300.0  # seconds
STATES = {OK: 0, UNKNOWN: -1, ALARM: 1}


class Watch:
    """The newest health of a service's campaign; also a collector of Prometheus."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is looked at yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._found: Health | None = None
        self._when = -AGAIN
        self.kept: tuple[object, list[Judged | str]] | None = None  # what the log says of the policies (policies.py)

    @property
    def ledger(self) -> Path | None:
        """Where the campaign's ledger lies, if there is one."""
        folder = self._settings.campaign
        place = None if folder is None else Path(folder) / "ledger"
        return place if place is not None and (place / FACTS).is_file() else None

    def newest(self) -> Health | None:
        """The health as it was looked at within the last minutes; None where there is no ledger."""
        place = self.ledger
        if place is None:
            return None
        with self._lock:
            if time.monotonic() - self._when >= AGAIN:
                self._look(place)
            return self._found

    def _look(self, place: Path) -> None:
        try:
            self._found = health_of(Ledger.open(place), as_of=self._settings.clock(), world=self._settings.world)
        except Exception:
            LOG.exception("the ledger could not be monitored")
        self._when = time.monotonic()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For `/metrics`: what was found last; a look that is due begins beside it."""
        state = GaugeMetricFamily("campaignrl_monitor_state", "1 alarm, 0 ok, -1 unknown.", labels=["check"])
        rates = GaugeMetricFamily("campaignrl_monitor_rate", "The last days of a rate.", labels=["rate", "of"])
        for check in () if self._found is None else self._found.checks:
            state.add_metric([check.name], STATES[check.state])
            if check.rate is not None and check.state != UNKNOWN:
                for of in ("now", "low", "high"):
                    rates.add_metric([check.name, of], float(getattr(check.rate, of)))
        yield state
        yield rates
        if self.ledger is not None and time.monotonic() - self._when >= AGAIN and not self._lock.locked():
            threading.Thread(target=self.newest, daemon=True, name="monitor").start()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names alone, without a look."""
        yield GaugeMetricFamily("campaignrl_monitor_state", "1 alarm, 0 ok, -1 unknown.", labels=["check"])
        yield GaugeMetricFamily("campaignrl_monitor_rate", "The last days of a rate.", labels=["rate", "of"])


class WatchCollector(Collector):
    """The watch as Prometheus asks for it."""

    def __init__(self, watch: Watch) -> None:
        """watch: whose figures."""
        self.watch = watch

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What was found last."""
        return self.watch.collect()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names alone."""
        return self.watch.describe()
