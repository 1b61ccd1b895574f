"""Pictures: what they say, the same bytes every time, any text as a name, and the page's colours inside the page."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from campaignrl.report.figures.base import (
    PALETTE,
    Curve,
    ForestRow,
    forest,
    gain_over_days,
    png_bytes,
    safe,
    send_shares,
    svg_bytes,
)
from campaignrl.report.figures.svg_inline import inline_svg

HOSTILE = [
    "$\\frac{1}{0}$ \\alpha_",
    "<script>alert('x')</script>&amp;",
    "全场八折",
    "a\nb\x00\ud800\x1b[31m",
    "",
    "x" * 500,
]
ROWS = [
    ForestRow("lin_ts", 2.0, 1.0, 3.5, 2.2, "2.0 [1.0, 3.5]"),
    ForestRow("refused", math.nan, math.nan, math.nan, 1.5, "the log cannot say"),
]


def pictures(names=("a", "b", "c")):
    """One of each kind, with `names` wherever a name may stand."""
    rows = [ROWS[0]._replace(label=name, text=name) for name in names]
    days = np.linspace(0, 4, 30)
    counts = np.arange(2.0 * len(names)).reshape(2, -1)
    return {
        "forest": forest(rows, names[0], (names[0], 2.0)),
        "days": gain_over_days([Curve(name, days * k, days / 5) for k, name in enumerate(names)], names[0], names[0]),
        "sends": send_shares(names[:2], [("offer", names, counts), ("channel", names[:1], counts[:, 1:2])]),
    }


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("kind", ["forest", "days", "sends"])
def test_the_same_arrays_give_the_same_bytes(kind):
    assert svg_bytes(pictures()[kind]) == svg_bytes(pictures()[kind])
    assert png_bytes(pictures()[kind], 60) == png_bytes(pictures()[kind], 60)
    assert b"<dc:date>" not in svg_bytes(pictures()[kind])


@pytest.mark.parametrize("kind", ["forest", "days", "sends"])
def test_any_text_may_be_a_name(kind):
    file = svg_bytes(pictures(HOSTILE)[kind])
    said = "".join(ElementTree.fromstring(file).itertext())
    assert "<script>" in said  # as text, never as an element
    assert b"<script" not in file
    assert png_bytes(pictures(HOSTILE)[kind], 60).startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["forest", "days", "sends"])
def test_names_stand_in_the_drawing_as_they_are_written(kind):
    names = ["$5$ off", "$\\no{$", "全场八折", "a^b_c"]
    root = ElementTree.fromstring(svg_bytes(pictures(names)[kind]))
    assert set(names) <= {element.text for element in root.iter() if element.tag.endswith("}text")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_safe_name_is_one_short_printable_line(name):
    shown = safe(name)
    assert len(shown) <= 28
    assert shown.isprintable()
    assert shown == safe(shown)


def test_a_long_name_says_that_it_goes_on():
    assert safe("x" * 500) == "x" * 27 + "…"
    assert safe("x" * 28) == "x" * 28


def places(figure, marker):
    axes = figure.axes[0]
    return [tuple(float(x) for x in line.get_xdata()) for line in axes.lines if line.get_marker() == marker]


def test_a_forest_shows_estimate_interval_and_truth():
    figure = forest(ROWS, "EUR", ("as logged", 1.8))
    assert places(figure, "o")[0] == (2.0,)
    assert places(figure, "D") == [(2.2,), (1.5,)]
    assert places(figure, "None")[0] == (1.0, 3.5)
    assert {"lin_ts", "2.0 [1.0, 3.5]", "refused", "the log cannot say", "EUR", "as logged"} <= set(texts(figure))


def test_a_refused_policy_has_no_dot():
    assert all(math.isnan(x) for x in places(forest(ROWS, "EUR"), "o")[1])


def test_a_heatmap_shows_shares_of_each_row():
    counts = np.array([[30.0, 10.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    figure = send_shares(
        ["here", "nobody", "there"], [("offer", ["a", "b", "c"], counts), ("channel", ["x"], counts[:, :1])]
    )
    cells = [p.get_alpha() for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert cells == pytest.approx([0.05 + 0.95 * x for x in (0.75, 0.5, 0.25, 0.0, 0.0, 0.5, 1.0, 1.0)])
    assert {"75", "25", "50", "100"} <= set(texts(figure))
    assert texts(figure).count("nothing sent") == 2


def test_a_share_too_small_to_round_up_is_not_shown_as_nothing():
    figure = send_shares(["here"], [("offer", ["a", "b"], np.array([[999.0, 1.0]]))])
    assert "<1" in texts(figure)


def test_names_at_the_ends_of_lines_do_not_overlap():
    curves = [Curve(f"policy {k}", np.full(20, 1.0 + k / 1000), np.zeros(20)) for k in range(5)]
    figure = gain_over_days(curves, "EUR", "nothing")
    low, high = figure.axes[0].get_ylim()
    heights = sorted(label.xy[1] for label in figure.axes[0].texts)
    assert len(heights) == 6
    assert min(np.diff(heights)) >= 0.06 * (high - low)


def test_a_curve_without_a_spread_has_no_band():
    with_band = gain_over_days([Curve("a", np.ones(5), np.ones(5))], "EUR", "nothing")
    without = gain_over_days([Curve("a", np.ones(5), np.full(5, np.nan))], "EUR", "nothing")
    assert len(with_band.axes[0].collections) == 1
    assert len(without.axes[0].collections) == 0


def test_inline_drawings_take_the_pages_colours_and_keep_to_their_own_ids():
    file = svg_bytes(pictures()["sends"])
    elements = [inline_svg(file, key, 'says "this" & <that>') for key in ("one", "two")]
    for key, element in zip(("one", "two"), elements, strict=True):
        assert not re.search("|".join(PALETTE.values()), element)
        assert "var(--ink)" in element
        root = ElementTree.fromstring(element)
        assert root.attrib["aria-label"] == 'says "this" & <that>'
        ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        assert len(ids) == len(set(ids))
        assert all(name.startswith(f"{key}-") for name in ids)
        targets = set(re.findall(r"url\(#([^)]+)\)", element)) | set(re.findall(r'href="#([^"]+)"', element))
        assert targets == set(ids)
    assert "http" not in elements[0]


def test_every_colour_of_a_drawing_is_one_of_the_palette():
    for figure in pictures().values():
        used = set(re.findall(rb"#[0-9a-f]{6}\b", svg_bytes(figure)))
        assert used <= {colour.encode() for colour in PALETTE.values()}
