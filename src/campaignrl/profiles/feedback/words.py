"""Text -> words: Latin words, and Chinese cut by jieba where it is installed, else pairs of signs.

Pairs of neighbouring signs find most of what words find, without a dictionary; `pip install campaignrl[text]` brings
jieba, which cuts into words that people know. Not here: what the words say (mood.py).
"""

from __future__ import annotations

import logging
import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
# Words that stand in every text and say nothing of it; `not` and `no` are none of them.
STOP = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has", "have", "he",
        "her", "his", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she", "so", "that",
        "the", "their", "them", "there", "they", "this", "to", "was", "we", "were", "what", "when", "which", "who",
        "will", "with", "you", "your", "的", "了", "是", "在", "我", "你", "他", "她", "它", "我们", "也", "都", "就",
        "和", "与", "一个", "这", "那", "这个", "很", "啊", "吧", "呢", "吗",
    )
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """The words of a text, in order, in small letters; stop words and numbers left out.

    >>> words_of("The tea is NOT fresh, it's stale!")
    ['tea', 'not', 'fresh', "it's", 'stale']
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    found: list[str] = []
    for word in WORD.findall(plain):
        at = 0
        for part in CHINESE.finditer(word):
            found += [word[at : part.start()], *_cutter()(part.group())]
            at = part.end()
        found.append(word[at:])
    return [word for word in found if word and word not in STOP]


def by_dictionary() -> bool:
    """Whether Chinese is cut by jieba."""
    return _cutter() is not pairs


def pairs(signs: str) -> list[str]:
    """Neighbouring signs, two by two; a single one as it is."""
    return [signs[j : j + 2] for j in range(len(signs) - 1)] or [signs]


@cache
def _cutter() -> Callable[[str], list[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own old ways of finding its dictionary
            import jieba
    except ImportError:
        return pairs
    jieba.setLogLevel(logging.WARNING)

    def cut(signs: str) -> list[str]:
        return [str(word) for word in jieba.lcut(signs)]

    return cut
