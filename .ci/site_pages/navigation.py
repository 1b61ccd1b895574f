"""Which page of the site stands where, in English and Chinese; pages that are not named here go under "More".

Not here: what is on a page, and where its file comes from (staging.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Section(NamedTuple):
    """One heading of the navigation: its name in both languages, and its pages."""

    english: str
    chinese: str
    pages: tuple[str, ...]


SECTIONS = (
    Section("Start", "开始", ("index.md",)),
    Section(
        "Tutorials",
        "教程",
        (
            "tutorials/first-study.md",
            "tutorials/first-month.md",
            "tutorials/gate-in-ci.md",
            "tutorials/own-world.md",
            "tutorials/environment.md",
        ),
    ),
    Section(
        "How to",
        "操作指南",
        (
            "how-to/value-my-log.md",
            "how-to/send-list-from-excel.md",
            "how-to/new-estimator.md",
            "how-to/new-policy.md",
            "how-to/explain-one-customer.md",
            "how-to/spend-a-budget.md",
            "how-to/world-from-orders.md",
            "how-to/plan-an-ab-test.md",
            "how-to/erase-a-customer.md",
            "marketer.md",
            "first-hour.md",
            "loop.md",
            "gate.md",
            "operate.md",
            "console.md",
            "monitor.md",
            "profiles.md",
        ),
    ),
    Section(
        "Notebooks",
        "笔记本",
        (
            "notebooks/researcher.md",
            "notebooks/estimates_and_truth.md",
            "notebooks/bandits_and_rl.md",
            "notebooks/hillstrom.md",
            "notebooks/cdnow.md",
            "notebooks/marketer.md",
        ),
    ),
    Section("One page to print", "一页打印版", ("one-page.md",)),
    Section(
        "Why and how well",
        "原理与结果",
        (
            "concepts.md",
            "worlds.md",
            "evaluation.md",
            "environments.md",
            "results.md",
            "bounds.md",
            "speed.md",
            "scale.md",
            "peers.md",
            "failures.md",
            "walks.md",
            "gallery.md",
        ),
    ),
    Section(
        "Reference",
        "参考",
        (
            "reference/api.md",
            "reference/commands.md",
            "reference/keys.md",
            "reference/tables.md",
            "formats.md",
            "glossary.md",
            "architecture.md",
        ),
    ),
    Section("Project", "项目", ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "LICENCES.md")),
)
# In Chinese as well as in English; every other page is shown in English there, and says so.
TRANSLATED = (
    "index.md",
    *(page for section in SECTIONS[1:3] for page in section.pages if page.startswith(("tutorials/", "how-to/"))),
    "marketer.md",
    "one-page.md",
)


def navigation(pages: Iterable[str], chinese: bool = False) -> list[dict[str, list[str]]]:
    """The `nav` of mkdocs over the pages that are there; what no section names comes last, so that nothing is lost.

    Raises:
        LookupError: a section names a page that is not there.
    """
    there = set(pages)
    named = [page for section in SECTIONS for page in section.pages]
    if gone := [page for page in named if page not in there]:
        raise LookupError(f"the navigation names pages that are not there: {', '.join(gone)}")
    found = [{section.chinese if chinese else section.english: list(section.pages)} for section in SECTIONS]
    if rest := sorted(there - set(named)):
        found.append({"其他" if chinese else "More": rest})
    return found
