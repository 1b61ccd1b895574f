"""The folder of a campaign on disk: what is remembered from morning to morning, the lock, the kill switch.

    campaign.toml   what the campaign is (campaign_file.py)         exports/, answers/   what comes in
    profiles/       one row a customer, made by `today`             ledger/              decided, sent, came of it
    plans/          a page and a list for each morning              sends/               approved lists, for the tool
    morning.html    the newest morning                              state.json           what each station has seen
    approvals.jsonl who released which plan                         halt.json            there while nothing may be sent
    trial.json      which challenger is on trial, and since when    champions.jsonl      who became champion, and why
    policies/       every policy that decided, as it was            learned/             what learned on from the log

Not here: what happens in the morning (morning.py, approval.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from campaignrl.errors import ArtifactError, Problem, UsageError
from campaignrl.tables.files import alone, write_whole

STATE, HALT, APPROVALS, LOCK = "state.json", "halt.json", "approvals.jsonl", ".lock"


def read_state(folder: Path) -> dict[str, Any]:
    """What each station has seen; empty before the first morning."""
    fix = "Take it away: the next morning does everything anew, and the ledger still holds every send once."
    return read_json(folder / STATE, fix)


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Remember what the stations have seen."""
    write_json(folder / STATE, state)


def read_json(path: Path, fix: str) -> dict[str, Any]:
    """An object that `write_json` wrote, empty where there is no file; ArtifactError where it cannot be read."""
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise ArtifactError(Problem(str(path), "content", "unreadable", "the JSON it was", fix)) from None


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """An object, whole or not at all."""
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False).encode()
    write_whole(path, lambda out: out.write(text))


def halted(folder: Path) -> dict[str, str] | None:
    """Who stopped the campaign, when and why; None where nobody did. An unreadable mark stops it as well."""
    path = folder / HALT
    if not path.exists():
        return None
    try:
        return {key: str(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {"who": "unknown", "when": "unknown", "why": f"{HALT} cannot be read"}


def require_going(folder: Path) -> None:
    """UsageError where the campaign was halted."""
    found = halted(folder)
    if found is not None:
        said = f"halted by {found.get('who')} on {str(found.get('when'))[:10]}: {found.get('why')}"
        fix = f"campaignrl halt {folder} --release ends it."
        raise UsageError(Problem("campaign", folder.name, said, "going on", fix))


def append_line(path: Path, facts: Mapping[str, Any]) -> None:
    """A line more in a file of JSON lines, which appears whole or stays as it was."""
    before = path.read_bytes() if path.exists() else b""
    line = json.dumps(facts, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    write_whole(path, lambda out: out.write(before + line))


def digest_of(paths: Mapping[str, Path]) -> str:
    """Of files, by their names and bytes."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(paths):
        with open(paths[name], "rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        found.update(f"{name}\0{content}\n".encode())
    return found.hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one morning at a time; the system frees the lock when a process dies."""
    with alone(folder / LOCK, where="campaign", field="lock", of=folder):
        yield
