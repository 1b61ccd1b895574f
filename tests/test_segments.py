"""Segments: rules, grids and clusters find what was planted; later customers fall into the same; files are safe."""

import json
import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import ArtifactError, CampaignError, DataError, SpecError, UsageError
from campaignrl.profiles.population.population import fit_population
from campaignrl.profiles.segments.choose_k import nearest_jaccard
from campaignrl.profiles.segments.rfm import GROUPS
from campaignrl.profiles.segments.scaling import FARTHEST, fit_scale, scaled
from campaignrl.profiles.segments.segment_file import load_segments, save_segments
from campaignrl.profiles.segments.segments import fit_segments
from campaignrl.profiles.segments.spec import read_segment_spec, segment_spec
from campaignrl.profiles.segments.wording import Column, column_words, here_and_usual, name_word
from campaignrl.profiles.store.build import build_profiles
from campaignrl.profiles.table.columns import check_profiles, codes_of, numbers_of, tags_of
from campaignrl.tables.events import write_events


def frame(**columns):
    """A profiles table with ids c0, c1, ..."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], **columns})


def planted(n=1500, seed=0):
    """Three kinds of customers, told apart by discount share and recency; the truth as a column of its own."""
    chance = np.random.default_rng(seed)
    kind = chance.integers(0, 3, n)
    table = frame(
        discount_share=np.clip(np.array([0.05, 0.72, 0.1])[kind] + chance.normal(0, 0.04, n), 0, 1),
        recency_days=np.round(np.exp(np.log(np.array([15.0, 20.0, 200.0]))[kind] + chance.normal(0, 0.25, n))),
        orders=chance.poisson(np.array([9, 8, 8])[kind]) + 1,
        region=chance.choice(["North", "South"], n),
    )
    return table, kind


def fitted(table, seed=0, **settings):
    return fit_segments(table, segment_spec(settings), np.random.default_rng(seed))


RULES = {
    "high_value": {"when": "spend > 100 and orders >= 3"},
    "lapsed": {"when": "recency_days > 90 or region == 'South'"},
}


def small():
    return frame(
        spend=[200.0, 150.0, 20.0, np.nan, 20.0],
        orders=[5, 2, 1, 9, 1],
        recency_days=[10.0, 100.0, 5.0, 100.0, 5.0],
        region=["North", "North", "South", None, ""],
    )


def test_the_first_rule_that_holds_names_the_customer_and_a_missing_value_holds_none():
    found = fitted(small(), method="rules", segments=RULES, rest="others")
    assert found.names == ("high_value", "lapsed", "others")
    assert list(found.assign(small())) == ["high_value", "lapsed", "lapsed", "lapsed", "others"]
    assert found.shares == (0.2, 0.6, 0.2)


def test_rules_need_only_the_tags_they_name_and_levels_unheard_of_hold_nothing():
    table = small()
    table["orders"] = [5.0, 2.0, 1.0, 9.0, 1.0]
    found = fitted(table.assign(other=1), method="rules", segments=RULES)
    later = table.assign(region="West")
    assert list(found.assign(later)) == ["high_value", "lapsed", "others", "lapsed", "others"]


def test_every_mistake_of_every_rule_is_named_at_once():
    rules = {"a": {"when": "spent > 1"}, "b": {"when": "order >= 3"}}
    with pytest.raises(SpecError) as wrong:
        fitted(small(), method="rules", segments=rules)
    assert [p.value for p in wrong.value.problems] == ["spent", "order"]
    assert "'spend'" in str(wrong.value)
    assert "'orders'" in str(wrong.value)
    with pytest.raises(SpecError) as wrong:
        fitted(small(), method="rules", segments={"a": {"when": "region == 'Nort'"}, "b": {"when": "spend + 1"}})
    assert len(wrong.value.problems) == 2


def test_missing_tags_of_later_tables_are_named_at_once_with_the_nearest():
    found = fitted(small(), method="rules", segments=RULES)
    later = small().rename(columns={"spend": "spends", "orders": "order"})
    with pytest.raises(DataError) as wrong:
        found.assign(later)
    assert {p.value for p in wrong.value.problems} == {"spend", "orders"}
    assert "'spends'" in str(wrong.value)
    with pytest.raises(DataError, match="number as before"):
        found.assign(small().assign(spend="much"))


def test_rfm_scores_by_hand():
    table = frame(recency_days=[1, 2, 3, 4, 5], orders=[5, 4, 3, 2, 1], spend=[50.0, 40.0, 30.0, 20.0, 10.0])
    found = fitted(table, method="rfm", rfm={"groups": False})
    assert found.part.edges == ((1, 2, 3, 4), (1, 2, 3, 4), (10, 20, 30, 40))
    assert list(found.assign(table)) == ["R5F5M5", "R4F4M4", "R3F3M3", "R2F2M2", "R1F1M1"]
    later = frame(recency_days=[0.0, 99.0, np.nan], orders=[100, 3, 0], spend=[25.0, 1e9, np.nan])
    assert list(found.assign(later)) == ["R5F5M3", "R1F3M5", "R1F1M1"]
    grouped = fitted(table, method="rfm")
    assert list(grouped.assign(table)) == ["champions", "loyal", "needs_attention", "hibernating", "lost"]
    assert grouped.names == GROUPS


def test_rfm_with_many_one_time_buyers_keeps_the_scores_of_the_others():
    table = frame(recency_days=np.arange(10), orders=[1] * 6 + [2, 3, 4, 9], spend=np.arange(10.0))
    found = fitted(table, method="rfm")
    assert found.part.edges[1] == pytest.approx((1, 1, 1, 3))
    assert list(found.part.scores(table)[:, 1]) == [2] * 6 + [4, 4, 5, 5]


def test_fixed_edges_are_kept_and_bad_ones_refused():
    table = planted()[0].assign(spend=1.0)
    edges = {"recency": [30, 60, 90, 180]}
    assert fitted(table, method="rfm", rfm={"edges": edges}).part.edges[0] == (30, 60, 90, 180)
    for bad in ({"recency": [3, 2, 1, 0]}, {"recency": [1, 2]}, {"recent": [1, 2, 3, 4]}, {"recency": []}):
        with pytest.raises(SpecError):
            fitted(table, method="rfm", rfm={"edges": bad})
    with pytest.raises(DataError, match="money"):
        fitted(planted()[0], method="rfm")


@pytest.mark.parametrize("method", ["kmeans", pytest.param("gmm", marks=pytest.mark.slow)])
def test_planted_segments_are_found_described_and_named(method):
    table, kind = planted()
    found = fitted(table, method=method, tags=("discount_share", "recency_days", "orders"))
    assert len(found.names) == 3, found.tried
    codes = found.codes(table)
    best = [np.bincount(codes[kind == g], minlength=3).max() for g in range(3)]
    assert sum(best) / len(table) > 0.97
    assert {"price_sensitive", "lapsed"} <= set(found.names)
    price = next(d for d in found.descriptions if d.name == "price_sensitive")
    assert price.rule.startswith("discount_share > ")
    assert "%" in price.rule
    assert min(price.precision, price.recall) > 0.95
    assert price.says.startswith("7")
    assert "% of orders on discount (usual" in price.says
    assert min(d.stability for d in found.descriptions) > 0.9


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_noise_without_groups_is_one_segment(method):
    chance = np.random.default_rng(3)
    table = frame(a=chance.normal(size=800), b=chance.normal(size=800), c=chance.normal(size=800))
    found = fitted(table, method=method, k_max=4)
    assert len(found.names) == 1
    assert found.shares == (1.0,)
    assert found.descriptions[0].rule == "everyone"
    assert found.names == ("all",)
    assert found.why.startswith(("no stable segments", "no segments"))


@pytest.mark.parametrize("method", ["kmeans", "gmm"])
def test_same_seed_same_bytes_and_a_customer_never_depends_on_the_batch(method, tmp_path):
    table, _ = planted(900)
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        found = fitted(table, method=method, k=3)
        save_segments(path, found, fit_population(table, found.codes(table), found.names))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    codes = found.codes(table)
    assert (np.diff(found.shares) <= 0.02).all()  # the largest first
    for rows in (slice(0, 1), slice(5, 530), slice(890, 900)):
        assert (found.codes(table.iloc[rows]) == codes[rows]).all()
    shuffled = table.sample(frac=1, random_state=1)
    assert (found.codes(shuffled) == codes[shuffled.index]).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "rules", "segments": {"x": {"when": "orders > 8"}}},
        {"method": "rfm", "tags": ("recency_days", "orders", "discount_share")},
        {"method": "kmeans", "k": 2},
        {"method": "gmm", "k": 2, "tags": ("orders", "recency_days")},
    ],
    ids=["rules", "rfm", "kmeans", "gmm"],
)
def test_a_file_brings_back_the_same_segments(settings, tmp_path):
    table, _ = planted(400)
    found = fitted(table, **settings)
    population = fit_population(table, found.codes(table), found.names)
    save_segments(tmp_path / "s.json", found, population)
    back = load_segments(tmp_path / "s.json")
    assert back.segmentation == found
    assert back.population == population
    assert (back.segmentation.assign(table) == found.assign(table)).all()
    save_segments(tmp_path / "t.json", back.segmentation, back.population)
    assert (tmp_path / "s.json").read_bytes() == (tmp_path / "t.json").read_bytes()


PART, SEGMENT = ("segmentation", "part"), ("population", "segments", 0)
DAMAGED = {
    "centre": ((*PART, "centres", 0), [0.0]),
    "covariance": ((*PART, "covariances", 0, 0, 0), -1.0),
    "names": ((*PART, "names"), ["one", "one"]),
    "table": ((*SEGMENT, "nodes", 0, "table", 0), [1.0]),
    "parents": ((*SEGMENT, "nodes", 0, "parents"), [99]),
    "tag": ((*SEGMENT, "scores", 0, "tag"), 99),
    "marginal": ((*SEGMENT, "scores", 0, "marginal", "values", 0), 1e9),
    "ties": (("population", "ties", "ordered"), [[0, 99]]),
    "key": ((*PART, "centers"), 1),
    "version": (("version",), 2),
    "infinite": ((*PART, "weights", 0), float("inf")),
}


@pytest.fixture(scope="module")
def made():
    table, _ = planted(300)
    found = fitted(table, method="gmm", k=2, tags=("orders", "recency_days"))
    return found, fit_population(table, found.codes(table), found.names)


@pytest.mark.parametrize("way", DAMAGED)
def test_damaged_files_are_refused(way, made, tmp_path):
    path = tmp_path / "s.json"
    save_segments(path, *made)
    data = json.loads(path.read_text())
    (*parents, last), value = DAMAGED[way]
    inner = data
    for key in parents:
        inner = inner[key]
    inner[last] = value
    path.write_text(json.dumps(data))
    with pytest.raises(ArtifactError):
        load_segments(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"{", b"[]", b'{"format": "campaignrl segments"}'])
def test_foreign_and_cut_files_are_refused(content, made, tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        load_segments(path)
    save_segments(path, *made)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ArtifactError):
        load_segments(path)


def test_a_missing_file_is_one_plain_error(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_segments(tmp_path / "none.json")


def test_columns_are_standardised_clipped_and_equal_in_weight():
    chance = np.random.default_rng(0)
    table = frame(
        normal=chance.normal(5, 3, 4000),
        skewed=np.round(np.exp(chance.normal(3, 1.5, 4000))),
        region=chance.choice(["a", "b", "c"], 4000, p=[0.6, 0.3, 0.1]),
        constant=7,
        gap=np.where(chance.random(4000) < 0.3, np.nan, chance.normal(size=4000)),
    )
    scale = fit_scale(table, tags_of(table))
    assert [part.log for part in scale] == [False, True, False, False, False]
    x = scaled(table, scale)
    names = [name for part in scale for name in part.columns]
    assert names == ["normal", "skewed", "region=a", "region=b", "region=c", "gap", "gap?"]
    assert np.abs(x).max() <= FARTHEST
    assert x[:, :2].std(axis=0) == pytest.approx(1.0, abs=0.02)
    assert x[:, 2:5].var(axis=0).sum() == pytest.approx(1.0)
    assert (x[table.gap.isna(), 5] == 0).all()


def test_kinds_of_columns_and_what_is_refused():
    table = frame(
        flag=[True, False, True],
        zero_one=[0, 1, 1],
        text=["a", None, ""],
        number=[1.5, 2.0, None],
        day=pd.to_datetime(["2026-01-01", "2026-01-02", None]),
    )
    kinds = {tag.name: tag.kind for tag in tags_of(table)}
    assert kinds == {"flag": "yes_no", "zero_one": "yes_no", "text": "category", "number": "number", "day": "date"}
    text, number = tags_of(table, ["text", "number"])
    assert list(codes_of(table, text)) == [0, -1, -1]
    assert number.decimals == 1
    assert text.gaps
    assert number.gaps
    assert tags_of(frame(a=["x", ""]))[0].gaps  # an empty text is a missing one
    assert list(numbers_of(table, tags_of(table, ["day"])[0])[:2]) == [20454.0, 20455.0]
    with pytest.raises(DataError, match="'number'"):
        tags_of(table, ["numbr"])
    with pytest.raises(DataError, match="alike"):
        tags_of(frame(mixed=["a", 1, 2.0]))
    with pytest.raises(DataError, match="finite"):
        tags_of(frame(x=[1.0, math.inf]))
    for bad in (table.iloc[:0], table.assign(customer_id="same"), table.assign(customer_id=None), table[["flag"]]):
        with pytest.raises(DataError):
            check_profiles(bad)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('method = "kmean"', "'kmeans'"),
        ('method = "rules"', "at least one rule"),
        ('method = "gmm"\nk = 0', "k"),
        ('method = "gmm"\nkk = 3', "known key"),
        ('method = "rfm"\n[segments.a]\nwhen = "x > 1"', "a method with rules"),
        ("method = ", "TOML"),
    ],
)
def test_mistakes_in_settings_are_named(text, says, tmp_path):
    path = tmp_path / "segments.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=says):
        read_segment_spec(path)


def test_settings_in_toml_and_better_names(tmp_path):
    path = tmp_path / "segments.toml"
    path.write_text('method = "kmeans"\nk = 3\ntags = ["discount_share", "recency_days"]\n[names]\nlapsed = "沉睡"\n')
    table, _ = planted(600)
    found = fit_segments(table, read_segment_spec(path), np.random.default_rng(0))
    assert "沉睡" in found.names
    assert "沉睡" in [d.name for d in found.descriptions]
    names = {"lapse": "x", "price_sensitive": "lapsed"}
    with pytest.raises(SpecError) as wrong:
        fitted(table, method="kmeans", k=3, tags=("discount_share", "recency_days"), names=names)
    assert [p.value for p in wrong.value.problems] == ["lapse", "lapsed"]


def test_what_cannot_be_clustered_is_said():
    with pytest.raises(DataError, match="varies"):
        fitted(frame(a=[1, 1, 1]), method="kmeans")
    with pytest.raises(UsageError, match="2 customers that differ"):
        fitted(frame(a=[1.0, 2.0, 2.0]), method="kmeans", k=3)
    with pytest.raises(DataError, match="a number"):
        fitted(frame(a=pd.to_datetime(["2026-01-01"] * 3), b=[1, 2, 3]), method="gmm", tags=("a", "b"))
    two = fitted(frame(a=[1.0, 1.0, 9.0, 9.0]), method="kmeans", k=2)
    assert len(set(two.assign(frame(a=[0.0, 10.0])))) == 2


@pytest.mark.parametrize("method", ["kmeans", pytest.param("gmm", marks=pytest.mark.slow)])
def test_tiny_and_odd_tables_give_segments_or_one_of_our_errors(method):
    tables = [
        frame(a=[1.0]),
        frame(a=[1.0, np.nan]),
        frame(a=[np.nan, np.nan], b=[1, 2]),
        frame(a=["x", "y", "x"], b=[True, False, True]),
        frame(a=[f"t{i}" for i in range(40)], b=np.arange(40)),
        frame(a=[-(10**15), 10**15, 0, 1]),
    ]
    for table in tables:
        try:
            found = fitted(table, method=method, k_max=3)
        except CampaignError:
            continue
        assert len(found.assign(table)) == len(table)


def test_jaccard_similarity_with_the_nearest_group_by_brute_force():
    chance = np.random.default_rng(0)
    for k in (2, 3, 5):
        codes, others = chance.integers(0, k, 60), chance.integers(0, k, 60)
        groups = [set(np.flatnonzero(codes == j)) for j in range(k)]
        found = [
            max(len(g & h) / len(g | h) for h in (set(np.flatnonzero(others == j)) for j in range(k))) for g in groups
        ]
        assert nearest_jaccard(codes, others, k) == pytest.approx(found)
    assert nearest_jaccard(np.array([0, 0, 2, 2]), np.array([1, 1, 0, 0]), 3) == pytest.approx(
        [1, np.nan, 1], nan_ok=True
    )


def test_a_number_asked_for_that_does_not_come_out_again_says_so():
    chance = np.random.default_rng(3)
    table = frame(a=chance.normal(size=800), b=chance.normal(size=800), c=chance.normal(size=800))
    found = fitted(table, method="kmeans", k=4)
    assert "not stable: one segment comes out again with a Jaccard similarity of" in found.why
    assert min(d.stability for d in found.descriptions) < 0.75


def test_a_segment_that_orders_least_is_never_named_frequent():
    chance = np.random.default_rng(1)
    kind = chance.integers(0, 2, 800)
    table = frame(
        order_gap=np.array([36.0, 73.0])[kind] * np.exp(chance.normal(0, 0.1, 800)),
        region=chance.choice(["x", "y"], 800),
    )
    found = fitted(table, method="kmeans", k=2, tags=("order_gap",))
    words = {d.name: d.says for d in found.descriptions}
    assert set(words) == {"frequent", "infrequent"}
    assert float(words["infrequent"].split()[2]) > float(words["frequent"].split()[2])
    assert "the usual gap" in words["infrequent"]
    named = fitted(table.rename(columns={"order_gap": "abstand"}), method="kmeans", k=2, tags=("abstand",))
    assert not {"frequent", "infrequent"} & set(named.names)  # nobody said what the tag is
    spec = segment_spec({"method": "kmeans", "k": 2, "tags": ("abstand",)})
    renamed = table.rename(columns={"order_gap": "abstand"})
    meant = fit_segments(renamed, spec, np.random.default_rng(0), {"abstand": "mean days between orders"})
    assert set(meant.names) == {"frequent", "infrequent"}


def test_words_and_figures_by_hand():
    tag = tags_of(frame(gap=[1.5, 2.0]))[0]
    values = np.array([36.0, 36.0, 36.0, 73.0, 73.0])
    column = Column(tag, None, values, values - values.mean(), "mean days between orders")
    inside = values == 73.0
    assert name_word(column, inside) == "infrequent"
    assert column_words(column, inside) == "orders every 73 days, twice the usual gap (36)"
    assert name_word(column, ~inside) == "frequent"
    spend = column._replace(meaning="spend", values=np.array([10.0, 10, 10, 5, 25]))
    assert column_words(spend, np.arange(5) == 4) == "gap 25, 2.5 times the usual 10"
    assert column_words(spend, np.arange(5) == 3) == "gap 5, half the usual 10"
    share = column._replace(meaning="share of orders on discount", values=np.array([0.1, 0.1, 0.1, 0.1, 0.6]))
    assert column_words(share, np.arange(5) == 4) == "60 % of orders on discount (usual 20 %)"


ABOUT = {  # a tag, and the name for a large value of it
    "mean days between orders": "infrequent",
    "days since the last order": "lapsed",
    "number of orders": "many_orders",
    "orders a month": "frequent",
    "spend": "high_value",
    "share of orders on discount": "price_sensitive",
    "recency score": "recent",
    "days since the last visit": "long_silent",
    "days since the first order": "long_standing",
    "average basket": "large_baskets",
    "churn_risk": "at_risk",
    "p_alive": "still_there",
    "number of refunds": "often_refunded",
}


@settings(max_examples=20, deadline=None)
@given(
    about=st.sampled_from(sorted(ABOUT)),
    values=st.lists(st.floats(0.5, 1e4), min_size=4, max_size=30),
    chosen=st.integers(1, 2**30 - 1),
)
def test_a_name_never_speaks_against_the_figures_shown(about, values, chosen):
    x = np.array(values)
    inside = np.array([(chosen >> i) & 1 for i in range(len(x))], dtype=bool)
    column = Column(tags_of(frame(v=[1.5, 2.0]))[0], None, x, x - x.mean(), about)
    if not inside.any() or inside.all():
        return
    here, usual = here_and_usual(column, inside)
    assert (name_word(column, inside) == ABOUT[about]) == (here > usual)


def test_the_rfm_tag_and_rfm_segments_are_one(tmp_path):
    chance = np.random.default_rng(5)
    n = 3_000
    events = pd.DataFrame(
        {
            "customer_id": [f"c{i:03d}" for i in chance.zipf(1.6, n) % 400],
            "ts": pd.Timestamp("2026-01-01") + pd.to_timedelta(chance.integers(0, 300, n), unit="D"),
            "kind": "order",
            "amount": chance.integers(5, 12, n).astype(float),
        }
    )
    looked = pd.DataFrame({"customer_id": ["v1", "v2"], "ts": [pd.Timestamp("2026-02-01")] * 2, "kind": "visit"})
    write_events(pd.concat([events, looked]), tmp_path / "events.parquet")
    made = build_profiles(tmp_path / "events.parquet", tags="shop", as_of=date(2026, 11, 1)).frame
    for name in ("cells", "groups"):
        found = fitted(made, method="rfm", rfm={"groups": name == "groups"})
        scores = found.part.scores(made)
        digits = np.array(["".join(map(str, row)) for row in scores])
        known = made.rfm.notna().to_numpy()
        assert known.sum() == len(made) - 2
        assert (digits[known] == made.rfm[known].to_numpy()).all()
        assert set(digits[~known]) == {"111"}
    cells = fitted(made, method="rfm", rfm={"groups": False}).assign(made)
    assert [f"R{r[0]}F{r[1]}M{r[2]}" for r in made.rfm[known]] == list(cells[known])
