"""What the study of bounds found, as a page and as a picture. Not here: the runs (bounds.py).

Every figure is a mean over customers with a 95 % interval; differences are taken customer by customer. The bound is
worked out for customers drawn by their value, each of whom stands for the more the rarer he was to be drawn.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from campaignrl.true_value import Value, mean_value

NAMES = {
    "fixed": "best fixed action",
    "greedy": "greedy oracle",
    "priced": "greedy oracle, scarcity priced",
    "far": "far-sighted oracle",
}
HEAD = """# The best that could be had

What only the simulator knows, for every bundled world: how much each way of deciding earns over sending nothing, and a
bound that no policy can pass. Money per customer and campaign, in the world's currency; 95 % intervals. All ways of
deciding meet the same customers with the same luck, so differences are sharper than the values they come from.
"""
WAYS = """- **Best fixed action**: one action, sent whenever the guard allows it; chosen on other customers.
- **Greedy oracle**: reads the true state and takes the action with the highest expected gain over the outcome window.
- **Scarcity priced** (worlds with a budget or capacity): the same gains less a price on money and on scarce sends. The
  prices are those of a rough bound on a few other customers.
- **Far-sighted oracle**: the plan of a reduced model, read at the true state.
- **Oracle**: whichever of these earned most on other customers.
- **Bound**: for every policy that decides from what has happened so far, also one that knows all traits, who is alive
  and the tags of days to come; not for one that knows tomorrow's luck. Every step backwards in time is at least as good
  as the best the full model allows, customer by customer. It keeps caps (in fixed blocks of their window), usable
  offers, satisfaction, intent and ad-stock (below straight lines), which offers the order history could open, and in
  the study worlds fatigue and the expected price. Budget and capacity are sold at a price and paid back: any price
  gives a bound. It forgets lost permissions, stockpiles, and in the four worlds of whole businesses fatigue and the
  expected price. Worked out for customers drawn by their value, who stand for all.
- **Share of the bound**: gain over nothing as a share of the bound's gain (one less the regret fraction).
"""


def summary(run: dict) -> dict:
    """The figures of one world."""
    lives, oracle, (ids, count, stands_for) = run["lives"], run["oracle"], run["drawn"]

    def drawn(values) -> Value:
        """Mean over all customers of what is known of those drawn, by how often they were to be drawn."""
        return mean_value(np.repeat(values / stands_for, count))

    none = lives["none"]
    gains = {way: mean_value(values - none) for way, values in lives.items() if way != "none"}
    room = drawn(run["bound"] - run["idle"][ids])
    return {
        **{key: run[key] for key in ("fixed", "oracle", "customers", "bounded", "seconds", "toll")},
        "none": mean_value(none),
        "gains": gains,
        "room": room,
        "oracle - fixed": mean_value(lives[oracle] - lives["fixed"]),
        "fixed - none": gains["fixed"],
        "far - greedy": mean_value(lives["far"] - lives["greedy"]),
        "bound - oracle": drawn(run["bound"] - run["idle"][ids] - (lives[oracle] - none)[ids]),
        "share": {way: gain.value / room.value for way, gain in gains.items()},
    }


def shown(v: Value) -> str:
    """A value with its interval."""
    places = 2 if abs(v.value) < 20 else 1
    return f"{v.value:.{places}f} [{v.ci_low:.{places}f}, {v.ci_high:.{places}f}]"


def verdict(v: Value) -> str:
    """Whether a difference is above nothing beyond its interval."""
    return "clear" if v.ci_low > 0 else ("**the other way**" if v.ci_high < 0 else "not clear")


def unclear(found: dict) -> list[str]:
    """Which orderings the intervals leave open, in words."""
    pairs = ("fixed - none", "oracle - fixed", "bound - oracle")
    which = [f"{pair} in {name}" for name, f in found.items() for pair in pairs if verdict(f[pair]) != "clear"]
    if not which:
        return ["Every ordering is clear: no interval reaches nothing."]
    text = "Not clear, an interval reaches nothing: " + "; ".join(which) + "."
    return [text, "", "Where the oracle has all that the bound allows, the bound cannot lie clearly above it."]


def document(found: dict, call: str) -> str:
    """The page."""
    lines = [HEAD, "| world | nothing sent | best fixed action | greedy oracle | far-sighted oracle | bound |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, f in found.items():
        gains = " | ".join(shown(f["gains"][way]) for way in ("fixed", "greedy", "far"))
        lines.append(f"| {name} | {shown(f['none'])} | {gains} | {shown(f['room'])} |")
    lines += ["", "All but the first column are over nothing sent.", "", "## Orderings", ""]
    lines += [
        "| world | oracle | best fixed - nothing | oracle - best fixed | bound - oracle |",
        "|---|---|---|---|---|",
    ]
    for name, f in found.items():
        cells = [f"{shown(f[d])} {verdict(f[d])}" for d in ("fixed - none", "oracle - fixed", "bound - oracle")]
        lines.append(f"| {name} | {NAMES[f['oracle']]} ({shown(f['gains'][f['oracle']])}) | {' | '.join(cells)} |")
    lines += ["", *unclear(found)]
    lines += ["", "| world | far-sighted - greedy | best fixed action |", "|---|---|---|"]
    lines += [f"| {name} | {shown(f['far - greedy'])} | `{f['fixed']}` |" for name, f in found.items()]
    lines += [
        "",
        "## Share of the bound",
        "",
        "| world | best fixed | greedy | priced | far-sighted |",
        "|---|---|---|---|---|",
    ]
    for name, f in found.items():
        shares = " | ".join(f"{f['share'][w]:.0%}" if w in f["share"] else "-" for w in NAMES)
        lines.append(f"| {name} | {shares} |")
    lines += ["", "## What the words mean", "", WAYS]
    lines += ["| world | customers | in the bound | CPU seconds | prices |", "|---|---|---|---|---|"]
    for name, f in found.items():
        toll = f["toll"]
        prices = ", ".join(
            [f"money {toll.money:g}"] * (toll.money > 0) + [f"{s:g} a send" for s in toll.sends if s > 0]
        )
        lines.append(f"| {name} | {f['customers']:,} | {f['bounded']:,} | {f['seconds']:.0f} | {prices or '-'} |")
    return "\n".join([*lines, "", f"Written by `{call}`; parts of an interrupted run are kept and read again.", ""])


SEEN = """
## What can be seen

All of the above see the true state. **Observable ceiling**: the highest paired gain over nothing, on fresh customers,
of any policy found that sees only the observation, by two families of models on far-sighted labels; a learner that
passes it raises it. Made by `python experiments/observable_ceiling.py --docs docs/bounds.md`.

"""
MARKS = "<!-- ceiling -->", "<!-- ceiling: end -->"


def with_ceiling(text: str, before: str) -> str:
    """The page with the table of the observable ceiling that stood there before; it is made by a study of its own."""
    table = before.partition(MARKS[0])[2].partition(MARKS[1])[0] or "\n"
    return f"{text}{SEEN}{MARKS[0]}{table}{MARKS[1]}\n"


def picture(found: dict, path: Path) -> None:
    """Gain over nothing of each way, with its interval, below the bound."""
    columns = 2 if len(found) > 1 else 1
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(5.5 * columns, 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, f) in zip(axes, found.items(), strict=False):
        bars = [*f["gains"].values(), f["room"]]
        error = [v.ci_high - v.value for v in bars]
        colours = ["#4c78a8"] * len(f["gains"]) + ["#d1d5db"]
        axis.barh([*(NAMES[w] for w in f["gains"]), "bound"], [v.value for v in bars], xerr=error, color=colours)
        axis.invert_yaxis()
        axis.axvline(0.0, color="black", linewidth=0.8)
        axis.set_title(name, fontsize=10)
        axis.tick_params(labelsize=8)
    for axis in axes[len(found) :]:
        axis.set_visible(False)
    figure.supxlabel("contribution per customer, over sending nothing", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
