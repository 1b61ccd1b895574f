"""Who may decide: the champion as its file names it, and what world and ledger say of it and of its challengers.

Nobody is sent to by a policy that loses: each is held against sending nothing, business as usual and the best fixed
action, on fresh customers of the world, and what is not shown does not decide. Business as usual may decide until it is
shown to lose. Not here: the trial itself (proof/), the valuation (ope/).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from campaignrl.errors import CampaignError, Problem, SpecError, UsageError
from campaignrl.ledger import Ledger, ledger_log
from campaignrl.loop.arms.kept import crowned, keep, kept
from campaignrl.loop.folder import CampaignFile
from campaignrl.ope import compare_on_log
from campaignrl.ope.evaluate import evaluate
from campaignrl.policies import NOTHING, Gain, Policy, Standing, business_as_usual, exploring, load_policy, policy_hash
from campaignrl.proof import prove
from campaignrl.specs import world_hash
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


def policy_of(campaign: CampaignFile, named: str) -> Policy:
    """A policy that the campaign names, a file in its folder first; it draws at least `[policies] explore` at random.

    What decides with certainty leaves a log that nobody learns from and nothing else can be valued on.
    """
    own = campaign.place(named)
    policy = load_policy(str(own) if own.is_file() else named, campaign.world)
    return exploring(policy, campaign.spec.policies.explore)


def champion_of(campaign: CampaignFile) -> Policy:
    """Who decides: whom a trial made champion, while campaign.toml names the one that it named then; else that one."""
    last = crowned(campaign)
    if last:
        return kept(campaign, last["bundle"])
    named = campaign.spec.policies.champion
    try:
        return policy_of(campaign, named)
    except SpecError as wrong:
        raise SpecError([_cannot_play(campaign, named), *wrong.problems]) from None


def _cannot_play(campaign: CampaignFile, named: str) -> Problem:
    """That a champion reads what the world does not know, and how another is made that does not."""
    world, bundle = campaign.place(campaign.spec.world), campaign.folder / "first.bundle"
    fix = (
        f"Train one: campaignrl train dr_uplift --world {world if world.is_file() else campaign.spec.world} "
        f'-o {bundle}, then champion = "{bundle.name}".'
    )
    return Problem("campaign.toml", "champion", named, f"a policy that plays in {campaign.spec.world}", fix)


def campaign_policy(campaign: CampaignFile) -> Path:
    """The champion as it decides in mornings, as a bundle of its own in the campaign's folder."""
    return campaign.folder / keep(campaign, champion_of(campaign))


def require_not_losing(campaign: CampaignFile, policy: Policy, state: dict[str, Any]) -> str:
    """What the world says of the champion, in a line; UsageError where it must not decide.

    A table of rules must not be shown to lose against sending nothing; any other policy must be shown to win, and not
    to lose against business as usual and the best fixed action.
    """
    stands = standing_of(campaign, policy, state)
    gain, unit = stands.over[NOTHING], stands.unit
    if gain.high < 0.0 or (policy.kind != "rules" and not stands.is_better):
        more = "shown to bring more than nothing"
        allowed = more if not gain.low > 0.0 else "shown to keep up with business as usual and the best fixed action"
        said = " ".join(stands.doubts).rstrip(".")
        raise UsageError(Problem("today", "champion", policy.name, f"{allowed}. {said}", _instead(campaign)))
    shown = "shown" if gain.low > 0.0 else "not shown; a random share of sends would tell ([policies] explore)"
    return f"{policy.name} {gain.said(unit)} over sending nothing in the world: {shown}"


def _instead(campaign: CampaignFile) -> str:
    """Who may decide instead of a champion that must not."""
    usual = business_as_usual(campaign.world)
    one = 'a fixed action (champion = "always:OFFER@CHANNEL")' if usual is None else "business as usual"
    return f"Let {one} decide ([policies] champion), or train another and see what `train` says of it."


class Challenger(NamedTuple):
    """A challenger as its name reads; policy None: it cannot be read, and `said` says why."""

    named: str
    policy: Policy | None
    is_better: bool
    said: str


def challengers(campaign: CampaignFile, learned: str | None, state: dict[str, Any]) -> list[Challenger]:
    """What the world says of each challenger, and of what learned on; who is not shown better is tried on nobody."""
    found = []
    for named in (*campaign.spec.policies.challengers, *(() if learned is None else (learned,))):
        try:
            policy = policy_of(campaign, named)
            stands = standing_of(campaign, policy, state)
        except CampaignError as wrong:
            found.append(Challenger(named, None, False, f"{named}: {str(wrong).partition(chr(10))[0]}"))
            continue
        may = "may be tried" if stands.is_better else "stays: " + " ".join(stands.doubts)
        gain = f"{policy.name} {stands.over[NOTHING].said(stands.unit)} over sending nothing in the world: {may}"
        found.append(Challenger(named, policy, stands.is_better, gain))
    return found


def standing_of(campaign: CampaignFile, policy: Policy, state: dict[str, Any]) -> Standing:
    """How a policy stands in the campaign's world; played once for each policy, world and size of the trial."""
    proof, share = campaign.spec.proof, campaign.spec.policies.explore
    size = f"{proof.customers} {proof.seed} {share}"
    key = f"{policy_hash(policy)} {world_hash(campaign.world)} {size}"
    known = state.setdefault("proofs", {})
    if key not in known:
        known[key] = prove(policy, campaign.world, customers=proof.customers, seed=proof.seed, explore=share).to_dict()
    facts = known[key]
    over = {name: Gain(*gain) for name, gain in facts["over"].items()}
    return Standing.of(facts["on"], facts["unit"], over, facts["verdict"])


def judge(
    campaign: CampaignFile,
    ledger: Ledger,
    day: datetime.date,
    champion: Policy,
    against: Sequence[Policy] | None = None,
) -> list[Judged | str]:
    """Champion against sending nothing and each challenger against the champion, on the ledger's log.

    A text stands where the log cannot say. against: challengers; None: those that campaign.toml names.
    """
    if all(run["day"] >= day.isoformat() for run in ledger.runs()):
        return ["nothing was decided before today: the log cannot say what it earns"]
    try:
        log = ledger_log(ledger, campaign.world, as_of=day, every=True)
    except CampaignError as wrong:
        return [str(wrong).partition("\n")[0]]
    matured = int(log.matured.sum())
    if matured < FEWEST:
        return [f"the log holds {matured:,} decisions whose outcome is known, too few to say ({FEWEST:,})"]
    none = load_policy("none", campaign.world)
    if against is None:
        against = [policy_of(campaign, named) for named in campaign.spec.policies.challengers]
    return [
        _judged(log, champion, none, "sending nothing"),
        *(_judged(log, policy, champion, "the champion") for policy in against),
    ]


def _judged(log: DecisionLog, policy: Policy, other: Policy, against: str) -> Judged | str:
    try:
        gain = compare_on_log(log, policy, other)
        verdict = evaluate(log, policy).verdict
    except CampaignError as wrong:
        return f"{policy.name}: {str(wrong).partition(chr(10))[0]}"
    return Judged(policy.name, against, gain.value, gain.ci_low, gain.ci_high, verdict)
