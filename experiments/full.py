"""Where does reinforcement learning help, where not, and where could the log not tell? All bundled worlds, all ways.

The suite `full` is played (it goes on where it stopped), every world's log is asked what policies would earn and held
against the truth that only the simulator knows, and in the world with a budget the best are played at others. Half a
page of docs/results.md and the study's page are made of it.

    python experiments/full.py --workers 2 --docs docs/results.md --page runs/full/full.html
    python experiments/full.py --quick
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from full_tables import document, into, study_page

import campaignrl as crl
from campaignrl.suites import (
    Results,
    Suite,
    kept,
    load_suite,
    play,
    read_results,
    read_timings,
    run_cells,
    run_study,
    study_words,
    trained,
)
from campaignrl.true_value import decision_lifts, mean_value

SUITE = Path(__file__).parent / "full.toml"
ASKED = ("rules", "best_fixed", "lin_ts", "fitted_q")  # whose worth the log is asked for
LOG_SEED, TRUTH_SEED = 900, 901  # no seed of the suite
BUDGETED, BUDGETS = ("rules", "best_fixed", "lin_ts", "rollout"), (0.25, 0.5, 1.0, 2.0, 4.0)


def played(suite: Suite, folder: Path, workers: int) -> Results:
    """The suite's results: those that are there, or played now."""
    out = folder / "full.json"
    return read_results(out) if out.exists() else crl.benchmark(suite, out=out, workers=workers)


def asked_of_log(suite: Suite, folder: Path, customers: int, truth: int, name: str) -> list[dict[str, Any]]:
    """For each policy asked about: what a fresh log says of its lift over the logging policy, and the truth."""

    def work() -> list[dict[str, Any]]:
        world = crl.load_world(suite.world_of[name], **({"horizon": suite.horizon} if suite.horizon else {}))
        logging = crl.load_policy(suite.train.explore, world)
        log = crl.simulate(world, logging, customers=customers, seed=LOG_SEED, threads=1)
        ready = {p: trained(world, suite.reference(name, p), 0, suite.training(p)) for p in ASKED}
        truths = decision_lifts(world, list(ready.values()), logging=logging, customers=truth, seed=TRUTH_SEED)
        return [
            answer(label, crl.evaluate(log, policy, estimators=("dr",), logging=logging), true._asdict())
            for (label, policy), true in zip(ready.items(), truths, strict=True)
        ]

    found: list[dict[str, Any]] = kept(folder / "logs" / f"{name}.json", work)
    return found


def answer(label: str, found: Any, truth: dict[str, float]) -> dict[str, Any]:
    """One policy's lift as the log has it, with the verdict, beside the true one."""
    lift = found.to_dict()
    figures = {key: lift[key] for key in ("lift", "lift_ci_low", "lift_ci_high", "verdict", "ess")}
    return {"policy": label, **figures, "truth": truth["value"], "truth_std_error": truth["std_error"]}


def at_budgets(suite: Suite, folder: Path, name: str) -> list[dict[str, Any]]:
    """What policies taught at today's budget gain at others, over the suite's seeds."""

    def work() -> list[dict[str, Any]]:
        world = crl.load_world(suite.world_of[name])
        limit = world.guard.budget
        assert limit is not None, f"{name} has no budget"
        today = limit.amount_per_1000_customers
        present = [p for p in BUDGETED if p in suite.policies]
        ready = {p: trained(world, suite.reference(name, p), 0, suite.training(p)) for p in present}
        rows = []
        for share in BUDGETS:
            budget = limit.model_copy(update={"amount_per_1000_customers": today * share})
            guard = world.guard.model_copy(update={"budget": budget}).model_dump(exclude_unset=True)
            there = crl.load_world(world, guard=guard)
            for label, policy in ready.items():
                gains = [gain(there, policy, seed, suite) for seed in range(suite.seeds)]
                rows.append(
                    {"policy": label, "budget": today * share / 1000.0, "today": today / 1000.0, "gains": gains}
                )
        return rows

    found: list[dict[str, Any]] = kept(folder / "budgets" / f"{name}.json", work)
    return found


def gain(world: Any, policy: Any, seed: int, suite: Suite) -> float:
    """Contribution per customer over sending nothing, the same customers and luck."""
    ours, nothing = (play(world, p, seed, suite.customers, suite.train).value for p in (policy, "none"))
    return float(mean_value(ours - nothing).value)


def study(suite: Suite, folder: Path, workers: int, sizes: tuple[int, int]) -> dict[str, Any]:
    """Results, seconds by run, the logs' answers by world, and gains at budgets."""
    results = played(suite, folder, workers)
    logs = run_cells(partial(asked_of_log, suite, folder, *sizes), suite.world_of, workers)
    limited = [
        name for name, use in suite.world_of.items() if name == "tight_budget" and crl.load_world(use).guard.budget
    ]
    return {
        "results": results,
        "seconds": read_timings(folder / "full.json"),
        "logs": dict(zip(suite.world_of, logs, strict=True)),
        "budgets": {name: at_budgets(suite, folder, name) for name in limited},
    }


def small(suite: Suite) -> Suite:
    """Two worlds, two seeds, few customers: that everything runs, in a minute or two."""
    quick = [p.model_copy(update={"customers": 100 if p.customers is None else 50}) for p in suite.policy]
    kept_ones = [p for p in quick if p.name not in ("maskable_ppo", "rollout")]
    names = {name: suite.world_of[name] for name in ("coupon_trap", "tight_budget")}
    uses = [p.model_copy(update={"by_world": {w: u for w, u in p.by_world.items() if w in names}}) for p in kept_ones]
    ceilings = {name: of for name, of in suite.ceilings.items() if name in names}
    words = {"worlds": list(names.values()), "policy": uses, "seeds": 2, "customers": 200, "ceilings": ceilings}
    return suite.model_copy(update=words)


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/full", json=True, workers=1)
    words.add_argument("--log-customers", type=int, default=3_000, help="of the log that is asked")
    words.add_argument("--truth-customers", type=int, default=10_000, help="of the truth beside it")
    words.add_argument("--docs", type=Path, help="write the section of this page, such as docs/results.md")
    words.add_argument("--quick", action="store_true", help="two worlds, small, without learners in the world")
    chosen = words.parse_args(argv)
    suite = small(load_suite(SUITE)) if chosen.quick else load_suite(SUITE)
    sizes = (200, 400) if chosen.quick else (chosen.log_customers, chosen.truth_customers)
    found = study(suite, chosen.output, chosen.workers, sizes)
    page, text = study_page(found), document(found)
    if chosen.page:
        page.write(chosen.page)
    if chosen.docs:
        into(chosen.docs, text, found)
    facts = {"answer": page.answer, "logs": found["logs"], "budgets": found["budgets"]}
    print(json.dumps(facts, indent=2, default=np.asarray) if chosen.json else text)


if __name__ == "__main__":
    run_study(main)
