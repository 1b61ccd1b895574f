"""The one function that every kind goes through, and the taught copy that a log is proven by.

Not here: the comparisons (in_a_world.py, on_a_log.py), the record in a bundle and its marks (policies/standing.py).
"""

from __future__ import annotations

from campaignrl.errors import CampaignError, Problem, SupportError, UsageError
from campaignrl.policies import ALPHA, Learner, Policy, Standing, is_trained
from campaignrl.proof.in_a_world import prove_in_world
from campaignrl.proof.on_a_log import REFUSED, prove_on_log
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables.log import DecisionLog, split_by_customer

CUSTOMERS = 4_000  # of a world, fresh ones
TAUGHT = 0.75  # of the customers of a log, whom the copy learns from; it is judged on the others
MOST_ROWS = 400_000  # of a log that a proof takes; of a longer one, a part of the customers


def prove(
    policy: Policy,
    source: WorldReference | DecisionLog,
    *,
    customers: int = CUSTOMERS,
    chosen_on: DecisionLog | None = None,
    seed: int = 0,
    explore: float = 0.0,
    alpha: float = ALPHA,
) -> Standing:
    """Hold a policy against sending nothing, business as usual and the best fixed action.

    Args:
        policy: any kind; a learner must have learned.
        source: a world, on fresh customers of which all of them play; or rows of a log that the policy has not learned
            from, by which they are estimated.
        customers: of the world.
        chosen_on: of a log, other rows, on which the best fixed action is chosen; None: a half of `source`, and the
            comparison is made on the other.
        seed: of the customers' luck.
        explore: of a world: business as usual and the best fixed action draw this share at random, as the policy does.
        alpha: chance that an interval misses; less than 0.05 where one looks more than once.

    Returns:
        Standing: the gains with intervals, and what is in doubt; none: the policy may be used.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.proof import prove
        >>> prove(crl.load_policy("rules_coupon_trap", "coupon_trap"), "coupon_trap", customers=500).is_better
        False
    """
    if not isinstance(source, DecisionLog):
        return prove_in_world(policy, load_world(source), customers, seed, explore, alpha)
    if chosen_on is None:
        source, chosen_on = split_by_customer(source, 0.5, seed)
    return prove_on_log(policy, source, chosen_on, alpha)


def refuse_unsupported(learner: Policy, standing: Standing | None) -> None:
    """Refuse a sequential learner whose log cannot answer for it, by the evaluator's verdict on the taught copy.

    What such a learner thinks of the weeks after a send rests on what the log tried: where it hardly did anything but
    one thing, a regression takes what sets customers apart for what the actions do.

    Raises:
        SupportError: the verdict is to refuse, with its reason and what to do instead.
    """
    if standing is None or standing.verdict != REFUSED or not getattr(learner, "sequential", False):
        return
    fix = "Stay with whoever wrote the log, or train dr_select, which does unless the log shows something to be better."
    raise SupportError(f"{learner.name} cannot be taught by this log. {' '.join(standing.doubts)} {fix}")


def proof_of_training(
    learner: Policy, before: Policy, source: World | DecisionLog, seed: int = 0, alpha: float = ALPHA
) -> Standing:
    """How what was just taught stands: in its world, or by a copy taught on a part of the customers of its log.

    before: the learner as it was before it was taught, which the copy begins from; alpha: as of `prove`.
    """
    if isinstance(source, World):
        return prove(learner, source, seed=seed, alpha=alpha)
    if not isinstance(before, Learner):
        raise UsageError(Problem("prove", "policy", learner.name, "one that learns from logs"))
    if len(source) > MOST_ROWS:
        source, _ = split_by_customer(source, MOST_ROWS / len(source), seed)
    kept, held = split_by_customer(source, TAUGHT, seed)
    try:
        before.update(kept)
    except CampaignError as wrong:
        why = f"Too little is left of its log to hold it against anything: {' '.join(str(wrong).split())}"
        return Standing.of(f"log of {source.policy_id}", "a decision", {}, REFUSED, (why,))
    if not is_trained(before):
        why = "Too little is left of its log to hold it against anything."
        return Standing.of(f"log of {source.policy_id}", "a decision", {}, REFUSED, (why,))
    return prove(before, held, chosen_on=kept, seed=seed, alpha=alpha)
