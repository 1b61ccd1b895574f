"""One policy for every budget: does it serve three of them, and what does it bring beside the alternatives?

`rollout` is taught in `tight_budget` once, under its own budget of 150; for each budget whole campaigns under it are
played on other customers until its prices are found. Then it plays fresh customers under that budget, kept by the
ledger at every prefix. Beside it a MaskablePPO that saw the price of each episode in its observation (the extra `rl`),
`budgeted`, which learned a value and a cost of each action from a uniform log without a budget, both at the least price
at which other customers would have cost no more, the rules and uniform sending, which know no price, and the priced
oracle: the true gains of the outcome window, less prices of money and of calls found like those of `rollout`. Gains are
expected ones over sending nothing to the same customers with the same luck, a customer (of the PPO as they came);
shares are of the priced oracle's.

    python experiments/budget_prices.py --rollouts 90 --customers 20000
    python experiments/budget_prices.py --rollouts 0 --taught runs/rollout/parts/tight_budget-0-own.bundle --logged 4000
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import load_policy, load_world, sb3_env, simulate, train
from campaignrl.envs import LifecycleVectorEnv
from campaignrl.envs.truth import ShadowPrices, live
from campaignrl.envs.truth.oracles import priced
from campaignrl.report.figures import Panel, Spot, panels
from campaignrl.suites import run_study, study_words
from campaignrl.true_value import acting, ratio_value

WORLD = "tight_budget"
HIGHEST = 10.0  # price of money; at this one a cent must bring eleven
SIDE_BY_SIDE = 1024  # customers of a training
SEEING, ROLLOUT, ORACLE = "price in its observation", "rollout", "priced oracle"
MONEY, CALLS = (0.5, 1.0, 2.0, 4.0, 8.0), (0.0, 2.0, 4.0, 8.0)  # prices that the oracle is tried at
TRIED, FRESH = 50, 60  # seeds of the customers on whom prices are found, and of those on whom policies are judged
HALVINGS = 7
TAUGHT, PLAYERS, TURNS = 30_000, 24_000, 3  # customers of each round of rollout, and of the search for its prices

Play = Callable[[Any, float, int, int], "Played"]  # (world, price, seed, customers)


class Played(NamedTuple):
    """A campaign, customer by customer; each (n,), currency."""

    value: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]


def with_budget(amount: float | None) -> Any:
    """The world with another budget per 1000 customers, or with none."""
    guard = load_world(WORLD).model_dump(exclude_unset=True)["guard"]
    budget = {} if amount is None else {"budget": {"amount_per_1000_customers": amount}}
    return load_world(WORLD, guard={name: part for name, part in guard.items() if name != "budget"} | budget)


def learned(rollouts: int, seed: int) -> Any:
    """A MaskablePPO that has seen every price up to HIGHEST."""
    import torch
    from sb3_contrib import MaskablePPO

    torch.set_num_threads(1)
    env = sb3_env(
        WORLD,
        SIDE_BY_SIDE,
        seed=seed,
        limits="none",
        price=(0.0, HIGHEST),
        reward="incremental",
        reward_scale=10.0,
        threads=1,
    )
    days = load_world(WORLD).horizon
    words = {"n_steps": days, "batch_size": 4096, "n_epochs": 4, "gamma": 1.0, "gae_lambda": 0.95, "device": "cpu"}
    rate = {"learning_rate": lambda left: 3e-3 * (0.1 + 0.9 * left), "policy_kwargs": {"net_arch": [64, 64]}}
    model = MaskablePPO("MlpPolicy", env, seed=seed, **words, **rate)
    with torch.no_grad():
        model.policy.action_net.bias[0] += 1.0  # begins by sending less than it might
    return model.learn(rollouts * SIDE_BY_SIDE * days)


def network_plays(model: Any) -> Play:
    """How the network plays at a price."""

    def play(world: Any, price: float, seed: int, customers: int) -> Played:
        env = LifecycleVectorEnv(customers, world, price=(0.0, HIGHEST), threads=1)
        observation, infos = env.reset(seed=seed, options={"price": price})
        value, cost = np.zeros(customers), np.zeros(customers)
        for _ in range(env.world.horizon):
            action, _ = model.predict(observation, action_masks=infos["action_mask"])
            observation, _, _, _, infos = env.step(action)
            value += infos["contribution"]
            cost += infos["cost"]
        return Played(value, cost)

    return play


def policy_plays(policy: Any) -> Play:
    """How a policy plays at a price; one that knows none plays as ever."""

    def play(world: Any, price: float, seed: int, customers: int) -> Played:
        playing = policy.at_price(price) if price and hasattr(policy, "at_price") else policy
        return lived(world, acting(playing, world), seed, customers)

    return play


def lived(world: Any, decide: Any, seed: int, customers: int) -> Played:
    """A campaign, in expectation."""
    totals = live(world, decide, customers=customers, seed=seed, expects=True)
    return Played(totals["expected"], totals["cost"])


def best_priced(world: Any, customers: int) -> Any:
    """The oracle at the prices of money and of calls that bring most on other customers."""
    calls = list(world.channels).index("call")
    tried = [
        priced(world, ShadowPrices(money, tuple(call * (c == calls) for c in range(len(world.channels)))))
        for money in MONEY
        for call in CALLS
    ]
    return max(tried, key=lambda decide: lived(world, decide, TRIED, customers).value.mean())


def price_for(play: Play, amount: float, customers: int) -> float:
    """The least price at which customers cost no more than the budget if nobody stops them; HIGHEST if none does."""
    free, low, high = with_budget(None), 0.0, HIGHEST
    if play(free, low, TRIED, customers).cost.mean() * 1000 <= amount:
        return low
    for _ in range(HALVINGS):
        middle = float(np.expm1((np.log1p(low) + np.log1p(high)) / 2))
        within = play(free, middle, TRIED, customers).cost.mean() * 1000 <= amount
        low, high = (low, middle) if within else (middle, high)
    return high


def study(
    budgets: list[float], rollouts: int, customers: int, logged: int, seed: int, taught: str = ""
) -> list[dict[str, Any]]:
    """One row for each budget and policy."""
    log = simulate(with_budget(None), "uniform", customers=logged, seed=seed, threads=1)
    plays = {SEEING: network_plays(learned(rollouts, seed))} if rollouts else {}
    network = load_policy(taught) if taught else train(ROLLOUT, WORLD, customers=TAUGHT, seed=seed)
    plays |= {
        "budgeted": policy_plays(train("budgeted", log, seed=seed)),
        "rules": policy_plays(load_policy("rules_tight_budget", load_world(WORLD))),
        "uniform": policy_plays(load_policy("uniform", load_world(WORLD))),
    }
    nothing = policy_plays(load_policy("none", load_world(WORLD)))(with_budget(None), 0.0, FRESH, customers)
    rows = []
    for amount in budgets:
        world = with_budget(amount)
        found = {ORACLE: lived(world, best_priced(world, customers // 10), FRESH, customers)}
        priced_anew = network.priced_for(world, players=PLAYERS, turns=TURNS)
        found[ROLLOUT] = policy_plays(priced_anew)(world, 0.0, FRESH, customers)
        for name, play in plays.items():
            price = price_for(play, amount, customers // 3) if name in (SEEING, "budgeted") else 0.0
            found[name] = play(world, price, FRESH, customers)
        most = found[ORACLE].value - nothing.value
        rows += [row(amount, name, ours, ours.value - nothing.value, most) for name, ours in found.items()]
    return rows


def row(amount: float, name: str, ours: Played, gain: Any, most: Any) -> dict[str, Any]:
    """Figures of one policy under one budget; gain, most: (n,) its own and the priced oracle's, over nothing sent."""
    half, share = 1.96 * gain.std() / np.sqrt(len(gain)), ratio_value(gain, most)
    return {
        "budget": amount,
        "policy": name,
        "spent": float(ours.cost.mean() * 1000),
        "gain": float(gain.mean()),
        "low": float(gain.mean() - half),
        "high": float(gain.mean() + half),
        "share": [share.value, share.ci_low, share.ci_high],
    }


def picture(rows: list[dict[str, Any]], currency: str) -> Any:
    """Gains and the share of the budget that was spent, by budget and policy."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(f"{row['budget']:g} {currency} per 1000 customers", []).append(row["policy"])
    colours = {name: i for i, name in enumerate(dict.fromkeys(row["policy"] for row in rows))}
    gains = [Spot(row["gain"], row["low"], row["high"], colours[row["policy"]]) for row in rows]
    shares = [Spot(*[row["spent"] / row["budget"]] * 3, colours[row["policy"]]) for row in rows]
    columns = [
        Panel("gain over sending nothing", f"{currency} a customer", gains, mark=0.0),
        Panel("spent, of the budget", "share", shares, mark=1.0, limits=(0.0, 1.05)),
    ]
    return panels("One policy, trained once with the price in its observation, under three budgets", groups, columns)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/budget_prices", json=True)
    words.add_argument("--budgets", type=float, nargs="+", default=[75.0, 150.0, 300.0], help="per 1000 customers")
    words.add_argument(
        "--rollouts", type=int, default=90, help=f"episodes of {SIDE_BY_SIDE} customers for the PPO; 0: without it"
    )
    words.add_argument("--taught", default="", help="bundle of a rollout that was taught; else one is taught")
    words.add_argument("--customers", type=int, default=20_000, help="to judge on")
    words.add_argument("--logged", type=int, default=10_000, help="customers of the log that `budgeted` learns from")
    words.add_argument("--seed", type=int, default=0)
    chosen = words.parse_args(argv)
    chosen.output.mkdir(parents=True, exist_ok=True)
    rows = study(chosen.budgets, chosen.rollouts, chosen.customers, chosen.logged, chosen.seed, chosen.taught)
    (chosen.output / "budget_prices.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    picture(rows, load_world(WORLD).money.currency).savefig(chosen.output / "budget_prices.png", dpi=110)
    if chosen.json:
        print(json.dumps(rows, indent=2))
        return
    print("| budget | policy | spent | gain | of the priced oracle |\n|---|---|---|---|---|")
    for one in rows:
        share = "{:.0f} % ({:.0f} to {:.0f})".format(*(100 * x for x in one["share"]))
        gain = f"{one['gain']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
        print(f"| {one['budget']:g} | {one['policy']} | {one['spent']:.1f} | {gain} | {share} |")


if __name__ == "__main__":
    run_study(main)
