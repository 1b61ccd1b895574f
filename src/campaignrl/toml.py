"""TOML text -> checked, frozen pydantic models, with every mistake reported at once in our own words.

Here: syntax, sizes that make sense, types and ranges. Not here: what the models hold (specs/world.py,
tables/foreign/mapping.py, policies/loading.py).
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from campaignrl.errors import SHOWN, Problem, SpecError, nearest

# A specification is written by people; what is beyond these is a slip or an attack, and would take minutes to check.
MAX_BYTES = 1 << 19
MAX_DEPTH = 32  # of tables and lists in each other
MAX_ENTRIES = 10_000  # of one table or list
SMALLEST, LARGEST = 1e-30, 1e30  # of numbers that are not 0
WHOLE = 1 << 64  # whole numbers are smaller in size

_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')"  # of a key: plain, or in quotes
_TOO_LONG = re.compile(r"(?<![A-Za-z0-9_])[0-9_]{4000,}+")  # Python reads no more than 4,300 digits
_TOO_DEEP = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{1000}}")


class Spec(BaseModel):
    """Base of every specification model: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sparse(Spec):
    """A specification that is written without those of its parts which are `optional_parts` and absent.

    So a world without a part is written as it was before there could be such a part.
    """

    optional_parts: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = write(self)
        return {key: value for key, value in found.items() if key not in self.optional_parts or value not in (None, {})}


Model = TypeVar("Model", bound=Spec)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of one TOML file; a mistake in its syntax, or what no specification holds, is a SpecError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(Problem(str(path.name), "size", path.stat().st_size, f"at most {MAX_BYTES} bytes"))
        text = path.read_text(encoding="utf-8-sig")
        if deep := _TOO_DEEP.search(text):  # the parser would take minutes
            raise SpecError(_too_deep(_line(path, text, deep), deep[0]))
        if long := _TOO_LONG.search(text):
            digits = f"{len(long[0])} digits"
            raise SpecError(Problem(_line(path, text, long), "number", digits, "a number of at most 19 digits"))
        tables = tomllib.loads(text)
    except SpecError:
        raise
    except RecursionError:
        raise SpecError(_too_deep(path.name, "lists or tables in each other")) from None
    except ValueError as wrong:  # of TOML, or of its text
        fix = "" if path.suffix == ".toml" else f"A TOML file is expected (NAME.toml), not {path.suffix}."
        raise SpecError(Problem(path.name, "syntax", str(wrong), "TOML", fix)) from None
    except OSError as wrong:
        raise SpecError(Problem(path.name, "file", wrong.strerror, "readable")) from None
    require_sense(tables, path.name)
    return tables


def require_sense(tables: Mapping[str, Any], where: str) -> None:
    """A SpecError for what no specification holds: numbers of absurd size, thousands of entries, endless nesting.

    Checked before anything else, so that an error comes within a second whatever a file holds.
    """
    problems = list(_senseless(tables, where))
    if problems:
        raise SpecError(problems)


def _senseless(tables: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Level by level and not by recursion, which a deep file would exhaust."""
    ahead: deque[tuple[Any, tuple[str, ...]]] = deque([(tables, ())])
    while ahead:
        value, path = ahead.popleft()
        if isinstance(value, Mapping | list | tuple):
            if len(path) > MAX_DEPTH:
                yield _too_deep(where, ".".join(path))
                return
            if len(value) > MAX_ENTRIES:
                yield Problem(_at(where, path[:-1]), _last(path), f"{len(value)} entries", f"at most {MAX_ENTRIES}")
                continue
            named = value.items() if isinstance(value, Mapping) else enumerate(value)
            ahead += ((inner, (*path, str(key))) for key, inner in named)
        elif isinstance(value, int | float) and not _has_sense(value):
            shown = value if isinstance(value, float) else f"a number of {value.bit_length()} bits"
            allowed = f"0, or a number from {SMALLEST:g} to {LARGEST:g} in size (whole ones: below 2^64)"
            yield Problem(_at(where, path[:-1]), _last(path), shown, allowed)


def _has_sense(value: float) -> bool:
    if isinstance(value, int):
        return -WHOLE < value < WHOLE
    return not value or SMALLEST <= abs(value) <= LARGEST or not math.isfinite(value)  # its field refuses that


def _line(path: Path, text: str, found: re.Match[str]) -> str:
    return f"{path.name} line {text.count(chr(10), 0, found.start()) + 1}"


def _too_deep(where: str, path: str) -> Problem:
    return Problem(where, "nesting", path, f"at most {MAX_DEPTH} levels deep")


def _at(where: str, path: tuple[str, ...]) -> str:
    return f"{where} [{'.'.join(path)}]" if path else where


def _last(path: tuple[str, ...]) -> str:
    return path[-1] if path else "(whole)"


def quoted(text: str) -> str:
    """A basic string of TOML; JSON's escapes are TOML's, but for one character that TOML escapes as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def check(model: type[Model], data: Mapping[str, Any], where: str) -> Model:
    """Build `model` from plain tables; all mistakes become one SpecError."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as wrong:
        raise SpecError(
            [p._replace(where=f"{where} {p.where}".rstrip()) for p in field_problems(wrong, model)]
        ) from None


def field_problems(wrong: ValidationError, model: type[Spec]) -> list[Problem]:
    """Each mistake that pydantic found, in our words, with its table; those our own validators found as they are."""
    problems: list[Problem] = []
    for number, error in enumerate(wrong.errors(include_url=False)):
        inner = error.get("ctx", {}).get("error")
        # What will not be shown needs no hint, which is slow to find.
        problems += inner.problems if isinstance(inner, SpecError) else [_problem(error, model, number < SHOWN)]
    return problems


def _problem(error: Any, model: type[Spec], hinted: bool = True) -> Problem:
    *parents, last = error["loc"] or ("(whole)",)
    place = f"[{'.'.join(str(p) for p in parents)}]" if parents else ""
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden":
        known = _known_keys(model, parents)
        near = nearest(str(last), known) if hinted else ""
        return Problem(place, "key", last, "a known key", near or f"Known: {', '.join(known)}.")
    if kind == "missing":
        keys = _known_keys(model, [*parents, last]) if parents else []
        return Problem(place, str(last), "(absent)", "given", f"Add it: {_table_of(keys)}." if keys else "Add it.")
    if kind in ("too_short", "too_long"):
        return Problem(place, str(last), error["input"], "of " + message.split("should have ")[-1].split(" after ")[0])
    if kind == "model_type":  # capacity = 20, where the key inside says what of
        return Problem(place, str(last), error["input"], _table_of(_known_keys(model, [*parents, last])))
    return Problem(
        place, str(last), error["input"], message.removeprefix("Value error, ").removeprefix("Input should be ")
    )


def _table_of(keys: list[str]) -> str:
    return f"a table with {', '.join(keys)}"


def _known_keys(model: type[BaseModel], parents: list[Any]) -> list[str]:
    """Keys the table at `parents` may have, walking through models and maps of models."""
    current: Any = model
    for part in parents:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in reversed(getattr(annotation, "__args__", ())):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
