"""Figures and defaults that runs, files and worlds rest on: changing one changes what is decided, written or read.

Those of the evaluator stand in test_ope_constants.py, those of the effects of a world in test_effects_defaults.py.
"""

import datetime
import importlib
import inspect
import math

import numpy as np
import pytest

DAY_ZERO = datetime.date(1970, 1, 1)
FIGURES = {
    "guard.allocation": {"LEAST": (("channel", "at least of ", -1), ("offer", "at least of ", -1))},
    "guard.columns": {"STALE_SHARE": 0.5},
    "guard.dates": {"EPOCH": DAY_ZERO},
    "guard.dual_prices": {
        "FIRST_ROWS": 4096,
        "GROWTH": 16,
        "STEPS": 200,
        "AGAIN": 1e-6,
        "SAMPLED": 1e-4,
        "FIRST_BOX": 0.1,
        "LATER_BOX": 0.02,
        "BOLD": 0.5,
        "CUTS": 64,
    },
    "guard.integral_plan": {"ROUNDS": 24, "ONE_BY_ONE": 2048},
    "guard.least_shares": {"DIGITS": 6},
    "guard.quiet_hours": {"DAY": 1440, "MINUTE": datetime.timedelta(seconds=60)},
    "send.audit": {"EVER": 2_932_896},  # 9999-12-31
    "send.draw": {"FEW": 64},
    "send.explain": {"BACKGROUND": 24, "ORDERS": 8, "STEPS": 21, "SHOWN": 5},
    "send.plans.plan": {"OLD": 90, "NAMED": 3},
    "send.recount": {"FIRST": 5, "SIMULATED": 3660, "WIDTH": 4_294_967_296},
    "send.shards.engines": {"LOST": 20.0},
    "send.shards.job": {"SHARD": 32_768},
    "send.shards.run": {"FORMAT": 1, "STEPS": 3},
    "send.value_plan": {"POINTS": 12},
    "ledger.chain": {"SIZE": 16, "EPOCH": DAY_ZERO},
    "ledger.delta_tables": {"HELD": 16, "ROW_GROUP": 32_768, "FILE_ROWS": 1_048_576},
    "ledger.folder": {"FORMAT": 2, "SALT": 16, "EPOCH": DAY_ZERO},
    "ledger.incoming": {"LARGEST": 1e9},
    "ledger.log_view": {"LEAST": 6, "NEVER": -2_147_483_648},
    "ledger.schemas": {"RUN_PREFIX": 13},
    "policies.choice": {"ROWS_IN_CACHE": 2048},
    "tables.databases.sqlite": {"EXACT": 9_007_199_254_740_992},
    "tables.files.containers": {"MEMBERS": 1000, "LARGEST": 21_474_836_480},
    "tables.files.csv_text": {"DENSEST": 500, "SMALLEST": 1_048_576, "LONGEST": 1_048_576},
    "tables.files.encodings": {"SAMPLE": 65_536, "TELLING": 20, "SOUND": 4},
    "tables.files.expressions": {"MAX_LENGTH": 1000, "MAX_DEPTH": 50},
    "tables.files.whole_files": {"ROW_GROUP": 131_072},
    "tables.files.workbooks": {"TITLES": 20},
    "tables.foreign.as_written": {"LOOKED_AT": 65_536},
    "tables.foreign.contexts": {"MAX_LEVELS": 1000},
    "tables.foreign.log": {"MICROSECONDS": 86_400_000_000, "MOST_COST": 9_007_199_254_740_992.0},
    "tables.foreign.repeated_rows": {"TELLING": 5, "ALIKE": 0.9, "ALIKE_OF_MANY": 0.2, "FEW": 10},
    "tables.log.columns": {"FEW_NAMES": 4096, "MASKED_AT_ONCE": 4096},
    "tables.log.customer_sketch": {"KEPT": 256, "_WIDTH": 16},
    "tables.log.decision_log": {"LEAST_PROPENSITY": 1e-100, "MOST_REWARD": 1e100},
    "tables.log.files": {"FORMAT": 1, "LOOKED_AT": 4096},
    "tables.rule_columns": {
        "FULL": 9_007_199_254_740_992,
        "NO_DAY": -2_147_483_648,
        "MILLIONTHS": 1_000_000,
        "NOT_HELD": 0,
        "HELD": 1,
        "UNCLEAR": 2,
    },
    "tables.suppression": {"LEAST_KNOWN": 0.5},
    "dynamics.advance": {"_ZERO": 0.0, "_ONE": 1.0, "_TODAY": 1},
    "dynamics.customers": {"NO_OFFER": -1, "MOST_ORDERS": 25_000},
    "dynamics.lifetime": {"YEAR": 365.0},
    "dynamics.memory": {"_ONE": 1},
    "dynamics.observe": {"ONE": 1.0},
    "dynamics.purchase": {"ROUNDING": 1.001},
    "dynamics.response": {"_ONE": 1.0},
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_that_everything_rests_on(name):
    module = importlib.import_module(f"campaignrl.{name}")
    assert {figure: getattr(module, figure) for figure in FIGURES[name]} == FIGURES[name]


def test_windows_of_histories_are_the_days_before_today():
    """Six days and today are seven: of a history, whose bit 0 is yesterday, the first six and the first 29."""
    from campaignrl.dynamics.observe import _WINDOWS

    assert _WINDOWS.tolist() == [[2**6 - 1], [2**29 - 1], [2**29 - 1], [2**29 - 1]]
    assert _WINDOWS.dtype == np.uint64


def test_a_ledger_that_moved_ends_a_run_with_1():
    from campaignrl.ledger.delta_tables import LedgerMoved

    assert LedgerMoved.exit_code == 1


def test_every_event_has_a_customer_a_time_and_a_kind():
    from campaignrl.tables.events import SCHEMA

    assert [field.name for field in SCHEMA if not field.nullable] == ["customer_id", "ts", "kind"]


def test_what_is_true_and_what_is_false_in_a_file():
    from campaignrl.tables.files.columns import TRUTHS

    assert TRUTHS == {"true": True, "1": True, "false": False, "0": False}


DEFAULTS = {
    "dynamics.lifetime.expected_margin": {"days": 365.0},
    "effects.effect.Stock": {"start": 0.0, "low": 0.0, "high": math.inf},
    "guard.budget.Spending": {"capacities": True},
    "ledger.delta_tables._short": {"limit": 120},
    "ledger.folder.Ledger.lock": {"patience": 60.0},
    "ledger.incoming.Added": {"erased": 0, "against": ()},
    "ledger.incoming.add": {"past_only": False},
    "ledger.log_view.ledger_log": {"every": False},
    "policies.choice._even": {"share": 1.0, "turned": False},
    "send.customers.read_customers": {"ledger": False, "dedupe": False, "least_known": 0.5},
    "send.decide.decide": {"seed": 0, "explore": 0.0, "dry_run": False},
    "send.explain.explained": {"seed": 0},
    "send.plans.figures.Figures": {"customers": 0, "then": 0, "new": 0, "gone": 0, "other": 0},
    "send.plans.prices.Prices": {"explore": 0.0},
    "send.shards.arrays_file._few": {"among": 1024},
    "send.shards.engines.engine": {"workers": 1},
    "send.shards.job.Job": {"marked": False, "repeated": False, "quoted": False},
    "send.shards.run.decide_in_shards": {"dry_run": False, "workers": 1, "rows": 32_768, "least_known": 0.5},
    "send.stages.Settings": {"seed": 0, "explore": 0.0},
    "send.value_plan.terms_of": {"explore": 0.0},
    "tables.customers.read_customers": {"all_notes": False, "least_known": 0.5},
    "tables.databases.address.filled": {"coded": True},
    "tables.files.csv_text.csv_bytes": {"quoted": False, "header": True},
    "tables.files.locks.alone": {"patience": 60.0},
    "tables.log.split.split_by_customer": {"share": 0.5, "seed": 0},
    "tables.suppression.listed": {"least_known": 0.5},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_may_be_left_out_means_the_same_in_every_version(name):
    parts = name.split(".")
    depth = next(i for i, part in enumerate(parts) if part[0].isupper() or i == len(parts) - 1)
    one = importlib.import_module("campaignrl." + ".".join(parts[:depth]))
    for part in parts[depth:]:
        one = getattr(one, part)
    given = inspect.signature(one).parameters
    assert {word: given[word].default for word in DEFAULTS[name]} == DEFAULTS[name]
    assert all(type(given[word].default) is type(value) for word, value in DEFAULTS[name].items())


@pytest.mark.parametrize(
    ("part", "field", "inside", "outside"),
    [
        ({"propensity": {}}, "constant", (1e-9, 1.0, "1/3"), (0.0, -0.1, 1.000001, "4/3", "a")),
        ({"cost": {}}, "constant", (0, 7), (-1,)),
        ({"cost": {"column": "c"}}, "scale", (1, 100), (0, -1)),
        ({"matured": {}}, "after_days", (1, 30), (0, -1)),
    ],
)
def test_numbers_of_a_mapping_are_bounded(part, field, inside, outside):
    from campaignrl.errors import SpecError
    from campaignrl.tables.foreign.mapping import parse_mapping

    plain = {name: {"column": name} for name in ("action", "propensity", "reward", "time")}
    ((name, words),) = part.items()
    for value in inside:
        assert getattr(parse_mapping({**plain, name: {**words, field: value}}), name) is not None
    for value in outside:
        with pytest.raises(SpecError):
            parse_mapping({**plain, name: {**words, field: value}})
    left_out = parse_mapping(plain)
    assert (left_out.propensity.estimate, left_out.cost.constant, left_out.cost.scale) == (False, 0, 1)
    assert not parse_mapping({**plain, "matured": {"after_days": 3}}).matured.reward_given
