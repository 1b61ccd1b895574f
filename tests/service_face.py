"""A service within the test's own process, and one in processes of its own, for the tests of the service."""

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.service import Service, Settings, create_app

CAPPED = {"caps": [{"per_days": 7, "at_most": 1}]}


def frame_of(world, n=60, seed=5, **columns):
    """Customers of a world, all of whom allow everything."""
    found = customers_frame(Panel(world, n, seed)).assign(customer_id=[f"c{i}" for i in range(n)])
    found = found[[c for c in found.columns if not c.startswith("contacts_")]]
    return found.assign(**{c: 1.0 for c in found.columns if c.startswith("consent_")}, **columns)


def world_of(name="tight_budget", **guard):
    world = crl.load_world(name)
    return crl.load_world(name, guard={**world.guard.model_dump(exclude_none=True), **guard})


class Face:
    """The application with its threads, called without a socket."""

    def __init__(self, folder, world, frame, *, policy="uniform", store=None, **more):
        table = Path(folder) / "customers.parquet"
        if frame is not None:
            frame.to_parquet(table)
        more = {"open_without_token": True, **more}
        url = store or f"sqlite:///{folder}/service.db"
        many = more.pop("horizon_customers", 1_000)
        self.settings = Settings(
            world=world,
            policy=policy,
            store=url,
            customers=None if frame is None else table,
            horizon_customers=many,
            **more,
        )
        self.service = Service.begin(self.settings)
        self.app = create_app(self.settings, self.service)
        self.service.start()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.keys = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.service.close()

    def all(self, *calls):
        """Responses to (method, path, options) sent at once."""

        async def go():
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
                return await asyncio.gather(*(client.request(m, p, **o) for m, p, o in calls))

        return asyncio.run_coroutine_threadsafe(go(), self.loop).result()

    def get(self, path, **options):
        return self.all(("GET", path, options))[0]

    def post(self, path, body=None, key=None, **options):
        return self.all(self.posting(path, body, key, **options))[0]

    def posting(self, path, body=None, key=None, **options):
        self.keys += 1
        headers = {"Idempotency-Key": key or f"key-{self.keys}", **options.pop("headers", {})}
        sent = {} if body is None else {"json": body}
        return "POST", path, {"headers": headers, **sent, **options}

    def decide(self, customer, key=None, **more):
        return self.post("/v1/decide", {"customer_id": customer, **more}, key)


class Server:
    """`campaignrl serve` in processes of its own, which a test may kill."""

    def __init__(self, folder, *words, port=0):
        command = [sys.executable, "-m", "campaignrl", "serve", *words, "--port", str(port), "--json"]
        env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        line = self.process.stdout.readline()
        if not line.strip():
            raise AssertionError(self.process.communicate()[1].decode())
        text = line.decode()
        while text.count("{") != text.count("}"):
            text += self.process.stdout.readline().decode()
        self.address = json.loads(text)["address"]

    def kill(self):
        """SIGKILL to the whole group that the test itself started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def stop(self):
        """SIGTERM; the exit code. `said`: what it wrote beside its answers."""
        self.process.terminate()
        self.said = self.process.communicate(timeout=60)[1].decode()
        return self.process.returncode


NEST = multiprocessing.get_context("forkserver")
NEST.set_forkserver_preload(["campaignrl.cli.main", "campaignrl.cli.service.serve", "campaignrl.service", "deltalake"])


class Forked:
    """The same, out of a process that has imported everything: to SIGKILL it is no other one, and it begins at once."""

    def __init__(self, folder, *words):
        self.said, said = NEST.Pipe(duplex=False)
        self.process = NEST.Process(target=_serve_forked, args=(str(folder), words, said))
        self.process.start()
        said.close()

    @property
    def address(self):
        """Where it listens, once it does."""
        text = ""
        while not text or text.count("{") != text.count("}"):
            more = os.read(self.said.fileno(), 65_536)
            if not more:
                raise AssertionError(f"a service ended at its start, with {self.process.exitcode}: {text}")
            text += more.decode()
        return json.loads(text)["address"]

    def kill(self):
        """SIGKILL to the group that it leads."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        self.said.close()


def _serve_forked(folder, words, said):
    os.setsid()
    os.chdir(folder)
    os.dup2(said.fileno(), 1)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    sys.argv = ["campaignrl", "serve", *words, "--port", "0", "--json"]
    cli.main()
