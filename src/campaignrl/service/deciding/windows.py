"""How far back the rules and features of a world look.

Not here: the rules (guard/).
"""

from __future__ import annotations

from campaignrl.guard import cap_windows, offer_windows
from campaignrl.specs import World


def longest_window(world: World) -> int:
    """Days, at least 1, of the longest window in which anything of the world counts sends."""
    most = world.guard.max_discount_depth
    days = [1, *(days for _, days in cap_windows(world)), *(days for _, days in offer_windows(world))]
    days += [] if most is None else [most.per_days]
    for feature in world.features.features:
        middle = feature.name.removeprefix("contacts_").removesuffix("d")
        if feature.name == f"contacts_{middle}d" and middle.isdigit():
            days.append(int(middle))
    return max(days)
