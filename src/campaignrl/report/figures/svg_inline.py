"""An SVG file -> an <svg> element for a page: the page's colours and fonts, ids that clash with no other picture.

Not here: what is drawn (base.py), the page (html.py, page.html.j2).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from campaignrl.report.figures.base import PALETTE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

_VARIABLE = {colour: f"var(--{name})" for name, colour in PALETTE.items()}
_COLOUR = re.compile("|".join(map(re.escape, _VARIABLE)))
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FAMILY = re.compile(r"(font(?:-family)?:[^;]*?)'DejaVu Sans'[^;]*")


def inline_svg(file: bytes, key: str, says: str) -> str:
    """One element, ready to stand in HTML. key: unique on the page; says: the picture in words, for those who hear it.

    Only our own drawings come here, so the parser meets no foreign XML; their texts stay escaped.
    """
    source = ElementTree.fromstring(file)
    used = {target for element in source.iter() for target in _references(element)}
    root = _page_element(source, key, used)
    root.attrib = {"viewBox": source.attrib["viewBox"], "role": "img", "aria-label": says, "class": "figure"}
    return ElementTree.tostring(root, encoding="unicode")


def _page_element(element: ElementTree.Element, key: str, used: set[str]) -> ElementTree.Element:
    copy = ElementTree.Element(element.tag.removeprefix(f"{{{SVG}}}"))
    copy.text, copy.tail = element.text, element.tail
    for name, value in element.attrib.items():
        if name == "id":
            if value in used:
                copy.set("id", f"{key}-{value}")
        elif name == f"{{{XLINK}}}href":
            copy.set("href", f"#{key}-{value.removeprefix('#')}")
        else:
            copy.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", _styled(name, value)))
    copy.extend(_page_element(child, key, used) for child in element if not child.tag.endswith("metadata"))
    return copy


def _styled(name: str, value: str) -> str:
    if name not in ("style", "fill", "stroke"):
        return value
    return _FAMILY.sub(
        r"\1inherit" if value.startswith("font-family") else r"\1system-ui, sans-serif", _coloured(value)
    )


def _coloured(value: str) -> str:
    return _COLOUR.sub(lambda found: _VARIABLE[found.group()], value)


def _references(element: ElementTree.Element) -> list[str]:
    found = [match for value in element.attrib.values() for match in _REFERENCE.findall(value)]
    href = element.attrib.get(f"{{{XLINK}}}href")
    return found + ([href.removeprefix("#")] if href else [])
