"""What a compiled customer-day would bring: the numpy step, and numba's form of the greater part of it, side by side.

`python benchmarks/compiled.py --scratch FOLDER [--customers N] [--rounds R] [--json]`. numba goes into FOLDER, which
must lie outside the project and is used again by the next run; numpy and campaignrl are those of this interpreter.
Both sides take the same state, actions and seed of `ecommerce` with every effect on, at the share of sends of
benchmarks/panel.py. numpy does the whole step; the compiled form all but money, order counts, permissions and tags, so
the ratio of the two flatters it. Rounds alternate; the best counts.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from panel import actions

from campaignrl import rng
from campaignrl.dynamics import State, StocksOf, advance, parameters, purchase
from campaignrl.effects import (
    ROW,
    AdStockEffect,
    ClickIntentEffect,
    FatigueEffect,
    ReferencePriceEffect,
    SatisfactionEffect,
    StockpileEffect,
)
from campaignrl.envs import BLOCK, Panel
from campaignrl.rng import Purpose
from campaignrl.specs import load_world

PACKAGES = ("numba==0.68.1", "llvmlite==0.50.0")
SEED, TOLERANCE = 1, 1e-5
SHIFTED = ("price_cut", "appeal", "brings", "redeem", "retention")
FLOATS = tuple(ROW)
EXACT = ("live_offer", "live_days", "sent", "opened", "clicked")
WORTH = 2.0  # of the whole day per CPU second: less does not pay for a second form of every formula


Flat = namedtuple("Flat", (*ROW, *(name for name in State._fields if name != "stocks")))


def flat(state):
    """A state with one field a stock, as views: what the compiled form takes."""
    return Flat(**state.named_stocks(), **{name: getattr(state, name) for name in Flat._fields if name not in ROW})


def numpy_day(world, traits, state, action, day, p):
    """dynamics.advance: tomorrow, and (funnel, bought, redeemed, hazard, drop-out hazard) as in the compiled form.

    The step itself works hazards out only where they can matter; here they are for everybody, to be compared.
    """
    tomorrow, outcome = advance(world, traits, state, action, day, SEED, p)
    held = np.where(outcome.opened, p.offer_of[action], state.live_offer)
    everybody, taste = np.arange(len(action)), p.taste[traits.segment, held]
    events, mood = (held, outcome.opened, outcome.clicked), StocksOf(state, everybody)
    hazard = purchase.purchase_hazard(traits.rate, traits.sensitivity, taste, *events, mood, day, p)
    drop = purchase.drop_out_hazard(traits.drop_rate, StocksOf(tomorrow, everybody), held, p)
    return flat(tomorrow), (*outcome[:7], hazard, drop)


def tables(kind, p, day):
    """The world's numbers as the compiled form takes them."""
    f = np.float32
    kinds = (ClickIntentEffect, FatigueEffect, AdStockEffect, SatisfactionEffect, ReferencePriceEffect, StockpileEffect)
    clicks, tired, seen, trust, price, stocked = (p.effect(kind) for kind in kinds)
    s, contact = trust.spec, clicks.spec
    assert seen.spec.shape == 1.0
    own = {
        "taste": np.roll(p.taste, 1, axis=1).reshape(-1).copy(),
        "offer_of": p.offer_of.astype(np.intp) + 1,
        "channel_of": np.maximum(p.channel_of, 0).astype(np.intp),
        "revives_of": p.revives[p.offer_of],
        "valid_of": p.valid_days[p.offer_of],
        "gained_of": trust.gained[p.offer_of],
        "cut_of": p.price_cut[p.offer_of],
        "tired_of": np.where(p.channel_of < 0, f(0.0), tired.units[p.channel_of]),
        "seen_of": np.where(p.channel_of < 0, f(0.0), seen.units[p.channel_of]),
        "sent_on": p.channel_of.astype(np.int32),
        "season": p.season[day],
        "unsubscribe_fatigue": tired.unsubscribe,
        "open_lift": contact.open_lift,
        "click_lift": contact.click_lift,
        "click_today": contact.same_day,
        "open_visit": contact.open_visit,
        "click_visit": contact.click_visit,
        "intent_decay": clicks.decay,
        "intent_gain": (1.0 - contact.same_day) * (1.0 - clicks.decay),
        "fatigue_open": tired.spec.open,
        "fatigue_drop_out": tired.spec.drop_out,
        "fatigue_room": 1.0 / tired.spec.half_saturation,
        "fatigue_usual": float(tired.felt(np.float32([tired.spec.usual]))[0]),
        "fatigue_decay": tired.decay,
        "adstock_effect": seen.spec.effect,
        "adstock_decay": seen.decay,
        "satisfaction_decay": trust.decay,
        "stockpile_decay": stocked.decay,
        "half_saturation": seen.spec.half_saturation,
        "level": s.level,
        "odds": (1.0 - s.level) / s.level,
        "satisfied_buy": s.purchase,
        "satisfied_drop": s.drop_out,
        "satisfied_stay": s.unsubscribe,
        "order": s.order,
        "ignored": s.ignored,
        "undelivered": s.undelivered,
        "loss_aversion": price.spec.loss_aversion,
        "price_decay": price.decay,
        "price_seen": price.spec.seen,
        "price_paid": price.spec.paid,
        "stockpile_effect": stocked.spec.effect,
    }
    own |= {name: np.roll(getattr(p, name), 1) for name in SHIFTED}
    values = {name: own[name] if name in own else getattr(p, name) for name in kind._fields}
    return kind(**{n: v if isinstance(v, np.ndarray) and v.ndim else f(v) for n, v in values.items()})


def over(threads, work, parts):
    """`work` for each part on so many threads."""
    if threads == 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


def timed(work, *given):
    """(CPU seconds, wall seconds) of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work(*given)
    return time.process_time() - cpu, time.perf_counter() - wall


def differences(ours, theirs):
    """Customers whose events differ, and the largest difference of a number among the others."""
    (a, events), (b, others) = ours, theirs
    flips = np.zeros(len(events[0]), dtype=bool)
    for one, other in zip((*events[:7], a.alive), (*others[:7], b.alive), strict=True):
        flips |= one != other
    same, largest = ~flips, 0.0
    for name in EXACT:
        assert np.array_equal(getattr(a, name)[..., same], getattr(b, name)[..., same]), name
    pairs = [(getattr(a, name), getattr(b, name)) for name in FLOATS]
    for one, other in pairs + list(zip(events[7:], others[7:], strict=True)):
        largest = max(largest, float(np.max(np.abs(one - other)[same] / np.maximum(np.abs(one[same]), 1.0))))
    hazards = [np.max(np.abs(o / m - 1.0)[same]) for m, o in zip(events[7:], others[7:], strict=True)]
    assert max(largest, *hazards) < TOLERANCE, (largest, hazards)
    return int(flips.sum()), max(largest, *map(float, hazards))


def study(customers, rounds):
    """Everything that is printed; needs numba."""
    import compiled_day as form

    world = load_world("ecommerce")
    panel, p = Panel(world, customers, seed=SEED, threads=1), parameters(world)
    plays = [actions(customers, len(world.catalog), np.random.default_rng(d)) for d in range(3)]
    for day in range(5):
        panel.step(plays[day % 3])
    action, t = plays[2], tables(form.Tables, p, panel.day)
    pairs = ((Purpose.FUNNEL, 0), (Purpose.FUNNEL, 1), (Purpose.PURCHASE, 0), (Purpose.PURCHASE, 1))
    streams = np.array([rng.stream(SEED, panel.day, purpose, k) for purpose, k in pairs])
    new = type(panel.state)._make(field.copy() for field in panel.state)
    before, after = flat(panel.state), flat(new)
    out = (*(np.zeros(customers, dtype=bool) for _ in range(7)), *(np.zeros(customers, np.float32) for _ in range(2)))

    def part_of(part):
        form.day(part.start, part.stop, panel.traits, before, action, streams, t, after, out)

    start = time.process_time()
    part_of(slice(0, 1))
    compiling = time.process_time() - start
    over(1, part_of, panel._parts)
    flips, largest = differences(numpy_day(world, panel.traits, panel.state, action, panel.day, p), (after, out))
    best: dict[str, list[float]] = {}
    for _ in range(rounds):
        twin = copy.copy(panel)
        twin.state = type(panel.state)._make(field.copy() for field in panel.state)
        taken = {}
        for threads in (1, 2):
            twin._wanted, twin.day = threads, panel.day
            taken[f"numpy step, {threads} thread"] = timed(twin.step, action)
            taken[f"compiled part, {threads} thread"] = timed(over, threads, part_of, panel._parts)
        for name, pair in taken.items():
            best[name] = [min(a, b) for a, b in zip(best.get(name, pair), pair, strict=True)]
    return told(customers, best, compiling, flips, largest, Path(form.__file__).parent)


def told(customers, best, compiling, flips, largest, here):
    """Rates and ratios."""
    whole, fast = (best[f"{name}, 1 thread"][0] for name in ("numpy step", "compiled part"))
    lines = (here / "compiled_day.py").read_text().count("\n")
    megabytes = sum(f.stat().st_size for d in scratch_packages() for f in d.rglob("*") if f.is_file()) / 1e6
    return {
        "customers": customers,
        "M_customer_days_per_cpu_s": {name: customers / cpu / 1e6 for name, (cpu, _) in best.items()},
        "M_customer_days_per_s": {name: customers / wall / 1e6 for name, (_, wall) in best.items()},
        "gain_if_the_rest_were_free": whole / fast,
        "second_thread": {
            n: best[f"{n}, 1 thread"][1] / best[f"{n}, 2 thread"][1] for n in ("numpy step", "compiled part")
        },
        "compile_s": compiling,
        "installed_megabytes": megabytes,
        "lines": lines,
        "customers_with_other_events": flips,
        "largest_difference": largest,
    }


def scratch_packages():
    """Folders of numba and llvmlite, and of the libraries that came with them."""
    import numba

    home = Path(numba.__file__).parent.parent
    return [d for d in home.iterdir() if d.name.startswith(("numba", "llvmlite"))]


def main() -> None:
    """Read the words of the call; in the parent set numba up and hand over to a child that can import it."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scratch", type=Path, required=True, help="folder for numba, outside the project")
    words.add_argument("--customers", type=int, default=8 * BLOCK)
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    folder, project = chosen.scratch.resolve() / "numba", Path(__file__).resolve().parent.parent
    if folder.is_relative_to(project):
        words.error("--scratch must lie outside the project")
    if os.environ.get("PYTHONPATH") != str(folder):
        if not folder.is_dir():
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, *PACKAGES]
            subprocess.run(pip, check=True)
        raise SystemExit(
            subprocess.run([sys.executable, *sys.argv], env={**os.environ, "PYTHONPATH": str(folder)}).returncode
        )
    answer = study(chosen.customers, chosen.rounds)
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
        return
    for name, rate in answer["M_customer_days_per_cpu_s"].items():
        wall = answer["M_customer_days_per_s"][name]
        print(f"{name:30} {rate:8.2f} M customer-days per CPU second {wall:8.2f} M per second")
    print(f"\ngain, if the rest took no time    {answer['gain_if_the_rest_were_free']:8.2f} x per CPU second")
    for name, gain in answer["second_thread"].items():
        print(f"second thread, {name:18} {gain:8.2f} x")
    print(f"compiling                         {answer['compile_s']:8.1f} s at the first call of a process")
    print(f"numba and llvmlite installed      {answer['installed_megabytes']:8.0f} MB")
    print(f"lines beside the numpy form       {answer['lines']:8}")
    flips = f"{answer['customers_with_other_events']} of {answer['customers']:,} customers"
    print(f"events that differ                {flips}; numbers by at most {answer['largest_difference']:.1e}\n")
    print(verdict(answer))


def verdict(answer) -> str:
    """The sentence that the figures lead to."""
    gain = answer["gain_if_the_rest_were_free"]
    what = f"A step would take 1/{gain:.1f} of its time at the very least"
    weight = f"{answer['installed_megabytes']:.0f} MB and {answer['compile_s']:.0f} s a process"
    price = f"for {answer['lines']} more lines, {weight}"
    word = "is worth its weight where the simulator is the bottleneck" if gain >= WORTH else "is not worth its weight"
    return f"{what} {price}: a compiled form {word}."


if __name__ == "__main__":
    main()
