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
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.truth.bound import idle_value, regret_fraction, upper_bound
from campaignrl.envs.truth.lattice import Size, lattice
from campaignrl.envs.truth.oracle import greedy
from campaignrl.envs.truth.planner import FarSighted
from campaignrl.envs.truth.twins import always, live, nothing, twins
from campaignrl.true_value import Value, acting, controlled_value, mean_value, ratio_value

PILOT = 1_000_003  # seed of the customers on whom the best fixed action is chosen
COARSE = Size(fatigue=4, prices=5, caps=4), Size(fatigue=1, prices=5, caps=4)  # of the plan, of the bound
SIZES = {
    "coupon_trap": (Size(prices=31), Size(prices=31)),  # fine where the effect is
    **dict.fromkeys(("ecommerce", "bank", "retail", "travel"), COARSE),  # many offers that stay usable for days
}


def best_fixed(world, customers: int):
    """The action that earns most when sent whenever allowed, and its name."""
    ways = [always(a) for a in range(len(world.catalog))]
    earned = [live(world, way, customers=customers, seed=PILOT)["reward"].mean() for way in ways]
    best = int(np.argmax(earned))
    return ways[best], f"always {world.catalog.names[best]}"


def affordable(world, size: Size, work: float) -> int:
    """Customers the bound can be worked out for, at so many lattice points x days x actions in all."""
    points = np.prod(lattice(world, parameters(world), True, size).shape)
    return max(20, int(work / (points * world.horizon * len(world.catalog))))


def study(name: str, customers: int, work: float, types: int, seed: int) -> tuple[dict, Value, Value]:
    """Each way of deciding as twins of nothing sent; the upper bound, and how far it lies above nothing sent."""
    world = crl.load_world(name)
    fixed, fixed_name = best_fixed(world, max(customers // 5, 200))
    plan_size, bound_size = SIZES.get(world.name, (Size(), Size()))
    bounded = min(affordable(world, bound_size, work), customers)
    bound = upper_bound(world, customers=bounded, seed=seed, size=bound_size)
    ways = {"none": nothing, fixed_name: fixed}
    with contextlib.suppress(crl.SpecError):  # written for another catalog
        ways["rules"] = acting("rules", world)
    ways["greedy oracle"] = greedy
    ways["far-sighted oracle"] = FarSighted(world, types, plan_size, bound.toll)
    found = {way: twins(world, decide, customers=customers, seed=seed) for way, decide in ways.items()}
    idle = idle_value(world, customers=customers, seed=seed)
    some = idle[:bounded]
    room = controlled_value(bound.value - some, some, idle)  # over the expected value of nothing, without its luck
    return found, controlled_value(bound.value, some, idle), room


def table(name: str, found: dict, bound: Value, room: Value) -> str:
    """One line a way: value, lift over nothing, share of the room, cannibalised orders, cost of an order more."""
    lines = [
        f"{name:<28}{'a customer':>26}{'over nothing':>24}{'of bound':>10}{'cannibalised':>14}{'cost/extra order':>26}"
    ]
    for way, lives in found.items():
        value, lift = mean_value(lives.ours["reward"]), mean_value(lives.incremental())
        share = regret_fraction(lift.value, 0.0, room.value)
        redeemed = lives.ours["redeemed"].sum()
        anyway = f"{lives.cannibalised_orders.sum() / redeemed:.0%}" if redeemed else "-"
        spent = lives.incremental("cost") + lives.incremental("discount")
        price = shown(ratio_value(spent, lives.incremental("bought"))) if spent.any() else "-"
        lines.append(f"{way:<28}{shown(value):>26}{shown(lift):>24}{share:>10.1%}{anyway:>14}{price:>26}")
    return "\n".join([*lines, f"{'upper bound':<28}{shown(bound):>26}{shown(room):>24}{1:>10.1%}"])


def shown(v: Value) -> str:
    """A value with its interval."""
    return f"{v.value:.2f} [{v.ci_low:.2f}, {v.ci_high:.2f}]"


def picture(studies: dict, path: Path) -> None:
    """Lift over nothing of each way, with its interval, below the bound."""
    figure = Figure(figsize=(8, 2.6 * len(studies)), layout="constrained")
    axes = figure.subplots(len(studies), squeeze=False)[:, 0]
    for axis, (name, (found, _, room)) in zip(axes, studies.items(), strict=True):
        lifts = [mean_value(lives.incremental()) for lives in list(found.values())[1:]] + [room]
        error = [v.ci_high - v.value for v in lifts]
        colours = ["#4c78a8"] * (len(lifts) - 1) + ["#d1d5db"]
        names = [*list(found)[1:], "upper bound"]
        axis.barh(names, [v.value for v in lifts], xerr=error, color=colours, ecolor="#333333")
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
    words.add_argument("--work", type=float, default=7e8, help="lattice points x days x actions for the bound")
    words.add_argument("--types", type=int, default=100, help="customers the far-sighted oracle plans for")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("-o", "--output", type=Path, default=Path("runs/bounds"))
    chosen = words.parse_args()
    found = {}
    for name in chosen.worlds:
        found[name] = study(name, chosen.customers, chosen.work, chosen.types, chosen.seed)
        print(table(name, *found[name]), end="\n\n", flush=True)
    picture(found, chosen.output / "bounds.png")


if __name__ == "__main__":
    main()
