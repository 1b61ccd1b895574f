"""The closed loop, as a marketing team walks it: a folder, mornings, approvals, and what may go wrong between them."""

import datetime as dt
import html
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_intake_files import workbook
from typer.testing import CliRunner

from campaignrl.choices import actions_of_day
from campaignrl.cli.main import app
from campaignrl.envs import Panel, play_history
from campaignrl.envs.truth import live
from campaignrl.errors import DataError, UnknownName, UsageError
from campaignrl.ledger import EPOCH, Ledger, ledger_log
from campaignrl.loop import CampaignFile, confirm, new_campaign, profiles_alone, settle
from campaignrl.loop.approval import approve, halt, release
from campaignrl.loop.arms import champion_of
from campaignrl.loop.example_exports import exports_of
from campaignrl.loop.first_reading import read_exports
from campaignrl.loop.morning import today
from campaignrl.ope import compare_on_log
from campaignrl.policies import load_policy, paired_gain, policy_hash
from campaignrl.send import audit_ledger
from campaignrl.specs import bundled_files, load_world
from campaignrl.true_value import acting

DAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 8, 30)
CHANNELS = ("push", "feed", "popup", "email", "sms")


def chinese_exports(folder, customers=300, seed=3):
    """Three files as a shop keeps them: an Excel workbook's rows as CSV, members in GB18030, sends in UTF-8."""
    rng = np.random.default_rng(seed)
    ids = [f"会员{i:05d}" for i in range(customers)]
    orders = pd.DataFrame(
        {
            "订单号": [f"D{i}" for i in range(900)],
            "会员号": rng.choice(ids, 900),
            "下单时间": [f"2026-{10 + i % 2}-{1 + i % 20:02d} {9 + i % 12:02d}:05:00" for i in range(900)],
            "实付金额": [f"¥{x:,.2f}" for x in rng.gamma(2.0, 60.0, 900)],
        }
    )
    members = pd.DataFrame(
        {
            "会员号": ids,
            "年龄段": rng.choice(["18-24岁", "25-34岁"], customers),
            "注册日期": "2025-12-01",
            "短信授权": rng.choice(["是", "否"], customers),
            "邮件授权": rng.choice(["是", "否"], customers),
        }
    )
    sends = pd.DataFrame({"会员号": ids[:50], "发送时间": "2026-11-02 10:00:00", "状态": "已发送"})
    folder.mkdir(parents=True, exist_ok=True)
    orders.to_csv(folder / "订单.csv", index=False)
    members.to_csv(folder / "会员.csv", index=False, encoding="gb18030")
    sends.to_csv(folder / "短信发送.csv", index=False)
    return [folder / name for name in ("订单.csv", "会员.csv", "短信发送.csv")], members, orders


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder from the shop's template, as it is on the first morning."""
    place = tmp_path_factory.mktemp("loop") / "shop"
    new_campaign(place, start=DAY)
    path = place / "campaign.toml"
    path.write_text(
        path.read_text().replace("customers = 4000", "customers = 600")
    )  # a smaller proof; it must not lose
    return place


@pytest.fixture
def shop(begun, tmp_path):
    place = tmp_path / "shop"
    shutil.copytree(begun, place)
    return place


@pytest.fixture(scope="module")
def planned_once(begun, tmp_path_factory):
    place = tmp_path_factory.mktemp("planned") / "shop"
    shutil.copytree(begun, place)
    today(place, day=DAY)
    return place


@pytest.fixture
def planned(planned_once, tmp_path):
    """The same folder after its first morning, which waits for an approval."""
    place = tmp_path / "shop"
    shutil.copytree(planned_once, place)
    return place


def test_guesses_name_what_each_file_is(tmp_path):
    paths, _, _ = chinese_exports(tmp_path)
    orders, members, sends = read_exports(paths, CHANNELS)
    assert orders.source["customer"] == "会员号"
    assert orders.source["amount"] == "实付金额"
    assert orders.source["rules"] == {"negative": "refund", "merge": "订单号"}
    assert orders.currency == "CNY"
    assert [guess.what for guess in orders.guesses] == ["ids", "money"]
    assert "gb18030" in members.line
    assert members.source["attributes"]["consent_sms"] == {"column": "短信授权", "type": "truth"}
    assert [guess.what for guess in members.guesses] == ["ids", "consent", "consent"]
    assert sends.source["channel"] == {"constant": "sms"}
    assert sends.source["kind"]["values"] == {"已发送": "sent"}


def test_every_sheet_of_a_workbook_is_read_and_one_that_says_nothing_is_told(tmp_path):
    orders = [["Customer", "Date", "Total"], *([f"C{i % 9}", f"2026-11-{1 + i % 20:02d}", 10 + i] for i in range(30))]
    people = [["Customer", "Newsletter", "SMS ok"], *([f"C{i}", "yes", "no"] for i in range(9))]
    sheets = {"Orders": (orders, []), "People": (people, []), "Notes": ([["a"], ["b"]], [])}
    workbook(tmp_path / "shop.xlsx", sheets)
    made = new_campaign(tmp_path / "shop", exports=[tmp_path / "shop.xlsx"], start=DAY)
    assert made.alerts == ()
    assert "sheet Notes: left out, no column tells the customer" in "\n".join(made.lines)
    assert [(g.what, g.file) for g in made.guesses if g.what != "ids"] == [
        ("money", "shop.xlsx, sheet Orders"),
        ("consent", "shop.xlsx, sheet People"),
        ("consent", "shop.xlsx, sheet People"),
    ]
    assert next(g.says for g in made.guesses if g.what == "money") == "Total is what was paid, taken to be CNY"
    told = CampaignFile(tmp_path / "shop").mapping.source
    assert [(one.file, one.sheet) for one in told] == [("shop.xlsx", "Orders"), ("shop.xlsx", "People")]
    assert sorted(told[1].attributes) == ["consent_email", "consent_sms"]


def test_exports_without_any_consent_are_told_so_at_once(tmp_path):
    (tmp_path / "orders.csv").write_text("customer,date,total\n1,2026-11-20,5\n2,2026-11-20,5\n")
    done = CliRunner().invoke(app, ["init", str(tmp_path / "shop"), "--from", str(tmp_path / "orders.csv")])
    assert done.exit_code == 0
    assert "! no column tells a consent, so nothing may be sent to anybody: call it consent_push" in done.output


def test_a_file_that_says_nothing_is_named_with_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("p,q\n1,2\n")
    with pytest.raises(UsageError) as wrong:
        read_exports([tmp_path / "a.csv", tmp_path / "b.csv"], CHANNELS)
    assert "a.csv" in str(wrong.value)
    assert "b.csv" in str(wrong.value)


def test_files_without_orders_are_refused(tmp_path):
    paths, _, _ = chinese_exports(tmp_path)
    with pytest.raises(UsageError, match="file of orders"):
        read_exports(paths[1:], CHANNELS)


def test_from_chinese_exports_to_an_approved_list(tmp_path):
    paths, members, orders = chinese_exports(tmp_path / "in")
    place = tmp_path / "tea"
    made = new_campaign(place, exports=paths, start=DAY)
    assert len(made.guesses) == 6  # ids of three files, one money, two consents
    assert CampaignFile(place).spec.customers == 300

    found = today(place, day=DAY)
    assert found.waits_for.endswith("--confirm")
    assert found.plan.customers == len(set(members["会员号"]) | set(orders["会员号"]))
    with pytest.raises(UsageError, match="guess"):
        approve(place, day=DAY, who="Ann", now=NOW)
    assert not (place / "sends").exists()
    assert Ledger.open(place / "ledger").counts()["decisions"] == 0

    assert len(confirm(place)) == 6
    assert confirm(place) == []
    found = today(place, day=DAY)
    assert "approve" in found.waits_for
    done = approve(place, day=DAY, who="Ann", now=NOW)
    sends = pd.read_csv(done.path, dtype=str)
    assert len(sends) == done.sends == found.plan.sends > 0
    may = members.set_index("会员号")
    column = {"sms": "短信授权", "email": "邮件授权"}
    assert set(sends["channel"]) <= set(column), "no other channel was ever consented to"
    assert all(may.loc[row.customer_id, column[row.channel]] == "是" for row in sends.itertuples())


def test_confirming_leaves_the_rest_of_the_file_as_it_was(tmp_path):
    paths, _, _ = chinese_exports(tmp_path / "in")
    place = tmp_path / "tea"
    new_campaign(place, exports=paths, start=DAY)
    before = (place / "campaign.toml").read_text(encoding="utf-8")
    confirm(place)
    after = (place / "campaign.toml").read_text(encoding="utf-8")
    assert before.startswith(after.rstrip("\n"))
    assert "[[guess]]" not in after


def test_guesses_that_were_moved_are_not_cut_with_what_follows(tmp_path):
    paths, _, _ = chinese_exports(tmp_path / "in")
    place = tmp_path / "tea"
    new_campaign(place, exports=paths, start=DAY)
    path = place / "campaign.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[proof]\ncustomers = 900\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8").replace("[proof]\ncustomers = 4000", "", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="by hand"):
        confirm(place)
    assert path.read_text(encoding="utf-8") == text


def test_the_same_morning_again_changes_nothing(planned):
    content = {p: p.read_bytes() for p in sorted((planned / "profiles").rglob("*")) if p.is_file()}
    listed = (planned / "plans" / f"{DAY}.csv").read_bytes()
    again = today(planned, day=DAY)
    assert [s.said for s in again.stations if s.name in ("profiles", "outcomes")] == ["nothing new", "nothing new"]
    assert {p: p.read_bytes() for p in sorted((planned / "profiles").rglob("*")) if p.is_file()} == content
    assert again.list_path.read_bytes() == listed
    assert Ledger.open(planned / "ledger").counts()["decisions"] == 0, "a plan is no decision"


def test_an_approval_is_signed_given_once_and_repeated(shop):
    with pytest.raises(UsageError, match="today"):
        approve(shop, day=DAY, who="Ann", now=NOW)
    today(shop, day=DAY)
    with pytest.raises(UsageError, match="name of who"):
        approve(shop, day=DAY, who=" ", now=NOW)
    later = DAY + dt.timedelta(days=1)
    with pytest.raises(UsageError, match=rf"today .* --as-of {later}\. Or release that one: .* --as-of {DAY}"):
        approve(shop, day=later, who="Ann", now=NOW)
    done = approve(shop, day=DAY, who="Ann", now=NOW)
    decisions = Ledger.open(shop / "ledger").counts()["decisions"]
    again = approve(shop, day=DAY, who="Bob", now=NOW)
    assert (again.sends, again.who) == (done.sends, "Ann")
    assert Ledger.open(shop / "ledger").counts()["decisions"] == decisions == 2_000
    lines = (shop / "approvals.jsonl").read_text().splitlines()
    assert [json.loads(line)["who"] for line in lines] == ["Ann"]
    found = today(shop, day=DAY)
    assert found.waits_for == ""
    assert any("released by Ann" in alert for alert in found.alerts)


def test_an_opt_out_at_noon_is_lost_from_the_list_and_nothing_else(planned):
    listed = pd.read_csv(planned / "plans" / f"{DAY}.csv", dtype=str)
    gone = listed["customer_id"].iloc[0]
    (planned / "answers" / "permissions_noon.csv").write_text(f"customer_id,channel,allowed,day\n{gone},*,no,{DAY}\n")
    done = approve(planned, day=DAY, who="Ann", now=NOW)
    assert done.lost == 1
    sends = pd.read_csv(done.path, dtype=str)
    assert set(listed["customer_id"]) - set(sends["customer_id"]) == {gone}


def standing_on(page):
    """The word and the rest of what the page of a morning says of its release."""
    found = re.search(r'id="standing"[^>]*><span[^>]*>([^<]+)</span> (.*?)</p>', page.read_text(encoding="utf-8"))
    return found[1], re.sub("<[^>]+>", "", html.unescape(found[2]))


def test_the_page_of_a_morning_says_who_released_halted_and_let_go_on(shop):
    page = today(shop, day=DAY).page
    before = page.read_text(encoding="utf-8")
    assert standing_on(page) == ("waits for", f"campaignrl approve {shop} --by NAME")
    halt(shop, who="Bob", why="<b>wrong</b> price", now=NOW)
    assert standing_on(page) == ("halted", "by Bob, 2026-11-21 08:30:00: wrong price")
    assert "<b>wrong" not in page.read_text(encoding="utf-8")
    release(shop, who="Bob", why="mended", now=NOW)
    assert page.read_text(encoding="utf-8") == before
    done = approve(shop, day=DAY, who=r"Ann \1", now=NOW)
    told = f"by Ann \\1, 2026-11-21 08:30:00: {done.sends:,} sends, {done.path}"
    assert standing_on(page) == ("released", told)
    assert "waits for" not in page.read_text(encoding="utf-8")
    assert standing_on(today(shop, day=DAY).page) == ("released", told)
    gone = pd.read_csv(done.path, dtype=str)["customer_id"].iloc[0]
    (shop / "answers" / "permissions_late.csv").write_text(f"customer_id,channel,allowed,day\n{gone},*,no,{DAY}\n")
    approve(shop, day=DAY, who="Bob", now=NOW)
    assert f"{done.sends - 1:,} sends" in standing_on(page)[1]


@pytest.mark.slow
def test_the_page_of_a_morning_asks_for_a_new_look_where_what_it_rests_on_has_changed(tmp_path):
    paths, _, _ = chinese_exports(tmp_path / "in")
    place = tmp_path / "tea"
    new_campaign(place, exports=paths, start=DAY)
    page = today(place, day=DAY).page
    assert standing_on(page) == ("waits for", f"campaignrl init {place} --confirm")
    confirm(place)
    word, said = standing_on(page)
    assert word == "waits for"
    with pytest.raises(UsageError, match="before exports or"):
        approve(place, day=DAY, who="Ann", now=NOW)
    assert said == f"campaignrl today {place}", "what approve asks for"


def test_a_plan_of_an_older_file_is_not_approved(planned):
    path = planned / "campaign.toml"
    path.write_text(path.read_text().replace("consent_email = {", "told_email = {"))
    with pytest.raises(UsageError, match="before exports or"):
        approve(planned, day=DAY, who="Ann", now=NOW)
    assert Ledger.open(planned / "ledger").counts()["decisions"] == 0


def test_a_refused_morning_touches_nothing(planned):
    approve(planned, day=DAY, who="Ann", now=NOW)
    before = {p: p.read_bytes() for p in sorted(planned.rglob("*")) if p.is_file() and "profiles" in p.parts}
    with pytest.raises(UsageError, match="or later"):
        today(planned, day=DAY - dt.timedelta(days=1))
    with pytest.raises(DataError, match="newest event"):
        today(planned, day=DAY + dt.timedelta(days=40))
    assert {p: p.read_bytes() for p in before} == before


def test_what_was_released_stays_as_it_was_looked_at(planned):
    listed = (planned / "plans" / f"{DAY}.csv").read_bytes()
    approve(planned, day=DAY, who="Ann", now=NOW)
    again = today(planned, day=DAY)
    assert again.list_path.read_bytes() == listed
    assert "nothing was decided before today" in [s.said for s in again.stations if s.name == "champion"][-1]


def test_exports_that_nothing_reads_and_orders_that_are_gone_are_said(planned):
    (planned / "exports" / "more.csv").write_text("customer_id,ordered_at,amount\n1,2026-11-20,5\n")
    orders = pd.read_csv(planned / "exports" / "orders.csv", dtype=str)
    orders.head(50).to_csv(planned / "exports" / "orders.csv", index=False)
    alerts = today(planned, day=DAY).alerts
    assert any("more.csv" in alert for alert in alerts)
    assert any("50 orders" in alert for alert in alerts)


def test_exports_that_are_not_what_the_mapping_says_stop_the_morning(shop):
    path = shop / "campaign.toml"
    path.write_text(
        path.read_text()
        .replace('amount = "amount"', 'amount = "customer_id"')
        .replace('ts = "ordered_at"', 'ts = "amount"')
    )
    with pytest.raises(DataError, match="left out"):
        today(shop, day=DAY)


def test_opt_outs_are_no_consents_and_cancelled_orders_are_none(tmp_path):
    pd.DataFrame(
        {"会员号": ["a", "b"], "取消订阅推送": ["是", "否"], "允许短信": ["是", "否"], "不同意邮件": ["是", "否"]}
    ).to_csv(tmp_path / "m.csv", index=False)
    rows = {"会员号": ["a", "b"], "下单时间": "2026-11-01", "实付金额": ["5", "6"], "订单状态": ["已取消", "已完成"]}
    pd.DataFrame(rows).to_csv(tmp_path / "o.csv", index=False)
    members, orders = read_exports([tmp_path / "m.csv", tmp_path / "o.csv"], CHANNELS)
    told = {name for name in members.source["attributes"] if name.startswith(("consent", "optout"))}
    assert told == {"optout_push", "consent_sms", "optout_email"}
    assert sum("NOT a consent" in guess.says for guess in members.guesses) == 2
    assert orders.source["kind"]["values"] == {"已取消": "ignore", "已完成": "order"}
    assert "已取消 are no orders" in orders.guesses[1].says


def test_two_files_of_one_name_are_refused(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "orders.csv").write_text("customer_id,date,amount\n1,2026-11-20,5\n")
    with pytest.raises(UsageError, match="name of its own"):
        new_campaign(tmp_path / "x", exports=[tmp_path / n / "orders.csv" for n in "ab"], start=DAY)
    assert not (tmp_path / "x").exists()


def test_a_plan_that_no_longer_holds_is_not_approved(planned):
    text = (planned / "campaign.toml").read_text()
    (planned / "campaign.toml").write_text(text.replace("explore = 0.05", "explore = 0.6"))
    with pytest.raises(UsageError, match="before exports or"):
        approve(planned, day=DAY, who="Ann", now=NOW)
    assert Ledger.open(planned / "ledger").counts()["decisions"] == 0


def test_a_champion_that_loses_does_not_decide(shop):
    text = (shop / "campaign.toml").read_text()
    changed = text.replace('world = "ecommerce"', 'world = "coupon_trap"')
    changed = changed.replace("customers = 600", "customers = 1000").replace('currency = "CNY"', 'currency = "EUR"')
    changed = changed.replace('champion = "rules"', 'champion = "always:coupon20@email"')
    (shop / "campaign.toml").write_text(changed)
    world = load_world("coupon_trap")
    assert "coupon20@email" in world.catalog.names
    with pytest.raises(UsageError, match="shown to bring more than nothing"):
        today(shop, day=DAY)
    assert not (shop / "plans").exists()
    changed = changed.replace("explore = 0.05", "explore = 0.005")  # what is drawn there costs more than mail brings
    (shop / "campaign.toml").write_text(changed.replace("always:coupon20@email", "always:content@email"))
    assert "over sending nothing" in next(s.said for s in today(shop, day=DAY).stations if s.name == "champion")


def test_a_challenger_is_held_against_nothing_and_does_not_decide(shop):
    text = (shop / "campaign.toml").read_text()
    (shop / "campaign.toml").write_text(text.replace("challengers = []", 'challengers = ["none", "no_such_thing"]'))
    told = [s.said for s in today(shop, day=DAY).stations if s.name == "challenger"]
    assert told[0].startswith("none +0")
    assert "stays" in told[0]
    assert "no_such_thing" in told[1]


def test_a_halted_campaign_neither_plans_nor_sends(planned):
    halt(planned, who="Ann", why="wrong price", now=NOW)
    for act in (lambda: today(planned, day=DAY), lambda: approve(planned, day=DAY, who="Ann", now=NOW)):
        with pytest.raises(UsageError, match="wrong price"):
            act()
    with pytest.raises(UsageError) as wrong:
        release(planned, who="", why="", now=NOW)
    assert "--by" in str(wrong.value)
    assert "--why" in str(wrong.value)
    release(planned, who="Bob", why="mended", now=NOW)
    assert approve(planned, day=DAY, who="Ann", now=NOW).sends
    told = [json.loads(line) for line in (planned / "halts.jsonl").read_text().splitlines()]
    assert [(one["what"], one["who"]) for one in told] == [("halted", "Ann"), ("released", "Bob")]


def test_an_unreadable_halt_still_halts(shop):
    (shop / "halt.json").write_text("{")
    with pytest.raises(UsageError, match="going on"):
        today(shop, day=DAY)


def test_old_exports_stop_the_morning(shop):
    with pytest.raises(DataError, match="newest event"):
        today(shop, day=DAY + dt.timedelta(days=40))


def test_a_folder_that_is_not_empty_and_a_strange_template(tmp_path, shop):
    with pytest.raises(UsageError, match="new or empty"):
        new_campaign(shop, start=DAY)
    with pytest.raises(UnknownName, match="shop"):
        new_campaign(tmp_path / "x", template="shopp", start=DAY)
    assert not (tmp_path / "x").exists()


def test_an_answer_that_is_nobody_s_is_named(shop):
    (shop / "answers" / "notes.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="handovers"):
        today(shop, day=DAY)


def test_a_killed_morning_leaves_the_old_profiles_and_goes_on(planned):
    before = (planned / "profiles" / "profiles.parquet").read_bytes()
    left = planned / ".profiles-killed"
    left.mkdir()
    (planned / "profiles").rename(left / "before")  # as if it had died between the two renames
    found = today(planned, day=DAY)
    assert not left.exists()
    assert (planned / "profiles" / "profiles.parquet").read_bytes() == before
    assert found.plan.sends


def test_hostile_names_are_escaped_on_the_page(shop):
    text = (shop / "campaign.toml").read_text()
    (shop / "campaign.toml").write_text(text.replace('name = "shop"', 'name = "<script>alert(1)</script>"', 1))
    page = today(shop, day=DAY).page.read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


class Life:
    """A world that answers: what was sent each day is played, and written as exports; replayed from its first day."""

    def __init__(self, customers=600, before=40, seed=5):
        self.world, self.seed, self.before, self.customers = load_world("ecommerce"), seed, before, customers
        self.rules = load_policy("rules", self.world)
        self.sent: dict[int, np.ndarray] = {}

    def history(self, days):
        def choose(panel):
            if panel.day in self.sent:
                return self.sent[panel.day]
            return actions_of_day(panel, self.rules) if panel.day < self.before else np.zeros(len(panel), dtype=int)

        panel = Panel(self.world, np.arange(self.customers), self.seed)
        return play_history(panel, choose, self.before + days, DAY - dt.timedelta(days=self.before))

    def write(self, folder, days):
        for name, frame in exports_of(self.history(days), self.world).items():
            frame.to_csv(folder / name, index=False)

    def take(self, path, day):
        """The list of a day becomes what is played on it."""
        sends = pd.read_csv(path, dtype=str)
        action = np.zeros(self.customers, dtype=int)
        names = self.world.catalog.names
        for row in sends.itertuples():
            action[int(row.customer_id)] = names.index(f"{row.offer}@{row.channel}")
        self.sent[self.before + day] = action


def begin_life(folder, life, changed=None):
    """A campaign's folder from what the world wrote before its first day; changed: texts of campaign.toml."""
    (folder / "before").mkdir(parents=True)
    life.write(folder / "before", 0)
    place = folder / "shop"
    new_campaign(place, exports=sorted((folder / "before").iterdir()), start=DAY)
    confirm(place)
    path = place / "campaign.toml"
    text = path.read_text()
    for old, new in {"customers = 4000": "customers = 1000", **(changed or {})}.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return place


def killed(words, moment):
    """Run a verb, and kill it at a moment, in seconds; whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "campaignrl", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() != 0


def mornings(place, life, days, *, kill_on=(), late_on=(), repeat_on=(), noon_on=()):
    """The mornings of a campaign; who opted out at noon, and when."""
    chance, lasted, gone = np.random.default_rng(5), 10.0, {}
    for k in range(days):
        day = DAY + dt.timedelta(days=k)
        if k not in late_on and k not in repeat_on:
            life.write(place / "exports", k)
        if k in kill_on:
            killed(["today", place, "--as-of", day], chance.uniform(0.2, 1.0) * lasted)
        started = time.monotonic()
        found = today(place, day=day)
        lasted = time.monotonic() - started
        if k in noon_on:
            one = pd.read_csv(found.list_path, dtype=str)["customer_id"].iloc[0]
            gone[one] = k
            word = f"customer_id,channel,allowed,day\n{one},*,no,{day}\n"
            (place / "answers" / f"permissions_{k}.csv").write_text(word)
        if k in kill_on:
            killed(["approve", place, "--as-of", day, "--by", "Ann"], chance.uniform(0.2, 1.0) * lasted)
        done = approve(place, day=day, who="Ann", now=NOW)
        assert done.lost == (1 if k in noon_on else 0)
        life.take(done.path, k)
    return gone


def check_mornings(place, life, days):
    ledger = Ledger.open(place / "ledger")
    world = life.world
    many, broken = audit_ledger(ledger, world)
    assert many == life.customers * days
    assert not broken, broken
    for path in sorted((place / "policies").glob("*.bundle")):
        assert not audit_ledger(ledger, world, load_policy(path, world))[1], path
    life.write(place / "exports", days)
    found = today(place, day=DAY + dt.timedelta(days=days))
    truth = life.history(days).events
    since = truth[(truth["kind"] == "order") & (truth["ts"] >= pd.Timestamp(DAY))]
    told = ledger.read("outcomes", ["outcome_id", "kind", "margin"]).to_pandas()
    orders = told[told["kind"] == "order"]
    assert len(orders) == len(since), "each order once, however often its export came"
    assert orders["margin"].sum() == pytest.approx(since["amount"].sum() * 0.3 * 100, rel=1e-3)
    decisions = ledger.read("decisions", ["action"]).to_pandas()
    sent = sum(int((action != 0).sum()) for action in life.sent.values())
    assert int((decisions["action"] != 0).sum()) == sent
    return found


@pytest.mark.slow
def test_five_mornings_that_a_world_answers(tmp_path):
    life = Life()
    place = begin_life(tmp_path, life)
    gone = mornings(place, life, 5, late_on=(2,), repeat_on=(3,), noon_on=(1,))
    check_mornings(place, life, 5)
    assert not sent_after(place, gone)


def sent_after(place, gone):
    """Sends to customers who had opted out, on the day itself or later."""
    rows = Ledger.open(place / "ledger").read("decisions", ["customer_id", "day", "action"]).to_pandas()
    first = rows["customer_id"].map({one: (DAY - EPOCH).days + k for one, k in gone.items()})
    return int(((rows["action"] != 0) & (rows["day"] >= first)).sum())


def gain_in_truth(life, decided_on, customers):
    """What a day's sends brought over none on that day, all else as it was: mean of 7 days, a customer and decision."""
    cost = np.append(life.world.catalog.cost_of, 0)[:-1] / life.world.money.minor_per_unit

    def brought(first):
        events = life.history(first + 7).events
        orders = events[(events["kind"] == "order") & (events["ts"] >= pd.Timestamp(DAY) + pd.Timedelta(days=first))]
        total = orders.groupby(orders["customer_id"].astype(int))["amount"].sum() * 0.3
        return total.reindex(range(life.customers)).fillna(0.0).to_numpy()

    gains = []
    for k in decided_on:
        actual, sends = brought(k), life.sent[life.before + k]
        life.sent[life.before + k] = np.zeros_like(sends)
        gains.append((actual - brought(k) - cost[sends])[customers])
        life.sent[life.before + k] = sends
    return float(np.mean(gains))


TRIED = {
    'mode = "apprentice"': 'mode = "trial"',
    "days = 7 }, { share = 0.5, days = 83 }": "days = 5 }, { share = 0.5, days = 20 }",
    "watched = 13": "watched = 3",
    '# policy = "lin_ts"': 'policy = "lin_ts"',
    "challengers = []": 'challengers = ["pretrained/ecommerce"]',
}


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_thirty_mornings_with_faults(tmp_path, capsys):
    life = Life(customers=2_000)
    place = begin_life(tmp_path, life, TRIED)
    campaign = CampaignFile(place)
    first = champion_of(campaign)
    gone = mornings(place, life, 30, kill_on=(7, 19), late_on=(11,), repeat_on=(15,), noon_on=(9,))
    found = check_mornings(place, life, 30)
    assert not sent_after(place, gone)
    last, ledger, as_of = champion_of(campaign), Ledger.open(place / "ledger"), DAY + dt.timedelta(days=30)

    log = ledger_log(ledger, life.world, as_of=as_of, policy=policy_hash(first))
    told = compare_on_log(log, first, load_policy("none", life.world))
    days = np.unique(log.day[log.matured]) - (DAY - EPOCH).days
    truth = gain_in_truth(life, days.tolist(), np.unique(log.customers.astype(int)[log.customer]))
    with capsys.disabled():
        print(f"\nlog: {told.value:+.4f} [{told.ci_low:+.4f}, {told.ci_high:+.4f}] a decision; truth {truth:+.4f}")
    assert told.ci_low <= truth <= told.ci_high

    said = [s.said for s in found.stations if s.name in ("champion", "challenger", "learn")]
    ids = (1 << 45) + np.arange(4_000)
    ours, theirs = (live(life.world, acting(p, life.world), customers=ids, seed=1, expects=True) for p in (last, first))
    gain = paired_gain(ours["expected"], theirs["expected"])
    with capsys.disabled():
        print(f"champion of day 30 ({last.name}) over that of day 1 ({first.name}): {gain}", *said, sep="\n")
    if policy_hash(last) == policy_hash(first):
        assert not (place / "champions.jsonl").exists(), "nobody was shown to be better, and nobody was made champion"
    else:
        assert gain.low > 0.0


def test_a_morning_killed_at_a_random_moment_goes_on_where_it_was(shop, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(shop, other)
    started = time.monotonic()
    whole = today(other, day=DAY)
    moment = np.random.default_rng(11).uniform(0.3, 1.2) * (time.monotonic() - started)
    assert killed(["today", shop, "--as-of", DAY], moment) or moment > 0
    found = today(shop, day=DAY)
    assert not list(shop.glob(".profiles-*"))
    assert not list(shop.glob(".ledger-*"))
    assert found.list_path.read_bytes() == whole.list_path.read_bytes()
    assert (shop / "profiles" / "profiles.parquet").read_bytes() == (other / "profiles/profiles.parquet").read_bytes()
    assert Ledger.open(shop / "ledger").counts()["decisions"] == 0
    killed(["approve", shop, "--as-of", DAY, "--by", "Ann"], moment)
    done, straight = (approve(place, day=DAY, who="Ann", now=NOW) for place in (shop, other))
    assert done.path.read_bytes() == straight.path.read_bytes()
    assert Ledger.open(shop / "ledger").counts() == Ledger.open(other / "ledger").counts()


def test_an_opt_out_after_the_release_is_said_and_taken_off(planned):
    done = approve(planned, day=DAY, who="Ann", now=NOW)
    before = pd.read_csv(done.path, dtype=str)
    gone = before["customer_id"].iloc[3]
    (planned / "answers" / "permissions_late.csv").write_text(f"customer_id,channel,allowed,day\n{gone},*,no,{DAY}\n")
    again = today(planned, day=DAY)
    assert "1 on the released list may no longer be contacted" in again.alerts[0]
    done = approve(planned, day=DAY, who="Bob", now=NOW)
    assert done.lost == 1
    left = pd.read_csv(done.path, dtype=str)
    assert left.equals(before[before["customer_id"] != gone].reset_index(drop=True))
    lines = [json.loads(line) for line in (planned / "approvals.jsonl").read_text().splitlines()]
    assert lines[1]["taken off"] == 1
    assert not any("no longer" in alert for alert in today(planned, day=DAY).alerts)


@pytest.mark.slow
def test_a_corrected_amount_is_told_by_its_difference(planned):
    approve(planned, day=DAY, who="Ann", now=NOW)
    path = planned / "exports" / "orders.csv"
    old = path.read_text()
    for amount, margins in (("100.00", [3_000]), ("80.00", [3_000, -600]), ("130.00", [3_000, -600, 1_500])):
        path.write_text(f"{old}1,{DAY} 12:00:00,{amount},0.0\n")
        for _ in range(2):
            today(planned, day=DAY + dt.timedelta(days=1))
        told = Ledger.open(planned / "ledger").read("outcomes", ["outcome_id", "margin"]).to_pandas()
        assert sorted(told["margin"]) == sorted(margins)


def test_what_comes_from_the_future_is_refused_and_what_nobody_knows_is_counted_apart(planned):
    head = "outcome_id,customer_id,kind,day,margin\n"
    late = planned / "answers" / "outcomes_1.csv"
    late.write_text(f"{head}a,1,order,{DAY + dt.timedelta(days=3)},5\n")
    with pytest.raises(DataError, match="when it arrives, or before"):
        today(planned, day=DAY)
    late.unlink()
    (planned / "answers" / "handovers_1.csv").write_text(f"decision_id,status,day\nnobody-1,sent,{DAY}\n")
    said = next(s.said for s in today(planned, day=DAY).stations if s.name == "outcomes")
    assert said == "1 of decisions that nobody knows, kept apart"


def test_what_the_exports_do_not_say_stays_unknown_to_the_plan(shop):
    """From exports to the plan's page: without a file of contacts nobody knows of any, and that is not none."""
    (shop / "exports" / "sends.csv").unlink()
    path = shop / "campaign.toml"
    head, *parts = path.read_text().split("[[source]]")
    kept = [part for part in parts if 'file = "sends.csv"' not in part]
    path.write_text("[[source]]".join([head, *kept]))
    found = today(shop, day=DAY)
    frame = pd.read_parquet(shop / "profiles" / "profiles.parquet")
    assert frame["contacts_7d"].isna().all()
    assert any("contact" in limit for limit in found.plan.limits), found.plan.limits
    page = (shop / "plans" / f"{DAY}.html").read_text()
    assert all(limit.split(":")[0][:30] in html.unescape(page) for limit in found.plan.limits)


def test_keys_of_the_file_are_changed_where_they_stand(shop):
    before = (shop / "campaign.toml").read_text()
    settle(shop, {"world": "mine.toml", "policies.challengers": ["a.bundle"], "learn.policy": "x"})
    after = (shop / "campaign.toml").read_text()
    assert len(after.splitlines()) == len(before.splitlines())
    assert 'world = "mine.toml"   # whose offers' in after
    assert 'challengers = ["a.bundle"]   # bundles' in after
    assert 'policy = "x"   # who learns on' in after
    with pytest.raises(UsageError, match="a line in the file"):
        settle(shop, {"sends.colour": "red"})
    assert (shop / "campaign.toml").read_text() == after


@pytest.mark.slow
def test_a_campaign_that_decided_nothing_yet_may_go_into_the_world_that_was_calibrated_on_it(shop):
    assert profiles_alone(shop, day=DAY)
    assert profiles_alone(shop, day=DAY) == ""
    text = (bundled_files("envs")["ecommerce"]).read_text(encoding="utf-8")
    (shop / "mine.toml").write_text(text.replace("horizon = 90", "horizon = 80"), encoding="utf-8")
    settle(shop, {"world": "mine.toml"})
    today(shop, day=DAY)
    assert Ledger.open(shop / "ledger").world == "mine"
    approve(shop, day=DAY, who="Ann", now=NOW)
    settle(shop, {"world": "ecommerce"})
    with pytest.raises(UsageError, match="the world it was begun for"):
        today(shop, day=DAY)


def test_verbs_say_what_they_did(tmp_path):
    run = CliRunner()
    place = str(tmp_path / "shop")
    made = run.invoke(app, ["init", place, "--start", str(DAY)])
    assert made.exit_code == 0
    assert f"next: campaignrl today {place}" in made.stdout
    file = Path(place, "campaign.toml")
    file.write_text(file.read_text().replace("customers = 4000", "customers = 600"))
    found = run.invoke(app, ["today", place, "--as-of", str(DAY), "--json"])
    facts = json.loads(found.stdout)
    assert facts["sends"] > 0
    assert [s["name"] for s in facts["stations"]] == [
        "profiles",
        "outcomes",
        "world",
        "champion",
        "champion",
        "challenger",
        "decide",
    ]
    done = run.invoke(app, ["approve", place, "--as-of", str(DAY), "--by", "Ann", "--json"])
    assert json.loads(done.stdout)["sends"] == facts["sends"]
    assert Path(json.loads(done.stdout)["list"]).is_file()
