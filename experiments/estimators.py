"""How far off each estimator is: by sample size, number of actions and overlap, against a truth that is known.

A made market: 5 offers on K / 5 channels; what a customer brings depends on them and the offer (and, if asked, on the
channel), plus noise. Logged is a softmax policy, valued a sharper one. Told is the root mean squared error over runs.
As in Saito & Joachims (2022, ICML): with many actions mips_offer beats dr and ips by far, and loses where the channel
matters too. Then one decision in the world `ecommerce`, whose true value the simulator knows.

    python experiments/estimators.py --runs 30
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.report.figures import MUTED, SERIES, png_bytes
from campaignrl.suites import run_study, study_words
from campaignrl.tables.files import write_whole
from campaignrl.true_value import decision_value

SHOWN = ("dm", "ips", "snips", "dr", "dros", "mips_offer", "offcem")
OFFERS, NOISE, FAR = 5, 1.0, 1_000_000_000  # FAR: seeds of the truth, away from those of the runs
SCHEMA = FeatureSchema(tuple(Feature(name=f"x{j}", low=-4.0, high=4.0) for j in range(3)))


class Market(NamedTuple):
    """One setting of the study; the first of each kind is the usual one."""

    rows: int = 2_000
    actions: int = 50  # besides `none`, which is never eligible here
    sharpness: float = 1.0  # of the valued policy; 0: it is random, 3: it hardly does what the log tried
    channel_effect: float = 0.0


STUDIES: dict[str, tuple[str, list[Market]]] = {
    "sample size": ("rows", [Market(rows=n) for n in (500, 2_000, 8_000)]),
    "actions": ("actions", [Market(actions=k) for k in (10, 50, 250, 1_000)]),
    "overlap": ("sharpness", [Market(sharpness=s) for s in (0.0, 1.0, 3.0)]),
    "channel matters": ("channel_effect", [Market(channel_effect=c) for c in (0.0, 0.5, 1.0)]),
}


def one_run(market: Market, seed: int) -> dict[str, float]:
    """Estimate less truth, of every estimator."""
    chance, k, n = np.random.default_rng(seed), market.actions, market.rows
    fixed = np.random.default_rng(FAR + k)  # the market itself is the same in all runs
    offer, channel = np.arange(k) % OFFERS, np.arange(k) // OFFERS
    of_offer, of_channel = fixed.normal(size=(3, OFFERS)), fixed.normal(size=k // OFFERS)
    X = chance.normal(size=(n, 3))
    mean = (X @ of_offer)[:, offer] + market.channel_effect * of_channel[channel]
    logging = softmax(-0.5 * mean + fixed.normal(size=k))
    target = softmax(market.sharpness * (mean + fixed.normal(size=k)))
    action = np.minimum((logging.cumsum(axis=1) <= chance.random(n)[:, None]).sum(axis=1), k - 1)
    reward = mean[np.arange(n), action] + NOISE * chance.normal(size=n)
    log = decision_log(X, offer, channel, action, logging[np.arange(n), action], reward)
    p, b = (np.insert(each, 0, 0.0, axis=1) for each in (target, logging))
    found = crl.evaluate(log, p, estimators=SHOWN, logging=b).estimates
    truth = float((target * mean).sum(axis=1).mean())
    return {name: found[name].value - truth for name in SHOWN}


def softmax(scores: np.ndarray) -> np.ndarray:
    """(n, k) -> (n, k), rows sum to 1."""
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def decision_log(X, offer, channel, action, propensity, reward) -> crl.DecisionLog:
    """One decision a customer; `none` is not eligible."""
    n, k = len(X), len(offer)
    catalog = crl.Catalog.from_names([f"o{o}@c{c}" for o, c in zip(offer, channel, strict=True)])
    whole = np.zeros(n, dtype=np.int64)
    return crl.DecisionLog(
        catalog=catalog,
        customers=np.array([f"c{i}" for i in range(n)], dtype=object),
        customer=np.arange(n),
        context=Context(SCHEMA, {name: X[:, j] for j, name in enumerate(SCHEMA.names)}),
        action=action + 1,
        propensity=propensity,
        reward=reward,
        matured=np.ones(n, dtype=bool),
        eligible=np.broadcast_to(np.arange(k + 1) > 0, (n, k + 1)),
        **{"step": whole, "day": whole, "cost": whole},
    )


def made_markets(runs: int) -> Iterator[dict]:
    """One row a study, setting and estimator: mean squared error, its standard error, and bias."""
    for study, (axis, markets) in STUDIES.items():
        for market in markets:
            errors = pd.DataFrame([one_run(market, seed) for seed in range(runs)])
            for name in SHOWN:
                square = errors[name] ** 2
                found = {"mse": square.mean(), "mse_error": square.std(ddof=1) / runs**0.5, "bias": errors[name].mean()}
                yield {"study": study, "axis": axis, "at": getattr(market, axis), "estimator": name, **found}


def shop(runs: int, sizes: tuple[int, ...]) -> Iterator[dict]:
    """The same in `ecommerce`: one decision by `rules` where uniform logs, ten days, a day's outcome."""
    world = crl.load_world("ecommerce", horizon=10, outcome_days=1)
    truth = decision_value(world, "rules", "uniform", customers=200_000, seed=FAR).value
    names = ("dm", "ips", "snips", "dr", "mips_offer", "mips_channel", "offcem")
    for customers in sizes:
        errors = []
        for seed in range(runs):
            log = crl.simulate(world, "uniform", customers=customers, seed=seed)
            found = crl.evaluate(log, "rules", estimators=names).estimates
            errors.append({name: found[name].value - truth for name in names})
        for name, column in pd.DataFrame(errors).items():
            found = {"mse": (column**2).mean(), "mse_error": (column**2).std(ddof=1) / runs**0.5, "bias": column.mean()}
            yield {"study": "ecommerce", "axis": "customers", "at": customers, "estimator": name, **found}


def picture(table: pd.DataFrame) -> Figure:
    """Root mean squared error over each axis, one line an estimator."""
    studies = list(dict.fromkeys(table.study))
    figure = Figure(figsize=(3.3 * len(studies), 3.6), layout="constrained")
    styles = dict(zip(dict.fromkeys(table.estimator), [*zip(SERIES, "osv^DP", strict=True), (MUTED, "x"), ("k", "+")],
                      strict=False))  # fmt: skip
    for axes, study in zip(figure.subplots(1, len(studies), squeeze=False)[0], studies, strict=True):
        part = table[table.study == study]
        for name, rows in part.groupby("estimator", sort=False):
            colour, marker = styles[name]
            axes.plot(range(len(rows)), rows.mse**0.5, color=colour, marker=marker, label=name, ms=5, lw=1.2)
        axes.set_xticks(range(part["at"].nunique()), [f"{x:g}" for x in dict.fromkeys(part["at"])])
        axes.set(title=study, xlabel=part.axis.iloc[0].replace("_", " "), yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("root mean squared error")
    handles = {h.get_label(): h for axes in figure.axes for h in axes.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncol=len(handles), frameon=False)
    return figure


def main(argv: list[str] | None = None) -> None:
    """Run, draw, tell."""
    words = study_words(__doc__, "runs/estimators", json=True)
    words.add_argument("--runs", type=int, default=30)
    words.add_argument(
        "--customers", type=int, nargs="*", default=[500, 2_000, 8_000], help="of the shop; none: leave out"
    )
    asked = words.parse_args(argv)
    if asked.runs < 2:
        words.error("--runs must be at least 2: one run has no spread")
    table = pd.DataFrame([*made_markets(asked.runs), *shop(asked.runs, tuple(asked.customers))])
    drawn = asked.output / "estimators.png"
    write_whole(drawn, lambda file: file.write(png_bytes(picture(table))))
    if asked.json:
        print(json.dumps({"rows": json.loads(table.to_json(orient="records")), "picture": str(drawn)}, indent=2))
    else:
        print("root mean squared error\n")
        wide = table.assign(rmse=table.mse**0.5).pivot_table(
            index=["study", "at"], columns="estimator", values="rmse", sort=False
        )
        wide = wide.reindex(pd.MultiIndex.from_frame(table[["study", "at"]].drop_duplicates()))
        print(wide.to_string(float_format="{:.4f}".format, na_rep="-"), f"\n\npicture: {drawn}")


if __name__ == "__main__":
    run_study(main)
