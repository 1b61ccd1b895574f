"""How fast the regret of the linear bandits grows where a linear model is right.

A fresh linear problem a seed: contexts uniform on the unit sphere, six actions with coefficient vectors of length
one, normal noise. A policy decides for batches of customers and learns from each batch before the next. Cumulative
regret against the best action, known here, grows like a power of the number of decisions; the power is the slope in
log-log over the last nine tenths of the decisions. Linear UCB and Thompson sampling promise about the square root
(Abbasi-Yadkori, Pal & Szepesvari 2011; Agrawal & Goyal 2013); asked is a slope below 0.6. Exploring a fixed share never
ends: slope 1.

    python experiments/regret.py               # 20 seeds, 20,000 decisions each, about two minutes on one core
    python experiments/regret.py --quick --json
"""

import json

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats
from threadpoolctl import threadpool_limits

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.policies import build_policy, sample
from campaignrl.report.figures import png_bytes
from campaignrl.suites import run_cells, run_study, study_words
from campaignrl.tables.files import write_whole

ACTIONS, WIDTH, NOISE, BATCH, ASKED = 6, 8, 0.5, 50, 0.6
FIRST_SEED = 100  # alpha of lin_ucb was chosen with a look at seeds 0 to 7
POLICIES = {
    "lin_ucb": {"kind": "lin_ucb", "l2": 1.0, "explore": 0.0},
    "lin_ts": {"kind": "lin_ts", "l2": 1.0, "explore": 0.0},
    "square_cb": {"kind": "square_cb", "l2": 1.0},
    "reg_cb": {"kind": "reg_cb", "l2": 1.0, "explore": 0.0},
    "bootstrap_ts": {"kind": "bootstrap_ts", "l2": 1.0, "explore": 0.0},
    "lin_epsilon": {"kind": "lin_epsilon", "l2": 1.0, "explore": 0.1},
}
PROMISED = ("lin_ucb", "lin_ts")
CATALOG = crl.Catalog.from_names([f"a{a}" for a in range(ACTIONS)])  # `none` comes first and is never eligible
SCHEMA = FeatureSchema(tuple(Feature(name=f"x{j}", low=-1.0, high=1.0) for j in range(WIDTH)))


def sphere(chance: np.random.Generator, n: int) -> np.ndarray:
    """(n, WIDTH) points of length one."""
    x = chance.standard_normal((n, WIDTH))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def batch_log(context: Context, action: np.ndarray, propensity: np.ndarray, reward: np.ndarray, first: int, mask):
    """One batch as a decision log; customers are numbered from `first` on."""
    n = len(action)
    zeros = np.zeros(n, dtype=np.int64)
    return crl.DecisionLog(
        catalog=CATALOG,
        customers=np.array([str(first + i) for i in range(n)], dtype=object),
        customer=np.arange(n),
        context=context,
        action=action,
        propensity=propensity,
        reward=reward,
        matured=np.ones(n, dtype=bool),
        eligible=mask,
        **{"step": zeros, "day": zeros, "cost": zeros},
    )


def one_run(name: str, seed: int, decisions: int) -> np.ndarray:
    """(batches,) cumulative expected regret. A seed is the same problem, customers and noise for every policy."""
    chance = np.random.default_rng([seed, 1])
    theta, X = sphere(chance, ACTIONS), sphere(chance, decisions)
    noise, u = NOISE * chance.standard_normal(decisions), chance.random(decisions)
    mean = X @ theta.T
    policy = build_policy(POLICIES[name], CATALOG, SCHEMA, seed=seed)
    mask = np.ones((BATCH, ACTIONS + 1), dtype=bool)
    mask[:, 0] = False
    regret = []
    with threadpool_limits(1):
        for start in range(0, decisions, BATCH):
            rows = np.arange(start, start + BATCH)
            context = Context(SCHEMA, {f: X[rows, j] for j, f in enumerate(SCHEMA.names)})
            p = policy.probabilities(context, mask)
            action = sample(p, u[rows])
            reward = mean[rows, action - 1] + noise[rows]
            policy.update(batch_log(context, action, p[np.arange(BATCH), action], reward, start, mask))
            regret.append((mean[rows].max(axis=1) - (p[:, 1:] * mean[rows]).sum(axis=1)).sum())
    return np.cumsum(regret)


def slope(regret: np.ndarray) -> float:
    """Power of growth over the last nine tenths of the decisions, by least squares on points even in log."""
    at = np.unique(np.geomspace(len(regret) / 10, len(regret), 40).astype(int)) - 1
    return float(np.polyfit(np.log(at + 1.0), np.log(regret[at]), 1)[0])


def one_cell(cell: tuple) -> np.ndarray:
    """One run, of what the plan says it is."""
    return one_run(*cell)


def study(seeds: int, decisions: int, workers: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """One row a policy: mean slope with its 95 % interval over seeds, final regret; and the curves (seeds, batches)."""
    jobs = [(name, seed, decisions) for name in POLICIES for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
    found = run_cells(one_cell, jobs, workers)
    curves = {name: np.stack([c for job, c in zip(jobs, found, strict=True) if job[0] == name]) for name in POLICIES}
    rows = {}
    for name, curve in curves.items():
        slopes = np.array([slope(c) for c in curve])
        half = stats.t.ppf(0.975, seeds - 1) * slopes.std(ddof=1) / np.sqrt(seeds)
        final = curve[:, -1]
        rows[name] = {"slope": slopes.mean(), "low": slopes.mean() - half, "high": slopes.mean() + half}
        rows[name] |= {
            "steepest": slopes.max(),
            "regret": final.mean(),
            "share": final.mean() / uniform_regret(decisions),
        }
    return pd.DataFrame(rows).T, curves


def uniform_regret(decisions: int) -> float:
    """Expected regret of a uniform policy, over problems."""
    chance = np.random.default_rng(0)
    mean = np.concatenate([sphere(chance, 200) @ sphere(chance, ACTIONS).T for _ in range(200)])
    return float((mean.max(axis=1) - mean.mean(axis=1)).mean() * decisions)


def picture(curves: dict[str, np.ndarray], table: pd.DataFrame) -> bytes:
    """Regret against decisions, log-log, one line a policy with its seeds' spread."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        at = BATCH * np.arange(1, curve.shape[1] + 1)
        label = f"{name}: slope {table.slope[name]:.2f} [{table.low[name]:.2f}, {table.high[name]:.2f}]"
        (line,) = axes.loglog(at, curve.mean(axis=0), label=label, lw=1.6)
        axes.fill_between(at, *np.quantile(curve, [0.1, 0.9], axis=0), color=line.get_color(), alpha=0.12, lw=0)
    axes.set(xlabel="decisions", ylabel="cumulative regret")
    axes.set_title(f"Regret where a linear model is right: asked is a slope below {ASKED}", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)


def main(argv: list[str] | None = None) -> int:
    """Run, draw, tell; 1 where a promise is not kept."""
    words = study_words(__doc__, "runs/regret", json=True, workers=1)
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument("--decisions", type=int, default=20_000)
    words.add_argument("--quick", action="store_true", help="4 seeds, 2,000 decisions")
    asked = words.parse_args(argv)
    seeds, decisions = (4, 2_000) if asked.quick else (asked.seeds, asked.decisions)
    if seeds < 2 or decisions < 20 * BATCH or decisions % BATCH:
        words.error(f"at least 2 seeds and {20 * BATCH} decisions, in steps of {BATCH}")
    table, curves = study(seeds, decisions, asked.workers)
    kept = bool((table.high[list(PROMISED)] < ASKED).all())
    drawn = asked.output / "regret.png"
    write_whole(drawn, lambda file: file.write(picture(curves, table)))
    facts = {"seeds": seeds, "decisions": decisions, "kept": kept, "picture": str(drawn)}
    facts["policies"] = json.loads(table.to_json(orient="index"))
    text = json.dumps(facts, indent=2)
    write_whole(asked.output / "regret.json", lambda file: file.write(text.encode()))
    if asked.json:
        print(text)
    else:
        print(table.to_string(float_format="{:.3f}".format))
        print(f"upper ends of {' and '.join(PROMISED)} below {ASKED}: {'yes' if kept else 'NO'}; picture: {drawn}")
    return 0 if kept else 1


if __name__ == "__main__":
    run_study(main)
