"""A line of days as a small SVG: what it was, the band it should be in, where it left it; drawn by hand.

Colours come from the page by class names, so that a page with a strict content policy can show it, in light and dark.
Every text is escaped. Not here: larger pictures (figures/), the style sheet (charts.css).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT, EDGE = 320, 72, 4


def day_line(
    values: Sequence[float],
    *,
    label: str,
    band: tuple[float, float] | None = None,
    expected: Sequence[float] = (),
    alarm_from: int | None = None,
    names: Sequence[str] = (),
) -> Markup:
    """The picture as an <svg> element.

    Args:
        values: of the days; NaN is a gap.
        label: what a screen reader says of it.
        band: where values should lie.
        expected: of the same days, as a dashed line.
        alarm_from: index of the first day that is out of the band.
        names: of the days, told where a pointer rests on one.
    """
    shown = [v for v in (*values, *expected) if math.isfinite(v)]
    low, high = _reach(shown, band)
    x = [EDGE + (WIDTH - 2 * EDGE) * i / max(len(values) - 1, 1) for i in range(len(values))]
    y = [_height(v, low, high) for v in values]
    parts = [_band(band, low, high), _path(x, [_height(v, low, high) for v in expected], "expected")]
    parts.append(_path(x, y, "line"))
    parts += [_dot(x[i], y[i], _title(names, i, v), _is_out(i, alarm_from)) for i, v in enumerate(values) if _known(v)]
    head = Markup('<svg class="days" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, label)
    return head + Markup("").join(parts) + Markup("</svg>")


def _reach(shown: Sequence[float], band: tuple[float, float] | None) -> tuple[float, float]:
    """From nothing, or the least value, to the largest; the band's upper end too where it is not far off."""
    most, least = max(shown, default=1.0), min([0.0, *shown])
    if band is not None and math.isfinite(band[1]):
        most = max(most, min(band[1], 2.0 * most))
    return least, most if most > least else least + 1.0


def _height(value: float, low: float, high: float) -> float:
    inside = min(max(value, low), high) if math.isfinite(value) else math.nan
    return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (inside - low) / (high - low)


def _band(band: tuple[float, float] | None, low: float, high: float) -> Markup:
    if band is None or not all(math.isfinite(one) for one in band):
        return Markup("")
    top, bottom = _height(band[1], low, high), _height(band[0], low, high)
    made = '<rect class="band" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>'
    return Markup(made.format(EDGE, top, WIDTH - 2 * EDGE, max(bottom - top, 1.0)))


def _path(x: Sequence[float], y: Sequence[float], kind: str) -> Markup:
    """The days as lines, broken where one is missing."""
    drawn, pen = [], "M"
    for across, up in zip(x, y, strict=False):
        if math.isfinite(up):
            drawn.append(f"{pen}{across:.1f} {up:.1f}")
        pen = "L" if math.isfinite(up) else "M"
    return Markup(f'<path class="{kind}" d="{" ".join(drawn)}"/>') if drawn else Markup("")


def _dot(x: float, y: float, title: str, is_out: bool) -> Markup:
    told = Markup("<title>{}</title>").format(escape(title)) if title else Markup("")
    kind = "dot out" if is_out else "dot"
    return (
        Markup(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{3 if is_out else 2}">')
        + told
        + Markup("</circle>")
    )


def _title(names: Sequence[str], i: int, value: float) -> str:
    return f"{names[i]}: {value:.4g}" if i < len(names) else ""


def _is_out(i: int, alarm_from: int | None) -> bool:
    return alarm_from is not None and i >= alarm_from


def _known(value: float) -> bool:
    return math.isfinite(value)
