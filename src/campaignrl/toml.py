"""TOML text -> checked, frozen pydantic models, with every mistake reported at once in our own words.

Not here: what the models hold (world.py, tables/foreign/mapping.py, policies/loading.py).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from campaignrl.errors import Problem, SpecError, nearest

MAX_BYTES = 4 << 20  # a specification is written by people


class Spec(BaseModel):
    """Base of every specification model: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=Spec)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of one TOML file; a mistake in its syntax is a SpecError with the line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(Problem(str(path.name), "size", path.stat().st_size, f"at most {MAX_BYTES} bytes"))
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as wrong:
        fix = "" if path.suffix == ".toml" else f"A TOML file is expected (NAME.toml), not {path.suffix}."
        raise SpecError(Problem(path.name, "syntax", str(wrong), "TOML", fix)) from None
    except OSError as wrong:
        raise SpecError(Problem(path.name, "file", wrong.strerror, "readable")) from None


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
    for error in wrong.errors(include_url=False):
        inner = error.get("ctx", {}).get("error")
        problems += inner.problems if isinstance(inner, SpecError) else [_problem(error, model)]
    return problems


def _problem(error: Any, model: type[Spec]) -> Problem:
    *parents, last = error["loc"] or ("(whole)",)
    place = f"[{'.'.join(str(p) for p in parents)}]" if parents else ""
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden":
        known = _known_keys(model, parents)
        return Problem(place, "key", last, "a known key", nearest(str(last), known) or f"Known: {', '.join(known)}.")
    if kind == "missing":
        return Problem(place, str(last), "(absent)", "given", "Add it.")
    if kind in ("too_short", "too_long"):
        return Problem(place, str(last), error["input"], "of " + message.split("should have ")[-1].split(" after ")[0])
    if kind == "model_type":  # capacity = 20, where the key inside says what of
        keys = ", ".join(_known_keys(model, [*parents, last]))
        return Problem(place, str(last), error["input"], f"a table with {keys}")
    return Problem(
        place, str(last), error["input"], message.removeprefix("Value error, ").removeprefix("Input should be ")
    )


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
