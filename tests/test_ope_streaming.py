"""A log evaluated in pieces says what it says as a whole, whoever makes the pieces."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import DataError, SupportError, UnknownName, UsageError
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.methods import USUAL
from campaignrl.ope.methods.weight_histogram import histogram_sums
from campaignrl.ope.streaming.estimates import own_columns
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.ope.streaming.model import sampled_groups
from campaignrl.ope.streaming.sums import AT, COLUMNS, closed, customer_sums, ends_of, joined
from campaignrl.policies.loading import load_policy
from campaignrl.tables.log import files as logfile
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.stream import open_log, pieces
from campaignrl.tables.logs import read_log

ROWS = 6_000


@pytest.fixture
def small_groups(monkeypatch):
    """Files of many row groups, so that customers lie across their ends: 6,000 rows in groups of 700."""
    monkeypatch.setattr(logfile, "ROW_GROUP", 700)


@pytest.fixture
def written(shop, tmp_path, small_groups):
    """Writes a log, by default of customers with three matured decisions each; gives its path."""

    def write(log=None):
        path = tmp_path / "log.parquet"
        log = shop.log(ROWS) if log is None else log
        write_log(replace(log, matured=np.ones(len(log), dtype=bool)) if log.matured is None else log, path)
        return path

    return write


def matured(log):
    return replace(log, matured=np.ones(len(log), dtype=bool))


def the_same(a, b, at=""):
    """Equal to 1e-9, whatever is nested; bounds of hidden bias to 1e-4, as a sample holds single precision."""
    near = 1e-4 if at.startswith(".sensitivity") else 1e-9
    if isinstance(a, dict):
        assert a.keys() == b.keys(), at
        for name in a:
            the_same(a[name], b[name], f"{at}.{name}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for one, other in zip(a, b, strict=True):
            the_same(one, other, at)
    elif isinstance(a, float) and isinstance(b, float):
        assert a == pytest.approx(b, rel=near, abs=max(1e-3 * near, 1e-12)), at
    else:
        assert a == b, at


@pytest.mark.parametrize("words", [{}, {"mix": 0.3}, {"reference": "uniform"}, {"reward_range": (-5.0, 5.0)}])
@pytest.mark.parametrize("policy", ["always:none", "uniform", "logged"])
def test_in_pieces_as_in_memory(shop, written, policy, words):
    path = written(matured(shop.log(ROWS)))
    the_same(evaluate_stream(path, policy, **words).to_dict(), evaluate(read_log(path), policy, **words).to_dict())


def test_a_single_policy_that_differs_everywhere_is_refused_alike(shop, written):
    path = written(matured(shop.log(ROWS, masked=False)))
    policy = "always:coupon20@sms"
    the_same(evaluate_stream(path, policy).to_dict(), evaluate(read_log(path), policy).to_dict())


def test_customers_of_unequal_size_only_widen_the_interval(shop, written):
    """The largest outcome of customers above the mean weight is then known to a factor of the bins only."""
    path = written(shop.log(ROWS))
    streamed, whole = evaluate_stream(path, "uniform"), evaluate(read_log(path), "uniform")
    assert streamed.dropped == whole.dropped > 0
    for name in USUAL:
        a, b = streamed.estimates[name], whole.estimates[name]
        assert (a.value, a.std_error) == pytest.approx((b.value, b.std_error), rel=1e-9)
        assert b.ci_low - 0.1 * b.std_error <= a.ci_low <= b.ci_low + 1e-9
        assert b.ci_high - 1e-9 <= a.ci_high <= b.ci_high + 0.1 * b.std_error


def test_any_number_of_workers_gives_the_same_digits(shop, written):
    path = written(shop.log(ROWS))
    one, three = (evaluate_stream(path, "uniform", workers=workers).to_dict() for workers in (1, 3))
    assert one == three


def test_a_learned_policy_and_a_model_of_ones_own(shop, written):
    path, policy = written(matured(shop.log(ROWS))), load_policy("uniform", shop.catalog, shop.schema)
    k = len(shop.catalog)

    class Constant:
        def predict(self, log):
            return np.full((len(log), k), 0.25)

    q = np.full((ROWS, k), 0.25)
    the_same(evaluate_stream(path, policy, model=Constant()).to_dict(), evaluate(read_log(path), policy, q=q).to_dict())


def test_predictions_of_the_wrong_shape_are_refused_with_their_rows(shop, written):
    class Short:
        def predict(self, log):
            return np.zeros((len(log), 2))

    with pytest.raises(DataError, match="q"):
        evaluate_stream(written(matured(shop.log(ROWS))), "uniform", model=Short())


def test_who_does_not_ask_what_was_eligible_leaves_it_in_the_file(shop, written):
    stream = open_log(written(matured(shop.log(ROWS))))
    for group in range(len(stream.groups)):
        for full, bare in zip(pieces(stream, group), pieces(stream, group, masks=False), strict=True):
            assert full.log.eligible is not None
            assert bare.log.eligible is None
            assert bare.first == full.first
            assert np.array_equal(bare.log.action, full.log.action)
            assert np.array_equal(bare.log.context.encode(), full.log.context.encode())


def test_the_cap_of_the_reward_model_is_reported(shop, written):
    path = written(matured(shop.log(ROWS)))
    found = evaluate_stream(path, "uniform", sample=1_500)
    assert found.reward_model == "ridge, fitted on 1,400 of 6,000 rows"
    assert found.estimates["dr"].value == pytest.approx(
        evaluate_stream(path, "uniform").estimates["dr"].value, abs=0.05
    )


def test_sampled_groups_are_spread_over_the_file():
    assert sampled_groups((10,) * 8, 20) == [2, 6]
    assert sampled_groups((10,) * 8, 5) == [4]
    assert sampled_groups((10,) * 3, 30) == [0, 1, 2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.data())
def test_parts_joined_are_the_whole(sizes, data):
    """Cut anywhere, within customers too."""
    rows = sum(sizes)
    customer = np.repeat(np.arange(len(sizes)), sizes)
    step = np.concatenate([np.arange(size) for size in sizes])
    columns = np.random.default_rng(rows).normal(1.0, 1.0, (len(COLUMNS), rows))
    columns[AT["one"]] = 1.0
    names = np.array([f"c{i}" for i in range(len(sizes))], dtype=object)
    cuts = sorted(data.draw(st.sets(st.integers(1, rows), max_size=6)) | {0, rows})

    def part(start, end):
        starts = np.flatnonzero(np.diff(customer[start:end], prepend=-1))
        return customer_sums(columns[:, start:end], starts, names[customer[start:end][starts]], step[start:end], 1)

    whole, pieced = closed(part(0, rows)), part(0, cuts[1])
    for start, end in itertools.pairwise(cuts[1:]):
        pieced = joined(pieced, part(start, end), 1)
    pieced = closed(pieced)
    assert pieced.customers == whole.customers == len(sizes)
    totals = np.stack([np.bincount(customer, column) for column in columns])
    for sums in (whole, pieced):
        assert sums.totals == pytest.approx(totals.sum(axis=1))
        assert sums.products == pytest.approx(totals @ totals.T)
        assert sums.least == pytest.approx(totals[[AT["weight"], AT["lift_weight"]]].min(axis=1))
        assert sums.largest == pytest.approx(totals[[AT["weight"], AT["lift_weight"]]].max(axis=1))


def test_extremes_of_customers_above_a_weight():
    """Four customers of one row by hand: weights 0, 1, 2, 3 with outcomes 5, 7, -1, 4."""
    columns = np.ones((len(COLUMNS), 4))
    columns[AT["weight"]], columns[AT["earned"]] = [0.0, 1.0, 2.0, 3.0], [5.0, 7.0, -1.0, 4.0]
    names = np.array(list("abcd"), dtype=object)
    sums = closed(customer_sums(columns, np.arange(4), names, np.zeros(4, dtype=int), 1))
    assert ends_of(sums.extremes[0], 0.0, 1.0) == ([-1.0, 4.0], [5.0, 5.0])
    assert ends_of(sums.extremes[0], 0.5, 1.0) == ([-1.5, 3.5], [4.5, 4.5])


def test_rows_of_a_customer_that_are_apart_are_refused(shop, written):
    log = matured(shop.log(ROWS))
    inside, across = np.arange(ROWS), np.arange(ROWS)
    inside[[1, 100]] = inside[[100, 1]]  # within a row group
    across[[1, 5_000]] = across[[5_000, 1]]  # of different ones
    for order in (inside, across):
        path = written(log.take(order))
        with pytest.raises(DataError, match="Sort the log by customer_id and step"):
            evaluate_stream(path, "uniform")
        assert evaluate(read_log(path), "uniform").n == ROWS


@pytest.mark.parametrize("rows", [(0, 1), (699, 700)])
def test_steps_that_go_back_are_refused(shop, written, rows):
    """Within a row group, and from one to the next."""
    order = np.arange(ROWS)
    order[list(rows)] = order[list(rows)[::-1]]
    with pytest.raises(DataError, match="step"):
        evaluate_stream(written(matured(shop.log(ROWS)).take(order)), "uniform")


def test_bad_rows_are_told_as_when_the_log_is_read_whole(shop, written):
    path = written(matured(shop.log(ROWS)))
    damage(path, "propensity", {3: 1.5, 650: 0.0, 2_000: -1.0})
    with pytest.raises(DataError, match=r"rows counted from 0 rows 3, 650: propensity = 1\.5"):
        list(pieces(open_log(path), 0))
    with pytest.raises(DataError, match=r"rows counted from 1,400 row 600: propensity = -1\.0"):
        list(pieces(open_log(path), 2))
    with pytest.raises(DataError, match="propensity"):
        read_log(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("catalog_hash", "another"),
        ("policy_id", "another"),
        ("offer", "coupon99"),
        ("customer_id", None),
        ("action", 99),
    ],
)
def test_rows_that_do_not_belong_are_told(shop, written, column, value):
    path = written(matured(shop.log(ROWS)))
    damage(path, column, {5: value})
    with pytest.raises(DataError, match=r"row 5"):
        evaluate_stream(path, "uniform")


def damage(path, column, values):
    """Write other values into some rows of a file of ours, leaving all else as it is."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(path)
    cells = table[column].to_pylist()
    for row, value in values.items():
        cells[row] = value
    at = table.column_names.index(column)
    table = table.set_column(at, table.schema.field(at), pa.array(cells, table.schema.field(at).type))
    pq.write_table(table, path, row_group_size=700)


def test_a_log_without_known_outcomes_is_refused(shop, written):
    log = shop.log(ROWS)
    with pytest.raises(SupportError, match="none of the log's 6,000"):
        evaluate_stream(written(replace(log, matured=np.zeros(ROWS, dtype=bool))), "uniform")


@pytest.mark.parametrize(
    "words",
    [
        *({"estimators": ("mips_offer",)}, {"model": "boosting"}, {"mix": 0.0}, {"folds": 1}, {"workers": 0}),
        *({"alpha": 0.0}, {"alpha": 1.0}, {"mix": 1.1}),
    ],
)
def test_what_takes_the_whole_log_is_refused(shop, written, words):
    with pytest.raises((UsageError, UnknownName)):
        evaluate_stream(written(matured(shop.log(ROWS))), "uniform", **words)


def test_arrays_for_a_log_in_memory(shop):
    """Immature rows are left out of what is given too."""
    log = shop.log(ROWS)
    q, p = np.random.default_rng(0).random((ROWS, 7)), log.eligible / log.eligible.sum(axis=1, keepdims=True)
    streamed, whole = evaluate_stream(log, p, model=q), evaluate(log, p, q=q)
    for name in USUAL:
        assert streamed.estimates[name][:2] == pytest.approx(whole.estimates[name][:2], rel=1e-9)
    with pytest.raises(DataError, match="q"):
        evaluate_stream(log, p, model=np.full((ROWS, 7), np.nan))
    with pytest.raises(DataError, match="shape"):
        evaluate_stream(log, p[:-1])


def test_a_planned_holdout_is_said_to_be_unchecked(shop, written):
    log = replace(matured(shop.log(ROWS)), meta={"holdout": 0.1})
    assert "the holdout's share is not checked" in " ".join(evaluate_stream(written(log), "uniform").reasons)


def test_one_customer_has_no_error(shop, written):
    log = matured(shop.log(3))
    found = evaluate_stream(written(log), "uniform")
    assert found.customers == 1
    assert math.isnan(found.estimates["ips"].std_error)


def test_the_command_prints_the_same_keys(shop, written):
    runner = pytest.importorskip("typer.testing").CliRunner()
    app = pytest.importorskip("campaignrl.cli.main").app
    path = str(written(matured(shop.log(ROWS))))
    words = ["evaluate", path, "--policy", "uniform", "--json"]
    plain, streamed = (json.loads(runner.invoke(app, [*words, *more]).stdout) for more in ([], ["--stream"]))
    the_same(streamed, plain)


@pytest.mark.parametrize("words", [{}, {"mix": 0.3}])
@pytest.mark.parametrize("policy", ["always:none", "uniform", "logged"])
def test_the_spread_of_weights_is_that_of_the_whole_log(shop, written, policy, words):
    path = written(shop.log(ROWS))
    asked = {**words, "estimators": ("ips",)}
    streamed = evaluate_stream(path, policy, spread=True, **asked).spread
    whole = evaluate(read_log(path), policy, **asked).spread
    for name in ("edges", "rows", "weight"):
        np.testing.assert_allclose(getattr(streamed, name), getattr(whole, name), rtol=1e-9)
    assert streamed.silent == pytest.approx(whole.silent)
    for a, b in zip(streamed.overlap, whole.overlap, strict=True):
        assert a.name == b.name
        assert a[1:] == pytest.approx(b[1:])
    assert evaluate_stream(path, policy, **asked).spread is None


def test_weights_beyond_the_bins_are_counted_in_the_last_ones():
    counts = histogram_sums(np.array([0.0, 1e-9, 1.0, 1e15]), np.array([0, 0, 1, 1]), 2)
    assert counts["rows of bin"].sum() == 3
    assert counts["rows of bin"][[0, -1]].tolist() == [1, 1]
    assert counts["weight of action"].tolist() == [1e-9, 1e15 + 1.0]


def test_estimators_without_weights_of_their_own_bring_no_columns():
    assert {name for name in ("dm", "ips", "snips", "dr") if own_columns(name)} == set()
    assert set(own_columns("ips_clip")) == {f"ips_clip.{part}" for part in own_columns("ips_clip").values()} != set()


@pytest.mark.parametrize("rewards", [(0.0, 0.5), (0.0, 1.0), (0.0, 2.0)])
def test_the_range_of_rewards_seen_is_that_of_the_whole_log(shop, written, rewards):
    """0 and 1 alone are a conversion, whose range is known; of anything else only what was seen is."""
    log = matured(shop.log(ROWS))
    log = replace(log, reward=np.where(np.arange(ROWS) % 7 == 0, rewards[1], rewards[0]))
    streamed, whole = evaluate_stream(written(log), "uniform"), evaluate(log, "uniform")
    assert streamed.reward_model == whole.reward_model
    for name in USUAL:
        assert streamed.estimates[name][:4] == pytest.approx(whole.estimates[name][:4], rel=1e-6, nan_ok=True)
