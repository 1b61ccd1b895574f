"""`campaignrl audit`: was any rule broken? Recomputed from a log or a ledger; exit code 1 where one was.

Not here: how it is recomputed (send/audit.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from campaignrl.cli.inputs import Inputs, policy_name
from campaignrl.cli.terminal import Json, say, say_json, say_table, talk
from campaignrl.errors import Problem, UsageError
from campaignrl.ledger import Ledger
from campaignrl.policies import load_policy
from campaignrl.send import audit_ledger, not_looked_at, other_forms
from campaignrl.send.audit import audit as audit_log
from campaignrl.specs import bundled_files, load_world
from campaignrl.tables import read_log
from campaignrl.tables.log import DecisionLog


def audit(
    source: Annotated[Path, typer.Argument(help="Folder of a ledger, or a decision log.", metavar="LEDGER|LOG")],
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="World whose rules hold; default: the bundled one it names.")
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
    read = inputs.read(lambda: Ledger.open(source) if source.is_dir() else read_log(source))
    rules = inputs.read(lambda: load_world(world or _world_of(read.value, source)))
    named = inputs.read(lambda: None if policy is None else policy_name(policy, world))
    player = inputs.read(lambda: None if named.value is None else load_policy(named.value, rules.value))
    inputs.read(lambda: _require_ledger(head, source))
    inputs.check()
    if isinstance(read.value, Ledger):
        many, broken = audit_ledger(read.value, rules.value, player.value, head)
    else:
        many, broken = len(read.value), audit_log(read.value, rules.value, policy=player.value)
    silent = not_looked_at(rules.value, read.value)
    if isinstance(read.value, Ledger) and (others := other_forms(read.value, rules.value)):
        silent.append(f"{others:,} decisions under another form of the rules")
    if silent:
        talk(f"not looked at, since {source} does not keep what they rest on: {', '.join(silent)}")
    if as_json:
        facts = {"decisions": many, "world": rules.value.name, "broken": [found._asdict() for found in broken]}
        say_json({**facts, "not_looked_at": silent} if silent else facts)
    else:
        say(f"{many:,} decisions in {rules.value.name}: " + ("no rule is broken" if not broken else "rules are broken"))
        if broken:
            say_table(("rule", "rows", "the first"), [(f.rule, f"{f.many:,}", "; ".join(f.rows)) for f in broken])
    raise typer.Exit(1 if broken else 0)


def _require_ledger(head: str | None, source: Path) -> None:
    if head is not None and not source.is_dir():
        raise UsageError(Problem("audit", "--head", head, "given for the folder of a ledger: a log has no chain"))


def _world_of(source: Ledger | DecisionLog, path: Path) -> str:
    """The bundled world that a ledger or log names; only a name of ours is ever followed."""
    named = source.world if isinstance(source, Ledger) else str(source.meta.get("world", ""))
    if named not in bundled_files("envs"):
        raise UsageError(f"{path} does not name a bundled world: give its rules with --world.")
    return named
