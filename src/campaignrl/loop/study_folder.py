"""A researcher's folder: a world to change, a suite of policies to compare in it, a script from log to truth.

Not here: a marketer's folder (new_campaign.py), what the files mean (specs/, suites/).
"""

from __future__ import annotations

from pathlib import Path

from campaignrl.errors import Problem, UsageError
from campaignrl.specs import bundled_files
from campaignrl.tables.files import Writer, write_together

STUDY = "study"
WORLD = "coupon_trap"
SUITE = """\
# Policies that meet the same customers with the same luck: campaignrl benchmark suite.toml -o results.json
about = "Two learners and chance, in a world of one's own."
worlds = ["world.toml"]
seeds = 8
customers = 500      # evaluated per run, the same ones for every policy
horizon = 30

[[policy]]
use = "uniform"

[[policy]]
use = "lin_ts"

[[policy]]
use = "dr_greedy"

[train]              # of the learners, for every seed anew, on customers that are not evaluated
customers = 500
"""
SCRIPT = '''\
"""From a log to the truth: what an estimate says of a policy, and what the simulator knows of it."""

import campaignrl as crl

CUSTOMERS = 500
world = crl.load_world("world.toml")

log = crl.simulate(world, "uniform", customers=CUSTOMERS, seed=7)
policy = crl.train("lin_ts", log)
crl.save_policy(policy, "lin_ts.bundle")

fresh = crl.simulate(world, "uniform", customers=CUSTOMERS, seed=8)  # never judge a policy on the rows it learned from
print(crl.evaluate(fresh, policy))

played, nothing = (crl.run_campaign(world, each, customers=CUSTOMERS, seed=9) for each in (policy, "none"))
gain = played.value - nothing.value
print(f"whole campaign, over sending nothing: {gain.mean():+.2f} +/- {1.96 * gain.std() / len(gain) ** 0.5:.2f}")
'''
README = """\
# A study

    python study.py                                                  # log, learner, estimate, truth
    campaignrl world check ./world.toml                              # after every change of the world
    campaignrl benchmark suite.toml -o results.json                  # all policies, all seeds
    campaignrl compare results.json --policy-base uniform --policy-cand lin_ts

`world.toml` is a copy to change. Keep `results.json` with the commit that made it: the same words give the same bytes.
"""


def new_study(folder: str | Path) -> list[Path]:
    """Begin a researcher's folder, which appears whole or not at all; its files.

    Raises:
        UsageError: the folder is not empty.
    """
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(Problem("init", "folder", str(place), "new or empty", "Give a new folder."))
    world = bundled_files("envs")[WORLD].read_text(encoding="utf-8")
    texts = {"README.md": README, "world.toml": world, "suite.toml": SUITE, "study.py": SCRIPT}
    files: dict[str | Path, Writer] = {place / name: _writer(text) for name, text in texts.items()}
    write_together(files)
    return [place / name for name in texts]


def _writer(text: str) -> Writer:
    return lambda out: out.write(text.encode())
