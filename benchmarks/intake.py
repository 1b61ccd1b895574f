"""Ten million generated events from a raw file to the events table: seconds and memory, beside a bare scan of the file.

The file holds a million customers, orders with amounts, visits and contacts, repeated rows, rows without a customer
and amounts that are no numbers. The bare scan is the least anybody must do: read the file, group it by customer, add
the amounts up. With `--tags shop` the events then become profiles, as `campaignrl profile build` makes them. Each
part runs in a process of its own, so that its memory is its own.

    python benchmarks/intake.py [--events 10000000] [--format parquet] [--threads 2] [--tags shop] [--json]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path

import duckdb

from campaignrl.profiles.intake import intake, parse_intake_mapping
from campaignrl.profiles.store import build_folder

AS_OF = datetime(2024, 1, 1)
SOURCE = {
    "name": "events",
    "customer": "member_id",
    "kind": {"column": "event"},
    "ts": "ts",
    "amount": "amount",
    "channel": "channel",
    "category": "category",
}


def generate(path, n):
    """Raw events, all text but for nothing: as an export would be."""
    kind = "hash(i + 3) % 10"
    duckdb.execute(
        f"""COPY (SELECT * FROM (SELECT
          CASE WHEN i % 5000 = 17 THEN '' ELSE 'm' || lpad(CAST(hash(i * 7 + 1) % 1000000 AS VARCHAR), 7, '0') END
            AS member_id,
          strftime(TIMESTAMP '2023-01-01' + to_seconds(CAST(hash(i) % 31536000 AS INT)), '%Y-%m-%d %H:%M:%S') AS ts,
          CASE WHEN {kind} < 4 THEN 'order' WHEN {kind} < 6 THEN 'visit' WHEN {kind} < 8 THEN 'sent' ELSE 'opened' END
            AS event,
          CASE WHEN i % 7000 = 23 THEN 'n/k' WHEN {kind} < 4 THEN CAST(hash(i + 5) % 20000 / 100.0 AS VARCHAR) ELSE ''
            END AS amount,
          CASE WHEN {kind} >= 6 THEN ['email', 'sms', 'push'][1 + CAST(hash(i + 9) % 3 AS INT)] ELSE '' END AS channel,
          ['food', 'toys', 'wear', 'home'][1 + CAST(hash(i + 11) % 4 AS INT)] AS category
        FROM (SELECT i - (i % 1000 = 999)::INT AS i FROM range({n}) t(i))))
        TO '{path}'{" (HEADER)" if path.suffix == ".csv" else ""}"""
    )


def bare(path, threads):
    """The least that anybody must do."""
    con = duckdb.connect(config={"threads": threads, "memory_limit": "2GB"})
    relation = f"read_csv('{path}', all_varchar=true)" if path.suffix == ".csv" else f"read_parquet('{path}')"
    query = f"SELECT member_id, count(*) AS n, sum(TRY_CAST(amount AS DOUBLE)) AS spent FROM {relation} GROUP BY 1"
    return {"rows": int(con.execute(f"SELECT sum(n) FROM ({query})").fetchone()[0])}


def taken(path, threads, out):
    """Intake."""
    mapping = parse_intake_mapping({"source": [{**SOURCE, "file": path.name}]})
    return intake(mapping, path.parent, out, AS_OF, threads=threads).counts["events"]._asdict()


def measured(part, arguments):
    """One part in a process of its own: its seconds (also of both cores' work), peak memory, and what it says."""
    path, out = Path(arguments.work) / f"events.{arguments.format}", Path(arguments.work) / "out"
    start = time.perf_counter()
    if part == "bare":
        said = bare(path, arguments.threads)
    elif part == "intake":
        said = taken(path, arguments.threads, out)
    else:
        build_folder(out, out / "events.parquet", out / "attributes.parquet", arguments.tags, date(2024, 1, 1))
        said = {}
    seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "gb": used.ru_maxrss / 2**20, **said}


def main():
    """Every part in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tags", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(measured(arguments.part, arguments)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as work:
        generate(Path(work) / f"events.{arguments.format}", arguments.events)
        for part in ("bare", "intake", *(["tags"] if arguments.tags else [])):
            given = [f"--{name}={getattr(arguments, name)}" for name in ("format", "threads", "tags")]
            command = [sys.executable, __file__, "--part", part, "--work", work, *given]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[part] = json.loads(answer)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{arguments.events:,} events as {arguments.format}, {arguments.threads} threads")
    for part, facts in found.items():
        ratio = facts["seconds"] / found["bare"]["seconds"]
        rest = ", ".join(f"{name} {facts[name]:,}" for name in facts if name not in ("seconds", "cpu", "gb"))
        work = f"{facts['seconds']:7.1f} s {facts['cpu']:7.1f} CPU-s {ratio:6.1f} x bare {facts['gb']:6.2f} GB"
        print(f"{part:<8}{work}   {rest}")


if __name__ == "__main__":
    main()
