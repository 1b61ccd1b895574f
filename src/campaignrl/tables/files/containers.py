"""Files within files and beside each other: zip archives, folders of daily files, names with * in them.

Here: which files there are, members of archives laid down one by one under names of our own. Not here: what they hold.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

from campaignrl.errors import DataError, unknown
from campaignrl.tables.files.csv_text import CHUNK, DENSEST, SMALLEST

MEMBERS = 1_000  # of an archive
LARGEST = 20 << 30  # bytes of all members together
WILD = ("*", "?", "[")
HIDDEN = (".", "_", "~$")  # first signs of names that are nobody's export


class Found(NamedTuple):
    """A file, and what to call it."""

    path: Path
    name: str
    beside: Path | None = None  # where tables beside it lie, if not in its own folder


def files_under(root: Path, pattern: str, scratch: Path, tag: str) -> list[Found]:
    """The files that a name, a name with * or a folder stands for, in order of name; archives are opened.

    Raises:
        UnknownName: there is no such file.
        DataError: an archive is damaged, or larger than anybody's export.
    """
    path = root / pattern
    if path.is_dir():
        paths = sorted(one for one in path.rglob("*") if one.is_file())
    elif any(sign in pattern for sign in WILD) and not path.exists():
        paths = sorted(one for one in root.glob(pattern) if one.is_file())
    else:
        paths = [path]
    paths = [one for one in paths if one == path or not one.name.startswith(HIDDEN)]
    if not paths:
        siblings = [p.name for p in root.iterdir()] if root.is_dir() else []
        raise unknown("file", pattern, siblings, f"Looked in {root}. Say where the exports are with --data FOLDER.")
    found = []
    for k, one in enumerate(paths):
        name = one.name if one == path else str(one.relative_to(root))
        found += _members(one, name, scratch, f"{tag}_{k}") if one.suffix.lower() == ".zip" else [Found(one, name)]
    return found


def _members(path: Path, name: str, scratch: Path, tag: str) -> list[Found]:
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise unknown("file", path.name, siblings, f"Looked in {path.parent}.")
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if not one.is_dir() and _is_export(one.filename)]
            _refuse_bombs(path, inside)
            return [_laid_down(archive, one, name, scratch / f"{tag}_{k}") for k, one in enumerate(inside)]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as wrong:
        raise DataError(f"{path}: cannot be read: {wrong}") from None


def _is_export(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" not in parts and not parts[-1].startswith(HIDDEN)


def _refuse_bombs(path: Path, inside: list[zipfile.ZipInfo]) -> None:
    if not inside:
        raise DataError(f"{path}: holds no file.")
    whole = sum(one.file_size for one in inside)
    packed = sum(one.compress_size for one in inside)
    if len(inside) > MEMBERS or whole > LARGEST or whole > DENSEST * max(packed, SMALLEST):
        raise DataError(f"{path}: holds {len(inside):,} files of {whole:,} bytes, more than an export would.")


def _laid_down(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, stem: Path) -> Found:
    """The member under a name of our own, with its endings: what it calls itself never becomes a path."""
    ends = "".join(Path(member.filename).suffixes[-2:]).lower()
    target = stem.with_name(stem.name + "".join(sign for sign in ends if sign.isalnum() or sign == "."))
    left = member.file_size
    with archive.open(member) as source, open(target, "wb") as out:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile("a member is larger than it says")
            out.write(chunk)
    return Found(target, f"{name}/{member.filename}")
