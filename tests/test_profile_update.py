"""New events in any portions, late ones too, end in the very bytes of one full build; runs cut off are finished."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.campaign import ready_policy, simulate
from campaignrl.choices import decide_day
from campaignrl.envs.events_export import START, attributes_of, play_history
from campaignrl.envs.panel import Panel
from campaignrl.errors import ArtifactError, DataError, UsageError
from campaignrl.profiles.store import folder as folders
from campaignrl.profiles.store.build import build_profiles
from campaignrl.profiles.store.folder import build_folder, read_state, with_snapshot
from campaignrl.profiles.store.update import merged_attributes, reweight, reweight_folder, update_folder
from campaignrl.profiles.table.profile_file import profile_facts
from campaignrl.profiles.tags.tag_set import TagSet, load_tags
from campaignrl.specs.world import load_world
from campaignrl.tables.events import write_events
from campaignrl.tables.files.whole_files import read_frame
from campaignrl.toml import check

MADE = ("profiles.parquet", "freshness.parquet")
END = START + timedelta(days=60)


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """60 days of 2,000 customers: the frame of all events, the attributes of day 0 and of the end, as files too."""
    home = tmp_path_factory.mktemp("lives")
    world = load_world("ecommerce")
    panel, policy = Panel(world, 2_000, seed=3), ready_policy("uniform", world)
    attributes_of(panel).to_parquet(home / "first.parquet")
    history = play_history(panel, lambda panel: decide_day(panel, policy).action, 60)
    history.attributes.to_parquet(home / "last.parquet")
    write_events(history.events, home / "all.parquet")
    return home, history.events


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in MADE]


def portions(events, cuts, chance):
    """The events in len(cuts) + 1 files, late ones among them: a tenth of each row's luck lands in a later portion."""
    age = (events["ts"] - pd.Timestamp(START)).dt.days.to_numpy()
    part = np.searchsorted(cuts, age, side="right")
    late = chance.random(len(events)) < 0.1
    return np.minimum(part + late, len(cuts))


@pytest.mark.slow
def test_events_in_four_portions_late_ones_too_give_the_bytes_of_one_build(lives, tmp_path):
    home, events = lives
    part = portions(events, [20, 35, 50], np.random.default_rng(1))
    for k in range(4):
        write_events(events[part == k], tmp_path / f"part{k}.parquet")
    build_folder(tmp_path / "small", tmp_path / "part0.parquet", home / "first.parquet", world="ecommerce", start=START)
    for k in (1, 2):
        done = update_folder(tmp_path / "small", [tmp_path / f"part{k}.parquet"])
        assert done.late > 0
    update_folder(tmp_path / "small", [tmp_path / "part3.parquet"], home / "last.parquet", END)
    seen = with_snapshot(None, read_frame(home / "first.parquet"), START)
    seen.to_parquet(tmp_path / "seen.parquet")
    build_folder(
        tmp_path / "whole", home / "all.parquet", home / "last.parquet", as_of=END,
        refreshes=tmp_path / "seen.parquet", world="ecommerce", start=START,
    )  # fmt: skip
    assert bytes_of(tmp_path / "small") == bytes_of(tmp_path / "whole")
    facts = profile_facts(tmp_path / "small")
    assert facts["as_of"] == END.isoformat()
    assert facts["tags"]["p_alive"]["fit"]["model"] == "MBG/NBD"
    assert facts["tags"]["churn_risk"]["fit"]["auc"] is None or facts["tags"]["churn_risk"]["fit"]["auc"] > 0.6


PLAIN = check(
    TagSet,
    {
        "name": "plain",
        "tags": {
            "orders": {"level": "behaviour", "kind": "statistic", "of": "number of orders", "days": 9},
            "spend": {"level": "value", "kind": "statistic", "of": "spend"},
            "stage": {"level": "lifecycle", "kind": "statistic", "of": "lifecycle stage"},
            "hot": {"level": "value", "kind": "rule", "when": "orders >= 2 or stage == 'new'"},
        },
    },
    "plain",
)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.floats(0, 500), st.integers(0, 2)), min_size=1),
    st.permutations([0, 1, 2]),
)
@settings(max_examples=3, deadline=None)
def test_any_portions_in_any_order(tmp_path_factory, rows, order):
    home = tmp_path_factory.mktemp("portions")
    frame = pd.DataFrame(
        [
            {"customer_id": c, "ts": pd.Timestamp(START) + pd.Timedelta(days=d), "kind": "order", "amount": a}
            for c, d, a, _ in rows
        ]
    )
    part = np.array([p for *_, p in rows])
    given_parts = [k for k in order if (part == k).any()]
    for k in given_parts:
        write_events(frame[part == k], home / f"{k}.parquet")
    write_events(frame, home / "all.parquet")
    build_folder(home / "small", home / f"{given_parts[0]}.parquet", tags=PLAIN)
    if given_parts[1:]:
        update_folder(home / "small", [home / f"{k}.parquet" for k in given_parts[1:]])
    build_folder(home / "whole", home / "all.parquet", tags=PLAIN)
    assert bytes_of(home / "small") == bytes_of(home / "whole")


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte(lives, tmp_path, monkeypatch):
    home, _ = lives
    for threads in (1, 2, 5):
        monkeypatch.setattr("campaignrl.profiles.events.database.THREADS", threads)
        build_folder(tmp_path / str(threads), home / "all.parquet", home / "last.parquet", as_of=END)
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2") == bytes_of(tmp_path / "5")


def test_a_day_passes_without_events(lives, tmp_path):
    home, _ = lives
    build_folder(tmp_path / "p", home / "all.parquet", tags=PLAIN, as_of=END)
    before = read_frame(tmp_path / "p" / "profiles.parquet")
    after = update_folder(tmp_path / "p", as_of=END + timedelta(days=30)).profiles.frame
    assert after["orders"].sum() == 0 < before["orders"].sum()
    assert after["spend"].equals(before["spend"])
    assert (after["stage"] == "churned").sum() > (before["stage"] == "churned").sum()


def test_the_same_events_twice_and_a_step_back_are_refused(lives, tmp_path):
    home, _ = lives
    build_folder(tmp_path / "p", home / "all.parquet", tags=PLAIN, as_of=END)
    first = bytes_of(tmp_path / "p")
    with pytest.raises(UsageError, match="in the profiles already"):
        update_folder(tmp_path / "p", [home / "all.parquet"])
    with pytest.raises(UsageError, match="or later"):
        update_folder(tmp_path / "p", as_of=START)
    assert bytes_of(tmp_path / "p") == first


def test_an_update_that_was_cut_off_is_finished_by_running_it_again(lives, tmp_path, monkeypatch):
    home, events = lives
    early = events["ts"] < pd.Timestamp(START + timedelta(days=30))
    for name, rows in (("old", early), ("new", ~early)):
        write_events(events[rows], tmp_path / f"{name}.parquet")
    build_folder(tmp_path / "p", tmp_path / "old.parquet", tags=PLAIN)
    build_folder(tmp_path / "whole", home / "all.parquet", tags=PLAIN)
    real = folders.build_profiles

    def struck(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(folders, "build_profiles", struck)
    with pytest.raises(KeyboardInterrupt):
        update_folder(tmp_path / "p", [tmp_path / "new.parquet"])
    monkeypatch.setattr(folders, "build_profiles", real)
    update_folder(tmp_path / "p", [tmp_path / "new.parquet"])
    assert bytes_of(tmp_path / "p") == bytes_of(tmp_path / "whole")


def test_attributes_are_merged_customer_by_customer():
    old = pd.DataFrame({"customer_id": ["a", "b"], "city": ["Rom", "Ulm"], "age": [3.0, 4.0]})
    new = pd.DataFrame({"customer_id": ["c", "b"], "city": ["Bonn", None], "vip": [True, True]})
    merged = merged_attributes(old, new).set_index("customer_id")
    assert merged["city"].dropna().to_dict() == {"a": "Rom", "c": "Bonn"}  # of b, the new table says: not known
    assert merged["age"].dropna().to_dict() == {"a": 3.0, "b": 4.0}
    assert list(merged.columns) == ["city", "age", "vip"]
    with pytest.raises(DataError, match="once"):
        merged_attributes(old, pd.concat([new, new]))


def test_freshness_is_the_newest_event_that_a_tag_rests_on(lives):
    home, events = lives
    made = build_profiles(home / "all.parquet", home / "last.parquet", "shop", END)
    facts = made.facts["tags"]
    for tag, kinds in {"orders": ("order", "opening"), "contacts_30d": ("sent",), "visits_30d": ("visit",)}.items():
        newest = events.loc[events["kind"].isin(kinds), "ts"].max()
        assert pd.Timestamp(facts[tag]["freshness"]) == newest
    sent = events[events["kind"] == "sent"].groupby("customer_id")["ts"].max()
    mine = made.freshness.set_index("customer_id")["sent"]
    assert mine.dropna().equals(sent.reindex(mine.dropna().index).astype(mine.dtype))
    # A rule is as fresh as the newest of what it is made from.
    assert facts["needs_winning_back"]["freshness"] == facts["orders"]["freshness"]


def test_model_tags_learn_from_before_the_cut_only(lives):
    home, events = lives
    chosen = load_tags("shop")
    made = build_profiles(home / "all.parquet", None, chosen, END).facts["tags"]["coupon_response"]["fit"]
    assert made["cut"] == (END - timedelta(days=30)).isoformat()
    # Whatever happens on or after the day itself changes nothing.
    later = events.iloc[:50].assign(ts=pd.Timestamp(END))
    more = pd.concat([events, later])
    first, second = (build_profiles(e, None, chosen, END).frame for e in (events, more))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_damaged_and_absent_folders(lives, tmp_path):
    home, _ = lives
    with pytest.raises(ArtifactError, match="profile build"):
        update_folder(tmp_path / "nowhere", [home / "all.parquet"])
    build_folder(tmp_path / "p", home / "all.parquet", tags=PLAIN, as_of=END)
    (tmp_path / "p" / "profile.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match="not as campaignrl writes it"):
        read_state(tmp_path / "p")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((home / "all.parquet").read_bytes()[:5000])
    with pytest.raises(DataError, match="cut short"):
        build_folder(tmp_path / "q", cut, tags=PLAIN, as_of=END)


# ---- weights from results


def test_a_score_is_weighed_by_what_sends_achieved():
    tags = check(
        TagSet,
        {
            "name": "w",
            "tags": {
                "good": {"level": "value", "kind": "statistic", "of": "number of orders"},
                "bad": {"level": "value", "kind": "statistic", "of": "number of refunds"},
                "s": {"level": "value", "kind": "score", "weights": {"good": 0.5, "bad": 0.5}},
            },
        },
        "w",
    )
    world = load_world("ecommerce", horizon=30)
    log = simulate(world, "uniform", customers=500, seed=2)
    rank = np.arange(500) % 5
    profiles = pd.DataFrame({"customer_id": log.customers, "good": rank.astype(float), "bad": -2.0 * rank})
    # Sends are worth 1 + rank, doing nothing is worth nothing.
    reward = np.where(log.action > 0, 1.0 + rank[log.customer], 0.0)
    told, table = reweight(tags, "s", profiles, type(log)(**{**vars(log), "reward": reward}))
    assert table.set_index("tag").loc["good", [f"group {k + 1}" for k in range(5)]].tolist() == [1, 2, 3, 4, 5]
    assert told.tags["s"].weights == {"good": 0.5, "bad": -0.5}
    assert told.hash != tags.hash
    with pytest.raises(UsageError, match="Did you mean 's'"):
        reweight(tags, "S", profiles, log)


def test_new_weights_stay_with_the_folder(lives, tmp_path):
    home, _ = lives
    build_folder(tmp_path / "p", home / "all.parquet", home / "last.parquet", as_of=END)
    log = simulate(load_world("ecommerce", horizon=30), "uniform", customers=250, seed=3)
    before = read_frame(tmp_path / "p" / "profiles.parquet")
    made, table = reweight_folder(tmp_path / "p", "engagement", log)
    assert abs(table["weight"]).sum() == pytest.approx(1.0)
    kept = read_state(tmp_path / "p").tags.tags["engagement"].weights
    assert kept == pytest.approx(dict(zip(table["tag"], table["weight"], strict=True)), abs=1e-6)
    assert not made.frame["engagement"].equals(before["engagement"])
    assert made.frame["p_alive"].equals(before["p_alive"])
    after = update_folder(tmp_path / "p", as_of=END + timedelta(days=1))
    assert after.profiles.facts["tag_set"]["hash"] == made.facts["tag_set"]["hash"]
    assert isinstance(read_state(tmp_path / "p").as_of, date)
