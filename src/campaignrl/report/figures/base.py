"""The pictures of a report, as matplotlib figures made from plain arrays, and as SVG or PNG bytes.

No pyplot: nothing global is kept, and the same arrays give the same bytes. Colours are those of PALETTE only, which
svg_inline.py turns into the page's own, for light and dark. Names may be any text and are never read as mathematics.
"""

from __future__ import annotations

import io
import textwrap
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from campaignrl.arrays import Float

# Okabe & Ito's colours, darkened where they are too pale for lines on white; told apart by colour-blind readers.
PALETTE = {
    "ink": "#1f2933",
    "muted": "#66727f",
    "rule": "#d8dee4",
    "card": "#ffffff",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#00855f",
    "series-4": "#a3488f",
    "series-5": "#8a6d00",
    "series-6": "#3b8fc4",
}
INK, MUTED, RULE, CARD = (PALETTE[name] for name in ("ink", "muted", "rule", "card"))
SERIES = tuple(colour for name, colour in PALETTE.items() if name.startswith("series"))
ROW = 0.52  # inches of a row of a heatmap
LETTER = 0.62  # width of a letter, a share of its size
READABLE, STEEP = 6.2, 9.0  # points: names that would be smaller stand upright, in this size
WIDTH = 9.2  # inches; 10-point text is then of the page's size at full width

_CJK = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
)


class ForestRow(NamedTuple):
    """One estimate with its interval, and the truth; NaN where there is none."""

    label: str
    value: float
    low: float
    high: float
    truth: float
    text: str  # the figures in words, shown at the right


class Curve(NamedTuple):
    """One line over the days with half the width of its band (NaN: no band)."""

    label: str
    mean: Float  # (T,)
    half: Float  # (T,)


def forest(rows: Sequence[ForestRow], unit: str, mark: tuple[str, float] | None = None) -> Figure:
    """What the log says of each policy beside what the simulator knows; `mark` is a labelled upright line."""
    figure, ax = _canvas(0.9 + 0.5 * len(rows))
    for y, row in enumerate(rows):
        ax.plot([row.low, row.high], [y, y], color=SERIES[0], lw=3, solid_capstyle="round", alpha=0.55)
        ax.plot([row.value], [y], "o", ms=9, color=SERIES[0], mew=2)
        ax.plot([row.truth], [y], "D", ms=7, color=SERIES[1], mec=CARD, mew=1)
    if mark is not None:
        ax.axvline(mark[1], color=MUTED, lw=1, ls=(0, (3, 3)), zorder=0)
        ax.annotate(
            safe(mark[0], 40),
            (mark[1], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            color=MUTED,
            fontsize=9,
            parse_math=False,
        )
    ax.set_ylim(len(rows) - 0.5, -0.5)
    _names(ax, range(len(rows)), [row.label for row in rows])
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [safe(row.text, 60) for row in rows], parse_math=False, color=INK)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    ax.set_xlabel(safe(unit, 90), parse_math=False)
    ax.margins(x=0.08)
    return figure


def gain_over_days(curves: Sequence[Curve], unit: str, zero: str) -> Figure:
    """Cumulated gain per customer, each line named at its end; `zero` names the line at 0."""
    figure, ax = _canvas(3.6)
    ax.axhline(0.0, color=MUTED, lw=1, ls=(0, (3, 3)))
    ends = [(0.0, safe(zero, 24), MUTED)]
    for number, curve in enumerate(curves):
        colour, mean, half = SERIES[number % len(SERIES)], _from_zero(curve.mean), _from_zero(curve.half)
        days = np.arange(len(mean))
        if not np.isnan(half).any():
            ax.fill_between(days, mean - half, mean + half, color=colour, alpha=0.16, lw=0)
        ax.plot(days, mean, color=colour, lw=2, ls=("-", "--", "-.")[number // len(SERIES) % 3])
        ends.append((float(mean[-1]), safe(curve.label, 24), colour))
    ax.margins(x=0, y=0.08)
    _name_ends(ax, ends)
    ax.grid(axis="y", color=RULE, lw=0.8)
    ax.set_xlabel("day of the campaign")
    ax.set_ylabel(safe(unit, 60), parse_math=False)
    return figure


def send_shares(
    rows: Sequence[str], groups: Sequence[tuple[str, Sequence[str], Float]], nothing: str = "nothing sent"
) -> Figure:
    """Heatmap: of each row's sends the share by column, one group of columns beside another.

    groups: (title, names of m columns, (rows, m) counts). A row without a count says `nothing`.
    """
    columns = max(sum(len(names) for _, names, _ in groups) + 0.5 * (len(groups) - 1), 8.0)
    every = [name for _, names, _ in groups for name in names]
    size = _fitting([line for name in every for line in _wrapped(name)], columns)
    steep = size < READABLE
    longest = max((len(safe(name)) for name in every), default=0)
    level = 1.35 + 0.35 * (max((len(_wrapped(name)) for name in every), default=0) > 2)
    head = 0.75 + longest * LETTER * STEEP / 72 / ROW if steep else level  # in rows, above the first
    figure, ax = _canvas(1.0 + ROW * (len(rows) + head - 1.35))
    look: dict[str, Any] = {"rotation": 90, "fontsize": STEEP} if steep else {"fontsize": size}
    left = 0.0
    for title, names, counts in groups:
        ax.text(left, 0.4 - head, title, color=MUTED, fontsize=9, va="bottom", parse_math=False)
        for j, name in enumerate(names):
            says = safe(name) if steep else "\n".join(_wrapped(name))
            ax.text(left + j + 0.48, -0.12, says, ha="center", va="bottom", color=INK, parse_math=False, **look)
            for i, row in enumerate(counts):
                if row.sum() > 0:
                    _cell(ax, left + j, i, float(row[j] / row.sum()))
        for empty in np.flatnonzero(counts.sum(axis=1) == 0):
            ax.text(left, empty + 0.5, nothing, va="center", color=MUTED)
        left += len(names) + 0.5
    ax.set_xlim(0, columns)
    ax.set_ylim(len(rows), -head)
    _names(ax, np.arange(len(rows)) + 0.5, rows)
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    return figure


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG with its texts as texts: the same bytes on every machine."""
    return _rendered(figure, "svg", {"svg.fonttype": "none", "svg.hashsalt": "campaignrl"}, {"Date": None})


def png_bytes(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as PNG on white; a sign that no installed font has shows as a box."""
    figure.set_facecolor(CARD)
    return _rendered(figure, "png", {"savefig.dpi": dpi}, {"Software": None})


def safe(name: str, length: int = 28) -> str:
    """Any text as one short line that a drawing can hold: no control characters, no half surrogates."""
    shown = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in name)
    shown = " ".join(shown.split())
    return shown if len(shown) <= length else shown[: length - 1].rstrip() + "…"


def frame(ax: Axes, label_size: float = 9) -> None:
    """Nothing but a line below, and ticks that stay behind what is drawn."""
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(colors=MUTED, length=0, labelsize=label_size)


def panel(figure: Figure, place: SubplotSpec, title: str, most: int = 70) -> Axes:
    """One of several pictures in a figure, under its title of at most so many characters."""
    ax: Axes = figure.add_subplot(place)
    frame(ax)
    ax.set_title(safe(title, most), loc="left", fontsize=11, color=INK, parse_math=False)
    return ax


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    ax = figure.add_subplot()
    ax.patch.set_alpha(0.0)
    frame(ax, label_size=10)
    ax.xaxis.label.set_color(MUTED)
    ax.yaxis.label.set_color(MUTED)
    return figure, ax


def _names(ax: Axes, at: Any, names: Sequence[str]) -> None:
    lines = ["\n".join(safe(line) for line in name.split("\n")) for name in names]
    ax.set_yticks(at, lines, parse_math=False, color=INK)


def _wrapped(name: str) -> list[str]:
    """A name in short lines, parted where its words are: free_shipping@email -> free_, shipping, @email."""
    apart = safe(name, 40).replace("_", "_ ").replace("@", " @")
    lines = textwrap.wrap(apart, 11, max_lines=3, placeholder="…")
    return [line.replace("_ ", "_").replace(" @", "@") for line in lines]


def _fitting(lines: Sequence[str], columns: float) -> float:
    """The font size, in points, at which the longest line fits a column; letters are about 0.62 of it wide."""
    room = (WIDTH - 1.9) * 72 / columns
    return float(np.clip(room / (LETTER * max((len(line) for line in lines), default=1)), 5.0, 9.0))


def _cell(ax: Axes, x: float, y: int, share: float) -> None:
    ax.add_patch(Rectangle((x, y + 0.04), 0.96, 0.92, color=SERIES[0], alpha=0.05 + 0.95 * share, lw=0))
    text = "" if share == 0 else "<1" if share < 0.005 else f"{100 * share:.0f}"
    ink = CARD if share > 0.75 else INK
    ax.text(x + 0.48, y + 0.5, text, ha="center", va="center", color=ink, fontsize=10)


def _from_zero(values: Float) -> Float:
    return np.concatenate([[0.0], values])


def _name_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names beside the right edge, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    gap = 0.065 * (high - low)
    places: list[float] = []
    ordered = sorted(ends)
    for y, _, _ in ordered:
        places.append(max(y, places[-1] + gap) if places else y)
    shift = np.mean(places) - np.mean([y for y, _, _ in ordered])  # apart, but around where they belong
    for place, (_, label, colour) in zip(places, ordered, strict=True):
        ax.annotate(
            label,
            (1.0, place - shift),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
            parse_math=False,
        )


def _rendered(figure: Figure, form: str, settings: Any, metadata: dict[str, None]) -> bytes:
    installed = fontManager.get_font_names() if form == "png" else []
    fonts = ["DejaVu Sans", *(font for font in _CJK if font in installed)]
    out = io.BytesIO()
    with mpl.rc_context(settings), warnings.catch_warnings():
        # SVG holds the text itself, which the reader's browser draws; only our measure of its width is a guess
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for text in figure.findobj(Text):
            text.set_fontfamily(fonts)
        figure.savefig(out, format=form, metadata=metadata)
    return out.getvalue()
