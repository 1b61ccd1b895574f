"""`campaignrl profile show` and `cohorts`: the tags of all customers, of one, or of those that a search finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from campaignrl.cli.terminal import Encoding, Json, say, say_json, say_table, talk
from campaignrl.errors import UsageError
from campaignrl.profiles.table import (
    CustomerTag,
    Facts,
    Found,
    TagSummary,
    customer_tags,
    keep_cohort,
    read_profiles_file,
    search,
    summarise_tags,
    tag_tree,
    who,
    write_profiles,
)
from campaignrl.profiles.table import (
    cohorts as kept_cohorts,
)
from campaignrl.tables.files import write_frame

ROOM = 27  # characters for values in a table of 80


def show(
    profiles: Annotated[Path, typer.Argument(help="Profiles file, or the folder that holds it.")],
    customer: Annotated[str | None, typer.Option(help="Show the tags of one customer.")] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="Only customers for whom it holds: \"stage == 'loyal' and spend > 500\"."),
    ] = None,
    cohort: Annotated[str | None, typer.Option(help="Only customers of a search kept by --save.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Say how many, and no more.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the rows of those customers: .parquet or .csv; `decide` reads them.")
    ] = None,
    save: Annotated[str | None, typer.Option(help="Keep the search in the folder under this name.")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="The tags as a tree, by level.")] = False,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """The tags of a profiles table: of all customers, of one (--customer), or of those found (--where)."""
    asked = {"--where": where, "--cohort": cohort, "--count": count, "--export": export, "--save": save, "--tree": tree}
    _check_options([name for name, given in asked.items() if given], customer, export)
    if customer is not None:
        _say_customer(customer, customer_tags(profiles, customer, encoding=encoding), as_json)
        return
    frame, facts = read_profiles_file(profiles, encoding=encoding)
    found = _found(profiles, frame, facts, where, cohort)
    chosen = frame if found is None else frame[found.yes].reset_index(drop=True)
    if save is not None and where is not None:
        keep_cohort(profiles, save, where)
        talk(f"kept: campaignrl profile show {profiles} --cohort {save}")
    if export is not None:
        _export(chosen, facts, export)
        talk(f"{len(chosen):,} customers written to {export}")
    counts = _counts(chosen, frame, found)
    if count:
        _say_count(counts, as_json)
    elif as_json:
        tags = {tag.name: tag._asdict() for tag in summarise_tags(chosen, facts)}
        shown = {name: {k: v for k, v in tag.items() if k != "name"} for name, tag in tags.items()}
        say_json({**{key: value for key, value in facts.items() if key != "tags"}, **counts, "tags": shown})
    else:
        _say_found(counts, found)
        _say_all(chosen, facts, tree)


def cohorts(
    folder: Annotated[Path, typer.Argument(help="Profile folder with searches kept by `profile show --save`.")],
    as_json: Json = False,
) -> None:
    """The searches kept in a folder, and how many customers each finds today."""
    frame, facts = read_profiles_file(folder)
    rows = [(one, who(frame, one.name, folder, facts)) for one in kept_cohorts(folder)]
    if as_json:
        told = [{**one._asdict(), "customers": f.customers, "unknown": int(f.unknown.sum())} for one, f in rows]
        say_json({"customers": len(frame), "cohorts": told})
        return
    if not rows:
        say(f'none kept yet: campaignrl profile show {folder} --where "..." --save NAME')
        return
    header = ("cohort", "customers", "share", "unknown", "where")
    say_table(
        header,
        [
            (
                one.name,
                f"{f.customers:,}",
                f"{f.customers / max(len(frame), 1):.1%}",
                f"{int(f.unknown.sum()):,}",
                one.where,
            )
            for one, f in rows
        ],
    )


def _check_options(given: list[str], customer: str | None, export: Path | None) -> None:
    if customer is not None and given:
        raise UsageError(f"--customer shows one customer: leave out {', '.join(given)}.")
    if "--where" in given and "--cohort" in given:
        raise UsageError("give --where or --cohort, not both.")
    if "--save" in given and "--where" not in given:
        raise UsageError("--save keeps a search: give --where too.")
    if export is not None and export.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{export}: --export takes .parquet or .csv.")


def _found(place: Path, frame: pd.DataFrame, facts: Facts, where: str | None, cohort: str | None) -> Found | None:
    if cohort is not None:
        return who(frame, cohort, place, facts)
    return None if where is None else search(frame, where, facts)


def _counts(chosen: pd.DataFrame, frame: pd.DataFrame, found: Found | None) -> dict[str, Any]:
    """Of a search also out of how many, and of how many it cannot be told; its notes are said."""
    if found is None:
        return {"customers": len(chosen)}
    for note in found.notes:
        talk(note)
    return {"customers": len(chosen), "of": len(frame), "unknown": int(found.unknown.sum())}


def _say_found(counts: dict[str, Any], found: Found | None) -> None:
    if found is not None:
        unsure = f"; unknown of {counts['unknown']:,}" if counts["unknown"] else ""
        say(f"{counts['customers']:,} of {counts['of']:,} customers{unsure}\n")


def _say_all(chosen: pd.DataFrame, facts: Facts, tree: bool) -> None:
    tags = summarise_tags(chosen, facts)
    if tree:
        _say_tree(tags)
    else:
        say_tags(len(chosen), facts, tags)


def _say_count(counts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(counts)
        return
    say(f"{counts['customers']:,}")
    if counts.get("unknown"):
        talk(f"of {counts['of']:,}; of {counts['unknown']:,} more it cannot be told, for a tag is unknown")


def _export(chosen: pd.DataFrame, facts: Facts, path: Path) -> None:
    if path.suffix == ".parquet":
        write_profiles(chosen, {**facts, "customers": len(chosen)}, path)
    else:
        write_frame(chosen, path)


def _say_tree(tags: list[TagSummary]) -> None:
    for level, inside in tag_tree(tags).items():
        say(f"{level} ({len(inside)})")
        for tag in inside:
            about = f": {tag.title}" if tag.title and tag.title != tag.name else ""
            say(f"  {tag.name}{about} · known {tag.known:.0%} · {_values(tag)}".rstrip(" ·"))


def say_tags(customers: int, facts: dict[str, Any], tags: list[TagSummary]) -> None:
    """The table of all tags, or of those of the customers that were found."""
    words = [f"{customers:,} customers", f"{len(tags)} tags"]
    if facts.get("as_of"):
        words.append(f"as of the morning of {facts['as_of']}")
    if facts.get("tag_set"):
        words.append(f"tag set {facts['tag_set']['name']}")
    say(", ".join(words))
    say("Values: 5 %, median, 95 %, or the most frequent with their shares.\n")
    header = ("tag", "level", "known", "newest", "values")
    say_table(header, [(t.name, t.level, f"{t.known:.0%}", _moment(t.freshness), _values(t)) for t in tags])


def _say_customer(customer: str, tags: list[CustomerTag], as_json: bool) -> None:
    if as_json:
        shown = {t.name: {"value": t.value, "unit": t.unit, "freshness": t.freshness} for t in tags}
        say_json({"customer_id": customer, "tags": shown})
        return
    say(f"{customer}\n")
    say_table(
        ("tag", "level", "value", "newest event"), [(t.name, t.level, _value(t), _moment(t.freshness)) for t in tags]
    )


def _values(tag: TagSummary) -> str:
    """What fits beside the other columns on a terminal of 80; the most frequent value is always said."""
    if tag.quantiles is not None:
        return " · ".join(_number(q) for q in tag.quantiles)
    text = ""
    for level, share in tag.top:
        longer = f"{text}, {level} {share:.0%}" if text else f"{level} {share:.0%}"
        if text and len(longer) > ROOM:
            break
        text = longer
    return text


def _value(tag: CustomerTag) -> str:
    if tag.value is None:
        return "-"
    if isinstance(tag.value, bool):
        return "yes" if tag.value else "no"
    if isinstance(tag.value, float):
        unit = f" {tag.unit}" if tag.unit in ("days", "minutes") else ""
        return f"{_number(tag.value)}{unit}"
    return str(tag.value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _moment(freshness: str | None) -> str:
    return "" if freshness is None else freshness[:10]
