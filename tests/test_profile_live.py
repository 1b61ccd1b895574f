"""Watched profiles: whom an event touches equals the rebuild, the update takes it in, bad files go aside."""

import json
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from campaignrl.campaign import ready_policy
from campaignrl.choices import decide_day
from campaignrl.cli import main as cli
from campaignrl.envs.events_export import START, play_history
from campaignrl.envs.panel import Panel
from campaignrl.errors import DataError, UsageError
from campaignrl.profiles.events.database import database
from campaignrl.profiles.live import Live, refresh, watch
from campaignrl.profiles.live.refresh import own_tags
from campaignrl.profiles.live.witness import FAR, witness_of
from campaignrl.profiles.store import build_folder, build_profiles, pending_of, update_folder
from campaignrl.profiles.table import read_profiles, read_profiles_file
from campaignrl.profiles.tags import evidence, load_tags
from campaignrl.specs.world import load_world
from campaignrl.tables import read_events, write_events

DAY = START + timedelta(days=30)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """40 days of 200 customers of the web shop; the folder knows 30 of them."""
    home = tmp_path_factory.mktemp("told")
    world = load_world("ecommerce")
    panel, policy = Panel(world, 200, seed=3), ready_policy("uniform", world)
    play_history(panel, lambda panel: decide_day(panel, policy).action, 40).write(home)
    return home


@pytest.fixture
def folder(told, tmp_path):
    events = read_events(told / "events.parquet")
    write_events(events[events.ts < pd.Timestamp(DAY)], tmp_path / "known.parquet")
    build_folder(
        tmp_path / "shop",
        tmp_path / "known.parquet",
        told / "attributes.parquet",
        "shop",
        DAY,
        world="ecommerce",
        start=START,
    )
    return tmp_path / "shop"


def later(told, customers=None):
    events = read_events(told / "events.parquet")
    new = events[events.ts >= pd.Timestamp(DAY)]
    return new if customers is None else new[new.customer_id.isin(customers)]


def rebuilt(told, folder, day):
    """All customers as they would be if what is pending had been there from the start."""
    parts = [read_events(folder / "events.parquet"), *map(read_events, pending_of(folder))]
    about = pd.read_parquet(told / "attributes.parquet")
    return build_profiles(pd.concat(parts), about, "shop", day, world=load_world("ecommerce"), start=START)


def test_the_touched_equal_the_rebuild_and_the_others_stay(told, folder):
    before = read_profiles(folder)
    live = Live(folder)
    ids = sorted(set(later(told).customer_id))[:5]
    for part in (ids[:1], ids[1:4], ids[3:5]):
        done = live.refresh(later(told, part).sample(frac=1.0, random_state=1).head(20))
        whole = rebuilt(told, folder, done.as_of)
        anew = whole.frame.set_index("customer_id").loc[part]
        mine = done.frame.set_index("customer_id")
        assert list(mine.index) == part
        own = [name for name in anew.columns if name not in done.kept]
        assert len(own) > 30
        pd.testing.assert_frame_equal(mine[own], anew[own], check_exact=True)
        old = before.set_index("customer_id").loc[part]
        pd.testing.assert_frame_equal(mine[list(done.kept)], old[list(done.kept)])
    shown = read_profiles(folder)
    assert (shown.customer_id == before.customer_id).all()
    rest = ~shown.customer_id.isin(ids)
    pd.testing.assert_frame_equal(shown[rest], before[rest])
    _, facts = read_profiles_file(folder)
    assert facts["live"]["customers"] == 5


def test_a_new_customer_appears_with_what_is_known(told, folder):
    new = later(told).head(3).assign(customer_id="~brand new")
    done = refresh(folder, new)
    assert done.frame.customer_id.tolist() == ["~brand new"]
    assert done.frame[list(done.kept)].isna().all().all()
    assert "~brand new" in set(read_profiles(folder).customer_id)


@pytest.mark.slow
def test_the_update_takes_in_what_is_pending_as_if_it_had_been_there(told, folder, tmp_path):
    live = Live(folder)
    new = later(told)
    live.refresh(new.iloc[::2])
    live.refresh(new.iloc[1::2])
    update_folder(folder)
    assert pending_of(folder) == ()
    assert not (folder / "live.parquet").exists()
    day = pd.Timestamp(json.loads((folder / "profile.json").read_text())["as_of"]).date()
    build_profiles(
        told / "events.parquet", told / "attributes.parquet", "shop", day, world=load_world("ecommerce"), start=START,
        refreshes=pd.read_parquet(folder / "refreshes.parquet"),
    ).write(tmp_path)  # fmt: skip
    for name in ("profiles.parquet", "freshness.parquet"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    with pytest.raises(UsageError, match="in the profiles already"):
        Live(folder).refresh(new.iloc[::2])


def test_the_witness_proves_what_all_events_prove(told):
    made = witness_of(told / "events.parquet", told / "attributes.parquet")
    events = read_events(told / "events.parquet")
    assert len(made.events) < len(events) / 3
    days_only = events.assign(ts=events.ts.dt.floor("D"))
    for frame in (days_only, events[events.kind == "order"].assign(amount=np.nan, discount=np.nan)):
        with database(frame, None, FAR) as connection:
            whole = evidence(connection)
        write_events(frame, told / "some.parquet")
        with database(witness_of(told / "some.parquet", None).events, None, FAR) as connection:
            assert evidence(connection) == whole


def test_what_hangs_on_all_customers_is_named():
    own, kept = own_tags(load_tags("shop"))
    assert {"rfm", "clv", "p_alive"} <= set(kept)
    assert {"recency_days", "spend", "stage"} <= set(own.tags)
    assert not set(own.tags) & set(kept)


def test_files_are_taken_as_they_come_and_bad_ones_stand_aside(told, folder):
    box = folder / "inbox"
    box.mkdir()
    new = later(told).head(4)
    write_events(new.iloc[:2], box / "a.parquet")
    lines = [{"customer_id": "007", "ts": f"{DAY}T10:00:00+08:00", "kind": "order", "amount": 12.5}]
    (box / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (box / "c.jsonl").write_text('{"customer_id": "1"')
    (box / "d.jsonl").write_text('{"customer_id": "1", "ts": "soon", "kind": "order"}')
    (box / "e.jsonl").write_text('{"customer_id": "1", "ts": "2026-01-01", "kind": "ordered"}')
    (box / "f.tmp").write_text("not yet")
    found = list(watch(folder, once=True))
    assert [one.file for one in found] == ["a.parquet", "b.jsonl", "c.jsonl", "d.jsonl", "e.jsonl"]
    assert [one.refreshed is not None for one in found] == [True, True, False, False, False]
    assert sorted(p.name for p in box.iterdir()) == ["f.tmp", "refused"]
    assert len(list((box / "refused").iterdir())) == 3
    (kept,) = (read_events(p) for p in pending_of(folder) if len(read_events(p)) == 1)
    assert kept.customer_id[0] == "007"
    assert kept.ts[0] == pd.Timestamp(DAY) + pd.Timedelta(hours=2)
    with pytest.raises(UsageError, match="a folder"):
        next(watch(folder, folder / "none"))
    with pytest.raises(DataError, match="at least one event"):
        refresh(folder, new.iloc[:0])


def test_the_verb_tells_each_file(told, folder, monkeypatch, capsys):
    (folder / "inbox").mkdir()
    write_events(later(told).head(2), folder / "inbox" / "a.parquet")
    monkeypatch.setattr(sys, "argv", ["campaignrl", "profile", "watch", str(folder), "--once"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    said = capsys.readouterr()
    assert said.out.startswith("a.parquet: ")
    assert "hang on all customers" in said.err
