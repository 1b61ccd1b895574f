"""The verb `compare`: two results files, two policies of one file, or two policies played now.

Rows are paired by world, policy and seed. What may not be compared is said, never passed over in silence. Not here:
intervals and verdicts (paired_test.py), how the answer is shown (comparison.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.policies import Policy
from campaignrl.specs import World, WorldReference, check, load_world
from campaignrl.suites.comparison import Compared, Comparison
from campaignrl.suites.measure import play
from campaignrl.suites.paired_test import NEW, NO_EVIDENCE, REGRESSION, paired_difference, verdict
from campaignrl.suites.results import Results, read_results
from campaignrl.suites.run import Progress
from campaignrl.suites.suite import NONE, Gate, Training

ALPHA = 0.05
WORLD_MOVED = 1e-3  # relative change of the value of `none` above which the world itself behaves otherwise

Source = str | Path | Results


class Pairing(NamedTuple):
    """Values by seed that stand against each other."""

    world: str
    policy: str
    base: dict[int, float]
    candidate: dict[int, float]


def compare(
    base: Source | Policy,
    candidate: Source | Policy | None = None,
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    policy_base: str | None = None,
    policy_candidate: str | None = None,
    world: WorldReference | None = None,
    seeds: int = 20,
    customers: int = 5_000,
    train: Training | Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Is the candidate worse than the base by more than a margin?

    The rule (non-inferiority): a row is a REGRESSION only if its whole interval lies below -margin. Intervals are
    paired t over seeds, at alpha / rows each (Bonferroni), so they hold together with 1 - alpha; where no policy has
    lost more than the margin, at most alpha of all comparisons are red.

    Args:
        base: without `world`, a results file or Results; with it, a policy by reference or as an object.
        candidate: the same; not given: one results file, of which two policies are compared.
        margin: the loss allowed, a share of the base's value; not given: the base file's own, or 0.01.
        alpha: how often a comparison without a loss may be red.
        policy_base: set this policy of the base's file against another.
        policy_candidate: that other one, of the candidate's file.
        world: where two policies are played now, on the same customers: a World, its name, path or dict.
        seeds: how many, paired.
        customers: of each seed.
        train: how learners named by reference are taught first: a dict of customers, rounds, explore.
        progress: called as (seeds done, in all).

    Returns:
        Comparison: a row for each world and policy.

    Raises:
        UsageError: words that do not go together.
        UnknownName: no policy, world or file goes by that name.

    Source:
        Non-inferiority by a confidence interval; Bonferroni over the rows.

    Example:
        >>> import campaignrl as crl
        >>> crl.compare("none", "uniform", world="coupon_trap", seeds=2, customers=50).rows[0].seeds
        2
    """
    _require(margin, alpha)
    if world is not None:
        if candidate is None or isinstance(base, Results) or isinstance(candidate, Results):
            raise UsageError("compare(..., world=...) plays two policies: give two references or policy objects.")
        taught = check(Training, train, "train") if isinstance(train, Mapping) else train
        return _played(base, candidate, load_world(world), seeds, customers, taught, margin, alpha, progress)
    if isinstance(base, Policy) or isinstance(candidate, Policy):
        raise UsageError("compare: to play policies against each other, say in which `world`.")
    if candidate is None and (policy_base is None or policy_candidate is None):
        raise UsageError("compare: one results file compares with itself only by two policies: name both of them.")
    return _filed(base, base if candidate is None else candidate, margin, alpha, (policy_base, policy_candidate))


def _filed(
    base: Source, candidate: Source, margin: float | None, alpha: float, policies: tuple[str | None, str | None]
) -> Comparison:
    for source, role in ((base, "the base"), (candidate, "the candidate")):
        if not isinstance(source, Results) and not Path(source).exists():
            gate, why = margin if margin is not None else Gate().margin, f"{role}, {source}, is missing."
            return Comparison((), gate, alpha, _name(base), _name(candidate), refused=why)
    first, second = (s if isinstance(s, Results) else read_results(s) for s in (base, candidate))
    gate = margin if margin is not None else first.suite.compare.margin
    refused = why_not_comparable(first, second)
    rows = () if refused else judged(_pairings(first, second, policies), gate, alpha)
    if not (refused or rows):
        refused = f"there is no policy but {NONE} to compare."
    notes = () if refused else _notes(first, second, margin)
    return Comparison(rows, gate, alpha, _name(base), _name(candidate), refused, notes)


def why_not_comparable(base: Results, candidate: Results) -> str:
    """A sentence, or "" if rows of the two may stand against each other."""
    ours, theirs = base.suite, candidate.suite
    if base.suite_hash != candidate.suite_hash:
        parts = ("worlds", "seeds", "customers", "train")
        differs = [name for name in parts if getattr(ours, name) != getattr(theirs, name)]
        return f"the two were made with other settings ({', '.join(differs)}). Make a new base with these settings."
    for world in ours.worlds:
        none, other = base.values(world, NONE), candidate.values(world, NONE)
        if _moved(none, other) > WORLD_MOVED:
            return (
                f"the world {world} itself behaves otherwise (sending nothing is worth something else), so a "
                "difference would not be the policy's. Make a new base with this version."
            )
    return ""


def judged(pairings: list[Pairing], margin: float, alpha: float) -> tuple[Compared, ...]:
    """A verdict for each pairing; those with evidence share alpha."""
    reasons = [_lacking(pairing) for pairing in pairings]
    each = alpha / max(reasons.count(""), 1)
    return tuple(_judged(pairing, why, margin, each) for pairing, why in zip(pairings, reasons, strict=True))


def _judged(pairing: Pairing, reason: str, margin: float, alpha: float) -> Compared:
    world, policy, base, candidate = pairing
    if reason:
        word = NEW if not base and candidate else NO_EVIDENCE
        return Compared(world=world, policy=policy, seeds=len(base), verdict=word, reason=reason)
    values = np.array([(base[seed], candidate[seed]) for seed in sorted(base)])
    found = paired_difference(values[:, 0], values[:, 1], alpha)
    word = verdict(found.ci_low, found.ci_high, margin)
    why = f"the whole interval lies below {-margin:.1%}" if word == REGRESSION else ""
    return Compared(world=world, policy=policy, verdict=word, reason=why, **found._asdict())


def _lacking(pairing: Pairing) -> str:
    """Why there is nothing to judge, or ""."""
    base, candidate = pairing.base, pairing.candidate
    if not base:
        return "the base has no such policy" if candidate else "neither has such rows"
    missing = sorted(base.keys() ^ candidate.keys())
    if missing:
        many = ", ".join(str(seed) for seed in missing[:10]) + (" ..." if len(missing) > 10 else "")
        return f"rows are missing (seed {many})" if candidate else "the candidate has no such policy"
    if len(base) < 2:
        return "one seed says nothing about chance: give at least 2"
    return "the base is worth 0, so no share of it can be had" if sum(base.values()) == 0.0 else ""


def _pairings(base: Results, candidate: Results, policies: tuple[str | None, str | None]) -> list[Pairing]:
    first, second = policies[0] or policies[1], policies[1] or policies[0]
    if first is None or second is None:
        names = dict.fromkeys([*base.suite.policies, *candidate.suite.policies])
        labels = [(name, name, name) for name in names if name != NONE]
    else:
        for name, results in ((first, base), (second, candidate)):
            if name not in results.suite.policies:
                raise unknown("policy in the results", name, results.suite.policies)
        labels = [(first, second, _against(second, first))]
    return [
        Pairing(world, label, base.values(world, mine), candidate.values(world, theirs))
        for world in base.suite.worlds
        for mine, theirs, label in labels
    ]


def _played(
    base: str | Path | Policy,
    candidate: str | Path | Policy,
    world: World,
    seeds: int,
    customers: int,
    train: Training | None,
    margin: float | None,
    alpha: float,
    progress: Progress | None,
) -> Comparison:
    if seeds < 2 or customers < 2:
        raise UsageError(Problem("compare", "seeds, customers", (seeds, customers), "at least 2 each"))
    values: list[dict[int, float]] = [{}, {}]
    for seed in range(seeds):
        for side, policy in zip(values, (base, candidate), strict=True):
            campaign = play(world, policy, seed, customers, train or Training())
            side[seed] = float(campaign.value.mean())
        if progress is not None:
            progress(seed + 1, seeds)
    first, second = (policy.name if isinstance(policy, Policy) else Path(policy).stem for policy in (base, candidate))
    gate = Gate().margin if margin is None else margin
    rows = judged([Pairing(world.name, _against(second, first), *values)], gate, alpha)
    return Comparison(rows, gate, alpha, first, second)


def _notes(base: Results, candidate: Results, margin: float | None) -> tuple[str, ...]:
    notes = []
    ours, theirs = base.suite.compare.margin, candidate.suite.compare.margin
    if margin is None and ours != theirs:
        notes.append(f"The candidate's suite would allow {theirs:.1%}; the base's {ours:.1%} counts.")
    for part, value in base.made_with.items():
        other = candidate.made_with.get(part, "unknown")
        if part != "campaignrl" and other != value:
            notes.append(f"Made with another {part} ({value}, {other}); small differences may come from that.")
    return tuple(notes)


def _moved(none: dict[int, float], other: dict[int, float]) -> float:
    """Largest relative change over the seeds both have."""
    changes = [abs(other[s] - v) / max(abs(v), abs(other[s]), 1e-300) for s, v in none.items() if s in other]
    return max(changes, default=0.0)


def _require(margin: float | None, alpha: float) -> None:
    if margin is not None and not 0.0 <= margin < 1.0:
        raise UsageError(Problem("compare", "margin", margin, "a share from 0 to below 1", "Write 0.01 for 1 %."))
    if not 0.0 < alpha < 1.0:
        raise UsageError(Problem("compare", "alpha", alpha, "between 0 and 1 (exclusive)"))


def _name(source: Source) -> str:
    return source.suite.name if isinstance(source, Results) else Path(source).name


def _against(candidate: str, base: str) -> str:
    return candidate if candidate == base else f"{candidate} against {base}"
