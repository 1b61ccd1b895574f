"""The page of what has a fixed list in the code: exit codes, errors, features, worlds, policies, estimators, measures.

Not here: what each of them does (their own pages).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import import_module

import campaignrl
from campaignrl import errors
from campaignrl.cli import main
from campaignrl.ope.methods.registry import ESTIMATORS
from campaignrl.policies.registry import KINDS
from campaignrl.specs import bundled_files
from campaignrl.suites.measure_definitions import MEASURES

TITLE = """# Lists: exit codes, features, policies, estimators, measures

Read from the code that uses them.
"""
CODES = re.compile(r"(\d+) ([^,.]+)")


def exit_codes() -> list[tuple[str, str]]:
    """Code -> meaning, as the command line's own docstring lists them."""
    line = " ".join((main.__doc__ or "").split()).split("Exit codes: ")[1].split(". ")[0]
    return CODES.findall(line)


def page() -> str:
    """The page, a table a list."""
    world = campaignrl.load_world("ecommerce")
    features = [(f"`{f.name}`", f.unit, _values(f), f.meaning) for f in world.features.features]
    parts = [
        TITLE,
        _table("Exit codes", ("code", "meaning"), exit_codes()),
        _table("Errors", ("class", "code", "when"), _errors()),
        _table("Features of a customer, in the world `ecommerce`", ("feature", "unit", "values", "meaning"), features),
        "Those of another world: `campaignrl world features NAME`.\n",
        _table(
            "Worlds",
            ("name", "what it is"),
            [(f"`{n}`", campaignrl.load_world(n).title) for n in bundled_files("envs")],
        ),
        _table(
            "Kinds of policy",
            ("kind", "what it is"),
            [(f"`{kind}`", _first(place)) for kind, place in sorted(KINDS.items())],
        ),
        _table("Estimators", ("name", "formula and source"), [(f"`{n}`", _doc(e)) for n, e in ESTIMATORS.items()]),
        _table(
            "Measures of a benchmark",
            ("name", "unit", "formula"),
            [(f"`{n}`", m.unit, m.formula) for n, m in MEASURES.items()],
        ),
    ]
    return "\n".join(parts)


def _errors() -> list[tuple[str, str, str]]:
    kinds = [getattr(campaignrl, n) for n in campaignrl.__all__ if isinstance(getattr(campaignrl, n), type)]
    found = [kind for kind in kinds if issubclass(kind, errors.CampaignError)]
    return [(f"`{kind.__name__}`", str(kind.exit_code), _line(kind.__doc__)) for kind in found]


def _first(place: str) -> str:
    module, _, name = place.partition(":")
    return _line(getattr(import_module(module), name).__doc__)


def _doc(estimator: object) -> str:
    formula = getattr(estimator, "formula", None) or getattr(estimator, "terms", None) or estimator
    return _line(inspect.getdoc(formula))


def _line(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _values(feature: object) -> str:
    levels = getattr(feature, "levels", ())
    return ", ".join(levels) if levels else f"{getattr(feature, 'low', 0):g} to {getattr(feature, 'high', 1):g}"


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"\n## {title}\n", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join([*lines, ""])
