"""What customers write: words of two languages, a mood learned from own scores and judged on unseen customers."""

import sys

import numpy as np
import pandas as pd
import pytest

from campaignrl.cli import main as cli
from campaignrl.errors import DataError
from campaignrl.profiles.feedback import read_mood, texts_of, words, words_of
from campaignrl.profiles.store import build_folder, update_folder
from campaignrl.tables import write_events

GOOD = ["fresh leaves", "lovely aroma", "quick delivery", "will order again"]
BAD = ["stale leaves", "bitter and weak", "late delivery", "never again"]
好 = ["茶叶新鲜", "香气很好", "发货很快"]
差 = ["茶叶发霉", "味道苦涩", "发货太慢"]


def reviews(n=240, seed=0, good=GOOD, bad=BAD, scored=0.7):
    chance = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        glad = chance.random() < 0.5
        said = chance.choice(good if glad else bad, 2, replace=False)
        score = (5 if glad else 1) if chance.random() < scored else np.nan
        rows.append((f"c{i % 120:03d}", "、".join(said) if good is not GOOD else ". ".join(said), score, glad))
    return pd.DataFrame(rows, columns=["customer_id", "text", "score", "glad"])


def test_words_of_latin_texts():
    assert words_of("I DON\u2019T like it: 3 bags, 100% stale\uff01 Caf\u00e9") == [
        "don't",
        "like",
        "bags",
        "stale",
        "caf\u00e9",
    ]
    assert words_of("") == []
    assert words_of("12 34 !!") == []


def test_chinese_by_pairs_where_there_is_no_dictionary(monkeypatch):
    monkeypatch.setattr(words, "_cutter", lambda: words.pairs)
    assert words_of("\u8336\u53f6\u65b0\u9c9c, ok\u597d") == [
        "\u8336\u53f6",
        "\u53f6\u65b0",
        "\u65b0\u9c9c",
        "ok",
        "\u597d",
    ]


def test_chinese_by_jieba():
    pytest.importorskip("jieba")
    assert words.by_dictionary()
    assert words_of("\u8336\u53f6\u65b0\u9c9c\uff0c\u53d1\u8d27\u592a\u6162\u4e86") == [
        "\u8336\u53f6", "\u65b0\u9c9c", "\u53d1\u8d27", "\u592a\u6162"
    ]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "word"), [(GOOD, BAD, "stale"), (好, 差, "发霉")])
def test_the_mood_of_unscored_texts_follows_the_scored_ones(good, bad, word):
    told = reviews(good=good, bad=bad)
    found = read_mood(texts_of(told))
    assert found.better
    assert found.error < 0.5 * found.error_of_mean
    assert found.rank > 0.7
    assert any(word[:2] in one for one in found.sorry)
    alone = told[told.score.isna()].groupby("customer_id").glad.agg(["size", "mean"])
    mood = found.attributes.set_index("customer_id").mood
    assert mood.between(1, 5).all()
    sure = [c for c in alone.index[alone["size"] == 1] if told[told.customer_id == c].glad.nunique() == 1]
    glad = told.set_index("customer_id").glad
    assert all((mood[c] > 3) == bool(np.atleast_1d(glad[c])[0]) for c in sure)


def test_scores_that_texts_say_nothing_of_are_told_to_be_useless():
    chance = np.random.default_rng(1)
    told = reviews().assign(score=lambda f: chance.integers(1, 6, len(f)).astype(float))
    found = read_mood(texts_of(told))
    assert abs(found.rank) < 0.3
    assert found.error > 0.9 * found.error_of_mean


def test_keywords_and_counts_of_each_customer():
    told = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "text": ["bitter tea", "bitter again", "tea again", " "],
            "score": [1, 2, 5, 4],
        }
    )
    found = read_mood(texts_of(told))
    frame = found.attributes.set_index("customer_id")
    assert frame.texts.to_dict() == {"a": 2, "b": 1}  # an empty text is none
    assert frame.keywords["a"].startswith("bitter")
    assert frame.mood.isna().all()
    assert "fewer than 50" in found.why


def test_the_same_texts_the_same_mood_in_any_order():
    one = read_mood(texts_of(reviews().assign(ts="2026-01-01")))
    two = read_mood(texts_of(reviews().assign(ts="2026-01-01")))
    pd.testing.assert_frame_equal(one.attributes, two.attributes)


def test_mistakes_are_named():
    told = reviews(10)
    with pytest.raises(DataError, match="'text'"):
        texts_of(told.rename(columns={"text": "texts"}), {"customer_id": "customer_id"})
    with pytest.raises(DataError, match="a number, or empty"):
        texts_of(told.assign(score=["good"] * 10))


def test_the_verb_writes_attributes_that_become_tags(tmp_path, monkeypatch, capsys):
    table, out = tmp_path / "reviews.csv", tmp_path / "mood.csv"
    reviews().rename(columns={"text": "review", "score": "stars"}).to_csv(table, index=False)
    words_ = ("profile", "feedback", table, "--columns", "text=review,score=stars", "-o", out)
    monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words_)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert "speak against:" in capsys.readouterr().out
    tags = tmp_path / "tags.toml"
    tags.write_text('[tags.orders]\nlevel = "value"\nkind = "statistic"\nof = "number of orders"\n')
    orders = pd.DataFrame({"customer_id": ["c001"], "ts": [pd.Timestamp("2026-01-01")], "kind": ["order"]})
    write_events(orders, tmp_path / "events.parquet")
    build_folder(tmp_path / "shop", tmp_path / "events.parquet", None, tags)
    made = update_folder(tmp_path / "shop", attributes=out)
    assert len(made.profiles.frame) == 120
    with_mood = tmp_path / "mood.toml"
    with_mood.write_text(
        tags.read_text() + '[tags.mood]\nlevel = "mind"\nkind = "attribute"\nof = "mood"\n'
        '[tags.unhappy]\nlevel = "mind"\nkind = "rule"\nwhen = "mood < 3"\n'
    )
    frame = build_folder(tmp_path / "shop2", tmp_path / "events.parquet", out, with_mood).frame
    assert frame.unhappy.notna().all()
    assert (frame.unhappy == (frame.mood < 3)).all()
