"""Every policy that decides is kept in the folder as it was, so that an audit and a roll-back need no other file.

Here: `policies/NAME-HASH.bundle`, and `champions.jsonl`, who became champion, when and why. Not here: who may (trial).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from campaignrl.loop.folder import CampaignFile, append_line
from campaignrl.policies import Policy, load_policy, policy_hash, save_policy

POLICIES, CHAMPIONS = "policies", "champions.jsonl"


def keep(campaign: CampaignFile, policy: Policy) -> str:
    """Keep a policy; its place in the folder. The same policy is kept once."""
    plain = re.sub(r"[^\w.-]+", "_", policy.name)[:60] or "policy"
    place = f"{POLICIES}/{plain}-{policy_hash(policy)[:8]}.bundle"
    path = campaign.folder / place
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        save_policy(policy, path)
    return place


def kept(campaign: CampaignFile, place: str) -> Policy:
    """A policy that was kept."""
    return load_policy(str(campaign.folder / place), campaign.world)


def crowned(campaign: CampaignFile) -> dict[str, Any]:
    """The last line of champions.jsonl, while campaign.toml names the champion that it named then; else empty."""
    path = campaign.folder / CHAMPIONS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    last: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return last if last.get("configured") == campaign.spec.policies.champion else {}


def crown(campaign: CampaignFile, facts: Mapping[str, Any]) -> None:
    """Note that somebody is champion from a day on; the same once."""
    told = {**facts, "configured": campaign.spec.policies.champion}
    if crowned(campaign) != told:
        append_line(campaign.folder / CHAMPIONS, told)
