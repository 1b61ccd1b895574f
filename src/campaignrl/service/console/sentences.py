"""What rules, send lists and policies say, in the language of the page: sentences.toml has each in English and Chinese.

The words come from other packages, which say them in English, with figures and names inside; a sentence is known by its
shape. One that has none here is shown as it is. Not here: the console's own messages (language.py).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib import resources

JOINTS = ("; ", " · ")  # between several in one text


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Each English sentence as a pattern, and its Chinese."""
    text = resources.files(__package__).joinpath("sentences.toml").read_text(encoding="utf-8")
    return tuple((_pattern(english), chinese) for english, chinese in tomllib.loads(text)["sentences"])


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", sentence)
    plain = (re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(parts))
    return re.compile("".join(plain), re.DOTALL)


@lru_cache(maxsize=4_096)
def told(language: str, text: str) -> str:
    """A text of the package in a language; what it names is looked up as well, and stays where it is no sentence."""
    if language != "zh":
        return text
    for shape, chinese in _shapes():
        if found := shape.fullmatch(text):
            return chinese.format(**{name: told(language, words) for name, words in found.groupdict().items()})
    for joint in JOINTS:
        if joint in text:
            return joint.join(told(language, part) for part in text.split(joint))
    return text
