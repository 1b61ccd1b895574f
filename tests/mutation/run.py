"""Plays changed modules against the tests: `python tests/mutation/run.py --sample 300 --seed 1`.

First the tests of a package run once as they are, and the lines that each one runs are written down. Then each mutant
meets the tests that run its line, the most direct first, in a process of its own: a fork of one that has loaded and
collected the tests. Nothing is written to src. Subprocesses that a test starts see the module as it is. Results are
kept as they come: the same call goes on where it was stopped. Not here: what is changed (mutants.py), how they are
played (player.py), what a forked process does (forked.py, hosted.py), which tests belong to which package and which
mutants change nothing (table.toml).
"""

import argparse
import fnmatch
import gc
import importlib
import math
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants_of
from player import Group, Player


class Plan(NamedTuple):
    """What to play: the table, read."""

    root: Path
    src: Path
    groups: tuple[Group, ...]
    equivalent: tuple[dict[str, str], ...]  # file, at: part of its line, change, why
    sizes: tuple[str, ...]
    warm: tuple[str, ...]  # modules to load before the first fork


# ---- the table


def read_plan(table: Path, root: Path, tests: list[str]) -> Plan:
    """The groups of a table. tests: these files instead of the table's."""
    found = tomllib.loads(table.read_text(encoding="utf-8"))
    src, groups = root / found.get("src", "src"), []
    for name, group in found["group"].items():
        files = tuple(f for pattern in group["modules"] for f in sorted(src.glob(pattern)) if f.name != "__init__.py")
        own = tuple(dict.fromkeys(f for pattern in tests or group["tests"] for f in sorted(root.glob(pattern))))
        own = tuple(f for f in own if f.name not in group.get("without", ()))
        groups.append(Group(name, files, own, tuple(group.get("left_out", ())), tuple(group.get("constants", ()))))
    return Plan(
        root,
        src,
        tuple(groups),
        tuple(found.get("equivalent", ())),
        tuple(found.get("sizes", ())),
        tuple(found.get("warm", ())),
    )


def why_equivalent(plan: Plan, mutant: Mutant) -> str:
    """The reason in the table, or "" for a mutant that some test must notice."""
    text = mutant.source.splitlines()[mutant.line - 1]
    for known in plan.equivalent:
        if (mutant.file.name, mutant.change) == (known["file"], known["change"]) and known["at"] in text:
            return known["why"]
    return ""


def sample_of(mutants: dict[str, list[Mutant]], size: int, seed: int) -> dict[str, list[Mutant]]:
    """About `size` mutants, by the root of the groups' sizes: a small package is not lost beside a large one."""
    total, chosen = sum(len(own) ** 0.5 for own in mutants.values()), {}
    for name, own in mutants.items():
        share = math.ceil(size * len(own) ** 0.5 / max(total, 1.0))
        chosen[name] = random.Random(f"{seed} {name}").sample(own, min(len(own), share))
    return chosen


# ---- for people


def all_mutants(plan: Plan, only: list[str]) -> dict[str, list[Mutant]]:
    """By group. only: parts of `file:line: change` that are wanted (* and ? stand for anything); all if none."""
    found: dict[str, list[Mutant]] = {}
    for group in plan.groups:
        own = [m for file in group.files for m in mutants_of(file, plan.sizes)]
        if only:
            own = [m for m in own if any(fnmatch.fnmatchcase(name_of(plan, m), f"*{part}*") for part in only)]
        found[group.name] = own
    return found


def name_of(plan: Plan, mutant: Mutant) -> str:
    """`guard/budget.py:59: day + 1 -> day - 1`, brackets as fnmatch wants them."""
    return f"{mutant.file.relative_to(plan.src)}:{mutant.line}: {mutant.change}"


def teller(total: int) -> Callable[[int, dict[str, Any]], None]:
    """Progress with the time left on a terminal; survivors always."""
    begun = time.monotonic()

    def tell(done: int, one: dict[str, Any]) -> None:
        left = (time.monotonic() - begun) / done * (total - done)
        if sys.stderr.isatty():
            print(f"\r{done} of {total}, about {left / 60:.0f} min left ", end="", file=sys.stderr, flush=True)
        if one["outcome"] == "survived":
            print(f"survived  {one['file']}:{one['line']}  {one['change']}  ({one['ran']} tests)", flush=True)

    return tell


def score(results: list[dict[str, Any]]) -> float:
    """Killed among those that could be."""
    return sum(r["outcome"] == "killed" for r in results) / len(results) if results else 1.0


def summary(results: list[dict[str, Any]], equivalent: Counter[str], names: list[str]) -> Iterator[str]:
    """A line for each group."""
    yield f"{'':<18} mutants  killed  survived  equivalent  score"
    for name in [*names, "all"]:
        own = [r for r in results if name in (r["group"], "all")]
        killed = sum(r["outcome"] == "killed" for r in own)
        same = equivalent.total() if name == "all" else equivalent[name]
        yield f"{name:<18} {len(own) + same:>7}  {killed:>6}  {len(own) - killed:>8}  {same:>10}  {score(own):>5.1%}"


def warm_up(plan: Plan) -> None:
    """Load what every test loads, once; nothing that is going to be changed, nor what rests on it."""
    sys.path.insert(0, str(plan.src))
    os.environ["PYTHONPATH"] = str(plan.src)
    import hypothesis
    from _pytest.config import default_plugins

    for name in (*plan.warm, *(f"_pytest.{plugin}" for plugin in default_plugins)):
        importlib.import_module(name)
    changing = {str(f) for group in plan.groups for f in group.files}
    if early := [name for name, m in sys.modules.items() if getattr(m, "__file__", None) in changing]:
        raise SystemExit(f"`warm` in the table loads modules that are to be changed: {early}")
    # The same examples every time, and the first that fails is enough.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, phases=phases, deadline=None)
    hypothesis.settings.load_profile("mutants")
    gc.freeze()  # pytest collects garbage at its end; what is loaded here is none


def options(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300, help="mutants to play, spread over the groups")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--at-least", type=float, default=0.95, help="score below which the exit code is 1")
    parser.add_argument("--workers", type=int, default=1, help="mutants played at the same time")
    parser.add_argument("--group", action="append", default=[], help="only this group of the table (repeatable)")
    parser.add_argument("--only", action="append", default=[], help="only mutants with this text, as `budget.py:59`")
    parser.add_argument("--tests", action="append", default=[], help="these test files instead of the table's")
    parser.add_argument("--list", action="store_true", help="list the mutants, play none")
    parser.add_argument("--root", type=Path, default=here.parents[1], help="the checkout")
    parser.add_argument("--table", type=Path, default=here / "table.toml")
    parser.add_argument("--keep", type=Path, help="folder of the results (runs/mutants of the checkout)")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Play, print, judge."""
    o = options(words)
    root = o.root.resolve()
    os.chdir(root)
    plan = read_plan(o.table, root, o.tests)
    # Sampled before groups are chosen: the parts of a run make the whole.
    found = sample_of(all_mutants(plan, o.only), o.sample, o.seed)
    found = {name: own for name, own in found.items() if not o.group or name in o.group}
    groups = {g.name: g for g in plan.groups}
    equivalent = Counter(name for name, own in found.items() for m in own if why_equivalent(plan, m))
    wanted = [(groups[name], m) for name, own in found.items() for m in own if not why_equivalent(plan, m)]
    if o.list:
        print("\n".join(name_of(plan, m) for _, m in wanted))
        return 0
    if not wanted:
        print("nothing to play: no mutant fits the options")
        return 2
    warm_up(plan)
    player = Player(root, plan.src, o.keep or root / "runs" / "mutants", o.workers)
    try:
        results = player.play(wanted, teller(len(wanted)))
    finally:
        player.end()
        gc.unfreeze()  # some libraries report what they never gave back
    print("\n".join(summary(results, equivalent, list(found))))
    return 0 if score(results) >= o.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
