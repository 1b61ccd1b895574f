"""The express lane on a socket: what it takes is answered as the route answers, what is unusual goes the usual way."""

import datetime
import json
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from service_face import CAPPED, Face, frame_of, world_of

from campaignrl.service.app import as_served
from campaignrl.service.serving import Impatient, listen

DAY = datetime.date(2026, 11, 21)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A service with its socket, in threads of this process."""
    world = world_of(**CAPPED)
    with Face(tmp_path_factory.mktemp("express"), world, frame_of(world), clock=lambda: DAY) as face:
        place = listen("127.0.0.1", 0)
        options = {"http": Impatient, "ws": "none", "lifespan": "off", "log_level": "warning", "server_header": False}
        server = uvicorn.Server(uvicorn.Config(as_served(face.app), **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        face.address, face.express = place.getsockname(), server.config.app.express
        while not server.started:
            time.sleep(0.01)
        yield face
        server.should_exit = True
        thread.join(20)
        place.close()


def request(body, key="k", more=b"", path=b"/v1/decide"):
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path
    head += b"Idempotency-Key: %s\r\n%sContent-Length: %d\r\n\r\n" % (key.encode(), more, len(body))
    return head + body


def answers(connection, many):
    """(status, headers, body) of so many answers on a connection."""
    found, got = [], b""
    while len(found) < many:
        head, end, rest = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]) if end else 0
        if end and len(rest) >= length:
            lines = head.decode().split("\r\n")
            names = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            found.append((int(lines[0].split()[1]), names, rest[:length]))
            got = rest[length:]
            continue
        part = connection.recv(65_536)
        assert part, got
        got += part
    assert not got
    return found


def sent(site, *parts, many=1):
    with socket.create_connection(site.address, timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05 if len(parts) > 1 else 0.0)
        return answers(connection, many)


def taken(site, monkeypatch):
    """Wishes that the lane took from now on."""
    wishes, ask = [], site.express.ask
    monkeypatch.setattr(site.express, "ask", lambda wish, done: wishes.append(wish) or ask(wish, done))
    return wishes


def test_it_answers_as_the_route_does(site, monkeypatch):
    wishes = taken(site, monkeypatch)
    ((status, headers, body),) = sent(site, request(b'{"customer_id":"c1"}', "one"))
    assert (status, headers["content-type"], len(wishes)) == (200, "application/json", 1)
    by_route = site.decide("c1", "one")  # without a socket
    assert by_route.content == body
    assert by_route.headers["idempotency-replayed"] == "true"
    ((_, headers, again),) = sent(site, request(b'{"customer_id":"c1"}', "one"))
    assert (again, headers["idempotency-replayed"]) == (body, "true")
    ((status, headers, body),) = sent(site, request(b'{"customer_id":"nobody"}', "two"))
    by_route = site.decide("nobody", "three")
    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert by_route.content == body
    assert len(wishes) == 3


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (request(b'{"customer_id":"c2"'), 400),
        (request(b'{"customer_id":""}'), 422),
        (request(b'{"customer_id":"c2","channels":["pigeon"]}'), 422),
        (request(b'{"customer_id":"c2"}', ""), 400),
        (request(b'{"customer_id":"c2"}', more=b"Authorization: nonsense\r\n"), 401),
        (request(b'{"customer_id":"c2"}').replace(b"application/json", b"text/plain"), 415),
        (request(b""), 400),
        (request(b'{"customer_id":"c2","features":{"no_such":1}}', "f"), 200),
    ],
)
def test_what_is_unusual_or_wrong_is_left_to_the_route(site, monkeypatch, wrong, status):
    wishes = taken(site, monkeypatch)
    assert sent(site, wrong)[0][0] == status
    assert wishes == []


def test_parts_pipelines_doubled_headers_and_expectations(site, monkeypatch):
    wishes = taken(site, monkeypatch)
    whole = request(b'{"customer_id":"c3"}', "parts")
    assert sent(site, whole[:60], whole[60:-5], whole[-5:])[0][0] == 200
    assert sent(site, request(b'{"customer_id":"c4"}', "twice", b"X-A: 1\r\nX-A: 2\r\n"))[0][0] == 200
    assert wishes == []
    three = b"".join(request(b'{"customer_id":"c%d"}' % i, f"pipe-{i}") for i in (5, 6, 7))
    found = sent(site, three, many=3)
    assert [json.loads(body)["customer_id"] for _, _, body in found] == ["c5", "c6", "c7"]
    assert len(wishes) == 3
    closing = sent(site, request(b'{"customer_id":"c8"}', "closing", b"Connection: close\r\n"))
    assert closing[0][1]["connection"] == "close"


def test_many_at_once_share_rounds_and_a_cap_and_one_who_leaves_harms_nobody(site):
    with socket.create_connection(site.address, timeout=30) as gone:
        gone.sendall(request(b'{"customer_id":"c9"}', "gone"))
    address = "http://{}:{}".format(*site.address)
    with httpx.Client(base_url=address, timeout=60) as client:
        found, threads = [], []
        for i in range(24):
            ask = {"json": {"customer_id": "c10"}, "headers": {"Idempotency-Key": f"many-{i}"}}
            threads.append(threading.Thread(target=lambda a=ask: found.append(client.post("/v1/decide", **a).json())))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(one["send"] for one in found) <= 1
        assert len({one["decision_id"] for one in found}) == 24
        text = client.get("/metrics").text
    assert 'campaignrl_requests_total{route="/v1/decide",status="200"}' in text


def test_a_rate_for_tokens_closes_the_lane(tmp_path):
    world = world_of()
    with Face(tmp_path, world, frame_of(world), clock=lambda: DAY, per_second=5.0) as face:
        lane = as_served(face.app).express
        assert not lane.takes({"path": "/v1/decide", "method": "POST"})


def test_what_breaks_on_the_lane_is_answered_by_the_route(site, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(site.express, "wish_of", broken)
    ((status, _, body),) = sent(site, request(b'{"customer_id":"c1"}', key="broken-lane"))
    assert status == 200
    assert json.loads(body)["decision_id"]
