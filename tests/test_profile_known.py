"""What nobody exported is unknown and not zero; sums are net of refunds; forecasts are finite or unknown with why."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaignrl.calibration.purchase import fit_mbg_nbd
from campaignrl.calibration.purchase.beta_geometric import _by_quadrature, expected_purchases, p_alive
from campaignrl.calibration.purchase.histories import as_given
from campaignrl.errors import SpecError
from campaignrl.profiles.store.build import build_profiles
from campaignrl.profiles.tags.tag_set import TagSet
from campaignrl.profiles.tags.world_features import features_frame
from campaignrl.send.customers import without_contacts
from campaignrl.specs.world import load_world
from campaignrl.toml import check

DAY = dt.date(2024, 11, 1)
START = pd.Timestamp(2024, 1, 1)


def events(rows):
    """(customer, day, kind, columns) -> events."""
    frame = pd.DataFrame(
        [{"customer_id": c, "ts": START + pd.Timedelta(days=d), "kind": k, **more} for c, d, k, more in rows]
    )
    return frame.assign(source="s")


def statistic(of, **more):
    return {"level": "behaviour", "kind": "statistic", "of": of, **more}


def profiles(frame, attributes=None, **tags):
    return build_profiles(frame, attributes, check(TagSet, {"name": "t", "tags": tags}, "t"), DAY)


def dates_only(n=200):
    """Orders with a day each and nothing else."""
    chance = np.random.default_rng(2)
    days = [(f"c{i}", int(d)) for i in range(n) for d in chance.integers(0, 300, 1 + chance.poisson(2))]
    return events([(c, d, "order", {}) for c, d in days])


def test_dates_alone_say_nothing_of_money_discounts_hours_or_contacts():
    made = build_profiles(dates_only(), None, "shop", DAY).frame
    unknown = {
        "visits_30d", "active_hours", "contacts_30d", "open_rate", "discount_share", "price_sensitivity", "basket",
        "spend", "spend_365d", "monetary_score", "rfm", "clv", "favourite_category", "favourite_channel",
    }  # fmt: skip
    assert {name for name in unknown if made[name].notna().any()} == set()
    for name in ("orders", "recency_days", "orders_90d", "recency_score", "stage", "expected_orders"):
        assert made[name].notna().all()


def test_one_word_of_a_kind_makes_the_others_zeros():
    frame = pd.concat([dates_only(), events([("c0", 290, "sent", {"channel": "sms"}), ("c1", 5, "visit", {})])])
    made = build_profiles(frame, None, "shop", DAY).frame.set_index("customer_id")
    assert made["contacts_30d"].to_dict() == {c: float(c == "c0") for c in made.index}
    assert (made["visits_30d"] == 0).all()  # the only visit is older than the window
    assert made["open_rate"].isna().all()  # nobody's opening was exported


def test_hours_are_those_of_sources_that_have_them():
    frame = pd.concat([
        dates_only(60),
        events([(f"v{i}", 0, "visit", {}) for i in range(3)]).assign(
            source="app", ts=[START + pd.Timedelta(hours=h, minutes=5) for h in (3, 9, 20)]
        ),
    ])  # fmt: skip
    made = profiles(frame, hours=statistic("active hours")).frame.set_index("customer_id")["hours"]
    assert made.dropna().to_dict() == {"v0": "night", "v1": "morning", "v2": "evening"}
    moved = dates_only().assign(ts=lambda f: f["ts"] - pd.Timedelta(hours=8))  # days in Shanghai
    assert profiles(moved, hours=statistic("active hours")).frame["hours"].isna().all()


def test_contacts_that_nobody_exported_are_unknown_to_a_world_too():
    world = load_world("ecommerce")
    none = pd.DataFrame({"customer_id": pd.Series([], dtype="str")})
    table = features_frame(dates_only(20), none, world, DAY)
    counted = [name for name in table.columns if name.startswith("contacts_")]
    assert {"contacts_7d", "contacts_30d", "contacts_sms_7d"} <= set(counted)
    for name in (*counted, "opens_30d", "clicks_30d", "offer_live", "basket_mean", "discount_share"):
        assert table[name].isna().all()
    assert table["orders"].notna().all()
    told = features_frame(dates_only(20), none, world, DAY, never_contacted=True)
    assert (told[counted] == 0).all(axis=None)


def test_counts_that_are_unknown_for_everybody_are_left_to_the_ledger_and_others_stay_unknown():
    table = pa.table({"contacts_7d": [None, None], "contacts_sms_7d": [1, None], "customer_id": ["a", "b"]})
    found = without_contacts(table, load_world("ecommerce"))
    assert found["contacts_7d"].to_pylist() == [0, 0]
    assert found["contacts_sms_7d"].to_pylist() == [1, None]


def test_a_rule_that_hangs_on_what_is_unknown_says_neither_no_nor_otherwise():
    frame = events([
        ("a", 1, "order", {"amount": 10.0, "discount": 5.0}), ("a", 9, "order", {"amount": 10.0}),
        ("b", 1, "visit", {}),
    ])  # fmt: skip
    attributes = pd.DataFrame({"customer_id": ["a", "b", "c"], "age": [30.0, np.nan, np.nan]})
    attributes["tier"] = ["x", None, "y"]
    made = profiles(
        frame, attributes,
        orders=statistic("number of orders"),
        age={"level": "basic", "kind": "attribute", "of": "age"},
        tier={"level": "basic", "kind": "attribute", "of": "tier"},
        old={"level": "basic", "kind": "rule", "when": "age >= 40"},
        either={"level": "basic", "kind": "rule", "when": "orders >= 2 or age >= 40"},
        kind={"level": "basic", "kind": "rule", "otherwise": "rest", "when": {
            "buyer": "orders >= 2", "elder": "age >= 40", "upper": "tier == 'x'"}},
        never={"level": "basic", "kind": "rule", "when": "orders < 0 and tier == 'x'"},
    ).frame.set_index("customer_id")  # fmt: skip

    def plain(name):
        return {c: None if pd.isna(v) else v for c, v in made[name].items()}

    assert plain("old") == {"a": False, "b": None, "c": None}
    assert plain("either") == {"a": True, "b": None, "c": None}
    assert plain("kind") == {"a": "buyer", "b": None, "c": None}
    assert plain("never") == {"a": False, "b": False, "c": False}  # whatever the tier is


REFUNDED = [
    ("a", 1, "order", {"amount": 100.0}), ("a", 20, "order", {"amount": 50.0}), ("a", 25, "refund", {"amount": 50.0}),
    ("b", 1, "order", {"amount": 30.0}), ("b", 300, "order", {"amount": 30.0}), ("b", 301, "refund", {"amount": 10.0}),
]  # fmt: skip


def test_spend_and_baskets_are_net_of_refunds_and_gross_is_beside():
    made = profiles(
        events(REFUNDED),
        spend=statistic("spend"),
        gross=statistic("gross spend"),
        basket=statistic("average basket"),
        gross_basket=statistic("gross average basket"),
        back=statistic("money back"),
        late=statistic("spend", days=30),
        monetary=statistic("monetary score"),
    ).frame.set_index("customer_id")
    assert made["spend"].to_dict() == {"a": 100.0, "b": 50.0}
    assert made["gross"].to_dict() == {"a": 150.0, "b": 60.0}
    assert made["back"].to_dict() == {"a": 50.0, "b": 10.0}
    assert made["basket"].to_dict() == {"a": 50.0, "b": 25.0}
    assert made["gross_basket"].to_dict() == {"a": 75.0, "b": 30.0}
    assert made["late"].to_dict() == {"a": 0.0, "b": 20.0}
    assert made.loc["a", "monetary"] > made.loc["b", "monetary"]


def test_the_value_of_a_customer_falls_with_what_is_given_back():
    chance = np.random.default_rng(5)
    rows = [
        (f"c{i}", int(d), "order", {"amount": float(chance.gamma(4.0, 10.0))})
        for i in range(150)
        for d in sorted(chance.integers(0, 290, 2 + chance.poisson(2)))
    ]
    clv = {"level": "value", "kind": "model", "of": "clv", "days": 365}
    whole = profiles(events(rows), clv=clv).frame["clv"]
    back = [(c, 295, "refund", {"amount": more["amount"] / 2}) for c, _, _, more in rows]
    net = profiles(events([*rows, *back]), clv=clv).frame["clv"]
    np.testing.assert_allclose(net, whole / 2, rtol=2e-3)


def shop(rate, n, seed, shape=np.inf):
    """(x, t_x, T) in weeks of customers who never leave."""
    chance = np.random.default_rng(seed)
    watched = chance.uniform(10, 52, n)
    rates = np.full(n, rate) if np.isinf(shape) else chance.gamma(shape, rate / shape, n)
    x = chance.poisson(rates * watched)
    last = np.where(x > 0, watched * chance.beta(np.maximum(x, 1), 1), 0.0)
    return x.astype(float), last, watched


@pytest.mark.parametrize("shape", [np.inf, 20.0, 2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_ordinary_shop_gets_finite_forecasts_that_add_up(shape, seed):
    x, last, watched = shop(0.06, 300, seed, shape)
    fit = fit_mbg_nbd(x, last, watched)
    expected = fit.expected_purchases(13.0, x, last, watched)
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert expected.mean() == pytest.approx(0.06 * 13.0, rel=0.2)


@pytest.mark.parametrize("parameters", [[0.8, 5.0, 0.7, 2.5], [2.0, 30.0, 3.0, 9.0], [0.3, 2.0, 1.5, 1.5]])
@pytest.mark.parametrize("first", [0, 1])
def test_the_way_round_2f1_agrees_with_it_where_it_can_be_reckoned(parameters, first):
    h = as_given([0, 1, 3, 10], [0, 5, 20, 30], [40, 40, 40, 40])
    plain = expected_purchases(np.array(parameters), np.float64(12.0), h, first)
    other = _by_quadrature(np.array(parameters), np.float64(12.0), h, first) * p_alive(np.array(parameters), h, first)
    np.testing.assert_allclose(other, plain, rtol=2e-3)


@pytest.mark.parametrize("amounts", ["one price", "some are free", "heavy"])
def test_values_of_customers_are_finite_whatever_the_prices(amounts):
    chance = np.random.default_rng(3)
    rows = []
    for i in range(300):
        mean = {"one price": 49.9, "some are free": 25.0, "heavy": float(np.exp(chance.normal(8, 3)))}[amounts]
        for d in np.unique(chance.integers(0, 300, 1 + chance.poisson(1.5))):  # orders of one day are one
            free = amounts == "some are free" and chance.random() < 0.4
            rows.append((f"c{i}", int(d), "order", {"amount": 0.0 if free else mean}))
    made = profiles(
        events(rows), clv={"level": "value", "kind": "model", "of": "clv", "days": 365},
        orders={"level": "value", "kind": "model", "of": "expected_orders", "days": 365},
    )  # fmt: skip
    assert np.isfinite(made.frame["clv"]).all()
    paid = sum(more["amount"] for *_, more in rows)
    assert 0 < made.frame["clv"].sum() < 5 * paid
    if amounts == "one price":
        np.testing.assert_allclose(made.frame["clv"], 49.9 * made.frame["orders"], rtol=0.01)
    if amounts == "heavy":
        assert made.facts["tags"]["clv"]["fit"]["spend"].startswith("pulled to the mean order")


def test_a_rule_may_have_a_word_for_what_cannot_be_told():
    frame = events([("a", 1, "order", {}), ("a", 9, "order", {}), ("b", 1, "visit", {})])
    attributes = pd.DataFrame({"customer_id": ["a", "b"], "age": [30.0, np.nan]})
    when = {"buyer": "orders >= 2", "elder": "age >= 40"}
    made = profiles(
        frame, attributes, orders=statistic("number of orders"),
        age={"level": "basic", "kind": "attribute", "of": "age"},
        kind={"level": "basic", "kind": "rule", "otherwise": "rest", "unknown": "unknown", "when": when},
        is_told={"level": "basic", "kind": "rule", "when": "kind == 'unknown'"},
    ).frame  # fmt: skip
    assert made["kind"].tolist() == ["buyer", "unknown"]
    assert made["is_told"].tolist() == [False, True]
    with pytest.raises(SpecError, match="beside a table of named conditions"):
        check(
            TagSet, {"name": "t", "tags": {"x": {"level": "basic", "kind": "rule", "when": "x", "unknown": "u"}}}, "t"
        )


def test_who_shows_signs_of_paying_is_no_prospect_without_an_order():
    frame = events([
        ("a", 1, "order", {"amount": 5.0}), ("looks", 2, "visit", {}), ("gave_back", 3, "refund", {"amount": 2.0}),
        ("used", 4, "redeemed", {}), ("member", 4, "visit", {}), ("no_member", 4, "visit", {}),
    ])  # fmt: skip
    attributes = pd.DataFrame({"customer_id": ["member", "no_member", "told"], "spend": ["99.5", "0", None]})
    attributes["paying"] = [None, "no", "yes"]
    found = profiles(frame, attributes, stage=statistic("lifecycle stage")).frame.set_index("customer_id")["stage"]
    assert {c: None if pd.isna(v) else v for c, v in found.items()} == {
        "a": "churned", "looks": "prospect", "gave_back": None, "used": None, "member": None, "no_member": "prospect",
        "told": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["shop", "retail", "bank"])
def test_archetypes_are_of_what_is_known_or_unknown(name):
    """Orders with a day and nothing else: no archetype that rests on visits, discounts or amounts is made up."""
    made = build_profiles(dates_only(), None, name, DAY).frame
    assert set(made["archetype"]) <= {"unknown", "potential"}
    assert (made["archetype"] == "unknown").mean() > 0.5
