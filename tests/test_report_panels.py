"""The picture of an experiment: what is said beside each row, arrows, headings, and names of any kind."""

from __future__ import annotations

import math

import pytest
from matplotlib.text import Text

from campaignrl.report.figures.base import png_bytes
from campaignrl.report.figures.estimates import Panel, Spot, decimals, panels

SPOTS = [Spot(0.18391, 0.1735, 0.1944), Spot(0.0, 0.0, 0.0), Spot(0.02, -0.01, 5.0), Spot(*[math.nan] * 3)]
GROUPS = {"one for all": ["none", "mail"], "learned": ["a", "b"]}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def drawn(**changes):
    return panels(
        "What it shows", GROUPS, [Panel("value", "clicks", SPOTS, **{"limits": (0.0, 0.25), **changes})], "note"
    )


def test_figures_stand_beside_their_rows():
    said = texts(drawn())
    for text in ("0.184 [0.173, 0.194]", "0", "0.020 [-0.010, 5.000]", "not to be had", "What it shows", "note"):
        assert text in said
    assert "+0.184 [+0.173, +0.194]" in texts(drawn(signed=True))


def test_a_value_without_an_interval_stands_alone():
    figure = panels(
        "", {"a": ["x", "y"]}, [Panel("", "", [Spot(5.06, 5.06, 5.06, believed=False), Spot(1.0, 0.5, 2.0)])]
    )
    assert {"5.06", "1.00 [0.50, 2.00]"} <= set(texts(figure))


def test_an_interval_that_leaves_the_panel_ends_in_an_arrow():
    ax = drawn().axes[0]
    arrows = [(line.get_xdata()[0], line.get_marker()) for line in ax.lines if line.get_marker() in "<>"]
    assert arrows == [(0.0, "<"), (0.25, ">")]
    assert ax.get_xlim() == (0.0, 0.25)
    assert not [line for line in drawn(limits=None).axes[0].lines if line.get_marker() in "<>"]


def test_headings_are_bold_and_rows_are_not():
    labels = drawn().axes[0].get_yticklabels()
    weights = {label.get_text(): label.get_fontweight() for label in labels}
    assert weights == dict.fromkeys(GROUPS, "bold") | dict.fromkeys(["none", "mail", "a", "b"], "normal")


@pytest.mark.parametrize(
    ("widths", "limits", "places"),
    [
        ([0.02], None, 4),
        ([0.2], None, 3),
        ([1.2], None, 2),
        ([30.0], None, 1),
        ([500.0], None, 0),
        ([5.0], (0.0, 0.01), 4),
    ],
)
def test_decimals_follow_the_widest_interval_that_is_drawn(widths, limits, places):
    panel = Panel("", "", [Spot(0.0, 0.0, 0.0), *(Spot(0.0, 0.0, width) for width in widths)], limits=limits)
    assert decimals(panel) == places


def test_names_of_any_kind_are_drawn_and_the_bytes_repeat():
    names = {"组 $x^": ["<b>", "\\frac{"], "\x00\n": ["🎁" * 40, "邮件"]}

    def once():
        return png_bytes(panels("50 % of $x^{", names, [Panel("$_", "$", SPOTS, mark=0.0, band=(-0.1, 0.1))] * 2))

    assert once() == once()


def test_a_row_without_an_estimate_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="shorter"):
        panels("", GROUPS, [Panel("", "", SPOTS[:3])])
