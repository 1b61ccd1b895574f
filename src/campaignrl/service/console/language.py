"""Chinese and English: one catalogue of messages, and which language a request asks for.

messages.toml holds every message by key, in both. Not here: texts that come from data, which are shown as they are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Request

LANGUAGES = ("en", "zh")
COOKIE = "crl_language"


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Language -> key -> message."""
    tables = tomllib.loads(resources.files(__package__).joinpath("messages.toml").read_text(encoding="utf-8"))
    flat = {f"{part}.{key}": pair for part, table in tables.items() for key, pair in table.items()}
    return {name: {key: pair[i] for key, pair in flat.items()} for i, name in enumerate(LANGUAGES)}


def language_of(request: Request) -> str:
    """What was chosen before, else the first of ours that the browser likes."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for wish in request.headers.get("accept-language", "").lower().split(","):
        found = wish.strip()[:2]
        if found in LANGUAGES:
            return found
    return LANGUAGES[0]


def said(language: str, key: str, **figures: Any) -> str:
    """A message with its figures."""
    return catalogue()[language][key].format(**figures)
