"""Templates of pages that need nothing but themselves, and the style they share.

Every text from data is escaped by the template. Not here: what the pages say (html.py, data_quality.py).
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup


@cache
def template(name: str) -> Template:
    """A template of this folder; a figure that nobody gave it is an error, not a blank."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_text(name))


@cache
def style() -> Markup:
    """The style sheet of every page, light and dark, on screens and on paper."""
    return Markup(_text("page.css"))


@cache
def charts_style() -> Markup:
    """The style sheet of lines of days (day_line.py)."""
    return Markup(_text("charts.css"))


def _text(name: str) -> str:
    return resources.files("campaignrl.report").joinpath(name).read_text(encoding="utf-8")
