"""The ids that `gymnasium.make` and `gymnasium.make_vec` find once campaignrl is imported.

Gymnasium 1.0 dropped plug-in entry points, so the import is needed; `gymnasium.make("campaignrl:campaignrl/...")`
does it by itself. Environment classes are named by text and load on first use.
"""

from __future__ import annotations

import gymnasium

LIFECYCLE = "campaignrl/Lifecycle-v0"


def register_environments() -> None:
    """Register `campaignrl/Lifecycle-v0` as a single and as a native vector environment; again is harmless."""
    if LIFECYCLE not in gymnasium.registry:
        gymnasium.register(
            id=LIFECYCLE,
            entry_point="campaignrl.envs.single:LifecycleEnv",
            vector_entry_point="campaignrl.envs.vector:LifecycleVectorEnv",
        )
