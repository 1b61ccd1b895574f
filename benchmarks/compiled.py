"""What a compiled customer-day would bring: the numpy functions and numba's form of them, side by side.

`python benchmarks/compiled.py --scratch FOLDER [--customers N] [--rounds R] [--json]`. numba goes into FOLDER, which
must lie outside the project and is used again by the next run; numpy and campaignrl are those of this interpreter.
Both sides take the same state, actions and seed: draws, funnel, hazards, drop-out, stocks, held offers and histories
of `ecommerce` with every effect on, at the share of sends of benchmarks/panel.py. Rounds alternate; the best counts.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from panel import actions

from campaignrl import rng
from campaignrl.dynamics import advance, memory, purchase
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.panel import BLOCK, Panel
from campaignrl.rng import Purpose
from campaignrl.specs.world import load_world

PACKAGES = ("numba==0.68.1", "llvmlite==0.50.0")
SEED, TOLERANCE = 1, 1e-5
SHIFTED = ("price_cut", "appeal", "redeem", "retention")
FLOATS = ("fatigue", "adstock", "satisfaction", "expected_price", "stockpile", "intent")
EXACT = ("live_offer", "live_days", "sent", "opened", "clicked")
WORTH = 2.0  # of the whole day per CPU second: less does not pay for a second form of every formula


def numpy_day(traits, state, action, day, p):
    """The covered part of dynamics.advance: (hazard, drop, bought, redeemed, alive, stocks, offers, histories)."""
    offer, channel, sent = p.offer_of[action].astype(np.int8), p.channel_of[action], action > 0
    sends = np.flatnonzero(sent)
    funnel = advance._funnel(traits, state, action, sent, sends, None, day, SEED, p)
    opens = np.flatnonzero(funnel.opened)
    u_buy, u_redeem, u_drop, u_revive = rng.uniforms(traits.key, SEED, day, Purpose.PURCHASE, 4)
    alive = state.alive | advance._only(opens, u_revive[opens] < p.revives[offer[opens]], len(action))
    held, left = memory.usable_offer(state.live_offer, state.live_days, offer, funnel.opened, p.valid_days)
    mood = purchase.Mood(*(getattr(state, name) for name in purchase.Mood._fields))
    live = np.flatnonzero(held >= 0)
    taste = advance._only(live, advance._taste(traits.segment[live], held[live], p), len(held))
    events = (held, funnel.opened, funnel.clicked)
    hazard = purchase.purchase_hazard(traits.rate, traits.sensitivity, taste, *events, mood, day, p)
    bought = alive & (advance._clock(u_buy) < hazard)
    orders = np.flatnonzero(bought)
    redeems = (held[orders] >= 0) & (u_redeem[orders] < purchase.redeem_probability(held[orders], p))
    redeemed = advance._only(orders, redeems, len(action))
    moods = advance._moods(state, funnel, sends, opens, bought, redeemed, held, offer, channel, p)
    drop = purchase.drop_out_hazard(traits.drop_rate, moods, held, p)
    offers = memory.next_offer(held, left, redeemed)
    histories = (
        advance._sent(state.sent, channel, sends),
        memory.next_history(state.opened, funnel.opened),
        memory.next_history(state.clicked, funnel.clicked),
    )
    alive = alive & ~(advance._clock(u_drop) < drop)
    tomorrow = state._replace(alive=alive, **moods._asdict(), **dict(zip(EXACT, (*offers, *histories), strict=True)))
    return tomorrow, (*funnel, bought, redeemed, hazard, drop)


def tables(kind, p, day):
    """The world's numbers as the compiled form takes them."""
    s, f = p.satisfaction, np.float32
    assert p.adstock.shape == 1.0
    own = {
        "taste": np.roll(p.taste, 1, axis=1).reshape(-1).copy(),
        "offer_of": p.offer_of.astype(np.intp) + 1,
        "channel_of": np.maximum(p.channel_of, 0).astype(np.intp),
        "revives_of": p.revives[p.offer_of],
        "valid_of": p.valid_days[p.offer_of],
        "gained_of": p.satisfying[p.offer_of],
        "cut_of": p.price_cut[p.offer_of],
        "tired_of": np.where(p.channel_of < 0, f(0.0), p.fatigue_weight[p.channel_of]),
        "seen_of": np.where(p.channel_of < 0, f(0.0), p.adstock_weight[p.channel_of]),
        "sent_on": p.channel_of.astype(np.int32),
        "season": p.season[day],
        "intent_gain": (1.0 - p.click_today) * (1.0 - p.intent_decay),
        "adstock_effect": p.adstock.effect,
        "half_saturation": p.adstock.half_saturation,
        "level": s.level,
        "odds": (1.0 - s.level) / s.level,
        "satisfied_buy": s.purchase,
        "satisfied_drop": s.drop_out,
        "satisfied_stay": s.unsubscribe,
        "order": s.order,
        "ignored": s.ignored,
        "undelivered": s.undelivered,
        "loss_aversion": p.reference_price.loss_aversion,
        "kept": p.reference_price.memory,
        "stockpile_effect": p.stockpile.effect,
    }
    own |= {name: np.roll(getattr(p, name), 1) for name in SHIFTED}
    values = {name: own[name] if name in own else getattr(p, name) for name in kind._fields}
    return kind(**{n: v if isinstance(v, np.ndarray) and v.ndim else f(v) for n, v in values.items()})


def numpy_all(panel, action, p, threads):
    """One day of all customers in blocks; results are dropped, as they need no joining here."""

    def work(part):
        numpy_day(panel.traits.rows(part), panel.state.rows(part), action[part], panel.day, p)

    over(threads, work, panel._parts)


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
    out = (*(np.zeros(customers, dtype=bool) for _ in range(7)), *(np.zeros(customers, np.float32) for _ in range(2)))

    def part_of(part):
        form.day(part.start, part.stop, panel.traits, panel.state, action, streams, t, new, out)

    start = time.process_time()
    part_of(slice(0, 1))
    compiling = time.process_time() - start
    over(1, part_of, panel._parts)
    flips, largest = differences(numpy_day(panel.traits, panel.state, action, panel.day, p), (new, out))
    best: dict[str, list[float]] = {}
    for _ in range(rounds):
        twin = copy.copy(panel)
        twin.state = type(panel.state)._make(field.copy() for field in panel.state)
        taken = {"whole step, numpy, 1 thread": timed(twin.step, action)}
        for threads in (1, 2):
            taken[f"numpy, {threads} thread"] = timed(numpy_all, panel, action, p, threads)
            taken[f"compiled, {threads} thread"] = timed(over, threads, part_of, panel._parts)
        for name, pair in taken.items():
            best[name] = [min(a, b) for a, b in zip(best.get(name, pair), pair, strict=True)]
    return told(customers, best, compiling, flips, largest, Path(form.__file__).parent)


def told(customers, best, compiling, flips, largest, here):
    """Rates and ratios."""
    whole, part, fast = (best[f"{name}, 1 thread"][0] for name in ("whole step, numpy", "numpy", "compiled"))
    lines = (here / "compiled_day.py").read_text().count("\n")
    megabytes = sum(f.stat().st_size for d in scratch_packages() for f in d.rglob("*") if f.is_file()) / 1e6
    return {
        "customers": customers,
        "M_customer_days_per_cpu_s": {name: customers / cpu / 1e6 for name, (cpu, _) in best.items()},
        "M_customer_days_per_s": {name: customers / wall / 1e6 for name, (_, wall) in best.items()},
        "covered_share_of_step": part / whole,
        "gain_covered": part / fast,
        "gain_whole_step": whole / (whole - part + fast),
        "gain_if_the_rest_were_free": whole / fast,
        "second_thread": {n: best[f"{n}, 1 thread"][1] / best[f"{n}, 2 thread"][1] for n in ("numpy", "compiled")},
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
    print(f"\ncovered share of a step           {answer['covered_share_of_step']:8.0%}")
    print(f"gain in the covered part          {answer['gain_covered']:8.2f} x per CPU second")
    print(f"gain in the whole step            {answer['gain_whole_step']:8.2f} x, the rest left in numpy")
    print(f"bound, if the rest took no time   {answer['gain_if_the_rest_were_free']:8.2f} x")
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
    gain, covered = answer["gain_whole_step"], answer["gain_covered"]
    what = f"A step would take 1/{gain:.1f} of its time (the covered part 1/{covered:.1f})"
    weight = f"{answer['installed_megabytes']:.0f} MB and {answer['compile_s']:.0f} s a process"
    price = f"for {answer['lines']} more lines, {weight}"
    word = "is worth its weight where the simulator is the bottleneck" if gain >= WORTH else "is not worth its weight"
    return f"{what} {price}: a compiled form {word}."


if __name__ == "__main__":
    main()
