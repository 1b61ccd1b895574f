"""A service with its console on a real port, in a thread of the test: a campaign's folder with a plan, and tokens."""

import asyncio
import datetime as dt
import re
import socket
import threading
import time

import httpx
import numpy as np
import pandas as pd
import uvicorn

from campaignrl.ledger import Ledger, add
from campaignrl.loop import new_campaign, today
from campaignrl.policies import load_policy
from campaignrl.send.decide import decide
from campaignrl.service import ROLES, Service, Settings, create_app, make_token

DAY = dt.date(2026, 11, 21)
EVIL = "<script>alert(1)</script>"


def campaign(folder, *, days=0, customers=300):
    """A shop's folder with the plan of a morning; days: of decisions and orders before it."""
    new_campaign(folder, start=DAY - dt.timedelta(days=days))
    path = folder / "campaign.toml"
    path.write_text(path.read_text().replace("customers = 4000", "customers = 400"))
    morning = DAY - dt.timedelta(days=days)
    found = today(folder, day=morning)
    ledger, frame = Ledger.open(folder / "ledger"), folder / "profiles" / "profiles.parquet"
    world = ledger.form
    for k in range(days):
        day = morning + dt.timedelta(days=k)
        table = pd.read_parquet(frame).head(customers)
        decide(load_policy("uniform", world), table, world, day=day, ledger=ledger)
        _answer(folder, ledger, world, table["customer_id"], day, k)
    return found if not days else today(folder, day=DAY)


def _answer(folder, ledger, world, ids, day, k):
    rows = ids[np.random.default_rng(k).random(len(ids)) < 0.3]
    came = pd.DataFrame({"outcome_id": [f"{k}-{one}" for one in rows], "customer_id": rows, "kind": "order"})
    came.assign(day=str(day), margin=2.5).to_csv(folder / "o.csv", index=False)
    add(ledger, "outcomes", folder / "o.csv", world, today=day + dt.timedelta(days=1))
    (folder / "o.csv").unlink()


class Site:
    """The console at `address`; tokens by role."""

    def __init__(self, folder, *, customers, world, policy="rules", campaign=None, tokens=True, policies=None):
        self.settings = Settings(
            world=world,
            policy=policy,
            store=f"sqlite:///{folder}/service.db",
            customers=customers,
            campaign=campaign,
            policies=policies,
            clock=lambda: DAY,
            open_without_token=not tokens,
        )
        self.service = Service.begin(self.settings)
        with self.service.store.writing() as con:
            self.tokens = {role: make_token(con, role if role != "viewer" else EVIL, role, "test") for role in ROLES}
        config = uvicorn.Config(create_app(self.settings, self.service), log_level="error", ws="none", lifespan="on")
        self.server = uvicorn.Server(config)
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.socket])), daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(30)
        self.socket.close()

    def client(self, role=None):
        """A browser without its scripts, signed in."""
        client = httpx.Client(base_url=self.address, follow_redirects=True, timeout=60)
        if role:
            done = client.post("/console/sign-in", data={"token": self.tokens[role], "next": "/"})
            assert done.status_code == 200, done.text
        return client


def form_key(page):
    """What the forms of a page hold."""
    return re.search(r'name="form_key" value="(\w+)"', page.text).group(1)
