"""How much of what could be gained does each way of deciding gain, and how much can nobody gain?

Per world, on the same customers with the same luck: nothing sent, the best fixed action (chosen on other customers),
the rules a shop would write, the greedy oracle (perfect knowledge, one outcome window ahead), the far-sighted oracle
(the reduced model's plan), and an upper bound on every policy. Prints a table with paired intervals, draws a picture.

    python experiments/bounds.py --worlds no_memory coupon_trap ecommerce --customers 10000
"""

import argparse
import contextlib
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import campaignrl as crl
from campaignrl.envs.truth.bound import idle_value, regret_fraction, upper_bound
from campaignrl.envs.truth.lattice import Size
from campaignrl.envs.truth.oracle import greedy
from campaignrl.envs.truth.planner import FarSighted
from campaignrl.envs.truth.twins import always, live, nothing
from campaignrl.true_value import acting, controlled_value, mean_value

PILOT = 1_000_003  # seed of the customers on whom the best fixed action is chosen
SIZES = {  # (of the plan, of the bound): fine where the effect is
    "coupon_trap": (Size(prices=31), Size(prices=31)),
    "ecommerce": (Size(fatigue=4, prices=5, caps=4), Size(fatigue=1, prices=5, caps=4)),
}


def best_fixed(world, customers: int):
    """The action that earns most when sent whenever allowed, and its name."""
    ways = [always(a) for a in range(len(world.catalog))]
    earned = [live(world, way, customers=customers, seed=PILOT)["reward"].mean() for way in ways]
    best = int(np.argmax(earned))
    return ways[best], f"always {world.catalog.names[best]}"


def study(name: str, customers: int, bounded: int, types: int, seed: int) -> list[tuple]:
    """(way, value, lift over nothing) of each way of deciding, the bound last; values with intervals."""
    world = crl.load_world(name)
    fixed, fixed_name = best_fixed(world, max(customers // 5, 200))
    plan_size, bound_size = SIZES.get(world.name, (Size(), Size()))
    bound = upper_bound(world, customers=min(bounded, customers), seed=seed, size=bound_size)
    ways = {"none": nothing, fixed_name: fixed}
    with contextlib.suppress(crl.SpecError):  # written for another catalog
        ways["rules"] = acting("rules", world)
    ways["greedy oracle"] = greedy
    ways["far-sighted oracle"] = FarSighted(world, types, plan_size, bound.toll)
    earned = {way: live(world, decide, customers=customers, seed=seed)["reward"] for way, decide in ways.items()}
    rows = [(way, mean_value(v), mean_value(v - earned["none"])) for way, v in earned.items()]
    idle = idle_value(world, customers=customers, seed=seed)
    some = idle[: len(bound.value)]
    room = controlled_value(bound.value - some, some, idle)  # over the expected value of nothing, without its luck
    top = controlled_value(bound.value, some, idle)
    return [*rows, ("upper bound", top, room)]


def table(name: str, rows: list[tuple]) -> str:
    """One line a way: value, lift over nothing, share of the room."""
    lines = [f"{name:<28}{'value a customer':>28}{'over nothing':>28}{'of the bound':>14}"]
    none, bound = 0.0, rows[-1][2].value
    for way, value, lift in rows:
        shown = [f"{v.value:9.2f} [{v.ci_low:.2f}, {v.ci_high:.2f}]" for v in (value, lift)]
        lines.append(f"{way:<28}{shown[0]:>28}{shown[1]:>28}{regret_fraction(lift.value, none, bound):>14.1%}")
    return "\n".join(lines)


def picture(found: dict, path: Path) -> None:
    """Lift over nothing of each way, with its interval, below the bound."""
    figure = Figure(figsize=(8, 2.6 * len(found)), layout="constrained")
    for axis, (name, rows) in zip(figure.subplots(len(found), squeeze=False)[:, 0], found.items(), strict=True):
        names, lifts = [row[0] for row in rows[1:]], [row[2] for row in rows[1:]]
        value = np.array([v.value for v in lifts])
        error = np.array([v.ci_high - v.value for v in lifts])
        colours = ["#4c78a8"] * (len(rows) - 2) + ["#d1d5db"]
        axis.barh(names, value, xerr=error, color=colours, ecolor="#333333")
        axis.invert_yaxis()
        axis.axvline(0.0, color="black", linewidth=0.8)
        axis.set(title=name, xlabel="contribution per customer, over sending nothing")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--worlds", nargs="+", default=["no_memory", "coupon_trap", "ecommerce"])
    words.add_argument("--customers", type=int, default=10_000)
    words.add_argument("--bounded", type=int, default=500, help="customers the bound is worked out for")
    words.add_argument("--types", type=int, default=100, help="customers the far-sighted oracle plans for")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("-o", "--output", type=Path, default=Path("runs/bounds"))
    chosen = words.parse_args()
    found = {}
    for name in chosen.worlds:
        found[name] = study(name, chosen.customers, chosen.bounded, chosen.types, chosen.seed)
        print(table(name, found[name]), end="\n\n", flush=True)
    picture(found, chosen.output / "bounds.png")


if __name__ == "__main__":
    main()
