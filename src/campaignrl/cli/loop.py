"""`campaignrl init`, `today`, `approve`, `halt`: a folder that a marketing team lives in.

Not here: what they do (loop/).
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import day_of
from campaignrl.cli.terminal import Json, say, say_json, talk
from campaignrl.errors import UsageError
from campaignrl.loop import STUDY, Approved, Today, confirm, new_campaign, new_study, release
from campaignrl.loop import approve as approve_plan
from campaignrl.loop import halt as halt_campaign
from campaignrl.loop import today as do_today

Folder = Annotated[Path, typer.Argument(help="Folder of the campaign.", metavar="FOLDER")]
AsOf = Annotated[str | None, typer.Option(help="Day that is decided for, YYYY-MM-DD; default: today.")]
By = Annotated[str, typer.Option("--by", help="Name of who answers for it.")]


def init(
    folder: Folder,
    exports: Annotated[
        list[Path] | None,
        typer.Argument(help="One's own exports, of which the meaning is guessed.", metavar="[FILE]..."),
    ] = None,
    own: Annotated[
        list[Path] | None, typer.Option("--from", help="One of one's own exports; more may follow as words.")
    ] = None,
    template: Annotated[
        str,
        typer.Option(help="Whose world, tags and rules: shop, bank, retail, travel; or study: a researcher's folder."),
    ] = "shop",
    start: Annotated[str | None, typer.Option(help="First day of the campaign, YYYY-MM-DD; default: today.")] = None,
    confirmed: Annotated[
        bool, typer.Option("--confirm", help="Of a folder that is there: its guesses were looked at, and are right.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a campaign's folder: with example exports, or from one's own files, whose meaning it guesses."""
    if confirmed:
        _confirm(folder, [*(own or []), *(exports or [])], as_json)
        return
    files = [*(own or []), *(exports or [])]
    if template == STUDY:
        _study(folder, files, as_json)
        return
    made = new_campaign(folder, template=template, exports=files, start=day_of(start, "--start"))
    if as_json:
        facts = {"folder": str(folder), "files": list(made.lines), "guesses": [g._asdict() for g in made.guesses]}
        say_json({**facts, "alerts": list(made.alerts)})
        return
    for line in made.lines:
        say(line)
    for guess in made.guesses:
        say(f"  to confirm: {guess.says} ({guess.file})")
    for alert in made.alerts:
        say(f"! {alert}")
    say(f"wrote {folder / 'campaign.toml'}" + (f": {len(made.guesses)} guesses to confirm" if made.guesses else ""))
    say(f"next: campaignrl today {folder}")


def _study(folder: Path, files: list[Path], as_json: bool) -> None:
    if files:
        raise UsageError("--template study goes with a new folder, and no files.")
    made = new_study(folder)
    if as_json:
        say_json({"folder": str(folder), "files": [str(path) for path in made]})
        return
    say(f"wrote {', '.join(str(path) for path in made)}")
    say(f"next: cd {folder} && python study.py")


def _confirm(folder: Path, files: list[Path], as_json: bool) -> None:
    if files:
        raise UsageError("--confirm goes with a folder that is there, and no files.")
    found = confirm(folder)
    if as_json:
        say_json({"folder": str(folder), "confirmed": [guess.model_dump() for guess in found]})
        return
    for guess in found:
        say(f"confirmed: {guess.says} ({guess.file})")
    say(f"next: campaignrl today {folder}" if found else f"{folder}: nothing was left to confirm")


def today(
    folder: Folder,
    as_of: AsOf = None,
    auto: Annotated[
        str | None, typer.Option("--auto", help="Release the plan at once, by the name of who answers for it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Do this morning's work: exports to profiles, what came back, who may decide, the plan. It sends nothing."""
    found = do_today(folder, day=day_of(as_of), watch=_tell)
    done = None if auto is None else approve_plan(folder, day=found.day, who=auto, now=datetime.datetime.now())
    if as_json:
        say_json({**_facts(found), **({} if done is None else {"waits_for": "", "list": str(done.path)})})
        return
    for one in found.stations:
        say(f"{one.name:<10} {one.said}")
    for alert in found.alerts:
        say(f"! {alert}")
    say(f"page       {found.page}")
    waits = f"     waits for: {found.waits_for}" if found.waits_for and done is None else ""
    say(f"plan       {found.list_path}{waits}")
    if done is not None:
        say(f"approve    {_released(done)}")


def _tell(name: str, seconds: float) -> None:
    talk(f"{name:<10} {seconds:.1f} s")


def _facts(found: Today) -> dict[str, object]:
    plan = found.plan
    assert plan is not None
    facts: dict[str, object] = {"day": found.day.isoformat(), "sends": plan.sends, "customers": plan.customers}
    facts |= {"cost_minor": plan.cost, "currency": plan.currency, "waits_for": found.waits_for}
    facts |= {"alerts": found.alerts, "page": str(found.page), "plan": str(found.list_path)}
    return {**facts, "stations": [{"name": s.name, "said": s.said, "seconds": s.seconds} for s in found.stations]}


def approve(folder: Folder, by: By, as_of: AsOf = None, as_json: Json = False) -> None:
    """Release the plan of the day: decisions to the ledger, the send list to FOLDER/sends."""
    found = approve_plan(folder, day=day_of(as_of), who=by, now=datetime.datetime.now())
    if as_json:
        facts = {"day": found.day.isoformat(), "list": str(found.path), "sends": found.sends, "lost": found.lost}
        say_json({**facts, "by": found.who})
        return
    say(_released(found))


def _released(found: Approved) -> str:
    lost = f" ({found.lost:,} fewer than planned: no longer allowed)" if found.lost else ""
    return f"{found.sends:,} sends released by {found.who}{lost}: {found.path}"


def halt(
    folder: Folder,
    by: By,
    why: Annotated[str, typer.Option(help="The reason, for those who come after.")],
    again: Annotated[bool, typer.Option("--release", help="End the halt.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a campaign at once: no plan and no approval until the halt is released."""
    act = release if again else halt_campaign
    act(folder, who=by, why=why, now=datetime.datetime.now())
    if as_json:
        say_json({"folder": str(folder), "halted": not again, "by": by, "why": why})
        return
    say(f"{folder}: " + ("goes on" if again else "halted") + f" by {by}: {why}")
