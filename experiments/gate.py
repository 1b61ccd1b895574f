"""Does the policy gate alarm rightly? False alarms, power, and what pairing saves, on the suite `smoke`.

Each learner is taught several times for each seed, on other customers every time, and plays the same evaluation
customers with the same luck. A comparison draws, seed by seed, which teaching is the base and which the candidate;
neither is worse (A/A). A spoilt candidate leaves a share of the customers out, as a broken join would: its loss is
known. What a suite states as `spread` of a policy is measured here. Seeds are kept one by one and need not be played
again. Writes a section of docs/gate.md between its marks.

    python experiments/gate.py                     # as smoke plays it: about 10 CPU minutes
    python experiments/gate.py --first-seed 5000 --docs docs/gate.md
    python experiments/gate.py --seeds 4 --customers 300 --teach 300 --json
"""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from campaignrl.rng import Purpose, customer_keys, generator, uniform
from campaignrl.specs import load_world
from campaignrl.suites import (
    Pairing,
    Suite,
    evaluation_ids,
    judged,
    load_suite,
    planned_detectable,
    play,
    run_cells,
    run_study,
    study_words,
    trained,
    write_between,
    write_files,
)
from campaignrl.suites.statistics import REGRESSION

LOSSES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10)
AA, SPOILT, TEACHINGS, ALPHA, ASKED = 200, 50, 3, 0.05, 0.9
BOOTSTRAPS = 2_000  # of the seeds, for the interval of a ratio of variances
MARK = "policy gate"
OTHER_TEACHING = 100_003  # added to the seed for each further teaching: no seed of a suite is that large

Values = dict[str, np.ndarray]  # by policy, (seeds, teachings, customers) contribution


def cell(suite: Suite, world_name: str, teachings: int, seed: int) -> Values:
    """One seed: what each customer brought under each policy and teaching, (teachings, customers)."""
    world, found = load_world(world_name, horizon=suite.horizon), {}
    for label, use in suite.policies.items():
        taught = [trained(world, use, seed + k * OTHER_TEACHING, suite.train) for k in range(teachings)]
        played = [play(world, policy, seed, suite.customers, suite.train).value for policy in taught]
        found[label] = np.array(played)
    return found


def kept_cell(suite: Suite, world_name: str, teachings: int, folder: Path, seed: int) -> Values:
    """The same, from its file where it was played before."""
    path = folder / f"{world_name}-{suite.customers}-{suite.train.customers}-{teachings}" / f"seed_{seed}.npz"
    if not path.exists():
        out = io.BytesIO()
        np.savez_compressed(out, **cell(suite, world_name, teachings, seed))
        write_files(path.parent, {path.name: out.getvalue()})
    with np.load(path) as found:
        return {policy: found[policy] for policy in suite.policies}


def spoil(values: Values, policy: str, loss: float) -> np.ndarray | None:
    """(seeds, teachings) contribution of the policy with so many customers left out that `loss` of it is lost."""
    whole, nothing = values[policy], values["none"]
    share = loss * whole.mean() / max((whole - nothing).mean(), 1e-9)
    if share > 1.0:
        return None  # even sending nothing loses less
    keys = customer_keys(evaluation_ids(whole.shape[2]))
    out = np.array([uniform(keys, seed, 0, Purpose.HOLDOUT, 9) < share for seed in range(len(whole))])
    return np.where(out[:, None, :], nothing, whole).mean(axis=2)


def comparison(
    base: dict[str, np.ndarray], other: dict[str, np.ndarray], chance: np.random.Generator, margin: float
) -> dict[str, Any]:
    """The rows of one comparison; base, other: by policy, (seeds, teachings) means."""
    pairings = []
    for policy, means in base.items():
        seeds, teachings = means.shape
        order = chance.permuted(np.tile(np.arange(teachings), (seeds, 1)), axis=1)[:, :2]
        rows = np.arange(seeds)
        first, second = means[rows, order[:, 0]], other[policy][rows, order[:, -1]]
        pairings.append(Pairing("smoke", policy, dict(enumerate(first)), dict(enumerate(second))))
    return {row.policy: row for row in judged(pairings, {"contribution": margin}, ALPHA)}


def study(
    suite: Suite,
    teachings: int,
    folder: Path,
    workers: int = 1,
    aa: int = AA,
    spoilt: int = SPOILT,
    first: int = 0,
) -> dict[str, Any]:
    """All figures: spreads, false alarms, power by loss, and variance paired and unpaired; seeds from `first` on."""
    (world,), margin = suite.worlds, suite.compare.margin
    cells = run_cells(
        partial(kept_cell, suite, world, teachings, folder / "seeds"), range(first, first + suite.seeds), workers
    )
    values = {policy: np.array([one[policy] for one in cells]) for policy in suite.policies}
    means = {policy: of.mean(axis=2) for policy, of in values.items() if policy != "none"}
    chance = generator(first, Purpose.RESAMPLE)
    alarms, excluded = 0, 0
    for _ in range(aa):
        rows = comparison(means, means, chance, margin).values()
        alarms += any(row.verdict == REGRESSION for row in rows)
        excluded += any(row.ci_high < 0.0 or row.ci_low > 0.0 for row in rows)
    facts = {"seeds": suite.seeds, "first_seed": first, "customers": suite.customers}
    facts |= {"teachings": teachings, "comparisons": aa, "spoilt": spoilt}
    spreads = {policy: spread_of(of) for policy, of in means.items()}
    stated = [use.model_copy(update={"spread": spreads.get(use.name)}) for use in suite.policy]
    return {
        **facts,
        "false_alarms": alarms / aa,
        "intervals_without_zero": excluded / aa,  # any row's; the family-wise error of the intervals
        "spread": spreads,
        "planned": planned_detectable(suite.model_copy(update={"policy": stated})),
        "printed": planned_detectable(suite),
        "caught": {policy: caught(values, means, policy, margin, chance, spoilt) for policy in means},
        "variance_ratio": {policy: variance_ratio(values, means, policy, 0, first) for policy in means},
        "variance_ratio_taught_anew": {policy: variance_ratio(values, means, policy, -1, first) for policy in means},
    }


def spread_of(means: np.ndarray) -> float:
    """Standard deviation between seeds of the difference of two teachings, as a share; (seeds, teachings)."""
    within = means.var(axis=1, ddof=1).mean() if means.shape[1] > 1 else 0.0
    return float(np.sqrt(2.0 * within) / abs(means.mean()))


def caught(
    values: Values, means: dict[str, np.ndarray], policy: str, margin: float, chance: np.random.Generator, times: int
) -> dict[str, float]:
    """By loss: how often the spoilt policy's row is a regression, all rows sharing alpha."""
    found = {}
    for loss in LOSSES:
        worse = spoil(values, policy, loss)
        if worse is not None:
            drawn = (comparison(means, {**means, policy: worse}, chance, margin)[policy] for _ in range(times))
            found[f"{loss:.2f}"] = sum(row.verdict == REGRESSION for row in drawn) / times
    return found


def variance_ratio(
    values: Values, means: dict[str, np.ndarray], policy: str, teaching: int, seed: int
) -> tuple[float, float, float] | None:
    """Variance of the difference to a candidate 3 % worse: seeds that share nothing over the same seed; its interval.

    teaching: of the candidate; 0 is the base's own, as two builds of a suite have it: a seed is the customers that
    teach as well as those that are evaluated. Another one shares only the latter. seed: of the bootstrap over seeds.
    """
    worse = spoil(values, policy, 0.03)
    if worse is None:
        return None
    base, chance = means[policy][:, 0], generator(seed, Purpose.RESAMPLE)
    rows = np.vstack([np.arange(len(base)), chance.integers(0, len(base), (BOOTSTRAPS, len(base)))])
    paired = (worse[:, teaching] - base)[rows].var(axis=1, ddof=1)
    unpaired = worse[:, -1][rows].var(axis=1, ddof=1) + base[rows].var(axis=1, ddof=1)
    ratio = np.divide(unpaired, paired, out=np.full(len(paired), np.inf), where=paired > 0.0)
    low, high = np.quantile(ratio[1:], (0.025, 0.975), method="inverted_cdf")
    return float(ratio[0]), float(low), float(high)


def told(found: dict[str, Any]) -> str:
    """The figures in lines."""
    rows = [
        f"| {policy} | {spread:.2%} | {found['planned'][policy]:.1%} | {shown(found['printed'].get(policy), '.1%')} | "
        + " | ".join(shown(found["caught"][policy].get(f"{loss:.2f}"), ".0%") for loss in LOSSES)
        + f" | {times(found['variance_ratio'][policy])} | {times(found['variance_ratio_taught_anew'][policy])} |"
        for policy, spread in found["spread"].items()
    ]
    head = [
        "",
        "spread",
        "detectable by it",
        "as printed",
        *(f"{loss:.0%} lost" for loss in LOSSES),
        "unpaired / paired",
        "taught anew",
    ]
    aa = f"{found['comparisons']} A/A comparisons of {found['seeds']} seeds (from {found['first_seed']})"
    lines = [
        f"{aa}, drawn from {found['teachings']} teachings of each learner for each seed: {found['false_alarms']:.1%} "
        f"alarms; an interval of any row leaves out 0 in {found['intervals_without_zero']:.1%}.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *rows,
        "",
        f"Lost: of {found['spoilt']} comparisons in which the policy is spoilt by so much, the share that is called a "
        "regression; - where even sending nothing loses less. Unpaired / paired: variance of the difference to a",
        "policy 3% worse, of seeds that share nothing over the same seeds, as two builds of a suite have them (95 %",
        "interval, bootstrap over seeds). Taught anew: the same where the candidate was taught on other customers and",
        "only the evaluated ones are shared.",
    ]
    return "\n".join(lines)


def shown(figure: float | None, how: str) -> str:
    """A figure, or a dash where there is none."""
    return "-" if figure is None else f"{figure:{how}}"


def times(ratio: tuple[float, float, float] | None) -> str:
    """A ratio with its interval."""
    return "-" if ratio is None else f"{ratio[0]:.0f} [{ratio[1]:.0f}, {ratio[2]:.0f}]"


def main(argv: list[str] | None = None) -> int:
    """Run, tell; 1 where more than 5 % of comparisons alarm."""
    words = study_words(__doc__, "runs/gate", json=True, workers=1)
    words.add_argument("--suite", default="smoke")
    words.add_argument("--seeds", type=int, help="instead of the suite's own")
    words.add_argument("--first-seed", type=int, default=0, help="of so many that follow each other")
    words.add_argument("--customers", type=int, help="evaluated per run, instead of the suite's own")
    words.add_argument("--teach", type=int, help="customers a learner is taught on, instead of the suite's own")
    words.add_argument("--teachings", type=int, default=TEACHINGS, help="of each learner for each seed")
    words.add_argument("--docs", type=Path, help="page whose section is replaced, such as docs/gate.md")
    asked = words.parse_args(argv)
    suite = load_suite(asked.suite, seeds=asked.seeds)
    train = suite.train.model_copy(update={"customers": asked.teach or suite.train.customers})
    suite = suite.model_copy(update={"customers": asked.customers or suite.customers, "train": train})
    found = study(suite, asked.teachings, asked.output, asked.workers, first=asked.first_seed)
    text = json.dumps(found, indent=2)
    write_files(asked.output, {"gate.json": text})
    if asked.docs:
        call = f"python experiments/gate.py --first-seed {asked.first_seed} --seeds {suite.seeds} --docs docs/gate.md"
        write_between(asked.docs, MARK, f"Made by `{call}`:\n\n{told(found)}")
    print(text if asked.json else told(found))
    return 0 if found["false_alarms"] <= ALPHA else 1


if __name__ == "__main__":
    run_study(main)
