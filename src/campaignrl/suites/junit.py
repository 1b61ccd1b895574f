"""A comparison as JUnit XML, the form in which CI services show checks.

A row is a test case: a regression is a failure, unless it was accepted; what could not be compared is an error; a new
policy is skipped, and so is an inconclusive row, unless such rows fail.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from campaignrl.suites.comparison import Compared, Comparison
from campaignrl.suites.measure_definitions import CONTRIBUTION
from campaignrl.suites.statistics import INCONCLUSIVE, NEW, NO_EVIDENCE, REGRESSION

_TAGS = {REGRESSION: "failure", NO_EVIDENCE: "error", NEW: "skipped", INCONCLUSIVE: "skipped"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def to_junit(comparison: Comparison) -> str:
    """The XML text; every text from a file is escaped, and characters that XML cannot hold become "?"."""
    cases = [_case(row, comparison.strict) for row in comparison.rows]
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


def _case(row: Compared, strict: bool) -> Xml.Element:
    name = row.policy if row.measure == CONTRIBUTION else f"{row.policy} {row.measure}"
    case = Xml.Element("testcase", classname=_clean(row.world), name=_clean(name))
    if row.verdict in _TAGS:
        tag = "error" if strict and row.verdict == INCONCLUSIVE else "skipped" if row.accepted else _TAGS[row.verdict]
        figures = f"{row.difference:+.1%} [{row.ci_low:+.1%}, {row.ci_high:+.1%}]"
        why = f"accepted: {row.accepted}" if row.accepted else row.reason or figures
        Xml.SubElement(case, tag, message=_clean(f"{row.verdict}: {why}"))
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
