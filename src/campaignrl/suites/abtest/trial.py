"""What an A/B test is, as a JSON file: arms and their shares, the measure, guardrails, the size it was planned for.

Written once, before the test starts; every reading goes by it. Not here: how the size was found (power.py), who is in
which arm (assignment.py).
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, StringConstraints, model_validator

from campaignrl.errors import ArtifactError, Problem, SpecError
from campaignrl.specs import Spec, check
from campaignrl.tables.files import write_whole

KIND = "campaignrl abtest"
LARGEST = 1 << 20  # bytes of such a file
TOTAL = 1e-9  # how far from 1 the shares may add up to

Name = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^\P{C}+$")]
Positive = Annotated[float, Field(gt=0.0)]


class Guardrail(Spec):
    """A measure that must not get worse by more than a margin, whatever the test is about."""

    column: Name
    better: Literal[-1, 1]  # 1: more is better; -1: less
    margin: Annotated[float, Field(ge=0.0)] = 0.1  # harm allowed, a share of the champion's mean


class Trial(Spec):
    """One test, as planned."""

    kind: Literal["campaignrl abtest"] = "campaignrl abtest"
    format: Literal[1] = 1
    name: Name
    salt: Name  # of the hash that assigns; another test needs another salt
    arms: dict[Name, Annotated[float, Field(gt=0.0, lt=1.0)]]  # name -> share of the customers; the first: champion
    measure: Name = "value"  # column of the outcomes that the test is about; more is better
    covariates: list[Name] = Field(default_factory=list)  # columns known before the test starts
    guardrails: list[Guardrail] = Field(default_factory=list)
    looks: Literal["any time", "once", "late"] = "any time"  # late: any time, most of alpha kept for the end
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    power: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    effect: Positive  # smallest effect worth finding, a share of the champion's mean
    mean: float  # of the measure under the champion, as expected
    std: Positive
    explained: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # share of the variance that the covariates explain
    customers: Annotated[int, Field(ge=4)]  # planned, in all arms together

    @model_validator(mode="after")
    def _consistent(self) -> Trial:
        problems = []
        if len(self.arms) < 2:
            problems.append(Problem("trial", "arms", list(self.arms), "at least two"))
        if abs(sum(self.arms.values()) - 1.0) > TOTAL:
            problems.append(Problem("trial", "arms", self.arms, "shares that add up to 1"))
        if self.mean == 0.0:
            problems.append(Problem("trial", "mean", 0.0, "another number", "An effect is a share of it."))
        if problems:
            raise SpecError(problems)
        return self

    @property
    def champion(self) -> str:
        """The first arm, which the others are held against."""
        return next(iter(self.arms))

    @property
    def level(self) -> float:
        """Alpha of each challenger: they share it (Bonferroni)."""
        return self.alpha / (len(self.arms) - 1)

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
        write_whole(path, partial(_write, text=text))


def read_trial_file(path: str | Path) -> Trial:
    """The test in a file; whatever is wrong with it is an ArtifactError."""
    try:
        if Path(path).stat().st_size > LARGEST:
            raise ArtifactError(Problem(str(path), "size", Path(path).stat().st_size, f"at most {LARGEST} bytes"))
        data = json.loads(Path(path).read_bytes())
    except OSError as wrong:
        raise ArtifactError(Problem(str(path), "file", f"({wrong.strerror})", "there to be read")) from None
    except (ValueError, RecursionError) as wrong:
        raise ArtifactError(Problem(str(path), "content", str(wrong), "JSON")) from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        fix = "Give a file written by `campaignrl abtest plan -o`."
        raise ArtifactError(Problem(str(path), "kind", type(data).__name__, repr(KIND), fix))
    try:
        return check(Trial, data, str(path))
    except SpecError as wrong:
        raise ArtifactError(wrong.problems) from None


def _write(out: BinaryIO, text: str) -> None:
    out.write(text.encode())
