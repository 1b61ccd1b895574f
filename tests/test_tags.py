"""Tag sets: what a file may say, every mistake at once, and each statistic worked out by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import SpecError, UnknownName, UsageError
from campaignrl.profiles.store.build import build_profiles
from campaignrl.profiles.tags.statistics import STATISTICS
from campaignrl.profiles.tags.tag_set import TagSet, bundled_tag_sets, load_tags
from campaignrl.toml import check

DAY = date(2026, 3, 31)


def tag_set(**tags):
    return check(TagSet, {"name": "test", "tags": tags}, "test")


def statistic(of, **more):
    return {"level": "behaviour", "kind": "statistic", "of": of, **more}


def rule(when, **more):
    return {"level": "value", "kind": "rule", "when": when, **more}


def event(customer, day, kind, hour=0, **more):
    return {"customer_id": customer, "ts": pd.Timestamp(2026, 3, day, hour), "kind": kind, **more}


EVENTS = pd.DataFrame(
    [
        event("a", 1, "order", 20, amount=30.0, discount=10.0, category="toys", brand="x", offer="c10"),
        event("a", 11, "order", 21, amount=50.0, category="books", brand="y"),
        event("a", 21, "order", 9, amount=40.0, discount=0.0, category="books", brand="x"),
        event("a", 22, "refund", amount=10.0),
        event("a", 25, "sent", channel="push", offer="c10"),
        event("a", 25, "opened", 19, channel="push"),
        event("a", 26, "sent", channel="sms", offer="c10"),
        event("a", 27, "visit", 22, value=7.5),
        event("a", 28, "visit", 23, value=2.5),
        event("a", 5, "feedback", value=4.0),
        event("a", 6, "feedback", value=5.0),
        event("a", 2, "subscribed", channel="push"),
        event("a", 3, "subscribed", channel="sms"),
        event("a", 9, "unsubscribed", channel="sms"),
        event("b", 10, "opening"),
        event("b", 20, "opening", value=4.0, amount=200.0, discount=1.0),
        event("b", 30, "order", amount=50.0),
        event("c", 30, "visit", 10),
        event("c", 31, "order", amount=999.0),  # not before the morning of the 31st
    ]
)
ATTRIBUTES = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d"],
        "joined": pd.to_datetime(["2026-03-01", "2026-01-30", None, "2026-03-11"]),
        "city": ["Köln", None, "上海", "x"],
        "member": [True, False, None, True],
    }
)
# phrase, keys -> values for customers a, b, c, d; None: unknown
BY_HAND = [
    ("number of orders", {}, (3, 5, 0, 0)),
    ("number of orders", {"days": 15}, (1, 1, 0, 0)),  # 17 to 31 March
    ("number of orders", {"category": "books"}, (2, 0, 0, 0)),
    ("number of visits", {}, (2, 0, 1, 0)),
    ("number of sends", {"channel": "sms"}, (1, 0, 0, 0)),
    ("days since the last order", {}, (9.625, 1, None, None)),
    ("days since the first order", {}, (29 + 4 / 24, 21, None, None)),
    ("days since the last visit", {}, (2 + 1 / 24, None, 14 / 24, None)),
    ("days with orders", {"days": 60}, (3, 1, 0, 0)),
    ("days since sign-up", {}, (30, 60, 14 / 24, 20)),
    ("spend", {}, (110, 250, 0, 0)),  # 10 were given back
    ("gross spend", {}, (120, 250, 0, 0)),
    ("spend at list price", {}, (130, 250, 0, 0)),
    ("discount received", {}, (10, 0, 0, 0)),
    ("money back", {}, (10, 0, 0, 0)),
    ("average basket", {}, (110 / 3, 50, None, None)),
    ("gross average basket", {}, (40, 50, None, None)),
    ("average basket at list price", {}, (130 / 3, 50, None, None)),
    ("share of orders on discount", {}, (1 / 3, 1 / 5, None, None)),
    ("discount depth", {}, (10 / 130, 0, None, None)),
    ("share of orders refunded", {}, (1 / 3, 0, None, None)),
    ("mean days between orders", {}, ((19 + 13 / 24) / 2, 5, None, None)),
    ("orders a month", {}, (3, 5, 0, 0)),
    ("spend a month", {}, (120, 250, 0, 0)),
    ("share of sends opened", {}, (0.5, None, None, None)),
    ("share of sends opened", {"channel": "push"}, (1, None, None, None)),
    ("share of sends redeemed", {}, (None, None, None, None)),  # no redemption of anybody was exported
    ("average feedback", {}, (4.5, None, None, None)),
    ("minutes of visits", {}, (10, 0, 0, 0)),
    ("consent", {"channel": "push"}, (True, None, None, None)),
    ("consent", {"channel": "sms"}, (False, None, None, None)),
    ("favourite category", {}, ("books", None, None, None)),
    ("favourite brand", {}, ("x", None, None, None)),
    ("favourite channel", {}, ("push", None, None, None)),
    ("favourite offer", {}, ("c10", None, None, None)),
    ("active hours", {}, ("evening", "night", "morning", None)),
    ("active weekday", {"days": 3}, (None, "Monday", "Monday", None)),
    ("lifecycle stage", {}, ("new", "new", "prospect", "prospect")),
    ("recency score", {}, (3, 5, None, None)),
    ("frequency score", {}, (3, 5, None, None)),
    ("monetary score", {}, (3, 5, None, None)),
    ("RFM cell", {}, ("333", "555", None, None)),
]


def values_of(tags, name="t", events=EVENTS, attributes=ATTRIBUTES, **more):
    column = build_profiles(events, attributes, tags, DAY, **more).frame[name]
    return [None if pd.isna(v) else v for v in column]


@pytest.mark.parametrize(("phrase", "keys", "expected"), BY_HAND, ids=[f"{p} {k or ''}" for p, k, _ in BY_HAND])
def test_statistics_by_hand(phrase, keys, expected):
    found = values_of(tag_set(t=statistic(phrase, **keys)))
    assert len(found) == 4
    for value, wanted in zip(found, expected, strict=True):
        assert value == (pytest.approx(wanted, rel=1e-6) if isinstance(wanted, float) else wanted)


def test_every_phrase_can_be_asked_for_and_most_are_worked_out_above():
    tags = tag_set(**{f"t{i}": statistic(phrase) for i, phrase in enumerate(STATISTICS)})
    frame = build_profiles(EVENTS, ATTRIBUTES, tags, DAY).frame
    assert frame.shape == (4, len(STATISTICS) + 1)
    named = {phrase for phrase in STATISTICS if not phrase.startswith(("number of", "days since the", "days with"))}
    elsewhere = {"visits since the last order", "carts since the last order", "abandoned cart", "best hour"}
    elsewhere |= {"newest feedback", "lowest feedback", "associated category"}  # in test_profile_process.py
    assert named - {phrase for phrase, _, _ in BY_HAND} == {"share of sends clicked"} | elsewhere


def test_cuts_make_names_and_the_first_cut_belongs_above():
    tags = tag_set(t=statistic("number of orders", cuts=[3, 5], names=["few", "some", "many"]))
    assert values_of(tags) == ["some", "many", "few", "few"]


def test_attributes_keep_their_kind():
    tags = tag_set(
        t={"level": "basic", "kind": "attribute", "of": "city"},
        m={"level": "basic", "kind": "attribute", "of": "member"},
    )
    assert values_of(tags) == ["Köln", None, "上海", "x"]
    assert values_of(tags, "m") == [True, False, None, True]


def test_a_settled_attribute_is_what_was_seen_most_often_then_newest():
    rows = [("a", 1, "Bonn"), ("a", 2, "Bonn"), ("a", 3, "Köln"), ("b", 1, "Ulm"), ("b", 2, "Jena"), ("c", 1, None)]
    seen = pd.DataFrame(
        [(c, pd.Timestamp(2026, 3, d), "city", v) for c, d, v in rows], columns=["customer_id", "ts", "name", "value"]
    )
    tags = tag_set(t={"level": "basic", "kind": "attribute", "of": "city", "settled": True})
    assert values_of(tags, refreshes=seen) == ["Bonn", "Jena", "上海", "x"]


def test_rules_over_tags_with_and_or_not():
    tags = tag_set(
        orders=statistic("number of orders"),
        city={"level": "basic", "kind": "attribute", "of": "city"},
        stage=statistic("lifecycle stage"),
        t=rule("(orders >= 3 and not orders > 4) or city in ['上海', 'Rom']"),
        u=rule({"big": "orders >= 5", "any": "orders >= 1"}, otherwise="none"),
        v=rule("u != 'none' and stage == 'new'"),
    )
    assert values_of(tags) == [True, None, True, False]  # the city of the second is not known
    assert values_of(tags, "u") == ["any", "big", "none", "none"]
    assert values_of(tags, "v") == [True, True, False, False]


def test_a_list_of_ids_is_a_tag_and_ids_stay_text(tmp_path):
    (tmp_path / "vip.csv").write_text("\ufeffcustomer_id,why\r\n007,x\r\n1e5,\r\n", encoding="utf-8")
    (tmp_path / "set.toml").write_text(
        '[tags.vip]\nlevel = "mind"\nkind = "manual"\nfile = "vip.csv"\n', encoding="utf-8"
    )
    events = pd.DataFrame([event(c, 1, "visit") for c in ("007", "7", "1e5", "100000")])
    frame = build_profiles(events, None, tmp_path / "set.toml", DAY).frame
    assert dict(zip(frame["customer_id"], frame["vip"], strict=True)) == {
        "007": True, "1e5": True, "100000": False, "7": False,
    }  # fmt: skip
    (tmp_path / "vip.csv").unlink()
    with pytest.raises(UsageError, match=r"vip\.csv"):
        build_profiles(events, None, tmp_path / "set.toml", DAY)


def test_a_score_ranks_and_a_negative_weight_turns_the_rank_round():
    score = {"level": "value", "kind": "score", "weights": {"orders": 1.0}}
    tags = tag_set(orders=statistic("number of orders"), t=score, u={**score, "weights": {"orders": -2.0}})
    up, down = values_of(tags), values_of(tags, "u")
    assert up == [75.0, 100.0, 37.5, 37.5]
    assert down == [25.0, 0.0, 62.5, 62.5]


@pytest.mark.parametrize("name", bundled_tag_sets())
def test_bundled_sets_cover_the_levels_and_build(name):
    chosen = load_tags(name)
    assert {"behaviour", "preference", "value", "lifecycle"} <= {tag.level for tag in chosen.tags.values()}
    assert {"statistic", "rule", "model"} <= {tag.kind for tag in chosen.tags.values()}
    made = build_profiles(EVENTS, ATTRIBUTES, name, DAY)
    assert list(made.frame.columns) == ["customer_id", *chosen.tags]
    assert all(tag.title or tag.of for tag in chosen.tags.values())
    # Four customers teach no model: the tag is unknown, and says why.
    assert made.frame["p_alive"].isna().all()
    assert "fewer than" in made.facts["tags"]["p_alive"]["fit"]["unknown"]


# ---- mistakes


def problems_of(**tags):
    with pytest.raises(SpecError) as wrong:
        tag_set(**tags)
    return str(wrong.value)


def test_every_mistake_is_reported_at_once_with_the_nearest_name():
    said = problems_of(
        a=statistic("number of order"),
        b=statistic("spend", channels="sms"),
        c=rule("oders > 3"),
        d={"level": "behavior", "kind": "statistic", "of": "spend"},
        e={"level": "value", "kind": "model", "of": "p_alife"},
        f=statistic("spend", cuts=[2, 1], names=["x"]),
        g={"level": "value", "kind": "rule"},
        h=statistic("consent", days=3),
    )
    for words in (
        "Did you mean 'number of orders'?",
        "'channels'",
        "behavior",
        "Did you mean 'p_alive'?",
        "ascending",
        "when",
        "It takes channel.",
    ):
        assert words in said
    said = problems_of(orders=statistic("spend"), c=rule("oders > 3"), d=rule("order > 3"))
    assert said.count("Did you mean 'orders'?") == 2


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("stage == 'at_rsk'", "Did you mean 'at_risk'?"),
        ("stage > 3", "in"),
        ("orders == 'many'", "a number"),
        ("orders + 1 > 2", "comparison"),
        ("orders.__class__ == 1", "comparison"),
        ("orders >", "a condition"),
        ("kind == 'cheep'", "Did you mean 'cheap'?"),
    ],
)
def test_a_bad_rule_is_refused_before_any_data_is_read(when, words):
    said = problems_of(
        stage=statistic("lifecycle stage"),
        orders=statistic("number of orders"),
        kind=statistic("spend", cuts=[10], names=["cheap", "dear"]),
        t=rule(when),
    )
    assert words in said
    assert "[tags.t]" in said


def test_circles_are_named():
    assert "a -> b -> a" in problems_of(a=rule("b == 1"), b=rule("a == 1"))


def test_unknown_sets_attributes_and_reserved_names():
    with pytest.raises(UnknownName, match="Did you mean 'shop'"):
        load_tags("shopp")
    missing = tag_set(t={"level": "basic", "kind": "attribute", "of": "citty"}, u=rule("t == 'Rom'"))
    with pytest.raises(SpecError, match="Did you mean 'city'"):
        build_profiles(EVENTS, ATTRIBUTES, missing, DAY)
    assert "a name of its own" in problems_of(customer_id=statistic("spend"))


def test_hostile_names_are_data_and_never_sql():
    nasty = "x'); drop view known; --\" 💥"
    events = pd.concat([EVENTS, pd.DataFrame([event(nasty, 1, "order", amount=1.0, category=nasty)])])
    tags = tag_set(**{"t": statistic("number of orders", category=nasty), 'na"me': statistic("favourite category")})
    frame = build_profiles(events, ATTRIBUTES, tags, DAY).frame.set_index("customer_id")
    assert frame.loc[nasty].tolist() == [1.0, nasty]
    assert frame["t"].sum() == 1.0


# ---- laws

amounts = st.floats(0, 1e6, allow_nan=False)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 30), amounts, amounts), min_size=1, max_size=40),
    st.randoms(),
)
@settings(max_examples=6, deadline=None)
def test_the_order_of_events_changes_no_bit(rows, chance):
    tags = tag_set(
        s=statistic("spend"),
        b=statistic("average basket"),
        d=statistic("discount depth"),
        f=statistic("orders a month"),
    )
    events = [event(c, d, "order", amount=a, discount=r) for c, d, a, r in rows]
    mixed = list(events)
    chance.shuffle(mixed)
    first, second = (build_profiles(pd.DataFrame(e), None, tags, DAY).frame for e in (events, mixed))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    shares = first["d"].dropna()
    assert ((shares >= 0) & (shares <= 1)).all()
    total = sum(a for _, _, a, _ in rows)
    assert first["s"].sum() == pytest.approx(total, abs=len(rows) * 1e-6, rel=1e-12)
    assert np.isfinite(first["f"]).all()
