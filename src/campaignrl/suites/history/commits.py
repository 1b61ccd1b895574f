"""Which commit a benchmark was made at, and which came before it: asked of git, where there is one.

Not here: which of them have results (entries.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from campaignrl.errors import UsageError

UNKNOWN = "unknown"
SHORT = 12  # digits of a hash in names


class Commit(NamedTuple):
    """One commit: its hash, and when and with which words it was made."""

    id: str
    time: str = ""  # ISO 8601
    subject: str = ""
    changed: bool = False  # what was measured are its files with changes that nobody committed

    @property
    def short(self) -> str:
        """For people and file names."""
        return self.id[:SHORT]

    @property
    def said(self) -> str:
        """Its words, and whether it was measured as it is."""
        return f"{self.subject} (with changes that are not committed)".lstrip() if self.changed else self.subject


def commit_of(reference: str | None = None, folder: str | Path = ".", besides: str | Path | None = None) -> Commit:
    """The commit that a reference names (not given: HEAD); UsageError where git cannot tell.

    besides: a folder whose own changes do not count, such as that of the history.
    """
    shown = _git(folder, "show", "-s", "--format=%H%n%cI%n%s", f"{reference or 'HEAD'}^{{commit}}", "--")
    if shown is None:
        if reference is not None and reference.isalnum():
            return Commit(reference)  # no repository here, but a name is enough to keep results under
        raise UsageError(f"{folder}: git knows no commit {reference or 'HEAD'}. Give one: --commit ID.")
    found, time, subject = (*shown.split("\n", 2), "", "")[:3]
    return Commit(found, time, subject.strip(), reference is None and _changed(folder, besides))


def ancestors(commit: Commit, folder: str | Path = ".") -> list[str]:
    """Hashes of the commits before this one, nearest first; empty where git cannot tell."""
    listed = _git(folder, "rev-list", "--topo-order", commit.id, "--")
    return [] if listed is None else [line for line in listed.split() if line != commit.id]


def _changed(folder: str | Path, besides: str | Path | None) -> bool:
    ask = ("status", "--porcelain", "--untracked-files=no", "--", ":/")
    apart = None if besides is None else _git(folder, *ask, f":(exclude){besides}")  # None: outside of the repository
    return bool(_git(folder, *ask) if apart is None else apart)


def _git(folder: str | Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
