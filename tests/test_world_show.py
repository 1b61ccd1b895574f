"""`campaignrl world`: what a newcomer is told and shown of a world is what the world holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from typer.testing import CliRunner

from campaignrl.cli.world import world as app
from campaignrl.errors import SpecError, UsageError
from campaignrl.report.facts.world import WorldFacts, fatigue_after, world_facts
from campaignrl.report.figures.world import world_figure, world_page
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world

HOSTILE = "<script>$x_{"


def said(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def facts() -> WorldFacts:
    return world_facts(load_world("ecommerce"), customers=2_000)


def test_all_worlds_are_listed_with_their_sentence():
    assert json.loads(said("list", "--json")) == {name: load_world(name).title for name in bundled_files("envs")}
    assert "coupon_trap" in said("list")


def test_funnels_are_those_of_the_file_and_a_rested_customer_opens_more(facts):
    channels = {channel.name: channel for channel in facts.channels}
    sms = channels["sms"]  # deliver 0.97, open 0.75, click 0.10
    assert (sms.delivered, sms.opened) == pytest.approx((0.97, 0.97 * 0.75))
    assert sms.clicked == pytest.approx(0.97 * 0.75 * 0.10)
    assert sms.consent == pytest.approx(0.12 * 0.55 + 0.23 * 0.32 + 0.30 * 0.44 + 0.20 * 0.24 + 0.15 * 0.20)
    for channel in facts.channels:  # the file's rates are those at the usual frequency
        assert channel.opens_by_messages[0] > channel.opened
    for channel in world_facts(load_world("no_memory"), customers=200).channels:
        assert channel.opens_by_messages[0] == pytest.approx(channel.opened, rel=1e-5)


def test_fatigue_by_hand():
    assert fatigue_after(0, 2.0, 0.5) == 0.0
    assert fatigue_after(3, 2.0, 0.5) == pytest.approx(2.0 * (1 + 0.5 + 0.25))


def test_messages_wear_out_and_drive_away(facts):
    for channel in facts.channels:
        assert (np.diff(channel.opens_by_messages) < 0).all()
        assert (np.diff(channel.unsubscribes_by_messages) > 0).all()


def test_where_nobody_tires_nothing_wears_out():
    facts = world_facts(load_world("no_memory"), customers=200)
    for channel in facts.channels:
        assert np.ptp(channel.opens_by_messages) == 0.0
        assert (channel.unsubscribes_by_messages == 0.0).all()


def test_the_busiest_day_with_nothing_sent_is_the_event_of_the_file(facts):
    assert int(facts.revenue.argmax()) == 41  # Double Eleven, x 2.6
    assert facts.revenue.shape == (90,)


@pytest.mark.parametrize("name", sorted(bundled_files("envs")))
def test_every_world_is_told_in_a_table_and_in_json(name):
    world = load_world(name)
    table = said("show", name, "-n", 200)
    assert world.title in table
    assert all(word in table for word in (*world.segments, *world.channels, *world.offers))
    told = json.loads(said("show", name, "-n", 200, "--json"))
    assert told["catalog_hash"] == world.catalog.hash
    assert told["actions"] == list(world.catalog.names)
    assert len(told["nothing_sent"]["revenue_per_day_per_1000_customers"]) == world.horizon


def test_budget_and_capacity_are_told():
    assert "300 EUR for 1,000 customers in all" in said("show", "tight_budget", "-n", 50)
    assert "2 a day by manager for 1,000 customers" in said("show", "bank", "-n", 50)


def test_a_picture_and_a_page_are_written(tmp_path):
    said("show", "coupon_trap", "-n", 200, "-o", tmp_path / "trap.png")
    assert (tmp_path / "trap.png").read_bytes().startswith(b"\x89PNG")
    said("show", "coupon_trap", "-n", 200, "-o", tmp_path / "trap.html")
    assert "<svg" in (tmp_path / "trap.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trap.html", "trap.png"]


def test_plot_alone_has_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said("show", "no_memory", "-n", 100, "--plot")
    assert Path("runs/worlds/no_memory.png").is_file()


def test_another_kind_of_file_is_refused_before_anything_runs(tmp_path):
    result = CliRunner().invoke(app, ["show", "no_memory", "-o", str(tmp_path / "x.pdf")])
    assert isinstance(result.exception, UsageError)
    assert list(tmp_path.iterdir()) == []


def test_names_are_never_markup(facts):
    """A world's own words stand as text in picture and page."""
    segment = facts.segments[0]._replace(name=HOSTILE, says=HOSTILE)
    title = facts.world.model_copy(update={"title": HOSTILE})
    hostile = facts._replace(segments=(segment, *facts.segments[1:]), world=title)
    page = world_page(hostile)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;$x_{") >= 3
    assert any(HOSTILE in text.get_text() for text in world_figure(hostile).findobj(Text))


def test_the_same_world_gives_the_same_page():
    first, second = (world_page(world_facts(load_world("churn_rescue"), customers=100)) for _ in range(2))
    assert first == second


def test_a_short_world_without_season_can_be_drawn():
    world_page(world_facts(load_world("no_memory", horizon=3), customers=20))


def test_check_names_the_mistakes_of_a_file(tmp_path):
    text = bundled_files("envs")["no_memory"].read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert "fine. 3 segments, 9 actions, 60 days" in said("check", path)
    path.write_text(
        text.replace("share = 0.30", "share = -0.30").replace("cost = 0.06", "cost = 0.065"), encoding="utf-8"
    )
    result = CliRunner().invoke(app, ["check", str(path)])
    assert isinstance(result.exception, SpecError)
    assert {problem.field for problem in result.exception.problems} == {"share", "cost", "sum of share"}
