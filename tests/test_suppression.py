"""Suppression: the same id however it is spelled, lists that are none, cells that are no answer."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import DataError, UsageError
from campaignrl.tables.suppression import column_says, listed, same_spelling

DAY = datetime.date(2026, 11, 21)
SPELLINGS = ["{}", "{} ", "\t{}", "{}.0", "{}.00", "0{}", "000{}", "'{}", "+{}", "\u200b{}", "\ufeff{}", "{}\u00a0"]


@pytest.fixture(scope="module")
def world():
    return crl.load_world("coupon_trap", guard={"holdout": 0.0})


@pytest.fixture(scope="module")
def frame(world):
    """200 customers with all consents, called 1000 to 1199."""
    frame = customers_frame(Panel(world, 200, seed=3))
    consents = [name for name in frame.columns if name.startswith("consent_")]
    counts = [name for name in frame.columns if name.startswith("contacts_")]
    return frame.assign(
        customer_id=[str(1000 + i) for i in range(200)], **dict.fromkeys(consents, 1.0), **dict.fromkeys(counts, 0)
    )


def sent(frame, world, **more):
    return set(crl.decide("uniform", frame, world, day=DAY, **more).sends()["customer_id"])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_id_is_on_the_list_however_it_is_spelled_there(frame, world, spelling):
    ids = [str(1000 + i) for i in range(100)]
    found = sent(frame, world, suppressed=[spelling.format(i) for i in ids])
    assert found
    assert not found & set(ids)


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.float64(),
        pa.float32(),
        pa.decimal128(22, 2),
        pa.large_string(),
        pa.binary(),
        "gaps",
        "dictionary",
    ],
)
def test_a_list_of_any_column_type(frame, world, tmp_path, kind):
    numbers = pa.array(range(1000, 1100), pa.int64())
    if kind == "gaps":
        column = pa.array([*map(float, range(1000, 1100)), None], pa.float64())
    elif kind == "dictionary":
        column = numbers.cast(pa.string()).dictionary_encode()
    elif kind == pa.binary():
        column = pa.array([str(i).encode() for i in range(1000, 1100)], kind)
    else:
        column = numbers.cast(kind)
    path = tmp_path / "list.parquet"
    pa.parquet.write_table(pa.table({"customer_id": column}), path)
    assert not sent(frame, world, suppressed=path) & {str(i) for i in range(1000, 1100)}


@given(st.integers(0, 10**30), st.integers(0, 3))
def test_numbers_written_as_spreadsheets_do(number, zeros):
    plain = same_spelling([str(number)])[0]
    assert plain == str(number)
    assert same_spelling(["0" * zeros + str(number)])[0] == plain
    power = f"{number // 10**20}e+20"
    assert same_spelling([power])[0] == str(number // 10**20 * 10**20)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_an_id_is_always_on_a_list_of_itself(ids):
    array = np.array([*ids, "x", None], dtype=object)[:-1]
    assert listed(array, list(array), "table").all()


def test_a_list_of_which_few_are_known_stops_the_run(frame, world):
    strangers = [f"mail-{i}" for i in range(60)] + ["1000", "1001"]
    with pytest.raises(DataError, match="'2 of 62 ids' is not at least 50% of them among"):
        sent(frame, world, suppressed=strangers)
    table = crl.read_customers(frame, world, suppressed=strangers, least_known=0.0)
    assert not sent(table, world) & {"1000", "1001"}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_least_known_share_is_a_share(frame, world, share):
    with pytest.raises(UsageError, match="from 0 to 1"):
        crl.read_customers(frame, world, suppressed=["1000"], least_known=share)


def test_an_empty_list_stops_the_run(frame, world):
    with pytest.raises(DataError, match="no rows"):
        sent(frame, world, suppressed=[])


@pytest.mark.parametrize("cell", ["", "NA", "unknown", "2", "yes", "TRUE", "1", "是", None])
def test_only_a_clear_no_is_not_suppressed(frame, world, cell):
    marked = frame.assign(suppressed=[cell] * 100 + ["0", "false", "No", " FALSE ", "否"] * 20)
    found = sent(marked, world)
    assert found
    assert found <= {str(i) for i in range(1100, 1200)}


def test_cells_that_are_no_answer_are_counted(frame, world):
    table = crl.read_customers(frame.assign(suppressed=["maybe"] * 3 + ["1", "0"] * 98 + [""]), world)
    assert table.notes["suppressed: neither yes nor no, taken as suppressed"] == 4
    suppressed, unclear = column_says(pa.chunked_array([pa.array([True, False, None])]))
    assert (suppressed.tolist(), unclear.tolist()) == ([True, False, True], [False, False, True])


@pytest.mark.parametrize("name", ["Suppressed", "SUPPRESSED", " suppressed"])
def test_a_column_called_almost_so_is_never_passed_over(frame, world, name):
    with pytest.raises(DataError, match="is not spelled 'suppressed'"):
        sent(frame.assign(**{name: "1"}), world)


def test_ids_that_have_lost_their_last_digits_are_refused(frame, world):
    with pytest.raises(DataError, match="Export ids as text"):
        sent(frame.assign(customer_id=[1e17 + i * 1e4 for i in range(200)]), world)
    with pytest.raises(DataError, match="Export ids as text"):
        sent(frame.assign(customer_id=np.arange(2**24, 2**24 + 400, 2, dtype=np.float32)), world)
    kept = frame.assign(customer_id=[float(2**53 - 1 - i) for i in range(200)])
    assert str(2**53 - 1) in set(crl.read_customers(kept, world).ids)


def test_a_list_read_back_from_the_send_list_suppresses_all_of_it(frame, world, tmp_path):
    odd = frame.assign(customer_id=["=1+1", "-5", "007", "1e5", "é", "e\u0301x", *(f"c{i}" for i in range(194))])
    decided = crl.decide("uniform", odd, world, day=DAY)
    decided.write_sends(tmp_path / "sends.csv")
    first = set(decided.sends()["customer_id"])
    assert first & {"=1+1", "-5", "007", "1e5", "é", "e\u0301x"}
    assert not sent(odd, world, suppressed=tmp_path / "sends.csv") & first
