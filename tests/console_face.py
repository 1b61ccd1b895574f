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
from campaignrl.loop import confirm, new_campaign, today
from campaignrl.policies import load_policy
from campaignrl.send.decide import decide
from campaignrl.service import ROLES, Service, Settings, create_app, make_token

DAY = dt.date(2026, 11, 21)
EVIL = "<script>alert(1)</script>"


def exports(folder, day, customers=300):
    """Orders and members of a small shop, as its own files."""
    folder.mkdir()
    chance = np.random.default_rng(3)
    ids, days = [str(i) for i in range(customers)], [day - dt.timedelta(days=1 + i % 50) for i in range(900)]
    amounts = chance.gamma(2.0, 60.0, 900).round(2)
    orders = {"order_id": [f"D{i}" for i in range(900)], "customer_id": chance.choice(ids, 900)}
    stamps = [f"{one} 09:05:00" for one in days]
    pd.DataFrame({**orders, "ordered_at": stamps, "amount": amounts}).to_csv(folder / "orders.csv", index=False)
    said = {f"consent_{name}": chance.choice(["yes", "no"], customers) for name in ("push", "email", "sms")}
    members = {"customer_id": ids, "joined": str(day - dt.timedelta(days=200)), "city_tier": "1"}
    pd.DataFrame({**members, **said}).to_csv(folder / "members.csv", index=False)
    return sorted(folder.iterdir())


def campaign(folder, *, days=0):
    """A shop's folder with the plan of a morning; days: of decisions and orders before it."""
    new_campaign(folder, exports=exports(folder.parent / "exported", DAY), start=DAY - dt.timedelta(days=days))
    confirm(folder)
    path = folder / "campaign.toml"
    path.write_text(path.read_text().replace("customers = 4000", "customers = 200"))
    found = today(folder, day=DAY)
    ledger, frame = Ledger.open(folder / "ledger"), folder / "profiles" / "profiles.parquet"
    world, table = ledger.form, pd.read_parquet(frame)
    for k in range(days):
        day = DAY - dt.timedelta(days=days - k)
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
