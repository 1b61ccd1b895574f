"""A tag set in TOML -> checked specification: what each tag is called, its level, and how it is made.

    [tags.price_sensitivity]
    level = "preference"
    kind = "statistic"
    of = "share of orders on discount"
    cuts = [0.25, 0.6]
    names = ["low", "mid", "high"]

Kinds: `statistic` (of: one of a closed list of phrases, statistics.py), `attribute` (of: a column of the
attributes), `rule` (when: a condition over other tags, or a table of named ones, the first that holds), `score`
(weights over other tags), `model` (of: one of MODELS), `manual` (file: ids, one a line). Here: the file, every mistake
at once, the order in which tags can be made. Not here: making them (build.py).
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from campaignrl.errors import Problem, SpecError, nearest, unknown
from campaignrl.features import Feature, FeatureSchema
from campaignrl.profiles.tags.statistics import STATISTICS
from campaignrl.specs import LARGEST, Spec, check, compile_condition, read_toml

Level = Literal["basic", "behaviour", "preference", "mind", "value", "lifecycle"]
Kind = Literal["statistic", "attribute", "rule", "score", "model", "manual"]

MODELS = (
    *("p_alive", "p_return", "p_active", "expected_orders", "clv", "churn_risk", "coupon_response"),
    *("next_category", "days_to_next_order"),
)
TEXTS_OF_MODELS = ("next_category",)
FOLDER = Path(__file__).resolve().parent / "tag_sets"
RESERVED = "customer_id"
# Which keys a kind must have and which it may have, beside level, kind and title.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "statistic": ("of",),
    "attribute": ("of",),
    "rule": ("when",),
    "score": ("weights",),
    "model": ("of",),
    "manual": ("file",),
}
MAY: Mapping[str, tuple[str, ...]] = {
    "statistic": ("days", "channel", "category", "brand", "cuts", "names"),
    "attribute": ("settled",),
    "rule": ("otherwise", "unknown"),
    "score": ("cuts", "names"),
    "model": ("days", "margin", "cuts", "names"),
    "manual": (),
}


class Tag(Spec):
    """One tag; which keys belong to which kind is checked, so that none is silently ignored."""

    level: Level
    kind: Kind
    title: str = ""
    of: str = ""
    days: Annotated[int, Field(ge=1, le=3660)] | None = None  # window that ends today; of a model, its horizon
    channel: str | None = None
    category: str | None = None
    brand: str | None = None
    cuts: tuple[float, ...] = ()  # where a number becomes the next of `names`
    names: tuple[str, ...] = ()
    when: str | dict[str, str] = ""
    otherwise: str | None = None
    unknown: str | None = None  # the word where it hangs on what is not known; None: nothing is said
    weights: dict[str, float] = Field(default_factory=dict)
    settled: bool = False  # the value seen most often over all refreshes, instead of the newest
    margin: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # share of an order's value that counts, in `clv`
    file: str = ""

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> Tag:
        problems = [*_key_problems(self), *_name_problems(self)]
        if problems:
            raise SpecError(problems)
        return self

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Tags that must be made before this one."""
        if self.kind == "score":
            return tuple(self.weights)
        if self.kind != "rule":
            return ()
        return tuple(dict.fromkeys(name for rule in rules_of(self) for name in names_in(rule)))


class TagSet(Spec):
    """Tags by name, in the order of the file."""

    name: str
    title: str = ""
    tags: Annotated[dict[str, Tag], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_known(self) -> TagSet:
        problems = []
        for name, tag in self.tags.items():
            where = f"[tags.{name}]"
            if name == RESERVED:
                problems.append(Problem(where, "name", name, "a name of its own"))
            for other in tag.needs:
                if other not in self.tags:
                    fix = nearest(other, self.tags)
                    problems.append(Problem(where, "tag", other, "a tag of this set", fix or "Add it to the file."))
        if problems:
            raise SpecError(problems)
        for name in self.order:  # a circle is a mistake of the file too
            problems += _rule_problems(name, self)
        if problems:
            raise SpecError(problems)
        return self

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names such that every tag comes after those it is made from; a circle is a SpecError."""
        done: dict[str, None] = {}

        def visit(name: str, trail: tuple[str, ...]) -> None:
            if name in trail:
                circle = " -> ".join([*trail[trail.index(name) :], name])
                raise SpecError(Problem(f"[tags.{name}]", "tags it is made from", circle, "free of circles"))
            for other in self.tags[name].needs:
                visit(other, (*trail, name))
            done.setdefault(name)

        for name in self.tags:
            visit(name, ())
        return tuple(done)

    def levels_of(self, name: str) -> tuple[str, ...] | None:
        """Every text a tag may show, () for a number or yes/no, None where only the data can tell."""
        tag = self.tags[name]
        if tag.names:
            return tag.names
        if tag.kind == "rule" and not isinstance(tag.when, str):
            return tuple(dict.fromkeys([*tag.when, *(word for word in (tag.otherwise, tag.unknown) if word)]))
        if tag.kind == "attribute" or (tag.kind == "model" and tag.of in TEXTS_OF_MODELS):
            return None
        if tag.kind == "statistic" and STATISTICS[tag.of].kind == "text":
            return STATISTICS[tag.of].levels or None
        return ()

    @cached_property
    def hash(self) -> str:
        """Of what the set says, the same in every process."""
        words = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(words.encode(), digest_size=8).hexdigest()


def load_tags(reference: str | Path | TagSet) -> TagSet:
    """A tag set by bundled name (`shop`, `bank`, `retail`) or path of a TOML file."""
    if isinstance(reference, TagSet):
        return reference
    known = bundled_tag_sets()
    path = known.get(str(reference), Path(reference))
    if not path.suffix or not path.is_file():
        raise unknown("tag set", str(reference), known, "Or give a path to a TOML file.")
    data = read_toml(path)
    tables = data.get("tags")
    if isinstance(tables, Mapping):  # paths of lists are meant from where the file is
        data["tags"] = {name: _from_here(table, path.parent) for name, table in tables.items()}
    return check(TagSet, {"name": path.stem, **data}, path.name)


def bundled_tag_sets() -> dict[str, Path]:
    """Name -> path of the tag sets that ship with the package."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def names_in(rule: str) -> Iterator[str]:
    """Names a condition speaks of; one that cannot be read speaks of none, and is refused where it is compiled."""
    try:
        tree = ast.parse(rule, mode="eval")
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return
    yield from dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def texts_in(rule: str) -> Iterator[str]:
    """Texts that a condition compares with."""
    if list(names_in(rule)):
        nodes = ast.walk(ast.parse(rule, mode="eval"))
        yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def rules_of(tag: Tag) -> list[str]:
    """The conditions of a rule tag."""
    return [tag.when] if isinstance(tag.when, str) else list(tag.when.values())


def rule_feature(name: str, levels: tuple[str, ...] | None, named: list[str], seen: Iterable[str] = ()) -> Feature:
    """A tag as the language of conditions sees it; an open one may show what the rule names or the data has."""
    if levels == ():
        return Feature(name=name, low=-LARGEST, high=LARGEST)
    return Feature(name=name, levels=levels or tuple(sorted({*named, *seen})) or ("(none)",))


def _rule_problems(name: str, chosen: TagSet) -> list[Problem]:
    """Mistakes in conditions, as far as they show without data: an attribute's kind does not."""
    tag = chosen.tags[name]
    if tag.kind != "rule":
        return []
    if any(chosen.tags[other].kind == "attribute" for other in tag.needs):
        return []
    named = [text for rule in rules_of(tag) for text in texts_in(rule)]
    schema = FeatureSchema(tuple(rule_feature(other, chosen.levels_of(other), named) for other in tag.needs))
    problems: list[Problem] = []
    for rule in rules_of(tag):
        try:
            compile_condition(rule, schema, f"[tags.{name}]")
        except SpecError as wrong:
            problems += wrong.problems
    return problems


def _from_here(table: Any, folder: Path) -> Any:
    if isinstance(table, Mapping) and isinstance(table.get("file"), str) and table["file"]:
        return {**table, "file": str(folder / table["file"])}
    return table


def _key_problems(tag: Tag) -> list[Problem]:
    """Keys that are missing for the kind, that it does not know, and phrases and models that nobody knows."""
    given = tag.model_fields_set - {"level", "kind", "title"}
    problems = [
        Problem(f"a tag of kind {tag.kind}", key, "(absent)", "given", "Add it.")
        for key in NEEDS[tag.kind]
        if not getattr(tag, key)
    ]
    known = (*NEEDS[tag.kind], *MAY[tag.kind])
    problems += [
        Problem(f"a tag of kind {tag.kind}", "key", key, "a key of this kind", f"Known: {', '.join(known)}.")
        for key in sorted(given)
        if key not in known
    ]
    phrases = {"statistic": tuple(STATISTICS), "model": MODELS}.get(tag.kind)
    if phrases and tag.of and tag.of not in phrases:
        fix = nearest(tag.of, phrases) or f"Known: {', '.join(phrases[:12])} ..."
        problems.append(Problem(f"a {tag.kind}", "of", tag.of, "one of the known phrases", fix))
    if tag.kind == "statistic" and tag.of in STATISTICS:
        takes = STATISTICS[tag.of].takes
        problems += [
            Problem(f"statistic {tag.of!r}", key, getattr(tag, key), "a key it takes", _takes(takes))
            for key in ("days", "channel", "category", "brand")
            if getattr(tag, key) is not None and key not in takes
        ]
    return problems


def _takes(keys: tuple[str, ...]) -> str:
    return f"It takes {', '.join(keys)}." if keys else "It takes none."


def _name_problems(tag: Tag) -> list[Problem]:
    problems = []
    if list(tag.cuts) != sorted(set(tag.cuts)):
        problems.append(Problem("a tag", "cuts", tag.cuts, "ascending, each once"))
    if (tag.cuts or tag.names) and len(tag.names) != len(tag.cuts) + 1:
        problems.append(Problem("a tag", "names", tag.names, f"{len(tag.cuts) + 1} names for {len(tag.cuts)} cuts"))
    if len(set(tag.names)) < len(tag.names):
        problems.append(Problem("a tag", "names", tag.names, "each given once"))
    if tag.cuts and tag.kind == "model" and tag.of in TEXTS_OF_MODELS:
        problems.append(Problem("a tag", "cuts", tag.cuts, f"for a number, which {tag.of!r} is not"))
    if tag.cuts and tag.kind == "statistic" and tag.of in STATISTICS and STATISTICS[tag.of].kind != "number":
        problems.append(Problem("a tag", "cuts", tag.cuts, f"for a number, which {tag.of!r} is not"))
    for key in ("otherwise", "unknown"):
        if getattr(tag, key) is not None and isinstance(tag.when, str):
            allowed = "beside a table of named conditions in `when`"
            problems.append(Problem("a tag", key, getattr(tag, key), allowed))
    return problems
