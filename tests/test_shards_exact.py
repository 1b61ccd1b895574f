"""Shards by hand: which rows are whose, which columns can be read a part at a time."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.guard import cap_windows
from campaignrl.send.customers import contact_window, without_repeats
from campaignrl.send.shards import between
from campaignrl.send.shards.arrays_file import _few, read_arrays, read_note, write_arrays
from campaignrl.send.shards.job import Shard, _together, is_typed, readings_of
from campaignrl.send.shards.run import _Work
from campaignrl.tables import contact_column
from campaignrl.tables.suppression import Listed


def grouped(path, *sizes):
    """A Parquet file with row groups of these sizes."""
    schema = pa.schema([("customer_id", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for size in sizes:
            writer.write_table(pa.table({"customer_id": [str(i) for i in range(size)]}, schema=schema))
    return path


def test_neighbouring_groups_are_read_together_as_long_as_they_fill_one_shard():
    assert list(_together([3, 2, 10, 1], 5)) == [(0, 1), (2,), (3,)]
    assert list(_together([3, 2, 10, 1], 4)) == [(0,), (1,), (2,), (3,)]
    assert list(_together([1, 0, 2, 0], 9)) == [(0, 2)]
    assert list(_together([0, 0], 9)) == []
    assert list(_together([2, 2, 2], 4)) == [(0, 1), (2,)]


def test_shards_are_numbered_and_begin_where_the_one_before_ends(tmp_path):
    found = readings_of(grouped(tmp_path / "c.parquet", 3, 2, 10, 1), 5)
    assert [(part.groups, part.shards) for part in found] == [
        ((0, 1), (Shard(0, 0, 5),)),
        ((2,), (Shard(1, 5, 5), Shard(2, 10, 5))),
        ((3,), (Shard(3, 15, 1),)),
    ]
    found = readings_of(grouped(tmp_path / "d.parquet", 7, 7), 4)
    assert [part.shards for part in found] == [
        (Shard(0, 0, 4), Shard(1, 4, 3)),
        (Shard(2, 7, 4), Shard(3, 11, 3)),
    ]
    assert Shard(2, 7, 4).places == slice(7, 11)
    assert len(readings_of(tmp_path / "d.parquet", 1)) == 2
    with pytest.raises(UsageError, match="give at least 1"):
        readings_of(tmp_path / "d.parquet", 0)


def test_a_column_is_typed_where_each_cell_can_be_read_alone(small_world, tmp_path):
    number = next(f.name for f in small_world.features.features if not f.levels)
    level = next(f.name for f in small_world.features.features if f.levels)
    contacts = contact_column(cap_windows(small_world)[0])
    good = {number: pa.int64(), level: pa.string(), contacts: pa.int64(), "customer_id": pa.string()}

    def typed(**changes):
        fields = {**good, **changes}
        table = pa.table({name: pa.array([], kind) for name, kind in fields.items()})
        pq.write_table(table, tmp_path / "t.parquet", store_schema=True)
        return is_typed(tmp_path / "t.parquet", small_world)

    assert typed()
    assert typed(**{number: pa.float64()})
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert not typed(**{number: kind})
        assert not typed(**{contacts: kind})
        assert typed(**{level: kind}, customer_id=kind)
        assert typed(another=kind)
    for name in (level, "customer_id", "suppressed"):
        assert not typed(**{name: pa.float64()})
        assert typed(**{name: pa.int64()})
    assert typed(another=pa.float64())


def test_progress_goes_through_three_steps_as_one():
    told, shards = [], (Shard(0, 0, 3), Shard(1, 3, 5))
    work = _Work(map, shards, lambda done, total: told.append((done, total)))
    for step in range(3):
        work.do(lambda job, shard: shard.rows, None, step)
    assert told == [(1, 8), (2, 8), (3, 8), (5, 8), (6, 8), (8, 8)]
    silent = []
    _Work(map, shards, None).do(lambda job, shard: silent.append(shard.index) or shard.rows, None, 0)
    assert silent == [0, 1]


def test_texts_that_stand_four_times_on_average_are_kept_once():
    def texts(n, distinct):
        return np.array([f"t{i % distinct}" for i in range(n)], dtype=object)

    assert [_few(texts(n, distinct)) for n, distinct in ((8, 1), (8, 2), (9, 2))] == [True, False, True]
    assert [_few(texts(5_000, distinct)) for distinct in (255, 256)] == [True, False]
    late = np.concatenate([texts(1_024, 255), np.array([f"new {i}" for i in range(4_000)], dtype=object)])
    assert _few(late)  # by the first ones
    assert not _few(late[1_020:])


def test_arrays_of_every_kind_come_back_as_they_were(tmp_path):
    arrays = {
        "texts": np.array(["a", "b", None, "a"] * 3, dtype=object),
        "once": np.array([f"x{i}" for i in range(12)], dtype=object),
        "flags": np.arange(12) % 2 == 0,
        "matrix": np.arange(24, dtype=np.float32).reshape(12, 2),
        "mask": np.arange(36).reshape(12, 3) % 5 == 0,
        "whole": np.arange(12, dtype=np.int16),
        "gaps": np.array([0.5, np.nan] * 6),
    }
    write_arrays(tmp_path / "a", arrays, {"k": 1})
    found = read_arrays(tmp_path / "a")
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape), name
        np.testing.assert_array_equal(found[name], values)
        assert found[name].flags.writeable or values.ndim > 1
    assert list(read_arrays(tmp_path / "a", ["whole", "texts"])) in (["whole", "texts"], ["texts", "whole"])
    assert read_note(tmp_path / "a") == {"k": 1}
    write_arrays(tmp_path / "b", {"whole": arrays["whole"]})
    assert read_note(tmp_path / "b") == {}


def test_rows_of_one_id_are_the_first_and_what_they_disagree_on_is_unknown():
    table = pa.table(
        {
            "customer_id": ["a", "b", "a", "", "", "b"],
            "consent_sms": [1, 1, 0, 1, 0, 1],
            "contacts_7d": [2, None, 2, 1, 1, 0],
            "age": [30, 40, 31, 1, 2, 41],
        }
    )
    found, gone = without_repeats(table)
    assert gone == 2
    assert found.to_pydict() == {
        "customer_id": ["a", "b", "", ""],
        "consent_sms": [None, 1, None, None],
        "contacts_7d": [2, None, 1, 1],
        "age": [30, 40, 1, 2],
    }
    once = table.slice(0, 2)
    assert without_repeats(once)[0].equals(once)
    assert without_repeats(table.drop_columns("customer_id"))[1] == 0
    assert [contact_window(name) for name in ("contacts_7d", "contacts_30d", "contacts_sms_7d", "contacts_d")] == [
        7, 30, None, None,
    ]  # fmt: skip


def test_a_list_is_known_by_all_of_its_ids_the_first_one_too(monkeypatch):
    """Two shards, in which the ids at places 0 and 2 of a list of four stand: one twice, and others of no list."""
    parts = {0: np.array([-1, 0, 2]), 1: np.array([2, -1])}
    monkeypatch.setattr(between, "column", lambda job, shard, step, name: parts[shard.index])
    monkeypatch.setattr(between, "_require_once", lambda job, shards: None)
    notes = {0: {"notes": {"a": 1, "b": 0}, "stale": -1}, 1: {"notes": {"a": 2, "b": 0}, "stale": -1}}
    monkeypatch.setattr(between, "read_note", lambda index: notes[index])
    shards = (Shard(0, 0, 3), Shard(1, 3, 2))

    def job(least):
        folder = SimpleNamespace(file=lambda step, index: index)
        return SimpleNamespace(listed=Listed(4, least), folder=folder, source="c.parquet", world=None, day=None)

    assert between.require_sound(job(0.5), shards, []) == {"a": 3, "b": 0}
    with pytest.raises(DataError, match="2 of 4 ids"):
        between.require_sound(job(0.51), shards, [])
    many = [Problem(f"row {i:02}", "x", i, "fine") for i in reversed(range(25))]
    with pytest.raises(DataError) as wrong:
        between.require_sound(job(0.5), shards, many)
    assert [problem.value for problem in wrong.value.problems] == list(range(20))
