"""`campaign.toml`: where the exports lie and what they mean, whose rules hold, which policies decide.

    name, world            the world: a bundled name, or a TOML file in the folder
    start, customers       first day of the campaign; whom its budget and capacities are for
    [data]                 exports (folder of the files), tags (set), never_contacted, margin (of an order's amount),
                           max_age_days (of the newest event)
    [answers]              folder of what the sending tool gives back: handovers*, outcomes*, permissions*, and for
                           each, if its columns have other names, the mapping file
    [policies]             champion, challengers, explore (share of what is decided that is drawn at random)
    [proof]                customers and seed on which a policy is held against sending nothing before it may decide
    [sends]                at (when the list goes out), budget (of a day), capacity (by channel, of a day), allocate
                           (by lot, or where it brings most)
    [world_check]          days, most, stop: is the world still like the exports?
    [learn]                policy, every, least: who learns on from the ledger's log
    [trial]                mode, ramp and what ends it: how a challenger becomes champion
    [ids], [currency], [[source]]    as in a mapping of profile exports (profiles/intake/mapping.py)
    [[guess]]              what, file, says: concluded, not told; while one is left, nothing may be sent

Here: the file as text. Not here: what each key means, with units (settings.py), what happens then (morning.py).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from campaignrl.errors import ArtifactError, Problem, SpecError, UsageError
from campaignrl.loop.first_reading import Guess
from campaignrl.loop.folder.settings import CampaignSpec, GuessSpec
from campaignrl.profiles.intake import IntakeMapping, parse_intake_mapping
from campaignrl.specs import World, bundled_files, check, load_world, quoted, read_toml
from campaignrl.tables.files import write_whole

FILE = "campaign.toml"
MAPPING_KEYS = ("ids", "currency", "source")
TABLE = re.compile(r"\[+([\w.]+)\]+")
LINE = re.compile(r"(?:# )?(\w+) = .*?(   # .*)?$")  # a key, set or only told, and the words behind it
GUESSES = "# Guesses. Nothing is sent while one is left: look at each, then `campaignrl init FOLDER --confirm`."


class CampaignFile:
    """A campaign as its file says it: spec, mapping of its exports, world."""

    def __init__(self, folder: Path) -> None:
        """Read FOLDER/campaign.toml.

        Raises:
            ArtifactError: there is none.
            SpecError: it has mistakes, all of them at once.
        """
        path = folder / FILE
        if not path.is_file():
            fix = f"Begin one: campaignrl init {folder}."
            raise ArtifactError(Problem(str(folder), "folder", folder.name, f"one with {FILE}", fix))
        tables = read_toml(path)
        mapping = {key: tables.pop(key) for key in MAPPING_KEYS if key in tables}
        problems: list[Problem] = []
        self.folder = folder
        reads: tuple[Callable[[], None], ...] = (
            partial(self._read_spec, tables),
            partial(self._read_mapping, mapping),
            self._read_world,
        )
        for read in reads:
            try:
                read()
            except SpecError as wrong:
                problems += wrong.problems
        if problems:
            raise SpecError(problems)

    def _read_spec(self, tables: Mapping[str, Any]) -> None:
        self.spec: CampaignSpec = check(CampaignSpec, dict(tables), FILE)

    def _read_mapping(self, mapping: Mapping[str, Any]) -> None:
        self.mapping: IntakeMapping = parse_intake_mapping(mapping, FILE)

    def _read_world(self) -> None:
        if hasattr(self, "spec"):
            named = self.spec.world
            world = load_world(named if named in bundled_files("envs") else self.place(named))
            holdout = self.spec.trial.holdout
            if holdout is not None:
                world = world.model_copy(update={"guard": world.guard.model_copy(update={"holdout": holdout})})
            self.world: World = world

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.folder / FILE

    @property
    def exports(self) -> Path:
        """Folder of the raw exports."""
        return self.place(self.spec.data.exports)

    @property
    def answers(self) -> Path:
        """Folder of what came back."""
        return self.place(self.spec.answers.folder)

    def place(self, named: str) -> Path:
        """A file or folder that the campaign names: inside its folder, or absolute."""
        return self.folder / named


def campaign_text(facts: Mapping[str, Any], mapping: Mapping[str, Any], guesses: Sequence[Guess]) -> str:
    """The file as it is first written: everything that is often set, each with a word.

    facts: about, name, world, start, customers, tags, never_contacted, champion, at; mapping: of the exports.
    """
    place = Environment(
        loader=PackageLoader("campaignrl.loop.folder", "."), trim_blocks=True, undefined=StrictUndefined
    )
    place.filters["toml"], place.filters["key"] = _toml, _key
    return place.get_template("campaign.toml.j2").render(**facts, mapping=mapping, guesses=guesses, mark=GUESSES)


def confirm_guesses(folder: Path) -> list[GuessSpec]:
    """Take the guesses out of the file; what was confirmed.

    Raises:
        UsageError: there are guesses, but not at the end of the file where they were written.
    """
    campaign = CampaignFile(folder)
    if not campaign.spec.guess:
        return []
    text = campaign.path.read_text(encoding="utf-8")
    kept, mark, rest = text.partition(GUESSES)
    if not mark or any(line.startswith("[") and line.strip() != "[[guess]]" for line in rest.splitlines()):
        fix = "Delete its [[guess]] tables by hand."
        raise UsageError(Problem(FILE, "guess", len(campaign.spec.guess), "at the end of the file", fix))
    content = kept.rstrip().encode() + b"\n"
    write_whole(campaign.path, lambda out: out.write(content))
    return list(campaign.spec.guess)


def settle(folder: Path, changes: Mapping[str, Any]) -> None:
    """Give keys that the file has a line for (`world`, `learn.policy`) other values; its words stay.

    Raises:
        UsageError: there is no line of such a key.
    """
    path, left, table, lines = folder / FILE, dict(changes), "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        header, found = TABLE.match(line), LINE.match(line)
        table = header[1] if header else table
        key = f"{table}.{found[1]}" if found and table else found[1] if found else ""
        if found and key in left:
            line = f"{found[1]} = {_toml(left.pop(key))}{found[2] or ''}"
        lines.append(line)
    if left:
        raise UsageError([Problem(FILE, "key", key, "one that has a line in the file") for key in left])
    text = "\n".join([*lines, ""]).encode()
    write_whole(path, lambda out: out.write(text))


def _toml(value: Any) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, int) else quoted(value)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else quoted(key)
