"""`campaignrl profile feedback`: what customers write, as attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.terminal import Encoding, Json, Output, say, say_json, talk
from campaignrl.errors import UsageError
from campaignrl.profiles.feedback import Feedback, read_mood, texts_of
from campaignrl.tables import ID
from campaignrl.tables.files import column_names, read_frame, write_frame

NAMES = (ID, "text", "score", "ts")


def feedback(
    texts: Annotated[Path, typer.Argument(help="Table (Parquet or CSV) of customer_id, text, and score where given.")],
    output: Output,
    columns: Annotated[
        str, typer.Option(help="What the columns are called: text=review,score=stars,customer_id=member,ts=when.")
    ] = "",
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Learn from the shop's own scores how content texts sound; write mood and keywords as attributes."""
    named = _columns(columns)
    key = named.get(ID, ID)
    text = [key] if key in column_names(texts, encoding=encoding) else []
    found = read_mood(texts_of(read_frame(texts, text=text, encoding=encoding), named, str(texts)))
    write_frame(found.attributes[[ID, "mood", "texts", "keywords"]], output)
    if as_json:
        facts = {name: value for name, value in found._asdict().items() if name != "attributes"}
        say_json({**facts, "customers": len(found.attributes), "better": found.better, "output": str(output)})
        return
    _say(found)
    talk(f"{len(found.attributes):,} customers: {output}; campaignrl profile update FOLDER --attributes {output}")


def _say(found: Feedback) -> None:
    if found.error is None or found.error_of_mean is None or found.rank is None:
        say(f"no mood: {found.why}")
        return
    say(
        f"mood from {found.scored:,} scored texts: error {found.error:.3f} on customers it had not read "
        f"(always the mean: {found.error_of_mean:.3f}), rank correlation {found.rank:.2f}"
    )
    if not found.better:
        say("it says no more than the mean does: do not use it")
    say(f"speak for:     {', '.join(found.glad)}")
    say(f"speak against: {', '.join(found.sorry)}")


def _columns(text: str) -> dict[str, str]:
    found = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or name not in NAMES:
            raise UsageError(f"--columns {part!r} is not one of {', '.join(f'{n}=...' for n in NAMES)}")
        found[name] = column
    return found
