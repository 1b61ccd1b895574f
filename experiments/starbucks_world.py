"""A world from the Starbucks rewards log; a policy that has learned nowhere else; its value on the real log.

Segments are of income and membership. The world is moved until its replay of the six waves has the log's view rates by
channel set and its spend by offer. Two learners then train in it alone, and the real log values one decision of theirs.

    python experiments/starbucks_world.py FOLDER -o runs/starbucks_world
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from starbucks_campaign import as_the_world_sees, campaign_of
from starbucks_log import events_of, per_day, read_starbucks

import campaignrl as crl
from campaignrl import DecisionLog
from campaignrl.calibration import calibrate_campaign
from campaignrl.calibration.response import Campaign
from campaignrl.calibration.world import replay
from campaignrl.ope import compare_on_log
from campaignrl.report.figures import Panel, Spot, panels, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / "shared" / "data" / "starbucks"
LEARNERS = ("lin_ts", "dr_greedy")


def compared(campaign: Campaign, world: crl.World, seed: int) -> pd.DataFrame:
    """View rates by channel set and spend a day by action: log, world, and standard errors between them."""
    found = []
    told = replay(world, campaign, seed + 1, 100_000)
    for a, action in enumerate(campaign.catalog.actions):
        found.append(("spend a day", action.name, *(spend_a_day(each, a) for each in (campaign, told))))
    for c, channel in enumerate(campaign.catalog.channels):
        found.append(("viewed", channel.name, *(viewed(each, c) for each in (campaign, told))))
    rows = [
        (what, name, *real, *ours, (ours[0] - real[0]) / np.hypot(real[1], ours[1])) for what, name, real, ours in found
    ]
    return pd.DataFrame(rows, columns=["what", "of", "log", "se", "world", "world_se", "off"])


def spend_a_day(campaign: Campaign, action: int) -> tuple[float, float]:
    """Mean over customers' waves with this action, and its standard error."""
    rows = campaign.rows.take((campaign.rows.action == action) & ~np.isnan(campaign.rows.days))
    daily = rows.spend / rows.days
    return float(daily.mean()), float(daily.std() / np.sqrt(len(rows)))


def viewed(campaign: Campaign, channel: int) -> tuple[float, float]:
    """Share of the sends by this set of channels that was viewed, and its standard error."""
    seen = campaign.rows.opened[campaign.catalog.channel_of[campaign.rows.action] == channel]
    return float(seen.mean()), float(seen.std() / np.sqrt(len(seen)))


def valued(daily: DecisionLog, world: crl.World, seed: int) -> tuple[list[dict], str]:
    """Policies on the real log, dollars a day until the next wave, with lifts over the best fixed offer."""
    fixed = [f"always:{name}" for name in daily.catalog.names[1:]]
    values = {
        p: crl.evaluate(daily, p, estimators=("snips", "dr"), seed=seed).estimates["dr"] for p in ("none", *fixed)
    }
    best = max(fixed, key=lambda p: values[p].value)
    rows = [{"policy": p, "value": v.value, "low": v.ci_low, "high": v.ci_high} for p, v in values.items()]
    for name in LEARNERS:
        policy = crl.train(name, crl.simulate(world, "uniform", customers=20_000, seed=seed + 2))
        found, lift = (
            crl.evaluate(daily, policy, estimators=("snips", "dr"), seed=seed),
            compare_on_log(daily, policy, best),
        )
        dr = found.estimates["dr"]
        rows.append({"policy": name, "value": dr.value, "low": dr.ci_low, "high": dr.ci_high, "verdict": found.verdict})
        rows[-1] |= {"lift": lift.value, "lift_low": lift.ci_low, "lift_high": lift.ci_high}
        rows[-1]["not_below"] = bool(lift.ci_high >= 0.0)
    return rows, best


def picture(table: pd.DataFrame, rows: list[dict], best: str) -> bytes:
    """Log beside world, and what the policies are worth on the log."""
    names = [f"{row.what}: {row.of}" for row in table.itertuples()]
    groups = {"log (blue) and calibrated world (orange)": [n for name in names for n in (name, "")]}
    spots = [
        Spot(value, value - 2 * se, value + 2 * se, series)
        for row in table.itertuples()
        for series, (value, se) in enumerate(((row.log, row.se), (row.world, row.world_se)))
    ]
    return png_bytes(
        panels(
            conclusion(rows, best), groups, [Panel("share viewed, or dollars a day", "bars: 2 standard errors", spots)]
        )
    )


def conclusion(rows: list[dict], best: str) -> str:
    """What follows from the lifts of the learned policies."""
    parts = []
    for row in rows[-len(LEARNERS) :]:
        said = "not below" if row["not_below"] else "below"
        parts.append(
            f"{row['policy']} is {said} {best}: {row['lift']:+.2f} [{row['lift_low']:+.2f}, {row['lift_high']:+.2f}]"
        )
    return f"Learned in the calibrated world only, valued on the real log, dollars a day: {'; '.join(parts)}."


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, calibrate, learn, value, and say what came out."""
    words = study_words(__doc__, "runs/starbucks_world", json=True)
    words.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args(argv)
    log, events = read_starbucks(asked.folder), events_of(asked.folder)
    campaign, customers = campaign_of(log, events, asked.folder)
    like = HERE / "worlds" / "starbucks_like.toml"
    found = calibrate_campaign(campaign, like, by_spend=True, title="Starbucks rewards log", seed=asked.seed)
    found.write(asked.output / "starbucks.toml")
    table, world = compared(campaign, found.world, asked.seed), found.world
    rows, best = valued(as_the_world_sees(per_day(log), events, customers, world), world, asked.seed)
    drawn = picture(table, rows, best)
    write_whole(asked.output / "world.png", lambda file: file.write(drawn))
    inside = int((table.off.abs() <= 2.0).sum())
    if asked.json:
        facts = {"figures": json.loads(table.to_json(orient="records")), "inside": inside, "of": len(table)}
        print(
            json.dumps({**facts, "best_fixed": best, "policies": rows, "conclusion": conclusion(rows, best)}, indent=1)
        )
        return
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(f"\n{inside} of {len(table)} figures within two standard errors\n")
    print(
        pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format, na_rep=""),
        conclusion(rows, best),
        sep="\n\n",
    )


if __name__ == "__main__":
    run_study(main)
