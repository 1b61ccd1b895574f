"""The customers table: what a marketer's system exports is what the panel knew, and doubt never means yes."""

import numpy as np
import pandas as pd
import pytest

from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.errors import DataError
from campaignrl.features import UNKNOWN
from campaignrl.guard.rules import allowed, cap_windows, rules_of
from campaignrl.send import facts_of
from campaignrl.specs.world import World
from campaignrl.tables.customers import FULL, contact_column, read_customers
from campaignrl.tables.files.whole_files import write_frame
from campaignrl.tables.rule_columns import RuleColumn
from campaignrl.toml import check


def read(source, world, **how):
    return read_customers(source, world.features, list(world.channels), cap_windows(world), **how)


def panel_on_day(world, day, n=120, seed=1):
    """A panel some days into an eager campaign."""
    panel, chance = Panel(world, n, seed), np.random.default_rng(0)
    for _ in range(day):
        scores = np.where(panel.allowed(panel.observe()), chance.random((n, len(world.catalog))), -1)
        panel.step(scores.argmax(axis=1))
    return panel


@pytest.fixture
def frame(small_world):
    return customers_frame(panel_on_day(small_world, 4, n=12))


# ---- the round trip


@pytest.mark.parametrize("form", ["frame", "parquet", "csv", "csv.gz"])
@pytest.mark.parametrize("day", [0, 5])
def test_an_exported_panel_is_read_back_as_it_was(small_world, tmp_path, form, day):
    panel = panel_on_day(small_world, day)
    source = customers_frame(panel)
    if form != "frame":
        write_frame(source, tmp_path / f"customers.{form}")
        source = tmp_path / f"customers.{form}"
    table, seen = read(source, small_world), panel.observe()
    assert table.notes.keys() <= {"segment: level not known to the policy, taken as missing"}
    assert table.ids.tolist() == [str(i) for i in panel.ids]
    assert np.array_equal(table.context.encode(), seen.encode())
    for name, values in seen.columns.items():
        assert np.array_equal(table.context.columns[name].astype(values.dtype), values), name
    assert np.array_equal(table.consent, panel.state.consent)
    facts = facts_of(table, panel.traits.held_out, small_world)
    assert np.array_equal(allowed(rules_of(small_world), facts), panel.allowed(seen))


def test_contact_counts_are_those_of_the_caps(small_world):
    assert contact_column(("sms", 4)) == "contacts_sms_4d"
    assert contact_column((None, 5)) == "contacts_5d"
    frame = customers_frame(panel_on_day(small_world, 4))
    assert {"contacts_sms_4d", "contacts_5d"} < set(frame.columns)
    assert frame["contacts_sms_4d"].max() == 1
    assert (frame["contacts_5d"] >= frame["contacts_sms_4d"]).all()


def test_a_campaign_that_has_not_begun_needs_no_days_to_go(small_world, frame):
    table = read(frame.drop(columns="days_to_go"), small_world)
    assert (table.context.columns["days_to_go"] == small_world.horizon).all()


def test_further_columns_and_another_order_do_no_harm(small_world, frame):
    shuffled = frame.assign(loyalty_card="x")[["loyalty_card", *frame.columns[::-1]]]
    assert np.array_equal(read(shuffled, small_world).context.encode(), read(frame, small_world).context.encode())


def test_no_customers_are_a_table_of_nobody(small_world, frame, tmp_path):
    write_frame(frame.iloc[:0], tmp_path / "nobody.csv")
    for source in (frame.iloc[:0], tmp_path / "nobody.csv"):
        table = read(source, small_world)
        assert len(table) == 0
        assert table.consent.shape == (2, 0)


# ---- doubt


@pytest.mark.parametrize("doubt", [np.nan, 0.0, 0.5, 2.0, -1.0])
def test_consent_is_a_clear_yes_or_it_is_none(small_world, frame, doubt):
    table = read(frame.assign(consent_sms=doubt), small_world)
    assert not table.consent[1].any()
    assert table.consent[0].any()


def test_consent_in_words_is_refused_not_guessed(small_world, frame):
    with pytest.raises(DataError, match="consent_sms"):
        read(frame.assign(consent_sms="maybe"), small_world)


@pytest.mark.parametrize("most", [1, 3, 1_000])
def test_an_unknown_contact_count_is_a_full_one(frame, most, tables):
    tables["guard"]["caps"] = [{"per_days": 5, "at_most": most}]
    world = check(World, tables, "test")
    table = read(frame.assign(contacts_5d=[np.nan, *([0] * 11)]), world)
    assert table.contacts[None, 5].tolist() == [FULL] + [0] * 11
    mask = allowed(rules_of(world), facts_of(table, np.zeros(12, bool), world))
    assert mask[0].tolist() == [True] + [False] * 5
    assert mask[1:, 1:].any()


def test_an_unheard_level_is_counted_and_taken_as_missing(small_world, frame):
    frame["segment"] = ["Loyal", "whale", "", None, *["loyal"] * 8]
    table = read(frame, small_world)
    assert table.context.columns["segment"].tolist() == [UNKNOWN] * 4 + [0] * 8
    assert table.notes["segment: level not known to the policy, taken as missing"] == 2


def test_missing_and_outlying_numbers_are_counted(small_world, frame):
    frame["orders"] = [np.nan, -3.0, 9999.0, *[1.0] * 9]
    table = read(frame, small_world)
    assert table.notes["orders: missing"] == 1
    assert table.notes["orders: outside 0 to 500, clipped"] == 2
    encoded = table.context.encode()[:, small_world.features.encoded.index("orders")]
    assert encoded[:3].tolist() == [0.0, 0.0, 1.0]


# ---- who is never contacted


def test_suppressed_customers_by_list_by_column_or_both(small_world, frame):
    assert read(frame, small_world).suppressed is None
    by_list = read(frame, small_world, suppressed=frozenset({"3", "nobody", "007"})).suppressed
    assert by_list.tolist() == [i in (3, 7) for i in range(12)]  # 007 may be their 7
    marked = frame.assign(suppressed=["true", "1", "", "False", "0", None, "perhaps", *["0"] * 5])
    said = [True, True, True, False, False, True, True] + [False] * 5
    assert read(marked, small_world).suppressed.tolist() == said
    both = read(marked, small_world, suppressed=frozenset({"3"})).suppressed
    assert both.tolist() == [i == 3 or said[i] for i in range(12)]


def test_a_long_suppression_list_is_looked_up_not_walked_through(small_world, frame):
    # Walking through 300,000 ids for every customer would take minutes.
    many = pd.concat([frame.assign(customer_id=[f"c{b}-{i}" for i in range(12)]) for b in range(1000)])
    listed = frozenset(f"x{i}" for i in range(300_000)) | {"c5-5"}
    assert read(many, small_world, suppressed=listed, least_known=0.0).suppressed.sum() == 1


# ---- ids


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_ids_survive_to_the_letter(small_world, frame, tmp_path, form):
    ids = ["007", "1e5", str(2**63 + 1), "🙂", "a" * 10_000, "顾客 7", '"quoted",x', "1.0", "NA", "nan", "-", "+49 30"]
    write_frame(frame.assign(customer_id=ids), tmp_path / f"c.{form}")
    read_ids = read(tmp_path / f"c.{form}", small_world).ids.tolist()
    # A cell that a spreadsheet would run comes with a quote before it in CSV.
    assert [i.removeprefix("'") for i in read_ids] == ids
    assert read_ids[:10] == ids[:10]


def test_whole_numbers_are_ids_without_a_decimal_point(small_world, frame):
    for kind in ("int64", "float64", "Int64", "str"):
        assert (
            read(frame.assign(customer_id=frame["customer_id"].astype("int64").astype(kind)), small_world).ids[3] == "3"
        )


# ---- what is refused


def test_duplicate_and_empty_ids_are_refused_with_their_rows(small_world, frame):
    frame["customer_id"] = ["a", "b", "a", "", *[f"x{i}" for i in range(7)], "b"]
    with pytest.raises(DataError) as wrong:
        read(frame, small_world)
    text = str(wrong.value)
    assert "rows 2, 11" in text
    assert "'a' is not unique" in text
    assert "row 3" in text


def test_missing_columns_are_all_named_with_the_nearest(small_world, frame):
    broken = frame.rename(columns={"orders": "Orders ", "consent_sms": "consent_SMS"}).drop(columns="contacts_sms_4d")
    with pytest.raises(DataError) as wrong:
        read(broken, small_world)
    assert {p.value for p in wrong.value.problems} == {"orders", "consent_sms", "contacts_sms_4d"}
    assert "Did you mean 'Orders '?" in str(wrong.value)
    assert "Did you mean 'consent_SMS'?" in str(wrong.value)


def test_all_bad_values_are_reported_at_once(small_world, frame):
    frame["orders"] = ["1", "two", *["3"] * 10]
    frame["basket_mean"] = [np.inf, *[1.0] * 11]
    frame["contacts_5d"] = [-1.0, 1.5, *[0.0] * 10]
    with pytest.raises(DataError) as wrong:
        read(frame, small_world)
    found = {(p.field, p.value) for p in wrong.value.problems}
    assert {("orders", "two"), ("basket_mean", np.inf), ("contacts_5d", -1.0)} <= found
    assert "rows 0, 1" in str(wrong.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f.assign(customer_id=pd.Series([7, "007", *range(10)], dtype=object)),
        lambda f: f.assign(orders=pd.Series([1, "x", *range(10)], dtype=object)),
        lambda f: pd.concat([f, f[["orders"]]], axis=1),
        lambda f: f.assign(customer_id=pd.Series(["\ud800", *map(str, range(11))], dtype=object)),
    ],
    ids=["mixed ids", "mixed numbers", "a column twice", "half a character"],
)
def test_frames_that_no_file_could_hold_are_refused_in_words(small_world, frame, spoil):
    with pytest.raises(DataError, match="customers"):
        read(spoil(frame), small_world)


def test_take_keeps_everything_of_a_customer_together(small_world, frame):
    table = read(frame.assign(suppressed=[True, False] * 6), small_world)
    rows = np.array([5, 1])
    part = table.take(rows)
    assert part.ids.tolist() == ["5", "1"]
    assert np.array_equal(part.consent, table.consent[:, rows])
    assert np.array_equal(part.contacts[None, 5], table.contacts[None, 5][rows])
    assert np.array_equal(part.suppressed, table.suppressed[rows])
    assert np.array_equal(part.context.encode(), table.context.encode()[rows])


def test_what_is_wrong_in_columns_of_rules_is_named_beside_all_else(small_world, frame):
    rules = (RuleColumn("refunds", "count", "yes", ""), RuleColumn("as_of", "day", "no", ""))
    bad = frame.assign(refunds=[-1.0, *[0.0] * 11], as_of=["soon", *["2026-11-21"] * 11])
    bad["orders"] = ["two", *["3"] * 11]
    with pytest.raises(DataError) as wrong:
        read(bad, small_world, rules=rules)
    assert [(p.field, p.value) for p in wrong.value.problems] == [
        ("orders", "two"),
        ("refunds", -1.0),
        ("as_of", "soon"),
    ]
    found = read(frame.assign(refunds=[None, *[2.0] * 11]), small_world, rules=rules)
    assert found.known["refunds"].values.tolist() == [FULL, *[2] * 11]
