"""A world as a TOML file that people can read: one number a line, and beside it where it came from.

The same is written once more as a table, [provenance], which `load_world` checks. Fitted numbers are written with
six digits, more than any of them is known to; a world that is saved keeps all. Not here: the numbers.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from campaignrl.errors import Problem, UsageError
from campaignrl.specs import Provenance, World, place, quoted
from campaignrl.tables.files import write_whole

WIDE = 46  # column of the comments


def save_world(world: World, path: str | Path) -> Path:
    """Write a world as a TOML file that `load_world` reads back as the same world.

    Args:
        world: the world, wherever it came from: a file, a dict, a change of another one.
        path: of the file, NAME.toml; it appears whole or not at all.

    Returns:
        Path: the path.

    Raises:
        UsageError: the path does not end in .toml, so it could not be named where a world is asked for.

    Example:
        >>> import campaignrl as crl
        >>> short = crl.load_world("coupon_trap", horizon=14)
        >>> crl.load_world(crl.save_world(short, "short.toml")) == short
        True
    """
    target = Path(path)
    if target.suffix != ".toml":
        raise UsageError(Problem("save_world", "path", str(path), "the name of a TOML file", "Write NAME.toml."))
    tables = world.model_dump(exclude_unset=True, exclude={"provenance"})
    text = world_text(tables, world.provenance, exact=True)
    write_whole(target, lambda out: _write(out, f"name = {quoted(world.name)}\n{text}".encode()))
    return target


def write_world(tables: Mapping[str, Any], provenance: Mapping[str, Provenance], path: str | Path) -> None:
    """Write a world's file, whole or not at all."""
    text = world_text(tables, provenance)
    write_whole(path, lambda out: _write(out, text.encode()))


def world_text(tables: Mapping[str, Any], provenance: Mapping[str, Provenance], exact: bool = False) -> str:
    """The TOML text: the world's tables with comments, then the provenance. exact: all digits of every number."""
    plain = {key: value for key, value in tables.items() if key not in ("provenance", "name")}
    lines = list(_table(plain, (), provenance, exact))
    if provenance or not exact:
        lines += ["", "[provenance]"]
    for key, found in provenance.items():
        facts = {k: v for k, v in found.model_dump().items() if v not in (None, "")}
        lines.append(f"{quoted(key)} = {_value(facts, exact)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(
    table: Mapping[str, Any], above: tuple[str, ...], provenance: Mapping[str, Provenance], exact: bool
) -> Iterator[str]:
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    own = {key: value for key, value in table.items() if key not in below and value is not None}
    if above and (own or not below):
        yield ""
        yield f"[{place(above)}]"
    for key, value in own.items():
        line = f"{place((key,))} = {_value(value, exact)}"
        found = provenance.get(place((*above, key)))
        yield f"{line:<{WIDE}}{' ' * (len(line) >= WIDE)}# {_comment(found)}" if found is not None else line
    for key, value in below.items():
        yield from _table(value, (*above, key), provenance, exact)


def _comment(found: Provenance) -> str:
    return "".join(c if c.isprintable() else " " for c in str(found))


def _value(value: Any, exact: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value) if exact else f"{value:.6g}"
        return text if any(c in text for c in ".en") else f"{text}.0"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{place((str(k),))} = {_value(v, exact)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    return f"[{', '.join(_value(each, exact) for each in value)}]"


def _write(out: Any, data: bytes) -> None:
    out.write(data)
