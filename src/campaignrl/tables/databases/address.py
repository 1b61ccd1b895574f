"""Where a database is, as a mapping writes it: the URL, secrets from the environment, what may be shown.

    sqlite:///shop.db                                   beside the exports; four slashes for a path from the root
    duckdb:///warehouse.duckdb
    postgresql://reader:${SHOP_PASSWORD}@db.shop:5432/shop

`${NAME}` is taken from the environment when the database is opened, and stands in every message and file as it is
written. A password that is written out is refused, since mappings are kept and copied. Not here: opening a database
(one file a kind).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from campaignrl.errors import Problem, UsageError, nearest

FILES = ("sqlite", "duckdb")
KINDS = (*FILES, "postgresql")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRET = re.compile(r"([?&](?:ssl)?pass\w*=)([^&#]*)", re.IGNORECASE)  # of the words after a question mark
HIDDEN = "***"


class Address(NamedTuple):
    """A database and what is wanted of it; `url` as it was written, without any secret."""

    url: str
    table: str | None = None
    query: str | None = None

    @property
    def kind(self) -> str:
        """`sqlite`, `duckdb` or `postgresql`."""
        return kind_of(self.url)

    @property
    def shown(self) -> str:
        """For messages: the URL without a password, and the table."""
        return f"{without_password(self.url)} {self.table}" if self.table else without_password(self.url)

    def path(self, root: Path) -> Path:
        """The file of a SQLite or DuckDB database; `root`: the folder of the exports."""
        return root / unquote(filled(self.url.partition("://")[2].partition("/")[2], coded=False))


def kind_of(url: str) -> str:
    """The word before `://`; postgres is postgresql."""
    word = url.partition("://")[0].lower()
    return "postgresql" if word == "postgres" else word


def address_problem(url: str, where: str) -> Problem | None:
    """What is wrong with a URL of a mapping, told without its password; None where nothing is."""
    kind, shown = kind_of(url), without_password(url)
    if kind not in KINDS or "://" not in url:
        fix = nearest(kind, KINDS) or 'Write source = "sqlite:///shop.db".'
        return Problem(where, "source", shown, "a URL of sqlite, duckdb or postgresql", fix)
    if kind in FILES and not url.partition("://")[2].startswith("/"):
        return Problem(where, "source", shown, "a path after three slashes", f'Write "{kind}:///NAME".')
    if kind in FILES and not url.partition("://")[2].strip("/"):
        return Problem(where, "source", shown, "the path of a file", f'Write "{kind}:///NAME".')
    if any(secret and not VARIABLE.fullmatch(secret) for secret in secrets_of(url)):
        fix = "Write ${NAME} in its place and set that variable: a mapping is kept with the profiles."
        return Problem(where, "source", shown, "without a password written out", fix)
    return None


def secrets_of(url: str) -> list[str]:
    """Every password of a URL, as it is written."""
    login, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return ([login.partition(":")[2]] if at else []) + [found[1] for found in SECRET.findall(url)]


def without_password(url: str) -> str:
    """The URL with every password that is written out put out of sight."""
    for secret in secrets_of(url):
        if secret and not VARIABLE.fullmatch(secret):
            url = url.replace(f":{secret}@", f":{HIDDEN}@").replace(f"={secret}", f"={HIDDEN}")
    return url


def filled(text: str, *, coded: bool = True) -> str:
    """The text with its variables from the environment; coded: as parts of a URL."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            near = nearest(found[1], os.environ)
            fix = near or f"Set it: export {found[1]}=..."
            raise UsageError(Problem("environment", "variable", found[1], "set", fix))
        return quote(os.environ[found[1]], safe="") if coded else os.environ[found[1]]

    return VARIABLE.sub(value, text)


def scrubbed(message: str, url: str) -> str:
    """A message of a driver on one line, without the password it was given."""
    line = " ".join(message.split())
    told = [*secrets_of(filled(url)), urlsplit(filled(url)).password or ""]
    for secret in sorted({*told, *map(unquote, told)} - {""}, key=len, reverse=True):
        line = line.replace(secret, HIDDEN)
    return line
