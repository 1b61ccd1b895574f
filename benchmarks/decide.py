"""What `decide` takes from a Parquet of customers to send list and ledger: CPU seconds, seconds, peak memory.

    python benchmarks/decide.py [-n 1000000] [--value] [--no-ledger] [--kills 0] [--folder FOLDER] [--json] [OPTIONS]

World `ecommerce` with offers on further channels, 40 actions in all, a budget of the campaign and caps; a `lin_ts`
bundle trained in it. Customers are drawn once and kept in FOLDER; the command runs in a process of its own, whose peak
memory is that of all its processes together, looked at twenty times a second; OPTIONS are those of `decide`. With
--kills the run is made again, killed at so many random moments and gone on with: send list and rows of the ledger (but
for their salts) must be the same.
"""

import argparse
import hashlib
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from campaignrl import rng
from campaignrl.envs import Panel, customers_frame
from campaignrl.ledger import CHAINED, Ledger
from campaignrl.specs import World, load_world

SOURCE = Path(__file__).resolve().parents[1] / "envs" / "ecommerce.toml"
DAY = "2026-11-21"
MORE = {  # channels of an offer beyond its own
    "newcomer_gift": ["feed"],
    "coupon10": ["feed"],
    "coupon20": ["feed"],
    "coupon30": ["feed"],
    "vip_perk": ["feed"],
    "winback": ["popup", "feed"],
}
BUDGET = "\n[guard.budget]\namount_per_1000_customers = 1500.0\n"
AT_ONCE = 250_000  # customers drawn
STARTING = 0.02  # of a run, before it does anything
RUN = [sys.executable, "-m", "campaignrl"]


def world_file(folder: Path) -> Path:
    """The world with 40 actions and a budget."""
    text, own = SOURCE.read_text(encoding="utf-8"), load_world("ecommerce")
    for offer, more in MORE.items():
        channels = json.dumps([*own.offers[offer].channels, *more])
        text = re.sub(rf"(?ms)^(\[offers\.{offer}\].*?^channels = )\[.*?\]", rf"\g<1>{channels}", text)
    path = folder / "forty.toml"
    path.write_text(text + BUDGET, encoding="utf-8")
    assert len(load_world(path).catalog) == 40
    return path


def customers_file(folder: Path, world: World, n: int) -> Path:
    """N customers with ids of text, drawn once."""
    path = folder / f"customers_{n}.parquet"
    if path.exists():
        return path
    part, writer = path.with_suffix(".part"), None
    for start in range(0, n, AT_ONCE):
        frame = customers_frame(Panel(world, min(AT_ONCE, n - start), seed=start))
        frame["customer_id"] = [f"C-{start + i:09d}" for i in range(len(frame))]
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        writer = writer or pq.ParquetWriter(part, table.schema, compression="zstd")
        writer.write_table(table.cast(writer.schema), row_group_size=131_072)
    assert writer is not None
    writer.close()
    part.rename(path)
    return path


def bundle_file(folder: Path, world: Path) -> Path:
    """A linear Thompson policy that learned in the world."""
    path = folder / "lin_ts.bundle"
    if not path.exists():
        words = ["train", "lin_ts", "--world", world, "--customers", "4000", "--seed", "1", "-o", path]
        subprocess.run([*RUN, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return path


class Watched:
    """A command in a process of its own, with what it and its children took."""

    def __init__(self, words: list[str]) -> None:
        before, self.peak, clock = resource.getrusage(resource.RUSAGE_CHILDREN), 0, time.perf_counter()
        process = subprocess.Popen([*RUN, *words], stdout=subprocess.PIPE, text=True)
        watch = threading.Thread(target=self._look, args=(psutil.Process(process.pid),), daemon=True)
        watch.start()
        self.said, _ = process.communicate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = time.perf_counter() - clock
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")

    def _look(self, process: psutil.Process) -> None:
        while process.is_running():
            try:
                everybody = [process, *process.children(recursive=True)]
                self.peak = max(self.peak, sum(one.memory_info().rss for one in everybody))
            except psutil.Error:
                pass
            time.sleep(0.05)


def killed(words: list[str], times: int, seconds: float) -> int:
    """Run a command that is killed so many times, each within a part of the seconds it takes; how often it was."""
    chance, done = rng.generator(0, rng.Purpose.RESAMPLE), 0
    for _ in range(times):
        process = subprocess.Popen([*RUN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(chance.uniform(0.0, 3.0 * seconds / times)) + STARTING * seconds)
        done += process.poll() is None
        process.kill()
        process.wait()
    subprocess.run([*RUN, *words], check=True, stdout=subprocess.DEVNULL)
    return done


def left(sends: Path, ledger: Path) -> tuple[str, str]:
    """Digests of a send list and of a ledger's decisions, whatever their salts."""
    rows = Ledger.open(ledger).read("decisions").drop_columns(list(CHAINED)).sort_by("customer_id")
    body = hashlib.blake2b()
    for start in range(0, len(rows), AT_ONCE):
        written = pa.BufferOutputStream()
        pq.write_table(rows.slice(start, AT_ONCE), written, use_dictionary=False)
        body.update(written.getvalue())
    return hashlib.blake2b(sends.read_bytes()).hexdigest(), body.hexdigest()


def main() -> None:
    """Print one line, or one JSON object."""
    parser = argparse.ArgumentParser(description="decide: time and memory.")
    parser.add_argument("-n", type=int, default=1_000_000)
    parser.add_argument("--value", action="store_true", help="allocate by value instead of by lot")
    parser.add_argument("--no-ledger", action="store_true", help="write a decision log instead")
    parser.add_argument("--kills", type=int, default=0, help="kill it at so many random moments, and compare")
    parser.add_argument("--folder", type=Path, help="keep customers and bundle here")
    parser.add_argument("--json", action="store_true")
    asked, more = parser.parse_known_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    world = world_file(folder)
    bundle, customers = bundle_file(folder, world), customers_file(folder, load_world(world), asked.n)
    ledger, sends = folder / "ledger", folder / "sends.csv"
    words = ["decide", bundle, customers, "--world", world, "--as-of", DAY, "--seed", "2", "-o", sends, "--json", *more]
    words += ["--allocate", "value"] if asked.value else []
    if not asked.no_ledger:
        shutil.rmtree(ledger, ignore_errors=True)
        begin = ["ledger", "create", ledger, "--world", world, "--customers", asked.n, "--start", DAY]
        subprocess.run([*RUN, *map(str, begin)], check=True, stdout=subprocess.DEVNULL)
        words += ["--ledger", ledger]
        shutil.rmtree(folder / "fresh", ignore_errors=True)
        shutil.copytree(ledger, folder / "fresh")
    run = Watched([str(word) for word in words])
    plan = json.loads(run.said)
    if asked.kills:
        right = left(sends, ledger)
        shutil.rmtree(ledger)
        shutil.copytree(folder / "fresh", ledger)
        times = killed([str(word) for word in words], asked.kills, run.seconds)
        assert left(sends, ledger) == right, "a run that was killed left something else"
        print(f"killed {times} times, and the same in the end", file=sys.stderr)
    found = {
        "customers": asked.n,
        "sends": plan["sends"],
        "cpu_seconds": round(run.cpu, 1),
        "seconds": round(run.seconds, 1),
        "peak_gb": round(run.peak / 1e9, 2),
        "us_a_customer": round(1e6 * run.cpu / asked.n, 1),
    }
    print(json.dumps(found) if asked.json else "  ".join(f"{name} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
