"""The verb `compare`: two results files, two policies of one file, or two policies played now.

Rows are paired by world, policy and seed. What may not be compared is said, never passed over in silence. Not here:
intervals and verdicts (judge.py), how the answer is shown (comparison.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.policies import Policy
from campaignrl.specs import World, WorldReference, check, load_world
from campaignrl.suites.comparison import Comparison
from campaignrl.suites.judge import Pairing, judged, overall
from campaignrl.suites.measure import play, quantities_of
from campaignrl.suites.measure_definitions import CONTRIBUTION, GATED, measured
from campaignrl.suites.plan import ALPHA
from campaignrl.suites.results import Results, read_results
from campaignrl.suites.run import Progress
from campaignrl.suites.statistics import INCONCLUSIVE
from campaignrl.suites.suite import NONE, Gate, Training
from campaignrl.suites.timings import seconds_per_seed

WORLD_MOVED = 1e-3  # relative change of the value of `none` above which the world itself behaves otherwise

FAIL_ON = ("regression", INCONCLUSIVE)

Source = str | Path | Results
Margin = float | Mapping[str, float] | None


class Rules(NamedTuple):
    """What a comparison allows."""

    margins: dict[str, float]
    alpha: float
    strict: bool


def compare(
    base: Source | Policy,
    candidate: Source | Policy | None = None,
    *,
    margin: Margin = None,
    alpha: float = ALPHA,
    fail_on: str = "regression",
    policy_base: str | None = None,
    policy_candidate: str | None = None,
    world: WorldReference | None = None,
    seeds: int = 20,
    customers: int = 5_000,
    train: Training | Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Is the candidate worse than the base by more than a margin?

    The rule (non-inferiority): a row is a REGRESSION only if its whole interval lies below -margin, an improvement if
    it lies above 0, equal if no part lies below -margin, and else inconclusive, with what would decide it. Intervals
    are paired t over seeds, at alpha / rows each (Bonferroni), so they hold together with 1 - alpha; where no policy
    has lost more than the margin, at most alpha of all comparisons have a red row.

    Args:
        base: without `world`, a results file or Results; with it, a policy by reference or as an object.
        candidate: the same; not given: one results file, of which two policies are compared.
        margin: the loss of contribution allowed, a share of the base's; or a dict of it by measure, which adds those
            measures to the rows. Not given: the base file's own, or 0.01.
        alpha: how often a comparison without a loss may be red.
        fail_on: "regression", or "inconclusive" to fail on rows that are undecided too.
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
        Non-inferiority by a confidence interval (ICH E9, section 3.3.2); Bonferroni over the rows; inter-quartile mean
        and probability of improvement of Agarwal et al. 2021 (NeurIPS), for information.

    Example:
        >>> import campaignrl as crl
        >>> crl.compare("none", "uniform", world="coupon_trap", seeds=2, customers=50).rows[0].seeds
        2
    """
    _require(margin, alpha, fail_on)
    strict = fail_on == INCONCLUSIVE
    if world is not None:
        if candidate is None or isinstance(base, Results) or isinstance(candidate, Results):
            raise UsageError("compare(..., world=...) plays two policies: give two references or policy objects.")
        taught = check(Training, train, "train") if isinstance(train, Mapping) else train
        rules = Rules(_margins(margin, Gate()), alpha, strict)
        return _played(base, candidate, load_world(world), seeds, customers, taught, rules, progress)
    if isinstance(base, Policy) or isinstance(candidate, Policy):
        raise UsageError("compare: to play policies against each other, say in which `world`.")
    if candidate is None and (policy_base is None or policy_candidate is None):
        raise UsageError("compare: one results file compares with itself only by two policies: name both of them.")
    against = base if candidate is None else candidate
    return _filed(base, against, margin, alpha, strict, (policy_base, policy_candidate))


def _filed(
    base: Source,
    candidate: Source,
    margin: Margin,
    alpha: float,
    strict: bool,
    policies: tuple[str | None, str | None],
) -> Comparison:
    names = _name(base), _name(candidate)
    for source, role in ((base, "the base"), (candidate, "the candidate")):
        if not isinstance(source, Results) and not Path(source).exists():
            allowed = _margins(margin, Gate())[CONTRIBUTION]
            return Comparison((), allowed, alpha, *names, refused=f"{role}, {source}, is missing.", strict=strict)
    first, second = (s if isinstance(s, Results) else read_results(s) for s in (base, candidate))
    margins = _margins(margin, first.suite.compare)
    refused = why_not_comparable(first, second)
    pairings = [] if refused else _pairings(first, second, policies, margins)
    if not (refused or pairings):
        refused = f"there is no policy but {NONE} to compare."
    return Comparison(
        judged(pairings, margins, alpha),
        margins[CONTRIBUTION],
        alpha,
        *names,
        refused,
        () if refused else _notes(first, second, margin),
        overall(pairings, alpha),
        strict,
        first.suite.customers,
        None if isinstance(candidate, Results) else seconds_per_seed(candidate, second.suite.seeds),
    )


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


def _pairings(
    base: Results, candidate: Results, policies: tuple[str | None, str | None], measures: Iterable[str]
) -> list[Pairing]:
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
        Pairing(world, label, base.values(world, mine, of), candidate.values(world, theirs, of), of)
        for world in base.suite.worlds
        for mine, theirs, label in labels
        for of in measures
    ]


def _played(
    base: str | Path | Policy,
    candidate: str | Path | Policy,
    world: World,
    seeds: int,
    customers: int,
    train: Training | None,
    rules: Rules,
    progress: Progress | None,
) -> Comparison:
    if seeds < 2 or customers < 2:
        raise UsageError(Problem("compare", "seeds, customers", (seeds, customers), "at least 2 each"))
    found: list[list[dict[str, float | None]]] = [[], []]
    for seed in range(seeds):
        of = partial(_quantities, world, seed=seed, customers=customers, train=train or Training())
        twin = of(NONE) if len(rules.margins) > 1 else None  # contribution needs none
        for side, policy in zip(found, (base, candidate), strict=True):
            own = of(policy)
            side.append(measured(own, twin or own))
        if progress is not None:
            progress(seed + 1, seeds)
    first, second = (policy.name if isinstance(policy, Policy) else Path(policy).stem for policy in (base, candidate))
    label = _against(second, first)
    pairings = [Pairing(world.name, label, _by_seed(found[0], of), _by_seed(found[1], of), of) for of in rules.margins]
    rows, allowed = judged(pairings, rules.margins, rules.alpha), rules.margins[CONTRIBUTION]
    return Comparison(rows, allowed, rules.alpha, first, second, strict=rules.strict, customers=customers)


def _quantities(
    world: World, policy: str | Path | Policy, seed: int, customers: int, train: Training
) -> dict[str, float]:
    return quantities_of(play(world, policy, seed, customers, train))


def _by_seed(measures: list[dict[str, float | None]], of: str) -> dict[int, float]:
    return {seed: value for seed, one in enumerate(measures) if (value := one[of]) is not None}


def _margins(margin: Margin, gate: Gate) -> dict[str, float]:
    """By measure, contribution first: what was said, or what the gate says."""
    if isinstance(margin, Mapping):
        return {CONTRIBUTION: gate.margin, **margin}
    return {CONTRIBUTION: gate.margin if margin is None else margin, **gate.margins}


def _notes(base: Results, candidate: Results, margin: Margin) -> tuple[str, ...]:
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


def _require(margin: Margin, alpha: float, fail_on: str) -> None:
    given = margin if isinstance(margin, Mapping) else {CONTRIBUTION: 0.0 if margin is None else margin}
    for name, value in given.items():
        if name not in GATED:
            raise unknown("measure that can gate", name, GATED)
        if not 0.0 <= value < 1.0:
            raise UsageError(
                Problem("compare", f"margin of {name}", value, "a share from 0 to below 1", "1 % is 0.01.")
            )
    if not 0.0 < alpha < 1.0:
        raise UsageError(Problem("compare", "alpha", alpha, "between 0 and 1 (exclusive)"))
    if fail_on not in FAIL_ON:
        raise UsageError(Problem("compare", "fail_on", fail_on, f"one of {', '.join(FAIL_ON)}"))


def _name(source: Source) -> str:
    return source.suite.name if isinstance(source, Results) else Path(source).name


def _against(candidate: str, base: str) -> str:
    return candidate if candidate == base else f"{candidate} against {base}"
