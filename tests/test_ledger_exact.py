"""The ledger to the last cent and day: files that come in, windows of rewards, permissions, sends that count."""

import datetime
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.errors import ArtifactError, DataError, UsageError
from campaignrl.ledger import Ledger, add, ledger_log, standing
from campaignrl.ledger.delta_tables import _short, create_table, open_table
from campaignrl.ledger.folder import EPOCH, _put
from campaignrl.ledger.incoming import COLUMNS, _days, _outcomes, _permissions, with_customers
from campaignrl.ledger.log_view import _windowed, eligible_masks
from campaignrl.ledger.schemas import NO_STATISTICS, schema_of
from campaignrl.ledger.standing import Standing, not_sent
from campaignrl.tables.files import read_table

START = datetime.date(2026, 1, 1)


def day(t):
    return START + datetime.timedelta(days=t)


def put(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def world():
    return crl.load_world("tight_budget")


@pytest.fixture
def ledger(world, tmp_path):
    return Ledger.create(tmp_path / "ledger", world, start=START, customers=1000)


def people(world, n=40):
    from campaignrl.envs import Panel, customers_frame

    frame = customers_frame(Panel(world, n, 7))
    frame["customer_id"] = [f"c-{i}" for i in range(n)]
    return frame.drop(columns=[c for c in frame if c.startswith("contacts_")])


# ---- the folder


def test_a_ledger_says_what_it_was_begun_with(ledger, world):
    facts = json.loads((ledger.folder / "ledger.json").read_bytes())
    assert {name: facts[name] for name in ("format", "world", "start", "customers")} == {
        "format": 2,
        "world": "tight_budget",
        "start": "2026-01-01",
        "customers": 1000,
    }
    assert len(facts["salt"]) == 32
    assert (ledger.start, ledger.customers, ledger.world) == (START, 1000, "tight_budget")
    assert len(ledger.rules) == 1
    assert ledger.accept(world).rules == ledger.rules  # the same rules once
    assert datetime.date(1970, 1, 1) == EPOCH
    with pytest.raises(UsageError, match="a new or empty folder"):
        Ledger.create(ledger.folder, world, start=START, customers=1)
    assert Ledger.create(ledger.folder / "one", world, start=START, customers=1).customers == 1
    with pytest.raises(UsageError, match="at least 1"):
        Ledger.create(ledger.folder / "in", world, start=START, customers=0)
    for change, said in (({"format": 1}, "format = 1"), ({"customers": "many"}, "the facts it held")):
        (ledger.folder / "ledger.json").write_text(json.dumps({**facts, **change}))
        with pytest.raises(ArtifactError, match=said):
            Ledger.open(ledger.folder)
    for text in ("[]", "{"):
        (ledger.folder / "ledger.json").write_text(text)
        with pytest.raises(ArtifactError, match="unreadable"):
            Ledger.open(ledger.folder)


def test_what_a_library_says_is_cut_to_its_first_line():
    assert _short(ValueError("a" * 130 + "\nb")) == "a" * 120
    assert _short(ValueError("short\nlong")) == "short"
    assert _short(ValueError()) == "ValueError"


# ---- files that come in


def outcomes(folder, world, **columns):
    usual = {"outcome_id": ["a"], "customer_id": ["x"], "kind": ["order"], "day": ["2026-01-02"], "margin": [1.5]}
    table = read_table(put(folder / "o.csv", **{**usual, **columns}))
    return _outcomes(table, "o.csv", world)


@pytest.mark.parametrize(
    ("kind", "margin", "minor"),
    [
        ("order", 1.5, 150),
        ("order", -2.25, -225),
        ("order", 0.005, 0),
        ("order", 0.015, 2),
        ("refund", 4.0, -400),
        ("refund", 0.0, 0),
        ("ORDER", 1e9, 10**11),
        ("order", -1e9, -(10**11)),
        ("click", "", 0),
        ("unsubscribe", 7.0, 0),
    ],
)
def test_money_of_an_outcome_in_minor_units(tmp_path, world, kind, margin, minor):
    (found,) = outcomes(tmp_path, world, kind=[kind], margin=[margin]).to_dict("records")
    assert found["margin"] == minor
    assert (found["month"], found["day"], found["kind"]) == ("2026-01", (day(1) - EPOCH).days, kind.lower())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"margin": [1.0001e9]}, "margin"),
        ({"margin": [-1.0001e9]}, "margin"),
        ({"kind": ["refund"], "margin": [-0.01]}, "margin"),
        ({"margin": [""]}, "margin"),
        ({"kind": ["sale"]}, "kind"),
        ({"outcome_id": [""]}, "outcome_id"),
        ({"customer_id": [""]}, "customer_id"),
        ({"channel": ["post"]}, "channel"),
        ({"day": ["02.01.2026"]}, "day"),
        ({"day": [""]}, "day"),
    ],
)
def test_an_outcome_that_cannot_be_is_named(tmp_path, world, change, field):
    with pytest.raises(DataError) as wrong:
        outcomes(tmp_path, world, **change)
    assert [(p.where, p.field) for p in wrong.value.problems] == [("o.csv row 0", field)]


def test_orders_need_a_margin_and_clicks_none(tmp_path, world):
    table = {"outcome_id": ["a", "b"], "customer_id": ["x", "y"], "day": ["2026-01-02"] * 2}
    clicks = read_table(put(tmp_path / "c.csv", kind=["click", "open"], **table))
    assert _outcomes(clicks, "c.csv", world)["margin"].tolist() == [0, 0]
    for kinds in (["order", "click"], ["click", "refund"]):  # one is enough
        with pytest.raises(DataError, match="Orders and refunds need theirs"):
            _outcomes(read_table(put(tmp_path / "c.csv", kind=kinds, **table)), "c.csv", world)
    named = read_table(put(tmp_path / "d.csv", outcome_id=["a"], decision_id=["d"], kind=["click"], day=["2026-01-02"]))
    assert _outcomes(named, "d.csv", world)["customer_id"].tolist() == [""]


def test_days_are_counted_from_1970_and_times_of_day_are_cut(tmp_path):
    table = read_table(put(tmp_path / "d.csv", day=["1970-01-03", "2026-01-02T23:59:59", "never", "1969-12-31"]))
    days, problems = _days(table, "day", "d.csv")
    assert days.tolist() == [2, (day(1) - EPOCH).days, 0, -1]
    assert [p.where for p in problems] == ["d.csv row 2"]


def test_words_of_permission(tmp_path, world):
    said = ["yes", "NO", "1", "0", "true"]
    columns = {"customer_id": list("abcde"), "channel": ["sms", "*", "sms", "call", "*"], "day": ["2026-01-02"] * 5}
    found = _permissions(read_table(put(tmp_path / "p.csv", allowed=said, **columns)), "p.csv", world)
    assert found["allowed"].tolist() == [True, False, True, False, True]
    for change, field in (({"allowed": ["maybe", *said[1:]]}, "allowed"), ({"channel": ["post", *"****"]}, "channel")):
        table = read_table(put(tmp_path / "p.csv", **{"allowed": said, **columns, **change}))
        with pytest.raises(DataError) as wrong:
            _permissions(table, "p.csv", world)
        assert [p.field for p in wrong.value.problems] == [field]


def test_columns_that_each_table_needs(tmp_path, ledger, world):
    assert {name: len(needed) for name, needed in COLUMNS.items()} == {"handovers": 3, "outcomes": 4, "permissions": 4}
    with pytest.raises(UsageError, match="Did you mean 'outcomes'"):
        add(ledger, "outcome", "x.csv", world, today=day(1))
    for what, needed in (("handovers", COLUMNS["handovers"]), ("permissions", COLUMNS["permissions"])):
        path = put(tmp_path / "n.csv", other=["x"])
        with pytest.raises(DataError) as wrong:
            add(ledger, what, path, world, today=day(1))
        assert [p.value for p in wrong.value.problems] == list(needed)
    with pytest.raises(DataError) as wrong:
        add(ledger, "outcomes", put(tmp_path / "n.csv", other=["x"]), world, today=day(1))
    assert [p.value for p in wrong.value.problems] == ["outcome_id", "kind", "day"]


def test_what_comes_twice_is_counted_once(tmp_path, ledger, world):
    columns = {"customer_id": ["x", "x", "y"], "channel": ["sms"] * 3, "allowed": ["no"] * 3, "day": [day(1)] * 3}
    path = put(tmp_path / "p.csv", **columns)
    assert add(ledger, "permissions", path, world, today=day(2))[:4] == (3, 2, 1, 0)
    assert add(ledger, "permissions", path, world, today=day(3))[:4] == (3, 0, 3, 0)
    rows = ledger.read("permissions").to_pandas()
    assert sorted(rows["customer_id"]) == ["x", "y"]
    assert set(rows["arrived"]) == {(day(2) - EPOCH).days}
    hand = put(tmp_path / "h.csv", decision_id=["d", "d", "e"], status=["sent", "SENT", "refused"], day=[day(1)] * 3)
    assert add(ledger, "handovers", hand, world, today=day(2))[:4] == (3, 2, 1, 2)
    with pytest.raises(DataError, match="one of"):
        add(
            ledger,
            "handovers",
            put(tmp_path / "h.csv", decision_id=["d"], status=["lost"], day=[day(1)]),
            world,
            today=day(2),
        )


def test_an_outcome_of_a_decision_is_of_its_customer(tmp_path, ledger, world):
    first = crl.decide("always:news@sms", people(world), world, day=day(0), ledger=ledger)
    sent = np.flatnonzero(first.action != NONE)
    rows = ledger.read("decisions").to_pandas()
    owner = dict(zip(rows["decision_id"], rows["customer_id"], strict=True))
    decision = next(d for d, c in owner.items() if c == first.ids[sent[0]])
    frame = pd.DataFrame({"customer_id": ["x", "", ""], "decision_id": ["", decision, "nobody"]})
    assert with_customers(ledger, frame)["customer_id"].tolist() == ["x", owner[decision], ""]
    told = frame.iloc[:1]
    assert with_customers(ledger, told) is told
    path = put(tmp_path / "o.csv", outcome_id=["u"], decision_id=[decision], kind=["unsubscribe"], day=[day(1)])
    assert add(ledger, "outcomes", path, world, today=day(2))[:4] == (1, 1, 0, 0)
    said = ledger.read("permissions").to_pandas()
    assert said[["customer_id", "channel", "allowed"]].to_numpy().tolist() == [[owner[decision], "*", False]]
    hand = put(tmp_path / "h.csv", decision_id=[decision], status=["refused"], day=[day(1)])
    add(ledger, "handovers", hand, world, today=day(1))
    assert not_sent(ledger) == {decision}
    add(
        ledger,
        "handovers",
        put(tmp_path / "h.csv", decision_id=[decision], status=["sent"], day=[day(1)]),
        world,
        today=day(1),
    )
    assert not_sent(ledger) == set()  # that it was sent in the end counts
    (run,) = ledger.runs()
    assert (run["day"], run["policy"], run["decisions"], run["sends"]) == (
        "2026-01-01",
        "always:news@sms",
        40,
        len(sent),
    )
    assert run["cost_minor"] == 8 * len(sent)
    assert ledger.counts()["decisions"] == 40


def test_a_run_is_told_apart_by_who_is_suppressed(tmp_path, world):
    found = set()
    for number, marked in enumerate((None, [0] * 40, [1] + [0] * 39, [0, 1] + [0] * 38)):
        ledger = Ledger.create(tmp_path / str(number), world, start=START, customers=40)
        frame = people(world) if marked is None else people(world).assign(suppressed=marked)
        crl.decide("uniform", frame, world, day=day(0), ledger=ledger)
        found.add(ledger.runs()[0]["run"])
    assert len(found) == 4


# ---- what is read from it


def test_rewards_of_a_window_by_loops():
    chance = np.random.default_rng(0)
    customers = np.array(["a", "b", "c"], dtype=object)
    daily = pd.DataFrame(
        {"customer_id": [*"aabbcd"], "day": [3, 5, 3, 9, 4, 4], "currency": chance.normal(size=6)}
    ).sample(frac=1.0, random_state=0)
    customer, days = np.array([0, 0, 1, 2, 2, 1]), np.array([3, 4, 3, 1, 5, 9])
    for window in (1, 2, 3, 7):
        wanted = [
            sum(
                row.currency
                for row in daily.itertuples()
                if row.customer_id == customers[c] and d <= row.day < d + window
            )
            for c, d in zip(customer, days, strict=True)
        ]
        assert _windowed(daily, customers, customer, days, window) == pytest.approx(wanted, abs=1e-12)


def test_lists_of_ids_as_masks():
    assert eligible_masks(pd.Series([[0, 2], [], [1]]), 3, 3).tolist() == [
        [True, False, True],
        [False] * 3,
        [False, True, False],
    ]
    assert eligible_masks(pd.Series([], dtype=object), 3, 0).shape == (0, 3)


def test_contacts_of_a_window_end_today():
    sends = {"_customer": np.array([0, 0, 1, 0]), "_when": np.array([10, 8, 10, 11])}
    stand = Standing(
        day=10,
        spent=0,
        sends_today=np.zeros(1, int),
        consent=np.zeros((1, 2), np.int8),
        suppressed=np.zeros(2, bool),
        erased=np.zeros(2, bool),
        last_day=None,
        _decision=np.array(["p", "q", "r", "s"], dtype=object),
        _channel=np.array(["sms", "sms", "email", "sms"], dtype=object),
        _offer=np.array(["a", "b", "a", "a"], dtype=object),
        _sends_of={"a": 5},
        **sends,
    )
    assert stand.contacts(None, 1).tolist() == [1, 1]
    assert stand.contacts(None, 2).tolist() == [1, 1]
    assert stand.contacts(None, 3).tolist() == [2, 1]
    assert stand.contacts("sms", 3).tolist() == [2, 0]
    assert stand.decided_today.tolist() == [True, True]
    assert replace(stand, day=9).decided_today.tolist() == [False, False]
    assert stand.offer_contacts("a", 3).tolist() == [1, 1]
    assert stand.offer_contacts("b", 2).tolist() == [0, 0]
    assert stand.offer_contacts("b", 3).tolist() == [1, 0]
    assert stand.sends_of(["b", "a"]).tolist() == [0, 5]


def test_what_stands_on_a_morning(ledger, world, tmp_path):
    frame, names = people(world), list(world.channels)
    ids = frame["customer_id"].to_numpy(dtype=object)
    before = standing(ledger, (day(0) - EPOCH).days, ids, names)
    assert (before.spent, before.sends_today.tolist(), before.last_day) == (0, [0] * len(names), None)
    first = crl.decide("always:news@sms", frame, world, day=day(0), ledger=ledger)
    sends = int((first.action != NONE).sum())
    for t, today in ((0, sends), (1, 0)):
        now = standing(ledger, (day(t) - EPOCH).days, ids, names)
        assert now.sends_today[names.index("sms")] == today
        assert now.sends_today.sum() == today
        assert (now.spent, now.last_day) == (8 * sends, (day(0) - EPOCH).days)
        assert now.contacts("sms", 7).tolist() == (first.action != NONE).astype(int).tolist()
        assert (now.consent == -1).all()
    log = ledger_log(ledger, world, as_of=day(1))
    assert len(log) == 40
    assert (log.step == 0).all()
    assert set(log.day.tolist()) == {(day(0) - EPOCH).days}
    assert not log.matured.any()
    assert log.cost.sum() == 8 * sends
    assert log.meta["policy_id"] == "always:news@sms"
    assert log.context.schema.names == world.features.names


def test_a_morning_knows_the_days_before_it_alone(ledger, world, tmp_path):
    """Neither decisions nor outcomes of the day itself, which is not over."""
    frame = people(world)
    for t in (0, 2):
        first = crl.decide("always:news@sms", frame, world, day=day(t), ledger=ledger)
    who = first.ids[0]
    came = {"outcome_id": ["a", "b"], "customer_id": [who] * 2, "kind": ["order"] * 2, "margin": [1.0, 16.0]}
    add(ledger, "outcomes", put(tmp_path / "o.csv", day=[day(1), day(2)], **came), world, today=day(5))
    for t, rows, earned in ((1, 40, 0.0), (2, 40, 1.0), (3, 80, 17.0)):
        log = ledger_log(ledger, world, as_of=day(t))
        assert len(log) == rows
        of = (log.customers[log.customer] == who) & (log.day == (day(0) - EPOCH).days)
        sent = (
            -0.08
            * (
                ledger.read("decisions").to_pandas().query(f"customer_id == '{who}' and action > 0")["day"]
                < (day(t) - EPOCH).days
            ).sum()
        )
        assert log.reward[of].tolist() == [pytest.approx(earned + sent)]


def test_a_decision_is_known_when_its_days_are_over_and_somebody_told_of_them(ledger, world, tmp_path):
    """By the day on which something was told last, and by the morning on which the log is read, whichever is first."""
    window, who = world.outcome_days, crl.decide("always:news@sms", people(world), world, day=day(0), ledger=ledger).ids
    for k, arrives in enumerate((window - 1, window + 5)):
        came = {"outcome_id": [f"o{k}"], "customer_id": [who[0]], "kind": ["order"], "margin": [1.0]}
        add(ledger, "outcomes", put(tmp_path / f"{k}.csv", day=[day(1)], **came), world, today=day(arrives))
    for t, known in ((window - 1, False), (window, True), (window + 6, True)):
        assert ledger_log(ledger, world, as_of=day(t)).matured.tolist() == [known] * 40


def test_a_lock_says_who_holds_it_and_nothing_of_who_did(ledger):
    import os

    (ledger.folder / ".lock").write_text("process 123456789 since the beginning of all that was ever written here")
    with ledger.lock():
        said = (ledger.folder / ".lock").read_text()
    assert said.startswith(f"process {os.getpid()} since 20")
    assert len(said) == len(f"process {os.getpid()} since 2026-01-01 00:00:00")


def test_figures_that_every_ledger_rests_on():
    from campaignrl.ledger import folder, incoming, log_view

    assert (folder.FORMAT, incoming.LARGEST, log_view.NEVER, folder.LedgerMoved.exit_code) == (2, 1e9, -(2**31), 1)


# ---- tables that are held open


def test_a_table_is_opened_once_a_version_and_again_when_its_log_is_another(ledger, tmp_path):
    place = ledger.folder / "outcomes"
    first = open_table(place)
    assert open_table(place) is first
    assert open_table(ledger.folder / ".." / ledger.folder.name / "outcomes").version() == first.version()
    other = tmp_path / "copy"
    shutil.copytree(place, other)
    assert open_table(other) is not first
    log = place / "_delta_log" / "00000000000000000000.json"
    log.write_text(log.read_text()[:-40])
    with pytest.raises(ArtifactError, match="a whole table"):
        open_table(place)


@pytest.mark.parametrize("name", ["decisions", "outcomes"])
def test_statistics_are_kept_of_plain_columns_alone(tmp_path, world, name):
    """A column of lists has no least and no largest value, and a name with a dot none that a reader finds."""
    from deltalake import DeltaTable

    create_table(tmp_path / name, name, world.features)
    table = DeltaTable(str(tmp_path / name))
    said = table.metadata().configuration["delta.dataSkippingStatsColumns"].split(",")
    kinds = {field.name: field.type for field in schema_of(name, world.features)}
    lists = {column for column, kind in kinds.items() if pa.types.is_list(kind)}
    assert said == [c for c in kinds if c not in NO_STATISTICS and c not in lists and "." not in c]
    assert "day" in said
    assert bool(lists) == (name == "decisions")


def test_a_new_folder_takes_the_place_of_one_that_holds_a_lock_alone(tmp_path):
    made, place = tmp_path / "made", tmp_path / "place"
    for folder in (made, place):
        folder.mkdir()
    (made / "x").write_text("new")
    (place / ".lock").write_text("somebody")
    _put(made, place)
    assert [path.name for path in place.iterdir()] == ["x"]
    assert not made.exists()
    made.mkdir()
    with pytest.raises(OSError, match="not empty"):  # another process was faster
        _put(made, place)
    assert [path.name for path in place.iterdir()] == ["x"]
    _put(made, tmp_path / "first")
    assert (tmp_path / "first").is_dir()


def test_sends_of_the_day_that_may_no_longer_leave():
    """Two customers, the second suppressed; two channels, of which the first customer has left the second."""
    rows = [("d1", 0, "push", "a", 5), ("d2", 0, "sms", "a", 5), ("d3", 1, "push", "a", 5), ("d4", 0, "push", "b", 5)]
    rows += [("d5", 1, "push", "b", 4), ("d6", 0, "mail", "b", 5)]
    sends = {
        "decision": np.array([r[0] for r in rows], dtype=object), "customer": np.array([r[1] for r in rows]),
        "channel": np.array([r[2] for r in rows], dtype=object), "offer": np.array([r[3] for r in rows], dtype=object),
        "when": np.array([r[4] for r in rows]),
    }  # fmt: skip
    stand = object.__new__(Standing)
    object.__setattr__(stand, "day", 5)
    for name, values in sends.items():
        object.__setattr__(stand, f"_{name}", values)
    consent = np.array([[True, True], [False, True]])
    suppressed = np.array([False, True])

    def barred(offers=(), suppressed=suppressed, consent=consent):
        return stand.barred_today(suppressed, consent, ["push", "sms"], offers)

    nobody, everything = np.zeros(2, dtype=bool), np.ones((2, 2), dtype=bool)
    assert barred() == ["d2", "d3"]
    assert barred(("b",)) == ["d2", "d3", "d4"]
    assert barred(("b",), nobody, everything) == ["d4"]
    assert barred((), nobody, everything) == []
    assert barred((), suppressed, everything) == ["d3"]
    assert barred((), nobody) == ["d2"]
