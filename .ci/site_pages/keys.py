"""The page of every key that a TOML file may have: unit and range, default, meaning, read from the models.

A key's meaning is what the source says beside it: the comment on its line or above it, its place in the docstring of
its model (`margin: share of ...`), for a table the first line of the model inside, else its line in
docs/site/keys.toml. A key without any fails a test.
"""

from __future__ import annotations

import enum
import inspect
import io
import re
import tokenize
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import annotated_types
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from campaignrl.ledger.mapping import ColumnMapping
from campaignrl.loop.folder.settings import CampaignSpec
from campaignrl.policies.registry import KINDS
from campaignrl.profiles.intake.mapping import IntakeMapping
from campaignrl.profiles.segments.rules import RuleSet
from campaignrl.profiles.tags.tag_set import TagSet
from campaignrl.specs.world import World
from campaignrl.suites.suite import Suite
from campaignrl.tables.foreign.mapping import LogMapping

TITLE = """# Every key of every TOML file

Read from the models that check the files. An unknown key is an error that names the nearest known one. A key without a
default must be given; `[NAME]` stands for a name of one's own, `[[list]]` for a table that may come several times.
"""
FILES: Mapping[str, tuple[str, type[BaseModel]]] = {
    "A world": ("`envs/*.toml`; times in days, money in the currency's unit", World),
    "campaign.toml": (
        "of a folder that `campaignrl init` begins; `[ids]`, `[currency]` and `[[source]]` as in a mapping of exports",
        CampaignSpec,
    ),
    "A mapping of exports": ("`campaignrl profile build --mapping`", IntakeMapping),
    "A mapping of a log": ("`campaignrl evaluate --mapping`", LogMapping),
    "A mapping of answers": ("`campaignrl ledger add --mapping`", ColumnMapping),
    "A suite": ("`campaignrl benchmark`", Suite),
    "A tag set": ("`campaignrl profile build --tags`", TagSet),
    "Rules of segments": ("`campaignrl profile segment --rules`", RuleSet),
}
UNTOLD = Path(__file__).resolve().parents[2] / "docs" / "site" / "keys.toml"
# Keys whose name says it in every table.
EVERYWHERE = {"title": "what it is called", "kind": "which of the kinds it is", "name": "what it is called"}


class Key(NamedTuple):
    """One key: its table, name, kind with range, default as TOML, unit and meaning."""

    table: str
    name: str
    kind: str
    default: str
    meaning: str


def page() -> str:
    """The page: a heading a file, a table of keys under each of its tables."""
    parts = [TITLE]
    for title, (about, model) in FILES.items():
        parts.append(f"\n## {title}\n\n{about[0].upper()}{about[1:]}.\n")
        parts += _tables(keys(model), "###")
    parts.append("\n## A policy\n\n`policies/*.toml`: `kind`, and the settings of its kind.\n")
    for name in sorted(KINDS):
        parts += _tables(policy_keys(name), "###", f'kind = "{name}"')
    return "\n".join(parts)


def policy_keys(kind: str) -> list[Key]:
    """Settings of one kind of policy."""
    from campaignrl.policies.registry import policy_class

    return list(keys(policy_class(kind).Config))


def keys(model: type[BaseModel], table: str = "", seen: tuple[type, ...] = ()) -> Iterator[Key]:
    """Every key of a file, its own first, then table by table; a model that holds itself is told once."""
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        shown = field.alias or name
        found, how = _model_in(field.annotation)
        if found is not None and found not in seen:
            inner.append((_joined(table, shown, how), found))
        yield Key(table, shown, _kind(field), _default(field), meaning(model, name))
    for path, found in inner:
        yield from keys(found, path, (*seen, model))


@cache
def meaning(model: type[BaseModel], name: str) -> str:
    """What the source says of a key; empty where it says nothing."""
    field = model.model_fields[name]
    if field.description:
        return field.description
    home = home_of(model, name)
    said = _comments(home).get(name) or _in_docstring(home, name)
    if not said:
        found, _ = _model_in(field.annotation)
        said = _first_line(found) if found is not None else ""
    return said or EVERYWHERE.get(name, "") or untold().get(home.__name__, {}).get(name, "")


def home_of(model: type[BaseModel], name: str) -> type[BaseModel]:
    """The class whose source declares a field."""
    return next(c for c in model.__mro__ if issubclass(c, BaseModel) and name in inspect.get_annotations(c))


@cache
def untold() -> dict[str, dict[str, str]]:
    """Model -> key -> meaning, of keys that their model does not explain."""
    return tomllib.loads(UNTOLD.read_text(encoding="utf-8"))


def _first_line(model: type[BaseModel]) -> str:
    text = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0]
    return " ".join(text.split()).rstrip(".")


def _in_docstring(model: type[BaseModel], name: str) -> str:
    text = " ".join(inspect.cleandoc(model.__doc__ or "").split())
    found = re.search(
        rf"(?:^|[\s.;,`]){re.escape(name)}`?(?:, `?\w+`?)*: (.*?)(?=[.;] `?\w+`?(?:, `?\w+`?)*: |\.?$|\. [A-Z])", text
    )
    return found[1].strip() if found else ""


@cache
def _comments(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the comment on its line, or the lines of comment above it."""
    try:
        text = inspect.cleandoc("\n" + inspect.getsource(model))
    except OSError:
        return {}
    found, above, pending = {}, "", ""
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(model)).readline):
        line = token.line.strip()
        if token.type == tokenize.COMMENT:
            said = token.string.lstrip("# ").split("  # ")[0]
            if line.startswith("#"):
                above = f"{above} {said}".strip()
            elif pending:
                found[pending] = f"{found.get(pending, '')} {said}".strip()
        elif (
            token.type == tokenize.NAME
            and re.match(rf"{token.string} *:", line)
            and token.start[1] == _indent(text, token)
        ):
            pending = token.string
            if above:
                found[pending], above = above, ""
        elif token.type == tokenize.NEWLINE:
            pending, above = "", ""
    return found


def _indent(_: str, token: tokenize.TokenInfo) -> int:
    return len(token.line) - len(token.line.lstrip())


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside, and how it is held: `one`, `many` (a list) or `named` (a map)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "one"
    origin = typing.get_origin(annotation)
    for argument in reversed(typing.get_args(annotation)):
        found, how = _model_in(argument)
        if found is not None:
            here = "named" if origin in (dict, Mapping) else "many" if origin in (list, tuple) else how
            return found, here if how == "one" else how
    return None, ""


def _joined(table: str, name: str, how: str) -> str:
    path = f"{table}.{name}" if table else name
    return {"many": f"{path}[]", "named": f"{path}.NAME"}.get(how, path)


def _kind(field: Any) -> str:
    return _said(field.annotation, list(field.metadata))


def _said(annotation: Any, metadata: list[Any]) -> str:
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _said(inside[0], [*inside[1:], *metadata])
    if origin in (typing.Union, types.UnionType):
        told = dict.fromkeys(_said(each, metadata) for each in inside if each is not type(None))
        return " or ".join(told)
    if origin is typing.Literal:
        return ", ".join(f"`{each}`" for each in inside)
    if origin in (list, tuple):
        return "list of " + _said(inside[0], []) if inside else "list"
    if origin in (dict, Mapping):
        return "table of " + _said(inside[1], [])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    name = {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )
    return (name + _range(metadata)).replace("|", "\\|")


def _range(metadata: list[Any]) -> str:
    bounds = []
    for mark in _flat(metadata):
        for sign, at in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
            if (value := getattr(mark, sign, None)) is not None:
                bounds.append(f"{at} {value:g}" if isinstance(value, int | float) else f"{at} {value}")
    return f", {', '.join(dict.fromkeys(bounds))}" if bounds else ""


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for mark in metadata:
        yield from _flat(list(mark.metadata)) if hasattr(mark, "metadata") else [mark]
        if isinstance(mark, annotated_types.GroupedMetadata):
            yield from mark


def _default(field: Any) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "none"
    return "the table's own" if isinstance(value, BaseModel) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _tables(found: Any, depth: str, heading: str = "") -> list[str]:
    """One Markdown table for each table of the file."""
    by_table: dict[str, list[Key]] = {}
    for key in found:
        by_table.setdefault(key.table, []).append(key)
    parts = []
    for table, rows in by_table.items():
        name = heading if heading and not table else f"{heading} [{table}]".strip() if table else "Top level"
        if table.endswith("[]") and not heading:
            name = f"[[{table.removesuffix('[]')}]]"
        parts.append(f"\n{depth} `{name}`\n\n| key | kind | default | meaning |\n|---|---|---|---|")
        parts += [f"| `{k.name}` | {k.kind} | {_cell(k.default)} | {_cell(k.meaning)} |" for k in rows]
    return parts


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
