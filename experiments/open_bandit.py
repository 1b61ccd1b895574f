"""Can a fashion shop's click logs tell which of two policies is better? The Open Bandit samples, both campaigns.

Each policy is valued from the log of the other, beside the mean of its own log, which is the truth but for chance.
`bts` is taken as its log shows it: the share of every item by slot, for it looks at no customer. What the last line
says follows from the intervals of the difference, three a campaign, which hold together with 95 %.

    python experiments/open_bandit.py FOLDER --campaigns all men
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

import campaignrl as crl
from campaignrl.ope.comparison import Conclusion, conclude, independent_difference, interval
from campaignrl.ope.intervals import NOT_TO_BE_HAD, Estimate
from campaignrl.report.figures import Panel, Spot, panels, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / "shared" / "data" / "obd"
ALPHA = 0.05
REFUSED = Estimate(*[NOT_TO_BE_HAD] * 4, "refused")
OWN, OTHER = (
    "its own log's mean",
    {"ips": "the other log, IPS", "snips": "the other log, SNIPS", "dr": "the other log, DR"},
)


def shares_by_slot(seen: crl.DecisionLog, wanted: crl.DecisionLog) -> np.ndarray:
    """(n, k) for the rows of `wanted`: how often `seen` shows each item in that slot."""
    shares = pd.crosstab(seen.context.labels("position"), seen.action, normalize="index")
    shares = shares.reindex(columns=range(len(seen.catalog)), fill_value=0.0)
    return shares.loc[wanted.context.labels("position")].to_numpy()


def study(random: crl.DecisionLog, bts: crl.DecisionLog, alpha: float) -> tuple[list[dict], dict[str, Estimate]]:
    """One row for each figure of each policy, and the differences bts - uniform by their source."""
    uniform = crl.evaluate(bts, "uniform", alpha=alpha)
    learned = crl.evaluate(random, shares_by_slot(bts, random), alpha=alpha)
    own = [crl.evaluate(log, "logged", estimators=("ips",), alpha=alpha).estimates["ips"] for log in (random, bts)]
    rows = []
    for policy, mean, e in (("uniform", own[0], uniform), ("bts", own[1], learned)):
        facts = {"ess": e.ess, "max_weight": e.max_weight_share * e.mean_weight * e.n, "mean_weight": e.mean_weight}
        facts |= {"verdict": e.verdict, "reasons": " ".join(e.reasons)}
        rows.append({"policy": policy, "estimate": OWN, **mean._asdict()})
        rows += [{"policy": policy, "estimate": n, **e.estimates[x]._asdict(), **facts} for x, n in OTHER.items()]
    # A lift is over the policy that wrote the log, so the bts log holds the difference with its sign turned.
    turned = (-uniform.lift, NOT_TO_BE_HAD, -uniform.lift_ci_high, -uniform.lift_ci_low)
    straight = (learned.lift, NOT_TO_BE_HAD, learned.lift_ci_low, learned.lift_ci_high)
    return rows, {
        "by the random log": REFUSED if learned.verdict == "refuse" else Estimate(*straight, "paired"),
        "by the bts log": REFUSED if uniform.verdict == "refuse" else Estimate(*turned, "paired"),
        "by the logs' own means": independent_difference(own[1], own[0]),
    }


def conclusion(joint: Mapping[str, Estimate], alone: Mapping[str, Estimate]) -> str:
    """What the differences bts - uniform allow one to say; joint: intervals that hold together; alone: each its own."""
    sure = {name: each for name, each in joint.items() if conclude(each) is not Conclusion.UNKNOWN}
    if sure:
        return " ".join(f"bts is {conclude(each)} than uniform, {n}: {interval(each)}." for n, each in sure.items())
    near = [f"{name}, {interval(each)}" for name, each in alone.items() if conclude(each) is not Conclusion.UNKNOWN]
    heard = sum(each is not REFUSED for each in joint.values())
    text = f"No policy is provably better: all {heard} intervals of bts less uniform include 0."
    text += f" {len(joint) - heard} more are refused." if heard < len(joint) else ""
    return f"{text} (Alone, {'; '.join(near)} would leave 0 out; {len(joint)} were looked at.)" if near else text


def picture(rows: pd.DataFrame, text: str) -> bytes:
    """One panel a campaign: own means in blue, what the other log says in orange."""
    own = rows.estimate == OWN
    limits = (0.0, 1.3 * float(max(rows.value.max(), rows.ci_high[own].max())))
    groups = {name: part.estimate.unique().tolist() for name, part in rows.groupby("policy", sort=False)}
    spots = rows.assign(colour=1 - own)[["value", "ci_low", "ci_high", "colour"]].groupby(rows.campaign, sort=False)
    columns = [
        Panel(f"campaign {name}", "clicks per slot", [Spot(*s) for s in part.itertuples(index=False)], limits=limits)
        for name, part in spots
    ]
    note = "95 % intervals. An arrow: the interval goes on, to the figure at the right."
    return png_bytes(panels(text, groups, columns, note))


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, do the study, write the picture, print the answer."""
    words = study_words(__doc__, "runs/open_bandit", json=True)
    words.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="holds random/ and bts/")
    words.add_argument("--mapping", type=Path, default=HERE / "mappings" / "obd.toml")
    words.add_argument("--campaigns", nargs="+", default=["all", "men"])
    asked = words.parse_args(argv)
    rows, joint, alone, origins = [], {}, {}, set()
    for name in asked.campaigns:
        paths = [asked.folder / policy / name / f"{name}.csv.gz" for policy in ("random", "bts")]
        logs = [crl.read_log(path, asked.mapping) for path in paths]
        origins |= {log.meta["actions_from"] for log in logs}
        joint |= {f"{name} {by}": d for by, d in study(*logs, ALPHA / (3 * len(asked.campaigns)))[1].items()}
        found, differences = study(*logs, ALPHA)
        rows += [{"campaign": name, **row} for row in found]
        alone |= {f"{name} {by}": d for by, d in differences.items()}
    table, text, drawn = pd.DataFrame(rows), conclusion(joint, alone), asked.output / "open_bandit.png"
    write_whole(drawn, lambda file: file.write(picture(table, text)))
    less = pd.DataFrame([{"bts less uniform": name, **d._asdict()} for name, d in joint.items()]).drop(
        columns="std_error"
    )
    if asked.json:
        frames = {"estimates": table, "differences": less}
        facts = {key: json.loads(frame.to_json(orient="records")) for key, frame in frames.items()}
        facts |= {"actions_from": sorted(origins), "conclusion": text, "picture": str(drawn)}
        print(json.dumps(facts, indent=2))
    else:
        for frame in (table.drop(columns=["interval", "reasons"]), less.drop(columns="interval")):
            print(frame.to_string(index=False, float_format="{:.4g}".format, na_rep=""), "\n")
        print(f"items from: {', '.join(sorted(origins))}\n{text}\npicture: {drawn}")


if __name__ == "__main__":
    run_study(main)
