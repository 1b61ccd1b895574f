"""Segments flow: kept in a folder, a world of them, a policy taught in it, sends for the same customers."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from campaignrl.cli import main as cli
from campaignrl.errors import UsageError
from campaignrl.profiles.segments import fit_segments, segment_spec
from campaignrl.profiles.store import build_folder, build_profiles, keep_segments, update_folder
from campaignrl.profiles.table import read_profiles
from campaignrl.specs import load_world
from campaignrl.tables import write_events


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
        assert code == 0, said.err
        return said.out, said.err

    return call


def events(n=300, seed=0, first="2026-01-01", days=200):
    """Two kinds of customers: rare small orders, and frequent large ones."""
    chance = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        kind = i % 2
        for _ in range(1 + chance.poisson((2, 14)[kind])):
            day = pd.Timestamp(first) + pd.Timedelta(days=float(chance.uniform(0, days)))
            rows.append(
                (f"c{i:03d}", day.floor("s"), "order", round(float((20, 80)[kind] * chance.lognormal(0, 0.2)), 2))
            )
    return pd.DataFrame(rows, columns=["customer_id", "ts", "kind", "amount"])


def consents(n=300):
    return pd.DataFrame({"customer_id": [f"c{i:03d}" for i in range(n)], "consent_email": True, "consent_sms": True})


@pytest.fixture
def folder(tmp_path):
    write_events(events(), tmp_path / "events.parquet")
    consents().to_parquet(tmp_path / "about.parquet")
    build_folder(tmp_path / "shop", tmp_path / "events.parquet", tmp_path / "about.parquet")
    return tmp_path / "shop"


def two(folder):
    table = read_profiles(folder)
    return fit_segments(
        table, segment_spec({"method": "kmeans", "k": 2, "tags": ("orders", "basket")}), np.random.default_rng(0)
    )


@pytest.mark.slow
def test_kept_segments_are_found_again_at_an_update_as_by_a_rebuild(folder, tmp_path):
    found = two(folder)
    kept = keep_segments(folder, found).frame
    assert (kept.segment == found.assign(kept)).all()
    assert set(kept.segment) == set(found.names)
    write_events(events(320, 1, "2026-08-01", 30), tmp_path / "new.parquet")
    update_folder(folder, [tmp_path / "new.parquet"])
    both = pd.concat([pd.read_parquet(tmp_path / name) for name in ("events.parquet", "new.parquet")])
    write_events(both, tmp_path / "both.parquet")
    day = pd.read_json(folder / "profile.json", typ="series")["as_of"]
    anew = build_profiles(
        tmp_path / "both.parquet", tmp_path / "about.parquet", as_of=pd.Timestamp(day).date(), segments=found
    )
    anew.write(tmp_path)
    for name in ("profiles.parquet", "freshness.parquet"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert "segment" not in keep_segments(folder, None).frame


@pytest.mark.slow
def test_segments_that_read_themselves_are_refused(folder):
    kept = keep_segments(folder, two(folder)).frame
    circle = fit_segments(
        kept, segment_spec({"method": "kmeans", "k": 2, "tags": ("segment", "orders")}), np.random.default_rng(0)
    )
    with pytest.raises(UsageError, match="other than the segment itself"):
        keep_segments(folder, circle)
    again = fit_segments(kept, segment_spec({"method": "kmeans", "k": 2}), np.random.default_rng(0))
    assert "segment" not in [tag.name for tag in again.tags]


def test_from_segments_to_sends_without_a_mapping(folder, tmp_path, campaignrl):
    _, err = campaignrl("profile", "segment", folder, "--tags", "orders,basket", "--keep")
    assert "column `segment`" in err
    labels = set(read_profiles(folder).segment)
    assert len(labels) == 2
    world = tmp_path / "world.toml"
    campaignrl("calibrate", folder, "--segments", "segment", "--like", "ecommerce", "-o", world)
    assert set(load_world(world).segments) == labels
    _, err = campaignrl("profile", "update", folder, "--world", world)
    assert "does not know" not in err
    assert set(read_profiles(folder).segment) == labels
    log = tmp_path / "log.parquet"
    campaignrl("simulate", "--world", world, "--policy", "uniform", "-n", 300, "-o", log)
    assert labels <= set(pd.read_parquet(log).segment.dropna())
    campaignrl("train", "lin_ts", "--log", log, "-o", tmp_path / "b.bundle")
    campaignrl(
        "decide", tmp_path / "b.bundle", folder / "profiles.parquet", "--world", world, "-o", tmp_path / "sends.csv"
    )
    assert (tmp_path / "sends.csv").is_file()


@pytest.mark.slow
def test_levels_that_a_world_does_not_know_are_told_at_build(folder, campaignrl):
    campaignrl("profile", "segment", folder, "--tags", "orders,basket", "--keep")
    facts = json.loads(campaignrl("profile", "show", folder, "--json")[0])
    assert "unheard" not in facts
    ready = ("--events", folder / "events.parquet")
    found = folder / "s.json"
    campaignrl("profile", "segment", folder, "--tags", "orders,basket", "-o", found)
    out, err = campaignrl(
        "profile", "build", *ready, "--world", "ecommerce", "--segments", found, "-o", folder, "--json"
    )
    told = json.loads(out)["unheard"]["segment"]
    assert sum(told.values()) == 300
    assert "segment: ecommerce does not know" in err
    assert "calibrate FOLDER --segments segment" in err
