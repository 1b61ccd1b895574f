"""A published table, measured again: how far off bandit estimates are, on the digits that scikit-learn brings.

A classification set with known answers becomes a bandit log: 70 % of the 1,797 digits are "customers", the ten classes
are "actions", and the reward is 1 for the right class. Logged by a logistic regression followed 40 % of the time, else
at random; valued is a random forest followed 90 % of the time. Each run splits, logs and estimates anew; what is told
is the error relative to the true value, mean and standard deviation over runs, beside the table in the README of Open
Bandit Pipeline's multi-class example.

    python experiments/digits.py                 # 30 runs, half a minute
    python experiments/digits.py --runs 3 --json
"""

import json

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, train_test_split
from threadpoolctl import threadpool_limits

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.report.figures import Panel, Spot, panels, png_bytes
from campaignrl.suites import run_cells, run_study, study_words
from campaignrl.tables.files import write_whole

CLASSES, SEED = 10, 12345
# Mean and standard deviation of the relative error, 30 runs, seed 12345. Its switch_dr and dros are tuned by SLOPE.
PUBLISHED = {
    "dm": (0.436541, 0.017629),
    "ips": (0.030288, 0.024506),
    "snips": (0.022764, 0.017917),
    "dr": (0.016156, 0.012679),
    "sndr": (0.022082, 0.016865),
    "switch_dr": (0.034657, 0.018575),
    "dros": (0.015868, 0.012537),
}
MODEL = {"max_iter": 30, "learning_rate": 0.01, "max_depth": 5, "min_samples_leaf": 10, "random_state": SEED}
FOREST = {"n_estimators": 30, "max_depth": 5, "min_samples_leaf": 10, "random_state": SEED}
PIXELS = FeatureSchema(tuple(Feature(name=f"pixel{j}", high=16.0) for j in range(64)))
CATALOG = crl.Catalog.from_names([f"digit{c}" for c in range(CLASSES)])  # `none` comes first and is never eligible


def followed(classifier, share: float, learn, value) -> np.ndarray:
    """(n, 10) probabilities of a policy that does what the classifier says `share` of the time, else anything."""
    p = np.full((len(value), CLASSES), (1.0 - share) / CLASSES)
    p[np.arange(len(value)), classifier.fit(*learn).predict(value)] += share
    return p


def predictions(X: np.ndarray, action: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """(n, 10) rewards by gradient boosting on pixels and action, cross-fitted in three."""
    q, one_hot = np.empty((len(X), CLASSES)), np.eye(CLASSES)
    for train, test in KFold(3, shuffle=True, random_state=SEED).split(X):
        model = HistGradientBoostingClassifier(**MODEL).fit(np.c_[X[train], one_hot[action[train]]], reward[train])
        for c in range(CLASSES):
            q[test, c] = model.predict_proba(np.c_[X[test], np.tile(one_hot[c], (len(test), 1))])[:, 1]
    return q


def one_run(seed: int) -> dict[str, float]:
    """Relative errors of all estimators in one run."""
    with threadpool_limits(1):
        X, y = load_digits(return_X_y=True)
        learn_X, X, learn_y, y = train_test_split(X, y, test_size=0.7, random_state=seed)
        logging = followed(LogisticRegression(max_iter=10_000, C=100, random_state=SEED), 0.4, (learn_X, learn_y), X)
        target = followed(RandomForestClassifier(**FOREST), 0.9, (learn_X, learn_y), X)
        u = np.random.RandomState(seed).random_sample(len(y))  # the draws of the published runs
        action = (logging.cumsum(axis=1) <= u[:, None]).sum(axis=1)
        action, rows = np.minimum(action, CLASSES - 1), np.arange(len(y))
        log, reward = decision_log(X, action, logging[rows, action], (action == y).astype(float)), (action == y)
        p, q = (np.insert(a, 0, 0.0, axis=1) for a in (target, predictions(X, action, reward.astype(float))))
        found = crl.evaluate(log, p, q=q, estimators=tuple(PUBLISHED), tuning="slope")
    truth = target[rows, y].mean()
    return {name: abs(found.estimates[name].value - truth) / truth for name in PUBLISHED}


def decision_log(X: np.ndarray, action: np.ndarray, propensity: np.ndarray, reward: np.ndarray) -> crl.DecisionLog:
    """Digits as customers of one decision each."""
    n = len(X)
    whole, eligible = np.zeros(n, dtype=np.int64), np.ones((n, CLASSES + 1), dtype=bool)
    eligible[:, 0] = False
    return crl.DecisionLog(
        catalog=CATALOG,
        customers=np.array([f"image{i}" for i in range(n)], dtype=object),
        customer=np.arange(n),
        context=Context(PIXELS, {name: X[:, j] for j, name in enumerate(PIXELS.names)}),
        action=action + 1,
        propensity=propensity,
        reward=reward,
        matured=np.ones(n, dtype=bool),
        eligible=eligible,
        meta={"policy_id": "logistic regression, 40 %", "reward": "right class"},
        **{"step": whole, "day": whole, "cost": whole},
    )


def study(runs: int, workers: int) -> pd.DataFrame:
    """One row an estimator: measured and published error, and whether they agree within three standard errors."""
    errors = pd.DataFrame(run_cells(one_run, range(runs), workers))
    table = pd.DataFrame({"error": errors.mean(), "std": errors.std(ddof=1)})
    table["published"] = [PUBLISHED[name][0] for name in table.index]
    table["allowed"] = [3 * PUBLISHED[name][1] / np.sqrt(min(runs, 30)) for name in table.index]
    table["agrees"] = (table.error - table.published).abs() <= table.allowed
    return table


def in_order(error: pd.Series) -> bool:
    """DR and DRos < SNIPS < IPS << DM."""
    best = max(error["dr"], error["dros"])
    return bool(best < error["snips"] < error["ips"] < 0.2 * error["dm"])


def picture(table: pd.DataFrame, runs: int) -> bytes:
    """Measured beside published errors; the bar is three standard errors of the published mean."""
    table = table.sort_values("published")
    half = 3 * table["std"] / np.sqrt(runs)
    ours = [Spot(*row) for row in zip(table.error, table.error - half, table.error + half, strict=True)]
    theirs = [
        Spot(value, value - room, value + room, 1) for value, room in zip(table.published, table.allowed, strict=True)
    ]
    unit = "relative error of the estimated value"
    close = (0.0, 0.06)  # dm lies far to the right
    columns = [Panel(f"measured, {runs} runs", unit, ours, limits=close)]
    columns.append(Panel("published, 30 runs", unit, theirs, limits=close))
    headline = f"Relative errors on digits: {table.agrees.sum()} of {len(table)} estimators as far off as published, "
    headline += "in the published order" if in_order(table.error) else "NOT in the published order"
    groups = {"estimator": table.index.tolist()}
    return png_bytes(panels(headline, groups, columns, "bars: three standard errors of the mean"))


def main(argv: list[str] | None = None) -> int:
    """Run, draw, tell; 1 where the table does not come out as published."""
    words = study_words(__doc__, "runs/digits", json=True, workers=2)
    words.add_argument("--runs", type=int, default=30)
    asked = words.parse_args(argv)
    if asked.runs < 2:
        words.error("--runs must be at least 2: one run has no spread")
    table = study(asked.runs, asked.workers)
    ordered, drawn = in_order(table.error), asked.output / "digits.png"
    facts = {"runs": asked.runs, "in_order": ordered, "agree": bool(table.agrees.all())}
    facts |= {"estimators": json.loads(table.to_json(orient="index")), "picture": str(drawn)}
    write_whole(drawn, lambda file: file.write(picture(table, asked.runs)))
    text = json.dumps(facts, indent=2)
    write_whole(asked.output / "digits.json", lambda file: file.write(text.encode()))
    if asked.json:
        print(text)
    else:
        print(table.to_string(float_format="{:.4f}".format))
        print(f"DR and DRos < SNIPS < IPS << DM: {'yes' if ordered else 'NO'}; picture: {drawn}")
    return 0 if ordered and table.agrees.all() else 1


if __name__ == "__main__":
    run_study(main)
