"""Can a log of one wave rank ten policies as the truth does, and how many decisions does that take?

Ten policies that a marketer would compare, named by kind and not by what they earn: nothing, chance, today's rules,
content to all, the deepest coupon to all, whoever is likeliest to buy, two learned from the wave before, and what one
who knows every customer's state would do at best and at worst. Each log is a wave of new customers, one decision each,
by chance. Told is the rank correlation of estimated with true lifts over nothing, its mean over logs with a 95 % t
interval, beside what errors of that size allow (`reachable`) and the decisions that 0.9 would take. Variants, all of
them shown: five rewards, other sets of policies, four estimators, a log that is a test of the eight sendable policies
(`test`), and one of few customers who are decided for every day (`days`). Finished logs are kept: a study goes on.

    python experiments/ranking.py --logs 20
"""

import argparse
import json
from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ranking_waves import (
    DAYS,
    EIGHT,
    EXTREMES,
    LEARNED,
    REWARDS,
    TAUGHT_ON,
    Mixture,
    actions_of,
    policies_of,
    true_lifts,
    wave,
    wave_world,
)
from scipy import stats

import campaignrl as crl
from campaignrl.campaign import ready_policy
from campaignrl.ope.comparison import Rows
from campaignrl.ope.methods import ESTIMATORS
from campaignrl.policies import one_blas_thread
from campaignrl.report.figures import INK, MUTED, SERIES, png_bytes
from campaignrl.suites import kept, run_study, study_words, write_files
from campaignrl.true_value import decision_lifts

FAR = 1_000_000_000  # seed of the truth, away from those of the logs
WANTED, DRAWS = 0.9, 2_000
SHOWN = ("dr", "snips", "ips", "dm")  # the first is the usual one
DESIGNS = ("wave", "test", "days")
TEN = (*EIGHT, *EXTREMES)


def sets_of(actions) -> dict[str, tuple[str, ...]]:
    """The ten, and others to see how much hangs on the choice."""
    return {
        "ten": TEN,
        "with dr_greedy": (*TEN, "dr_greedy"),
        "sendable": EIGHT,
        "single actions": ("none", "rules", *actions),
    }


def lifts(log, rewards, given) -> dict[str, dict[str, dict[str, float]]]:
    """Reward -> estimator -> policy -> lift over `none`. given: policy -> (n, k)."""
    found = {}
    for reward, values in rewards.items():
        seen = dict(zip(given, Rows.of(replace(log, reward=values), list(given.values())).evidence, strict=True))
        found[reward] = {}
        for name in SHOWN:
            value = {policy: ESTIMATORS[name].terms(evidence).point().value for policy, evidence in seen.items()}
            found[reward][name] = {policy: v - value["none"] for policy, v in value.items()}
    return found


def one_log(design: str, world, policies, decisions: int, seed: int, chosen=tuple(REWARDS)) -> dict:
    """The lifts that one log gives."""
    with one_blas_thread():
        if design == "days":
            log = crl.simulate(days_world(world), "uniform", customers=decisions // (horizon_of(world) - DAYS + 1),
                               seed=seed, threads=1)  # fmt: skip
            log = log.take(np.flatnonzero(log.matured))
            rewards, extremes = {"contribution": log.reward}, {}
            policies = {name: policies[name] for name in EIGHT}
        else:
            usual = ready_policy("uniform", world)
            logging = usual if design == "wave" else Mixture(world.catalog, [policies[name] for name in EIGHT])
            ids = np.arange(decisions) + 100 * decisions  # other customers for each size
            log, rewards, extremes = wave(world, logging, ids, seed)
            rewards = {name: rewards[name] for name in chosen}
        answers = {name: policy.probabilities(log.context, log.allowed()) for name, policy in policies.items()}
        given = {**{name: p.astype(np.float32) for name, p in answers.items()}, **extremes}
        return {"decisions": len(log), "lifts": lifts(log, rewards, given)}


def days_world(world):
    """The same world at its usual length."""
    return crl.load_world(world.name, outcome_days=DAYS)


def horizon_of(world) -> int:
    """Days of a usual campaign."""
    return int(days_world(world).horizon)


def study(asked) -> dict:
    """Truths and one summary a cell."""
    world = wave_world(asked.world)
    actions = actions_of(world)
    policies = {**policies_of(world, asked.taught_on), **actions}
    sets, rewards = sets_of(actions), tuple(dict.fromkeys(["contribution", *asked.rewards]))
    at = asked.output / "-".join([asked.world, str(asked.taught_on), *(rewards if set(rewards) < set(REWARDS) else ())])

    def in_days():
        values = decision_lifts(days_world(world), [policies[p] for p in EIGHT], "none", customers=asked.days_truth,
                                seed=FAR)  # fmt: skip
        return {p: {"contribution": (v.value, v.std_error)} for p, v in zip(EIGHT, values, strict=True)}

    truth = kept(at / f"truth-{asked.customers}.json", lambda: true_lifts(world, policies, asked.customers, FAR))
    daily = kept(at / f"days-{asked.days_truth}.json", in_days) if "days" in asked.designs else {}
    cells = []
    for design in asked.designs:
        for decisions in asked.decisions if design == "wave" else asked.decisions[-1:]:
            logs = []
            count = asked.logs[0] if design == "wave" else asked.logs[-1]
            for seed in range(count):
                file = at / f"{design}-{decisions}-{seed}.json"
                made = partial(one_log, design, world, policies, decisions, seed, rewards)
                logs.append(kept(file, made))
                asked.say(f"{design}, {logs[-1]['decisions']:,} decisions: log {seed + 1} of {count}")
            cells += cells_of(design, daily if design == "days" else truth, logs, sets)
    return {"truth": truth, "truth_in_days": daily, "truths_agree": agreement(truth), "cells": cells}


def agreement(truth) -> dict[str, float]:
    """Rank correlation of the ten's true lifts in each reward with those in contribution."""
    rows = {reward: [truth[p][reward][0] for p in TEN] for reward in REWARDS}
    return {reward: float(stats.spearmanr(row, rows["contribution"]).statistic) for reward, row in rows.items()}


def cells_of(design: str, truth, logs, sets) -> list[dict]:
    """One summary for each set, reward and estimator that these logs have."""
    found, decisions = [], float(np.mean([log["decisions"] for log in logs]))
    for label, members in sets.items():
        if not set(members) <= set(truth):
            continue
        money = np.array([truth[p]["contribution"][0] for p in members])
        for reward in logs[0]["lifts"]:
            true = np.array([truth[p][reward][0] for p in members])
            for name in SHOWN:
                lifted = np.array([[log["lifts"][reward][name][p] for p in members] for log in logs])
                head = {"design": design, "set": label, "reward": reward, "estimator": name, "decisions": decisions}
                meant = float(np.mean(correlations(money, lifted)))
                found.append({**head, **summary(true, lifted, decisions), "with_contribution": meant})
    return found


def summary(true: np.ndarray, lifted: np.ndarray, decisions: float) -> dict:
    """True (p,) and estimated (logs, p) lifts: ranks, what errors of this size allow, and what 0.9 takes."""
    ranks, error = correlations(true, lifted), lifted - true
    half = float(stats.t.isf(0.025, len(ranks) - 1)) * ranks.std(ddof=1) / len(ranks) ** 0.5
    values, axes = np.linalg.eigh(np.cov(error.T))
    noise = np.random.default_rng(0).normal(size=(DRAWS, len(true))) @ (axes * np.sqrt(np.maximum(values, 0.0))).T
    larger = np.geomspace(0.01, 100.0, 61)  # logs, in their number of decisions
    reach = np.array([correlations(true, true + noise / size**0.5).mean() for size in larger])
    enough = np.flatnonzero(reach >= WANTED)
    return {
        "logs": len(ranks),
        "rank_correlation": float(ranks.mean()),
        "ci": [float(ranks.mean() - half), float(ranks.mean() + half)],
        "lowest": float(ranks.min()),
        "share_wanted": float((ranks >= WANTED).mean()),
        "reachable": float(correlations(true, true + noise).mean()),
        "decisions_wanted": float(decisions * larger[enough[0]]) if len(enough) else None,
        "spread_of_truth": float(true.std(ddof=1)),
        "rmse": float(np.sqrt((error**2).mean())),
        "mean": lifted.mean(axis=0).tolist(),
        "spread": lifted.std(axis=0, ddof=1).tolist(),
    }


def correlations(true: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each row (m, p) with `true` (p,)."""
    a, b = stats.rankdata(true), stats.rankdata(rows, axis=1)
    a, b = a - a.mean(), b - b.mean(axis=1, keepdims=True)
    return np.asarray(b @ a / np.sqrt((a @ a) * (b**2).sum(axis=1)))


def table(found: dict) -> str:
    """All cells of the usual estimator, then every estimator's contribution of the ten."""
    head = f"{'design':6} {'decisions':>9}  {'set':15} {'reward':19} {'':6} {'rank correlation':>20}  lowest  >=0.9"
    lines = [f"{head}  reachable  0.9 takes  spread/error  of contribution"]
    usual = [c for c in found["cells"] if c["estimator"] == SHOWN[0]]
    others = [c for c in found["cells"] if c["estimator"] != SHOWN[0] and c["reward"] == "contribution"]
    for c in usual + [c for c in others if c["set"] == "ten"]:
        wants = "-" if c["decisions_wanted"] is None else f"{c['decisions_wanted']:,.0f}"
        rank = f"{c['rank_correlation']:.3f} [{c['ci'][0]:.3f}, {c['ci'][1]:.3f}]"
        line = f"{c['design']:6} {c['decisions']:9,.0f}  {c['set']:15} {c['reward']:19} {c['estimator']:6} {rank:>20}"
        line += f"  {c['lowest']:6.3f}  {c['share_wanted']:5.0%}  {c['reachable']:9.3f}  {wants:>9}"
        ratio = c["spread_of_truth"] / max(c["rmse"], 1e-12)
        lines.append(f"{line}  {ratio:12.2f}  {c['with_contribution']:15.3f}")
    agree = ", ".join(f"{reward} {rho:.2f}" for reward, rho in found["truths_agree"].items())
    return "\n".join([*lines, "", f"true ranks in each reward against true ranks in contribution: {agree}"])


def picture(found: dict) -> Figure:
    """Ranks by design and reward, all sizes of log; and the ten's lifts in contribution, truth and estimates."""
    figure = Figure(figsize=(11.5, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    usual = [c for c in found["cells"] if c["estimator"] == SHOWN[0]]
    drawn = [c for c in usual if c["set"] == ("sendable" if c["design"] == "days" else "ten")]
    _ranks(left, drawn)
    last = [c for c in drawn if (c["design"], c["reward"]) == ("wave", "contribution")][-1]
    _lifts(right, last, [found["truth"][p]["contribution"][0] for p in TEN])
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncol=3, fontsize=9)
    return figure


def _ranks(axes: Axes, cells: list[dict]) -> None:
    labels = list(dict.fromkeys(_label(c) for c in cells))
    sizes = sorted({c["decisions"] for c in cells if c["design"] == "wave"})
    for i, size in enumerate(sizes):
        mine = [c for c in cells if abs(c["decisions"] / size - 1) < 0.1]
        y = [
            labels.index(f"{c['design']}: {c['reward'].replace('_', ' ')}") + 0.25 * (len(sizes) - 1 - i) for c in mine
        ]
        rank, ends = np.array([c["rank_correlation"] for c in mine]), np.array([c["ci"] for c in mine])
        shown = {"color": SERIES[len(sizes) - 1 - i], "ms": 5, "label": f"{size:,.0f} decisions, 95 % of the mean"}
        axes.errorbar(rank, y, xerr=np.abs(ends.T - rank), fmt="o", **shown)
        told = "what errors of this size allow" if size == sizes[-1] else None
        axes.plot([c["reachable"] for c in mine], y, linestyle="", marker="|", ms=12, color=INK, label=told)
    axes.axvline(WANTED, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(max(min(c["ci"][0] for c in cells) - 0.05, -1.0), 1.03)
    axes.set_title("Rank correlation with the truth (dr)", loc="left", fontsize=10)


def _label(cell: dict) -> str:
    return f"{cell['design']}: {cell['reward'].replace('_', ' ')}"


def _lifts(axes: Axes, cell: dict, true: list[float]) -> None:
    order, y = np.argsort(true), np.arange(len(TEN))
    mean, spread = np.array(cell["mean"])[order], np.array(cell["spread"])[order]
    axes.errorbar(mean, y, xerr=1.96 * spread, fmt="o", color=SERIES[0], ms=5, label="estimates: mean, 95 % of logs")
    axes.plot(np.array(true)[order], y, linestyle="", marker="|", ms=14, mew=2, color=SERIES[1], label="truth")
    axes.set_yticks(y, [TEN[i] for i in order])
    decisions, rank = cell["decisions"], cell["rank_correlation"]
    head = f"Contribution of one decision over {DAYS} days, over nothing"
    axes.set_title(f"{head}\n{decisions:,.0f} decisions, rank correlation {rank:.2f}", loc="left", fontsize=10)


def words() -> argparse.ArgumentParser:
    """The words of the call."""
    parser = study_words(__doc__, "runs/ranking", json=True)
    parser.add_argument("--world", default="ecommerce")
    parser.add_argument("--logs", type=int, nargs="+", default=[20], help="of each size of `wave`, of other designs")
    parser.add_argument("--decisions", type=int, nargs="+", default=[30_000, 100_000])
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument("--rewards", nargs="+", choices=REWARDS, default=list(REWARDS))
    parser.add_argument("--customers", type=int, default=300_000, help="of the truth")
    parser.add_argument("--days-truth", type=int, default=150_000, help="customers of the truth of the design `days`")
    parser.add_argument("--taught-on", type=int, default=TAUGHT_ON, help=f"customers {', '.join(LEARNED)} learn from")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    parser = words()
    asked = parser.parse_args(argv)
    if min(asked.logs) < 2:
        parser.error("--logs must be at least 2: one log has no spread")
    if "wave" not in asked.designs:
        asked.designs.insert(0, "wave")  # what the others are compared with, and what is drawn
    asked.decisions.sort()
    asked.say = (lambda text: None) if asked.json else (lambda text: print(text, flush=True))
    found = study(asked)
    drawn = png_bytes(picture(found))
    write_files(asked.output, {"ranking.png": drawn, "ranking.json": json.dumps(found)})
    print(json.dumps(found, indent=1) if asked.json else table(found))


if __name__ == "__main__":
    run_study(main)
