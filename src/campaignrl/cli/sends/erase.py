"""`campaignrl erase`: everything a ledger holds of one customer goes; nobody contacts them again.

Not here: how it goes (ledger/erasure.py, ledger/erase_files.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, day_of
from campaignrl.cli.terminal import Json, say, say_json
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger, erase_in_files, still_found
from campaignrl.ledger import erase as erase_from


def erase(
    customer: Annotated[str, typer.Argument(help="customer_id, in any spelling of it.", metavar="ID")],
    ledger: Annotated[Path, typer.Option(help="Folder of the ledger.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(help="File or folder to erase from too: lists, logs, profiles, memories; may be repeated."),
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Day of the request, YYYY-MM-DD; default: today.")] = None,
    as_json: Json = False,
) -> None:
    """Erase a customer from a ledger; a keyed hash stays, so that they are suppressed ever after.

    What was written elsewhere is named with --also; a search says where the id still stands (exit code 1).
    """
    inputs, places = Inputs(), also or []
    kept, day = inputs.read(lambda: Ledger.open(ledger)), inputs.read(lambda: day_of(as_of))
    inputs.read(lambda: _require_apart(places, ledger))
    inputs.check()
    files = erase_in_files(places, customer)  # first: a path that is none stops it before anything went
    gone = erase_from(kept.value, customer, today=day.value)
    left = still_found(places, customer)
    if as_json:
        rows = {one.path: one.rows for one in files}
        say_json({**gone._asdict(), "files": rows, "still_found": left})
    else:
        said = " · ".join(f"{name} {many:,}" for name, many in gone._asdict().items())
        say(f"erased: {said}; suppressed from {day.value} on")
        for one in files:
            say(f"erased: {one.rows:,} from {one.path}")
        for path in left:
            say(f"still found: {path}: make it anew without the customer, or delete it")
    raise typer.Exit(1 if left else 0)


def _require_apart(places: list[Path], ledger: Path) -> None:
    """Files of the ledger are its own: no other hand may write them anew."""
    own = ledger.resolve()
    for place in places:
        other = place.resolve()
        if own == other or own in other.parents or other in own.parents:
            fix = "Name its files one by one; the ledger itself is erased from by --ledger."
            raise UsageError(Problem("erase", "--also", str(place), "apart from the ledger", fix))
