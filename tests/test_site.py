"""The site: nothing is left out of the reference, no page is lost, and no page asks another host.

Not here: what the commands on its pages print (test_docs.py), its Chinese pages (test_translation.py).
"""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser_face import AXE, BROWSER, DRIVER, NO_AXE, SCREENS, Look, chromium
from site_pages import api, commands, keys, navigation, staging, tables

import campaignrl

ROOT = Path(__file__).resolve().parents[1]
NAMES = campaignrl.__all__


def test_every_public_name_stands_once_in_the_reference():
    named = [name for names in api.groups().values() for name in names]
    assert sorted(named) == sorted(NAMES)
    assert "More" not in api.groups(), "the package's docstring has a group for each name"


def test_every_verb_with_every_option_stands_in_the_reference():
    page = commands.page()
    verbs = dict(commands.verbs())
    assert len(verbs) >= 35
    for name, command in verbs.items():
        assert f"# campaignrl {name}\n" in page
        part = page.partition(f"# campaignrl {name}\n")[2].partition("\n## ")[0]
        for param in () if getattr(command, "commands", None) else command.params:
            label = param.opts[-1] if param.param_type_name == "option" else param.metavar or param.name
            assert label in part, (name, label)


def every_key():
    return [(title, key) for title, (_, model) in keys.FILES.items() for key in keys.keys(model)]


def test_every_key_of_every_file_has_its_kind_its_default_and_its_meaning():
    found = every_key()
    assert len(found) >= 450
    assert [(title, key.table, key.name) for title, key in found if not key.meaning or not key.kind] == []
    page = keys.page()
    assert all(f"| `{key.name}` |" in page for _, key in found)


def test_the_keys_are_those_of_the_models():
    """Counted another way: the schema that pydantic itself makes of a model names as many keys in every table."""
    for title, (_, model) in keys.FILES.items():
        schema = model.model_json_schema(mode="validation")
        parts = [schema, *schema.get("$defs", {}).values()]
        wanted = {name for part in parts for name in part.get("properties", {})}
        assert {key.name for key in keys.keys(model)} == wanted, title


def test_every_setting_of_every_kind_of_policy_has_its_meaning():
    from campaignrl.policies import registry

    for kind in registry.KINDS:
        settings = keys.policy_keys(kind)
        assert [key.name for key in settings if not key.meaning] == [], kind
        assert {key.name for key in settings if not key.table} == set(registry.policy_class(kind).Config.model_fields)


def test_meanings_written_apart_are_those_that_no_model_gives():
    from campaignrl.policies.registry import KINDS, policy_class

    models = [model for _, model in keys.FILES.values()] + [policy_class(kind).Config for kind in KINDS]
    homes = {}
    while models:
        model = models.pop()
        for name, field in model.model_fields.items():
            home = keys.home_of(model, name)
            if (home, name) not in homes:
                homes[home, name] = field
                inner, _ = keys._model_in(field.annotation)
                models += [inner] if inner is not None else []
    there = {(home.__name__, name) for home, name in homes}
    said = {
        (home.__name__, name)
        for home, name in homes
        if keys._comments(home).get(name) or keys._in_docstring(home, name)
    }
    apart = {(model, name) for model, lines in keys.untold().items() for name in lines}
    assert apart - there == set(), "a key that is gone"
    assert apart & said == set(), "the model says it already"


def test_a_key_is_read_as_its_source_says():
    from campaignrl.specs import World

    found = {(key.table, key.name): key for key in keys.keys(World)}
    horizon = found["", "horizon"]
    assert (horizon.kind, horizon.default) == ("whole number, at least 1, at most 3660", "`90`")
    assert horizon.meaning == "days, one decision a day"
    assert found["guard", "holdout"].meaning == "share of customers who are never contacted"
    assert found["channels.NAME", "cost"].default == ""


def test_exit_codes_are_those_of_the_errors():
    codes = {int(code) for code, _ in tables.exit_codes()}
    raised = {getattr(campaignrl, name).exit_code for name in NAMES if name.endswith("Error")}
    assert raised <= codes
    assert {0, 1, 2, 3, 4, 130} == codes


def test_lists_hold_everything():
    from campaignrl.ope.methods.registry import ESTIMATORS
    from campaignrl.policies.registry import KINDS
    from campaignrl.suites.measure_definitions import MEASURES

    page = tables.page()
    features = campaignrl.load_world("ecommerce").features.names
    for name in (*features, *KINDS, *ESTIMATORS, *MEASURES):
        row = re.search(rf"^\| `{re.escape(name)}` \|(.*)\|$", page, re.M)
        assert row, name
        assert row[1].strip(" |"), name


def test_a_page_that_the_navigation_does_not_know_is_not_lost():
    pages = [page for section in navigation.SECTIONS for page in section.pages]
    assert navigation.navigation([*pages, "service.md"])[-1] == {"More": ["service.md"]}
    assert navigation.navigation(pages) == [{s.english: list(s.pages)} for s in navigation.SECTIONS]
    with pytest.raises(LookupError, match=r"index\.md"):
        navigation.navigation(pages[1:])


def test_links_of_the_repository_become_links_of_the_site():
    where = {ROOT / "docs" / "loop.md": "loop.md", ROOT / "CONTRIBUTING.md": "CONTRIBUTING.md"}
    text = "[a](../loop.md#what) [b](../../CONTRIBUTING.md) [c](../../src/campaignrl/rng.py)"
    text += " [d](https://e.org) [f](gone.md)"
    page = ROOT / "docs" / "how-to" / "x.md"
    assert staging.linked(text, page, "how-to/x.md", where) == (
        "[a](../loop.md#what) [b](../CONTRIBUTING.md) c [d](https://e.org) [f](gone.md)"
    )
    assert (
        staging.linked("```\n[c](../../Makefile)\n```", page, "how-to/x.md", where) == "```\n[c](../../Makefile)\n```"
    )


def test_pictures_are_light():
    pictures = [p for p in (ROOT / "docs").rglob("*") if p.suffix in (".png", ".svg")]
    assert len(pictures) >= 5
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size > 150_000} == {}
    assert sum(p.stat().st_size for p in pictures) < 1_500_000


class Page(HTMLParser):
    """What a page links to and loads, the names of its places, and what stands for pictures that cannot be seen."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.ids, self.unsaid, self.language = [], [], set(), [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids.add(found.get("id"))
        if tag == "html":
            self.language = found.get("lang")
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.loads.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loads.append(found["href"])
        if tag == "img" and not found.get("alt"):
            self.unsaid.append(found.get("src"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site in both languages, as `make site` makes it, and what each page holds."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    target = tmp_path_factory.mktemp("site") / "site"
    words = [sys.executable, str(ROOT / ".ci" / "make_site.py"), str(target)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        p.relative_to(target).as_posix(): Page(p.read_text(encoding="utf-8")) for p in target.rglob("*.html")
    }, target


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_page_is_there_in_both_languages(built):
    pages, _ = built
    english = {page.removesuffix(".md") + ".html" for page in staging.sources()}
    assert english <= set(pages)
    assert {f"zh/{page}" for page in english} <= set(pages)
    assert {page.language for name, page in pages.items() if name.startswith("zh/")} == {"zh"}


@pytest.mark.slow
def test_no_page_asks_another_host_and_nothing_it_loads_is_missing(built):
    pages, target = built
    for name, page in pages.items():
        for load in () if name.endswith("404.html") else page.loads:  # which may be shown at any address
            assert not re.match(r"(https?:)?//", load), (name, load)
            assert ((target / name).parent / unquote(load.partition("?")[0])).is_file(), (name, load)


@pytest.mark.slow
def test_no_link_is_broken(built):
    pages, target = built
    for name, page in pages.items():
        if name.endswith("404.html"):
            continue
        for link in page.links:
            path, _, anchor = unquote(link).partition("#")
            if re.match(r"(\w+:)?//|mailto:", link):
                continue
            file = ((target / name).parent / path).resolve() if path else target / name
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{name} links to {link}"
            other = pages.get(file.relative_to(target.resolve()).as_posix()) if path else page
            assert not anchor or other is None or anchor in other.ids, f"{name} links to {link}"


@pytest.mark.slow
def test_every_public_name_has_a_place_of_its_own(built):
    pages, _ = built
    for part in ("", "zh/"):
        assert [n for n in NAMES if f"campaignrl.{n}" not in pages[f"{part}reference/api.html"].ids] == []


@pytest.mark.slow
def test_every_picture_says_what_it_shows(built):
    assert {name: page.unsaid for name, page in built[0].items() if page.unsaid} == {}


@pytest.mark.slow
def test_the_search_knows_english_and_chinese_words(built):
    _, target = built
    english = (target / "search" / "search_index.js").read_text(encoding="utf-8")
    chinese = (target / "zh" / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "effective sample size" in english
    words = json.dumps("\u200b发送\u200b名单")[1:-1]
    assert words in chinese, "cut into words, which the search needs"


SEEN = (
    *("index", "tutorials/first-month", "how-to/value-my-log", "results", "reference/keys", "gallery", "walks"),
    *("zh/index", "zh/tutorials/gate-in-ci", "zh/how-to/send-list-from-excel", "zh/one-page"),
)
IN_A_BROWSER = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium with its driver here")


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield Look(driver)


@pytest.mark.slow
@IN_A_BROWSER
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", SEEN)
def test_a_page_fits_a_desk_and_a_phone(page, built, look):
    look.fits(built[1] / f"{page}.html", page, (SCREENS[0], SCREENS[-1]))


@pytest.mark.slow
@IN_A_BROWSER
@pytest.mark.skipif(not AXE.is_file(), reason=NO_AXE)
@pytest.mark.parametrize("page", SEEN)
def test_axe_finds_nothing_serious(page, built, look):
    look.has_nothing_serious(built[1] / f"{page}.html", page)
