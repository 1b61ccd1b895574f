"""Who may decide: the champion as its file names it, and what world and ledger say of it and of its challengers.

Not here: the trial itself (policies/), the valuation (ope/).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from campaignrl.errors import CampaignError
from campaignrl.ledger import Ledger, ledger_log
from campaignrl.loop.campaign_file import CampaignFile
from campaignrl.ope import compare_on_log
from campaignrl.ope.evaluate import evaluate
from campaignrl.policies import Policy, build_policy, load_policy
from campaignrl.specs import bundled_files, read_toml
from campaignrl.tables.log import DecisionLog

FEWEST = 500  # matured decisions, below which nothing is read off the log


@dataclass(frozen=True)
class Judged:
    """What the ledger's log says of one policy: its gain over `against`, and whether that can be believed."""

    policy: str
    against: str
    gain: float
    low: float
    high: float
    verdict: str

    def __str__(self) -> str:
        gain = f"{self.gain:+.2f} a decision over {self.against} [{self.low:+.2f}, {self.high:+.2f}]"
        return f"{self.policy} {gain}: {self.verdict}"


def policy_of(campaign: CampaignFile, named: str, explore: float = 0.0) -> Policy:
    """A policy that the campaign names: a file in its folder first. explore: of a table of rules, its random share."""
    own = campaign.place(named)
    reference = str(own) if own.is_file() else named
    bundled = bundled_files("policies")
    path = own if own.suffix == ".toml" and own.is_file() else bundled.get(named)
    if explore and path is not None:
        spec = read_toml(path)
        if spec.get("kind") == "rules":
            world = campaign.world
            return build_policy({**spec, "explore": explore}, world.catalog, world.features, name=path.stem)
    return load_policy(reference, campaign.world)


def judge(campaign: CampaignFile, ledger: Ledger, day: datetime.date, champion: Policy) -> list[Judged | str]:
    """Champion against sending nothing and each challenger against the champion, on the ledger's log.

    A text stands where the log cannot say.
    """
    if not ledger.counts()["decisions"]:
        return ["nothing was decided yet: the log cannot say what it earns"]
    try:
        log = ledger_log(ledger, campaign.world, as_of=day)
    except CampaignError as wrong:
        return [str(wrong).partition("\n")[0]]
    matured = int(log.matured.sum())
    if matured < FEWEST:
        return [f"the log holds {matured:,} decisions whose outcome is known, too few to say ({FEWEST:,})"]
    none = load_policy("none", campaign.world)
    found = [_judged(log, champion, none, "sending nothing")]
    for named in campaign.spec.policies.challengers:
        found.append(_judged(log, policy_of(campaign, named), champion, "the champion"))
    return found


def _judged(log: DecisionLog, policy: Policy, other: Policy, against: str) -> Judged | str:
    try:
        gain = compare_on_log(log, policy, other)
        verdict = evaluate(log, policy).verdict
    except CampaignError as wrong:
        return f"{policy.name}: {str(wrong).partition(chr(10))[0]}"
    return Judged(policy.name, against, gain.value, gain.ci_low, gain.ci_high, verdict)
