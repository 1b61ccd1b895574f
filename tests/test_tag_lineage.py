"""What a tag rests on is told as it is: columns read off its SQL, the rule of its file, and the page of the folder."""

import contextlib
import hashlib
import json
import sys
from pathlib import Path

import pytest

from campaignrl.cli import main as cli
from campaignrl.profiles.tags import STATISTICS, TagSet, columns_of, kinds_of, load_tags, rule_in_words
from campaignrl.profiles.tags.lineage import of_statistic

FIRST = Path(__file__).resolve().parents[1] / "experiments" / "first_profile"
WORDS = {
    "number of orders": ("kind",),
    "spend": ("kind", "amount"),
    "share of orders on discount": ("kind", "discount", "offer"),
    "discount depth": ("kind", "amount", "discount"),
    "favourite brand": ("kind", "brand"),
    "active hours": ("kind", "ts"),
    "minutes of visits": ("kind", "value"),
    "average feedback": ("kind", "value"),
    "days since the last order": ("kind", "ts"),
    "lifecycle stage": ("kind", "ts"),
}


@pytest.mark.parametrize("phrase", WORDS)
def test_a_statistic_names_the_columns_it_is_made_from(phrase):
    assert of_statistic(phrase) == WORDS[phrase]


@pytest.mark.parametrize("phrase", STATISTICS)
def test_every_phrase_rests_on_something(phrase):
    assert of_statistic(phrase)


def test_windows_filters_and_tags_made_of_others_are_told():
    tags = {
        "visits": {"level": "behaviour", "kind": "statistic", "of": "number of visits", "days": 30, "channel": "app"},
        "city": {"level": "basic", "kind": "attribute", "of": "town", "settled": True},
        "both": {"level": "value", "kind": "rule", "when": "visits > 3 and city == 'x'"},
        "named": {"level": "value", "kind": "rule", "when": {"a": "visits > 3", "b": "visits > 1"}, "otherwise": "c"},
        "sum": {"level": "value", "kind": "score", "weights": {"visits": 2.0}},
        "sure": {"level": "value", "kind": "model", "of": "clv", "days": 365, "margin": 0.3},
        "cut": {"level": "value", "kind": "statistic", "of": "spend", "cuts": [1.5], "names": ["low", "high"]},
    }
    chosen = TagSet(name="t", tags=tags)
    assert columns_of(chosen, "both") == ("kind", "ts", "channel", "attributes.town")
    assert kinds_of(chosen, "both") == ("visit", "attributes")
    assert columns_of(chosen, "sum") == ("kind", "ts", "channel")
    told = {name: rule_in_words(tag) for name, tag in chosen.tags.items()}
    assert told == {
        "visits": "number of visits, on app, last 30 days",
        "city": "attribute town, the value seen most often",
        "both": "visits > 3 and city == 'x'",
        "named": "a: visits > 3; b: visits > 1; else c",
        "sum": "2 x rank of visits",
        "sure": "clv, next 365 days, margin 0.3",
        "cut": "spend; low | high from 1.5",
    }


def test_the_folders_page_tells_it_and_its_manifest_holds(tmp_path, monkeypatch, capsys):
    words = ["campaignrl", "profile", "build", str(FIRST / "shop.toml"), "-o", str(tmp_path / "tea")]
    monkeypatch.setattr(sys, "argv", words)
    with contextlib.suppress(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert "completeness 96.6 % of the cells (at least 95 % is asked for: met); below it: members.age_band" in said
    page = (tmp_path / "tea" / "quality.html").read_text(encoding="utf-8")
    for name in load_tags("shop").tags:
        assert name.replace("_", "_<wbr>") in page
    assert "amount (till: paid)" in page
    manifest = json.loads((tmp_path / "tea" / "manifest.json").read_text(encoding="utf-8"))
    for name, facts in manifest["files"].items():
        data = (tmp_path / "tea" / name).read_bytes()
        assert facts == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}, name
