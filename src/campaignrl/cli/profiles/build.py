"""`campaignrl profile`: customers from their events, and kept up to date.

Not here: showing and searching them (show.py), segments (segment.py).
"""

from __future__ import annotations

import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.inputs import Inputs
from campaignrl.cli.profiles.feedback import feedback
from campaignrl.cli.profiles.items import recommend
from campaignrl.cli.profiles.segment import draw, segment
from campaignrl.cli.profiles.show import cohorts, say_tags, show
from campaignrl.cli.profiles.watch import watch
from campaignrl.cli.terminal import Encoding, Json, progress, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.profiles.events import is_date_of_permission, is_permission
from campaignrl.profiles.intake import IntakeResult, in_a_line, keeps_lines, tell_tags
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.segments import load_segments
from campaignrl.profiles.store import (
    Profiles,
    Update,
    build_folder,
    money_of,
    require_currency,
    reweight_folder,
    update_folder,
    update_from_exports,
)
from campaignrl.profiles.table import summarise_tags
from campaignrl.profiles.tags import load_tags
from campaignrl.report.pages import completeness, in_words, quality_page
from campaignrl.specs import World, load_world
from campaignrl.tables import read_log
from campaignrl.tables.files import column_names

profile = typer.Typer(
    help="Customer profiles: build tags from raw events, update them, segment customers, show them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Folder = Annotated[Path, typer.Option("--output", "-o", help="Profile folder to write.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Morning of which day, as 2026-11-21; default: the newest.")]


@profile.command()
def build(
    output: Folder,
    mapping: Annotated[Path | None, typer.Argument(help="Mapping TOML of the raw exports.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the raw exports; default: the mapping's.")] = None,
    events: Annotated[Path | None, typer.Option(help="Start from a ready events table, instead of a mapping.")] = None,
    attributes: Annotated[Path | None, typer.Option(help="One row a customer, beside --events.")] = None,
    refreshes: Annotated[Path | None, typer.Option(help="Earlier looks at the attributes, beside --events.")] = None,
    tags: Annotated[str, typer.Option("--tags", "-t", help="Tag set: shop, bank, retail, or a TOML file.")] = "shop",
    as_of: AsOf = None,
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="Also the features that this world's policies read.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First day of the campaign, with --world; default: --as-of.")
    ] = None,
    never_contacted: Annotated[
        bool, typer.Option("--never-contacted", help="No contacts in the data means that there were none.")
    ] = False,
    segments: Annotated[
        Path | None, typer.Option(help="segments.json of `profile segment`: keep its segments as a column.")
    ] = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Raw exports or ready events -> a folder with profiles.parquet: one row a customer, a column per tag."""
    if (mapping is None) == (events is None):
        raise UsageError("give either MAPPING or --events FILE, to say what to start from.")
    inputs = Inputs()
    asked, first = inputs.read(lambda: _day(as_of, "--as-of")), inputs.read(lambda: _day(start, "--start"))
    inputs.read(lambda: load_tags(tags))
    place = inputs.read(lambda: None if world is None else load_world(world))
    kept = inputs.read(lambda: None if segments is None else load_segments(segments).segmentation)
    inputs.check()
    day = asked.value
    if mapping is not None:
        with progress(f"intake    {mapping.name}") as step:
            until = None if day is None else datetime.combine(day, time())
            taken = intake(
                mapping,
                data or mapping.parent,
                output,
                until,
                page=quality_page,
                progress=step,
                encoding=encoding,
                keep=True,
            )
        _say_rows(taken, output)
        events, attributes = taken.events_path, output / "attributes.parquet"
    with progress("tags"):
        made = build_folder(
            output,
            events or Path(),
            attributes,
            tags,
            day,
            refreshes=refreshes,
            world=world,
            start=first.value,
            encoding=encoding,
            never_contacted=never_contacted,
            segments=kept.value,
        )
    _tell_quality(output, made)
    _say_untold(output / "attributes.parquet", tags)
    _say_reach(made)
    _say_contacts(made)
    _say_unheard(made)
    _say_money(place.value, output)
    talk(f"{len(made.frame):,} customers, {len(made.frame.columns) - 1} tags, written to {output}")
    _answer(made, as_json, {"folder": str(output)})


@profile.command()
def update(
    folder: Annotated[Path, typer.Argument(help="Profile folder, as `profile build` leaves it.")],
    events: Annotated[list[Path] | None, typer.Argument(help="New events tables (Parquet).")] = None,
    attributes: Annotated[Path | None, typer.Option(help="New attributes, one row a customer.")] = None,
    as_of: AsOf = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping TOML of new raw exports, or of --results.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the new raw exports.")] = None,
    results: Annotated[Path | None, typer.Option(help="Decision log of a campaign, to weigh a score anew.")] = None,
    score: Annotated[str, typer.Option(help="The score tag to weigh anew.")] = "engagement",
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="From now on also the features of this world's policies.")
    ] = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Apply new events (late ones too) to a profile folder, or weigh a score anew by a campaign's results."""
    if results is not None:
        with progress("weights"):
            made, table = reweight_folder(folder, score, read_log(results, mapping, encoding=encoding))
        rows = [[str(row[0]), *(f"{v:.4g}" for v in row[1:])] for row in table.itertuples(index=False)]
        if not as_json:
            say_table([str(name) for name in table.columns], rows, title=f"{score}: response by group, new weights")
        _answer(made, as_json, {"weights": dict(zip(table["tag"], table["weight"], strict=True))}, quiet=True)
        return
    new, day = list(events or []), _day(as_of, "--as-of")
    if data is not None and mapping is not None and keeps_lines(folder) and not (new or attributes):
        with progress(f"intake    {mapping.name}") as step:
            taken, done = update_from_exports(
                folder, mapping, data, day, page=quality_page, progress=step, encoding=encoding
            )
        _say_rows(taken, folder)
        _say_update(done, folder, as_json)
        return
    if data is not None and mapping is not None:
        with progress(f"intake    {mapping.name}") as step:
            inbox = folder / "inbox" / data.name
            until = None if day is None else datetime.combine(day, time())
            taken = intake(mapping, data, inbox, until, page=quality_page, progress=step, encoding=encoding)
        _say_rows(taken, inbox)
        new.append(taken.events_path)
        attributes = attributes or inbox / "attributes.parquet"
    if not new and attributes is None and day is None and world is None:
        raise UsageError(
            "nothing new: give events, --attributes, --data with --mapping, --as-of, --world or --results."
        )
    place = None if world is None else load_world(world)
    _say_money(place, folder)
    with progress("tags"):
        done = update_folder(folder, new, attributes, day, world=place, encoding=encoding)
    _say_update(done, folder, as_json)


def _say_money(world: World | None, folder: Path) -> None:
    """That amounts are in another currency than the world's, whose policies would take one for the other."""
    if world is None:
        return
    try:
        require_currency(str(folder), money_of(folder)[0], world, folder)
    except UsageError as wrong:
        talk(str(wrong))


def _say_update(done: Update, folder: Path, as_json: bool) -> None:
    _tell_quality(folder, done.profiles)
    talk(f"{done.events:,} new events ({done.late:,} late), {done.customers:,} new customers, {folder} is up to date")
    _say_reach(done.profiles)
    _say_unheard(done.profiles)
    counts = {"events": done.events, "late": done.late, "new_customers": done.customers}
    _answer(done.profiles, as_json, {"folder": str(folder), **counts})


profile.command()(show)
profile.command()(cohorts)
profile.command()(watch)
profile.command()(segment)
profile.command()(recommend)
profile.command()(feedback)
profile.command()(draw)


def _say_rows(taken: IntakeResult, folder: Path) -> None:
    """What became of the rows that were read, and where the rest of that is told."""
    for source in taken.quality["sources"]:
        talk(in_a_line(source))
    if taken.conflicts:
        what = {"report": "left apart", "merge": "taken as one customer"}.get(taken.quality["links"]["conflicts"], "")
        talk(f"{taken.conflicts:,} ids are shared by several members, {what}: see links.parquet")
    talk(f"every row left out is in {folder / 'rejects.parquet'}; the state of the data: {folder / 'quality.html'}")


def _tell_quality(folder: Path, made: Profiles) -> None:
    """The quality page of a folder says what each tag rests on; on the terminal, how complete the data are."""
    tell_tags(folder, made.facts["tags"], quality_page)
    file = folder / "quality.json"
    if file.is_file():
        talk(in_words(completeness(json.loads(file.read_text(encoding="utf-8"))["sources"])))


def _say_untold(attributes: Path, tags: str) -> None:
    """Attributes that no tag shows: nobody should wonder where they went."""
    if not attributes.is_file():
        return
    shown = {"customer_id", "joined", "refreshed", *(tag.of for tag in load_tags(tags).tags.values())}
    left = [
        name
        for name in column_names(attributes)
        if name not in shown and not is_permission(name) and not is_date_of_permission(name)
    ]
    if left:
        talk(f'in attributes.parquet only: {", ".join(left)}. For a tag: kind = "attribute", of = "{left[0]}"')


def _say_contacts(made: Profiles) -> None:
    """That contacts are unknown is said, for `decide` then takes every cap as full."""
    if any(name.startswith("contacts_") and made.frame[name].isna().all() for name in made.frame.columns):
        talk("contacts: unknown, for the data hold none; say --never-contacted if there were none, or use a ledger")


def _say_unheard(made: Profiles) -> None:
    """Levels that the world does not know: its policies decide for those customers as if nobody had said anything."""
    world = made.facts.get("world", "")
    for feature, levels in made.facts.get("unheard", {}).items():
        few = ", ".join(f"{level} ({n:,})" for level, n in list(levels.items())[:5])
        more = f" and {len(levels) - 5} more" if len(levels) > 5 else ""
        way = (
            "a world of these segments: campaignrl calibrate FOLDER --segments segment" if feature == "segment" else ""
        )
        talk(f"{feature}: {world} does not know {few}{more}: unknown to its policies{'; ' if way else ''}{way}")


def _say_reach(made: Profiles) -> None:
    """How many may be contacted on each channel, and why the others may not."""
    parts = []
    for channel, facts in made.facts["permissions"].items():
        why = [f"{n:,} {reason}" for reason, n in facts["refused"].items()]
        why += [f"{facts['unknown']:,} no word"] if facts["unknown"] else []
        parts.append(f"{channel} {facts['reachable']:,}" + (f" (not: {', '.join(why)})" if why else ""))
    if parts:
        talk(f"reachable of {len(made.frame):,}: {' · '.join(parts)}")
    else:
        talk("reachable: nobody, for the data hold no consent: attributes consent_CHANNEL, or events `subscribed`")


def _answer(made: Profiles, as_json: bool, more: dict[str, Any], quiet: bool = False) -> None:
    if as_json:
        say_json({**more, **made.facts})
    elif not quiet:
        say_tags(len(made.frame), made.facts, summarise_tags(made.frame, made.facts))


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(Problem("profile", option, text, "a day, such as 2026-11-21")) from None
