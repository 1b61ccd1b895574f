"""What a service must not do with bad requests, a broken store, a broken policy, or a hostile client."""

import datetime
import logging
import socket
import threading
import time

import httpx
import numpy as np
import pytest
from service_face import CAPPED, Face, Server, frame_of, world_of
from sqlalchemy import event

import campaignrl as crl
from campaignrl.service import Store, list_tokens, make_token, revoke_token
from campaignrl.service.deciding.parties import InTime, Late, Party
from campaignrl.service.store import CHAMPION, broken_trail, place
from campaignrl.service.store.schema import outcomes, trail

DAY = datetime.date(2026, 11, 21)


def clock():
    return DAY


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    world = world_of(**CAPPED)
    with Face(tmp_path_factory.mktemp("faults"), world, frame_of(world), clock=clock, largest_body=200_000) as found:
        yield found


def raw(face, content, kind="application/json", path="/v1/decide", **headers):
    headers = {"Idempotency-Key": f"raw-{time.monotonic_ns()}", "Content-Type": kind, **headers}
    return face.all(("POST", path, {"content": content, "headers": headers}))[0]


BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"[1, 2", 400),
    (b"\xff\xfe{}", 400),
    (b'{"customer_id": "c1", "customer_id": "c2"}', 400),
    (b'{"customer_id": "c1", "ranking": NaN}', 400),
    (b'{"customer_id": "c1", "ranking": 1e999}', 400),
    (b'{"customer_id": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
    (b'{"customer_id": "c1", "features": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", 400),
    (b'"c1"', 422),
    (b"null", 422),
    (b"{}", 422),
    (b'{"customer_id": 1}', 422),
    (b'{"customer_id": ""}', 422),
    (b'{"customer_id": "a\\u0000b"}', 422),
    (b'{"customer_id": "\\ud800"}', 422),
    (b'{"customer_id": "c1", "else": 1}', 422),
    (b'{"customer_id": "c1", "ranking": -1}', 422),
    (b'{"customer_id": "c1", "ranking": "3"}', 422),
    (b'{"customer_id": "c1", "channels": "sms"}', 422),
    (b'{"customer_id": "' + b"x" * 10_000 + b'"}', 422),
    (b'{"customer_id": "c1", "features": {"orders": []}}', 422),
    (b" " * 300_000, 413),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
def test_a_bad_body_is_refused_as_a_problem(face, body, status):
    found = raw(face, body)
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["status"] == status
    assert found.json()["title"]


def test_other_types_keys_methods_and_paths_are_refused(face):
    assert raw(face, b'{"customer_id": "c1"}', "text/plain").status_code == 415
    none = face.all(("POST", "/v1/decide", {"json": {"customer_id": "c1"}}))[0]
    assert none.status_code == 400
    assert "Idempotency-Key" in none.json()["detail"]
    assert face.decide("c1", "k" * 129).status_code == 400
    assert face.get("/v1/decide").status_code == 405
    assert face.get("/v1/../../etc/passwd").status_code == 404
    assert face.get("/v1/customers/%00").status_code == 404
    assert face.get("/" + "a" * 5_000).status_code == 404
    assert face.post("/v1/policies/promote", {"policy": "../../../etc/passwd", "why": "x"}).status_code == 404
    twice = face.post("/v1/decide/batch", {"customer_ids": ["c1", "c1"]})
    assert twice.status_code == 422


def test_an_id_may_hold_slashes(tmp_path):
    world = world_of()
    frame = frame_of(world, 3).assign(customer_id=["shop/7", "a/b/c", "//"])
    with Face(tmp_path, world, frame, clock=clock) as face:
        for path, name in (("shop/7", "shop/7"), ("shop%2F7", "shop/7"), ("a/b%2Fc", "a/b/c"), ("//", "//")):
            found = face.get(f"/v1/customers/{path}")
            assert (found.status_code, found.json()["customer_id"]) == (200, name)
        assert face.get("/v1/customers/shop").status_code == 404
        assert face.all(("DELETE", "/v1/customers/shop/7", {}))[0].status_code == 200
        assert face.get("/v1/customers/shop%2F7").status_code == 410
        assert face.get("/v1/customers/a/b/c").status_code == 200


def outcome(**changes):
    return {"outcome_id": "x", "customer_id": "c1", "kind": "order", "margin": 1.0, **changes}


BROKEN = [
    {"margin": 1e12},
    {"margin": "1"},
    {"margin": None},
    {"kind": "refund", "margin": -3.0},
    {"kind": "applause"},
    {"day": "2026-02-30"},
    {"day": "2030-01-01"},
    {"customer_id": "", "decision_id": ""},
    {"channel": "pigeon"},
]


@pytest.mark.parametrize("changes", BROKEN, ids=range(len(BROKEN)))
def test_an_outcome_that_cannot_be_is_refused_with_its_whole_parcel(face, changes):
    found = face.post("/v1/outcomes", {"outcomes": [outcome(outcome_id="whole"), outcome(**changes)]})
    fits = 409 if changes.get("day") == "2030-01-01" else 422  # a day to come is well written
    assert found.status_code == fits, found.text
    assert face.get("/v1/customers/c1").json()["outcomes"] == []


def test_an_outcome_never_changes_and_one_of_nobody_counts_for_nothing(face):
    assert face.post("/v1/outcomes", {"outcomes": [outcome(customer_id="c2")]}).json()["counts"] == {"new": 1}
    assert face.post("/v1/outcomes", {"outcomes": [outcome(customer_id="c2")]}).json()["counts"] == {"repeated": 1}
    other = face.post("/v1/outcomes", {"outcomes": [outcome(customer_id="c2", margin=2.0)]}).json()
    assert other["counts"] == {"conflict": 1}
    assert face.get("/v1/customers/c2").json()["outcomes"][0]["margin"] == 1.0
    nobody = outcome(outcome_id="y", customer_id="", decision_id="000000000000-nobody")
    assert face.post("/v1/outcomes", {"outcomes": [nobody]}).json()["counts"] == {"held": 1}


def test_tokens_let_in_by_role_and_only_their_hash_is_kept(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock, open_without_token=False) as face:
        store = face.service.store
        with store.writing() as con:
            made = {role: make_token(con, role, role, "test") for role in ("viewer", "sender", "marketer", "admin")}
        head = {role: {"Authorization": f"Bearer {token}"} for role, token in made.items()}

        def status(method, path, role, body=None):
            headers = {**head.get(role, {}), "Idempotency-Key": f"{method}{path}{role}"}
            return face.all((method, path, {"headers": headers, **({} if body is None else {"json": body})}))[
                0
            ].status_code

        assert status("POST", "/v1/decide", "", {"customer_id": "c1"}) == 401
        assert status("GET", "/healthz", "") == 200
        assert [status("POST", "/v1/decide", role, {"customer_id": "c1"}) for role in made] == [403, 200, 200, 200]
        assert [status("GET", "/v1/plan", role) for role in made] == [200] * 4
        why = {"why": "a test"}
        assert [status("POST", "/v1/halt", role, why) for role in made] == [403, 403, 200, 200]
        assert [status("POST", "/v1/release", role, why) for role in made] == [403, 403, 403, 200]
        assert [status("DELETE", "/v1/customers/c9", role) for role in made] == [403, 403, 403, 200]
        for forged in ("Bearer crl_forged", "Bearer", "Basic abc", "Bearer \x80", "Bearer " + "x" * 999):
            found = face.get("/v1/plan", headers={"Authorization": forged.encode("latin-1")})
            assert found.status_code == 401
        with store.writing() as con:
            revoke_token(con, "sender", "test")
            assert {row["name"]: row["holds"] for row in list_tokens(con)} == {
                **dict.fromkeys(made, True),
                "sender": False,
            }
        face.service.door._known.clear()  # what it knew for two seconds
        assert status("POST", "/v1/decide", "sender", {"customer_id": "c2"}) == 401
    content = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert not any(token.encode() in content for token in made.values())


def test_who_asks_too_often_is_told_to_wait(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock, per_second=1.0) as face:
        found = [face.get("/v1/plan").status_code for _ in range(14)]
        assert found[:10] == [200] * 10
        assert 429 in found
        assert int(face.get("/v1/plan").headers["retry-after"]) >= 1


def test_a_store_that_is_locked_gives_503_and_no_send_and_recovers(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock) as face:
        face.service.store.database.patience = 0.2
        other = Store.open(face.settings.store)
        with other.writing():
            patience = face.service.store.database
            patience._engine.dispose()
            with patience._engine.connect() as con:
                con.exec_driver_sql("PRAGMA busy_timeout=100")
            found = face.decide("c1")
            assert found.status_code == 503, found.text
            assert found.headers["retry-after"]
            assert face.get("/readyz").status_code == 503
            assert face.get("/healthz").status_code == 200
        assert face.decide("c1").status_code == 200
        assert face.get("/readyz").status_code == 200
        assert len(face.get("/v1/customers/c1").json()["decisions"]) == 1


def test_a_disk_that_is_full_gives_503_and_no_send_and_recovers(tmp_path):
    world, most = world_of(), [0]
    with Face(tmp_path, world, frame_of(world), clock=clock) as face:
        engine = face.service.store.database._engine

        def limited(connection, _):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages + most[0]}")

        event.listen(engine, "connect", limited)
        engine.dispose()
        found = [face.post("/v1/decide/batch", {"customer_ids": [f"c{i}" for i in range(60)]}) for _ in range(3)]
        assert found[-1].status_code == 503, found[-1].text
        before = face.get("/v1/plan").json()["decisions"]
        assert before == 60 * sum(one.status_code == 200 for one in found)
        most[0] = 10_000
        engine.dispose()
        assert face.decide("c1").status_code == 200
        assert face.get("/v1/plan").json()["decisions"] == before + 1


class Slow:
    """A policy that takes its time, fails, or gives no probabilities."""

    def __init__(self, policy, how):
        self.policy, self.how = policy, how
        self.name, self.catalog, self.kind = policy.name, policy.catalog, policy.kind

    def probabilities(self, context, allowed):
        if self.how == "failed":
            raise RuntimeError("no")
        if self.how == "slow":
            time.sleep(0.5)
        p = self.policy.probabilities(context, allowed)
        return p * 2 if self.how == "wrong" else p

    def settings(self):
        return {}

    def tensors(self):
        return {}


@pytest.mark.parametrize("how", ["slow", "failed", "wrong", "missing"])
def test_the_fallback_decides_where_the_champion_does_not_and_is_counted(tmp_path, how):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock, policy_seconds=0.1, fallback="rules_tight_budget") as face:
        parties = face.service.decider.parties
        own = parties.champion
        broken = None if how == "missing" else Party(own.name, Slow(own.policy, how), own.hash, own.about)
        vars(parties)["champion"] = broken
        found = face.decide("c1").json()
        assert found["fallback"]
        assert found["policy"] == "rules_tight_budget"
        assert f'campaignrl_fallback_total{{why="{how}"}} 1.0' in face.get("/metrics").text
        if how == "missing":
            assert face.get("/readyz").status_code == 503


def test_a_kind_of_ours_is_left_behind_once_it_was_too_slow(monkeypatch):
    policy = crl.load_policy("uniform", "coupon_trap")
    context, allowed = crl.simulate("coupon_trap", "uniform", customers=3, seed=1).context, None
    allowed = np.ones((len(context), len(policy.catalog)), dtype=bool)
    watch, own, threads = InTime(0.05), type(policy).probabilities, []

    def asked(self, *given):
        threads.append(threading.current_thread().name)
        return own(self, *given)

    monkeypatch.setattr(type(policy), "probabilities", asked)
    assert (watch.ask(policy, context, allowed) == own(policy, context, allowed)).all()
    assert threads == [threading.current_thread().name]
    monkeypatch.setattr(type(policy), "probabilities", lambda self, *given: time.sleep(0.3) or asked(self, *given))
    for _ in range(2):  # the first one is waited for, the second is not
        began = time.monotonic()
        with pytest.raises(Late, match="slow"):
            watch.ask(policy, context, allowed)
    assert time.monotonic() - began < 0.25
    time.sleep(0.4)
    monkeypatch.setattr(type(policy), "probabilities", asked)
    assert (watch.ask(policy, context, allowed) == own(policy, context, allowed)).all()
    assert threads[-1].startswith("policy")
    vars(policy)["probabilities"] = lambda *given: own(policy, *given)  # somebody else's
    assert (InTime(1.0).ask(policy, context, allowed) == own(policy, context, allowed)).all()
    watch.close()


def test_a_broken_bundle_is_refused_and_the_old_one_goes_on(tmp_path):
    world = world_of()
    bundle = crl.save_policy(crl.load_policy("rules_tight_budget", world), tmp_path / "new.bundle", trained_on=world)
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(bundle.read_bytes()[:-40])
    other = crl.save_policy(crl.load_policy("uniform", "coupon_trap"), tmp_path / "other.bundle")
    with Face(tmp_path, world, frame_of(world), clock=clock, policies=tmp_path) as face:
        before = face.decide("c1").json()["policy"]
        for name in (cut.name, other.name):
            found = face.post("/v1/policies/promote", {"policy": name, "why": "a test"})
            assert found.status_code == 422, found.text
        assert face.decide("c2").json()["policy"] == before
        assert "campaignrl_policies_refused_total 2.0" in face.get("/metrics").text
        asked = {"policy": bundle.name, "why": "a test", "accept_doubts": True}
        assert face.post("/v1/policies/promote", asked).status_code == 200
        assert face.decide("c3").json()["policy"] == "rules_tight_budget"
        assert face.post("/v1/policies/rollback", {"why": "a test"}).status_code == 200
        assert face.decide("c4").json()["policy"] == before
        bundle.write_bytes(cut.read_bytes())  # broken behind its back, and then another worker reads it
        with face.service.store.writing() as con:
            place(con, str(bundle), "x", CHAMPION, 1.0)
        face.service.catch_up()
        assert face.decide("c5").json()["policy"] == before


def test_a_shadow_watches_and_changes_nothing(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), policy="rules_tight_budget", clock=clock) as face:
        asked = {"policy": "uniform", "why": "a test"}
        assert face.post("/v1/policies/shadow", asked).status_code == 200
        face.post("/v1/decide/batch", {"customer_ids": [f"c{i}" for i in range(20)]})
        found = face.get("/v1/policies").json()
        assert found["shadows"][0]["decisions"] == 20
        assert face.decide("c30").json()["policy"] == "rules_tight_budget"
        assert face.post("/v1/policies/dismiss", asked).status_code == 200
        assert face.post("/v1/policies/dismiss", asked).status_code == 409


def test_the_kill_switch_stops_every_decision_until_it_is_released(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock) as face:
        made = [face.decide(f"c{i}", f"k{i}") for i in range(12)]
        sent = next(one.json() for one in made if one.json()["send"])
        assert face.post("/v1/halt", {"why": "a wrong price"}).status_code == 200
        found = face.decide("c20")
        assert found.status_code == 503
        assert found.json()["halted"]
        assert face.decide("c0", "k0").content == made[0].content  # what was answered is answered again
        asked = {"handovers": [{"decision_id": sent["decision_id"], "status": "sending"}]}
        assert face.post("/v1/handed-over", asked).json()["rows"][0]["go"] is False
        assert face.get("/readyz").status_code == 503
        face.post("/v1/release", {"why": "mended"})
        assert face.decide("c20").status_code == 200


def test_a_clock_that_goes_back_decides_nothing(tmp_path):
    world, days = world_of(), [DAY]
    with Face(tmp_path, world, frame_of(world), clock=lambda: days[0]) as face:
        assert face.decide("c1").status_code == 200
        days[0] = DAY - datetime.timedelta(days=1)
        found = face.decide("c2")
        assert found.status_code == 503
        assert "clock" in found.json()["detail"]


def test_the_window_of_a_cap_is_half_open(tmp_path):
    world, days = world_of(**CAPPED), [DAY]
    with Face(tmp_path, world, frame_of(world), policy="always:coupon15@sms", clock=lambda: days[0]) as face:
        assert face.decide("c1").json()["send"]
        days[0] = DAY + datetime.timedelta(days=6)
        assert not face.decide("c1").json()["send"]
        days[0] = DAY + datetime.timedelta(days=7)
        assert face.decide("c1").json()["send"]


def test_who_is_erased_is_gone_from_the_store_and_suppressed_ever_after(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock) as face:
        face.decide("c11", "before")
        face.post("/v1/outcomes", {"outcomes": [outcome(customer_id="c11")]})
        assert face.all(("DELETE", "/v1/customers/c11", {}))[0].status_code == 200
        assert face.get("/v1/customers/c11").status_code == 410
        assert face.decide("c11", "before").status_code == 410
        assert "suppressed" in face.decide("c11").json()["blocked"] or not face.decide("c11").json()["send"]
        again = face.post("/v1/outcomes", {"outcomes": [outcome(outcome_id="z", customer_id="C11")]})
        assert again.json()["counts"] == {"erased": 1}
        with face.service.store.reading() as con:
            assert con.execute(outcomes.select().where(outcomes.c.customer_id == "c11")).first() is None


def test_an_altered_trail_names_the_entry(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=clock) as face:
        face.post("/v1/halt", {"why": "one"})
        face.post("/v1/release", {"why": "two"})
        with face.service.store.writing() as con:
            assert broken_trail(con) is None
            con.execute(trail.update().where(trail.c.seq == 2).values(who="somebody else"))
            assert broken_trail(con) == 2
        assert face.get("/v1/trail").json()["broken_at"] == 2


def test_logs_and_metrics_name_no_customer(tmp_path, caplog):
    world = world_of()
    names = [f"Лена-{i}@example.org" for i in range(60)]
    frame = frame_of(world).assign(customer_id=names)
    with caplog.at_level(logging.DEBUG), Face(tmp_path, world, frame, clock=clock) as face:
        face.decide(names[0])
        face.decide("nobody@example.org")
        face.post("/v1/outcomes", {"outcomes": [outcome(customer_id=names[1], margin="x")]})
        face.all(("DELETE", f"/v1/customers/{names[2]}", {}))
        shown = face.get("/metrics").text + str(face.get("/v1/trail").json())
    told = "".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    assert "example.org" not in told + shown


@pytest.mark.timeout(900)
def test_a_slow_and_a_hostile_client_cost_others_nothing(tmp_path):
    """Over a real socket: bodies that stop half way, heads that never end, and then an honest request."""
    world = world_of()
    frame_of(world).to_parquet(tmp_path / "c.parquet")
    words = ["uniform", "-w", "tight_budget", "-c", "c.parquet", "--no-tokens", "--store", "sqlite:///s.db"]
    server = Server(tmp_path, *words)
    try:
        host, port = server.address.removeprefix("http://").split(":")
        socks = [socket.create_connection((host, int(port))) for _ in range(40)]
        for i, one in enumerate(socks):
            head = b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n"
            one.sendall(head[: 20 + i] if i % 2 else head + b'\r\n{"customer')
        found = httpx.post(
            f"{server.address}/v1/decide", json={"customer_id": "c1"}, headers={"Idempotency-Key": "k"}, timeout=60
        )
        assert found.status_code == 200
        bomb = httpx.post(f"{server.address}/v1/outcomes", content=b"[" * 3_000_000, timeout=60)
        assert bomb.status_code == 413
        for one in socks:
            one.close()
        assert server.stop() == 0
        assert server.said == ""
    finally:
        if server.process.poll() is None:
            server.kill()
