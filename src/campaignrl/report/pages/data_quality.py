"""The data-quality page: what came in, what stayed, what was refused and why, how complete columns and tags are.

Made from the figures of profiles/intake/quality.py (quality.json) alone. Not here: those figures, the layout
(quality.html.j2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from campaignrl.report.pages.template import style, template

RESULTS = {"events": "events", "attributes": "customers", "links": "links"}
COMPLETE = 0.95  # of the cells a mapping reads: what the field asks for
NAMED = 6  # columns below it that a line names
SHOWN = 12  # reasons of one source; the rest are summed up
HEIGHT, WIDTH = 90, 720  # of the picture of events by month, in its own units


class Bar(NamedTuple):
    """One month of the picture."""

    x: float
    y: float
    width: float
    height: float
    says: str


class Completeness(NamedTuple):
    """How much of what the sources should hold is there, and the columns that fall short, the emptiest first."""

    share: float  # of all cells that the mapping reads, given and readable
    cells: int
    columns: int
    short: tuple[tuple[str, float], ...]  # (source.column, share), below COMPLETE

    @property
    def verdict(self) -> str:
        """`trust`, `caution` or `refuse`, as the badges are called."""
        return "refuse" if self.share < COMPLETE else "caution" if self.short else "trust"


def completeness(sources: Sequence[Mapping[str, Any]]) -> Completeness:
    """Over all columns of all sources, each counted by its rows."""
    found = [(f"{s['name']}.{n}", v, s["rows"]) for s in sources for n, v in s["completeness"].items() if v is not None]
    cells = sum(rows for _, _, rows in found)
    share = sum(value * rows for _, value, rows in found) / cells if cells else 1.0
    short = sorted(((name, value) for name, value, _ in found if value < COMPLETE), key=lambda one: (one[1], one[0]))
    return Completeness(share, cells, len(found), tuple(short))


def in_words(found: Completeness) -> str:
    """One line: the share, what is asked for, and the columns that fall short."""
    if not found.cells:
        return "completeness: no cells were read"
    asked = f"at least {100 * COMPLETE:.0f} %"
    named = ", ".join(f"{name} {share(round(v * 10**9), 10**9)}" for name, v in found.short[:NAMED])
    more = f" and {len(found.short) - NAMED} more" if len(found.short) > NAMED else ""
    met = "met" if found.share >= COMPLETE else "missed"
    told = f"completeness {share(round(found.share * 10**9), 10**9)} of the cells ({asked} is asked for: {met})"
    return f"{told}; below it: {named}{more}" if named else f"{told}, in every column"


def quality_page(quality: Mapping[str, Any]) -> str:
    """The page as text; the same figures give the same text."""
    sources, there = quality["sources"], completeness(quality["sources"])
    tags = [_tag(name, facts, _raw_columns(sources)) for name, facts in quality.get("tags", {}).items()]
    return template("quality.html.j2").render(
        style=style(),
        quality=quality,
        lead=_lead(sources),
        sources=[_source(source) for source in sources],
        links=quality["links"],
        verdict=there.verdict if there.cells else "",
        complete=_sentence(in_words(there)),
        tags=tags,
        unknown=sum(not tag["value"] for tag in tags),
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _raw_columns(sources: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Column of the events, or `attributes.NAME` -> where it is read from: source and column of the export."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for field, raw in source.get("columns", {}).items():
            found.setdefault(field, []).append(f"{source['name']}: {', '.join(raw)}")
    return found


def _tag(name: str, facts: Mapping[str, Any], raw: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What one tag is, rests on and is known of."""
    fit = facts.get("fit") or {}
    notes = [f"unknown: {fit['unknown']}"] if "unknown" in fit else []
    lacking = list(dict.fromkeys(word for one in facts.get("lacking", ()) for word in one.split(" or ")))
    notes += [f"unknown for everybody: the data hold nothing of {', '.join(lacking)}"] if lacking else []
    if not (facts["known"] or notes):
        notes.append("known of nobody: nothing of the kind stands in these columns")
    notes += [str(fit["caution"])] if fit.get("caution") else []
    kinds = [kind for kind in facts.get("rests_on", ()) if kind != "attributes"]
    columns = [f"{one} ({'; '.join(raw[one])})" if one in raw else one for one in facts.get("columns", ())]
    return {
        "name": name,
        "level": facts.get("level", ""),
        "rule": facts.get("rule") or facts.get("title", ""),
        "kinds": ", ".join(kinds),
        "columns": columns,
        "model": fit.get("model", ""),
        "notes": notes,
        "value": facts["known"],
        "customers": f"{facts.get('known_of', 0):,}",
        "share": share(round(facts["known"] * 10**9), 10**9) or "0.0 %",
        "enough": facts["known"] >= COMPLETE,
    }


def _lead(sources: Sequence[Mapping[str, Any]]) -> str:
    total = {name: sum(s[name] for s in sources) for name in ("rows", "kept", "rejected", "duplicates", "merged")}
    if not total["rows"]:
        return "No rows came in."
    parts = [f"{share(total['kept'], total['rows'])} stayed as rows of their own"]
    if total["merged"]:
        parts.append(f"{share(total['merged'], total['rows'])} are further lines of an order")
    parts.append(f"{share(total['duplicates'], total['rows'])} are duplicates")
    parts.append(f"{share(total['rejected'], total['rows'])} were refused")
    source = "source" if len(sources) == 1 else "sources"
    return f"{total['rows']:,} rows came in from {len(sources)} {source}: {', '.join(parts)}. Nothing else was lost."


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    rows = source["rows"]
    reasons = list(source["reasons"])
    more = sum(reason["rows"] for reason in reasons[SHOWN:])
    return {
        "name": source["name"],
        "file": source["file"],
        "made": RESULTS[source["rows_are"]],
        "counts": [
            (label, f"{source[name]:,}", share(source[name], rows)) for name, label in _labels(source) if name in source
        ],
        "customers": f"{source['customers']:,}",
        "reasons": [(r["field"], r["reason"], f"{r['rows']:,}", share(r["rows"], rows)) for r in reasons[:SHOWN]],
        "more": f"{more:,}" if more else "",
        "repairs": [(what, f"{count:,}") for what, count in source["repairs"].items() if count],
        "outliers": [(name, _bounds(found), found["rule"]) for name, found in source["outliers"].items()],
        "completeness": [(name, _percent(value), value or 0.0) for name, value in source["completeness"].items()],
        "kinds": [(kind, f"{count:,}") for kind, count in source.get("kinds", {}).items()],
        "time": source.get("time"),
        "bars": _bars(source["time"]["by_month"]) if source.get("time") else [],
        "facts": _facts(source["file_facts"]),
    }


def _labels(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    labels = [("rows", "Rows in"), ("kept", f"Became {RESULTS[source['rows_are']]}")]
    if source["merged"]:
        labels.append(("merged", "Further lines of an order"))
    return [*labels, ("duplicates", "Duplicates"), ("rejected", "Refused")]


def _bounds(found: Mapping[str, Any]) -> str:
    low, high = (found[end] for end in ("low", "high"))
    ends = ["any" if v is None or abs(v) == float("inf") else f"{v:,.6g}" for v in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def _facts(facts: Mapping[str, Any]) -> str:
    said = []
    if facts.get("byte_order_mark"):
        said.append("a byte order mark, left out")
    ends = facts.get("line_ends", [])
    if len(ends) > 1:
        said.append(f"mixed line ends ({', '.join(ends)}), made one")
    elif ends and ends != ["LF"]:
        said.append(f"{ends[0]} line ends")
    if facts.get("copied_as_utf8") and len(ends) <= 1:
        said.append("read in its own encoding")
    return "; ".join(said)


def _bars(by_month: Sequence[Sequence[Any]]) -> list[Bar]:
    """Every month between the first and the last, those without events too."""
    if not by_month:
        return []
    found = {month: count for month, count in by_month}
    first, last = (_month_number(by_month[i][0]) for i in (0, -1))
    months = [f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(first, last + 1)]
    top, step = max(found.values()), WIDTH / len(months)
    heights = [HEIGHT * found.get(month, 0) / top for month in months]
    return [
        Bar(i * step, HEIGHT - height, max(step - 1.5, 0.8), height, f"{month}: {found.get(month, 0):,}")
        for i, (month, height) in enumerate(zip(months, heights, strict=True))
    ]


def _month_number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def share(part: int, whole: int) -> str:
    """`0.3 %`; something is never shown as nothing, nor less than all as all."""
    if not whole:
        return ""
    percent = 100.0 * part / whole
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %"


def _percent(value: float | None) -> str:
    return "" if value is None else share(round(value * 10**9), 10**9)
