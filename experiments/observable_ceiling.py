"""How much of what could be gained can be gained by looking at the observation alone?

The bounds of docs/bounds.md see the true state. Here two families of models see only what a policy sees: they are
fitted to far-sighted labels (every allowed action by counterfactual rollouts to the campaign's end, on the policy's
own states), priced by playing whole campaigns, and valued on fresh customers with the same luck. The customers they
learn from are doubled until that adds less than 1 %. The highest gain found is the ceiling: a learner that passes it
raises it. Finished parts are kept. Writes a table of docs/bounds.md between its marks.

    python experiments/observable_ceiling.py --docs docs/bounds.md
    python experiments/observable_ceiling.py --worlds coupon_trap --customers 20000 --doublings 1
"""

import time
from functools import cache, partial
from pathlib import Path

import numpy as np
from ceiling_models import FAMILIES, by_value, prices

import campaignrl as crl
from campaignrl.envs.truth import always, live, nothing, rollout_labels
from campaignrl.policies import one_blas_thread
from campaignrl.specs import bundled_files
from campaignrl.suites import kept, run_cells, run_study, study_words, write_between

MARK = "ceiling"
ENOUGH = 0.01  # of the gain: what a doubling must add to be worth another
ROUNDS = 3  # of labels, each on the states of the policy so far
TEACH, PLAY, PICK, FRESH = 10_000_000, 90_000_000, 110_000_000, 120_000_000  # first ids of customers, apart


@cache
def labelled(name: str, customers: int):
    """(seen, gain, unit) of three rounds on the states of the network's own policy. unit: what a send is worth."""
    world, behave, seen, gain = crl.load_world(name), nothing, [], []
    for turn in range(ROUNDS):
        ids = np.arange(customers // ROUNDS) + TEACH * (turn + 1)
        how = {"seed": 7_000 + turn, "explore": 0.2 if turn else 0.1, "generator": np.random.default_rng(turn)}
        found = rollout_labels(world, behave, ids, **how)
        seen, gain = [*seen, found.seen], [*gain, found.gain]
        value = FAMILIES["network"](np.concatenate(seen), np.concatenate(gain))
        best = np.where(np.isnan(found.gain), -np.inf, value(found.seen)).max(axis=1)
        unit = float(best[best > 0].mean()) if (best > 0).any() else 1.0
        margin = np.append(np.where(np.arange(len(world.catalog)) > 0, 0.02 * unit, 0.0), 0.0)
        behave = by_value(world, value, margin)
    return np.concatenate(seen), np.concatenate(gain), unit


def learned(world, family: str, customers: int, players: int, searches: int):
    """A way of deciding, learned from so many customers."""
    seen, gain, unit = labelled(world.name, customers)
    value = FAMILIES[family](seen, gain)
    rounds = searches if family == "network" else 0  # trees play too slowly for the whole search
    return by_value(world, value, prices(world, value, unit, players, PLAY, rounds))


def gain_of(world, decide, customers: int) -> tuple[float, float]:
    """Mean and 95 % half-width of the paired gain over nothing on fresh customers, currency a customer."""
    ids = np.arange(FRESH, FRESH + customers)
    ours, idle = (live(world, way, customers=ids, seed=960, expects=True)["expected"] for way in (decide, nothing))
    gain = ours - idle
    return float(gain.mean()), float(1.96 * gain.std(ddof=1) / np.sqrt(customers))


def best_fixed(world):
    """The action that earns most when always sent, chosen on other customers."""
    ids = np.arange(PICK, PICK + 2_000)
    ways = {a: live(world, always(a), customers=ids, seed=950, expects=True) for a in range(1, len(world.catalog))}
    return always(max(ways, key=lambda a: ways[a]["expected"].mean()))


def ceiling(
    name: str,
    families,
    customers: int,
    doublings: int,
    players: int,
    searches: int,
    fresh: int,
    folder: Path,
    finished: bool,
) -> dict:
    """Gains by family and number of customers; of the best fixed action beside."""
    world, key = crl.load_world(name), f"{customers}-{players}-{searches}-{fresh}"
    with one_blas_thread():
        fixed = kept(folder / f"{name}-fixed-{key}.json", lambda: gain_of(world, best_fixed(world), fresh))
        found: dict = {"fixed": fixed, "families": {}}
        for family in families:
            rows: list = []
            for size in (customers * 2**i for i in range(doublings + 1)):

                def one(size=size, family=family):
                    begun = time.process_time()
                    gain = gain_of(world, learned(world, family, size, players, searches), fresh)
                    return [size, *gain, time.process_time() - begun]

                part = folder / f"{name}-{family}-{size}-{key}.json"
                if finished and not part.exists():
                    break
                rows.append(kept(part, one))
                if len(rows) > 1 and rows[-1][1] - rows[-2][1] < ENOUGH * abs(rows[-2][1]):
                    break
            if rows:
                found["families"][family] = rows
    return found


def document(found: dict[str, dict]) -> str:
    """One row a world: the highest gain of each family, what the last doubling added, and the ceiling."""
    lines = ["| world | best fixed action | network | trees | last doubling added | customers | observable ceiling |"]
    lines.append("|---" * 7 + "|")
    growing = []
    for name, f in found.items():
        best = {family: max(rows, key=lambda row: row[1]) for family, rows in f["families"].items()}
        top = max(best.values(), key=lambda row: row[1])
        grown = max(f["families"].values(), key=lambda rows: max(row[1] for row in rows))
        added = "-" if len(grown) < 2 else f"{(grown[-1][1] / grown[-2][1] - 1):+.1%}"
        if len(grown) > 1 and grown[-1][1] - grown[-2][1] >= ENOUGH * abs(grown[-2][1]):
            growing.append(name)
        ceiling = max(top[1:3], f["fixed"], key=lambda pair: pair[0])
        families = (_interval(*best[family][1:3]) if family in best else "-" for family in FAMILIES)
        cells = [_interval(*f["fixed"]), *families]
        lines.append(f"| {name} | {' | '.join(cells)} | {added} | {top[0]:,} | **{_interval(*ceiling)}** |")
    said = f"Where doubling still added 1 % or more, the ceiling lies higher: {', '.join(growing)}." if growing else ""
    return "\n".join([*lines, *(("", said) if said else ())]) + "\n"


def _interval(mean: float, half: float) -> str:
    return f"{mean:.2f} [{mean - half:.2f}, {mean + half:.2f}]"


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/ceiling", workers=1)
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")))
    words.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    words.add_argument("--customers", type=int, default=150_000, help="to learn from, before any doubling")
    words.add_argument("--doublings", type=int, default=2, help="at most")
    words.add_argument("--players", type=int, default=8_000, help="who prices are found with")
    words.add_argument("--searches", type=int, default=2, help="rounds of the search for prices")
    words.add_argument("--fresh", type=int, default=20_000, help="customers the policies are valued on")
    words.add_argument("--finished", action="store_true", help="tell of finished parts only")
    words.add_argument("--docs", type=Path, help="page whose table is replaced, such as docs/bounds.md")
    chosen = words.parse_args(argv)
    sizes = {n: getattr(chosen, n) for n in ("customers", "doublings", "players", "searches", "fresh")}
    cell = partial(ceiling, families=chosen.families, folder=chosen.output / "parts", finished=chosen.finished, **sizes)
    found = dict(zip(chosen.worlds, run_cells(cell, chosen.worlds, chosen.workers), strict=True))
    print(document(found))
    if chosen.docs:
        write_between(chosen.docs, MARK, document(found))


if __name__ == "__main__":
    run_study(main)
