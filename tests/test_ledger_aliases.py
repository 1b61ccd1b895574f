"""Two customers who turn out to be one: counted, shown, read and erased as one, and no row of the ledger touched."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import ArtifactError
from campaignrl.ledger import Ledger, add, erase, ledger_log, standing
from campaignrl.ledger.aliases import joined, names_of
from campaignrl.ledger.owners import keep_aliases, known_as
from campaignrl.send.audit import audit_ledger
from campaignrl.send.history import history_of

START, EPOCH = datetime.date(2026, 1, 1), datetime.date(1970, 1, 1)
WORLD = crl.load_world("coupon_trap")
N = 60


def day(t):
    return START + datetime.timedelta(days=t)


def table(ids):
    frame = customers_frame(Panel(WORLD, N, 7)).iloc[: len(ids)].copy()
    frame["customer_id"] = ids
    return frame.drop(columns=[c for c in frame if c.startswith("contacts_")])


BEFORE = [f"device:d{i}" if i % 2 else f"m{i}" for i in range(N)]
AFTER = [f"m{i}" for i in range(0, N, 2)]
LINKS = {f"device:d{i}": f"m{i - 1}" for i in range(1, N, 2)}


@pytest.fixture
def shop(tmp_path):
    """A ledger with one day of decisions for members and devices, and the folder in which they have become one."""
    ledger = Ledger.create(tmp_path / "ledger", WORLD, start=START, customers=N)
    found = crl.decide("uniform", table(BEFORE), WORLD, day=START, ledger=ledger)
    folder = tmp_path / "profiles"
    folder.mkdir()
    write(folder, LINKS)
    table(AFTER).to_parquet(folder / "profiles.parquet", index=False)
    return ledger, found, folder


def write(folder, links):
    frame = pd.DataFrame(sorted(links.items()), columns=["alias", "customer_id"], dtype="str")
    frame.to_parquet(folder / "aliases.parquet", index=False)


def counts(ledger, ids, t=1):
    channels = list(WORLD.channels)
    return standing(ledger, (day(t) - EPOCH).days, np.array(ids, dtype=object), channels).contacts(None, 7)


def test_contacts_of_one_are_those_of_both(shop):
    ledger, found, folder = shop
    sent = dict(zip(BEFORE, found.action > 0, strict=True))
    both = [int(sent[m]) + int(sent[f"device:d{int(m[1:]) + 1}"]) for m in AFTER]
    assert max(both) == 2
    assert counts(ledger, AFTER).tolist() == [int(sent[m]) for m in AFTER]
    assert counts(known_as(ledger, folder / "profiles.parquet"), AFTER).tolist() == both
    assert counts(known_as(ledger, folder / "profiles.parquet"), BEFORE).tolist() == [int(sent[i]) for i in BEFORE]


def test_the_first_run_takes_them_over_and_leaves_the_rows_alone(shop):
    ledger, _, folder = shop
    before = ledger.read("decisions").sort_by("decision_id")
    file = folder / "profiles.parquet"
    crl.decide("uniform", file, WORLD, day=day(1), ledger=ledger.folder, dry_run=True)
    assert Ledger.open(ledger.folder).aliases == {}
    found = crl.decide("uniform", file, WORLD, day=day(1), ledger=ledger.folder)
    opened = Ledger.open(ledger.folder)
    assert opened.aliases == LINKS
    old = opened.read("decisions", day=(START - EPOCH).days).sort_by("decision_id")
    pd.testing.assert_frame_equal(old.to_pandas(), before.to_pandas())
    contacts = found.context.columns
    for name in (n for n in contacts if n.startswith("contacts_")):
        window = int(name.removeprefix("contacts_").removesuffix("d").split("_")[-1])
        channels = list(WORLD.channels)
        there = standing(opened, (day(1) - EPOCH).days, np.array(AFTER, dtype=object), channels, without=found.run)
        assert contacts[name].tolist() == there.contacts(None, window).tolist()
    assert audit_ledger(opened, WORLD) == (N + len(AFTER), [])


def test_a_no_of_either_is_a_no_of_the_one(shop):
    ledger, _, folder = shop
    said = pd.DataFrame(
        {"customer_id": ["device:d1"], "channel": ["email"], "allowed": [False], "day": [day(0).isoformat()]}
    )
    said.to_csv(folder / "no.csv", index=False)
    add(ledger, "permissions", folder / "no.csv", WORLD, today=day(0))
    channels = list(WORLD.channels)
    known = known_as(ledger, folder / "profiles.parquet")
    found = standing(known, (day(1) - EPOCH).days, np.array(AFTER, dtype=object), channels)
    assert found.consent[channels.index("email"), 0] == 0
    assert (found.consent[channels.index("email"), 1:] == -1).all()


def test_orders_of_the_member_are_outcomes_of_what_the_device_was_sent(shop):
    ledger, found, folder = shop
    keep_aliases(known_as(ledger, folder / "profiles.parquet"))
    rows = {
        "outcome_id": ["o1"],
        "customer_id": ["m0"],
        "kind": ["order"],
        "day": [day(2).isoformat()],
        "margin": [500],
    }
    pd.DataFrame(rows).to_csv(folder / "o.csv", index=False)
    ledger = Ledger.open(ledger.folder)
    add(ledger, "outcomes", folder / "o.csv", WORLD, today=day(3))
    log = ledger_log(ledger, WORLD, as_of=day(4))
    assert set(log.customers) == set(AFTER)
    assert len(log) == N
    mine = log.customer == list(log.customers).index("m0")
    minor = WORLD.money.minor_per_unit
    spent = sum(
        int(WORLD.catalog.cost_of[a]) for a, i in zip(found.action, BEFORE, strict=True) if i in ("m0", "device:d1")
    )
    assert log.reward[mine].tolist() == pytest.approx([500.0 - spent / minor] * 2)


def test_history_and_erasure_know_every_name(shop):
    ledger, _, folder = shop
    crl.decide("uniform", folder / "profiles.parquet", WORLD, day=day(1), ledger=ledger.folder)
    ledger = Ledger.open(ledger.folder)
    for name in ("m0", "device:d1"):
        assert len(history_of(ledger, name).decisions) == 3
    assert erase(ledger, "device:d1", today=day(2)).decisions == 3
    ledger = Ledger.open(ledger.folder)
    assert "device:d1" not in ledger.aliases
    assert len(ledger.aliases) == len(LINKS) - 1
    assert not {"m0", "device:d1"} & set(ledger.read("decisions")["customer_id"].to_pylist())
    again = known_as(ledger, folder / "profiles.parquet")  # the profile was not erased, and says it again
    keep_aliases(again)
    assert "device:d1" not in Ledger.open(ledger.folder).aliases
    found = standing(again, (day(3) - EPOCH).days, np.array(AFTER, dtype=object), list(WORLD.channels))
    assert found.suppressed.tolist() == [True] + [False] * (len(AFTER) - 1)


def test_whose_earlier_name_was_erased_is_suppressed_under_the_new_one(shop):
    ledger, _, folder = shop
    erase(ledger, "device:d1", today=day(0))
    known = known_as(ledger, folder / "profiles.parquet")
    found = standing(known, (day(1) - EPOCH).days, np.array(AFTER, dtype=object), list(WORLD.channels))
    assert found.suppressed[0]
    assert not found.suppressed[1:].any()


def test_a_damaged_file_of_aliases_is_told(shop):
    ledger, _, folder = shop
    pd.DataFrame({"alias": ["a", "a"], "customer_id": ["b", "c"]}).to_parquet(folder / "aliases.parquet")
    with pytest.raises(ArtifactError, match="there once"):
        known_as(ledger, folder / "profiles.parquet")


NAMES = st.sampled_from("abcdef")


@given(st.lists(st.dictionaries(NAMES, NAMES, max_size=5), max_size=4))
def test_every_name_leads_to_somebody_who_is_no_earlier_name(words):
    found = {}
    for said in words:
        found = joined(found, said)
        assert not set(found.values()) & set(found)
        assert joined(found, {}) == found
        assert joined(found, found) == found
    for name, now in found.items():
        assert set(names_of(found, name)) == set(names_of(found, now))


def test_a_chain_of_links_ends_at_its_end():
    assert joined({"d": "p"}, {"p": "m"}) == {"d": "m", "p": "m"}
    assert joined({"d": "m"}, {"m": "d"}) == {"m": "d"}
    assert names_of({"d": "m", "p": "m"}, "p") == ["p", "m", "d"]
    assert names_of({}, "x") == ["x"]
