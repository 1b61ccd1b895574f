"""Thresholds and defaults of the evaluator that published figures rest on: changing one changes what is reported."""

import enum
import importlib
import inspect
import math
import pkgutil

import pytest

import campaignrl.ope as ope
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.episodes.registry import SEQUENTIAL
from campaignrl.ope.methods.registry import ESTIMATORS, STREAMED
from campaignrl.ope.streaming.estimates import SHARED, own_columns

CONSTANTS = {
    "comparison.ahead": {"FEWEST_DAYS": 4},
    "comparison.personalisation": {"MATTERS": 0.25},
    "comparison.policies": {"BANDS": 4, "HALVINGS": 40, "NARROW": 0.9999},
    "data.blocks": {"NUMBERS": 1 << 18},
    "data.log_sample": {"WINDOW": 256, "LEAST": 16_384, "SHARE": 32, "MOST": 262_144},
    "data.states": {"FADES": (0.6, 0.9), "MANY": 24},
    "data.trajectories": {"ENDED": -1},
    "diagnostics.balance": {"SAID": 3},
    "diagnostics.cells": {
        "QUARTERS": (0.25, 0.5, 0.75),
        "LEVELS": 24,
        "DAYS": (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875),
        "LOOKED_AT": 2048,
        "FEW": 30,
        "CROSSED": 4096,
    },
    "diagnostics.few_events": {"FEW": 25.0},
    "diagnostics.hardly_tried": {"UNHEARD": 5.0},
    "diagnostics.influence": {"ALONE": 0.9, "ENOUGH": 30},
    "diagnostics.never_tried": {"CHANCE": 1e-6, "DUE": 50.0, "FEW": 30, "SHOWN": 5},
    "diagnostics.over_time": {
        "STRETCHES": 8,
        "ENOUGH": 200,
        "ACTIONS": 6,
        "WANTED": 0.05,
        "NEWEST": (0.015625, 0.03125, 0.0625, 0.125, 0.25),
        "MISSING": 0.6,
        "SEASON": 0.75,
        "FALLING": 0.9,
        "LEAST_DF": 8.0,
    },
    "diagnostics.repeats": {"ODD": 11_400_714_819_323_198_485},
    "diagnostics.robust": {"TAIL": 0.005, "LEAST": 5},
    "diagnostics.sensitivity": {
        "GAMMAS": (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0),
        "MOST": 50.0,
        "HALVINGS": 24,
        "MOST_ROWS": 131_072,
        "LOOKED_AT": 65_536,
    },
    "diagnostics.verdict": {
        "ESS_REFUSE": 100,
        "ESS_CAUTION": 1000,
        "SHARE_CAUTION": 0.05,
        "SHARE_REFUSE": 0.2,
        "CUSTOMERS_REFUSE": 30,
        "CUSTOMERS_CAUTION": 50,
        "P_ALARM": 0.001,
        "MEAN_WEIGHT_REFUSE": 0.1,
        "OFF_SUPPORT_REFUSE": 0.01,
        "FEW_OUTCOMES": 30,
        "DROPPED_CAUTION": 0.2,
        "CLIPPED_CAUTION": 0.05,
        "EXPLAINS": 2.0,
    },
    "episodes.evaluate": {"SHARES": (0.1, 0.5, 0.9)},
    "episodes.support_horizon": {"FAR": 3.3, "ENDED_CAUTION": 0.2, "TOLD": 200},
    "estimators.marginal_weights": {"SAME": 1e-6},
    "estimators.weights": {"CERTAIN": 1.0 - 1e-12, "MIXES": (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)},
    "intervals.asymptotic_sequences": {
        "FIRST": 0.05,
        "PATHS": 8000,
        "STEPS": 400,
        "FEW": 16,
        "FALL": 1.5,
        "SAFE": 0.8,
    },
    "intervals.betting": {"MOST": 0.5, "HALVINGS": 50},
    "intervals.bootstrap": {"RESAMPLES": 1000},
    "intervals.confidence_sequences": {"MIXED": 1.0, "GROWTH": 1.1, "DECAY": 1.1, "HALVINGS": 50},
    "intervals.empirical_likelihood": {"_TRIES": 10, "_TINY": 1e-12, "_FLAT": 1e-15},
    "intervals.regression_t": {"_FLAT": 1e-9, "_ROOM": 0.05, "_BOTH": 4, "_BALANCED": 2.0, "_SYMMETRIC": 1.0 / 3.0},
    "leaks": {
        "UNSEEN": 0.5,
        "ALL": 0.7,
        "ROWS": 20_000,
        "FOREST": {"n_estimators": 20, "min_samples_leaf": 10, "random_state": 0},
    },
    "methods.likelihood_of_rows": {"KEPT": 8},
    "methods.registry": {"HEAVY": 10.0},
    "methods.shrinkage": {"GRID": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf), "LEVEL": 0.1},
    "methods.weight_histogram": {"LEAST": -10, "MOST": 40, "PER_DOUBLING": 2, "BINS": 100},
    "methods.weighted_mean": {"SPEAKING": 100.0, "EVENTS": 30.0},
    "nuisance.density_ratios": {"PENALTY": 1.0, "LARGEST": 100.0},
    "nuisance.few_states": {"ROWS_A_PAIR": 10, "A_ROW": 0.2, "GLANCE": 4096},
    "nuisance.fqe": {"APART": 300},
    "nuisance.logging_policy": {"CLOSE": 1e-3},
    "nuisance.minimax_ratios": {"PENALTY": 1.0},
    "nuisance.pooled_loggers": {"SAME": 1e-9},
    "nuisance.propensity_error": {"MOST": 1200},
    "nuisance.propensity_features": {"MOST_WAVES": 24, "STRETCHES": 8, "MOST_SQUARED": 16, "LOOKED_AT": 20_000},
    "nuisance.propensity_model": {
        "MAX_ROWS": 100_000,
        "PRIOR": 1.0,
        "BINS": 10,
        "PENALTY": 1.0,
        "MAX_SQUARED_ROWS": 20_000,
        "ROWS_A_SQUARE": 20,
        "LIKELIER": 3.0,
    },
    "nuisance.q_models": {"REFRESH": 10, "HELD": 400_000_000},
    "nuisance.reward_models": {
        "MAX_ROWS": 200_000,
        "MAX_LEVELS": 255,
        "L2_GRID": (1.0, 10.0, 100.0),
        "CHOICE_ROWS": 20_000,
        "NEWTON_STEPS": 12,
        "TREES": {"random_state": 0, "max_leaf_nodes": 6, "min_samples_leaf": 50},
        "STOPPING": 50,
        "MODELS": tuple(b + m for b in ("", "calibrated_") for m in ("ridge", "logistic", "boosting")),
    },
    "streaming.model": {"SAMPLE": 1_000_000},
    "streaming.rows": {"FIRST": 65_536},
    "streaming.sums": {"KEYS_KEPT": 1_048_576, "TOGETHER": 0, "_PLACES": 51, "_LEAST": -8, "_HALVES": 34},
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_figures_that_results_rest_on(name):
    module = importlib.import_module(f"campaignrl.ope.{name}")
    assert {constant: getattr(module, constant) for constant in CONSTANTS[name]} == CONSTANTS[name]


def everything():
    """Every function, class and method of ope, its own ones, by its dotted name."""
    for found in pkgutil.walk_packages(ope.__path__, "campaignrl.ope."):
        module = importlib.import_module(found.name)
        for name, one in vars(module).items():
            if callable(one) and getattr(one, "__module__", "") == found.name:
                place = f"{found.name.removeprefix('campaignrl.ope.')}.{name}"
                yield place, one
                parts = vars(one).items() if inspect.isclass(one) and not issubclass(one, enum.Enum) else ()
                own = ((n, getattr(m, "__func__", m)) for n, m in parts if not n.startswith("__"))
                yield from ((f"{place}.{n}", m) for n, m in own if inspect.isfunction(m))


# One word means one thing: what it stands for when it is left out is the same wherever it may be given.
DEFAULTS = {
    "alpha": 0.05,
    "days": 28,
    "freedom": 0.0,
    "skewness": 0.0,
    "seed": 0,
    "mix": 1.0,
    "discount": 1.0,
    "margin": 0.0,
    "null": 0.0,
    "offset": 0.0,
    "slope": 0.0,
    "share": 1.0,
    "least": 0.0,
    "largest": 1.0,
    "learned_from": 0.0,
    "resamples": 200,
    "workers": 1,
    "risk": False,
    "spread": False,
    "marginal": False,
    "batches": False,
    "bins": 10,
    "given": False,
    "hardly_tried": 0.0,
    "k": 1,
    "least_error": 0.0,
    "logged": False,
    "minimax": False,
    "model": False,
    "one_sided": False,
    "own_rows": False,
    "pooled": False,
    "robust": False,
    "rows": 200_000,
    "sample": 1_000_000,
    "whole": False,
    "with_products": False,
    "goes_on": False,
    "own_model": False,
    "likelihood": False,
    "weights": True,
}
FOLDS = {
    "nuisance.density_ratios.state_ratios": 3,
    "nuisance.fqe.fitted_q": 3,
    "nuisance.minimax_ratios.minimax_ratios": 3,
}  # of trajectories; else of customers
OTHERS = {
    ("episodes.support_horizon.lasting_steps", "least"): 100,
    ("diagnostics.evidence.log_wealth", "most"): 1.0,
    ("diagnostics.evidence.wealthy", "most"): 1.0,
    ("diagnostics.over_time.Days.of", "most"): 8,
}


def test_what_is_left_out_means_the_same_everywhere():
    seen = set()
    for name, one in everything():
        try:
            arguments = inspect.signature(one).parameters.values()
        except ValueError:  # an enumeration or an alias
            continue
        for argument in arguments:
            value = argument.default
            if not isinstance(value, bool | int | float):
                continue
            wanted = FOLDS.get(name, 5) if argument.name == "folds" else DEFAULTS.get(argument.name)
            wanted = OTHERS.get((name, argument.name), wanted)
            if wanted is not None:
                assert value == wanted, (name, argument.name)
                assert type(value) is type(wanted), (name, argument.name)
                seen.add(argument.name)
    assert seen >= {*DEFAULTS, "folds"} - {"spread"}


def test_what_each_estimator_leans_on():
    """Reward model, importance weights, empirical likelihood, a model of its own, what holds heavy weights back."""
    table = {
        "dm": (True, False, False, False, None),
        "ips": (False, True, True, False, None),
        "ips_clip": (False, True, False, False, 10.0),
        "snips": (False, True, True, False, None),
        "dr": (True, True, True, False, None),
        "sndr": (True, True, True, False, None),
        "dros": (True, True, False, False, 100.0),
        "switch_dr": (True, True, False, False, 10.0),
        "sg_ips": (False, True, False, False, 10.0),
        "sg_dr": (True, True, False, False, 10.0),
        "mr": (False, True, False, False, None),
        "balanced": (True, True, True, False, None),
        "stabilised": (True, True, False, False, None),
        "mips_offer": (False, True, True, False, None),
        "mips_channel": (False, True, True, False, None),
        "offcem": (True, True, True, False, None),
        "pi": (False, True, False, False, None),
        "mrdr": (True, True, True, True, None),
    }
    found = {
        name: (e.model, e.weights, e.likelihood, e.own_model, e.held and e.held.usual) for name, e in ESTIMATORS.items()
    }
    assert found == table
    squares = tuple(s**2 for s in CONSTANTS["methods.shrinkage"]["GRID"])
    grids = {name: e.held.grid for name, e in ESTIMATORS.items() if e.held}
    assert grids == {
        "ips_clip": CONSTANTS["methods.shrinkage"]["GRID"],
        "switch_dr": grids["ips_clip"],
        "dros": squares,
        "sg_ips": grids["ips_clip"],
        "sg_dr": grids["ips_clip"],
    }
    leans = {name: (e.model, e.marginal, e.goes_on, e.minimax) for name, e in SEQUENTIAL.items()}
    assert leans == {
        "pdis": (False, False, False, False),
        "wpdis": (False, False, False, False),
        "sdr": (True, False, False, False),
        "wdr": (True, False, True, False),
        "fqe": (True, False, True, True),
        "drl": (True, False, False, True),
        "msis": (False, True, False, False),
    }


def test_which_sums_make_the_estimators_of_a_stream():
    found = {formula.__name__: terms for formula, terms in SHARED.items()}
    one = {name: (dict(t.above), t.below and dict(t.below), dict(t.base)) for name, t in found.items()}
    assert one == {
        "dm": ({"expected": 1.0}, None, {}),
        "ips": ({"earned": 1.0}, None, {}),
        "snips": ({"earned": 1.0}, {"weight": 1.0}, {}),
        "dr": ({"dr": 1.0}, None, {}),
        "sndr": ({"dr": 1.0, "expected": -1.0}, {"weight": 1.0}, {"expected": 1.0}),
    }
    assert set(own_columns("dros").values()) == {"above"}


def test_levels_of_findings_are_in_order():
    assert {level.name: int(level) for level in Level} == {"NOTE": 0, "CAUTION": 1, "REFUSE": 2}


def test_sums_over_parts_are_enough_for_those_that_need_neither_marginals_nor_a_model_nor_all_rows():
    whole = {"mips_offer", "mips_channel", "offcem", "pi", "mrdr", "mr", "balanced", "stabilised"}
    assert {name for name, estimator in ESTIMATORS.items() if not estimator.adds_up} == whole
    assert set(STREAMED) == set(ESTIMATORS) - whole
