"""How close does each way of learning come to the best that can be had, and what do baselines cost?

Per world and seed, all on the same customers with the same luck: nothing sent, the best fixed action (chosen on other
customers), the rules a shop would write, bandits and reinforcement learners, the oracles and an upper bound. Learners
see one log of other customers in which four decisions of five send nothing; the simulator's truth only judges. Finished
runs are kept, so an interrupted study goes on where it stopped. Writes the tables of docs/results.md and a picture.

    python experiments/learners.py --seeds 20 --workers 2
    python experiments/learners.py --quick
"""

import hashlib
import json
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from bounds import SIZES, Study, best_fixed, by_size
from learners_tables import DEEP, LEARNERS, document, picture, summary, with_rollout
from rich.progress import Progress

import campaignrl as crl
from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.envs import Panel
from campaignrl.envs.truth import Life, nothing
from campaignrl.envs.truth.bounds import idle_value
from campaignrl.envs.truth.oracles import FarSightedOracle, Size, greedy
from campaignrl.policies import build_policy, one_blas_thread
from campaignrl.suites import evaluation_ids, run_study, study_words
from campaignrl.tables.files import write_whole
from campaignrl.true_value import acting, mean_value

WORLDS = ("ecommerce", "coupon_trap", "no_memory", "churn_rescue", "tight_budget")
TRAINED_ON = {"ecommerce": 50_000, "tight_budget": 50_000}  # customers of the log; 20,000 in the other worlds
LOG = {"kind": "uniform", "none_share": 0.8}
DECIDED = ("none", "rules", "best_fixed", "oracle_greedy", "oracle_far_sighted", "untargeted")
FIRST_SEED = 100  # no setting was chosen on seeds from here on
BOUNDS = Path("runs/bounds/parts")  # where experiments/bounds.py keeps its own
FAR, PILOT = 1 << 41, 2_000  # ids and number of customers of pilot campaigns


def measured(world, decide, ids, seed: int) -> dict[str, float]:
    """Figures of one campaign, each per customer unless it is a rate."""
    life = Life(world, decide, ids, seed)
    spend, alive = life.panel.state.spend.copy(), life.panel.state.alive.copy()
    while not life.panel.done:
        life.day()
    found = {
        name: float(life.totals[name].mean()) for name in ("reward", "sent", "opened", "cost", "bought", "discount")
    }
    top = alive & (spend >= np.quantile(spend, 0.8))
    found["conversion"] = float((life.totals["bought"] > 0).mean())
    found["repurchase"] = float((life.totals["bought"] > 1).mean())
    found["top_retention"] = float(life.panel.state.alive[top].mean())
    return found


def taught(world, name: str, log, seed: int):
    """A learner after the one log; a budgeted one also sets its price on pilot customers."""
    settings = {"fitted_q_near": {"kind": "fitted_q", "windows": 1}}.get(name, {"kind": name})
    if name == "budgeted" and world.guard.budget is None:
        return None
    path = Path(__file__).parents[1] / "policies" / f"{name}.toml"
    policy = build_policy(name if path.is_file() else settings, world.catalog, world.features, seed)
    policy.update(log)
    return priced(world, policy, seed) if name == "budgeted" else policy


def priced(world, policy, seed: int):
    """At the price at which pilot campaigns without a limit would spend the budget, by bisection."""
    free = crl.load_world(world, guard=world.guard.model_copy(update={"budget": None}).model_dump(exclude_unset=True))
    amount = world.guard.budget.amount_per_1000_customers / 1000.0
    low, high = 0.01, 100.0
    for _ in range(8):
        middle = float(np.sqrt(low * high))
        spent = measured(free, acting(policy.at_price(middle), free), np.arange(FAR, FAR + PILOT), seed)["cost"]
        low, high = (middle, high) if spent > amount else (low, middle)
    return policy.at_price(float(np.sqrt(low * high)))


@cache
def far_sighted(name: str):
    """The reduced model's plan, which does not depend on the seed."""
    study = bound_study(name)
    return FarSightedOracle(study.world, 60, SIZES.get(name, (Size(), Size()))[0], study.shadow_prices())


def bound_study(name: str) -> Study:
    """The study of bounds of this world; what it finds is kept where experiments/bounds.py keeps it."""
    return Study(name, 1.0, 1, BOUNDS, lambda text: print(text, file=sys.stderr))


def room(name: str, finished: bool) -> dict | None:
    """How much more than with nothing sent anybody could earn at most; None if only finished work is asked for."""
    study = bound_study(name)
    if finished and not (study.folder / "bound.npz").is_file():
        return None
    with one_blas_thread():
        bound = study.part("bound", lambda: study.bound(study.shadow_prices()))["value"]
    ids, count, chance = by_size(study.world, study.customers, study.bounded, study.seed)
    idle = idle_value(study.world, customers=study.customers, seed=study.seed)[ids]
    return mean_value(np.repeat((bound - idle) / (study.customers * chance), count))._asdict()


@cache
def fixed(name: str):
    """The best fixed action on pilot customers."""
    return best_fixed(crl.load_world(name), 1000)[0]


def random_sends(chance: float):
    """Any allowed send to any customer, with this chance a day: a campaign without a target."""

    def decide(panel: Panel):
        may = np.concatenate(panel.over_blocks(lambda part: panel.allowed(panel.observe(part), part)))
        u, v = (rng.uniform(panel.traits.key, panel.seed, panel.day, rng.Purpose.ACTION, k) for k in (1, 2))
        which = np.floor(v * may[:, 1:].sum(axis=1)).astype(np.int64)
        action = 1 + (np.cumsum(may[:, 1:], axis=1) <= which[:, None]).sum(axis=1)
        return np.where((u < chance) & may[:, 1:].any(axis=1), np.minimum(action, may.shape[1] - 1), NONE)

    return decide


def untargeted(world, contacts: float, seed: int):
    """Random sends, as many a customer as `contacts`, by bisection on pilot customers."""
    low, high = 0.0, 1.0
    for _ in range(7):
        middle = (low + high) / 2
        sent = measured(world, random_sends(middle), np.arange(FAR, FAR + PILOT), seed)["sent"]
        low, high = (middle, high) if sent < contacts else (low, middle)
    return random_sends((low + high) / 2)


class Cell:
    """All runs of one world and seed; what is finished is read from `folder`."""

    def __init__(self, name: str, seed: int, learners, sizes, folder: Path) -> None:
        self.name, self.seed, self.learners, self.folder = name, seed, learners, folder
        self.customers, scale, self.deep_seeds, self.finished = sizes
        self.log_size = max(200, int(TRAINED_ON.get(name, 20_000) * scale))

    def path(self, learner: str) -> Path:
        """Where a run is kept, by what its figures depend on."""
        text = json.dumps([self.customers, 0 if learner in DECIDED else self.log_size, LOG])
        return self.folder / self.name / learner / f"{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"

    def run(self) -> dict:
        """Figures by learner."""
        world, log = crl.load_world(self.name), None
        ids, found = evaluation_ids(self.customers), {}
        for learner in self.learners:
            path = self.path(learner)
            if path.is_file():
                found[learner] = json.loads(path.read_text())
                continue
            if self.finished:
                continue
            if learner in DEEP and self.seed >= FIRST_SEED + self.deep_seeds:
                continue
            if learner not in (*DECIDED, *DEEP) and log is None:
                explore = build_policy(LOG, world.catalog, world.features)
                log = crl.simulate(world, explore, customers=self.log_size, seed=self.seed, threads=1)
            with one_blas_thread():
                decide = self._decide(world, learner, log, found)
                if decide is None:
                    continue
                found[learner] = measured(world, decide, ids, self.seed)
            write_whole(path, lambda out, text=json.dumps(found[learner]): _write(out, text))
        return found

    def _decide(self, world, learner: str, log, found: dict):
        if learner == "untargeted":
            return untargeted(world, found["fitted_q"]["sent"], self.seed) if self.name == "ecommerce" else None
        if learner == "rules":
            return acting("rules" if self.name == "ecommerce" else f"rules_{self.name}", world)
        if learner == "best_fixed":
            return fixed(self.name)
        if learner == "oracle_far_sighted":
            return far_sighted(self.name)
        if learner in DECIDED:
            return {"none": nothing, "oracle_greedy": greedy}[learner]
        if learner in DEEP:
            return acting(crl.train(learner, world, customers=self.log_size // 2, seed=self.seed, threads=1), world)
        policy = taught(world, learner, log, self.seed)
        return None if policy is None else acting(policy, world)


def _write(out, text: str) -> None:
    out.write(text.encode())


def end_with_parent() -> None:
    """A worker whose parent was stopped would otherwise go on alone."""

    def wait() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def one_cell(name: str, seed: int, learners, sizes, folder: Path):
    """In a worker process."""
    return name, seed, Cell(name, seed, learners, sizes, folder).run()


def study(worlds, seeds: int, learners, sizes, folder: Path, workers: int) -> dict:
    """Figures by world, learner and seed; seed by seed, so that an early stop has a few of everything."""
    found: dict = {name: {} for name in worlds}
    cells = [(name, seed) for seed in range(FIRST_SEED, FIRST_SEED + seeds) for name in worlds]
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool,
        Progress(disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("worlds x seeds", total=len(cells))
        waiting = [pool.submit(one_cell, name, seed, learners, sizes, folder) for name, seed in cells]
        for done in as_completed(waiting):
            name, seed, figures = done.result()
            for learner, figure in figures.items():
                found[name].setdefault(learner, {})[seed] = figure
            bar.advance(task)
    return found


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/learners", json=True, workers=2)
    words.add_argument("--worlds", nargs="+", default=list(WORLDS))
    words.add_argument("--learners", nargs="+", default=list(LEARNERS), help="any kind of policies/, or a baseline")
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument(
        "--deep-seeds", type=int, default=5, help="of them, those on which deep learners are taught, too"
    )
    words.add_argument("--customers", type=int, default=3_000, help="evaluated per seed")
    words.add_argument("--scale", type=float, default=1.0, help="of the logs learned from")
    words.add_argument("--quick", action="store_true", help="2 seeds, small logs, a minute or two")
    words.add_argument("--finished", action="store_true", help="tell of finished runs only, run nothing")
    words.add_argument("--bounds", action="store_true", help="shares of the upper bound, too; slow where not kept")
    words.add_argument("--docs", type=Path, help="write the page of results here, such as docs/results.md")
    chosen = words.parse_args(argv)
    seeds, sizes = (2, (600, 0.05)) if chosen.quick else (chosen.seeds, (chosen.customers, chosen.scale))
    sizes = (*sizes, chosen.deep_seeds, chosen.finished)
    found = study(chosen.worlds, seeds, chosen.learners, sizes, chosen.output / "results", chosen.workers)
    rooms = {name: room(name, chosen.finished) for name in chosen.worlds} if chosen.bounds else {}
    answer = summary(found, rooms)
    picture(answer, chosen.output / "learners.png")
    call = " ".join(["python experiments/learners.py", *sys.argv[1:]])
    before = chosen.docs.read_text(encoding="utf-8") if chosen.docs and chosen.docs.exists() else ""
    text = with_rollout(document(answer, sizes[:2], TRAINED_ON, call), before)
    if chosen.docs:
        write_whole(chosen.docs, lambda out: _write(out, text))
    print(json.dumps(answer, indent=2) if chosen.json else text)


if __name__ == "__main__":
    run_study(main)
