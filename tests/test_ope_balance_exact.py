"""The tests of balance by loops over rows and customers: which rows, which sums, which evidence, and the words."""

import math
import sys

import numpy as np
import pytest

from campaignrl.features import Feature, FeatureSchema
from campaignrl.ope.data import LogSample
from campaignrl.ope.data.log_sample import joined_samples
from campaignrl.ope.diagnostics.balance import (
    CAUSE,
    EVERYWHERE,
    SAID,
    Imbalance,
    _about,
    _apart,
    _by_customers,
    _chances,
    _of_actions,
    _of_cells,
    _off_weights,
    _taken_too_often,
    _wanted_and_missing,
    balance,
)
from campaignrl.ope.diagnostics.evidence import COSTS, STAKES
from campaignrl.ope.diagnostics.hardly_tried import findings_of_hardly_tried
from campaignrl.ope.diagnostics.verdict import MEAN_WEIGHT_REFUSE, P_ALARM, Level

K = 4
SCHEMA = FeatureSchema((Feature(name="plan", levels=("a", "b", "c")),))
LEVELS = {"everywhere": None, "`plan` is a": 0, "`plan` is b": 1, "`plan` is c": 2}


def sample_of(action, p, plan, wanted=None, customer=None, eligible=None):
    n = len(action)
    customer = np.arange(n) if customer is None else customer
    return LogSample(
        SCHEMA, customer, np.asarray(action), np.asarray(p, dtype=float), np.zeros(n), eligible,
        {"plan": np.asarray(plan)}, None, None, None if wanted is None else np.asarray(wanted, dtype=np.float32),
    )  # fmt: skip


def faulty(seed, rows=600, of_each=1, eligible=True):
    """Of plan b action 1 comes more often than is said, of plan c action 2 less often; in between chance decides."""
    chance = np.random.default_rng(seed)
    plan = chance.integers(0, 3, rows)
    may = chance.random((rows, K)) < 0.8
    may[:, 0] = True
    if not eligible:
        may[:] = True
    said = may * chance.uniform(0.8, 1.2, (rows, K))
    said /= said.sum(axis=1, keepdims=True)
    true = said * np.where(np.arange(K) == 1, np.where(plan == 1, 2.6, 1.0)[:, None], 1.0)
    true = true * np.where(np.arange(K) == 2, np.where(plan == 2, 0.1, 1.0)[:, None], 1.0)
    true /= true.sum(axis=1, keepdims=True)
    action = (true.cumsum(axis=1) < chance.random(rows)[:, None]).sum(axis=1)
    liked = (np.arange(K) == 1) & (plan == 1)[:, None] | (np.arange(K) == 2) & (plan == 2)[:, None]
    wanted = may * (chance.uniform(0.0, 1.0, (rows, K)) ** 3 + 3.0 * liked)
    wanted /= wanted.sum(axis=1, keepdims=True)
    p = said[np.arange(rows), action]
    customer = np.arange(rows) // of_each
    return sample_of(action, p, plan, wanted, customer, may if eligible else None)


def wealth(x, most):
    """Log wealth of numbers above -most, as the two sums have it."""
    total, squares = sum(x) / most, sum(v * v for v in x) / most**2
    return math.log(sum(math.exp(s * total - c * squares) for s, c in zip(STAKES, COSTS, strict=True)) / len(STAKES))


def by_customers(sample, here, gap, most, sign):
    """Evidence of the customers' sums of gaps of the rows `here`; of rows alone where each customer has one."""
    customer = [sample.customer[i] for i in here]
    rows, sums = {}, {}
    for c, g in zip(customer, gap, strict=True):
        rows[c], sums[c] = rows.get(c, 0) + 1, sums.get(c, 0.0) + sign * g
    if len(set(sample.customer)) < len(sample.customer):
        most = max(most + max(rows.values()) - 1.0, -min(sums.values()))
    return wealth(list(sums.values()), most)


def spared(sample, i, most):
    """Mass of a row on what was not done and is wanted more than the chance that was left to it bears."""
    left = 1.0 - sample.propensity[i]
    return sum(
        float(sample.wanted[i, a]) for a in range(K) if a != sample.action[i] and sample.wanted[i, a] > most * left
    )


CASES = [(0, 1, True), (1, 1, False), (2, 3, True), (3, 2, False)]


@pytest.mark.parametrize(("seed", "of_each", "eligible"), CASES)
def test_actions_that_come_too_often_by_loops(seed, of_each, eligible):
    sample = faulty(seed, 1_800, of_each, eligible)
    n, plan = len(sample.action), sample.columns["plan"]
    free = [i for i in range(n) if not eligible or sample.eligible[i].sum() > 1]
    bar = math.log(4 * K / (P_ALARM / 3))
    expected, looked_at = {}, 0
    for name, level in LEVELS.items():
        here = [i for i in free if level is None or plan[i] == level]
        for a in range(K):
            came = [i for i in here if sample.action[i] == a]
            may = [1.0 if not eligible else float(sample.eligible[i, a]) for i in here]
            gap = [(sample.action[i] == a) / sample.propensity[i] - one for i, one in zip(here, may, strict=True)]
            looked_at += 1
            evidence = by_customers(sample, here, gap, 1.0, 1.0)
            if min(evidence, wealth(gap, 1.0)) > bar:
                ratio = sum(1 / sample.propensity[i] for i in came) / sum(may)
                off = len(came) * (1.0 - 1.0 / ratio) / len(free)
                expected[name, a] = (ratio, off, evidence)
    found = _taken_too_often(_chances(sample, K))
    assert {(one.where, one.action) for one in found} == set(expected)
    assert 0 < len(found) < looked_at
    for one in found:
        assert (one.ratio, one.misplaced, one.evidence) == pytest.approx(expected[one.where, one.action])
        assert one.column == ("plan" if one.where != EVERYWHERE else "")


@pytest.mark.parametrize(("seed", "of_each", "eligible"), [*CASES, (4, 1, True), (5, 1, False)])
def test_actions_that_the_policy_wants_by_loops(seed, of_each, eligible):
    sample = faulty(seed, 1_500, of_each, eligible)
    free = [i for i in range(1_500) if not eligible or sample.eligible[i].sum() > 1]
    bar = math.log(2 * K / (P_ALARM / 3))
    expected = []
    for sign in (1.0, -1.0):
        for a in range(K):
            mass = [float(sample.wanted[i, a]) for i in free]
            gap, inverse = [], []
            for i, wanted in zip(free, mass, strict=True):
                gap.append((sample.action[i] == a) * wanted / sample.propensity[i] - wanted)
                inverse.append(1 / sample.propensity[i] if sample.action[i] == a else 0.0)
            most = 1.0 if sign > 0 else max(max(inverse) * max(mass), 1.0)
            by_row = wealth([sign * g for g in gap], most)
            if sign < 0:
                for j, i in enumerate(free):
                    if sample.action[i] != a and mass[j] > most * (1.0 - sample.propensity[i]):
                        gap[j] += mass[j]
            evidence = by_customers(sample, free, gap, most, sign)
            if min(by_row, evidence) > bar:
                expected.append((a, 1.0 + sum(gap) / sum(mass), abs(sum(gap)) / len(free), evidence))
    found = _wanted_and_missing(_chances(sample, K))
    assert [one.action for one in found] == [a for a, *_ in expected]
    assert {one.action for one in found} == {1, 2}
    assert all((one.where, one.column) == ("", "") for one in found)
    for one, (_, *figures) in zip(found, expected, strict=True):
        assert (one.ratio, one.misplaced, one.evidence) == pytest.approx(figures, rel=1e-5)


def test_what_is_hardly_ever_left_to_an_action_is_not_missing():
    """Half of the rows leave 1 % to what was not done, and there the policy wants action 1, which never came."""
    n = 2_000
    p = np.where(np.arange(n) < n // 2, 0.99, 0.5)
    action = np.where(np.arange(n) < n // 2, 0, np.arange(n) % 2)
    wanted = np.zeros((n, K))
    wanted[:, 1], wanted[:, 0] = 1.0, 0.0
    spared = sample_of(action, p, np.zeros(n, dtype=int), wanted)
    assert _wanted_and_missing(_chances(spared, K)) == []
    assert _off_weights(_chances(spared._replace(columns={"plan": (np.arange(n) < n // 2).astype(int)}), K)) == []
    told = spared._replace(propensity=np.where(np.arange(n) < n // 2, 0.4, 0.5))  # 0.6 are left: it should have come
    (one,) = _wanted_and_missing(_chances(told, K))
    assert (one.action, one.ratio, one.misplaced) == (1, pytest.approx(0.5), pytest.approx(0.5))


@pytest.mark.parametrize(("seed", "of_each", "eligible"), [*CASES, (6, 1, True), (7, 5, False)])
def test_cells_in_which_the_mean_weight_is_off_by_loops(seed, of_each, eligible):
    sample = faulty(seed, 1_500, of_each, eligible)
    plan = sample.columns["plan"]
    free = [i for i in range(1_500) if not eligible or sample.eligible[i].sum() > 1]
    weight = {i: float(sample.wanted[i, sample.action[i]]) / sample.propensity[i] for i in free}
    bar, expected = math.log(2 * 4 / (P_ALARM / 3)), []
    for sign, most in ((1.0, 1.0), (-1.0, max(*weight.values(), 1.0))):
        for name, level in list(LEVELS.items())[1:]:
            here = [i for i in free if plan[i] == level]
            gap = [weight[i] - float(sample.wanted[i].sum()) for i in here]
            if not wealth([sign * g for g in gap], most) > bar:
                continue
            if sign < 0:
                gap = [g + spared(sample, i, most) for i, g in zip(here, gap, strict=True)]
            evidence = by_customers(sample, here, gap, most, sign)
            if evidence > bar:
                mass = sum(float(sample.wanted[i].sum()) for i in here)
                expected.append((name, 1.0 + sum(gap) / mass, abs(sum(gap)) / len(free), evidence))
    found = _off_weights(_chances(sample, K))
    assert [(one.action, one.where, one.column) for one in found] == [(-1, name, "plan") for name, *_ in expected]
    assert [one.where for one in found] == ["`plan` is b", "`plan` is c"]
    for one, (_, *figures) in zip(found, expected, strict=True):
        assert (one.ratio, one.misplaced, one.evidence) == pytest.approx(figures, rel=1e-5)


@pytest.mark.parametrize(
    ("look", "tests"), [(_taken_too_often, 4 * K), (_wanted_and_missing, 2 * K), (_off_weights, 2 * 4)]
)
def test_the_chance_of_an_alarm_is_shared_by_all_that_is_looked_at(look, tests, monkeypatch):
    chances = _chances(faulty(1, 1_500, 1, False), K)
    weakest = min(look(chances), key=lambda one: one.evidence)
    for above, found in ((-1e-6, True), (1e-6, False)):
        monkeypatch.setitem(look.__globals__, "P_ALARM", 3 * tests * math.exp(-weakest.evidence - above))
        assert (weakest in look(chances)) is found


def test_light_weights_are_bounded_by_the_heaviest_that_could_have_come():
    """Action 1 comes in one of ten rows where half are said: weights of 1.2 and 0.8, of which none is above 1.2."""
    n = 800
    action = (np.arange(n) % 10 == 0).astype(int)
    wanted = np.tile([0.4, 0.6, 0.0, 0.0], (n, 1))
    chances = _chances(sample_of(action, np.full(n, 0.5), np.arange(n) // 400, wanted), K)
    gap = [0.2 if a else -0.2 for a in action]
    for one in _off_weights(chances):
        assert one.evidence == pytest.approx(wealth([-g for g in gap[:400]], 1.2), rel=1e-5)
    assert [one.where for one in _off_weights(chances)] == ["`plan` is a", "`plan` is b"]
    (missing,) = [one for one in _wanted_and_missing(chances) if one.action == 1]
    gap = [0.6 if a else -0.6 for a in action]
    assert missing.evidence == pytest.approx(wealth([-g for g in gap], 1.2), rel=1e-5)


def test_evidence_of_customers_by_hand():
    """Two rows of one customer may gain at its bound and one less: x is bounded by most + 1, or by what was seen."""
    sample = sample_of([0] * 5, [0.5] * 5, [0] * 5, np.full((5, K), 0.25), np.array([7, 7, 3, 3, 9]))
    chances = _chances(sample, K)
    gap = np.array([1.0, 2.0, -0.5, 0.25, -1.0])
    assert _by_customers(chances, gap, slice(None), 1.0, 1.0) == pytest.approx(wealth([3.0, -0.25, -1.0], 2.0))
    assert _by_customers(chances, gap, slice(None), 1.0, -1.0) == pytest.approx(wealth([-3.0, 0.25, 1.0], 3.0))
    here = np.array([True, False, True, True, False])
    assert _by_customers(chances, gap, here, 1.5, 1.0) == pytest.approx(wealth([1.0, -0.25], 2.5))
    alone = chances._replace(customer=np.array([4, 2, 1, 0, 9]))
    assert _by_customers(alone, gap, here, 1.5, 1.0) == pytest.approx(wealth([1.0, -0.5, 0.25], 1.5))


# ---- which rows


def test_rows_without_a_choice_are_left_out():
    eligible = np.ones((4, K), dtype=bool)
    eligible[1] = [True, False, False, False]
    wanted = np.full((4, K), 0.25)
    sample = sample_of([0, 0, 2, 3], [0.5, 0.5, 1.0, 0.25], [0, 1, 2, 0], wanted, np.arange(4), eligible)
    found = _chances(sample, K)
    assert (found.action.tolist(), found.inverse.tolist(), found.customer.tolist()) == ([0, 3], [2.0, 4.0], [0, 3])
    assert found.weight.tolist() == [0.5, 1.0]
    assert found.left.tolist() == [0.5, 0.75]
    assert found.wanted.tolist() == [[0.25, 0.0, 0.0, 0.25]] * 2  # nothing speaks of what was never tried
    assert found.eligible.tolist() == [[True] * K] * 2
    assert found.columns[0].called == (EVERYWHERE,)
    assert found.expected(1).tolist() == [1.0, 1.0]
    two = sample._replace(eligible=np.array([[True, True, False, False]] * 4))
    assert _chances(two, K).action.tolist() == [0, 0, 3]
    assert _chances(two, K).expected(2).tolist() == [0.0] * 3
    every = _chances(sample._replace(eligible=None, propensity=np.full(4, 0.5), action=np.arange(4)), K)
    assert every.wanted.tolist() == wanted.tolist()
    assert every.eligible is None
    assert every.expected(2).tolist() == [1.0] * 4
    assert _chances(sample._replace(wanted=None), K).weight is None
    assert balance(sample._replace(propensity=np.array([0.5, 1.0, 1.0, 1.0])), "abcd") == ()  # one row


def test_joined_samples_keep_their_gains_beside_their_rows():
    parts = [sample_of([0, 1], [0.5, 0.5], [0, 1]), sample_of([1], [0.25], [2])]
    gains = [np.arange(6.0).reshape(3, 2), np.arange(3.0)[:, None]]
    both = joined_samples([part._replace(gain=gain) for part, gain in zip(parts, gains, strict=True)])
    assert both.gain.tolist() == [[0.0, 1.0, 0.0], [2.0, 3.0, 1.0], [4.0, 5.0, 2.0]]
    assert (both.action.tolist(), both.columns["plan"].tolist()) == ([0, 1, 1], [0, 1, 2])
    assert joined_samples([]) is None
    assert joined_samples(parts[:1]) is parts[0]


# ---- words


def off(action, where, ratio, misplaced=0.01, evidence=20.0, column="plan"):
    return Imbalance(action, where, ratio, misplaced, evidence, column)


def test_an_action_in_words():
    said = "`a` was taken"
    more, less = "more often than its propensities say", "less often than its propensities say"
    seen = "this policy has seen what was done here, or "
    untried = "it was hardly ever tried where this policy wants it, or "
    cases = [
        ([off(0, EVERYWHERE, 1.25)], f"{said} 25% {more}: {CAUSE}."),
        ([off(0, EVERYWHERE, 0.8)], f"{said} 20% {less}: {CAUSE}."),
        ([off(0, "", 1.5)], f"{said} 50% {more} in what this policy would do: {seen}{CAUSE}."),
        ([off(0, "", 0.5)], f"{said} 50% {less} in what this policy would do: {untried}{CAUSE}."),
        ([off(0, "it is b", 1.5)], f"{said} 50% {more} where it is b: {CAUSE}."),
        ([off(0, "it is b", 1.5, evidence=9), off(0, "it is c", 2.0)], f"{said} 100% {more} where it is c: {CAUSE}."),
        (
            [off(0, "it is b", 1.5, evidence=90.0), off(0, EVERYWHERE, 1.25)],
            f"{said} 25% {more}, above all where it is b (by 50%): {CAUSE}.",
        ),
        ([off(0, "it is b", 1.29), off(0, EVERYWHERE, 1.25)], f"{said} 25% {more}: {CAUSE}."),  # not 1.2 times as far
        ([off(0, "it is b", 7.0), off(0, EVERYWHERE, 6.0)], f"{said} 500% {more}: {CAUSE}."),  # just as far
        ([off(0, "it is b", 0.2), off(0, EVERYWHERE, 1.25)], f"{said} 25% {more}: {CAUSE}."),  # the other way
        ([off(0, "", 1.5, evidence=90.0), off(0, EVERYWHERE, 1.25)], f"{said} 25% {more}: {CAUSE}."),
        ([off(0, "it is b", 1.31), off(0, "", 1.25)],
         f"{said} 25% {more} in what this policy would do, above all where it is b (by 31%): {seen}{CAUSE}."),
    ]  # fmt: skip
    for group, text in cases:
        assert (_about(group, "a").text, _about(group, "a").level) == (text, Level.CAUTION)
    for misplaced, level in ((MEAN_WEIGHT_REFUSE, Level.CAUTION), (0.1001, Level.REFUSE)):
        assert _about([off(0, EVERYWHERE, 1.2), off(0, "it is b", 1.3, misplaced)], "a").level == level


def test_the_surest_actions_are_told_and_the_others_counted():
    names = list("abcdef")
    pool = [off(a, EVERYWHERE, 1.2, evidence=10.0 + a) for a in range(6)]
    found = _of_actions(pool, names)
    assert SAID == 3
    assert [one.text[1] for one in found[:3]] == ["f", "e", "d"]
    assert found[3].text == "3 more actions came more or less often than their propensities say."
    assert found[3].level == Level.CAUTION
    assert _of_actions(pool[2:], names)[3].text == "1 more action came more or less often than their propensities say."
    assert len(_of_actions(pool[3:], names)) == 3
    assert _of_actions([], names) == []


def test_the_surest_cell_in_words_with_the_action_that_is_off_most():
    n = 120
    action, plan = np.arange(n) % 3, np.arange(n) // 60
    wanted = np.tile([0.2, 0.3, 0.5, 0.0], (n, 1))
    p = np.where(plan == 1, np.array([0.1, 0.25, 0.5])[action], 0.5)
    chances = _chances(sample_of(action, p, plan, wanted), K)
    # of plan b's 60 rows 20 each: weights 2.0, 1.2, 1.0 against 0.2, 0.3, 0.5 of 60: 40 - 12, 24 - 18, 20 - 30
    one = off(-1, "`plan` is b", 1.4)
    (found,) = _of_cells([off(-1, "`plan` is a", 2.0, evidence=19.0), one], chances, list("xyzw"))
    text = "where `plan` is b the mean weight is {} where it should be 1, most of it by `{}`: {}."
    assert (found.text, found.level) == (text.format("1.4", "x", CAUSE), Level.CAUTION)
    (found,) = _of_cells([one._replace(ratio=0.75, misplaced=0.2)], chances, list("xyzw"))
    assert found.text == text.format("0.75", "z", f"`z` was hardly ever tried there, or {CAUSE}")
    assert found.level == Level.REFUSE
    assert _of_cells([one._replace(misplaced=MEAN_WEIGHT_REFUSE)], chances, list("xyzw"))[0].level == Level.CAUTION
    assert _of_cells([], chances, list("xyzw")) == []


def test_what_is_said_of_mass_that_is_hardly_ever_tried():
    assert findings_of_hardly_tried(0.01) == ()
    (found,) = findings_of_hardly_tried(0.0125)
    assert found.level == Level.CAUTION
    assert found.text.startswith("1.2% of what this policy would do was hardly ever tried")


def test_bars_and_bounds():
    assert (P_ALARM, MEAN_WEIGHT_REFUSE, SAID, len(STAKES)) == (0.001, 0.1, 3, 14)
    assert np.array_equal(STAKES, [2.0**-i for i in range(1, 15)])
    assert _apart(off(0, "", 0.5)) == pytest.approx(0.6)


@pytest.mark.parametrize("eligible", [True, False])
def test_what_is_looked_at_closer_is_chosen_by_sums_of_gaps_and_of_their_squares(monkeypatch, eligible):
    """By loops over rows: of each action in each cell, of each action wanted, and of the weights in each cell."""
    asked = []

    def noted(bar, total, squares, most=1.0):
        asked.append((bar, total, squares, most))
        return np.zeros((0, total.ndim), dtype=int)

    monkeypatch.setattr(sys.modules[_chances.__module__], "wealthy", noted)
    c = _chances(faulty(3, 300, 1, eligible), K)
    assert _taken_too_often(c) == _wanted_and_missing(c) == _off_weights(c) == []
    took = np.eye(K)[c.action]
    inside = np.array([column.cell == cell for column, cell in c.sums.cells], dtype=float)
    gaps = took * c.inverse[:, None] - (np.ones(K) if c.eligible is None else c.eligible)
    (bar, total, squares, most), *of_wanted = asked
    assert (bar, most) == (math.log(len(inside) * K / (P_ALARM / 3)), 1.0)
    np.testing.assert_allclose(total, inside @ gaps, atol=1e-9)
    np.testing.assert_allclose(squares, inside @ gaps**2)
    gaps = took * c.weight[:, None] - c.wanted
    heaviest = [c.inverse[c.action == a].max() * c.wanted[:, a].max() for a in range(K)]
    for (bar, total, squares, most), sign, above in zip(
        of_wanted[:2], (1.0, -1.0), ([1.0] * K, np.maximum(heaviest, 1.0)), strict=True
    ):
        assert bar == math.log(2 * K / (P_ALARM / 3))
        np.testing.assert_allclose(total, sign * gaps.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(squares, (gaps**2).sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(most, above, rtol=1e-6)
    gaps = c.weight - c.wanted.sum(axis=1)
    for (bar, total, squares, most), sign, above in zip(
        of_wanted[2:], (1.0, -1.0), (1.0, max(c.weight.max(), 1.0)), strict=True
    ):
        assert bar == math.log(2 * len(inside) / (P_ALARM / 3))
        np.testing.assert_allclose(total, sign * (inside @ gaps)[1:], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(squares, (inside @ gaps**2)[1:], rtol=1e-5)
        assert most == above
