"""What is said of a decision, and what speaks for it, by hand: words of a plan by value, leads over `none`, ties."""

from types import SimpleNamespace

import numpy as np
import pytest
from test_send_exact import DAY, table, uniform  # noqa: F401
from test_send_parts_exact import found_with

from campaignrl.actions import NONE
from campaignrl.errors import UsageError
from campaignrl.guard import MONEY, Limits
from campaignrl.send.decide import decide
from campaignrl.send.explain import explained
from campaignrl.send.limits import limits_of_run
from campaignrl.send.reasons import AT_LEAST, Wanted, _asked, _planned_words, _scarce, plan_reasons


@pytest.fixture(scope="module")
def catalog(small_world):
    return small_world.catalog


def ids(catalog, *names):
    return [catalog.id_of(name) for name in names]


# ---- words of a plan by value


def test_words_of_each_kind_of_decision(catalog):
    push, sms = ids(catalog, "content@push", "coupon20@sms")
    k = len(catalog)
    asked = [""] * k
    asked[sms] = "sms"
    wanted = Wanted(np.zeros(0, dtype=np.int64), ["no money"] * k, ["others pay more"] * k, asked)

    def said(action, best, explores=0):
        return _planned_words(catalog, wanted, 3, action, best, explores)

    assert said(push, sms, 1) == said(NONE, NONE, 1) == "exploring: drawn by lot, one of 3 allowed"
    assert said(push, push) == "best of 3 allowed"
    assert said(NONE, NONE) == "nothing pays here: best of 3 allowed"
    assert said(NONE, push) == "no money: content@push would pay here, but others pay more"
    assert said(sms, NONE) == "best for the plan of 3 allowed: nothing pays here, but sms shall reach its least share"
    assert said(push, NONE) == (
        "best for the plan of 3 allowed: nothing pays here, but what is sent shall reach its least share"
    )
    assert said(sms, push) == (
        "best for the plan of 3 allowed: content@push would bring more here, but sms shall reach its least share"
    )
    assert said(push, sms) == (
        "best for the plan of 3 allowed: coupon20@sms would bring more here, but others more still (no money)"
    )


def test_what_is_scarce_for_an_action(catalog):
    (sms,) = ids(catalog, "coupon20@sms")  # costs 8
    roomy = Limits(np.array([1.0, 1.0]), 8.0)

    def scarce(prices, limits=roomy):
        return _scarce(catalog, prices, limits, sms)

    assert scarce({}, Limits(np.array([1.0, 1.0]), 7.0)) == ("no money", "this run has no money for it")
    assert scarce({}, Limits(np.array([1.0, 0.0]), 8.0)) == ("no capacity: sms", "this run has no room on sms")
    assert scarce({}, Limits(np.array([0.0, 1.0]), 8.0)) == ("no money", "others pay more")
    assert scarce({MONEY: 0.2, "sms": 1.5}) == ("no money", "others pay more")  # 8 x .2 weighs more than 1.5
    assert scarce({MONEY: 0.2, "sms": 1.7, "push": 9.0}) == ("no capacity: sms", "others pay more")
    assert scarce({MONEY: 0.2, "sms": 1.7, "stock of coupon20": 1.8}) == ("no stock: coupon20", "others pay more")
    assert _scarce(catalog, {"sms": 1.0}, roomy, NONE) == ("", "")


def test_what_there_shall_be_a_least_share_of(catalog):
    (sms,) = ids(catalog, "coupon20@sms")
    assert _asked(catalog, {}, sms) == ""
    assert _asked(catalog, {AT_LEAST + "sms": 0.0, AT_LEAST + "push": 2.0}, sms) == ""
    assert _asked(catalog, {AT_LEAST + "sms": 0.1}, sms) == "sms"
    assert _asked(catalog, {AT_LEAST + "sms": 0.1, AT_LEAST + "coupon20": 0.2}, sms) == "coupon20"
    assert _asked(catalog, {AT_LEAST + "sms": 0.3, AT_LEAST + "coupon20": 0.2}, sms) == "sms"
    assert _asked(catalog, {AT_LEAST + "sms": 0.1}, NONE) == ""


def test_reasons_and_refusals_of_a_whole_plan(catalog):
    """Six customers: best; refused money; nothing pays; nothing is allowed; exploring to nothing; the second best."""
    push, sms = ids(catalog, "content@push", "coupon20@sms")
    n, k = 6, len(catalog)
    gains = np.full((n, k), -1.0, dtype=np.float32)
    gains[:, NONE], gains[:, push], gains[:, sms] = 0.0, 1.0, 2.0
    gains[2, 1:] = -1.0
    eligible = np.zeros((n, k), dtype=bool)
    eligible[:, [NONE, push, sms]] = True
    eligible[3, 1:] = False
    planned = SimpleNamespace(
        action=np.array([sms, NONE, NONE, NONE, NONE, push]),
        explores=np.array([False] * 4 + [True, False]),
        gains=gains,
        plan=SimpleNamespace(prices={"sms": 1.5}),
    )
    drawn = SimpleNamespace(eligible=eligible, blocked=np.array(["", "cap", "", "holdout", "cap", ""], dtype=object))
    reasons, blocked = plan_reasons(catalog, drawn, planned, Limits(np.array([9.0, 9.0]), 100.0))
    assert reasons.tolist() == [
        "best of 3 allowed",
        "no capacity: sms: coupon20@sms would pay here, but others pay more",
        "nothing pays here: best of 3 allowed",
        "nothing may be sent: holdout",
        "exploring: drawn by lot, one of 3 allowed",
        "best for the plan of 3 allowed: coupon20@sms would bring more here, but others more still (no capacity: sms)",
    ]
    assert blocked.tolist() == ["", "cap; no capacity: sms", "", "holdout", "cap", ""]
    assert drawn.blocked.tolist() == ["", "cap", "", "holdout", "cap", ""]


# ---- what speaks for one


def scoring(world, of):
    """A policy whose scores of `none`, actions 1 and 2 are `of(columns)`; of all others far below."""

    class Scoring:
        name = kind = "scoring"
        catalog = world.catalog

        def scores(self, context):
            out = np.full((len(context.columns["orders"]), len(self.catalog)), -1e6)
            out[:, 0], out[:, 1], out[:, 2] = of(context.columns)
            return out

    return Scoring()


def test_what_speaks_for_an_action_is_its_lead_over_none(small_world, table):  # noqa: F811
    """Of a score of `none` that rises with the orders, too: what counts is the difference."""
    found = decide(uniform(small_world), table, small_world, day=DAY)
    policy = scoring(small_world, lambda c: (2.0 * c["orders"], 5.0 * c["orders"], 0.0 * c["orders"]))
    orders = found.context.columns["orders"]
    row = int(np.argmax(orders))
    told = explained(found_with(found, row, [0, 1], 1), policy, small_world, str(found.ids[row]))
    ((name, _, effect),) = told.because
    back = np.linspace(0, len(orders) - 1, 24).astype(int)
    assert name == "orders"
    assert effect == pytest.approx(3.0 * (orders[row] - orders[back].mean()))


def test_a_tie_is_no_distance_and_nothing_has_to_change(small_world, table):  # noqa: F811
    found = decide(uniform(small_world), table, small_world, day=DAY)
    one = str(found.ids[0])
    tied = scoring(small_world, lambda c: (0.0 * c["orders"], 1.0 + 0.0 * c["orders"], 1.0 + 0.0 * c["orders"]))
    told = explained(found_with(found, 0, [0, 1, 2], 2), tied, small_world, one)
    assert (told.second, told.behind, told.would_change) == (small_world.catalog.names[1], 0.0, ())
    assert any(" 0 behind" in line for line in told.lines())
    ahead = scoring(small_world, lambda c: (0.0 * c["orders"], 1.5 + 0.0 * c["orders"], 1.0 + 0.0 * c["orders"]))
    told = explained(found_with(found, 0, [0, 1, 2], 2), ahead, small_world, one)
    assert (told.behind, told.would_change) == (-0.5, ())
    assert any(" 0.5 ahead" in line for line in told.lines())


def test_a_lead_of_half_a_point_can_be_lost(small_world, table):  # noqa: F811
    found = decide(uniform(small_world), table, small_world, day=DAY)
    orders = found.context.columns["orders"]
    row, most = int(np.argmin(orders)), float(orders.max())
    close = scoring(small_world, lambda c: (0.0 * c["orders"], 1.0 * (c["orders"] >= most), 0.5 + 0.0 * c["orders"]))
    told = explained(found_with(found, row, [0, 1, 2], 2), close, small_world, str(found.ids[row]))
    assert (told.second, told.behind) == ("none", 0.5)
    lost = scoring(
        small_world, lambda c: (-1.0 + 0.0 * c["orders"], 1.0 * (c["orders"] >= most), 0.5 + 0.0 * c["orders"])
    )
    told = explained(found_with(found, row, [0, 1, 2], 2), lost, small_world, str(found.ids[row]))
    assert (told.second, told.behind) == (small_world.catalog.names[1], 0.5)
    assert told.would_change == (f"orders were {most:.4g}",)


# ---- amounts that are no whole minor units


def test_an_amount_between_two_minor_units_is_rounded_down_in_the_advice(small_world):
    for amount, advice in ((1.239, "Write 1.23."), (0.005, "Write 0."), (12.3456, "Write 12.34.")):
        with pytest.raises(UsageError) as wrong:
            limits_of_run(small_world, 1_000, budget=amount)
        ((field, fix),) = [(problem.field, problem.fix) for problem in wrong.value.problems]
        assert (field, fix) == ("budget", advice)
    assert limits_of_run(small_world, 1_000, budget=1.23).money == 123.0


def test_the_five_features_that_speak_most_are_told(small_world, table):  # noqa: F811
    known = decide(uniform(small_world), table, small_world, day=DAY).context.columns
    names = [name for name in known if known[name].dtype.kind == "f" and np.ptp(np.nan_to_num(known[name])) > 0]
    assert len(names) > 5
    found = decide(uniform(small_world), table, small_world, day=DAY)
    scale = {name: (i + 1.0) / np.ptp(np.nan_to_num(known[name])) for i, name in enumerate(names)}
    policy = scoring(
        small_world, lambda c: (0.0, sum(scale[n] * np.nan_to_num(np.asarray(c[n], float)) for n in names), -1e3)
    )
    told = explained(found_with(found, 0, [0, 1], 1), policy, small_world, str(found.ids[0]))
    assert len(told.because) == 5
    effects = [abs(effect) for _, _, effect in told.because]
    assert effects == sorted(effects, reverse=True)
