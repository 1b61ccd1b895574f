"""Cells to moments in UTC, as SQL: the shapes that exports write dates and times in, and why others are refused.

Read without being told: 2024-01-05, 2024/1/5, 2024.1.5, 20240105, 2024年1月5日, 5-Jan-24, Jan 5, 2024, each alone or
with a time: 14:03, 14:03:59.5, 140359, 3:05 PM, 下午3:05, 15时05分, and a zone: Z, +08:00, GMT+8, PST,
Asia/Shanghai. Day numbers of Excel (45300) and Unix times (1704412800, in milliseconds with 13 digits) are read and
counted. Digits may be full-width. 05/01/2024 is refused until `format` says which is the day; so are initials that
several zones have (CST). A cell is understood as a whole or not at all.

Here: expressions over one cell. Not here: other kinds of cells (sql_values.py), what becomes of refused ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import duckdb

from campaignrl.profiles.intake.sql_text import Steps, literal

FULL_WIDTH = ("０１２３４５６７８９：／－．，＋　（）", "0123456789:/-.,+ ()")
PLAIN = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f",
         "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%Y/%m/%d %H:%M")  # fmt: skip
WITH_OFFSET = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Hours by initials; those of RFC 822 and others that mean one zone. CST, IST, BST, AST are several zones each.
INITIALS = {
    "ut": 0, "est": -5, "edt": -4, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "wet": 0, "west": 1,
    "cet": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9, "hkt": 8, "sgt": 8, "aest": 10, "aedt": 11,
}  # fmt: skip
SEVERAL = ("cst", "ist", "bst", "ast", "sst", "gst")
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_MONTH = rf"({'|'.join(MONTHS)})[a-z]*"
_GAP = r"(?:[t\s,]+|$)"
# Each gives year, month, day and the rest of the cell; lower case.
YEAR_FIRST = r"^([0-9]{4})\s?[-/.年]\s?([0-9]{1,2})\s?[-/.月]\s?([0-9]{1,2})(?:\s?[日号]\s*|[t\s,]+|$)(.*)$"
COMPACT = r"^((?:19|20|21)[0-9]{2})([0-9]{2})([0-9]{2})(?:[t\s]+|$)?((?:[0-9]{4}|[0-9]{6})?(?:[^0-9].*)?)$"
DAY_MONTH = rf"^{_WEEKDAY}([0-9]{{1,2}})(?:st|nd|rd|th)?[-\s./]*{_MONTH}[-\s./,]*([0-9]{{4}}|[0-9]{{2}}){_GAP}(.*)$"
MONTH_DAY = rf"^{_WEEKDAY}{_MONTH}[.]?\s*([0-9]{{1,2}})(?:st|nd|rd|th)?[\s,]+([0-9]{{4}}){_GAP}(.*)$"
_ZONE = r"(z|[a-z]{2,5}|(?:utc|gmt)?[+-][0-9]{1,2}(?::?[0-9]{2})?|[a-z]+(?:/[a-z0-9_+-]+){1,2})?(?:\s*\([^)]*\))?"
_PART = r"(上午|下午|凌晨|早上|中午|晚上|am|pm)?"
_HALF = r"(am|pm|a[.]m[.]|p[.]m[.])?"
CLOCK = rf"^{_PART}\s*([0-9]{{1,2}}):([0-9]{{2}})(?::([0-9]{{2}}(?:[.,][0-9]{{1,9}})?))?\s*{_HALF}\s*{_ZONE}$"
DIGITS = rf"^()([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})?()\s*{_ZONE}$"
HOUR = rf"^{_PART}\s*([0-9]{{1,2}})(?::)?()()\s*{_HALF}\s*{_ZONE}$"
EXCEL = r"^[2-7][0-9]{4}([.][0-9]+)?$"
UNIX = r"^[1-3][0-9]{9}([0-9]{3})?$"
SLASHED = r"^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4}|[0-9]{2})(\s.*)?$"
TIMED = rf"^.*[0-9].*[\s0-9]({'|'.join(SEVERAL)})(\s*\([^)]*\))?$"


class Read(NamedTuple):
    """A moment in UTC, null where the cell is not understood as a whole, and the time on the clock that it was."""

    value: str
    local: str  # null where the cell says its own zone


def as_moment(text: str, zone: str | None, steps: Steps) -> Read:
    """The moment of a text cell; zone: of cells that do not say theirs."""
    plain = steps(f"CAST(try_strptime({text}, {_list(PLAIN)}) AS TIMESTAMP)")
    offset = f"regexp_full_match({text}, {literal(WITH_OFFSET)})"
    iso = f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"
    rest = steps(f"CASE WHEN {plain} IS NULL AND {text} IS NOT NULL THEN {spelled_alike(text)} END")
    composed = _composed(rest, zone, steps)
    value = (
        f"CASE WHEN {plain} IS NOT NULL THEN {from_zone(plain, zone)} WHEN {rest} IS NULL THEN NULL "
        f"WHEN {offset} THEN {iso} ELSE {composed.value} END"
    )
    return Read(value, f"coalesce({plain}, CASE WHEN {offset} THEN NULL ELSE {composed.local} END)")


def by_format(text: str, formats: Sequence[str], zone: str | None) -> Read:
    """The moment by the first of some formats that the whole cell has."""
    tried, local = [], []
    for one in formats:
        for cell in (text, f"translate({text}, {literal(FULL_WIDTH[0])}, {literal(FULL_WIDTH[1])})"):
            found = f"CAST(try_strptime({cell}, {literal(one)}) AS TIMESTAMP)"
            own = "%z" in one or "%Z" in one
            tried.append(found if own else from_zone(found, zone))
            local.append("CAST(NULL AS TIMESTAMP)" if own else found)
    return Read(f"coalesce({', '.join(tried)})", f"coalesce({', '.join(local)})")


def from_zone(naive: str, zone: str | None) -> str:
    """Local time as UTC."""
    return naive if zone is None else f"CAST(timezone({literal(zone)}, {naive}) AS TIMESTAMP)"


def spelled_alike(text: str) -> str:
    """A cell in half-width digits and lower case, Chinese marks of the time as colons."""
    narrow = f"lower(trim(translate({text}, {literal(FULL_WIDTH[0])}, {literal(FULL_WIDTH[1])})))"
    colons = f"regexp_replace({narrow}, '([0-9])\\s*[时点時]\\s*', '\\1:', 'g')"
    minutes = f"regexp_replace({colons}, ':([0-9]{{1,2}})\\s*分\\s*([0-9])', ':\\1:\\2')"
    return f"regexp_replace({minutes}, '([0-9])\\s*[分秒]', '\\1')"


def guesses(text: str, when: str) -> list[tuple[str, str]]:
    """Conditions on cells that were read as numbers, and what they were read as: to be counted."""

    def read_as(pattern: str) -> str:
        """That the pattern matches; where a hyphen says that it can't, nobody looks."""
        matches = f"{when} IS NOT NULL AND {text} IS NOT NULL AND regexp_matches({text}, {literal(pattern)})"
        return f"CASE WHEN contains({text}, '-') THEN FALSE ELSE {matches} END"

    return [(read_as(EXCEL), "ts: read as a day number of Excel"), (read_as(UNIX), "ts: read as a Unix time")]


def refusals(text: str, when: str, steps: Steps) -> list[tuple[str, str]]:
    """Conditions on cells that could not be read, and why, the most telling first."""
    rest = steps(f"CASE WHEN {when} IS NULL AND {text} IS NOT NULL THEN {spelled_alike(text)} END")
    first, second = (f"TRY_CAST(regexp_extract({rest}, {literal(SLASHED)}, {group}) AS INTEGER)" for group in (1, 2))
    slashed = f"coalesce(regexp_matches({rest}, {literal(SLASHED)}), FALSE)"
    write = 'write ts = { column = "...", format = '
    why = {
        f"{first} > 12 AND {second} <= 12": f'not said that the day comes first: {write}"%d/%m/%Y" }}',
        f"{second} > 12 AND {first} <= 12": f'not said that the month comes first: {write}"%m/%d/%Y" }}',
        f"{first} <= 12 AND {second} <= 12": f'not said whether day or month comes first: {write}"%d/%m/%Y" }}',
    }
    initials = f"coalesce(regexp_matches({rest}, {literal(TIMED)}), FALSE)"
    found = [(f"{slashed} AND {condition}", reason) for condition, reason in why.items()]
    return [*found, (initials, "initials that several time zones have: write the offset, or zone in ts")]


def clock_changes(naive: str, zone: str) -> list[tuple[str, str]]:
    """Conditions on local times that the change of the clock skips or has twice, and what becomes of them."""
    there = f"timezone({literal(zone)}, {naive})"

    def back(hours: int) -> str:
        return f"timezone({literal(zone)}, {there} - to_hours({hours})) = {naive}"

    night = f"{naive} IS NOT NULL AND hour({naive}) < 5"
    skipped = f"timezone({literal(zone)}, {there}) <> {naive}"
    twice = f"({back(1)} OR {back(-1)})"
    return [
        (f"CASE WHEN {night} THEN {skipped} ELSE FALSE END", "ts: an hour that the clock skips, moved on"),
        (f"CASE WHEN {night} THEN {twice} ELSE FALSE END", "ts: an hour that the clock has twice, taken as the later"),
    ]


def _composed(rest: str, zone: str | None, steps: Steps) -> Read:
    """The other shapes: date and time taken apart, and put together where both are understood."""
    shapes = {
        YEAR_FIRST: ("{0}", "{1}", "{2}"),
        COMPACT: ("{0}", "{1}", "{2}"),
        DAY_MONTH: ("{2}", "{1}", "{0}"),
        MONTH_DAY: ("{2}", "{0}", "{1}"),
    }
    cases = []
    for pattern, order in shapes.items():
        parts = [f"regexp_extract({rest}, {literal(pattern)}, {n})" for n in (1, 2, 3, 4)]
        year, month, day = (place.format(*parts) for place in order)
        told = f"{{'y': {_year(year)}, 'm': {_month(month)}, 'd': {day}, 'rest': trim({parts[3]})}}"
        cases.append(f"WHEN regexp_matches({rest}, {literal(pattern)}) THEN {told}")
    date = steps(f"CASE {' '.join(cases)} END")
    time = steps(f"CASE WHEN {date}.rest <> '' THEN {_time(f'{date}.rest')} END")
    day = f"{date}.y || '-' || {date}.m || '-' || {date}.d"
    naive = steps(
        f"CASE WHEN {date} IS NULL THEN NULL WHEN {date}.rest = '' THEN TRY_CAST({day} AS TIMESTAMP) "
        f"ELSE TRY_CAST({day} || ' ' || {time}.h || ':' || {time}.mi || ':' || {time}.s AS TIMESTAMP) END"
    )
    open_zone = f"({date}.rest = '' OR {time}.zone = '')"
    said = f"CASE WHEN {open_zone} THEN {from_zone(naive, zone)} ELSE {_at(naive, time)} END"
    value = f"CASE WHEN {naive} IS NOT NULL THEN {said} ELSE {_number(rest, zone)} END"
    return Read(value, f"CASE WHEN {open_zone} THEN {naive} END")


def _time(rest: str) -> str:
    cases = []
    for pattern in (CLOCK, DIGITS, HOUR):
        part, hour, minute, second, half, zone = (
            f"regexp_extract({rest}, {literal(pattern)}, {n})" for n in (1, 2, 3, 4, 5, 6)
        )
        needs = "TRUE" if pattern != HOUR else f"({part} <> '' OR {half} <> '')"
        told = (
            f"{{'h': {_hour(hour, part, half)}, 'mi': coalesce(nullif({minute}, ''), '0'), "
            f"'s': coalesce(nullif(replace({second}, ',', '.'), ''), '0'), 'zone': {zone}}}"
        )
        cases.append(f"WHEN regexp_matches({rest}, {literal(pattern)}) AND {needs} THEN {told}")
    return f"CASE {' '.join(cases)} END"


def _hour(hour: str, part: str, half: str) -> str:
    """Hour of 24; null where the words do not fit the number."""
    number = f"CAST({hour} AS INTEGER)"
    morning = f"({part} IN ('上午', '凌晨', '早上', 'am') OR left({half}, 1) = 'a')"
    evening = f"({part} IN ('下午', '晚上', 'pm') OR left({half}, 1) = 'p')"
    return (
        f"CASE WHEN {part} <> '' AND {half} <> '' THEN NULL WHEN {part} = '' AND {half} = '' THEN {hour} "
        f"WHEN {number} < 1 OR {number} > 12 OR ({part} = '晚上' AND {number} = 12) THEN NULL "
        f"WHEN {part} = '中午' THEN CAST(CASE WHEN {number} < 11 THEN {number} + 12 ELSE {number} END AS VARCHAR) "
        f"WHEN {morning} THEN CAST({number} % 12 AS VARCHAR) "
        f"WHEN {evening} THEN CAST({number} % 12 + 12 AS VARCHAR) END"
    )


def _at(naive: str, time: str) -> str:
    """UTC of a local time whose zone the cell itself says; null for one that nobody knows."""
    zone = f"{time}.zone"
    bare = f"regexp_replace({zone}, '^(utc|gmt)', '')"
    sign, hours, minutes = (f"regexp_extract({bare}, '^([+-])([0-9]{{1,2}}):?([0-9]{{2}})?$', {n})" for n in (1, 2, 3))
    total = f"(CAST({hours} AS INTEGER) * 60 + coalesce(TRY_CAST({minutes} AS INTEGER), 0))"
    shift = f"to_minutes(CASE WHEN {sign} = '-' THEN -1 ELSE 1 END * {total})"
    initials = " ".join(f"WHEN {literal(name)} THEN {naive} - to_hours({hour})" for name, hour in INITIALS.items())
    lower, proper = zone_names()
    place = f"list_position({_list(lower)}, {zone})"
    named = f"CAST(timezone(list_extract({_list(proper)}, {place}), {naive}) AS TIMESTAMP)"
    return (
        f"CASE WHEN {zone} IN ('z', 'utc', 'gmt') THEN {naive} "
        f"WHEN regexp_matches({bare}, '^[+-][0-9]') THEN CASE WHEN {total} <= 900 THEN {naive} - {shift} END "
        f"WHEN {place} > 0 THEN {named} ELSE CASE {zone} {initials} END END"
    )


def _number(rest: str, zone: str | None) -> str:
    """Day numbers of Excel, whose day 60 is a slip of Excel's own and long past; and seconds since 1970."""
    days = f"DATE '1899-12-30' + to_milliseconds(CAST(round(CAST({rest} AS DOUBLE) * 86400000) AS BIGINT))"
    ticks = f"CAST({rest} AS BIGINT) * CASE WHEN length({rest}) = 10 THEN 1000 ELSE 1 END"
    return (
        f"CASE WHEN regexp_matches({rest}, {literal(EXCEL)}) THEN {from_zone(f'({days})', zone)} "
        f"WHEN regexp_matches({rest}, {literal(UNIX)}) THEN make_timestamp({ticks} * 1000) END"
    )


def _year(year: str) -> str:
    """Two digits are of this century up to 69, as POSIX has it."""
    short = f"CASE WHEN {year} < '70' THEN '20' ELSE '19' END || {year}"
    return f"CASE WHEN length({year}) = 2 THEN {short} ELSE {year} END"


def _month(month: str) -> str:
    cases = " ".join(f"WHEN {literal(name)} THEN {literal(str(n))}" for n, name in enumerate(MONTHS, 1))
    return f"CASE {month} {cases} ELSE {month} END"


@cache
def zone_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Zones of the engine that are called after places: in lower case, and as it spells them."""
    with duckdb.connect() as con:
        names = [row[0] for row in con.execute("SELECT name FROM pg_timezone_names() ORDER BY name").fetchall()]
    proper = tuple(name for name in names if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return tuple(name.lower() for name in proper), proper


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(literal(word) for word in words)}]"
