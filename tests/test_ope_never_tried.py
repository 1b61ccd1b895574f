"""Parts of a log in which an action never came: how long an end, how many rows beside it, which level, which words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.features import Feature, FeatureSchema
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.never_tried import (
    CHANCE,
    DUE,
    FEW,
    SHOWN,
    NeverTried,
    _ends,
    _left_out,
    _ordered,
    _parts,
    _Wants,
    findings_of_never_tried,
    never_tried,
)
from campaignrl.ope.diagnostics.verdict import OFF_SUPPORT_REFUSE, Level

NUMBER = FeatureSchema((Feature(name="x", low=0.0, high=1e6),))
PLAN = FeatureSchema((Feature(name="plan", levels=("a", "b", "c")),))


def sample_of(schema, columns, action, p=0.5, **others):
    m = len(action)
    given = {"eligible": None, "wave": None, "day": None, "wanted": None, "customer": np.arange(m) // 2, **others}
    return LogSample(
        schema=schema, action=np.asarray(action), propensity=np.broadcast_to(p, m).astype(float), reward=np.zeros(m),
        columns=columns, **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "others", "beside", "found"),
    [
        (40, (50, 60, 79), 4, True),
        (40, (50, 60, 80), 4, False),  # as many rows before it end at the eightieth
        (40, (50, 60, 79), 5, False),
        (30, (40, 50, 59), 4, True),
        (29, (40, 50, 57), 4, False),  # too short an end
    ],
)
def test_ends_of_a_column_by_hand(first, others, beside, found):
    column, came, all_rows = np.arange(400.0) * 3.0, np.zeros(400, dtype=bool), np.ones(400, dtype=bool)
    came[[first, *others, 399]] = True  # none is missing at the upper end
    below = _ends("x", column, np.arange(400), came, all_rows, beside)
    turned = 400 - 1 - np.array([first, *others, 399])
    came[:] = False
    came[turned] = True
    above = _ends("x", column, np.arange(400), came, all_rows, beside)
    if not found:
        assert below == above == []
        return
    ((said, here),) = below
    assert said == f"`x` is below {3 * first:.4g}"
    assert np.flatnonzero(here).tolist() == list(range(first))
    ((said, here),) = above
    assert said == f"`x` is above {3 * (399 - first):.4g}"
    assert np.flatnonzero(here).tolist() == list(range(400 - first, 400))


def test_ends_count_the_rows_that_may_have_it_alone():
    column, came, allowed = np.arange(300.0), np.zeros(300, dtype=bool), np.arange(300) % 3 != 1
    came[[90, 99, 110, 299]] = True
    order = np.arange(300)[allowed]
    ((said, here),) = _ends("x", column, order, came, allowed, 3)
    assert said == "`x` is below 90"
    assert here.sum() == 60
    assert not here[allowed == 0].any()
    assert _ends("x", column, order, np.zeros(300, dtype=bool), allowed, 0) == []
    assert _ordered(np.array([3.0, np.nan, 1.0, np.inf, 2.0, 1.0])).tolist() == [2, 5, 4, 0]


@pytest.mark.parametrize(("of_level", "found"), [(200, True), (199, False)])
def test_a_level_in_which_it_should_have_come_fifty_times(of_level, found):
    """It came in 100 of 400 rows: in 200 rows of a level it should have come 50 times."""
    plan = np.repeat([0, 1, -1], [180, of_level, 220 - of_level])
    came = np.arange(400) < 100
    sample = sample_of(PLAN, {"plan": plan}, came * 1)
    parts = _parts(sample, {}, came, np.ones(400, dtype=bool), 9)
    assert [said for said, _ in parts] == (["`plan` is b"] if found else [])
    assert all(np.array_equal(here, plan == 1) for _, here in parts)
    allowed = np.arange(400) != 180  # a row of the level, in which it was not eligible
    (one, *_) = _parts(sample, {}, np.arange(400) < 120, allowed, 9)
    assert one[1].sum() == of_level - 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.1, 0.3, 0.6]), st.booleans(), st.booleans())
def test_a_glance_at_an_end_says_what_all_rows_say(seed, share, masked, coarse):
    chance = np.random.default_rng(seed)
    values, action = chance.normal(size=1_200), chance.choice(4, size=1_200, p=[0.5, 0.3, 0.17, 0.03])
    values = np.round(values, 1) if coarse else values
    values[chance.random(1_200) < 0.05] = np.nan
    values[:2] = -np.inf, np.inf
    action[(action == 1) & (values < chance.uniform(-2.5, -1.0))] = 0
    wants = _Wants(np.bincount(action, minlength=5), np.unique(action), 19.9, 40, masked)
    whole = _left_out(values, np.inf, action, wants)
    end = np.nanquantile(values, share)
    assert _left_out(values, end, action, wants).tolist() == whole.tolist()
    assert _left_out(-values, -end, action, wants, -1).tolist() == whole.tolist()
    rising, came = np.sort(values[np.isfinite(values)]), np.sort(values[np.isfinite(values) & (action == 1)])
    rows = int((rising <= came[0]).sum()) - 1
    assert whole[1] == (rows >= 40 and (masked or came[39] <= rising[2 * rows]))
    assert not whole[4]


def steep(rows, came, p=0.5, tail=200, **others):
    """Action 1 never comes in the first rows, in so many of as many behind them, then in every other row."""
    behind = np.arange(rows) < came
    action = np.r_[np.zeros(rows, dtype=int), behind.astype(int), np.arange(tail) % 2, 0, 1, 0]
    return sample_of(NUMBER, {"x": np.arange(float(len(action)))}, action, p, **others)


def test_how_many_must_come_beside_an_end():
    """Of two actions and one column there are 4 ends: 2 x ceil(log2(4 / 1e-6)) = 44."""
    (part,) = never_tried(steep(44, 44), ("none", "a"))
    m = 44 + 44 + 203
    assert part == NeverTried("a", "`x` is below 44", 44, 22, 44 / m, 0.0)
    assert never_tried(steep(60, 44), ("none", "a"))[0].rows == 60
    assert never_tried(steep(60, 43), ("none", "a")) == ()
    assert len(never_tried(steep(60, 46), ("none", "a", "b", "c"))) == 1  # 8 ends: 2 x ceil(22.93) = 46
    assert never_tried(steep(60, 45), ("none", "a", "b", "c")) == ()
    assert (CHANCE, DUE, FEW, SHOWN) == (1e-6, 50.0, 30, 5)


def test_what_is_left_to_it_must_be_due():
    """ln(4 / 1e-6) = 15.2: of 100 rows each must leave it 0.152."""
    assert len(never_tried(steep(100, 60, 0.847), ("none", "a"))) == 1
    assert never_tried(steep(100, 60, 0.849), ("none", "a")) == ()


def test_the_largest_part_of_each_action_and_what_is_wanted_there():
    wanted = np.zeros((403 - 100, 3), dtype=np.float32)
    wanted[:20, 1], wanted[60:90, 1] = 0.5, 1.0
    sample = steep(50, 46, tail=200, wanted=wanted)
    (part,) = never_tried(sample, ("none", "a", "b"))
    assert (part.rows, part.customers) == (50, 25)
    assert part.wanted == pytest.approx(20 * 0.5 / 303)
    assert part.share == pytest.approx(50 / 303)
    masked = np.ones((303, 3), dtype=bool)
    masked[:4, 1] = False
    (part,) = never_tried(sample._replace(eligible=masked), ("none", "a", "b"))
    assert (part.rows, part.customers) == (46, 23)
    plan = np.where(np.arange(303) % 101 < 100, 0, 1)
    both = FeatureSchema((*NUMBER.features, *PLAN.features))
    two = sample._replace(schema=both, columns={"x": np.arange(303.0), "plan": plan})
    assert never_tried(two, ("none", "a"))[0].where == "`x` is below 50"
    never = np.where((np.arange(303) >= 50) & (np.arange(303) < 206), 1, 0)
    longer = sample._replace(schema=both, columns={"x": np.arange(303.0), "plan": 1 - never}, action=never)
    assert never_tried(longer, ("none", "a"))[0].rows == 147  # the level b, not one of the two ends
    assert never_tried(sample._replace(columns={}), ("none", "a")) == ()
    assert never_tried(sample_of(NUMBER, {"x": np.arange(29.0)}, np.arange(29) % 2), ("none", "a")) == ()


def test_the_most_wanted_parts_come_first():
    """Six actions that never come in their own level, where each should have come 51 times."""
    n, k = 7 * 420, 7
    level = np.repeat(np.arange(7), 420)
    action = np.tile(np.arange(7), 420)
    action = np.where((action == level) & (action > 0), 0, action)
    schema = FeatureSchema((Feature(name="l", levels=tuple("abcdefg")),))
    wanted = np.zeros((n, k), dtype=np.float32)
    wanted[level == 3, 3], wanted[level == 5, 5] = 0.25, 0.5
    found = never_tried(sample_of(schema, {"l": level}, action, 1 / 7, wanted=wanted), [f"a{i}" for i in range(k)])
    assert [part.action for part in found] == ["a5", "a3", "a1", "a2", "a4"]
    assert found[0].wanted == pytest.approx(0.5 / 7)


def test_what_is_said_of_it():
    assert OFF_SUPPORT_REFUSE == 0.01
    one = NeverTried("a", "`x` is below 4", 1_000, 1_234, 0.125, 0.0101)
    two = one._replace(action="b", wanted=0.02)
    (said,) = findings_of_never_tried([two, one, one._replace(wanted=0.01)])
    assert said.level == Level.CAUTION
    assert said.text == (
        "`b` was never tried where `x` is below 4 (1,234 customers, 12.5% of the rows), 2.0% of what this policy would "
        "do; 1 more such parts are in `never_tried`. What it earns there is a guess: try it on some of them, or keep "
        "the policy from it."
    )
    (said,) = findings_of_never_tried([one])
    assert "such parts" not in said.text
    assert findings_of_never_tried([one._replace(wanted=0.01)]) == ()
