"""The feature schema: what a policy sees, worked out by hand, and matched by name wherever it goes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import DataError, SpecError
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema
from campaignrl.features.context import MANY

SCHEMA = FeatureSchema(
    (
        Feature(name="segment", levels=("loyal", "leisure")),
        Feature(name="recency", low=10.0, high=30.0),
        Feature(name="orders", high=np.e**2 - 1, log=True),
        Feature(name="basket", high=200.0, nullable=True),
    )
)
CONTEXT = Context(
    SCHEMA,
    {
        "segment": np.array([1, UNKNOWN, 0]),
        "recency": np.array([15.0, 99.0, 10.0], dtype=np.float32),
        "orders": np.array([np.e - 1, 0.0, 1e9]),
        "basket": np.array([50.0, np.nan, -4.0]),
    },
)


def test_encoded_columns_by_hand():
    assert SCHEMA.encoded == ("segment=loyal", "segment=leisure", "recency", "orders", "basket", "basket?")
    assert SCHEMA.width == 6
    encoded = CONTEXT.encode()
    assert encoded.dtype == np.float32
    expected = [
        [0, 1, 0.25, 0.5, 0.25, 0],
        [0, 0, 1.0, 0.0, 0.0, 1],  # unknown level, clipped, none yet, missing
        [1, 0, 0.0, 1.0, 0.0, 0],  # lowest, clipped from above, clipped from below
    ]
    assert encoded == pytest.approx(np.array(expected), abs=1e-6)


def test_a_missing_value_that_was_not_foreseen_encodes_as_the_lowest():
    context = Context(SCHEMA, {**CONTEXT.columns, "recency": np.array([np.nan, 20.0, np.nan])})
    assert context.encode()[:, 2].tolist() == [0.0, 0.5, 0.0]


@given(
    st.floats(0.0, 1e6),
    st.floats(1e-3, 1e6),
    st.booleans(),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_an_encoded_value_is_within_zero_and_one(low, width, log, values):
    schema = FeatureSchema((Feature(name="x", low=low, high=low + width, log=log),))
    column = np.array([*values, low, low + width, low + width / 2])
    for kind in (np.float64, np.float32):
        with np.errstate(over="ignore"):
            encoded = Context(schema, {"x": column.astype(kind)}).encode()
        assert ((encoded >= 0.0) & (encoded <= 1.0)).all()


def test_levels_are_matched_by_name_not_by_code():
    other = FeatureSchema((Feature(name="segment", levels=("bargain", "leisure", "loyal")),))
    assert CONTEXT.encode(other).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert CONTEXT.to_schema(other).columns["segment"].tolist() == [1, UNKNOWN, 2]


def test_a_level_the_target_does_not_know_becomes_unknown():
    other = FeatureSchema((Feature(name="segment", levels=("loyal",)),))
    assert CONTEXT.to_schema(other).columns["segment"].tolist() == [UNKNOWN, UNKNOWN, 0]
    assert CONTEXT.encode(other).tolist() == [[0], [0], [1]]


@given(st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_the_order_of_features_moves_columns_and_changes_none(order):
    shuffled = FeatureSchema(tuple(SCHEMA.features[i] for i in order))
    own, moved = CONTEXT.encode(), CONTEXT.encode(shuffled)
    assert np.array_equal(moved, own[:, [SCHEMA.encoded.index(name) for name in shuffled.encoded]])


def test_missing_columns_are_all_named_with_the_nearest():
    wanted = FeatureSchema((Feature(name="recencies"), Feature(name="orders", high=5.0), Feature(name="colour")))
    with pytest.raises(DataError) as wrong:
        CONTEXT.encode(wanted)
    assert [p.value for p in wrong.value.problems] == ["recencies", "colour"]
    assert "Did you mean 'recency'?" in str(wrong.value)
    assert "Add the column." in str(wrong.value)


def test_a_category_is_not_a_number():
    with pytest.raises(DataError, match="a number here"):
        CONTEXT.encode(FeatureSchema((Feature(name="segment", high=3.0),)))
    with pytest.raises(DataError, match="a category here"):
        CONTEXT.encode(FeatureSchema((Feature(name="orders", levels=("a",)),)))


def test_labels_are_the_text_of_a_category():
    assert CONTEXT.labels("segment").tolist() == ["leisure", "", "loyal"]


def test_take_keeps_rows_together():
    rows = np.array([2, 0])
    part = CONTEXT.take(rows)
    assert len(part) == 2
    assert np.array_equal(part.encode(), CONTEXT.encode()[rows])
    assert np.shares_memory(CONTEXT.take(slice(0, 2)).columns["orders"], CONTEXT.columns["orders"])


@pytest.mark.parametrize("narrow", [True, False], ids=["single precision", "as given"])
def test_many_rows_by_number_are_the_same_rows_laid_side_by_side(narrow):
    rng, n = np.random.default_rng(3), MANY + 100
    numbers = {f.name: (300.0 * rng.random(n) - 20.0).astype(np.float32) for f in SCHEMA.features if not f.levels}
    numbers["basket"][::7] = np.nan
    if not narrow:
        numbers["orders"] = numbers["orders"].astype(np.float64)
    context = Context(SCHEMA, {**numbers, "segment": rng.integers(-1, 2, n), "beside the schema": np.arange(n)})
    for rows in (rng.integers(0, n, n), -1 - rng.integers(0, n, MANY), rng.permutation(n)[:MANY].astype(np.int32)):
        taken, one_by_one = context.take(rows), Context(SCHEMA, {k: c[rows] for k, c in context.columns.items()})
        assert (taken.beside is not None) is narrow
        assert list(taken.columns) == list(context.columns)
        for name, column in one_by_one.columns.items():
            assert taken.columns[name].dtype == column.dtype
            assert taken.columns[name].tobytes() == column.tobytes(), name
        assert taken.encode().tobytes() == one_by_one.encode().tobytes()
        again = rng.permutation(len(rows))
        assert taken.take(again).encode().tobytes() == one_by_one.encode()[again].tobytes()
    with pytest.raises(IndexError):
        context.take(np.full(MANY, n))
    assert len(Context(SCHEMA, {}, count=n).take(np.arange(MANY))) == MANY
    missing = Context(SCHEMA, {name: c for name, c in context.columns.items() if name != "recency"})
    assert missing.take(np.arange(MANY)).beside is None


def test_what_is_made_of_few_customers_is_kept_by_a_context_that_keeps_and_by_no_other():
    made = []

    def make(context, schema):
        made.append(len(context))
        return context.encode(schema)

    keeping, other = CONTEXT.keeping(), FeatureSchema(SCHEMA.features[:2])
    assert keeping.once(SCHEMA, make) is keeping.once(SCHEMA, make)
    assert np.array_equal(keeping.once(SCHEMA, make), CONTEXT.encode())
    assert keeping.once(other, make).shape == (3, other.width)
    assert made == [3, 3]
    with pytest.raises(ValueError, match="read-only"):
        keeping.once(SCHEMA, make)[0] = 0.0
    changed = replace(keeping, columns={**keeping.columns, "recency": np.full(3, 30.0)})
    assert changed.once(SCHEMA, make)[:, 2].tolist() == [1.0, 1.0, 1.0]  # nothing of the one it was made from
    many = CONTEXT.take(np.zeros(1_000, dtype=np.int64)).keeping()
    for context in (CONTEXT, changed, keeping.take(slice(0, 2)), many):
        assert context.once(SCHEMA, make) is not context.once(SCHEMA, make)


def test_a_schema_survives_json():
    again = FeatureSchema.from_list(json.loads(json.dumps(SCHEMA.to_list())))
    assert again == SCHEMA


@pytest.mark.parametrize("damage", [[{"name": "a"}], [{"levels": [], "nam": "a"}], [3], [{"levels": 3, "name": "a"}]])
def test_what_is_no_schema_is_refused(damage):
    with pytest.raises(SpecError, match="a schema as campaignrl writes it"):
        FeatureSchema.from_list(damage)


@pytest.mark.parametrize(
    "settings_of_a_feature",
    [
        {"low": 1.0, "high": 1.0},
        {"low": 2.0, "high": 1.0},
        {"high": np.inf},
        {"low": np.nan},
        {"low": -1.0, "log": True},
    ],
)
def test_a_feature_without_a_finite_range_is_refused(settings_of_a_feature):
    with pytest.raises(SpecError):
        Feature(name="x", **settings_of_a_feature)


def test_a_feature_twice_is_refused():
    with pytest.raises(SpecError, match="'x' is not named once"):
        FeatureSchema((Feature(name="x"), Feature(name="x")))


def test_an_unknown_feature_is_met_with_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'recency'"):
        SCHEMA["recncy"]
