"""One currency: what the amounts of a profile folder are in, and whether a world's policies may read them.

Not here: how intake converts amounts (intake/rules.py).
"""

from __future__ import annotations

import json
from pathlib import Path

from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.specs import World


def money_of(folder: Path) -> tuple[str | None, dict[str, float]]:
    """What the amounts of a folder are in, and what other currencies are worth in it; None where nobody said so.

    Raises:
        DataError: quality.json is not what intake wrote.
    """
    file = folder / "quality.json"
    if not file.is_file():
        return None, {}
    try:
        words = json.loads(file.read_text(encoding="utf-8"))
        said, rates = words.get("currency"), {str(name): float(one) for name, one in words.get("rates", {}).items()}
    except (ValueError, AttributeError, TypeError):
        raise DataError(Problem(str(file), "file", "(not shown)", "the JSON that intake wrote")) from None
    return (said, rates) if isinstance(said, str) and said else (None, {})


def require_currency(where: str, currency: str | None, world: World, folder: Path) -> None:
    """UsageError where amounts are known to be in another currency than the world's: 300 pounds are no 300 yuan.

    where: that says the currency; folder: of profiles, which a world in that currency can be calibrated from.
    """
    own = world.money.currency
    if currency is None or currency == own:
        return
    fix = (
        f'Convert them in the mapping: [currency] to = "{own}", rates = {{ {currency} = ... }}, and '
        f'currency = {{ constant = "{currency}" }} in each [[source]]. Or make a world in {currency} and name it '
        f"instead: campaignrl calibrate {folder} --like {world.name} --rate (1 {own} in {currency}) -o world.toml."
    )
    allowed = f"{own}, in which the policies of {world.name} read money"
    raise UsageError(Problem(where, "currency", currency, allowed, fix))
