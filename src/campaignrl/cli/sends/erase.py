"""`campaignrl erase`: everything a ledger holds of one customer goes; nobody contacts them again.

Not here: how it goes (ledger/erasure.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, day_of
from campaignrl.cli.terminal import Json, say, say_json
from campaignrl.ledger import Ledger
from campaignrl.ledger import erase as erase_from


def erase(
    customer: Annotated[str, typer.Argument(help="customer_id, in any spelling of it.", metavar="ID")],
    ledger: Annotated[Path, typer.Option(help="Folder of the ledger.")],
    as_of: Annotated[str | None, typer.Option(help="Day of the request, YYYY-MM-DD; default: today.")] = None,
    as_json: Json = False,
) -> None:
    """Erase a customer from a ledger; a keyed hash stays, so that they are suppressed ever after.

    Send lists, logs, profiles and memories are files of their own: make them anew without the customer.
    """
    inputs = Inputs()
    kept, day = inputs.read(lambda: Ledger.open(ledger)), inputs.read(lambda: day_of(as_of))
    inputs.check()
    gone = erase_from(kept.value, customer, today=day.value)
    if as_json:
        say_json(gone._asdict())
        return
    said = " · ".join(f"{name} {many:,}" for name, many in gone._asdict().items())
    say(f"erased: {said}; suppressed from {day.value} on")
