"""The ids that `gymnasium.make` and `gymnasium.make_vec` find once campaignrl is imported.

Gymnasium 1.0 dropped plug-in entry points, so the import is needed; `gymnasium.make("campaignrl:campaignrl/...")`
does it by itself. Environment classes are named by text and load on first use.
"""

from __future__ import annotations

import gymnasium

LIFECYCLE = "campaignrl/Lifecycle-v0"
BANDIT = "campaignrl/Bandit-v0"

ENVIRONMENTS = {  # id -> the single and the native vector environment
    LIFECYCLE: ("campaignrl.envs.single:LifecycleEnv", "campaignrl.envs.vector:LifecycleVectorEnv"),
    BANDIT: ("campaignrl.envs.bandit:BanditEnv", "campaignrl.envs.bandit:BanditVectorEnv"),
}


def register_environments() -> None:
    """Register every id as a single and as a native vector environment; again is harmless."""
    for name, (single, vector) in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=single, vector_entry_point=vector)
