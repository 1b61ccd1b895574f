"""The database: connections, one writer at a time, and what is said when it is down.

Every change is made by `writing`, which waits for its turn among all processes: SQLite by its own lock on the file,
PostgreSQL by an advisory lock. So what is read in it stands still until it is committed, and a commit is on the disk
(SQLite: WAL, synchronous FULL). Not here: what is written (the other files).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from campaignrl.errors import CampaignError, MissingExtra, Problem, UsageError

try:
    import orjson
    from sqlalchemy import (
        ColumnElement,
        Compiled,
        Connection,
        Dialect,
        Engine,
        Select,
        String,
        Table,
        any_,
        bindparam,
        create_engine,
        event,
        func,
        select,
        text,
    )
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.dialects.postgresql import ARRAY
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    from sqlalchemy.pool import QueuePool
except ImportError as missing:  # pragma: no cover
    raise MissingExtra("the service needs SQLAlchemy: pip install 'campaignrl[serve]'") from missing

PATIENCE = 5.0  # seconds to wait for one's turn
CACHE = 65_536  # kB of pages that the writer of a SQLite store keeps
TURN = 7_201_318_442_017  # of the advisory lock; any number that nobody else uses


class StoreDown(CampaignError):
    """The store cannot be written or read now: nothing was decided."""

    exit_code = 1


class Database:
    """Connections to one store."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """url: sqlite:///FILE or postgresql://USER@HOST/NAME.

        Raises:
            UsageError: it is none of these.
        """
        self.url, self.patience, self._turn = _url(url), patience, threading.Lock()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = _sqlite(self.url, patience) if self.is_sqlite else _postgresql(self.url, patience)
        self._leaves_checkpoints = False
        self._writer: Connection | None = None  # kept, since to borrow one takes as long as a few questions

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path:
        """The file of a SQLite store."""
        return Path(str(self.url.database))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that nobody else's change comes between; committed at its end, or nothing of it happened.

        Raises:
            StoreDown: the database is locked, full, read-only or not there.
        """
        if not self._turn.acquire(timeout=self.patience):
            raise StoreDown("the store is busy: its turn did not come.")
        try:
            with self._said_down(), self._kept_writer() as con:
                con.begin()
                if self.is_sqlite:
                    con.connection.cursor().execute("BEGIN IMMEDIATE")
                else:
                    con.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
                yield con
                con.commit()
        finally:
            self._turn.release()

    @contextmanager
    def _kept_writer(self) -> Iterator[Connection]:
        """The one connection that writes; after anything went wrong another one."""
        con = self._writer = self._writer or self._new_writer()
        try:
            yield con
        except BaseException:
            self._writer = None
            with suppress(SQLAlchemyError):
                con.rollback()
            con.close()
            raise

    def _new_writer(self) -> Connection:
        con: Connection = self._engine.connect()
        if self.is_sqlite:
            cursor = con.connection.cursor()
            cursor.execute(f"PRAGMA cache_size=-{CACHE}")
            if self._leaves_checkpoints:
                cursor.execute("PRAGMA wal_autocheckpoint=0")
            cursor.close()
        return con

    def leave_checkpoints(self) -> sqlite3.Connection:
        """Make none within commits from now on; a connection for who makes them (checkpoints.py). SQLite alone."""
        with self._turn:
            self._leaves_checkpoints = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        return sqlite3.connect(self.file, timeout=self.patience, isolation_level=None, check_same_thread=False)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing.

        Raises:
            StoreDown: the database cannot be read.
        """
        with self._said_down(), self._engine.connect() as con:
            if self.is_sqlite:
                con.exec_driver_sql("BEGIN")
            try:
                yield con
            finally:
                con.rollback()

    @contextmanager
    def _said_down(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as wrong:
            said = str(getattr(wrong, "orig", None) or wrong).splitlines()
            raise StoreDown(f"the store {self.shown} does not answer: {(said or ['no reason given'])[0]}") from wrong

    @contextmanager
    def closed_if_refused(self) -> Iterator[None]:
        """Leave no connection behind where what is opened turns out to be none of ours."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give all connections back."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()


Listed = Callable[[ColumnElement[str], str], ColumnElement[bool]]


class Question:
    """A statement that is compiled once for each kind of store and handed to the driver as it is.

    What SQLAlchemy does for every call takes several times as long as a call that finds a row by its key, and a round
    asks some ten of them.
    """

    def __init__(self, make: Callable[[Listed], Select[Any]]) -> None:
        """make: the statement, given how to say that a column is one of a list of that name; other values by name."""
        self._make = make
        self._kept: dict[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}

    def rows(self, con: Connection, lists: Mapping[str, Sequence[str]], **values: Any) -> list[tuple[Any, ...]]:
        """What is found. lists: texts by the name of their list."""
        text_of, order, fixed = self._compiled(con.dialect)
        given = {**fixed, **values}
        for name, many in lists.items():
            given[name] = orjson.dumps(many).decode() if order else list(many)
            if order and "\\u0000" in given[name]:  # where JSON's text ends for SQLite
                asked = self._make(lambda column, name: column.in_(list(lists[name])))
                return [tuple(row) for row in con.execute(asked, values).all()]
        cursor = con.connection.cursor()
        try:
            cursor.execute(text_of, tuple(given[name] for name in order) if order else given)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def _compiled(self, dialect: Dialect) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        kept = self._kept.get(dialect.name)
        if kept is None:
            asked = self._make(_in_json if dialect.name == "sqlite" else _in_array)
            made = asked.compile(dialect=dialect)
            kept = self._kept[dialect.name] = str(made), _order(made), dict(made.params)
        return kept


def put_rows(
    con: Connection, table: Table, columns: Mapping[str, Sequence[Any]], add_up: str = "", once: bool = False
) -> None:
    """Insert rows, given column by column, by one call of the driver; some thousand are had in milliseconds.

    add_up: a column that grows by what a row says where one of its key is there already; once: such a row is left out.
    """
    if not any(columns.values()):
        return
    text_of, order = _insertion(con.dialect, table, tuple(columns), add_up, once)
    cursor: Any = con.connection.cursor()
    try:
        if order:
            cursor.executemany(text_of, list(zip(*(_quick(columns[name]) for name in order), strict=True)))
        elif add_up or once:
            rows = zip(*columns.values(), strict=True)
            cursor.executemany(text_of, [dict(zip(columns, row, strict=True)) for row in rows])
        else:
            _copy(con, cursor, table, columns)
    finally:
        cursor.close()


def _quick(cells: Sequence[Any]) -> Sequence[Any]:
    """sqlite3 looks for how to adapt each value that is no plain number or text, as True is."""
    return [*map(int, cells)] if isinstance(cells[0], bool) else cells


def _copy(con: Connection, cursor: Any, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Into PostgreSQL, by its own way for many rows: a sixth of the time of a statement for each."""
    names = ", ".join(map(con.dialect.identifier_preparer.quote, columns))
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in zip(*columns.values(), strict=True):
            copy.write_row(row)


@lru_cache(maxsize=64)
def _insertion(
    dialect: Dialect, table: Table, columns: tuple[str, ...], add_up: str, once: bool
) -> tuple[str, tuple[str, ...]]:
    """The statement, and the order of its parameters where they go by place."""
    put: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table).inline()
    if once:
        put = put.on_conflict_do_nothing()
    if add_up:
        more = {add_up: table.c[add_up] + put.excluded[add_up]}
        put = put.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)
    made = put.compile(dialect=dialect, column_keys=list(columns))
    return str(made), _order(made)


def _order(made: Compiled) -> tuple[str, ...]:
    """Names of parameters that go by place, in their order; none where they go by name."""
    return tuple(getattr(made, "positiontup", None) or ())


def _in_json(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    told = func.json_each(bindparam(name, type_=String)).table_valued("value")
    return column.in_(select(told.c.value))


def _in_array(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    return column == any_(bindparam(name, type_=ARRAY(String)))


def _url(url: str) -> URL:
    try:
        found = make_url(url)
    except ArgumentError:
        found = None
    backend = None if found is None else found.get_backend_name()
    if found is None or backend not in ("sqlite", "postgresql") or (backend == "sqlite" and not found.database):
        fix = "Write sqlite:///service.db or postgresql://USER@HOST/NAME."
        shown = "..." if found is None else found.render_as_string(hide_password=True)
        raise UsageError(Problem("store", "url", shown, "the address of a SQLite file or a PostgreSQL server", fix))
    return found.set(drivername="postgresql+psycopg") if backend == "postgresql" else found


def _sqlite(url: URL, patience: float) -> Engine:
    options: dict[str, Any] = {"check_same_thread": False, "timeout": patience, "isolation_level": None}
    engine = create_engine(url, connect_args=options, poolclass=QueuePool, pool_size=8, max_overflow=24)

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={patience * 1e3:.0f}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: URL, patience: float) -> Engine:
    try:
        import psycopg as psycopg
    except ImportError as missing:
        raise MissingExtra("a store on PostgreSQL needs psycopg: pip install 'campaignrl[postgres]'") from missing
    waits = f"-c lock_timeout={patience * 1e3:.0f} -c statement_timeout={max(patience, 30.0) * 1e3:.0f}"
    options = {"connect_timeout": max(int(patience), 1), "options": waits}
    return create_engine(url, connect_args=options, pool_size=8, max_overflow=24, pool_pre_ping=True)
