"""LICENCES.md: every package that an installation brings, with its licence, read from what is installed.

python .ci/licences.py          # writes the file; `--check` says whether it would change, but for versions
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).resolve().parents[1] / "LICENCES.md"
TITLE = """# Licences of what an installation brings

campaignrl itself is under Apache-2.0 ([LICENSE](LICENSE)). Made by `make licences` from the packages that are
installed; a test holds the list against them. Nothing of them is copied into this repository but the shim of the site's
search (`docs/site/assets/iframe-worker.js`, MIT).

| package | asked for by | licence |
|---|---|---|
"""
EXTRAS = ("", "text", "rl", "serve", "postgres")
# What a package's own metadata leaves out or says at length.
KNOWN = {
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
}
KNOWN |= {"Apache License 2.0": "Apache-2.0", "Apache 2.0": "Apache-2.0", "3-Clause BSD License": "BSD-3-Clause"}
KNOWN |= {"Python Software Foundation License": "PSF-2.0", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0"}


def needed() -> dict[str, set[str]]:
    """Package -> the extras that bring it ("" for a plain installation), over what they need in turn."""
    found: dict[str, set[str]] = {}
    for extra in EXTRAS:
        _follow("campaignrl", {extra} if extra else set(), extra, found)
    found.pop("campaignrl")
    return found


def _follow(name: str, extras: set[str], of: str, found: dict[str, set[str]]) -> None:
    name = canonicalize_name(name)
    if of in found.get(name, set()) and not extras:
        return
    try:
        held = distribution(name)
    except PackageNotFoundError:
        return
    found.setdefault(name, set()).add(of)
    for text in held.requires or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            _follow(need.name, set(need.extras), of, found)


def licence(held: Distribution) -> str:
    """In one expression; `unknown` where the metadata say nothing."""
    about = held.metadata
    if said := about.get("License-Expression"):
        return said
    classes = [
        each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or () if each.startswith("License ::")
    ]
    text = (about.get("License") or "").strip().split("\n")[0]
    said = next((each for each in (*classes, text) if each and each != "OSI Approved"), "unknown")
    return KNOWN.get(said, said)


def page() -> str:
    """The file's text."""
    rows = []
    for name, extras in sorted(needed().items()):
        by = "every installation" if "" in extras else ", ".join(f"`[{each}]`" for each in sorted(extras))
        rows.append(f"| {name} | {by} | {licence(distribution(name))} |")
    return TITLE + "\n".join(rows) + "\n"


def listed(text: str) -> dict[str, str]:
    """Package -> licence, as the file says."""
    return {
        name: licence.strip()
        for name, licence in re.findall(r"^\| ([\w.-]+) \|[^|]*\| ([^|]+) \|$", text, re.M)
        if name != "package"
    }


if __name__ == "__main__":
    if "--check" in sys.argv:
        gone = set(listed(page())) ^ set(listed(PAGE.read_text(encoding="utf-8")))
        sys.exit(f"LICENCES.md is out of date: {', '.join(sorted(gone))}" if gone else 0)
    PAGE.write_text(page(), encoding="utf-8")
