"""A world as a TOML file that people can read: one number a line, and beside it where it came from.

The same is written once more as a table, [provenance], which `load_world` checks. Not here: the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from campaignrl.specs import Provenance, place, quoted
from campaignrl.tables.files import write_whole

WIDE = 46  # column of the comments


def write_world(tables: Mapping[str, Any], provenance: Mapping[str, Provenance], path: str | Path) -> None:
    """Write a world's file, whole or not at all."""
    text = world_text(tables, provenance)
    write_whole(path, lambda out: _write(out, text.encode()))


def world_text(tables: Mapping[str, Any], provenance: Mapping[str, Provenance]) -> str:
    """The TOML text: the world's tables with comments, then the provenance."""
    plain = {key: value for key, value in tables.items() if key not in ("provenance", "name")}
    lines = [*_table(plain, (), provenance), "", "[provenance]"]
    for key, found in provenance.items():
        facts = {k: v for k, v in found.model_dump().items() if v not in (None, "")}
        lines.append(f"{quoted(key)} = {_value(facts)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], above: tuple[str, ...], provenance: Mapping[str, Provenance]) -> Iterator[str]:
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    own = {key: value for key, value in table.items() if key not in below and value is not None}
    if above and (own or not below):
        yield ""
        yield f"[{place(above)}]"
    for key, value in own.items():
        line = f"{place((key,))} = {_value(value)}"
        found = provenance.get(place((*above, key)))
        yield f"{line:<{WIDE}}# {_comment(found)}" if found is not None else line
    for key, value in below.items():
        yield from _table(value, (*above, key), provenance)


def _comment(found: Provenance) -> str:
    return "".join(c if c.isprintable() else " " for c in str(found))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = f"{value:.6g}"
        return text if any(c in text for c in ".en") else f"{text}.0"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{place((str(k),))} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    return f"[{', '.join(_value(each) for each in value)}]"


def _write(out: Any, data: bytes) -> None:
    out.write(data)
