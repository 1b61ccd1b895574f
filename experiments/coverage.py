"""Do the intervals hold what they say they hold, where conversions are rare and the log hardly tried the action?

Ten actions, a policy that gives half its decisions to one that the log tried in 1 % of rows, 2 % conversion, 1,000
rows: the marketer's everyday case. How often each interval holds the truth, how wide it is, and what the verdict says
when the t interval misses; then ten other settings; then the anytime bounds, looked at after every 100 rows. Of the
everyday case the usual interval's coverage and mean width are also worked out exactly, from every log there can be.

    python experiments/coverage.py --runs 2000
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.intervals import Clusters, ever_excluded
from campaignrl.ope.methods import INTERVALS, Weighted, likelihood_interval
from campaignrl.suites import run_study, study_words

ACTIONS = 10
CATALOG = crl.Catalog.from_names([f"offer{i}@email" for i in range(1, ACTIONS)])
SCHEMA = FeatureSchema((Feature(name="recency", low=0.0, high=1.0),))


@dataclass(frozen=True)
class Setting:
    """One way a log can be: how many rows, how often the wanted action was tried, what a reward is."""

    name: str
    n: int = 1_000
    tried: float = 0.01  # of rows, the action that the policy wants
    wanted: float = 0.5  # of the policy's decisions
    rate: float = 0.02  # mean reward: a conversion rate, or of money as a share of the largest
    kind: str = "conversion"  # conversion | money (converts, then earns a share) | score (any number in [0, 1])
    effect: float = 1.0  # the wanted action converts this many times as often as the others
    repeats: int = 1  # rows of each customer, who shares their taste

    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """(k,) of the log and of the policy."""
        rest = ACTIONS - 1
        logged = np.r_[self.tried, np.full(rest, (1.0 - self.tried) / rest)]
        return logged, np.r_[self.wanted, np.full(rest, (1.0 - self.wanted) / rest)]

    def means(self) -> np.ndarray:
        """(k,) mean reward of each action."""
        return np.r_[self.rate * self.effect, np.full(ACTIONS - 1, self.rate)]


RARE = Setting("rare conversions")
# Two conversions at most are to be expected on the wanted action: what may have been missed makes up the interval.
RARER = tuple(Setting(f"rare, {n:,} rows", n=n) for n in (2_000, 5_000, 10_000))
SETTINGS = (
    Setting("rare, 20,000 rows", n=20_000),
    Setting("tried in 5 % of rows", n=5_000, tried=0.05),
    Setting("tried like the others", n=5_000, tried=0.1),
    Setting("20 % conversion", n=5_000, rate=0.2),
    Setting("20 %, tried in 5 %, 1,000 rows", tried=0.05, rate=0.2),
    Setting("50 % conversion, 2,000 rows", n=2_000, rate=0.5),
    Setting("the wanted action converts 3 x", n=5_000, effect=3.0),
    Setting("money, 12 % buy", n=5_000, tried=0.05, rate=0.05, kind="money"),
    Setting("a score in [0, 1]", n=2_000, tried=0.05, rate=0.4, kind="score"),
    Setting("five rows a customer", n=5_000, tried=0.05, rate=0.1, repeats=5),
)


def rewards_of(setting: Setting, mean: np.ndarray, taste: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """(n,) rewards in [0, 1] of the given means; taste: (n,) factors of mean 1."""
    mean = mean * taste
    if setting.kind == "score":
        return chance.beta(4 * mean, 4 * (1 - mean))
    if setting.kind == "money":  # a buyer earns 40 % of the largest order on average
        return (chance.random(len(mean)) < mean / 0.4) * chance.beta(2, 3, len(mean))
    return (chance.random(len(mean)) < mean).astype(float)


def draw(setting: Setting, chance: np.random.Generator) -> crl.DecisionLog:
    """One log of that kind."""
    logged, _ = setting.probabilities()
    n = setting.n
    customers = n // setting.repeats
    customer = np.repeat(np.arange(customers), setting.repeats)
    action = chance.choice(ACTIONS, n, p=logged)
    taste = np.ones(n) if setting.repeats == 1 else chance.gamma(2.0, 0.5, customers)[customer].clip(0, 3.0)
    return crl.DecisionLog(
        catalog=CATALOG,
        customers=np.array([str(i) for i in range(customers)], dtype=object),
        customer=customer,
        step=np.arange(n) % setting.repeats,
        day=np.arange(n) % setting.repeats,
        context=Context(SCHEMA, {"recency": chance.random(n)}),
        action=action,
        propensity=logged[action],
        reward=rewards_of(setting, setting.means()[action], taste, chance),
        cost=np.zeros(n, dtype=np.int64),
        matured=np.ones(n, dtype=bool),
        meta={"policy_id": "study", "propensity_floor": float(logged.min())},
    )


def truth_of(setting: Setting) -> float:
    """The policy's exact value (the tastes of repeated customers are cut at 3, which their mean then shows)."""
    value = float(setting.probabilities()[1] @ setting.means())
    if setting.repeats == 1:
        return value
    cut = stats.gamma(2.0, scale=0.5)
    return value * float(cut.expect(lambda x: min(x, 3.0)))


def one_log(setting: Setting, chance: np.random.Generator, intervals: tuple[str, ...], estimator: str) -> dict:
    """Every interval of one log, and the verdict."""
    log = draw(setting, chance)
    wanted = np.tile(setting.probabilities()[1], (setting.n, 1))
    asked = {"estimators": (estimator,), "reward_range": (0.0, 1.0)}
    found = {way: crl.evaluate(log, wanted, interval=way, **asked) for way in intervals}
    made = {way: answer.estimates[estimator] for way, answer in found.items()}
    return {"verdict": found[intervals[0]].verdict, **{way: (e.ci_low, e.ci_high) for way, e in made.items()}}


def study(setting: Setting, runs: int, seed: int, intervals: tuple[str, ...] = INTERVALS, estimator: str = "ips"):
    """Coverage with its Wilson interval, and mean width, of each way; and what is said when t misses."""
    chance, truth = np.random.default_rng(seed), truth_of(setting)
    rows = [one_log(setting, chance, intervals, estimator) for _ in range(runs)]
    ends = {way: np.array([row[way] for row in rows]) for way in intervals}
    held = {way: (e[:, 0] <= truth) & (truth <= e[:, 1]) for way, e in ends.items()}
    found = {
        way: {
            "coverage": float(held[way].mean()),
            "coverage_ci": list(stats.binomtest(int(held[way].sum()), runs).proportion_ci(method="wilson")),
            "mean_width": float(np.diff(ends[way], axis=1).mean()),
            "mean_width_std_error": float(np.diff(ends[way], axis=1).std() / math.sqrt(runs)),
            "truth_above": float((ends[way][:, 1] < truth).mean()),
            "truth_below": float((ends[way][:, 0] > truth).mean()),
        }
        for way in intervals
    }
    answer = {"setting": setting.name, "estimator": estimator, "truth": truth, "runs": runs, "intervals": found}
    answer["verdicts"] = {
        v: float(np.mean([row["verdict"] == v for row in rows])) for v in ("trust", "caution", "refuse")
    }
    if "t" in held and not held["t"].all():
        missed = [row["verdict"] for row, inside in zip(rows, held["t"], strict=True) if not inside]
        answer["warned_when_t_misses"] = float(np.mean([verdict != "trust" for verdict in missed]))
    return answer


def exact(setting: Setting, least: float = 1e-9) -> dict[str, float]:
    """Coverage and mean width of the usual interval over all logs of conversions that are likelier than `least`.

    A log of two weights and of rewards 0 and 1 is told by three counts: rows of the wanted action, those of them that
    convert, and others that do.
    """
    n, truth = setting.n, truth_of(setting)
    logged, wanted = setting.probabilities()
    (heavy, light, *_), clusters = wanted / logged, Clusters(np.arange(n))
    found = np.zeros(3)  # probability, the same where the truth is held, width
    for tried, converted, others in counts(setting, least):
        weight, reward = np.where(np.arange(n) < tried, heavy, light), np.zeros(n)
        reward[:converted] = reward[tried : tried + others] = 1.0
        given = Weighted(np.zeros(n), weight, (0.0, heavy), reward, (0.0, 1.0))
        low, high = np.clip(likelihood_interval(given, clusters, 0.05), 0.0, 1.0)
        found += chance_of(setting, tried, converted, others) * np.array([1.0, low <= truth <= high, high - low])
    return {"probability": found[0], "coverage": found[1] / found[0], "mean_width": found[2] / found[0]}


def counts(setting: Setting, least: float):
    """Every (rows of the wanted action, converted of them, converted of the others) that is likelier than `least`."""
    rate, of_others = setting.rate * setting.effect, setting.rate
    for tried in np.flatnonzero(stats.binom.pmf(np.arange(setting.n), setting.n, setting.tried) > least):
        for converted in np.flatnonzero(stats.binom.pmf(np.arange(tried + 1), tried, rate) > least):
            others = np.arange(setting.n - tried + 1)
            known = chance_of(setting, tried, converted, None) * stats.binom.pmf(others, setting.n - tried, of_others)
            yield from ((tried, converted, int(k)) for k in np.flatnonzero(known > least))


def chance_of(setting: Setting, tried: int, converted: int, others: int | None) -> float:
    """Of those counts, the last one left open if it is None."""
    known = stats.binom.pmf(tried, setting.n, setting.tried)
    known *= stats.binom.pmf(converted, tried, setting.rate * setting.effect)
    return float(known if others is None else known * stats.binom.pmf(others, setting.n - tried, setting.rate))


def anytime_study(runs: int, n: int, every: int, seed: int, setting: Setting = RARE) -> dict:
    """Share of logs whose anytime bounds, and whose usual t interval, ever leave out the truth at a look."""
    chance, truth, block = np.random.default_rng(seed), truth_of(setting), 20
    logged, wanted = setting.probabilities()
    looks, anytime, usual = np.arange(every - 1, n, every), 0, 0
    for first in range(0, runs, block):
        m = min(block, runs - first)
        action = chance.choice(ACTIONS, (m, n), p=logged)
        weight = (wanted / logged)[action]
        reward = (chance.random((m, n)) < setting.means()[action]).astype(float)
        anytime += int(ever_excluded(weight, reward, truth, 0.05, looks).sum())
        usual += int(t_ever_excludes(weight * reward, truth, looks).sum())
    return {
        "runs": runs, "n": n, "every": every, "anytime": anytime / runs, "t_at_every_look": usual / runs,
        "anytime_ci": list(stats.binomtest(anytime, runs).proportion_ci(method="wilson")),
    }  # fmt: skip


def t_ever_excludes(x: np.ndarray, truth: float, looks: np.ndarray) -> np.ndarray:
    """(m,) whether the fixed-sample interval, read at every look, leaves out the truth at any."""
    count = looks + 1.0
    mean = np.cumsum(x, axis=1)[:, looks] / count
    spread = np.sqrt(np.maximum(np.cumsum(x * x, axis=1)[:, looks] / count - mean**2, 0.0) / count)
    return (np.abs(mean - truth) > stats.norm.isf(0.025) * spread).any(axis=1)


def table(answers: list[dict]) -> str:
    """Coverage and mean width of every interval, one line a setting."""
    ways = list(answers[0]["intervals"])
    lines = [f"{'coverage (mean width)':<34}" + "".join(f"{way[:16]:>18}" for way in ways) + f"{'warned':>9}"]
    for answer in answers:
        cells = [answer["intervals"].get(way) for way in ways]
        shown = "".join(f"{c['coverage']:>10.1%} ({c['mean_width']:.3f})" if c else f"{'-':>18}" for c in cells)
        warned = answer.get("warned_when_t_misses", math.nan)
        lines.append(f"{answer['setting']:<34}{shown}{warned:>9.1%}")
    return "\n".join(lines)


def picture(answers: list[dict], path: Path) -> None:
    """Coverage of every interval in every setting, with 95 % as a line; widths beside it."""
    ways = list(answers[0]["intervals"])
    figure = Figure(figsize=(11, 0.5 * len(answers) + 2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(answers))
    for i, way in enumerate(ways):
        at = rows + 0.12 * (i - (len(ways) - 1) / 2)
        there = [j for j, answer in enumerate(answers) if way in answer["intervals"]]
        found = [answers[j]["intervals"][way] for j in there]
        share = np.array([f["coverage"] for f in found])
        error = np.abs(np.array([f["coverage_ci"] for f in found]).T - share)
        left.errorbar(share, at[there], xerr=error, fmt="o", markersize=4, label=way)
        right.plot([f["mean_width"] for f in found], at[there], "o", markersize=4)
    left.axvline(0.95, color="black", linewidth=0.8)
    left.set(yticks=rows, yticklabels=[a["setting"] for a in answers], xlabel="share of intervals that hold the truth")
    left.invert_yaxis()
    right.set(xlabel="mean width, as a share of the largest reward", xscale="log")
    right.minorticks_off()
    right.set_xticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"])
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(ways))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def everything(chosen: argparse.Namespace) -> tuple[list[dict], dict]:
    """The rare case with every interval, the other settings with two, and the anytime bounds; each told when done."""
    quick = tuple(way for way in INTERVALS if way != "bootstrap")
    rare = study(RARE, chosen.runs, chosen.seed, quick)
    boot = study(RARE, chosen.bootstrap_runs, chosen.seed + 1, ("bootstrap",))
    rare["intervals"]["bootstrap"] = boot["intervals"]["bootstrap"]
    rare["exact"] = exact(RARE)
    print(table([rare]), flush=True, file=sys.stderr)
    anytime = anytime_study(chosen.anytime_runs, 20_000, 100, chosen.seed + 99)
    print(anytime, flush=True, file=sys.stderr)
    robust = study(RARE, chosen.other_runs, chosen.seed + 2, quick[:2], "dr")
    robust["setting"] += ", doubly robust"
    answers = [rare, robust]
    for i, setting in enumerate(RARER + SETTINGS):
        answers.append(study(setting, chosen.other_runs, chosen.seed + 3 + i, quick[:2]))
        print(table(answers[-1:]).splitlines()[-1], flush=True, file=sys.stderr)
    return answers, anytime


def main(argv: list[str] | None = None) -> None:
    """Read the words of the call, run, and say what came out."""
    words = study_words(__doc__, "runs/coverage")
    words.add_argument("--runs", type=int, default=2_000, help="logs of the rare case")
    words.add_argument("--other-runs", type=int, default=500, help="logs of each other setting")
    words.add_argument("--anytime-runs", type=int, default=1_000)
    words.add_argument("--bootstrap-runs", type=int, default=200, help="logs of the rare case that are bootstrapped")
    words.add_argument("--seed", type=int, default=0)
    chosen = words.parse_args(argv)
    answers, anytime = everything(chosen)
    print(table(answers))
    every = answers[0]["exact"]
    print(f"{RARE.name}, over every log: {every['coverage']:.2%} ({every['mean_width']:.4f})")
    print(f"\nlooked at after every 100 rows of 20,000, {anytime['runs']:,} logs:")
    print(f"anytime bounds ever leave out the truth in {anytime['anytime']:.1%}, t in {anytime['t_at_every_look']:.1%}")
    picture(answers, chosen.output / "coverage.png")
    result = {"settings": answers, "anytime": anytime}
    (chosen.output / "coverage.json").write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    run_study(main)
