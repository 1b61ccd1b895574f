"""Which challengers does the champion's rule of `campaignrl today` promote, and when?

20,000 customers of a world live under its business as usual: first days that are known beforehand, then a trial with
the steps that `campaign.toml` has if nobody changes them, 90 days up to a promotion, read every morning. The
challenger's customers bring what they would have brought the champion, times 0.95, 1 or 1.1, so that its true gain is
known. Each run has customers and luck of its own, and is kept: the same call goes on where it was stopped.

    python experiments/promotion.py --runs 50
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import campaignrl as crl
from campaignrl.choices import actions_of_day
from campaignrl.dynamics import visited
from campaignrl.envs import Panel
from campaignrl.loop import TrialSpec, arms, cohort_of, planned_step, read_step, verdict
from campaignrl.ope import intervals
from campaignrl.policies import business_as_usual
from campaignrl.specs import digest, world_hash
from campaignrl.suites import abtest, run_study, study_words, write_files
from campaignrl.suites.abtest import Trial, arms_of

GAINS = (-0.05, 0.0, 0.1)
ENDS = ("promoted", "promoted, then rolled back", "stay", "roll back")
BEFORE = 60  # days that are known before the trial begins
FIRST_ID = 1 << 44
NUMBERS = ("orders", "tenure_days", "basket_mean", "recency_days", "opens_30d", "clicks_30d")  # of a shop's profiles
DAY_ZERO = pd.Timestamp("2026-01-01")

Array = np.ndarray


class Life(NamedTuple):
    """What n customers did: up to each day of the trial (n, d), and what was known of them when each step began."""

    known: tuple[pd.DataFrame, ...]
    margin: Array
    spend: Array
    left: Array
    value: Array


def life_of(world: crl.World, customers: int, spec: TrialSpec, run: int, seed: int, *, visits: bool = True) -> Life:
    """A world's customers under business as usual. visits: the shop knows when each last came."""
    days, starts = sum(step.days for step in spec.steps), np.cumsum([0, *(step.days for step in spec.ramp[:-1])])
    panel = Panel(world, FIRST_ID + np.arange(run * customers, (run + 1) * customers), seed + run)
    rules, ids = business_as_usual(world), np.array([f"c{i:06d}" for i in range(customers)], dtype=object)
    orders, known, sums = [], [], np.zeros((4, customers, days))
    came = np.full(customers, np.datetime64("NaT"), dtype="datetime64[us]")  # last visit
    for day in range(BEFORE + days):
        if day - BEFORE in starts:
            seen = panel.observe()
            about = {"customer_id": ids, "segment": seen.labels("segment"), **{n: seen.columns[n] for n in NUMBERS}}
            history = pd.concat(orders, ignore_index=True)
            newest = pd.DataFrame({"customer_id": ids, "visit": came}) if visits else None
            known.append(cohort_of(pd.DataFrame(about), history, DAY_ZERO + pd.Timedelta(days=day), newest))
        alive, now = panel.state.alive.copy(), DAY_ZERO + pd.Timedelta(days=day)
        out = panel.step(actions_of_day(panel, rules))
        came[visited(world, panel.traits, alive, out, day, panel.seed)] = now
        rows = np.flatnonzero(out.bought)
        ts = np.full(len(rows), now)
        orders.append(pd.DataFrame({"customer_id": ids[rows], "ts": ts, "amount": out.revenue[rows]}))
        if day < BEFORE:
            continue
        lost, value, cost = (part.astype(np.float64) for part in (out.unsubscribed, out.reward, out.cost))
        sums[:, :, day - BEFORE] = value + cost + lost * world.money.unsubscribe, cost, lost, value
    return Life(tuple(known), *(np.cumsum(part, axis=1) for part in sums))


def sums_of(life: Life, gain: float, theirs: Array, first: int, until: int) -> pd.DataFrame:
    """What each customer brought from day `first` to the evening before `until`; of a challenger's, with its gain."""
    margin, spend, left, value = (part[:, until - 1] - (part[:, first - 1] if first else 0.0) for part in life[1:])
    more = np.where(theirs, gain * value, 0.0)
    columns = {"value": value + more, "margin": margin + more, "spend": spend, "unsubscribed": left}
    return pd.DataFrame(columns, index=life.known[0]["customer_id"])


def played(life: Life, spec: TrialSpec, gain: float, salt: str, every: int = 1) -> tuple[str, int]:
    """How a trial ends, and on which of its days it is promoted or sent away."""
    step, first, promoted = 0, 0, 0
    trial, known, arm = begun(life, spec, step, salt)
    for day in range(1, life.value.shape[1] + 1):
        seen = day - first
        if seen % every and seen < spec.steps[step].days:
            continue
        brought = sums_of(life, gain, arm == 1, first, day)
        found = verdict(spec, step, read_step(trial, known, brought, seen / spec.steps[step].days, arm=arm), seen)
        if found.move == "go on":
            continue
        if found.move in ("next step", "promote"):
            promoted = day if found.move == "promote" else promoted
            step, first = len(spec.ramp) if found.move == "promote" else step + 1, day
            trial, known, arm = begun(life, spec, step, salt)
            continue
        back = "promoted, then rolled back" if found.move == "roll back" else "promoted"
        return (back, promoted) if promoted else (found.move, day)
    return ("promoted", promoted) if promoted else ("stay", life.value.shape[1])


def begun(life: Life, spec: TrialSpec, step: int, salt: str) -> tuple[Trial, pd.DataFrame, Array]:
    """The test of a step, what it knows beforehand, and (n,) each customer's arm."""
    known = life.known[min(step, len(life.known) - 1)]  # after a promotion: as of the last step of the ramp
    trial = planned_step(spec, step, salt, known)
    return trial, known, arms_of(trial, known["customer_id"].to_numpy(dtype=object))


def study(
    runs: int,
    customers: int,
    world: str,
    spec: TrialSpec,
    seed: int,
    every: int = 1,
    folder: Path | None = None,
    *,
    visits: bool = True,
) -> dict[str, object]:
    """By gain: how trials ended, and the days of promotion. folder: where runs are kept, under all they rest on."""
    found, days = crl.load_world(world), sum(step.days for step in spec.steps)
    long = crl.load_world(found, horizon=max(found.horizon, BEFORE + days))
    ends: dict[float, list[tuple[str, int]]] = {gain: [] for gain in GAINS}
    asked = [customers, seed, every, visits, GAINS, BEFORE, spec.model_dump(mode="json")]
    key = digest([world_hash(long), *asked, rule_as_is()])[:12]
    for run in range(runs):
        place = None if folder is None else folder / f"{key}-{run}.json"
        if place is None or not place.exists():
            life = life_of(long, customers, spec, run, seed, visits=visits)
            each = [played(life, spec, gain, f"run {run}", every) for gain in GAINS]
            if place is not None:
                write_files(place.parent, {place.name: json.dumps(each)})
        else:
            each = [tuple(end) for end in json.loads(place.read_text(encoding="utf-8"))]
        for gain, end in zip(GAINS, each, strict=True):
            ends[gain].append(end)
        print(f"run {run}: " + ", ".join(f"{g:+.0%} {e[-1][0]} on day {e[-1][1]}" for g, e in ends.items()), flush=True)
    told = {}
    for gain, found_ends in ends.items():
        when = sorted(day for how, day in found_ends if how.startswith("promoted"))
        quartiles = [float(np.quantile(when, q)) for q in (0.25, 0.5, 0.75)] if when else []
        counts = {how: sum(one == how for one, _ in found_ends) for how in ENDS}
        told[f"{gain:+.0%}"] = {**counts, "days to promotion, quartiles": quartiles}
    return {
        "runs": runs,
        "customers": customers,
        "world": world,
        "days": days,
        "looks every": every,
        "visits are known": visits,
        "alpha": spec.alpha,
        "gains": told,
    }


def rule_as_is() -> str:
    """Of the code that decides: runs of another rule are of another study."""
    code = [file for package in (arms, abtest, intervals) for file in sorted(Path(package.__path__[0]).glob("*.py"))]
    return digest([file.read_text(encoding="utf-8") for file in code])


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/promotion")
    words.add_argument("--runs", type=int, default=50, help="of each gain")
    words.add_argument("--customers", type=int, default=20_000)
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--every", type=int, default=1, help="days from one look to the next")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--no-visits", action="store_true", help="of a shop whose exports tell of no visits")
    chosen = words.parse_args(argv)
    how = (chosen.world, TrialSpec(), chosen.seed, chosen.every, chosen.output / "runs")
    result = study(chosen.runs, chosen.customers, *how, visits=not chosen.no_visits)
    print(json.dumps(result, indent=1))
    write_files(chosen.output, {"promotion.json": json.dumps(result, indent=2)})


if __name__ == "__main__":
    run_study(main)
