"""Every kind of page in a real browser: nothing cut off on desk or phone, light or dark, no other host, no complaint.

Not here: the console (test_console_browser.py), the site (test_site.py), what pages say.
"""

from dataclasses import replace

import numpy as np
import pytest
from answering_world import dead_channel, played
from browser_face import AXE, BROWSER, DRIVER, NARROW, NO_AXE, Look, chromium
from console_face import DAY, campaign
from test_suites_history import commits, results_at

import campaignrl as crl
from campaignrl.campaign import run_campaign
from campaignrl.envs import Panel, customers_frame
from campaignrl.monitor import health_of_window
from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.policies import build_policy
from campaignrl.report.figures import Line, over_time, png_bytes
from campaignrl.report.html import Gain, ReportContent, write_report
from campaignrl.report.pages import (
    StudyPage,
    benchmark_page,
    made_of,
    monitor_page,
    plan_page,
    told_page,
    trend_page,
    world_part,
)
from campaignrl.report.pages.training import training_report
from campaignrl.send import plan_of
from campaignrl.specs import load_world
from campaignrl.suites import Suite, benchmark
from campaignrl.suites.history import add_entry, entries_of
from campaignrl.suites.suite import PolicyUse
from campaignrl.true_value import decision_lift

pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = [
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium with its driver here"),
    pytest.mark.timeout(1200),
]
KINDS = (
    "report",
    "plan",
    "large_plan",
    "morning",
    "quality",
    "study",
    "told",
    "benchmark",
    "trend",
    "monitor",
    "training",
)


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield Look(driver)


@pytest.fixture(scope="module")
def pages(tmp_path_factory, small_world, shop):
    """Kind -> a page of it, with everything on it that such a page may have."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in KINDS}
    report(found["report"], small_world)
    campaign(folder / "shop")
    found |= {"morning": folder / "shop" / "morning.html", "plan": folder / "shop" / "plans" / f"{DAY}.html"}
    large_plan(found["large_plan"])
    found["quality"] = folder / "shop" / "profiles" / "quality.html"
    studies(found)
    log = shop.log(3000)
    learned = build_policy({"kind": "lin_ts", "l2": 1.0}, shop.catalog, shop.schema)
    learned.update(log)
    training_report(learned, log, found["training"])
    life = played(400, 41, 1, policy="uniform", guard={"caps": [], "holdout": 0.0})
    window = dead_channel(life, "email", 38).window(40)
    found["monitor"].write_text(monitor_page("a shop", health_of_window(window, 100)), encoding="utf-8")
    return found


def report(path, world):
    coupon = "always:coupon20@push"
    logged = run_campaign(world, "uniform", customers=600, seed=2, keep_log=True)
    sent = [run_campaign(world, name, customers=600, seed=2) for name in ("none", coupon)]
    gain = Gain(coupon, compare_on_log(logged.log, coupon, "none"), decision_lift(world, coupon, "none", customers=300))
    content = ReportContent(
        world=world,
        campaigns=(*sent, replace(logged, log=None)),
        evaluations=tuple((evaluate(logged.log, name), None) for name in (coupon, "none")),
        gains=(gain,),
        baseline="none",
        titles={coupon: "a coupon for everybody"},
        facts={"seed": 2},
    )
    write_report(path, content)


def large_plan(path):
    """A plan on all channels, of a million customers and their money."""
    world = load_world("ecommerce")
    frame = customers_frame(Panel(world, 400, seed=3))
    plan = plan_of(crl.decide("uniform", frame, world, day=DAY, budget=50.0), world)
    large = replace(plan, customers=1_000_000, sends=524_518, cost=1_666_666_66, budget=1_666_666_66)
    path.write_text(plan_page(large), encoding="utf-8")


def studies(found):
    """A benchmark as its own page, as a study's and over commits; and what a script printed and drew."""
    uses = [PolicyUse(use="uniform"), PolicyUse(use="rules", label="today's rules"), PolicyUse(use="none")]
    results = benchmark(Suite(name="tiny", worlds=["ecommerce"], policy=uses, seeds=2, customers=60, horizon=14))
    found["benchmark"].write_text(benchmark_page(results), encoding="utf-8")
    part = world_part(results, "ecommerce", "What it says.", {})
    page = StudyPage("Tiny", "Is it?", "It is: 3 % more.", part.drawings[0], [part], made_of(results, {}))
    found["study"].write_text(page.html(), encoding="utf-8")
    drawn = found["told"].with_name("weeks.png")
    drawn.write_bytes(png_bytes(over_time([Line("a", [1, 2], [1, 2], [np.nan] * 2, [np.nan] * 2)], ("week", "sends"))))
    table = "| " + " | ".join(f"a column {i}" for i in range(12)) + " |"
    told = "\n".join(["Of 20 logs 19 hold the truth.", "", table, "|" + "-|" * 12, table, "", "plain " * 60])
    found["told"].write_text(
        told_page("Does it hold?", told, [drawn], {"Call": "python x.py"}).html(), encoding="utf-8"
    )
    history = found["trend"].with_name("history")
    for level, commit in zip((40.0, 40.2, 35.0, 35.1), commits(4), strict=True):
        add_entry(history, results_at(level), commit)
    found["trend"].write_text(trend_page(entries_of(history, "nightly")), encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_every_screen(kind, pages, look):
    look.fits(pages[kind], kind)


def test_words_that_are_cut_off_and_pages_that_are_too_wide_are_noticed(tmp_path, look):
    page = tmp_path / "cut.html"
    hidden = "<p style='width:90px;overflow:hidden;white-space:nowrap'>more than fits into it</p>"
    page.write_text(f"<!doctype html><meta name=viewport content='width=device-width'><body>{hidden}")
    look.sized(NARROW, "light")
    look.open(page.as_uri())
    assert look.cut() == ["more than fits into it"]
    page.write_text("<!doctype html><meta name=viewport content='width=device-width,minimum-scale=1'><pre>" + "x" * 200)
    look.open(page.as_uri())
    assert look.beyond() > 0 or look.cut()


@pytest.mark.skipif(not AXE.is_file(), reason=NO_AXE)
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_serious(kind, pages, look):
    look.has_nothing_serious(pages[kind], kind)
