"""Do A/B tests keep their promises? False stops under continuous looking, power, customers saved, broken splits.

Outcomes are skewed, and covariates known beforehand explain half of their variance. A test is planned on customers of
its own, as `campaignrl abtest plan --simulate 1000` plans one, and played many times on others by its own rule. Without
an effect at most 5 % may stop, read at any time; a gain of 5 % is to be found in at least four of five at the planned
size. Writes a section of docs/gate.md between its marks.

    python experiments/abtests.py                       # 1,000 tests each: about 20 CPU seconds
    python experiments/abtests.py --seed 77005 --docs docs/gate.md
    python experiments/abtests.py --runs 50 --seed 3 --json
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from campaignrl.rng import Purpose, generator
from campaignrl.suites import run_study, study_words, write_between
from campaignrl.suites.abtest import (
    ALARM,
    Pool,
    Sized,
    Trial,
    plan_trial,
    simulate_trials,
    size_by_playing,
    split_p_value,
)

PLANNED_ON, CUSTOMERS, HALVES = 20_000, 40_000, {"champion": 0.5, "challenger": 0.5}
EFFECT, DAYS, A_DAY, BROKEN, SIZING = 0.05, 60, 500, 0.48, 1_000
LOOKS = ("any time", "once")
MARK = "abtests"


def pool_of_halves(chance: np.random.Generator, customers: int) -> Pool:
    """Exponential outcomes, half of whose variance was known beforehand; both lives the same."""
    known = chance.exponential(2.0, customers)
    value = known + chance.exponential(2.0, customers)
    return Pool(value, value.copy(), known[:, None])


def planned(pool: Pool, looks: str, *, use_covariates: bool = True) -> Trial:
    """The test by formula, from what the pool says of mean and spread."""
    facts = {"mean": float(pool.champion.mean()), "std": float(pool.champion.std(ddof=1)), "looks": looks}
    facts |= {"explained": pool.explained if use_covariates else 0.0}
    doubt = pool.doubt(use_covariates=use_covariates)
    return plan_trial("t", effect=EFFECT, arms=HALVES, doubt=doubt, **facts)


def tests(seed: int, runs: int) -> dict[str, Any]:
    """By what was true and how it was looked at: shares found and harmed, and customers at the stop."""
    pilot, pool = (
        pool_of_halves(generator(seed, Purpose.RESAMPLE, k), n) for k, n in ((10, PLANNED_ON), (11, CUSTOMERS))
    )
    formula = {looks: planned(pilot, looks) for looks in LOOKS}
    chance = generator(seed, Purpose.RESAMPLE, 12)
    sized: dict[str, Sized] = {
        looks: size_by_playing(trial, pilot, chance, runs=SIZING) for looks, trial in formula.items()
    }
    any_time, once = (sized[looks].trial for looks in LOOKS)
    cases: dict[str, tuple[Trial, float, bool]] = {
        "no effect, any time": (any_time, 0.0, True),
        "no effect, one look": (once, 0.0, True),
        "+5 %, any time": (any_time, EFFECT, True),
        "+5 %, one look": (once, EFFECT, True),
        "+10 %, any time": (any_time, 2 * EFFECT, True),
        "+5 %, any time, covariates unused": (any_time, EFFECT, False),
    }
    played = {}
    for k, (name, (trial, effect, use)) in enumerate(cases.items()):
        luck = generator(seed, Purpose.RESAMPLE, 1 + k)
        done = simulate_trials(trial, pool.raised(effect), luck, runs=runs, use_covariates=use)
        played[name] = {"found": done.found, "harmed": done.harmed, "customers": done.customers}
    sizes = {looks: {"formula": formula[looks].customers, "played": sized[looks].trial.customers} for looks in LOOKS}
    without = planned(pilot, "any time", use_covariates=False).customers
    saved = {"without covariates": without, "saved": 1.0 - formula["any time"].customers / without}
    return {"explained": pilot.explained, "planned": sizes, "covariates": saved, "tests": played}


def splits(seed: int, runs: int) -> dict[str, float]:
    """How often an honest split, read every day, is called broken, and how often one of 48 to 52 is."""
    chance, shares, days = generator(seed, Purpose.RESAMPLE, 9), np.array([0.5, 0.5]), A_DAY * np.arange(1, DAYS + 1)
    false = right = 0
    for _ in range(runs):
        ones = np.cumsum(chance.binomial(A_DAY, 0.5, DAYS))
        false += any(split_p_value(np.array([n - a, a]), shares) <= ALARM for n, a in zip(days, ones, strict=True))
        few = int(chance.binomial(int(days[-1]), BROKEN))
        right += split_p_value(np.array([int(days[-1]) - few, few]), shares) <= ALARM
    return {"honest called broken": false / runs, "48 to 52 called broken": right / runs}


def told(found: dict[str, Any]) -> str:
    """The figures in lines."""
    none, gain = found["tests"]["no effect, any time"], found["tests"]["+5 %, any time"]
    once, runs = found["planned"]["once"]["formula"], found["runs"]
    stopped, saved = none["found"] + none["harmed"], 1.0 - gain["customers"] / once
    error = math.sqrt(gain["found"] * (1.0 - gain["found"]) / runs)
    lines = [
        f"Of {runs:,} tests without an effect, read at any time, {stopped:.1%} stop; a gain of 5 % is found in "
        f"{gain['found']:.1%} (standard error {error:.1%}), with {saved:.0%} fewer customers on average than the "
        f"{once:,} that by formula a test of one look takes.",
        "",
        "| what is true, how it is read | found better | found worse | customers at the stop |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {n} | {t['found']:.1%} | {t['harmed']:.1%} | {t['customers']:,.0f} |" for n, t in found["tests"].items()
    ]
    by = "; ".join(f"{name} {size['played']:,} ({size['formula']:,})" for name, size in found["planned"].items())
    saving = f"{found['covariates']['saved']:.0%} of {found['covariates']['without covariates']:,}"
    broken = ", ".join(f"{name} {share:.1%}" for name, share in found["splits"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"Planned customers, by playing the test (by formula): {by}.",
            f"Covariates, which explain {found['explained']:.0%} of the variance, save {saving} customers.",
            f"Splits of {DAYS} days: {broken}.",
        ]
    )


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, play, and say what came out."""
    words = study_words(__doc__, json=True)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--runs", type=int, default=1_000, help="tests of each kind")
    words.add_argument("--docs", type=Path, help="page whose section is replaced, such as docs/gate.md")
    asked = words.parse_args(argv)
    found = {"seed": asked.seed, "runs": asked.runs, **tests(asked.seed, asked.runs)}
    found["splits"] = splits(asked.seed, asked.runs)
    if asked.docs:
        call = f"python experiments/abtests.py --seed {asked.seed} --runs {asked.runs} --docs docs/gate.md"
        write_between(asked.docs, MARK, f"Made by `{call}`:\n\n{told(found)}")
    print(json.dumps(found, indent=2) if asked.json else told(found))


if __name__ == "__main__":
    run_study(main)
