"""The express lane on a socket: what it takes is answered as the route answers, what is unusual goes the usual way."""

import datetime
import json
import socket
import threading
import time

import httptools
import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from service_face import CAPPED, Face, frame_of, world_of

from campaignrl.service.api.express import ALONE, plain_request
from campaignrl.service.api.models import DecideRequest
from campaignrl.service.api.requests import parsed
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


class Parsed:
    """What the parser makes of bytes."""

    def __init__(self, data):
        self.headers, self.body, self.whole, self.url = [], b"", 0, b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name.lower(), value))

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.whole += 1


PIECES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"0", b"\x00", b"\xff", b"POST /v1/decide HTTP/1.1\r\n", b"{}"]
PIECES += [
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n",
    b"Connection: Upgrade\r\n",
    b"Expect: 100-continue\r\n",
]
PIECES += [
    b"Accept: */*\r\n",
    b"Connection: keep-alive\r\n",
    b"User-Agent: a (b; c) d\r\n",
    b"Host: y\r\n",
    b" folded\r\n",
]


@given(st.data())
def test_what_is_read_without_a_parser_is_what_the_parser_reads(data):
    whole = request(b'{"customer_id":"c1"}', "law")
    for _ in range(data.draw(st.integers(0, 3))):
        starts = [0, *(i + 2 for i in range(len(whole)) if whole[i : i + 2] == b"\r\n"), len(whole)]
        at = data.draw(st.sampled_from(starts) | st.integers(0, len(whole)))
        cut = data.draw(st.sampled_from([0, 0, 1, 2, 5]))
        whole = whole[:at] + data.draw(st.sampled_from([b"", *PIECES])) + whole[at + cut :]
    found = plain_request(whole)
    if found is not None:
        parsed = Parsed(whole)  # which would say that it cannot
        assert (dict(found[0]), found[1]) == (dict(parsed.headers), parsed.body)
        assert (parsed.whole, parsed.url, parsed.parser.get_method()) == (1, b"/v1/decide", b"POST")
        assert parsed.parser.should_keep_alive()
        assert not parsed.parser.should_upgrade()
        assert len(parsed.headers) == len(found[0])
        assert not {name for name, _ in parsed.headers} & {b"transfer-encoding", b"expect", b"upgrade"}


@given(
    st.text(st.characters(max_codepoint=0x17F) | st.sampled_from('"\\ \x7f\x00'), max_size=300), st.sampled_from(" ,{")
)
def test_a_body_that_names_a_customer_alone_is_what_its_json_says(name, sign):
    for body in (b'{"customer_id":"%s"}' % name.encode(), b'{"customer_id":%s"%s"}' % (sign.encode(), name.encode())):
        alone = ALONE.fullmatch(body)
        if alone is not None:
            assert parsed(DecideRequest, body) == DecideRequest(customer_id=alone[1].decode())
    assert ALONE.fullmatch(b'{"customer_id":"c1"}')
    for other in (b"", b" ", b"c" * 257, b'c"', b"c\\u0041", b"c\n", "é".encode()):
        assert ALONE.fullmatch(b'{"customer_id":"%s"}' % other) is None


def test_what_no_parser_need_read():
    more = b"Accept: */*\r\nConnection: Keep-Alive\r\nAuthorization: Bearer crl_x\r\n"
    headers, body = plain_request(request(b'{"customer_id":"c1"}', "k", more))
    assert body == b'{"customer_id":"c1"}'
    assert headers[b"authorization"] == b"Bearer crl_x"
    assert headers[b"idempotency-key"] == b"k"
    whole = request(b'{"customer_id":"c1"}')
    for left in (
        whole[:-1],
        whole + b"P",
        whole[1:],
        whole.replace(b"1.1", b"1.0"),
        whole.replace(b"Host: x\r\n", b""),
    ):
        assert plain_request(left) is None
    for line in (
        b"Connection: close\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X-A: 1\r\n",
        b"Host: x\r\n",
        b"Accept:\r\n",
    ):
        assert plain_request(request(b"{}", "k", line)) is None
    assert plain_request(whole.replace(b"Content-Length: 20", b"Content-Length: 020")) is None
    assert plain_request(request(b'{"customer_id":"c1"}', path=b"/v1/decide/batch")) is None


def test_plain_requests_need_no_parser_and_others_after_them_are_read_as_ever(site, monkeypatch):
    fed, parse = [], Impatient._parse
    monkeypatch.setattr(Impatient, "_parse", lambda self, data: fed.append(data) or parse(self, data))
    with socket.create_connection(site.address, timeout=30) as connection:
        for i, whole in enumerate([request(b'{"customer_id":"c1"}', "np-1"), request(b'{"customer_id":"c2"}', "np-2")]):
            connection.sendall(whole)
            assert answers(connection, 1)[0][0] == 200
            assert fed == [], i
        odd = request(b'{"customer_id":"c3"}', "np-3", b"X-A: 1\r\n")
        connection.sendall(odd)
        assert answers(connection, 1)[0][0] == 200
        connection.sendall(request(b'{"customer_id":"c4"}', "np-4"))
        assert answers(connection, 1)[0][0] == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answers(connection, 1)[0][0] == 200
        wrong = request(b'{"customer_id":""}', "np-5")
        connection.sendall(wrong)
        assert answers(connection, 1)[0][0] == 422
        assert fed == [odd, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", wrong]
