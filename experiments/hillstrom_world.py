"""Does a world calibrated on half of Hillstrom's e-mail test answer as the other half did?

Customers fall into 21 segments by what they bought last year (merchandise x spend). On one half, chosen by customer at
random, the world learns visits of one's own accord, visits that each e-mail brings, order rates, and what the e-mails
add to orders; then the test is replayed in it and compared with the half it has not seen, by arm and by group.

    python experiments/hillstrom_world.py -o runs/hillstrom_world
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import campaignrl as crl
from campaignrl.calibration import calibrate_campaign
from campaignrl.calibration.response import Campaign, campaign_of_outcomes
from campaignrl.calibration.world import replay
from campaignrl.report.figures import INK, MUTED, SERIES, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole
from campaignrl.tables.log import split_by_customer

HERE = Path(__file__).resolve().parent
LOG = HERE.parents[1] / "shared" / "data" / "hillstrom" / "hillstrom_half.csv.gz"
DAYS, REPLAYED, BEYOND = 14.0, 400_000, 2.0
MERCHANDISE = {(1, 0): "mens", (0, 1): "womens", (1, 1): "both"}


def read(path: Path, seed: int) -> tuple[Campaign, Campaign]:
    """The half that is learned from and the other one, as campaigns of the same segments."""
    logs = {reward: crl.read_log(path, HERE / "mappings" / "hillstrom.toml", reward) for reward in ("visit", "spend")}
    orders = crl.read_log(path, HERE / "mappings" / "hillstrom.toml", "conversion").reward
    context = logs["visit"].context
    bought = zip(context.columns["mens"], context.columns["womens"], strict=True)
    spent = [text.partition(")")[0] for text in context.labels("history_segment")]
    labels = [f"{MERCHANDISE[int(m), int(w)]}_{s}" for (m, w), s in zip(bought, spent, strict=True)]
    names = tuple(sorted(set(labels)))
    code = pd.Categorical(labels, categories=names).codes.astype(int)
    outcomes = {"visited": logs["visit"].reward, "orders": orders, "spend": logs["spend"].reward}
    whole = campaign_of_outcomes(logs["visit"], code, names, DAYS, **outcomes)
    whole = replace(whole, parts=tuple(tuple(name.split("_")) for name in names))
    learn, other = split_by_customer(logs["visit"], 0.5, seed)
    return tuple(whole.take(np.isin(whole.rows.customer, part.customer)) for part in (learn, other))


def cells(campaign: Campaign) -> pd.DataFrame:
    """Customers, visits and orders by arm and group; each customer is in a group by merchandise and in one by spend."""
    rows, names = campaign.rows, np.array(campaign.segments)[campaign.rows.segment]
    table = pd.DataFrame({"arm": rows.action, "visit": rows.visited, "conversion": np.minimum(rows.orders, 1.0)})
    found = []
    for place in (0, 1):
        group = [name.split("_")[place] for name in names]
        for outcome in ("visit", "conversion"):
            each = table.groupby(["arm", group])[outcome].agg(["size", "mean"]).reset_index(names=["arm", "group"])
            found.append(each.assign(outcome=outcome))
    return pd.concat(found).set_index(["outcome", "group", "arm"])


def compare(learn: Campaign, other: Campaign, world: crl.World, seed: int) -> pd.DataFrame:
    """One row a cell: the share in the other half, in the world, and how many standard errors they are apart.

    `off` counts the sampling errors of both halves; `off_other` only that of the half that was not seen.
    """
    real, told, learned = cells(other), cells(replay(world, learn, seed + 1, REPLAYED)), cells(learn)
    p = told["mean"]
    own, theirs, luck = (p * (1 - p) / each["size"] for each in (real, learned, told))
    gap = real["mean"] - p
    table = pd.DataFrame({"customers": real["size"], "real": real["mean"], "world": p, "learned": learned["mean"]})
    return table.assign(off=gap / np.sqrt(own + theirs + luck), off_other=gap / np.sqrt(own + luck))


def picture(table: pd.DataFrame, arms: tuple[str, ...], inside: float) -> bytes:
    """The half that was not seen against the world, one dot a cell, with two standard errors of both."""
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    for ax, outcome in zip(figure.subplots(1, 2), ("visit", "conversion"), strict=True):
        part = table.loc[outcome].reset_index()
        error = BEYOND * np.abs((part.real - part.world) / part.off)
        for arm, name in enumerate(arms):
            mine = part.arm == arm
            style = {"fmt": "osD"[arm], "ms": 6, "color": SERIES[arm], "ecolor": MUTED, "elinewidth": 0.8}
            ax.errorbar(100 * part.world[mine], 100 * part.real[mine], 100 * error[mine], label=name, **style)
        top = 100 * max(part.world.max(), part.real.max()) * 1.1
        ax.plot([0, top], [0, top], color=INK, lw=1, ls=":")
        ax.set(
            title=outcome, xlabel="in the calibrated world, %", ylabel="in the half it has not seen, %", ylim=(0, None)
        )
        ax.legend(frameon=False)
    figure.suptitle(f"Hillstrom by arm and past purchases: {inside:.0%} of {len(table)} cells within 2 standard errors")
    return png_bytes(figure)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, calibrate, compare, write world and picture, print the table."""
    words = study_words(__doc__, "runs/hillstrom_world", json=True)
    words.add_argument("log", nargs="?", type=Path, default=LOG, help="any file of the data set")
    words.add_argument("--seed", type=int, default=0, help="of the split and of the simulation")
    asked = words.parse_args(argv)
    learn, other = read(asked.log, asked.seed)
    found = calibrate_campaign(
        learn, HERE / "worlds" / "hillstrom_like.toml", title="Hillstrom's shop", seed=asked.seed
    )
    table = compare(learn, other, found.world, asked.seed)
    inside, strict = (float((table[name].abs() <= BEYOND).mean()) for name in ("off", "off_other"))
    found.write(asked.output / "hillstrom.toml")
    drawn = picture(table, learn.catalog.names, inside)
    write_whole(asked.output / "cells.png", lambda file: file.write(drawn))
    if asked.json:
        rows = json.loads(table.reset_index().to_json(orient="records"))
        print(json.dumps({"cells": len(table), "inside": inside, "inside_other_only": strict, "table": rows}, indent=1))
        return
    print(table.rename(dict(enumerate(learn.catalog.names))).to_string(float_format="{:.4f}".format))
    print(f"\n{inside:.0%} of {len(table)} cells within {BEYOND:g} standard errors of both halves,")
    print(f"{strict:.0%} counting the error of the half that was not seen only; world and picture in {asked.output}")


if __name__ == "__main__":
    run_study(main)
