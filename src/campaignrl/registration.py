"""The ids that `gymnasium.make` and `gymnasium.make_vec` find once campaignrl is imported.

Gymnasium 1.0 dropped plug-in entry points, so the import is needed; `gymnasium.make("campaignrl:campaignrl/...")`
does it by itself. Environment classes are named by text and load on first use; so does the face for
stable-baselines3, of the extra `rl`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import gymnasium

LIFECYCLE = "campaignrl/Lifecycle-v0"
BANDIT = "campaignrl/Bandit-v0"
CLOCK = "campaignrl/Clock-v0"

ENVIRONMENTS = {  # id -> the single and the native vector environment
    LIFECYCLE: ("campaignrl.envs.single:LifecycleEnv", "campaignrl.envs.vector:LifecycleVectorEnv"),
    BANDIT: ("campaignrl.envs.bandit:BanditEnv", "campaignrl.envs.bandit:BanditVectorEnv"),
    CLOCK: ("campaignrl.envs.clock.face:ClockEnv", "campaignrl.envs.clock.face:ClockVectorEnv"),
}


def register_environments() -> None:
    """Register every id as a single and as a native vector environment; again is harmless."""
    for name, (single, vector) in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=single, vector_entry_point=vector)


def sb3_env(
    world: Any,
    num_envs: int = 1,
    *,
    seed: int = 0,
    first_customer: int = 0,
    threads: int | None = None,
    **options: Any,
) -> Any:
    """A world as stable-baselines3 and sb3-contrib want it, with action masks: one customer a place.

    Args:
        world: a World, its bundled name, a path of a TOML file, or a dict of what such a file holds.
        num_envs: customers at once.
        seed: of every draw.
        first_customer: id of the first customer; each episode takes the next ones.
        threads: of the engine; results do not depend on it.
        options: what is asked for beside the plain daily face, as `gymnasium.make_vec` takes it: `reward` (plain,
            expected, incremental), `reward_scale` (currency to one unit), `limits` (wave, money, none), `price` (of
            money, or by name of a channel), `observe` (features, everything, or groups), `step` (day, week, event, or
            days).

    Returns:
        VecEnv: observation (num_envs, d) float32, actions ids of the world's catalog, rewards in its currency.

    Raises:
        MissingExtra: stable-baselines3 is not installed: pip install 'campaignrl[rl]'.
        UnknownName: no world goes by that name.
        UsageError: an option is not one of those it may be.

    Source:
        The interface `VecEnv` of stable-baselines3, and `action_masks` of sb3-contrib.

    Example:
        >>> import campaignrl as crl
        >>> env = crl.sb3_env("coupon_trap", 8)
        >>> env.reset().shape[0], env.action_masks().shape
        (8, (8, 7))
        >>> weekly = crl.sb3_env("coupon_trap", 8, reward="incremental", reward_scale=10.0, step="week")
        >>> weekly.reset().shape == env.reset().shape
        True
    """
    made = import_module("campaignrl.envs.sb3")  # the extra, only where it is asked for
    specs = import_module("campaignrl.specs")
    found = specs.load_world(world)
    return made.lifecycle(found, num_envs, seed=seed, first_customer=first_customer, threads=threads, **options)
