"""A headless Chromium for tests of pages: what a page shows, asks for and complains of, at each width and colour.

Pictures go to the folder of `CAMPAIGNRL_PICTURES`, where it is set. axe-core is no part of the project: it is used
where `CAMPAIGNRL_AXE` names its axe.min.js, or `npm install --no-save axe-core` put it into this checkout.
"""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
AXE = Path(os.environ.get("CAMPAIGNRL_AXE") or ROOT / "node_modules" / "axe-core" / "axe.min.js")
NO_AXE = "axe-core is not beside: npm install --no-save axe-core, or CAMPAIGNRL_AXE=axe.min.js"
WIDE, NARROW = (1280, 900), (390, 844)
SCREENS = ((WIDE, "light"), (NARROW, "light"), (WIDE, "dark"), (NARROW, "dark"))
DARK = "rgb(16, 21, 26)"  # the ground of every page of ours, where the screen asks for dark

# Words that end beyond the screen, or that an element around them cuts off, which neither scrolls nor shows more.
CUT = """
const apart = '.hidden,.skip,[hidden],dialog:not([open]),.md-search,.md-nav,.md-dialog,.md-top';
const shown = {checkVisibilityCSS: true, checkOpacity: true};
const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];

function place(text) {
  const range = document.createRange();
  range.selectNodeContents(text);
  return range.getBoundingClientRect();
}

function room(own) {
  let left = 0, right = document.documentElement.clientWidth;
  for (let up = own; up && up !== document.body; up = up.parentElement) {
    const flow = getComputedStyle(up).overflowX, frame = up.getBoundingClientRect();
    if (flow === 'auto' || flow === 'scroll') return null;
    if (flow === 'visible' || up instanceof SVGElement) continue;
    left = Math.max(left, frame.left);
    right = Math.min(right, frame.right);
  }
  return [left, right];
}

while (words.nextNode()) {
  const text = words.currentNode, own = text.parentElement;
  if (!text.textContent.trim() || own.closest(apart) || !own.checkVisibility(shown)) continue;
  const box = place(text), limits = room(own);
  if (box.width && limits && (box.left < limits[0] - 1 || box.right > limits[1] + 1))
    found.push(text.textContent.trim().slice(0, 60));
}
return found;
"""


@contextmanager
def chromium(profile):
    """A driver that looks up no host and keeps what pages ask for and complain of."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    words = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions")
    # What Chromium itself would fetch (updates, safe browsing) is no request of a page; no name is ever looked up.
    quiet = (
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    )
    for word in (*words, *quiet, f"--user-data-dir={profile}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.set_page_load_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


class Look:
    """A page on a screen; and what the browser did and said meanwhile."""

    def __init__(self, driver):
        self.driver = driver
        self.hosts, self.errors = set(), []

    def open(self, address):
        self.driver.get(address)
        self.look()

    def look(self):
        for line in self.driver.get_log("browser"):
            if line["level"] in ("SEVERE", "WARNING"):
                self.errors.append(line["message"])
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                parts = urlsplit(message["params"]["request"]["url"])
                if parts.scheme in ("http", "https", "ws", "wss"):
                    self.hosts.add(parts.netloc)

    def sized(self, size, scheme):
        self.metrics(*size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def metrics(self, width, height):
        told = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", told)

    def beyond(self):
        """Pixels by which the page is wider than the screen."""
        return self.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")

    def cut(self):
        """Words that nobody can read to their end."""
        return self.driver.execute_script(CUT)

    def serious(self):
        """Findings of axe that it calls serious or critical: (rule, first place, how many places)."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        ask = "const done = arguments[arguments.length - 1]; "
        ask += "axe.run(document, {preload: false}).then(done, e => done({error: String(e)}))"
        found = self.driver.execute_async_script(ask)
        assert "error" not in found, found
        grave = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        return [(one["id"], one["nodes"][0]["html"][:120], len(one["nodes"])) for one in grave]

    def fits(self, path, name, screens=SCREENS):
        """That a page on the disk fits every screen, follows its colours, and asks and complains of nothing."""
        self.errors.clear()
        self.hosts.clear()
        for size, scheme in screens:
            self.sized(size, scheme)
            self.open(path.as_uri())
            assert self.beyond() <= 0, f"{name} is {self.beyond()} pixels wider than {size[0]}"
            assert self.cut() == [], f"{name} at {size[0]}"
            ground = self.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (ground == DARK) == (scheme == "dark"), f"{name} is not {scheme}"
            self.picture(f"{name.replace('/', '-')}-{size[0]}-{scheme}")
        assert self.errors == [], name
        assert self.hosts == set(), name

    def has_nothing_serious(self, path, name):
        """That axe finds nothing serious on a page, wide and light, narrow and dark."""
        for size, scheme in (SCREENS[0], SCREENS[-1]):
            self.sized(size, scheme)
            self.open(path.as_uri())
            assert self.serious() == [], f"{name} at {size[0]}, {scheme}"
        self.errors.clear()

    def picture(self, name):
        place = os.environ.get("CAMPAIGNRL_PICTURES")
        if place:
            Path(place).mkdir(parents=True, exist_ok=True)
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.metrics(self.driver.execute_script("return window.innerWidth"), min(height, 4_000))
            self.driver.save_screenshot(str(Path(place) / f"{name}.png"))
