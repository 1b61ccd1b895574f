"""The interface: as it is written down, and kept to whatever is sent."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_face import Face, Server, frame_of, world_of

from campaignrl.service import Store, make_token
from campaignrl.specs import load_world

PAGE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"
WRITTEN = json.loads(PAGE.read_text(encoding="utf-8"))
PATHS = [(path, method) for path, operations in WRITTEN["paths"].items() for method in operations]


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    world = world_of()
    with Face(
        tmp_path_factory.mktemp("api"), world, frame_of(world), clock=lambda: datetime.date(2026, 11, 21)
    ) as found:
        yield found


def test_the_description_is_the_one_that_is_committed(face):
    """`campaignrl serve ... --openapi > docs/openapi.json` writes it again."""
    assert json.loads(json.dumps(face.app.openapi())) == WRITTEN
    assert face.get("/openapi.json").json() == WRITTEN


def test_another_method_is_told_which_ones_there_are(face):
    found = face.all(("PATCH", "/v1/customers/c1", {}), ("OPTIONS", "/v1/decide", {}))
    assert [(one.status_code, one.headers["allow"]) for one in found] == [(405, "DELETE, GET"), (405, "POST")]


def test_every_route_but_health_asks_for_a_token():
    without = {path for path, method in PATHS if not WRITTEN["paths"][path][method]["security"]}
    assert without == {"/healthz", "/readyz", "/metrics"}


NAMES = st.sampled_from(
    sorted({name for part in WRITTEN["components"]["schemas"].values() for name in part["properties"]})
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
LEAVES |= st.sampled_from(["c1", "sms", "*", "order", "sent", "sending", "2026-11-20", "uniform"])
ROWS = st.dictionaries(NAMES, LEAVES, max_size=6)
VALUES = LEAVES | ROWS | st.lists(LEAVES | ROWS, max_size=3)
POSTS = [path for path, method in PATHS if method == "post" and path != "/v1/halt"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(POSTS), st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_is_sent_is_answered_as_the_description_says(face, path, body):
    found = face.post(path, body)
    assert str(found.status_code) in WRITTEN["paths"][path]["post"]["responses"], found.text
    assert found.status_code < 500
    kind = "application/json" if found.status_code == 200 else "application/problem+json"
    assert found.headers["content-type"] == kind


NAMES_OF_REQUESTS = """
import itertools
import schemathesis

MANY = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode.is_positive and "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = f"request-{next(MANY)}"
"""


# Of who was erased 410 is the answer, which the tool does not count among those of good requests by itself.
GONE_IS_AN_ANSWER = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "410", "429", "5xx"]
"""


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path):
    """Over a socket, by an admin, with every check; a caller names each request, as it must."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    world = load_world("tight_budget")  # as it is bundled: its hash is what the server will know
    frame_of(world).to_parquet(tmp_path / "c.parquet")
    shutil.copy(PAGE, tmp_path / "openapi.json")
    store = Store.begin(f"sqlite:///{tmp_path}/s.db", world, start=datetime.date.today(), customers=60)
    with store.writing() as con:
        token = make_token(con, "tester", "admin", "test")
    server = Server(tmp_path, "uniform", "-w", "tight_budget", "-c", "c.parquet", "--store", "sqlite:///s.db")
    command = [Path(sys.executable).parent / "schemathesis", "run", "openapi.json", "--url", server.address]
    command += ["--max-examples", "25", "--exclude-path", "/v1/halt", "-H", f"Authorization: Bearer {token}"]
    (tmp_path / "names.py").write_text(NAMES_OF_REQUESTS)
    (tmp_path / "schemathesis.toml").write_text(GONE_IS_AN_ANSWER)
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "names"}
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert server.stop() == 0
    assert done.returncode == 0, done.stdout[-4_000:]
