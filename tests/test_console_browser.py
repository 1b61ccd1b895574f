"""The console in a real browser: looked up, approved, promoted, rolled back, stopped; languages, widths, colours.

A campaign of three weeks, whose newest plan waits. Pictures go to the folder of `CAMPAIGNRL_PICTURES`, where it is set.
Skipped where there is no Chromium.
"""

import re
from urllib.parse import urlsplit

import pytest
from browser_face import AXE, BROWSER, DRIVER, NARROW, NO_AXE, WIDE, Look, chromium
from console_face import DAY, Site, campaign

from campaignrl.ledger import Ledger

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
waiting = pytest.importorskip("selenium.webdriver.support.wait", reason="selenium is not installed")
conditions = pytest.importorskip("selenium.webdriver.support.expected_conditions", reason="selenium is not installed")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium with its driver here")

PATHS = {
    "today": "/",
    "audience": "/console/audience",
    "customer": "/console/customer?id=12",
    "policies": "/console/policies",
    "plan": "/console/plan",
    "experiments": "/console/experiments",
    "system": "/console/system",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    campaign(folder / "shop", days=14)
    table = folder / "shop" / "profiles" / "profiles.parquet"
    world = Ledger.open(folder / "shop" / "ledger").form
    with Site(folder, customers=table, world=world, campaign=folder / "shop") as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


class Walk(Look):
    """What a person does in the browser; and what the browser did meanwhile."""

    def __init__(self, driver, site):
        super().__init__(driver)
        self.site = site

    def open(self, path):
        super().open(self.site.address + path)

    def find(self, css):
        return self.driver.find_element("css selector", css)

    def submit(self, action, **fields):
        """Fill in the form that goes to `action` and press its button."""
        form = f'form[action="{action}"]'
        for name, text in fields.items():
            spot = self.find(f'{form} [name="{name}"]')
            if spot.get_attribute("type") == "checkbox":
                spot.click()
            else:
                spot.clear()
                spot.send_keys(text)
        before = self.find("html")
        self.find(f"{form} button").click()
        waiting.WebDriverWait(self.driver, 120).until(conditions.staleness_of(before))
        self.look()

    @property
    def text(self):
        return self.find("main").text


@pytest.fixture(scope="module")
def walk(browser, site):
    found = Walk(browser, site)
    found.sized(WIDE, "light")
    found.open("/")
    found.submit("/console/sign-in", token=site.tokens["admin"])
    assert str(DAY) in found.text
    yield found
    found.look()


def test_a_customer_is_looked_up_and_the_reasons_read(walk):
    walk.open("/console/audience")
    walk.submit("/console/audience", where="orders >= 1")
    assert "found" in walk.text
    walk.find("tbody a").click()
    walk.look()
    assert "Why not that" in walk.text
    assert "no consent" in walk.text or "not eligible" in walk.text


def test_rules_are_said_in_the_language_of_the_page(walk):
    walk.open("/console/language/zh?back=/console/system")
    rules = walk.driver.find_elements("css selector", "section:last-of-type li")
    assert len(rules) >= 10
    assert [one.text for one in rules if not re.search(r"[\u4e00-\u9fff]", one.text)] == []
    walk.open("/console/customer?id=12")
    assert "未授权" in walk.text or "不符合条件" in walk.text
    walk.open("/console/language/en?back=/console/plan")


def test_a_plan_waits_and_is_approved(walk):
    walk.open("/console/plan")
    assert "Release the plan" in walk.text
    walk.picture("plan-waiting")
    walk.submit("/console/plan/approve", sure="yes")
    assert "released" in walk.text
    assert "admin" in walk.text


def test_a_policy_is_promoted_and_rolled_back(walk):
    walk.open("/console/policies")
    walk.submit("/console/policies/promote", policy="uniform", why="a trial", sure="yes")
    assert "uniform" in walk.find("tbody tr").text
    walk.submit("/console/policies/roll-back", why="trial over", sure="yes")
    assert "rules" in walk.find("tbody tr").text


def test_sending_is_stopped_and_goes_on(walk):
    walk.open("/console/system")
    walk.submit("/console/system/halt", why="a wrong price", sure="yes")
    assert "Sending is stopped" in walk.text
    walk.open("/")
    assert "a wrong price" in walk.text
    walk.picture("halted")
    walk.open("/console/system")
    walk.submit("/console/system/release", why="mended", sure="yes")
    assert "Sending is stopped" not in walk.text


SIZES = [(WIDE, "light", "en"), (NARROW, "light", "zh"), (WIDE, "dark", "zh"), (NARROW, "dark", "en")]


@pytest.mark.parametrize(("size", "scheme", "language"), SIZES, ids=lambda v: str(v[0]) if isinstance(v, tuple) else v)
def test_every_page_fits_each_width_in_both_colours_and_languages(walk, size, scheme, language):
    walk.sized(size, scheme)
    walk.open(f"/console/language/{language}?back=/")
    for name, path in PATHS.items():
        walk.sized(size, scheme)
        walk.open(path)
        assert walk.find("html").get_attribute("lang") == language
        assert walk.beyond() <= 0, f"{name} is {walk.beyond()} pixels wider than the screen"
        assert walk.cut() == [], name
        back = walk.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(16, 21, 26)") == (scheme == "dark"), back
        walk.picture(f"{name}-{size[0]}-{scheme}-{language}")


@pytest.mark.skipif(not AXE.is_file(), reason=NO_AXE)
@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_serious(walk, name):
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        walk.sized(size, scheme)
        walk.open(PATHS[name])
        assert walk.serious() == [], f"{name} at {size[0]}, {scheme}"


UNNAMED = """
return [...document.querySelectorAll('input:not([type=hidden]),button,a,svg[role=img]')].filter(one => {
  const label = one.labels && one.labels.length || one.textContent.trim() || one.hasAttribute('aria-label');
  return !label;
}).map(one => one.outerHTML);
"""


def test_a_screen_reader_and_a_keyboard_get_everywhere(walk):
    walk.sized(WIDE, "light")
    walk.open("/console/language/en?back=/")
    for path in PATHS.values():
        walk.open(path)
        assert walk.driver.execute_script(UNNAMED) == [], path
        assert len(walk.driver.find_elements("css selector", "h1")) == 1
    walk.find("body").send_keys(webdriver.Keys.TAB)
    assert walk.driver.switch_to.active_element.get_attribute("class") == "skip"
    walk.driver.switch_to.active_element.send_keys(webdriver.Keys.ENTER)
    assert walk.driver.switch_to.active_element.tag_name == "main"


def test_no_console_error_and_no_other_host(walk, site):
    walk.look()
    assert walk.errors == []
    assert walk.hosts == {urlsplit(site.address).netloc}
