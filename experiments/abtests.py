"""Do A/B tests keep their promises? False stops under continuous looking, power, customers saved, broken splits.

A test of two arms is played many times by its own rule: outcomes are skewed, and covariates known beforehand explain
half of their variance. Without an effect at most 5 % may stop, read at any time; a gain of 5 % is to be found in four
of five at the planned size.

    python experiments/abtests.py                       # 1,000 tests each: about 20 CPU seconds
    python experiments/abtests.py --runs 50 --seed 3 --json
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from campaignrl.rng import Purpose, generator
from campaignrl.suites import run_study, study_words
from campaignrl.suites.abtest import ALARM, Pool, Trial, plan_trial, simulate_trials, split_p_value

CUSTOMERS, HALVES = 40_000, {"champion": 0.5, "challenger": 0.5}
EFFECT, DAYS, A_DAY, BROKEN = 0.05, 60, 500, 0.48


def pool_of_halves(chance: np.random.Generator) -> Pool:
    """Exponential outcomes, half of whose variance was known beforehand; both lives the same."""
    known = chance.exponential(2.0, CUSTOMERS)
    value = known + chance.exponential(2.0, CUSTOMERS)
    return Pool(value, value.copy(), known[:, None])


def raised(pool: Pool, effect: float) -> Pool:
    """The challenger's life better by a share of the champion's mean."""
    return pool._replace(challenger=pool.champion + effect * float(pool.champion.mean()))


def tests(seed: int, runs: int) -> dict[str, Any]:
    """By what was true and how it was looked at: shares found and harmed, and customers at the stop."""
    pool = pool_of_halves(generator(seed, Purpose.RESAMPLE))
    facts = {"mean": float(pool.champion.mean()), "std": float(pool.champion.std()), "effect": EFFECT, "arms": HALVES}
    any_time, once = (plan_trial("t", **facts, explained=pool.explained, looks=look) for look in ("any time", "once"))
    plain = plan_trial("t", **facts)
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
        chance = generator(seed, Purpose.RESAMPLE, 1 + k)
        done = simulate_trials(trial, raised(pool, effect), chance, runs=runs, use_covariates=use)
        played[name] = {"found": done.found, "harmed": done.harmed, "customers": done.customers}
    sizes = {"any time": any_time.customers, "one look": once.customers, "without covariates": plain.customers}
    return {"explained": pool.explained, "planned": sizes, "tests": played}


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
    once = found["planned"]["one look"]
    stopped, saved = none["found"] + none["harmed"], 1.0 - gain["customers"] / once
    lines = [
        f"Of {found['runs']:,} tests without an effect, read at any time, {stopped:.1%} stop; a gain of 5 % is found "
        f"in {gain['found']:.1%}, with {saved:.0%} fewer customers on average than a test of one look.",
        "",
        "| what is true, how it is read | found better | found worse | customers at the stop |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {n} | {t['found']:.1%} | {t['harmed']:.1%} | {t['customers']:,.0f} |" for n, t in found["tests"].items()
    ]
    sizes = ", ".join(f"{name} {many:,}" for name, many in found["planned"].items())
    broken = ", ".join(f"{name} {share:.1%}" for name, share in found["splits"].items())
    return "\n".join([*lines, "", f"Planned customers: {sizes}.", f"Splits of {DAYS} days: {broken}."])


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, play, and say what came out."""
    words = study_words(__doc__, json=True)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--runs", type=int, default=1_000, help="tests of each kind")
    asked = words.parse_args(argv)
    found = {"seed": asked.seed, "runs": asked.runs, **tests(asked.seed, asked.runs)}
    found["splits"] = splits(asked.seed, asked.runs)
    print(json.dumps(found, indent=2) if asked.json else told(found))


if __name__ == "__main__":
    run_study(main)
