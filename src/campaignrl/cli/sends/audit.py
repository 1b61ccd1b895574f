"""`campaignrl audit`: was any rule broken? Recomputed from a log or a ledger; exit code 1 where one was.

Not here: how it is recomputed (send/audit.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, policy_name
from campaignrl.cli.terminal import Json, say, say_json, say_table, talk
from campaignrl.errors import DataError, Problem, UsageError, nearest
from campaignrl.ledger import FACTS, Ledger
from campaignrl.policies import load_policy
from campaignrl.send import audit_ledger, forms_of, not_looked_at, other_forms
from campaignrl.send.audit import audit as audit_log
from campaignrl.specs import World, bundled_files, load_world, world_hash
from campaignrl.tables import read_log
from campaignrl.tables.log import DecisionLog


def audit(
    source: Annotated[Path, typer.Argument(help="Folder of a ledger, or a decision log.", metavar="LEDGER|LOG")],
    world: Annotated[
        str | None,
        typer.Option(
            "--world",
            "-w",
            help="World whose rules held; default: those the ledger keeps, or the bundled one the log names.",
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", "-p", help="Who decided: its propensities are recomputed too.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="Head of the ledger's chain, as `ledger show` said it before: must be in it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute every rule from what was decided; exit code 1 where one was broken."""
    inputs = Inputs()
    read = inputs.read(lambda: _source(source))
    rules = inputs.read(lambda: _rules(world, read.value, source))
    named = inputs.read(lambda: None if policy is None else policy_name(policy, world))
    player = inputs.read(lambda: None if named.value is None else load_policy(named.value, rules.value[0]))
    inputs.read(lambda: _require_ledger(head, source))
    inputs.check()
    name, forms = rules.value[0].name, len(rules.value)
    silent = [*dict.fromkeys(text for form in rules.value for text in not_looked_at(form, read.value))]
    if isinstance(read.value, Ledger):
        given = None if world is None else rules.value[0]
        many, broken = audit_ledger(read.value, given, player.value, head)
        if others := other_forms(read.value, given):
            silent.append(f"{others:,} decisions under a form of the rules that it does not keep")
    else:
        many, broken = len(read.value), audit_log(read.value, rules.value[0], policy=player.value)
    if silent:
        talk(f"not looked at, since {source} does not keep what they rest on: {', '.join(silent)}")
    if as_json:
        facts = {"decisions": many, "world": name, "forms": forms, "broken": [found._asdict() for found in broken]}
        say_json({**facts, "not_looked_at": silent} if silent else facts)
    else:
        under = f" under {forms} forms of its rules" if forms > 1 else ""
        say(f"{many:,} decisions in {name}{under}: " + ("no rule is broken" if not broken else "rules are broken"))
        if broken:
            say_table(("rule", "rows", "the first"), [(f.rule, f"{f.many:,}", "; ".join(f.rows)) for f in broken])
    raise typer.Exit(1 if broken else 0)


def _source(path: Path) -> Ledger | DecisionLog:
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if (p / FACTS).is_file()) if path.parent.is_dir() else []
        fix = nearest(path.name, near) or (f"Ledgers beside it: {', '.join(near)}." if near else "")
        raise DataError(
            Problem("audit", "LEDGER|LOG", str(path), "the folder of a ledger, or a log, that is there", fix)
        )
    return Ledger.open(path) if path.is_dir() else read_log(path)


def _rules(world: str | None, source: Ledger | DecisionLog, path: Path) -> list[World]:
    """Of a ledger all the forms of its rules that it keeps, the one that is given first; of a log its world."""
    named = None if world is None else load_world(world)
    if isinstance(source, Ledger) and (named is not None or source.forms()):
        forms = forms_of(source, named)
        first = named or list(forms.values())[-1]
        return [
            first,
            *(form for form in forms.values() if form is not first and world_hash(form) != world_hash(first)),
        ]
    return [named or load_world(_world_of(source, path))]


def _require_ledger(head: str | None, source: Path) -> None:
    if head is not None and not source.is_dir():
        raise UsageError(Problem("audit", "--head", head, "given for the folder of a ledger: a log has no chain"))


def _world_of(source: Ledger | DecisionLog, path: Path) -> str:
    """The bundled world that a ledger or log names; only a name of ours is ever followed."""
    named = source.world if isinstance(source, Ledger) else str(source.meta.get("world", ""))
    if named not in bundled_files("envs"):
        raise UsageError(f"{path} does not name a bundled world: give its rules with --world.")
    return named
