"""Nothing worse than nothing: what `train` holds a policy against, the mark in the bundle, the warning of `decide`."""

import datetime
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.envs.customers_export import customers_frame
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth import live, nothing
from campaignrl.errors import SupportError
from campaignrl.policies import FIXED, NOTHING, PROOF, USUAL, Gain, Standing, copy_of, doubts_of, exploring, paired_gain
from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
from campaignrl.policies.loading import build_policy, is_trained
from campaignrl.policies.registry import KINDS, policy_class
from campaignrl.policies.standing import MARGIN, SKIPPED, doubts
from campaignrl.proof import proof_of_training, prove, refuse_unsupported
from campaignrl.proof.on_a_log import best_logged_action
from campaignrl.tables.log import split_by_customer, write_log
from campaignrl.true_value import acting

SMALL = Path(__file__).parent / "worlds" / "small.toml"


@pytest.fixture
def campaignrl(monkeypatch, capsys):
    """Call the command line as a shell would; (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


# ------------------------------------------------------------------ what follows from gains


def test_more_than_nothing_and_no_less_than_the_others_is_no_doubt():
    over = {NOTHING: Gain(2.0, 1.0, 3.0), USUAL: Gain(1.0, 0.5, 1.5), FIXED: Gain(0.0, 0.0, 0.0)}
    assert doubts(over, "EUR") == ()
    assert Standing.of("here", "EUR", over).is_better


def test_what_is_not_shown_is_said_with_its_interval():
    said = doubts({NOTHING: Gain(0.5, -0.1, 1.1), FIXED: Gain(-1.0, -1.5, -0.5)}, "EUR a customer")
    assert len(said) == 2
    assert "more than sending nothing: +0.5 EUR a customer [-0.1, +1.1]" in said[0]
    assert "lose less than 10% of the gain of the best fixed action against it: -1 EUR a customer" in said[1]


@given(theirs=st.floats(0.01, 100.0), low=st.floats(-50.0, 50.0))
def test_the_margin_is_a_share_of_what_the_baseline_gains(theirs, low):
    """Ours gains 60 over nothing, the baseline `theirs`; the difference of the two is what is tested."""
    gain = Gain(60.0 - theirs, low, 60.0)
    found = doubts({NOTHING: Gain(60.0, 50.0, 70.0), FIXED: gain}, "EUR")
    assert bool(found) == (low < -MARGIN * (60.0 - gain.mean))


def test_a_baseline_that_loses_gives_no_leave_to_lose():
    lost = {NOTHING: Gain(1.0, 0.5, 1.5), USUAL: Gain(3.0, -0.001, 6.0)}  # it loses 2 against nothing
    assert len(doubts(lost, "EUR")) == 1
    assert doubts({**lost, USUAL: Gain(3.0, 0.0, 6.0)}, "EUR") == ()


def test_figures_that_cannot_be_had_are_a_doubt():
    nan = float("nan")
    found = Standing.of("a log", "a decision", {NOTHING: Gain(nan, nan, nan)})
    assert not found.is_better
    assert found.to_dict()["over"] == {NOTHING: [None, None, None]}


# ------------------------------------------------------------------ in a world


def test_in_a_world_gains_are_those_of_twins(small_world):
    policy = build_policy({"kind": "always", "action": "content@push"}, small_world.catalog, small_world.features)
    found = prove(policy, small_world, customers=400, seed=5)
    ids = (1 << 43) + np.arange(400)
    ours, idle = (
        live(small_world, way, customers=ids, seed=5, expects=True)["expected"]
        for way in (acting(policy, small_world), nothing)
    )
    assert found.over[NOTHING] == paired_gain(ours, idle)
    assert list(found.over) == [NOTHING, FIXED]  # no bundled rules fit the small world
    assert "400 fresh customers" in found.on


def test_the_trap_is_seen():
    """The rules of the coupon trap lose against sending nothing, by design of that world."""
    found = prove(crl.load_policy("rules_coupon_trap", "coupon_trap"), "coupon_trap", customers=600)
    assert found.over[NOTHING].high < 0.0
    assert "not shown to bring more than sending nothing" in found.doubts[0]
    assert found.over[USUAL] == (0.0, 0.0, 0.0)
    good = prove(crl.load_policy("always:content@email", "coupon_trap"), "coupon_trap", customers=600)
    assert good.is_better


def test_one_that_sends_nothing_is_not_better_than_nothing(small_world):
    found = prove(build_policy("none", small_world.catalog, small_world.features), small_world, customers=200)
    assert found.over[NOTHING] == (0.0, 0.0, 0.0)
    assert not found.is_better


# ------------------------------------------------------------------ from a log


def test_from_a_log_a_copy_is_judged_on_customers_it_has_not_met(small_world, monkeypatch):
    log, taught = crl.simulate(small_world, "uniform", customers=400, seed=2), []
    learner = build_policy("lin_ts", small_world.catalog, small_world.features)
    began = copy_of(learner)
    learner.update(log)
    before = learner.tensors()["gram"].copy()
    update = type(began).update

    def noted(self, rows):
        taught.append(rows)
        update(self, rows)

    monkeypatch.setattr(type(began), "update", noted)
    found = proof_of_training(learner, began, log, seed=3)
    kept, held = split_by_customer(log, 0.75, 3)
    assert set(taught[0].customers[taught[0].customer]) == set(kept.customers[kept.customer])
    assert f"{len(held):,} decisions not learned from" in found.on
    assert set(found.over) == {NOTHING, USUAL, FIXED}
    assert np.array_equal(learner.tensors()["gram"], before)  # what is saved has learned from all


def test_from_a_log_the_gain_over_nothing_holds_the_truth():
    """Of a policy whose one-decision effect is large and known from the simulator."""
    world = crl.load_world("no_memory")
    log = crl.simulate(world, "uniform", customers=1_500, seed=4)
    found = prove(crl.load_policy("always:content@sms", world), log, seed=1)
    truth = crl.true_value.decision_lift(world, "always:content@sms", "none", customers=60_000, seed=9)
    low, high = found.over[NOTHING][1:]
    assert low - 2 * truth.std_error < truth.value < high + 2 * truth.std_error
    assert found.verdict in ("trust", "caution")


def test_the_best_logged_action_is_by_weighted_means():
    world = crl.load_world("coupon_trap")
    log = crl.simulate(world, "uniform", customers=100, seed=1)
    value = {}
    for a in range(1, len(world.catalog)):
        rows = log.matured & (log.action == a)
        value[a] = (log.reward[rows] / log.propensity[rows]).sum() / (1 / log.propensity[rows]).sum()
    assert best_logged_action(log) == max(value, key=value.get)
    assert best_logged_action(log.take(log.action == 0)) is None


def test_a_log_that_cannot_answer_is_a_doubt():
    world = crl.load_world("no_memory")
    log = crl.simulate(world, "rules_no_memory", customers=200, seed=4)  # certain: it says nothing of others
    found = prove(crl.load_policy("always:coupon20@sms", world), log)
    assert found.verdict == "refuse"
    assert not found.is_better


def test_a_log_in_which_everybody_was_sent_something_says_nothing_of_sending_nothing(small_world):
    log = crl.simulate(small_world, "uniform", customers=300, seed=2)
    sent = log.take(log.action > 0)
    sent.eligible[:, 0] = False
    found = prove(build_policy("uniform", small_world.catalog, small_world.features), sent)
    assert NOTHING not in found.over
    assert USUAL in found.over
    assert "Nobody was sent nothing" in found.doubts[0]


# ------------------------------------------------------------------ every kind

SETTINGS = {
    **{kind: {"by": "segment"} for kind in ("epsilon_greedy", "ucb1", "gaussian_ts")},
    "beta_ts": {"by": "segment", "success_above": 0.0},
    "logit_ts": {"low": -1.0, "high": 1.0},
    "neural_linear": {"hidden": [8], "epochs": 2},
    "always": {"action": "content@push"},
    "rules": {"rule": [{"send": ["content@push"]}]},
    "budgeted": {"price": 0.5},
}
LEARNERS = sorted(kind for kind in KINDS if hasattr(policy_class(kind), "update"))


@pytest.fixture(scope="module")
def small_log(small_world):
    return crl.simulate(small_world, "uniform", customers=200, seed=2)


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_learner_from_logs_is_held_against_nothing(kind, small_world, small_log):
    if kind == "neural_linear":
        pytest.importorskip("torch", reason="needs the extra `rl`")
    learner = build_policy({"kind": kind, **SETTINGS.get(kind, {})}, small_world.catalog, small_world.features)
    began = copy_of(learner)
    learner.update(small_log)
    found = proof_of_training(learner, began, small_log)
    assert NOTHING in found.over
    assert found.verdict in ("trust", "caution", "refuse")
    assert json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", sorted({*KINDS} - {*LEARNERS}))
def test_every_other_kind_is_held_against_nothing_in_a_world(kind, small_world):
    policy = build_policy({"kind": kind, **SETTINGS.get(kind, {})}, small_world.catalog, small_world.features)
    if not is_trained(policy):
        chance = np.random.default_rng(3)
        policy.restore({n: chance.normal(0, 0.5, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    found = prove(policy, small_world, customers=60)
    assert set(found.over) == {NOTHING, FIXED}
    assert all(gain.low <= gain.mean <= gain.high for gain in found.over.values())


# ------------------------------------------------------------------ the mark


def test_a_bundle_keeps_the_doubts_and_others_have_none(small_world, tmp_path):
    policy = build_policy("uniform", small_world.catalog, small_world.features)
    found = Standing.of("here", "EUR", {NOTHING: Gain(0.0, -1.0, 1.0)})
    marked = load_bundle(save_bundle(policy, tmp_path / "m.bundle", {PROOF: found.to_dict()}))
    assert doubts_of(marked) == found.doubts
    assert doubts_of(load_bundle(save_bundle(policy, tmp_path / "old.bundle", {"world": "small"}))) == ()
    assert doubts_of(policy) == ()


@pytest.mark.parametrize("broken", [3, {"doubts": 7}, {"doubts": [1, "text"]}, {}])
def test_a_broken_record_breaks_nothing(broken, small_world, tmp_path):
    policy = build_policy("uniform", small_world.catalog, small_world.features)
    marked = load_bundle(save_bundle(policy, tmp_path / "m.bundle", {PROOF: broken}))
    assert set(doubts_of(marked)) <= {"text"}


def test_decide_says_what_is_not_shown(small_world, tmp_path):
    policy = build_policy("uniform", small_world.catalog, small_world.features)
    found = Standing.of("here", "EUR", {NOTHING: Gain(0.0, -1.0, 1.0)})
    marked = load_bundle(save_bundle(policy, tmp_path / "m.bundle", {PROOF: found.to_dict()}))
    frame = customers_frame(Panel(small_world, 50, 1))
    made = crl.decide(marked, frame, small_world, day=datetime.date(2026, 11, 21))
    assert made.doubts == found.doubts
    assert crl.decide(policy, frame, small_world, day=datetime.date(2026, 11, 21)).doubts == ()


def test_by_command_a_loser_is_marked_and_decide_warns(campaignrl, tmp_path):
    """`propensity_greedy` contacts the likeliest buyers, which the small world does not reward enough to be shown."""
    bundle, customers = tmp_path / "p.bundle", tmp_path / "customers.csv"
    words = ("train", "uplift", "--world", "coupon_trap", "-n", 60, "-o", bundle)
    code, out, err = campaignrl(*words, "--require-better")
    assert code == 1, err
    assert "nothing" in out
    assert "business as usual" in out
    assert bundle.exists()  # marked, not withheld
    record = read_manifest(bundle)["trained_on"][PROOF]
    assert record["doubts"]
    assert campaignrl(*words)[0] == 0
    code, out, _ = campaignrl(*words, "--json")
    assert json.loads(out)[PROOF] == record
    customers_frame(Panel(crl.load_world("coupon_trap"), 40, seed=4)).to_csv(customers, index=False)
    code, out, err = campaignrl(
        "decide", bundle, customers, "--as-of", "2026-11-21", "-o", tmp_path / "s.csv", "--json"
    )
    assert code == 0, err
    assert record["doubts"][0] in err
    assert any(record["doubts"][0] in limit for limit in json.loads(out)["limits"])
    assert record["doubts"][0].split(":")[0] in (tmp_path / "s.plan.html").read_text()


def test_by_command_the_proof_may_be_left_out_but_not_in_silence(campaignrl, tmp_path):
    bundle = tmp_path / "p.bundle"
    words = ("train", "lin_ts", "--world", SMALL, "-n", 60, "-o", bundle, "--no-proof")
    code, out, err = campaignrl(*words)
    assert (code, out) == (0, "")
    assert doubts_of(load_bundle(bundle)) == (SKIPPED,)
    code, _, err = campaignrl(*words, "--require-better")
    assert code == 2
    assert "--no-proof" in err


def test_by_command_from_a_log(campaignrl, tmp_path, small_world):
    log, bundle = tmp_path / "log.parquet", tmp_path / "p.bundle"
    crl.write_log(crl.simulate(small_world, "uniform", customers=300, seed=2), log)
    code, out, err = campaignrl("train", "lin_ts", "--log", log, "-o", bundle)
    assert code == 0, err
    assert "decisions not learned from" in out
    assert "best fixed action" in out
    whole = crl.train("lin_ts", crl.read_log(log))
    for name, tensor in load_bundle(bundle).tensors().items():
        assert np.array_equal(tensor, whole.tensors()[name])  # all rows taught what is saved


@pytest.mark.parametrize("kind", ["fitted_q", "cql"])
def test_a_log_that_hardly_did_anything_else_teaches_no_sequential_learner(kind, campaignrl, tmp_path):
    """By command nothing is written, and the reason is the evaluator's own; a log that tried things teaches it."""
    bundle, told = tmp_path / "p.bundle", {}
    rules = {"kind": "rules", "rule": [{"when": "orders >= 2", "send": ["coupon20@push"]}], "only_if": ""}
    world = crl.load_world(SMALL)
    nearly = exploring(build_policy(rules, world.catalog, world.features), 0.01)
    for name, by, expected in (("tried", "uniform", 0), ("rules", nearly, 4)):
        log, path = crl.simulate(world, by, customers=400, seed=2), tmp_path / f"{name}.parquet"
        write_log(log, path)
        code, _, told[name] = campaignrl("train", kind, "--log", path, "-o", bundle)
        assert code == expected, told[name]
        assert bundle.exists() == (expected == 0)
        bundle.unlink(missing_ok=True)
    assert f"{kind} cannot be taught by this log" in told["rules"]
    kept, held = split_by_customer(log, 0.75, 0)
    copy = build_policy(kind, log.catalog, log.context.schema)
    copy.update(kept)
    reason = crl.evaluate(held, copy, reference="none", estimators=("dr",)).reasons[0]
    assert " ".join(reason.split())[:40] in " ".join(told["rules"].split())
    assert "train dr_select" in " ".join(told["rules"].split())


def test_who_learns_from_single_decisions_is_marked_and_not_refused():
    standing = Standing.of("a log", "a decision", {}, "refuse", ("The log cannot answer for it: so it is.",))
    few = crl.load_policy("lin_ts", "coupon_trap")
    refuse_unsupported(few, standing)
    with pytest.raises(SupportError, match=r"cannot be taught by this log\. The log cannot answer for it: so it is\."):
        refuse_unsupported(crl.load_policy("cql", "coupon_trap"), standing)
    refuse_unsupported(crl.load_policy("cql", "coupon_trap"), Standing.of("a log", "a decision", {}, "caution"))


def test_a_drawn_share_is_held_against_nobody():
    """Of two that draw alike one keeps up with the other; against sending nothing the draws count."""
    fixed = exploring(crl.load_policy("always:coupon20@email", "coupon_trap"), 0.2)
    plain, alike = (prove(fixed, "coupon_trap", customers=400, explore=share).over for share in (0.0, 0.2))
    assert plain[NOTHING] == alike[NOTHING]
    assert alike[FIXED].mean > plain[FIXED].mean
    assert exploring(fixed, 0.1) is fixed
    assert exploring(crl.load_policy("uniform", "coupon_trap"), 0.5).name == "uniform"
