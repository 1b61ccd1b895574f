"""What mornings of a campaign take by station: `campaignrl today` over the exports of many customers, with its memory.

    python benchmarks/morning.py [-n 1000000] [--days 30] [--mornings 2] [--folder FOLDER] [--json]

20,000 customers of `ecommerce` live `--days` days under business as usual; their exports (orders.csv, sends.csv,
members.csv, as `campaignrl init` writes its example) are repeated under other ids until there are n. Each morning runs
in a process of its own, and its list is released before the next one, so that the second finds a ledger with rows.
Memory is looked at a hundred times a second, and is the highest of a station; what libraries bring is in the first.
"""

import argparse
import datetime
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv

from campaignrl.choices import actions_of_day
from campaignrl.envs import Panel, play_history
from campaignrl.loop import approve, exports_of, new_campaign, today
from campaignrl.policies import business_as_usual
from campaignrl.specs import load_world

START, WORLD, LIVED, SEED = datetime.date(2026, 11, 21), "ecommerce", 20_000, 5
LOOKS = 0.01  # seconds from one look at the memory to the next


def campaign_folder(folder: Path, n: int, days: int) -> Path:
    """A campaign of n customers, begun once."""
    place = folder / f"shop-{n}-{days}"
    if (place / "ready").exists():
        return place
    new_campaign(place, start=START)
    world, lived = load_world(WORLD), min(LIVED, n)
    rules = business_as_usual(world)
    panel = Panel(world, np.arange(lived), SEED)
    start = START - datetime.timedelta(days=days)
    history = play_history(panel, lambda at: actions_of_day(at, rules), days, start)
    for name, frame in exports_of(history, world).items():
        repeated(frame, -(-n // lived), n, place / "exports" / name)
    path = place / "campaign.toml"
    text = path.read_text(encoding="utf-8").replace("customers = 2000", f"customers = {n}")
    path.write_text(text, encoding="utf-8")
    (place / "ready").touch()
    return place


def repeated(frame: pd.DataFrame, times: int, n: int, path: Path) -> None:
    """The rows of a frame so often, each time of other customers; n customers in all."""
    own = frame["customer_id"].astype(np.int64).to_numpy()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    column = table.column_names.index("customer_id")
    with pacsv.CSVWriter(path, table.schema) as writer:
        for time_ in range(times):
            ids = own + time_ * LIVED
            part = table.set_column(column, "customer_id", pa.array(ids.astype(str), table.schema.types[column]))
            writer.write_table(part.filter(pa.array(ids < n)))


def one_morning(place: Path, day: datetime.date) -> dict[str, object]:
    """`today` and `approve` in this process: memory and seconds by station, in order."""
    me, peak, stations, stop = psutil.Process(), [0], list[dict[str, object]](), threading.Event()
    used = [time.process_time()]

    def look() -> None:
        while not stop.wait(LOOKS):
            peak[0] = max(peak[0], me.memory_info().rss)

    def ended(name: str, seconds: float) -> None:
        now = time.process_time()
        cpu, used[0] = now - used[0], now
        gb = round(max(peak[0], me.memory_info().rss) / 1e9, 2)
        stations.append({"station": name, "seconds": round(seconds, 1), "cpu": round(cpu, 1), "peak_gb": gb})
        peak[0] = 0

    threading.Thread(target=look, daemon=True).start()
    found = today(place, day=day, watch=ended)
    ended("page and list", 0.0)
    released = approve(place, day=day, who="benchmark", now=datetime.datetime(2026, 11, 21, 9))
    ended("approve", 0.0)
    stop.set()
    taken = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "day": str(day),
        "sends": released.sends,
        "cpu_seconds": round(taken.ru_utime + taken.ru_stime, 1),
        "peak_gb": round(taken.ru_maxrss * 1024 / 1e9, 2),
        "stations": stations,
        "said": [f"{one.name}: {one.said}" for one in found.stations],
    }


def main() -> None:
    """Print a table a morning, or one JSON object."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("-n", type=int, default=1_000_000)
    words.add_argument("--days", type=int, default=30, help="of history in the exports")
    words.add_argument("--mornings", type=int, default=2)
    words.add_argument("--folder", type=Path, help="keep the campaign here, and go on with it")
    words.add_argument("--json", action="store_true")
    words.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    words.add_argument("--day", type=datetime.date.fromisoformat, help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.place:
        print(json.dumps(one_morning(asked.place, asked.day)))
        return
    folder = asked.folder or Path(tempfile.mkdtemp())
    place, found = campaign_folder(folder, asked.n, asked.days), []
    for number in range(asked.mornings):
        day = START + datetime.timedelta(days=number)
        call = [sys.executable, __file__, "--place", str(place), "--day", str(day)]
        found.append(json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout))
    if asked.json:
        print(json.dumps({"customers": asked.n, "days": asked.days, "mornings": found}, indent=2))
        return
    for morning in found:
        print(f"{morning['day']}  {morning['cpu_seconds']} CPU s  {morning['peak_gb']} GB  {morning['sends']:,} sends")
        for one in morning["stations"]:
            print(f"  {one['station']:14}{one['seconds']:8} s{one['cpu']:8} CPU s{one['peak_gb']:7} GB")


if __name__ == "__main__":
    main()
