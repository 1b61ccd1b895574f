"""The plan of a run: its figures against the send list itself, its page, what changed since the run before."""

import json
from collections import Counter

import pandas as pd
import pytest
from typer.testing import CliRunner

import campaignrl as crl
from campaignrl.cli.main import app
from campaignrl.envs import Panel, customers_frame
from campaignrl.ledger import Ledger
from campaignrl.report.pages import plan_page
from campaignrl.send import plan_of

WORLD, N = "bank", 600


@pytest.fixture(scope="module")
def customers():
    return customers_frame(Panel(crl.load_world(WORLD), N, seed=3))


def run(*args):
    return CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)


def test_the_plan_counts_what_the_list_holds(customers):
    world = crl.load_world(WORLD)
    found = crl.decide("uniform", customers, WORLD, day="2026-11-21", budget=20.0)
    plan, sends = plan_of(found, world), found.sends()
    assert (plan.sends, plan.customers) == (len(sends), N)
    assert plan.cost == round(100 * sends["cost"].sum())
    assert plan.cost <= plan.budget == 2000
    tags = dict(zip(customers["customer_id"].astype(str), customers["segment"].fillna(""), strict=True))
    listed = zip(sends["customer_id"], sends["offer"], sends["channel"], strict=True)
    expected = Counter((tags[str(one)] or "(no tag)", offer, channel) for one, offer, channel in listed)
    assert {(c.segment, c.offer, c.channel): c.sends for c in plan.cells} == expected
    assert sum(cell.cost for cell in plan.cells) == plan.cost
    assert sum(many for _, many in plan.nothing) == plan.customers - plan.sends
    assert sum(many for _, many, _ in plan.segments) == N
    assert {name: (many, most) for name, many, most in plan.capacity} == {
        name: ((sends["channel"] == name).sum(), most)
        for name, most in (("call", int(found.limits.sends[2])), ("manager", int(found.limits.sends[3])))
    }
    assert len(plan.words) == len(plan.segments)


def test_what_changed_is_counted_customer_by_customer(customers, tmp_path):
    world = crl.load_world(WORLD)
    ledger = Ledger.create(tmp_path / "led", world, start=pd.Timestamp("2026-11-21").date(), customers=N)
    first = crl.decide("uniform", customers, WORLD, day="2026-11-21", ledger=ledger)
    assert plan_of(first, world, ledger).change is None  # nothing came before
    later = customers.iloc[50:]  # fifty are gone from the table
    second = crl.decide("uniform", later, WORLD, day="2026-11-23", ledger=ledger, seed=4)
    change = plan_of(second, world, ledger).change
    then = first.sends().set_index("customer_id")
    now = second.sends().set_index("customer_id")
    both = then.add_suffix("_then").join(now, how="inner")
    other = (both["offer_then"] != both["offer"]) | (both["channel_then"] != both["channel"])
    assert change.day == "2026-11-21"
    assert change.sends == len(then)
    assert change.new == len(now.index.difference(then.index))
    assert change.gone == len(then.index.difference(now.index))
    assert change.other == other.sum()
    counted = {name: (was, is_) for name, was, is_ in change.by_action}
    for frame, place in ((then, 0), (now, 1)):
        names = Counter(frame["offer"] + "@" + frame["channel"])
        assert {name: pair[place] for name, pair in counted.items() if pair[place]} == names


def test_a_customer_whose_permission_went_is_in_neither_list_nor_plan(customers, tmp_path):
    world = crl.load_world(WORLD)
    ledger = Ledger.create(tmp_path / "led", world, start=pd.Timestamp("2026-11-21").date(), customers=N)
    first = crl.decide("uniform", customers, WORLD, day="2026-11-21", ledger=ledger)
    (tmp_path / "out.csv").write_text(
        f"customer_id,channel,allowed,day\n{first.sends()['customer_id'][0]},*,no,2026-11-21\n"
    )
    assert (
        run("ledger", "add", tmp_path / "led", "permissions", tmp_path / "out.csv", "--as-of", "2026-11-21").exit_code
        == 0
    )
    again = crl.decide("uniform", customers, WORLD, day="2026-11-21", ledger=ledger)
    plan = plan_of(again, world, ledger)
    assert plan.sends == len(again.sends()) == len(first.sends()) - 1
    assert any("permission" in said for said in plan.limits)
    assert "permission was taken away" in plan_page(plan)


def test_the_page_lies_beside_the_list_and_says_the_answer_s_figures(customers, tmp_path):
    customers.to_csv(tmp_path / "c.csv", index=False)
    args = ["decide", "uniform", tmp_path / "c.csv", "-w", WORLD, "--as-of", "2026-11-21"]
    done = run(*args, "-o", tmp_path / "today.csv", "--json")
    answer = json.loads(done.stdout)
    page = (tmp_path / "today.plan.html").read_text()
    assert f"{answer['sends']:,} of {N:,} customers get something" in page
    assert answer["plan"] == str(tmp_path / "today.plan.html")
    assert sum(cell["sends"] for cell in answer["cells"]) == answer["sends"]
    assert "http" not in page.replace("http-equiv", "")  # needs nothing but itself
    before = page
    run(*args, "-o", tmp_path / "today.csv")
    assert (tmp_path / "today.plan.html").read_text() == before


def test_a_dry_run_writes_the_plan_alone(customers, tmp_path):
    customers.to_csv(tmp_path / "c.csv", index=False)
    args = ["decide", "uniform", tmp_path / "c.csv", "-w", WORLD, "--dry-run", "--plan", tmp_path / "p.html"]
    assert run(*args).exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.csv", "p.html"]


def test_hostile_names_stay_text():
    frame = customers_frame(Panel(crl.load_world("coupon_trap"), 50))
    hostile = "<script>alert(1)</script>"
    found = crl.decide(
        "always:" + crl.load_world("coupon_trap").catalog.names[1], frame, "coupon_trap", day="2026-11-21"
    )
    object.__setattr__(found, "policy", hostile)
    page = plan_page(plan_of(found, crl.load_world("coupon_trap")))
    assert hostile not in page
    assert "&lt;script&gt;" in page
