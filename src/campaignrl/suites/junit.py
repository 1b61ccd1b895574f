"""A comparison as JUnit XML, the form in which CI services show checks.

A row is a test case: a regression is a failure, what could not be compared an error, a new policy skipped.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from campaignrl.suites.comparison import Compared, Comparison
from campaignrl.suites.paired_test import NEW, NO_EVIDENCE, REGRESSION

_TAGS = {REGRESSION: "failure", NO_EVIDENCE: "error", NEW: "skipped"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def to_junit(comparison: Comparison) -> str:
    """The XML text; every text from a file is escaped, and characters that XML cannot hold become "?"."""
    cases = [_case(row) for row in comparison.rows]
    if comparison.refused or not cases:
        case = Xml.Element("testcase", classname="compare", name="comparable")
        Xml.SubElement(case, "error", message=_clean(comparison.refused or "nothing to compare"))
        cases.append(case)
    count = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    totals = {"failures": count["failure"], "errors": count["error"], "skipped": count["skipped"]}
    texts = {name: str(number) for name, number in {"tests": len(cases), **totals}.items()}
    suite = Xml.Element("testsuite", {"name": "campaignrl compare", **texts})
    suite.extend(cases)
    Xml.SubElement(suite, "system-out").text = _clean(str(comparison))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suite, encoding="unicode") + "\n"


def _case(row: Compared) -> Xml.Element:
    case = Xml.Element("testcase", classname=_clean(row.world), name=_clean(row.policy))
    if row.verdict in _TAGS:
        figures = f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]"
        Xml.SubElement(case, _TAGS[row.verdict], message=_clean(f"{row.verdict}: {row.reason or figures}"))
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
