"""`campaignrl world features`: the columns of a customers table, and a template of it.

Not here: what they are (send/table_columns.py), the other verbs about worlds (world.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.terminal import Json, say, say_json, say_table
from campaignrl.send import example_customers, table_columns
from campaignrl.specs import load_world
from campaignrl.tables.files import write_frame


def features(
    name: Annotated[str, typer.Argument(help="Bundled world or path of a TOML file.")],
    template: Annotated[
        Path | None, typer.Option(help="Also write a customers table of five example rows, CSV or Parquet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The columns that a customers table must have for decide: name, unit, values, meaning."""
    found = load_world(name)
    columns = table_columns(found)
    if template is not None:
        write_frame(example_customers(found), template)
    if as_json:
        facts: dict[str, object] = {"world": found.name, "columns": [column._asdict() for column in columns]}
        say_json(facts if template is None else {**facts, "template": str(template)})
        return
    say_table(("column", "unit", "values", "needed", "meaning"), [list(column) for column in columns])
    if template is not None:
        say(f"\nfive example rows: {template}")
