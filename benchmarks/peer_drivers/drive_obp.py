"""Open Bandit Pipeline (Saito et al. 2021): `drive_obp.py CASE`. Torch, which it imports, is stood in for."""

import sys
from functools import partial

from stand_in import stand_in_for

stand_in_for("torch", "seaborn", "matplotlib", "pingouin", "pyieoe", "mypy_extensions")

import numpy as np  # noqa: E402
from obp import ope  # noqa: E402
from rounds import best, report, rounds  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402

SIX = (
    ope.InverseProbabilityWeighting,
    ope.SelfNormalizedInverseProbabilityWeighting,
    ope.DirectMethod,
    ope.DoublyRobust,
    ope.SwitchDoublyRobust,
    ope.DoublyRobustWithShrinkage,
)


def evaluation(n: int, k: int):
    """Its six estimators on n rounds, and what they are asked with."""
    data = rounds(n, k)
    feedback = {
        "n_rounds": n,
        "n_actions": k,
        "position": None,
        "context": np.zeros((n, 1)),
        **{name: data[name] for name in ("action", "reward", "pscore")},
    }
    asked = {"action_dist": data["pi"][:, :, None], "estimated_rewards_by_reg_model": data["q"][:, :, None]}
    estimators = [kind(lambda_=10.0) if kind in SIX[-2:] else kind() for kind in SIX]
    return ope.OffPolicyEvaluation(bandit_feedback=feedback, ope_estimators=estimators), asked


def values(n: int, k: int) -> dict:
    """Point estimates only."""
    six, asked = evaluation(n, k)
    return best(partial(six.estimate_policy_values, **asked), 2)


def intervals(n: int, k: int) -> dict:
    """Values and intervals by 100 bootstrap samples."""
    six, asked = evaluation(n, k)
    return best(partial(six.estimate_intervals, **asked, n_bootstrap_samples=100, random_state=0), 2)


def fitted(n: int, k: int, model) -> dict:
    """Its regression model of six features and the action, cross-fitted in five parts, then the six estimators."""
    six, asked = evaluation(n, k)
    chance = np.random.default_rng(2)
    context = np.c_[chance.random((n, 5)), chance.integers(0, 3, n)]
    known = {name: six.bandit_feedback[name] for name in ("action", "reward")}

    def whole() -> None:
        regression = ope.RegressionModel(n_actions=k, base_model=model)
        q = regression.fit_predict(context=context, **known, n_folds=5, random_state=0)
        six.estimate_policy_values(action_dist=asked["action_dist"], estimated_rewards_by_reg_model=q)

    return best(whole, 2)


CASES = {
    "ridge": lambda: fitted(100_000, 20, Ridge()),
    "logistic": lambda: fitted(100_000, 20, LogisticRegression(max_iter=1000)),
    "values": partial(values, 1_000_000, 20),
    "intervals": partial(intervals, 100_000, 20),
}

report(CASES[sys.argv[1]]())
