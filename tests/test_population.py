"""A drawn population: alike in what the model keeps, the same customer for the same key, laws on any table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from campaignrl.errors import SpecError
from campaignrl.profiles.population.dependence import (
    conditional_table,
    dependence_tree,
    mutual_information,
    nearest_correlation,
    rank_correlations,
    second_parents,
)
from campaignrl.profiles.population.exact_relations import Ties, find_ties
from campaignrl.profiles.population.fidelity import association, fidelity, held_out_fidelity
from campaignrl.profiles.population.population import Population, fit_population
from campaignrl.profiles.population.quantile_tables import marginal, quantiles
from campaignrl.profiles.table.columns import Tag


def real(n=3000, seed=0):
    """Numbers that correlate, counts, shares of zeros, gaps, dates, and categories that exclude each other."""
    chance = np.random.default_rng(seed)
    z = chance.multivariate_normal([0, 0, 0], [[1, 0.6, -0.4], [0.6, 1, 0.0], [-0.4, 0.0, 1]], n)
    plan = chance.choice(["basic", "plus", "none"], n, p=[0.5, 0.3, 0.2])
    extra = np.where(plan == "none", "no plan", chance.choice(["yes", "no"], n))
    spend = np.round(np.exp(3 + z[:, 0]) * np.where(plan == "plus", 2.0, 1.0), 2)
    share = np.where(chance.random(n) < 0.4, 0.0, np.round(chance.random(n), 3))
    score = np.where((plan == "none") & (chance.random(n) < 0.5), np.nan, np.round(50 + 10 * z[:, 2]))
    joined = np.datetime64("2024-01-01", "us") + (chance.integers(0, 600, n) * 86_400_000_000).astype("timedelta64[us]")
    return pd.DataFrame(
        {
            "customer_id": [f"r{i}" for i in range(n)],
            "spend": spend,
            "orders": chance.poisson(np.exp(0.5 + 0.6 * z[:, 1])),
            "discount_share": share,
            "score": score,
            "member": chance.random(n) < 0.3,
            "plan": plan,
            "extra": pd.Series(extra).where(chance.random(n) > 0.05),
            "joined": joined,
        }
    )


@pytest.fixture(scope="module")
def table():
    return real()


@pytest.fixture(scope="module")
def population(table):
    codes = (table.orders > 2).to_numpy().astype(np.int64)
    return fit_population(table, codes, ("seldom", "often"))


@pytest.fixture(scope="module")
def drawn(population):
    return population.draw(20_000, seed=1)


def test_marginals_shares_bounds_gaps_and_kinds_are_kept(table, drawn):
    assert drawn.columns.tolist() == [*table.columns, "segment"]
    assert (drawn.segment == "often").mean() == pytest.approx((table.orders > 2).mean(), abs=0.01)
    for name in ("spend", "orders", "discount_share", "score"):
        a, b = table[name].dropna(), drawn[name].dropna()
        assert ks_2samp(a, b).statistic < 0.03, name
        assert b.between(a.min(), a.max()).all(), name
        assert drawn[name].isna().mean() == pytest.approx(table[name].isna().mean(), abs=0.01), name
    assert drawn.orders.dtype == np.int64
    assert (drawn.spend == drawn.spend.round(2)).all()
    assert drawn.joined.dtype == "datetime64[us]"
    assert (drawn.joined.dt.normalize() == drawn.joined).all()
    assert ((drawn.segment == "often") == (drawn.orders > 2)).all()  # steps within a segment keep its own values


def test_categories_keep_their_tables_and_what_excludes_each_other_still_does(table, drawn):
    wanted = pd.crosstab(table.plan, table.extra.fillna("?"), normalize=True)
    got = pd.crosstab(drawn.plan, drawn.extra.fillna("?"), normalize=True)
    assert np.abs(wanted - got).to_numpy().max() < 0.015
    assert ((drawn.extra == "no plan") <= (drawn.plan == "none")).all()
    assert set(drawn.loc[drawn.score.isna(), "plan"]) == {"none"}


def test_rank_correlations_and_dependence_on_categories_are_kept(table, drawn):
    names = ["spend", "orders", "discount_share", "score"]
    apart = (table[names].corr("spearman") - drawn[names].corr("spearman")).abs().to_numpy()
    assert apart.max() < 0.06
    for plan in ("basic", "plus"):
        medians = [t.loc[t.plan == plan, "spend"].median() for t in (table, drawn)]
        assert medians[1] == pytest.approx(medians[0], rel=0.1)


def test_a_customer_depends_on_its_number_and_seed_alone(population, drawn):
    pd.testing.assert_frame_equal(population.draw(50, seed=1), drawn.head(50))
    late = population.draw(300, seed=1, first=65_400)
    long = population.draw(66_000, seed=1)
    pd.testing.assert_frame_equal(late, long.iloc[65_400:65_700].reset_index(drop=True))
    one = population.draw(1, seed=1, first=65_536)
    pd.testing.assert_frame_equal(one, long.iloc[[65_536]].reset_index(drop=True))
    assert not population.draw(50, seed=2).equals(drawn.head(50))


def test_shares_can_be_given(population):
    only = population.draw(500, seed=0, shares={"often": 2})
    assert set(only.segment) == {"often"}
    mixed = population.draw(4000, seed=0, shares={"often": 3, "seldom": 1})
    assert (mixed.segment == "often").mean() == pytest.approx(0.75, abs=0.03)
    with pytest.raises(SpecError) as wrong:
        population.draw(5, seed=0, shares={"offen": 1.0, "seldom": -1.0})
    assert len(wrong.value.problems) == 2
    assert "'often'" in str(wrong.value)
    with pytest.raises(SpecError, match="above 0"):
        population.draw(5, seed=0, shares={"often": 0.0})


def test_an_empty_segment_is_never_drawn_and_a_small_one_leans_on_all(table):
    codes = np.zeros(len(table), dtype=np.int64)
    codes[:3] = 2
    found = fit_population(table, codes, ("all", "nobody", "few"))
    drawn = found.draw(30_000, seed=0)
    assert set(drawn.segment) == {"all", "few"}
    with pytest.raises(SpecError, match="nobody was in"):
        found.draw(5, seed=0, shares={"nobody": 1.0})


def test_texts_that_identify_are_not_drawn_and_a_tag_called_segment_stays():
    n = 300
    table = pd.DataFrame(
        {
            "customer_id": np.arange(n).astype(str),
            "mail": [f"m{i}@example.org" for i in range(n)],
            "segment": ["a", "b", "c"] * 100,
            "city": [f"city{i % 150}" if i % 3 == 0 else "capital" for i in range(n)],
        }
    )
    found = fit_population(table, np.zeros(n, dtype=np.int64), ("everyone",))
    drawn = found.draw(2000, seed=0)
    assert found.left_out == ("mail",)
    assert drawn.columns.tolist() == ["customer_id", "segment", "city", "drawn_from"]
    assert (drawn.city == "capital").mean() == pytest.approx(2 / 3, abs=0.04)


def test_one_customer_is_enough():
    one = real(1)
    found = fit_population(one, np.zeros(1, dtype=np.int64), ("me",))
    drawn = found.draw(20, seed=0)
    assert (drawn.spend == one.spend[0]).all()
    assert (drawn.plan == one.plan[0]).all()


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), min_size=1, max_size=400),
    whole=st.booleans(),
)
def test_a_marginal_stays_within_what_was_seen(values, whole):
    sample = np.sort(np.round(values) if whole else np.array(values))
    tag = Tag(name="x", kind="number", decimals=0 if whole else 2)
    table = marginal(sample, tag)
    u = np.linspace(0.0, 1.0, 501)
    found = quantiles(table, u, tag)
    assert (np.diff(found) >= 0).all()
    assert found[0] == sample[0]
    assert found[-1] == sample[-1]
    assert (found == np.round(found, 0 if whole else 2)).all()
    if whole and len(np.unique(sample)) <= 200:
        assert np.isin(found, sample).all()


def test_mutual_information_by_hand_and_the_tree_of_a_chain():
    a = np.repeat([0, 1], 500)
    assert mutual_information(a, a, (2, 2)) == pytest.approx(np.log(2) - 1 / 2000)
    assert mutual_information(a, np.tile([0, 1], 500), (2, 2)) == 0.0
    chance = np.random.default_rng(0)
    b = np.where(chance.random(1000) < 0.9, a, 1 - a)
    c = np.where(chance.random(1000) < 0.9, b, 1 - b)
    order, parent = dependence_tree([a, c, b], [2, 2, 2])
    assert order[0] == 0
    assert parent == [-1, 2, 0]  # a -> b -> c


def test_conditional_tables_by_hand():
    table = conditional_table(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2]), (3, 2))
    assert table == pytest.approx(np.array([[2 / 3, 1.0], [0.5, 1.0], [0.0, 1.0]]))

    both = conditional_table(np.array([0, 1]), np.array([0, 3]), (4, 2), np.full((4, 2), [0.25, 1.0]))
    assert both == pytest.approx(np.array([[1.0, 1.0], [0.25, 1.0], [0.25, 1.0], [0.0, 1.0]]))


def test_a_second_parent_is_taken_where_it_says_more():
    chance = np.random.default_rng(0)
    a, b, noise = chance.integers(0, 2, (3, 2000))
    both = a ^ b  # neither alone says anything
    most = np.where(chance.random(2000) < 0.8, a, 1 - a)
    codes, sizes = [a, b, np.where(chance.random(2000) < 0.9, both, most), noise], [2, 2, 2, 2]
    found = second_parents(codes, sizes, [0, 1, 2, 3], [-1, -1, 0, -1])
    assert found == [-1, -1, 1, -1]


def test_exact_relations_are_found_and_obeyed():
    chance = np.random.default_rng(5)
    n = 1500
    orders = chance.poisson(1.2, n) + 1
    tenure = chance.integers(10, 400, n)
    recency = np.where(orders == 1, tenure, np.round(tenure * chance.random(n) ** 2)).astype(int)
    online, store = np.round(np.exp(chance.normal(3, 1, n)), 2), np.round(np.exp(chance.normal(2, 1, n)), 2)
    spend = np.round(online + store, 2)
    table = pd.DataFrame(
        {"customer_id": np.arange(n).astype(str), "recency": recency, "tenure": tenure, "orders": orders}
        | {"online": online, "store": store, "spend": spend, "mean": np.round(spend / orders, 2)}
    )
    found = fit_population(table, (orders > 2).astype(np.int64), ("few", "many"))
    drawn = found.draw(5000, seed=0)
    assert len(found.ties.derived) == 2
    assert (drawn["mean"] - drawn.spend / drawn.orders).abs().max() < 0.0051
    assert (drawn.spend - drawn.online - drawn.store).abs().max() < 0.0051
    assert (drawn.recency <= drawn.tenure).all()
    assert (drawn.recency == drawn.tenure)[drawn.orders == 1].all()
    for name in ("recency", "tenure", "spend", "mean"):
        assert ks_2samp(table[name], drawn[name]).statistic < 0.06, name


def test_no_relation_is_seen_in_numbers_that_have_none():
    chance = np.random.default_rng(6)
    columns = {i: chance.poisson(3, 800).astype(float) for i in range(4)} | {4: np.round(chance.normal(50, 9, 800), 1)}
    tags = [Tag(name=str(i), kind="number", decimals=0) for i in range(4)] + [Tag(name="4", kind="number", decimals=1)]
    assert find_ties(columns, tags) == Ties()


def test_a_matrix_that_is_no_correlation_is_mended():
    broken = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    mended = nearest_correlation(broken)
    assert np.linalg.eigvalsh(mended).min() > 0
    assert np.diag(mended) == pytest.approx(1.0)
    right = np.array([[1.0, 0.3], [0.3, 1.0]])
    assert nearest_correlation(right) == pytest.approx(right)


def test_rank_correlations_leave_gaps_out():
    a = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, np.nan])
    b = np.array([1.0, 4, 9, 16, 25, 36, 49, 64, np.nan, 0])
    assert rank_correlations([a, b])[0, 1] == pytest.approx(1.0)
    assert np.isnan(rank_correlations([a[:4], b[:4]])[0, 1])


def test_association_by_hand():
    codes, other = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])
    assert association(codes, other) == pytest.approx(1.0)
    assert association(codes, np.array([0, 1, 0, 1])) == 0.0
    assert association(codes, np.array([1.0, 1.0, 5.0, 5.0])) == pytest.approx(1.0)
    assert association(np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 1.0])) == pytest.approx(-1.0)
    assert association(codes, np.array([3.0, 3.0, 3.0, 3.0])) == 0.0


def test_fidelity_knows_a_good_population_from_a_bad_one(table, drawn):
    columns = list(table.columns)
    good = fidelity(table, drawn[columns], np.random.default_rng(0))
    assert good.floor.auc == pytest.approx(0.5, abs=0.05)
    assert good.score.auc < 0.6
    assert good.score.worst_marginal[1] < 2 * good.floor.worst_marginal[1] + 0.02
    shuffled = table.copy()
    for i, name in enumerate(columns[1:]):
        shuffled[name] = table[name].sample(frac=1.0, random_state=i).to_numpy()
    bad = held_out_fidelity(table.iloc[:1500], table.iloc[1500:], shuffled.iloc[:1500], np.random.default_rng(0))
    assert bad.score.auc > 0.7
    assert bad.score.worst_pair[1] > 0.3
    assert bad.score.means[0] < 0.05  # marginals alone do not tell


def test_a_tag_that_nobody_has_tells_nobody_apart():
    chance = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(400)],
            "orders": chance.poisson(4, 400).astype(float),
            "nobody": np.full(400, np.nan),
        }
    )
    alike = fidelity(table, table.sample(frac=1.0, random_state=1), np.random.default_rng(1))
    assert 0.3 < alike.score.auc < 0.7


def clockwork(n=900, seed=0):
    """Customers whose tags hang together exactly: a window, a mean gap, a score by fifths."""
    chance = np.random.default_rng(seed)
    orders = chance.integers(1, 9, n)
    tenure = np.round(chance.uniform(100, 400, n), 3)
    recency = np.where(orders == 1, tenure, np.round(tenure * chance.uniform(0, 0.9, n), 3))
    lately = np.where(recency > 90, 0, np.minimum(chance.integers(1, 4, n), orders))
    gap = np.where(orders > 1, (tenure - recency) / np.maximum(orders - 1, 1), np.nan)
    spend = np.round(chance.lognormal(4, 1, n), 2)
    score = 1 + np.searchsorted(np.quantile(spend, [0.2, 0.4, 0.6, 0.8]), spend)
    frame = {"orders": orders, "tenure": tenure, "recency": recency, "lately": lately, "gap": gap}
    return pd.DataFrame({"customer_id": np.arange(n).astype(str), **frame, "spend": spend, "score": score})


def test_windows_mean_gaps_and_scores_of_drawn_customers_are_possible():
    table = clockwork()
    made = fit_population(table, np.zeros(len(table), dtype=np.int64), ("all",))
    names = [tag.name for tag in made.tags]
    assert [names[z.tag] for z in made.ties.zero] == ["lately"]
    assert [names[g.tag] for g in made.ties.gaps] == ["gap"]
    assert [names[s.tag] for s in made.ties.steps] == ["score"]
    drawn = made.draw(3_000, 1)
    assert ((drawn.lately == 0) == (drawn.recency > 90.5)).mean() > 0.99
    assert (drawn.lately <= drawn.orders).all()
    assert (drawn.gap.isna() == (drawn.orders <= 1)).all()
    several = drawn[drawn.orders > 1]
    expected = (several.tenure - several.recency) / (several.orders - 1)
    assert np.allclose(several.gap, expected)
    assert (
        drawn.groupby("score").spend.max().to_numpy()[:-1] <= drawn.groupby("score").spend.min().to_numpy()[1:]
    ).all()
    assert Population.model_validate(made.model_dump()) == made
