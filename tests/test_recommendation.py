"""Product recommendation: formulas by hand and brute force, what is planted is found, nothing leaks, items in sends."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.cli import main as cli
from campaignrl.errors import DataError, SupportError, UsageError
from campaignrl.profiles.items import (
    STRANGERS,
    fit_recommender,
    interactions_of,
    judge,
    read_catalogue,
    read_interactions,
    with_items,
)
from campaignrl.profiles.items.judgement import ndcg
from campaignrl.profiles.items.signals import SIGNALS, ease, rule_confidence, signals_of
from campaignrl.specs import load_world


def shop(n=240, days=140, seed=0):
    """Two tastes of 15 items each; every customer buys from one of them, and mostly what it bought before."""
    chance = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        own = (i % 2) * 15 + chance.choice(15, 5, replace=False)
        for day in np.flatnonzero(chance.random(days) < 0.12):
            taken = chance.choice(own) if chance.random() < 0.6 else (i % 2) * 15 + chance.integers(15)
            rows.append((f"c{i:03d}", f"i{taken:02d}", pd.Timestamp("2026-01-01") + pd.Timedelta(days=int(day))))
    return pd.DataFrame(rows, columns=["customer_id", "item_id", "ts"])


@pytest.fixture(scope="module")
def known():
    return interactions_of(shop())


def test_ease_is_the_minimum_under_a_zero_diagonal():
    chance = np.random.default_rng(1)
    x = (chance.random((40, 6)) < 0.4).astype(float)
    weights = ease(x.T @ x, 3.0).astype(float)
    assert (np.diag(weights) == 0).all()

    def loss(b):
        return ((x - x @ b) ** 2).sum() + 3.0 * (b**2).sum()

    for j in range(6):  # column by column a ridge regression on the other items
        others = np.delete(np.arange(6), j)
        a = x[:, others].T @ x[:, others] + 3.0 * np.eye(5)
        assert weights[others, j] == pytest.approx(np.linalg.solve(a, x[:, others].T @ x[:, j]), abs=1e-5)
    step = chance.normal(0, 0.01, (6, 6))
    np.fill_diagonal(step, 0.0)
    assert loss(weights) < loss(weights + step)


def test_rules_by_hand():
    together = np.array([[10.0, 8, 1], [8, 20, 2], [1, 2, 4]])
    rules = rule_confidence(together, customers=40).toarray()
    assert rules[0] == pytest.approx([0, 0.8, 0])  # 8 of 10, where half of all had it; 1 of 10 is as chance has it
    assert rules[1] == pytest.approx([0.4, 0, 0])  # 8 of 20, where a quarter of all had it
    assert (rules[2] == 0).all()  # too few had it


@settings(max_examples=50, deadline=None)
@given(hits=st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6), more=st.integers(0, 9))
def test_ndcg_by_brute_force(hits, more):
    shown = np.array(hits)
    relevant = shown.sum(axis=1) + more
    relevant = np.maximum(relevant, 1)
    for row, value, many in zip(shown, ndcg(shown, relevant), relevant, strict=True):
        gain = sum(1 / np.log2(i + 2) for i in range(5) if row[i])
        best = sum(1 / np.log2(i + 2) for i in range(min(5, many)))
        assert value == pytest.approx(gain / best)
        assert 0.0 <= value <= 1.0 + 1e-12


def test_signals_of_a_pair_by_hand():
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a", "b"],
            "item_id": ["x", "x", "x", "y", "x"],
            "ts": ["2026-01-01 09:00", "2026-01-01 18:00", "2026-01-11", "2026-01-05", "2026-01-10"],
        }
    )
    found = interactions_of(frame)
    assert len(found) == 4  # the same item on the same day is once
    day = int(np.datetime64("2026-01-21").astype("datetime64[D]").astype(int))
    customer, item, values = signals_of(found, day, 15).pairs(np.array([0]))
    row = {name: values[item.tolist().index(0), j] for j, name in enumerate(SIGNALS)}
    assert set(customer.tolist()) == {0}
    assert row["times"] == pytest.approx(np.log(3))
    assert row["days_since"] == pytest.approx(np.log(11))
    assert row["overdue"] == pytest.approx(0.0)  # ten days after gaps of ten
    assert row["own_share"] == pytest.approx(2 / 3)
    assert row["repeats"] == pytest.approx(np.log(3 / 2))
    assert row["popular"] == pytest.approx(np.log(3))
    assert row["popular_late"] == pytest.approx(np.log(3))
    assert row["late"] == pytest.approx(np.exp(-20 / 30) + np.exp(-10 / 30))


def test_what_was_planted_is_found_and_beats_the_simple_ways(known):
    found = judge(known, n=5, span=28)
    recommended, popular, own = found.ways
    assert recommended.ndcg > popular.ndcg
    assert popular.lift_low > 0.0
    assert own.lift == pytest.approx(recommended.ndcg - own.ndcg)
    assert own.lift_low <= own.lift <= own.lift_high
    made = fit_recommender(known)
    shown = made.recommend(None, 10)
    taste = shown.item_id.str[1:].astype(int) // 15 == shown.customer_id.str[1:].astype(int) % 2
    assert taste.mean() > 0.9
    assert set(shown.why) <= {"bought before", "goes with what was bought", "customers alike", "popular"}


def test_what_happens_from_the_morning_on_is_not_looked_at(known):
    end = int(known.day.max()) - 27
    whole = fit_recommender(known, end=end).recommend(None, 5)
    cut = fit_recommender(known.before(end), end=end).recommend(None, 5)
    pd.testing.assert_frame_equal(whole, cut)


def test_the_same_seed_the_same_items_and_no_customer_depends_on_the_others_asked_for(known):
    one, two = (fit_recommender(known, chance=np.random.default_rng(3)) for _ in range(2))
    pd.testing.assert_frame_equal(one.recommend(), two.recommend())
    some = one.recommend(["c007", "c100"], 4)
    whole = one.recommend(None, 4)
    pd.testing.assert_frame_equal(
        some, whole[whole.customer_id.isin(["c007", "c100"])].reset_index(drop=True), check_exact=True
    )
    assert some["rank"].tolist() == [1, 2, 3, 4, 1, 2, 3, 4]


def test_strangers_get_what_is_popular(known):
    made = fit_recommender(known)
    shown = made.recommend(["nobody", "c001"], 3)
    assert shown.customer_id.tolist() == ["nobody"] * 3 + ["c001"] * 3
    assert shown.item_id[:3].tolist() == [made.items[i] for i in made.popular(3)]
    assert set(shown.why[:3]) == {"popular"}


def test_content_speaks_for_items_that_nobody_has_had_much_of(known, tmp_path):
    path = tmp_path / "items.csv"
    pd.DataFrame({"item_id": [f"i{j:02d}" for j in range(30)], "kind": ["a"] * 15 + ["b"] * 15, "price": 1.0}).to_csv(
        path
    )
    catalogue = read_catalogue(path)
    assert list(catalogue.columns) == ["item_id", "kind"]
    made = fit_recommender(known, catalogue)
    _, item, values = made.signals.pairs(np.array([0]))
    content = values[:, SIGNALS.index("content")]
    assert content[item < 15].min() > content[item >= 15].max()  # c000 has the first taste


def test_little_data_is_said_or_answered_by_history():
    few = shop(6, 60)
    made = fit_recommender(interactions_of(few))
    assert made.ranking.trees is None
    assert len(made.recommend(None, 3)) == 18
    with pytest.raises(SupportError, match="at least 20"):
        judge(interactions_of(few))
    with pytest.raises(UsageError, match="between 1 and 100"):
        made.recommend(None, 0)


def test_mistakes_in_tables_are_named(tmp_path):
    good = shop(5, 30)
    with pytest.raises(DataError, match="'item_ids'"):
        interactions_of(good.rename(columns={"item_id": "item_ids"}), {"item_id": "item"})
    with pytest.raises(DataError, match="item_ids"):
        interactions_of(good.rename(columns={"item_id": "item_ids"}))
    with pytest.raises(DataError, match="given in every row"):
        interactions_of(good.assign(item_id=None))
    with pytest.raises(DataError, match="a day or time"):
        interactions_of(good.assign(ts="soon"))
    with pytest.raises(DataError, match="at least one"):
        interactions_of(good.iloc[:0])
    pd.DataFrame({"item_id": ["a", "a"], "kind": "x"}).to_csv(tmp_path / "c.csv")
    with pytest.raises(DataError, match="given once"):
        read_catalogue(tmp_path / "c.csv")


def test_ids_are_text_to_the_letter_but_for_the_point_that_spreadsheets_add():
    found = interactions_of(pd.DataFrame({"customer_id": [12346.0], "item_id": ["007"], "ts": ["2026-01-01"]}))
    assert (found.customers[0], found.items[0]) == ("12346", "007")


def sends():
    return pd.DataFrame(
        {
            "customer_id": ["a", "new", "b"],
            "offer": ["content", "content", "coupon10"],
            "channel": "email",
            "decision_id": ["a-0", "new-0", "b-0"],
        }
    )


def test_items_stand_in_the_send_list_for_content_alone():
    world = load_world("ecommerce")
    assert world.offers["content"].kind == "content"
    recommended = pd.DataFrame(
        {"customer_id": ["a", "a", "b", STRANGERS], "rank": [2, 1, 1, 1], "item_id": ["x", "y", "z", "p"]}
    )
    made = with_items(sends(), recommended, world)
    assert made.sends["items"].tolist() == ["y|x", "p", ""]
    assert made.shown.values.tolist() == [["a-0", "a", 1, "y"], ["a-0", "a", 2, "x"], ["new-0", "new", 1, "p"]]
    with pytest.raises(DataError, match="'item_id'"):
        with_items(sends(), recommended.rename(columns={"item_id": "item"}), world)
    with pytest.raises(DataError, match="no item id"):
        with_items(sends(), recommended.assign(item_id="a|b"), world)


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_verb_judges_and_writes_and_decide_shows_the_items(campaignrl, tmp_path):
    table, out = tmp_path / "lines.csv", tmp_path / "items.parquet"
    shop().rename(columns={"item_id": "sku"}).to_csv(table, index=False)
    words = ("profile", "recommend", table, "--columns", "item_id=sku", "-n", 4)
    code, said, err = campaignrl(*words, "--judge", "-o", out)
    assert code == 0, err
    assert "NDCG@4" in said
    assert "own most frequent" in said
    shown = pd.read_parquet(out)
    assert set(shown.columns) == {"customer_id", "rank", "item_id", "score", "why"}
    assert (shown.customer_id == STRANGERS).sum() == 4
    told = json.loads(campaignrl(*words, "--judge", "--json")[1])
    assert told["judgement"]["ways"][0]["name"] == "recommended"
    customers = tmp_path / "customers.csv"
    code, _, err = campaignrl(
        "simulate", "--world", "ecommerce", "-n", 30, "--policy", "uniform", "-o", tmp_path / "l.parquet"
    )
    assert code == 0, err
    from campaignrl.envs import Panel, customers_frame

    frame = customers_frame(Panel(load_world("ecommerce"), 60))
    frame.assign(customer_id=[f"c{i:03d}" for i in range(60)]).to_csv(customers, index=False)
    sent = tmp_path / "sends.csv"
    words = ("decide", "always:content@email", customers, "--world", "ecommerce", "-o", sent, "--items", out)
    code, _, err = campaignrl(*words)
    assert code == 0, err
    listed = pd.read_csv(sent, dtype=str)
    assert len(listed)
    assert (listed["items"].str.count(r"\|") == 3).all()
    by_decision = pd.read_parquet(tmp_path / "sends.items.parquet")
    assert set(by_decision.decision_id) == set(listed.decision_id)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "-o FILE"),
        (("-o", "x.json"), 2, ".parquet or .csv"),
        (("--judge", "--columns", "item=sku"), 2, "item_id="),
        (("--judge", "--columns", "item_id=skus"), 3, "skus"),
    ],
)
def test_mistakes_of_the_verb_end_in_one_message(campaignrl, tmp_path, words, code, says):
    table = tmp_path / "lines.csv"
    shop(5, 30).rename(columns={"item_id": "sku"}).to_csv(table, index=False)
    ended, out, err = campaignrl("profile", "recommend", table, *words)
    assert (ended, out) == (code, "")
    assert says in err


@pytest.mark.slow
def test_online_retail_beats_popularity_and_own_habits(shared_data):
    lines = pd.read_parquet(shared_data / "online_retail" / "online_retail_2009_2010.parquet")
    lines = lines[lines["Customer ID"].notna() & ~lines.Invoice.astype(str).str.startswith(("C", "A"))]
    names = {"customer_id": "Customer ID", "item_id": "StockCode", "ts": "InvoiceDate"}
    found = judge(interactions_of(lines[lines.Quantity > 0], names))
    assert found.customers > 1_000
    assert found.better
    assert found.ways[0].ndcg > 0.39


@pytest.mark.slow
def test_the_complete_journey_beats_popularity_and_own_habits(shared_data):
    names = {"customer_id": "household_id", "item_id": "product_id", "ts": "transaction_timestamp"}
    folder = shared_data / "completejourney"
    known = read_interactions(folder / "transactions.parquet", names)
    found = judge(known, read_catalogue(folder / "products.parquet", "product_id"))
    assert found.customers > 1_900
    assert found.better
