"""Exports that come in portions, overlapping, corrected, with late links, end in the bytes of one build of all."""

import datetime as dt
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import SpecError, UsageError
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.profiles.store.exports import aliases_of, update_from_exports
from campaignrl.profiles.store.folder import build_folder
from campaignrl.profiles.store.update import update_folder
from campaignrl.tables.events import write_events

DAY = dt.date(2024, 2, 1)
TAGS = """
[tags.orders]
level = "behaviour"
kind = "statistic"
of = "number of orders"

[tags.spend]
level = "value"
kind = "statistic"
of = "spend"
"""
MADE = ("events.parquet", "attributes.parquet", "links.parquet", "profiles.parquet", "freshness.parquet")
LINES = {
    "name": "o", "customer": "m", "kind": "order", "ts": "t", "amount": "amt",
    "rules": {"duplicates": ["oid", "sku"], "merge": ["oid"]},
}  # fmt: skip
PEOPLE = {"name": "o", "ids": {"member": "m", "device": "d"}, "kind": "order", "ts": "t", "amount": "amt"}
IDS = {"order": ["member", "device"]}


def mapping_of(folder, tables, file, name="map.toml"):
    """A mapping file with `file` in its first source."""
    source, *others = tables["source"]
    return parse_intake_mapping({**tables, "source": [{**source, "file": file}, *others]}, name)


def build(folder, home, tables, file):
    (folder / "tags.toml").write_text(TAGS, encoding="utf-8")
    intake(mapping_of(folder, tables, file), folder, home, dt.datetime(2024, 2, 1), keep=True)
    build_folder(home, home / "events.parquet", home / "attributes.parquet", folder / "tags.toml", DAY)


def update(folder, home, tables, file):
    return update_from_exports(home, mapping_of(folder, tables, file), folder, DAY)[1]


def events_of(home):
    frame = pd.read_parquet(home / "events.parquet")
    return sorted(zip(frame["customer_id"], frame["ts"].dt.day, frame["kind"], frame["amount"], strict=True))


def bytes_of(home):
    return {name: (home / name).read_bytes() for name in MADE}


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")


V1 = "oid,sku,m,t,amt\n1,a,x,2024-01-01,10\n2,a,x,2024-01-02,20\n"
V2 = "oid,sku,m,t,amt\n2,a,x,2024-01-02,20\n2,b,x,2024-01-02,7\n3,a,x,2024-01-03,30\n"
U1 = "m,d,t,amt\nm1,,2024-01-01,10\n,d1,2024-01-02,20\nm1,,2024-01-02,11\n"
U2 = "m,d,t,amt\nm1,d1,2024-01-05,30\n,d1,2024-01-01,5\n"


def test_an_overlapping_export_counts_no_order_twice(tmp_path):
    write(tmp_path, v1=V1, v2=V2)
    build(tmp_path, tmp_path / "home", {"source": [LINES]}, "v1.csv")
    done = update(tmp_path, tmp_path / "home", {"source": [LINES]}, "v2.csv")
    assert events_of(tmp_path / "home") == [("x", 1, "order", 10.0), ("x", 2, "order", 27.0), ("x", 3, "order", 30.0)]
    assert (done.events, done.customers) == (1, 0)
    profile = pd.read_parquet(tmp_path / "home" / "profiles.parquet").iloc[0]
    assert (profile["orders"], profile["spend"]) == (3, 67)


def test_a_corrected_row_is_taken_from_the_newer_export(tmp_path):
    write(tmp_path, v1=V1, v2="oid,sku,m,t,amt\n2,a,x,2024-01-02,21.5\n")
    build(tmp_path, tmp_path / "home", {"source": [LINES]}, "v1.csv")
    update(tmp_path, tmp_path / "home", {"source": [LINES]}, "v2.csv")
    assert events_of(tmp_path / "home") == [("x", 1, "order", 10.0), ("x", 2, "order", 21.5)]


def test_a_device_that_becomes_a_members_is_no_customer_of_its_own(tmp_path):
    write(tmp_path, u1=U1, u2=U2)
    tables = {"ids": IDS, "source": [PEOPLE]}
    build(tmp_path, tmp_path / "home", tables, "u1.csv")
    assert set(pd.read_parquet(tmp_path / "home" / "profiles.parquet")["customer_id"]) == {"m1", "device:d1"}
    update(tmp_path, tmp_path / "home", tables, "u2.csv")
    made = pd.read_parquet(tmp_path / "home" / "profiles.parquet")
    assert made[["customer_id", "orders", "spend"]].to_numpy().tolist() == [["m1", 5.0, 76.0]]
    known = pd.read_parquet(tmp_path / "home" / "aliases.parquet")
    assert known.to_numpy().tolist() == [["device:d1", "m1"]]


def test_only_names_of_the_strongest_kind_are_bare():
    links = pd.DataFrame({"kind": ["device", "member"], "id": ["x", "x"], "customer_id": ["x", "x"]})
    assert aliases_of(links, "member") == {"device:x": "x"}


def test_what_was_added_ready_stays_and_follows_its_customer(tmp_path):
    write(tmp_path, u1=U1, u2=U2)
    tables = {"ids": IDS, "source": [PEOPLE]}
    home = tmp_path / "home"
    build(tmp_path, home, tables, "u1.csv")
    visit = {"customer_id": ["device:d1"], "ts": [pd.Timestamp(2024, 1, 9)], "kind": ["visit"]}
    write_events(pd.DataFrame(visit), tmp_path / "more.parquet")
    pd.DataFrame({"customer_id": ["device:d1"], "city": ["Bath"]}).to_parquet(tmp_path / "about.parquet")
    update_folder(home, [tmp_path / "more.parquet"], tmp_path / "about.parquet", DAY)
    update(tmp_path, home, tables, "u2.csv")
    frame = pd.read_parquet(home / "events.parquet")
    assert set(frame["customer_id"]) == {"m1"}
    assert frame["kind"].value_counts().to_dict() == {"order": 5, "visit": 1}
    about = pd.read_parquet(home / "attributes.parquet")
    assert about.to_numpy().tolist() == [["m1", "Bath"]]


def test_the_same_export_twice_is_refused_and_another_currency_or_kind_of_id_too(tmp_path):
    write(tmp_path, v1=V1, v2=V2)
    build(tmp_path, tmp_path / "home", {"source": [LINES]}, "v1.csv")
    with pytest.raises(UsageError, match="in the profiles already"):
        update(tmp_path, tmp_path / "home", {"source": [LINES]}, "v1.csv")
    for change in ({"currency": "EUR"}, {"ids": {"order": ["m", "n"]}}):
        with pytest.raises(SpecError):
            update(tmp_path, tmp_path / "home", {**change, "source": [LINES]}, "v2.csv")


def test_an_update_cut_off_after_the_reading_is_finished_by_running_it_again(tmp_path, monkeypatch):
    from campaignrl.profiles.store import exports

    write(tmp_path, v1=V1, v2=V2)
    home = tmp_path / "home"
    build(tmp_path, home, {"source": [LINES]}, "v1.csv")
    whole = tmp_path / "whole"
    shutil.copytree(home, whole)
    update(tmp_path, whole, {"source": [LINES]}, "v2.csv")
    with monkeypatch.context() as cut:
        cut.setattr(exports, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            update(tmp_path, home, {"source": [LINES]}, "v2.csv")
    update(tmp_path, home, {"source": [LINES]}, "v2.csv")
    assert bytes_of(home) == bytes_of(whole)


def test_a_source_that_the_new_mapping_leaves_out_stays(tmp_path):
    write(tmp_path, v1=V1, v2=V2, people="m,sms\nx,yes\ny,no\n")
    members = {
        "name": "people", "file": "people.csv", "rows": "attributes", "customer": "m",
        "attributes": {"consent_sms": "sms"},
    }  # fmt: skip
    build(tmp_path, tmp_path / "home", {"source": [LINES, members]}, "v1.csv")
    done = update(tmp_path, tmp_path / "home", {"source": [LINES]}, "v2.csv")
    about = pd.read_parquet(tmp_path / "home" / "attributes.parquet")
    assert about.to_numpy().tolist() == [["x", True], ["y", False]]
    assert done.profiles.facts["permissions"]["sms"]["reachable"] == 1


def test_the_newer_list_of_members_counts_for_consents_without_a_date(tmp_path):
    write(tmp_path, a="m,sms\nx,yes\ny,no\nz,yes\n", b="m,sms\nx,no\ny,yes\n")
    members = {"name": "p", "rows": "attributes", "customer": "m", "attributes": {"consent_sms": "sms"}}
    visits = {"name": "v", "file": "v.csv", "customer": "m", "kind": "visit", "ts": "t"}
    write(tmp_path, v="m,t\nx,2024-01-01\n")
    build(tmp_path, tmp_path / "home", {"source": [members, visits]}, "a.csv")
    update(tmp_path, tmp_path / "home", {"source": [members]}, "b.csv")
    about = pd.read_parquet(tmp_path / "home" / "attributes.parquet")
    assert about.to_numpy().tolist() == [["x", False], ["y", True], ["z", True]]


def test_what_was_in_the_future_is_taken_when_its_day_has_come(tmp_path):
    write(tmp_path, v1=V1, v2=V2.replace("2024-01-03", "2024-03-03"), v3=V1.replace("1,a", "9,a"))
    home = tmp_path / "home"
    build(tmp_path, home, {"source": [LINES]}, "v2.csv")
    assert len(events_of(home)) == 1
    update_from_exports(home, mapping_of(tmp_path, {"source": [LINES]}, "v3.csv"), tmp_path, dt.date(2024, 4, 1))
    assert ("x", 3, "order", 30.0) in events_of(home)


ROW = st.tuples(
    st.integers(1, 4),  # order
    st.sampled_from("ab"),  # line
    st.sampled_from(["m1", "m2", "m3", ""]),
    st.sampled_from(["d1", "d2", ""]),
    st.integers(1, 9),  # day
    st.sampled_from(["5", "7.25", "-3", "oops", "1,234.50"]),
    st.sampled_from(["yes", "no", "", "maybe"]),
)


@settings(max_examples=2, deadline=None)
@given(st.lists(st.lists(ROW, min_size=1, max_size=6), min_size=2, max_size=4), st.sampled_from(["row", "key", "keep"]))
def test_any_portions_with_late_links_corrections_overlaps_and_refunds(tmp_path_factory, portions, repeats):
    folder = tmp_path_factory.mktemp("law")
    duplicates = {"row": "row", "key": ["oid", "sku"], "keep": "keep"}[repeats]
    orders = {
        "name": "o", "ids": {"member": "m", "device": "d"}, "kind": "order", "ts": "t", "amount": "amt",
        "rules": {"duplicates": duplicates, "merge": ["oid"], "negative": "refund"},
    }  # fmt: skip
    members = {
        "name": "p", "rows": "attributes", "ids": {"member": "m", "device": "d"}, "attributes": {"consent_sms": "sms"},
    }  # fmt: skip
    for k, rows in enumerate(portions):
        lines = [f'{o},{s},{m},{d},2024-01-{t:02d},"{a}",{c}' for o, s, m, d, t, a, c in rows]
        text = "oid,sku,m,d,t,amt,sms\n" + "".join(f"{line}\n" for line in lines) + f"{90 + k},a,m9,,2024-01-01,1,yes\n"
        (folder / f"part{k}.csv").write_text(text, encoding="utf-8")

    def tables(file):
        return {"ids": IDS, "source": [orders, {**members, "file": file}]}

    build(folder, folder / "home", tables("part0.csv"), "part0.csv")
    for k in range(1, len(portions)):
        update(folder, folder / "home", tables(f"part{k}.csv"), f"part{k}.csv")
    build(folder, folder / "whole", tables("part*.csv"), "part*.csv")
    assert bytes_of(folder / "home") == bytes_of(folder / "whole")
    rejects = [pd.read_parquet(folder / name / "rejects.parquet") for name in ("home", "whole")]
    pd.testing.assert_frame_equal(*rejects)
    assert not Path(folder / "home" / "added.parquet").exists()
