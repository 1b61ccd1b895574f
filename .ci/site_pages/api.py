"""The page of every public name of `campaignrl`, by what it is for, as the package's own docstring groups them.

Not here: what a docstring says (the source), how it is laid out (mkdocstrings).
"""

from __future__ import annotations

import re

import campaignrl

TITLE = """# Python, every public name

Names of `campaignrl`: each loads on first use. A name or a path is accepted wherever an object is; tables go in and
come out as pandas frames. What a package under it re-exports is public too; the docstring of each package is its map
([architecture](../architecture.md)).
"""
OPTIONS = """    options:
      show_root_heading: true
      show_root_full_path: false
      heading_level: 3
"""
PACKAGES = (
    *("envs", "guard", "ledger", "loop", "ope", "policies", "profiles", "proof", "report", "suites"),
    "calibration",
)


def groups() -> dict[str, list[str]]:
    """Heading -> public names, from the table in the docstring of `campaignrl`; every name stands once."""
    rows = re.findall(r"^(\w[\w ]+?) {2,}(\w.*)$", campaignrl.__doc__ or "", re.M)
    found = {title: [name for name in re.split(r"[ ,]+", names) if name] for title, names in rows}
    named = {name for names in found.values() for name in names}
    found["Errors"] = [name for name in campaignrl.__all__ if name not in named and _is_error(name)]
    if rest := sorted(set(campaignrl.__all__) - named - set(found["Errors"])):
        found["More"] = rest
    return found


def page() -> str:
    """The page, in the words that mkdocstrings reads."""
    parts = [TITLE]
    for title, names in groups().items():
        parts.append(f"\n## {title}\n")
        parts += [f"\n::: campaignrl.{name}\n{OPTIONS}" for name in names]
    parts.append("\n## Packages\n\nTheir front doors, each a map of what is inside.\n")
    members = OPTIONS + "      members: false\n"
    parts += [f"\n::: campaignrl.{name}\n{members}" for name in PACKAGES]
    return "".join(parts)


def _is_error(name: str) -> bool:
    value = getattr(campaignrl, name)
    return isinstance(value, type) and issubclass(value, Exception)
