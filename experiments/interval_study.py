"""How often do the usual intervals hold the truth over twenty-two designs, how wide are they beside t, who is trusted?

Of each log: the interval of the value by `dr`, that of the difference of two policies, the t interval of either (value
and standard error), and the verdict. Runs come in blocks, each kept in a file of its own, so that a study that stopped
goes on; --table tells of what is there. --designs takes the eleven stresses of coverage_designs.py, too: few events on
one side, or in an arm that was hardly tried. Seeds 901 and 902 chose the rules of `ope/methods/weighted_mean.py` and
`ope/diagnostics/few_events.py`; the figures of docs/evaluation.md are from others.

    python experiments/interval_study.py --runs 1000 --seed 2027 --workers 2
"""

import json
import math
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from coverage_designs import DESIGNS, log_of, truth_of
from scipy import stats

import campaignrl as crl
from campaignrl.ope import compare_on_log
from campaignrl.suites import kept, run_cells, run_study, study_words

BLOCK = 50
VERDICTS = ("trust", "caution", "refuse")
COLUMNS = (
    *("value", "value_error", "value_low", "value_high"),
    *("difference", "difference_error", "difference_low", "difference_high"),
    *("verdict", "customers", "ess"),
)


def one_log(name: str, seed: int, run: int) -> list[float]:
    """`COLUMNS` of one log; the verdict as its place in `VERDICTS`."""
    log, policy, other = log_of(name, np.random.default_rng([seed, run]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = crl.evaluate(log, policy, estimators=("dr",))
        apart = compare_on_log(log, policy, other)
    value = answer.estimates["dr"]
    ends = [*value[:4], *apart[:4]]
    return [*map(float, ends), VERDICTS.index(answer.verdict), answer.customers, answer.ess]


def block_of(cell: tuple[str, int], seed: int, folder: Path) -> None:
    """The logs of one block, if they are not there yet."""
    name, first = cell
    path = folder / f"{name}_{seed}_{first}.json"
    kept(path, lambda: [one_log(name, seed, run) for run in range(first, first + BLOCK)])


def summary(name: str, seed: int, folder: Path) -> dict[str, float]:
    """Coverage and widths of one design from the blocks that are there; none: no runs."""
    found = [json.loads(path.read_bytes()) for path in sorted(folder.glob(f"{name}_{seed}_*.json"))]
    if not found:
        return {"runs": 0}
    e, _, f = kept(folder / f"{name}_truth.json", lambda: truth_of(name))
    rows = dict(zip(COLUMNS, np.concatenate([np.array(block) for block in found]).T, strict=True))
    trust, quantile = rows["verdict"] == VERDICTS.index("trust"), stats.t.isf(0.025, rows["customers"] - 1.0)
    answer: dict[str, float] = {"runs": len(trust), "trust": float(trust.mean()), "ess": float(np.median(rows["ess"]))}
    for what, truth in (("value", e), ("difference", e - f)):
        low, high = rows[f"{what}_low"], rows[f"{what}_high"]
        half = quantile * rows[f"{what}_error"]
        held = (low <= truth) & (truth <= high)
        answer |= {
            f"{what}_covers": float(held.mean()),
            f"{what}_trusted_covers": float(held[trust].mean()) if trust.any() else math.nan,
            f"{what}_t_covers": float((np.abs(rows[what] - truth) <= half).mean()),
            f"{what}_over_t": float(np.mean(high - low) / np.mean(2.0 * half)),
        }
    return answer


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown, one line a design: a width counts where t covers 95 % (is not surely below)."""
    lines = [
        "| design | runs | effective rows | trusted | value holds | t | width over t "
        "| difference holds | t | width over t | of trusted: value, difference |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        if not each["runs"]:
            continue
        cells = [f"`{name}`", f"{each['runs']:,}", f"{each['ess']:,.0f}", f"{each['trust']:.0%}"]
        for what in ("value", "difference"):
            cells += [
                f"{each[f'{what}_covers']:.1%}",
                f"{each[f'{what}_t_covers']:.1%}",
                f"{each[f'{what}_over_t']:.2f}",
            ]
        both = [each[f"{what}_trusted_covers"] for what in ("value", "difference")]
        cells.append("-" if math.isnan(both[0]) else ", ".join(f"{share:.1%}" for share in both))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def covers(share: float, runs: int) -> bool:
    """Whether a coverage of 95 % is not out of the question, at two standard errors."""
    return share >= 0.95 - 2.0 * math.sqrt(0.95 * 0.05 / runs)


def counted(found: dict[str, dict[str, float]]) -> str:
    """In how many designs t covers the difference, and in how many of these ours is at most 1.3 times as wide."""
    there = [each for each in found.values() if each["runs"]]
    right = [each for each in there if covers(each["difference_t_covers"], int(each["runs"]))]
    narrow = sum(each["difference_over_t"] <= 1.3 for each in right)
    return f"t covers the difference in {len(right)} of {len(there)} designs; at most 1.3 t wide in {narrow} of these"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/interval_study", workers=2)
    words.add_argument("--runs", type=int, default=1_000, help="logs of each design")
    words.add_argument("--seed", type=int, default=2027)
    words.add_argument("--designs", nargs="*", default=list(DESIGNS), help="of coverage_designs.py")
    words.add_argument("--table", action="store_true", help="run nothing; tell of the blocks that are there")
    asked = words.parse_args(argv)
    if not asked.table:
        cells = [(name, first) for first in range(0, asked.runs, BLOCK) for name in asked.designs]
        run_cells(partial(block_of, seed=asked.seed, folder=asked.output), cells, asked.workers)
    found = {name: summary(name, asked.seed, asked.output) for name in asked.designs}
    print(table(found))
    print(counted(found))


if __name__ == "__main__":
    run_study(main)
