"""Comparisons of policies to the last digit: Fieller's interval, bands and parts of a log, words for what was found."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from campaignrl.ope.comparison.equivalence import Conclusion, conclude, conclusion_of_best, independent_difference
from campaignrl.ope.comparison.personalisation import personalising
from campaignrl.ope.comparison.policies import (
    ABSENT,
    Part,
    Rows,
    bonferroni,
    compare_many_on_log,
    cost_of,
    harm_of,
    holm,
    lift_among,
    lift_by,
    p_value,
    part_table,
    parts_of,
    probability_of_harm,
    ratio,
)
from campaignrl.ope.comparison.subgroups import Breakdown, breakdown
from campaignrl.ope.intervals.clustered import Clusters, Estimate
from campaignrl.ope.methods.registry import difference

_SPEC = importlib.util.spec_from_file_location("logs", Path(__file__).with_name("test_ope_log.py"))
LOGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LOGS)
make_log, always = LOGS.make_log, LOGS.always


# ---- ratios


def test_a_ratio_of_means_with_its_error_and_both_ends_by_hand():
    """Fieller: r is inside where (y - r x)^2 <= t^2 var(y - r x); the error is that of the delta method."""
    above, below = np.array([2.0, 4.0, 6.0, 9.0]), np.array([1.0, 1.0, 2.0, 3.0])
    made = ratio(above, below, Clusters(np.arange(4)), 0.1)
    y, x, r = above.mean(), below.mean(), above.mean() / below.mean()
    assert made.value == pytest.approx(r)
    apart = above - r * below
    assert made.std_error == pytest.approx(apart.std(ddof=1) / math.sqrt(4) / x)
    t = stats.t.isf(0.05, 3)
    for end in (made.ci_low, made.ci_high):
        rest = above - end * below
        assert abs(rest.mean()) == pytest.approx(t * rest.std(ddof=1) / 2)
    assert made.ci_low < r < made.ci_high
    assert made.interval == "Fieller"
    assert (y, x) == (5.25, 1.75)


def test_a_ratio_is_of_customers():
    """Two rows of one customer are one draw: the interval is that of the customers' sums."""
    above, below = np.array([1.0, 1.0, 4.0, 6.0, 9.0]), np.array([0.5, 0.5, 1.0, 2.0, 3.0])
    made = ratio(above, below, Clusters(np.array([0, 0, 1, 2, 3])), 0.1)
    sums = ratio(np.array([2.0, 4.0, 6.0, 9.0]), np.array([1.0, 1.0, 2.0, 3.0]), Clusters(np.arange(4)), 0.1)
    assert made[:4] == pytest.approx(sums[:4])


def test_a_ratio_that_cannot_be_told():
    ones, customers = np.ones(4), Clusters(np.arange(4))
    none = ratio(ones, np.array([1.0, -1.0, 2.0, -2.0]), customers, 0.05)  # a gain of just nothing
    assert math.isnan(none.value)
    assert none.interval == "Fieller"
    assert math.isnan(ratio(ones[:1], ones[:1], Clusters(np.arange(1)), 0.05).value)
    two = ratio(np.array([2.0, 4.0]), np.array([1.0, 1.0]), Clusters(np.arange(2)), 0.05)  # two customers are enough
    assert two.value == 3.0
    assert two.std_error == pytest.approx(1.0)
    assert (two.ci_low, two.ci_high) == pytest.approx(3.0 + np.array([-1, 1]) * stats.t.isf(0.025, 1))
    unsure = ratio(np.array([4.0, 2.0, 3.0]), np.array([3.0, -2.0, 0.5]), Clusters(np.arange(3)), 0.05)
    assert (unsure.ci_low, unsure.ci_high) == (-math.inf, math.inf)
    assert unsure.value == pytest.approx(6.0)
    rest = np.array([4.0, 2.0, 3.0]) - 6.0 * np.array([3.0, -2.0, 0.5])
    assert unsure.std_error == pytest.approx(rest.std(ddof=1) / math.sqrt(3) / 0.5)


# ---- p values and corrections


def test_p_values_stay_between_one_and_a_millionth_of_a_millionth():
    def normal(z):
        return lambda alpha: (z - stats.norm.isf(alpha / 2), z + stats.norm.isf(alpha / 2))

    for z in (0.1, 1.0, 3.0, 6.0):
        assert p_value(normal(z)) == pytest.approx(2 * stats.norm.sf(z), rel=1e-9)
        assert p_value(normal(-z)) == pytest.approx(2 * stats.norm.sf(z), rel=1e-9)
    assert p_value(normal(9.0)) == 1e-12
    assert p_value(normal(0.0)) == 1.0
    assert p_value(lambda alpha: (0.0, 1.0)) == 1.0  # an end that touches holds
    assert p_value(lambda alpha: (-1.0, 0.0)) == 1.0
    assert p_value(lambda alpha: (0.0, 1.0), null=1.5) == 1e-12


def test_corrections_never_pass_one_and_never_change_the_order():
    p = [0.5, 0.02, 0.9, 0.02]
    assert bonferroni(p) == pytest.approx([1.0, 0.08, 1.0, 0.08])
    assert holm(p) == pytest.approx([1.0, 0.08, 1.0, 0.08])
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.3]) == bonferroni([0.3]) == [0.3]


def test_the_least_adjusted_p_decides_and_not_the_interval():
    log = make_log(3000)
    policies = {"two": always(log, 2), "zero": always(log, 0), "same": "logged"}
    for correction, factor in (("bonferroni", 3), ("none", 1)):
        found = {one.policy: one for one in compare_many_on_log(log, policies, correction=correction)}
        for one in found.values():
            assert one.adjusted_p == pytest.approx(min(1.0, factor * one.p_value))
        assert found["two"].conclusion is Conclusion.BETTER
        assert found["zero"].conclusion is Conclusion.WORSE
        assert (found["same"].conclusion, found["same"].p_value) == (Conclusion.UNKNOWN, 1.0)
        rows = Rows.of(log, [always(log, 2), "logged"])
        assert found["two"].difference[2:4] == pytest.approx(difference(*rows.evidence, 0.05 / factor)[2:4])


def test_each_policy_is_set_against_the_reference_that_is_named():
    log = make_log(2000)
    (found,) = compare_many_on_log(log, {"two": always(log, 2)}, always(log, 0))
    rows = Rows.of(log, [always(log, 2), always(log, 0)])
    assert found.difference[:4] == pytest.approx(difference(*rows.evidence, 0.05)[:4])
    assert harm_of(rows) == pytest.approx(found.p_value / 2)
    assert harm_of(rows._replace(evidence=rows.evidence[::-1])) == pytest.approx(1 - found.p_value / 2)
    assert probability_of_harm(log, always(log, 2), always(log, 0)) == pytest.approx(found.p_value / 2)


def test_harm_is_half_the_p_value_where_neither_is_sure():
    log = make_log(300)
    (found,) = compare_many_on_log(log, {"two": always(log, 2)}, always(log, 3))
    harm = probability_of_harm(log, always(log, 2), always(log, 3))
    assert 0.01 < harm < 0.99
    better = found.difference.value > 0.0
    assert harm == pytest.approx(found.p_value / 2 if better else 1 - found.p_value / 2)
    assert probability_of_harm(log, always(log, 3), always(log, 2)) == pytest.approx(1 - harm)


def test_an_interval_lost_to_rounding_is_no_evidence_for_no_difference():
    """At a level of almost 1 there is no room left, and the interval may be everything: 8 standard errors are far."""

    def lost(alpha):
        half = stats.norm.isf(alpha / 2) if alpha < 1.0 - 1e-8 else math.inf
        return 4.0 - half, 4.0 + half

    assert p_value(lost) == pytest.approx(2 * stats.norm.sf(4.0), rel=1e-9)
    log = make_log(2000)
    assert probability_of_harm(log, always(log, 2), always(log, 0)) < 1e-9


def test_a_log_that_is_blind_to_one_policy_says_so_of_that_one_alone():
    """Everybody got action 0 for certain: of always 0 all is known, of always 2 nothing."""
    n = 400
    log = make_log(n, action=np.zeros(n, dtype=int), propensity=np.ones(n), cost=np.arange(n) % 2)
    blind, seen = compare_many_on_log(log, {"two": always(log, 2), "zero": always(log, 0)})
    assert math.isnan(blind.difference.value)
    assert (blind.p_value, blind.adjusted_p, blind.conclusion) == (1.0, 1.0, Conclusion.UNKNOWN)
    assert seen.difference.value == 0.0
    (both,) = compare_many_on_log(log, {"zero": always(log, 0)}, always(log, 2))
    assert math.isnan(both.difference.value)
    rows = Rows.of(log, [always(log, 0), always(log, 2)])
    assert rows.silent()
    assert math.isnan(harm_of(rows))
    assert cost_of(rows) == ABSENT
    assert all(part.lift == ABSENT for part in lift_among(rows, "tag"))
    assert not Rows.of(log, [always(log, 0), "logged"]).silent()


def test_rows_without_an_outcome_are_left_out_of_arrays_too():
    log = make_log(900)
    log = replace(log, matured=np.arange(900) % 3 > 0)
    p = np.random.default_rng(0).dirichlet(np.ones(4), 900)
    kept = np.flatnonzero(log.matured)
    (half,) = compare_many_on_log(log, {"p": p})
    (whole,) = compare_many_on_log(log.take(kept), {"p": p[kept]})
    assert half.difference == whole.difference
    assert len(Rows.of(log, [p, "logged"]).log) == 600


# ---- parts


def with_column(log, name, values):
    return replace(log, context=type(log.context)(log.context.schema, {**log.context.columns, name: values}))


def test_bands_are_cut_at_the_quartiles_and_an_edge_belongs_to_the_lower_one():
    log = with_column(make_log(9), "recency", np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]))
    labels, of_row = parts_of(log, "recency")
    assert labels == ["0 to 2", "2 to 4", "4 to 6", "6 to 8", "unknown"]
    assert of_row.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    log = with_column(log, "recency", np.array([0.0, 1.0, 2.0, 3.0, 4.0, np.nan, np.nan, np.nan, np.nan]))
    labels, of_row = parts_of(log, "recency")
    assert labels == ["0 to 1", "1 to 2", "2 to 3", "3 to 4", "unknown"]
    assert of_row.tolist() == [0, 0, 1, 2, 3, 4, 4, 4, 4]


@pytest.mark.parametrize(("value", "label", "place"), [(7.0, "7 to 7", 0), (np.nan, "0 to 0", 1)])
def test_one_number_is_one_band(value, label, place):
    labels, of_row = parts_of(with_column(make_log(6), "recency", np.full(6, value)), "recency")
    assert labels == [label, "unknown"]
    assert of_row.tolist() == [place] * 6


def test_levels_are_parts_and_the_unknown_one_comes_last():
    log = with_column(make_log(6), "tag", np.array([0, 1, -1, 0, 1, -1]))
    labels, of_row = parts_of(log, "tag")
    assert labels == ["a", "b", "unknown"]
    assert of_row.tolist() == [0, 1, 2, 0, 1, 2]


def test_intervals_of_parts_share_alpha_among_the_parts_that_are_there():
    log = make_log(1200, rows=2)
    for alpha in (0.05, 0.2):
        parts = lift_by(log, always(log, 2), "tag", alpha=alpha)
        rows = Rows.of(log, [always(log, 2), "logged"])
        for i, part in enumerate(parts):
            some = np.flatnonzero(log.context.columns["tag"] == i)
            own = [
                e._replace(
                    **{x: getattr(e, x)[some] for x in ("reward", "predicted", "weight", "expected")},
                    clusters=Clusters(log.customer[some]),
                )
                for e in rows.evidence
            ]
            assert part.lift[:4] == pytest.approx(difference(*own, alpha / 2)[:4])  # two parts; none is unknown
            assert (part.part, part.n, part.customers) == ("ab"[i], len(some), len(np.unique(log.customer[some])))


def test_two_customers_are_enough_for_a_figure():
    log = with_column(make_log(300), "tag", np.where(np.arange(300) < 2, 1, 0))
    assert not math.isnan(lift_by(log, always(log, 2), "tag")[1].lift.value)


def test_a_table_of_parts():
    parts = [Part("a", 1200, 1100, Estimate(0.01234, 0.1, -0.5, 0.25, "")), Part("unknown", 3, 1, ABSENT)]
    assert part_table(parts).splitlines() == [
        "          decisions   customers  lift",
        "a             1,200       1,100  +0.01234 [-0.5, +0.25]",
        "unknown           3           1  -",
    ]
    assert part_table([]) == "   decisions   customers  lift"


def test_what_one_more_unit_costs_by_hand():
    """Extra cost over extra reward, row by row: the logged one has weight 1 and expects what it did."""
    log = make_log(2000)
    log = replace(log, cost=np.where(log.action == 3, 4, np.where(log.action == 1, 1, 0)))
    rows = Rows.of(log, [always(log, 3), "logged"])
    found, (first, second) = cost_of(rows, 0.1), rows.evidence
    apart = first.weight - second.weight
    assert np.array_equal(second.weight, np.ones(2000))
    extra = first.expected + first.weight * (log.reward - first.predicted) - log.reward
    assert found.value == pytest.approx((apart * log.cost).mean() / extra.mean())
    assert found[:4] == pytest.approx(ratio(apart * log.cost, extra, first.clusters, 0.1)[:4])


# ---- words


def part(low, high):
    return Estimate((low + high) / 2, 0.1, low, high, "")


@pytest.mark.parametrize(
    ("low", "high", "margin", "said"),
    [
        (0.0, 1.0, 0.0, "cannot tell"),
        (1e-9, 1.0, 0.0, "better"),
        (-1.0, 0.0, 0.0, "cannot tell"),
        (-1.0, -1e-9, 0.0, "worse"),
        (-0.5, 0.5, 0.5, "about the same"),
        (-0.500001, 0.5, 0.5, "cannot tell"),
        (-0.5, 0.500001, 0.5, "cannot tell"),
        (0.0, 0.0, 0.0, "cannot tell"),
        (math.nan, 0.1, 1.0, "cannot tell"),
        (0.1, math.nan, 1.0, "cannot tell"),
        (-0.1, math.nan, 1.0, "cannot tell"),
    ],
)
def test_conclusions_at_their_borders(low, high, margin, said):
    assert conclude(part(low, high), margin) == said


def test_the_best_of_several_at_its_borders():
    assert conclusion_of_best([]) is Conclusion.UNKNOWN
    assert conclusion_of_best([], 1.0) is Conclusion.UNKNOWN
    assert conclusion_of_best([part(-3, 0.5), part(-3, -2)], 0.5) is Conclusion.SAME
    assert conclusion_of_best([part(-3, 0.51), part(-3, -2)], 0.5) is Conclusion.UNKNOWN
    assert conclusion_of_best([part(-3, 0.0)], 0.0) is Conclusion.UNKNOWN
    assert conclusion_of_best([part(-3, -1), part(-3, -2)]) is Conclusion.WORSE
    assert conclusion_of_best([part(-3, math.nan), part(-3, 0.1)], 0.5) is Conclusion.UNKNOWN


def test_two_logs_are_joined_by_the_root_of_squares():
    found = independent_difference(Estimate(0.5, 0.3, 0.1, 1.1, ""), Estimate(0.2, 0.4, -0.6, 0.5, ""))
    assert found[:4] == pytest.approx((0.3, 0.5, 0.3 - math.hypot(0.4, 0.3), 0.3 + math.hypot(0.6, 0.8)))


def test_sentences_of_personalising_word_by_word():
    gain = Estimate(0.08, 0.01, 0.06, 0.1, "")
    while_ = ", while x itself gains +0.08 [+0.06, +0.1] over none."
    two = {"a": Estimate(0.02, 0, 0.01, 0.03, ""), "b": Estimate(0.05, 0, 0.02, 0.08, "")}
    assert personalising(two, "x", gain).text == f"Personalising pays: b earns +0.05 [+0.02, +0.08] over x{while_}"
    some = {**two, "c": Estimate(0.09, 0, -0.1, 0.28, "")}  # larger, but not told from 0
    assert personalising(some, "x", gain).text == f"Personalising pays: b earns +0.05 [+0.02, +0.08] over x{while_}"
    harm = {"a": Estimate(-0.02, 0, -0.03, -0.01, ""), "b": Estimate(-0.05, 0, -0.08, -0.02, "")}
    said = f"Personalising harms here: even a earns -0.02 [-0.03, -0.01] over x{while_}"
    assert personalising(harm, "x", gain).text == said
    same = {"a": Estimate(0.0, 0, -0.01, 0.005, ""), "b": Estimate(-0.05, 0, -0.08, 0.01, "")}
    said = f"Personalising gains almost nothing here: at most +0.01 over x (b -0.05 [-0.08, +0.01]){while_}"
    assert personalising(same, "x", gain).text == said
    below = {"a": Estimate(-0.01, 0, -0.02, 0.0, "")}
    said = f"Personalising gains almost nothing here: no more than x (a -0.01 [-0.02, +0]){while_}"
    assert personalising(below, "x", gain).text == said
    open_ = {"a": Estimate(0.0, 0, -0.1, 0.1, ""), "b": Estimate(0.05, 0, -0.2, 0.3, "")}
    said = "This log cannot tell whether personalising pays: b earns +0.05 [-0.2, +0.3] over x"
    assert personalising(open_, "x", gain).text == f"{said} (up to 0.015 would be almost nothing){while_}"
    nothing = personalising(open_, "x", Estimate(0.08, 0.01, 0.0, 0.1, ""))
    assert nothing.margin == 0.0
    assert "almost nothing" not in nothing.text
    alike = {"a": Estimate(0.0, 0, 0.0, 0.0, ""), "b": Estimate(0.1, 0, 0.05, 0.15, "")}
    assert "alike" not in personalising(alike, "x", gain).text  # where one pays, it is the answer
    blind = {name: Estimate(*(math.nan,) * 4, "") for name in ("a", "b", "c")}
    said = "This log cannot tell whether personalising pays: it says too little about a, b and c"
    assert personalising(blind, "x", gain).text == f"{said}{while_}"


def test_a_breakdown_in_words_and_in_json():
    parts = {"tag": (Part("a", 10, 9, Estimate(0.5, 0.1, 0.25, 0.75, "t")),)}
    price = Estimate(1234.5, 10.0, 1000.0, 2000.0, "Fieller")
    found = Breakdown(reference="logged", parts=parts, harm=0.25, cost=price)
    assert str(found).split("\n\n") == [
        "lift by tag, over logged\n" + part_table(parts["tag"]),
        "probability that it earns less than logged   25.0%",
        "cost of one more unit of reward   1,234 [1,000, 2,000] minor units (Fieller)",
    ]
    lift = {"value": 0.5, "std_error": 0.1, "ci_low": 0.25, "ci_high": 0.75, "interval": "t"}
    cost = {"value": 1234.5, "std_error": 10.0, "ci_low": 1000.0, "ci_high": 2000.0, "interval": "Fieller"}
    assert found.to_dict() == {
        "lift_by": {"tag": [{"part": "a", "n": 10, "customers": 9, "lift": lift}]},
        "probability_of_harm": 0.25,
        "cost_per_incremental": cost,
    }
    assert Breakdown(reference="logged", parts={}).to_dict() == {"lift_by": {}}
    assert Breakdown(reference="x", parts={}, harm=math.nan).to_dict()["probability_of_harm"] is None


@pytest.mark.parametrize(
    ("harm", "said"),
    [(0.001, "0.1%"), (0.000999, "below 0.1%"), (0.999, "99.9%"), (0.99901, "above 99.9%"), (math.nan, "-")],
)
def test_chances_at_their_borders(harm, said):
    assert str(Breakdown(reference="x", parts={}, harm=harm)).endswith(f"than x   {said}")


def test_a_breakdown_of_a_mixture_and_of_a_policy_with_a_name():
    log = make_log(1500)
    log = replace(log, cost=np.where(log.action == 3, 4, 0))
    found = breakdown(log, always(log, 3), always(log, 0), mix=0.3, risk=True, by=["tag"], alpha=0.1)
    rows = Rows.of(log, [always(log, 3), always(log, 0)])
    mixed = rows._replace(evidence=[rows.evidence[0].mixed(0.3), rows.evidence[1]])
    assert found.harm == harm_of(mixed)
    assert found.cost == cost_of(mixed, 0.1)
    assert found.parts["tag"] == lift_among(mixed, "tag", 0.1)
    assert found.reference == "the reference"
    assert breakdown(log, "logged").reference == "logged"
    free = breakdown(replace(log, cost=np.zeros(1500, dtype=int)), always(log, 3), risk=True)
    assert (free.cost, free.harm is None) == (None, False)
