"""`campaignrl calibrate`: a world from one's own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from campaignrl.calibration import Calibration
from campaignrl.calibration.calibrate import calibrate as make_world
from campaignrl.calibration.realism import Scorecard
from campaignrl.calibration.realism.untreated_scorecard import untreated_scorecard
from campaignrl.cli.inputs import Inputs
from campaignrl.cli.terminal import Encoding, Json, Seed, progress, say, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError, nearest
from campaignrl.profiles.store import money_of
from campaignrl.specs import load_world
from campaignrl.tables import read_events, read_log
from campaignrl.tables.files import read_frame

ID = "customer_id"


def calibrate(
    events: Annotated[Path, typer.Argument(help="Events table, or the folder that intake or profile build wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="World's TOML to write; whole or not at all.")],
    log: Annotated[Path | None, typer.Option("--log", "-l", help="Decision log of a campaign.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping TOML of a foreign log.")] = None,
    segments: Annotated[
        str | None, typer.Option(help="Labels by customer_id (a file), or a column of the attributes or tags.")
    ] = None,
    like: Annotated[str, typer.Option(help="World that lends what no data say.")] = "ecommerce",
    said: Annotated[
        list[str] | None,
        typer.Option("--set", help="A number that is not to be fitted: segments.all.basket.margin=0.4"),
    ] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Days in which orders count for a decision.")] = None,
    day_zero: Annotated[str | None, typer.Option(help="Date of the log's day 0; default: as the log says.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="What 1 of --like's currency is worth in the events', where they differ.")
    ] = None,
    scorecard: Annotated[
        bool, typer.Option("--scorecard", help="Compare untreated orders with simulated ones.")
    ] = False,
    encoding: Encoding = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make a world from EVENTS, and from a campaign's decision log: fitted where data say so, and marked."""
    inputs = Inputs()
    read = inputs.read(lambda: _read(events))
    decisions = inputs.read(lambda: read_log(log, mapping, encoding=encoding) if log is not None else None)
    labels = inputs.read(lambda: _labels(segments, _known(events, read.value[1]), encoding))
    money = inputs.read(lambda: money_of(events))
    lender, numbers = inputs.read(lambda: load_world(like)), inputs.read(lambda: _numbers(said or []))
    inputs.check()
    (table, attributes), (currency, rates) = read.value, money.value
    lent = lender.value.money.currency
    rate = rates.get(lent) if rate is None else rate
    with progress("calibrate") as step:
        found = make_world(
            table,
            decisions.value,
            segments=labels.value,
            attributes=attributes,
            like=like,
            user=numbers.value,
            window=window,
            day_zero=day_zero,
            currency=currency,
            rate=rate,
            seed=seed,
            progress=step,
        )
    found.world  # noqa: B018 - what is written must load
    found.write(output)
    card = untreated_scorecard(found, table, seed) if scorecard else None
    if as_json:
        say_json(_facts(found, output) | ({"scorecard": json.loads(card.to_json())} if card is not None else {}))
    else:
        _say(found)
        if card is not None:
            _say_card(card)
    if rate is not None:
        talk(f"sums lent by {like} are converted: 1 {lent} is {rate:g} {currency}")
    talk(f"world written to {output}; see: campaignrl world show {output}")


def _read(place: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Events, and the attributes beside them if there are any."""
    file = place / "events.parquet" if place.is_dir() else place
    if not file.is_file():
        fix = "Give an events table, or a folder with events.parquet."
        raise UsageError(Problem("calibrate", "events", str(place), "there", fix))
    beside = file.with_name("attributes.parquet")
    return read_events(file), read_frame(beside, text=(ID,)) if beside.is_file() else None


def _known(place: Path, attributes: pd.DataFrame | None) -> pd.DataFrame | None:
    """Attributes and, of a profile folder, the tags in words beside them: a kept `segment` is one of them."""
    file = (place if place.is_dir() else place.parent) / "profiles.parquet"
    if not file.is_file():
        return attributes
    tags = read_frame(file, text=(ID,))
    texts = [name for name in tags if name == ID or tags[name].dtype == "str"]
    more = [] if attributes is None else [n for n in attributes if n not in texts or n == ID]
    return tags[texts] if attributes is None else tags[texts].merge(attributes[more], on=ID, how="left")


def _labels(given: str | None, attributes: pd.DataFrame | None, encoding: str | None) -> pd.Series | None:
    if given is None:
        return None
    if not Path(given).is_file():
        known = [] if attributes is None else [str(name) for name in attributes.columns]
        if attributes is None or given not in known:
            fix = nearest(given, known) or f"Columns: {', '.join(known)}."
            raise UsageError(
                Problem("calibrate", "segments", given, "a file, or a column of the attributes or tags", fix)
            )
        return attributes.set_index(ID)[given].dropna()
    frame = read_frame(given, text=(ID,), encoding=encoding)
    column = next((name for name in ("segment", "label") if name in frame), None)
    if column is None or ID not in frame:
        raise UsageError(Problem("calibrate", "segments", given, "a table of customer_id and segment"))
    return frame.set_index(ID)[column].astype(str)


def _numbers(said: list[str]) -> dict[str, float]:
    found = {}
    for text in said:
        key, _, value = text.partition("=")
        try:
            found[key.strip()] = float(value)
        except ValueError:
            raise UsageError(Problem("calibrate", "--set", text, "written as PLACE=NUMBER")) from None
    return found


def _say(found: Calibration) -> None:
    table = found.table()
    counts = pd.Series([each.how for each in found.provenance.values()]).value_counts()
    say(", ".join(f"{n} numbers {how}" for how, n in counts.items()) + "\n")
    numbers = table[["value", "se", "n"]].to_numpy(dtype=float)
    rows = [
        (str(name), f"{value:.4g}", _figure(se, ".2g"), _figure(n, ",.0f"), str(by))
        for name, (value, se, n), by in zip(table.number, numbers, table.by, strict=True)
        if ".profile." not in str(name)
    ]
    say_table(("number", "value", "std. error", "n", "from"), rows)
    _say_purchase(found)
    open_ = [key for key, each in found.provenance.items() if each.by.startswith("not identified")]
    if open_:
        say(f"\nnot identified by these data, so no more than a guess: {', '.join(open_)}")
    far = table[table.off.abs() > 1.0]
    if len(far):
        say(f"\nnot reached within a standard error: {', '.join(far.number)}")


def _say_purchase(found: Calibration) -> None:
    """Which purchase model was chosen, and what each said of the last fifth."""
    if found.chosen is None:
        say(f"\npurchase model: {found.purchase['model']}, {found.purchase['caution']}")
        return
    made = found.chosen.forecast
    weeks = "in a calendar of its busy and quiet weeks" if made.seasonal else "in even weeks"
    say(f"\npurchase model: {made.name}, {weeks}")
    if made.tried:
        rows = [(one.model, f"{one.expected:,.0f}", f"{one.actual:,}", f"{one.off:+.1%}") for one in made.tried]
        say_table((f"last {made.judged_days} days by", "orders foretold", "came", "off"), rows)
    for caution in made.cautions:
        say(caution)


def _say_card(card: Scorecard) -> None:
    say(f"\nrealism: {len(card.rows) - len(card.missed)} of {len(card.rows)} within their tolerance")
    rows = [
        (
            r.name,
            f"{r.real:.4g}",
            f"{r.simulated:.4g}",
            f"{r.distance:.3f}",
            f"{r.tolerance:.3g}",
            "" if r.ok else "missed",
        )
        for r in card.rows
    ]
    say_table(("figure", "real", "simulated", "apart", "tolerance", ""), rows)
    for row in card.missed:
        if row.why:
            say(f"{row.name}: {row.why}")


def _figure(value: float, form: str) -> str:
    return "" if pd.isna(value) else f"{value:{form}}"


def _facts(found: Calibration, output: Path) -> dict[str, Any]:
    def rows(table: pd.DataFrame) -> Any:
        return json.loads(table.to_json(orient="records"))

    said = {key: each.model_dump(exclude_none=True) for key, each in found.provenance.items()}
    facts = {"world": str(output), "purchase": found.purchase, "fitted": rows(found.table()), "provenance": said}
    return facts | {"effects": rows(found.effects), "responses": rows(found.responses)}
