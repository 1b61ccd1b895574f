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
    """A decision log from a file: one of ours, or with `mapping` any table.

    reward: which of the mapping's rewards to take (default: its first). encoding: of a CSV that is not UTF-8 (gb18030,
    utf-16, latin-1 ...).
    """
    if mapping is None:
        return read_own_log(path, encoding=encoding)
    found = mapping if isinstance(mapping, LogMapping) else load_mapping(mapping)
    return foreign_log(Path(path), found, reward, encoding=encoding)
