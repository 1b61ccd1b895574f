"""The data-quality page: the figures it was given, in words that are true of them, and nothing from outside."""

import re
from html.parser import HTMLParser

import pytest

from campaignrl.report.pages.data_quality import quality_page, share

SOURCE = {
    "name": "orders",
    "file": "orders.csv",
    "rows_are": "events",
    "rows": 10_000,
    "kept": 7_000,
    "rejected": 1_000,
    "duplicates": 500,
    "merged": 1_500,
    "reasons": [{"field": f"f{i}", "reason": "not given", "rows": 1_000 - 50 * i} for i in range(15)],
    "repairs": {"amount: outlier, clipped": 12},
    "completeness": {"customer": 1.0, "channel": 0.25, "brand": None},
    "outliers": {"amount": {"low": None, "high": 500.0, "rule": "clip"}},
    "file_facts": {"byte_order_mark": True, "line_ends": ["CRLF"]},
    "kinds": {"order": 6_000, "refund": 1_000},
    "time": {
        "first": "2024-01-05 00:00:00",
        "last": "2024-03-31 00:00:00",
        "by_month": [["2024-01", 10], ["2024-03", 5]],
    },
    "customers": 800,
}
QUALITY = {
    "about": "a shop",
    "mapping": "shop.toml",
    "as_of": "2024-07-01T00:00:00",
    "currency": "CNY",
    "sources": [SOURCE],
    "links": {"ids": 0, "customers": 0, "shared": 0, "conflicts": "report", "first": []},
}


def words(page):
    parts = []
    parser = HTMLParser()
    parser.handle_data = parts.append
    parser.feed(page.partition("</style>")[2])
    return re.sub(r"\s+", " ", " ".join(parts))


def test_the_page_says_the_figures():
    text = words(quality_page(QUALITY))
    lead = "70.0 % stayed as rows of their own, 15.0 % are further lines of an order, 5.0 % are duplicates, 10.0 %"
    assert f"10,000 rows came in from 1 source: {lead} were refused. Nothing else was lost." in text
    assert "Became events 7,000 70.0 %" in text
    assert "channel 25.0 %" in text
    assert "amount outside any to 500" in text
    assert "and 1,050 rows for other reasons." in text  # 400 + 350 + 300
    assert "a byte order mark, left out; CRLF line ends" in text


def test_months_without_events_keep_their_place():
    page = quality_page(QUALITY)
    assert re.findall(r"<title>(\d{4}-\d\d: [\d,]+)</title>", page) == ["2024-01: 10", "2024-02: 0", "2024-03: 5"]


def test_shared_ids_are_shown_and_escaped():
    first = [{"kind": "phone", "id": "<b>1</b>", "members": "a | b"}]
    links = {"ids": 3, "customers": 2, "shared": 1, "conflicts": "report", "first": first}
    page = quality_page({**QUALITY, "links": links})
    assert "1 shared" in page
    assert "<b>1</b>" not in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "kept apart" in page
    assert "merged, as the mapping says" in quality_page({**QUALITY, "links": {**links, "conflicts": "merge"}})


def test_the_page_needs_nothing_from_outside_and_runs_nothing():
    page = quality_page(QUALITY)
    assert not re.findall(r"(?:src|href)=|url\(|<script|@import", page)
    assert page == quality_page(QUALITY)


def test_no_rows_at_all():
    empty = {**SOURCE, "rows": 0, "kept": 0, "rejected": 0, "duplicates": 0, "merged": 0, "reasons": [], "repairs": {}}
    empty["time"] = {"first": None, "last": None, "by_month": []}
    assert "No rows came in." in quality_page({**QUALITY, "sources": [empty]})


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 10, "0.0 %"), (1, 10_000, "< 0.1 %"), (9_999, 10_000, "> 99.9 %"), (10, 10, "100.0 %"), (0, 0, "")],
)
def test_something_is_never_shown_as_nothing(part, whole, said):
    assert share(part, whole) == said
