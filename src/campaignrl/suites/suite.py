"""What a benchmark suite in TOML may say: worlds, policies, training, seeds, customers, and the gate of `compare`.

Not here: whether the named worlds and policies exist (identity.py), the runs (plan.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.policies import ALWAYS
from campaignrl.specs import Spec, check, find_file, read_toml
from campaignrl.suites.measure_definitions import GATED, measure_fix

NONE = "none"  # always played: the value that every gain is measured from

# Shown in terminals, Markdown and XML: one line, nothing that moves a cursor or turns text around.
LONGEST_LABEL = 120
Label = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LABEL, pattern=r"^\P{C}+$")]


class PolicyUse(Spec):
    """One policy of a suite."""

    use: Annotated[str, StringConstraints(min_length=1)]  # bundled name, TOML file, bundle, `always:ACTION`
    label: Label | None = None  # its name in the results; not given: the name or the stem of the file
    # By world, what plays there instead: a shop's own rules, its own best fixed action.
    by_world: dict[Label, Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=dict)
    customers: Annotated[int, Field(ge=1)] | None = None  # a learner is taught on so many; not given: as [train] says
    # Standard deviation between seeds of the difference between two versions that are equally good, a share of the
    # value, as experiments/gate.py measures it; what can be detected follows from it before anything runs.
    spread: Annotated[float, Field(ge=0.0)] | None = None

    @property
    def name(self) -> str:
        """Its name in the results."""
        return self.label or _stem(self.use)


class Training(Spec):
    """How a learner that comes untrained is taught, in each world and for each seed anew."""

    customers: Annotated[int, Field(ge=1)] = 5_000  # new ones in every round, none of them evaluated later
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    explore: str = "uniform"  # plays the first round


class Gate(Spec):
    """What `compare` allows."""

    margin: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.01  # loss that may pass, as a share of the base's value
    margins: dict[Label, Annotated[float, Field(ge=0.0)]] = Field(default_factory=dict)  # of further measures
    baseline: str = NONE  # the policy that others of the same file are shown against


class Suite(Spec):
    """A benchmark: every policy in every world for every seed."""

    name: Label = "suite"
    about: str = ""
    worlds: Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1)]
    policy: Annotated[list[PolicyUse], Field(min_length=1)]
    train: Training = Training()
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 5  # 0 .. seeds - 1
    customers: Annotated[int, Field(ge=2, le=10_000_000)] = 5_000  # evaluated per run
    horizon: Annotated[int, Field(ge=1, le=3660)] | None = None  # days; not given: each world's own
    compare: Gate = Gate()
    # By world: gain per customer of its observable ceiling over sending nothing, currency.
    ceilings: dict[Label, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        problems = _suite_problems(self)
        if problems:
            raise SpecError(problems)
        return self

    @property
    def policies(self) -> dict[str, str]:
        """Label -> reference, in the order of the file, `none` first."""
        return {NONE: NONE, **{entry.name: entry.use for entry in self.policy}}

    def reference(self, world: str, policy: str) -> str:
        """What plays under this label in this world."""
        own = next((entry.by_world.get(world) for entry in self.policy if entry.name == policy), None)
        return own or self.policies[policy]

    def training(self, policy: str) -> Training:
        """How this policy is taught, if it learns."""
        own = next((entry.customers for entry in self.policy if entry.name == policy), None)
        return self.train if own is None else self.train.model_copy(update={"customers": own})

    @property
    def curves(self) -> dict[str, dict[str, int]]:
        """Learners that the suite teaches on several numbers of customers: reference -> label -> customers."""
        found: dict[str, dict[str, int]] = {}
        for entry in self.policy:
            found.setdefault(_stem(entry.use), {})[entry.name] = self.training(entry.name).customers
        return {use: sizes for use, sizes in found.items() if len(set(sizes.values())) > 1}

    @property
    def world_of(self) -> dict[str, str]:
        """Label -> reference of the worlds, in the order of the file."""
        return {_stem(reference): reference for reference in self.worlds}

    @property
    def spreads(self) -> dict[str, float | None]:
        """By policy but `none`, the spread between seeds that its file states."""
        return {entry.name: entry.spread for entry in self.policy if entry.name != NONE}


def load_suite(reference: str | Path | Suite, *, seeds: int | None = None) -> Suite:
    """A suite by bundled name or path of a TOML file; files it names are looked for beside it first."""
    changes = {} if seeds is None else {"seeds": seeds}
    if isinstance(reference, Suite):
        return check(Suite, {**reference.model_dump(), **changes}, reference.name) if changes else reference
    path = find_file("experiments", reference, "suite")
    suite, folder = check(Suite, {"name": path.stem, **read_toml(path), **changes}, path.name), path.parent
    uses = [
        entry.model_copy(
            update={
                "use": _beside(folder, entry.use),
                "label": entry.name,
                "by_world": {world: _beside(folder, use) for world, use in entry.by_world.items()},
            }
        )
        for entry in suite.policy
    ]
    train = suite.train.model_copy(update={"explore": _beside(folder, suite.train.explore)})
    return suite.model_copy(
        update={"worlds": [_beside(folder, world) for world in suite.worlds], "policy": uses, "train": train}
    )


def _suite_problems(suite: Suite) -> list[Problem]:
    labels = [entry.name for entry in suite.policy]
    problems = [
        Problem("[[policy]]", "label", name, "given once", "Give one of them another `label`.")
        for name in dict.fromkeys(labels)
        if labels.count(name) > 1
    ]
    problems += [
        Problem("[[policy]]", "label", NONE, f"free for {entry.use}", "It names the policy that never sends.")
        for entry in suite.policy
        if entry.name == NONE and entry.use != NONE
    ]
    problems += [
        Problem("(whole)", "name", name, f"at most {LONGEST_LABEL} printable characters", "Give it a `label`.")
        for name in [*labels, *suite.world_of]  # those taken from a reference have not met Label
        if not name.isprintable() or len(name) > LONGEST_LABEL
    ]
    if len(suite.world_of) < len(suite.worlds):
        problems.append(Problem("(whole)", "worlds", suite.worlds, "a list of different names"))
    problems += [
        Problem(f"[[policy]] {entry.name}", "by_world", name, "a world of this suite", nearest(name, suite.world_of))
        for entry in suite.policy
        for name in entry.by_world
        if name not in suite.world_of
    ]
    problems += [
        Problem("[compare] margins", "measure", name, "a measure with a better and a worse", measure_fix(name))
        for name in suite.compare.margins
        if name not in GATED
    ]
    problems += [
        Problem("[ceilings]", "world", name, "a world of this suite", nearest(name, suite.world_of))
        for name in suite.ceilings
        if name not in suite.world_of
    ]
    if suite.compare.baseline not in suite.policies:
        fix = nearest(suite.compare.baseline, suite.policies) or f"Known: {', '.join(suite.policies)}."
        problems.append(Problem("[compare]", "baseline", suite.compare.baseline, "a policy of this suite", fix))
    return problems


def _beside(folder: Path, reference: str) -> str:
    path = folder / reference
    return str(path) if Path(reference).suffix and path.is_file() else reference


def _stem(reference: str) -> str:
    return reference if reference.startswith(ALWAYS) else Path(reference).stem or reference
