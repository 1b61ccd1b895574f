"""Print, as pins, the lower bound of every requirement in pyproject.toml: what `make lowest` installs.

`python .ci/lowest.py [EXTRA ...]`: of what the package needs, of its test group, and of the extras named.
"""

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"([\w.-]+)\s*>=\s*([\w.]+)")


def pins(extras: list[str]) -> list[str]:
    """One `name==version` for each requirement; a requirement without a lower bound is an error."""
    tables = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    project = tables["project"]
    wanted = [*project["dependencies"], *tables["dependency-groups"]["test"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    bounds = [BOUND.match(requirement) for requirement in wanted]
    boundless = [requirement for requirement, bound in zip(wanted, bounds, strict=True) if bound is None]
    if boundless:
        sys.exit(f"pyproject.toml gives no lower bound for {', '.join(boundless)}: write NAME>=VERSION")
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


if __name__ == "__main__":
    print("\n".join(pins(sys.argv[1:])))
