"""The picture of a lift by part: every part is there, with its interval where it has one."""

import io
import math

import pytest

from campaignrl.ope.comparison.policies import Part
from campaignrl.ope.intervals.clustered import Estimate
from campaignrl.report.figures.lift_by_part import lift_by_part


def part(name, value, low, high):
    return Part(name, 100, 50, Estimate(value, 0.1, low, high, "given"))


def drawn(figure):
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def test_every_part_has_a_line_and_every_figure_an_interval():
    parts = [part("high value", 0.5, 0.2, 0.9), part("unknown", math.nan, math.nan, math.nan), part("$x^", -0.1, -1, 1)]
    figure = lift_by_part(parts, "euro")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["high value  (50)", "unknown  (50)", "$x^  (50)"]
    assert [[round(float(x), 6) for x in c.get_segments()[0][:, 0]] for c in ax.collections] == [[0.2, 0.9], [-1, 1]]
    assert ax.get_ylim() == (2.5, -0.5)  # the first part on top
    assert len(drawn(figure)) > 2_000


@pytest.mark.parametrize("parts", [[], [part("all", 1.0, -math.inf, math.inf)]])
def test_nothing_and_no_ends_can_be_drawn(parts):
    assert len(drawn(lift_by_part(parts))) > 1_000
