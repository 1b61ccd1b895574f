"""Tables where a byte, a cell or a row is just at a border: signs within letters, words like gaps, moments, keys."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ope_log import make_log

from campaignrl.errors import DataError
from campaignrl.features import Feature
from campaignrl.tables.customers import _outside
from campaignrl.tables.files import csv_text, read_frame
from campaignrl.tables.files.columns import days, numbers
from campaignrl.tables.files.csv_text import csv_columns, found_separator
from campaignrl.tables.log.customer_sketch import KEPT, _keys, sketch_of
from campaignrl.tables.log.decision_log import repeated
from campaignrl.tables.log.files import FORMAT, KEY, _facts, write_log
from campaignrl.tables.log.frames import frame_of, log_of
from campaignrl.tables.log.stream import open_log, pieces


def test_a_sign_within_a_letter_of_gb18030_separates_nothing(tmp_path):
    """The second byte of this letter is that of a bar."""
    letter = b"\x81\x7c".decode("gb18030")
    path = tmp_path / "list.csv"
    path.write_bytes(f"{letter * 3},b\n1,2\n".encode("gb18030"))
    assert found_separator(path, "gb18030") == ","
    assert csv_columns(path, "gb18030") == [letter * 3, "b"]


def test_words_that_others_read_as_gaps_are_words(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("id,name\nNA,null\nnan,\n#N/A,None\n")
    frame = read_frame(path, ["id", "name"], text=["id", "name"])
    assert frame["id"].tolist() == ["NA", "nan", "#N/A"]
    assert frame["name"].tolist() == ["null", "", "None"]


def test_a_number_at_its_bound_is_not_outside():
    feature = Feature(name="x", low=-1.0, high=2.0)
    values = np.array([-1.0, 2.0, np.nextafter(-1.0, -2.0), np.nextafter(2.0, 3.0), np.nan])
    assert _outside(values, feature).tolist() == [False, False, True, True, False]


def test_moments_of_any_fineness_have_a_day_and_no_rows_have_none():
    day = 86_400 * 10**9
    fine = pa.chunked_array([pa.array([day - 1, day, 1_500, None], pa.timestamp("ns"))])
    found = days(fine, "at", "t")
    assert found.values.tolist() == [0, 1, 0, 0]
    assert [problem.value for problem in found.problems] == [None]
    for kind in (pa.string(), pa.float64(), pa.bool_()):
        assert numbers(pa.chunked_array([pa.array([], kind)]), "n", "t").values.tolist() == []
    assert numbers(pa.chunked_array([pa.array(["True", "false", " "])]), "n", "t").values.tolist()[:2] == [1.0, 0.0]


def test_the_last_key_that_is_kept_is_known_and_of_those_beyond_nothing_is():
    log = make_log(400)
    sketch, keys = sketch_of(log), _keys(log)
    top = np.sort(keys)[KEPT - 1]
    assert (sketch.complete, len(sketch.least), sketch.least[-1]) == (False, KEPT, top)
    (last,), (beyond, *_) = np.flatnonzero(keys == top), np.flatnonzero(keys > top)
    assert sketch.share_of(log.take(np.array([last]))) == 1.0
    assert sketch.share_of(log.take(np.array([beyond]))) == 0.0
    assert sketch.share_of(log.take(np.array([last, beyond]))) == 1.0


def test_columns_of_a_log_s_file_say_which_may_have_gaps(tmp_path):
    log = make_log(6, eligible=True)
    write_log(log, tmp_path / "log.parquet")
    schema = pq.read_schema(tmp_path / "log.parquet")
    gaps = {field.name for field in schema if field.nullable}
    assert {"action", "propensity", "reward", "day", "eligible"} & set(schema.names)
    assert not gaps & {"action", "propensity", "reward", "day", "step", "eligible", "cost"}


# ---- a log and its file


def faults_of(**changes):
    with pytest.raises(DataError) as wrong:
        replace(make_log(6), **changes)
    return [(problem.field, problem.value) for problem in wrong.value.problems]


def test_what_is_wrong_with_the_rows_of_a_log_at_its_borders():
    p = make_log(6).propensity
    action = make_log(6).action
    for value in (4, -1):
        assert faults_of(action=np.r_[action[:5], value]) == [("action", value)]
    for value in (0.0, -0.5, np.nextafter(1.0, 2.0), np.nan):
        ((field, told),) = faults_of(propensity=np.r_[p[:5], value])
        assert field == "propensity"
        assert told == pytest.approx(value, nan_ok=True)
    assert faults_of(propensity=np.r_[p[:5], 0.9e-100]) == [("propensity", 0.9e-100)]
    assert make_log(6, propensity=np.r_[p[:4], 1e-100, 1.0]).propensity[4] == 1e-100
    for value in (np.inf, np.nan, 1.1e100, -1.1e100):
        ((field, told),) = faults_of(reward=np.r_[np.zeros(5), value])
        assert field == "reward"
        assert told == pytest.approx(value, nan_ok=True)
    assert make_log(6, reward=np.r_[np.zeros(4), 1e100, -1e100]).reward[4] == 1e100
    eligible = np.ones((6, 4), dtype=bool)
    eligible[3, action[3]] = False
    assert faults_of(eligible=eligible) == [("action", action[3])]
    assert faults_of(eligible=eligible, action=np.r_[action[:3], 9, action[4:]]) == [("action", 9)]
    assert faults_of(eligible=eligible[:, :3]) == [("eligible", (6, 3))]


def test_a_step_of_a_customer_that_comes_again_is_found_in_any_order():
    customer, step = np.array([0, 0, 1, 1, 2, 0, 2]), np.array([0, 1, 0, 0, 5, 1, 5])
    assert np.flatnonzero(repeated(customer, step)).tolist() == [3, 5, 6]
    assert not repeated(np.array([0, 0, 1]), np.array([0, 1, 0])).any()
    assert not repeated(np.array([1, 0, 0]), np.array([0, 1, 0])).any()


def test_the_head_of_a_file_is_plain_ordered_and_whole(tmp_path):
    path = tmp_path / "log.parquet"
    write_log(make_log(6, meta={"policy_id": "p", "b": "é", "a": 1}), path)
    metadata = pq.read_metadata(path).metadata
    assert b"ARROW:schema" not in metadata
    head = metadata[KEY]
    assert head.isascii()
    assert head.index(b'"a"') < head.index(b'"b"') < head.index(b'"policy_id"')
    with pytest.raises(ValueError, match="JSON"):
        write_log(make_log(6, meta={"policy_id": "p", "a": float("nan")}), path)
    twice = make_log(6, step=np.zeros(6, dtype=int))
    with pytest.raises(DataError, match="used once by each customer"):
        write_log(replace(twice, customer=np.array([0, 0, 1, 2, 3, 4])), path)


def test_a_head_of_another_version_is_named_and_a_damaged_one_is_not_taken_for_one(tmp_path):
    path = tmp_path / "log.parquet"
    write_log(make_log(6), path)
    head = json.loads(pq.read_metadata(path).metadata[KEY])

    def said(**changes):
        with pytest.raises(DataError) as wrong:
            _facts(json.dumps({**head, **changes}).encode(), path)
        return str(wrong.value)

    assert _facts(json.dumps(head).encode(), path)[1] == 6
    assert "Upgrade campaignrl" in said(format=FORMAT + 1)
    for damaged in ({"format": FORMAT - 1}, {"format": FORMAT + 0.5}, {"meta": []}, {"rows": "6"}):
        assert "is damaged" in said(**damaged)
    levels = [{**feature, "levels": [1, 2]} if feature.get("levels") else feature for feature in head["features"]]
    assert "is damaged" in said(features=levels)


def test_a_row_that_comes_again_is_found_whoevers_it_is():
    first, second, third = ([0, 1, 2, 1], [0, 0, 0, 0]), ([0, 1, 1], [0, 0, 0]), ([0, 0, 1], [0, 1, 0])
    found = [repeated(np.array(customer), np.array(step)).tolist() for customer, step in (first, second, third)]
    assert found == [[False, False, False, True], [False, False, True], [False] * 3]


def test_a_frame_of_one_row_says_whose_log_it_is():
    log = make_log(4)
    frame = frame_of(log).iloc[:1].assign(policy_id="one")
    assert log_of(frame, log.catalog, log.context.schema, None).meta["policy_id"] == "one"


def test_a_packed_file_is_held_against_the_most_it_may_hold_as_it_is_read(tmp_path, monkeypatch):
    """After each piece, of all of them."""
    path, sizes = tmp_path / "list.csv.gz", []
    path.write_bytes(gzip.compress(b"id\n" + b"1\n" * 10))
    monkeypatch.setattr(csv_text, "CHUNK", 8)
    monkeypatch.setattr(csv_text, "_refuse_bomb", lambda path, size: sizes.append(size))
    assert read_frame(path, ["id"])["id"].tolist() == [1] * 10
    assert {8, 16} < set(sizes)
    assert (min(sizes), max(sizes)) == (8, 23)


def test_a_piece_of_a_file_has_the_days_of_its_rows(tmp_path):
    log = make_log(6)
    told = [3, 4, 5, 3, 4, 9]
    write_log(replace(log, day=np.array(told)), tmp_path / "log.parquet")
    found = pieces(open_log(tmp_path / "log.parquet"), 0)
    assert [day for piece in found for day in piece.log.day] == told
