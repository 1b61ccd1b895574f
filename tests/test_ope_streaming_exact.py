"""Sums of a stream against plain loops over customers; figures that are judged against those of the whole log."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

import campaignrl.ope.evaluate as whole_module
import campaignrl.ope.streaming.evaluate as stream_module
from campaignrl.errors import DataError, SupportError, UsageError
from campaignrl.ope.diagnostics.verdict import Figures
from campaignrl.ope.estimators import weights
from campaignrl.ope.intervals.clustered import Clusters
from campaignrl.ope.methods.likelihood_of_rows import KEPT, farthest, largest
from campaignrl.ope.methods.likelihood_of_rows import joined as joined_outliers
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.ope.streaming import evaluate_stream
from campaignrl.ope.streaming.estimates import (
    Bounds,
    Shape,
    columns_of,
    combination,
    error,
    estimate,
    lift,
    mean_weight_p_value,
)
from campaignrl.ope.streaming.figures import _closest_mix, _effective
from campaignrl.ope.streaming.model import _folds, fit_sampled_ridge, sampled_groups
from campaignrl.ope.streaming.rows import Question, part_of
from campaignrl.ope.streaming.sums import (
    AT,
    COLUMNS,
    EDGES,
    EMPTY,
    EXTREMES,
    LARGEST_OF_BIN,
    LEAST_OF_BIN,
    NOTHING,
    WEIGHTS,
    Tally,
    bins_of,
    closed,
    customer_sums,
    ends_of,
    joined,
    sampling_of,
)
from campaignrl.tables.log.customer_sketch import FACT
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.stream import LogInMemory, open_log

ROWS = 900


def matured(log):
    return replace(log, matured=np.ones(len(log), dtype=bool))


# ---- bins of weights


def test_edges_are_half_powers_of_two_and_what_lies_just_above_one():
    powers = [2.0**k * half for k in range(-8, 9) for half in (1.0, 1.5)]
    assert sorted([*powers, 1.0 + 2.0**-52]) == EDGES.tolist()
    assert LEAST_OF_BIN.tolist() == [-math.inf, *EDGES.tolist()]
    assert LARGEST_OF_BIN.tolist() == [*np.nextafter(EDGES, 0.0).tolist(), math.inf]


def test_a_number_lies_in_the_bin_between_its_edges():
    some = np.random.default_rng(0).lognormal(0.0, 4.0, 5000)
    edges = np.concatenate([EDGES, np.nextafter(EDGES, 0.0), np.nextafter(EDGES, 9e9), [0.0, 1e-300, 1e300]])
    for numbers in (some, edges):
        bins = bins_of(numbers.copy())
        assert bins.tolist() == [(x >= EDGES).sum() for x in numbers]
        assert (LEAST_OF_BIN[bins] <= numbers).all()
        assert (numbers <= LARGEST_OF_BIN[bins]).all()


# ---- sums over customers


def drawn(sizes, seed):
    """(d, n) columns and the customer of each row."""
    chance, customer = np.random.default_rng(seed), np.repeat(np.arange(len(sizes)), sizes)
    columns = chance.normal(0.0, 1.0, (len(COLUMNS), len(customer)))
    columns[AT["one"]] = 1.0
    for name in WEIGHTS:
        columns[AT[name]] = chance.lognormal(0.0, 1.0, len(customer)).round(1)
    return columns, customer


def part_between(columns, customer, start, end, sampling=1):
    own = customer[start:end]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    names = np.array([f"c{i}" for i in own[starts]], dtype=object)
    step = np.concatenate([np.arange(n) for n in np.unique(customer, return_counts=True)[1]])[start:end]
    return customer_sums(columns[:, start:end], starts, names, step, sampling)


@pytest.mark.parametrize("cuts", [(), (7,), (1, 2, 3), (5, 20, 21, 40), (60,)])
@pytest.mark.parametrize("sizes", [[1] * 64, [2, 1, 3, 1, 1, 5, 2, 1, 4, 3] * 3, [3] * 20])
def test_sums_extremes_and_outliers_are_those_of_a_loop_over_customers(sizes, cuts):
    columns, customer = drawn(sizes, len(sizes))
    ends = [0, *[c for c in cuts if c < len(customer)], len(customer)]
    parts = [part_between(columns, customer, a, b) for a, b in itertools.pairwise(ends)]
    found = parts[0]
    for part in parts[1:]:
        found = joined(found, part, 1)
    found = closed(found)
    totals = np.stack([np.bincount(customer, row) for row in columns])
    assert found.customers == len(sizes)
    assert found.totals == pytest.approx(totals.sum(axis=1))
    assert found.products == pytest.approx(totals @ totals.T)
    for i, (by, of) in enumerate(EXTREMES):
        low, high = {}, {}
        for c in range(len(sizes)):
            w, y = totals[AT[by], c] / sizes[c], totals[AT[of], c]
            cell = (float(sizes[c]), int((w >= EDGES).sum()))
            low[cell], high[cell] = min(low.get(cell, math.inf), y), max(high.get(cell, -math.inf), y)
        extremes = found.extremes[i]
        assert extremes.sizes.tolist() == sorted({float(n) for n in sizes})
        for s, size in enumerate(extremes.sizes):
            for b in range(len(LEAST_OF_BIN)):
                assert extremes.low[s, b] == pytest.approx(low.get((size, b), math.inf))
                assert extremes.high[s, b] == pytest.approx(high.get((size, b), -math.inf))
        order = np.argsort(-totals[AT[of]])[:KEPT]
        above, below = found.outliers[i]
        assert above == pytest.approx(totals[[AT["one"], AT[by], AT[of]]][:, order])
        order = np.argsort(totals[AT[of]])[:KEPT]
        assert below == pytest.approx(totals[[AT["one"], AT[by], AT[of]]][:, order])
    assert found.least == pytest.approx([totals[AT[name]].min() for name in WEIGHTS])
    assert found.largest == pytest.approx([totals[AT[name]].max() for name in WEIGHTS])
    assert found.edges == ()


@pytest.mark.parametrize("sizes", [[1] * 64, [2, 1, 3, 1, 1, 5, 2, 1, 4, 3] * 3])
def test_ends_hold_all_customers_on_their_side_of_a_weight(sizes):
    """Sharp at a mean weight of 1; elsewhere a bin more at most, and never a customer less."""
    columns, customer = drawn(sizes, 3)
    found = closed(part_between(columns, customer, 0, len(customer)))
    totals = np.stack([np.bincount(customer, row) for row in columns])
    for middle, bound in ((0.0, 1.0), (0.7, 1.0), (-0.3, 2.6), (0.1, 0.4), (0.0, 1e9), (0.0, 0.0)):
        w, y = totals[AT["weight"]], totals[AT["earned"]] - middle * totals[AT["one"]]
        above, below = ends_of(found.extremes[0], middle, bound)
        for side, ends, reach in (((w > bound), above, w > bound / 1.5), ((w < bound), below, w < bound * 1.5)):
            if side.any():
                assert ends[0] <= y[side].min() + 1e-12
                assert ends[1] >= y[side].max() - 1e-12
            if ends:
                assert ends[0] >= y[reach].min() - 1e-12
                assert ends[1] <= y[reach].max() + 1e-12
            else:
                assert not side.any()
        if bound == 1.0 and set(sizes) == {1}:
            assert above == pytest.approx([y[w > 1].min(), y[w > 1].max()])
            assert below == pytest.approx([y[w < 1].min(), y[w < 1].max()])


def test_parts_without_rows_change_nothing():
    columns, customer = drawn([2, 1, 1], 0)
    part = part_between(columns, customer, 0, 4)
    assert joined(NOTHING, part, 1) is part
    assert joined(part, NOTHING, 1) is part
    assert customer_sums(columns[:, :0], np.zeros(0, int), np.zeros(0, object), np.zeros(0, int), 1) is NOTHING
    assert closed(NOTHING).customers == 0
    assert NOTHING.totals.tolist() == [0.0] * len(COLUMNS)


def test_customers_at_both_ends_wait_with_their_steps():
    columns, customer = drawn([2, 1, 3], 0)
    part = part_between(columns, customer, 0, 6)
    assert [(e.customer, e.first_step, e.last_step) for e in part.edges] == [("c0", 0, 1), ("c2", 0, 2)]
    assert part.customers == 1
    one = part_between(columns, customer, 3, 6)
    assert [(e.customer, e.first_step, e.last_step) for e in one.edges] == [("c2", 0, 2)]
    both = joined(part_between(columns, customer, 0, 4), part_between(columns, customer, 4, 6), 1)
    assert [(e.customer, e.first_step, e.last_step) for e in both.edges] == [("c0", 0, 1), ("c2", 0, 2)]
    with pytest.raises(DataError, match="above 2, the step before"):
        joined(one, part_between(columns, customer, 5, 6), 1)  # the last step comes again


def test_a_customer_whose_rows_are_apart_is_noticed_if_it_is_remembered():
    columns = np.ones((len(COLUMNS), 4))
    for names, apart in ((list("abca"), True), (list("abcb"), True), (list("abcd"), False)):
        part = customer_sums(columns, np.arange(4), np.array(names, dtype=object), np.zeros(4, int), 1)
        first = customer_sums(columns[:, :2], np.arange(2), np.array(names[:2], dtype=object), np.zeros(2, int), 1)
        second = customer_sums(columns[:, :2], np.arange(2), np.array(names[2:], dtype=object), np.zeros(2, int), 1)
        for log in (part, joined(first, second, 1)):
            if apart:
                with pytest.raises(DataError, match="several places"):
                    closed(log)
            else:
                assert closed(log).customers == 4
    together = customer_sums(columns, np.arange(4), np.array(list("abcb"), dtype=object), np.zeros(4, int), 0)
    assert closed(together).customers == 4  # nothing was remembered
    assert together.keys == ()


@pytest.mark.parametrize("again", ["a", "b", "c", "d", "e"])
def test_a_customer_is_noticed_who_begins_or_ends_a_part_and_comes_again(again):
    columns = np.ones((len(COLUMNS), 3))
    parts = [
        customer_sums(columns[:, : len(of)], np.arange(len(of)), np.array(list(of), object), np.zeros(len(of), int), 1)
        for of in ("ab", "cde", f"f{again}")
    ]
    with pytest.raises(DataError, match="several places"):
        closed(joined(joined(parts[0], parts[1], 1), parts[2], 1))


def test_one_customer_in_so_many_is_remembered():
    assert [sampling_of(rows) for rows in (1, 2**20, 2**20 + 1, 2**21, 2**21 + 1, 10 * 2**20)] == [1, 1, 2, 2, 3, 10]
    columns = np.ones((len(COLUMNS), 1000))
    whole = customer_sums(columns, np.arange(1000), np.arange(1000), np.zeros(1000, int), 1)
    some = customer_sums(columns, np.arange(1000), np.arange(1000), np.zeros(1000, int), 3)
    assert len(whole.keys[0]) == 999
    assert some.keys[0].tolist() == [key for key in whole.keys[0].tolist() if key % 3 == 0]


def test_tallies_add_up_and_an_empty_one_changes_nothing():
    a = Tally({"n": 1, "v": np.array([1.0, 2.0])}, {"x": 3.0}, {"y": 4.0})
    b = Tally({"n": 2, "v": np.array([10.0, 20.0])}, {"x": 1.0}, {"y": 9.0})
    both = a + b
    assert both.added["n"] == 3
    assert both.added["v"].tolist() == [11.0, 22.0]
    assert (both.least["x"], both.largest["y"]) == (1.0, 9.0)
    assert a + EMPTY is a
    assert EMPTY + b is b
    with pytest.raises(TypeError):
        a + 1


# ---- the farthest customers


@pytest.mark.parametrize("n", [3, 8, 9, 511, 512, 513, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("kind", ["different", "alike", "few values"])
def test_the_largest_values_first_and_of_equal_ones_the_first(n, kind):
    chance = np.random.default_rng(n)
    values = {"different": chance.normal(size=n), "alike": np.zeros(n), "few values": chance.integers(0, 3, n) * 1.0}
    values = values[kind]
    assert largest(values).tolist() == np.argsort(-values, kind="stable")[:KEPT].tolist()
    above, below = farthest(np.stack([np.arange(n) * 1.0, values]))
    assert above[0].tolist() == largest(values).tolist()
    assert below[0].tolist() == np.argsort(values, kind="stable")[:KEPT].tolist()


def test_the_farthest_of_parts_are_those_of_the_whole():
    columns = np.stack([np.arange(3000.0), np.random.default_rng(0).normal(size=3000)])
    parts = [farthest(columns[:, a:b]) for a, b in itertools.pairwise([0, 700, 705, 3000])]
    for found, wanted in zip(joined_outliers(parts), farthest(columns), strict=True):
        assert np.array_equal(found, wanted)


# ---- estimates from sums


def test_values_and_errors_from_sums_by_hand():
    columns, customer = drawn([2, 1, 3, 1], 1)
    sums = closed(part_between(columns, customer, 0, 7))
    totals = np.stack([np.bincount(customer, row) for row in columns])
    w, y = totals[AT["weight"]], totals[AT["earned"]]
    found = combination("snips", sums)
    assert found.value == pytest.approx(y.sum() / w.sum())
    each = (y - found.value * w) / (w.sum() / 7)  # influence of a customer's rows, by sums
    assert error(found.influence, sums) == pytest.approx(math.sqrt(4 / 3 * (each**2).sum()) / 7)
    dr, expected = totals[AT["dr"]], totals[AT["expected"]]
    sndr = combination("sndr", sums)
    assert sndr.value == pytest.approx(expected.sum() / 7 + (dr - expected).sum() / w.sum())
    ips = combination("ips", sums)
    assert ips.value == pytest.approx(y.sum() / 7)
    each = y - ips.value * totals[AT["one"]]
    assert error(ips.influence, sums) == pytest.approx(math.sqrt(4 / 3 * (each**2).sum()) / 7)
    assert combination("dm", sums).value == pytest.approx(expected.sum() / 7)
    assert combination("dr", sums).value == pytest.approx(dr.sum() / 7)
    one = closed(part_between(columns, customer, 0, 2))
    assert math.isnan(error(found.influence, one))
    assert not math.isnan(error(found.influence, closed(part_between(columns, customer, 0, 3))))
    silent = columns.copy()
    silent[AT["weight"]] = 0.0
    nothing = combination("snips", closed(part_between(silent, customer, 0, 7)))
    assert math.isnan(nothing.value)
    assert np.isnan(nothing.influence).all()


def test_where_every_weight_is_one_no_other_can_have_been_missed():
    columns, customer = drawn([1] * 40, 5)
    columns[[AT[name] for name in WEIGHTS]] = 1.0
    sums = closed(part_between(columns, customer, 0, len(customer)))
    wide = Bounds((0.0, 1.0), (0.1, 0.9), (0.3, 9.0), (-4.0, 9.0), False, False)
    ones = wide._replace(weight=(1.0, 1.0), lift_weight=(1.0, 1.0))
    known = wide._replace(all_ones=True, all_ones_lift=True)
    for name in ("ips", "dr"):
        assert estimate(name, sums, known, 0.1) == estimate(name, sums, ones, 0.1) != estimate(name, sums, wide, 0.1)
    found = [lift(sums, 0.2, bounds, 0.1, None) for bounds in (known, ones, wide)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("sizes", [[1] * 50, [2, 1, 3, 1, 1] * 8])
def test_how_likely_a_mean_weight_is_from_sums_and_from_rows(sizes):
    columns, customer = drawn(sizes, 2)
    sums = closed(part_between(columns, customer, 0, len(customer)))
    for bounds in ((0.0, 5.0), (0.0, 30.0), (0.5, 1.5), (0.0, math.inf)):
        wanted = weights.mean_weight_p_value(columns[AT["weight"]], Clusters(customer), bounds)
        assert mean_weight_p_value(sums, bounds) == pytest.approx(wanted, rel=1e-9)


def test_the_closest_mix_from_sums_and_from_rows():
    for scale in (0.5, 1.5, 3.0, 5.0):
        for n in (40, 1500, 2500):
            w = np.random.default_rng(n).lognormal(-(scale**2) / 2, scale, n)
            wanted = weights.closest_mix(w, min(1000, n / 2))
            found = _closest_mix(float(w.sum()), float(w @ w), n)
            assert found == (None if wanted is None else pytest.approx(wanted))
    assert _effective(3.0, 0.0) == 0.0
    assert _effective(3.0, 2.0) == 4.5
    assert weights.effective_sample_size(np.array([1.0, 3.0])) == 1.6
    assert weights.effective_sample_size(np.zeros(3)) == 0.0


def test_columns_of_a_question_are_eight_at_least():
    assert columns_of(("ips", "dr")) == (*COLUMNS, "unused")
    assert columns_of(("ips_clip",)) == (*COLUMNS, "ips_clip.above")
    assert columns_of(("ips_clip", "dros", "ips_clip"))[7:] == ("ips_clip.above", "dros.above")


# ---- what is judged


def kinds(shop):
    """Logs of every kind that a figure looks at."""
    log = matured(shop.log(ROWS))
    free = matured(shop.log(ROWS, masked=False))
    chance = np.random.default_rng(0)
    certain = np.arange(ROWS) % 4 == 0
    sure = replace(log, propensity=np.where(certain, 1.0, log.propensity))
    half = replace(free, propensity=chance.uniform(0.05, 0.9, ROWS).astype(np.float16).astype(float))
    return {
        "masked": log,
        "free": free,
        "immature": shop.log(ROWS),
        "certain": sure,
        "all certain": replace(free, propensity=np.ones(ROWS)),
        "half": half,
        "untried": log.take(np.flatnonzero(log.action < 5)),
        "heavy": replace(free, propensity=np.where(np.arange(ROWS) % 90 == 0, 0.004, free.propensity)),
        "floor": replace(free, meta={**free.meta, "propensity_floor": 0.01}),
        "binary": replace(log, reward=(log.reward > 0.3) * 1.0),
        "one reward": replace(log, reward=np.ones(ROWS)),
        "long": replace(log, customer=np.arange(ROWS) // 30, step=np.arange(ROWS) % 30),
    }


NAMES = ("masked", "free", "immature", "certain", "all certain", "half", "untried", "heavy", "floor", "binary")


@pytest.mark.parametrize("words", [{}, {"mix": 0.4}], ids=["", "mix"])
@pytest.mark.parametrize("kind", [*NAMES, "one reward", "long"])
def test_what_is_judged_in_pieces_is_what_is_judged_of_the_whole(shop, monkeypatch, kind, words):
    log = kinds(shop)[kind]
    judged = {}
    for name, module in (("whole", whole_module), ("pieces", stream_module)):

        def keep(figures, name=name, diagnose=module.diagnose):
            judged[name] = figures
            return diagnose(figures)

        monkeypatch.setattr(module, "diagnose", keep)
    q = np.random.default_rng(1).uniform(log.reward.min(), log.reward.max(), (len(log), 7))
    p = np.tile([0.05, 0.1, 0.1, 0.2, 0.05, 0.4, 0.1], (len(log), 1))
    p = p * log.allowed() / (p * log.allowed()).sum(axis=1, keepdims=True)
    stream = stream_module.evaluate_stream(log, p, model=q, **words)
    whole = whole_module.evaluate(log, p, q=q, **words)
    for field in Figures._fields:
        found, wanted = getattr(judged["pieces"], field), getattr(judged["whole"], field)
        if isinstance(wanted, float):
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True), field
        elif isinstance(wanted, tuple) and all(isinstance(one, float) for one in wanted):
            assert found == pytest.approx(wanted), field
        else:
            assert found == wanted, field
    assert (stream.verdict, stream.reasons, stream.policy) == (whole.verdict, whole.reasons, whole.policy)
    for name in stream.estimates:
        close = 1e-9 if kind != "immature" else 0.02  # where customers are of unequal size ends are of a bin
        assert stream.estimates[name][:2] == pytest.approx(whole.estimates[name][:2], rel=1e-9, nan_ok=True), name
        assert stream.estimates[name][2:4] == pytest.approx(whole.estimates[name][2:4], abs=close, nan_ok=True), name
    assert stream.lift == pytest.approx(whole.lift, rel=1e-9, nan_ok=True)


def test_rewards_outside_the_range_given_are_refused(shop):
    log = matured(shop.log(300))
    least, most = float(log.reward.min()), float(log.reward.max())
    assert evaluate_stream(log, "uniform", reward_range=(least, most)).reward_range == (least, most)
    for bounds in ((least + 1e-6, most), (least, most - 1e-6), (most, least)):
        with pytest.raises(DataError, match="around all rewards"):
            evaluate_stream(log, "uniform", reward_range=bounds)
    told = replace(log, meta={**log.meta, "reward_range": (-9.0, 9.0)})
    found = evaluate_stream(told, "uniform")
    assert (found.reward_range, found.reward_range_from) == ((-9.0, 9.0), "the log's facts")
    found = evaluate_stream(told, "uniform", reward_range=(-8, 8))
    assert (found.reward_range, found.reward_range_from) == ((-8.0, 8.0), "given")
    assert evaluate_stream(log, "uniform").reward_range_from == "observed"


def test_names_and_numbers_of_the_answer(shop):
    log = shop.log(600)
    found = evaluate_stream(log, "uniform", mix=0.3, reference="always:none")
    kept = int(log.matured.sum())
    assert (found.policy, found.reference) == ("0.3 uniform + 0.7 logged", "always:none")
    assert (found.n, found.dropped, found.customers) == (kept, 600 - kept, len(np.unique(log.customer[log.matured])))
    assert found.logged_value == pytest.approx(log.reward[log.matured].mean())
    assert found.settings == {"ips_clip": 10.0, "dros": 100.0, "switch_dr": 10.0}
    assert evaluate_stream(log, "uniform", estimators=("ips",)).settings == {}
    assert evaluate_stream(log, "uniform", estimators=("ips",)).reward_model == ""
    assert evaluate_stream(log, "uniform").reward_model == "ridge"
    assert evaluate_stream(log, "uniform", model=np.zeros((600, 7))).reward_model == "given"
    k = np.full((600, 7), 1 / 7)
    assert evaluate_stream(matured(shop.log(600, masked=False)), k).policy == "given probabilities"
    with pytest.raises(SupportError):
        evaluate_stream(replace(log, matured=np.zeros(600, dtype=bool)), "uniform")
    with pytest.raises(UsageError, match="workers = 0"):
        evaluate_stream(log, "uniform", workers=0)


def test_a_question_knows_whether_anything_must_be_asked(shop):
    log, p = LogInMemory(shop.log(30)), np.ones((30, 7))
    assert not Question(log, None, None, 1.0, None, ()).asks
    assert not Question(log, p, None, 1.0, p, ()).asks
    for place in range(3):
        given = [None, p, p]
        given[place] = object()
        policy, reference, model = given
        assert Question(log, policy, reference, 1.0, model, ()).asks
    assert Question(log, None, None, 1.0, None, ()).sampling == 0
    apart = LogInMemory(shop.log(30).take(np.r_[3:30, 0:3]))
    assert Question(apart, None, None, 1.0, None, ()).sampling == 1


def test_the_first_propensities_are_those_of_the_file(shop, tmp_path):
    log = matured(shop.log(90))
    write_log(log, tmp_path / "log.parquet")
    question = Question(open_log(tmp_path / "log.parquet"), None, None, 1.0, None, ("ips",))
    part = part_of(question, 0)
    assert part.propensities.tolist() == log.propensity.tolist()
    assert part.rows.added["dropped"] == 0
    assert part.rows.added["tried"].tolist() == np.bincount(log.action, minlength=7).tolist()


@pytest.mark.parametrize("in_memory", [False, True])
def test_customers_of_the_rows_that_are_looked_at_are_told_apart_across_pieces(shop, tmp_path, in_memory):
    """Each piece of a file numbers its own customers from 0."""
    log = matured(shop.log(90))
    log = replace(log, customer=np.arange(90) // 3, step=np.arange(90) % 3)
    write_log(log, tmp_path / "log.parquet")
    pq.write_table(pq.read_table(tmp_path / "log.parquet"), tmp_path / "log.parquet", row_group_size=20)
    stream = LogInMemory(log) if in_memory else open_log(tmp_path / "log.parquet")
    question = Question(stream, None, None, 1.0, None, ("ips",))
    samples = [one for group in range(len(stream.groups)) for one in part_of(question, group).sample]
    whose = np.concatenate([one.customer for one in samples])
    assert len(samples) == (1 if in_memory else 5)
    assert np.concatenate([one.reward for one in samples]).tolist() == log.reward.tolist()
    assert len(set(whose.tolist())) == len(set(zip(whose.tolist(), log.customer.tolist(), strict=True))) == 30


# ---- the model


def test_groups_are_sampled_from_the_middles_of_equal_stretches():
    assert sampled_groups((10,) * 8, 80) == list(range(8))
    assert sampled_groups((10,) * 8, 79) != list(range(8))
    assert sampled_groups((10, 10, 10, 10), 20) == [1, 3]
    assert sampled_groups((10,) * 4, 1) == [2]


def test_folds_of_pieces_are_folds_of_customers(shop):
    log = shop.log(300)
    assert _folds(log, 5, 3).tolist() == folds_of(log.customers, 5, 3)[log.customer].tolist()
    assert set(_folds(log, 5, 3)) == set(range(5))


def test_the_ridge_of_a_stream_is_that_of_its_log_and_stays_within_the_rewards(shop):
    log = matured(shop.log(300))
    model = fit_sampled_ridge(LogInMemory(log), None, 3, 0, 10_000)
    assert model.rows_used == 300
    assert model.reward_range == (log.reward.min(), log.reward.max())
    q = model.predict(log)
    assert (q.min() >= np.float32(log.reward.min())) & (q.max() <= np.float32(log.reward.max()))
    tight = fit_sampled_ridge(LogInMemory(log), (0.0, 0.1), 3, 0, 10_000).predict(log)
    assert (tight.min(), tight.max()) == (0.0, np.float32(0.1))
    binary = replace(log, reward=(log.reward > 0.3) * 1.0)
    assert fit_sampled_ridge(LogInMemory(binary), None, 3, 0, 10_000).reward_range == (0.0, 1.0)


def test_predictions_reach_from_the_least_to_the_largest_of_all_blocks(shop, monkeypatch):
    from campaignrl.ope.streaming import views

    monkeypatch.setattr(views, "GIVEN_AT_ONCE", 1)  # blocks of 1,024 rows
    log = matured(shop.log(3000))
    q = np.zeros((3000, 7))
    q[100], q[2900] = -0.5, 0.75
    part = part_of(Question(LogInMemory(log), None, None, 1.0, q, ("ips",)), 0)
    assert (part.rows.least["q"], part.rows.largest["q"]) == (-0.5, 0.75)
    none = part_of(Question(LogInMemory(log), None, None, 1.0, None, ("ips",)), 0)
    assert (none.rows.least["q"], none.rows.largest["q"]) == (0.0, 0.0)


def test_the_lift_has_the_rows_of_whom_fewer_speak():
    rows = SimpleNamespace(added={"weight of b": 6.0, "weight_square of b": 9.0})
    for speaking, wanted in ((10.0, 4.0), (3.0, 3.0)):
        assert stream_module._of_both(Shape(None, speaking), rows) == Shape(None, wanted)
    assert stream_module._of_both(None, rows) is None
    nobody = SimpleNamespace(added={"weight of b": 0.0, "weight_square of b": 0.0})
    assert stream_module._of_both(Shape(None, 3.0), nobody).speaking == 0.0


def test_what_a_stream_leaves_unchecked_and_what_it_calls_things():
    assert stream_module._unchecked({}, None) == ()
    assert stream_module._unchecked({"holdout": 0.1}, None) == (
        "the holdout's share is not checked where a log is read in pieces.",
    )
    learned = SimpleNamespace(trained_on={FACT: {}})
    assert [text.split(" is not")[0] for text in stream_module._unchecked({"holdout": 0.1}, learned)] == [
        "the holdout's share",
        "whether the policy has learned from these customers",
    ]
    assert stream_module._unchecked({}, SimpleNamespace(trained_on={})) == ()
    assert stream_module._name(None) == "logged"
    assert stream_module._name(np.zeros((1, 2))) == "given probabilities"
    assert stream_module._name(SimpleNamespace(name="mine")) == "mine"


@pytest.mark.parametrize(
    ("heaviest", "certain", "off", "silent"),
    [(0.0, 0.0, 0.0, True), (1.0, 0.5, 0.5, False), (1.0, 1.0, 0.5, True), (1.0, 1.0, 1e-9, False)],
)
def test_when_rows_say_nothing_of_a_policy(heaviest, certain, off, silent):
    assert stream_module._no_information(heaviest, certain, off) is silent
