"""Notebooks as pages: words as they stand, code in blocks; what cells show is left to whoever runs them.

Not here: running them (tests/test_notebooks.py).
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTE = "\n\n*A notebook of `docs/notebooks/`: open it with Jupyter. A test runs it from the first to the last cell.*\n"


def pages() -> dict[str, str]:
    """Page of the site -> its text."""
    return {f"notebooks/{path.stem}.md": page(path) for path in sorted(FOLDER.glob("*.ipynb"))}


def page(path: Path) -> str:
    """One notebook; the note stands below its title."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    title, _, rest = parts[0].partition("\n")
    return "\n\n".join([title + NOTE + rest, *parts[1:]]) + "\n"
