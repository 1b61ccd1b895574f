"""What is read out of exports that nobody has described: headers of shop systems, dates, money, refusals."""

import datetime as dt
import shutil

import pandas as pd
import pytest
from tests.test_loop import DAY
from typer.testing import CliRunner

from campaignrl.cli.main import app
from campaignrl.errors import SpecError, UsageError
from campaignrl.ledger import Ledger
from campaignrl.loop import new_campaign, today
from campaignrl.loop.first_reading import read_exports
from campaignrl.loop.first_reading.dates import date_format
from campaignrl.loop.first_reading.headers import column_of, permission_of

CHANNELS = ("sms", "email", "push", "call")


@pytest.mark.parametrize(
    ("columns", "customer", "ts", "amount"),
    [
        (["Invoice", "Customer ID", "Order date", "Total (GBP)", "Items"], "Customer ID", "Order date", "Total (GBP)"),
        (["Order ID", "Order Date", "Customer User", "Order Total Amount"], None, "Order Date", "Order Total Amount"),
        (["Name", "Email", "Paid at", "Subtotal", "Total", "Currency"], "Email", "Paid at", "Total"),
        (["ID", "Purchase Date", "Grand Total (Purchased)", "Customer Email"], "Customer Email", "Purchase Date",
         "Grand Total (Purchased)"),
        (["customer_id", "transaction_date", "net_sales_eur"], "customer_id", "transaction_date", "net_sales_eur"),
        (["订单编号", "买家会员名", "订单付款时间", "买家实际支付金额"], "买家会员名", "订单付款时间",
         "买家实际支付金额"),
        (["会员卡号", "消费时间", "实收金额（元）"], "会员卡号", "消费时间", "实收金额（元）"),
    ],
)  # fmt: skip
def test_headers_of_shop_systems(columns, customer, ts, amount):
    assert (column_of("customer", columns), column_of("ts", columns), column_of("amount", columns)) == (
        customer,
        ts,
        amount,
    )


def test_a_header_as_it_stands_comes_before_one_without_its_unit():
    assert column_of("amount", ["Total (net)", "Total"]) == "Total"
    assert column_of("amount", ["amount_usd", "total"]) == "amount_usd"


@pytest.mark.parametrize(
    ("column", "means"),
    [
        ("Phone No", None),
        ("No. of e-mails", None),
        ("Push notifications opt-in", "consent_push"),
        ("Accepts SMS Marketing", "consent_sms"),
        ("Accepts Email Marketing", "consent_email"),
        ("no_sms", "optout_sms"),
        ("NoEmail", "optout_email"),
        ("Do not call", "optout_call"),
        ("doNotEmail", "optout_email"),
        ("SMS opted out", "optout_sms"),
        ("email unsubscribed", "optout_email"),
        ("不接收短信", "optout_sms"),
        ("接收短信", "consent_sms"),
        ("Email", None),
    ],
)
def test_which_column_is_a_permission_and_which_a_refusal(column, means):
    assert permission_of(column, CHANNELS) == means


@pytest.mark.parametrize(
    ("cells", "currency", "formats", "sure"),
    [
        (["31/01/2024 10:05", "05/02/2024 11:00"], None, ("%d/%m/%Y %H:%M",), True),
        (["01/31/2024", "02/05/2024"], "GBP", ("%m/%d/%Y",), True),
        (["01/02/2024", "02/05/2024"], "GBP", ("%d/%m/%Y",), False),
        (["01/02/2024", "02/05/2024"], "USD", ("%m/%d/%Y",), False),
        (["31/01/2024", "02/25/2024"], None, ("%d/%m/%Y",), False),  # no way fits all of them
        (["3.1.24 9:05:00", "31.1.24"], None, ("%d.%m.%y %H:%M:%S", "%d.%m.%y"), True),
        (["1/31/2024 9:05 PM"], None, ("%m/%d/%Y %I:%M %p",), True),
        (["2024-01-31", "20240131"], None, (), True),
    ],
)
def test_which_of_two_numbers_is_the_day(cells, currency, formats, sure):
    found = date_format(pd.Series([*cells, None]), currency)
    assert (found.formats, found.sure) == (formats, sure)


def orders(folder, **columns):
    rows = {"customer_id": ["a", "b", "a", "c"], "order_date": ["2026-11-01"] * 4, **columns}
    pd.DataFrame(rows).to_csv(folder / "o.csv", index=False)
    (found,) = read_exports([folder / "o.csv"], CHANNELS)
    return found


def test_money_of_lines_of_repeated_totals_and_of_prices_a_piece(tmp_path):
    lines = orders(tmp_path, order_id=["1", "2", "1", "3"], amount=["5", "6", "7", "8"])
    assert lines.source["rules"] == {"negative": "refund", "merge": "order_id"}
    repeated = orders(tmp_path, order_id=["1", "2", "1", "3"], order_total=["5", "6", "5", "8"])
    assert repeated.source["rules"] == {"negative": "refund", "duplicates": ["order_id"], "keep": "last"}
    assert "once for each order_id, though several rows tell it" in repeated.guesses[1].says
    assert "once for each" not in lines.guesses[1].says
    pieces = orders(tmp_path, Quantity=["1", "2", "3", "1"], Price=["5.0", "6.0", "7.0", "8.0"])
    assert pieces.source["amount"] == {"expression": "Quantity * Price"}
    assert "Quantity * Price is what was paid" in pieces.guesses[1].says
    whole = orders(tmp_path, Quantity=["1", "2", "3", "1"], Price=["5", "6", "7", "8"], Total=["5", "12", "21", "8"])
    assert whole.source["amount"] == "Total"


def test_the_currency_of_a_header(tmp_path):
    assert orders(tmp_path, **{"Total (GBP)": ["5", "6", "5", "8"]}).currency == "GBP"
    assert orders(tmp_path, total_rmb=["5", "6", "5", "8"]).currency == "CNY"
    assert orders(tmp_path, total=["5", "6", "5", "8"]).currency is None


def test_dates_that_fit_both_ways_are_a_guess(tmp_path):
    found = orders(tmp_path, order_date=["01/02/2026"] * 4, amount=["5", "6", "5", "8"])
    assert [guess.what for guess in found.guesses] == ["ids", "money", "dates"]
    assert "order_date has the day first (01/02/2026)" in found.guesses[-1].says
    assert found.source["ts"] == {"column": "order_date", "format": "%d/%m/%Y"}


def test_without_orders_it_is_said_what_each_file_was_read_as(tmp_path):
    pd.DataFrame({"customer_id": ["a"], "when": ["2026-11-01"], "worth": ["5"]}).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(UsageError) as wrong:
        read_exports([tmp_path / "x.csv"], CHANNELS)
    assert "attributes: when · worth" in str(wrong.value)
    assert "order_date" in str(wrong.value)


@pytest.fixture(scope="module")
def pounds(tmp_path_factory):
    """A folder whose exports are in pounds, and whose world counts in yuan."""
    home = tmp_path_factory.mktemp("pounds")
    ids = [f"c{i:03d}" for i in range(150)]
    days = pd.to_datetime(DAY) - pd.to_timedelta([(17 * i) % 200 + 1 for i in range(600)], unit="D")
    rows = {"Customer ID": [ids[(i * 7) % 150] for i in range(600)], "Order date": days.strftime("%d/%m/%Y")}
    money = {"Total (GBP)": [f"{20 + (i * 13) % 50}.50" for i in range(600)]}
    pd.DataFrame(rows | money).to_csv(home / "orders.csv", index=False)
    pd.DataFrame({"Customer ID": ids, "Email opt-in": "yes"}).to_csv(home / "members.csv", index=False)
    place = home / "shop"
    new_campaign(place, exports=[home / "orders.csv", home / "members.csv"], start=DAY)
    path = place / "campaign.toml"
    path.write_text(path.read_text().replace("customers = 4000", "customers = 300"))
    return place


@pytest.mark.slow
def test_pounds_are_no_yuan_until_a_world_in_pounds_is_named(pounds, tmp_path):
    place = tmp_path / "shop"
    shutil.copytree(pounds, place)
    with pytest.raises(UsageError, match="currency = 'GBP' is not CNY") as wrong:
        today(place, day=DAY)
    assert f"calibrate {place}/profiles --like ecommerce --rate" in str(wrong.value)

    words = ["calibrate", f"{place}/profiles", "--rate", "0.11", "-o", f"{place}/pounds.toml"]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    path = place / "campaign.toml"
    path.write_text(path.read_text().replace('world = "ecommerce"', 'world = "pounds.toml"'))
    with pytest.raises(SpecError) as wrong:  # nothing was decided yet, so the ledger is begun anew without a word
        today(place, day=DAY)
    assert f"campaignrl train dr_uplift --world {place}/pounds.toml -o {place}/first.bundle" in str(wrong.value)
    assert Ledger.open(place / "ledger").world == "pounds"

    rule = "[[rule]]\nwhen = \"stage != 'churned'\"\nsend = ['content@email']\n"
    (place / "own.toml").write_text(f"kind = 'rules'\nabout = 'Content.'\n{rule}")
    path.write_text(path.read_text().replace('champion = "rules"', 'champion = "own.toml"'))
    found = today(place, day=DAY)
    assert "GBP a customer" in next(one.said for one in found.stations if one.name == "champion")
    assert any("lent from ecommerce, not measured" in alert for alert in found.alerts)


@pytest.mark.slow
def test_a_ledger_that_holds_anything_stays(pounds, tmp_path):
    place = tmp_path / "shop"
    shutil.copytree(pounds, place)
    path = place / "campaign.toml"
    path.write_text(path.read_text().replace('currency = "GBP"', 'currency = "CNY"').replace(" (GBP)", ""))
    orders = place / "exports" / "orders.csv"
    orders.write_text(orders.read_text().replace(" (GBP)", ""))
    refused = pd.DataFrame({"customer_id": ["c001"], "channel": ["email"], "allowed": [False], "day": ["2026-11-20"]})
    today(place, day=DAY)
    refused.to_csv(place / "answers" / "permissions.csv", index=False)
    today(place, day=DAY + dt.timedelta(days=1))
    assert Ledger.open(place / "ledger").counts()["permissions"]
    path.write_text(path.read_text().replace('world = "ecommerce"', 'world = "retail"'))
    with pytest.raises(UsageError, match="Give the world it was begun for"):
        today(place, day=DAY + dt.timedelta(days=1))
