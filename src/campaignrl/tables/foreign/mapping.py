"""Mappings: a TOML file that says what the columns of somebody else's log mean.

Here: the model and its checks. Not here: reading the log by it (log.py). A mapping is written for a data
set, not for one file of it. Tables of the file:

[action]      column (or offer_column and channel_column); values: raw value -> action name, "none" is no contact;
              made_of: action name -> offer and channel; items: a table beside the log with every action's value;
              name: action name from a value, e.g. "item{value}"; none_offered: could the logging policy do nothing?
[propensity]  column, or constant (a fraction such as "1/3" may be written so), or per_action; or estimate = true
              where nobody knows: the evaluation then estimates them from the contexts, and says so
[reward]      column or expression, unit; or several named tables [reward.NAME], the first being the default. A column
              of numbers, or of yes and no; an expression may compare: y == "yes"
[contexts]    numbers, categories (both may hold wildcards: "affinity_*"), units, log (numbers read on a log scale)
[customer]    column; left out, each row is a customer of its own
[cluster]     column, where no customer is known: rows that belong together, as the slots of one page load
[decision]    column with the id of each decision: rows that repeat an id are left out and counted
[matured]     which outcomes are known: column (yes or no), or reward_given = true (a row without a reward is not in
              yet), or after_days (rows younger than that on the log's last day); left out, all are
[step] [time] column; left out, a customer's rows are counted in order, and every day is 0
[cost]        column, constant or per_action, in minor units; left out, 0. scale: minor units in one of the column's

separator, decimal ("." or ",") and encoding of a text file may stand above all tables; left out, they are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from campaignrl.errors import Problem, SpecError, unknown
from campaignrl.specs import Spec, check, read_toml
from campaignrl.tables.files import Expression, compile_expression


def _fraction(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(Fraction(value))
    except (ValueError, ZeroDivisionError):
        raise ValueError('a number or a fraction such as "1/3"') from None


def _exactly_one(where: str, part: Spec) -> None:
    given = [name for name in ("column", "constant", "per_action") if getattr(part, name) is not None]
    if len(given) != 1:
        fix = "Give one of column, constant, per_action."
        raise SpecError(Problem(where, "keys", given, "exactly one way", fix))


Chance = Annotated[float, BeforeValidator(_fraction), Field(gt=0.0, le=1.0)]
Cost = Annotated[int, Field(ge=0)]


class Column(Spec):
    """One column."""

    column: str


class Made(Spec):
    """What an action is made of."""

    offer: str
    channel: str


class Items(Spec):
    """A table beside the log with one row per action."""

    file: str
    column: str

    @model_validator(mode="after")
    def _stays_in_the_folder(self) -> Self:
        if PurePath(self.file).name != self.file or "\\" in self.file or self.file in ("", ".", ".."):
            raise SpecError(Problem("[action.items]", "file", self.file, "the name of a file beside the log"))
        return self


class ActionPart(Spec):
    """Which action a row holds."""

    column: str | None = None
    offer_column: str | None = None
    channel_column: str | None = None
    values: dict[str, str] | None = None
    made_of: dict[str, Made] = Field(default_factory=dict)
    items: Items | None = None
    name: str = "{value}"
    none_offered: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pair = (self.offer_column is not None, self.channel_column is not None)
        if pair not in ((True, True), (False, False)) or all(pair) == (self.column is not None):
            fix = "Give `column`, or `offer_column` with `channel_column`."
            raise SpecError(Problem("[action]", "column", self.column, "one way to tell the action", fix))
        if "{value}" not in self.name:
            raise SpecError(Problem("[action]", "name", self.name, "a template that holds {value}"))
        strangers = sorted(set(self.made_of) - set((self.values or {}).values()))
        if strangers:
            fix = "Its keys are the action names that `values` gives."
            raise SpecError([Problem("[action.made_of]", "action", name, "among `values`", fix) for name in strangers])
        return self


class PropensityPart(Spec):
    """How likely the logging policy was to do what it did."""

    column: str | None = None
    constant: Chance | None = None
    per_action: dict[str, Chance] | None = None
    estimate: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("column", "constant", "per_action") if getattr(self, name) is not None]
        if self.estimate and given:
            fix = "What is known need not be estimated: leave out one of them."
            raise SpecError(Problem("[propensity]", "estimate", True, f"given beside {', '.join(given)}", fix))
        if not self.estimate:
            _exactly_one("[propensity]", self)
        return self


class CostPart(Spec):
    """What an action costs, in minor units."""

    column: str | None = None
    constant: Cost | None = None
    per_action: dict[str, Cost] | None = None
    scale: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _exactly_one("[cost]", self)
        return self


class RewardPart(Spec):
    """What a decision earned."""

    column: str | None = None
    expression: str | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.column is None) == (self.expression is None):
            fix = "Give `column` or `expression`."
            raise SpecError(Problem("[reward]", "column", self.column, "the one way to tell the reward", fix))
        if self.expression is not None:
            compile_expression(self.expression, "[reward]")
        return self

    @property
    def formula(self) -> Expression | None:
        """The checked expression, where there is one."""
        return None if self.expression is None else compile_expression(self.expression, "[reward]")


class MaturedPart(Spec):
    """Which rows' outcomes are known."""

    column: str | None = None
    reward_given: bool = False
    after_days: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _any_way(self) -> Self:
        if self.column is None and not self.reward_given and self.after_days is None:
            fix = "Give column, reward_given = true or after_days; or leave the table out where all outcomes are known."
            raise SpecError(Problem("[matured]", "column", None, "at least one way to tell", fix))
        return self


class ContextPart(Spec):
    """What was known at the decision."""

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    units: dict[str, str] = Field(default_factory=dict)
    log: tuple[str, ...] = ()


class LogMapping(Spec):
    """How to read one data set as a decision log."""

    about: str = ""
    policy_id: str = "unknown"
    currency: str = ""
    source: str = "mapping"  # name of the file, for messages
    action: ActionPart
    propensity: PropensityPart
    reward: Annotated[dict[str, RewardPart], Field(min_length=1)]
    contexts: ContextPart = ContextPart()
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    customer: Column | None = None
    cluster: Column | None = None
    decision: Column | None = None
    matured: MaturedPart | None = None
    step: Column | None = None
    time: Column | None = None
    cost: CostPart = CostPart(constant=0)

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if self.customer is not None and self.cluster is not None:
            fix = "Rows of a customer belong together already: leave out [cluster]."
            raise SpecError(Problem("[cluster]", "column", self.cluster.column, "given without [customer]", fix))
        if self.matured is not None and self.matured.after_days is not None and self.time is None:
            fix = "Name the column of days with [time]."
            raise SpecError(Problem("[matured]", "after_days", self.matured.after_days, "given beside [time]", fix))
        return self

    @property
    def whose(self) -> Column | None:
        """The column whose values tell which rows belong together: customers, else clusters."""
        return self.customer or self.cluster


def load_mapping(path: str | Path) -> LogMapping:
    """The mapping of a TOML file; every mistake in it is in one SpecError."""
    source = Path(path)
    if not source.is_file():
        near = [p.name for p in source.parent.glob("*.toml")]
        raise unknown("mapping", source.name, near, f"Looked in {source.parent}.")
    return parse_mapping(read_toml(source), source.name)


def parse_mapping(tables: Mapping[str, Any], where: str = "mapping") -> LogMapping:
    """The mapping of plain tables; a single [reward] becomes the first of the named ones."""
    data = {**tables, "source": where}
    reward = data.get("reward")
    if isinstance(reward, dict):
        data["reward"] = _named_rewards(reward)
    if data.get("customer") == "row":
        del data["customer"]
    return check(LogMapping, data, where)


def _named_rewards(reward: dict[str, Any]) -> dict[str, Any]:
    named = {key: value for key, value in reward.items() if isinstance(value, dict)}
    single = {key: value for key, value in reward.items() if not isinstance(value, dict)}
    return {str(single.get("column", "reward")): single, **named} if single else named
