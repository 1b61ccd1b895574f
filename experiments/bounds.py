"""How much of what could be gained does each way of deciding gain, and how much can nobody gain?

Per world, on the same customers with the same luck: nothing sent, the best fixed action, the greedy oracle (perfect
knowledge, one outcome window ahead), the same with a price on what is scarce, the far-sighted oracle (the reduced
model's plan), and an upper bound on every policy. The best fixed action, the prices and which plan is called the oracle
are chosen on other customers. Finished parts are kept, so an interrupted run goes on where it stopped. Writes the
tables of docs/bounds.md and a picture.

    python experiments/bounds.py --docs docs/bounds.md
    python experiments/bounds.py --worlds no_memory coupon_trap --scale 0.2
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from bounds_tables import document, picture, summary, with_ceiling
from rich.progress import Progress

import campaignrl as crl
from campaignrl.dynamics import parameters
from campaignrl.envs.truth import ShadowPrices, always, live, nothing
from campaignrl.envs.truth.bounds import ROUGH, idle_value, upper_bound
from campaignrl.envs.truth.oracles import FarSightedOracle, Size, greedy, lattice, priced
from campaignrl.policies import one_blas_thread
from campaignrl.specs import bundled_files
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole

PILOT = 1_000_003  # seed of the customers on whom everything is chosen
COARSE = Size(fatigue=4, prices=5, caps=4), Size(fatigue=1, prices=5, caps=4)
SIZES = {  # of the plan, of a rough bound
    "coupon_trap": (Size(prices=31), Size(prices=31)),  # fine where the effect is
    **dict.fromkeys(("ecommerce", "bank", "retail", "travel"), COARSE),  # many offers that stay usable for days
}
FINE = {  # of the bound here
    "coupon_trap": Size(prices=61),
    **dict.fromkeys(("ecommerce", "bank", "retail", "travel"), Size(fatigue=1, prices=1, caps=24)),
}
BIG = ("ecommerce", "bank", "retail", "travel")
CUSTOMERS = {
    "no_memory": (6_000, 6_000),
    **dict.fromkeys(BIG, (2_000, 80)),
    "travel": (1_200, 60),
}  # seen, in the bound
TYPES = 40  # customers the far-sighted oracle plans for


def best_fixed(world, customers: int):
    """The action that earns most when sent whenever allowed, on pilot customers, and its name."""
    ways = [always(a) for a in range(len(world.catalog))]
    earned = [live(world, way, customers=customers, seed=PILOT, expects=True)["expected"].mean() for way in ways]
    best = int(np.argmax(earned))
    return ways[best], f"always {world.catalog.names[best]}"


def affordable(world, size: Size, work: float) -> int:
    """Customers the bound can be worked out for, at so many lattice points x days x actions in all."""
    points = np.prod(lattice(world, parameters(world), True, size).shape)
    return max(20, int(work / (points * world.horizon * len(world.catalog))))


def by_size(world, customers: int, wanted: int, seed: int):
    """(ids, how often, chance of being drawn): some of the customers, more of those of whom more can be expected."""
    if wanted >= customers:
        return np.arange(customers), np.ones(customers, dtype=int), np.full(customers, 1.0 / customers)
    idle = idle_value(world, customers=customers, seed=seed)
    chance = idle + 0.2 * idle.mean()
    chance /= chance.sum()
    drawn = np.random.default_rng(seed).choice(customers, wanted, p=chance)
    ids, count = np.unique(drawn, return_counts=True)
    return ids, count, chance[ids]


class Study:
    """One world's parts, each kept in `folder` once it is done."""

    def __init__(self, name: str, scale: float, seed: int, folder: Path, tell) -> None:
        self.name, self.world, self.seed, self.tell = name, crl.load_world(name), seed, tell
        customers, bounded = CUSTOMERS.get(name, (6_000, 600))
        self.customers, self.bounded = max(300, int(customers * scale)), max(30, int(bounded * scale))
        self.plan, self.fine = SIZES.get(name, (Size(),))[0], FINE.get(name, Size())
        text = json.dumps([self.customers, self.bounded, seed, TYPES, self.plan, self.fine])
        self.folder = folder / name / hashlib.sha256(text.encode()).hexdigest()[:8]

    def part(self, name: str, make):
        """Arrays of a part: read if it was kept, else made and kept."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            self.tell(f"{self.name}: {name}")
            begun = time.process_time()
            arrays = make()
            arrays["seconds"] = np.array(time.process_time() - begun)
            write_whole(path, lambda out: np.savez(out, **arrays))
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept)

    def run(self) -> dict:
        """Everything the tables need of this world."""
        shadow_prices = self.shadow_prices()
        bound = self.part("bound", lambda: self.bound(shadow_prices))
        fixed = self.part("fixed", lambda: self.fixed())
        ways = self.ways(int(fixed["action"]), shadow_prices)
        pilot = self.part("pilot", lambda: self.lives(ways, self.customers // 4, PILOT))
        known = self.part("lives", lambda: self.lives(ways, self.customers, self.seed))
        ids, count, chance = by_size(self.world, self.customers, self.bounded, self.seed)
        plans = [way for way in ways if way not in ("none", "fixed")]
        seconds = sum(float(p["seconds"]) for p in (bound, fixed, pilot, known))
        return {
            "fixed": self.world.catalog.names[int(fixed["action"])],
            "oracle": max(plans, key=lambda way: pilot[way].mean()),
            "lives": {way: known[way] for way in ways},
            "idle": idle_value(self.world, customers=self.customers, seed=self.seed),
            "bound": bound["value"],
            "drawn": (ids, count, self.customers * chance),
            "toll": shadow_prices,
            "customers": self.customers,
            "bounded": self.bounded,
            "seconds": seconds,
        }

    def shadow_prices(self) -> ShadowPrices:
        """Prices that make a rough bound least, on some other customers."""
        ids, count, chance = by_size(self.world, 10_000, 80, PILOT)

        limited = self.world.guard.budget or any(c.capacity for c in self.world.channels.values())

        def search() -> dict:
            if not limited:
                return {"money": np.array(0.0), "sends": np.array([])}
            rough, weights = (ROUGH if self.name in BIG else self.fine), count / chance
            found = upper_bound(
                self.world, customers=ids, seed=PILOT, size=rough, weights=weights, usual=[0.4]
            ).shadow_prices
            return {"money": np.array(found.money), "sends": np.array(found.sends)}

        found = self.part("toll", search)
        return ShadowPrices(float(found["money"]), tuple(float(s) for s in found["sends"]))

    def bound(self, shadow_prices: ShadowPrices) -> dict:
        """Of the drawn customers."""
        ids = by_size(self.world, self.customers, self.bounded, self.seed)[0]
        return {
            "value": upper_bound(
                self.world, customers=ids, seed=self.seed, size=self.fine, candidate_prices=[shadow_prices]
            ).value
        }

    def fixed(self) -> dict:
        """The best fixed action."""
        chosen = best_fixed(self.world, max(self.customers // 2, 300))[1].removeprefix("always ")
        return {"action": np.array(self.world.catalog.id_of(chosen))}

    def ways(self, fixed: int, shadow_prices: ShadowPrices) -> dict:
        """Ways of deciding."""
        ways = {"none": nothing, "fixed": always(fixed), "greedy": greedy}
        if any(shadow_prices.on(self.world) > 0):
            ways["priced"] = priced(self.world, shadow_prices)
        return {**ways, "far": shadow_prices}

    def lives(self, ways: dict, customers: int, seed: int) -> dict:
        """Expected contribution of each customer under each way."""
        found = {}
        for name, decide in ways.items():
            self.tell(f"{self.name}: {name}, {customers} customers")
            if name == "far":
                decide = FarSightedOracle(self.world, TYPES, self.plan, decide)
            found[name] = live(self.world, decide, customers=customers, seed=seed, expects=True)["expected"]
        return found


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/bounds")
    words.add_argument("--worlds", nargs="+", default=sorted(bundled_files("envs")))
    words.add_argument("--scale", type=float, default=1.0, help="of all numbers of customers")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--docs", type=Path, help="write the page here, such as docs/bounds.md")
    chosen = words.parse_args(argv)
    found = {}
    with Progress(disable=not sys.stderr.isatty()) as bar, one_blas_thread():
        task = bar.add_task("worlds", total=len(chosen.worlds))
        for name in chosen.worlds:

            def tell(text: str) -> None:
                bar.update(task, description=text)

            found[name] = summary(Study(name, chosen.scale, chosen.seed, chosen.output / "parts", tell).run())
            bar.advance(task)
    picture(found, chosen.output / "bounds.png")
    text = document(found, " ".join(["python experiments/bounds.py", *sys.argv[1:]]))
    if chosen.docs:
        before = chosen.docs.read_text(encoding="utf-8") if chosen.docs.exists() else ""
        page = with_ceiling(text, before).encode()
        write_whole(chosen.docs, lambda out: out.write(page) and None)
    print(text)


if __name__ == "__main__":
    run_study(main)
