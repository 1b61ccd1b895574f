"""Process tags, lists by hand with an end, best hour, feedback, rules between categories, the next purchase."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import DataError, UsageError
from campaignrl.profiles.store import build_profiles
from campaignrl.profiles.tags.manual_lists import listed
from campaignrl.profiles.tags.process_statistics import rules_of_categories
from campaignrl.profiles.tags.tag_set import TagSet
from campaignrl.toml import check

DAY = date(2026, 3, 1)


def made(rows, as_of=DAY, **phrases):
    """Tags of these events: name -> phrase, or keys of a tag."""
    tags = {}
    for name, of in phrases.items():
        asked = {"of": of} if isinstance(of, str) else of
        tags[name] = {"level": "behaviour", "kind": "statistic", **asked}
    return build_profiles(events(rows), tags=check(TagSet, {"name": "t", "tags": tags}, "t"), as_of=as_of)


def events(rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "ts", "kind", "value", "category"])
    return frame.assign(ts=pd.to_datetime(frame.ts, format="ISO8601"))


def row(customer, ts, kind, value=None, category=None):
    return (customer, ts, kind, value, category)


JOURNEYS = [
    row("browser", "2026-02-01 10:00", "visit"),
    row("browser", "2026-02-10 10:00", "visit"),
    row("browser", "2026-02-20 10:00", "visit"),
    row("left", "2026-01-01 10:00", "order"),
    row("left", "2026-02-19 00:00", "cart"),
    row("left", "2026-02-20 00:00", "cart"),
    row("bought", "2026-02-20 10:00", "cart"),
    row("bought", "2026-02-20 10:05", "order"),
    row("bought", "2026-02-21 10:00", "visit"),
    row("old", "2025-12-01 10:00", "cart"),
]
PROCESS = {
    "browsed": "visits since the last order",
    "lately": {"of": "visits since the last order", "days": 11},
    "carts": "carts since the last order",
    "abandoned": "abandoned cart",
    "lately_abandoned": {"of": "abandoned cart", "days": 30},
    "days": "days since the abandoned cart",
}


def test_process_tags_by_hand():
    frame = made(JOURNEYS, **PROCESS).frame.set_index("customer_id")
    assert frame.browsed.to_dict() == {"browser": 3, "left": 0, "bought": 1, "old": 0}
    assert frame.lately.to_dict() == {"browser": 1, "left": 0, "bought": 1, "old": 0}
    assert frame.carts.to_dict() == {"browser": 0, "left": 2, "bought": 0, "old": 1}
    assert frame.abandoned.to_dict() == {"browser": False, "left": True, "bought": False, "old": True}
    assert frame.lately_abandoned.to_dict() == {"browser": False, "left": True, "bought": False, "old": False}
    assert frame.days["left"] == 9.0
    assert frame.days.isna().to_dict() == {"browser": True, "left": False, "bought": True, "old": False}


def test_a_shop_that_exports_no_carts_knows_of_no_abandoned_ones():
    frame = made([r for r in JOURNEYS if r[2] != "cart"], **PROCESS).frame
    assert frame[["carts", "abandoned", "days"]].isna().all().all()
    assert frame.browsed.notna().all()


def test_browsed_three_times_without_buying_is_a_rule():
    tags = {
        "browsed": {"level": "behaviour", "kind": "statistic", "of": "visits since the last order", "days": 30},
        "undecided": {"level": "behaviour", "kind": "rule", "when": "browsed >= 3"},
    }
    frame = build_profiles(events(JOURNEYS), tags=check(TagSet, {"name": "t", "tags": tags}, "t"), as_of=DAY).frame
    assert frame.set_index("customer_id").undecided.to_dict() == {
        "browser": True,
        "left": False,
        "bought": False,
        "old": False,
    }


KINDS = st.sampled_from(["visit", "cart", "order"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), KINDS), min_size=1, max_size=25))
def test_process_tags_by_brute_force(acts):
    stamps = [pd.Timestamp("2026-02-01") + pd.Timedelta(hours=17 * h) for _, h, _ in acts]
    frame = made([row(c, str(t), k) for (c, _, k), t in zip(acts, stamps, strict=True)], **PROCESS).frame
    for told in frame.itertuples():
        mine = [
            (t, k) for (c, _, k), t in zip(acts, stamps, strict=True) if c == told.customer_id and t < pd.Timestamp(DAY)
        ]
        last = max((t for t, k in mine if k == "order"), default=pd.Timestamp.min)
        everything = {k for (_, _, k), t in zip(acts, stamps, strict=True) if t < pd.Timestamp(DAY)}
        for name, kind in (("browsed", "visit"), ("carts", "cart")):
            expected = sum(1 for t, k in mine if k == kind and t > last)
            if kind in everything:
                assert getattr(told, name) == expected


def test_best_hour_is_smoothed_and_joined_by_everybodys_day():
    rows = [row("early", f"2026-02-{d:02d} 08:{d:02d}:11", "visit") for d in range(1, 20)]
    rows += [row("late", f"2026-02-{d:02d} {20 + d % 3}:{d:02d}:11", "visit") for d in range(1, 20)]
    rows += [row("once", "2026-02-03 03:33:33", "visit"), row("away", "2026-02-03 00:00:00", "sent")]
    frame = made(rows, hour="best hour").frame.set_index("customer_id")
    assert frame.hour["early"] == 8
    assert frame.hour["late"] == 21
    assert frame.hour["once"] in (8, 20, 21, 22)  # one act at night makes nobody a person of the night
    assert np.isnan(frame.hour["away"])
    days_only = [row("a", "2026-02-03", "visit"), row("b", "2026-02-04", "visit")]
    assert made(days_only, hour="best hour").frame.hour.isna().all()


def test_newest_and_lowest_feedback():
    told = [("a", "2026-01-01", 2), ("a", "2026-02-01", 9), ("a", "2026-02-02", None)]
    told += [("b", "2026-01-01", 5), ("b", "2026-01-01", 4)]
    rows = [row(c, ts, "feedback", value) for c, ts, value in told] + [row("c", "2026-01-01", "visit")]
    frame = made(rows, newest="newest feedback", lowest="lowest feedback").frame.set_index("customer_id")
    assert frame.newest.fillna(-1).to_dict() == {"a": 9, "b": 4, "c": -1}
    assert frame.lowest.fillna(-1).to_dict() == {"a": 2, "b": 4, "c": -1}


def test_a_list_by_hand_ends_when_it_says(tmp_path):
    path = tmp_path / "vip.csv"
    path.write_text(
        "customer_id,note,from,until\n007,x,2026-03-01,2026-03-02\n008,,,2026-03-01\n009,,2026-03-02,\n010,,,\n"
    )
    ids = np.array(["007", "008", "009", "010", "7"], dtype=object)
    assert list(listed(str(path), ids, DAY)) == [True, False, False, True, False]
    assert list(listed(str(path), ids, date(2026, 3, 2))) == [False, False, True, True, False]
    path.write_text("007\n009,whatever\n")
    assert list(listed(str(path), ids, DAY)) == [True, False, True, False, False]
    path.write_text("customer_id,until\n007,soon\n008,2026-13-01\n")
    with pytest.raises(DataError) as wrong:
        listed(str(path), ids, DAY)
    assert [p.where for p in wrong.value.problems] == ["vip.csv line 2", "vip.csv line 3"]
    with pytest.raises(UsageError, match="readable list"):
        listed(str(tmp_path / "none.csv"), ids, DAY)


def test_rules_between_categories_are_preferences():
    chance = np.random.default_rng(0)
    rows = []
    for i in range(200):
        rows.append(row(f"c{i:03d}", "2026-01-05", "order", category="formula"))
        if i % 10:
            rows.append(row(f"c{i:03d}", "2026-01-09", "order", category="nappies"))
    rows += [row(f"d{i:03d}", "2026-01-05", "order", category=str(chance.choice(["tea", "tools"]))) for i in range(200)]
    frame = made(rows, may_want="associated category").frame.set_index("customer_id")
    assert frame.may_want["c010"] == "nappies"
    assert frame.may_want.drop([f"c{i:03d}" for i in range(0, 200, 10)]).isna().all()
    had = (np.random.default_rng(1).random((300, 5)) < 0.4).astype(np.float32)
    had[:, 1] = np.maximum(had[:, 1], had[:, 0])
    rules = rules_of_categories(had)
    assert rules[0, 1] == 1.0
    for i in range(5):
        for j in range(5):
            both, own, other = (had[:, i] * had[:, j]).sum(), had[:, i].sum(), had[:, j].mean()
            share = both / own
            assert rules[i, j] == pytest.approx(share if i != j and share >= 0.2 and share > other else 0.0)


def orders(n=300, seed=0):
    """Category b follows a, a follows b, for half; the others always buy c. Gaps of 10 days, or of 40."""
    chance = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        usual, day = (10.0, 40.0)[i % 2], float(chance.uniform(0, 30))
        for step in range(8):
            category = "c" if i % 3 == 0 else "ab"[(i + step) % 2]
            rows.append(
                row(f"c{i:03d}", str(pd.Timestamp("2025-01-01") + pd.Timedelta(days=int(day))), "order", None, category)
            )
            day += usual * chance.lognormal(0, 0.2)
    return rows


def model(rows, of, as_of=DAY):
    tags = {"t": {"level": "preference", "kind": "model", "of": of}}
    return build_profiles(events(rows), tags=check(TagSet, {"name": "t", "tags": tags}, "t"), as_of=as_of)


def test_the_next_category_is_by_sequence_where_that_beats_counts():
    found = model(orders(), "next_category")
    fit = found.facts["tags"]["t"]["fit"]
    assert fit["right"] > 0.95
    assert fit["right_by_counts"] < 0.7
    frame = found.frame.set_index("customer_id").t
    assert frame["c000"] == "c"
    assert frame["c001"] == "ab"[(1 + 8) % 2]
    chance = np.random.default_rng(1)
    habit = [(*r[:4], str(chance.choice(["x", "y"], p=[0.9, 0.1] if hash(r[0]) % 2 else [0.1, 0.9]))) for r in orders()]
    by_habit = [
        (c, t, k, v, ("x" if int(c[1:]) % 2 else "y") if chance.random() < 0.8 else "z") for c, t, k, v, _ in habit
    ]
    fit = model(by_habit, "next_category").facts["tags"]["t"]["fit"]
    assert fit["right"] >= fit["right_by_counts"]
    few = model(orders(20), "next_category")
    assert few.frame.t.isna().all()
    assert "fewer than" in few.facts["tags"]["t"]["fit"]["unknown"]


def test_days_to_the_next_order_follow_the_customers_own_gap():
    found = model(orders(), "days_to_next_order", as_of=date(2025, 3, 1))
    fit = found.facts["tags"]["t"]["fit"]
    assert fit["error"] <= fit["error_by_own_mean"] + 0.02
    days = found.frame.t.to_numpy()
    quick = np.array([int(c[1:]) % 2 == 0 for c in found.frame.customer_id])
    assert np.median(days[quick]) < 10 < np.median(days[~quick]) < 40
    late = model(orders(), "days_to_next_order", as_of=date(2027, 1, 1))
    assert late.facts["tags"]["t"]["fit"]["usual_days"] == pytest.approx(20.0, rel=0.05)
    assert (late.frame.t == 0.0).all()  # overdue
