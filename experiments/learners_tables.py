"""What the study of learners found, as tables, as a page and as a picture. Not here: the runs (learners.py).

Every figure is a mean over seeds with Student's t for its interval; differences and ratios are taken seed by seed, for
all ways of deciding met the same customers with the same luck.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

BASELINES = ("none", "rules", "best_fixed", "propensity_greedy")
BANDITS = (
    "epsilon_greedy",
    "lin_ts",
    "lin_ucb",
    "dr_greedy",
    "uplift",
    "dr_uplift",
    "pessimistic",
    "crm",
    "fitted_q_near",
)
RL = ("fitted_q", "cql")
ORACLES = ("oracle_greedy", "oracle_far_sighted")
LEARNERS = (*BASELINES, *BANDITS, *RL, "budgeted", *ORACLES, "untargeted")
ROLLOUT = "## By counterfactual rollouts"
DEEP = ("ppo", "maskable_ppo", "dqn", "qr_dqn")  # learn in the world itself; on fewer seeds, for they take longest
NAMES = {"fitted_q_near": "fitted_q, one window", "best_fixed": "best fixed action", "oracle_greedy": "greedy oracle"}
NAMES |= {"oracle_far_sighted": "far-sighted oracle", "none": "nothing sent", "rules": "business as usual"}
UPLIFT = ("uplift", "dr_uplift", "fitted_q_near", "dr_greedy")


def interval(values) -> dict:
    """Mean of n seeds and its 95 % interval."""
    values = np.asarray(values, dtype=float)
    n, mean = len(values), float(values.mean())
    half = float(stats.t.isf(0.025, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {"value": mean, "ci_low": mean - half, "ci_high": mean + half, "seeds": n}


def ratio(above, below) -> dict:
    """Mean over mean, seed by seed, by the delta method."""
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    value = float(above.mean() / below.mean())
    around = interval((above - value * below) / below.mean())
    return {
        "value": value,
        "ci_low": value + around["ci_low"],
        "ci_high": value + around["ci_high"],
        "seeds": len(above),
    }


def summary(found: dict, rooms: dict | None = None) -> dict:
    """By world: each way's value, gain, share of the greedy oracle's gain and margin over rules; then the questions.

    rooms: by world, the gain that no policy can pass, with its interval; shares of it are told where it is known.
    """
    answer = {}
    for world, runs in found.items():
        if "none" not in runs:
            continue
        seeds = sorted(set.intersection(*(set(by_seed) for way, by_seed in runs.items() if way not in DEEP)))
        of = {way: np.array([runs[way][s]["reward"] for s in seeds]) for way in runs if way not in DEEP}
        ways, asked = {way: _way(way, of) for way in of}, _questions(world, of)
        for way in (way for way in DEEP if way in runs):
            mine = [s for s in seeds if s in runs[way]]
            if mine:
                some = {w: np.array([runs[w][s]["reward"] for s in mine]) for w in (*of, way)}
                ways[way] = _way(way, some)
                asked |= _against_bandit(f"{way} over the best bandit", way, some)
        answer[world] = {"seeds": len(seeds), "ways": ways, "questions": asked}
        if found_room := (rooms or {}).get(world):
            answer[world]["room"] = found_room
            for row in ways.values():
                row["of_bound"] = of_bound(row["gain"], found_room)
        if world == "ecommerce" and "untargeted" in runs:
            answer[world]["promises"] = _promises(runs, seeds, best(of, BANDITS + RL))
    return answer


def of_bound(gain: dict, room: dict) -> dict:
    """Share of the room that a gain fills; the two were measured apart, so their relative errors add up in squares."""
    value = gain["value"] / room["value"]
    half = np.hypot(gain["ci_high"] - gain["value"], value * (room["ci_high"] - room["value"])) / room["value"]
    return {"value": value, "ci_low": value - float(half), "ci_high": value + float(half), "seeds": gain["seeds"]}


def best(of: dict, ways) -> str | None:
    """The way with the highest mean."""
    present = [way for way in ways if way in of]
    return max(present, key=lambda way: of[way].mean()) if present else None


def _way(way: str, of: dict) -> dict:
    row = {"value": interval(of[way]), "gain": interval(of[way] - of["none"])}
    if "oracle_greedy" in of:
        row["of_oracle"] = ratio(of[way] - of["none"], of["oracle_greedy"] - of["none"])
    if "rules" in of:
        row["over_rules"] = ratio(of[way] - of["rules"], of["rules"])
    return row


def _against_bandit(question: str, way: str | None, of: dict) -> dict:
    bandit = best(of, BANDITS)
    if not bandit or not way:
        return {}
    return {question: {"of": [way, bandit], **ratio(of[way] - of[bandit], np.abs(of[bandit]))}}


def _questions(world: str, of: dict) -> dict:
    asked = _against_bandit("best RL over best bandit", best(of, RL), of)
    if world == "churn_rescue" and (way := best(of, UPLIFT)) and "rules" in of:
        asked["uplift over risk targeting"] = {"of": [way, "rules"], **ratio(of[way] - of["rules"], of["rules"])}
    return asked


def _promises(runs: dict, seeds, way: str) -> list[dict]:
    """The field's four promises, `way` against as many contacts without a target."""
    ours, theirs = (
        {k: np.array([runs[w][s][k] for s in seeds]) for k in runs[w][seeds[0]]} for w in (way, "untargeted")
    )
    for each in (ours, theirs):
        each["reach"] = each["cost"] / each["opened"]

    def change(figure: str) -> dict:
        return ratio(ours[figure] - theirs[figure], theirs[figure])

    rows = [
        ("conversion (share that orders)", "+40 %", change("conversion"), 0.4, 1),
        ("cost per reach (per opened contact)", "-25 %", change("reach"), -0.25, -1),
        ("repurchase (share that orders twice)", "+30 %", change("repurchase"), 0.3, 1),
        ("top 20 % by spend still customers at the end", "at least 85 %", interval(ours["top_retention"]), 0.85, 1),
    ]
    sent = {"contacts": float(ours["sent"].mean()), "untargeted": float(theirs["sent"].mean())}
    return [
        {"promise": p, "wanted": w, "way": way, **found, **sent, "met": bool(sign * found["value"] >= sign * least)}
        for p, w, found, least, sign in rows
    ]


def money(v: dict) -> str:
    """A value with its interval."""
    return f"{v['value']:.2f} [{v['ci_low']:.2f}, {v['ci_high']:.2f}]"


def share(v: dict) -> str:
    """A share in percent with its interval."""
    return f"{100 * v['value']:.1f} % [{100 * v['ci_low']:.1f}, {100 * v['ci_high']:.1f}]"


def document(answer: dict, sizes, trained_on: dict, call: str) -> str:
    """The page of results."""
    customers, scale = sizes
    logs = ", ".join(f"{int(n * scale):,} in {world}" for world, n in trained_on.items())
    lines = [
        "# Results: what learners reach",
        "",
        f"Made by `{call}` from kept runs and new ones; figures are not edited by hand.",
        "",
        f"Each seed draws a log of {int(20_000 * scale):,} customers ({logs}) in which four decisions of five send "
        f"nothing and the fifth anything allowed, teaches every learner from it, and plays all on {customers:,} other "
        "customers with the same luck. Intervals are 95 % over seeds (Student's t), differences and ratios seed by "
        "seed. Values are contribution per customer over the campaign. The greedy oracle knows the state and looks "
        "one outcome window ahead, so a learner that looks further may pass it; a far-sighted one, where shown, plans "
        "on a reduced model. The bound holds for every policy, also for one that knows all traits and hidden states "
        "(docs/bounds.md), so nobody can reach all of it. Deep learners learn in the world itself, on half as many "
        "customers, each of whom lives twice: with and without sends.",
        "",
    ]
    for world, found in answer.items():
        lines += [f"## {world}, {found['seeds']} seeds", "", *_table(found["ways"]), ""]
        if "room" in found:
            lines += [f"The bound: no policy gains more than {money(found['room'])} over nothing sent.", ""]
        for question, v in found["questions"].items():
            asked = question[0].upper() + question[1:]
            lines += [f"{asked} (`{v['of'][0]}` over `{v['of'][1]}`, {v['seeds']} seeds): {share(v)} of its value.", ""]
        if "promises" in found:
            lines += _promise_table(found["promises"])
    return "\n".join(lines).rstrip() + "\n"


def _table(ways: dict) -> list[str]:
    rows = [
        "| way of deciding | value | over nothing sent | of the oracle's gain | of the bound | over rules |",
        "|---|---|---|---|---|---|",
    ]
    for way, v in sorted(ways.items(), key=lambda item: item[1]["value"]["value"]):
        if way == "untargeted":
            continue
        of_oracle = share(v["of_oracle"]) if "of_oracle" in v and way != "none" else "-"
        bound = share(v["of_bound"]) if "of_bound" in v and way != "none" else "-"
        over = share(v["over_rules"]) if "over_rules" in v and way != "rules" else "-"
        name = f"{way}, {v['value']['seeds']} seeds" if way in DEEP else NAMES.get(way, way)
        rows.append(f"| {name} | {money(v['value'])} | {money(v['gain'])} | {of_oracle} | {bound} | {over} |")
    return rows


def _promise_table(promises: list[dict]) -> list[str]:
    first = promises[0]
    head = (
        f"The field's promises, `{first['way']}` against as many untargeted contacts ({first['contacts']:.1f} and "
        f"{first['untargeted']:.1f} a customer), measured and never tuned for:"
    )
    rows = ["| promise | wanted | measured | |", "|---|---|---|---|"]
    rows += [
        f"| {p['promise']} | {p['wanted']} | {share(p)} | {'met' if p['met'] else '**not met**'} |" for p in promises
    ]
    return [head, "", *rows, ""]


def with_rollout(text: str, before: str) -> str:
    """The page with the section on `rollout` that stood there before; it is made by a study of its own."""
    section = before.partition(ROLLOUT)[2]
    return f"{text}\n{ROLLOUT}{section}" if section else text


def picture(answer: dict, path: Path) -> None:
    """Gain over nothing sent of every way, with its interval; the oracles as lines."""
    heights = [len(found["ways"]) for found in answer.values()]
    figure = Figure(figsize=(8, 0.26 * sum(heights) + 0.9 * len(heights)), layout="constrained")
    panels = figure.subplots(len(answer), squeeze=False, height_ratios=heights)[:, 0]
    for axis, (world, found) in zip(panels, answer.items(), strict=True):
        gains = {w: v["gain"] for w, v in found["ways"].items() if w not in (*ORACLES, "none", "untargeted")}
        ranked = sorted(gains, key=lambda way: gains[way]["value"])
        middle = np.array([gains[w]["value"] for w in ranked])
        error = np.array([[gains[w]["value"] - gains[w]["ci_low"] for w in ranked]])
        colour = ["#d1495b" if w in (*RL, *DEEP) else "#4c78a8" if w in BANDITS else "#6b7280" for w in ranked]
        axis.hlines(ranked, middle - error[0], middle + error[0], colors=colour)
        axis.scatter(middle, ranked, c=colour, s=18, zorder=3)
        for way, style in zip(ORACLES, ("--", ":"), strict=True):
            if way in found["ways"]:
                axis.axvline(found["ways"][way]["gain"]["value"], color="black", linestyle=style, label=NAMES[way])
        axis.axvline(0.0, color="black", linewidth=0.8)
        axis.set(title=f"{world} ({found['seeds']} seeds)", xlabel="contribution per customer, over nothing sent")
        axis.legend(loc="lower right", fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
