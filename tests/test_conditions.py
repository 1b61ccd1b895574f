"""Conditions: the same answer as plain Python, and nothing of Python but comparisons."""

import operator
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import SpecError
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema
from campaignrl.specs.conditions import MAX_LENGTH, compile_condition

STAGES = ("new", "active", "dormant", "churned")
SCHEMA = FeatureSchema(
    (Feature(name="stage", levels=STAGES), Feature(name="orders", high=50.0), Feature(name="share", nullable=True))
)
ROWS = [
    {"stage": stage, "orders": orders, "share": share}
    for stage in (*STAGES, None)
    for orders in (0.0, 3.0, 7.0, None)
    for share in (0.0, 0.25, 0.2, None)
]


def context_of(rows, dtype=np.float64):
    numbers = {
        name: np.array([np.nan if r[name] is None else r[name] for r in rows], dtype=dtype)
        for name in ("orders", "share")
    }
    codes = np.array([UNKNOWN if r["stage"] is None else STAGES.index(r["stage"]) for r in rows], dtype=np.int8)
    return Context(SCHEMA, {"stage": codes, **numbers})


CONTEXT = context_of(ROWS)
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


# A condition as text, beside what it means for one row: a missing value satisfies no comparison.
def number(name, sign, limit):
    return f"{name} {sign} {limit!r}", lambda row: row[name] is not None and COMPARE[sign](row[name], limit)


def level(sign, value):
    return f"stage {sign} {value!r}", lambda row: row["stage"] is not None and COMPARE[sign](row["stage"], value)


def among(word, values):
    inside = word == "in"
    return (
        f"stage {word} {values!r}",
        lambda row: row["stage"] is not None and (row["stage"] in values) is inside,
    )


def joined(word, parts):
    every = all if word == "and" else any
    return f" {word} ".join(f"({text})" for text, _ in parts), lambda row: every(test(row) for _, test in parts)


def negated(part):
    return f"not ({part[0]})", lambda row: not part[1](row)


limits = st.sampled_from([0, 3, 7, 0.25, 0.5, -1, 3.0, 1e6])
leaves = st.one_of(
    st.builds(number, st.sampled_from(["orders", "share"]), st.sampled_from(sorted(COMPARE)), limits),
    st.builds(level, st.sampled_from(["==", "!="]), st.sampled_from(STAGES)),
    st.builds(among, st.sampled_from(["in", "not in"]), st.lists(st.sampled_from(STAGES), max_size=4)),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
        st.builds(negated, inner),
    ),
    max_leaves=8,
)


@given(conditions)
@settings(max_examples=300, deadline=None)
def test_a_condition_means_what_it_means_in_python(condition):
    text, means = condition
    if len(text) > MAX_LENGTH:
        return
    holds = compile_condition(text, SCHEMA, "test").holds(CONTEXT)
    assert holds.dtype == bool
    assert holds.tolist() == [means(row) for row in ROWS]


@pytest.mark.parametrize("text", ["orders > 0", "orders <= 9", "orders != 5", "stage != 'new'", "stage not in ['new']"])
def test_a_missing_value_satisfies_no_comparison(text):
    missing = context_of([{"stage": None, "orders": None, "share": None}])
    assert compile_condition(text, SCHEMA, "test").holds(missing).tolist() == [False]


@pytest.mark.parametrize("text", ["share > 0.2", "share >= 0.2", "share == 0.2", "share < 0.2"])
def test_simulated_and_tabled_values_get_the_same_answer(text):
    # Simulated features are single precision, those of a table double, be they parsed or widened.
    condition, rows = compile_condition(text, SCHEMA, "test"), [{"stage": None, "orders": None, "share": 0.2}]
    single = context_of(rows, np.float32)
    widened = Context(SCHEMA, {**single.columns, "share": single.columns["share"].astype(np.float64)})
    answers = {bool(condition.holds(c)[0]) for c in (context_of(rows), single, widened)}
    assert answers == {"=" in text}


@pytest.mark.parametrize("wanted", ["a", "abc", "acei", "adgj", "acegi", "bdfhj", "abcdefghij"])
def test_any_set_of_levels_is_met_by_its_members_alone(wanted):
    levels = tuple("abcdefghij")
    schema = FeatureSchema((Feature(name="letter", levels=levels),))
    context = Context(schema, {"letter": np.arange(UNKNOWN, len(levels), dtype=np.int8)})
    inside = [False, *(level in wanted for level in levels)]
    outside = [False, *(level not in wanted for level in levels)]
    assert compile_condition(f"letter in {list(wanted)}", schema, "test").holds(context).tolist() == inside
    assert compile_condition(f"letter not in {list(wanted)}", schema, "test").holds(context).tolist() == outside


def test_a_condition_is_answered_for_no_customers():
    assert compile_condition("orders > 1 and stage == 'new'", SCHEMA, "test").holds(
        CONTEXT.take(slice(0, 0))
    ).shape == (0,)


HOSTILE = {
    "call": "__import__('os').system('true')",
    "call of a value": "orders > len('a')",
    "attribute": "stage.upper == 'NEW'",
    "deep attribute": "a" + ".b" * 900,
    "subscript": "stage[0] == 'n'",
    "lambda": "(lambda: orders)() > 1",
    "comprehension": "stage in [s for s in ['new']]",
    "f-string": "stage == f'{orders}'",
    "assignment": "(orders := 3)",
    "statement": "import os",
    "two lines": "orders > 1\nimport os",
    "arithmetic": "orders + 1 > 2",
    "long arithmetic": "orders" + "+1" * 900,
    "power": "orders < 9**9**9**9",
    "repetition": "stage in ['new'] * 1000000000",
    "chain": "1 < orders < 3",
    "feature on the right": "3 < orders",
    "two features": "orders > share",
    "bare feature": "orders",
    "bare truth": "True",
    "nothing": "",
    "blank": "   ",
    "text for a number": "orders > '3'",
    "bytes": "orders > b'3'",
    "truth for a number": "orders == True",
    "complex": "orders == 1j",
    "membership of a number": "orders in [1, 2]",
    "identity": "stage is 'new'",
    "membership of a text": "stage in 'new'",
    "order of levels": "stage > 'new'",
    "level of a level": "stage in [['new']]",
    "unhashable": "stage in {[]}",
    "unhashable key": "stage in {[]: 1}",
    "infinite": "orders < 1e999",
    "huge": "orders < 1" + "0" * 400,
    "unary tower": "orders < " + "-" * 900 + "1",
    "brackets": "(" * 500 + "orders > 1" + ")" * 500,
    "list tower": "stage in " + "[" * 150 + "]" * 150,
    "not tower": "not " * 400 + "orders > 1",
    "and-or tower": "orders > 1 and (" * 40 + "orders > 1 or orders > 2" + ")" * 40,
    "too long": "orders > 1 and " * 400 + "orders > 1",
    "null": "orders > 1\0",
    "half a character": "stage == '\ud800'",
    "unfinished": "orders >",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_comparison_is_refused_in_words(name):
    with pytest.raises(SpecError) as wrong:
        compile_condition(HOSTILE[name], SCHEMA, "[offers.x] only_if")
    assert "[offers.x] only_if" in str(wrong.value)
    assert len(str(wrong.value)) < 1000


def test_ten_megabytes_are_refused_at_once():
    began = time.perf_counter()
    with pytest.raises(SpecError, match="characters"):
        compile_condition("orders > 1 and " * 700_000, SCHEMA, "test")
    assert time.perf_counter() - began < 0.5


def test_thirty_levels_are_few_enough():
    text = "not " * 30 + "orders > 1"
    assert compile_condition(text, SCHEMA, "test").holds(CONTEXT).tolist() == [
        compile_condition("orders > 1", SCHEMA, "test").holds(CONTEXT).tolist()[i] for i in range(len(ROWS))
    ]
    with pytest.raises(SpecError, match="at most 30 levels"):
        compile_condition("not " + text, SCHEMA, "test")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("order > 3", ["order", "Did you mean 'orders'?"]),
        ("stage == 'dormnt'", ["'dormnt'", "Did you mean 'dormant'?"]),
        ("stage in ['new', 'Churned']", ["'Churned'", "Did you mean 'churned'?"]),
        ("stage == 'xyz'", ["Known: new, active, dormant, churned"]),
        ("orders > 1 and stage == 5", ["a known stage"]),
        ("orders >> 1", ["a comparison of a feature"]),
    ],
)
def test_unknown_names_are_met_with_the_nearest(text, words):
    with pytest.raises(SpecError) as wrong:
        compile_condition(text, SCHEMA, "test")
    assert all(word in str(wrong.value) for word in words)
