"""Reading any decision log: one of ours, or somebody else's by a mapping file.

Not here: our own format (log/files.py), mappings (foreign/).
"""

from __future__ import annotations

from pathlib import Path

from campaignrl.tables.foreign import LogMapping, foreign_log, load_mapping
from campaignrl.tables.log import DecisionLog, read_own_log


def read_log(
    path: str | Path,
    mapping: str | Path | LogMapping | None = None,
    reward: str | None = None,
    *,
    encoding: str | None = None,
) -> DecisionLog:
    """A decision log from a file: one of ours, or with a mapping any table.

    Args:
        path: Parquet or CSV.
        mapping: a mapping TOML, or one that is loaded: which columns are action, propensity, reward and contexts.
        reward: which of the mapping's rewards to take; its first, if not given.
        encoding: of a CSV that is not UTF-8: gb18030, utf-16, latin-1 ...

    Returns:
        DecisionLog: the whole log, in memory; `evaluate_stream` takes logs that are larger.

    Raises:
        UnknownName: there is no such file.
        DataError: the rows break the contract; every fault at once, with row numbers.

    Example:
        >>> import campaignrl as crl
        >>> crl.write_log(crl.simulate("coupon_trap", customers=20), "log.parquet")
        >>> crl.read_log("log.parquet")
        DecisionLog: 2,400 decisions of 20 customers, 7 actions, logged by uniform
    """
    if mapping is None:
        return read_own_log(path, encoding=encoding)
    found = mapping if isinstance(mapping, LogMapping) else load_mapping(mapping)
    return foreign_log(Path(path), found, reward, encoding=encoding)
