"""Parts of a run by hand: audits by loops, explanations of known scores, limits, what a ledger adds, who is refused."""

import datetime
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_send_exact import DAY, N, table, uniform  # noqa: F401

import campaignrl as crl
from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import UsageError
from campaignrl.features import Context
from campaignrl.guard.budget import Limits, Spending
from campaignrl.ledger import Ledger, add
from campaignrl.ledger.folder import EPOCH
from campaignrl.rng import Purpose
from campaignrl.send import audit as audit_module
from campaignrl.send.audit import _of_chances, audit
from campaignrl.send.customers import contact_window, without_contacts
from campaignrl.send.decide import decide
from campaignrl.send.explain import Explanation, _together, _would_change, explained
from campaignrl.send.ledger_run import _consent, begin, counted_in, require_not_earlier
from campaignrl.send.limits import limits_of_run, serve
from campaignrl.send.recount import Finding, SentAfterAll, finding, of_one, of_windows
from campaignrl.send.run_name import run_id
from campaignrl.specs.world import load_world

# ---- audits

NONE_LATE = SentAfterAll.none()


@pytest.fixture(scope="module")
def sent(small_world):
    """A world's log in which anything may have been sent to anybody."""
    log = crl.simulate(small_world, "uniform", customers=60, seed=3)
    chance = np.random.default_rng(0)
    return replace(log, action=chance.integers(0, len(log.catalog), len(log)), eligible=None)


def test_rules_of_one_row_by_loops(small_world, sent):
    world, log = small_world, sent
    names = [c.name for c in log.catalog.channels]
    u = rng.uniform(rng.customer_keys(log.customers), world.guard.holdout_salt, 0, Purpose.HOLDOUT)
    wanted = dict.fromkeys([f"no consent: {c}" for c in names], 0)
    wanted["holdout"] = 0
    for i in range(len(log)):
        a = log.action[i]
        if a == NONE:
            continue
        channel = names[log.catalog.channel_of[a]]
        wanted[f"no consent: {channel}"] += log.context.columns[f"consent_{channel}"][i] != 1
        wanted["holdout"] += u[log.customer[i]] < world.guard.holdout
    found = {rule: int(rows.sum()) for rule, rows in of_one(log, world, NONE_LATE)}
    assert {rule: found[rule] for rule in wanted} == wanted
    assert all(wanted.values())
    assert found["two sends to one customer on one day"] == 0
    assert found["not eligible by the row itself"] == 0
    perk = log.catalog.offer_of[log.action] == [o.name for o in log.catalog.offers].index("perk")
    loyal = log.context.labels("segment") == "loyal"
    assert found["not eligible: perk"] == (perk & ~(loyal | (log.context.columns["orders"] > 10))).sum() > 0


def test_two_sends_on_a_day_are_named_and_a_send_beside_nothing_is_not(small_world, sent):
    log = sent.take(np.flatnonzero(sent.customer < 3))
    rows = np.flatnonzero(log.customer == 1)[:4]
    action, day = np.zeros(len(log), dtype=int), log.day.copy()
    day[rows[1]] = day[rows[0]]
    day[rows[3]] = day[rows[2]]
    action[rows[[0, 1, 2]]] = 1  # two on one day; one beside nothing on another
    other = replace(log, action=action, day=day)
    found = dict(of_one(other, small_world, NONE_LATE))
    twice = finding("two sends", other, found["two sends to one customer on one day"])
    assert twice.many == 1
    assert twice.rows == (f"{log.customers[1]} on day {day[rows[0]]}",)


def test_caps_over_windows_by_loops(small_world, sent):
    log, names = sent, [c.name for c in sent.catalog.channels]
    broken = of_windows(log, small_world, NONE_LATE)
    for (rule, rows), cap in zip(broken, small_world.guard.caps, strict=True):
        many = 0
        for i in np.flatnonzero(log.action != NONE):
            on = log.action != NONE
            if cap.channel is not None:
                on &= log.catalog.channel_of[log.action] == names.index(cap.channel)
            if not on[i]:
                continue
            before = (
                on & (log.customer == log.customer[i]) & (log.day < log.day[i]) & (log.day > log.day[i] - cap.per_days)
            )
            many += before.sum() >= cap.at_most
        scope = "all channels" if cap.channel is None else cap.channel
        assert rule == f"cap: {cap.at_most} in {cap.per_days} days on {scope}"
        assert rows.sum() == many > 0


def test_chances_are_those_of_the_policy_but_where_the_lot_left_nothing(small_world):
    log = crl.simulate(small_world, "uniform", customers=40, seed=1)
    policy = crl.load_policy("uniform", small_world)
    assert [f.many for f in _of_chances(log, policy, None)] == [0]
    for factor, many in ((1 + 0.9e-9, 0), (1 + 1.2e-9, 1), (1 - 1.2e-9, 1)):
        said = log.propensity.copy()
        said[int(np.flatnonzero(said < 1.0)[0])] *= factor
        assert [f.many for f in _of_chances(replace(log, propensity=said), policy, None)] == [many]
    drawn, served = log.propensity.copy(), log.propensity.copy()
    free = log.propensity < 1.0
    none, some = np.flatnonzero(free & (log.action == NONE))[:2], np.flatnonzero(free & (log.action != NONE))[:2]
    drawn[[none[0], some[0]]] *= 0.5  # of a send that was not served, another action's chance was drawn
    served[some[1]] *= 0.5
    found = _of_chances(replace(log, propensity=served), policy, drawn)
    assert [f.many for f in found] == [1]
    assert found[0].rows == (f"{log.customers[log.customer[some[0]]]} on day {log.day[some[0]]}",)
    drawn[none[1]] = served[none[1]] = log.propensity[none[1]] * 0.5  # nothing was drawn, and said wrongly
    assert [f.many for f in _of_chances(replace(log, propensity=served), policy, drawn)] == [2]


def test_sends_between_a_withdrawal_and_a_new_permission(sent):
    """Taken away on day 1, known from day 2 on, given again on day 5: what was sent on days 3 and 4 is wrong."""
    import pyarrow as pa

    log = sent.take(np.flatnonzero(sent.customer < 2))
    log = replace(log, day=np.tile(np.arange(len(log) // 2), 2), action=np.ones(len(log), dtype=int))
    who, channel = str(log.customers[0]), log.catalog.channels[log.catalog.channel_of[1]].name
    other = next(c.name for c in log.catalog.channels if c.name != channel)

    def wrong(*words):
        names = ("customer_id", "channel", "allowed", "day", "arrived")
        rows = pa.Table.from_pylist([dict(zip(names, word, strict=True)) for word in words])
        ledger = SimpleNamespace(read=lambda name: rows)
        found = audit_module.after_withdrawal(log, ledger)
        return [int(row.rpartition(" ")[2]) for row in found.rows], found.many

    last = int(log.day.max())
    no, yes = (who, channel, False, 1, 2), (who, channel, True, 5, 5)
    assert wrong(no, yes) == ([3, 4], 2)
    assert wrong(no)[1] == last - 2
    assert wrong(no, (who, channel, True, 1, 9))[1] == last - 2  # of the same day: the refusal counts
    assert wrong(no, (who, channel, True, 7, 7), yes) == ([3, 4], 2)
    assert wrong(no, (who, other, True, 5, 5))[1] == last - 2
    assert wrong((who, other, False, 1, 2))[1] == 0
    assert wrong((who, "*", False, 1, 2))[1] == last - 2
    assert wrong(("nobody", channel, False, 1, 2))[1] == 0


def test_five_rows_are_named_and_all_are_counted(sent):
    rows = np.zeros(len(sent), dtype=bool)
    rows[:7] = True
    found = finding("rule", sent, rows)
    assert found[:2] == ("rule", 7)
    assert found.rows == tuple(f"{sent.customers[sent.customer[i]]} on day {sent.day[i]}" for i in range(5))
    assert finding("rule", sent, rows & False) == Finding("rule", 0, ())


def test_budgets_are_audited_from_the_first_day_and_for_the_customers_given():
    world = crl.load_world("tight_budget")
    log = crl.simulate(world, "always:news@sms", customers=200, seed=2)
    assert audit(log, world) == []
    assert audit(log, world, customers=200, start=0) == []
    late = audit(log, world, start=5)  # as if the campaign had begun later: less was released
    assert any(f.rule.startswith("budget") for f in late) or any(f.rule.startswith("capacity") for f in late)
    sends = (log.action != NONE) & (log.day == log.day[log.action != NONE].min())
    spending, first = Spending(world, 200), int(log.day[sends].min())
    assert world.catalog.cost_of[log.action[sends]].sum() <= spending.limits(first).money
    assert audit_module.SAME == 1e-9


# ---- explanations


def additive(world, weights):
    """A policy whose score of action 1 is a sum over columns, of action 2 a constant."""

    class Additive:
        name = kind = "additive"
        catalog = world.catalog

        def scores(self, context):
            out = np.zeros((len(context.columns["orders"]), len(self.catalog)))
            out[:, 1] = sum(w * context.columns[c] for c, w in weights.items())
            out[:, 2] = 3.0
            return out

    return Additive()


def found_with(found, row, allowed, action):
    eligible = found.eligible.copy()
    eligible[row] = np.isin(np.arange(eligible.shape[1]), allowed)
    chosen = found.action.copy()
    chosen[row] = action
    return crl.Decisions(**{**vars(found), "eligible": eligible, "action": chosen})


def test_the_second_best_of_two_and_of_one(small_world, table):  # noqa: F811
    world = small_world
    found = decide(uniform(world), table, world, day=DAY)
    policy, one = additive(world, {"orders": 1.0}), str(found.ids[0])
    orders = float(found.context.columns["orders"][0])
    two = explained(found_with(found, 0, [0, 1], 1), policy, world, one)
    assert (two.second, two.allowed, two.action) == ("none", 2, world.catalog.names[1])
    assert two.behind == pytest.approx(orders)
    three = explained(found_with(found, 0, [0, 1, 2], 1), policy, world, one)
    assert three.second == world.catalog.names[2]
    assert three.behind == pytest.approx(orders - 3.0)
    alone = explained(found_with(found, 0, [0], 0), policy, world, one)
    assert (alone.second, alone.behind, alone.would_change, alone.allowed) == ("", 0.0, (), 1)
    assert alone.because == ()
    nothing = explained(found_with(found, 0, [0, 2], 0), policy, world, one)
    assert nothing.second == world.catalog.names[2]
    assert nothing.unit == f"score over none; of {world.catalog.names[2]}, which came second"
    assert two.unit == "score over none"
    chances = explained(found_with(found, 0, [0, 1], 1), uniform(world), world, one)
    assert chances.unit == "probability over that of none"
    with pytest.raises(UsageError, match="a customer of the table"):
        explained(found, policy, world, "nobody")


def test_values_that_are_tried_are_quantiles_nearest_first():
    """Of 21 quantiles of all others the nearest that lets the second win; of a category every other level."""
    from campaignrl.features import Feature, FeatureSchema

    schema = FeatureSchema((Feature(name="x", high=100.0), Feature(name="kind", levels=("a", "b", "c"))))
    others = Context(schema, {"x": np.arange(101.0), "kind": np.zeros(101, dtype=int)})
    one = Context(schema, {"x": np.array([50.0]), "kind": np.array([0])})
    mask = np.ones(2, dtype=bool)

    def score(limit, level):
        def of(context):
            wins = (context.columns["x"] >= limit) | (context.columns["kind"] == level)
            return np.stack([np.full(len(wins), 0.5), wins * 1.0], axis=1)

        return of

    assert _would_change(score(57.0, 2), one, others, mask, 1) == ("x were 60", "kind were c")
    assert _would_change(score(100.0, 1), one, others, mask, 1) == ("x were 100", "kind were b")
    assert _would_change(score(101.0, 5), one, others, mask, 1) == ()
    below = lambda context: np.stack([np.full(len(context.columns["x"]), 0.5), context.columns["x"] < 41.0], axis=1)  # noqa: E731
    assert _would_change(below, one, others, mask, 1) == ("x were 40",)
    low = lambda context: np.stack([np.full(len(context.columns["x"]), 0.5), context.columns["x"] < 1.0], axis=1)  # noqa: E731
    assert _would_change(low, one, others, mask, 1) == ("x were 0",)
    assert _would_change(score(57.0, 2), one, others, np.array([True, False]), 1) == ()
    unknown = Context(schema, {"x": np.full(101, np.nan), "kind": np.zeros(101, dtype=int)})
    assert _would_change(score(57.0, 2), one, unknown, mask, 1) == ("kind were c",)


def test_five_changes_at_most_are_told():
    from campaignrl.features import Feature, FeatureSchema

    schema = FeatureSchema(tuple(Feature(name=f"k{i}", levels=("a", "b")) for i in range(9)))
    one = Context(schema, {f"k{i}": np.zeros(1, dtype=int) for i in range(9)})
    wins = lambda context: np.stack(  # noqa: E731
        [np.full(len(context.columns["k0"]), 0.5), sum(v for v in context.columns.values())], axis=1
    )
    told = _would_change(wins, one, one, np.ones(2, dtype=bool), 1)
    assert told == tuple(f"k{i} were b" for i in range(5))


def test_what_a_rule_refuses_is_told_as_one_where_it_is_one(small_world):
    names = small_world.catalog.names
    k = len(names)

    def texts(hit):
        return np.array(["rule" if a in hit else "" for a in range(k)], dtype=object)

    assert _together("rule", texts(range(1, k)), small_world) == ("everything",)
    push = [a for a in range(1, k) if names[a].endswith("@push")]
    assert _together("rule", texts(push), small_world) == ("every push",)
    coupon = [a for a in range(1, k) if names[a].startswith("coupon20@")]
    assert _together("rule", texts(coupon), small_world) == ("every coupon20",)
    assert _together("rule", texts(push[:2]), small_world) == tuple(names[a] for a in push[:2])
    alone = [a for a in range(1, k) if names[a].startswith("winback")]
    assert _together("rule", texts(alone), small_world) == tuple(names[a] for a in alone)  # one action has its name


def test_an_explanation_in_lines():
    told = Explanation(
        customer="c", action="gift@sms", reason="best of 3 allowed", probability=0.5, allowed=3,
        because=(("orders", "3", 0.5), ("kind", "app", -0.25)), unit="score over none", second="mail@email",
        behind=0.125,
        would_change=("x were 1", "y were b"), refused=(("cap", ("every sms",)), ("rule", ("a", "b"))),
    )  # fmt: skip
    assert told.lines() == [
        "c gets gift@sms: best of 3 allowed",
        "because   orders = 3 (+0.5) · kind = app (-0.25)   [score over none]",
        "next      mail@email, 0.125 behind; it would win if x were 1 or y were b",
        "refused   every sms: cap · a, b: rule",
    ]
    bare = replace(told, action="none", because=(), second="", refused=())
    assert bare.lines() == ["c gets nothing: best of 3 allowed"]
    assert replace(told, would_change=()).lines()[2] == "next      mail@email, 0.125 behind"


# ---- limits


def test_limits_of_a_run_are_the_least_of_what_is_given():
    world = crl.load_world("bank")
    names, whole = list(world.channels), Spending(world, 1000).limits(0)
    assert limits_of_run(world, 1000).sends.tolist() == whole.sends.tolist()
    first = names[int(np.flatnonzero(np.isfinite(whole.sends))[0])]
    place = names.index(first)
    for most in (0, 1, int(whole.sends[place]) + 5):
        found = limits_of_run(world, 1000, capacity={first: most})
        assert found.sends[place] == min(most, whole.sends[place])
        assert np.delete(found.sends, place).tolist() == np.delete(whole.sends, place).tolist()
    assert limits_of_run(world, 1000, budget=0.5).money == min(whole.money, world.minor(0.5))
    left = whole._replace(money=7.0)
    assert limits_of_run(world, 1000, budget=100.0, left=left).money == 7.0
    assert limits_of_run(world, 1000, budget=0.0, left=left).money == 0.0
    largest = 2**53 / world.money.minor_per_unit
    assert limits_of_run(world, 1000, budget=largest, left=left).money == 7.0
    for bad in (-0.01, float("nan"), float("inf"), largest * 1.001):
        with pytest.raises(UsageError, match="money of this run"):
            limits_of_run(world, 1000, budget=bad)
    with pytest.raises(UsageError) as wrong:
        limits_of_run(world, 1000, budget=-1.0, capacity={first: -1, "smss": 3, names[-1]: 1.5})
    fields = ["budget", f"capacity of {first}", "capacity", f"capacity of {names[-1]}"]
    assert [p.field for p in wrong.value.problems] == fields


def test_who_is_not_served_and_why(small_world, table):  # noqa: F811
    """Of sends that the channel can take, the money decides; of others the channel."""
    world, k = small_world, len(small_world.catalog)
    catalog, n = world.catalog, N
    push, sms = catalog.id_of("content@push"), catalog.id_of("coupon20@sms")
    action = np.where(np.arange(n) % 2 == 0, push, sms)
    drawn = SimpleNamespace(
        action=action, propensity=np.full(n, 0.5), none=np.full(n, 0.25), by_channel=np.tile([0.375, 0.375], (n, 1))
    )
    keys = rng.customer_keys(table.ids)
    day = 20_000
    free = Limits(np.full(2, np.inf), np.inf)
    everybody = serve(world, drawn, free, keys, day, 3)
    assert everybody.action is action
    assert not everybody.no_money.any()
    few = serve(world, drawn, free._replace(sends=np.array([np.inf, 5.0])), keys, day, 3)
    u = rng.uniform(keys, 3, day, Purpose.THROTTLE)
    odd = np.flatnonzero(np.arange(n) % 2)
    kept = odd[np.argsort(u[odd], kind="stable")[:5]]
    assert np.flatnonzero((few.action != NONE) & (np.arange(n) % 2 == 1)).tolist() == sorted(kept.tolist())
    assert np.flatnonzero(few.no_capacity).tolist() == sorted(set(odd) - set(kept.tolist()))
    assert not few.no_money.any()
    poor = serve(world, drawn, free._replace(money=0.0), keys, day, 3)
    assert (poor.action == NONE).all()
    assert poor.no_money.all()
    assert not poor.no_capacity.any()
    assert k == 7 or k > 3


# ---- what a ledger adds


def test_features_that_count_contacts():
    names = (
        "contacts_7d",
        "contacts_30d",
        "contacts_sms_7d",
        "contacts_d",
        "7",
        "7d",
        "contacts_7",
        "orders",
        "contacts_xd",
    )
    assert [contact_window(name) for name in names] == [7, 30, *[None] * (len(names) - 2)]


def test_counts_that_a_ledger_keeps_may_be_left_out(small_world):
    import pyarrow as pa

    frame = customers_frame(Panel(small_world, 5, seed=1))
    counted = [c for c in frame if c.startswith("contacts_")]
    bare = without_contacts(pa.Table.from_pandas(frame.drop(columns=counted)), small_world).to_pandas()
    assert set(bare) >= set(counted)
    assert not bare[counted].to_numpy().any()
    some = without_contacts(pa.Table.from_pandas(frame.assign(contacts_7d=9)), small_world).to_pandas()
    assert some["contacts_7d"].tolist() == [9] * 5


def test_consent_of_table_and_ledger():
    said, heard = np.array([1.0, 0.0, np.nan] * 3), np.repeat(np.array([-1, 0, 1], dtype=np.int8), 3)
    found = _consent(said, heard)
    assert np.array_equal(found, [1, 0, np.nan, 0, 0, 0, 1, 0, 1], equal_nan=True)


def test_what_the_ledger_counts_is_added_to_the_table(small_world, table):  # noqa: F811
    world = load_world(small_world, horizon=12)
    names = list(world.channels)
    consent = np.full((len(names), N), -1, dtype=np.int8)
    consent[0, :3] = [0, 1, -1]
    stand = SimpleNamespace(
        contacts=lambda channel, days: np.where(np.arange(N) == 4, 2 if channel is None else 1, 0),
        consent=consent,
        suppressed=np.arange(N) == 7,
        erased=np.zeros(N, dtype=bool),
    )
    found = counted_in(table, stand, world, 3)
    for window, before in table.contacts.items():
        assert (found.contacts[window] - before).tolist() == np.where(
            np.arange(N) == 4, 2 if window[0] is None else 1, 0
        ).tolist()
    seen = found.context.columns["contacts_7d"]
    assert seen.tolist() == np.clip(table.context.columns["contacts_7d"] + 2 * (np.arange(N) == 4), 0, 7).tolist()
    assert found.context.columns["days_to_go"].tolist() == [9.0] * N
    assert counted_in(table, stand, world, 12).context.columns["days_to_go"][0] == 0.0
    assert counted_in(table, stand, world, 20).context.columns["days_to_go"][0] == 0.0
    assert not found.consent[0, 0]
    assert found.consent[0, 1] == table.consent[0, 1]
    assert np.flatnonzero(found.suppressed).tolist() == [7]
    barred = replace(table, suppressed=np.arange(N) == 2)
    assert np.flatnonzero(counted_in(barred, stand, world, 3).suppressed).tolist() == [2, 7]


def test_a_run_has_the_money_of_its_day_and_no_day_after_the_last_has_more(tmp_path):
    world = crl.load_world("tight_budget")
    start = datetime.date(2026, 1, 1)
    frame = customers_frame(Panel(world, 50, 7)).drop(columns=["contacts_sms_7d", "contacts_call_14d"])
    ledger = Ledger.create(tmp_path / "l", world, start=start, customers=50)
    customers = crl.read_customers(frame, world, ledger=True)
    for t in (0, 1, world.horizon - 2, world.horizon - 1, world.horizon, world.horizon + 9):
        run = begin(ledger, customers, world, start + datetime.timedelta(t))
        wanted = Spending(world, 50).limits(min(t, world.horizon - 1))
        assert run.limits.money == wanted.money
        assert run.limits.sends.tolist() == wanted.sends.tolist()
    with pytest.raises(UsageError, match="when it begins, or later"):
        begin(ledger, customers, world, start - datetime.timedelta(1))
    first = crl.decide("always:news@sms", frame, world, day=start, ledger=ledger)
    spent = int((first.action != NONE).sum()) * 8
    again = begin(ledger, customers, world, start)
    place = list(world.channels).index("sms")
    assert spent > 0
    assert again.limits.money == max(Spending(world, 50).limits(0).money - spent, 0.0)
    assert again.limits.sends[place] == max(Spending(world, 50).limits(0).sends[place] - spent // 8, 0)
    assert begin(ledger, customers, world, start + datetime.timedelta(1)).limits.money == (
        Spending(world, 50).limits(1).money - spent
    )
    require_not_earlier(again, start)
    with pytest.raises(UsageError, match="2026-01-01, the last one decided, or later"):
        require_not_earlier(again, start - datetime.timedelta(1))
    assert (start - EPOCH).days == again.standing.day
    put = tmp_path / "p.csv"
    put.write_text("customer_id,channel,allowed,day\n" + f"{first.ids[first.action != NONE][0]},*,no,2026-01-01\n")
    add(ledger, "permissions", put, world, today=start)
    repeated = crl.decide("always:news@sms", frame, world, day=start, ledger=ledger)
    assert repeated.action.tolist() == first.action.tolist()
    assert np.flatnonzero(repeated.withdrawn).tolist() == [int(np.flatnonzero(first.action != NONE)[0])]


def test_a_run_is_named_by_all_it_rests_on_and_not_by_the_order_of_rows(small_world, table):  # noqa: F811
    policy = uniform(small_world)
    name = run_id(policy, table, small_world, DAY, 0)
    assert len(name) == 32
    assert run_id(policy, table.take(np.arange(N)[::-1]), small_world, DAY, 0) == name
    others = {
        run_id(policy, table, small_world, DAY, 1),
        run_id(policy, table, small_world, DAY + datetime.timedelta(1), 0),
        run_id(policy, replace(table, suppressed=np.zeros(N, bool)), small_world, DAY, 0),
        run_id(policy, replace(table, suppressed=np.arange(N) == 1), small_world, DAY, 0),
        run_id(policy, replace(table, consent=~table.consent), small_world, DAY, 0),
        run_id(policy, table.take(np.arange(1, N)), small_world, DAY, 0),
        run_id(policy, replace(table, contacts={w: c + 1 for w, c in table.contacts.items()}), small_world, DAY, 0),
    }
    assert len(others) == 7
    assert name not in others
