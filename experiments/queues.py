"""Do the channels queue as theory says, and what does a call centre that is too small do to a campaign?

First the queue of the clock alone, with Poisson arrivals: mean waits against Erlang's formula C (exponential service)
and Cosmetatos' approximation (constant service, exact for one server), with 95 % intervals from independent seeds. Then
a bank by the hour, with its call centre at several sizes: sends, waits, and the load of each channel as a picture.

    python experiments/queues.py --seeds 20 --arrivals 200000 --workers 2
"""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import simpy
from scipy import stats

from campaignrl import load_world, rng
from campaignrl.campaign import run_campaign, simulate_hours
from campaignrl.envs.clock import Job, Queue, mean_wait
from campaignrl.report.figures import Panel, Spot, channel_load, panels
from campaignrl.suites import run_cells, run_study, study_words

CASES = [(1, 0.5), (1, 0.8), (4, 0.8), (10, 0.8)]  # servers, share of their time that arrivals ask for
WARM_UP = 0.05  # share of the arrivals, left out because the queue starts empty


def mean_of_a_run(seed: int, servers: int, share: float, varies: bool, arrivals: int) -> float:
    """Mean wait of one long run, in mean services."""
    chance = rng.generator(seed, rng.Purpose.CLOCK)
    at = np.cumsum(chance.exponential(1.0 / (share * servers), arrivals))
    service = chance.exponential(1.0, arrivals) if varies else np.ones(arrivals)
    env = simpy.Environment()
    queue = Queue(env, servers, begin=lambda job: None, end=lambda job: None, lost=lambda job, time: None)
    jobs = [Job(i, 0, [length]) for i, length in enumerate(service.tolist())]
    queue.feed(list(zip(at.tolist(), jobs, strict=True)))
    env.run()
    return float(np.mean([job.begun - job.joined for job in jobs[int(WARM_UP * arrivals) :]]))


def theory(servers: int, share: float, varies: bool) -> float:
    """Mean wait of M/M/c (Erlang), or of M/D/c (Cosmetatos 1975), in mean services."""
    markov = mean_wait(servers, share * servers, 1.0)
    if varies:
        return markov
    correction = (1.0 - share) * (servers - 1) * (math.sqrt(4.0 + 5.0 * servers) - 2.0) / (16.0 * share * servers)
    return 0.5 * markov * (1.0 + correction)


def ratios(seeds: int, arrivals: int, workers: int) -> dict[str, tuple[float, float, float]]:
    """Simulated over theoretical mean wait, with its 95 % interval, by case."""
    found = {}
    for varies in (True, False):
        for servers, share in CASES:
            work = partial(mean_of_a_run, servers=servers, share=share, varies=varies, arrivals=arrivals)
            means = np.array(run_cells(work, range(seeds), workers)) / theory(servers, share, varies)
            half = stats.t.ppf(0.975, seeds - 1) * means.std(ddof=1) / math.sqrt(seeds)
            name = f"M/{'M' if varies else 'D'}/{servers}, {share:.0%} busy"
            found[name] = (float(means.mean()), float(means.mean() - half), float(means.mean() + half))
    return found


def bank(calls_per_day: float):
    """The bank with a call centre that makes so many calls a day per 1000 customers, and nights that are quiet."""
    spec = load_world("bank").model_dump(exclude_unset=True)
    call = {"sends_per_day_per_1000_customers": calls_per_day, "minutes_per_send": 6.0, "service": "exponential"}
    spec["channels"]["call"] |= {"capacity": call, "retry": {"at_most": 2, "after_hours": 2.0}}
    quiet = {"quiet_hours": {"from_hour": 21.0, "to_hour": 9.0}}
    return load_world("bank", channels=spec["channels"], guard=spec["guard"] | quiet)


def campaign(calls_per_day: float, policy: str, customers: int, picture: Path) -> dict[str, float]:
    """Key figures of a campaign by the hour beside the panel's, which drops by day what is too much."""
    world = bank(calls_per_day)
    by_hour = simulate_hours(world, policy, customers=customers, seed=1)
    by_day = run_campaign(world, policy, customers=customers, seed=1)
    channel_load(by_hour.load, open_hours=12.0).savefig(picture, dpi=110)
    events = by_hour.events
    calls = events[events["channel"] == "call"]["event"].value_counts()
    counts = {name: int(calls.get(name, 0)) for name in ("queued", "sent", "retried", "abandoned", "withdrawn")}
    waits = events.loc[(events["channel"] == "call") & (events["event"] == "waited"), "hours"]
    value = {"value": float(by_hour.totals["reward"].mean()), "value_by_day": float(by_day.totals["reward"].mean())}
    return counts | value | {"mean_wait_hours": float(waits.sum() / max(counts["sent"] + counts["retried"], 1))}


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/queues", workers=2)
    words.add_argument("--seeds", type=int, default=10)
    words.add_argument("--arrivals", type=int, default=200_000, help="in each run")
    words.add_argument("--policy", default="uniform")
    words.add_argument("--customers", type=int, default=10_000)
    chosen = words.parse_args(argv)
    chosen.output.mkdir(parents=True, exist_ok=True)
    found = ratios(chosen.seeds, chosen.arrivals, chosen.workers)
    column = Panel(
        "mean wait, simulated / theory", "ratio", [Spot(*f) for f in found.values()], mark=1.0, band=(0.97, 1.03)
    )
    headline = f"{chosen.seeds} runs of {chosen.arrivals:,} arrivals each; the band is 3 % either way"
    panels(headline, {"queue": list(found)}, [column]).savefig(chosen.output / "waits.png", dpi=110)
    campaigns = {
        f"{calls:g} calls a day per 1000": campaign(
            calls, chosen.policy, chosen.customers, chosen.output / f"load_{calls:g}.png"
        )
        for calls in (40.0, 20.0, 10.0)
    }
    print(json.dumps({"wait_ratio": found, "campaigns": campaigns}, indent=2))


if __name__ == "__main__":
    run_study(main)
