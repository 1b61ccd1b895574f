"""Exports of other tools as hand-overs, outcomes and permissions: renamed, translated, and refused where unclear."""

import datetime

import pytest

import campaignrl as crl
from campaignrl.errors import CampaignError, DataError, SpecError
from campaignrl.ledger import Ledger, add

TODAY = datetime.date(2026, 1, 9)


@pytest.fixture
def taken(tmp_path):
    """Adds a text as a table of a new ledger, by a mapping."""
    world = crl.load_world("coupon_trap")
    ledger = Ledger.create(tmp_path / "led", world, start=datetime.date(2026, 1, 1), customers=10)

    def add_(what, text, mapping):
        (tmp_path / "m.toml").write_text(mapping, encoding="utf-8")
        (tmp_path / "in.csv").write_text(text, encoding="utf-8")
        found = add(ledger, what, tmp_path / "in.csv", world, today=TODAY, mapping=tmp_path / "m.toml")
        return found, ledger.read(what).to_pandas()

    return add_


def test_columns_values_constants_and_days(taken):
    found, rows = taken(
        "outcomes",
        "订单号,会员,日期,金额\nA-1,007,05.01.2026,12.50\nA-2,8,06.01.2026,3\n",
        '[columns]\noutcome_id = "订单号"\ncustomer_id = "会员"\nday = "日期"\nmargin = "金额"\n'
        '[constants]\nkind = "order"\n[formats]\nday = "%d.%m.%Y"\n',
    )
    assert found.new == 2
    rows = rows.sort_values("outcome_id")
    assert list(rows["customer_id"]) == ["007", "8"]
    assert list(rows["margin"]) == [1250, 300]
    assert [datetime.date(1970, 1, 1) + datetime.timedelta(days=int(d)) for d in rows["day"]] == [
        datetime.date(2026, 1, 5),
        datetime.date(2026, 1, 6),
    ]
    assert set(rows["kind"]) == {"order"}


def test_words_are_compared_without_case_and_blanks_and_others_stay(taken):
    _, rows = taken(
        "handovers",
        "Message ID,State,day\nd1, Delivered ,2026-01-02\nd2,bounced,2026-01-02\nd3,unknown,2026-01-02\n",
        '[columns]\ndecision_id = "Message ID"\nstatus = "State"\n'
        '[values.status]\n"DELIVERED" = "sent"\n"Bounced" = "refused"\n',
    )
    assert dict(zip(rows["decision_id"], rows["status"], strict=True)) == {
        "d1": "sent",
        "d2": "refused",
        "d3": "unknown",
    }


@pytest.mark.parametrize(
    ("mapping", "error", "words"),
    [
        ('[columns]\ndecsion_id = "a"\n', SpecError, "decision_id"),
        ('[columns]\nstatus = "Stat"\ndecision_id = "Message ID"\n', DataError, "State"),
        ('[columns]\nstatus = "State"\n[constants]\nstatus = "sent"\n', SpecError, "not both"),
        ('[colums]\nstatus = "State"\n', SpecError, "columns"),
        ('[columns]\nstatus = "State"\ndecision_id = "Message ID"\n', DataError, "one of sent"),
        (
            '[columns]\nstatus = "State"\ndecision_id = "Message ID"\n[formats]\nday = "%d/%m/%Y"\n',
            DataError,
            "%d/%m/%Y",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_added(taken, mapping, error, words, tmp_path):
    with pytest.raises(error) as wrong:
        taken("handovers", "Message ID,State,day\nd1,gone away,2026-01-02\n", mapping)
    assert words in str(wrong.value)
    assert isinstance(wrong.value, CampaignError)
    assert not len(Ledger.open(tmp_path / "led").read("handovers"))
