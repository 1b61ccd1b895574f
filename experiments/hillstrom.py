"""Does it pay to choose the e-mail by customer? Hillstrom's e-mail test, learned on one half, valued on the other.

The best single action is chosen on the learning half, too. Lifts over it are paired by customer, and the intervals of
the learned policies' lifts hold together: the last line follows from them alone. Any log with a few actions will do.

    python experiments/hillstrom.py LOG.csv.gz --reward spend
"""

import json
from pathlib import Path

import pandas as pd

import campaignrl as crl
from campaignrl.ope import compare_on_log
from campaignrl.ope.comparison import Finding, conclude, personalising
from campaignrl.ope.intervals import NOT_TO_BE_HAD, Estimate
from campaignrl.report.figures import Panel, Spot, panels, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole
from campaignrl.tables.log import split_by_customer

HERE = Path(__file__).resolve().parent
LOG = HERE.parents[1] / "shared" / "data" / "hillstrom" / "hillstrom_half.csv.gz"
LEARNERS = ("lin_ts", HERE / "policies/lin_greedy.toml", "dr_greedy", HERE / "policies/dr_greedy_loose.toml")
VALUE, LIFT = ["value", "ci_low", "ci_high"], ["lift", "lift_ci_low", "lift_ci_high"]
ALPHA = 0.05
Judged = tuple[crl.Evaluation, Estimate]


def study(log: crl.DecisionLog, seed: int = 0) -> tuple[pd.DataFrame, str, Finding]:
    """One row a policy, the best single action by the learning half, and what follows from the lifts over it."""
    learn, value = split_by_customer(log, 0.5, seed)
    single = ["none", *(f"always:{name}" for name in log.catalog.names[1:])]
    best = max(single, key=lambda policy: crl.evaluate(learn, policy, seed=seed).estimates["dr"].value)
    tried = [judged(value, policy, best, ALPHA, seed) for policy in (*single, "uniform")]
    learned = [judged(value, crl.train(each, learn), best, ALPHA / len(LEARNERS), seed) for each in LEARNERS]
    gain = compare_on_log(value, best, "none", alpha=ALPHA, seed=seed)
    finding = personalising({found.policy: lift for found, lift in learned}, best, gain)
    rows = []
    for found, lift in tried + learned:
        dr, said = found.estimates["dr"], "" if found.policy == best else conclude(lift, finding.margin).value
        figures = (dr.value, dr.ci_low, dr.ci_high, lift.value, lift.ci_low, lift.ci_high)
        rows.append((found.policy, (found, lift) in learned, *figures, said, found.ess, found.verdict))
    columns = ["policy", "learned", *VALUE, *LIFT, "lift_is", "ess", "verdict"]
    return pd.DataFrame(rows, columns=columns), best, finding


def judged(log: crl.DecisionLog, policy: str | crl.Policy, best: str, alpha: float, seed: int) -> Judged:
    """Its value, and its paired lift over `best` at level 1 - alpha: NaN where the log refuses to speak of it."""
    found = crl.evaluate(log, policy, alpha=ALPHA, seed=seed)
    if found.verdict == "refuse":
        return found, Estimate(*[NOT_TO_BE_HAD] * 4, "refused")
    return found, compare_on_log(log, policy, best, alpha=alpha, seed=seed)


def picture(rows: pd.DataFrame, best: str, finding: Finding, unit: str) -> bytes:
    """Values beside lifts; the grey band is what would be almost nothing."""
    groups = {
        "the same for everybody": rows.policy[~rows.learned].tolist(),
        "learned on the other half": rows.policy[rows.learned].tolist(),
    }
    values, lifts = (
        [Spot(*row) for row in rows[[*names, "learned"]].itertuples(index=False)] for names in (VALUE, LIFT)
    )
    band = (-finding.margin, finding.margin) if finding.margin else None
    columns = [Panel("value", unit, values), Panel(f"lift over {best}", unit, lifts, True, 0.0, band)]
    note = "95 % intervals, of the learned policies' lifts together; grey: a lift that would be almost nothing"
    return png_bytes(panels(finding.text, groups, columns, note))


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, do the study, write the picture, print the answer."""
    words = study_words(__doc__, "runs/hillstrom", json=True)
    words.add_argument("log", nargs="?", type=Path, default=LOG, help="any file of the data set")
    words.add_argument("--mapping", type=Path, default=HERE / "mappings" / "hillstrom.toml")
    words.add_argument("--reward", help="visit (default), conversion or spend")
    words.add_argument("--seed", type=int, default=0, help="of the split and of the folds")
    asked = words.parse_args(argv)
    log = crl.read_log(asked.log, asked.mapping, asked.reward)
    rows, best, finding = study(log, asked.seed)
    drawn, unit = asked.output / f"{log.meta['reward']}.png", log.meta["reward_unit"]
    write_whole(drawn, lambda file: file.write(picture(rows, best, finding, f"{unit}, per customer")))
    if asked.json:
        facts = {"reward": unit, "best_single": best, "policies": json.loads(rows.to_json(orient="records"))}
        facts |= {"almost_nothing": finding.margin, "lift_is": finding.conclusion, "conclusion": finding.text}
        print(json.dumps({**facts, "actions_from": log.meta["actions_from"], "picture": str(drawn)}, indent=2))
    else:
        print(f"{unit}, per customer; lifts are over {best}, the best single action on the learning half\n")
        print(rows.drop(columns="learned").to_string(index=False, float_format="{:.4g}".format), "\n")
        print(finding.text, f"picture: {drawn}", sep="\n")


if __name__ == "__main__":
    run_study(main)
