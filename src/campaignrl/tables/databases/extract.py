"""A table or a query of a database -> a Parquet file: which kind of database reads it, and errors that name it.

The file is then read as any Parquet export is. Whether rows come in the same order each time is up to the query: write
ORDER BY where the same bytes matter. Not here: URLs and secrets (address.py), what rows mean (profiles/intake/).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from campaignrl.tables.databases.address import Address

READERS: Mapping[str, str] = MappingProxyType(
    {
        "sqlite": "campaignrl.tables.databases.sqlite",
        "duckdb": "campaignrl.tables.databases.duckdb_file",
        "postgresql": "campaignrl.tables.databases.postgresql",  # the only module that imports psycopg
    }
)


def extract(address: Address, root: Path, target: Path) -> int:
    """Write the rows of a table or a query as Parquet, and return how many they are.

    root: the folder that paths of databases start from.

    Raises:
        UnknownName: no such file or table.
        UsageError: a variable of the environment is not set.
        DataError: the server is down, refuses the login, or cannot answer the query.
        MissingExtra: PostgreSQL, and no psycopg.
    """
    read: Callable[[Address, Path, Path], Any] = importlib.import_module(READERS[address.kind]).extract
    return int(read(address, root, target))
