"""Where the files that ship with the package are, specifications and trained policies: in the wheel, or the checkout.

Here: finding files. Not here: reading them (toml.py, world.py).
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from campaignrl.errors import unknown

KINDS = ("envs", "policies", "experiments")


def bundled_folder(kind: str) -> Path:
    """The folder of bundled files of one kind: `envs`, `policies` or `experiments`."""
    inside = Path(str(files("campaignrl"))) / "_data" / kind  # the wheel
    if inside.is_dir():
        return inside
    return Path(__file__).resolve().parents[3] / kind  # an editable install: the checkout


def bundled_files(kind: str) -> dict[str, Path]:
    """Name -> path of the bundled TOML files of one kind, in order of name."""
    return {path.stem: path for path in sorted(bundled_folder(kind).glob("*.toml"))}


def pretrained_files() -> dict[str, Path]:
    """Name -> path of the trained policies that ship with the package: `pretrained/WORLD`."""
    folder = bundled_folder("policies") / "pretrained"
    return {f"{folder.name}/{path.stem}": path for path in sorted(folder.glob("*.bundle"))}


def find_file(kind: str, reference: str | Path, noun: str) -> Path:
    """A bundled file by name, or a path to one; else UnknownName with the nearest name."""
    text = str(reference)
    known = bundled_files(kind)
    if text in known:
        return known[text]
    path = Path(text)
    if path.suffix and os.path.isfile(path):
        return path
    raise unknown(noun, text, known, _what_it_is(path, noun))


def _what_it_is(path: Path, noun: str) -> str:
    """What is wrong with a path that was meant as a file, and what is expected."""
    expected = f"a path to a TOML file, such as ./{path.stem or noun}.toml"
    if os.path.isdir(path):  # unlike Path's, never an OSError, however long the name
        return f"{path} is a folder: give {expected}."
    if os.path.isfile(path):
        return f"{path} is a file without a suffix: give {expected}."
    if path.suffix or len(path.parts) > 1:
        return "There is no such file: give a path to a TOML file (NAME.toml)."
    return "Or give a path to a TOML file."
