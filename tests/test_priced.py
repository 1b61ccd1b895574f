"""Customers one by one: at the prices of a plan, as rows of a ledger, as scores without rows to fill a chunk up."""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.guard import price_of_actions, rules_of
from campaignrl.policies import Priced, chunks, row_products, stated_gains
from campaignrl.policies.bandits import linear_base
from campaignrl.send import Prices, plan_of, read_prices, record_columns, rows_of
from campaignrl.send.decide import decide
from campaignrl.service.deciding.json_columns import json_rows, texts_of

DAY = datetime.date(2026, 11, 21)
POLICY = "pretrained/ecommerce"


@pytest.fixture(scope="module")
def world():
    return crl.load_world("ecommerce")


@pytest.fixture(scope="module")
def frame(world):
    return customers_frame(Panel(world, 500, 7))


@pytest.fixture(scope="module")
def planned(world, frame):
    return decide(POLICY, frame, world, day=DAY, budget=3.0, capacity={"push": 40}, allocate="value", seed=2)


# ---- prices


def test_what_an_action_costs_at_prices_by_hand(world):
    catalog = world.catalog
    prices = {"money": 0.5, "sms": 2.0, "stock of coupon20": 3.0, "at least of content": 1.0}
    found = price_of_actions(catalog, prices)
    assert found[0] == 0.0
    for k, name in enumerate(catalog.names[1:], 1):
        offer, _, channel = name.partition("@")
        by_hand = 0.5 * catalog.cost_of[k] + 2.0 * (channel == "sms") + 3.0 * (offer == "coupon20")
        assert found[k] == by_hand - (offer == "content"), name


def test_what_has_a_price_of_nothing_costs_nothing(world):
    assert price_of_actions(world.catalog, {"money": 0.0, "sms": 0.0}).tolist() == [0.0] * len(world.catalog)


@pytest.mark.parametrize("prices", [{"pigeon": 1.0}, {"money": -0.1}, {"money": float("nan")}, {"stock of air": 1.0}])
def test_prices_of_nothing_there_is_are_refused(world, prices):
    with pytest.raises(UsageError, match="prices"):
        price_of_actions(world.catalog, prices)


def test_each_alone_takes_at_the_plans_prices_what_the_plan_gives_it(world, frame, planned):
    """But for those at whom the limits end: the price is theirs, and whole sends have to fit."""
    policy = crl.load_policy(POLICY, world)
    assert max(planned.plan.prices.values()) > 0.0
    priced = Priced.of(policy, planned.plan.prices)
    p = priced.probabilities(planned.context, planned.eligible)
    assert ((p == 0.0) | (p == 1.0)).all()
    assert (p.argmax(axis=1) == planned.plan.action).mean() > 0.98
    net = stated_gains(policy, planned.context) - price_of_actions(world.catalog, planned.plan.prices)
    best = np.where(planned.eligible, net, -np.inf).max(axis=1)
    assert np.array_equal(net[np.arange(len(net)), p.argmax(axis=1)], best)


def test_an_exploring_share_gives_everything_allowed_its_chance(world, planned):
    priced = Priced.of(crl.load_policy(POLICY, world), planned.plan.prices, 0.2)
    p = priced.probabilities(planned.context, planned.eligible)
    options = planned.eligible.sum(axis=1)
    assert (p[planned.eligible] > 0.0).all()
    assert p.max(axis=1) == pytest.approx(0.8 + 0.2 / options)
    assert (p[~planned.eligible] == 0.0).all()


def test_a_customer_alone_is_decided_as_among_others(world, frame, planned):
    priced = Priced.of(crl.load_policy(POLICY, world), planned.plan.prices, 0.1)
    many = decide(priced, frame, world, day=DAY, seed=3)
    for i in (0, 17, 499):
        alone = decide(priced, frame.iloc[[i]], world, day=DAY, seed=3, budget=1e6)
        assert alone.action[0] == many.action[i]
        assert alone.propensity_before[0] == many.propensity_before[i]


def test_who_states_no_values_is_not_priced(world):
    with pytest.raises(UsageError, match="states no values"):
        Priced.of(crl.load_policy("uniform", world), {"money": 1.0})
    with pytest.raises(UsageError, match="explore"):
        Priced.of(crl.load_policy(POLICY, world), {"money": 1.0}, 1.5)


def test_a_file_of_prices_is_no_output(monkeypatch, capsys, tmp_path, frame):
    monkeypatch.chdir(tmp_path)
    frame.head(5).to_csv("c.csv", index=False)
    said = json.dumps({"prices": {"money": 0.1}})
    Path("p.csv").write_text(said)
    words = ["decide", POLICY, "c.csv", "--as-of", str(DAY), "--prices", "p.csv", "-o", "p.csv"]
    monkeypatch.setattr("sys.argv", ["campaignrl", *words])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "--prices" in capsys.readouterr().err
    assert Path("p.csv").read_text() == said


def test_the_answer_of_decide_is_a_file_of_prices(monkeypatch, capsys, tmp_path, world, frame):
    frame.to_parquet(tmp_path / "c.parquet")
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr("sys.argv", ["campaignrl", "decide", POLICY, "c.parquet", "--as-of", "2026-11-21", *words])
        try:
            cli.main()
        except SystemExit as end:
            return end.code or 0, capsys.readouterr()
        return 0, capsys.readouterr()

    code, said = call("--allocate", "value", "--budget", "3", "--explore", "0.05", "--dry-run", "--json")
    assert code == 0
    (tmp_path / "plan.json").write_text(said.out)
    prices = read_prices("plan.json")
    assert prices.explore == 0.05
    assert prices.of["money"] > 0.0
    assert Prices.from_dict(json.loads(json.dumps(prices.to_dict())), "x") == prices
    code, said = call("--prices", "plan.json", "--dry-run", "--json")
    assert code == 0
    priced = Priced.of(crl.load_policy(POLICY, world), prices.of, prices.explore)
    assert json.loads(said.out)["sends"] == plan_of(decide(priced, frame, world, day=DAY), world).sends
    code, said = call("--prices", "plan.json", "--allocate", "value", "--dry-run")
    assert code == 2
    assert "--prices" in said.err
    for text in ("{}", "[1]", '{"prices": {"money": "1"}}', "no json"):
        (tmp_path / "plan.json").write_text(text)
        code, said = call("--prices", "plan.json", "--dry-run")
        assert code == 2, text
        assert "prices" in said.err


# ---- rows of a ledger, one by one


@pytest.mark.parametrize("name", ["ecommerce", "bank", "tight_budget"])
def test_rows_one_by_one_are_those_of_the_table(name):
    world = crl.load_world(name)
    frame = customers_frame(Panel(world, 40, 3))
    found = decide("uniform", frame.sample(frac=1.0, random_state=1), world, day=DAY)
    table = rows_of(found, "r" * 32, world)
    ids = list(table["decision_id"].to_pylist())
    columns = record_columns(found, world, ids, table["guard_hash"][0].as_py())
    one_by_one = [json.loads(text) for text in json_rows(texts_of(columns, 40), {name: name for name in columns})]
    assert len(one_by_one) == 40
    for row, other in zip(table.drop_columns(["run_id"]).to_pylist(), one_by_one, strict=True):
        assert row.keys() == other.keys()
        for column, value in row.items():
            value = None if value != value else value  # JSON knows no NaN
            assert type(value) is type(other[column]), column
            assert value == other[column], column


# ---- scores of few rows


def test_a_product_is_settled_where_no_order_of_its_sums_tells(monkeypatch):
    rng = np.random.default_rng(4)
    X, W = rng.normal(size=(40, 90)).astype(np.float32), rng.normal(size=(90, 21)).astype(np.float32)
    if row_products.even_dtype() is not np.float64:
        assert row_products.settled_product(X, W) is None
        return
    monkeypatch.setattr(row_products, "even_in_tiles", lambda: False)
    whole = chunks.in_chunks(lambda part: row_products.row_product(part, W), X)
    assert np.array_equal(row_products.settled_product(X, W), whole)
    half = np.array([[1.0, 2.0**-24]], dtype=np.float32)  # 1 + 2^-24 lies between two numbers of single precision
    assert row_products.settled_product(half, np.ones((2, 1), dtype=np.float32)) is None
    assert row_products.settled_product(half, np.array([[1.0], [4.0]], dtype=np.float32)) is not None


@pytest.mark.parametrize("d", [1, 3, 33, 64, 300])
@pytest.mark.parametrize("k", [1, 2, 13, 64])
@pytest.mark.parametrize("tiles", [False, True])
def test_a_row_has_one_product_wherever_it_stands(d, k, tiles, monkeypatch):
    if tiles and not row_products.even_in_tiles():
        pytest.skip("this machine multiplies rows whole")
    if not tiles:
        monkeypatch.setattr(row_products, "even_in_tiles", lambda: False)
    rng = np.random.default_rng([d, k])
    n = 2 * chunks.CHUNK
    X, W = rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(d, k)).astype(np.float32)
    found, order = row_products.row_product(X, W), rng.permutation(n)
    assert np.array_equal(row_products.row_product(X[order], W), found[order])
    assert np.allclose(found, X.astype(float) @ W, rtol=1e-4, atol=1e-4)
    if tiles:
        assert all(np.array_equal(row_products.row_product(X[:m], W), found[:m]) for m in (0, 1, 3, 8, 9, 100))
        turned = np.asfortranarray(X[:77])
        assert np.array_equal(row_products.row_product(turned, np.asfortranarray(W)), found[:77])


@pytest.mark.parametrize("kind", ["lin_ts", "lin_ucb", "logit_ts"])
def test_scores_of_a_few_are_those_they_have_among_many(world, kind, monkeypatch):
    learned = crl.train(kind, crl.simulate(world, "uniform", customers=60, seed=1))
    context = Panel(world, 300, 5).observe()
    many = learned.scores(context)
    for rows in (slice(0, 1), slice(5, 12), slice(100, 100 + linear_base.FEW)):
        assert np.array_equal(learned.scores(context.take(rows)), many[rows])
    monkeypatch.setattr(linear_base, "settled_product", lambda X, W: None)
    assert np.array_equal(learned.scores(context.take(slice(5, 12))), many[5:12])


def test_the_rules_of_a_world_are_made_once(world):
    assert rules_of(world) is rules_of(world)
    assert rules_of(crl.load_world("ecommerce")) is not rules_of(world)
