"""Six waves of offers: what can a randomised log of 12,000 customers say about a whole series of them?

First one decision by each action, beside the figures of the data set's README; then all six waves by policies from
near to the log to far from it, with the effective sample size by wave. The conclusions follow from the figures.

    python experiments/starbucks.py FOLDER -o runs/starbucks
"""

import json
from pathlib import Path

import numpy as np
from starbucks_log import per_day, read_starbucks

import campaignrl as crl
from campaignrl import DecisionLog
from campaignrl.ope import compare_on_log
from campaignrl.ope.comparison import Conclusion, conclude
from campaignrl.ope.diagnostics import ESS_REFUSE
from campaignrl.report.figures import ess_by_step, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "starbucks"
# Spend per day until the next wave by action, as the data set's README has them.
REFERENCE = {
    "none": 2.45, "fafdcd66": 5.25, "2298d6c3": 4.84, "ae264e36": 4.67, "f19421c1": 4.65, "4d5c57ea": 4.43,
    "5a8bc659": 3.50, "9b98b8c7": 3.49, "2906b810": 3.49, "3f207df6": 3.17, "0b1e1539": 3.15,
}  # fmt: skip


def one_decision(daily: DecisionLog) -> list[dict]:
    """Each action's spend per day until the next wave, and its distance from the reference in standard errors."""
    rows = []
    for name, reference in REFERENCE.items():
        found = crl.evaluate(daily, f"always:{name}", estimators=("snips", "dr"), reference="always:none")
        snips = found.estimates["snips"]
        off = (snips.value - reference) / snips.std_error
        rows.append({"action": name, "value": snips.value, "std_error": snips.std_error, "off": off})
        rows[-1] |= {"dr": found.estimates["dr"].value, "ess": found.ess, "verdict": found.verdict}
    return rows


def questions(log: DecisionLog) -> dict[str, tuple[object, float]]:
    """Name -> policy and its share against the logged one, from near to the log to far from it."""
    k = len(log.catalog)
    best = sorted(list(REFERENCE)[1:], key=REFERENCE.get, reverse=True)

    def evenly(names: list[str]) -> np.ndarray:
        p = np.zeros((len(log), k), dtype=np.float32)
        p[:, [log.catalog.id_of(name) for name in names]] = 1.0 / len(names)
        return p

    always = f"always:{best[0]}"
    return {
        "any offer, no pauses": (evenly(best), 1.0),
        "one of the best five": (evenly(best[:5]), 1.0),
        "one time in five the best": (always, 0.2),
        "one time in two the best": (always, 0.5),
        "never an offer": ("none", 1.0),
        "always the best": (always, 1.0),
    }


def series(log: DecisionLog) -> dict[str, crl.Evaluation]:
    """All six waves by each policy; the model's folds are customers."""
    names = ("pdis", "wpdis", "sdr", "wdr", "fqe", "msis")
    return {name: crl.evaluate(log, p, mix=mix, estimators=names) for name, (p, mix) in questions(log).items()}


def conclusions(daily: DecisionLog, decisions: list[dict], found: dict) -> list[str]:
    """What follows from the figures; each sentence is chosen by them."""
    inside = sum(abs(row["off"]) <= 1.0 for row in decisions)
    first, second = sorted(decisions, key=lambda row: -row["value"])[:2]
    lead = compare_on_log(daily, f"always:{first['action']}", f"always:{second['action']}")
    said = {Conclusion.BETTER: "surely ahead of", Conclusion.UNKNOWN: "not surely ahead of"}
    out = [
        f"{inside} of {len(decisions)} actions are within one standard error of the reference figures.",
        f"One decision: {first['action']} is {said.get(conclude(lead), 'level with')} {second['action']}, "
        f"{lead.value:+.2f} dollars a day [{lead.ci_low:+.2f}, {lead.ci_high:+.2f}].",
    ]
    for name, e in found.items():
        if e.lasting == e.horizon:
            gain = (
                {True: "more", False: "less"}[e.lift > 0] if e.lift_ci_low * e.lift_ci_high > 0 else "not surely more"
            )
            text = f"{gain} than what was logged, {e.lift:+.1f} dollars [{e.lift_ci_low:+.1f}, {e.lift_ci_high:+.1f}]"
            out.append(f"Six waves, {name}: {text}.")
        else:
            out.append(f"Six waves, {name}: the log follows it for {e.lasting} of {e.horizon} waves, so it is refused.")
    return out


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/starbucks")
    words.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    chosen = words.parse_args(argv)
    log = read_starbucks(chosen.folder)
    daily = per_day(log)
    decisions, found = one_decision(daily), series(log)
    for row in decisions:
        own = f"{row['value']:.3f} +- {row['std_error']:.3f}"
        print(f"{row['action']:>9}  {own}  {row['off']:+.2f} s.e. from the reference  dr {row['dr']:.3f}")
    for name, e in found.items():
        print(f"\n--- {name}\n{e}")
    said = conclusions(daily, decisions, found)
    print("\n" + "\n".join(said))
    picture = ess_by_step({name: np.array([step.ess for step in e.curve]) for name, e in found.items()}, ESS_REFUSE)
    write_whole(chosen.output / "ess_by_wave.png", lambda file: file.write(png_bytes(picture)))
    facts = {"decisions": decisions, "series": {n: e.to_dict() for n, e in found.items()}, "conclusions": said}
    write_whole(chosen.output / "starbucks.json", lambda file: file.write(json.dumps(facts, indent=1).encode()))


if __name__ == "__main__":
    run_study(main)
