"""Encoding: the tables say what plain Python says, row by row, whatever the schema and however the columns lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.envs.panel import Panel
from campaignrl.features import UNKNOWN, Context, Feature, FeatureSchema, encoding
from campaignrl.features.encoding import TABLE
from campaignrl.specs.world import load_world

MANY = 300  # levels, of which a table would be too large


@st.composite
def _features(draw):
    kinds = draw(st.lists(st.sampled_from(["category", "many", "number", "log", "unit"]), min_size=1, max_size=7))
    found = []
    for i, kind in enumerate(kinds):
        if kind in ("category", "many"):
            count = MANY if kind == "many" else draw(st.integers(1, 9))
            found.append(Feature(name=f"f{i}", levels=tuple(map(str, range(count)))))
        elif kind == "unit":
            found.append(Feature(name=f"f{i}", nullable=draw(st.booleans())))
        else:
            low = draw(st.sampled_from([0.0, 0.1, 3.0]))
            found.append(
                Feature(name=f"f{i}", low=low, high=low + draw(st.sampled_from([0.3, 9.0])), log=kind == "log")
            )
    return FeatureSchema(tuple(found))


def some_columns(schema, n, seed):
    """Levels, known or not; numbers inside, outside, at the ends, missing."""
    chance = np.random.default_rng(seed)
    columns = {}
    for f in schema.features:
        if f.levels:
            columns[f.name] = chance.integers(UNKNOWN, len(f.levels), n).astype(np.int16)
        else:
            inside = f.low + (f.high - f.low) * chance.random(n)
            odd = chance.choice([f.low, f.high, f.low - 5.0, f.high + 5.0, np.nan, np.inf, -np.inf], n)
            columns[f.name] = np.where(chance.random(n) < 0.4, odd, inside)
    return columns


def by_hand(schema, columns, row):
    """One encoded row in double precision."""
    values = []
    for f in schema.features:
        x = columns[f.name][row]
        if f.levels:
            values += [float(x == j) for j in range(len(f.levels))]
            continue
        ends = np.array([f.low, f.high])
        inside = f.low if np.isnan(x) else min(max(x, f.low), f.high)
        low, high, at = np.log1p([*ends, inside]) if f.log else [*ends, inside]
        values += [(at - low) / (high - low), float(np.isnan(x))][: 1 + f.nullable]
    return values


@given(_features(), st.integers(0, 30), st.integers(0, 1_000))
@settings(max_examples=120, deadline=None)
def test_every_value_is_what_plain_python_makes_of_it(schema, n, seed):
    columns = some_columns(schema, n, seed)
    encoded = Context(schema, columns).encode()
    expected = np.array([by_hand(schema, columns, row) for row in range(n)]).reshape(n, schema.width)
    np.testing.assert_allclose(encoded, expected, atol=2e-6)
    assert (encoded[expected == 0.0] == 0.0).all()  # exactly: what is missing, at the low end, or another level


@given(_features(), st.integers(0, 30) | st.integers(60, 90), st.integers(0, 1_000))
@settings(max_examples=60, deadline=None)
def test_columns_are_the_rows_turned_round(schema, n, seed):
    context = Context(schema, some_columns(schema, n, seed))
    out = np.full((schema.width, n), np.float32(7.0))
    context.encode_columns(schema, out)
    assert np.array_equal(out.T, context.encode())


@pytest.mark.parametrize("at_once", [1, 64 * 42, 1 << 18])
def test_blocks_are_invisible(at_once, monkeypatch):
    schema = load_world("ecommerce").features
    context = Context(schema, some_columns(schema, 1_000, 3))
    whole = context.encode()
    monkeypatch.setattr(encoding, "ENCODED_AT_ONCE", at_once)
    assert np.array_equal(context.encode(), whole)


@pytest.mark.parametrize("rows", [slice(None), slice(5, 90), np.arange(40)[::-3]], ids=["all", "slice", "list"])
def test_numbers_that_lie_side_by_side_encode_as_apart(rows):
    panel = Panel(load_world("bank"), 100, seed=1)
    panel.step(np.arange(100) % len(panel.world.catalog))
    seen = panel.observe()
    assert seen.beside is not None
    apart = Context(seen.schema, {name: column[rows].copy() for name, column in seen.columns.items()})
    assert apart.encode().tobytes() == seen.take(rows).encode().tobytes()


def test_neighbouring_categories_share_a_table_while_it_is_small():
    levels = [
        Feature(name=name, levels=tuple(map(str, range(count))))
        for name, count in [("a", 5), ("b", 3), ("c", 100), ("d", MANY), ("e", 2)]
    ]
    number = Feature(name="x")
    tables = FeatureSchema((*levels[:2], number, *levels[2:])).encoding.levels
    assert [table.categories for table in tables] == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 5)]
    assert [table.columns for table in tables] == [slice(0, 8), slice(9, 109), slice(109, 409), slice(409, 411)]
    assert [table.rows is None for table in tables] == [False, False, True, False]
    assert all(len(t.rows) * (t.columns.stop - t.columns.start) <= TABLE for t in tables if t.rows is not None)
