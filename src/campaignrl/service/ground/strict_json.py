"""JSON as it comes from outside: UTF-8, one object, no key twice, no NaN, no depth that breaks a parser.

Not here: what a body may say (api/models.py), how large it may be (gate.py).
"""

from __future__ import annotations

import json
import math
from typing import Any

from campaignrl.service.ground.problems import Refused

DEEPEST = 32  # levels; a real request has four


def read_json(body: bytes) -> Any:
    """The value of a body; Refused (400) for anything that is not plain, unambiguous JSON."""
    if _depth(body) > DEEPEST:
        raise Refused(400, f"The JSON is nested more than {DEEPEST} levels deep.")
    try:
        return DECODER.decode(body.decode("utf-8"))
    except Refused:
        raise
    except (ValueError, RecursionError) as wrong:
        raise Refused(400, f"The body is no JSON in UTF-8: {str(wrong)[:120]}.") from None


def _depth(body: bytes) -> int:
    """At least as deep as the JSON is nested; brackets in texts count, too, which real requests have few of."""
    opened = body.count(b"{") + body.count(b"[")
    if opened <= DEEPEST:
        return opened
    deepest = level = 0
    in_text = escaped = False
    for byte in body:
        if in_text:
            in_text = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_text, escaped = True, False
        elif byte in (0x7B, 0x5B):
            level += 1
            deepest = max(deepest, level)
            if deepest > DEEPEST:
                return deepest
        elif byte in (0x7D, 0x5D):
            level -= 1
    return deepest


def _no_constant(name: str) -> Any:
    raise Refused(400, f"{name} is no JSON: leave out a number that is not known, or write null.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused(400, f"{text[:40]} is too large for a number.")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(400, f"The key {twice[:40]!r} stands twice in one object.")
    return found


DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once)
