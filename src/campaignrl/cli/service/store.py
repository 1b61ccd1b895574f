"""`campaignrl store`: tokens, backup and restore, the flow into a ledger, the audit trail.

Not here: the store itself (service/store/), serving (serve.py), learning (learn.py).
"""

from __future__ import annotations

import datetime
import getpass
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from campaignrl.cli.inputs import day_of
from campaignrl.cli.service.learn import learn
from campaignrl.cli.terminal import Json, Output, WorldName, say, say_json, say_table, talk
from campaignrl.errors import CampaignError, Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.send import Prices, read_prices
from campaignrl.specs import load_world

store = typer.Typer(
    help="The store of a service: tokens, backup and restore, the flow into a ledger, learning, the audit trail.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Url = Annotated[str, typer.Argument(help="sqlite:///FILE or postgresql://USER@HOST/NAME.", metavar="STORE")]
Role = Annotated[str | None, typer.Option(help="viewer, sender, marketer or admin.")]
By = Annotated[str, typer.Option("--by", help="Name of who answers for it; default: your login.")]
LedgerAt = Annotated[Path, typer.Option("--ledger", help="Folder of the ledger.")]


@store.command()
def token(
    url: Url,
    name: Annotated[str | None, typer.Argument(help="What it is called; left out: list all.")] = None,
    role: Role = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Let nobody in with it any more.")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Make a token, which is shown once; revoke one; or list them."""
    from campaignrl.service import Store, list_tokens, make_token, revoke_token

    opened, who = Store.open(url), by or getpass.getuser()
    if name is None:
        with opened.reading() as con:
            rows: list[dict[str, Any]] = list_tokens(con)
        if as_json:
            say_json({"tokens": rows})
            return
        say_table(["name", "role", "holds"], [[str(v) for v in row.values()] for row in rows])
        return
    if revoke == (role is not None):
        raise UsageError(Problem("store token", "--role", role, "given for a new token, left out with --revoke"))
    with opened.writing() as con:
        if revoke:
            revoke_token(con, name, who)
            made = ""
        else:
            made = make_token(con, name, str(role), who)
    if as_json:
        say_json({"name": name, "role": role, "token": made or None, "revoked": revoke})
        return
    say(made or f"{name}: revoked")
    if made:
        talk("It is not shown again, and only its hash is kept. Send it as: Authorization: Bearer TOKEN.")


@store.command()
def backup(url: Url, output: Output = Path("service.backup"), as_json: Json = False) -> None:
    """Copy a store, which may be in use, into one file; it appears whole or not at all."""
    from campaignrl.service import back_up

    counts = back_up(url, output)
    if as_json:
        say_json({"file": str(output), "rows": counts})
        return
    say(f"{output}: {_said(counts)}")


@store.command()
def restore(
    url: Url,
    file: Annotated[Path, typer.Option("--from", help="Copy that `store backup` made.")],
    as_json: Json = False,
) -> None:
    """Make an empty store what a copy holds."""
    from campaignrl.service import restore as restored

    counts = restored(file, url)
    if as_json:
        say_json({"rows": counts})
        return
    say(f"restored {_said(counts)}")


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in ("decisions", "outcomes", "customers"))


@store.command()
def flow(
    url: Url,
    ledger: LedgerAt,
    every: Annotated[float | None, typer.Option(help="Seconds after which it flows again; left out: once.")] = None,
    as_json: Json = False,
) -> None:
    """Bring a ledger what the store has, each row once, and the store what others decided there."""
    from campaignrl.service import Store, StoreDown
    from campaignrl.service import flow as flowed

    opened = Store.open(url)
    while True:
        found = Ledger.open(ledger)
        world = found.form
        if world is None:
            raise UsageError(Problem("store flow", "ledger", str(ledger), "one that keeps its rules"))
        try:
            told = flowed(opened, found, world, datetime.date.today())
            if as_json:
                say_json(told._asdict())
            else:
                say("  ".join(f"{name} {many:,}" for name, many in told._asdict().items()))
        except StoreDown as down:
            if every is None:
                raise
            talk(str(down))
        if every is None:
            return
        time.sleep(every)


@store.command()
def rules(url: Url, world: WorldName, by: By = "", as_json: Json = False) -> None:
    """Give a store its world's changed rules; it serves them once it is started again."""
    from campaignrl.service import Store, note

    given, opened = load_world(world), Store.open(url)
    changed = opened.accept(given)
    with changed.writing() as con:
        note(con, by or getpass.getuser(), "rules changed", time.time(), {"world_hash": changed.world_hash})
    if as_json:
        say_json({"world": changed.world, "world_hash": changed.world_hash})
        return
    say(f"{changed.world}: rules {changed.world_hash[:12]} hold from the next start")


@store.command()
def prices(
    url: Url,
    file: Annotated[Path | None, typer.Option("--from", help="Plan by value, as decide --json says it.")] = None,
    none: Annotated[bool, typer.Option("--none", help="At no prices from now on.")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Show the prices at which the champion decides, or change them; workers see it within a second."""
    from campaignrl.service import Store, note, price_at, priced_at

    if file is not None and none:
        raise UsageError(Problem("store prices", "--none", "with --from", "one of the two"))
    told, opened = None if file is None else read_prices(file), Store.open(url)
    if file is None and not none:
        with opened.reading() as con:
            said = priced_at(con)
        told = Prices.from_dict(json.loads(said), url) if said else None
    facts: dict[str, Any] = {"prices": {}, "explore": 0.0} if told is None else told.to_dict()
    if file is not None or none:
        with opened.writing() as con:
            price_at(con, "" if told is None else json.dumps(facts))
            note(con, by or getpass.getuser(), "prices changed", time.time(), facts)
    if as_json:
        say_json(facts)
        return
    shown = [f"{name} {price:.6g}" for name, price in facts["prices"].items()]
    say(" · ".join(shown) if shown else "no prices: served by lot alone")


@store.command()
def trail(
    url: Url, last: Annotated[int, typer.Option(min=1, help="How many entries.")] = 20, as_json: Json = False
) -> None:
    """Who changed what; exit code 1 where an entry was altered, removed or put in."""
    from campaignrl.service import Store, broken_trail, read_trail

    with Store.open(url).reading() as con:
        entries, broken = read_trail(con, last), broken_trail(con)
    if as_json:
        say_json({"entries": [entry._asdict() for entry in entries], "broken_at": broken})
    else:
        when = [datetime.datetime.fromtimestamp(entry.at).isoformat(" ", "seconds") for entry in entries]
        rows = [
            [str(e.seq), w, e.who, e.what, str(e.detail.get("why", ""))] for e, w in zip(entries, when, strict=True)
        ]
        say_table(["seq", "when", "who", "what", "why"], rows)
    if broken is not None:
        raise CampaignError(
            f"the audit trail is broken: entry {broken} is not as it was written, or one before it is gone"
        )


@store.command()
def forget(
    url: Url,
    before: Annotated[str, typer.Option(help="Day, YYYY-MM-DD: older decisions to send nothing, and keys, go.")],
    as_json: Json = False,
) -> None:
    """Take old decisions to send nothing out of a store, once a ledger has them, and old idempotency keys."""
    from campaignrl.service import Store, drop_answers, forget_what_flowed

    opened, day = Store.open(url), day_of(before, "--before")
    gone = forget_what_flowed(opened, day)
    with opened.writing() as con:
        keys = drop_answers(con, datetime.datetime.combine(day, datetime.time()).timestamp())
    if as_json:
        say_json({"decisions": gone, "keys": keys})
        return
    say(f"{gone:,} decisions to send nothing and {keys:,} keys of before {day} are gone")


store.command("learn")(learn)
