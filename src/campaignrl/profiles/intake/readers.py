"""Raw exports as tables of the engine: CSV, Excel, Parquet, JSON and blank-separated text, every cell as written.

Lines that are no rows (too few cells, bytes that are not UTF-8, a quote that never ends) are kept aside with their
line number, never dropped. Read by the engine, not as other tables are (tables/files): exports may be larger than
memory, and a line that is no row must neither stop the rest nor be lost. Here: opening files. Not here:
what cells mean (sql_values.py).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import duckdb

from campaignrl.errors import DataError, Problem, SpecError, UsageError, nearest, unknown
from campaignrl.profiles.intake.mapping import Source
from campaignrl.profiles.intake.sql_text import Cell, identifier, literal
from campaignrl.tables.files import FOREIGN, MAGIC, found_encoding, reading, refuse_foreign, workbook_as_csv

CHUNK = 4 << 20
SMALL = 4 << 20  # bytes of a file that one thread lays down
SAMPLE = 2_000  # lines looked at for the keys of JSON objects
SAMPLED = 1 << 20  # bytes looked at for the encoding
LOOKED_AT = 20  # lines, for the separator
SEPARATORS = (",", ";", "\t", "|")
OBJECT = 64 << 20  # bytes of a JSON object in an array
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Raw:
    """A table of the engine and how its columns are called outside.

    relation: what stands after FROM; cells: name -> column (for JSON any dotted name will do); valid: a condition on
    a row that could be taken apart, `invalid` the reason where not; aside: the table of lines that are no rows;
    facts: what was seen of the file as such.
    """

    where: str
    relation: str
    cells: Mapping[str, Cell]
    json: bool = False
    valid: str = ""
    invalid: str = ""
    aside: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    each: str = ""  # an array inside JSON objects whose items are the rows
    continued: str = ""  # a condition on lines that were filled up from the first line of their order

    def cell(self, name: str) -> Cell:
        """The column called `name`, known to be there (absent_columns)."""
        if name in self.cells or not self.json:
            return self.cells[name]
        if self.each and name.startswith(self.each + "."):
            inner = _pointer(name.removeprefix(self.each + "."))
            return Cell(f"json_extract_string(item, {literal(inner)})", "VARCHAR")
        return Cell(f"json_extract_string(j, {literal(_pointer(name))})", "VARCHAR")

    def whole_row(self) -> str:
        """Every cell of a row, for telling rows apart."""
        if self.json:
            return "j, nth" if self.each else "j"
        return ", ".join(cell.sql for cell in self.cells.values())


def absent_columns(con: duckdb.DuckDBPyConnection, raw: Raw, names: Sequence[str]) -> list[Problem]:
    """A problem for every name that the file does not have, with the nearest it has.

    Of JSON objects the first lines tell which keys there are; names not among them are looked for in all.
    """
    lacking = [name for name in dict.fromkeys(names) if name not in raw.cells]
    if lacking and raw.json:
        counts = ", ".join(f"count({raw.cell(name).sql})" for name in lacking)
        found = con.execute(f"SELECT {counts} FROM {raw.relation}").fetchone() or ()
        lacking = [name for name, count in zip(lacking, found, strict=True) if not count]
    return [Problem(raw.where, "column", n, "in the file", nearest(n, raw.cells)) for n in lacking]


def open_raw(con: duckdb.DuckDBPyConnection, source: Source, path: Path, tag: str, scratch: Path) -> Raw:
    """A file of a source, ready to be read; tag: a word for the tables it leaves in the engine."""
    kind = source.kind_of(path.name)
    if kind == "parquet":
        return _parquet(con, path)
    if kind == "excel":
        _refuse(path, text=False)
        plain = scratch / f"{tag}.csv"
        return _delimited(source, path, plain, tag, workbook_as_csv(path, source.sheet, plain), ",")
    _refuse(path)
    if not kind:
        raise DataError(f"{path}: is of no known kind. Say so in the mapping: format = csv, jsonl, parquet, excel.")
    with reading(path):
        facts = _survey(path)
        plain = _plain_copy(path, _encoding(source, path, facts), facts, scratch / f"{tag}.txt")
        if kind == "csv":
            return _delimited(source, path, plain, tag, facts, _separator(source, path, plain, facts))
        return _lines(source, path, plain, tag, facts, kind)


def _encoding(source: Source, path: Path, facts: dict[str, object]) -> str:
    """As the mapping says; else by the look of the file, which is then told."""
    if "encoding" in source.model_fields_set:
        return source.encoding
    with _opened(path) as file:
        found = found_encoding(file.read(SAMPLED))
    if found != "utf-8":
        facts["encoding_found"] = found
    return found


def _separator(source: Source, path: Path, plain: Path, facts: dict[str, object]) -> str:
    """As the mapping says; else the sign that takes the first lines apart into most cells, alike in all."""
    if source.separator is not None:
        return source.separator
    if ".tsv" in path.suffixes:
        return "\t"
    with _opened(plain) as file:
        text = file.read(65_536).decode("utf-8-sig", "replace")
    lines = text.splitlines()[: LOOKED_AT + 1][: -1 if len(text) >= 65_536 else None]
    found, most = ",", 1
    for sign in SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=sign) if row]
        except csv.Error:
            continue
        if widths and widths[0] > most and widths.count(widths[0]) * 5 >= len(widths) * 4:
            found, most = sign, widths[0]
    if found != ",":
        facts["separator_found"] = found
    return found


def lay_down(con: duckdb.DuckDBPyConnection, table: str, query: str, where: str = "") -> None:
    """A temporary table with the rows in the order of the query, so that rowid is the number of the row.

    Several threads keep the order where the engine plans to insert by batches; where it does not, one thread does it.
    One also does a small file (`where`), which takes less time than a second plan of a long query.
    """
    create = f"CREATE TEMP TABLE {table} AS {query}"
    file = Path(where)
    small = bool(where) and file.is_file() and file.stat().st_size <= SMALL
    if not small and "batch" in str(con.execute(f"EXPLAIN {create}").fetchall()).lower():
        con.execute(create)
        return
    ((threads,),) = con.execute("SELECT current_setting('threads')").fetchall()
    con.execute("SET threads = 1")
    try:
        con.execute(create)
    finally:
        con.execute(f"SET threads = {int(threads)}")


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """What the engine says of a damaged file, as one line that names the file and quotes nothing of its content."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise UsageError(f"{where}: does not fit into the memory limit, even with spilling: raise it.") from None
    except duckdb.Error as wrong:
        reason = str(wrong).strip().partition("\n")[0]
        raise DataError(f"{where}: cannot be read: {reason}") from None


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Raw:
    refuse_foreign(path)
    relation = f"read_parquet({literal(str(path))})"
    with engine_errors(str(path)):
        described = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    renamed = ", ".join(f"{identifier(name)} AS c{i}" for i, (name, *_) in enumerate(described))
    cells = {name: Cell(f"c{i}", str(kind)) for i, (name, kind, *_) in enumerate(described)}
    return Raw(str(path), f"(SELECT {renamed} FROM {relation})", cells)


def _delimited(source: Source, path: Path, plain: Path, tag: str, facts: dict[str, object], separator: str) -> Raw:
    names = list(source.columns)
    if source.header:
        found = _header(plain, separator)
        if names and len(names) != len(found):
            raise SpecError(Problem(str(path), "columns", len(names), f"{len(found)} names, as the header has"))
        names = names or found
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError([Problem(str(path), "column", name, "named once") for name in twice])
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names)))
    relation = _read_csv(plain, columns, tag, separator, '"', source.header)
    cells = {name: Cell(f"c{i}", "VARCHAR") for i, name in enumerate(names)}
    return Raw(str(path), relation, cells, aside=f"aside_{tag}", facts=facts)


def _lines(source: Source, path: Path, plain: Path, tag: str, facts: dict[str, object], kind: str) -> Raw:
    if kind == "jsonl":
        return _json(source, path, plain, tag, facts)
    lines = _read_csv(plain, "'line': 'VARCHAR'", tag, "\x01", "", False)
    relation = f"(SELECT regexp_split_to_array(trim(line), '\\s+') AS p FROM {lines})"
    cells = {name: Cell(f"p[{i + 1}]", "VARCHAR") for i, name in enumerate(source.columns)}
    allowed = f"{len(source.columns)} cells apart by blanks"
    return Raw(str(path), relation, cells, False, f"len(p) = {len(source.columns)}", allowed, f"aside_{tag}", facts)


def _json(source: Source, path: Path, plain: Path, tag: str, facts: dict[str, object]) -> Raw:
    """An object a line, or an array of objects; with `each`, a row for each item of an array inside them."""
    with _opened(plain) as file:
        array = file.read(4_096).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["
    if array:
        facts["json"] = "an array"
        objects = f"read_json_objects({literal(str(plain))}, format='array', maximum_object_size={OBJECT})"
        lines, aside = f"(SELECT CAST(json AS VARCHAR) AS line FROM {objects})", ""
    else:
        lines, aside = _read_csv(plain, "'line': 'VARCHAR'", tag, "\x01", "", False), f"aside_{tag}"
    whole = "json_valid(line) AND json_type(line) = 'OBJECT'"
    relation = f"(SELECT CASE WHEN {whole} THEN line END AS j FROM {lines})"
    if source.each:
        items = f"CAST(json_extract(j, {literal(_pointer(source.each))}) AS JSON[])"
        some = f"CASE WHEN len({items}) > 0 THEN {items} ELSE [CAST(NULL AS JSON)] END"
        items = f"(SELECT j, {some} AS items FROM {relation})"
        relation = f"(SELECT j, unnest(items) AS item, generate_subscripts(items, 1) AS nth FROM {items})"
    raw = Raw(
        str(path), relation, {}, True, "j IS NOT NULL", "one JSON object a line", aside, facts, each=source.each or ""
    )
    return replace(raw, cells={name: raw.cell(name) for name in _keys(plain, array)})


def _pointer(name: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in name.split("."))


def _read_csv(path: Path, columns: str, tag: str, separator: str, quote: str, header: bool) -> str:
    return (
        f"read_csv({literal(str(path))}, auto_detect=false, columns={{{columns}}}, header={str(header).lower()}, "
        f"delim={literal(separator)}, quote={literal(quote)}, escape={literal(quote)}, "
        f"compression={literal('gzip' if path.suffix == '.gz' else 'none')}, store_rejects=true, rejects_limit=0, "
        f"rejects_table='aside_{tag}', rejects_scan='scan_{tag}')"
    )


def _refuse(path: Path, *, text: bool = True) -> None:
    """Raise unless the file is there and is text (or a workbook), compressed where its name says so."""
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise unknown(
            "file", path.name, siblings, f"Looked in {path.parent}. Say where the exports are with --data FOLDER."
        )
    if not path.is_file():
        raise DataError(f"{path}: is not a file.")
    with open(path, "rb") as file:
        head = file.read(65_536)
    if not head:
        raise DataError(f"{path}: is empty: not even a header.")
    if not text:
        return
    zipped = path.suffix.lower() == ".gz"
    if zipped != head.startswith(GZIP):
        raise DataError(f"{path}: is {'not ' if zipped else ''}compressed by gzip, as its name does not say.")
    magic = next((m for m in (MAGIC, *FOREIGN) if head.startswith(m)), None)
    if not zipped and magic is not None:
        raise DataError(f"{path}: is not text but {FOREIGN.get(magic, 'Parquet (rename it to .parquet)')}.")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb") as file:
        try:
            yield file  # type: ignore[misc]
        except (EOFError, zlib.error) as wrong:
            raise DataError(f"{path}: cannot be read: {wrong}") from None


def _survey(path: Path) -> dict[str, object]:
    """A byte order mark, and which line ends there are."""
    crlf = lf = cr = 0
    bom, last = False, b""
    with _opened(path) as file:
        for i, chunk in enumerate(iter(lambda: file.read(CHUNK), b"")):
            bom = bom or (i == 0 and chunk.startswith(codecs.BOM_UTF8))
            crlf += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            lf += chunk.count(b"\n")
            cr += chunk.count(b"\r")
            last = chunk[-1:]
    ends = {"CRLF": crlf, "LF": lf - crlf, "CR": cr - crlf}
    return {"byte_order_mark": bom, "line_ends": [name for name, count in ends.items() if count]}


def _plain_copy(path: Path, encoding: str, facts: dict[str, object], target: Path) -> Path:
    """The file itself, or a copy in UTF-8 with LF alone where the engine could not read the file as it is.

    Bytes that the encoding does not have stay invalid in the copy, so that their rows are put aside.
    """
    try:
        utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    except LookupError:
        raise SpecError(Problem(str(path), "encoding", encoding, "a known encoding", "Such as gb18030.")) from None
    if utf8 and (facts["line_ends"] in ([], ["LF"], ["CRLF"])):
        return path
    newline = codecs.getincrementaldecoder("utf-8" if utf8 else encoding)("surrogateescape")
    with _opened(path) as file, open(target, "wb") as out:
        universal = io.IncrementalNewlineDecoder(newline, translate=True)
        for chunk in iter(lambda: file.read(CHUNK), b""):
            out.write(universal.decode(chunk).encode("utf-8", "surrogateescape"))
        out.write(universal.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    facts["copied_as_utf8"] = True
    return target


def _header(path: Path, separator: str) -> list[str]:
    with _opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", errors="replace")
        names = next(csv.reader(text, delimiter=separator), [])
        text.detach()
    return [name or f"column{i}" for i, name in enumerate(names)]


def _keys(path: Path, array: bool) -> list[str]:
    """The dotted keys of the first objects of JSON."""
    found: dict[str, None] = {}
    if array:
        with duckdb.connect() as con:
            objects = f"read_json_objects({literal(str(path))}, format='array', maximum_object_size={OBJECT})"
            texts = [
                str(row[0]).encode() for row in con.execute(f"SELECT json FROM {objects} LIMIT {SAMPLE}").fetchall()
            ]
    else:
        with _opened(path) as file:
            texts = [line for _, line in zip(range(SAMPLE), file, strict=False)]
    for line in texts:
        try:
            _collect(json.loads(line.decode("utf-8-sig", "replace")), "", found)
        except (ValueError, RecursionError):
            continue
    return list(found)


def _collect(value: object, prefix: str, found: dict[str, None]) -> None:
    if isinstance(value, dict) and prefix.count(".") < 5:
        for key, inner in value.items():
            found[f"{prefix}{key}"] = None
            _collect(inner, f"{prefix}{key}.", found)
