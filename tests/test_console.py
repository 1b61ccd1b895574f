"""The console: both languages whole, pages escaped and locked down, forms of its own alone, roles obeyed."""

import ast
import re
import string
from pathlib import Path

import pandas as pd
import pytest
from console_face import DAY, EVIL, Site, campaign, form_key

from campaignrl.ledger import Ledger
from campaignrl.ledger.schemas import KINDS
from campaignrl.monitor import SENTENCES
from campaignrl.service import console
from campaignrl.service.console.language import catalogue
from campaignrl.service.console.page import own_path
from campaignrl.service.console.today import check_name
from campaignrl.specs import load_world

FOLDER = Path(console.__file__).parent
PAGES = ("/", *(f"/console/{name}" for name in ("audience", "policies", "plan", "experiments", "system")))


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# ---- the catalogue


def test_both_languages_have_every_message_with_the_same_figures():
    english, chinese = catalogue()["en"], catalogue()["zh"]
    assert english.keys() == chinese.keys()
    for key in english:
        assert english[key].strip(), key
        assert chinese[key].strip(), key
        assert fields(english[key]) == fields(chinese[key]), key
        assert re.search(r"[\u4e00-\u9fff]", chinese[key]), f"{key} is not Chinese"


def test_every_message_is_used_and_every_used_one_is_there():
    texts = [p.read_text(encoding="utf-8") for p in (*FOLDER.glob("templates/*.j2"), *FOLDER.glob("*.py"))]
    joined = "\n".join(texts)
    keys = catalogue()["en"].keys()
    used = set(re.findall(r"""\bt\("([a-z_]+\.[a-z_]+)"[,)]""", joined))
    assert used <= keys, used - keys
    parts = set(re.findall(r"""["']([a-z]+)\.["'] ~""", joined)) | {"says", "check"}  # the key ends in a value
    unused = [key for key in keys if f'"{key}"' not in joined and key.partition(".")[0] not in parts]
    assert unused == []


def test_the_catalogue_says_what_the_monitor_says():
    english = catalogue()["en"]
    told = {key.removeprefix("says."): text for key, text in english.items() if key.startswith("says.")}
    assert told == {code.replace(".", "_"): text for code, text in SENTENCES.items()}


RATES = ("sends", "not_made", "open", "click", "unsubscribe", "complaint")
CHECKS = ["outcomes", "order", "margin", "blocked", "fallback", "propensities", "propensities recomputed"]
CHECKS += ["features", "model age", "feature visits", *(f"{rate}@sms" for rate in RATES)]
CHECKS += [f"feed {kind}" for kind in ("decisions", *KINDS)]


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_of_the_monitor_has_a_name_in_both_languages(name):
    """What comes from data keeps its own: a channel, a feature."""
    assert check_name("en", name) == name
    chinese = check_name("zh", name)
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert set(re.findall(r"[a-z_]+", chinese)) <= {"sms", "visits"}


def test_templates_hold_no_style_no_script_and_no_other_host():
    for path in FOLDER.glob("templates/*.j2"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bstyle=|\bon\w+=|<style|<script(?! src=\"/console/static)|https?://|\|\s*safe", text), (
            path
        )
    assert not re.search(r"https?:|url\(|@import|eval|innerHTML", (FOLDER / "console.js").read_text())
    assert not re.search(r"https?:|url\(|@import", (FOLDER / "console.css").read_text())


def test_the_console_writes_nothing_by_itself():
    """No transaction of the store, no file: changes go through the service's routes or the campaign's functions."""
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"writing", "write_text", "write_bytes", "unlink", "ask_line"}, path


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nb"])
def test_nobody_is_led_to_another_host(path):
    assert own_path(path) == "/"
    assert own_path("/console/plan") == "/console/plan"


# ---- a site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A campaign's folder, its customers with a hostile one among them, a service, a token of each role."""
    folder = tmp_path_factory.mktemp("site")
    campaign(folder / "shop")
    table = pd.read_parquet(folder / "shop" / "profiles" / "profiles.parquet")
    frame = table.head(80).astype({"customer_id": str})
    frame.loc[frame.index[3], "customer_id"] = EVIL
    frame.to_parquet(folder / "customers.parquet")
    world = Ledger.open(folder / "shop" / "ledger").form or load_world("ecommerce")
    with Site(folder, customers=folder / "customers.parquet", world=world, campaign=folder / "shop") as found:
        found.folder = folder
        yield found


def test_nobody_gets_in_without_a_token(site):
    with site.client() as client:
        for path in PAGES:
            page = client.get(path)
            assert page.url.path == "/console/sign-in", path
        assert client.get("/console/live").status_code == 401
        wrong = client.post("/console/sign-in", data={"token": "crl_nonsense", "next": "/"})
        assert wrong.status_code == 401
        assert "crl_session" not in client.cookies


def test_every_page_in_both_languages_says_who_looks_and_locks_the_rest_out(site):
    with site.client("admin") as client:
        for language, word in (("en", "Policies"), ("zh", "策略")):
            client.get(f"/console/language/{language}?back=/console/plan")
            for path in PAGES:
                page = client.get(path)
                assert page.status_code == 200, (path, page.text[-400:])
                assert f'lang="{language}"' in page.text
                assert word in page.text
                policy = page.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert page.headers["cache-control"] == "no-store"


def test_cookies_are_for_the_console_alone(site):
    with site.client() as client:
        done = client.post(
            "/console/sign-in", data={"token": site.tokens["viewer"], "next": "/"}, follow_redirects=False
        )
        said = done.headers["set-cookie"].lower()
        assert "httponly" in said
        assert "samesite=strict" in said


def test_hostile_texts_are_escaped(site):
    with site.client("viewer") as client:  # its own name is one
        for path in (*PAGES, f"/console/customer?id={EVIL}", f"/console/audience?where={EVIL}"):
            page = client.get(path)
            assert "<script>alert" not in page.text, path
        assert "&lt;script&gt;" in client.get("/").text
        assert client.get("/console/customer", params={"id": EVIL}).status_code == 200


def test_a_form_of_another_site_changes_nothing(site):
    with site.client("admin") as client:
        page = client.get("/console/system")
        body = {"why": "x", "sure": "yes"}
        for wrong in (
            client.post("/console/system/halt", data=body),
            client.post("/console/system/halt", data={**body, "form_key": "0" * 64}),
            client.post(
                "/console/system/halt",
                data={**body, "form_key": form_key(page)},
                headers={"Sec-Fetch-Site": "cross-site"},
            ),
        ):
            assert wrong.status_code == 403
        with site.client("admin") as other:
            other.get("/")
            stolen = other.post("/console/system/halt", data={**body, "form_key": form_key(page)})
            assert stolen.status_code == 403, "the key of another browser"
        assert client.get("/readyz").json()["ready"]


def test_an_unconfirmed_form_changes_nothing(site):
    with site.client("admin") as client:
        key = form_key(client.get("/console/system"))
        page = client.post("/console/system/halt", data={"why": "x", "form_key": key})
        assert page.status_code == 400
        assert client.get("/readyz").json()["ready"]


def test_a_viewer_sees_and_changes_nothing(site):
    with site.client("viewer") as client:
        page = client.get("/console/policies")
        assert "/console/policies/promote" not in page.text
        key = client.cookies.get("crl_form")
        assert key
        from campaignrl.service.console.session import Visitor
        from campaignrl.service.worker import Caller

        own = Visitor(Caller(EVIL, "viewer"), site.tokens["viewer"], key).form_key
        body = {"policy": "uniform", "why": "x", "sure": "yes", "form_key": own}
        assert client.post("/console/policies/promote", data=body).status_code == 403


def test_a_search_finds_by_condition_and_by_part_of_an_id_and_explains_a_mistake(site):
    with site.client("viewer") as client:
        assert "80 customers" in client.get("/console/audience").text
        mistake = client.get("/console/audience", params={"where": "no_such_tag > 1"})
        assert mistake.status_code == 200
        assert "no_such_tag" in mistake.text
        found = client.get("/console/audience", params={"where": "orders >= 1"}).text
        many = int(re.search(r"([\d,]+) found", found).group(1))
        assert 0 < many < 80


def test_promoting_rolling_back_stopping_and_going_on_are_the_services_own_changes(site):
    with site.client("admin") as client:
        key = form_key(client.get("/console/policies"))
        body = {"why": "trial", "sure": "yes", "form_key": key}
        assert client.post("/console/policies/promote", data={**body, "policy": "no_such"}).status_code in (404, 422)
        page = client.post("/console/policies/promote", data={**body, "policy": "uniform"})
        assert page.status_code == 200, page.text
        header = {"Authorization": f"Bearer {site.tokens['admin']}"}
        roles = {one["name"]: one["role"] for one in client.get("/v1/policies", headers=header).json()["policies"]}
        assert roles["uniform"] == "champion"
        client.post("/console/policies/roll-back", data=body)
        roles = {one["name"]: one["role"] for one in client.get("/v1/policies", headers=header).json()["policies"]}
        assert roles == {"uniform": "former", "rules": "champion"}
        assert "Sending is stopped" in client.post("/console/system/halt", data=body).text
        assert not client.get("/readyz").json()["ready"]
        assert (site.folder / "shop" / "halt.json").exists(), "mornings stop as well"
        assert "Sending is stopped" not in client.post("/console/system/release", data=body).text
        assert client.get("/readyz").json()["ready"]
        assert not (site.folder / "shop" / "halt.json").exists()
        entries = client.get("/v1/trail", headers=header).json()["entries"]
        told = [(one["who"], one["what"]) for one in entries]
        for what in ("policy promoted", "policy rolled back", "halted", "released"):
            assert ("admin", what) in told


def test_a_plan_is_released_by_who_signs_once(site):
    with site.client("marketer") as client:
        page = client.get("/console/plan")
        assert str(DAY) in page.text
        body = {"day": str(DAY), "sure": "yes", "form_key": form_key(page)}
        done = client.post("/console/plan/approve", data=body)
        assert done.status_code == 200, done.text
        assert "released" in done.text
        assert (site.folder / "shop" / "sends" / f"{DAY}.csv").exists()
        assert '"who": "marketer"' in (site.folder / "shop" / "approvals.jsonl").read_text()


def test_live_figures_come_as_events_and_monitor_figures_as_metrics(site):
    with site.client("viewer") as client:
        with client.stream("GET", "/console/live") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            first = next(line for line in stream.iter_lines() if line.startswith("data:"))
        assert '"sends": ' in first
        client.get("/")  # looks at the ledger
        assert 'campaignrl_monitor_state{check="model age"}' in client.get("/metrics").text


def test_the_console_is_no_part_of_the_description_for_machines(site):
    with site.client() as client:
        assert not [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/console")]
