"""Arguments and options that several verbs share, with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Seed = Annotated[int, typer.Option(help="Seed of every draw; the same seed gives the same bytes.")]
Threads = Annotated[int | None, typer.Option(help="Threads; default: all cores. Results do not depend on it.")]
WorldName = Annotated[str, typer.Option("--world", "-w", help="Bundled world or path of a TOML file.")]
PolicyName = Annotated[str, typer.Option("--policy", "-p", help="Bundle, spec file, bundled name, or always:ACTION.")]
Customers = Annotated[int, typer.Option("--customers", "-n", min=1, help="How many customers to simulate.")]
Encoding = Annotated[
    str | None, typer.Option(help="How CSV files are written: gb18030, utf-16, latin-1 ...; default: UTF-8.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write; it appears whole or not at all.")]
