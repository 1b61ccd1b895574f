"""Sends at their edges: customers of a later block who get nothing more today, parts of a list, prices left out."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_send_exact import N, table, uniform  # noqa: F401

import campaignrl as crl
from campaignrl.errors import UsageError
from campaignrl.guard.budget import Limits
from campaignrl.ledger import ADDRESS as ADDRESS_HASH
from campaignrl.send import audit as audit_module
from campaignrl.send import draw as draw_module
from campaignrl.send import limits as limits_module
from campaignrl.send import recount
from campaignrl.send.decide import decide
from campaignrl.send.draw import SENT_TODAY, draw
from campaignrl.send.facts import morning_of
from campaignrl.send.ledger_run import rows_of
from campaignrl.send.plans.prices import Prices
from campaignrl.send.recount import SentAfterAll, of_windows
from campaignrl.send.shards.arrays_file import read_arrow
from campaignrl.send.shards.steps import _write_sends


@pytest.mark.parametrize("rows", [16, 1 << 14])
def test_whoever_gets_nothing_more_today_is_told_so_in_any_block(small_world, table, rows, monkeypatch):  # noqa: F811
    monkeypatch.setattr(draw_module, "ROWS_AT_A_TIME", rows)
    closed = np.isin(np.arange(N), [0, 5, 16, 31, 39])
    found = draw(uniform(small_world), None, table, small_world, 20_000, 0, closed)
    assert [str(text).startswith(SENT_TODAY) for text in found.blocked] == closed.tolist()
    assert not found.eligible[closed, 1:].any()
    assert (found.action[closed] == 0).all()


def test_a_part_of_a_list_in_parquet_has_the_columns_of_the_list(tmp_path):
    sends = pd.DataFrame({"customer_id": ["a", "b"], "cost": [1, 2]}, index=[7, 3])
    job = SimpleNamespace(
        made={"sends": "parquet"}, folder=SimpleNamespace(file=lambda *words: tmp_path / "part"), quoted=False
    )
    found = SimpleNamespace(sends=lambda: sends)
    assert _write_sends(job, SimpleNamespace(index=0), found) is False
    assert read_arrow(tmp_path / "part").to_pydict() == {"customer_id": ["a", "b"], "cost": [1, 2]}
    job.made = {}
    (tmp_path / "part").unlink()
    assert _write_sends(job, SimpleNamespace(index=0), found) is False
    assert not (tmp_path / "part").exists()


def test_prices_that_say_nothing_of_exploring_explore_nothing():
    assert Prices.from_dict({"prices": {"money": 2}}, "here") == Prices({"money": 2.0}, 0.0)
    assert Prices.from_dict({"prices": {}, "explore": 0.25}, "here").explore == 0.25


def test_a_millionth_off_is_a_discount(small_world, monkeypatch):
    log = crl.simulate(small_world, "always:" + small_world.catalog.names[1], customers=6, seed=1)
    offer = int(small_world.catalog.offer_of[1])
    monkeypatch.setattr(recount, "rules_of", lambda world: SimpleNamespace(caps=(), offer_caps=()))
    for off, many in ((1, int((log.action == 1).sum())), (0, 0)):
        monkeypatch.setattr(recount, "discounts_of", lambda world, off=off: {offer: off})
        most = SimpleNamespace(at_most=0.0, per_days=7)
        world = SimpleNamespace(
            catalog=log.catalog, offers=small_world.offers, guard=SimpleNamespace(max_discount_depth=most)
        )
        ((said, rows),) = of_windows(log, world, SentAfterAll.none())
        assert (said, int(rows.sum())) == ("discounts: more than 0 in 7 days", many)
    assert (log.action == 1).any()


def test_what_stands_in_for_a_cut_is_left_out_one_by_one(monkeypatch):
    """Served: all limits; fits: all but money; room: neither money nor stock."""
    monkeypatch.setattr(limits_module, "cuts_of", lambda catalog, action, u, limits: limits)
    world = SimpleNamespace(catalog=None)
    bound = Limits(money=5.0, sends=np.array([3.0]), stock=None)
    for money, stock in ((5.0, "some"), (np.inf, "some"), (5.0, None)):
        limits = bound._replace(money=money, stock=stock)
        served, fits, room = limits_module.cuts_of_run(world, None, None, limits)
        assert served is limits
        assert (fits.money, fits.stock) == (np.inf, stock)
        assert (room.money, room.stock) == (np.inf, None)


def test_an_audit_of_decisions_of_other_rules_alone_has_looked_at_none(monkeypatch):
    rows = pd.DataFrame({"world_hash": ["x", "x"], "decision_id": ["a", "b"]})
    monkeypatch.setattr(audit_module, "decided", lambda *words: rows)
    assert audit_module._recomputed(None, {"y": None}, None) == (0, [])


@pytest.mark.parametrize(
    ("quiet", "zone", "slots", "at", "said"),
    [
        (True, "UTC", (), None, "left out"),
        (True, None, (), None, None),  # nobody knows when that is
        (False, "UTC", (), None, None),
        (True, "UTC", ("noon",), None, None),
        (True, "UTC", (), "09:30", None),
        (False, None, (), "09:30", "in a zone that shop has"),
    ],
)
def test_a_list_says_when_it_goes_out_where_hours_are_quiet(quiet, zone, slots, at, said):
    guard = SimpleNamespace(timezone=zone, quiet_hours="22 to 8" if quiet else None)
    world = SimpleNamespace(name="shop", guard=guard, catalog=SimpleNamespace(slots=slots))
    limits, day = Limits(money=np.inf, sends=np.array([np.inf])), datetime.date(1970, 1, 3)
    if said is not None:
        with pytest.raises(UsageError, match=said):
            morning_of(day, at, limits, world)
        return
    found = morning_of(day, at, limits, world)
    assert (found.day, found.send_at, found.sold_out) == (2, None if at is None else datetime.time(9, 30), None)
    some = morning_of(day, at, limits._replace(stock=np.array([0.0, 0.5, 1.0, 2.0])), world)
    assert some.sold_out.tolist() == [True, True, False, False]


def test_an_address_is_kept_of_sends_alone_and_nothing_of_the_erased(small_world, table):  # noqa: F811
    found = decide(uniform(small_world), table, small_world, day=datetime.date(2026, 11, 21))
    address = np.array(["" if i % 5 == 0 else f"h{i}" for i in range(N)], dtype=object)
    erased = np.arange(N) == 7
    begun = SimpleNamespace(address=address, standing=SimpleNamespace(erased=erased))
    rows = rows_of(found, "run", small_world, begun, "guard")
    wanted = [address[i] if found.action[i] != 0 and address[i] else None for i in range(N) if i != 7]
    assert rows[ADDRESS_HASH].to_pylist() == wanted
    assert {None} < set(wanted)
    assert rows["customer_id"].to_pylist() == [str(one) for one in found.ids[~erased]]
    begun.address = None
    assert ADDRESS_HASH not in rows_of(found, "run", small_world, begun, "guard").column_names
    assert len(rows_of(found, "run", small_world, None, "guard")) == N


@pytest.mark.parametrize("quoted", [True, False])
def test_a_part_of_a_list_in_text_has_no_header(tmp_path, quoted):
    sends = pd.DataFrame({"customer_id": ["a", "b"], "cost": [1, 2]})
    job = SimpleNamespace(
        made={"sends": "list.csv"}, folder=SimpleNamespace(file=lambda *words: tmp_path / "part"), quoted=quoted
    )
    assert _write_sends(job, SimpleNamespace(index=0), SimpleNamespace(sends=lambda: sends)) is False
    said = (tmp_path / "part").read_text().splitlines()
    assert said == (['"a",1', '"b",2'] if quoted else ["a,1", "b,2"])
