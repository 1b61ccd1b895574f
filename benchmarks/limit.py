"""How far a customer-day is from what numpy can do here, and where its time goes; all in one run, on one thread.

The bare loop does, in the panel's blocks and into arrays made beforehand, as many exps, logs and hashed draws as the
formulas of the full model of `ecommerce` have for a customer-day at a share s = 0.4 of sends, and nothing else:

  exps    4 s  open, click and unsubscribe probability, satisfaction      (dynamics/response.py)
          4    purchase and drop-out hazard, satisfaction in each         (dynamics/purchase.py)
  logs    2    exponential clocks of purchase and drop-out                (dynamics/advance.py)
  draws   2 s  hashes for 4 uniforms of the funnel                        (rng.py; one hash is two uniforms)
          2    hashes for 4 uniforms of the purchase

The step works out fewer exps and logs: hazards only where they can matter (dynamics/purchase.py), clicks only of who
opened. "Bare, thinned" does as many as that, counted in the same run, so it is the stricter of the two.

Left out, as below 2 % of a day: order values (buyers only) and tags (every 30th day; the run ends before it). "With
the state" adds one pass over each array of the state, in place: no model that keeps this state does less.

`python benchmarks/limit.py [--customers N] [--rounds R] [--json]`. Rounds alternate the three; the best of each
counts. The profile adds up the least time of each function over the rounds, the profiler's own cost included.
"""

import argparse
import cProfile
import json
import pstats
import sys
import time
from pathlib import Path

import numpy as np
from panel import SENT_SHARE, actions

from campaignrl import load_world, rng
from campaignrl.campaign import run_campaign
from campaignrl.dynamics import purchase, response
from campaignrl.envs import BLOCK, Panel

EXPS, LOGS, HASHES = (4, 4), (0, 2), (2, 2)  # per send, per customer-day
SHIFTS = [np.uint64(s) for s in (30, 27, 31, 40)]
MULTIPLIERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # splitmix64, as in rng.py

PARTS = {  # the first that fits
    "draws": "rng.py:*",
    "funnel": "response.py:* funnel.py:*",
    "orders booked": "money.py:* advance.py:_book purchase.py:order_value purchase.py:redeem_probability",
    "hazards, where they can matter": "purchase.py:* advance.py:_clock advance.py:_candidates advance.py:_orders "
    "advance.py:_drop_out",
    "satisfaction": "satisfaction.py:*",
    "offers held": "memory.py:take_up memory.py:use_up",
    "histories, permissions": "memory.py:next_history advance.py:_keep_record *_stride_tricks_impl.py:*",
    "stocks": "memory.py:* advance.py:_happened ad_stock.py:* fatigue.py:* stockpile.py:* reference_price.py:* "
    "click_intent.py:*",
    "outcome of sends": "advance.py:_mark",
    "clearing, finding who was sent": "advance.py:live advance.py:unwritten panel.py:*",
}

OF_A_CAMPAIGN = {
    "an action from probabilities": "base.py:sample",
    "the step": "panel.py:step",
    "the policy's probabilities": "simple.py:probabilities",
    "observation": "panel.py:observe",
    "guard: who can be reached": "panel.py:reachable",
    "guard: what they may be sent": "panel.py:allowed",
    "totals": "campaign.py:add",
}


class Bare:
    """The same count of exps, logs and hashed draws, and none of the model.

    exps, logs: numbers of customers that one of them each is taken for, as shares of all.
    """

    def __init__(self, keys: np.ndarray, exps: list[float], logs: list[float]):
        self.exps, self.logs = exps, logs
        self.blocks = [keys[i : i + BLOCK] for i in range(0, len(keys), BLOCK)]
        self.x = np.random.default_rng(0).random(BLOCK, dtype=np.float32) + np.float32(0.5)
        self.y, self.narrow = np.empty_like(self.x), np.empty(BLOCK, dtype=np.uint32)
        self.h, self.t = np.empty(BLOCK, dtype=np.uint64), np.empty(BLOCK, dtype=np.uint64)

    def day(self) -> None:
        """One day of all customers."""
        for keys in self.blocks:
            for part, n in enumerate((round(SENT_SHARE * len(keys)), len(keys))):
                for k in range(HASHES[part]):
                    self.draw(keys[:n], n, rng.stream(1, k, rng.Purpose.FUNNEL))
            for shares, function in ((self.exps, np.exp), (self.logs, np.log)):
                for share in shares:
                    n = round(share * len(keys))
                    function(self.x[:n], out=self.y[:n])

    def draw(self, keys: np.ndarray, n: int, stream: np.uint64) -> None:
        """Two float32 uniforms from one hash, as rng.uniforms makes them."""
        h, t = self.h[:n], self.t[:n]
        np.bitwise_xor(keys, stream, out=h)
        for shift, factor in zip(SHIFTS, (*MULTIPLIERS, None), strict=False):
            np.right_shift(h, shift, out=t)
            np.bitwise_xor(h, t, out=h)
            if factor is not None:
                np.multiply(h, factor, out=h)
        np.right_shift(h, SHIFTS[3], out=t)
        for half, right in ((t, 0), (h, 8)):
            np.copyto(self.narrow[:n], half, casting="unsafe")
            if right:
                np.right_shift(self.narrow[:n], np.uint32(right), out=self.narrow[:n])
            np.copyto(self.y[:n], self.narrow[:n], casting="unsafe")
            np.multiply(self.y[:n], np.float32(2.0**-24), out=self.y[:n])


class Memory:
    """One pass over the state of a panel, block by block, in place."""

    def __init__(self, panel: Panel):
        self.state, self.n = [field.copy() for field in panel.state], len(panel)

    def day(self) -> None:
        """Read and write each array once."""
        for start in range(0, self.n, BLOCK):
            for field in self.state:
                piece = field[..., start : start + BLOCK]
                np.logical_not(piece, out=piece) if piece.dtype == bool else np.add(piece, piece.dtype.type(1), piece)


def worked_out(panel: Panel, play: np.ndarray) -> tuple[list[float], list[float]]:
    """Shares of customers for whom a step takes each exp and each log."""
    counts: dict[str, int] = {}

    def counted(name: str, formula):
        def count(first, *rest):
            counts[name] = counts.get(name, 0) + len(first)
            return formula(first, *rest)

        return count

    kept = {purchase: ("purchase_hazard", "drop_out_hazard"), response: ("click_probability",)}
    plain = {(module, name): getattr(module, name) for module, names in kept.items() for name in names}
    for (module, name), formula in plain.items():
        setattr(module, name, counted(name, formula))
    panel.step(play)
    for (module, name), formula in plain.items():
        setattr(module, name, formula)
    buy, leave, click = (counts.get(name, 0) / len(panel) for names in kept.values() for name in names)
    return [SENT_SHARE] * 3 + [click, buy, buy, leave, leave], [buy, leave]


def cpu_seconds(work, *given) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work(*given)
    return time.process_time() - start


def functions(work, *given) -> dict[str, float]:
    """CPU seconds spent in each function itself, numpy's compiled functions counted for their caller."""
    profiler = cProfile.Profile(time.process_time, builtins=False)
    profiler.runcall(work, *given)
    return _named(profiler, 2)


def _named(profiler: cProfile.Profile, column: int) -> dict[str, float]:
    """Seconds by function; column 2 of pstats is its own time, 3 that of what it calls too."""
    return {f"{Path(file).name}:{name}": row[column] for (file, _, name), row in pstats.Stats(profiler).stats.items()}


def campaign(world) -> dict[str, float]:
    """Shares of the CPU time of a whole campaign of one block of customers under the simplest policy, no log kept."""
    profiler = cProfile.Profile(time.process_time, builtins=False)
    profiler.runcall(run_campaign, world, "uniform", customers=BLOCK, seed=1, threads=1)
    seconds = _named(profiler, 3)
    whole = seconds["campaign.py:run_campaign"]
    shares = {part: seconds[name] / whole for part, name in OF_A_CAMPAIGN.items()}
    return {**shares, "the rest": 1.0 - sum(shares.values())}


def by_part(least: dict[str, float]) -> dict[str, float]:
    """Shares of the time, largest first."""
    seconds = dict.fromkeys([*PARTS, "other"], 0.0)
    for name, spent in least.items():
        home = (part for part, patterns in PARTS.items() if any(_is(name, p) for p in patterns.split()))
        seconds[next(home, "other")] += spent
    total = sum(seconds.values())
    return {part: s / total for part, s in sorted(seconds.items(), key=lambda pair: -pair[1])}


def _is(name: str, pattern: str) -> bool:
    return Path(name).match(pattern)


def study(world, customers: int, rounds: int) -> dict:
    """Everything that is printed."""
    panel = Panel(world, customers, seed=1, threads=1)
    plays = [actions(customers, len(world.catalog), np.random.default_rng(d)) for d in range(3)]
    for day in range(5):  # offers are held and stocks filled
        panel.step(plays[day % 3])
    full = [[SENT_SHARE] * of_sends + [1.0] * of_all for of_sends, of_all in (EXPS, LOGS)]
    thinner = worked_out(panel, plays[2])
    bare, thinned, memory = Bare(panel.traits.key, *full), Bare(panel.traits.key, *thinner), Memory(panel)
    best, least = {"bare": np.inf, "bare, thinned": np.inf, "with the state": np.inf, "panel": np.inf}, {}
    for day in range(rounds):
        play = plays[day % 3]
        once, less, passes = cpu_seconds(bare.day), cpu_seconds(thinned.day), cpu_seconds(memory.day)
        taken = {"bare": once, "bare, thinned": less, "with the state": once + passes}
        taken["panel"] = cpu_seconds(panel.step, play)
        best = {name: min(best[name], taken[name]) for name in best}
        for name, spent in functions(panel.step, play).items():
            least[name] = min(least.get(name, np.inf), spent)
    return {
        "world": world.name,
        "customers": customers,
        "ns_per_customer_day": {name: seconds / customers * 1e9 for name, seconds in best.items()},
        "exps_and_logs": {"formulas": [sum(s) for s in full], "worked out": [sum(s) for s in thinner]},
        "times_bare": best["panel"] / best["bare"],
        "times_bare_thinned": best["panel"] / best["bare, thinned"],
        "times_with_the_state": best["panel"] / best["with the state"],
        "profile": by_part(least),
        "campaign": campaign(world),
    }


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--customers", type=int, default=4 * BLOCK)
    words.add_argument("--rounds", type=int, choices=range(1, 12), default=11)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    answer = study(load_world("ecommerce"), chosen.customers, chosen.rounds)
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
        return
    for name, ns in answer["ns_per_customer_day"].items():
        print(f"{name:16} {ns:8.1f} ns per customer-day {1e3 / ns:8.2f} M customer-days per CPU second")
    print(f"\npanel against the bare loop         {answer['times_bare']:6.2f} x its time (asked for: 2)")
    print(f"panel against it, thinned           {answer['times_bare_thinned']:6.2f} x its time")
    print(f"panel against it with the state     {answer['times_with_the_state']:6.2f} x its time")
    for name, (exps, logs) in answer["exps_and_logs"].items():
        print(f"exps and logs a customer-day, {name:10} {exps:6.2f} and {logs:.2f}")
    print()
    for part, share in {"OF A STEP": 1.0, **answer["profile"], "OF A CAMPAIGN": 1.0, **answer["campaign"]}.items():
        print(f"{part:32} {share:6.1%}")


if __name__ == "__main__":
    main()
