"""The results file of a benchmark: figures per run, and what is needed to know whether two files may be compared.

JSON, written whole; the same suite and code give the same bytes (no time of day, no duration, no path). Not here:
comparing (compare.py).
"""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import numpy as np
from pydantic import Field, StringConstraints

from campaignrl.errors import ArtifactError, Problem, SpecError
from campaignrl.specs import Spec, check, digest, world_hash
from campaignrl.suites.identity import Identity
from campaignrl.suites.measure import Measured
from campaignrl.suites.measure_definitions import CONTRIBUTION, MEASURES
from campaignrl.suites.plan import Run, planned_detectable, planned_sentence
from campaignrl.suites.rows import Row, rows_of
from campaignrl.suites.side_by_side import side_by_side
from campaignrl.suites.statistics import paired_difference
from campaignrl.suites.suite import Gate, Label, Suite, Training
from campaignrl.tables.files import write_whole

FORMAT = 2
KIND = "campaignrl benchmark"
MAX_BYTES = 64 << 20
# Which interval stands where: a row's own says less than one that holds together with all others.
INTERVALS = {
    "printed by benchmark": "each row alone, 95 %, paired t over seeds",
    "page of benchmark": "the rows of a world together, 95 % (Bonferroni), paired t over seeds",
    "compare": "all rows together, 95 % (Bonferroni), paired t over seeds",
}
SHOWN = (CONTRIBUTION, "gain", "sends", "orders")  # in the table for people

Count = Annotated[int, Field(ge=1)]
Short = Annotated[str, StringConstraints(max_length=200, pattern=r"^\P{C}*$")]


class MeasureFacts(Spec):
    """What a measure is."""

    unit: Short
    formula: Short
    better: int  # 1: more is better; -1: less; 0: neither by itself
    source: Short


class WorldFacts(Spec):
    """Which world a label stood for."""

    hash: Short
    currency: Short
    horizon: Count


class SuiteFacts(Spec):
    """The suite as it was played."""

    name: Label
    worlds: dict[Label, WorldFacts]
    policies: list[Label]
    seeds: Count
    customers: Count
    train: Training
    compare: Gate
    # Learners taught on several numbers of customers: reference -> policy -> customers.
    curves: dict[Label, dict[Label, Count]] = Field(default_factory=dict)

    @property
    def settings_hash(self) -> str:
        """Equal for two results whose rows may be compared. Policies and the gate are free to differ."""
        worlds = {label: facts.hash for label, facts in sorted(self.worlds.items())}
        return digest([worlds, self.seeds, self.customers, self.train.customers, self.train.rounds, self.train.explore])


class Results(Spec):
    """All runs of a suite."""

    kind: str = KIND
    format: int = FORMAT
    made_with: dict[Short, Short]
    suite: SuiteFacts
    suite_hash: Short
    # By policy, the loss that is called a regression, share of the base's value; None: its spread is not known.
    detectable: dict[Short, float | None] = Field(default_factory=dict)
    measures: dict[Label, MeasureFacts] = Field(default_factory=dict)
    intervals: dict[Short, Short] = Field(default_factory=lambda: dict(INTERVALS))
    rows: list[Row]

    def to_json(self) -> str:
        """The whole file."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        text = self.to_json()
        write_whole(path, lambda out: _write(out, text))

    def values(self, world: str, policy: str, measure: str = CONTRIBUTION) -> dict[int, float]:
        """Seed -> one measure, of the seeds where it can be had."""
        mine = [row for row in self.rows if (row.world, row.policy) == (world, policy)]
        found = {row.seed: row.measures.get(measure) for row in mine}
        return {seed: value for seed, value in found.items() if value is not None}

    def __str__(self) -> str:
        suite, gate = self.suite, self.suite.compare.baseline
        head = f"{suite.name}: {suite.customers:,} customers, {suite.seeds} seeds, value = contribution per customer"
        title = ("world", "policy", "value", f"against {gate}", "95 % alone", "over none", "sends", "orders")
        rows = [title, *(self._line(world, policy) for world in suite.worlds for policy in suite.policies)]
        plan = [said] if (said := planned_sentence(self.detectable, suite)) else []
        foot = "Intervals are of each row alone; on the page and in `compare` they are wider and hold together."
        return "\n\n".join(["\n".join([*plan, head]), side_by_side(rows, right=range(2, len(title))), foot])

    def _line(self, world: str, policy: str) -> tuple[str, ...]:
        values = {name: list(self.values(world, policy, name).values()) for name in SHOWN}
        if not values[CONTRIBUTION]:
            return (world, policy, *["-"] * 6)
        value, gain, sends, orders = (float(np.mean(values[name])) if values[name] else math.nan for name in SHOWN)
        money = f"{value:.2f} {self.suite.worlds[world].currency}"
        return (world, policy, money, *self._against(world, policy), f"{gain:+.2f}", f"{sends:.2f}", f"{orders:.3f}")

    def _against(self, world: str, policy: str) -> tuple[str, str]:
        base, mine = self.values(world, self.suite.compare.baseline), self.values(world, policy)
        if policy == self.suite.compare.baseline or base.keys() != mine.keys() or len(base) < 2:
            return "-", "-"
        pairs = np.array([(base[seed], mine[seed]) for seed in sorted(base)])
        if pairs[:, 0].mean() == 0.0:
            return "-", "-"
        found = paired_difference(pairs[:, 0], pairs[:, 1])
        return f"{found.difference:+.1%}", f"[{found.ci_low:+.1%}, {found.ci_high:+.1%}]"


def assemble(suite: Suite, identity: Identity, measured: dict[Run, Measured]) -> Results:
    """Results in the order of the plan; gains are over `none` of the same world and seed."""
    worlds = {
        label: WorldFacts(hash=world_hash(world), currency=world.money.currency, horizon=world.horizon)
        for label, world in identity.worlds.items()
    }
    train = suite.train.model_copy(update={"explore": Path(suite.train.explore).stem})  # no path of this machine
    facts = SuiteFacts(
        name=suite.name,
        worlds=worlds,
        policies=list(suite.policies),
        seeds=suite.seeds,
        customers=suite.customers,
        train=train,
        compare=suite.compare,
        curves=suite.curves,
    )
    return Results(
        made_with=made_with(),
        suite=facts,
        suite_hash=facts.settings_hash,
        detectable=planned_detectable(suite),
        measures={
            m.id: MeasureFacts(unit=m.unit, formula=m.formula, better=m.better, source=m.source)
            for m in MEASURES.values()
        },
        rows=rows_of(suite, identity.worlds, measured),
    )


def made_with() -> dict[str, str]:
    """Versions that may change figures."""
    try:
        own = version("campaignrl")
    except PackageNotFoundError:  # run from a source tree
        own = "unknown"
    return {
        "campaignrl": own,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine() or "unknown",
    }


def read_results(path: str | Path) -> Results:
    """The results in a file; whatever is wrong with it is an ArtifactError."""
    where, data = str(path), _object(path)
    if data.get("kind") != KIND:
        _refuse(where, "kind", data.get("kind"), f"{KIND!r}", "Give a file written by `campaignrl benchmark -o`.")
    if data.get("format") != FORMAT:
        fix = "It was written by another version: update campaignrl, or run the benchmark again."
        _refuse(where, "format", data.get("format"), str(FORMAT), fix)
    try:
        results = check(Results, data, where)
    except SpecError as wrong:
        raise ArtifactError(wrong.problems) from None
    if results.suite_hash != results.suite.settings_hash:
        _refuse(where, "suite_hash", results.suite_hash, "that of its own settings", "Run the benchmark again.")
    runs = [(row.world, row.policy, row.seed) for row in results.rows]
    twice = next((run for run in runs if runs.count(run) > 1), None) if len(set(runs)) < len(runs) else None
    if twice is not None:
        _refuse(where, "row", "/".join(map(str, twice)), "given once")
    return results


def _object(path: str | Path) -> dict[str, Any]:
    try:
        size = Path(path).stat().st_size
        raw = b"" if size > MAX_BYTES else Path(path).read_bytes()
    except OSError as wrong:
        _refuse(str(path), "file", f"({wrong.strerror})", "there to be read")
    if size > MAX_BYTES:
        _refuse(str(path), "size", size, f"at most {MAX_BYTES} bytes")
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as wrong:
        _refuse(str(path), "content", str(wrong), "JSON", "The file is damaged or incomplete: run the benchmark again.")
    if not isinstance(found, dict):
        _refuse(str(path), "content", type(found).__name__, "a JSON object")
    return found


def _write(out: BinaryIO, text: str) -> None:
    out.write(text.encode())


def _refuse(where: str, field: str, value: object, allowed: str, fix: str = "") -> NoReturn:
    raise ArtifactError(Problem(where, field, value, allowed, fix))
